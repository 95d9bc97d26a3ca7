"""Radiographs of hip replacements with known ground truth."""
