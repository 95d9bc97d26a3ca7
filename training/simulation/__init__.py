"""Radiographs of hip replacements with known ground truth."""

from training.simulation.loosening import label_component
from training.simulation.options import DEFAULT, SimulationOptions
from training.simulation.radiograph import simulate
from training.simulation.truth import ComponentTruth, HipTruth, Label, SimulatedRadiograph, Suitability, Truth

__all__ = [
    "DEFAULT",
    "ComponentTruth",
    "HipTruth",
    "Label",
    "SimulatedRadiograph",
    "SimulationOptions",
    "Suitability",
    "Truth",
    "label_component",
    "simulate",
]
