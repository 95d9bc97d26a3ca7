"""The score for loosening, 0 to 100 without 50: a slider without a handle until there is a value, and the number."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QValidator,
)
from PySide6.QtWidgets import QAbstractSpinBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gui import theme
from gui.answer_rules import step_score
from gui.draft import Answer
from gui.views.number_fields import WholeField, read_number
from study.model import Call


class ScorePart(QWidget):
    """Caption, number and slider. Both fields show the same score and ask for another one through `given`."""

    given = Signal(object)  # int or None
    typing = Signal()  # something stands in the number's field that may not be a score yet

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(2)
        caption = QLabel(self.tr("Score for loosenin&g"))
        caption.setProperty("role", "section")
        self.spin = ScoreSpin()
        caption.setBuddy(self.spin)
        row = QHBoxLayout()
        row.addWidget(caption)
        row.addStretch(1)
        row.addWidget(self.spin)
        self.slider = ScoreSlider()
        column.addLayout(row)
        column.addWidget(self.slider)
        self.slider.moved.connect(self.given)
        self.spin.given.connect(self.given)
        self.spin.text_edited.connect(self.typing)

    def show_answer(self, answer: Answer) -> None:
        score = None if answer.score is None else round(answer.score)
        self.slider.show_score(score, answer.call)
        self.spin.show_score(score)


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


class ScoreSpin(WholeField):
    """The score as a number; blank until given, and never 50."""

    given = Signal(object)  # int or None
    text_edited = Signal()
    BLANK = -1

    def __init__(self) -> None:
        super().__init__(self.BLANK, 100)
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
        state, text, position = super().validate(text.strip("– "), position)
        return QValidator.State.Intermediate if read_number(text) == 50 else state, text, position

    def fixup(self, text: str) -> str:
        """A 50 that is left behind is no score; least of all the 5 that was there on the way to it."""
        return self.specialValueText() if read_number(text.strip("– ")) == 50 else super().fixup(text)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.selectAll()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)  # takes a 50 away
        self.text_edited.emit()
