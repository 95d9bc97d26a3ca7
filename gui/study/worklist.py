"""The worklist of a reader: what is done, what is due, what is to come. Never a result, a picture or a file name."""

from __future__ import annotations

import statistics
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from gui import icons, theme
from gui.study.reading_controller import StudyReadingController
from gui.study.reading_words import part_name, slot_name
from study.protocol import Arm
from study.session import Session, SlotState

ROW_ROLE = Qt.ItemDataRole.UserRole + 1
KNOWN_TIMES = 3  # cases that must be done before a time is guessed from them


def seconds_left(session: Session) -> float | None:
    """For what is left of the current part, by the median of the reader's own times; None while too little is known."""
    current = session.current
    if current is None:
        return None
    times = [_seconds(state) for state in session.slots if state.done and not state.slot.practice]
    if len(times) < KNOWN_TIMES:
        return None
    left = sum(not state.done and state.slot.period == current.slot.period for state in session.slots)
    return statistics.median(times) * left


def _seconds(state: SlotState) -> float:
    return sum(reading.viewing.active_s for reading in (state.unaided, state.aided) if reading is not None)


class Row:
    """A heading (`state` is None) or a case."""

    def __init__(self, text: str, state: SlotState | None = None) -> None:
        self.text, self.state = text, state


class WorklistModel(QAbstractListModel):
    def __init__(self, controller: StudyReadingController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        session, protocol = controller.session, controller.package.protocol
        self.rows: list[Row] = []
        for state in session.slots:
            part = part_name(protocol, state.slot)
            if not self.rows or self.rows[-1].state is None or state.slot.period != self.rows[-1].state.slot.period:
                self.rows.append(Row(part))
            self.rows.append(Row(slot_name(session.plan, state.slot), state))

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not 0 <= index.row() < len(self.rows):
            return None
        row = self.rows[index.row()]
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.text
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole) and row.state is not None:
            return f"{row.text}: {self.state_word(row.state)}"
        return None

    def flags(self, index: QModelIndex | QPersistentModelIndex) -> Qt.ItemFlag:
        """A case can be chosen where it may be looked at."""
        row = self.rows[index.row()] if 0 <= index.row() < len(self.rows) else Row("")
        if row.state is None or not self.can_open(row.state):
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def can_open(self, state: SlotState) -> bool:
        return self.is_due(state) or (state.done and self._controller.may_go_back)

    def is_due(self, state: SlotState) -> bool:
        return state is self._controller.session.current

    def is_shown(self, state: SlotState) -> bool:
        return state is self._controller.state

    def state_word(self, state: SlotState) -> str:
        if state.done:
            return "done"
        if not self.is_due(state):
            return "to come"
        if state.slot.arm is Arm.SEQUENTIAL and state.unaided is not None:
            return "first answer locked"
        return "now"

    def row_of(self, state: SlotState | None) -> int:
        return next((place for place, row in enumerate(self.rows) if state is not None and row.state is state), -1)

    def refresh(self) -> None:
        self.dataChanged.emit(self.index(0), self.index(len(self.rows) - 1))


class WorklistDelegate(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        em = option.fontMetrics.height()
        row: Row = index.data(ROW_ROLE)
        if row.state is None:
            width = max(option.rect.width(), 9 * em) - em
            wrapped = option.fontMetrics.boundingRect(0, 0, width, 1000, Qt.TextFlag.TextWordWrap, row.text)
            return QSize(9 * em, wrapped.height() + em)
        return QSize(9 * em, round(1.7 * em))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: Row = index.data(ROW_ROLE)
        model = index.model()
        assert isinstance(model, WorklistModel)
        now, rect, metrics = theme.colors(), QRect(option.rect), option.fontMetrics
        em = metrics.height()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        state = row.state
        if state is None:
            painter.setPen(QColor(now.muted))
            box = rect.adjusted(em // 2, em // 2, -em // 2, 0)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap), row.text)
            painter.restore()
            return
        if model.is_shown(state):
            painter.fillRect(rect, theme.blend(now.accent, now.surface, 0.22))
            painter.fillRect(QRect(rect.left(), rect.top(), max(3, em // 5), rect.height()), QColor(now.accent))
        elif model.can_open(state) and option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(now.hover))
        icon, color = ("check", now.accent) if state.done else ("edit", now.text) if model.is_due(state) else ("", "")
        glyph = QRect(rect.left() + round(0.7 * em), rect.center().y() - em // 2, em, em)
        if icon:
            painter.drawPixmap(glyph, icons.pixmap(icon, em, color, painter.device().devicePixelRatio()))
        painter.setPen(QColor(now.text if state.done or model.is_due(state) else now.muted))
        words = QRect(glyph.right() + em // 2, rect.top(), rect.right() - glyph.right() - em, rect.height())
        text = metrics.elidedText(row.text, Qt.TextElideMode.ElideRight, words.width())
        painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter), text)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(now.focus))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
        painter.restore()


class Worklist(QListView):
    open_asked = Signal(int)  # index of the slot

    def __init__(self, controller: StudyReadingController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self.list_model = WorklistModel(controller, self)
        self.setAccessibleName("Worklist")
        self.setModel(self.list_model)
        self.setItemDelegate(WorklistDelegate(self))
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        if not controller.may_go_back:
            self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # there is nothing to choose
        self.activated.connect(self._open)
        self.clicked.connect(self._open)
        controller.progress_changed.connect(self._follow)
        controller.phase_changed.connect(self._follow)
        self._follow()

    def minimumSizeHint(self) -> QSize:
        em = self.fontMetrics().height()
        return QSize(8 * em, 10 * em)

    def _open(self, index: QModelIndex | QPersistentModelIndex) -> None:
        row: Row | None = index.data(ROW_ROLE)
        if row is not None and row.state is not None and self.list_model.can_open(row.state):
            self.open_asked.emit(row.state.slot.index)

    def _follow(self) -> None:
        self.list_model.refresh()
        place = self.list_model.row_of(self._controller.state or self._controller.session.current)
        if place >= 0:
            index = self.list_model.index(place)
            self.setCurrentIndex(index)
            # The heading of a part is seen with its first case.
            self.scrollTo(self.list_model.index(max(place - 1, 0)))
            self.scrollTo(index)
