"""The study wizard: from a question to a registered study. What is half-filled survives whatever happens."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QIcon, QPixmap
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gui import icons
from gui.autosave import Autosave
from gui.errors import NoticesBar
from gui.jobs import Jobs
from gui.preferences import Preferences
from gui.study.background import Background
from gui.study.parts import StudyWindow, TaskBar, allow, button, label
from gui.study.wizard_analysis import AnalysisPage
from gui.study.wizard_cases import CasesPage
from gui.study.wizard_cnn import CnnPage
from gui.study.wizard_design import AnswersPage, DesignPage
from gui.study.wizard_draft import KEY, DraftFile, StudyDraft, empty_draft
from gui.study.wizard_page import WizardPage
from gui.study.wizard_question import QuestionPage
from gui.study.wizard_readers import ReadersPage
from gui.study.wizard_register import RegisterPage, ReviewPage
from gui.study.wizard_sizing import SizingPage
from gui.study.wizard_state import WizardState
from study.protocol import Part
from study.truth import KeyCost

SHOWN_PROBLEMS = 2


class StudyWizard(StudyWindow):
    registered = Signal(object)  # StudyRequest

    def __init__(
        self,
        root: Path,
        data_folder: Path,
        jobs: Jobs,
        preferences: Preferences,
        app_version: str,
        parent: QWidget | None = None,
        *,
        cost: KeyCost | None = None,
    ) -> None:
        """root: the program's folder. cost: of passphrases; the default but for tests."""
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.Window)
        self.setWindowTitle("New reader study")
        self.state = WizardState(self)
        self.background = Background("wizard", self)
        self._file = DraftFile(data_folder, self.background)
        self._autosave = Autosave(self._file, self._snapshot, self)
        self._over = False
        self._visited: set[int] = set()
        bundles = (root / "resources" / "models", data_folder / "models")
        self.question = QuestionPage(self.state)
        self.cases = CasesPage(self.state, self.background, jobs)
        self.readers = ReadersPage(self.state)
        self.design = DesignPage(self.state)
        self.answers = AnswersPage(self.state)
        self.cnn = CnnPage(self.state, self.background, jobs, bundles)
        self.analysis = AnalysisPage(self.state)
        self.sizing = SizingPage(self.state, self.background)
        self.review = ReviewPage(self.state, self.background)
        self.register_page = RegisterPage(self.state, self.background, data_folder, app_version, cost)
        self.pages: list[WizardPage] = [
            self.question, self.cases, self.readers, self.design, self.answers, self.cnn, self.analysis, self.sizing,
            self.review, self.register_page,
        ]  # fmt: skip
        self._build()
        for page in self.pages:
            page.problem.connect(self._tell)
        self.review.view.told.connect(self.notices.show_note)
        self.register_page.registered.connect(self._on_registered)
        self.register_page.go_to.connect(self.go_to)
        self.state.changed.connect(self._on_changed)
        self.setEnabled(False)  # for the moment that reading a draft takes
        self.background.run("Looking for a draft", lambda _steps: self._file.read(), self._begin, self._begin_anyway)

    # --- making it

    def _build(self) -> None:
        em = self.fontMetrics().height()
        self.steps = QListWidget()
        self.steps.setAccessibleName("Steps")
        self.steps.setFixedWidth(round(12.5 * em))
        self.steps.setFrameShape(QFrame.Shape.NoFrame)
        self.steps.setIconSize(QSize(em, em))
        self.steps.setSpacing(1)
        for number, page in enumerate(self.pages, start=1):
            item = QListWidgetItem(f"{number}  {page.TITLE}")
            item.setSizeHint(QSize(0, round(2 * em)))
            self.steps.addItem(item)
        self.steps.currentRowChanged.connect(self._enter)
        self.stack = QStackedWidget()
        for page in self.pages:
            self.stack.addWidget(page)
        self.notices = NoticesBar()
        self.saved = label("", "small", wrap=False)
        self.wrong = label("", "warning")
        self.back_button = button("&Back", lambda: self.step(-1), "previous")
        self.next_button = button("Ne&xt", lambda: self.step(1), "", "main")
        kept = self.next_button.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # “Back” stays where it is on the last page
        self.next_button.setSizePolicy(kept)
        side = QFrame()
        column = QVBoxLayout(side)
        column.setContentsMargins(8, 14, 0, 12)
        column.addWidget(self.steps, 1)
        column.addWidget(self.saved)
        bottom = QFrame()
        row = QHBoxLayout(bottom)
        row.setContentsMargins(26, 10, 20, 12)
        row.addWidget(self.wrong, 1)
        row.addWidget(TaskBar(self.background))
        row.addWidget(self.back_button)
        row.addWidget(self.next_button)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.notices)
        right.addWidget(self.stack, 1)
        right.addWidget(_rule())
        right.addWidget(bottom)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(side)
        whole.addLayout(right, 1)
        self.resize(66 * em, 48 * em)

    # --- going through it

    def go_to(self, part: Part) -> None:
        """The page where this is corrected."""
        page = next((page for page in self.pages if part in page.PARTS), self.question)
        self.steps.setCurrentRow(self.pages.index(page))

    def step(self, by: int) -> None:
        """Forward or back; the keyboard goes along."""
        self.steps.setCurrentRow(self.steps.currentRow() + by)
        self.pages[self.steps.currentRow()].focus_first()

    def _enter(self, row: int) -> None:
        if row < 0:
            return
        self._visited.add(self.stack.currentIndex())
        self.stack.setCurrentIndex(row)
        self._visited.add(row)
        self.state.set_step(row)
        self._autosave.touch()
        page = self.pages[row]
        page.entered()
        self.back_button.setEnabled(row > 0)
        self.next_button.setVisible(row < len(self.pages) - 1)
        self._show()

    def _on_changed(self) -> None:
        self._autosave.touch()
        self._show()

    def _show(self) -> None:
        current = self.steps.currentRow()
        problems = self.state.problems()
        for row, page in enumerate(self.pages):
            own = [sentence for part, sentence in problems if part in page.PARTS]
            item = self.steps.item(row)
            warn = bool(own) and row in self._visited and row != current
            done = row in self._visited and not own and row < len(self.pages) - 2
            name = "warning" if warn else "check" if done else ""
            item.setIcon(icons.icon(name, "warning" if warn else "accent") if name else _blank(self.steps.iconSize()))
            words = "; ".join(own[:3])
            item.setToolTip(words)
            item.setData(Qt.ItemDataRole.AccessibleDescriptionRole, words or ("complete" if done else ""))
        own = [sentence for part, sentence in problems if current >= 0 and part in self.pages[current].PARTS]
        more = f" And {len(own) - SHOWN_PROBLEMS} more." if len(own) > SHOWN_PROBLEMS else ""
        self.wrong.setText(" ".join(own[:SHOWN_PROBLEMS]) + more)
        allow(self.next_button, "", "; ".join(own[:3]))

    # --- the draft

    def _begin(self, draft: StudyDraft | None) -> None:
        self.setEnabled(True)
        if draft is not None:
            self._go_through(draft)
            at = datetime.fromisoformat(draft.saved_utc).astimezone()
            self.notices.show_notice(
                f"Your half-filled study of {at:%d %B, %H:%M} is here again. What the CNN said is computed anew.",
                action=("Start anew", self.start_anew),
                quiet=True,
            )
        self.steps.setCurrentRow(min(self.state.draft.step, len(self.pages) - 1))
        self.pages[self.steps.currentRow()].focus_first()
        self.cnn.ask_network()

    def _begin_anyway(self, sentence: str, details: str) -> None:
        self._tell(sentence, details)
        self._begin(None)

    def start_anew(self) -> None:
        """An empty study; the half-filled one is put aside, not deleted."""
        self._autosave.flush()  # what was typed last is put aside, too
        self.background.run("Putting the draft aside", lambda _steps: self._file.put_aside(), keep=True)
        self._go_through(empty_draft())
        self.notices.show_notice(
            "The half-filled study was put aside, until a study is registered.",
            action=("Bring it back", self.bring_back),
            quiet=True,
        )

    def bring_back(self) -> None:
        """What was put aside; what was typed since is given up."""
        self.background.run(
            "Reading the draft",
            lambda _steps: self._file.read_previous(),
            lambda draft: self._go_through(draft) if draft is not None else None,
            self._tell,
        )

    def _go_through(self, draft: StudyDraft) -> None:
        self._visited = set(range(draft.step + 1)) if draft.step else set()
        self.state.restore(draft)
        self.steps.setCurrentRow(min(draft.step, len(self.pages) - 1))
        self._show()

    def _snapshot(self) -> tuple[str, bytes] | None:
        if self._over:
            return None
        self.saved.setText(f"Draft saved {datetime.now():%H:%M:%S}")  # noqa: DTZ005 - the reader's own clock
        return KEY, self.state.draft.to_bytes()

    # --- the end

    def _on_registered(self, made: object) -> None:
        self._over = True
        self._autosave.discard(KEY)
        self.registered.emit(made)
        self.close()

    def _tell(self, sentence: str, details: str = "") -> None:
        self.notices.show_notice(sentence, details)

    def may_close(self) -> bool:
        if self.register_page.is_registering and not self._over:
            self._tell("The study is being registered; wait for that.")
            return False
        return True

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.may_close():
            event.ignore()
            return
        self.cases.inspection.stop()
        self.cnn.answers.stop()
        self._autosave.flush()
        self.background.shutdown()
        super().closeEvent(event)


def _rule() -> QFrame:
    rule = QFrame()
    rule.setProperty("role", "rule")
    return rule


def _blank(size: QSize) -> QIcon:
    """Keeps the words of all steps in one line."""
    nothing = QPixmap(size)
    nothing.fill(Qt.GlobalColor.transparent)
    return QIcon(nothing)
