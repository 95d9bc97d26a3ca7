"""From detector signal to the image that a viewer opens: compression, tone, resampling, overlays, storage."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
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
        gamma=float(np.exp(rng.normal(0, 0.16))),
        s_curve=float(rng.uniform(0.0, 0.6)),
        median_px=int(3 * (rng.random() < 0.06)),
        bits=int(rng.choice([8, 8, 8, 10, 12, 12, 14, 16])),
        jpeg_quality=int(rng.integers(28, 95)) if rng.random() < 0.35 else 0,
        inverted=bool(rng.random() < 0.06),
        post_blur_px=float(rng.uniform(0.3, 1.1) * (rng.random() < 0.25)),
        grain=float(rng.uniform(0.0, 0.012) * (rng.random() < 0.4)),
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


def _smoothed(image: Field, sigma_px: float) -> Field:
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
    fine = _smoothed(density, 0.9 / pixel_mm)
    middle = _smoothed(density, 4.0 / pixel_mm)
    coarse = _smoothed(density, 26.0 / pixel_mm)
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
    grey = np.clip((density - low) / (high - low), 0.0, 1.0)
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
    """Blur, grain and JPEG at the final size."""
    if look.post_blur_px > 0.25:
        grey = ndimage.gaussian_filter(grey, look.post_blur_px, truncate=3.0)
    if look.median_px:
        grey = ndimage.median_filter(grey, look.median_px)
    if look.grain:
        grey = np.clip(grey + look.grain * rng.standard_normal(grey.shape, dtype=np.float32), 0, 1)
    if look.jpeg_quality:
        buffer = io.BytesIO()
        Image.fromarray((grey * 255 + 0.5).astype(np.uint8)).save(buffer, "JPEG", quality=look.jpeg_quality)
        grey = np.array(Image.open(buffer), dtype=np.float32) / np.float32(255)
    return grey


def store(grey: Field, look: Look) -> npt.NDArray[np.uint16]:
    full = (1 << look.bits) - 1
    stored = (np.clip(grey, 0, 1) * full + 0.5).astype(np.uint16)
    return np.asarray(full - stored, np.uint16) if look.inverted else stored


# --- what is burnt in ----------------------------------------------------------------------------------

_WORDS = (
    "AP",
    "HIP",
    "PORTABLE",
    "STANDING",
    "SUPINE",
    "R HIP AP",
    "PELVIS",
    "PRE OP",
    "POST OP",
    "F/U",
    "BW",
    "kVp 75",
    "mAs 12",
    "100%",
    "W 4095 L 2047",
    "Im: 1/1",
    "Se: 2",
    "CR",
    "DX",
)
_MARKS = (
    "clinic archive",
    "case library",
    "sample",
    "do not copy",
    "teaching file",
    "scan 0142",
    "www.example.org",
    "(c) image bank",
)


@dataclass(frozen=True)
class Overlays:
    collimation: tuple[float, float, float, float]  # left, top, right, bottom, share of the width or height
    collimation_tilt: float
    outside: float  # grey beyond the collimator, -1 for none
    marker: int  # 0 none, 1 lead letter, 2 burnt letter
    texts: int
    ruler: int
    caliper: int
    watermark: int
    border: int


def draw_overlays(rng: np.random.Generator) -> Overlays:
    edges = tuple(float(rng.uniform(0.0, 0.07)) * (rng.random() < 0.5) for _ in range(4))
    collimated = rng.random() < 0.35
    return Overlays(
        edges if collimated else (0.0, 0.0, 0.0, 0.0),  # type: ignore[arg-type]
        float(rng.normal(0, 0.6)),
        float(rng.choice([0.0, 0.0, 0.0, 1.0])),
        int(rng.choice([0, 1, 2], p=[0.5, 0.25, 0.25])),
        int(rng.choice([0, 1, 2, 4], p=[0.6, 0.18, 0.12, 0.10])),
        int(rng.random() < 0.08),
        int(rng.random() < 0.06),
        int(rng.random() < 0.07),
        int(rng.choice([0, 1, 2], p=[0.86, 0.08, 0.06])),
    )


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(7.0, size))


def burn_overlays(grey: Field, overlays: Overlays, side: str, rng: np.random.Generator) -> Field:
    """Collimation, letters, text, rulers, calipers, watermarks and borders."""
    rows, cols = grey.shape
    small = min(rows, cols)
    left, top, right, bottom = overlays.collimation
    out = grey
    if any(overlays.collimation):
        out = out.copy()
        slope = np.tan(np.deg2rad(overlays.collimation_tilt))
        c, r = np.arange(cols, dtype=np.float32)[None, :], np.arange(rows, dtype=np.float32)[:, None]
        soft = max(1.0, 0.004 * small)
        inside = np.ones_like(grey)
        for share, depth in (
            (left, c - left * cols + slope * r),
            (top, r - top * rows - slope * c),
            (right, cols * (1 - right) - c + slope * r),
            (bottom, rows * (1 - bottom) - r - slope * c),
        ):
            if share:
                inside = inside * np.clip(depth / soft + 0.5, 0, 1)
        out = out * inside + overlays.outside * (1 - inside)
    if not (
        overlays.marker or overlays.texts or overlays.ruler or overlays.caliper or overlays.watermark or overlays.border
    ):
        return out
    image = Image.fromarray((np.clip(out, 0, 1) * 255 + 0.5).astype(np.uint8))
    # Drawn on its own layer, so that nothing else loses grey depth.
    layer = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(layer)

    def corner(width: float, height: float) -> tuple[float, float]:
        x = rng.choice([rng.uniform(0.01, 0.08) * cols, cols - width - rng.uniform(0.01, 0.08) * cols])
        y = rng.choice([rng.uniform(0.01, 0.30) * rows, rows - height - rng.uniform(0.01, 0.30) * rows])
        return float(x), float(y)

    if overlays.marker:
        size = small * rng.uniform(0.04, 0.10)
        letter = side if rng.random() < 0.9 else ("R" if side == "L" else "L")
        x, y = corner(size, size)
        pen.text((x, y), letter, fill=int(rng.integers(190, 256)), font=_font(size))
        if overlays.marker == 1 and rng.random() < 0.5:
            pen.ellipse(
                (x - size * 0.3, y - size * 0.1, x + size * 0.9, y + size * 1.15),
                outline=200,
                width=max(1, int(size * 0.06)),
            )
    for _ in range(overlays.texts):
        size = small * rng.uniform(0.018, 0.045)
        word = (
            str(rng.choice(_WORDS))
            if rng.random() < 0.6
            else f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.20{rng.integers(0, 26):02d} {rng.integers(7, 19):02d}:{rng.integers(0, 60):02d}"
        )
        x, y = corner(size * len(word) * 0.55, size)
        pen.text((x, y), word, fill=int(rng.integers(150, 256)), font=_font(size))
    if overlays.ruler:
        x = float(rng.choice([0.02, 0.96])) * cols
        start, step = rng.uniform(0.1, 0.4) * rows, rng.uniform(0.018, 0.035) * rows
        for tick in range(11):
            length = (0.025 if tick % 5 == 0 else 0.014) * cols
            pen.line((x, start + tick * step, x + length, start + tick * step), fill=230, width=max(1, small // 500))
        pen.line((x, start, x, start + 10 * step), fill=230, width=max(1, small // 500))
    if overlays.caliper:
        x0, y0 = rng.uniform(0.1, 0.9) * cols, rng.uniform(0.1, 0.9) * rows
        angle, reach = rng.uniform(0, 6.28), rng.uniform(0.1, 0.4) * small
        pen.line(
            (x0, y0, x0 + reach * np.cos(angle), y0 + reach * np.sin(angle)),
            fill=int(rng.integers(180, 256)),
            width=max(1, small // 350),
        )
    mask = np.array(layer, dtype=np.float32) / np.float32(255)
    out = out * (1 - mask) + mask
    if overlays.watermark:
        layer = Image.new("L", image.size, 0)
        size = small * rng.uniform(0.04, 0.09)
        ImageDraw.Draw(layer).text(
            (rng.uniform(0.02, 0.5) * cols, rng.uniform(0.1, 0.9) * rows),
            str(rng.choice(_MARKS)),
            fill=255,
            font=_font(size),
        )
        if rng.random() < 0.5:
            layer = layer.rotate(float(rng.uniform(-35, 35)))
        out = np.clip(out + rng.uniform(0.12, 0.35) * (np.array(layer, dtype=np.float32) / np.float32(255)), 0, 1)
    if overlays.border:
        width = max(2, int(small * rng.uniform(0.01, 0.05)))
        out = out.copy()
        value = 0.0 if overlays.border == 1 else 1.0
        out[:width], out[-width:], out[:, :width], out[:, -width:] = value, value, value, value
    return np.asarray(out, np.float32)
