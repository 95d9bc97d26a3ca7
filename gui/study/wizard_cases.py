"""The cases: dropped as a folder, images or a list, completed in a table, with all that is wrong said in words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from gui import icons
from gui.errors import keep_private
from gui.file_dialogs import choose_file, choose_folder
from gui.jobs import Jobs
from gui.study.background import Background
from gui.study.case_import import CaseCheck, Imported, merged, read_cases, with_findings
from gui.study.case_table import CaseTable, summary
from gui.study.parts import Drop, allow, button, card, label
from gui.study.wizard_page import WizardPage
from gui.study.wizard_state import WizardState
from imaging.radiograph import Side
from study.protocol import Part

DRAFT_HOLDS_TRUTH = (
    "Until you register the study, its draft on this computer holds the truth and the patients unencrypted; only your "
    "account can read it. Registering seals the truth and deletes the draft."
)
COLUMNS_OF_A_LIST = (
    "A list is a CSV with the column path, and as you have them: truth (loose, not loose, or 1, 0), patient, side (R, L), "
    "frame, practice, x, y, width, height."
)


class CasesPage(WizardPage):
    TITLE = "The cases"
    LEAD = (
        "One case is one hip in one radiograph. Readers get new files made from the pixels alone; names, dates, file names "
        "and the truth stay on this machine."
    )
    PARTS = (Part.CASES,)
    STRETCH = True

    def __init__(self, state: WizardState, background: Background, jobs: Jobs) -> None:
        self._background = background
        self.inspection = CaseCheck(jobs)
        super().__init__(state)
        self.inspection.setParent(self)
        self.inspection.progressed.connect(self._show_progress)
        self.inspection.finished.connect(self._take_findings)

    # --- making it

    def _build(self) -> None:
        self.column.addWidget(self._build_drop())
        self.model = CaseTable(self.state)
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setAccessibleName("Cases")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        vertical, header = self.table.verticalHeader(), self.table.horizontalHeader()
        vertical.hide()
        vertical.setDefaultSectionSize(round(1.9 * self.fontMetrics().height()))
        for section in range(len(CaseTable.COLUMNS) - 1):
            header.setSectionResizeMode(section, QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.selectionModel().selectionChanged.connect(self._update_buttons)
        self.column.addWidget(self._build_tools())
        self.column.addWidget(self.table, 1)
        bottom = QHBoxLayout()
        self.summary = label()
        self.progress = QProgressBar(textVisible=False)
        self.progress.setFixedWidth(round(10 * self.fontMetrics().height()))
        self.stop_button = button("&Stop", self.inspection.stop)
        self.look_button = button("&Open all images once", self.look, "eye")
        self.look_button.setToolTip("Finds images that cannot be read, and what they say about side and patient")
        bottom.addWidget(self.summary, 1)
        for widget in (self.progress, self.stop_button, self.look_button):
            bottom.addWidget(widget)
        self.column.addLayout(bottom)
        self.column.addWidget(label(DRAFT_HOLDS_TRUTH, "small"))
        self.left_out_card, column = card()
        self.left_out = label()
        column.addWidget(self.left_out)
        self.left_out_button = button("&Go on without them", lambda: self.state.set_rows(self.state.rows, ()))
        column.addWidget(self.left_out_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.column.addWidget(self.left_out_card)

    def _build_drop(self) -> QWidget:
        self.drop = Drop()
        self.drop.dropped.connect(lambda paths: self.add([Path(path) for path in paths]))
        row = QHBoxLayout(self.drop)
        row.setContentsMargins(18, 12, 18, 12)
        picture = label(wrap=False)
        picture.setPixmap(icons.pixmap("import", 32, "", self.devicePixelRatio()))
        row.addWidget(picture)
        words = QVBoxLayout()
        words.addWidget(label("Drop a folder, images, or a list of cases here", "section"))
        words.addWidget(label(COLUMNS_OF_A_LIST, "small"))
        row.addLayout(words, 1)
        self.folder_button = button(
            "Add a &folder …",
            lambda: choose_folder(self, "Add a folder of radiographs", lambda path: self.add([path])),
            "folder",
        )
        self.list_button = button(
            "Add a &list …", lambda: choose_file(self, "Add a list of cases", lambda path: self.add([path])), "list"
        )
        row.addWidget(self.folder_button)
        row.addWidget(self.list_button)
        return self.drop

    def _build_tools(self) -> QWidget:
        tools = QWidget()
        row = QHBoxLayout(tools)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self.chosen = label("", "muted", wrap=False)
        row.addWidget(self.chosen)
        self.edits: list[QWidget] = []
        choices: list[tuple[str, str, dict[str, Any]]] = [
            ("&Loose", "The truth of the chosen cases", {"truth": 1}),
            ("&Not loose", "The truth of the chosen cases", {"truth": 0}),
            ("&Right", "The side of the chosen cases", {"side": Side.RIGHT.value}),
            ("L&eft", "The side of the chosen cases", {"side": Side.LEFT.value}),
            ("&Practice", "Read first, never counted", {"practice": True}),
            ("&Counted", "Read and counted", {"practice": False}),
        ]
        for text, tip, fields in choices:
            made = button(text, partial(self.change, **fields))
            made.setToolTip(tip)
            self.edits.append(made)
            row.addWidget(made)
        self.remove_button = button("Re&move", self.remove, "delete")
        self.edits.append(self.remove_button)
        row.addWidget(self.remove_button)
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.table)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self.remove)
        row.addStretch(1)
        self.names_box = QCheckBox("Show files and patients")
        self.names_box.toggled.connect(self._show_names)
        self.truth_box = QCheckBox("Show the truth")
        self.truth_box.setChecked(True)
        self.truth_box.toggled.connect(self.model.show_truth)
        row.addWidget(self.names_box)
        row.addWidget(self.truth_box)
        return tools

    # --- what the person does

    def add(self, paths: Sequence[Path]) -> None:
        keep_private(*(path.stem for path in paths))
        self._background.run(
            "Reading the cases", lambda steps: read_cases(paths, steps), self._take_imported, self.problem.emit
        )

    def change(self, **fields: Any) -> None:
        self.model.change(self.selected(), **fields)

    def remove(self) -> None:
        chosen = self.selected()
        if not chosen:
            return
        self.model.remove(chosen)
        if self.model.rowCount():
            self.select({min(min(chosen), self.model.rowCount() - 1)})

    def look(self) -> None:
        self.inspection.start(self.state.rows)

    def selected(self) -> set[int]:
        return {index.row() for index in self.table.selectionModel().selectedRows()}

    def select(self, places: set[int]) -> None:
        selection = self.table.selectionModel()
        selection.clearSelection()
        flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        for place in places:
            selection.select(self.model.index(place, 0), flags)

    # --- what comes back

    def _take_imported(self, imported: Imported) -> None:
        self.state.set_rows(merged(self.state.rows, imported.rows), (*self.state.draft.left_out, *imported.left_out))
        self.look()

    def _take_findings(self, found: dict[tuple[str, int], dict[str, object]]) -> None:
        rows = with_findings(self.state.rows, found)
        keep_private(*(row.patient for row in rows))
        self.state.set_rows(rows)
        self._show()

    def _show_progress(self, done: int, total: int) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self._show()

    def _show_names(self, on: bool) -> None:
        self.model.show_names(on)
        self.table.setColumnHidden(CaseTable.FILE, not on)

    def _show(self) -> None:
        running = self.inspection.is_running
        waiting = len({row.place for row in self.state.rows if not row.looked_at})
        self.summary.setText(
            f"Opening image {self.progress.value() + 1} of {self.progress.maximum()} …"
            if running
            else summary(self.state)
        )
        self.progress.setVisible(running)
        self.stop_button.setVisible(running)
        self.look_button.setVisible(not running and waiting > 0)
        self.table.setColumnHidden(CaseTable.FILE, not self.names_box.isChecked())
        self.left_out.setText("\n".join(self.state.draft.left_out))
        self.left_out_card.setVisible(bool(self.state.draft.left_out))
        self._update_buttons()

    def _update_buttons(self) -> None:
        number = len(self.selected())
        self.chosen.setText(f"{number} chosen:" if number else "Choose rows to set:")
        for edit in self.edits:
            allow(edit, "" if number else "Choose one or more rows of the table first.")
