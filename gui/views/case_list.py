"""The cases at the left: thumbnail, name, and how far the reading is. Never a hint of what the CNN says."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from gui import icons, theme
from gui.cases import CaseItem, CaseState
from gui.library import CaseLibrary

ITEM_ROLE = Qt.ItemDataRole.UserRole + 1
STATE_ROLE = Qt.ItemDataRole.UserRole + 2  # how far its reading is, in words
STATE_LOOKS = {
    CaseState.UNREAD: ("", "Not read"),
    CaseState.DRAFT: ("edit", "Draft"),
    CaseState.READ: ("check", "Read"),
    CaseState.ERROR: ("warning", "Cannot be opened"),
}

UNSEEN = "Not looked at yet"
OPENING = "Opening …"


def state_words(item: CaseItem) -> str:
    """How far its reading is, or why there is none."""
    if item.is_unseen and item.state is CaseState.UNREAD:
        return UNSEEN
    return item.error or STATE_LOOKS[item.state][1]


class CaseListModel(QAbstractListModel):
    def __init__(self, library: CaseLibrary, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        library.cases_changed.connect(self._reset)
        library.case_changed.connect(self._on_case_changed)

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's
        return 0 if parent.isValid() else len(self._library.cases)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not 0 <= index.row() < len(self._library.cases):
            return None
        item = self._library.cases[index.row()]
        if role == ITEM_ROLE:
            return item
        if role == Qt.ItemDataRole.DisplayRole:
            return item.label
        if role == Qt.ItemDataRole.ToolTipRole:
            return item.error or item.label
        if role == STATE_ROLE:
            return OPENING if self._library.is_opening(item) else state_words(item)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{item.label}, {index.data(STATE_ROLE)}"
        return None

    def _reset(self) -> None:
        self.beginResetModel()
        self.endResetModel()

    def _on_case_changed(self, row: int) -> None:
        index = self.index(row)
        self.dataChanged.emit(index, index)


class CaseDelegate(QStyledItemDelegate):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pixmaps: WeakKeyDictionary[CaseItem, tuple[Any, QPixmap]] = WeakKeyDictionary()

    def sizeHint(self, option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        em = option.fontMetrics.height()
        return QSize(10 * em, round(4.6 * em))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        item: CaseItem = index.data(ITEM_ROLE)
        now = theme.colors()
        rect: QRect = option.rect
        state = option.state
        metrics = option.fontMetrics
        em = metrics.height()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        selected = bool(state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(rect, theme.blend(now.accent, now.surface, 0.22))
            painter.fillRect(QRect(rect.left(), rect.top(), max(3, em // 5), rect.height()), QColor(now.accent))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(now.hover))
        side = rect.height() - em // 2
        picture = QRect(rect.left() + em // 2, rect.top() + em // 4, side, side)
        painter.fillRect(picture, QColor(now.background))
        pixmap = self._pixmap(item)
        if pixmap is not None:
            size = pixmap.size().scaled(picture.size(), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRect(0, 0, size.width(), size.height())
            target.moveCenter(picture.center())
            painter.drawPixmap(target, pixmap)
        else:
            glyph = "warning" if item.state is CaseState.ERROR else "hip"
            box = QRect(0, 0, 2 * em, 2 * em)
            box.moveCenter(picture.center())
            painter.drawPixmap(box, icons.pixmap(glyph, 2 * em, now.outline, painter.device().devicePixelRatio()))
        icon = STATE_LOOKS[item.state][0]
        color = {CaseState.READ: now.accent, CaseState.DRAFT: now.text, CaseState.ERROR: now.warning}.get(
            item.state, now.muted
        )
        ratio = painter.device().devicePixelRatio()
        text_left = picture.right() + em // 2
        width = rect.right() - text_left - em // 2
        if width < 4 * em:  # no room for words: the state's icon on the picture
            if icon:
                corner = QRect(picture.left(), picture.top(), round(1.4 * em), round(1.4 * em))
                painter.fillRect(corner, QColor(now.background))
                painter.drawPixmap(corner, icons.pixmap(icon, round(1.4 * em), color, ratio))
        else:
            painter.setPen(QColor(now.text))
            name = metrics.elidedText(item.label, Qt.TextElideMode.ElideMiddle, width)
            painter.drawText(QRect(text_left, rect.top() + em // 2, width, em), Qt.AlignmentFlag.AlignVCenter, name)
            second = QRect(text_left, rect.top() + em // 2 + round(1.3 * em), width, rect.height() - 2 * em)
            if icon:
                painter.drawPixmap(second.left(), second.top(), icons.pixmap(icon, em, color, ratio))
                second.setLeft(second.left() + em + em // 3)
            painter.setPen(QColor(color))
            painter.setClipRect(rect)
            flags = Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
            painter.drawText(second, int(flags), index.data(STATE_ROLE))
        if state & QStyle.StateFlag.State_HasFocus and selected:
            painter.setPen(QColor(now.focus))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
        painter.restore()

    def _pixmap(self, item: CaseItem) -> QPixmap | None:
        pixels = item.thumbnail
        if pixels is None:
            return None
        kept = self._pixmaps.get(item)
        if kept is None or kept[0] is not pixels:
            rows, cols = pixels.shape
            image = QImage(pixels.tobytes(), cols, rows, cols, QImage.Format.Format_Grayscale8).copy()
            kept = self._pixmaps[item] = (pixels, QPixmap.fromImage(image))
        return kept[1]


class CaseListView(QListView):
    """A row that is clicked is asked for; highlighted is only the case on screen. Dropping is the window's business."""

    open_asked = Signal(int)

    def __init__(self, library: CaseLibrary, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self.setAccessibleName("Cases")
        self.setModel(CaseListModel(library, self))
        self.setItemDelegate(CaseDelegate(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        library.selected_changed.connect(self._follow)
        library.cases_changed.connect(self._follow_selected)
        self.selectionModel().currentChanged.connect(self._on_current)
        self._following = False

    def minimumSizeHint(self) -> QSize:
        """Room for a thumbnail at least."""
        em = self.fontMetrics().height()
        return QSize(round(5.2 * em), 10 * em)

    def _follow_selected(self) -> None:
        self._follow(self._library.selected)

    def _follow(self, row: int) -> None:
        self._following = True
        try:
            index = self.model().index(row, 0) if row >= 0 else QModelIndex()
            self.setCurrentIndex(index)
            if index.isValid():
                self.selectionModel().select(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            else:
                self.selectionModel().clearSelection()
            if index.isValid():
                self.scrollTo(index)
        finally:
            self._following = False

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if not self._following and current.isValid():
            self.open_asked.emit(current.row())
            # Once the view is done with the click: the highlight stays on the case that is on screen.
            QTimer.singleShot(0, self._follow_selected)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and down go on from the row that was asked for, past one that cannot be opened."""
        by = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        if by is None or event.modifiers():
            super().keyPressEvent(event)
            return
        row = self._library.asked + by
        if 0 <= row < len(self._library.cases):
            self.open_asked.emit(row)
            self.scrollTo(self.model().index(row, 0))
