"""A scroll area that is no larger than what it holds."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

SHARE_OF_COLUMN = 0.42  # of the window's height that the content may claim before it scrolls


class FittingScroll(QScrollArea):
    """As high as its content where there is room, scrolling where there is not."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(10, 8, 10, 8)
        column.addWidget(content)
        column.addStretch(1)
        self.setWidget(holder)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._holder = holder

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        layout = self._holder.layout()
        assert layout is not None
        width = max(self.viewport().width(), layout.minimumSize().width())
        height = layout.heightForWidth(width) if layout.hasHeightForWidth() else layout.sizeHint().height()
        return QSize(layout.minimumSize().width(), height)

    def minimumSizeHint(self) -> QSize:
        most = round(SHARE_OF_COLUMN * self.window().height())
        return QSize(super().minimumSizeHint().width(), min(most, self.sizeHint().height()))
