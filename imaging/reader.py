"""One file in, one Radiograph out, or one sentence that says why not."""

from __future__ import annotations

import hashlib
import traceback
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imaging.radiograph import Radiograph, RadiographError
from imaging.sources import Source
from imaging.windowing import apply_window


def read_radiograph(source: Source | Path | str, frame: int = 0) -> Radiograph:
    """Read frame `frame` (counted from 0) of one DICOM, PNG, JPEG, TIFF or BMP file.

    What the file is, its content says, never its name. Raises RadiographError, and nothing else.
    """
    if not isinstance(source, Source):
        source = Source(Path(source))
    try:
        data = source.read_bytes()
        return _read(data, source, frame)
    except RadiographError:
        raise
    except MemoryError:
        raise RadiographError("This file needs more memory than the program allows.") from None
    except RecursionError:
        raise RadiographError("This file is damaged: its data are nested too deeply.") from None
    except Exception as error:
        # Malformed files find new ways; the message may quote the header, so only the place is told.
        raise RadiographError("This file is damaged and cannot be read.", where(error)) from None


def thumbnail(radiograph: Radiograph, size_px: int) -> npt.NDArray[np.uint8]:
    """The radiograph in its first window, its longer side `size_px`: uint8 (rows, cols)."""
    from PIL import Image  # the window's process imports this module, and needs no Pillow

    rows, cols = radiograph.shape
    scale = size_px / max(rows, cols)
    size = max(1, round(cols * scale)), max(1, round(rows * scale))
    # Shrink by whole steps first: windowing millions of pixels that end in 100 x 100 would be wasted.
    step = max(1, int(1 / scale) // 4)
    grey = apply_window(np.ascontiguousarray(radiograph.pixels[::step, ::step]), radiograph.windows[0])
    return np.asarray(
        Image.fromarray(grey).resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR)
    )


def load_decoders() -> None:
    """Import now what the first file would otherwise wait for."""
    from imaging import dicom, plain

    dicom.load_decoders()
    plain.load_decoders()


def where(error: BaseException) -> str:
    """The kind of an error and where it arose, without its message, which may quote patient data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _read(data: bytes, source: Source, frame: int) -> Radiograph:
    from imaging import dicom, plain

    sha256 = hashlib.sha256(data).hexdigest()
    if frame < 0:
        raise RadiographError("Frames are counted from 1.")
    if plain.is_plain(data):
        return plain.read_plain(data, source, sha256, frame)
    return dicom.read_dicom(data, source, sha256, frame)
