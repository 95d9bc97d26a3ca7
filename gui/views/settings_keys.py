"""The page of the settings on which keys are changed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.actions import ActionSpec, keys_of
from gui.preferences import Preferences
from gui.views.shortcut_sheet import plain


class KeysPage(QWidget):
    """The keys of every action; one that is taken is refused until its holder gives it up."""

    def __init__(self, preferences: Preferences, specs: Sequence[ActionSpec]) -> None:
        super().__init__()
        self._preferences = preferences
        self._specs = {spec.id: spec for spec in specs}
        self._conflict: tuple[str, str] | None = None  # (keys, id of their holder)

        self.search = QLineEdit(placeholderText=self.tr("Search"), clearButtonEnabled=True)
        self.search.setAccessibleName(self.tr("Search for an action"))
        self.search.textChanged.connect(self._filter)
        self.tree = QTreeWidget(columnCount=2)
        self.tree.setRootIsDecorated(False)
        self.tree.setIndentation(0)
        self.tree.setHeaderLabels([self.tr("Action"), self.tr("Keys")])
        self.tree.setUniformRowHeights(True)
        self.tree.setAccessibleName(self.tr("Actions and their keys"))
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.currentItemChanged.connect(lambda *_: self._show_current())
        self._items: dict[str, QTreeWidgetItem] = {}
        for spec in specs:
            where = plain(spec.menu)
            words = plain(spec.text)
            item = QTreeWidgetItem([f"{where} · {words}" if where else words, ""])
            item.setData(0, Qt.ItemDataRole.UserRole, spec.id)
            self.tree.addTopLevelItem(item)
            self._items[spec.id] = item

        self.edit = QKeySequenceEdit()
        self.edit.setMaximumSequenceLength(1)
        self.edit.setAccessibleName(self.tr("New keys for the chosen action"))
        self.edit.editingFinished.connect(self._propose)
        caption = QLabel(self.tr("&New keys"))
        caption.setBuddy(self.edit)
        self.remove_button = QPushButton(self.tr("Re&move"))
        self.remove_button.clicked.connect(lambda: self._assign(self._current(), ""))
        self.default_button = QPushButton(self.tr("&Default"))
        self.default_button.clicked.connect(self._to_default)
        self.all_button = QPushButton(self.tr("All &defaults"))
        self.all_button.clicked.connect(lambda: self._preferences.reset("shortcuts"))
        self.message = QLabel(wordWrap=True)
        self.message.setProperty("role", "warning")
        self.message.hide()
        self.take_button = QPushButton(self.tr("&Take it from there"))
        self.take_button.clicked.connect(self._take)
        self.take_button.hide()

        row = QHBoxLayout()
        row.addWidget(caption)
        row.addWidget(self.edit, 1)
        row.addWidget(self.remove_button)
        row.addWidget(self.default_button)
        row.addWidget(self.all_button)
        trouble = QHBoxLayout()
        trouble.addWidget(self.message, 1)
        trouble.addWidget(self.take_button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self.tree, 1)
        layout.addLayout(row)
        layout.addLayout(trouble)
        preferences.changed.connect(self._on_preference)
        self._show()
        self.select(specs[0].id)

    def keys(self, action_id: str) -> list[QKeySequence]:
        return keys_of(self._specs[action_id], self._preferences.shortcuts)

    def holder(self, keys: QKeySequence, asking: str) -> str:
        """Id of the other action that these keys mean already, or ""."""
        return next((other for other in self._specs if other != asking and keys in self.keys(other)), "")

    def select(self, action_id: str) -> None:
        self.tree.setCurrentItem(self._items[action_id])

    def _current(self) -> str:
        item = self.tree.currentItem()
        return str(item.data(0, Qt.ItemDataRole.UserRole)) if item is not None else ""

    def _on_preference(self, name: str) -> None:
        if name == "shortcuts":
            self._show()

    def _show(self) -> None:
        for action_id, item in self._items.items():
            native = QKeySequence.SequenceFormat.NativeText
            item.setText(1, ", ".join(keys.toString(native) for keys in self.keys(action_id)))
            font = item.font(1)
            font.setBold(action_id in self._preferences.shortcuts)
            item.setFont(1, font)
        self._show_current()

    def _show_current(self) -> None:
        self._conflict = None
        self.message.hide()
        self.take_button.hide()
        action_id = self._current()
        if not action_id:
            return
        held = self.keys(action_id)
        with QSignalBlocker(self.edit):
            self.edit.setKeySequence(held[0] if held else QKeySequence())
        self.remove_button.setEnabled(bool(held))
        self.default_button.setEnabled(action_id in self._preferences.shortcuts)

    def _propose(self) -> None:
        action_id, keys = self._current(), self.edit.keySequence()
        if not action_id or keys.isEmpty() or keys in self.keys(action_id):
            return
        text = keys.toString(QKeySequence.SequenceFormat.PortableText)
        holder = self.holder(keys, action_id)
        if not holder:
            self._assign(action_id, text)
            return
        self._conflict = (text, holder)
        shown = keys.toString(QKeySequence.SequenceFormat.NativeText)
        self.message.setText(
            self.tr("{keys} already means “{action}”.").format(keys=shown, action=plain(self._specs[holder].text))
        )
        self.message.show()
        self.take_button.show()

    def _take(self) -> None:
        if self._conflict is None:
            return
        text, holder = self._conflict
        portable = QKeySequence.SequenceFormat.PortableText
        left = [keys.toString(portable) for keys in self.keys(holder)]
        self._change({holder: "; ".join(keys for keys in left if keys != text), self._current(): text})

    def _assign(self, action_id: str, text: str) -> None:
        self._change({action_id: text})

    def _to_default(self) -> None:
        action_id = self._current()
        for keys in keys_of(self._specs[action_id], {}):
            holder = self.holder(keys, action_id)
            if holder:
                self.message.setText(
                    self.tr("Its default key now means “{action}”.").format(action=plain(self._specs[holder].text))
                )
                self.message.show()
                return
        self._assign(action_id, self._specs[action_id].keys)

    def _change(self, changes: dict[str, str]) -> None:
        """Keep only what differs from the defaults."""
        mapped = dict(self._preferences.shortcuts) | changes
        self._preferences.shortcuts = {
            action_id: keys for action_id, keys in mapped.items() if self._specs[action_id].keys != keys
        }

    def _filter(self, text: str) -> None:
        wanted = text.casefold().split()
        for item in self._items.values():
            words = f"{item.text(0)} {item.text(1)}".casefold()
            item.setHidden(not all(word in words for word in wanted))
