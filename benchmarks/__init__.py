"""What the speed claims rest on: ratios in one run, alternating, medians. `python -m benchmarks`."""
