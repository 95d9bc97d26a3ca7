"""ReadingController: which case is on screen, what the CNN says about it, what may be shown, what is recorded.

State and signals, no widgets. The window and every view read the properties and call the methods here.
"""

from __future__ import annotations

import logging
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from gui.agreement import CALL_OF_DECISION, Agreement, compare
from gui.autosave import Autosave
from gui.cases import CaseItem, CaseState, DiagnosisState, Hip
from gui.draft import Answer, Draft, HipDraft, draft_key
from gui.library import CaseLibrary
from gui.viewing import ViewingClock
from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, Side, SpacingSource
from inference.prediction import Decision, Prediction, SaliencyMap
from study.events import Correction, EventKind, ReadingSubmitted
from study.model import (
    Annotation,
    CaseKey,
    Reader,
    ReaderKind,
    Reading,
    ReadingError,
    ReadingMode,
    check_reading,
)

if TYPE_CHECKING:
    from gui.jobs import Job, Jobs

log = logging.getLogger(__name__)

REGION_SETTLES_MS = 350  # after the last change of a region the CNN runs again
KEPT_PREDICTIONS = 64
SAME_HIP_IOU = 0.5  # a recorded reading belongs to a proposed region that overlaps its own this much


class Marks(Protocol):
    """gui.annotations.AnnotationModel, as far as the controller uses it."""

    changed: Any

    def to_list(self) -> list[Annotation]: ...

    def load(self, annotations: list[Annotation]) -> None: ...


class Store(Protocol):
    """study.store.StudyStore, as far as the controller uses it."""

    @property
    def pending(self) -> int: ...

    def open(self) -> Future[None]: ...

    def append(self, kind: str, actor: str, payload: Any) -> Future[Any]: ...

    def save_draft(self, key: str, data: bytes) -> object: ...

    def draft(self, key: str) -> bytes | None: ...

    def discard_draft(self, key: str) -> object: ...

    def note_location(self, image_sha256: str, path: Path | str, member: str = "") -> object: ...


class ReadingController(QObject):
    radiograph_changed = Signal()
    hips_changed = Signal()  # regions were proposed, moved, added
    hip_changed = Signal(int)  # another hip is the current one
    answer_replaced = Signal()  # the form must show `answer` (another hip, a restored draft)
    form_state_changed = Signal()  # recorded, being saved, open again
    diagnosis_changed = Signal()  # what may be shown of the CNN
    mode_changed = Signal()
    recorded = Signal(object)  # a person's Reading that the store has acknowledged
    record_failed = Signal(str, str)
    pending_changed = Signal(int)  # events handed to the store and not yet acknowledged
    _acknowledged = Signal(object, object)  # future, Reading: from the store's thread
    record_opened = Signal()
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
        super().__init__(parent)
        self._jobs = jobs
        self._store = store
        self._marks = marks
        self._reader = reader
        self._app_version = app_version
        self._mode = ReadingMode.ASSIST
        self._library = library
        self._shown: CaseItem | None = None
        self._radiograph: Radiograph | None = None
        self._hips: list[Hip] = []
        self._current = 0
        self._proposing: Job | None = None
        self._proposed: list[Prediction] | None = None  # [] where the CNN failed or was stopped
        self._proposal_failure: tuple[str, str] | None = None
        self._restored = False  # what was entered before has been looked up
        self._draft: Draft | None = None
        self._spacing: tuple[tuple[float, float] | None, SpacingSource] = (None, SpacingSource.NONE)
        self._predictions: OrderedDict[tuple[Any, ...], list[Prediction]] = OrderedDict()
        self._pending: set[Future[Any]] = set()
        self._unacknowledged: dict[str, tuple[Hip, Reading | None, Reading | None]] = {}
        self._readings: dict[tuple[str, int], dict[str, Reading]] = {}  # of people, by id as last corrected
        self._algorithm_recorded: set[str] = set()
        self._loading = False
        self._store_is_open = self._store_has_failed = False
        self._autosave = Autosave(store, self._snapshot, self)
        self._settle = QTimer(self, singleShot=True, interval=REGION_SETTLES_MS)
        self._settle.timeout.connect(self._reassess_moved)
        marks.changed.connect(self._on_marks_changed)
        library.opened.connect(self._show)
        library.emptied.connect(self._close)
        self._acknowledged.connect(self._on_acknowledged, Qt.ConnectionType.QueuedConnection)
        self._store_opened.connect(self._on_store_opened, Qt.ConnectionType.QueuedConnection)

    def open_record(self) -> None:
        """Open the record in its own thread. Until it is open, drafts are not looked up and the form waits."""
        self._store.open().add_done_callback(self._store_opened.emit)

    # -- what the views read ----------------------------------------------------------------------

    @property
    def shown(self) -> CaseItem | None:
        """The case whose radiograph is on screen."""
        return self._shown

    @property
    def radiograph(self) -> Radiograph | None:
        return self._radiograph

    @property
    def hips(self) -> Sequence[Hip]:
        return self._hips

    @property
    def current(self) -> int:
        return self._current

    @property
    def hip(self) -> Hip | None:
        return self._hips[self._current] if self._hips else None

    @property
    def answer(self) -> Answer:
        return self.hip.answer if self.hip else Answer()

    @property
    def mode(self) -> ReadingMode:
        """ASSIST or ANSWER_FIRST, as the reader has set it."""
        return self._mode

    @property
    def reading_mode(self) -> ReadingMode:
        """The mode that an answer given now would be recorded with; ANSWER_FIRST only where the CNN was never seen."""
        return self._mode if self.hip is None else self._reading_mode_of(self.hip)

    def _reading_mode_of(self, hip: Hip) -> ReadingMode:
        if hip.reading is not None and hip.reading.mode is ReadingMode.ANSWER_FIRST:
            return ReadingMode.REVISED
        return ReadingMode.ASSIST if hip.cnn_seen else self._mode

    @property
    def may_show_cnn(self) -> bool:
        """False in answer-first mode until this hip's answer is recorded; True once it was seen anyway."""
        return self.may_show(self.hip)

    def may_show(self, hip: Hip | None) -> bool:
        """Whether anything may be said of what the CNN thinks of this hip."""
        if self._mode is not ReadingMode.ANSWER_FIRST:
            return True
        return hip is not None and (hip.recorded is not None or hip.cnn_seen)

    @property
    def diagnosis_state(self) -> DiagnosisState:
        if self._radiograph is None:
            return DiagnosisState.NO_CASE
        if not self._jobs.has_engine:
            return DiagnosisState.NO_CNN
        if not self.may_show_cnn:
            return DiagnosisState.HIDDEN
        hip = self.hip
        if hip is not None and hip.prediction is not None:
            return DiagnosisState.SHOWN
        if self._proposal_failure is not None or (hip is not None and hip.failure is not None):
            return DiagnosisState.FAILED
        if hip is not None and hip.cancelled:
            return DiagnosisState.CANCELLED
        return DiagnosisState.WAITING

    @property
    def prediction(self) -> Prediction | None:
        """Of the current hip, and only when it may be shown."""
        hip = self.hip
        return hip.prediction if hip is not None and self.may_show(hip) else None

    @property
    def visible_maps(self) -> list[SaliencyMap]:
        """Of every hip whose CNN answer may be shown: the map that was asked for, else the score's own."""
        maps = [
            hip.other_map or (hip.prediction.saliency if hip.prediction is not None else None)
            for hip in self._hips
            if self.may_show(hip)
        ]
        return [saliency for saliency in maps if saliency is not None]

    @property
    def shows_own_maps(self) -> bool:
        """True unless an advanced method's map stands in the place of the score's own."""
        return all(hip.other_map is None for hip in self._hips)

    def show_other_map(self, hip: Hip, saliency: SaliencyMap | None) -> None:
        """A map of an advanced method in the place of the score's own; None brings that back."""
        if hip in self._hips:
            hip.other_map = saliency
            self.diagnosis_changed.emit()

    @property
    def failure(self) -> tuple[str, str] | None:
        """Why the CNN said nothing: sentence, details."""
        return self._proposal_failure or (self.hip.failure if self.hip else None)

    @property
    def cnn_job(self) -> Job | None:
        """The CNN at work on the current hip."""
        return self._proposing or (self.hip.job if self.hip else None)

    @property
    def agreement(self) -> Agreement | None:
        """Between the recorded answer and the CNN, once both may be shown."""
        hip, prediction = self.hip, self.prediction
        if hip is None or hip.recorded is None or prediction is None:
            return None
        return compare(hip.recorded, prediction)

    @property
    def pending(self) -> int:
        return len(self._pending)

    @property
    def store_pending(self) -> int:
        """What the store was handed, drafts included, and has not written yet."""
        return self._store.pending

    @property
    def unsaved_since(self) -> float | None:
        """Since when (time.monotonic) something entered has not been handed to the store; None when all has."""
        return self._autosave.dirty_since

    @property
    def spacing(self) -> tuple[tuple[float, float] | None, SpacingSource]:
        return self._spacing

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
        self._hips[index].viewing.resume()
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
                hip.viewing.resume()
                self.answer_replaced.emit()
        hip.region = region
        if hip.job is not None:
            hip.job.abandon()
            hip.job = None
        hip.prediction, hip.other_map, hip.failure, hip.cancelled = None, None, None, False
        self.hips_changed.emit()
        self._announce_diagnosis()
        self._autosave.touch()
        self._settle.start()

    def add_hip(self, region: HipRegion) -> None:
        """A region that the reader has drawn: a hip that the CNN has not proposed."""
        self._hips.append(Hip(region))
        self.hips_changed.emit()
        self.select_hip(len(self._hips) - 1)
        self._settle.start()

    def rerun(self) -> None:
        """Ask the CNN again, after a failure or a cancel."""
        self._proposal_failure = None
        for hip in self._hips:
            hip.failure, hip.cancelled = None, False
        self._reassess_moved()
        self._announce_diagnosis()

    def forget_predictions(self) -> None:
        """Another network or device: what is on screen is read again; what was recorded stays."""
        self._predictions.clear()
        for hip in self._hips:
            if hip.job is not None:
                hip.job.abandon()
            hip.job = hip.prediction = hip.other_map = hip.failure = None
            hip.cancelled = False
        if self._proposing is not None and self._radiograph is not None and not self._hips:
            self._proposing.abandon()
            self._propose()
        self._reassess_moved()
        self._announce_diagnosis()

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

    def set_spacing(self, spacing_mm: tuple[float, float] | None, source: SpacingSource) -> None:
        """The head circle was measured: lengths of this radiograph are known from now on."""
        self._spacing = (spacing_mm, source)

    # -- recording --------------------------------------------------------------------------------

    def why_not_submit(self) -> str:
        """A sentence that says what is missing, or "" when the answer can be recorded."""
        if self._radiograph is None:
            return "Open a radiograph first."
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
            self._append(EventKind.CORRECTION, reading, Correction(before.id, before, reading, reason.strip()))
        else:
            self._append(EventKind.READING, reading, ReadingSubmitted(reading, self._app_version))
        self._unacknowledged[reading.id] = (hip, hip.reading, hip.final)
        if hip.reading is None:
            hip.reading = reading
        else:
            hip.final = reading
        hip.saving, hip.editing = True, False
        self._record_algorithm(hip)
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
            case=_case_key(radiograph, hip.region),
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
        )

    def marks_of(self, hip: Hip) -> list[Annotation]:
        """The marks that belong to this hip: those nearer to its centre than to another hip's."""
        marks = self._marks.to_list()
        if len(self._hips) < 2:
            return marks
        return [mark for mark in marks if _nearest(mark, self._hips) is hip]

    def _marks_changed(self, hip: Hip) -> bool:
        return hip.recorded is not None and tuple(self.marks_of(hip)) != hip.recorded.annotations

    def _record_algorithm(self, hip: Hip) -> None:
        """The CNN's answer for this very region becomes a reading too, once."""
        radiograph, prediction = self._radiograph, hip.prediction
        if radiograph is None or prediction is None:
            return
        reading = algorithm_reading(prediction, _case_key(radiograph, hip.region), self._app_version)
        mark = f"{reading.case}{reading.model_sha256}"
        if mark not in self._algorithm_recorded:
            self._algorithm_recorded.add(mark)
            self._append(EventKind.PREDICTION, reading, ReadingSubmitted(reading, self._app_version))

    def _append(self, kind: EventKind, reading: Reading, payload: msgspec.Struct) -> None:
        future = self._store.append(kind, reading.reader.id, payload)
        self._pending.add(future)
        self.pending_changed.emit(len(self._pending))
        future.add_done_callback(lambda done: self._acknowledged.emit(done, reading))

    def _on_acknowledged(self, future: Future[Any], reading: Reading) -> None:
        self._pending.discard(future)
        self.pending_changed.emit(len(self._pending))
        undo = self._unacknowledged.pop(reading.id, None)
        error = future.exception()
        if error is not None:
            log.error("A reading could not be recorded: %s", type(error).__name__)
            if undo is not None:
                hip = undo[0]
                hip.reading, hip.final = undo[1:]
                hip.saving = False
            self._update_case_state()
            self._announce_diagnosis()
            self.form_state_changed.emit()
            self.record_failed.emit("The reading could not be recorded; it is kept as a draft.", str(error))
            return
        if undo is not None:
            undo[0].saving = False
            undo[0].recorded_at = datetime.fromisoformat(future.result().utc).astimezone()
        self.learn_readings([reading])
        self.form_state_changed.emit()
        if reading.reader.kind is ReaderKind.HUMAN:
            key = (reading.case.image_sha256, reading.case.frame)
            if self._radiograph is None or key != (self._radiograph.sha256, self._radiograph.frame):
                self._store.discard_draft(draft_key(*key))
            elif not any(hip.is_changed for hip in self._hips):
                self._autosave.discard(draft_key(*key))
            self.recorded.emit(reading)

    def learn_readings(self, readings: Iterable[Reading]) -> None:
        """Readings of this machine, so that a case that was read before shows as read."""
        for reading in readings:
            if reading.reader.kind is ReaderKind.HUMAN:
                self._readings.setdefault((reading.case.image_sha256, reading.case.frame), {})[reading.id] = reading
            else:
                self._algorithm_recorded.add(f"{reading.case}{reading.model_sha256}")

    def learn_history(self, readings: Iterable[Reading]) -> None:
        """All earlier readings, once the record was looked through: the case on screen may be among them."""
        self.learn_readings(readings)
        own = self._own_readings()
        if not own or not self._hips or any(hip.recorded is not None for hip in self._hips):
            return
        # What was entered since (a draft, a form begun, marks) stays; the readings are what it is a change of.
        untouched = self._draft is None and not self._marks.to_list() and all(hip.answer.is_empty for hip in self._hips)
        if untouched:
            self._add_recorded_marks()
        self._attach(own, answers=untouched)
        self._take_proposals()
        self._update_case_state()
        self.hips_changed.emit()
        self.answer_replaced.emit()
        self._reassess_moved()

    # -- how the case is looked at ----------------------------------------------------------------

    def note_life(self) -> None:
        """The reader moves about."""
        if self.hip is not None:
            self.hip.viewing.touch()

    def note_away(self, away: bool) -> None:
        """The program has gone to the background, or come back."""
        if self.hip is not None:
            if away:
                self.hip.viewing.pause()
            else:
                self.hip.viewing.resume()

    def note_overlay(self, visible: bool) -> None:
        for hip in self._hips:
            hip.viewing.set_overlay_visible(visible and self.may_show(hip))

    def note_zoom(self, zoom: float) -> None:
        if self.hip is not None:
            self.hip.viewing.touch()
            self.hip.viewing.set_zoom(zoom)

    def note_window(self, center: float, width: float) -> None:
        if self.hip is not None:
            self.hip.viewing.touch()
            self.hip.viewing.set_window(center, width)

    def note_display(self, scale: float, size_px: tuple[int, int]) -> None:
        for hip in self._hips:
            hip.viewing.set_display(scale, size_px)

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
        if self._jobs.has_engine:
            self._propose()
        else:
            self._proposed = []
        if self._store_is_open or self._store_has_failed:
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
        self._settle.stop()
        for job in (self._proposing, *(hip.job for hip in self._hips)):
            if job is not None:
                job.abandon()
        self._proposing = self._proposed = self._proposal_failure = self._draft = None
        self._restored = False
        self._hips, self._current = [], 0

    def _on_store_opened(self, future: Future[None]) -> None:
        """The record can be read from now on without waiting. Where it has failed, reading goes on and says so."""
        error = future.exception()
        if error is not None:
            log.error("The record could not be opened: %s", error)
            self.record_failed.emit(str(error), getattr(error, "details", ""))
        self._store_is_open = error is None
        self._store_has_failed = error is not None
        if self._radiograph is not None and not self._restored:
            self._restore()
        if self._store_is_open:
            self.record_opened.emit()

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
        self._place_hips()

    def _place_hips(self) -> None:
        """Once it is known what was entered before and, without a draft, which hips the CNN proposes."""
        radiograph = self._radiograph
        if radiograph is None or not self._restored or self._hips:
            return
        proposed = self._proposed
        if self._draft is not None and self._draft.hips:
            self._hips = [
                Hip(
                    kept.region,
                    answer=kept.answer,
                    viewing=ViewingClock(earlier=kept.viewing),
                    cnn_seen=kept.cnn_seen,
                )
                for kept in self._draft.hips
            ]
            self._current = min(self._draft.current, len(self._hips) - 1)
            self._attach(self._own_readings(), answers=False)
        elif proposed is None:
            return
        else:
            self._hips = [Hip(prediction.region) for prediction in proposed]
            if not self._hips:
                whole = Hip(_whole(radiograph), failure=self._proposal_failure)
                whole.cancelled = self._jobs.has_engine and self._proposal_failure is None
                self._proposal_failure = None
                self._hips = [whole]
            self._current = 0
            self._attach(self._own_readings(), answers=True)
            self._add_recorded_marks()  # the record may have been looked through since the radiograph came
        self._take_proposals()
        self._hips[self._current].viewing.resume()
        self._update_case_state()
        self.hips_changed.emit()
        self.hip_changed.emit(self._current)
        self.answer_replaced.emit()
        self._reassess_moved()

    def _take_proposals(self) -> None:
        """What the CNN said about a region counts for the hip with that very region."""
        for prediction in self._proposed or ():
            for hip in self._hips:
                if hip.prediction is None and hip.region.box == prediction.region.box:
                    hip.prediction = prediction

    def _own_readings(self) -> list[Reading]:
        radiograph = self._radiograph
        if radiograph is None:
            return []
        reader = self._reader().id
        key = (radiograph.sha256, radiograph.frame)
        return [reading for reading in self._readings.get(key, {}).values() if reading.reader.id == reader]

    def _attach(self, readings: Sequence[Reading], *, answers: bool) -> None:
        """Give every recorded reading to the hip it is about; a hip that nobody proposed is added."""
        for reading in readings:
            box = HipRegion(*reading.case.box, side=Side(reading.case.side))
            hip = max(self._hips, key=lambda candidate: _overlap(candidate.region, box), default=None)
            if hip is None or _overlap(hip.region, box) < SAME_HIP_IOU:
                hip = Hip(box)
                self._hips.append(hip)
            if hip.region.box != box.box and answers:
                hip.region, hip.prediction = box, None
            if hip.reading is not None and reading.revises:
                hip.final = reading
            else:
                hip.reading, hip.final = reading, None
            hip.cnn_seen = hip.cnn_seen or reading.cnn_score is not None
            if answers:
                hip.answer = Answer.of(reading)

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

    # -- the CNN ----------------------------------------------------------------------------------

    def _propose(self) -> None:
        """Let the CNN find the hips and read each."""
        radiograph = self._radiograph
        assert radiograph is not None
        known = self._predictions.get((radiograph.sha256, radiograph.frame))
        if known is not None:
            self._proposed = known
            self._place_hips()
            return
        job = self._jobs.assess(radiograph, None)
        self._proposing = job
        job.done.connect(lambda predictions: self._on_assessed(job, radiograph, predictions))
        job.failed.connect(lambda sentence, details: self._on_proposal_failed(job, sentence, details))
        job.ended.connect(lambda: self._on_proposal_ended(job))
        self._announce_diagnosis()

    def _on_assessed(self, job: Job, radiograph: Radiograph, predictions: list[Prediction]) -> None:
        self._predictions[(radiograph.sha256, radiograph.frame)] = predictions
        while len(self._predictions) > KEPT_PREDICTIONS:
            self._predictions.popitem(last=False)
        if job is self._proposing:
            self._proposed = predictions

    def _on_proposal_failed(self, job: Job, sentence: str, details: str) -> None:
        if job is self._proposing:
            self._proposal_failure = (sentence, details)

    def _on_proposal_ended(self, job: Job) -> None:
        """However it ended, the reader can go on: without a proposal the whole image is the region."""
        if job is not self._proposing:
            return
        self._proposing = None
        if self._proposed is None:
            self._proposed = []
        if self._hips:  # restored from a draft in the meantime
            self._take_proposals()
            self._reassess_moved()
        else:
            self._place_hips()

    def _reassess_moved(self) -> None:
        """Run the CNN on every region that it has not read."""
        radiograph = self._radiograph
        if radiograph is None or not self._jobs.has_engine or self._proposing is not None:
            return
        for hip in self._hips:
            if hip.prediction is None and hip.job is None and hip.failure is None and not hip.cancelled:
                self._assess(radiograph, hip)
        self._announce_diagnosis()

    def _assess(self, radiograph: Radiograph, hip: Hip) -> None:
        job = self._jobs.assess(radiograph, hip.region)
        hip.job = job

        def on_done(predictions: list[Prediction]) -> None:
            if hip.job is job and hip in self._hips:
                hip.prediction = predictions[0]

        def on_failed(sentence: str, details: str) -> None:
            if hip.job is job:
                hip.failure = (sentence, details)

        def on_ended() -> None:
            if hip.job is job:
                hip.job = None
                if hip in self._hips:
                    self._announce_diagnosis()

        job.done.connect(on_done)
        job.failed.connect(on_failed)
        job.ended.connect(on_ended)

    # -- behind the scenes ------------------------------------------------------------------------

    def flush(self) -> None:
        """Before the window closes: the draft goes to the store now."""
        self._autosave.flush()

    def _snapshot(self) -> tuple[str, bytes] | None:
        radiograph = self._radiograph
        if radiograph is None or not self._hips:
            return None
        draft = Draft(
            hips=tuple(
                HipDraft(
                    box=hip.region.box,
                    side=hip.region.side.value,
                    proposed=hip.region.proposed,
                    answer=hip.answer,
                    cnn_seen=hip.cnn_seen,
                    viewing=hip.viewing.record(),
                )
                for hip in self._hips
            ),
            annotations=tuple(self._marks.to_list()),
            current=self._current,
        )
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
        changed = any(hip.is_changed or self._marks_changed(hip) for hip in self._hips)
        unrecorded_marks = bool(self._marks.to_list()) and not any(hip.recorded for hip in self._hips)
        if changed or unrecorded_marks:
            state = CaseState.DRAFT
        elif self._hips and all(hip.recorded is not None for hip in self._hips):
            state = CaseState.READ
        else:
            state = CaseState.UNREAD
        self._library.set_state(item, state)

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


def algorithm_reading(prediction: Prediction, case: CaseKey, app_version: str) -> Reading:
    """A prediction as what it is in a study: the answer of a reader that happens to be an algorithm."""

    def component(probability: float | None) -> Any:
        return None if probability is None else round(100 * probability, 3)

    comment = ""
    if prediction.stem_probability is not None or prediction.cup_probability is not None:
        comment = f"stem {component(prediction.stem_probability)}, cup {component(prediction.cup_probability)}"
    return Reading(
        id=uuid.uuid4().hex,
        case=case,
        reader=Reader(id=prediction.model_id, kind=ReaderKind.ALGORITHM),
        mode=ReadingMode.ALGORITHM,
        call=CALL_OF_DECISION.get(prediction.decision),
        score=prediction.score,
        comment=comment,
        not_assessable_reason=prediction.reason if prediction.decision is Decision.NOT_ASSESSABLE else "",
        app_version=app_version,
        model_id=prediction.model_id,
        model_sha256=prediction.model_sha256,
    )


def _case_key(radiograph: Radiograph, region: HipRegion) -> CaseKey:
    return CaseKey(radiograph.sha256, radiograph.frame, region.box, region.side.value)


def _whole(radiograph: Radiograph) -> HipRegion:
    rows, cols = radiograph.shape
    return HipRegion(0.0, 0.0, float(cols), float(rows), radiograph.side, proposed=True)


def _overlap(one: HipRegion, other: HipRegion) -> float:
    """Intersection over union of two boxes."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one.width * one.height + other.width * other.height - shared)


def _nearest(mark: Annotation, hips: Sequence[Hip]) -> Hip:
    x = sum(point[0] for point in mark.points) / len(mark.points)
    y = sum(point[1] for point in mark.points) / len(mark.points)

    def distance(hip: Hip) -> float:
        center_x, center_y = hip.region.center
        return (center_x - x) ** 2 + (center_y - y) ** 2

    return min(hips, key=distance)
