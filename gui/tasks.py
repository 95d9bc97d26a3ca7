"""What runs inside the worker processes on the window's behalf. No Qt here, and nothing heavy until it is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from imaging.geometry import HipRegion
    from imaging.radiograph import Radiograph
    from imaging.sources import Source
    from inference.prediction import Prediction, SaliencyMap


def list_sources(paths: Sequence[Path]) -> list[Source]:
    """Every radiograph that the files, folders, archives and DICOMDIRs in `paths` offer."""
    from imaging.sources import find_sources

    return list(find_sources(paths))


def read(source: Source, frame: int) -> Radiograph:
    from imaging.reader import read_radiograph

    return read_radiograph(source, frame)


def thumbnail(source: Source, size_px: int) -> npt.NDArray[np.uint8]:
    from imaging.reader import read_thumbnail

    return read_thumbnail(source, size_px)


def assess(radiograph: Radiograph, region: HipRegion | None) -> list[Prediction]:
    from inference import worker

    return worker.assess(radiograph, region)


def advanced_map(radiograph: Radiograph, region: HipRegion, method: str) -> SaliencyMap:
    from inference import worker

    return worker.advanced_map(radiograph, region, method)


def describe_engine() -> Any:
    from inference import worker

    return worker.describe()
