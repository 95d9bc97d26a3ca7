"""How many readers and cases: for the difference that matters, from the variances of a pilot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
)

from gui.file_dialogs import choose_file
from gui.study.background import Background, Steps, Task
from gui.study.parts import allow, button, label, narrow
from gui.study.sizing_plot import Curve, SizingPlot
from gui.study.wizard_draft import Variances
from gui.study.wizard_page import Bound, WizardPage
from gui.study.wizard_state import WizardState
from study.protocol import Endpoint, Hypothesis, Part, StudyDesign
from study.statistics.sizing import TYPICAL, CasesRange, Pilot, alternatives, cases_range, power

TYPING_RESTS_MS = 300
CURVE_POINTS = 40
SMALLEST_EFFECT = 0.01


class SizingError(ValueError):
    """These variances make no size; a sentence."""


@dataclass(frozen=True)
class Question:
    variances: Variances
    readers: tuple[int, ...]
    effect: float
    target: float
    alpha: float
    cases: int
    planned_readers: int
    draws: tuple[Pilot, ...] = ()  # of a pilot that was loaded


@dataclass(frozen=True)
class Answer:
    rows: tuple[tuple[int, int | None, float | None], ...]  # readers, cases needed, power as planned
    curves: tuple[Curve, ...]
    uncertain: CasesRange | None = None  # with the planned readers


class SizingPage(WizardPage):
    TITLE = "Size"
    LEAD = (
        "How many readers and cases find the difference that matters. The figures rest on a pilot's variances; with other "
        "readers or cases they come out otherwise."
    )
    PARTS = (Part.SIZE,)

    def __init__(self, state: WizardState, background: Background) -> None:
        self._background = background
        self._task: Task | None = None
        self._asked: Question | None = None
        self._pilot: ReadPilot | None = None
        self._rest = QTimer(singleShot=True, interval=TYPING_RESTS_MS)
        super().__init__(state)
        self._rest.setParent(self)
        self._rest.timeout.connect(self._ask)

    def _build(self) -> None:
        state = self.state
        self.planned_box = narrow(QCheckBox("The study is planned to find a certain &difference"))
        self.planned_box.clicked.connect(
            lambda on: state.set_plan(effect=0.05 if on else None, power=0.8 if on else None)
        )
        self.column.addWidget(self.planned_box)
        self.effect = self.decimal(
            lambda: state.plan.effect or SMALLEST_EFFECT, lambda v: state.set_plan(effect=round(v, 4)), 0.01, 0.5, 3
        )
        self.power = self.decimal(
            lambda: 100 * (state.plan.power or 0.8), lambda v: state.set_plan(power=round(v / 100, 4)), 50, 99, 0
        )
        self.power.field.setSuffix(" %")
        self.power.field.setSingleStep(5)
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setColumnStretch(4, 1)
        for column, (words, bound) in enumerate((("Di&fference", self.effect), ("&Power", self.power))):
            caption = label(words, wrap=False)
            caption.setTextFormat(Qt.TextFormat.AutoText)
            caption.setBuddy(bound.field)
            bound.field.setAccessibleName(words.replace("&", ""))
            grid.addWidget(caption, 0, 2 * column)
            grid.addWidget(bound.field, 0, 2 * column + 1)
        self.column.addLayout(grid)
        self.effect_words = label("", "small")
        self.column.addWidget(self.effect_words)
        self.column.addWidget(label("Variances of a pilot", "section"))
        row = QHBoxLayout()
        self.pilot_button = button(
            "From a pilot's &scores …",
            lambda: choose_file(self, "A pilot's scores (.csv or .imrmc)", self.load_pilot),
            "import",
        )
        row.addWidget(self.pilot_button)
        self.typical = QComboBox()
        self.typical.setAccessibleName("Published variances")
        self.typical.addItem("or of a published study …")
        for typical in TYPICAL:
            self.typical.addItem(typical.source)
        self.typical.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.typical.setMinimumContentsLength(24)
        self.typical.activated.connect(self._take_typical)
        row.addWidget(self.typical)
        row.addWidget(label("or typed, of the primary endpoint:", "muted", wrap=False))
        row.addStretch(1)
        self.column.addLayout(row)
        self.column.addLayout(self._build_variances())
        self.answer_words = label()
        self.column.addWidget(self.answer_words)
        self.table = QTableWidget(0, 3)
        self.table.setAccessibleName("Readers and cases")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setShowGrid(False)
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.plot = SizingPlot()
        results = QHBoxLayout()
        results.addWidget(self.table, 3)
        results.addWidget(self.plot, 4)
        self.column.addLayout(results)

    def _build_variances(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        self.variances: list[Bound] = []
        for index, (name, words, tip) in enumerate(
            (
                ("var_interaction", "Reader × arm", "Variance of the readers' own differences between arms"),
                ("var", "Error", "Variance of one reader's figure over samples of cases"),
                ("cov1", "Cov 1", "Same reader, other arm"),
                ("cov2", "Cov 2", "Other reader, same arm"),
                ("cov3", "Cov 3", "Other reader, other arm"),
            )
        ):
            bound = self.decimal(
                lambda name=name: getattr(self.state.draft.variances, name),  # type: ignore[misc]
                lambda value, name=name: self._type(**{name: value}),  # type: ignore[misc]
                -1,
                1,
                6,
            )
            bound.field.setSingleStep(0.0001)
            bound.field.setToolTip(tip)
            bound.field.setAccessibleName(words)
            self.variances.append(bound)
            grid.addWidget(label(words, "small", wrap=False), 0, index)
            grid.addWidget(bound.field, 1, index)
        cases = self.number(
            lambda: self.state.draft.variances.cases, lambda value: self._type(cases=value), 0, 1_000_000
        )
        cases.field.setAccessibleName("Cases of the pilot")
        cases.field.setToolTip("On how many cases these variances were estimated")
        self.variances.append(cases)
        grid.addWidget(label("Its cases", "small", wrap=False), 0, 5)
        grid.addWidget(cases.field, 1, 5)
        grid.setColumnStretch(6, 1)
        return grid

    def load_pilot(self, path: Path) -> None:
        endpoint = self.state.plan.endpoint
        self._background.run(
            "Reading the pilot", lambda _steps: read_pilot(path, endpoint), self._take_pilot, self._fail
        )

    def _take_pilot(self, pilot: ReadPilot) -> None:
        self._pilot = pilot
        self.state.set_variances(pilot.variances)

    def _take_typical(self, index: int) -> None:
        if index > 0:
            self.state.set_variances(as_variances(TYPICAL[index - 1].pilot))

    def _fail(self, sentence: str, details: str) -> None:
        self.problem.emit(sentence, details)

    def _type(self, **fields: float) -> None:
        self.state.set_variances(msgspec.structs.replace(self.state.draft.variances, **fields))

    def entered(self) -> None:
        self._rest.start(0)

    def _show(self) -> None:
        plan, protocol = self.state.plan, self.state.protocol
        planned = plan.effect is not None
        self.planned_box.setChecked(planned)
        for bound in (self.effect, self.power, *self.variances):
            bound.show()
        why_not = "" if planned else "Tick the box above first."
        for bound in (self.effect, self.power):
            allow(bound.field, why_not)
        if plan.hypothesis is Hypothesis.NON_INFERIORITY:
            words = f"For non-inferiority take the margin, {plan.margin:g}, if both arms are expected to be alike."
        else:
            words = "Between the two arms, in the primary endpoint: the smallest that would change practice."
        self.effect_words.setText(words)
        self.table.setVisible(self._can_ask())
        self.plot.setVisible(self._can_ask())
        if not planned:
            self.answer_words.setText("No size is planned for; the protocol says so.")
        elif protocol.design is StudyDesign.CNN_AGAINST_READERS:
            self.answer_words.setText(
                "For the CNN against readers this program computes no size. Say in the protocol what the size rests on."
            )
        elif not self.state.draft.variances.cases:
            self.answer_words.setText(
                "Load a pilot, or type its variances, to see how many readers and cases are needed."
            )
        self._rest.start()

    def _can_ask(self) -> bool:
        return (
            self.state.plan.effect is not None
            and self.state.draft.variances.cases >= 2
            and self.state.protocol.design is not StudyDesign.CNN_AGAINST_READERS
        )

    def _ask(self) -> None:
        if not self._can_ask() or not self.isVisible():
            return
        plan, protocol = self.state.plan, self.state.protocol
        question = Question(
            self.state.draft.variances,
            reader_numbers(protocol.planned_readers),
            plan.effect or SMALLEST_EFFECT,
            plan.power or 0.8,
            plan.alpha,
            protocol.planned_cases,
            protocol.planned_readers,
            self._known_pilot(),
        )
        if question == self._asked:
            return
        self._asked = question
        if self._task is not None and not self._task.is_over:
            self._task.cancel()
        self.answer_words.setText("Computing …")
        self._task = self._background.run(
            "Computing the size",
            lambda steps: compute(question, steps),
            lambda answer: self._show_answer(question, answer),
            lambda sentence, _details: self.answer_words.setText(sentence),
        )
        self._task.ended.connect(self._forget)

    def _doubts(self, question: Question, answer: Answer) -> list[str]:
        """What the figures rest on."""
        endpoint = self.state.plan.endpoint
        published = next((one for one in TYPICAL if as_variances(one.pilot) == question.variances), None)
        if published is not None:
            other = "" if endpoint is Endpoint.AUC else f" They are of the AUC, not of the {endpoint.value}."
            return [f"Variances of {published.source}.{other}"]
        if answer.uncertain is not None:
            return [range_words(answer.uncertain)]
        if self._pilot is not None and self._pilot.endpoint is not endpoint:
            return [f"The pilot was read for another endpoint: load it again for the {endpoint.value}."]
        return []

    def _known_pilot(self) -> tuple[Pilot, ...]:
        """The draws of the pilot whose variances of the primary endpoint stand in the fields."""
        held = self._pilot
        same = held is not None and (held.variances, held.endpoint) == (
            self.state.draft.variances,
            self.state.plan.endpoint,
        )
        return held.draws if held is not None and same else ()

    def _forget(self) -> None:
        self._task = None

    def _show_answer(self, question: Question, answer: Answer) -> None:
        planned = self.state.protocol.planned_readers
        mine = next((row for row in answer.rows if row[0] == planned), None)
        words = []
        if mine is not None:
            needed = (
                f"needs {mine[1]} cases"
                if mine[1] is not None
                else "is out of reach with any number of cases: more readers are needed"
            )
            words.append(
                f"With {planned} readers a difference of {question.effect:g} at a power of {100 * question.target:.0f} % {needed}."
            )
            if mine[2] is not None:
                words.append(f"The {question.cases} cases of the table give a power of {power_words(mine[2])}.")
        words += self._doubts(question, answer)
        if self.state.protocol.design is StudyDesign.SPLIT_PLOT:
            words.append("These figures are for a fully crossed study; in blocks more cases are needed.")
        self.answer_words.setText(" ".join(words))
        self.table.setHorizontalHeaderLabels(["Readers", "Cases needed", f"Power with {question.cases}"])
        self.table.setColumnHidden(2, question.cases < 2)
        self.table.setRowCount(len(answer.rows))
        for index, (readers, cases, reached) in enumerate(answer.rows):
            texts = (str(readers), "out of reach" if cases is None else f"{cases:,}", power_words(reached))
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                font = item.font()
                font.setBold(readers == planned)
                item.setFont(font)
                self.table.setItem(index, column, item)
        self.plot.show_curves(answer.curves, question.target, question.cases)


def as_variances(pilot: Pilot) -> Variances:
    return Variances(pilot.var_interaction, pilot.var, pilot.cov1, pilot.cov2, pilot.cov3, pilot.cases)


def range_words(found: CasesRange) -> str:
    """What the pilot's own uncertainty leaves open."""
    if found.low is None:
        return "Given how little this pilot fixes the variances, it may well be out of reach."
    upper = f"{found.high:,}" if found.high is not None else "out of reach"
    return f"The pilot fixes this to {found.low:,} to {upper} (80 % interval, from resampling its cases and readers)."


def power_words(power: float | None) -> str:
    if power is None:
        return "–"
    return "> 99 %" if power > 0.99 else f"{100 * power:.0f} %"


def reader_numbers(planned: int) -> tuple[int, ...]:
    """The planned number and its neighbours."""
    return tuple(sorted({max(planned, 2), 3, 4, 5, 6, 8, 10, 15, 20}))


@dataclass(frozen=True)
class ReadPilot:
    variances: Variances
    endpoint: Endpoint
    draws: tuple[Pilot, ...]


def read_pilot(path: Path, endpoint: Endpoint = Endpoint.AUC) -> ReadPilot:
    """Variance components of the endpoint from scores in two arms. Waits; raises ExchangeError, NotEstimableError."""
    from study.design import pilot_draws, pilot_from_scores
    from study.exchange import read_scores

    table = read_scores(path)
    readers_of: dict[str, set[str]] = {}
    for reader, mode in zip(table.reader, table.mode, strict=True):
        readers_of.setdefault(mode, set()).add(reader)
    arms = {mode for mode, readers in readers_of.items() if len(readers) > 1}  # one reader alone is the CNN
    table = table.where([mode in arms for mode in table.mode])
    variances = as_variances(pilot_from_scores(table, endpoint))
    return ReadPilot(variances, endpoint, tuple(pilot_draws(table, endpoint)))


def compute(question: Question, steps: Steps) -> Answer:
    """Waits for the CPU. Raises ValueError with a sentence for variances that cannot be."""
    held = question.variances
    pilot = Pilot(held.var_interaction, held.var, held.cov1, held.cov2, held.cov3, held.cases)
    try:
        rows = alternatives(pilot, question.readers, question.effect, question.target, question.alpha, question.cases)
        steps.check(0)
        needed = [row.cases for row in rows if row.cases is not None]
        most = max(40, min(2 * max(question.cases, sorted(needed)[len(needed) // 2] if needed else 200), 2000))
        chosen = sorted({rows[0].readers, *(row.readers for row in rows if row.readers in (5, 10, 20))})
        curves = tuple(
            Curve(
                readers,
                tuple(
                    (cases, power(pilot, readers, cases, question.effect, question.alpha).power)
                    for cases in sorted({max(2, round(most * k / CURVE_POINTS)) for k in range(1, CURVE_POINTS + 1)})
                ),
            )
            for readers in chosen
        )
        uncertain = cases_range(
            question.draws, max(question.planned_readers, 2), question.effect, question.target, question.alpha
        )
    except ValueError as error:
        raise SizingError(str(error)) from error
    return Answer(tuple((row.readers, row.cases, row.planned) for row in rows), curves, uncertain)
