"""The results of a study, or of a file of scores: what they amount to, plots, tables, the cases, and the report.

Everything is computed in a process of its own, which this window starts and ends; it never imports the statistics.
"""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gui import theme
from gui.errors import NoticesBar
from gui.file_dialogs import choose_file, choose_new_file
from gui.study.background import Background, Steps, StoppedError
from gui.study.gallery import Gallery
from gui.study.lists import StudyChoice
from gui.study.parts import StudyWindow, TaskBar, button, label
from gui.study.results_data import CaseResult, Door, Results, ResultsRequest
from gui.study.results_export import save_plot, save_table
from gui.study.results_pages import OverviewPage, PlotPage, TablesPage
from gui.study.study_place import file_name, shown
from imaging.sources import Source
from imaging.worker import SupervisedWorker
from study.files import replace_file
from study.result_parts import Plot, Table

if TYPE_CHECKING:
    from gui.jobs import Jobs
    from gui.preferences import Preferences

_POLL_S = 0.2
# Short names of the plots for the index; a plot's own title says more.
PARTS = {
    "roc": "ROC curves",
    "differences": "Differences",
    "against-algorithm": "Readers and CNN",
    "sensitivity-specificity": "Sensitivity, specificity",
    "agreement": "Agreement",
    "switches": "Changed calls",
    "time": "Time per case",
}


class ResultsWindow(StudyWindow):
    """Asks for the coordinator's passphrase where the truth is sealed, and refuses in words while readers still read."""

    def __init__(
        self,
        request: ResultsRequest,
        data_folder: Path,
        jobs: Jobs,
        preferences: Preferences,
        app_version: str,
        parent: QWidget | None = None,
    ) -> None:
        """request: of a study or a file of scores. A passphrase that it brings along is used, and not kept."""
        super().__init__(parent, Qt.WindowType.Window)
        self._request = request
        self._data_folder = data_folder
        self._app_version = app_version
        self.results: Results | None = None
        self._offered = ""  # the sentence about a passphrase that is filled in
        self._dark = theme.colors() is theme.DARK
        self._background = Background("results", self)
        self._worker = SupervisedWorker("statistics")
        self.setWindowTitle(f"Results · {shown(request.place)}")
        em = self.fontMetrics().height()
        self.resize(74 * em, 50 * em)
        self._build(jobs)
        self._background.changed.connect(self._show_tasks)
        preferences.changed.connect(self._on_preference)
        self._ask_what()

    # --- building

    def _build(self, jobs: Jobs) -> None:
        self.notices = NoticesBar()
        self.task_bar = TaskBar(self._background)
        below = QHBoxLayout()
        below.setContentsMargins(14, 6, 14, 8)
        below.addWidget(self.task_bar)
        below.addStretch(1)
        self.pages = QStackedWidget()
        self.pages.addWidget(self._build_door())
        self.pages.addWidget(self._build_results(jobs))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notices)
        column.addWidget(self.pages, 1)
        column.addLayout(below)

    def _build_door(self) -> QWidget:
        """Before there are results: what is under way, the passphrase, or why there are none."""
        self.door_title = label(shown(self._request.place), "title")
        self.door_words = label("")
        self.choice = StudyChoice()
        self.choice.picked.connect(self._choose)
        self.choice.hide()
        self.passphrase = QLineEdit(echoMode=QLineEdit.EchoMode.Password)
        self.passphrase.setPlaceholderText("The coordinator's passphrase")
        self.passphrase.setAccessibleName("The coordinator's passphrase")
        self.passphrase.setMaximumWidth(30 * self.fontMetrics().height())
        self.passphrase.returnPressed.connect(self._unlock)
        self.open_button = button("&Open the results", self._unlock, role="main")
        row = QHBoxLayout()
        row.addWidget(self.passphrase, 1)
        row.addWidget(self.open_button)
        row.addStretch(1)
        door = QWidget()
        column = QVBoxLayout(door)
        column.setContentsMargins(40, 40, 40, 40)
        column.setSpacing(12)
        column.addStretch(1)
        column.addWidget(self.door_title)
        column.addWidget(self.door_words)
        column.addWidget(self.choice)
        column.addLayout(row)
        column.addStretch(2)
        return door

    def _build_results(self, jobs: Jobs) -> QWidget:
        self.notice = label("")
        self.notice.setStyleSheet("font-size: 22pt; font-weight: 800; letter-spacing: 1px;")
        self.notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.title = label("", "title")
        self.conclusion = label("")
        self.conclusion.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.html_button = button("Report as &HTML …", lambda: self._ask_report("html"), "export")
        self.pdf_button = button("Report as P&DF …", lambda: self._ask_report("pdf"), "export")
        self.json_button = button("&JSON …", lambda: self._ask_report("json"), "export")
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        for made in (self.html_button, self.pdf_button, self.json_button):
            head.addWidget(made)
        self.index = QListWidget()
        self.index.setAccessibleName("Parts of the results")
        self.index.setStyleSheet("QListWidget { padding: 2px; }")  # the chosen part never lies over the focus ring
        self.index.setFixedWidth(round(15 * self.fontMetrics().height()))
        self.stack = QStackedWidget()
        self.overview, self.tables_page, self.gallery = OverviewPage(), TablesPage(), Gallery(jobs)
        self.plot_pages: list[PlotPage] = []
        self.tables_page.export_asked.connect(self._ask_table)
        self.tables_page.told.connect(self._tell)
        self.gallery.relink_asked.connect(self._ask_where)
        self.index.currentRowChanged.connect(self.stack.setCurrentIndex)
        lower = QHBoxLayout()
        lower.addWidget(self.index)
        lower.addWidget(self.stack, 1)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(14, 12, 14, 10)
        column.setSpacing(8)
        column.addWidget(self.notice)
        column.addLayout(head)
        column.addWidget(self.conclusion)
        column.addLayout(lower, 1)
        return page

    # --- opening

    def _ask_what(self) -> None:
        from gui.study import results_tasks

        self._show_door("Opening …", ask=False)
        self._compute("Opening", results_tasks.look, (self._request,), self._on_door)

    def _on_door(self, door: Door) -> None:
        if door.studies:
            self._show_door("Several studies are registered here. Which one?", ask=False)
            self.choice.show()
            self.choice.show_studies(door.studies)
        elif not door.sealed or self._request.passphrase:
            self._load(self._request.passphrase)
        else:
            self._show_door("The truth of this study opens with the coordinator's passphrase.", ask=True)
            self.passphrase.setFocus()

    def _choose(self, study_id: str) -> None:
        self._request = replace(self._request, study=study_id)
        self.choice.hide()
        self._ask_what()

    def open_with(self, passphrase: str) -> None:
        """For one who has just given it elsewhere; no harm where the results are open already."""
        if self.results is None and self.open_button.isVisible() and passphrase:
            self._load(passphrase)

    def offer(self, passphrase: str, sentence: str) -> None:
        """Fill it in, and say why."""
        self.passphrase.setText(passphrase)
        self._offered = sentence
        self.notices.show_notice(sentence, seconds=15, quiet=True)

    def _unlock(self) -> None:
        if self.passphrase.text():
            self._load(self.passphrase.text())

    def _load(self, passphrase: str) -> None:
        from gui.study import results_tasks

        given = replace(self._request, passphrase=passphrase)
        self._request = replace(self._request, passphrase="")  # it is handed to the process, and kept nowhere here
        self._show_door("Computing the results …", ask=False)
        self._compute(
            "Computing the results",
            results_tasks.load,
            (given, self._data_folder, self._app_version),
            self._show,
            lambda sentence, details: self._refuse(sentence, ask=bool(passphrase)),
        )

    def _compute(self, title: str, task: Any, given: tuple[Any, ...], then: Any, failed: Any = None) -> None:
        """In the process of the statistics; the background thread waits for it."""
        worker = self._worker

        def work(steps: Steps) -> Any:
            future = worker.submit(task, *given)
            while True:
                try:
                    return future.result(timeout=_POLL_S)
                except (TimeoutError, FutureTimeoutError):
                    if steps.cancelled:
                        future.cancel()
                        raise StoppedError from None

        self._background.run(
            title, work, then, failed or (lambda sentence, _details: self._refuse(sentence, ask=False))
        )

    def _refuse(self, sentence: str, *, ask: bool) -> None:
        self._show_door(sentence, ask=ask)
        if ask:
            self.passphrase.selectAll()
            self.passphrase.setFocus()

    def _show_door(self, words: str, *, ask: bool) -> None:
        self.pages.setCurrentIndex(0)
        self.door_words.setText(words)
        self.passphrase.setVisible(ask)
        self.open_button.setVisible(ask)

    # --- showing

    def _show(self, results: Results) -> None:
        self.passphrase.clear()
        self.notices.withdraw(self._offered)
        self.results = results
        self.setWindowTitle(f"Results · {results.title}")
        self.notice.setText(results.notice)
        self.notice.setVisible(bool(results.notice))
        self.title.setText(results.title)
        self.conclusion.setText(results.conclusion)
        self.overview.show_results(results)
        self.tables_page.show_tables(results.tables)
        self.gallery.show_results(results)
        parts: list[tuple[str, QWidget]] = [("What it amounts to", self.overview)]
        for plot in results.plots["light"]:
            page = PlotPage()
            page.export_asked.connect(self._ask_plot)
            self.plot_pages.append(page)
            parts.append((PARTS.get(plot.name, plot.title), page))
        parts += [("Tables", self.tables_page), ("Cases", self.gallery)]
        for words, page_of_part in parts:
            self.index.addItem(QListWidgetItem(words))
            self.stack.addWidget(page_of_part)
        self._show_plots()
        self.index.setCurrentRow(0)
        self.pages.setCurrentIndex(1)
        self.index.setFocus()

    def _show_plots(self) -> None:
        if self.results is not None:
            shown = self.results.plots["dark" if self._dark else "light"]
            for page, plot, light in zip(self.plot_pages, shown, self.results.plots["light"], strict=True):
                page.show_plot(plot, light)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._retheme()

    def _on_preference(self, name: str) -> None:
        if name == "theme":
            self._retheme()

    def _retheme(self) -> None:
        dark = theme.colors() is theme.DARK
        if hasattr(self, "plot_pages") and dark != self._dark:
            self._dark = dark
            self._show_plots()
            self.gallery.retheme()

    def _show_tasks(self) -> None:
        busy = any(not task.is_over for task in self._background.tasks)
        self.open_button.setEnabled(not busy)

    def _tell(self, sentence: str) -> None:
        self.notices.show_note(sentence)

    # --- out of the window

    def _ask_plot(self, plot: Plot, kind: str) -> None:
        kinds = "Pictures (*.png)" if kind == "png" else "Drawings (*.svg)"
        choose_new_file(
            self, "Export the plot", f"{plot.name}.{kind}", kinds, lambda path: self.export_plot(plot, path)
        )

    def export_plot(self, plot: Plot, path: Path) -> None:
        """As PNG where the name ends so, else as SVG."""
        self._write(path, lambda _steps: save_plot(plot, path))

    def _ask_table(self, table: Table) -> None:
        name = f"{table.name}.csv"
        choose_new_file(self, "Export the table", name, "Tables (*.csv)", lambda path: self.export_table(table, path))

    def export_table(self, table: Table, path: Path) -> None:
        self._write(path, lambda _steps: save_table(table, path))

    def _ask_report(self, kind: str) -> None:
        place = self._request.place
        stem = place.stem if isinstance(place, Path) else Path(file_name(self.title.text())).stem
        name = f"{stem}-report.{kind}"
        choose_new_file(self, "Save the report", name, f"{kind.upper()} (*.{kind})", self.save_report)

    def save_report(self, path: Path) -> None:
        """HTML, PDF or JSON, as the name ends."""
        results = self.results
        if results is None:
            return
        suffix = path.suffix.lower()
        if suffix == ".pdf":
            from gui.study.report_pdf import PaperReport, save_report_pdf

            paper = PaperReport(
                results.title,
                results.notice,
                results.conclusion,
                results.cautions,
                results.tables,
                results.plots["light"],
                results.hashes,
            )
            self._write(path, lambda _steps: save_report_pdf(paper, path))
        else:
            text = results.json if suffix == ".json" else results.html
            self._write(path, lambda _steps: replace_file(path, text.encode("utf-8")))

    def _write(self, path: Path, work: Any) -> None:
        self._background.run(
            f"Writing {path.name}",
            work,
            lambda _result: self._tell(f"{path.name} was saved."),
            lambda sentence, details: self.notices.show_notice(sentence, details),
        )

    # --- images that lie elsewhere

    def _ask_where(self, case: CaseResult) -> None:
        choose_file(self, f"Where is the image of {case.id}?", lambda path: self.relink(case, path))

    def relink(self, case: CaseResult, path: Path) -> None:
        """Show the case's image from `path`, if it is that image, and remember the place."""
        from gui.study import results_tasks

        frames = dict(case.images)
        self._compute(
            "Looking at the image",
            results_tasks.note_image,
            (self._request, self._data_folder, tuple(frames), path),
            lambda digest: self.gallery.image_found(case.id, Source(path), frames[digest]),
            lambda sentence, details: self.notices.show_notice(sentence, details),
        )

    def closeEvent(self, event: QCloseEvent) -> None:
        self.gallery.close_down()
        self._worker.shutdown()  # first: the background thread may be waiting for it
        self._background.shutdown()
        super().closeEvent(event)
