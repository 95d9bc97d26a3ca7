"""What is burnt into an image: collimation, letters, text, rulers, calipers, stickers, watermarks and borders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.simulation.canvas import Field

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
    watermark: int  # 1 once, 2 tiled over all of the image
    border: int
    ink: float = 1.0  # grey of what is written: white, seldom black
    stickers: int = 0  # boxes with text, covering what is below
    arrows: int = 0
    angle: int = 0  # an angle or circle measured on the hip


def draw_overlays(rng: np.random.Generator) -> Overlays:
    edges = tuple(float(rng.uniform(0.0, 0.07)) * (rng.random() < 0.5) for _ in range(4))
    collimated = rng.random() < 0.35
    return Overlays(
        edges if collimated else (0.0, 0.0, 0.0, 0.0),  # type: ignore[arg-type]
        float(rng.normal(0, 0.6) if rng.random() < 0.75 else rng.normal(0, 3.0)),
        float(rng.choice([0.0, 0.0, 0.0, 1.0])),
        int(rng.choice([0, 1, 2], p=[0.5, 0.25, 0.25])),
        int(rng.choice([0, 1, 2, 4], p=[0.6, 0.18, 0.12, 0.10])),
        int(rng.random() < 0.08),
        int(rng.choice([0, 1, 2, 4], p=[0.92, 0.04, 0.02, 0.02])),
        int(rng.choice([0, 1, 2], p=[0.90, 0.06, 0.04])),
        int(rng.choice([0, 1, 2], p=[0.86, 0.08, 0.06])),
        float(rng.random() > 0.06),
        int(rng.choice([0, 1, 2], p=[0.93, 0.05, 0.02])),
        int(rng.choice([0, 1, 2], p=[0.95, 0.04, 0.01])),
        int(rng.random() < 0.03),
    )


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(7.0, size))


def burn_overlays(grey: Field, overlays: Overlays, side: str, rng: np.random.Generator) -> Field:
    """All of it, over the grey 0-1 of the final image; `side` is the letter of the marker."""
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
            (left, c - left * cols + slope * (r - rows / 2)),
            (top, r - top * rows - slope * (c - cols / 2)),
            (right, cols * (1 - right) - c + slope * (r - rows / 2)),
            (bottom, rows * (1 - bottom) - r - slope * (c - cols / 2)),
        ):
            if share:
                inside = inside * np.clip(depth / soft + 0.5, 0, 1)
        out = out * inside + overlays.outside * (1 - inside)
    # Drawn on its own layer, so that nothing else loses grey depth.
    layer = Image.new("L", (cols, rows), 0)
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
    for _ in range(overlays.caliper):
        _draw_caliper(pen, rng, rows, cols)
    for _ in range(overlays.arrows):
        _draw_arrow(pen, rng, rows, cols)
    if overlays.angle:
        _draw_angle(pen, rng, rows, cols)
    written = layer.getbbox() is not None
    if written:
        mask = np.array(layer, dtype=np.float32) / np.float32(255)
        out = out * (1 - mask) + overlays.ink * mask
    for _ in range(overlays.stickers):
        out = _stick(out, rng)
    if overlays.watermark:
        out = _watermarked(out, overlays.watermark == 2, rng)
    if overlays.border:
        width = max(2, int(small * rng.uniform(0.01, 0.05)))
        out = out.copy()
        value = 0.0 if overlays.border == 1 else 1.0
        out[:width], out[-width:], out[:, :width], out[:, -width:] = value, value, value, value
    return np.asarray(out, np.float32)


def _draw_caliper(pen: ImageDraw.ImageDraw, rng: np.random.Generator, rows: int, cols: int) -> None:
    """A measured length: a line, often with end strokes and its millimetres."""
    small = min(rows, cols)
    start = rng.uniform((0.1 * cols, 0.1 * rows), (0.9 * cols, 0.9 * rows))
    angle, reach = rng.uniform(0, 6.28), rng.uniform(0.1, 0.4) * small
    along = np.array([np.cos(angle), np.sin(angle)])
    end, stroke = start + reach * along, 0.015 * small * np.array([-along[1], along[0]])
    fill, width = int(rng.integers(180, 256)), max(1, small // int(rng.integers(150, 450)))
    pen.line((*start, *end), fill=fill, width=width)
    if rng.random() < 0.6:
        for point in (start, end):
            pen.line((*(point - stroke), *(point + stroke)), fill=fill, width=width)
    if rng.random() < 0.6:
        pen.text(tuple(end), f"{rng.uniform(8, 90):.1f} mm", fill=fill, font=_font(0.028 * small))


def _draw_arrow(pen: ImageDraw.ImageDraw, rng: np.random.Generator, rows: int, cols: int) -> None:
    small = min(rows, cols)
    tip = rng.uniform((0.1 * cols, 0.1 * rows), (0.9 * cols, 0.9 * rows))
    angle, size = rng.uniform(0, 6.28), rng.uniform(0.03, 0.08) * small
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    base = tip - size * along
    pen.line((*(base - size * along), *base), fill=255, width=max(1, int(size * 0.25)))
    pen.polygon([tuple(tip), tuple(base + 0.4 * size * across), tuple(base - 0.4 * size * across)], fill=255)


def _draw_angle(pen: ImageDraw.ImageDraw, rng: np.random.Generator, rows: int, cols: int) -> None:
    """The inclination of a cup or a circle about a head, as measured on screen."""
    small = min(rows, cols)
    x, y = rng.uniform((0.2 * cols, 0.05 * rows), (0.8 * cols, 0.5 * rows))
    width = max(1, small // 350)
    if rng.random() < 0.5:
        r = rng.uniform(0.06, 0.2) * small
        pen.ellipse((x - r, y - r, x + r, y + r), outline=230, width=width)
        return
    for angle in (rng.normal(0, 0.05), rng.uniform(0.4, 1.1)):
        reach = rng.uniform(0.2, 0.5) * small * rng.choice([-1, 1])
        pen.line((x, y, x + reach * np.cos(angle), y + reach * np.sin(angle)), fill=230, width=width)
    pen.text((x, y), f"{rng.uniform(25, 65):.0f}\u00b0", fill=230, font=_font(0.03 * small))


def _stick(grey: Field, rng: np.random.Generator) -> Field:
    """A label pasted over the image, near its edge: dark on light or light on dark."""
    rows, cols = grey.shape
    height = max(6, int(rows * rng.uniform(0.03, 0.07)))
    width = min(cols - 1, int(height * rng.uniform(3, 8)))
    light = rng.random() < 0.5
    box = Image.new("L", (width, height), 235 if light else 10)
    word = f"{rng.choice(_WORDS)} {rng.integers(100000, 999999)}"
    ImageDraw.Draw(box).text((2, 0.1 * height), word, fill=20 if light else 225, font=_font(0.6 * height))
    x = int(rng.choice([rng.uniform(0, 0.05) * cols, cols - width - rng.uniform(0, 0.05) * cols]))
    y = int(rng.choice([rng.uniform(0, 0.05) * rows, rows - height - rng.uniform(0, 0.05) * rows]))
    x, y = min(max(x, 0), cols - width), min(max(y, 0), rows - height)
    out = grey.copy()
    out[y : y + height, x : x + width] = np.array(box, dtype=np.float32) / np.float32(255)
    return out


def _watermarked(grey: Field, tiled: bool, rng: np.random.Generator) -> Field:
    """Half-transparent words, once or all over, often aslant, brighter or darker than what is below."""
    rows, cols = grey.shape
    small = min(rows, cols)
    size, words = small * rng.uniform(0.04, 0.14), str(rng.choice(_MARKS))
    layer = Image.new("L", (cols, rows), 0)
    pen = ImageDraw.Draw(layer)
    if tiled:
        for y in np.arange(0.3 * size, rows, size * rng.uniform(3, 6)):
            for x in np.arange(-0.2 * cols, cols, size * 0.6 * len(words)):
                pen.text((x, y), words, fill=255, font=_font(size))
    else:
        pen.text((rng.uniform(0.02, 0.5) * cols, rng.uniform(0.1, 0.9) * rows), words, fill=255, font=_font(size))
    if rng.random() < 0.6:
        layer = layer.rotate(float(rng.uniform(-40, 40)))
    strength = rng.uniform(0.10, 0.35) * (1 if rng.random() < 0.8 else -1)
    return np.clip(grey + strength * (np.array(layer, dtype=np.float32) / np.float32(255)), 0, 1)
