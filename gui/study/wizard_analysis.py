"""The pre-registered analysis: one primary endpoint, one method, and rules for everything that may go missing."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QWidget

from gui.study.parts import Choice, Form, allow, label
from gui.study.wizard_page import WizardPage
from gui.views.shortcut_sheet import plain
from study.protocol import (
    Endpoint,
    Hypothesis,
    Indeterminate,
    Method,
    Missing,
    Multiplicity,
    NegativeVariance,
    Part,
    StudyDesign,
)

SECONDARY = {
    Endpoint.AUC: "&Area under the ROC curve",
    Endpoint.SENSITIVITY: "Sensiti&vity",
    Endpoint.SPECIFICITY: "Speci&ficity",
}


class AnalysisPage(WizardPage):
    TITLE = "The analysis"
    LEAD = (
        "Fixed and hashed before the first reading. The report shows this analysis first and marks everything else as "
        "exploratory."
    )
    PARTS = (Part.ANALYSIS,)

    def _build(self) -> None:
        state = self.state
        self._values: dict[str, list[Any]] = {}  # of the boxes: Qt keeps an enum's text only
        self.column.addWidget(label("Primary endpoint", "section"))
        self.endpoint = Choice(
            "Primary endpoint",
            [
                (Endpoint.AUC, "Area under the ROC curve", "Uses the whole 0–100 scale."),
                (Endpoint.SENSITIVITY, "Sensitivity", "Of the call loose or not loose."),
                (Endpoint.SPECIFICITY, "Specificity", "Of the call loose or not loose."),
            ],
        )
        self.endpoint.picked.connect(self._take_endpoint)
        self.column.addWidget(self.endpoint)
        self.column.addWidget(label("Hypothesis", "section"))
        self.hypothesis = Choice(
            "Hypothesis",
            [
                (Hypothesis.SUPERIORITY, "Superiority", "There is a difference; two-sided."),
                (Hypothesis.NON_INFERIORITY, "Non-inferiority", "At most worse by the margin."),
            ],
        )
        self.hypothesis.picked.connect(self._take_hypothesis)
        self.column.addWidget(self.hypothesis)
        self.margin = self.decimal(lambda: state.plan.margin, lambda v: state.set_plan(margin=round(v, 4)), 0, 0.99, 3)
        self.alpha = self.decimal(lambda: state.plan.alpha, lambda v: state.set_plan(alpha=round(v, 4)), 0, 0.5, 3)
        self.method = self._box(
            "method",
            [
                (Method.OBUCHOWSKI_ROCKETTE, "Obuchowski-Rockette with Hillis' degrees of freedom"),
                (Method.U_STATISTICS, "U-statistics, for any design"),
                (Method.ONE_AGAINST_MANY, "One CNN against many readers"),
            ],
        )
        self.missing = self._box(
            "missing",
            [
                (Missing.COUNT_AS_ERROR, "Count as an error: a wrong call, and the worst of all scores"),
                (Missing.LEAVE_OUT, "Left out, with its case for all readers where the method needs complete cases"),
                (Missing.AVAILABLE, "That reading alone is left out (Obuchowski-Rockette: unbiased covariances)"),
            ],
        )
        self.indeterminate = self._box(
            "indeterminate",
            [
                (Indeterminate.COUNT_AS_ERROR, "Counts as an error"),
                (Indeterminate.LEAVE_OUT, "Left out"),
                (Indeterminate.BY_SCORE, "The side of 50 that the score lies on; an error without a score"),
            ],
        )
        self.negative_variance = self._box(
            "negative_variance",
            [
                (NegativeVariance.MLE, "The MLE variance takes its place, as iMRMC prints it"),
                (NegativeVariance.NO_TEST, "No test and no interval"),
            ],
        )
        self.multiplicity = self._box(
            "multiplicity",
            [
                (Multiplicity.NONE, "One primary endpoint; everything else is exploratory"),
                (Multiplicity.FIXED_SEQUENCE, "Fixed sequence: each is tested only if the one before was significant"),
                (Multiplicity.HOLM, "Holm's step-down correction over the primary and the secondary endpoints"),
            ],
        )
        self.secondary = {endpoint: self._secondary_box(endpoint, words) for endpoint, words in SECONDARY.items()}
        form = Form()
        form.add("&Margin", self.margin.field, "Of the endpoint, for non-inferiority, e.g. 0.05.")
        words = form.add("M&ethod", self.method, " ")
        assert words is not None
        self.method_words = words
        form.add(
            "Ne&gative variance",
            self.negative_variance,
            "Of U-statistics: what becomes of a difference whose unbiased variance is not positive.",
        )
        form.add("&Significance level", self.alpha.field)
        form.add("M&issing readings", self.missing)
        form.add("“Cannot tell”, “not assessab&le”", self.indeterminate)
        form.add("M&ultiplicity", self.multiplicity)
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        for box in self.secondary.values():
            row.addWidget(box)
        row.addStretch(1)
        holder.setAccessibleName("Secondary endpoints")
        form.add(
            "Secondary endpoints",
            holder,
            "Tested for a difference; what such a result may claim follows from “Multiplicity”.",
        )
        self.other_words = label("", "small")
        form.addRow("", self.other_words)
        self.column.addLayout(form)

    def _box(self, name: str, options: list[tuple[Any, str]]) -> QComboBox:
        box = QComboBox()
        for value, words in options:
            box.addItem(words, value)
        values = [value for value, _ in options]
        box.activated.connect(lambda index: self.state.set_plan(**{name: values[index]}))
        self._values[name] = values
        return box

    def _take_endpoint(self, value: Endpoint) -> None:
        """What is the primary endpoint is no secondary one any more."""
        others = tuple(name for name in self.state.plan.secondary if name.strip().lower() != value.value)
        self.state.set_plan(endpoint=value, secondary=others)

    def _secondary_box(self, endpoint: Endpoint, words: str) -> QCheckBox:
        box = QCheckBox(words)
        box.setAccessibleName(f"Secondary endpoint: {plain(words)}")
        box.clicked.connect(lambda _on: self._take_secondary())
        return box

    def _take_secondary(self) -> None:
        """Those that are ticked, in the order in which they are shown; a draft's other words stay behind them."""
        ticked = tuple(endpoint.value for endpoint, box in self.secondary.items() if box.isChecked())
        self.state.set_plan(secondary=ticked + self._in_words())

    def _in_words(self) -> tuple[str, ...]:
        return tuple(name for name in self.state.plan.secondary if name.strip().lower() not in list(Endpoint))

    def _take_hypothesis(self, value: Hypothesis) -> None:
        margin = (self.state.plan.margin or 0.05) if value is Hypothesis.NON_INFERIORITY else 0.0
        self.state.set_plan(hypothesis=value, margin=margin)

    def _show(self) -> None:
        plan, design = self.state.plan, self.state.protocol.design
        self.endpoint.show_value(plan.endpoint)
        self.hypothesis.show_value(plan.hypothesis)
        for bound in (self.margin, self.alpha):
            bound.show()
        for name in ("method", "missing", "indeterminate", "multiplicity"):
            box: QComboBox = getattr(self, name)
            with QSignalBlocker(box):
                box.setCurrentIndex(self._values[name].index(getattr(plan, name)))
        with QSignalBlocker(self.negative_variance):
            chosen = plan.negative_variance or NegativeVariance.NO_TEST
            self.negative_variance.setCurrentIndex(self._values["negative_variance"].index(chosen))
        by_u = plan.method is Method.U_STATISTICS
        allow(self.negative_variance, "" if by_u else "Only U-statistics can give a negative variance.")
        superior = plan.hypothesis is Hypothesis.SUPERIORITY
        allow(self.margin.field, "A margin belongs to non-inferiority." if superior else "")
        self._show_secondary()
        words = {
            StudyDesign.CROSSED: "Readers and cases are both random: the result speaks for surgeons and patients like these.",
            StudyDesign.SPLIT_PLOT: "A split-plot study is analysed by U-statistics.",
            StudyDesign.CNN_AGAINST_READERS: "Follows from the design.",
        }
        self.method_words.setText(words[design])
        model = self.method.model()
        allowed = {
            StudyDesign.CROSSED: (Method.OBUCHOWSKI_ROCKETTE, Method.U_STATISTICS),
            StudyDesign.SPLIT_PLOT: (Method.U_STATISTICS,),
            StudyDesign.CNN_AGAINST_READERS: (Method.ONE_AGAINST_MANY,),
        }[design]
        for index, method in enumerate(self._values["method"]):
            item = model.item(index)  # type: ignore[attr-defined]
            item.setEnabled(method in allowed)
        allow(self.method, "" if len(allowed) > 1 else "Follows from the design.")

    def _show_secondary(self) -> None:
        plan = self.state.plan
        chosen = {name.strip().lower() for name in plan.secondary}
        for endpoint, box in self.secondary.items():
            primary = "It is the primary endpoint." if endpoint is plan.endpoint else ""
            box.setChecked(endpoint.value in chosen and not primary)
            allow(box, primary)
        others = self._in_words()
        self.other_words.setText(f"In words, reported and never tested: {'; '.join(others)}." if others else "")
        self.other_words.setVisible(bool(others))
