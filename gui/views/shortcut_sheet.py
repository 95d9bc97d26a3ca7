"""Every key of the program on one sheet, as remapped, with a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from gui.actions import ActionSpec, keys_of
from gui.views.reading_form import FORM_KEYS
from gui.views.zone_schematic import ZONE_KEYS

COLUMNS = 3


def plain(text: str) -> str:
    """An action's words without mnemonic and ellipsis."""
    return text.replace("&", "").removesuffix("…").strip()


class ShortcutSheet(QDialog):
    def __init__(
        self,
        specs: Iterable[ActionSpec],
        remapped: Mapping[str, str],
        parent: QWidget | None = None,
        others: Mapping[str, Iterable[tuple[str, str]]] | None = None,
    ) -> None:
        """others: keys that are no actions, under their headings; by default those of the ordinary form."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self.search = QLineEdit(placeholderText=self.tr("Search"), clearButtonEnabled=True)
        self.search.setAccessibleName(self.tr("Search for a key or an action"))
        self.search.textChanged.connect(self._filter)
        self._groups: list[tuple[QWidget, list[tuple[QWidget, QWidget, str]]]] = []

        grouped: dict[str, list[tuple[str, str]]] = {}
        for spec in specs:
            keys = " or ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in keys_of(spec, remapped))
            if keys:
                where = plain(spec.menu) or self.tr("On the image")
                grouped.setdefault(where, []).append((keys, plain(spec.text)))
        if others is None:
            others = {self.tr("In the reading form"): FORM_KEYS, self.tr("On the zones of the form"): ZONE_KEYS}
        grouped |= {heading: list(keys) for heading, keys in others.items()}

        columns = [QVBoxLayout() for _ in range(COLUMNS)]
        heights = [0] * COLUMNS
        for title, rows in sorted(grouped.items(), key=lambda item: -len(item[1])):
            shortest = heights.index(min(heights))
            columns[shortest].addWidget(self._group(title, rows))
            heights[shortest] += len(rows) + 2
        sheet = QWidget()
        row = QHBoxLayout(sheet)
        row.setSpacing(28)
        for column in columns:
            column.addStretch(1)
            row.addLayout(column, 1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(sheet)
        self.empty_label = QLabel(self.tr("No key or action with these words."))
        self.empty_label.setProperty("role", "muted")
        self.empty_label.hide()
        note = QLabel(self.tr("Keys can be changed in the program's own window, under File, Settings, Keys."))
        note.setProperty("role", "small")
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self.empty_label)
        layout.addWidget(scroll, 1)
        layout.addWidget(note)
        em = self.fontMetrics().height()
        self.resize(62 * em, 44 * em)

    def shown(self) -> list[str]:
        """The actions that the search leaves."""
        return [words for _, rows in self._groups for label, _, words in rows if not label.isHidden()]

    def _group(self, title: str, rows: list[tuple[str, str]]) -> QWidget:
        group = QWidget()
        grid = QGridLayout(group)
        grid.setContentsMargins(0, 0, 0, 10)
        grid.setVerticalSpacing(3)
        head = QLabel(title)
        head.setProperty("role", "section")
        grid.addWidget(head, 0, 0, 1, 2)
        entries: list[tuple[QWidget, QWidget, str]] = []
        for index, (keys, words) in enumerate(rows, start=1):
            label = QLabel(words, wordWrap=True)
            key = QLabel(keys)
            key.setProperty("role", "key")
            key.setAlignment(Qt.AlignmentFlag.AlignCenter)
            grid.addWidget(label, index, 0)
            grid.addWidget(key, index, 1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            entries.append((label, key, f"{words} {keys}"))
        grid.setColumnStretch(0, 1)
        self._groups.append((group, entries))
        return group

    def _filter(self, text: str) -> None:
        wanted = text.casefold().split()
        for group, rows in self._groups:
            any_left = False
            for label, key, words in rows:
                fits = all(word in words.casefold() for word in wanted)
                label.setVisible(fits)
                key.setVisible(fits)
                any_left |= fits
            group.setVisible(any_left)
        self.empty_label.setVisible(not self.shown())
