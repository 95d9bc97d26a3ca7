"""What is on screen: the case, its hips, and what may be shown of the CNN. Read by every view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gui.agreement import Agreement, compare
from gui.assessor import Assessor
from gui.cases import CaseItem, DiagnosisState, Hip
from gui.draft import Answer
from imaging.radiograph import Radiograph, SpacingSource
from inference.prediction import Prediction, SaliencyMap
from study.model import ReadingMode

if TYPE_CHECKING:
    from gui.jobs import Job, Jobs


class ShownCase(QObject):
    """gui.reading.ReadingController changes it; only how it is looked at is noted here."""

    radiograph_changed = Signal()
    hips_changed = Signal()  # regions were proposed, moved, added
    hip_changed = Signal(int)  # another hip is the current one
    diagnosis_changed = Signal()  # what may be shown of the CNN
    mode_changed = Signal()
    spacing_changed = Signal()  # of the radiograph on screen

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._mode = ReadingMode.ASSIST
        self._shown: CaseItem | None = None
        self._radiograph: Radiograph | None = None
        self._hips: list[Hip] = []
        self._current = 0
        self._spacing: tuple[tuple[float, float] | None, SpacingSource] = (None, SpacingSource.NONE)
        # The view as it is now: a hip that becomes the current one is seen in it.
        self._zoom: float | None = None
        self._zoom_before_hips = 0.0  # the largest since the radiograph came, until it was known where its hips are
        self._window: tuple[float, float] | None = None
        self._display: tuple[float, tuple[int, int]] | None = None
        self._assessor = Assessor(jobs, lambda: self._hips, self)

    @property
    def shown(self) -> CaseItem | None:
        """The case whose radiograph is on screen."""
        return self._shown

    @property
    def radiograph(self) -> Radiograph | None:
        return self._radiograph

    @property
    def hips(self) -> Sequence[Hip]:
        return self._hips

    @property
    def current(self) -> int:
        return self._current

    @property
    def hip(self) -> Hip | None:
        return self._hips[self._current] if self._hips else None

    @property
    def answer(self) -> Answer:
        return self.hip.answer if self.hip else Answer()

    @property
    def mode(self) -> ReadingMode:
        """ASSIST or ANSWER_FIRST, as the reader has set it."""
        return self._mode

    @property
    def reading_mode(self) -> ReadingMode:
        """The mode that an answer given now would be recorded with; ANSWER_FIRST only where the CNN was never seen."""
        return self._mode if self.hip is None else self._reading_mode_of(self.hip)

    def _reading_mode_of(self, hip: Hip) -> ReadingMode:
        if hip.reading is not None and hip.reading.mode is ReadingMode.ANSWER_FIRST:
            return ReadingMode.REVISED
        return ReadingMode.ASSIST if hip.cnn_seen else self._mode

    @property
    def may_show_cnn(self) -> bool:
        """False in answer-first mode until this hip's answer is recorded; True once it was seen anyway."""
        return self.may_show(self.hip)

    def may_show(self, hip: Hip | None) -> bool:
        """Whether anything may be said of what the CNN thinks of this hip."""
        if self._mode is not ReadingMode.ANSWER_FIRST:
            return True
        return hip is not None and (hip.recorded is not None or hip.cnn_seen)

    @property
    def diagnosis_state(self) -> DiagnosisState:
        if self._radiograph is None:
            return DiagnosisState.NO_CASE
        if not self._jobs.has_engine:
            return DiagnosisState.NO_CNN
        if not self.may_show_cnn:
            return DiagnosisState.HIDDEN
        hip = self.hip
        if hip is not None and hip.prediction is not None:
            return DiagnosisState.SHOWN
        if self._assessor.failure is not None or (hip is not None and hip.failure is not None):
            return DiagnosisState.FAILED
        if hip is not None and hip.cancelled:
            return DiagnosisState.CANCELLED
        return DiagnosisState.WAITING

    @property
    def prediction(self) -> Prediction | None:
        """Of the current hip, and only when it may be shown."""
        hip = self.hip
        return hip.prediction if hip is not None and self.may_show(hip) else None

    @property
    def visible_maps(self) -> list[SaliencyMap]:
        """Of every hip whose CNN answer may be shown: the map that was asked for, else the score's own."""
        maps = [
            hip.other_map or (hip.prediction.saliency if hip.prediction is not None else None)
            for hip in self._hips
            if self.may_show(hip)
        ]
        return [saliency for saliency in maps if saliency is not None]

    @property
    def shows_own_maps(self) -> bool:
        """True unless an advanced method's map stands in the place of the score's own."""
        return all(hip.other_map is None for hip in self._hips)

    def show_other_map(self, hip: Hip, saliency: SaliencyMap | None) -> None:
        """A map of an advanced method in the place of the score's own; None brings that back."""
        if hip in self._hips:
            hip.other_map = saliency
            self.diagnosis_changed.emit()

    @property
    def failure(self) -> tuple[str, str] | None:
        """Why the CNN said nothing: sentence, details."""
        return self._assessor.failure or (self.hip.failure if self.hip else None)

    @property
    def cnn_job(self) -> Job | None:
        """The CNN at work on the current hip."""
        return self._assessor.proposing or (self.hip.job if self.hip else None)

    @property
    def agreement(self) -> Agreement | None:
        """Between the recorded answer and the CNN, once both may be shown."""
        hip, prediction = self.hip, self.prediction
        if hip is None or hip.recorded is None or prediction is None:
            return None
        return compare(hip.recorded, prediction)

    @property
    def spacing(self) -> tuple[tuple[float, float] | None, SpacingSource]:
        """(between rows, between columns) in mm, and where it comes from: the head where it was measured, else the file."""
        return self._spacing

    # -- how the case is looked at ----------------------------------------------------------------

    def note_life(self) -> None:
        """The reader moves about."""
        if self.hip is not None:
            self.hip.viewing.touch()

    def note_away(self, away: bool) -> None:
        """The program has gone to the background, or come back."""
        if self.hip is not None:
            if away:
                self.hip.viewing.pause()
            else:
                self.hip.viewing.resume()

    def note_overlay(self, visible: bool) -> None:
        for hip in self._hips:
            hip.viewing.set_overlay_visible(visible and self.may_show(hip))

    def note_zoom(self, zoom: float) -> None:
        self._zoom = zoom
        if self.hip is None:
            self._zoom_before_hips = max(self._zoom_before_hips, zoom)
        self._note_view()

    def note_window(self, center: float, width: float) -> None:
        self._window = (center, width)
        self._note_view()

    def note_display(self, scale: float, size_px: tuple[int, int]) -> None:
        """The last size counts; a view that is not laid out yet has none."""
        if min(size_px) > 0:
            self._display = (scale, size_px)
            self._note_view()

    def _note_view(self) -> None:
        """The current hip is seen in the view as it is."""
        if self.hip is None:
            return
        viewing = self.hip.viewing
        viewing.touch()
        if self._zoom is not None:
            viewing.set_zoom(self._zoom)
        if self._window is not None:
            viewing.set_window(*self._window)
        if self._display is not None:
            viewing.set_display(*self._display)

    def _resume(self) -> None:
        """The current hip is looked at from now on."""
        if self.hip is not None:
            self.hip.viewing.resume()
            self._note_view()
