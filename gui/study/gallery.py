"""Where people, CNN and truth differ: a list to filter, and the chosen case with everybody's marks beside the CNN's map."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QIcon
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui import icons, theme
from gui.jobs import Job, Jobs, guarded
from gui.overlay import OverlayState
from gui.study.parts import button, label
from gui.views.radiograph_view import RadiographView
from imaging.geometry import HipRegion
from imaging.radiograph import Side
from imaging.sources import Source
from inference.prediction import SaliencyMap
from study.model import Annotation, Call

if TYPE_CHECKING:
    from gui.study.results_data import Answer, CaseResult, Results
    from imaging.radiograph import Radiograph

Test = Callable[["CaseResult"], bool]


def last_answers(case: CaseResult) -> list[Answer]:
    """Each person's answer as it stood in the end: in the last mode that they read the case in."""
    return list({answer.reader: answer for answer in case.answers}.values())


def differs_from_cnn(case: CaseResult) -> bool:
    own = case.algorithm
    return own is not None and own.call is not None and any(_other(a, own.call) for a in case.answers)


def differs_from_truth(case: CaseResult) -> bool:
    return case.truth >= 0 and any(_other(a, case.truth) for a in case.answers)


def cnn_differs_from_truth(case: CaseResult) -> bool:
    return case.truth >= 0 and case.algorithm is not None and _other(case.algorithm, case.truth)


def readers_differ(case: CaseResult) -> bool:
    modes = {answer.mode for answer in case.answers}
    return any(len({a.call for a in case.answers if a.mode == mode and a.call is not None}) > 1 for mode in modes)


def changed(case: CaseResult) -> bool:
    """Somebody called it otherwise in another mode."""
    return any(
        len({a.call for a in case.answers if a.reader == reader and a.call is not None}) > 1
        for reader in {a.reader for a in case.answers}
    )


def _other(answer: Answer, call: int) -> bool:
    return answer.call is not None and answer.call != call


FILTERS: tuple[tuple[str, Test], ...] = (
    (
        "Any disagreement",
        lambda c: any(test(c) for test in (differs_from_cnn, differs_from_truth, readers_differ, changed)),
    ),
    ("Readers against CNN", differs_from_cnn),
    ("Readers against truth", differs_from_truth),
    ("CNN against truth", cnn_differs_from_truth),
    ("Changed between modes", changed),
    ("Readers among themselves", readers_differ),
    ("CNN output flipped (sham)", lambda c: c.sham),
    ("All cases", lambda _: True),
)


def truth_words(truth: int) -> str:
    return {1: "loose", 0: "not loose"}.get(truth, "not known")


class Gallery(QWidget):
    relink_asked = Signal(object)  # CaseResult: its image is to be shown where it lies

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._results: Results | None = None
        self._cases: list[CaseResult] = []
        self._found: dict[str, tuple[Source, int]] = {}  # of images that were shown to lie elsewhere, by case
        self._job: Job | None = None
        self._radiograph: Radiograph | None = None
        self.filter_box = QComboBox()
        self.filter_box.setAccessibleName("Which cases are listed")
        for words, _ in FILTERS:
            self.filter_box.addItem(words)
        self.search = QLineEdit(placeholderText="Case or reader", clearButtonEnabled=True)
        self.search.setAccessibleName("Search for a case or reader")
        self.mode_box = QComboBox()
        self.mode_box.setAccessibleName("Marks of which mode")
        self.count = label("", "muted", wrap=False)
        self.list = QListWidget()
        self.list.setAccessibleName("Cases")
        self.filter_box.currentIndexChanged.connect(lambda _: self._fill())
        self.search.textChanged.connect(lambda _: self._fill())
        self.list.currentRowChanged.connect(lambda _: self._show_case())
        self.mode_box.currentIndexChanged.connect(lambda _: self._show_marks())
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 8, 0)
        for widget in (self.filter_box, self.search):
            column.addWidget(widget)
        column.addWidget(self.list, 1)
        column.addWidget(self.count)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(left)
        splitter.addWidget(self._build_case())
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([17 * self.fontMetrics().height(), 900])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(splitter)

    @property
    def listed(self) -> list[CaseResult]:
        return list(self._cases)

    @property
    def case(self) -> CaseResult | None:
        row = self.list.currentRow()
        return self._cases[row] if 0 <= row < len(self._cases) else None

    def show_results(self, results: Results) -> None:
        self._results = results
        self.mode_box.clear()
        self.mode_box.addItem("Marks of all modes", "")
        for mode in results.modes:
            self.mode_box.addItem(f"Marks {mode}", mode)
        self._fill()

    def image_found(self, case_id: str, source: Source, frame: int) -> None:
        self._found[case_id] = source, frame
        if self.case is not None and self.case.id == case_id:
            self._show_case()

    def retheme(self) -> None:
        """Icons in the list and beside the answers are drawn once; this draws them in the colours now in force."""
        for row, case in enumerate(self._cases):
            self.list.item(row).setIcon(_truth_icon(case))
        if self.case is not None:
            self._fill_answers(self.case)

    def close_down(self) -> None:
        if self._job is not None:
            self._job.abandon()
            self._job = None

    # --- building

    def _build_case(self) -> QWidget:
        self.heading = label("", "title")
        self.said = label("", "muted")
        self.answers = QTableWidget(0, 5)
        self.answers.setHorizontalHeaderLabels(["Reader", "Mode", "Call", "Score", "Comment"])
        self.answers.setAccessibleName("Answers on this case")
        self.answers.verticalHeader().hide()
        self.answers.setShowGrid(False)
        self.answers.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.answers.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.answers.setTabKeyNavigation(False)
        self.answers.horizontalHeader().setStretchLastSection(True)
        self.answers.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        self.marks_view, self.map_view = RadiographView(), RadiographView()
        self.marks_view.setAccessibleName("Radiograph with the readers' marks")
        self.map_view.setAccessibleName("Radiograph with the CNN's map")
        overlay = OverlayState(self)
        overlay.set_visible(True)
        self.map_view.set_overlay(overlay)
        for view in (self.marks_view, self.map_view):
            view.set_show_texts(False)
        self.marks_view.link(self.map_view)
        panes = QWidget()
        row = QHBoxLayout(panes)
        row.setContentsMargins(0, 0, 0, 0)
        self.map_title = QLabel("CNN's map")
        for words, view in ((QLabel("Readers' marks"), self.marks_view), (self.map_title, self.map_view)):
            pane = QVBoxLayout()
            head = QHBoxLayout()
            words.setProperty("role", "section")
            words.setMinimumHeight(self.mode_box.sizeHint().height())  # both pictures begin at the same height
            head.addWidget(words, 1)
            if view is self.marks_view:
                head.addWidget(self.mode_box)
            pane.addLayout(head)
            pane.addWidget(view, 1)
            row.addLayout(pane, 1)
        self.no_image = label("", "muted")
        self.relink_button = button("Show &where the image is …", self._ask_relink, "link")
        missing = QWidget()
        column = QVBoxLayout(missing)
        column.addStretch(1)
        column.addWidget(self.no_image)
        column.addWidget(self.relink_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        self.pictures = QStackedWidget()
        self.pictures.addWidget(panes)
        self.pictures.addWidget(missing)
        lower = QSplitter(Qt.Orientation.Vertical)
        lower.setChildrenCollapsible(False)
        lower.addWidget(self.pictures)
        lower.addWidget(self.answers)
        lower.setStretchFactor(0, 3)
        lower.setStretchFactor(1, 2)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(8, 0, 0, 0)
        column.addWidget(self.heading)
        column.addWidget(self.said)
        column.addWidget(lower, 1)
        return right

    # --- showing

    def _fill(self) -> None:
        if self._results is None:
            return
        before = self.case.id if self.case is not None else ""
        test = FILTERS[max(self.filter_box.currentIndex(), 0)][1]
        words = self.search.text().casefold().split()
        self._cases = [
            case
            for case in self._results.cases
            if test(case)
            and all(word in " ".join((case.id, *(a.reader for a in case.answers))).casefold() for word in words)
        ]
        self.list.blockSignals(True)
        self.list.clear()
        for case in self._cases:
            item = QListWidgetItem(f"{case.id}\n{self._line(case)}")
            item.setIcon(_truth_icon(case))
            self.list.addItem(item)
        self.list.blockSignals(False)
        self.count.setText(f"{len(self._cases)} of {len(self._results.cases)} cases")
        place = next((n for n, case in enumerate(self._cases) if case.id == before), 0)
        if self._cases:
            self.list.setCurrentRow(place)
        self._show_case()

    def _line(self, case: CaseResult) -> str:
        right = sum(a.call == case.truth for a in last_answers(case))
        words = f"{truth_words(case.truth)} · {right} of {len(last_answers(case))} right"
        return words + (" · sham" if case.sham else "")

    def _show_case(self) -> None:
        self.close_down()
        self._radiograph = None
        for view in (self.marks_view, self.map_view):
            view.set_radiograph(None)
        case = self.case
        self.answers.setRowCount(0)
        if case is None or self._results is None:
            self.heading.setText("No case fits" if self._results is not None else "")
            self.said.clear()
            self._say_no_image("Choose another filter, or clear the search.", relink=False)
            return
        self.heading.setText(f"{case.id}: truth {truth_words(case.truth)}")
        self.said.setText(self._cnn_words(case))
        self._fill_answers(case)
        source, frame = self._found.get(case.id, (case.source, case.frame))
        if source is None:
            if self._results.has_images:
                words = "The image of this case was not found where it lay at registration, nor beside the study."
            else:
                words = "A file of scores holds no images: only the answers can be shown."
            self._say_no_image(words, relink=self._results.has_images)
            return
        self._say_no_image("Opening the image …", relink=False)
        job = self._jobs.decode(source, frame)
        self._job = job
        job.done.connect(guarded(self, lambda radiograph: self._show_image(job, case, radiograph)))
        job.failed.connect(guarded(self, lambda sentence, _details: self._failed(job, sentence)))

    def _cnn_words(self, case: CaseResult) -> str:
        own = case.algorithm
        if own is None:
            return "No algorithm answered this case."
        score = "no score" if own.score is None else f"score {own.score:.0f}"
        words = f"{own.reader}: {_call_words(own.call)}, {score}."
        return words + (" Readers were shown the opposite, on purpose (sham)." if case.sham else "")

    def _fill_answers(self, case: CaseResult) -> None:
        assert self._results is not None
        rows = [*case.answers, *([case.algorithm] if case.algorithm is not None else [])]
        self.answers.setRowCount(len(rows))
        for n, answer in enumerate(rows):
            people = self._results.people
            is_person = answer.reader in people
            name = f"{people.index(answer.reader) + 1}  {answer.reader}" if is_person else answer.reader
            who = QTableWidgetItem(name)
            if is_person:
                who.setIcon(icons.icon("reader", _beside_text(people.index(answer.reader))))
            else:
                who.setIcon(icons.icon("cnn", theme.colors().text))
            look = _outcome(-1 if answer.call is None else answer.call)
            right = (
                ""
                if answer.call is None or case.truth < 0
                else (" · right" if answer.call == case.truth else " · wrong")
            )
            call = QTableWidgetItem(_call_words(answer.call) + right)
            call.setIcon(icons.icon(look.icon, look.color))
            score = QTableWidgetItem("–" if answer.score is None else f"{answer.score:.0f}")
            mode = answer.mode if is_person else "its own"
            for column, item in enumerate((who, QTableWidgetItem(mode), call, score, QTableWidgetItem(answer.comment))):
                self.answers.setItem(n, column, item)
        self.answers.resizeColumnsToContents()
        self.answers.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)

    def _show_image(self, job: Job, case: CaseResult, radiograph: Radiograph) -> None:
        if job is not self._job:
            return
        self._job = None
        known = {digest for digest, _ in case.images}
        if radiograph.sha256 not in known:
            self._failed(None, "The image that lies there now is another one than was read.")
            return
        self._radiograph = radiograph
        self.pictures.setCurrentIndex(0)
        for view in (self.marks_view, self.map_view):
            view.set_radiograph(radiograph)
        maps, title = [], "No map was made by the CNN"
        if case.shown is not None and case.shown.map is not None:
            held = case.shown.map
            side = Side(case.side) if case.side in ("R", "L") else Side.UNKNOWN
            region = HipRegion(*held.box, side=side, proposed=True)
            maps = [SaliencyMap(held.array(), region, held.levels, held.method)]
            title = f"CNN: {_call_words(case.algorithm.call if case.algorithm else None)} · model attention"
        self.map_view.set_saliency(maps)
        self.map_title.setText(title)
        self._show_marks()

    def _show_marks(self) -> None:
        case, results = self.case, self._results
        if case is None or results is None or self._radiograph is None:
            return
        wanted = self.mode_box.currentData()
        groups = []
        for answer in case.answers:
            if answer.marks and answer.reader in results.people and wanted in ("", answer.mode):
                number = results.people.index(answer.reader)
                # The number beside the colour: six colours start anew with the seventh reader.
                marks = [_numbered(mark, number + 1) for mark in answer.marks]
                groups.append((QColor(theme.reader_color(number)), marks))
        self.marks_view.set_other_marks(groups)

    def _failed(self, job: Job | None, sentence: str) -> None:
        if job is self._job:
            self._job = None
            self._say_no_image(sentence, relink=True)

    def _say_no_image(self, words: str, *, relink: bool) -> None:
        self.no_image.setText(words)
        self.relink_button.setVisible(relink)
        self.pictures.setCurrentIndex(1)

    def _ask_relink(self) -> None:
        if self.case is not None:
            self.relink_asked.emit(self.case)


def _beside_text(number: int) -> str:
    """A reader's colour in the window's theme, as in the plots."""
    named = theme.colors().readers
    return named[number % len(named)]


def _numbered(mark: Annotation, number: int) -> Annotation:
    return msgspec.structs.replace(mark, text=f"{number} {mark.text}".strip())


def _truth_icon(case: CaseResult) -> QIcon:
    look = _outcome(case.truth)
    return icons.icon(look.icon, look.color)


def _outcome(call: int) -> theme.Outcome:
    return theme.outcome({1: Call.LOOSE, 0: Call.NOT_LOOSE}.get(call))


def _call_words(call: int | None) -> str:
    return {1: "loose", 0: "not loose"}.get(-1 if call is None else call, "no call")
