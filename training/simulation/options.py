"""What can be asked of the simulator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SimulationOptions:
    """The mixture to draw from. Every share is 0-1.

    `size_px` bounds the longer side of the image; None draws from 160 px thumbnails to 2,500 px. `shifted`
    draws other stems, spectra, tone curves and line positions than the default does.
    """

    prevalence: float = 0.5  # of loosening among replaced hips
    borderline_share: float = 0.08  # of replaced hips
    hard_share: float = 0.35  # of loose and of fixed hips that are asked to be hard
    pelvis_share: float = 0.15
    bilateral_share: float = 0.35  # of pelves: both hips replaced
    unsuitable_share: float = 0.0
    suitability: str | None = None  # force one kind of unsuitable image (truth.Suitability), or "suitable"
    size_px: tuple[int, int] | None = None
    fixation: str | None = None  # force "cemented" or "cementless" for the stem
    families: tuple[str, ...] | None = None  # force stem families
    shifted: bool = False
    overlays: bool = True  # markers, text, rulers, watermarks
    clean: bool = False  # mild exposure and processing only: for samples and figures
    work_spacing_mm: float = 0.33  # the finest grid that the physics is computed on


DEFAULT = SimulationOptions()
