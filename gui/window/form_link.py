"""The reading form and the controller: each shows what the other has, and a finished answer is recorded."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QInputDialog, QWidget

from gui.annotations import AnnotationModel
from gui.canvas.canvas import Canvas
from gui.preferences import Preferences
from gui.reading import ReadingController
from gui.views.notice_bar import NoticeBar
from gui.views.reading_form import FormState, ReadingForm
from gui.words import unplaced_zones_words
from study.model import Reading, ReadingError, ReadingMode


class FormLink(QObject):
    changed = Signal()  # something was entered, or the form's state has changed
    next_case_asked = Signal()  # recorded, and the reader wants the next one

    def __init__(
        self,
        window: QWidget,
        form: ReadingForm,
        controller: ReadingController,
        canvas: Canvas,
        marks: AnnotationModel,
        undo_stack: QUndoStack,
        preferences: Preferences,
        notice: NoticeBar,
    ) -> None:
        super().__init__(window)
        self._window, self._form, self._controller = window, form, controller
        self._canvas = canvas
        self._marks, self._undo_stack, self._preferences, self._notice = marks, undo_stack, preferences, notice
        self._goes_on = False  # once the reading is recorded
        form.set_undo_stack(undo_stack)
        form.set_reader(preferences.reader_name)
        form.set_cutoff_mm(preferences.lucency_cutoff_mm)
        form.changed.connect(self._on_entered)
        form.submit_requested.connect(self._submit)
        form.revise_requested.connect(controller.begin_revision)
        form.reader_changed.connect(lambda name: setattr(preferences, "reader_name", name))
        preferences.changed.connect(self._on_preference)
        controller.answer_replaced.connect(self._load)
        controller.radiograph_changed.connect(self._refresh)
        controller.hips_changed.connect(self._refresh)
        controller.hip_changed.connect(self._refresh)
        controller.form_state_changed.connect(self._refresh)
        controller.mode_changed.connect(self._refresh)
        controller.diagnosis_changed.connect(self._show_shares)
        form.side_chosen.connect(controller.set_side)
        canvas.turned.connect(self._show_side)
        controller.recorded.connect(self._on_recorded)
        self._load()

    def submit_and_go_on(self) -> None:
        """Record, and then the other hip or the next case."""
        self._goes_on = True
        self._form.submit()
        hip = self._controller.hip
        if hip is None or not hip.saving:
            self._goes_on = False

    def _load(self) -> None:
        self._form.load(self._controller.answer)
        self._undo_stack.clear()  # its steps are about the answer before
        self._refresh()

    def _on_entered(self) -> None:
        self._controller.set_answer(self._form.answer())
        self.changed.emit()

    def _refresh(self) -> None:
        hip = self._controller.hip
        self._form.setEnabled(hip is not None)
        recorded = hip.recorded if hip is not None else None
        if not self._controller.can_record:
            state = FormState.UNSAVED
        elif hip is None or recorded is None:
            state = FormState.EDITABLE
        elif hip.saving:
            state = FormState.SAVING
        elif hip.editing:
            state = FormState.REVISION
        else:
            state = FormState.LOCKED
        mode = recorded.mode if recorded is not None else None
        at = hip.recorded_at if hip is not None else None
        self._show_side()
        self._form.set_state(state, at, mode, self._controller.not_saved)
        locked = not state.editable
        if locked:
            self._undo_stack.clear()  # an undo must not change what is recorded
        self._marks.set_read_only(locked)
        self.changed.emit()

    def _show_side(self) -> None:
        """With the zones drawn as the picture is on screen, turned and flipped as it may be."""
        hip, radiograph = self._controller.hip, self._controller.radiograph
        if hip is None or radiograph is None:
            return
        lateral = hip.lateral(radiograph.orientation)
        self._form.set_side(
            hip.region.side, hip.region.side_source, lateral and self._canvas.viewport.edge_on_screen(lateral)
        )

    def _show_shares(self) -> None:
        self._show_side()
        prediction = self._controller.prediction
        if prediction is None:
            self._form.set_zone_shares(None)
        else:
            self._form.set_zone_shares(prediction.zone_shares or None, unplaced_zones_words(prediction))

    def _submit(self) -> None:
        self._preferences.reader_name = self._form.reader()  # it may just have been typed
        reason = ""
        if self._controller.needs_reason:
            reason, agreed = QInputDialog.getText(
                self._window,
                "Correct a recorded reading",
                "Why is the recorded answer corrected? Both stay in the record.",
            )
            if not agreed:
                return
        try:
            self._controller.submit(reason)
        except ReadingError as error:
            self._notice.show_problem(str(error), "")

    def _on_recorded(self, reading: Reading) -> None:
        self.changed.emit()
        goes_on, self._goes_on = self._goes_on, False
        # In answer-first mode the reader is to see both answers before going on.
        if not goes_on or reading.mode is ReadingMode.ANSWER_FIRST:
            return
        hips = self._controller.hips
        waiting = next((index for index, hip in enumerate(hips) if hip.recorded is None), None)
        if waiting is not None:
            self._controller.select_hip(waiting)
        else:
            self.next_case_asked.emit()

    def _on_preference(self, name: str) -> None:
        if name == "lucency_cutoff_mm":
            self._form.set_cutoff_mm(self._preferences.lucency_cutoff_mm)
        elif name == "reader_name":
            self._form.set_reader(self._preferences.reader_name)
