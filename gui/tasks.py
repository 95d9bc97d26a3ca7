"""What runs inside the decode worker and has no function of its own elsewhere. No Qt here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imaging.reader import read_radiograph, thumbnail
from imaging.sources import Source, find_sources


@dataclass(frozen=True, eq=False)
class Glance:
    """What one look at a file tells the list of cases."""

    sha256: str  # of the file: the record knows by it whether the radiograph was read
    thumbnail: npt.NDArray[np.uint8]  # (rows, cols)


def list_sources(paths: Sequence[Path]) -> list[Source]:
    """Every radiograph that the files, folders, archives and DICOMDIRs in `paths` offer."""
    return list(find_sources(paths))


def glance(source: Source, size_px: int) -> Glance:
    """The first image of a file, its longer side `size_px`, and the file's hash. Raises RadiographError."""
    radiograph = read_radiograph(source)
    return Glance(radiograph.sha256, thumbnail(radiograph, size_px))
