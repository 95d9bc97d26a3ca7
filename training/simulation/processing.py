"""From detector signal to the image that a viewer opens: compression, tone, resampling, overlays, storage."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from training.simulation.canvas import Field


@dataclass(frozen=True)
class Look:
    """Display processing and storage, drawn as nuisance."""

    detail: float  # gain of structures below a few mm
    mid: float  # gain of structures of some 8 mm
    compression: float  # 0-1, of structures above 4 cm
    halo: float  # unsharp masking that rings round metal
    black: float  # where black lies below soft tissue, in units of the soft-to-bone range
    white: float  # where white lies above bone
    gamma: float
    s_curve: float
    median_px: int
    bits: int
    jpeg_quality: int  # 0: none
    inverted: bool
    post_blur_px: float
    grain: float
    shoulder: float = 0.0  # 0: metal is clipped; else the grey at which a soft approach to white begins
    second_jpeg: int = 0  # quality of another save; 0: none
    unsharp: float = 0.0  # at the final size
    unsharp_px: float = 1.0
    grain_px: float = 1.0  # size of the grain
    vignette: float = 0.0
    veil: float = 0.0  # of scattered light, as in a photographed film
    grid_px: float = 0.0  # period of the lines of an anti-scatter grid; 0: none
    grid_depth: float = 0.0


def draw_look(rng: np.random.Generator, clean: bool = False, shifted: bool = False) -> Look:
    if clean:
        return Look(
            float(rng.uniform(0.8, 1.2)),
            float(rng.uniform(0.4, 0.8)),
            float(rng.uniform(0.5, 0.7)),
            0.0,
            float(rng.uniform(0.5, 0.8)),
            float(rng.uniform(0.8, 1.3)),
            float(rng.uniform(0.95, 1.1)),
            0.15,
            0,
            12,
            0,
            False,
            0.0,
            0.0,
        )
    harsh = rng.random() < 0.25
    flat = not harsh and rng.random() < 0.25
    black = rng.uniform(-0.15, 0.25) if harsh else rng.uniform(0.9, 2.2) if flat else rng.uniform(0.15, 1.0)
    white = rng.uniform(0.05, 0.3) if harsh else rng.uniform(0.7, 1.6) if flat else rng.uniform(0.1, 0.8)
    look = Look(
        detail=float(rng.uniform(0.0, 1.1)),
        mid=float(rng.uniform(0.0, 0.55)),
        compression=float(rng.uniform(0.25, 0.85) if rng.random() < 0.85 else rng.uniform(0.0, 0.3)),
        halo=float(rng.uniform(0.0, 0.6) * (rng.random() < 0.35)),
        black=float(black),
        white=float(white),
        gamma=float(np.exp(rng.normal(0, 0.2))),
        s_curve=float(rng.uniform(0.0, 0.6)),
        median_px=int(3 * (rng.random() < 0.06)),
        bits=int(rng.choice([8, 8, 8, 10, 12, 12, 14, 16])),
        jpeg_quality=int(rng.integers(24, 95)) if rng.random() < 0.4 else 0,
        inverted=bool(rng.random() < 0.06),
        post_blur_px=float(rng.uniform(0.3, 1.2) * (rng.random() < 0.25)),
        grain=float(rng.uniform(0.0, 0.014) * (rng.random() < 0.4)),
        shoulder=float(rng.uniform(0.62, 0.92) * (rng.random() < 0.25)),
        second_jpeg=int(rng.integers(30, 95)) if rng.random() < 0.15 else 0,
        unsharp=float(rng.uniform(0.3, 1.6) * (rng.random() < 0.15)),
        unsharp_px=float(rng.uniform(0.8, 3.0)),
        grain_px=float(rng.uniform(1.0, 2.6)),
        vignette=float(rng.uniform(0.05, 0.45) * (rng.random() < 0.12)),
        veil=float(rng.uniform(0.03, 0.12) * (rng.random() < 0.12)),
        grid_px=float(rng.uniform(2.5, 9.0) * (rng.random() < 0.05)),
        grid_depth=float(rng.uniform(0.004, 0.02)),
    )
    if not shifted:
        return look
    # Another maker's chain: stronger multi-scale gains, other tone.
    return Look(
        **{
            **look.__dict__,
            "detail": float(rng.uniform(0.6, 1.8)),
            "mid": float(rng.uniform(0.3, 1.0)),
            "compression": float(rng.uniform(0.4, 0.9)),
            "gamma": float(np.exp(rng.normal(0.1, 0.3))),
            "s_curve": float(rng.uniform(0.0, 0.9)),
        }
    )


def smoothed(image: Field, sigma_px: float) -> Field:
    """A Gaussian blur, taken on a reduced image where that is exact enough."""
    step = max(1, int(sigma_px / 2.0))
    rows, cols = image.shape
    if step == 1:
        return ndimage.gaussian_filter(image, sigma_px, mode="nearest")
    small = np.array(
        Image.fromarray(image).resize((max(2, cols // step), max(2, rows // step)), Image.Resampling.BOX),
        dtype=np.float32,
    )
    small = ndimage.gaussian_filter(small, sigma_px / step, mode="nearest")
    return np.array(Image.fromarray(small).resize((cols, rows), Image.Resampling.BICUBIC), dtype=np.float32)


def enhance(density: Field, look: Look, pixel_mm: float) -> Field:
    """Multi-scale enhancement and dynamic-range compression of log signal."""
    fine = smoothed(density, 0.9 / pixel_mm)
    middle = smoothed(density, 4.0 / pixel_mm)
    coarse = smoothed(density, 26.0 / pixel_mm)
    detail, mid = density - fine, fine - middle
    if look.halo:
        mid = mid + look.halo * (density - middle)
    else:  # makers limit the gain at metal edges
        mid = np.clip(mid, -0.35, 0.35)
        detail = np.clip(detail, -0.45, 0.45)
    return density + look.detail * detail + look.mid * mid - look.compression * (coarse - float(np.median(coarse)))


def tone(density: Field, look: Look, reference: npt.NDArray[np.bool_]) -> Field:
    """Grey 0-1. The curve is laid by what lies in `reference`: the exposed body away from the implants."""
    values = density[reference][::7]
    if values.size < 50:
        values = density.ravel()[::7]
    soft, bone = np.percentile(values, (22, 97.5))
    span = max(float(bone - soft), 0.25)
    low, high = soft - look.black * span, bone + look.white * span
    grey = np.maximum((density - low) / (high - low), 0.0)
    if look.shoulder:  # of a film: metal keeps its gradient
        begin = np.float32(look.shoulder)
        over = np.maximum(grey - begin, 0.0)
        grey = np.minimum(grey, begin) + (1 - begin) * (1 - np.exp(-over / (1.6 * (1 - begin))))
    grey = np.clip(grey, 0.0, 1.0)
    if look.s_curve:
        grey = (1 - look.s_curve) * grey + look.s_curve * grey * grey * (3 - 2 * grey)
    return grey ** np.float32(look.gamma)


def resample(grey: Field, rows: int, cols: int) -> Field:
    if grey.shape == (rows, cols):
        return grey
    shrinking = rows < grey.shape[0]
    how = Image.Resampling.BILINEAR if shrinking else Image.Resampling.BICUBIC
    return np.clip(np.array(Image.fromarray(grey).resize((cols, rows), how), dtype=np.float32), 0.0, 1.0)


def degrade(grey: Field, look: Look, rng: np.random.Generator) -> Field:
    """Blur, sharpening, uneven light, grain and JPEG at the final size."""
    rows, cols = grey.shape
    if look.post_blur_px > 0.25:
        grey = ndimage.gaussian_filter(grey, look.post_blur_px, truncate=3.0)
    if look.median_px:
        grey = ndimage.median_filter(grey, look.median_px)
    if look.unsharp:
        grey = np.clip(grey + look.unsharp * (grey - ndimage.gaussian_filter(grey, look.unsharp_px)), 0, 1)
    if look.vignette:
        r2 = np.linspace(-1, 1, rows, dtype=np.float32)[:, None] ** 2 + np.linspace(-1, 1, cols, dtype=np.float32) ** 2
        grey = grey * (1 - np.float32(0.5 * look.vignette) * r2)
    if look.veil:
        grey = look.veil + (1 - look.veil) * grey
    if look.grid_px:
        lines = np.sin(np.arange(cols, dtype=np.float32) * np.float32(2 * np.pi / look.grid_px))
        grey = np.clip(grey + np.float32(look.grid_depth) * lines, 0, 1)
    if look.grain:
        grey = np.clip(grey + look.grain * _grain(rng, rows, cols, look.grain_px), 0, 1)
    if look.jpeg_quality:
        grey = _jpeg(grey, look.jpeg_quality)
    if look.second_jpeg:  # cut out and saved again: the blocks of the two do not meet
        grey = np.roll(_jpeg(np.roll(grey, (3, 5), (0, 1)), look.second_jpeg), (-3, -5), (0, 1))
    return grey


def _grain(rng: np.random.Generator, rows: int, cols: int, size_px: float) -> Field:
    """Noise of unit variance whose clumps are so wide."""
    if size_px < 1.3:
        return rng.standard_normal((rows, cols), dtype=np.float32)
    small = rng.standard_normal((int(rows / size_px) + 2, int(cols / size_px) + 2), dtype=np.float32)
    image = Image.fromarray(small).resize((cols, rows), Image.Resampling.BICUBIC)
    return np.array(image, dtype=np.float32) * np.float32(1.25)


def _jpeg(grey: Field, quality: int) -> Field:
    buffer = io.BytesIO()
    Image.fromarray((np.clip(grey, 0, 1) * 255 + 0.5).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer), dtype=np.float32) / np.float32(255)


def store(grey: Field, look: Look) -> npt.NDArray[np.uint16]:
    full = (1 << look.bits) - 1
    stored = (np.clip(grey, 0, 1) * full + 0.5).astype(np.uint16)
    return np.asarray(full - stored, np.uint16) if look.inverted else stored
