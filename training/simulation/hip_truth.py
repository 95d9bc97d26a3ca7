"""What is known of a drawn hip: labels, zones, masks, landmarks, region."""

from __future__ import annotations

import numpy as np

from imaging.geometry import HipRegion
from imaging.zones import CUP_ZONES, GRUEN_ZONES
from training.simulation import anatomy, loosening
from training.simulation.canvas import Canvas, Field
from training.simulation.designs import DrawnHip
from training.simulation.framing import Frame
from training.simulation.implants import ComponentFields
from training.simulation.loosening import LINE_MM, SAMPLES, ComponentPlan
from training.simulation.truth import (
    ComponentTruth,
    Fixation,
    HipTruth,
    Label,
    Mask,
    Point,
)
from training.simulation.visibility import MIN_VISIBLE_SHARE, final_window, line_contrast

COUNTED_LINE_MM = 1.0  # lines wider than this are in the lucency mask
CUP_ZONE_OF_SAMPLE = np.minimum(np.arange(SAMPLES) * 3 // SAMPLES + 1, 3)


def hip_truth(hip: DrawnHip, frame: Frame, grey: Field, patient: anatomy.Patient) -> tuple[HipTruth, str]:
    """(truth, what could not be seen or "")"""
    rows, cols = frame.rows, frame.cols
    empty = np.zeros((rows, cols), bool)
    teardrop = (-26 * patient.size, 27 * patient.size)
    trochanter = (patient.shaft_x_mm + 7, -7 + patient.neck_length_mm + patient.trochanter_mm)
    if hip.stem_plan is None or hip.cup_plan is None or hip.design.stem is None or hip.design.cup is None:
        known: dict[str, Point | float] = {
            "head_center": hip_point(hip.canvas, frame, (0, 0)),
            "head_radius_px": 24.0 * patient.size / frame.canvas.pixel_mm * float(np.sqrt(np.prod(frame.scale))),
            "trochanter_tip": hip_point(hip.femur_canvas, frame, trochanter),
            "teardrop": hip_point(hip.canvas, frame, teardrop),
        }
        region = region_of(hip, frame, (-45.0, -50.0), (patient.shaft_x_mm + 30, 105.0))
        metal = empty if hip.head_mask is None else _whole(hip.head_mask, frame)
        return HipTruth(hip.design.side, region, False, None, None, None, empty, metal, empty, known), ""
    assert hip.design.stem_form is not None
    assert hip.stem_canvas is not None
    form = hip.design.stem_form
    cemented = hip.design.stem.family.cemented
    stem = component_truth(
        hip.stem_plan,
        hip.stem_fields,
        form.zones,
        GRUEN_ZONES,
        Fixation.CEMENTED if cemented else Fixation.CEMENTLESS,
        hip.design.stem.family.name,
        frame,
        grey,
    )
    cup = component_truth(
        hip.cup_plan, hip.cup_fields, CUP_ZONE_OF_SAMPLE, CUP_ZONES,
        Fixation.CEMENTED if hip.design.cup.cemented else Fixation.CEMENTLESS, hip.design.cup.family, frame, grey,
    )  # fmt: skip
    lucency, implant, interface = empty.copy(), empty.copy(), empty.copy()
    for fields, plan in ((hip.stem_fields, hip.stem_plan), (hip.cup_fields, hip.cup_plan)):
        if fields is None:
            continue
        counted = (fields.line & (fields.line_width > COUNTED_LINE_MM)) | fields.cracks
        if plan.widths_mm.max() > COUNTED_LINE_MM or plan.mantle_cracks:
            window, values = final_window(counted, fields.slices, frame)
            lucency[window] |= values > 0.3
        for target, source in ((implant, fields.implant), (interface, fields.interface)):
            window, values = final_window(source, fields.slices, frame)
            target[window] |= values > 0.5
    if hip.head_mask is not None:
        implant |= _whole(hip.head_mask, frame)
    lucency &= ~implant
    interface &= ~implant
    stem_frame = hip.stem_canvas
    radius_px = hip.design.stem.head_mm / 2 / frame.canvas.pixel_mm * float(np.sqrt(frame.scale[0] * frame.scale[1]))
    landmarks: dict[str, Point | float] = {
        "head_center": hip_point(hip.canvas, frame, hip.head),
        "head_radius_px": radius_px,
        "stem_tip": hip_point(stem_frame, frame, form.tip),
        "stem_axis_top": hip_point(stem_frame, frame, form.axis_top),
        "shoulder": hip_point(stem_frame, frame, form.shoulder),
        "cup_rim_lateral": hip_point(hip.canvas, frame, hip.cup_rims["cup_rim_lateral"]),
        "cup_rim_medial": hip_point(hip.canvas, frame, hip.cup_rims["cup_rim_medial"]),
        "teardrop": hip_point(hip.canvas, frame, teardrop),
        "trochanter_tip": hip_point(
            hip.femur_canvas, frame, (trochanter[0], trochanter[1] - hip.stem_plan.subsidence_mm)
        ),
    }
    reach = hip.design.cup.radius_mm + 10
    region = region_of(hip, frame, (-reach, -reach), (patient.shaft_x_mm + 24, form.tip[1] + 14))
    label = combine(stem.label, cup.label)
    failed = ""
    for name, part in (("stem", stem), ("cup", cup)):
        if part.label is Label.LOOSE and (
            part.line_visible_share is None or part.line_visible_share < MIN_VISIBLE_SHARE
        ):
            failed = failed or f"{hip.design.side.value} {name} line not visible"
    for plan in (hip.stem_plan, hip.cup_plan):
        if loosening.label_of(plan) != plan.label:
            failed = failed or f"{hip.design.side.value} {plan.label} plan did not fit the bone"
    hard = _is_hard(label, stem, cup)
    return HipTruth(
        hip.design.side, region, True, label, stem, cup, lucency, implant, interface, landmarks, hard
    ), failed


def _whole(mask: Mask, frame: Frame) -> Mask:
    """A mask of the working grid in the final image."""
    _, values = final_window(mask, (slice(0, frame.canvas.rows), slice(0, frame.canvas.cols)), frame)
    return values > 0.5


def component_truth(
    plan: ComponentPlan,
    fields: ComponentFields | None,
    zones: np.ndarray,
    names: tuple[str, ...],
    fixation: Fixation,
    family: str,
    frame: Frame,
    grey: Field,
) -> ComponentTruth:
    widths = plan.widths_mm
    widest, continuity = _zones(widths, zones, names)
    cnr = seen = None
    if fields is not None and (widths >= LINE_MM).any():
        cnr, seen = line_contrast(fields, frame, grey)
    return ComponentTruth(
        plan.label, fixation, family, widest, continuity, round(float(np.mean(widths >= LINE_MM)), 3), round(float(widths.max()), 2), plan.signs,
        None if cnr is None else round(cnr, 3), None if seen is None else round(seen, 3),
    )  # fmt: skip


def _zones(widths: np.ndarray, zones: np.ndarray, names: tuple[str, ...]) -> tuple[dict[str, float], dict[str, float]]:
    widest, continuity = {}, {}
    for number, name in enumerate(names, start=1):
        part = widths[zones == number]
        widest[name] = round(float(part.max(initial=0.0)), 2)
        continuity[name] = round(float(np.mean(part >= LINE_MM)) if part.size else 0.0, 3)
    return widest, continuity


def combine(stem: Label, cup: Label) -> Label:
    """A hip is loose if either component is; borderline if either is, and none is loose."""
    for label in (Label.LOOSE, Label.BORDERLINE):
        if label in (stem, cup):
            return label
    return Label.FIXED


def _is_hard(label: Label, stem: ComponentTruth, cup: ComponentTruth) -> bool:
    """Loose: no loose component has a line that is both wide and plain. Fixed: a look-alike line is drawn."""
    if label is Label.LOOSE:
        loose = [part for part in (stem, cup) if part.label is Label.LOOSE]
        return all(part.widest_mm < 3.05 or (part.line_contrast_to_noise or 0.0) < 4.0 for part in loose) and not any(
            "mantle_fracture" in part.signs for part in loose
        )
    return label is Label.FIXED and any(part.widest_mm >= LINE_MM for part in (stem, cup))


def hip_point(canvas: Canvas, frame: Frame, point: tuple[float, float]) -> tuple[float, float]:
    """mm in a canvas's frame -> final pixels (x, y)"""
    x, y = frame.final_points(canvas.to_pixels(point))[0]
    return float(x), float(y)


def region_of(hip: DrawnHip, frame: Frame, low: tuple[float, float], high: tuple[float, float]) -> HipRegion:
    corners = np.array([(low[0], low[1]), (low[0], high[1]), (high[0], low[1]), (high[0], high[1])])
    pixels = frame.final_points(hip.canvas.to_pixels(corners))
    (x0, y0), (x1, y1) = pixels.min(axis=0), pixels.max(axis=0)
    return HipRegion(float(x0), float(y0), float(x1 - x0), float(y1 - y0), hip.design.side)
