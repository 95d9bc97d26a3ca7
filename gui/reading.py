"""ReadingController: which case is on screen, what the CNN says about it, what may be shown, what is recorded.

State and signals, no widgets. The window and every view read the properties and call the methods here.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from gui.autosave import Autosave, DraftStore
from gui.cases import CaseItem, CaseState, Hip
from gui.draft import Answer, Draft, draft_key, image_of
from gui.hip_places import case_key, nearest_hip
from gui.history import History
from gui.library import CaseLibrary
from gui.recorder import EventStore, Recorder
from gui.restoring import attach_looks, attach_readings, draft_of_hips, hips_of_draft, hips_of_proposals
from gui.shown_case import ShownCase
from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, Side, SideSource, SpacingSource
from study.model import Annotation, Reader, ReaderKind, Reading, ReadingError, ReadingMode, check_reading

if TYPE_CHECKING:
    from gui.jobs import Jobs

log = logging.getLogger(__name__)
OPEN_AGAIN_MS = 5000  # after the record could not be opened: a drive may come back, another program let go of it


class Marks(Protocol):
    """gui.annotations.AnnotationModel, as far as the controller uses it."""

    changed: Any

    def to_list(self) -> list[Annotation]: ...

    def load(self, annotations: list[Annotation]) -> None: ...


class Store(EventStore, DraftStore, Protocol):
    """study.store.StudyStore, as far as the controller uses it."""

    warnings: list[str]

    @property
    def pending(self) -> int: ...

    def open(self) -> Future[None]: ...

    def draft(self, key: str) -> bytes | None: ...

    def drafts(self) -> Mapping[str, bytes]: ...

    def note_location(self, image_sha256: str, path: Path | str, member: str = "") -> object: ...


class ReadingController(ShownCase):
    answer_replaced = Signal()  # the form must show `answer` (another hip, a restored draft)
    form_state_changed = Signal()  # recorded, being saved, open again
    recorded = Signal(object)  # a person's Reading that the store has acknowledged
    record_failed = Signal(str, str)
    record_opened = Signal()
    pending_changed = Signal(int)  # events handed to the store and not yet acknowledged
    not_saved_changed = Signal()
    record_warned = Signal(str)  # a sentence about what was found, or not found, when the record was opened
    _store_opened = Signal(object)  # the store's future, from its thread

    def __init__(
        self,
        jobs: Jobs,
        library: CaseLibrary,
        store: Store,
        marks: Marks,
        *,
        reader: Callable[[], Reader],
        app_version: str,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(jobs, parent)
        self._store = store
        self._marks = marks
        self._reader = reader
        self._app_version = app_version
        self._library = library
        self._restored = False  # what was entered before has been looked up
        self._draft: Draft | None = None
        self._unacknowledged: dict[str, tuple[Hip, Reading | None, Reading | None]] = {}
        self._loading = False
        self._store_is_open = False
        self._store_failure = ""  # why the record cannot be opened, a sentence
        self._open_again = QTimer(self, singleShot=True, interval=OPEN_AGAIN_MS)
        self._open_again.timeout.connect(self.open_record)
        self.history = History()
        self._recorder = Recorder(store, self.history, app_version, self)
        self._recorder.pending_changed.connect(self.pending_changed)
        self._recorder.acknowledged.connect(self._on_acknowledged)
        self._recorder.refused.connect(self._on_refused)
        self._assessor.proposed.connect(self._on_proposed)
        self._assessor.changed.connect(self._announce_diagnosis)
        self._assessor.sided.connect(self.hips_changed)
        self._autosave = Autosave(store, self._snapshot, self)
        self._autosave.failure_changed.connect(self.not_saved_changed)
        marks.changed.connect(self._on_marks_changed)
        library.opened.connect(self._show)
        library.emptied.connect(self._close)
        library.identified.connect(self._on_identified)
        self._store_opened.connect(self._on_store_opened, Qt.ConnectionType.QueuedConnection)

    def open_record(self) -> None:
        """Open the record in its own thread. Until it is open, drafts are not looked up and the form waits."""
        self._store.open().add_done_callback(self._store_opened.emit)

    @property
    def pending(self) -> int:
        return self._recorder.pending

    @property
    def store_pending(self) -> int:
        """What the store was handed, drafts included, and has not written yet."""
        return self._store.pending

    @property
    def can_record(self) -> bool:
        """False where the record cannot be opened: the form is to be read only."""
        return not self._store_failure

    @property
    def not_saved(self) -> str:
        """Why what is entered now is not saved, a sentence; "" where it is."""
        return self._store_failure or self._autosave.failure

    @property
    def unsaved_since(self) -> float | None:
        """Since when (time.monotonic) something entered has not been handed to the store; None when all has."""
        return self._autosave.dirty_since

    # -- mode, hips, answer -----------------------------------------------------------------------

    def set_mode(self, mode: ReadingMode) -> None:
        if mode not in (ReadingMode.ASSIST, ReadingMode.ANSWER_FIRST):
            raise ValueError("A reader chooses between assist and answer first.")
        if mode is not self._mode:
            self._mode = mode
            self.mode_changed.emit()
            self._announce_diagnosis()

    def select_hip(self, index: int) -> None:
        if not 0 <= index < len(self._hips) or index == self._current:
            return
        self._hips[self._current].viewing.pause()
        self._current = index
        self._resume()
        self.hip_changed.emit(index)
        self.answer_replaced.emit()
        self._announce_diagnosis()
        self._autosave.touch()

    def set_region(self, index: int, region: HipRegion) -> None:
        """The reader has moved a hip's square: its answer so far stays, the CNN reads again."""
        hip = self._hips[index]
        if hip.region.box == region.box and hip.region.side == region.side:
            return
        if hip.recorded is not None:  # a reading belongs to its region: what is changed now is a new case
            hip = self._hips[index] = Hip(region, cnn_seen=hip.cnn_seen)
            if index == self._current:
                self._resume()
                self.answer_replaced.emit()
        hip.region = region
        self._assessor.drop(hip)
        self.hips_changed.emit()
        self._announce_diagnosis()
        self._autosave.touch()
        self._assessor.assess_soon()

    def set_side(self, side: Side) -> None:
        """The reader says which hip this is, or that it is not known. It is not read again by the CNN for that."""
        hip = self.hip
        if hip is None or hip.saving or (hip.recorded is not None and not hip.editing):
            return
        hip.region = replace(hip.region, side=side, side_source=SideSource.READER)
        hip.viewing.touch()
        self._update_case_state()
        self.hips_changed.emit()
        self._announce_diagnosis()
        self._autosave.touch()

    def add_hip(self, region: HipRegion) -> None:
        """A region that the reader has drawn: a hip that the CNN has not proposed."""
        self._hips.append(Hip(region))
        self.hips_changed.emit()
        self.select_hip(len(self._hips) - 1)
        self._assessor.assess_soon()

    def rerun(self) -> None:
        """Ask the CNN again, after a failure or a cancel."""
        self._assessor.retry()

    def forget_predictions(self) -> None:
        """Another network or device: what is on screen is read again; what was recorded stays."""
        self._assessor.forget()

    def cancel_cnn(self) -> None:
        job = self.cnn_job
        if job is None:
            return
        if self.hip is not None:
            self.hip.cancelled = True
        job.cancel()

    def set_answer(self, answer: Answer) -> None:
        """The form has changed."""
        hip = self.hip
        if hip is None or answer == hip.answer:
            return
        hip.answer = answer
        hip.viewing.touch()
        self._update_case_state()
        self._autosave.touch()

    @property
    def head_spacing_mm(self) -> tuple[float, float] | None:
        """As measured on the implanted head of the radiograph on screen; None where it was not."""
        spacing_mm, source = self._spacing
        return spacing_mm if source is SpacingSource.HEAD else None

    def set_head_spacing(self, spacing_mm: tuple[float, float] | None) -> None:
        """The head circle was measured, or with None the measurement removed: then the file's own scale counts."""
        if self._radiograph is None or spacing_mm == self.head_spacing_mm:
            return
        self._show_head_spacing(spacing_mm)
        self.note_life()
        self._update_case_state()
        self._autosave.touch()

    def _show_head_spacing(self, spacing_mm: tuple[float, float] | None) -> None:
        radiograph = self._radiograph
        assert radiograph is not None
        if spacing_mm is not None:
            self._spacing = (spacing_mm, SpacingSource.HEAD)
        else:
            self._spacing = (radiograph.spacing_mm, radiograph.spacing_source)
        self.spacing_changed.emit()

    # -- recording --------------------------------------------------------------------------------

    def why_not_submit(self) -> str:
        """A sentence that says what is missing, or "" when the answer can be recorded."""
        if self._radiograph is None:
            return "Open a radiograph first."
        if self._store_failure:
            return self._store_failure
        if self.hip is None:
            return "The hip region is not there yet."
        if self.hip.recorded is not None and not self.hip.is_changed and not self._marks_changed(self.hip):
            return "This answer is recorded."
        try:
            check_reading(self._compose(self.hip))
        except ReadingError as error:
            return str(error)
        return ""

    @property
    def needs_reason(self) -> bool:
        """True when recording now would correct a recorded answer, which needs a reason."""
        hip = self.hip
        return hip is not None and hip.recorded is not None and self.reading_mode is not ReadingMode.REVISED

    def submit(self, reason: str = "") -> Reading:
        """Record the answer and, where it has one, the CNN's own. Raises ReadingError with a sentence.

        A second answer to an answer-first case is a reading of its own, the revised one; any other second answer
        is a correction of the first and needs a reason.
        """
        problem = self.why_not_submit()
        hip = self.hip
        if problem or hip is None:
            raise ReadingError(problem)
        if self.needs_reason and not reason.strip():
            raise ReadingError("Say why the recorded answer is corrected.")
        reading = self._compose(hip)
        before = hip.recorded
        if before is not None and self.needs_reason:
            reading = msgspec.structs.replace(reading, id=before.id, mode=before.mode, revises=before.revises)
            self._recorder.correct(before, reading, reason.strip())
        else:
            self._recorder.record(reading)
        self._unacknowledged[reading.id] = (hip, hip.reading, hip.final)
        if hip.reading is None:
            hip.reading = reading
        else:
            hip.final = reading
        hip.saving, hip.editing = True, False
        if hip.prediction is not None and self._radiograph is not None:
            key = case_key(self._radiograph, hip.region)
            self._recorder.record_prediction(hip.prediction, key, hip.region.side_source)
        self._update_case_state()
        self._announce_diagnosis()
        self.form_state_changed.emit()
        return reading

    def begin_revision(self) -> None:
        """Open a recorded answer again: to revise it with the CNN in view, or to correct it."""
        hip = self.hip
        if hip is not None and hip.recorded is not None and not hip.saving:
            hip.editing = True
            self.form_state_changed.emit()

    def _compose(self, hip: Hip) -> Reading:
        radiograph = self._radiograph
        assert radiograph is not None
        answer = hip.answer
        # Only what was on screen: an answer-first answer was given without the CNN, whatever has arrived since.
        seen = hip.prediction if hip.cnn_seen and self.may_show(hip) else None
        spacing_mm, spacing_source = self._spacing
        return Reading(
            id=uuid.uuid4().hex,
            case=case_key(radiograph, hip.region),
            reader=self._reader(),
            mode=self._reading_mode_of(hip),
            call=answer.call,
            score=answer.score,
            stem_call=answer.stem_call,
            cup_call=answer.cup_call,
            findings=answer.findings,
            annotations=tuple(self.marks_of(hip)),
            comment=answer.comment,
            not_assessable_reason=answer.not_assessable_reason,
            viewing=hip.viewing.record(),
            revises=hip.recorded.id if hip.recorded is not None else "",
            app_version=self._app_version,
            model_id=seen.model_id if seen else "",
            model_sha256=seen.model_sha256 if seen else "",
            cnn_score=seen.score if seen else None,
            spacing_mm=spacing_mm,
            spacing_source=spacing_source.value,
            side_source=hip.region.side_source.value,
        )

    def marks_of(self, hip: Hip) -> list[Annotation]:
        """The marks that belong to this hip: those nearer to its centre than to another hip's."""
        marks = self._marks.to_list()
        if len(self._hips) < 2:
            return marks
        return [mark for mark in marks if nearest_hip(mark, self._hips) is hip]

    def _marks_changed(self, hip: Hip) -> bool:
        return hip.recorded is not None and tuple(self.marks_of(hip)) != hip.recorded.annotations

    def _on_acknowledged(self, reading: Reading, at: datetime) -> None:
        waiting = self._unacknowledged.pop(reading.id, None)
        if waiting is not None:
            waiting[0].saving = False
            waiting[0].recorded_at = at
        self.form_state_changed.emit()
        if reading.reader.kind is ReaderKind.HUMAN:
            self._discard_draft(reading)
        self.refresh_list()
        if reading.reader.kind is ReaderKind.HUMAN:
            self.recorded.emit(reading)

    def _discard_draft(self, reading: Reading) -> None:
        """It has become this reading, unless something was entered since."""
        key = (reading.case.image_sha256, reading.case.frame)
        if self._radiograph is None or key != (self._radiograph.sha256, self._radiograph.frame):
            self._store.discard_draft(draft_key(*key))
        elif not any(hip.is_changed for hip in self._hips):
            self._autosave.discard(draft_key(*key))

    def _on_refused(self, reading: Reading, details: str) -> None:
        """The hip is as it was before; what was entered goes on as a draft."""
        undo = self._unacknowledged.pop(reading.id, None)
        if undo is not None:
            hip = undo[0]
            hip.reading, hip.final = undo[1:]
            hip.saving = False
        self._update_case_state()
        self.refresh_list()
        self._announce_diagnosis()
        self.form_state_changed.emit()
        self.record_failed.emit("The reading could not be recorded; it is kept as a draft.", details)

    def learn_history(self, readings: Iterable[Reading]) -> None:
        """All earlier readings, once the record was looked through: the case on screen may be among them."""
        self.history.learn(readings)
        self.refresh_list()
        own = self._own_readings()
        if not own or not self._hips or any(hip.recorded is not None for hip in self._hips):
            return
        # What was entered since (a draft, a form begun, marks) stays; the readings are what it is a change of.
        untouched = self._draft is None and not self._marks.to_list() and all(hip.answer.is_empty for hip in self._hips)
        if untouched:
            self._add_recorded_marks()
            self._restore_head_spacing()
        attach_readings(self._hips, own, answers=untouched)
        self._assessor.take_proposals()
        self._update_case_state()
        self.hips_changed.emit()
        self.answer_replaced.emit()
        self._assessor.assess_rest()

    # -- opening ----------------------------------------------------------------------------------

    def _show(self, item: CaseItem, radiograph: Radiograph) -> None:
        if radiograph is self._radiograph:
            return
        self._leave_case()
        self._shown, self._radiograph = item, radiograph
        self._spacing = (radiograph.spacing_mm, radiograph.spacing_source)
        self._load_marks([])
        self._update_case_state()
        self._announce_case()
        self._store.note_location(radiograph.sha256, radiograph.path.absolute(), radiograph.member)
        self._assessor.begin(radiograph)
        if self._store_is_open or self._store_failure:
            self._restore()

    def show_frame(self, frame: int) -> None:
        if self._shown is not None and self._shown in self._library.cases:
            self._library.open(self._library.cases.index(self._shown), frame)

    def _close(self) -> None:
        """Nothing on screen any more. Drafts and readings are in the store."""
        self._leave_case()
        self._shown = self._radiograph = None
        self._load_marks([])
        self._announce_case()

    def _leave_case(self) -> None:
        self._autosave.flush()
        self._assessor.leave()
        self._draft = None
        self._restored = False
        self._hips, self._current = [], 0
        self._zoom_before_hips = 0.0

    def _on_store_opened(self, future: Future[None]) -> None:
        """The record can be read from now on without waiting. Where it has failed, nothing can be entered until it opens."""
        error = future.exception()
        failure = "" if error is None else str(error)
        if failure and failure != self._store_failure:
            log.error("The record could not be opened: %s", error)
            self.record_failed.emit(failure, getattr(error, "details", ""))
        had_failed, self._store_failure = bool(self._store_failure), failure
        self._store_is_open = not failure
        if failure:
            self._open_again.start()
        elif had_failed:  # what was entered for this radiograph before can be looked up at last
            self._restored, self._hips, self._current = False, [], 0
        if self._radiograph is not None and not self._restored:
            self._restore()
        self.form_state_changed.emit()
        self.not_saved_changed.emit()
        if self._store_is_open:
            self.refresh_list()
            self.record_opened.emit()
            for sentence in self._store.warnings:
                self.record_warned.emit(sentence)

    def _restore(self) -> None:
        """Look up what was entered for this radiograph before: a draft, else the recorded readings."""
        radiograph = self._radiograph
        assert radiograph is not None
        self._restored = True
        data = self._store.draft(draft_key(radiograph.sha256, radiograph.frame)) if self._store_is_open else None
        self._draft = Draft.from_bytes(data) if data is not None else None
        if self._draft is not None:
            self._add_marks(self._draft.annotations)
        else:
            self._add_recorded_marks()
        self._restore_head_spacing()
        self._place_hips()

    def _on_proposed(self) -> None:
        if self._hips:  # restored from a draft in the meantime
            self._assessor.take_proposals()
            self._assessor.assess_rest()
        else:
            self._place_hips()

    def _place_hips(self) -> None:
        """Once it is known what was entered before and, without a draft, which hips the CNN proposes."""
        radiograph = self._radiograph
        if radiograph is None or not self._restored or self._hips:
            return
        assessor = self._assessor
        if self._draft is not None and self._draft.hips and not self._draft.is_a_look:
            self._hips = hips_of_draft(self._draft)
            self._current = min(self._draft.current, len(self._hips) - 1)
            attach_readings(self._hips, self._own_readings(), answers=False)
        elif assessor.proposals is None:
            return
        else:
            failure, assessor.failure = assessor.failure, None  # it is the hip's from here on
            self._hips = hips_of_proposals(radiograph, assessor.proposals, failure, has_engine=self._jobs.has_engine)
            self._current = 0
            if self._draft is not None:
                attach_looks(self._hips, self._draft)
            attach_readings(self._hips, self._own_readings(), answers=True)
            self._add_recorded_marks()  # the record may have been looked through since the radiograph came
            self._restore_head_spacing()
        assessor.take_proposals()
        self._hips[self._current].viewing.set_zoom(self._zoom_before_hips)
        self._resume()
        self._update_case_state()
        self.hips_changed.emit()
        self.hip_changed.emit(self._current)
        self.answer_replaced.emit()
        assessor.assess_rest()

    def _own_readings(self) -> list[Reading]:
        radiograph = self._radiograph
        if radiograph is None:
            return []
        return self.history.by(self._reader(), radiograph.sha256, radiograph.frame)

    def _restore_head_spacing(self) -> None:
        """As measured before, by the draft or the latest of the reader's own readings; never over what was measured since."""
        if self.head_spacing_mm is not None:
            return
        if self._draft is not None and not self._draft.is_a_look:
            found = self._draft.head_spacing_mm
        else:
            measured = [reading.spacing_mm for reading in self._own_readings() if reading.spacing_source == "head"]
            found = measured[-1] if measured else None
        if found is not None:
            self._show_head_spacing(found)

    def _add_recorded_marks(self) -> None:
        """The marks of the reader's own readings, each as it was recorded last."""
        latest = {mark.id: mark for reading in self._own_readings() for mark in reading.annotations}
        self._add_marks(latest.values())

    def _add_marks(self, marks: Iterable[Annotation]) -> None:
        """Beside those that are there already: somebody may have begun to draw before the record was open."""
        there = {mark.id for mark in self._marks.to_list()}
        new = [mark for mark in marks if mark.id not in there]
        if new:
            self._load_marks([*self._marks.to_list(), *new])

    def _load_marks(self, marks: list[Annotation]) -> None:
        self._loading = True
        try:
            self._marks.load(marks)
        finally:
            self._loading = False

    # -- behind the scenes ------------------------------------------------------------------------

    def flush(self) -> None:
        """Before the window closes: the draft goes to the store now."""
        self._autosave.flush()

    def _snapshot(self) -> tuple[str, bytes] | None:
        radiograph = self._radiograph
        if radiograph is None or not self._hips:
            return None
        draft = draft_of_hips(self._hips, self._marks.to_list(), self._current, self.head_spacing_mm)
        return draft_key(radiograph.sha256, radiograph.frame), draft.to_bytes()

    def _on_marks_changed(self) -> None:
        if self._loading or self._radiograph is None:
            return
        self.note_life()
        self._update_case_state()
        self._autosave.touch()

    def _update_case_state(self) -> None:
        item = self._shown
        if item is None:
            return
        item.hips = len(self._hips) or item.hips
        changed = any(hip.is_changed or self._marks_changed(hip) for hip in self._hips)
        is_marked = bool(self._marks.to_list()) or self.head_spacing_mm is not None
        if changed or (is_marked and not any(hip.recorded for hip in self._hips)):
            state = CaseState.DRAFT
        elif self._hips and all(hip.recorded is not None for hip in self._hips):
            state = CaseState.READ
        else:
            state = CaseState.UNREAD
        self._library.set_state(item, state)

    def refresh_list(self) -> None:
        """What the list says of the cases beside the one on screen; also when another reader sits down."""
        begun = self._begun_images()
        for item in self._library.cases:
            self._update_listed_state(item, begun)

    def _begun_images(self) -> set[str]:
        """Hashes of the images that have a draft."""
        return {image_of(key) for key in self._store.drafts()} if self._store_is_open else set()

    def _on_identified(self, item: CaseItem) -> None:
        self._update_listed_state(item, self._begun_images())

    def _update_listed_state(self, item: CaseItem, begun: set[str]) -> None:
        """Of a case that is not on screen, as far as drafts and record tell.

        It is read where this reader has read all of its hips; before it was open nobody knows how many, and one will do.
        """
        if item is self._shown or not item.sha256 or item.state is CaseState.ERROR:
            return
        if self._recorder.pending:  # looked at again once the store has answered
            return
        if item.sha256 in begun:
            self._library.set_state(item, CaseState.DRAFT)
        elif self.history.hips_read(self._reader(), item.sha256) >= max(item.hips, 1):
            self._library.set_state(item, CaseState.READ)
        else:
            self._library.set_state(item, CaseState.UNREAD)

    def _announce_case(self) -> None:
        self.radiograph_changed.emit()
        self.hips_changed.emit()
        self.hip_changed.emit(self._current)
        self.answer_replaced.emit()
        self._announce_diagnosis()

    def _announce_diagnosis(self) -> None:
        hip = self.hip
        if hip is not None and hip.prediction is not None and self.may_show(hip) and not hip.cnn_seen:
            hip.cnn_seen = True
            self._autosave.touch()
        self.diagnosis_changed.emit()
