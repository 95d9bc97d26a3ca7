"""From path lengths to a detector signal: Beer-Lambert over a spectrum, scatter, noise, blur.

Mass attenuation coefficients: NIST XCOM / Hubbell & Seltzer tables (NISTIR 5632); tissues as ICRU-44.
Linear coefficients below are those times the densities named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from training.simulation.canvas import Canvas, Field

ENERGIES_KEV = (40.0, 50.0, 60.0, 70.0)

# Linear attenuation in 1/mm at ENERGIES_KEV.
ATTENUATION: dict[str, tuple[float, float, float, float]] = {
    "soft": (0.0285, 0.0240, 0.0217, 0.0203),  # muscle, 1.06 g/cm3
    "fat": (0.0228, 0.0202, 0.0188, 0.0179),  # 0.95 g/cm3
    "bone": (0.1278, 0.0814, 0.0604, 0.0500),  # cortical, 1.92 g/cm3
    "titanium": (0.940, 0.517, 0.328, 0.233),  # Ti6Al4V, 4.43 g/cm3
    "cobalt": (3.45, 1.86, 1.15, 0.79),  # CoCrMo, 8.3 g/cm3; steel is close to it
    "cement": (0.210, 0.127, 0.0870, 0.0650),  # PMMA with 10 % BaSO4
    "polyethylene": (0.0214, 0.0196, 0.0185, 0.0178),  # UHMWPE, 0.94 g/cm3
}
MATERIALS = tuple(ATTENUATION)
_INDEX = {name: index for index, name in enumerate(MATERIALS)}
_MU = np.array([ATTENUATION[name] for name in MATERIALS], np.float32).T  # (energies, materials)

# Share of the detector's signal at ENERGIES_KEV behind some 15 cm of tissue, after filtration, by tube voltage.
_SPECTRA = {65.0: (0.36, 0.42, 0.20, 0.02), 75.0: (0.24, 0.36, 0.28, 0.12), 90.0: (0.16, 0.28, 0.30, 0.26)}


def spectrum(tube_kv: float) -> npt.NDArray[np.float32]:
    """Weights over ENERGIES_KEV, interpolated between three tube voltages."""
    volts = sorted(_SPECTRA)
    table = np.array([_SPECTRA[v] for v in volts])
    weights = np.array([np.interp(tube_kv, volts, table[:, i]) for i in range(len(ENERGIES_KEV))])
    return (weights / weights.sum()).astype(np.float32)


class Paths:
    """Path lengths in mm per material, each (rows, cols), built up body by body.

    `body` is the thickness of the patient; whatever is put in displaces soft tissue.
    """

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.stack = np.zeros((len(MATERIALS), canvas.rows, canvas.cols), np.float32)

    def __getitem__(self, material: str) -> Field:
        return self.stack[_INDEX[material]]

    def view(self, window: tuple[slice, slice]) -> Paths:
        """The same storage, seen through a window."""
        part = Paths.__new__(Paths)
        part.canvas = self.canvas
        part.stack = self.stack[:, window[0], window[1]]
        return part

    def on(self, canvas: Canvas) -> Paths:
        """The same storage and pixels, in another frame."""
        part = Paths.__new__(Paths)
        part.canvas, part.stack = canvas, self.stack
        return part

    def insert(self, material: str, path: Field) -> None:
        """Put material in, displacing soft tissue."""
        self.stack[_INDEX[material]] += path
        self.stack[_INDEX["soft"]] -= path


@dataclass(frozen=True)
class Exposure:
    """How the image was taken: drawn as nuisance."""

    tube_kv: float
    scatter_to_primary: float  # behind the grid, on average over the body
    photons: float  # per pixel of 0.2 mm in air, in effect (sets the noise)
    blur_mm: float  # focal spot and detector together, sigma


def project(paths: Paths, exposure: Exposure) -> Field:
    """(rows, cols) detector signal without noise, 1 = unattenuated. What is left of soft tissue is clipped at zero."""
    rows, cols = paths.canvas.rows, paths.canvas.cols
    np.maximum(paths["soft"], 0.0, out=paths["soft"])
    depth = _MU @ paths.stack.reshape(len(MATERIALS), -1)
    np.negative(depth, out=depth)
    np.exp(depth, out=depth)
    primary = (spectrum(exposure.tube_kv) @ depth).reshape(rows, cols)
    signal = primary + scatter(primary, exposure.scatter_to_primary, paths.canvas.pixel_mm)
    sigma = exposure.blur_mm / paths.canvas.pixel_mm
    if sigma > 0.25:
        signal = ndimage.gaussian_filter(signal, sigma, truncate=3.0, mode="nearest")
    return signal


def scatter(primary: Field, ratio: float, pixel_mm: float, spread_mm: float = 28.0) -> Field:
    """Scatter behind the grid: the primary, its bright background clipped, spread over some centimetres."""
    rows, cols = primary.shape
    step = max(1, round(8.0 / pixel_mm))
    small = Image.fromarray(primary).resize((max(2, cols // step), max(2, rows // step)), Image.Resampling.BOX)
    coarse = np.array(small, dtype=np.float32)
    coarse = np.minimum(coarse, 4.0 * np.median(coarse))  # air beside the patient scatters nothing
    coarse = ndimage.gaussian_filter(coarse, spread_mm / pixel_mm / step, mode="nearest")
    return ratio * np.array(Image.fromarray(coarse).resize((cols, rows), Image.Resampling.BICUBIC), dtype=np.float32)


def add_noise(signal: Field, photons: float, pixel_mm: float, rng: np.random.Generator) -> Field:
    """Poisson noise in its Gaussian limit, for a pixel of this size, slightly correlated as in a detector."""
    per_pixel = photons * (pixel_mm / 0.2) ** 2
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    noise[:, 1:] += 0.25 * noise[:, :-1]
    return signal + noise * np.sqrt(np.maximum(signal, 0.0) / per_pixel) + noise * np.float32(2.0 / per_pixel)
