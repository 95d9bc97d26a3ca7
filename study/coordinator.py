"""The coordinator's side of a study: register, enrol, hand out, take in, close, unseal, and make the score table.

The study is what its events say; nothing is kept beside them. All methods wait for the disk and some for argon2, so
they belong into a worker, never into the window's thread.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from imaging.radiograph import Radiograph
from study.accounts import (
    Account,
    Meaning,
    Role,
    Signature,
    Signer,
    Statement,
    create_account,
    reset_account,
)
from study.aids import Aid, make_aids
from study.cases import (
    Candidate,
    CasesError,
    StudyCase,
    case_problems,
    cases_sha256,
    name_cases,
    refuse_trained,
    study_cases,
)
from study.chain import Event, canonical_json, head_of
from study.design import Slot, split_plot_blocks
from study.dossier import Dossier, make_dossier
from study.package import Images, make_plan, prepare_images, write_package
from study.protocol import Protocol, StudyDesign, check_protocol, protocol_sha256
from study.returned import read_return
from study.session import Session
from study.store import StudyStore
from study.study_check import Flaw, check_study
from study.study_events import (
    KIND_OF,
    AccountReset,
    Closed,
    Deviation,
    Enrolled,
    Entry,
    Packaged,
    Registered,
    StudyPayload,
    TakenIn,
    Unsealed,
    entry_sha256,
)
from study.study_scores import StudyScores, open_aids, purpose_of, unsealed_scores
from study.study_state import CoordinatorError, StudyState, fold_study, order_of, reader_chains, reader_of, replay
from study.truth import KeyCost, commitment, make_truth, seal

__all__ = ["Coordinator", "CoordinatorError", "Draft", "StudyScores", "StudyState", "draft_study", "new_study_id"]


@dataclass(frozen=True)
class Draft:
    """A study as the wizard has put it together. Nothing of it is recorded yet."""

    protocol: Protocol
    named: dict[str, Candidate]  # by case id
    secret: str

    @property
    def practice(self) -> list[str]:
        return [name for name, case in self.named.items() if case.practice]


def new_study_id() -> str:
    return secrets.token_hex(8)


def draft_study(protocol: Protocol, candidates: Sequence[Candidate], training_hashes: Iterable[str] = ()) -> Draft:
    """Name the cases, and refuse what cannot become a study. Raises CasesError, ProtocolError.

    The protocol's numbers of cases are set to what is there. The CNN's answers (`register`) are keyed by `named`.
    """
    problems = case_problems(candidates)
    if problems:
        raise CasesError(str(problems[0]))
    refuse_trained(candidates, set(training_hashes), protocol.bundle_id)
    secret = secrets.token_hex(32)
    named = name_cases(candidates, secret)
    practice = sum(case.practice for case in candidates)
    complete = msgspec.structs.replace(
        protocol,
        planned_cases=len(candidates) - practice,
        practice_cases=practice,
        cases_sha256="",
        truth_commitment="",
    )
    check_protocol(complete)
    return Draft(complete, named, secret)


class Coordinator:
    """One study in one store, whose `study` is the protocol's study_id."""

    def __init__(self, store: StudyStore, app_version: str = "", cost: KeyCost | None = None) -> None:
        """cost: of passphrases made here; the default but for tests."""
        self._store = store
        self._app_version = app_version
        self._cost = cost
        self._signer: Signer | None = None

    def unlock(self, passphrase: str) -> None:
        """Let every entry from here on be signed. What asks for the passphrase anyway does this too. Raises AccountError."""
        self._unlock(self.state().registered.coordinator, passphrase)

    @property
    def is_unlocked(self) -> bool:
        """Whether every entry from here on is signed."""
        return self._signer is not None

    def lock(self) -> None:
        """Forget the key."""
        self._signer = None

    # --- what the events say

    def state(self) -> StudyState:
        """Raises CoordinatorError where no study is registered here, StoreError."""
        return fold_study(self._store.events(), self._store.study)

    def sessions(self) -> dict[str, Session]:
        """Every reader's session as far as it came back, replayed under the rules that held while they read."""
        events = self._store.events()
        return replay(fold_study(events, self._store.study), events)

    def flaws(self) -> list[Flaw]:
        """What does not fit in the study, with its place: hashes, signatures, ends, readings against the protocol."""
        return check_study(self._store.events(), self._store.study)

    def check(self) -> list[str]:
        """Everything that is wrong with the record and the study, as sentences: chains, hashes, signatures. Waits."""
        chains = [problem.sentence for problem in self._store.verify()]
        return [*chains, *(flaw.sentence for flaw in self.flaws())]

    def dossier(self) -> Dossier:
        """What a report says of the study beside its scores. Waits."""
        history = self._store.history()
        return make_dossier(history.events, self._store.study, history.problems)

    # --- before the first reading

    def register(
        self,
        draft: Draft,
        passphrase: str,
        answers: Iterable[Aid] = (),
        threshold: float = 50.0,
        coordinator_id: str = "coordinator",
    ) -> Registered:
        """Fix the study: hash the protocol, seal the truth and the CNN's answers. Nothing of it can be changed later.

        answers: of the CNN, by case id; needed where it is shown or compared. threshold: its operating point, 0-100.
        Raises CoordinatorError, ProtocolError, AccountError, SealError, StoreError.
        """
        protocol = draft.protocol
        if self._store.study != protocol.study_id:
            raise CoordinatorError("This file is of another study.")
        if any(event.study == protocol.study_id for event in self._store.events()):
            raise CoordinatorError("A study is registered in this file already; its protocol cannot be changed.")
        cases = study_cases(draft.named, draft.secret)
        truth = make_truth(
            {name: case.truth for name, case in draft.named.items() if not case.practice and case.truth is not None}
        )
        held = list(answers)
        if {aid.case_id for aid in held} != set(draft.named):
            raise CoordinatorError("The CNN has not answered every case of the study, or cases that are not in it.")
        try:
            aids = make_aids(held, threshold, protocol.planned_cases, protocol.sham_share, practice=draft.practice)
        except ValueError as error:
            raise CoordinatorError(str(error)) from error
        protocol = msgspec.structs.replace(
            protocol, cases_sha256=cases_sha256(cases), truth_commitment=commitment(truth)
        )
        check_protocol(protocol)
        blocks: list[list[str]] = []
        if protocol.design is StudyDesign.SPLIT_PLOT:
            counted = [case.id for case in cases if not case.practice]
            patients = {case.id: case.patient for case in cases}
            blocks = split_plot_blocks(
                protocol, counted, patients, {name: str(value) for name, value in truth.of_case.items()}
            )
        account = create_account(coordinator_id, Role.COORDINATOR, protocol.study_id, passphrase, cost=self._cost)
        digest = protocol_sha256(protocol)
        signer = self._unlock(account, passphrase)
        payload = Registered(
            protocol,
            digest,
            cases,
            tuple(map(tuple, blocks)),
            account,
            seal(truth, passphrase, purpose_of("truth", protocol), self._cost),
            seal(aids, passphrase, purpose_of("aids", protocol), self._cost),
            signer.sign(self._statement(account, protocol, digest, Meaning.REGISTERED)),
        )
        self._append(account.id, payload)
        return payload

    def enrol(self, reader_id: str, passphrase: str, experience: str = "") -> Account:
        """A reader's account, with a first passphrase that they change. Raises CoordinatorError, AccountError."""
        state = self._open_state()
        if reader_id in (*state.readers, state.registered.coordinator.id, state.protocol.bundle_id):
            raise CoordinatorError(f"There is a {reader_id} already.")
        account = create_account(
            reader_id, Role.READER, state.protocol.study_id, passphrase, experience=experience, cost=self._cost
        )
        self._append_entry(state.registered, Enrolled(len(state.readers), account))
        if len(state.readers) >= state.protocol.planned_readers:
            self.deviate("One reader more than planned was enrolled.", "Recorded by the program.")
        return account

    def reset(self, reader_id: str, new_passphrase: str, coordinator_passphrase: str, reason: str) -> Account:
        """Give a reader who lost the passphrase a new key; make them a new package. What they signed stays signed."""
        state = self._open_state()
        held = reader_of(state, reader_id)
        if not reason.strip():
            raise CoordinatorError("Say why the account is reset.")
        account = reset_account(held.account, new_passphrase, self._cost)
        self._unlock(state.registered.coordinator, coordinator_passphrase)
        signature = self._sign(state.registered, Meaning.ACCOUNT_RESET, account.public_key)
        self._append(state.registered.coordinator.id, AccountReset(account, reason, signature))
        return account

    def deviate(self, what: str, reason: str) -> None:
        """Note that something is done otherwise than the protocol says. The protocol itself stays as it is."""
        state = self.state()
        if not what.strip() or not reason.strip():
            raise CoordinatorError("Say what was done otherwise, and why.")
        self._append_entry(state.registered, Deviation(what, reason))

    def prepare(
        self,
        read: Callable[[StudyCase], Radiograph],
        folder: Path,
        keep_going: Callable[[int], bool] = lambda _: True,
    ) -> Images:
        """De-identify the images once for all packages. Raises PackageError."""
        return prepare_images(self.state().registered.cases, read, folder, keep_going)

    def order(self, reader_id: str) -> tuple[Slot, ...]:
        """What a reader reads, in order."""
        state = self.state()
        return order_of(state, reader_id)

    def hand_out(
        self, reader_id: str, path: Path, images: Images, passphrase: str, *, burned_in_checked: bool
    ) -> Packaged:
        """Write a reader's package. Raises CoordinatorError, PackageError, AccountError, SealError, StoreError.

        burned_in_checked: somebody looked at every image for names in the picture itself, which no program finds.
        """
        state = self._open_state()
        if not burned_in_checked:
            raise CoordinatorError("Look at every image for names in the picture itself before it leaves this machine.")
        held = reader_of(state, reader_id)
        registered = state.registered
        self._unlock(registered.coordinator, passphrase)
        aids = open_aids(registered, passphrase) if state.protocol.shows_cnn else None
        plan = make_plan(state.protocol, order_of(state, reader_id), images, aids)
        digest = write_package(
            path,
            state.protocol,
            held.account,
            plan,
            images,
            aids,
            registered.coordinator,
            passphrase,
            self._app_version,
        )
        payload = Packaged(reader_id, digest, plan, burned_in_checked)
        self._append_entry(registered, payload)
        return payload

    # --- readings come back

    def take_in(self, path: Path) -> TakenIn:
        """Merge a returned file. The same file again adds nothing. Raises CoordinatorError, ReturnError, StoreError."""
        state = self._open_state()
        returned = read_return(path)
        if returned.study_id != state.protocol.study_id:
            raise CoordinatorError(f"{path.name} belongs to another study.")
        held = reader_of(state, returned.reader_id)
        if held.package is None:
            raise CoordinatorError(f"No package was made for {returned.reader_id}.")
        device = returned.head.device
        owner = state.devices.get(device, returned.reader_id)
        if owner != returned.reader_id:
            raise CoordinatorError(f"These answers come from the machine of {owner}, not of {returned.reader_id}.")
        other = [d for d, reader in state.devices.items() if reader == returned.reader_id and d != device]
        if other:
            raise CoordinatorError(
                f"Answers of {returned.reader_id} from another machine were taken in before; only one chain can count."
            )
        if any(event.actor != returned.reader_id for event in returned.events):
            raise CoordinatorError(f"{path.name} holds entries of somebody else than {returned.reader_id}.")
        new = self._store.merge(list(returned.events)).result()
        known = state.taken_in.get(returned.reader_id)
        payload = TakenIn(returned.reader_id, device, returned.head.seq, returned.head.hash, len(new))
        if new or known is None:
            self._append_entry(state.registered, payload)
        return payload

    # --- the end

    def close(self, passphrase: str, reason_if_unfinished: str = "") -> None:
        """Close the reading phase. Where somebody has not signed, that is a deviation and needs a reason."""
        state = self._open_state()
        events = self._store.events()
        sessions = replay(state, events)
        unsigned = [name for name in state.readers if name not in sessions or sessions[name].signed is None]
        if not state.readers:
            raise CoordinatorError("Nobody has read anything yet.")
        if unsigned and not reason_if_unfinished.strip():
            raise CoordinatorError(
                f"Not finished and signed: {', '.join(unsigned)}. Give a reason to close the reading phase all the same."
            )
        self._unlock(state.registered.coordinator, passphrase)
        if unsigned:
            self.deviate(f"Closed before these had finished: {', '.join(unsigned)}.", reason_if_unfinished)
        self._note_ends(state, events)
        signature = self._sign(state.registered, Meaning.CLOSED)
        self._append(state.registered.coordinator.id, Closed(signature))
        self._store.export_heads()  # at once: from here on a cut-off end must show, whatever becomes of this program

    def unseal(self, passphrase: str) -> StudyScores:
        """Open the truth, once nothing can be read any more, and make the tables. Raises CoordinatorError, SealError."""
        events = self._store.events()
        scores = unsealed_scores(events, self._store.study, passphrase)
        state = fold_study(events, self._store.study)
        if not state.unsealed_utc:
            self._unlock(state.registered.coordinator, passphrase)
            self._append_entry(state.registered, Unsealed(state.protocol.truth_commitment))
        return scores

    # --- inside

    def _open_state(self) -> StudyState:
        state = self.state()
        if state.closed_utc:
            raise CoordinatorError("The reading phase is closed.")
        return state

    def _note_ends(self, state: StudyState, events: list[Event]) -> None:
        """Chains that nobody took in, because their machines share this store, count as far as they reach now."""
        for reader, chain in reader_chains(state, events).items():
            for last in {event.device: event for event in chain}.values():
                known = state.ends.get(last.device)
                if known is None or known.seq < last.seq:
                    added = last.seq - (known.seq if known else 0)
                    head = head_of(last)
                    payload = TakenIn(reader, head.device, head.seq, head.hash, added)
                    self._append_entry(state.registered, payload)

    def _append(self, actor: str, payload: StudyPayload) -> Event:
        return self._store.append(KIND_OF[type(payload)], actor, payload).result()

    def _append_entry(self, registered: Registered, payload: Entry) -> Event:
        """Signed, once the key is open; entries that are not are named by the check."""
        if self._signer is not None:
            about = entry_sha256(canonical_json(payload))
            payload = msgspec.structs.replace(payload, signature=self._sign(registered, Meaning.ENTRY, about))
        return self._append(registered.coordinator.id, payload)

    def _unlock(self, account: Account, passphrase: str) -> Signer:
        self._signer = Signer(account, passphrase)
        return self._signer

    def _sign(self, registered: Registered, meaning: Meaning, about: str = "") -> Signature:
        assert self._signer is not None
        return self._signer.sign(
            self._statement(registered.coordinator, registered.protocol, registered.protocol_sha256, meaning, about)
        )

    def _statement(
        self, account: Account, protocol: Protocol, digest: str, meaning: Meaning, about: str = ""
    ) -> Statement:
        return Statement(protocol.study_id, digest, account.id, meaning, self._store.head(), about)
