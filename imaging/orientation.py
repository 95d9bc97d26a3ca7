"""What direction is what in a picture: where the patient's right is, and how a stored picture is turned upright.

DICOM PS3.3 C.7.6.1.1.1: Patient Orientation gives the direction of the rows (where the right edge points) and of the
columns (where the lower edge points), each as one to three letters, the main one first: R and L, A and P, H and F.
docs/adr/0009 says which source comes first, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from imaging.radiograph import Orientation, Radiograph, Side, SideSource

_OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "H": "F", "F": "H"}
_AXIS = {letter: axis for axis in ("RL", "AP", "HF") for letter in axis}
_TURNS_BY_COLUMN = {"F": 0, "H": 2}
_TURNS_BY_ROW = {"H": 1, "F": 3}
_SIDE_WORDS = {Side.RIGHT: "right", Side.LEFT: "left"}

TURNED = {
    1: "The header says that this picture is stored on its side: it was turned upright.",
    2: "The header says that this picture is stored upside down: it was turned upright.",
    3: "The header says that this picture is stored on its side: it was turned upright.",
}
MIRRORED = "The header says that this picture is seen from behind: the patient's right is on the right of the picture."
ASSUMED_SIDES = (
    "The header does not say where the patient's right is: right and left are assumed as usual for AP pelves."
)


class Edge(StrEnum):
    """Of a picture, or a direction in it."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def other(self) -> Edge:
        return Edge.LEFT if self is Edge.RIGHT else Edge.RIGHT


def parsed(values: Sequence[str]) -> Orientation | None:
    """Patient Orientation's values as written; None where they are no two directions at right angles."""
    if len(values) != 2:
        return None
    row, column = (value.strip().upper() for value in values)
    if not (_is_direction(row) and _is_direction(column)) or _AXIS[row[0]] == _AXIS[column[0]]:
        return None
    return Orientation(row, column, SideSource.ORIENTATION)


def _is_direction(letters: str) -> bool:
    axes = [_AXIS.get(letter) for letter in letters]
    return 1 <= len(letters) <= 3 and None not in axes and len(set(axes)) == len(axes)


def usual(source: SideSource = SideSource.ASSUMED) -> Orientation:
    """As an AP view is usually shown: seen from the front, head up."""
    return Orientation("L", "F", source)


def is_lateral(orientation: Orientation) -> bool:
    """Seen from the side: front and back of the patient, head and feet are in the picture."""
    return {_AXIS.get(orientation.row[:1]), _AXIS.get(orientation.column[:1])} == {"AP", "HF"}


def turns_to_upright(orientation: Orientation) -> int:
    """Quarter turns counter-clockwise that bring the patient's head to the top; 0 where that is not known."""
    row, column = orientation.row[:1], orientation.column[:1]
    return _TURNS_BY_COLUMN.get(column) or _TURNS_BY_ROW.get(row, 0)


def turned(orientation: Orientation, turns: int) -> Orientation:
    """The directions of a picture after so many quarter turns counter-clockwise."""
    row, column = orientation.row, orientation.column
    for _ in range(turns % 4):
        row, column = column, _reverse(row)
    return replace(orientation, row=row, column=column, turns=(orientation.turns + turns) % 4)


def _reverse(letters: str) -> str:
    return "".join(_OPPOSITE[letter] for letter in letters)


def upright(radiograph: Radiograph) -> Radiograph:
    """The radiograph with the patient's head up, by whole quarter turns; it is never mirrored. What was done is said."""
    orientation = radiograph.orientation
    turns = turns_to_upright(orientation)
    if turns:
        pixels = np.ascontiguousarray(np.rot90(radiograph.pixels, turns))
        pixels.flags.writeable = False
        padding = radiograph.padding
        if padding is not None:
            padding = np.ascontiguousarray(np.rot90(padding, turns))
        spacing_mm = radiograph.spacing_mm
        if spacing_mm is not None and turns % 2:
            spacing_mm = spacing_mm[1], spacing_mm[0]
        orientation = turned(orientation, turns)
        notices = (*radiograph.notices, TURNED[turns])
        radiograph = replace(
            radiograph, pixels=pixels, padding=padding, spacing_mm=spacing_mm, orientation=orientation, notices=notices
        )
    if edge_of(orientation, Side.RIGHT) is Edge.RIGHT:
        radiograph = replace(radiograph, notices=(*radiograph.notices, MIRRORED))
    return radiograph


def edge_of(orientation: Orientation, side: Side) -> Edge | None:
    """Where in the picture that side of the patient is; None where it is not known."""
    if side not in (Side.RIGHT, Side.LEFT) or orientation.row[:1] not in ("R", "L"):
        return None
    return Edge.RIGHT if orientation.row[0] == side.value else Edge.LEFT


def side_at(orientation: Orientation, edge: Edge) -> Side:
    """Which side of the patient is towards that edge of the picture; UNKNOWN where that is not known."""
    for side in (Side.RIGHT, Side.LEFT):
        if edge_of(orientation, side) is edge:
            return side
    return Side.UNKNOWN


def tagged_side(radiograph: Radiograph) -> tuple[Side, SideSource]:
    """What the laterality tags say of the only hip that is meant."""
    if radiograph.side in (Side.LEFT, Side.RIGHT):
        return radiograph.side, SideSource.LATERALITY
    return Side.UNKNOWN, SideSource.NONE


@dataclass(frozen=True)
class HipSide:
    """The side of one hip, how it is known, and a sentence where what is known contradicts itself."""

    side: Side
    source: SideSource
    contradiction: str = ""


def settled(side: Side, source: SideSource, radiograph: Radiograph, lateral: Edge | None) -> HipSide:
    """The side of a hip that was taken for `side`, in view of the header and of the picture itself.

    `lateral`: where the landmarks of the implant have its lateral side; None where they do not tell. What a reader or
    a study's list says stays. Patient Orientation comes first, then laterality tags, then what is usual; where the picture
    contradicts a tag, the side is left open.
    """
    orientation = radiograph.orientation
    assumed = orientation.source is SideSource.ASSUMED
    by_person = source in (SideSource.READER, SideSource.STUDY)
    if lateral is not None and (source is SideSource.LANDMARKS or (side not in _SIDE_WORDS and not by_person)):
        side = side_at(orientation, lateral)
        source = SideSource.NONE if side is Side.UNKNOWN else SideSource.ASSUMED if assumed else SideSource.LANDMARKS
    if side not in _SIDE_WORDS:
        return HipSide(side, source)
    tag = radiograph.side if radiograph.side in _SIDE_WORDS else None
    if source in (SideSource.ORIENTATION, SideSource.LANDMARKS, SideSource.ASSUMED) and tag not in (None, side):
        named = f"The header names the {_SIDE_WORDS[radiograph.side]} hip, but"
        if source is SideSource.ASSUMED:
            sentence = (
                f"{named} an AP view as usual would have the {_SIDE_WORDS[side]} hip here: the side is left open."
            )
            return HipSide(Side.UNKNOWN, SideSource.NONE, sentence)
        return HipSide(
            side, source, f"{named} by its patient orientation this is the {_SIDE_WORDS[side]} hip: check the side."
        )
    expected = edge_of(orientation, side)
    if lateral is None or expected in (None, lateral):
        return HipSide(side, source)
    shown = f"this implant's lateral side is where a {_SIDE_WORDS[side_at(orientation, lateral)]} hip has it"
    if source is SideSource.LATERALITY:
        sentence = f"The header names the {_SIDE_WORDS[side]} hip, but {shown}: the side is left open."
        return HipSide(Side.UNKNOWN, SideSource.NONE, sentence)
    return HipSide(side, source, f"This hip is taken for the {_SIDE_WORDS[side]} one, but {shown}: check the side.")
