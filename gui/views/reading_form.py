"""The reader's own answer: call, score, findings per zone, comment.

Nothing is chosen in advance, not even a place for the slider's handle: a default would lead the reader.
The one state is an `Answer`; every edit makes a new one through an undo command, and the widgets show it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QFocusEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QUndoCommand,
    QUndoStack,
    QValidator,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gui import icons, theme
from gui.draft import Answer
from gui.views.zone_schematic import ZONE_NAMES, ZoneSchematic
from imaging.radiograph import Side
from imaging.zones import ZONES
from study.model import Call, CaseKey, Reader, Reading, ReadingError, ReadingMode, ZoneFinding, check_reading

# Keys that count while the keyboard is in the form; for the shortcut sheet.
FORM_KEYS = (
    ("1", "Loose"),
    ("2", "Not loose"),
    ("3", "Cannot tell"),
    ("4", "Go to the score"),
    ("5", "Go to the zones"),
    ("6", "Go to the comment"),
    ("Arrows, PgUp, PgDown", "Score up and down, in steps of 1 and 10"),
    ("Ctrl+Return", "Record the reading"),
)
# Edits of one field within this time are one undo step.
MERGE_S = 1.5
COMMENT_LIMIT = 4000
NOT_ASSESSABLE_REASONS = (
    "Not an AP view",
    "No hip replacement",
    "Stem or cup cut off",
    "Too dark, too bright or blurred",
    "Design that I do not assess",
)

MODE_WORDS = {
    ReadingMode.ASSIST: "with the CNN in view",
    ReadingMode.ANSWER_FIRST: "before the CNN was shown",
    ReadingMode.REVISED: "revised, the CNN in view",
    ReadingMode.ALGORITHM: "the CNN's own",
}


class FormState(Enum):
    EDITABLE = "editable"
    SAVING = "saving"  # submitted, the store has not returned yet
    LOCKED = "locked"
    REVISION = "revision"  # editable; revises an answer-first reading, the CNN in view


def answer_problem(answer: Answer) -> str:
    """What still keeps this answer from being recorded, as one sentence; "" when nothing does."""
    if answer.call is None and not answer.not_assessable_reason:
        return "Choose loose, not loose or cannot tell."
    reading = Reading(
        id="",
        case=CaseKey("", 0, (0.0, 0.0, 1.0, 1.0), Side.UNKNOWN),
        reader=Reader(""),
        mode=ReadingMode.ASSIST,
        **{field: getattr(answer, field) for field in answer.__struct_fields__},
    )
    try:
        check_reading(reading)
    except ReadingError as error:
        return str(error)
    return ""


class ReadingForm(QWidget):
    """`changed` after every edit, undo included; `submit_requested` only when the answer can be recorded."""

    changed = Signal()
    submit_requested = Signal()
    revise_requested = Signal()
    reader_changed = Signal(str)
    zone_selected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._answer = Answer()
        self._state = FormState.EDITABLE
        self._stack: QUndoStack | None = None
        self._side = Side.UNKNOWN
        self._cutoff_mm = 2.0
        self._submit_tried = False
        self._ask_reason = False  # "cannot be assessed" is chosen, its reason not yet
        self._build()
        self._connect()
        self._make_actions()
        self._show()
        self.set_state(FormState.EDITABLE)

    # What the program asks and tells

    def answer(self) -> Answer:
        return self._answer

    def load(self, answer: Answer) -> None:
        """Show another answer. This is no edit: nothing goes on the undo stack, `changed` is not emitted."""
        self._answer = answer
        self._submit_tried = False
        self._ask_reason = False
        self._show()

    def clear(self) -> None:
        self.load(Answer())

    def problem(self) -> str:
        """Why this cannot be recorded, as one sentence; "" when it can."""
        if self.score_spin.typed() == "50":
            return "50 is not allowed: lean to one side, however slightly."
        if self._ask_reason and not self._answer.not_assessable_reason:
            return "Say why this radiograph cannot be assessed."
        return answer_problem(self._answer) or (
            "" if self.reader() else "Enter your name or initials: the record says who read."
        )

    @property
    def _editable(self) -> bool:
        return self._state in (FormState.EDITABLE, FormState.REVISION)

    @property
    def state(self) -> FormState:
        return self._state

    def set_state(self, state: FormState, recorded_at: datetime | None = None, mode: ReadingMode | None = None) -> None:
        """`recorded_at` (local time) and `mode` are shown with a locked reading."""
        self._state = state
        self._submit_tried = False
        editable = self._editable
        for action in self.actions():
            action.setEnabled(editable)
        for widget in (self.body, self.reader_line):
            widget.setEnabled(editable)
        self.submit_button.setVisible(editable)
        self.submit_button.setText(
            self.tr("&Record revised reading") if state is FormState.REVISION else self.tr("&Record reading")
        )
        self.revise_button.setVisible(state is FormState.LOCKED and mode is ReadingMode.ANSWER_FIRST)
        match state:
            case FormState.EDITABLE:
                icon, text = "edit", self.tr("not recorded yet")
            case FormState.SAVING:
                icon, text = "clock", self.tr("being saved …")
            case FormState.LOCKED:
                at = f" {recorded_at:%H:%M:%S}" if recorded_at else ""
                icon, text = "lock", self.tr("recorded") + at
            case FormState.REVISION:
                icon, text = "edit", self.tr("revised answer")
        self.mode_label.setVisible(state is FormState.LOCKED and mode is not None)
        if mode is not None:
            self.mode_label.setText(MODE_WORDS[mode])
        self._state_icon = icon
        self.state_label.setText(text)
        self._show_state_icon()
        self._show_problem()

    def set_undo_stack(self, stack: QUndoStack | None) -> None:
        """Edits become commands on this stack; without one they are simply made."""
        self._stack = stack

    def set_side(self, side: Side) -> None:
        self._side = side
        self.schematic.set_side(side)

    def set_cutoff_mm(self, cutoff_mm: float) -> None:
        """Width above which a line is pointed out; a setting."""
        self._cutoff_mm = cutoff_mm
        self.schematic.set_cutoff_mm(cutoff_mm)
        self._show()

    def set_zone_shares(self, shares: Mapping[str, float] | None) -> None:
        """The CNN's attention per zone, once it may be seen; None hides it."""
        self.schematic.set_shares(shares)
        self.shares_label.setVisible(bool(shares))

    def reader(self) -> str:
        return " ".join(self.reader_line.text().split())

    def set_reader(self, name: str) -> None:
        if name != self.reader():
            with QSignalBlocker(self.reader_line):
                self.reader_line.setText(name)
            self._show_problem()

    def start(self) -> None:
        """Give the keyboard to the form, to none of its answers: Tab goes to the first question."""
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    # Edits

    def edit(self, field: str, **changes: Any) -> None:
        """Change the answer as one undoable step; `field` names it and lets its edits merge."""
        after: Answer = msgspec.structs.replace(self._answer, **changes)
        if after == self._answer or not self._editable or not self.isEnabled():
            self._show()
            return
        command = EditAnswer(self, field, self._answer, after)
        if self._stack is None:
            command.redo()
        else:
            self._stack.push(command)

    def apply(self, answer: Answer) -> None:
        """Used by the undo commands."""
        self._answer = answer
        if answer.call is not None:
            self._ask_reason = False
        self._show()
        self.changed.emit()

    def finding(self, zone: str) -> ZoneFinding:
        return next((found for found in self._answer.findings if found.zone == zone), ZoneFinding(zone))

    def set_finding(self, finding: ZoneFinding) -> None:
        kept = {found.zone: found for found in self._answer.findings} | {finding.zone: finding}
        said = tuple(kept[zone] for zone in ZONES if zone in kept and kept[zone] != ZoneFinding(zone))
        self.edit(f"zone {finding.zone}", findings=said)

    def submit(self) -> None:
        if not self._editable or not self.isEnabled():
            return
        self._submit_tried = True
        if self.problem():
            self._show_problem()
            self._focus_on_problem()
        else:
            self.submit_requested.emit()

    def _set_call(self, call: Call | None) -> None:
        self._ask_reason = False
        self.edit("call", call=call, not_assessable_reason="")

    def _toggle_not_assessable(self, on: bool) -> None:
        self._ask_reason = on
        if on:
            # The call and score go, one undo brings them back: a radiograph is assessed or it is not.
            self.edit("assessable", call=None, score=None, stem_call=None, cup_call=None)
            self._show()
            self.reason_box.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.edit("assessable", not_assessable_reason="")
            self._show()

    def _set_reason(self, text: str) -> None:
        reason = text.strip()
        if reason != self._answer.not_assessable_reason:
            self._ask_reason = True
            self.edit("reason", not_assessable_reason=reason)

    def _edit_zone(self, zone: str, what: str) -> None:
        self.schematic.select(zone)
        now = self.finding(zone)
        match what:
            case "lucency":
                on = not now.lucency
                changed = msgspec.structs.replace(
                    now, lucency=on, width_mm=now.width_mm if on else None, not_assessable=False
                )
            case "osteolysis":
                changed = msgspec.structs.replace(now, osteolysis=not now.osteolysis, not_assessable=False)
            case "not_assessable":
                changed = ZoneFinding(zone, not_assessable=not now.not_assessable)
            case _:
                changed = ZoneFinding(zone)
        self.set_finding(changed)

    def _set_width(self, width_mm: float | None) -> None:
        zone = self.schematic.selected
        if not zone:
            return
        now = self.finding(zone)
        # A width is the width of a line: giving one says that there is one.
        lucency = now.lucency or width_mm is not None
        self.set_finding(msgspec.structs.replace(now, lucency=lucency, width_mm=width_mm, not_assessable=False))

    # Building

    def _build(self) -> None:
        title = QLabel(self.tr("Your reading"))
        title.setProperty("role", "title")
        self.state_icon = QLabel()
        self.state_label = QLabel()
        self.state_label.setProperty("role", "muted")
        self.state_label.setAccessibleName(self.tr("State of the reading"))
        self.mode_label = QLabel(wordWrap=True)
        self.mode_label.setProperty("role", "small")
        header = QHBoxLayout()
        header.addWidget(title)
        header.addStretch(1)
        header.addWidget(self.state_icon)
        header.addWidget(self.state_label)

        self.body = QWidget()
        body = QVBoxLayout(self.body)
        body.setContentsMargins(0, 0, 4, 0)
        body.setSpacing(6)
        self._build_call(body)
        self._build_score(body)
        self._build_zones(body)
        self._build_comment(body)
        body.addStretch(1)

        self.scroll_area = FollowFocusScroll(self.body)

        reader_caption = QLabel(self.tr("Rea&der"))
        reader_caption.setProperty("role", "muted")
        self.reader_line = QLineEdit(placeholderText=self.tr("Name or initials"), maxLength=100)
        self.reader_line.setAccessibleName(self.tr("Reader's name or initials"))
        reader_caption.setBuddy(self.reader_line)
        self.problem_label = QLabel(wordWrap=True)
        self.problem_label.setAccessibleName(self.tr("What is still needed"))
        self.submit_button = QPushButton()
        self.submit_button.setProperty("role", "main")
        self.submit_button.setToolTip(self.tr("Lock this answer in the record (Ctrl+Enter)"))
        self.revise_button = QPushButton(self.tr("Rev&ise after seeing the CNN"))
        self.revise_button.setToolTip(self.tr("The recorded answer stays; a second one is added"))
        footer = QGridLayout()
        footer.setContentsMargins(0, 0, 0, 0)
        footer.addWidget(reader_caption, 0, 0)
        footer.addWidget(self.reader_line, 0, 1)
        footer.addWidget(self.problem_label, 1, 0, 1, 2)
        footer.addWidget(self.submit_button, 2, 0, 1, 2)
        footer.addWidget(self.revise_button, 3, 0, 1, 2)
        footer.setColumnStretch(1, 1)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 10)
        layout.addLayout(header)
        layout.addWidget(self.mode_label)
        layout.addWidget(self.scroll_area, 1)
        layout.addWidget(_rule())
        layout.addLayout(footer)
        self.setAccessibleName(self.tr("Reading form"))
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    def _build_call(self, body: QVBoxLayout) -> None:
        question = QLabel(self.tr("Is this hip replacement loose?"))
        question.setProperty("role", "section")
        self.call_chooser = CallChooser(self.tr("Hip"), big=True)
        self.not_assessable_box = QCheckBox(self.tr("Cannot &be assessed"))
        self.reason_box = QComboBox(editable=True)
        self.reason_box.addItems(list(NOT_ASSESSABLE_REASONS))
        self.reason_box.setCurrentIndex(-1)
        self.reason_box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.reason_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.reason_box.setMinimumContentsLength(12)
        self.reason_box.setAccessibleName(self.tr("Why it cannot be assessed"))
        line = self.reason_box.lineEdit()
        assert line is not None
        line.setPlaceholderText(self.tr("Why?"))
        line.setAccessibleName(self.tr("Why it cannot be assessed"))
        line.setMaxLength(300)
        body.addWidget(question)
        body.addWidget(self.call_chooser)
        refuse = QHBoxLayout()
        refuse.addWidget(self.not_assessable_box)
        refuse.addWidget(self.reason_box, 1)
        body.addLayout(refuse)

        self.stem_chooser = CallChooser(self.tr("Stem"))
        self.cup_chooser = CallChooser(self.tr("Cup"))
        self.components = QWidget()
        grid = QGridLayout(self.components)
        grid.setContentsMargins(0, 2, 0, 2)
        for row, (caption, chooser) in enumerate(
            ((self.tr("Ste&m"), self.stem_chooser), (self.tr("Cu&p"), self.cup_chooser))
        ):
            label = QLabel(caption)
            label.setBuddy(chooser.buttons[Call.LOOSE])
            grid.addWidget(label, row, 0)
            grid.addWidget(chooser, row, 1)
        grid.setColumnStretch(1, 1)
        body.addWidget(self.components)

    def _build_score(self, body: QVBoxLayout) -> None:
        self.score_part = QWidget()
        part = QVBoxLayout(self.score_part)
        part.setContentsMargins(0, 4, 0, 0)
        part.setSpacing(2)
        caption = QLabel(self.tr("Score for loosenin&g"))
        caption.setProperty("role", "section")
        self.score_spin = ScoreSpin()
        caption.setBuddy(self.score_spin)
        row = QHBoxLayout()
        row.addWidget(caption)
        row.addStretch(1)
        row.addWidget(self.score_spin)
        self.score_slider = ScoreSlider()
        part.addLayout(row)
        part.addWidget(self.score_slider)
        body.addWidget(self.score_part)

    def _build_zones(self, body: QVBoxLayout) -> None:
        caption = QLabel(self.tr("Findings by &zone"))
        caption.setProperty("role", "section")
        self.schematic = ZoneSchematic()
        caption.setBuddy(self.schematic)
        self.shares_label = QLabel(self.tr("% = share of the CNN's attention in a zone; not a finding"))
        self.shares_label.setProperty("role", "small")
        self.shares_label.setWordWrap(True)
        self.shares_label.hide()

        self.zone_card = QFrame()
        self.zone_card.setProperty("role", "card")
        self.zone_label = QLabel(wordWrap=True)
        self.zone_label.setProperty("role", "section")
        self.lucency_box = QCheckBox(self.tr("Radiol&ucent line"))
        self.width_spin = WidthSpin()
        self.osteolysis_box = QCheckBox(self.tr("Osteol&ysis"))
        self.zone_unassessable_box = QCheckBox(self.tr("Zone not assess&able"))
        self.cutoff_label = QLabel(wordWrap=True)
        self.cutoff_label.setProperty("role", "small")
        grid = QGridLayout(self.zone_card)
        grid.setContentsMargins(8, 6, 8, 6)
        grid.addWidget(self.zone_label, 0, 0, 1, 2)
        grid.addWidget(self.lucency_box, 1, 0)
        grid.addWidget(self.width_spin, 1, 1)
        grid.addWidget(self.cutoff_label, 2, 0, 1, 2)
        others = QHBoxLayout()
        others.addWidget(self.osteolysis_box)
        others.addStretch(1)
        others.addWidget(self.zone_unassessable_box)
        grid.addLayout(others, 3, 0, 1, 2)
        grid.setColumnStretch(0, 1)
        body.addWidget(caption)
        body.addWidget(self.schematic)
        body.addWidget(self.shares_label)
        body.addWidget(self.zone_card)

    def _build_comment(self, body: QVBoxLayout) -> None:
        caption = QLabel(self.tr("Comment"))
        caption.setProperty("role", "section")
        self.comment_edit = QPlainTextEdit(tabChangesFocus=True)
        self.comment_edit.setUndoRedoEnabled(False)  # its edits are on the window's undo stack
        self.comment_edit.setPlaceholderText(self.tr("No patient names, please: comments are exported"))
        self.comment_edit.setAccessibleName(self.tr("Comment"))
        self.comment_edit.setFixedHeight(5 * self.fontMetrics().height())
        body.addWidget(caption)
        body.addWidget(self.comment_edit)

    def _connect(self) -> None:
        self.call_chooser.chosen.connect(self._set_call)
        self.stem_chooser.chosen.connect(lambda call: self.edit("stem", stem_call=call))
        self.cup_chooser.chosen.connect(lambda call: self.edit("cup", cup_call=call))
        self.not_assessable_box.clicked.connect(self._toggle_not_assessable)
        self.reason_box.currentTextChanged.connect(self._set_reason)
        self.score_slider.moved.connect(lambda score: self.edit("score", score=score))
        self.score_spin.given.connect(lambda score: self.edit("score", score=score))
        self.score_spin.text_edited.connect(self._show_problem)
        self.schematic.zone_selected.connect(self._show_zone)
        self.schematic.zone_selected.connect(self.zone_selected)
        self.schematic.edit_requested.connect(self._edit_zone)
        self.lucency_box.clicked.connect(lambda: self._edit_zone(self.schematic.selected, "lucency"))
        self.osteolysis_box.clicked.connect(lambda: self._edit_zone(self.schematic.selected, "osteolysis"))
        self.zone_unassessable_box.clicked.connect(lambda: self._edit_zone(self.schematic.selected, "not_assessable"))
        self.width_spin.given.connect(self._set_width)
        self.comment_edit.textChanged.connect(self._take_comment)
        self.reader_line.textEdited.connect(self._show_problem)
        self.reader_line.editingFinished.connect(lambda: self.reader_changed.emit(self.reader()))
        self.submit_button.clicked.connect(self.submit)
        self.revise_button.clicked.connect(self.revise_requested)
        keeper = UndoOnStack(self)
        reason_line = self.reason_box.lineEdit()
        assert reason_line is not None  # it is editable
        for widget in (self.comment_edit, self.score_spin.lineEdit(), self.width_spin.lineEdit(), reason_line):
            widget.installEventFilter(keeper)
        still = IgnoreWheel(self)
        for turned in (self.score_spin, self.width_spin, self.reason_box):
            turned.installEventFilter(still)

    # Keys of the form, while the keyboard is in it

    def event(self, event: QEvent) -> bool:
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self._key_action(event) is not None
        ):
            event.accept()  # "1" is an answer here, whatever it does elsewhere in the window
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        act = self._key_action(event)
        if act is None:
            super().keyPressEvent(event)
        else:
            act()

    def _key_action(self, event: QKeyEvent) -> Callable[[], None] | None:
        if not self._editable:
            return None
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if modifiers == Qt.KeyboardModifier.ControlModifier and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            # Not claimed from the window's shortcuts: a window has an action of its own for it.
            return self.submit if event.type() == QEvent.Type.KeyPress else None
        if modifiers:
            return None
        keys: dict[int, Callable[[], None]] = {
            Qt.Key.Key_1: lambda: self._set_call(Call.LOOSE),
            Qt.Key.Key_2: lambda: self._set_call(Call.NOT_LOOSE),
            Qt.Key.Key_3: lambda: self._set_call(Call.CANNOT_TELL),
            Qt.Key.Key_4: self._go_to_score,
            Qt.Key.Key_5: self._go_to_zones,
            Qt.Key.Key_6: self._go_to_comment,
        }
        return keys.get(event.key())

    def _make_actions(self) -> None:
        """The same for the whole window, which gives them keys and menu places by their names."""
        for name, text, slot in (
            ("reading.loose", self.tr("Call it loose"), lambda: self._set_call(Call.LOOSE)),
            ("reading.not_loose", self.tr("Call it not loose"), lambda: self._set_call(Call.NOT_LOOSE)),
            ("reading.cannot_tell", self.tr("Cannot tell"), lambda: self._set_call(Call.CANNOT_TELL)),
            ("reading.score", self.tr("Go to the score"), self._go_to_score),
            ("reading.zones", self.tr("Go to the zones"), self._go_to_zones),
            ("reading.comment", self.tr("Go to the comment"), self._go_to_comment),
            ("reading.record", self.tr("Record the reading"), self.submit),
        ):
            action = QAction(text, self)
            action.setObjectName(name)
            action.triggered.connect(slot)
            self.addAction(action)

    def _go_to_score(self) -> None:
        self.score_slider.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _go_to_zones(self) -> None:
        self.schematic.setFocus(Qt.FocusReason.TabFocusReason)

    def _go_to_comment(self) -> None:
        self.comment_edit.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # Showing

    def _show(self) -> None:
        answer = self._answer
        refused = self._ask_reason or bool(answer.not_assessable_reason)
        self.call_chooser.show_call(answer.call)
        self.stem_chooser.show_call(answer.stem_call)
        self.cup_chooser.show_call(answer.cup_call)
        with QSignalBlocker(self.not_assessable_box):
            self.not_assessable_box.setChecked(refused)
        self.reason_box.setVisible(refused)
        self.components.setEnabled(not refused)
        self.score_part.setEnabled(not refused)
        if self.reason_box.currentText().strip() != answer.not_assessable_reason:
            with QSignalBlocker(self.reason_box):
                self.reason_box.setCurrentText(answer.not_assessable_reason)
        score = None if answer.score is None else round(answer.score)
        self.score_slider.show_score(score, answer.call)
        self.score_spin.show_score(score)
        self.schematic.set_findings(answer.findings)
        if self.comment_edit.toPlainText() != answer.comment:
            with QSignalBlocker(self.comment_edit):
                self.comment_edit.setPlainText(answer.comment)
            cursor = self.comment_edit.textCursor()
            cursor.movePosition(cursor.MoveOperation.End)
            self.comment_edit.setTextCursor(cursor)
        self._show_zone()
        self._show_problem()

    def _show_zone(self) -> None:
        zone = self.schematic.selected
        for widget in (self.lucency_box, self.width_spin, self.osteolysis_box, self.zone_unassessable_box):
            widget.setEnabled(bool(zone))
        if not zone:
            self.zone_label.setText(self.tr("Choose a zone on the drawing"))
            self.cutoff_label.hide()
            return
        found = self.finding(zone)
        self.zone_label.setText(ZONE_NAMES[zone])
        for box, on in (
            (self.lucency_box, found.lucency),
            (self.osteolysis_box, found.osteolysis),
            (self.zone_unassessable_box, found.not_assessable),
        ):
            box.setChecked(on)  # only `clicked` is connected
        self.width_spin.show_width(found.width_mm)
        wide = found.width_mm is not None and found.width_mm > self._cutoff_mm
        self.cutoff_label.setText(self.tr("Wider than the {mm:g} mm cut-off").format(mm=self._cutoff_mm))
        self.cutoff_label.setVisible(wide)

    def _show_problem(self) -> None:
        if not self._editable:
            self.problem_label.hide()
            return
        problem = self.problem()
        contradiction = problem and self._answer.call is not None and self._answer.score is not None
        loud = bool(problem) and (self._submit_tried or bool(contradiction) or self.score_spin.typed() == "50")
        self.problem_label.setText(problem)
        self.problem_label.setVisible(bool(problem))
        role = "warning" if loud else "muted"
        if self.problem_label.property("role") != role:
            self.problem_label.setProperty("role", role)
            _restyle(self.problem_label)

    def _show_state_icon(self) -> None:
        size_px = self.fontMetrics().height()
        self.state_icon.setPixmap(icons.pixmap(self._state_icon, size_px, "muted", self.devicePixelRatioF()))

    def _focus_on_problem(self) -> None:
        answer = self._answer
        if self._ask_reason and not answer.not_assessable_reason:
            target: QWidget = self.reason_box
        elif not answer_problem(answer):
            target = self.reader_line
        elif answer.call is None:
            target = self
        else:
            target = self.score_slider
        target.setFocus(Qt.FocusReason.OtherFocusReason)

    def _take_comment(self) -> None:
        text = self.comment_edit.toPlainText()
        if len(text) > COMMENT_LIMIT:
            text = text[:COMMENT_LIMIT]
        self.edit("comment", comment=text)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange) and hasattr(self, "_state_icon"):
            self.comment_edit.setFixedHeight(5 * self.fontMetrics().height())
            self._show_state_icon()


class EditAnswer(QUndoCommand):
    """One edit of the answer. Quick edits of the same field become one step."""

    def __init__(self, form: ReadingForm, field: str, before: Answer, after: Answer) -> None:
        super().__init__(f"edit of {field}")
        self._form, self._field, self._before, self._after = form, field, before, after
        self._at = time.monotonic()

    def id(self) -> int:
        return 0x4C52  # shared by all edits of the form; `mergeWith` looks at the field

    def redo(self) -> None:
        self._form.apply(self._after)

    def undo(self) -> None:
        self._form.apply(self._before)

    def mergeWith(self, other: QUndoCommand) -> bool:
        if (
            not isinstance(other, EditAnswer)
            or other._field != self._field
            or self._field not in ("score", "comment", "reason")
            or other._at - self._at > MERGE_S
        ):
            return False
        self._after, self._at = other._after, other._at
        return True


class CallChooser(QWidget):
    """Loose, not loose, cannot tell. Nothing is chosen at first; a second click takes a choice back."""

    chosen = Signal(object)  # Call or None

    def __init__(self, about: str, *, big: bool = False) -> None:
        super().__init__()
        self._big = big
        self._call: Call | None = None
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.buttons: dict[Call, QPushButton] = {}
        for call, mnemonic in (
            (Call.LOOSE, self.tr("&Loose")),
            (Call.NOT_LOOSE, self.tr("&Not loose")),
            (Call.CANNOT_TELL, self.tr("Cann&ot tell")),
        ):
            shown = theme.outcome(call)
            button = QPushButton(f" {mnemonic if big else shown.word}")  # the space keeps the icon off the word
            button.setCheckable(True)
            button.setProperty("outcome", call.value)
            button.setAccessibleName(f"{about}: {shown.word}")
            if big:
                button.setToolTip(self.tr("Key {n} in this form").format(n=len(self.buttons) + 1))
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            icons.attach(button, shown.icon, call.value if call is not Call.CANNOT_TELL else "indeterminate")
            button.clicked.connect(lambda _checked, call=call: self._choose(call))
            layout.addWidget(button, 1)
            self.buttons[call] = button
        self._size()

    def show_call(self, call: Call | None) -> None:
        self._call = call
        for each, button in self.buttons.items():
            button.setChecked(each is call)

    def _choose(self, call: Call) -> None:
        chosen = None if call is self._call else call
        self.show_call(chosen)
        self.chosen.emit(chosen)

    def _size(self) -> None:
        height = self.fontMetrics().height()
        for button in self.buttons.values():
            button.setIconSize(QSize(height, height))
            button.setMinimumHeight(round((2.9 if self._big else 1.9) * height))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._size()


class ScoreSlider(QWidget):
    """0-100 without 50, and without a handle until the reader gives a value."""

    moved = Signal(object)  # int or None

    def __init__(self) -> None:
        super().__init__()
        self._score: int | None = None
        self._call: Call | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Score for loosening, 0 to 100"))
        self.setToolTip(
            self.tr("0 surely not loose, 100 surely loose; 50 is not allowed. Arrows, Page keys, Home, End")
        )
        self._say()

    def show_score(self, score: int | None, call: Call | None) -> None:
        self._score, self._call = score, call
        self._say()
        self.update()

    def sizeHint(self) -> QSize:
        line = self.fontMetrics().height()
        return QSize(16 * line, round(2.9 * line))

    def minimumSizeHint(self) -> QSize:
        return QSize(8 * self.fontMetrics().height(), self.sizeHint().height())

    def x_of(self, score: float) -> float:
        left, right = self._ends()
        return left + (right - left) * score / 100

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        steps = {
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: 1,
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Down: -1,
            Qt.Key.Key_PageUp: 10,
            Qt.Key.Key_PageDown: -10,
        }
        if key in steps:
            self._give(step_score(self._score, steps[Qt.Key(key)]))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._give(0 if key == Qt.Key.Key_Home else 100)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._give(None)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            taken = (
                Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp,
                Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Delete, Qt.Key.Key_Backspace,
            )  # fmt: skip
            if event.key() in taken and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
                event.accept()  # arrows would otherwise go to the next case
                return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._give(self._score_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._give(self._score_at(event.position().x()))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        now = theme.colors()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.isEnabled() and self._score is None:
            painter.setOpacity(0.4)
        line = self.fontMetrics().height()
        y = 0.85 * line
        left, right = self._ends()
        thick = max(4.0, 0.32 * line)
        gap = 0.012 * (right - left)
        middle = self.x_of(50)
        halves = (
            (QRectF(left, y - thick / 2, middle - gap - left, thick), Call.NOT_LOOSE, now.not_loose),
            (QRectF(middle + gap, y - thick / 2, right - middle - gap, thick), Call.LOOSE, now.loose),
        )
        painter.setPen(Qt.PenStyle.NoPen)
        for half, call, color in halves:
            # With a call made, the half that goes with it is tinted: where a score would contradict it, is not.
            painter.setBrush(theme.blend(color, now.surface, 0.45) if self._call is call else QColor(now.line))
            painter.drawRoundedRect(half, thick / 2, thick / 2)
        painter.setPen(QPen(QColor(now.outline), 1))
        for tick in (0, 25, 50, 75, 100):
            x = self.x_of(tick)
            painter.drawLine(QPointF(x, y + thick), QPointF(x, y + thick + 0.2 * line))
        painter.setPen(QColor(now.muted))
        font = self.font()
        font.setPointSizeF(0.9 * font.pointSizeF())
        painter.setFont(font)
        box = QRectF(0, y + 0.8 * line, self.width(), 1.1 * line)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft, self.tr("0 surely not loose"))
        painter.drawText(box, Qt.AlignmentFlag.AlignRight, self.tr("surely loose 100"))
        if self._score is not None:
            radius = 0.5 * line
            painter.setPen(QPen(QColor(now.background), 1.5))
            painter.setBrush(QColor(now.loose if self._score > 50 else now.not_loose))
            painter.drawEllipse(QPointF(self.x_of(self._score), y), radius, radius)
        if self.hasFocus():
            painter.setPen(QPen(QColor(now.focus), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(1, 1, self.width() - 2, self.height() - 2), 5, 5)

    def _ends(self) -> tuple[float, float]:
        margin = 0.65 * self.fontMetrics().height()
        return margin, self.width() - margin

    def _score_at(self, x: float) -> int:
        left, right = self._ends()
        exact = min(100.0, max(0.0, 100 * (x - left) / max(1.0, right - left)))
        nearest = round(exact)
        if nearest == 50:
            return 51 if exact >= 50 else 49
        return nearest

    def _give(self, score: int | None) -> None:
        if score != self._score:
            self._score = score
            self.update()
            self.moved.emit(score)

    def _say(self) -> None:
        said = self.tr("not given") if self._score is None else str(self._score)
        self.setAccessibleDescription(said)


class ScoreSpin(QSpinBox):
    """The score as a number; blank until given, and never 50."""

    given = Signal(object)  # int or None
    text_edited = Signal()
    BLANK = -1

    def __init__(self) -> None:
        super().__init__()
        self.setRange(self.BLANK, 100)
        self.setSpecialValueText("–")
        self.setValue(self.BLANK)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setAccessibleName(self.tr("Score for loosening as a number"))
        self.valueChanged.connect(lambda value: self.given.emit(None if value == self.BLANK else value))
        self.lineEdit().textEdited.connect(self.text_edited)

    def show_score(self, score: int | None) -> None:
        value = self.BLANK if score is None else score
        if value != self.value() or (score is None and self.typed()):
            with QSignalBlocker(self):
                self.setValue(value)

    def typed(self) -> str:
        """What stands in the field, as digits; "" when blank."""
        return self.lineEdit().text().strip("– ")

    def stepBy(self, steps: int) -> None:
        self.setValue(step_score(None if self.value() == self.BLANK else self.value(), steps))
        self.selectAll()

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        none = QAbstractSpinBox.StepEnabledFlag.StepNone
        up = QAbstractSpinBox.StepEnabledFlag.StepUpEnabled if self.value() < 100 else none
        down = QAbstractSpinBox.StepEnabledFlag.StepDownEnabled if self.value() != 0 else none
        return up | down

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        digits = text.strip("– ")
        if not digits:
            return QValidator.State.Acceptable, text, position
        if not (digits.isascii() and digits.isdecimal()) or int(digits) > 100:
            return QValidator.State.Invalid, text, position
        state = QValidator.State.Intermediate if int(digits) == 50 else QValidator.State.Acceptable
        return state, text, position

    def valueFromText(self, text: str) -> int:
        digits = text.strip("– ")
        return int(digits) if digits else self.BLANK

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.selectAll()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)  # puts the last value in the place of a 50
        self.text_edited.emit()


class WidthSpin(QDoubleSpinBox):
    """Width of a radiolucent line in mm; blank means that none was given."""

    given = Signal(object)  # float or None

    def __init__(self) -> None:
        super().__init__()
        self.setRange(0.0, 20.0)
        self.setSingleStep(0.5)
        self.setDecimals(1)
        self.setSuffix(" mm")
        self.setSpecialValueText(self.tr("width"))
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setAccessibleName(self.tr("Width of the radiolucent line in millimetres"))
        self.setKeyboardTracking(False)  # "2" on the way to "2.5" is no finding
        self.valueChanged.connect(lambda value: self.given.emit(value or None))

    def show_width(self, width_mm: float | None) -> None:
        with QSignalBlocker(self):
            self.setValue(width_mm or 0.0)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.selectAll()


class UndoOnStack(QObject):
    """Gives Ctrl+Z and its like in a text field to the form's undo stack."""

    def __init__(self, form: ReadingForm) -> None:
        super().__init__(form)
        self._form = form

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent):
            return False
        undo, redo = event.matches(QKeySequence.StandardKey.Undo), event.matches(QKeySequence.StandardKey.Redo)
        if not (undo or redo):
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.ignore()  # the window's own undo action takes it, where there is one
            return True
        if event.type() == QEvent.Type.KeyPress and self._form._stack is not None:
            if undo:
                self._form._stack.undo()
            else:
                self._form._stack.redo()
            return True
        return False


class IgnoreWheel(QObject):
    """Scrolling the form over a field must not change an answer."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QWheelEvent):
            event.ignore()
            return True
        return False


class FollowFocusScroll(QScrollArea):
    """Scrolls its content vertically only, and to whatever the keyboard is in."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._content = content
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._widen()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self._widen()
        return super().event(event)

    def focusNextPrevChild(self, next: bool) -> bool:
        moved = super().focusNextPrevChild(next)
        focused = self.focusWidget()
        if moved and focused is not None and self._content.isAncestorOf(focused):
            self.ensureWidgetVisible(focused, 8, 24)
        return moved

    def _widen(self) -> None:
        bar = self.verticalScrollBar().sizeHint().width()
        self.setMinimumWidth(self._content.minimumSizeHint().width() + bar)


def step_score(score: int | None, steps: int) -> int:
    """`steps` away from a score, over 50 and within 0-100. From no score, the first step leans 50 one way."""
    stepped = min(100, max(0, (50 if score is None else score) + steps))
    if stepped == 50:
        stepped += 1 if steps > 0 else -1
    return stepped


def _rule() -> QFrame:
    rule = QFrame()
    rule.setProperty("role", "rule")
    return rule


def _restyle(widget: QWidget) -> None:
    """Make the style sheet see a changed property."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
