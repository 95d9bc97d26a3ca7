"""Looking at every image before it leaves: only a person finds a name in the picture itself, and only by looking closely."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from gui.jobs import Job, Jobs, guarded
from gui.study.background import decode
from gui.study.parts import allow, button, label
from gui.tools import Tool
from gui.views.radiograph_view import RadiographView
from imaging.radiograph import Radiograph
from imaging.sources import Source

ZOOM_STEP = 1.25
KEYS = (
    "← and → step through the images; + and − or the wheel zoom, dragging pans, F fits, 1 shows every pixel, I inverts."
)


class LookDialog(QDialog):
    """One image after the other at its full resolution, as it will be handed out."""

    def __init__(self, parent: QWidget, jobs: Jobs, images: Sequence[Source]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Look at every image")
        self._jobs = jobs
        self._images = images
        self._seen: set[int] = set()
        self._place = 0
        self._job: Job | None = None
        self.view = RadiographView()
        self.view.set_tool(Tool.PAN)
        self.view.set_show_texts(False)  # they would cover the very corners that names are burned into
        self.view.setAccessibleName("Image as it will be handed out")
        self.view.zoom_changed.connect(lambda _zoom: self._show_zoom())
        self.said = label("")
        self.pages = QStackedWidget()
        self.pages.addWidget(self.view)
        self.pages.addWidget(self.said)
        self.where = label("", wrap=False)
        self.zoom = label("", "muted", wrap=False)
        self.back_button = button("&Back", lambda: self.step(-1), "previous")
        self.next_button = button("&Next", lambda: self.step(1), "next")
        self.fit_button = button("&Fit", self.view.fit, "fit")
        self.full_button = button("F&ull resolution", self.view.one_to_one, "one-to-one")
        self.invert_button = button("&Invert", self.view.invert, "invert")
        self.clean_box = QCheckBox("I looked at every image: no name, number or date stands in the &picture")
        self.clean_box.toggled.connect(self._update)
        self.ok_button = button("&Go on", self.accept, "", "main")
        self._build()
        for keys, do in (
            (("Right", "PgDown"), lambda: self.step(1)),
            (("Left", "PgUp"), lambda: self.step(-1)),
            (("+", "="), lambda: self.view.zoom_by(ZOOM_STEP)),
            (("-",), lambda: self.view.zoom_by(1 / ZOOM_STEP)),
            (("F",), self.view.fit),
            (("1",), self.view.one_to_one),
            (("I",), self.view.invert),
        ):
            for key in keys:
                QShortcut(QKeySequence(key), self).activated.connect(do)
        self.finished.connect(self._leave)
        self.next_button.setFocus()
        self._load()

    def _build(self) -> None:
        em = self.fontMetrics().height()
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 14)
        column.setSpacing(10)
        column.addWidget(
            label(
                "Names, dates and numbers were removed from the files. What stands in the picture itself no program finds: "
                "look at every image, its edges too, before it leaves this machine.",
                "muted",
            )
        )
        self.view.setMinimumSize(26 * em, 18 * em)
        column.addWidget(self.pages, 1)
        row = QHBoxLayout()
        row.addWidget(self.back_button)
        row.addWidget(self.next_button)
        row.addWidget(self.where, 1)
        for widget in (self.zoom, self.fit_button, self.full_button, self.invert_button):
            row.addWidget(widget)
        column.addLayout(row)
        column.addWidget(label(KEYS, "small"))
        end = QHBoxLayout()
        end.addWidget(self.clean_box)
        end.addStretch(1)
        end.addWidget(button("Cancel", self.reject))
        end.addWidget(self.ok_button)
        column.addLayout(end)
        self.resize(64 * em, 52 * em)

    @property
    def place(self) -> int:
        """Which image is on screen, from 0."""
        return self._place

    @property
    def seen(self) -> frozenset[int]:
        return frozenset(self._seen)

    def step(self, by: int) -> None:
        place = min(max(self._place + by, 0), len(self._images) - 1)
        if place != self._place:
            self._place = place
            self._load()

    def _load(self) -> None:
        self._leave()
        self.view.set_radiograph(None)
        self._say("Opening …")
        job = self._job = decode(self._jobs, self._images[self._place], 0)
        job.done.connect(guarded(self, lambda radiograph: self._show(job, radiograph)))
        job.failed.connect(guarded(self, lambda sentence, _details: self._say(sentence) if job is self._job else None))
        self._update()

    def _leave(self) -> None:
        """What is still being opened is not waited for."""
        if self._job is not None:
            self._job.abandon()
            self._job = None

    def _show(self, job: Job, radiograph: Radiograph) -> None:
        if job is not self._job:
            return
        self._job = None
        self._seen.add(self._place)
        self.pages.setCurrentIndex(0)
        self.view.set_radiograph(radiograph)
        self._show_zoom()
        self._update()

    def _say(self, words: str) -> None:
        self.said.setText(words)
        self.pages.setCurrentIndex(1)
        self.zoom.clear()

    def _show_zoom(self) -> None:
        self.zoom.setText(f"{self.view.zoom:.0%}".replace("%", " %"))

    def _update(self) -> None:
        number, left = len(self._images), len(self._images) - len(self._seen)
        self.where.setText(f"Image {self._place + 1} of {number}" + (f"; {left} not looked at yet" if left else ""))
        self.back_button.setEnabled(self._place > 0)
        self.next_button.setEnabled(self._place < number - 1)
        not_yet = f"{left} image{' has' if left == 1 else 's have'} not been looked at yet." if left else ""
        allow(self.clean_box, not_yet)
        allow(self.ok_button, "" if self.clean_box.isChecked() else "Look at every image, and say so.")
