"""Where a hip lies in a radiograph."""

from __future__ import annotations

from dataclasses import dataclass

from imaging.radiograph import Side


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
        return HipRegion(cx - side_px / 2, cy - side_px / 2, side_px, side_px, self.side, self.proposed)
