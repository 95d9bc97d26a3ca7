"""The case of a study that is on screen, as ReadingPanes and MapBar follow it, and how it is looked at."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from gui.cases import DiagnosisState, Hip
from gui.draft import Answer
from imaging.radiograph import Radiograph, SpacingSource
from inference.prediction import Prediction, SaliencyMap


class ShownSlot(QObject):
    """The controller changes it. It has what the views of the ordinary window ask of theirs (`gui.shown_case`)."""

    radiograph_changed = Signal()
    hips_changed = Signal()
    hip_changed = Signal(int)
    answer_replaced = Signal()
    diagnosis_changed = Signal()
    mode_changed = Signal()
    spacing_changed = Signal()  # never emitted: no head is measured in a study

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._radiograph: Radiograph | None = None
        self._hip: Hip | None = None
        self._prediction: Prediction | None = None
        self._last_life = time.monotonic()

    @property
    def radiograph(self) -> Radiograph | None:
        return self._radiograph

    @property
    def hips(self) -> Sequence[Hip]:
        return [] if self._hip is None else [self._hip]

    @property
    def hip(self) -> Hip | None:
        return self._hip

    @property
    def current(self) -> int:
        return 0

    @property
    def answer(self) -> Answer:
        return self._hip.answer if self._hip is not None else Answer()

    @property
    def prediction(self) -> Prediction | None:
        """Of the CNN, as this study shows it, once it was revealed for the case on screen."""
        return self._prediction

    @property
    def visible_maps(self) -> list[SaliencyMap]:
        saliency = self._prediction.saliency if self._prediction is not None else None
        return [] if saliency is None else [saliency]

    @property
    def shows_own_maps(self) -> bool:
        return True

    @property
    def diagnosis_state(self) -> DiagnosisState:
        return DiagnosisState.NO_CASE if self._prediction is None else DiagnosisState.SHOWN

    @property
    def spacing(self) -> tuple[tuple[float, float] | None, SpacingSource]:
        radiograph = self._radiograph
        return (radiograph.spacing_mm, radiograph.spacing_source) if radiograph else (None, SpacingSource.NONE)

    # -- how the case is looked at ----------------------------------------------------------------

    def note_life(self) -> None:
        """The reader moves about."""
        self._last_life = time.monotonic()
        if self._hip is not None:
            self._hip.viewing.touch()

    def note_overlay(self, visible: bool) -> None:
        if self._hip is not None:
            self._hip.viewing.set_overlay_visible(visible and self._prediction is not None)

    def note_zoom(self, zoom: float) -> None:
        self.note_life()
        if self._hip is not None:
            self._hip.viewing.set_zoom(zoom)

    def note_window(self, center: float, width: float) -> None:
        self.note_life()
        if self._hip is not None:
            self._hip.viewing.set_window(center, width)

    def note_display(self, scale: float, size_px: tuple[int, int]) -> None:
        if self._hip is not None and min(size_px) > 0:
            self._hip.viewing.set_display(scale, size_px)
