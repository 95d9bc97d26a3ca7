"""The reader's own answer: call, score, findings per zone, comment.

Nothing is chosen in advance, not even a place for the slider's handle: a default would lead the reader.
The one state is an `Answer`; every edit makes a new one through an undo command, and the widgets show it.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QUndoCommand, QUndoStack
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from gui.answer_rules import answer_problem, finding_in, toggled, with_finding, with_width
from gui.draft import Answer
from gui.views.call_part import CallPart
from gui.views.comment_field import CommentField
from gui.views.form_parts import FollowFocusScroll, IgnoreWheel, UndoOnStack, rule
from gui.views.score_part import ScorePart
from gui.views.side_part import SidePart
from gui.views.submit_part import FormState, StatePart, SubmitPart
from gui.views.zone_part import ZonePart
from imaging.orientation import Edge
from imaging.radiograph import Side, SideSource
from study.model import Call, ReadingMode, ZoneFinding

__all__ = ["FORM_KEYS", "FormState", "ReadingForm"]

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


class ReadingForm(QWidget):
    """`changed` after every edit, undo included; `submit_requested` only when the answer can be recorded."""

    changed = Signal()
    submit_requested = Signal()
    revise_requested = Signal()
    reader_changed = Signal(str)
    zone_selected = Signal(str)
    side_chosen = Signal(object)  # Side

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._answer = Answer()
        self._state = FormState.EDITABLE
        self._stack: QUndoStack | None = None
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
    def state(self) -> FormState:
        return self._state

    def set_state(
        self,
        state: FormState,
        recorded_at: datetime | None = None,
        mode: ReadingMode | None = None,
        reason: str = "",
    ) -> None:
        """`recorded_at` (local time) and `mode` are shown with a locked reading, `reason` where nothing is saved."""
        self._state = state
        self._submit_tried = False
        for action in self.actions():
            action.setEnabled(state.editable)
        self.body.setEnabled(state.editable)
        self.head.show_state(state, recorded_at, mode, reason if state is FormState.UNSAVED else "")
        self.foot.show_state(state, mode)
        self._show_problem()

    def set_undo_stack(self, stack: QUndoStack | None) -> None:
        """Edits become commands on this stack; without one they are simply made."""
        self._stack = stack

    def set_side(self, side: Side, source: SideSource = SideSource.NONE, lateral: Edge | None = None) -> None:
        """Which hip this is, how that is known, and where its lateral side is on screen (None: as usual)."""
        self.side_part.show_side(side, source)
        self.schematic.set_side(side, lateral)

    def set_cutoff_mm(self, cutoff_mm: float) -> None:
        """Width above which a line is pointed out; a setting."""
        self.zones.set_cutoff_mm(cutoff_mm)

    def set_zone_shares(self, shares: Mapping[str, float] | None, note: str = "") -> None:
        """The CNN's attention per zone, once it may be seen; None hides it. `note`: why zones have none."""
        self.zones.set_shares(shares, note)

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
        if after == self._answer or not self._state.editable or not self.isEnabled():
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
        return finding_in(self._answer, zone)

    def set_finding(self, finding: ZoneFinding) -> None:
        self.edit(f"zone {finding.zone}", findings=with_finding(self._answer, finding))

    def submit(self) -> None:
        if not self._state.editable or not self.isEnabled():
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

    # Building

    def _build(self) -> None:
        self.head, self.foot = StatePart(), SubmitPart()
        self.calls, self.score_part, self.zones = CallPart(), ScorePart(), ZonePart()
        self.side_part = SidePart()
        comment_caption = QLabel(self.tr("Comment"))
        comment_caption.setProperty("role", "section")
        self.comment_edit = CommentField()
        self.body = QWidget()
        body = QVBoxLayout(self.body)
        body.setContentsMargins(0, 0, 4, 0)
        body.setSpacing(6)
        for part in (self.calls, self.score_part, self.side_part, self.zones, comment_caption, self.comment_edit):
            body.addWidget(part)
        body.addStretch(1)
        self.scroll_area = FollowFocusScroll(self.body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 10)
        layout.addWidget(self.head)
        layout.addWidget(self.scroll_area, 1)
        layout.addWidget(rule())
        layout.addWidget(self.foot)
        self.setAccessibleName(self.tr("Reading form"))
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._name_fields()

    def _name_fields(self) -> None:
        """The fields of the parts, for whoever leaves some out (a study) or drives them (a test)."""
        self.call_chooser, self.stem_chooser = self.calls.chooser, self.calls.stem_chooser
        self.cup_chooser, self.components = self.calls.cup_chooser, self.calls.components
        self.not_assessable_box, self.reason_box = self.calls.not_assessable_box, self.calls.reason_box
        self.score_slider, self.score_spin = self.score_part.slider, self.score_part.spin
        self.schematic, self.zone_card = self.zones.schematic, self.zones.card
        self.reader_line, self.problem_label = self.foot.reader_line, self.foot.problem_label
        self.submit_button, self.revise_button = self.foot.submit_button, self.foot.revise_button

    def _connect(self) -> None:
        self.calls.call_chosen.connect(self._set_call)
        self.calls.stem_call_chosen.connect(lambda call: self.edit("stem", stem_call=call))
        self.calls.cup_call_chosen.connect(lambda call: self.edit("cup", cup_call=call))
        self.calls.refused.connect(self._toggle_not_assessable)
        self.calls.reason_given.connect(self._set_reason)
        self.score_part.given.connect(lambda score: self.edit("score", score=score))
        self.score_part.typing.connect(self._show_problem)
        self.zones.edit_asked.connect(lambda zone, what: self.set_finding(toggled(self.finding(zone), what)))
        self.zones.width_given.connect(lambda zone, mm: self.set_finding(with_width(self.finding(zone), mm)))
        self.zones.zone_selected.connect(self.zone_selected)
        self.side_part.chosen.connect(self.side_chosen)
        self.comment_edit.given.connect(lambda comment: self.edit("comment", comment=comment))
        self.reader_line.textEdited.connect(self._show_problem)
        self.reader_line.editingFinished.connect(lambda: self.reader_changed.emit(self.reader()))
        self.submit_button.clicked.connect(self.submit)
        self.revise_button.clicked.connect(self.revise_requested)
        typed = (
            self.comment_edit,
            self.score_spin.lineEdit(),
            self.zones.width_spin.lineEdit(),
            self.calls.reason_line,
        )
        keeper = UndoOnStack(self, lambda: self._stack)
        for field in typed:
            field.installEventFilter(keeper)
        still = IgnoreWheel(self)
        for turned in (self.score_spin, self.zones.width_spin, self.reason_box):
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
        if not self._state.editable:
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
        self.calls.show_answer(answer, refused=refused)
        self.score_part.setEnabled(not refused)
        self.score_part.show_answer(answer)
        self.zones.show_answer(answer)
        self.comment_edit.show_comment(answer.comment)
        self._show_problem()

    def _show_problem(self) -> None:
        if not self._state.editable:
            self.foot.show_problem("", loud=False)
            return
        problem = self.problem()
        contradiction = problem and self._answer.call is not None and self._answer.score is not None
        loud = bool(problem) and (self._submit_tried or bool(contradiction) or self.score_spin.typed() == "50")
        self.foot.show_problem(problem, loud=loud)

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


class EditAnswer(QUndoCommand):
    """One edit of the answer. Quick edits of the same field become one step."""

    def __init__(self, form: ReadingForm, field: str, before: Answer, after: Answer) -> None:
        super().__init__(f"edit of {field}")
        self._form = weakref.ref(form)  # not to keep it alive: see gui.commands.ChangeMarks
        self._field, self._before, self._after = field, before, after
        self._at = time.monotonic()

    def id(self) -> int:
        return 0x4C52  # shared by all edits of the form; `mergeWith` looks at the field

    def redo(self) -> None:
        self._apply(self._after)

    def undo(self) -> None:
        self._apply(self._before)

    def _apply(self, answer: Answer) -> None:
        form = self._form()
        if form is not None:
            form.apply(answer)

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
