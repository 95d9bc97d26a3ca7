"""The radiograph: one frame of grey values, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class RadiographError(Exception):
    """A file could not be opened. `str(error)` is one sentence that a surgeon understands."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = details  # technical, for "details" to copy; never contains patient data

    def __reduce__(self) -> tuple[type[RadiographError], tuple[str, str]]:
        return type(self), (self.sentence, self.details)


class SpacingSource(StrEnum):
    """Where the pixel spacing comes from, best first."""

    HEAD = "head"  # from the implanted head, its diameter typed by the reader
    CALIBRATED = "calibrated"  # Pixel Spacing (0028,0030) that the header says is calibrated
    DETECTOR = "detector"  # Imager Pixel Spacing (0018,1164): at the detector, hence magnified
    NONE = "none"  # lengths are in pixels


class Side(StrEnum):
    RIGHT = "R"
    LEFT = "L"
    BOTH = "B"
    UNKNOWN = "U"


class SideSource(StrEnum):
    """How the side of a hip, or the direction of a picture, is known."""

    READER = "reader"  # a person set it
    STUDY = "study"  # the case list of a study gives it
    ORIENTATION = "orientation"  # Patient Orientation (0020,0020), and where the hip is in the picture
    LANDMARKS = "landmarks"  # Patient Orientation, and the implant's lateral side
    LATERALITY = "laterality"  # Image Laterality, Laterality and their like
    ASSUMED = "assumed"  # as an AP view is usually shown; nothing says so
    NONE = "none"


class View(StrEnum):
    AP = "AP"
    LATERAL = "LATERAL"
    OTHER = "OTHER"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Window:
    """Window centre and width in the units of `Radiograph.pixels`."""

    center: float
    width: float
    name: str = ""
    sigmoid: bool = False  # an S-shaped curve through the window instead of a line (PS3.3 C.11.2.1.3.1)

    @property
    def levels(self) -> tuple[float, float]:
        """(black, white)"""
        return self.center - self.width / 2, self.center + self.width / 2


@dataclass(frozen=True)
class Orientation:
    """Which way the patient lies in the picture; `imaging.orientation` says what follows from it.

    `row` is where the picture's right edge points, `column` where its lower edge points: R, L, A, P, H, F, the main letter
    first, or "" where it is not known.
    """

    row: str = ""
    column: str = ""
    source: SideSource = SideSource.NONE  # ORIENTATION, ASSUMED or NONE
    turns: int = 0  # quarter turns counter-clockwise from the picture in the file to this one


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One frame, decoded.

    `pixels` is float32, (rows, cols), C-contiguous, read-only; larger = denser = brighter on screen, whatever
    the file's photometric interpretation. Values have passed the modality LUT, and the first VOI LUT
    sequence if the file carries one; window presets are in the same units. Pixels are square: where the file's are not,
    rows or columns were added (docs/adr/0015-square-pixels.md). The patient's head is up where the file says which way
    it is (docs/adr/0009-right-and-left.md).
    """

    pixels: Pixels
    windows: tuple[Window, ...]  # at least one; the first is shown at open
    sha256: str  # of the file's bytes: the identity of the image in every record
    path: Path  # where it was read from; an archive member is `archive.zip` with `member` set
    member: str = ""  # name inside a ZIP archive
    frame: int = 0
    frame_count: int = 1
    bits: int = 8  # stored grey depth
    spacing_mm: tuple[float, float] | None = None  # (between rows, between columns)
    spacing_source: SpacingSource = SpacingSource.NONE
    side: Side = Side.UNKNOWN  # as the laterality tags say
    view: View = View.UNKNOWN
    orientation: Orientation = Orientation()
    body_part: str = ""
    modality: str = ""  # DICOM's, e.g. "DX"; "" for a plain image
    acquired_on: str = ""  # ISO date, or ""
    patient_name: str = ""  # on screen only where the settings allow it; never logged or recorded
    patient_id: str = ""
    manufacturer: str = ""
    inverted: bool = False  # True when the file's larger values are darker, as in MONOCHROME1
    polarity_doubtful: bool = False  # the header contradicts itself about which end of the grey scale is white
    padding: Mask | None = None  # (rows, cols), True where the file says that there is no image; the darkest grey there
    notices: tuple[str, ...] = field(default=())  # sentences: contradictory tags, ignored data, lossy source

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)"""
        rows, cols = self.pixels.shape
        return int(rows), int(cols)
