"""The last two pages: the protocol as it will be registered, and registering it under the coordinator's passphrase."""

from __future__ import annotations

from pathlib import Path

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from gui.file_dialogs import choose_new_file
from gui.study.background import Background, Steps, Task
from gui.study.cnn_answers import keyed
from gui.study.coordinator_overview import StudyRequest
from gui.study.parts import Choice, Form, NewPassphrase, align_captions, allow, button, card, label
from gui.study.protocol_view import ProtocolView
from gui.study.study_place import KINDS, Place, as_place, file_name, place_problem, register_in
from gui.study.wizard_page import WizardPage
from gui.study.wizard_state import WizardState
from study.aids import Aid
from study.cases import Candidate
from study.coordinator import Coordinator, CoordinatorError, draft_study
from study.protocol import Protocol
from study.store import StudyStore
from study.truth import KeyCost

CANNOT_RECOVER = (
    "Nobody can recover this passphrase, this program included. Without it the truth can never be unsealed, and the study "
    "has no result. Write it down and keep it apart from the file."
)
FOLDER = "Lucency studies"


class ReviewPage(WizardPage):
    TITLE = "Review"
    LEAD = "The protocol as it will be fixed. Print it, or save it for an ethics committee or a registry of studies."
    STRETCH = True

    def __init__(self, state: WizardState, background: Background) -> None:
        self._background = background
        super().__init__(state)

    def _build(self) -> None:
        self.view = ProtocolView(self._background)
        self.view.problem.connect(self.problem)
        self.column.addWidget(self.view, 1)

    def entered(self) -> None:
        self.view.show_protocol(self.state.protocol)

    def _show(self) -> None:
        if self.isVisible():
            self.view.show_protocol(self.state.protocol)


class RegisterPage(WizardPage):
    TITLE = "Register"
    LEAD = (
        "From here on the study is fixed: its protocol is hashed and signed, the truth and the CNN's answers are sealed "
        "under your passphrase."
    )

    registered = Signal(object)  # StudyRequest, with the passphrase that was just typed
    go_to = Signal(object)  # the Part to be corrected

    def __init__(
        self,
        state: WizardState,
        background: Background,
        data_folder: Path,
        app_version: str,
        cost: KeyCost | None = None,
    ) -> None:
        """cost: of the passphrase; the default but for tests."""
        self._background = background
        self._data_folder = data_folder
        self._app_version = app_version
        self._cost = cost
        self._named = False  # the file's name was chosen, not made from the title
        self.task: Task | None = None
        super().__init__(state)

    def _build(self) -> None:
        self.problems_card, self._problems = card()
        self.column.addWidget(self.problems_card)
        self.kind = Choice(
            "Where the study lies",
            [
                (Path, "In a file on this machine", "Readers get packages and send files back."),
                (
                    str,
                    "On a PostgreSQL server",
                    "Several workstations use it at once. Never put a study file on a network share instead.",
                ),
            ],
        )
        self.kind.show_value(Path)
        self.kind.picked.connect(lambda _kind: self._show())
        self.column.addWidget(label("Where the study lies", "section"))
        self.column.addWidget(self.kind)
        self.place_line = QLineEdit()
        self.place_line.setAccessibleName("File or address of the study")
        self.place_line.textEdited.connect(self._rename)
        self.browse_button = button("C&hoose …", self._browse, "folder")
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.place_line, 1)
        row.addWidget(self.browse_button)
        self.code_line = QLineEdit("coordinator", maxLength=40)
        self.code_line.textChanged.connect(lambda _text: self._show())
        form = Form()
        form.add("&Place", holder)
        form.add("Your &code", self.code_line, "In the record instead of your name.")
        self.column.addLayout(form)
        self.column.addWidget(label("The coordinator's passphrase", "section"))
        self.passphrase = NewPassphrase("Coordinator")
        align_captions(form, self.passphrase.form)
        self.passphrase.changed.connect(self._show)
        self.column.addWidget(self.passphrase)
        self.column.addWidget(label(CANNOT_RECOVER, "warning"))
        self.register_button = button("&Register the study", self.register, "lock", "main")
        self.why_not = label("", "muted")
        row = QHBoxLayout()
        row.addWidget(self.register_button)
        row.addWidget(self.why_not, 1)
        self.column.addLayout(row)

    @property
    def place(self) -> Place:
        return as_place(self.place_line.text())

    @property
    def is_registering(self) -> bool:
        return self.task is not None

    def refusal(self) -> str:
        """Why the study cannot be registered now, or ""."""
        problems = self.state.problems()
        if problems:
            return f"{len(problems)} thing{'' if len(problems) == 1 else 's'} to correct first; see above."
        if self.is_registering:
            return "The study is being registered …"
        typed = self.place_line.text().strip()
        if not typed:
            return "Say where the study shall lie."
        wrong_kind = (self.kind.value is str) != ("://" in typed)
        wrong = "Choose a file, or a server, to match the address." if wrong_kind else ""
        code = "" if self.code_line.text().strip() else "Give yourself a code."
        return wrong or place_problem(self.place) or code or self.passphrase.problem()

    def register(self) -> None:
        if self.refusal():
            return
        state, place = self.state, self.place
        assert state.network is not None
        work = Registration(
            state.protocol,
            state.candidates,
            dict(state.answers),
            state.network.threshold,
            state.network.training_hashes,
            self.passphrase.text,
            self.code_line.text().strip(),
            self._cost,
            self._app_version,
        )
        folder, version = self._data_folder, self._app_version

        def do(_steps: Steps) -> StudyRequest:
            register_in(place, work.protocol.study_id, folder, version, work.run)
            return StudyRequest(place, work.protocol.study_id, work.passphrase)

        self.task = self._background.run("Registering the study", do, self._done, self.problem.emit)
        self.task.ended.connect(self._ended)
        self._show()

    def _done(self, made: StudyRequest) -> None:
        self.passphrase.clear()
        self.registered.emit(made)

    def _ended(self) -> None:
        self.task = None
        self._show()

    def entered(self) -> None:
        self._show()

    def _rename(self) -> None:
        self._named = True
        self._show()

    def _browse(self) -> None:
        choose_new_file(
            self, "Where the study shall lie", file_name(self.state.protocol.title), KINDS, self._take_place
        )

    def _take_place(self, path: Path) -> None:
        self.place_line.setText(str(path))
        self._rename()

    def _show(self) -> None:
        on_server = self.kind.value is str
        self.browse_button.setVisible(not on_server)
        self.place_line.setPlaceholderText("postgresql://user:password@server/database" if on_server else "")
        typed = self.place_line.text()
        if on_server and "://" not in typed and typed:
            self.place_line.clear()
        elif not on_server and ("://" in typed or not self._named):
            name = file_name(self.state.protocol.title)
            self.place_line.setText(str(Path.home() / FOLDER / Path(name).stem / name))
        self._show_problems()
        refusal = self.refusal()
        allow(self.register_button, refusal)
        self.why_not.setText(refusal)

    def _show_problems(self) -> None:
        problems = self.state.problems()
        self.problems_card.setVisible(bool(problems))
        while (item := self._problems.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._problems.addWidget(label("To correct before the study can be registered", "section"))
        for part, sentence in problems[:8]:
            self._problems.addWidget(_ProblemLine(sentence, lambda part=part: self.go_to.emit(part)))
        if len(problems) > 8:
            self._problems.addWidget(label(f"{len(problems) - 8} more.", "muted"))


class _ProblemLine(QWidget):
    def __init__(self, sentence: str, go: object) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(label(sentence), 1)
        made = button("Correct", go)  # type: ignore[arg-type]
        made.setAccessibleName(f"Correct: {sentence}")
        row.addWidget(made)


class Registration(msgspec.Struct, frozen=True):
    """All that registering needs, taken from the window so that it can happen in a thread."""

    protocol: Protocol
    candidates: list[Candidate]
    answers: dict[object, Aid]  # by Candidate.key
    threshold: float
    training_hashes: frozenset[str]
    passphrase: str
    coordinator_id: str
    cost: KeyCost | None
    app_version: str

    def run(self, store: StudyStore) -> None:
        """Raises what draft_study and Coordinator.register raise."""
        draft = draft_study(self.protocol, self.candidates, self.training_hashes)
        aids = keyed(self.answers, draft.named)
        if len(aids) != len(draft.named):
            raise CoordinatorError("The CNN has not answered every case.")
        Coordinator(store, self.app_version, self.cost).register(
            draft, self.passphrase, aids, self.threshold, self.coordinator_id
        )
        for case in draft.named.values():
            store.note_location(case.image_sha256, case.source.path, case.source.member).result()
