"""How much of an implant the picture shows: the rule that tells a cropped image from a tightly framed one.

A crop lacks what is needed for an assessment when more than 15 % of the stem's interface (it runs down one side, round
the tip and up the other) or more than half of the cup's dome lie outside. Radiographs near those limits are not drawn:
suitable ones stay inside the narrower `SUITABLE` limits, cropped ones go beyond `CROPPED`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.canvas import Canvas, Points
from training.simulation.cups import CupDesign
from training.simulation.implants import StemShape, path_points

MISSING_STEM = 0.15  # of the interface: more than that, and the image is cropped
MISSING_DOME = 0.50


@dataclass(frozen=True)
class Missing:
    """Shares of the stem's interface and of the cup's dome that lie outside of the picture, 0-1."""

    stem: float
    dome: float

    @property
    def cropped(self) -> bool:
        """The rule."""
        return self.stem > MISSING_STEM or self.dome > MISSING_DOME

    @property
    def plainly_cropped(self) -> bool:
        return self.stem >= 0.25 or self.dome >= 0.70

    @property
    def plainly_whole(self) -> bool:
        return self.stem <= 0.12 and self.dome <= 0.40


def _outside(canvas: Canvas, points: Points, margins: tuple[float, float, float, float]) -> float:
    pixels = canvas.to_pixels(points)
    left, top, right, bottom = margins
    c, r = (pixels[:, 0] + 0.5) / canvas.cols, (pixels[:, 1] + 0.5) / canvas.rows
    inside = (c > left) & (c < 1 - right) & (r > top) & (r < 1 - bottom)
    return float(1 - inside.mean())


def dome(cup: CupDesign) -> Points:
    """(n, 2) points of the dome in the pelvic frame, from rim to rim, the head at the origin."""
    pole = np.deg2rad(cup.inclination_deg)
    angles = np.deg2rad(np.linspace(-80, 80, 41))
    return cup.radius_mm * np.column_stack([-np.sin(pole + angles), -np.cos(pole + angles)])


def missing(
    canvas: Canvas,
    femur_canvas: Canvas,
    form: StemShape,
    cup: CupDesign,
    margins: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
) -> Missing:
    """`margins`: left, top, right, bottom shares of the picture that collimation hides."""
    return Missing(_outside(femur_canvas, path_points(form.interface), margins), _outside(canvas, dome(cup), margins))
