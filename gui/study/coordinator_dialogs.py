"""The coordinator's small dialogs: enrol, new key, deviation, passphrase, and looking at every image before it leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QKeySequence, QPixmap, QShortcut
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from gui.jobs import Jobs
from gui.study.parts import Form, NewPassphrase, allow, button, label
from imaging.sources import Source

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LOOK_PX = 900


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

    def new_passphrase(self, whose: str) -> NewPassphrase:
        field = NewPassphrase(whose)
        self.form.addRow(field)
        self._bring_buttons_last()
        field.changed.connect(self.refresh)
        self._tests.append(field.problem)
        self.refresh()
        return field

    def _add(self, caption: str, field: QWidget, hint: str = "") -> None:
        """The first field has the keyboard; the buttons come last."""
        self.form.add(caption, field, hint)
        if self.focusWidget() is None or self.focusWidget() in (self.ok_button, self.cancel_button):
            field.setFocus()
        self._bring_buttons_last()

    def _bring_buttons_last(self) -> None:
        fields = [field for field in self.findChildren(QWidget) if field.focusPolicy() & Qt.FocusPolicy.TabFocus]
        ordered = [field for field in fields if field not in (self.cancel_button, self.ok_button)]
        for before, after in pairwise([*ordered, self.cancel_button, self.ok_button]):
            QWidget.setTabOrder(before, after)

    def refresh(self) -> None:
        refusal = next((words for test in self._tests if (words := test())), "")
        self.why_not.setText(refusal)
        allow(self.ok_button, refusal)


class LookDialog(QDialog):
    """Every image that is about to leave, one after the other: only a person finds a name in the picture itself."""

    def __init__(self, parent: QWidget, jobs: Jobs, images: Sequence[Source]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Look at every image")
        self._jobs = jobs
        self._images = images
        self._seen: set[int] = set()
        self._place = 0
        self.picture = label("", wrap=False)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        em = self.fontMetrics().height()
        self.picture.setMinimumSize(30 * em, 30 * em)
        self.where = label("", wrap=False)
        self.back_button = button("&Back", lambda: self.step(-1), "previous")
        self.next_button = button("&Next", lambda: self.step(1), "next")
        self.clean_box = QCheckBox("I looked at every image: no name, number or date stands in the &picture")
        self.clean_box.toggled.connect(self._update)
        self.ok_button = button("&Go on", self.accept, "", "main")
        for keys, by in (("Right", 1), ("Left", -1)):
            QShortcut(QKeySequence(keys), self).activated.connect(lambda by=by: self.step(by))
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 14)
        column.addWidget(
            label(
                "Names, dates and numbers were removed from the files. What stands in the picture itself no program finds: "
                "look at every image before it leaves this machine.",
                "muted",
            )
        )
        column.addWidget(self.picture, 1)
        row = QHBoxLayout()
        row.addWidget(self.where, 1)
        row.addWidget(self.back_button)
        row.addWidget(self.next_button)
        column.addLayout(row)
        column.addWidget(self.clean_box)
        end = QHBoxLayout()
        end.addStretch(1)
        end.addWidget(button("Cancel", self.reject))
        end.addWidget(self.ok_button)
        column.addLayout(end)
        self.next_button.setFocus()
        self._load()

    def step(self, by: int) -> None:
        place = min(max(self._place + by, 0), len(self._images) - 1)
        if place != self._place:
            self._place = place
            self._load()

    def _load(self) -> None:
        place = self._place
        self.picture.setText("Opening …")
        job = self._jobs.thumbnail(self._images[place], LOOK_PX)
        job.done.connect(lambda pixels: self._show(place, pixels))
        job.failed.connect(lambda sentence, _details: self.picture.setText(sentence))
        self._update()

    def _show(self, place: int, pixels: npt.NDArray[np.uint8]) -> None:
        if place != self._place:
            return
        rows, cols = pixels.shape
        image = QImage(pixels.tobytes(), cols, rows, cols, QImage.Format.Format_Grayscale8).copy()
        size = self.picture.size() * self.devicePixelRatio()
        shown = QPixmap.fromImage(image).scaled(
            size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        shown.setDevicePixelRatio(self.devicePixelRatio())
        self.picture.setPixmap(shown)
        self._seen.add(place)
        self._update()

    def _update(self) -> None:
        number, left = len(self._images), len(self._images) - len(self._seen)
        self.where.setText(f"Image {self._place + 1} of {number}" + (f"; {left} not looked at yet" if left else ""))
        self.back_button.setEnabled(self._place > 0)
        self.next_button.setEnabled(self._place < number - 1)
        allow(self.clean_box, "" if not left else f"{left} images have not been looked at yet.")
        allow(self.ok_button, "" if self.clean_box.isChecked() else "Look at every image, and say so.")
