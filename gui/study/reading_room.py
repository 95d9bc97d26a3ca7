"""The reading itself: worklist, radiograph, what is said of the CNN, and the form."""

from __future__ import annotations

from typing import Any, cast

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent, QUndoStack
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gui import icons, theme
from gui.annotations import AnnotationModel
from gui.overlay import OverlayState
from gui.study.reading_bar import Curtain, StudyBar
from gui.study.reading_cnn import CnnCard, RevealCard
from gui.study.reading_controller import StudyReadingController
from gui.study.reading_form import StudyForm
from gui.study.reading_stages import ANSWERING, Phase
from gui.study.reading_words import hip_words, slot_name, step_words, training_words
from gui.study.worklist import Worklist
from gui.tools import MARK_TOOLS, Tool
from gui.views.map_bar import MapBar
from gui.views.reading_form import FormState
from gui.views.side_by_side import ReadingPanes
from study.protocol import Arm

NO_BREAK = "\N{NO-BREAK SPACE}"


class ReadingRoom(QWidget):
    record_asked = Signal(str)  # the reason for a correction, or ""

    def __init__(
        self,
        controller: StudyReadingController,
        marks: AnnotationModel,
        overlay: OverlayState,
        undo_stack: QUndoStack,
        cutoff_mm: float,
    ) -> None:
        super().__init__()
        self._controller, self._marks, self._overlay, self._undo_stack = controller, marks, overlay, undo_stack
        self.keys: dict[str, str] = {}  # by action id, as shown; the window fills it in
        # ReadingPanes and MapBar ask only for what both controllers have.
        self._as_shown = cast(Any, controller)
        self.panes = ReadingPanes(self._as_shown, marks, overlay)
        self.worklist = Worklist(controller)
        self.bar = StudyBar(controller)
        self.form = StudyForm(controller.package.protocol, controller.package.reader_id, undo_stack)
        self.form.set_cutoff_mm(cutoff_mm)
        self.curtain = Curtain()
        self.map_bar: MapBar | None = None
        self.cnn_part: QWidget | None = None
        self._build()
        self._connect()
        self.refresh()

    def _build(self) -> None:
        self._image_column = QWidget()
        self._image_layout = QVBoxLayout(self._image_column)
        self._image_layout.setContentsMargins(0, 0, 0, 0)
        self._image_layout.setSpacing(0)
        self._image_layout.addWidget(self.panes, 1)
        self.opening = QLabel("Opening the radiograph …", self.panes)
        self.opening.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.opening.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.opening.setStyleSheet("color: #a7b2be; background: transparent;")  # on the canvas, dark in either theme

        self.again_button = QPushButton("Try to open it again", self.panes)
        self.again_button.clicked.connect(self._controller.try_again)
        self.again_button.hide()

        right = QWidget()
        self._right = QVBoxLayout(right)
        self._right.setContentsMargins(0, 0, 0, 0)
        self._right.setSpacing(0)
        self._right.addWidget(self._build_header())
        self._right.addWidget(self.form, 1)
        self.correct_button = QPushButton("Correct this answer …")
        self.correct_button.clicked.connect(self._controller.begin_correction)
        self.keep_button = QPushButton("Keep the answer as it was")
        self.keep_button.clicked.connect(self._controller.drop_correction)
        below = QVBoxLayout()
        below.setContentsMargins(10, 0, 10, 8)
        below.addWidget(self.correct_button)
        below.addWidget(self.keep_button)
        self._right.addLayout(below)
        self._right.addWidget(_rule())
        self.hints = QLabel(wordWrap=True)
        self.hints.setProperty("role", "small")
        self.hints.setContentsMargins(10, 5, 10, 6)
        self._right.addWidget(self.hints)

        case = QSplitter(Qt.Orientation.Horizontal)
        case.setChildrenCollapsible(False)
        case.addWidget(self._image_column)
        case.addWidget(right)
        case.setStretchFactor(0, 1)
        self.stack = QStackedWidget()
        self.stack.addWidget(case)
        self.stack.addWidget(self.curtain)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.worklist)
        self.splitter.addWidget(self.stack)
        self.splitter.setStretchFactor(1, 1)
        em = self.fontMetrics().height()
        self.splitter.setSizes([12 * em, 80 * em])
        case.setSizes([60 * em, 25 * em])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(_rule())
        column.addWidget(self.splitter, 1)

    def _build_header(self) -> QWidget:
        header = QFrame()
        column = QVBoxLayout(header)
        column.setContentsMargins(10, 8, 10, 2)
        column.setSpacing(2)
        self.case_label = QLabel()
        self.case_label.setProperty("role", "title")
        row = QHBoxLayout()
        row.setSpacing(6)
        self._step_icon = QLabel()
        self.step_label = QLabel(wordWrap=True)
        row.addWidget(self._step_icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.step_label, 1)
        self.hip_label = QLabel(wordWrap=True)
        self.hip_label.setProperty("role", "section")
        column.addWidget(self.case_label)
        column.addWidget(self.hip_label)
        column.addLayout(row)
        self._cnn_slot = QVBoxLayout()
        self._cnn_slot.setContentsMargins(0, 6, 0, 4)
        column.addLayout(self._cnn_slot)
        self.reason_line = QLineEdit(maxLength=500)
        self.reason_line.setPlaceholderText("Why is it corrected?")
        self.reason_line.setAccessibleName("Why the locked answer is corrected")
        self.reason_line.returnPressed.connect(self.form.submit)
        column.addWidget(self.reason_line)
        return header

    def _connect(self) -> None:
        self.panes.main.turned.connect(self._show_side)
        controller, panes = self._controller, self.panes
        controller.answer_replaced.connect(self._load)
        controller.radiograph_changed.connect(self._on_radiograph)
        controller.diagnosis_changed.connect(self._refresh_cnn)
        controller.phase_changed.connect(self.refresh)
        controller.progress_changed.connect(self.refresh)
        controller.pause_changed.connect(self.refresh)
        self.form.changed.connect(self._on_form_changed)
        self.form.submit_requested.connect(self._submit)
        self.bar.pause_asked.connect(controller.pause)
        self.curtain.resume_asked.connect(controller.resume)
        self.worklist.open_asked.connect(controller.look_at)
        self._overlay.shown_changed.connect(self._note_overlay)
        panes.cursor_moved.connect(lambda *_: controller.note_life())
        panes.zoom_changed.connect(controller.note_zoom)
        panes.window_changed.connect(controller.note_window)
        panes.side_by_side_changed.connect(self._on_side_by_side)
        # Where the hip lies is the study's to say: a square that was dragged goes back.
        panes.region_edited.connect(lambda *_: controller.hips_changed.emit())

    # -- following the controller -----------------------------------------------------------------

    def refresh(self) -> None:
        controller = self._controller
        state, phase = controller.state, controller.phase
        if controller.paused:
            self.curtain.show_break(self.keys.get("study_pause", ""), automatic=controller.pause_was_automatic)
        covered = 1 if controller.paused else 0
        if self.stack.currentIndex() != covered:
            self.stack.setCurrentIndex(covered)
            if not covered:
                self.take_focus()
        self.opening.setVisible(controller.waiting_for_image)
        self._show_again(controller.may_try_again)
        self._place_opening()
        if state is not None:
            self.case_label.setText(slot_name(controller.session.plan, state.slot))
            which = hip_words(controller.session.case(state.slot))
            self.hip_label.setText(which)
            self.hip_label.setVisible(bool(which))
            self.step_label.setText(step_words(state, correcting=phase is Phase.CORRECTING))
            said = (self.case_label.text(), which, self.step_label.text())
            self.form.setAccessibleDescription(". ".join(words for words in said if words))
            with_cnn = controller.prediction is not None
            size = self.fontMetrics().height()
            self._step_icon.setPixmap(
                icons.pixmap("eye" if with_cnn else "eye-off", size, theme.colors().muted, self.devicePixelRatio())
            )
        self._show_form(phase)
        self.correct_button.setVisible(controller.may_correct)
        correcting = phase is Phase.CORRECTING
        self.reason_line.setVisible(correcting)
        self.keep_button.setVisible(correcting)
        self.hints.setText(self._hints(phase))

    def take_focus(self) -> None:
        """Give the keyboard to what comes next."""
        if self._controller.paused:
            self.curtain.button.setFocus(Qt.FocusReason.OtherFocusReason)
        elif self._controller.phase is Phase.LOCKED and isinstance(self.cnn_part, RevealCard):
            self.cnn_part.button.setFocus(Qt.FocusReason.OtherFocusReason)
        elif self._controller.phase in ANSWERING:
            self.form.start()
        else:
            self.panes.main.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_form(self, phase: Phase) -> None:
        controller, hip = self._controller, self._controller.hip
        self.form.setEnabled(hip is not None)
        if phase in ANSWERING:
            state = FormState.SAVING if controller.saving else FormState.EDITABLE
        else:
            state = FormState.LOCKED if hip is not None else FormState.EDITABLE
        self.form.set_state(state, hip.recorded_at if hip is not None else None)
        words = {Phase.CORRECTING: "&Record the correction"}.get(phase, "Lock this ans&wer")
        if phase is Phase.AIDED and hip is not None and hip.reading is not None:
            words = "Lock the final ans&wer"
        self.form.submit_button.setText(words)
        self._marks.set_read_only(state is not FormState.EDITABLE)

    def _load(self) -> None:
        self.form.load(self._controller.answer)
        self.form.schematic.select("")
        if self.panes.main.tool in MARK_TOOLS:
            self.panes.set_tool(Tool.SELECT)  # a click into the next case must not draw
        self._undo_stack.clear()  # its steps are about the answer before
        if self._controller.phase is Phase.CORRECTING:
            self.reason_line.clear()
        hip = self._controller.hip
        if hip is not None:
            self._show_side()
            self._note_view()
        self.refresh()
        self.take_focus()

    def _show_side(self) -> None:
        """With the zones drawn as the picture is on screen."""
        hip, radiograph = self._controller.hip, self._controller.radiograph
        if hip is not None and radiograph is not None:
            lateral = hip.lateral(radiograph.orientation)
            shown = lateral and self.panes.main.viewport.edge_on_screen(lateral)
            self.form.set_side(hip.region.side, hip.region.side_source, shown)

    def _on_radiograph(self) -> None:
        if self.panes.side_by_side:
            self.panes.set_side_by_side(False)
        self._overlay.set_visible(False)  # what a map suggests must be asked for, at every case anew
        self.panes.set_show_regions(self._controller.box_is_known)

    def _on_side_by_side(self) -> None:
        self.panes.set_show_regions(self._controller.box_is_known)  # the second pane may have been made just now
        self._note_overlay()

    def _refresh_cnn(self) -> None:
        """Make what may be seen of the CNN now, and take away all of it that may not."""
        controller = self._controller
        for part in (self.map_bar, self.cnn_part):
            if part is not None:
                # Not taken out of its parent: a part that has the keyboard would leave the window without it.
                part.hide()
                part.deleteLater()
        self.map_bar = self.cnn_part = None
        prediction, state = controller.prediction, controller.state
        if prediction is not None and state is not None:
            own = state.unaided if state.slot.arm is Arm.SEQUENTIAL else None
            self.cnn_part = CnnCard(prediction, own, training_words(controller.package.protocol))
            if controller.package.protocol.overlay_allowed:
                self.map_bar = MapBar(self._as_shown, self._overlay, self._image_column)
                self._image_layout.addWidget(self.map_bar)
        elif controller.phase is Phase.LOCKED and state is not None:
            card = RevealCard(self.keys.get("study_reveal", ""))
            card.reveal_asked.connect(controller.reveal)
            self.cnn_part = card
        else:
            self._overlay.set_visible(False)
        if self.cnn_part is not None:
            self._cnn_slot.addWidget(self.cnn_part)
        self._note_overlay()

    def _hints(self, phase: Phase) -> str:
        """The keys that matter now, quietly."""
        protocol = self._controller.package.protocol
        wanted = {
            Phase.LOCKED: [("study_reveal", "the CNN's answer")],
            Phase.LOOKING: [("next_case", "next"), ("previous_case", "previous"), ("correct", "correct")],
        }.get(
            phase,
            [
                ("reading.loose", "loose"),
                ("reading.not_loose", "not loose"),
                ("reading.cannot_tell", "cannot tell"),
                ("reading.score", "score"),
                ("reading.zones", "zones"),
                ("reading.comment", "comment"),
                ("reading.record", "lock"),
            ],
        )
        if phase is Phase.AIDED and protocol.overlay_allowed:
            wanted = [*wanted, ("overlay", "map")]
        wanted = [*wanted, ("to_image", "image"), ("to_form", "form"), ("study_pause", "break")]
        known = [f"{self.keys[name]} {words}" for name, words in wanted if self.keys.get(name)]
        return "   ".join(f"{hint.replace(' ', NO_BREAK)}" for hint in known)

    # -- from the form ----------------------------------------------------------------------------

    def _on_form_changed(self) -> None:
        self._controller.set_answer(self.form.answer())
        self.panes.refresh_headers()

    def _submit(self) -> None:
        reason = self.reason_line.text().strip()
        if self._controller.phase is Phase.CORRECTING and not reason:
            self.reason_line.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        self.record_asked.emit(reason)

    # -- how it is looked at ----------------------------------------------------------------------

    def _note_view(self) -> None:
        """A new answer's viewing record starts with what is on screen."""
        view = self.panes.main
        self._note_display()
        window = self.panes.window_setting
        self._controller.note_window(window.center, window.width)
        self._controller.note_zoom(view.zoom)
        self._note_overlay()

    def _note_display(self) -> None:
        """How large the radiograph is shown: the last size counts."""
        view = self.panes.main
        self._controller.note_display(self.devicePixelRatio(), (view.width(), view.height()))

    def _note_overlay(self) -> None:
        self._controller.note_overlay(self.panes.shows_map)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_opening()
        self._note_display()

    def _show_again(self, possible: bool) -> None:
        """In the place of the image; the keyboard goes there, since there is nothing else to do."""
        was_hidden = self.again_button.isHidden()
        self.again_button.setVisible(possible)
        if possible and was_hidden:
            self.again_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _place_opening(self) -> None:
        self.opening.setGeometry(self.panes.rect())
        self.opening.raise_()
        self.again_button.adjustSize()
        self.again_button.move(self.panes.rect().center() - self.again_button.rect().center())
        self.again_button.raise_()


def _rule() -> QFrame:
    rule = QFrame()
    rule.setProperty("role", "rule")
    return rule
