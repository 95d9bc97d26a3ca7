"""What the window shows before anything is open: samples, where to drop files, what was left unfinished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui import icons
from gui.jobs import Job, guarded
from gui.samples import Sample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


TILE_PX = 132


class WelcomeView(QScrollArea):
    open_files_asked = Signal()
    open_folder_asked = Signal()
    samples_asked = Signal(int)  # index of the sample to show first
    drafts_asked = Signal()
    study_asked = Signal(str)  # id of an action of the menu Study

    def __init__(self, samples: Sequence[Sample], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._samples = samples
        self._tiles: list[QToolButton] = []
        self._loading = 0
        self.setWidgetResizable(True)
        content = QWidget()
        self.setWidget(content)
        outer = QHBoxLayout(content)
        outer.addStretch(1)
        column = QVBoxLayout()
        column.setSpacing(14)
        outer.addLayout(column, 8)
        outer.addStretch(1)
        column.addStretch(1)
        title = QLabel("Lucency")
        title.setStyleSheet(f"font-size: {2.2 * self.font().pointSizeF():.1f}pt; font-weight: 600;")
        column.addWidget(title)
        lead = QLabel(
            "A reading assistant for loosening of total hip replacements. "
            "A neural network and you read the same radiograph; both answers are kept."
        )
        lead.setWordWrap(True)
        lead.setProperty("role", "muted")
        column.addWidget(lead)
        column.addWidget(self._build_drop_target())
        self._drafts = QFrame()
        self._drafts.setProperty("role", "card")
        drafts_row = QHBoxLayout(self._drafts)
        self._drafts_text = QLabel()
        self._drafts_button = QPushButton("Continue")
        self._drafts_button.clicked.connect(self.drafts_asked)
        drafts_row.addWidget(self._drafts_text, 1)
        drafts_row.addWidget(self._drafts_button)
        self._drafts.hide()
        column.addWidget(self._drafts)
        if samples:
            heading = QLabel("Samples: simulated radiographs, made by this project's own simulator")
            heading.setProperty("role", "section")
            column.addWidget(heading)
            self._grid = QGridLayout()
            self._grid.setSpacing(10)
            column.addLayout(self._grid)
            for index in range(len(samples)):
                self._tiles.append(self._tile(index))
            self.set_titles_hidden(False)
            self._arrange()
        column.addWidget(self._build_studies())
        column.addStretch(2)

    def show_drafts(self, count: int) -> None:
        """How many readings were left unfinished and can be opened again."""
        self._drafts.setVisible(count > 0)
        what = "One reading was" if count == 1 else f"{count} readings were"
        self._drafts_text.setText(f"{what} left unfinished. Nothing of it is lost.")

    def set_titles_hidden(self, hidden: bool) -> None:
        """The titles say what the simulator drew: hidden from a reader who is to answer first."""
        for tile, sample in zip(self._tiles, self._samples, strict=True):
            tile.setText(sample.name if hidden else sample.title)
            tile.setToolTip("" if hidden else sample.description)
            tile.setAccessibleName(f"Open sample: {tile.text()}")

    def load_thumbnails(self, request: Callable[[Path], Job]) -> None:
        """Draw the tiles' pictures, in a worker."""
        for tile, sample in zip(self._tiles, self._samples, strict=True):
            job = request(sample.path)
            self._loading += 1
            job.done.connect(guarded(tile, lambda glance, tile=tile: _set_picture(tile, glance.thumbnail)))
            job.ended.connect(self._on_thumbnail_ended)

    @property
    def thumbnails_loaded(self) -> bool:
        """Every tile has its picture, or none can be had."""
        return self._loading == 0

    def _on_thumbnail_ended(self) -> None:
        self._loading -= 1

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._tiles:
            self._arrange()

    def _build_drop_target(self) -> QWidget:
        target = QFrame()
        target.setObjectName("drop-target")
        target.setStyleSheet("QFrame#drop-target { border: 2px dashed palette(mid); border-radius: 10px; }")
        row = QHBoxLayout(target)
        row.setContentsMargins(22, 22, 22, 22)
        row.setSpacing(16)
        picture = QLabel()
        picture.setPixmap(icons.pixmap("import", 40, "", self.devicePixelRatio()))
        row.addWidget(picture)
        words = QVBoxLayout()
        first = QLabel("Drop radiographs here")
        first.setProperty("role", "title")
        second = QLabel("DICOM with or without an ending, PNG, JPEG, TIFF, BMP; folders, ZIP archives, DICOMDIR")
        second.setProperty("role", "muted")
        second.setWordWrap(True)
        words.addWidget(first)
        words.addWidget(second)
        row.addLayout(words, 1)
        for text, icon, signal, role in (
            ("Open files …", "open", self.open_files_asked, "main"),
            ("Open folder …", "folder", self.open_folder_asked, ""),
        ):
            button = QPushButton(text)
            button.setProperty("role", role)
            if not role:
                icons.attach(button, icon)
            button.setMinimumHeight(round(2.2 * self.fontMetrics().height()))
            button.clicked.connect(signal)
            row.addWidget(button)
        return target

    def _build_studies(self) -> QWidget:
        """The way into reader studies: for those who have one; everybody else looks past it."""
        part = QWidget()
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        head, row = QHBoxLayout(), QHBoxLayout()
        heading = QLabel("Reader studies")
        heading.setProperty("role", "section")
        head.addWidget(heading)
        head.addStretch(1)
        head.addWidget(
            self._study_button("study_example", "See the worked example of a reader study", "chart", role="quiet")
        )
        row.setSpacing(10)
        for name, text, icon in (
            ("study_read", "Read for a study …", "reader"),
            ("study_new", "New study …", "add"),
            ("study_open", "Open a study …", "folder"),
        ):
            row.addWidget(self._study_button(name, text, icon))
        row.addStretch(1)
        column.addLayout(head)
        column.addLayout(row)
        return part

    def _study_button(self, name: str, text: str, icon: str, role: str = "") -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setProperty("role", role)
        icons.attach(button, icon)
        button.clicked.connect(lambda: self.study_asked.emit(name))
        return button

    def _tile(self, index: int) -> QToolButton:
        tile = QToolButton()
        tile.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        tile.setIconSize(QSize(TILE_PX, TILE_PX))
        tile.setIcon(icons.icon("hip"))
        tile.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        tile.clicked.connect(lambda: self.samples_asked.emit(index))
        return tile

    def _arrange(self) -> None:
        width = max(tile.sizeHint().width() for tile in self._tiles) + self._grid.spacing()
        columns = max(1, min(len(self._tiles), int(0.8 * self.viewport().width()) // width, 4))
        for index, tile in enumerate(self._tiles):
            self._grid.addWidget(tile, index // columns, index % columns)
        for column in range(4):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)


def _set_picture(tile: QToolButton, pixels: npt.NDArray[np.uint8]) -> None:
    rows, cols = pixels.shape
    image = QImage(pixels.tobytes(), cols, rows, cols, QImage.Format.Format_Grayscale8).copy()
    # Of the very size that is asked for: on a scaled screen a button draws a smaller picture larger than its place.
    ratio = tile.devicePixelRatioF()
    pixmap = QPixmap.fromImage(image).scaled(
        tile.iconSize() * ratio, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    pixmap.setDevicePixelRatio(ratio)
    tile.setIcon(QIcon(pixmap))
