"""The coordinator's side of a study: register, enrol, hand out, take in, close, unseal, and make the score table.

The study is what its events say; nothing is kept beside them. All methods wait for the disk and some for argon2, so
they belong into a worker, never into the window's thread.
"""

from __future__ import annotations

import heapq
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from imaging.radiograph import Radiograph
from study.accounts import (
    Account,
    Meaning,
    PublicAccount,
    Role,
    Signature,
    Statement,
    check_passphrase,
    create_account,
    is_signed_by,
    public,
    reset_account,
    sign,
)
from study.aids import LOOSE, NOT_LOOSE, Aid, Aids, make_aids
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
from study.chain import Event
from study.design import Slot, block_of, reading_order, split_plot_blocks
from study.model import Call
from study.package import Images, make_plan, prepare_images, write_package
from study.protocol import (
    Indeterminate,
    Missing,
    Protocol,
    StudyDesign,
    check_protocol,
    protocol_sha256,
)
from study.returned import read_return
from study.scores import ScoreTable
from study.session import AIDED, UNAIDED, Given, Session, Violation
from study.store import StudyStore
from study.study_events import (
    KIND_OF,
    AccountReset,
    Closed,
    Deviation,
    Enrolled,
    Packaged,
    Registered,
    StudyEventKind,
    StudyPayload,
    TakenIn,
    Unsealed,
    decode_study,
)
from study.truth import KeyCost, SealError, Truth, commitment, make_truth, seal, unseal


class CoordinatorError(ValueError):
    """This cannot be done (now). `str(error)` is a sentence."""


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


@dataclass
class Enrolment:
    """A reader, and what has come back from them."""

    number: int
    account: Account
    former: list[PublicAccount] = field(default_factory=list)  # keys before a reset
    package: Packaged | None = None

    @property
    def accounts(self) -> list[PublicAccount]:
        return [*self.former, public(self.account)]


@dataclass
class StudyState:
    """The study as its coordinator's events tell it."""

    registered: Registered
    readers: dict[str, Enrolment] = field(default_factory=dict)
    deviations: list[tuple[str, Deviation]] = field(default_factory=list)  # UTC time
    taken_in: dict[str, TakenIn] = field(default_factory=dict)  # the latest by reader
    devices: dict[str, str] = field(default_factory=dict)  # reader by device
    closed_utc: str = ""
    unsealed_utc: str = ""

    @property
    def protocol(self) -> Protocol:
        return self.registered.protocol


@dataclass(frozen=True)
class StudyScores:
    """What the analysis starts from.

    table: each reader's first reading of each case, shams and practice left out, with the CNN's own answers.
    repeats: second readings, same columns. sham: readings of cases whose CNN output was flipped, in every mode.
    """

    table: ScoreTable
    repeats: ScoreTable
    sham: ScoreTable
    algorithm: str  # the reader in `table` that is the CNN; "" where it answered nothing
    sham_cases: tuple[str, ...]
    violations: dict[str, tuple[Violation, ...]]  # by reader


class Coordinator:
    """One study in one store, whose `study` is the protocol's study_id."""

    def __init__(self, store: StudyStore, app_version: str = "", cost: KeyCost | None = None) -> None:
        """cost: of passphrases made here; the default but for tests."""
        self._store = store
        self._app_version = app_version
        self._cost = cost

    # --- what the events say

    def state(self) -> StudyState:
        """Raises CoordinatorError where no study is registered here, StoreError."""
        return self._fold(self._store.events())

    def _fold(self, events: Iterable[Event]) -> StudyState:
        state: StudyState | None = None
        for event in _by_time(events, self._store.study):
            if state is not None and event.actor != state.registered.coordinator.id:
                continue  # a reader's own chain
            try:
                payload = decode_study(event)
            except msgspec.DecodeError as error:
                raise CoordinatorError(f"Event {event.seq} of the study cannot be understood.") from error
            if isinstance(payload, Registered):
                state = state or StudyState(payload)
            elif state is not None and payload is not None:
                _take(state, payload, event.utc)
        if state is None:
            raise CoordinatorError("No study is registered in this file.")
        return state

    def sessions(self) -> dict[str, Session]:
        """Every reader's session as far as it came back, replayed under the rules that held while they read."""
        events = self._store.events()
        return _sessions(self._fold(events), events, None)

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
        payload = Registered(
            protocol,
            digest,
            cases,
            tuple(map(tuple, blocks)),
            account,
            seal(truth, passphrase, _purpose("truth", protocol), self._cost),
            seal(aids, passphrase, _purpose("aids", protocol), self._cost),
            self._sign(account, passphrase, protocol, digest, Meaning.REGISTERED),
        )
        self._append(account.id, payload)
        return payload

    def enrol(self, reader_id: str, passphrase: str, experience: str = "") -> Account:
        """A reader's account, with a first passphrase that they change. Raises CoordinatorError, AccountError."""
        state = self._open_state()
        if reader_id in state.readers or reader_id == state.registered.coordinator.id:
            raise CoordinatorError(f"There is a {reader_id} already.")
        account = create_account(
            reader_id, Role.READER, state.protocol.study_id, passphrase, experience=experience, cost=self._cost
        )
        self._append(state.registered.coordinator.id, Enrolled(len(state.readers), account))
        if len(state.readers) >= state.protocol.planned_readers:
            self.deviate("One reader more than planned was enrolled.", "Recorded by the program.")
        return account

    def reset(self, reader_id: str, new_passphrase: str, coordinator_passphrase: str, reason: str) -> Account:
        """Give a reader who lost the passphrase a new key; make them a new package. What they signed stays signed."""
        state = self._open_state()
        held = _reader(state, reader_id)
        if not reason.strip():
            raise CoordinatorError("Say why the account is reset.")
        account = reset_account(held.account, new_passphrase, self._cost)
        signature = self._sign(
            state.registered.coordinator,
            coordinator_passphrase,
            state.protocol,
            state.registered.protocol_sha256,
            Meaning.ACCOUNT_RESET,
            account.public_key,
        )
        self._append(state.registered.coordinator.id, AccountReset(account, reason, signature))
        return account

    def deviate(self, what: str, reason: str) -> None:
        """Note that something is done otherwise than the protocol says. The protocol itself stays as it is."""
        state = self.state()
        if not what.strip() or not reason.strip():
            raise CoordinatorError("Say what was done otherwise, and why.")
        self._append(state.registered.coordinator.id, Deviation(what, reason))

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
        return _order(state, _reader(state, reader_id).number)

    def hand_out(
        self, reader_id: str, path: Path, images: Images, passphrase: str, *, burned_in_checked: bool
    ) -> Packaged:
        """Write a reader's package. Raises CoordinatorError, PackageError, AccountError, SealError, StoreError.

        burned_in_checked: somebody looked at every image for names in the picture itself, which no program finds.
        """
        state = self._open_state()
        if not burned_in_checked:
            raise CoordinatorError("Look at every image for names in the picture itself before it leaves this machine.")
        held = _reader(state, reader_id)
        registered = state.registered
        check_passphrase(registered.coordinator, passphrase)
        aids = self._aids(registered, passphrase) if state.protocol.shows_cnn else None
        plan = make_plan(state.protocol, _order(state, held.number), images, aids)
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
        self._append(registered.coordinator.id, payload)
        return payload

    # --- readings come back

    def take_in(self, path: Path) -> TakenIn:
        """Merge a returned file. The same file again adds nothing. Raises CoordinatorError, ReturnError, StoreError."""
        state = self._open_state()
        returned = read_return(path)
        if returned.study_id != state.protocol.study_id:
            raise CoordinatorError(f"{path.name} belongs to another study.")
        held = _reader(state, returned.reader_id)
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
            self._append(state.registered.coordinator.id, payload)
        return payload

    # --- the end

    def close(self, passphrase: str, reason_if_unfinished: str = "") -> None:
        """Close the reading phase. Where somebody has not signed, that is a deviation and needs a reason."""
        state = self._open_state()
        sessions = self.sessions()
        unsigned = [name for name in state.readers if name not in sessions or sessions[name].signed is None]
        if not state.readers:
            raise CoordinatorError("Nobody has read anything yet.")
        if unsigned and not reason_if_unfinished.strip():
            raise CoordinatorError(
                f"Not finished and signed: {', '.join(unsigned)}. Give a reason to close the reading phase all the same."
            )
        check_passphrase(state.registered.coordinator, passphrase)
        if unsigned:
            self.deviate(f"Closed before these had finished: {', '.join(unsigned)}.", reason_if_unfinished)
        signature = self._sign(
            state.registered.coordinator,
            passphrase,
            state.protocol,
            state.registered.protocol_sha256,
            Meaning.CLOSED,
        )
        self._append(state.registered.coordinator.id, Closed(signature))

    def unseal(self, passphrase: str) -> StudyScores:
        """Open the truth, once nothing can be read any more, and make the tables. Raises CoordinatorError, SealError."""
        events = self._store.events()
        state = self._fold(events)
        registered = state.registered
        if not state.closed_utc:
            raise CoordinatorError("The truth stays sealed until the reading phase is closed.")
        truth = unseal(registered.truth, passphrase, _purpose("truth", state.protocol), Truth)
        if commitment(truth) != state.protocol.truth_commitment:
            raise SealError("The truth is not the one that was committed to before the first reading.")
        aids = self._aids(registered, passphrase)
        if not state.unsealed_utc:
            self._append(registered.coordinator.id, Unsealed(state.protocol.truth_commitment))
        return make_scores(state, _sessions(state, events, aids), truth, aids)

    def check(self) -> list[str]:
        """What does not fit in the study itself, as sentences. The chains are checked by the store."""
        state = self.state()
        registered, out = state.registered, []
        if protocol_sha256(state.protocol) != registered.protocol_sha256:
            out.append("The protocol is not the one whose hash was registered.")
        if cases_sha256(registered.cases) != state.protocol.cases_sha256:
            out.append("The case list is not the one that the protocol names.")
        if not is_signed_by(registered.signature, registered.coordinator):
            out.append("The registration is not signed by the coordinator.")
        out += [
            f"{name}: {violation.sentence}"
            for name, session in self.sessions().items()
            for violation in session.violations
        ]
        return out

    # --- inside

    def _open_state(self) -> StudyState:
        state = self.state()
        if state.closed_utc:
            raise CoordinatorError("The reading phase is closed.")
        return state

    def _aids(self, registered: Registered, passphrase: str) -> Aids:
        if registered.aids is None:
            raise CoordinatorError("The CNN's answers are not part of this study.")
        return unseal(registered.aids, passphrase, _purpose("aids", registered.protocol), Aids)

    def _append(self, actor: str, payload: StudyPayload) -> Event:
        return self._store.append(KIND_OF[type(payload)], actor, payload).result()

    def _sign(
        self, account: Account, passphrase: str, protocol: Protocol, digest: str, meaning: Meaning, about: str = ""
    ) -> Signature:
        head = self._store.head()
        return sign(account, passphrase, Statement(protocol.study_id, digest, account.id, meaning, head, about))


def _by_time(events: Iterable[Event], study: str) -> Iterator[Event]:
    """The study's events by time over all chains, and within a chain as written, whatever its clock did."""
    chains: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.study == study:
            chains[event.device].append(event)
    return heapq.merge(*chains.values(), key=lambda event: event.utc)


def _take(state: StudyState, payload: StudyPayload, utc: str) -> None:
    match payload:
        case Enrolled(number=number, account=account):
            state.readers[account.id] = Enrolment(number, account)
        case AccountReset(account=account):
            held = state.readers[account.id]
            held.former.append(public(held.account))
            held.account = account
        case Packaged(reader_id=reader_id):
            state.readers[reader_id].package = payload
        case Deviation():
            state.deviations.append((utc, payload))
        case TakenIn(reader_id=reader_id):
            state.taken_in[reader_id] = payload
            state.devices[payload.device] = reader_id
        case Closed():
            state.closed_utc = utc
        case Unsealed():
            state.unsealed_utc = state.unsealed_utc or utc
        case _:
            pass


def _purpose(what: str, protocol: Protocol) -> str:
    return f"{what} {protocol.study_id}"


def _reader(state: StudyState, reader_id: str) -> Enrolment:
    if reader_id not in state.readers:
        raise CoordinatorError(f"{reader_id} is not enrolled in this study.")
    return state.readers[reader_id]


def _order(state: StudyState, number: int) -> tuple[Slot, ...]:
    registered = state.registered
    counted = [case.id for case in registered.cases if not case.practice]
    practice = [case.id for case in registered.cases if case.practice]
    block = registered.blocks[block_of(state.protocol, number)] if registered.blocks else ()
    return reading_order(state.protocol, number, counted, practice, block=block)


def _sessions(state: StudyState, events: Iterable[Event], aids: Aids | None) -> dict[str, Session]:
    held_events = list(events)
    devices = dict(state.devices)
    for event in held_events:  # workstations that share a server hold chains that nobody had to take in
        if event.kind == StudyEventKind.STARTED and event.actor in state.readers:
            devices.setdefault(event.device, event.actor)
    chains: dict[str, list[Event]] = defaultdict(list)
    for event in _by_time(held_events, state.protocol.study_id):
        reader = devices.get(event.device)
        if reader is not None and state.readers[reader].package is not None:
            chains[reader].append(event)
    overlay = state.protocol.overlay_allowed

    def shown(case_id: str) -> Aid:
        aid = aids.shown(case_id, overlay=overlay) if aids is not None else None
        if aid is None:
            raise CoordinatorError(f"The CNN's answer on case {case_id} is missing.")
        return aid

    out = {}
    for reader, chain in chains.items():
        held = state.readers[reader]
        assert held.package is not None
        signers = held.accounts
        session = Session(state.protocol, held.package.plan, reader, open_aid=shown if aids is not None else None)
        session.apply_all(chain)
        if session.signed is not None and session.signed.account not in signers:
            session.violations.append(
                Violation(chain[-1].seq, "The signature is by a key that was never this reader's.")
            )
        out[reader] = session
    return out


# --- the score table


def make_scores(state: StudyState, sessions: Mapping[str, Session], truth: Truth, aids: Aids) -> StudyScores:
    """All readings that count, under the protocol's rules for missing and indeterminate ones."""
    protocol = state.protocol
    cases = {case.id: case for case in state.registered.cases}
    of_case = truth.of_case
    shams = set(aids.shams)
    notes: list[str] = []
    counted: list[dict[str, object]] = []
    repeats: list[dict[str, object]] = []
    sham: list[dict[str, object]] = []
    missing = tainted = 0
    for reader, session in sessions.items():
        spoilt = {violation.slot for violation in session.violations if violation.slot is not None}
        given = {(item.slot.index, item.mode): item for item in session.given()}
        for slot in session.plan.slots:
            if slot.practice:
                continue
            for mode in _modes(slot):
                item = given.get((slot.index, mode))
                if slot.index in spoilt:
                    tainted += item is not None
                    item = None
                if item is None:
                    missing += 1
                    if protocol.plan.missing is Missing.LEAVE_OUT:
                        continue
                row = _row(protocol, reader, mode, cases[slot.case_id], of_case[slot.case_id], item)
                if row is not None:
                    (repeats if slot.occasion > 1 else sham if slot.case_id in shams else counted).append(row)
    if missing:
        rule = "left out" if protocol.plan.missing is Missing.LEAVE_OUT else "in the table without score and call"
        notes.append(f"{missing} planned readings are missing and are {rule}, as the protocol says.")
    if tainted:
        notes.append(f"{tainted} readings are not counted because the protocol was not kept; see the deviations.")
    if shams:
        notes.append(
            f"{len(shams)} cases whose CNN output was flipped on purpose are left out here and tabulated apart."
        )
    never = [name for name in state.readers if name not in sessions]
    if never:
        notes.append(f"Nothing came back from {len(never)} enrolled reader(s).")
    algorithm = _algorithm_rows(protocol, cases, of_case, aids)
    title = protocol.title
    return StudyScores(
        ScoreTable.from_rows([*counted, *algorithm], title, tuple(notes)),
        ScoreTable.from_rows(repeats, f"{title}: second readings"),
        ScoreTable.from_rows(sham, f"{title}: flipped CNN outputs"),
        str(algorithm[0]["reader"]) if algorithm else "",
        tuple(sorted(shams)),
        {reader: tuple(session.violations) for reader, session in sessions.items()},
    )


def _modes(slot: Slot) -> tuple[str, ...]:
    return {"sequential": (UNAIDED, AIDED), "unaided": (UNAIDED,), "aided": (AIDED,)}[slot.arm.value]


def _row(
    protocol: Protocol, reader: str, mode: str, case: StudyCase, truth: int, item: Given | None
) -> dict[str, object] | None:
    """None where the protocol leaves an indeterminate reading out."""
    reading = item.reading if item is not None else None
    score = reading.score if reading is not None else None
    call: int | None = None
    if reading is not None and reading.call in (Call.LOOSE, Call.NOT_LOOSE):
        call = int(reading.call is Call.LOOSE)
    elif reading is not None:
        rule = protocol.plan.indeterminate
        if rule is Indeterminate.LEAVE_OUT:
            return None
        if rule is Indeterminate.BY_SCORE and score is not None and score != 50:
            call = int(score > 50)
    return {
        "reader": reader,
        "mode": mode,
        "case": case.id,
        "truth": truth,
        "score": score,
        "patient": case.patient,
        "side": case.side,
        "call": call,
        "seconds": reading.viewing.active_s if reading is not None else None,
    }


def _algorithm_rows(
    protocol: Protocol, cases: Mapping[str, StudyCase], truth: Mapping[str, int], aids: Aids
) -> list[dict[str, object]]:
    """The CNN's own answers, never the flipped ones. Its mode is the unaided one: nobody helped it."""
    reader = protocol.bundle_id
    rows = []
    for aid in aids.entries:
        if aid.case_id not in truth:
            continue
        case = cases[aid.case_id]
        rows.append(
            {
                "reader": reader,
                "mode": UNAIDED,
                "case": case.id,
                "truth": truth[case.id],
                "score": aid.score,
                "patient": case.patient,
                "side": case.side,
                "call": {LOOSE: 1, NOT_LOOSE: 0}.get(aid.decision),
            }
        )
    return rows
