"""How the study is conducted, and what each reader is asked about each case."""

from __future__ import annotations

from collections.abc import Callable

from gui.study.parts import Choice, Form, allow, label
from gui.study.wizard_page import Bound, WizardPage
from study.protocol import Arms, Part, Scale, StudyDesign

SECTION = "section"


class DesignPage(WizardPage):
    TITLE = "Design"
    LEAD = "Who reads which case, and when the CNN is seen."
    PARTS = (Part.DESIGN,)

    def _build(self) -> None:
        state = self.state
        self.column.addWidget(label("Readers and cases", SECTION))
        self.design = Choice(
            "Design",
            [
                (
                    StudyDesign.CROSSED,
                    "Fully crossed",
                    "Every reader reads every case. The fewest cases for the power.",
                ),
                (
                    StudyDesign.SPLIT_PLOT,
                    "Paired split-plot",
                    "Each block of readers reads its own block of cases, in every arm. Less work for each reader.",
                ),
                (
                    StudyDesign.CNN_AGAINST_READERS,
                    "CNN against readers",
                    "Readers never see the CNN; it is compared with them as a reader of its own.",
                ),
            ],
        )
        self.design.picked.connect(lambda value: state.set(design=value))
        self.column.addWidget(self.design)
        self.blocks = self.number(lambda: state.protocol.blocks, lambda n: state.set(blocks=n), 1, 50)
        form = Form()
        form.add("&Blocks", self.blocks.field, "Of a split-plot study.")
        self.column.addLayout(form)
        self.column.addWidget(label("Arms", SECTION))
        self.arms = Choice(
            "Arms",
            [
                (
                    Arms.SEQUENTIAL,
                    "Unaided, then aided, case by case",
                    "The unaided answer is locked before the CNN appears; then the answer is given again.",
                ),
                (
                    Arms.CROSSOVER,
                    "Crossover with washout",
                    (
                        "All cases in one arm, a pause, all cases in the other; the order is balanced over the readers. "
                        "The aided arm shows the CNN from the start."
                    ),
                ),
                (Arms.UNAIDED, "Unaided only", "For a comparison of the CNN with readers."),
            ],
        )
        self.arms.picked.connect(lambda value: state.set(arms=value))
        self.column.addWidget(self.arms)
        self.washout = self.number(lambda: state.protocol.washout_days, lambda n: state.set(washout_days=n), 1, 730)
        self.washout.field.setSuffix(" days")
        self.repeats = self.number(lambda: state.protocol.repeats, lambda n: state.set(repeats=n), 0, 10_000)
        self.seed = self.number(lambda: state.protocol.seed, lambda n: state.set(seed=n), 1, 2_147_483_647)
        form = Form()
        form.add("&Washout", self.washout.field, "Enforced by date on every reader's machine. Of a crossover.")
        form.add(
            "Cases read &twice",
            self.repeats.field,
            "By each reader in each arm, far apart: how well readers agree with themselves.",
        )
        form.add(
            "&Seed", self.seed.field, "From it each reader's own random order is drawn; it is part of the protocol."
        )
        self.column.addLayout(form)

    def _show(self) -> None:
        protocol = self.state.protocol
        self.design.show_value(protocol.design)
        self.arms.show_value(protocol.arms)
        against = protocol.design is StudyDesign.CNN_AGAINST_READERS
        for arms in (Arms.SEQUENTIAL, Arms.CROSSOVER):
            self.arms.allow(arms, "Readers who are compared with the CNN read without it." if against else "")
        self.arms.allow(Arms.UNAIDED, "" if against else "With one arm there is nothing to compare.")
        for bound in (self.blocks, self.washout, self.repeats, self.seed):
            bound.show()
        split = protocol.design is StudyDesign.SPLIT_PLOT
        allow(self.blocks.field, "" if split else "Only a split-plot study has blocks.")
        crossover = protocol.arms is Arms.CROSSOVER
        allow(self.washout.field, "" if crossover else "Only a crossover has a washout.")


class AnswersPage(WizardPage):
    TITLE = "What is asked"
    LEAD = "What a reader answers about each case. People and CNN use the same 0–100 scale for loosening."

    def _build(self) -> None:
        state = self.state
        self.column.addWidget(label("Rating scale", SECTION))
        self.scale = Choice(
            "Rating scale",
            [
                (
                    Scale.SCORE,
                    "0 to 100",
                    (
                        "How certain the reader is that the implant is loose; 50 is not allowed, so every score agrees with a "
                        "call. Gives the finest ROC curve."
                    ),
                ),
                (Scale.FIVE_POINT, "Five points", "From certainly not loose to certainly loose, written as 0 to 100."),
            ],
        )
        self.scale.picked.connect(lambda value: state.set(scale=value))
        self.column.addWidget(self.scale)
        self.column.addWidget(label("Beside call and score", SECTION))
        self.checks = [
            self.check("Ask for findings by &zone (Gruen, DeLee-Charnley)", *self._flag("zones_asked")),
            self.check("Ask for &marks on the radiograph", *self._flag("marks_asked")),
        ]
        self._add_checks(self.checks)
        self.column.addWidget(label("Allowed", SECTION))
        allowed = [
            self.check("Readers may answer “not &assessable”", *self._flag("not_assessable_allowed")),
            self.check("Readers may answer “&cannot tell”", *self._flag("cannot_tell_allowed")),
            self.check("Readers may go &back and correct, with a reason", *self._flag("going_back_allowed")),
        ]
        self._add_checks(allowed)
        self.column.addWidget(
            label(
                "An unaided answer can never be changed once the CNN was seen, whatever is allowed here. A correction is "
                "a new entry in the record; the old value stays in it.",
                "small",
            )
        )
        self.column.addWidget(label("Practice", SECTION))
        self.practice = label()
        self.column.addWidget(self.practice)
        self.checks += allowed

    def _flag(self, name: str) -> tuple[Callable[[], bool], Callable[[bool], object]]:
        return (lambda: getattr(self.state.protocol, name)), (lambda on: self.state.set(**{name: on}))

    def _add_checks(self, checks: list[Bound]) -> None:
        for bound in checks:
            self.column.addWidget(bound.field)

    def _show(self) -> None:
        protocol = self.state.protocol
        self.scale.show_value(protocol.scale)
        for bound in self.checks:
            bound.show()
        number = protocol.practice_cases
        self.practice.setText(
            f"{number} practice case{'' if number == 1 else 's'} come first for every reader and never count. "
            "Mark cases for practice in the table of cases."
            if number
            else "No practice cases yet. Cases marked for practice in the table of cases come first and never count."
        )
