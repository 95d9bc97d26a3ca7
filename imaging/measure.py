"""Lengths, areas and angles on a radiograph, each with its unit and where the unit comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imaging.radiograph import SpacingSource

Point = tuple[float, float]  # image pixels (x, y)

SOURCE_NAMES: dict[SpacingSource, str] = {
    SpacingSource.HEAD: "head",
    SpacingSource.CALIBRATED: "calibrated",
    SpacingSource.DETECTOR: "detector",
}


@dataclass(frozen=True)
class Measure:
    """Pixel spacing and its source. Without spacing every length is in pixels and says so."""

    spacing_mm: tuple[float, float] | None = None  # (between rows, between columns)
    source: SpacingSource = SpacingSource.NONE

    @property
    def has_mm(self) -> bool:
        return self.spacing_mm is not None and self.source is not SpacingSource.NONE

    @property
    def unit(self) -> str:
        """ "mm (detector)" or "px"."""
        return f"mm ({SOURCE_NAMES[self.source]})" if self.has_mm else "px"

    @property
    def steps(self) -> tuple[float, float]:
        """Length of one pixel along x and along y, in `unit`."""
        if self.spacing_mm is None or not self.has_mm:
            return 1.0, 1.0
        return self.spacing_mm[1], self.spacing_mm[0]

    def length(self, a: Point, b: Point) -> float:
        """Distance in `unit`."""
        step_x, step_y = self.steps
        return math.hypot((b[0] - a[0]) * step_x, (b[1] - a[1]) * step_y)

    def length_of_px(self, length_px: float) -> float:
        """A length without a direction, such as the width of a line: the geometric mean of both spacings."""
        step_x, step_y = self.steps
        return length_px * math.sqrt(step_x * step_y)

    def polygon_area(self, points: Sequence[Point]) -> float:
        """Area inside a closed outline in `unit` squared (Gauss's shoelace formula)."""
        step_x, step_y = self.steps
        twice = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True))
        return abs(twice) / 2 * step_x * step_y

    def ellipse_area(self, corner: Point, opposite: Point) -> float:
        step_x, step_y = self.steps
        return math.pi / 4 * abs(opposite[0] - corner[0]) * step_x * abs(opposite[1] - corner[1]) * step_y

    def angle_deg(self, points: Sequence[Point]) -> float:
        """The acute angle between line 1 (points 0, 1) and line 2 (points 2, 3), 0-90 degrees (Cobb's, two lines)."""
        step_x, step_y = self.steps
        (ax, ay), (bx, by) = (
            ((end[0] - start[0]) * step_x, (end[1] - start[1]) * step_y)
            for start, end in ((points[0], points[1]), (points[2], points[3]))
        )
        return math.degrees(math.atan2(abs(ax * by - ay * bx), abs(ax * bx + ay * by)))

    def length_text(self, length: float) -> str:
        """ "12.3 mm (detector)", "87 px"; `length` in `unit`."""
        return f"{length:.1f} {self.unit}" if self.has_mm else f"{length:.0f} px"

    def area_text(self, area: float) -> str:
        if self.has_mm:
            return f"{area:.0f} mm² ({SOURCE_NAMES[self.source]})"
        return f"{area:.0f} px²"
