"""The form of a reader study: the ordinary one, with what the protocol asks for and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QUndoStack
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from gui.draft import Answer
from gui.study.reading_words import FIVE_POINT_WORDS
from gui.views.reading_form import ReadingForm
from imaging.radiograph import Side
from study.model import Call, CaseKey, Reader, Reading, ReadingMode
from study.protocol import FIVE_POINTS, Protocol, Scale
from study.session import refuse_answer


class StudyForm(ReadingForm):
    def __init__(self, protocol: Protocol, reader_id: str, undo_stack: QUndoStack) -> None:
        self._protocol = protocol  # the ordinary form asks for `problem` while it is built
        self.points: FivePoints | None = None
        super().__init__()
        self.set_undo_stack(undo_stack)
        self.set_reader(reader_id)
        self._leave_out()
        if protocol.scale is Scale.FIVE_POINT:
            self._use_five_points()

    def problem(self) -> str:
        """By the protocol's rules: the very ones by which the answer is taken or refused."""
        if self.score_spin.typed() == "50":
            return "50 is not allowed: lean to one side, however slightly."
        answer = self.answer()
        if answer.call is None and not answer.not_assessable_reason:
            if self.not_assessable_box.isChecked():
                return "Say why this radiograph cannot be assessed."
            return "Choose loose, not loose or cannot tell." if self._may_not_tell else "Choose loose or not loose."
        if self.points is not None and answer.call is not None and answer.score is None:
            return "Choose one of the five points."
        return refuse_answer(self._protocol, _as_reading(answer))

    def edit(self, field: str, **changes: Any) -> None:
        if changes.get("call") is Call.CANNOT_TELL and not self._may_not_tell:
            return  # its key does nothing where the study asks for a decision
        super().edit(field, **changes)

    def load(self, answer: Answer) -> None:
        super().load(answer)
        self._show_point()

    def apply(self, answer: Answer) -> None:
        super().apply(answer)
        self._show_point()

    @property
    def _may_not_tell(self) -> bool:
        return self._protocol.cannot_tell_allowed

    def _leave_out(self) -> None:
        """What the study does not ask for is not on the form."""
        protocol = self._protocol
        self.call_chooser.buttons[Call.CANNOT_TELL].setVisible(protocol.cannot_tell_allowed)
        self.not_assessable_box.setVisible(protocol.not_assessable_allowed)
        for part in (self.schematic, self.zone_card, *self._captions_of(self.schematic)):
            part.setVisible(protocol.zones_asked)
        # Who reads is known from the passphrase; a study asks about the hip, never about stem and cup apart.
        # Which hip is meant is the study's to say.
        for part in (self.side_part, self.components, self.reader_line, *self._captions_of(self.reader_line)):
            part.hide()

    def _captions_of(self, widget: QWidget) -> list[QLabel]:
        return [label for label in self.findChildren(QLabel) if label.buddy() is widget]

    def _use_five_points(self) -> None:
        self.points = FivePoints()
        self.points.chosen.connect(lambda score: self.edit("score", score=score))
        layout = self.body.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.insertWidget(layout.indexOf(self.score_part), self.points)
        self.score_part.hide()
        self.score_slider.setFocusProxy(self.points)  # the keys that go to the score go there

    def _show_point(self) -> None:
        if self.points is not None:
            answer = self.answer()
            self.points.show_score(answer.score)
            self.points.setEnabled(not self.not_assessable_box.isChecked())


class FivePoints(QWidget):
    """Five categories from surely not loose to surely loose, on the common scale of 0 to 100."""

    chosen = Signal(object)  # float

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._score: float | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("How sure are you? Five points from surely not loose to surely loose")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(3)
        caption = QLabel("How sure are you?")
        caption.setProperty("role", "section")
        column.addWidget(caption)
        self.buttons: dict[float, QPushButton] = {}
        for number, (score, words) in enumerate(zip(FIVE_POINTS, FIVE_POINT_WORDS, strict=True), start=1):
            button = QPushButton(f"{number}   {words}")
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setStyleSheet("text-align: left;")
            button.setAccessibleName(words)
            button.clicked.connect(lambda _checked, score=score: self._choose(score))
            column.addWidget(button)
            self.buttons[score] = button
        self.hint = QLabel("Keys 1 to 5, or arrows")
        self.hint.setProperty("role", "small")
        column.addWidget(self.hint)
        self._say_focus(False)

    def show_score(self, score: float | None) -> None:
        self._score = score
        for each, button in self.buttons.items():
            button.setChecked(each == score)

    def event(self, event: QEvent) -> bool:
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self._of_key(event) is not None
        ):
            event.accept()  # "1" chooses a point here, and is a call elsewhere in the form
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        score = self._of_key(event)
        if score is None:
            super().keyPressEvent(event)
        else:
            self._choose(score)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._say_focus(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._say_focus(False)

    def _say_focus(self, focused: bool) -> None:
        """The place for the words stays, so that nothing jumps."""
        self.hint.setText("Keys 1 to 5, or arrows" if focused else " ")

    def _of_key(self, event: QKeyEvent) -> float | None:
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return None
        key = event.key()
        if Qt.Key.Key_1 <= key <= Qt.Key.Key_5:
            return FIVE_POINTS[key - Qt.Key.Key_1]
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_Left: -1}
        if key not in steps:
            return None
        step = steps[Qt.Key(key)]
        if self._score is None:
            return FIVE_POINTS[0 if step > 0 else -1]
        place = FIVE_POINTS.index(self._score) + step
        return FIVE_POINTS[min(max(place, 0), len(FIVE_POINTS) - 1)]

    def _choose(self, score: float) -> None:
        self.show_score(score)
        self.chosen.emit(score)


def _as_reading(answer: Answer) -> Reading:
    return Reading(
        id="",
        case=CaseKey("", 0, (0.0, 0.0, 1.0, 1.0), Side.UNKNOWN),
        reader=Reader(""),
        mode=ReadingMode.ANSWER_FIRST,
        **msgspec.structs.asdict(answer),
    )
