"""What is no radiograph: photographs, text, noise, blank frames."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from training.simulation import framing, overlays, processing
from training.simulation.canvas import Field
from training.simulation.options import SimulationOptions
from training.simulation.streams import Stream
from training.simulation.truth import SimulatedRadiograph, Suitability, Truth


@lru_cache(maxsize=1)
def _photographs() -> list[Field]:
    """Two real photographs that come with scikit-learn, as grey 0-1."""
    from sklearn.datasets import load_sample_images

    return [
        np.asarray(Image.fromarray(image).convert("L"), np.float32) / np.float32(255)
        for image in load_sample_images().images
    ]


def _photograph(rng: np.random.Generator, rows: int, cols: int) -> Field:
    if rng.random() < 0.5:
        source = _photographs()[int(rng.integers(2))]
        height, width = (int(size * rng.uniform(0.3, 1.0)) for size in source.shape)
        top, left = (
            int(rng.integers(0, source.shape[0] - height + 1)),
            int(rng.integers(0, source.shape[1] - width + 1)),
        )
        image = Image.fromarray(source[top : top + height, left : left + width])
        if rng.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return np.array(image.resize((cols, rows), Image.Resampling.BICUBIC), np.float32)
    # Things on a table: shaded shapes over fractal texture.
    grey = 0.3 + 0.4 * _fractal(rng, rows, cols, 1.6)
    pen_image = Image.fromarray((np.clip(grey, 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(pen_image)
    for _ in range(int(rng.integers(3, 14))):
        x, y, w, h = (
            rng.uniform(0, cols),
            rng.uniform(0, rows),
            rng.uniform(0.05, 0.5) * cols,
            rng.uniform(0.05, 0.5) * rows,
        )
        shade = int(rng.integers(0, 256))
        if rng.random() < 0.5:
            pen.ellipse((x, y, x + w, y + h), fill=shade)
        else:
            pen.polygon([(x + rng.uniform(-1, 1) * w, y + rng.uniform(-1, 1) * h) for _ in range(4)], fill=shade)
    out = np.array(pen_image, np.float32) / np.float32(255)
    return ndimage.gaussian_filter(out, rng.uniform(0, 2.5)) * (0.8 + 0.4 * _fractal(rng, rows, cols, 2.2))


def _fractal(rng: np.random.Generator, rows: int, cols: int, power: float) -> Field:
    n = 256
    spectrum = np.fft.rfft2(rng.standard_normal((n, n)))
    f = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None, :])
    f[0, 0] = 1.0
    field = np.fft.irfft2(spectrum / f**power, s=(n, n))
    field = (field - field.min()) / (field.max() - field.min())
    return np.array(
        Image.fromarray(field.astype(np.float32)).resize((cols, rows), Image.Resampling.BICUBIC), np.float32
    )


def _text_page(rng: np.random.Generator, rows: int, cols: int) -> Field:
    dark = rng.random() < 0.25
    page = Image.new("L", (cols, rows), 15 if dark else int(rng.integers(225, 256)))
    pen = ImageDraw.Draw(page)
    size = max(7.0, rows * rng.uniform(0.012, 0.035))
    font = ImageFont.load_default(size)
    letters = "abcdefghijklmnopqrstuvwxyz      0123456789.,"
    y = rows * rng.uniform(0.03, 0.1)
    while y < rows * 0.95:
        if rng.random() < 0.85:
            count = int(rng.uniform(0.4, 1.0) * cols / size * 1.7)
            line = "".join(letters[i] for i in rng.integers(0, len(letters), max(3, count)))
            pen.text((cols * 0.06, y), line, fill=230 if dark else int(rng.integers(0, 90)), font=font)
        y += size * 1.5
    return np.array(page, np.float32) / np.float32(255)


def no_radiograph(stream: Stream, kind: Suitability, options: SimulationOptions) -> SimulatedRadiograph:
    rng = stream("picture")
    longer = framing.draw_size(stream("frame"), options)
    aspect = float(rng.uniform(0.6, 1.0))
    rows, cols = (
        (longer, max(32, int(longer * aspect))) if rng.random() < 0.6 else (max(32, int(longer * aspect)), longer)
    )
    if kind is Suitability.PHOTOGRAPH:
        grey = _photograph(rng, rows, cols)
    elif kind is Suitability.TEXT_PAGE:
        grey = _text_page(rng, rows, cols)
    elif kind is Suitability.NOISE:
        if rng.random() < 0.5:
            grey = _fractal(rng, rows, cols, float(rng.uniform(0.3, 2.0)))
        else:
            grey = 0.5 + rng.uniform(0.05, 0.4) * rng.standard_normal((rows, cols), dtype=np.float32)
    else:
        slope = np.linspace(0, rng.uniform(-0.3, 0.3), rows, dtype=np.float32)[:, None]
        grey = rng.uniform(0, 1) + slope + rng.uniform(0, 0.01) * rng.standard_normal((rows, cols), dtype=np.float32)
    grey = np.clip(grey, 0, 1).astype(np.float32)
    look = processing.draw_look(stream("look"), options.clean, options.shifted)
    burnt = overlays.draw_overlays(stream("overlays"))
    grey = processing.degrade(grey, look, stream("noise"))
    if options.overlays and kind not in (Suitability.BLANK, Suitability.TEXT_PAGE):
        grey = overlays.burn_overlays(grey, burnt, "L", stream("overlays burnt"))
    nuisance = {"rows": float(rows), "cols": float(cols), "inverted": float(look.inverted)}
    truth = Truth("other", kind, (), nuisance)
    return SimulatedRadiograph(processing.store(grey, look), look.bits, (1.0, 1.0), truth)
