"""The second renderer: bones, flesh and implants as solids, turned in space and projected in perspective."""

from training.simulation.projection.radiograph import simulate

__all__ = ["simulate"]
