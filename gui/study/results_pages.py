"""The pages of the results view: what it amounts to, one plot, the tables."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QPainter, QPaintEvent, QShortcut
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.study.parts import PageScroll, button, card, label
from gui.study.results_data import Results
from study.result_parts import Plot, Status, Table

STATUS_WORDS = {
    Status.PREREGISTERED: "Pre-registered: fixed before the first reading",
    Status.EXPLORATORY: "Exploratory: it suggests, and decides nothing",
    Status.DESCRIPTIVE: "Descriptive",
}


class SvgView(QWidget):
    """An SVG in its own proportions, as large as there is room, at the screen's full resolution."""

    def __init__(self) -> None:
        super().__init__()
        self._renderer = QSvgRenderer(self)
        self._renderer.setAspectRatioMode(Qt.AspectRatioMode.KeepAspectRatio)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def show_svg(self, svg: str) -> None:
        self._renderer.load(QByteArray(svg.encode("utf-8")))
        self.update()

    def sizeHint(self) -> QSize:
        return self._renderer.defaultSize()

    def paintEvent(self, event: QPaintEvent) -> None:
        size = self._renderer.defaultSize()
        if size.isEmpty():
            return
        # Large enough to read, never so large that a short plot becomes a poster.
        scale = min(self.width() / size.width(), self.height() / size.height(), 1.6 * self.fontMetrics().height() / 14)
        box = QRectF(0, 0, size.width() * scale, size.height() * scale)
        box.moveLeft((self.width() - box.width()) / 2)
        painter = QPainter(self)
        self._renderer.render(painter, box)
        painter.end()


class PlotPage(QWidget):
    export_asked = Signal(object, str)  # Plot in light colours, "svg" or "png"

    def __init__(self) -> None:
        super().__init__()
        self._light: Plot | None = None
        self.title = label("", "title")
        self.view = SvgView()
        self.sentence = label("")
        self.svg_button = button("Export &SVG …", lambda: self._export("svg"), "export")
        self.png_button = button("Export &PNG …", lambda: self._export("png"), "export")
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.svg_button)
        head.addWidget(self.png_button)
        column = QVBoxLayout(self)
        column.addLayout(head)
        column.addWidget(self.sentence, 0, Qt.AlignmentFlag.AlignTop)
        column.addWidget(self.view, 1)
        self._spacer = QWidget()
        column.addWidget(self._spacer, 1)

    def show_plot(self, shown: Plot, light: Plot) -> None:
        """`shown` in the window's colours; what is exported is for paper."""
        self._light = light
        drawn = bool(shown.svg)
        self.title.setText(shown.title)
        self.sentence.setText("" if drawn else shown.caption)
        self.sentence.setVisible(not drawn)
        self.view.setVisible(drawn)
        self._spacer.setVisible(not drawn)
        self.view.show_svg(shown.svg)
        self.view.setAccessibleName(shown.title)
        self.view.setAccessibleDescription(shown.caption)
        for made in (self.svg_button, self.png_button):
            made.setEnabled(drawn)

    def _export(self, kind: str) -> None:
        if self._light is not None:
            self.export_asked.emit(self._light, kind)


class TableView(QTableWidget):
    """Texts in rows; Ctrl+C copies what is selected, with the titles of its columns."""

    def __init__(self) -> None:
        super().__init__()
        self._table: Table | None = None
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.verticalHeader().hide()
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.horizontalHeader().setHighlightSections(False)
        copy = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self, self.copy)
        copy.setContext(Qt.ShortcutContext.WidgetShortcut)

    def show_table(self, table: Table) -> None:
        self._table = table
        self.clear()
        self.setColumnCount(len(table.columns))
        self.setRowCount(len(table.rows))
        self.setHorizontalHeaderLabels(list(table.columns))
        for n, row in enumerate(table.rows):
            for column, text in enumerate(row):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.setItem(n, column, item)
        self.resizeColumnsToContents()
        widest = 26 * self.fontMetrics().height()
        for column in range(self.columnCount()):
            self.setColumnWidth(column, min(self.columnWidth(column) + 8, widest))
        self.resizeRowsToContents()
        self.setAccessibleName(table.title)
        if table.rows:
            self.setCurrentCell(0, 0)
            self.clearSelection()

    def copy(self) -> None:
        """The selected rows, or all where none is, as a spreadsheet takes them."""
        chosen = sorted({index.row() for index in self.selectedIndexes()}) or range(self.rowCount())
        table = self._table
        if table is None:
            return
        lines = [table.columns, *(table.rows[row] for row in chosen)]
        QGuiApplication.clipboard().setText("\n".join("\t".join(line) for line in lines))


class TablesPage(QWidget):
    export_asked = Signal(object)  # Table
    told = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._tables: Sequence[Table] = ()
        self.choice = QComboBox()
        self.choice.setAccessibleName("Which table")
        self.choice.currentIndexChanged.connect(lambda _: self._show())
        self.status = label("", "muted", wrap=False)
        self.view = TableView()
        self.note = label("", "small")
        self.copy_button = button("&Copy", self._copy, "copy")
        self.csv_button = button("Export CS&V …", self._export, "export")
        row = QHBoxLayout()
        row.addWidget(self.choice)
        row.addWidget(self.status, 1)
        row.addWidget(self.copy_button)
        row.addWidget(self.csv_button)
        column = QVBoxLayout(self)
        column.addLayout(row)
        column.addWidget(self.view, 1)
        column.addWidget(self.note)

    @property
    def table(self) -> Table | None:
        index = self.choice.currentIndex()
        return self._tables[index] if 0 <= index < len(self._tables) else None

    def show_tables(self, tables: Sequence[Table]) -> None:
        self._tables = tables
        self.choice.blockSignals(True)
        self.choice.clear()
        for table in tables:
            self.choice.addItem(table.title)
        self.choice.blockSignals(False)
        self._show()

    def _show(self) -> None:
        table = self.table
        if table is not None:
            self.status.setText(STATUS_WORDS[table.status])
            self.view.show_table(table)
            self.note.setText(table.note)
            self.note.setVisible(bool(table.note))

    def _copy(self) -> None:
        self.view.copy()
        self.told.emit("The table was copied.")

    def _export(self) -> None:
        if self.table is not None:
            self.export_asked.emit(self.table)


class OverviewPage(PageScroll):
    """The registered analysis first and marked so; then what is to be read with the numbers."""

    def __init__(self) -> None:
        self._content = QWidget()
        self._column = QVBoxLayout(self._content)
        super().__init__(self._content)

    def show_results(self, results: Results) -> None:
        while (item := self._column.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        registered = next((t for t in results.tables if t.status is Status.PREREGISTERED), None)
        if registered is not None:
            for row in registered.rows:
                self._add_registered(dict(zip(registered.columns, row, strict=True)))
        else:
            frame, column = card()
            column.addWidget(label("No protocol came with these data", "section"))
            column.addWidget(
                label("Every analysis here is exploratory or descriptive. None of it was fixed beforehand.")
            )
            self._column.addWidget(frame)
        if results.cautions:
            frame, column = card()
            column.addWidget(label("To be read with the numbers", "section"))
            for sentence in results.cautions:
                column.addWidget(label(f"• {sentence}"))
            self._column.addWidget(frame)
        deviations = next((t for t in results.tables if t.name == "deviations"), None)
        if deviations is not None:
            frame, column = card()
            column.addWidget(label(deviations.title, "section"))
            for row in deviations.rows:
                when, *words = (cell for cell in row if cell)
                column.addWidget(label(f"• {when}: {' '.join(words)}"))
            self._column.addWidget(frame)
        self._column.addStretch(1)

    def _add_registered(self, row: dict[str, str]) -> None:
        frame, column = card()
        column.addWidget(label(f"Pre-registered, {row['']} endpoint: {row['Endpoint']}", "section"))
        column.addWidget(label(row["In words"]))
        if row["Difference"] != "–":
            numbers = (
                f"{row['Compared']}: {row['Difference']} ({row['Interval']}), p: {row['p']}"
                + (f", adjusted p: {row['adjusted p']}" if row["adjusted p"] != "–" else "")
                + f". {row['Method']}, df {row['df']}; speaks for {row['Speaks for']}."
            )
            column.addWidget(label(numbers, "muted"))
        self._column.addWidget(frame)
