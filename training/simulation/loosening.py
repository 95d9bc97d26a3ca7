"""When is a component loose? The written rule, and plans of lines and signs that obey it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from training.simulation.truth import Label

SAMPLES = 240  # along an interface, at equal arc lengths, from the lateral to the medial end
LINE_MM = 0.3  # thinner is no line: it cannot be drawn or seen
Widths = npt.NDArray[np.float64]  # (SAMPLES,), mm


def label_component(widths_mm: npt.ArrayLike, *, fracture: bool = False, migration_trace: bool = False) -> Label:
    """The reference standard of a stem or a cup.

    `widths_mm` is the width of the lucent line at equal steps along the whole interface, 0 where there is none.
    Loose: 2 mm or more over at least half, or 1 mm or more around at least 80 %, or a fracture of the mantle
    or component, or migration that leaves a trace in this one image. Well fixed: no line over 1 mm, and none
    over more than a third. Between the two: borderline.
    """
    widths = np.asarray(widths_mm, np.float64)
    if widths.ndim != 1 or widths.size == 0 or not np.isfinite(widths).all() or (widths < 0).any():
        raise ValueError("Widths must be a row of finite millimetres, none below zero.")
    if fracture or migration_trace:
        return Label.LOOSE
    if np.mean(widths >= 2.0) >= 0.5 or np.mean(widths >= 1.0) >= 0.8:
        return Label.LOOSE
    if widths.max() <= 1.0 and np.mean(widths >= LINE_MM) <= 1 / 3:
        return Label.FIXED
    return Label.BORDERLINE


@dataclass(frozen=True, eq=False)
class ComponentPlan:
    """What is to be drawn round one component. Rows run along the interface."""

    label: Label
    outer_mm: Widths  # line at the bone: bone-implant, or bone-cement
    inner_mm: Widths  # line between stem and cement (zeros without cement)
    rim_mm: Widths  # sclerotic bone beyond the line
    rim_density: float  # share of cortical bone
    subsidence_mm: float = 0.0
    tilt_deg: float = 0.0
    migration_mm: tuple[float, float] = (0.0, 0.0)  # of a cup
    mantle_cracks: tuple[float, ...] = ()  # positions along the interface, 0-1
    pedestal: float = 0.0  # 0-1
    hard: bool = False
    signs: tuple[str, ...] = field(default=())
    clarity: Widths = field(default_factory=lambda: np.ones(SAMPLES))  # 1: wholly lucent; less: a clouded line
    lysis: tuple[tuple[float, float], ...] = ()  # behind a cup: (position 0-1, size in mm)
    screw_halo_mm: float = 0.0

    @property
    def widths_mm(self) -> Widths:
        """The wider of the lines at each place: what the rule looks at."""
        return np.maximum(self.outer_mm, self.inner_mm)


def label_of(plan: ComponentPlan) -> Label:
    """What the rule says of what is drawn; `plan.label` is what was asked for."""
    return label_component(plan.widths_mm, fracture=bool(plan.mantle_cracks), migration_trace="migration" in plan.signs)


def rough(rng: np.random.Generator, correlation: float) -> Widths:
    """Noise of unit variance along an interface."""
    noise = ndimage.gaussian_filter1d(rng.standard_normal(SAMPLES + 120), correlation * SAMPLES)[60:-60]
    return noise / max(float(noise.std()), 1e-6)


def _cover(rng: np.random.Generator, share: float, pieces: int, anchor: float | None = None) -> npt.NDArray[np.bool_]:
    """A subset of the interface of this share, in so many pieces."""
    covered = np.zeros(SAMPLES, bool)
    target = round(share * SAMPLES)
    parts = rng.dirichlet(np.full(pieces, 4.0)) * target
    for part in parts:
        length = max(int(part), 3)
        if length >= SAMPLES:
            covered[:] = True
            break
        start = (
            int(rng.uniform(0, SAMPLES - length))
            if anchor is None
            else int(np.clip(anchor * SAMPLES - length / 2, 0, SAMPLES - length))
        )
        covered[start : start + length] = True
    missing = target - int(covered.sum())
    while missing > 0:  # pieces overlapped: grow
        covered = ndimage.binary_dilation(covered)
        missing = target - int(covered.sum())
    return covered


def draw_line(
    rng: np.random.Generator, share: float, width_mm: float, pieces: int, spread: float, floor_mm: float, cap_mm: float
) -> Widths:
    """An organic line: a share of the interface, varying width, frayed ends."""
    covered = _cover(rng, share, pieces)
    width = width_mm * np.exp(spread * (0.8 * rough(rng, 0.06) + 0.5 * rough(rng, 0.015)))
    width = np.clip(width, floor_mm, cap_mm)
    soft = ndimage.gaussian_filter1d(covered.astype(np.float64), 2.5, mode="nearest")
    return np.where(covered, width * np.clip(1.4 * soft, 0.0, 1.0), 0.0)


def plan_component(
    rng: np.random.Generator,
    label: Label,
    *,
    cemented: bool,
    cup: bool,
    hard: bool,
    shifted: bool = False,
    emphasis: int = 0,
) -> ComponentPlan:
    """A plan that `label_component` gives this very label; `emphasis` grows with each redraw for visibility."""
    for _ in range(200):
        plan = _propose(rng, label, cemented, cup, hard, shifted, emphasis)
        if label_of(plan) == label:
            clarity = np.clip(1.0 - rng.uniform(0.0, 0.8) * np.maximum(rough(rng, 0.05), 0.0) / 2.0**emphasis, 0.2, 1.0)
            return replace(plan, clarity=clarity, lysis=_draw_lysis(rng, label) if cup else ())
    raise RuntimeError(f"No plan for {label} was found.")  # a bug: every label can be drawn


def _draw_lysis(rng: np.random.Generator, label: Label) -> tuple[tuple[float, float], ...]:
    """Bone lost behind a cup: it makes no component loose, and goes with loose ones more often."""
    if rng.random() > (0.28 if label is Label.LOOSE else 0.15):
        return ()
    return tuple((float(rng.uniform(0.1, 0.9)), float(rng.uniform(4, 11))) for _ in range(int(rng.integers(1, 3))))


def scallops(rng: np.random.Generator, line: Widths, most_mm: float = 8.0) -> Widths:
    """The line with bays that membrane has eaten into the bone."""
    at = np.arange(SAMPLES)
    bays = np.zeros(SAMPLES)
    for _ in range(int(rng.integers(1, 5))):
        bays += rng.uniform(0.8, 4.0) * np.exp(-(((at - rng.uniform(0, SAMPLES)) / rng.uniform(4, 14)) ** 2))
    return np.where(line > LINE_MM, np.minimum(line + bays, np.maximum(line, most_mm)), line)


def _propose(
    rng: np.random.Generator, label: Label, cemented: bool, cup: bool, hard: bool, shifted: bool, emphasis: int
) -> ComponentPlan:
    zero = np.zeros(SAMPLES)
    rim_density = float(rng.uniform(0.6, 1.0))
    spots = np.clip(rough(rng, 0.05) - 1.0, 0, 1.2) * 0.5  # spot welds and condensations, in every class
    if label is Label.FIXED:
        if not hard:
            return ComponentPlan(label, zero, zero, spots, rim_density)
        line = draw_line(rng, rng.uniform(0.10, 0.325), rng.uniform(0.6, 0.95), int(rng.integers(1, 4)), 0.12, 0.4, 1.0)
        rim = np.where(line > 0, rng.uniform(0.4, 0.8), spots)
        if cemented and not cup and rng.random() < 0.25:
            return ComponentPlan(label, zero, line, spots, rim_density, hard=True, signs=("incomplete_line",))
        return ComponentPlan(label, line, zero, rim, rim_density, hard=True, signs=("incomplete_line",))
    if label is Label.BORDERLINE:
        if rng.random() < 0.5:
            line = draw_line(
                rng, rng.uniform(0.35, 0.7), rng.uniform(1.0, 1.7), int(rng.integers(1, 4)), 0.2, 0.5, 1.95
            )
        else:
            line = draw_line(
                rng, rng.uniform(0.12, 0.4), rng.uniform(1.5, 3.0), int(rng.integers(1, 3)), 0.25, 1.1, 4.0
            )
        rim = np.where(line > 0, rng.uniform(0.4, 0.9), spots)
        return ComponentPlan(label, line, zero, rim, rim_density, signs=("borderline_line",))

    mode = rng.random()
    signs: list[str] = []
    cracks: tuple[float, ...] = ()
    subsidence = tilt = 0.0
    wide = 0.35 * emphasis
    if hard and emphasis == 0:
        if mode < 0.55:
            line = draw_line(
                rng, rng.uniform(0.54, 0.70), rng.uniform(2.2, 2.6), int(rng.integers(1, 4)), 0.08, 2.02, 3.0
            )
        else:
            line = draw_line(
                rng, rng.uniform(0.84, 1.0), rng.uniform(1.3, 1.8), int(rng.integers(1, 3)), 0.14, 1.05, 2.2
            )
    elif not cup and mode < 0.12 and emphasis < 2:
        line = draw_line(
            rng, rng.uniform(0.28, 0.48), rng.uniform(2.4, 4.5) + wide, int(rng.integers(1, 3)), 0.25, 1.6, 7.0
        )
        signs.append("migration")
        subsidence = float(rng.uniform(4, 15))
    elif mode < 0.55:
        line = draw_line(
            rng, rng.uniform(0.85, 1.0), rng.uniform(2.0, 3.8) + wide, int(rng.integers(1, 3)), 0.28, 1.1, 7.0
        )
        signs.append("circumferential")
    else:
        line = draw_line(
            rng, rng.uniform(0.58, 0.85), rng.uniform(2.6, 4.6) + wide, int(rng.integers(1, 4)), 0.25, 2.02, 7.5
        )
    if not hard and rng.random() < 0.3:
        line = scallops(rng, line)
        signs.append("scalloping")
    if shifted:  # other positions: the line hugs one end of the interface
        line = np.roll(line, int(rng.integers(-SAMPLES // 4, SAMPLES // 4)))
    inner = zero
    if cemented and not cup and rng.random() < 0.4 and "migration" not in signs:
        signs.append("stem_cement_line")
        if rng.random() < 0.6:
            line, inner = zero, np.minimum(line, 3.2)  # debonded from the cement instead
        else:  # as well
            inner = np.minimum(draw_line(rng, rng.uniform(0.15, 0.5), rng.uniform(0.7, 1.8), 1, 0.2, 0.4, 2.5), 2.5)
    if not cup:
        if not subsidence and rng.random() < 0.3:
            subsidence = float(rng.uniform(2, 10))
        if rng.random() < 0.35:
            tilt = float(rng.uniform(1.0, 3.2)) * (1 if rng.random() < 0.85 else -1)
        if cemented and not hard and rng.random() < 0.3:
            cracks = tuple(rng.uniform(0.15, 0.85, int(rng.integers(1, 3))))
    if cup:
        reach = float(rng.uniform(0, 7)) if rng.random() < 0.45 else 0.0
        heading = rng.normal(-2.2, 0.5)
        migration = (reach * float(np.cos(heading)), reach * float(np.sin(heading)))
        tilt = float(rng.normal(0, 12)) if rng.random() < 0.35 else 0.0
        if reach > 3:
            signs.append("cup_migration")
    else:
        migration = (0.0, 0.0)
    pedestal = float(rng.uniform(0.4, 1.0)) if (not cup and not cemented and rng.random() < 0.45) else 0.0
    signs += [
        name
        for name, there in (
            ("subsidence", subsidence),
            ("tilt", abs(tilt) > 1),
            ("mantle_fracture", cracks),
            ("pedestal", pedestal),
        )
        if there
    ]
    rim_width = rng.uniform(0.6, 1.1) + 0.1 * emphasis
    uneven = 0.25 if emphasis else rng.uniform(0.15, 0.8)  # sclerosis here, none there
    rim = np.where(line > LINE_MM, rim_width * np.clip(1 + uneven * rough(rng, 0.04), 0.1, 2.0), spots)
    halo = float(rng.uniform(0.8, 2.5)) if cup and rng.random() < 0.5 else 0.0
    return ComponentPlan(
        label,
        line,
        inner,
        rim,
        min(1.0, rim_density + 0.12 * emphasis),
        subsidence,
        tilt,
        migration,
        cracks,
        pedestal,
        hard,
        tuple(signs),
        screw_halo_mm=halo,
    )
