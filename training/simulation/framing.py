"""What part of a patient the picture shows, and on how many pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imaging.radiograph import Side
from training.simulation import anatomy, coverage
from training.simulation.canvas import Canvas
from training.simulation.designs import HipDesign
from training.simulation.options import SimulationOptions


@dataclass(frozen=True, eq=False)
class Frame:
    """The grid in the frame of the main hip, and the size of the final image."""

    canvas: Canvas
    rows: int
    cols: int

    @property
    def scale(self) -> tuple[float, float]:
        """final pixels per working pixel (x, y)"""
        return self.cols / self.canvas.cols, self.rows / self.canvas.rows

    @property
    def final_pixel_mm(self) -> float:
        """The final image's, the geometric mean of both directions."""
        sx, sy = self.scale
        return float(self.canvas.pixel_mm / np.sqrt(sx * sy))

    def final_points(self, points: np.ndarray) -> np.ndarray:
        """Working pixels -> final pixels."""
        sx, sy = self.scale
        return (points + 0.5) * (sx, sy) - 0.5


def frame_single(
    rng: np.random.Generator,
    design: HipDesign,
    patient: anatomy.Patient,
    options: SimulationOptions,
    bottom_mm: float,
    whole: bool = False,
    margins: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
) -> Frame:
    """The crop of one hip: head and cup near the top edge, the tip two thirds down or lower.

    As public crops are, some cut the cup's edge or the very tip, within what `coverage` calls whole; `margins` are
    the shares that collimation will hide. `whole` keeps the tip in the picture.
    """
    for attempt in range(12):
        frame = _propose_single(rng, design, patient, options, bottom_mm, whole or options.clean, attempt)
        if design.stem_form is None or design.cup is None:
            return frame
        femur = frame.canvas.framed(rotation_deg=-patient.adduction_deg)
        if coverage.missing(frame.canvas, femur, design.stem_form, design.cup, margins).plainly_whole:
            return frame
    return frame


def _propose_single(
    rng: np.random.Generator,
    design: HipDesign,
    patient: anatomy.Patient,
    options: SimulationOptions,
    bottom_mm: float,
    whole: bool,
    attempt: int,
) -> Frame:
    """Wider with every attempt."""
    tight = rng.random() < 0.5
    cut = rng.random() < 0.25 and not whole
    more = 4.0 * attempt
    reach = 26.0 * patient.size + 5
    top = -reach - (rng.uniform(-16, 4) if cut else rng.uniform(-3, 14) if tight else rng.uniform(8, 70)) - more
    bottom = bottom_mm + more + (rng.uniform(8, 40) if tight else rng.uniform(15, 90))
    if cut and rng.random() < 0.6:
        bottom = bottom_mm + rng.uniform(-0.07, 0.03) * max(bottom_mm - 20.0, 1.0) + more
    medial = -reach - (rng.uniform(-12, 20) if cut else rng.uniform(-3, 40) if tight else rng.uniform(15, 85)) - more
    lateral = patient.shaft_x_mm + 26 + more + (rng.uniform(4, 40) if tight else rng.uniform(20, 95))
    rotation = float(np.clip(rng.normal(0, 4.5), -14, 14))
    squash = float(np.exp(rng.normal(0, 0.17))) if rng.random() < 0.4 and not options.clean else 1.0
    low, high = (medial, top), (lateral, bottom)
    if design.stem_form is not None and not cut:
        low, high = _holding(low, high, rotation, patient.to_pelvis(design.stem_form.tip))
    return make_frame(rng, low, high, design.side, rotation, squash, options)


def _holding(
    low: tuple[float, float],
    high: tuple[float, float],
    rotation_deg: float,
    point: tuple[float, float],
    margin_mm: float = 5.0,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The box, widened about its centre where it would leave the point outside once turned."""
    angle = np.deg2rad(rotation_deg)
    dx, dy = point[0] - (low[0] + high[0]) / 2, point[1] - (low[1] + high[1]) / 2
    seen = (dx * np.cos(angle) - dy * np.sin(angle), dx * np.sin(angle) + dy * np.cos(angle))
    more = [max(0.0, abs(seen[i]) + margin_mm - (high[i] - low[i]) / 2) for i in (0, 1)]
    return (low[0] - more[0], low[1] - more[1]), (high[0] + more[0], high[1] + more[1])


def frame_pelvis(
    rng: np.random.Generator, design: HipDesign, patient: anatomy.Patient, options: SimulationOptions
) -> Frame:
    half = patient.midline_mm + patient.shaft_x_mm + rng.uniform(32, 75)
    assert design.stem_form is not None or not design.replaced
    tip = design.stem_form.tip[1] if design.stem_form is not None else 110.0
    top, bottom = -rng.uniform(85, 165), tip + rng.uniform(8, 40)
    off = rng.normal(0, 6)
    m = patient.midline_mm
    rotation = float(np.clip(rng.normal(0, 1.5), -5, 5))
    return make_frame(rng, (-m - half + off, top), (-m + half + off, bottom), design.side, rotation, 1.0, options)


def make_frame(
    rng: np.random.Generator,
    low: tuple[float, float],
    high: tuple[float, float],
    side: Side,
    rotation_deg: float,
    squash: float,
    options: SimulationOptions,
) -> Frame:
    width, height = high[0] - low[0], high[1] - low[1]
    longer = draw_size(rng, options)
    shown_width, shown_height = width * squash, height
    scale = longer / max(shown_width, shown_height)  # final pixels per shown mm
    cols, rows = max(32, round(shown_width * scale)), max(32, round(shown_height * scale))
    finest = min(1.0 / scale, 1.0 / (scale * squash))
    work = float(np.clip(finest, options.work_spacing_mm, max(0.5, options.work_spacing_mm)))
    wcols, wrows = round(width / work), round(height / work)
    sx, sy = width / wcols, height / wrows
    matrix = np.array([[sx, 0.0, -width / 2 + sx / 2], [0.0, sy, -height / 2 + sy / 2]])
    angle = np.deg2rad(rotation_deg)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) @ matrix
    if side is Side.RIGHT:  # lateral lies to the left of the image
        matrix = np.diag([-1.0, 1.0]) @ matrix
    matrix[:, 2] += ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
    return Frame(Canvas(wrows, wcols, matrix), rows, cols)


def draw_size(rng: np.random.Generator, options: SimulationOptions) -> int:
    """The longer side of the image in pixels."""
    if options.size_px is not None:
        low, high = options.size_px
        return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
    band = rng.choice(4, p=[0.10, 0.25, 0.40, 0.25])
    low, high = ((160, 300), (300, 600), (600, 1200), (1200, 2500))[int(band)]
    return int(rng.uniform(low, high))


def mirrored(canvas: Canvas, patient: anatomy.Patient) -> Canvas:
    """The frame of the other hip."""
    return canvas.framed(mirror=True, shift=(2.0 * patient.midline_mm, 0.0))
