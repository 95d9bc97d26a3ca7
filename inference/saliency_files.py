"""Maps as files: the raw values as they are, and a picture of them on the radiograph.

The raw map is a 32-bit float TIFF of the map's own cells (row 0 at the top of the region's square), never stretched:
ImageJ, MATLAB, R and Python read it. The picture shows the region's square with the map at the bundle's fixed levels.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from imaging.radiograph import Radiograph
from inference.prediction import SaliencyMap
from inference.preprocess import crop_region

OVERLAY_PX = 512
_MAX_OPACITY = 0.6
_LONGEST_NAME = 120  # bytes, of the 255 that a file system allows
# Dark to bright along one hue, so that strength reads as strength (inferno's upper half, five stops).
_COLORS = np.array([(120, 28, 109), (188, 55, 84), (237, 105, 37), (251, 180, 26), (252, 255, 164)], np.float32)


def write(folder: Path, name: str, radiograph: Radiograph, saliency: SaliencyMap) -> tuple[Path, Path]:
    """Write `name`.tif (raw) and `name`.png (picture) to `folder`; returns both paths. Raises OSError."""
    safe = re.sub(r"[^\w.-]+", "_", name).strip("._").encode()[:_LONGEST_NAME].decode(errors="ignore") or "map"
    raw, picture = folder / f"{safe}.tif", folder / f"{safe}.png"
    Image.fromarray(np.ascontiguousarray(saliency.values, np.float32)).save(raw)
    Image.fromarray(overlay(radiograph, saliency)).save(picture)
    return raw, picture


def overlay(radiograph: Radiograph, saliency: SaliencyMap, size_px: int = OVERLAY_PX) -> npt.NDArray[np.uint8]:
    """(size_px, size_px, 3): the region's square in grey with the map over it."""
    grey = crop_region(radiograph.pixels, saliency.region, size_px, radiograph.padding)[..., None] * 255.0
    values = np.asarray(
        Image.fromarray(np.ascontiguousarray(saliency.values, np.float32)).resize(
            (size_px, size_px), Image.Resampling.BILINEAR
        )
    )
    low, high = saliency.levels
    strength = np.clip((values - low) / (high - low), 0.0, 1.0)
    stops = np.linspace(0.0, 1.0, len(_COLORS))
    color = np.stack([np.interp(strength, stops, _COLORS[:, channel]) for channel in range(3)], axis=-1)
    opacity = (_MAX_OPACITY * np.sqrt(strength))[..., None]
    return np.asarray(np.round(grey * (1 - opacity) + color * opacity), np.uint8)
