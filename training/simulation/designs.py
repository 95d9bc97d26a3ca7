"""One hip before it is drawn: its implant, and what is to become of its components."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from imaging.radiograph import Side
from training.simulation import anatomy, cups, implants, loosening
from training.simulation.canvas import Canvas
from training.simulation.implants import ComponentFields
from training.simulation.loosening import ComponentPlan
from training.simulation.options import SimulationOptions
from training.simulation.stem_families import stem_families_for
from training.simulation.streams import Stream
from training.simulation.truth import (
    Label,
    Mask,
)


@dataclass(frozen=True, eq=False)
class HipDesign:
    """One hip before anything is said about loosening."""

    side: Side
    replaced: bool
    stem: implants.StemDesign | None
    cup: cups.CupDesign | None
    stem_form: implants.StemShape | None
    femur: anatomy.FemurShape


@dataclass(eq=False)
class DrawnHip:
    design: HipDesign
    canvas: Canvas  # in this hip's pelvic frame
    stem_canvas: Canvas | None
    femur_canvas: Canvas
    stem_plan: ComponentPlan | None
    cup_plan: ComponentPlan | None
    stem_fields: ComponentFields | None
    cup_fields: ComponentFields | None
    head: tuple[float, float]
    cup_rims: dict[str, tuple[float, float]]
    head_mask: Mask | None
    extra: dict[str, float] = field(default_factory=dict)


def draw_design(
    stream: Stream, options: SimulationOptions, patient: anatomy.Patient, side: Side, replaced: bool, name: str
) -> HipDesign:
    if not replaced:
        return HipDesign(side, False, None, None, None, anatomy.femur_shape(patient, native=True))
    rng = stream(f"implant {name}")
    cemented_roll, cut = rng.random(), rng.uniform(-3, 6)
    cemented = cemented_roll < 0.45 if options.fixation is None else options.fixation == "cemented"
    names = options.families or stem_families_for(cemented, options.shifted)
    stem = implants.draw_stem(rng, names)
    cup = cups.draw_cup(rng, stem.head_mm, stem.family.cemented, patient, options.shifted)
    femur = anatomy.femur_shape(patient, native=False, cut_mm=float(cut))
    return HipDesign(side, True, stem, cup, implants.stem_shape(stem, patient, femur, rng), femur)


def draw_labels(
    rng: np.random.Generator, options: SimulationOptions, cemented: bool
) -> tuple[Label, Label, bool, bool]:
    """(stem, cup, stem hard, cup hard)"""
    roll = rng.random()
    which = rng.random()
    other = rng.random()
    hard_stem, hard_cup = (bool(rng.random() < options.hard_share) for _ in range(2))
    if roll < options.borderline_share:
        stem, cup = (Label.BORDERLINE, Label.FIXED) if which < 0.6 else (Label.FIXED, Label.BORDERLINE)
    elif roll < options.borderline_share + (1 - options.borderline_share) * options.prevalence:
        rest = Label.BORDERLINE if other < 0.1 else Label.FIXED
        stem, cup = (
            (Label.LOOSE, rest) if which < 0.44 else (rest, Label.LOOSE) if which < 0.76 else (Label.LOOSE, Label.LOOSE)
        )
    else:
        stem = cup = Label.FIXED
        hard_cup = hard_cup and bool(rng.random() < 0.5)
    return stem, cup, hard_stem, hard_cup


def draw_plans(
    stream: Stream, options: SimulationOptions, design: HipDesign, name: str, emphasis: int
) -> tuple[ComponentPlan, ComponentPlan]:
    assert design.stem is not None
    assert design.cup is not None
    stem_label, cup_label, hard_stem, hard_cup = draw_labels(
        stream(f"label {name}"), options, design.stem.family.cemented
    )
    rng = stream(f"lines {name} {emphasis}")
    stem = loosening.plan_component(
        rng,
        stem_label,
        cemented=design.stem.family.cemented,
        cup=False,
        hard=hard_stem,
        shifted=options.shifted,
        emphasis=emphasis,
    )
    cup = loosening.plan_component(
        rng,
        cup_label,
        cemented=design.cup.cemented,
        cup=True,
        hard=hard_cup,
        shifted=options.shifted,
        emphasis=emphasis,
    )
    return stem, cup
