"""Where a hip lies in a radiograph, and its scale from the implanted head.

Points are (x, y) in image pixels, x along columns and y along rows; pixel centres lie at +0.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from imaging.radiograph import Side, SideSource, SpacingSource

Point = tuple[float, float]

CLICK_ERROR_PX = 1.0  # standard error of a point that a person sets on an edge
HEAD_DIAMETERS_MM = (16.0, 70.0)  # from the smallest made to the largest resurfacing


class GeometryError(ValueError):
    """A measurement cannot be made. `str(error)` is a sentence for the reader."""


@dataclass(frozen=True)
class HipRegion:
    """The box that one hip occupies, in image pixels; x runs along columns, y along rows.

    It may reach beyond the image: what lies outside is read as background.
    """

    x: float
    y: float
    width: float
    height: float
    side: Side = Side.UNKNOWN
    proposed: bool = False  # True when the program proposed it, False once a person has set it
    side_source: SideSource = SideSource.NONE

    def __post_init__(self) -> None:
        if not (self.width > 0 and self.height > 0):
            raise ValueError("A hip region needs a width and a height above zero.")

    @property
    def center(self) -> tuple[float, float]:
        """(x, y)"""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x, y, width, height)"""
        return self.x, self.y, self.width, self.height

    def squared(self) -> HipRegion:
        """The smallest square with the same centre that holds this box: what the CNN is given."""
        side_px = max(self.width, self.height)
        cx, cy = self.center
        return replace(self, x=cx - side_px / 2, y=cy - side_px / 2, width=side_px, height=side_px)


@dataclass(frozen=True)
class Circle:
    """In image pixels. `radius` is along columns: with pixels that are not square it is an ellipse on the image."""

    x: float
    y: float
    radius: float
    residual_px: float  # root mean square distance of the points from the circle
    radius_error_px: float  # standard error of the radius
    row_scale: float = 1.0  # height of a pixel over its width


@dataclass(frozen=True)
class HeadCalibration:
    """The scale that an implanted femoral head of known diameter gives. Its source is SpacingSource.HEAD."""

    circle: Circle
    diameter_mm: float
    spacing_mm: tuple[float, float]  # (between rows, between columns)
    relative_error: float  # half the 95 % interval of every length, as a share of it: 0.02 means ±2 %

    @property
    def source(self) -> SpacingSource:
        return SpacingSource.HEAD


def fit_circle(points: Sequence[Point], row_scale: float = 1.0) -> Circle:
    """The circle nearest to three or more points (x, y) in image pixels.

    Algebraic start (Kåsa 1976), then Gauss-Newton on the distances, as in Gander, Golub & Strebel, BIT 1994;34:558-578.
    The standard error follows from the distances' scatter, taken as CLICK_ERROR_PX at least: three points always
    fit exactly and would otherwise claim to be without error. Raises GeometryError.
    """
    if len(points) < 3:
        raise GeometryError("Mark at least three points on the edge of the head.")
    xy = np.asarray(points, np.float64) * (1.0, row_scale)
    if not np.isfinite(xy).all():
        raise GeometryError("A point of the circle is not on the image.")
    center = xy.mean(axis=0)
    extent = float(np.abs(xy - center).max())
    if extent < 1e-9:
        raise GeometryError("The points on the head lie on top of each other.")
    unit = (xy - center) / extent
    design = np.column_stack([2 * unit, np.ones(len(unit))])
    solution, _, rank, singular = np.linalg.lstsq(design, (unit**2).sum(axis=1), rcond=None)
    if rank < 3 or singular[-1] < 1e-6 * singular[0]:
        raise GeometryError("The points on the head lie on a line: spread them around its edge.")
    x, y = solution[0], solution[1]
    radius = math.sqrt(max(solution[2] + x * x + y * y, 1e-12))
    jacobian = np.empty((len(unit), 3))
    for _ in range(50):
        offset = unit - (x, y)
        distance = np.maximum(np.hypot(offset[:, 0], offset[:, 1]), 1e-12)
        jacobian[:, :2] = -offset / distance[:, None]
        jacobian[:, 2] = -1.0
        step, *_ = np.linalg.lstsq(jacobian, distance - radius, rcond=None)
        x, y, radius = x - step[0], y - step[1], radius - step[2]
        if float(np.abs(step).max()) < 1e-12:
            break
    if not (math.isfinite(radius) and 0 < radius < 1e3):
        raise GeometryError("The points on the head fit no circle: spread them around its edge.")
    residuals = (np.hypot(unit[:, 0] - x, unit[:, 1] - y) - radius) * extent
    freedom = len(points) - 3
    scatter_px = math.sqrt(float((residuals**2).sum()) / freedom) if freedom else 0.0
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    return Circle(
        x=float(center[0] + x * extent),
        y=float((center[1] + y * extent) / row_scale),
        radius=float(radius * extent),
        residual_px=math.sqrt(float((residuals**2).mean())),
        radius_error_px=max(scatter_px, CLICK_ERROR_PX) * math.sqrt(max(float(covariance[2, 2]), 0.0)),
        row_scale=row_scale,
    )


def calibrate_from_head(
    points: Sequence[Point],
    diameter_mm: float,
    spacing_mm: tuple[float, float] | None = None,
    diameter_error_mm: float = 0.0,
) -> HeadCalibration:
    """The pixel spacing at the implanted head from three or more points (x, y) on its edge and its diameter.

    `spacing_mm` of the header gives the shape of a pixel, nothing more. `diameter_error_mm` is the standard error of
    the diameter, for heads whose size is only believed. The scale holds in the plane of the head: what lies
    nearer to the detector is magnified less. Raises GeometryError.
    """
    if not HEAD_DIAMETERS_MM[0] <= diameter_mm <= HEAD_DIAMETERS_MM[1]:
        raise GeometryError(f"Femoral heads measure {HEAD_DIAMETERS_MM[0]:g} to {HEAD_DIAMETERS_MM[1]:g} mm.")
    row_scale = spacing_mm[0] / spacing_mm[1] if spacing_mm else 1.0
    circle = fit_circle(points, row_scale)
    col_mm = diameter_mm / (2 * circle.radius)
    relative = math.hypot(circle.radius_error_px / circle.radius, diameter_error_mm / diameter_mm)
    return HeadCalibration(circle, diameter_mm, (col_mm * row_scale, col_mm), 1.96 * relative)
