"""What the windows of studies are built of, in the program's look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QButtonGroup,
    QCheckBox,
    QDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui import icons
from gui.study.background import Background, Task
from gui.views.shortcut_sheet import plain
from study.truth import passphrase_problem

S = TypeVar("S", bound=QAbstractSpinBox)


class StudyWindow(QWidget):
    """A window of reader studies."""

    def may_close(self) -> bool:
        """Whether it can be closed now; where it cannot, it tells why. Asking changes nothing."""
        return True


def label(words: str = "", role: str = "", *, wrap: bool = True) -> QLabel:
    made = QLabel(words, wordWrap=wrap)
    if role:
        made.setProperty("role", role)
    if wrap:
        made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made


def button(text: str, do: Callable[[], object], icon: str = "", role: str = "") -> QPushButton:
    made = QPushButton(text)
    if role:
        made.setProperty("role", role)
    if icon:
        icons.attach(made, icon, "on_accent" if role == "main" else "")
    made.setAutoDefault(False)
    made.clicked.connect(lambda: do())
    return made


def card() -> tuple[QFrame, QVBoxLayout]:
    frame = QFrame()
    frame.setProperty("role", "card")
    column = QVBoxLayout(frame)
    column.setContentsMargins(14, 12, 14, 12)
    column.setSpacing(8)
    return frame, column


def allow(target: QWidget, reason_against: str, why: str = "") -> None:
    """Enable it, or say in its tooltip why not. `why` is its tooltip otherwise."""
    target.setEnabled(not reason_against)
    target.setToolTip(reason_against or why)
    target.setAccessibleDescription(reason_against or why)


class Form(QFormLayout):
    """Caption, field, hint below."""

    def __init__(self) -> None:
        super().__init__()
        self.setVerticalSpacing(10)
        self.setHorizontalSpacing(18)
        self.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)

    def add(self, caption: str, field: QWidget, hint: str = "") -> QLabel | None:
        """Returns the hint's label."""
        if not field.accessibleName():
            field.setAccessibleName(plain(caption))
        name = QLabel(caption)
        name.setBuddy(field)
        if not hint:
            self.addRow(name, field)
            return None
        words = label(hint, "small")
        column = QVBoxLayout()
        column.setSpacing(2)
        column.addWidget(field)
        column.addWidget(words)
        self.addRow(name, column)
        return words


def align_captions(*forms: QFormLayout) -> None:
    """Fields of forms that stand below each other begin on one line."""
    items = [form.itemAt(row, QFormLayout.ItemRole.LabelRole) for form in forms for row in range(form.rowCount())]
    captions = [widget for item in items if item is not None and (widget := item.widget()) is not None]
    widest = max((caption.sizeHint().width() for caption in captions), default=0)
    for caption in captions:
        caption.setMinimumWidth(widest)


def roomy(field: S) -> S:
    """The style leaves a spin box's number at the very edge of its frame."""
    inner = field.findChild(QLineEdit)
    if inner is not None:
        inner.setTextMargins(6, 0, 0, 0)
    return field


def narrow(box: QCheckBox) -> QCheckBox:
    """Its focus ring is as wide as its words."""
    box.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    return box


class Choice(QWidget):
    """A few alternatives, one below the other, each with a line that says what it means."""

    picked = Signal(object)

    def __init__(self, name: str, options: Sequence[tuple[Any, str, str]]) -> None:
        """options: value, words, explanation."""
        super().__init__()
        self.setAccessibleName(name)
        self._group = QButtonGroup(self)
        self._values = [value for value, _, _ in options]
        self.buttons: list[QRadioButton] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        for index, (_, words, explanation) in enumerate(options):
            radio = QRadioButton(words)
            radio.setAccessibleName(f"{name}: {words}")
            radio.setAccessibleDescription(explanation)
            self._group.addButton(radio, index)
            self.buttons.append(radio)
            column.addWidget(radio, 0, Qt.AlignmentFlag.AlignLeft)
            if explanation:
                indented = QHBoxLayout()
                indented.setContentsMargins(round(1.8 * self.fontMetrics().height()), 0, 0, 4)
                indented.addWidget(label(explanation, "small"))
                column.addLayout(indented)
        self._group.idClicked.connect(lambda index: self.picked.emit(self._values[index]))

    @property
    def value(self) -> Any:
        index = self._group.checkedId()
        return self._values[index] if index >= 0 else None

    def show_value(self, value: Any) -> None:
        with QSignalBlocker(self._group):
            self.buttons[self._values.index(value)].setChecked(True)

    def pick(self, value: Any) -> None:
        """As a click does."""
        self.buttons[self._values.index(value)].click()

    def allow(self, value: Any, reason_against: str) -> None:
        allow(self.buttons[self._values.index(value)], reason_against)


class Drop(QFrame):
    """Takes files and folders that are dropped on it."""

    dropped = Signal(list)  # paths as text

    def __init__(self) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self.setObjectName("drop-target")
        self.setStyleSheet("QFrame#drop-target { border: 2px dashed palette(mid); border-radius: 10px; }")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)


class TaskBar(QWidget):
    """What the window's thread is busy with, once it takes long: its name, how far, and a way to stop it."""

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._task: Task | None = None
        self.words = label(wrap=False)
        self.bar = QProgressBar(textVisible=False)
        self.bar.setFixedWidth(round(12 * self.fontMetrics().height()))
        self.stop = button(self.tr("Stop"), self._on_stop)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.words)
        row.addWidget(self.bar)
        row.addWidget(self.stop)
        background.changed.connect(self._update)
        self._update()

    def _update(self) -> None:
        task = next((task for task in self._background.tasks if task.is_slow), None)
        if task is not self._task:
            self._task = task
            if task is not None:
                self.bar.setRange(0, 0)
                task.progressed.connect(self._progress)
        self.setVisible(task is not None)
        if task is not None:
            self.words.setText(f"{task.title} …")

    def _progress(self, done: int, total: int) -> None:
        if self.sender() is self._task:
            self.bar.setRange(0, total)
            self.bar.setValue(done)

    def _on_stop(self) -> None:
        if self._task is not None:
            self._task.cancel()


_STRENGTHS = ("very weak", "weak", "fair", "good", "strong")


def passphrase_strength(passphrase: str) -> tuple[int, str]:
    """0-4 and a word. A rough measure of variety, not a promise: length and different characters, repeats apart."""
    if not passphrase:
        return 0, ""
    kinds = sum(any(test(sign) for sign in passphrase) for test in (str.islower, str.isupper, str.isdigit, _is_other))
    different = len(set(passphrase))
    measure = min(len(passphrase), 2 * different) + 2 * (kinds - 1)
    level = sum(measure >= least for least in (8, 12, 18, 24))
    if passphrase_problem(passphrase):
        level = 0
    return level, _STRENGTHS[level]


def _is_other(sign: str) -> bool:
    return not sign.isalnum()


class NewPassphrase(QWidget):
    """A new passphrase, typed twice, with words for its strength."""

    changed = Signal()

    def __init__(self, whose: str, caption: str = "&Passphrase") -> None:
        super().__init__()
        self.first = QLineEdit(echoMode=QLineEdit.EchoMode.Password)
        self.first.setAccessibleName(f"{whose}: passphrase")
        self.second = QLineEdit(echoMode=QLineEdit.EchoMode.Password)
        self.second.setAccessibleName(f"{whose}: passphrase again")
        self.shown = QCheckBox(self.tr("Show what I type"))
        self.shown.toggled.connect(self._show)
        self.meter = QProgressBar(maximum=4, textVisible=False)
        self.meter.setFixedWidth(round(8 * self.fontMetrics().height()))
        self.meter.setAccessibleName("Strength of the passphrase")
        self.words = label("", "small")
        form = self.form = Form()
        form.setContentsMargins(0, 0, 0, 0)
        form.add(caption, self.first)
        form.add(self.tr("&Again"), self.second)
        strength = QHBoxLayout()
        strength.setSpacing(10)
        strength.addWidget(self.meter)
        strength.addWidget(self.words, 1)
        form.addRow(self.tr("Strength"), strength)
        form.addRow("", self.shown)
        self.setLayout(form)
        for line in (self.first, self.second):
            line.textChanged.connect(self._update)
        self._update()

    @property
    def text(self) -> str:
        return self.first.text()

    def problem(self) -> str:
        """Why it cannot be used, a sentence, or ""."""
        return passphrase_problem(self.text) or (
            "" if self.text == self.second.text() else "The two passphrases are not the same."
        )

    def clear(self) -> None:
        self.first.clear()
        self.second.clear()

    def _update(self) -> None:
        level, word = passphrase_strength(self.text)
        self.meter.setValue(level)
        self.words.setText(f"{word[:1].upper()}{word[1:]}. {self.problem()}".strip(". ") if self.text else "")
        self.changed.emit()

    def _show(self, on: bool) -> None:
        mode = QLineEdit.EchoMode.Normal if on else QLineEdit.EchoMode.Password
        self.first.setEchoMode(mode)
        self.second.setEchoMode(mode)


class Ask(QDialog):
    """A few fields and one button that is allowed once they make sense."""

    def __init__(self, parent: QWidget, title: str, lead: str, do: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(18, 16, 18, 14)
        self.column.setSpacing(12)
        self.column.addWidget(label(title, "title"))
        self.column.addWidget(label(lead, "muted"))
        self.form = Form()
        self._forms = [self.form]
        self.column.addLayout(self.form)
        self.why_not = label("", "small")
        self.ok_button = button(do, self.accept, "", "main")
        self.ok_button.setDefault(True)
        row = QHBoxLayout()
        row.addWidget(self.why_not, 1)
        self.cancel_button = button("Cancel", self.reject)
        row.addWidget(self.cancel_button)
        row.addWidget(self.ok_button)
        self._tests: list[Callable[[], str]] = []
        self.column.addStretch(1)
        self.column.addLayout(row)
        self.setMinimumWidth(34 * self.fontMetrics().height())

    def line(self, caption: str, hint: str = "", *, needed: str = "", secret: bool = False) -> QLineEdit:
        """needed: the sentence that asks for it."""
        field = QLineEdit(maxLength=200)
        if secret:
            field.setEchoMode(QLineEdit.EchoMode.Password)
            field.setMaxLength(1000)
        self._add(caption, field, hint)
        field.textChanged.connect(self.refresh)
        if needed:
            self._tests.append(lambda: "" if field.text().strip() else needed)
        self.refresh()
        return field

    def text(self, caption: str, needed: str) -> QPlainTextEdit:
        field = QPlainTextEdit()
        field.setTabChangesFocus(True)
        field.setFixedHeight(4 * field.fontMetrics().lineSpacing())
        self._add(caption, field)
        field.textChanged.connect(self.refresh)
        self._tests.append(lambda: "" if field.toPlainText().strip() else needed)
        self.refresh()
        return field

    def new_passphrase(self, whose: str, caption: str) -> NewPassphrase:
        field = NewPassphrase(whose, caption)
        self.form.addRow(field)
        self._forms.append(field.form)
        align_captions(*self._forms)
        self._bring_buttons_last()
        field.changed.connect(self.refresh)
        self._tests.append(field.problem)
        self.refresh()
        return field

    def _add(self, caption: str, field: QWidget, hint: str = "") -> None:
        """The first field has the keyboard; the buttons come last."""
        self.form.add(caption, field, hint)
        align_captions(*self._forms)
        if self.focusWidget() is None or self.focusWidget() in (self.ok_button, self.cancel_button):
            field.setFocus()
        self._bring_buttons_last()

    def _fields(self) -> list[QWidget]:
        fields = [field for field in self.findChildren(QWidget) if field.focusPolicy() & Qt.FocusPolicy.TabFocus]
        return [field for field in fields if field not in (self.cancel_button, self.ok_button)]

    def _bring_buttons_last(self) -> None:
        for before, after in pairwise([*self._fields(), self.cancel_button, self.ok_button]):
            QWidget.setTabOrder(before, after)

    def refresh(self) -> None:
        refusal = next((words for test in self._tests if (words := test())), "")
        self._say(refusal)
        allow(self.ok_button, refusal)

    def _say(self, words: str, role: str = "small") -> None:
        """role: "warning" for what went wrong; what is still missing is small."""
        self.why_not.setText(words)
        if self.why_not.property("role") != role:
            self.why_not.setProperty("role", role)
            self.why_not.style().polish(self.why_not)


class StayingAsk(Ask):
    """Stays open until what it asks for is done, or given up; meanwhile nothing in it can be touched."""

    def __init__(self, parent: QWidget, title: str, lead: str, do: str, meanwhile: str) -> None:
        """meanwhile: what is said while it is being done."""
        super().__init__(parent, title, lead, do)
        self._meanwhile = meanwhile
        self._busy = False

    def start(self) -> None:
        """Begin what was asked for; `told` is called once it has an end."""
        raise NotImplementedError

    def told(self, problem: str) -> None:
        """ "" or the sentence that says why it could not be done."""
        self._set_busy(False)
        if not problem:
            super().accept()
            return
        self._say(problem, "warning")
        first = self.findChild(QLineEdit)
        if first is not None:
            first.selectAll()
            first.setFocus(Qt.FocusReason.OtherFocusReason)

    def accept(self) -> None:
        """As Return and the button ask; `accepted` comes only once it is done."""
        if not self._busy and self.ok_button.isEnabled():
            self._set_busy(True)
            self.start()

    def reject(self) -> None:
        """Not while it is on its way."""
        if not self._busy:
            super().reject()

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        for widget in (*self._fields(), self.cancel_button):
            widget.setEnabled(not busy)
        self.refresh()
        if busy:
            allow(self.ok_button, self._meanwhile)
            self._say(self._meanwhile)


class PageScroll(QScrollArea):
    """Scrolls a page that is too high. Wrapped labels claim the height of their narrowest form; this asks for the height
    at the width that there is."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._content = content
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(content)
        content.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        layout = self._content.layout()
        if layout is not None and layout.hasHeightForWidth():
            self._content.setMinimumHeight(layout.totalHeightForWidth(self.viewport().width()))
