"""Is it loose? The call on the hip, on stem and cup, or why there is none."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSignalBlocker, QSize, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui import icons, theme
from gui.draft import Answer
from study.model import Call

NOT_ASSESSABLE_REASONS = (
    "Not an AP view",
    "No hip replacement",
    "Stem or cup cut off",
    "Too dark, too bright or blurred",
    "Design that I do not assess",
)


class CallPart(QWidget):
    """Shows the calls of an answer, and says what the reader wants of them."""

    call_chosen = Signal(object)  # Call or None; of the hip
    stem_call_chosen = Signal(object)
    cup_call_chosen = Signal(object)
    refused = Signal(bool)  # "cannot be assessed" was ticked, or not any more
    reason_given = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        question = QLabel(self.tr("Is this hip replacement loose?"))
        question.setProperty("role", "section")
        self.chooser = CallChooser(self.tr("Hip"), big=True)
        column.addWidget(question)
        column.addWidget(self.chooser)
        column.addLayout(self._build_refusal())
        column.addWidget(self._build_components())
        self.chooser.chosen.connect(self.call_chosen)
        self.stem_chooser.chosen.connect(self.stem_call_chosen)
        self.cup_chooser.chosen.connect(self.cup_call_chosen)
        self.not_assessable_box.clicked.connect(self.refused)
        self.reason_box.currentTextChanged.connect(self.reason_given)

    def show_answer(self, answer: Answer, *, refused: bool) -> None:
        """`refused`: "cannot be assessed" is chosen, perhaps without a reason yet."""
        self.chooser.show_call(answer.call)
        self.stem_chooser.show_call(answer.stem_call)
        self.cup_chooser.show_call(answer.cup_call)
        with QSignalBlocker(self.not_assessable_box):
            self.not_assessable_box.setChecked(refused)
        self.reason_box.setVisible(refused)
        self.components.setEnabled(not refused)
        if self.reason_box.currentText().strip() != answer.not_assessable_reason:
            with QSignalBlocker(self.reason_box):
                self.reason_box.setCurrentText(answer.not_assessable_reason)

    @property
    def reason_line(self) -> QLineEdit:
        line = self.reason_box.lineEdit()
        assert line is not None  # the box is editable
        return line

    def _build_refusal(self) -> QHBoxLayout:
        self.not_assessable_box = QCheckBox(self.tr("Cannot &be assessed"))
        self.reason_box = QComboBox(editable=True)
        self.reason_box.addItems(list(NOT_ASSESSABLE_REASONS))
        self.reason_box.setCurrentIndex(-1)
        self.reason_box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.reason_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.reason_box.setMinimumContentsLength(12)
        self.reason_box.setAccessibleName(self.tr("Why it cannot be assessed"))
        line = self.reason_line
        line.setPlaceholderText(self.tr("Why?"))
        line.setAccessibleName(self.tr("Why it cannot be assessed"))
        line.setMaxLength(300)
        row = QHBoxLayout()
        row.addWidget(self.not_assessable_box)
        row.addWidget(self.reason_box, 1)
        return row

    def _build_components(self) -> QWidget:
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
        return self.components


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
