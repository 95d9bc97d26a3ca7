"""One reader's way through a study: which case is on screen, what may be shown, what is recorded. No widgets.

The rules are `study.session`'s; this asks it before everything, writes what it allows into the reader's record, and goes
on only when the record has it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from gui.annotations import AnnotationModel
from gui.autosave import Autosave
from gui.cases import Hip
from gui.draft import Answer, Draft, HipDraft
from gui.study.reading_account import ReaderAccount
from gui.study.reading_aid import prediction_of
from gui.study.reading_answer import compose, hip_of
from gui.study.reading_images import CaseImages
from gui.study.reading_place import Desk
from gui.study.reading_recorder import Recorder
from gui.study.reading_shown import ShownSlot
from gui.study.reading_stages import ANSWERING, Phase, Stage
from gui.viewing import ViewingClock
from imaging.radiograph import Radiograph, Side
from inference.prediction import Prediction
from study.model import Annotation, Reader, Reading, ReadingMode
from study.protocol import Arm
from study.session import SessionError, SlotState, Step
from study.study_events import StudyPayload

if TYPE_CHECKING:
    from gui.jobs import Jobs
    from gui.study.background import Background

PAUSE_AFTER_S = 180.0  # without a sign of life, a break begins by itself
LIFE_CHECK_MS = 5_000
KEEP_TIME_MS = 10_000  # how much viewing time a kill may cost


class StudyReadingController(ShownSlot):
    stage_changed = Signal()
    phase_changed = Signal()  # also: being recorded, or not any more
    progress_changed = Signal()
    pause_changed = Signal()
    failed = Signal(str, str)  # a sentence, details

    def __init__(
        self,
        desk: Desk,
        jobs: Jobs,
        background: Background,
        marks: AnnotationModel,
        *,
        app_version: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.package, self.session, self._store = desk.package, desk.session, desk.store
        self._begun_with = desk.begun_with
        self._background = background
        self._marks = marks
        self._app_version = app_version
        self._clock = clock
        self._stage = Stage.INTRO
        self._phase = Phase.OPENING
        self._index = -1
        self._announced: set[int] = set()  # periods whose beginning was told
        self._recorder = Recorder(self.session, desk.store, self)
        self._recorder.busy_changed.connect(self.phase_changed)
        self._recorder.failed.connect(self.failed)
        self._recorder.refused.connect(self._save_time)
        self._recorder.recorded.connect(self.progress_changed)
        self.account = ReaderAccount(desk, self._recorder, background, clock, self)
        self.account.failed.connect(self.failed)
        self._pause_wanted = self._resume_wanted = self._pause_was_automatic = False
        self._loading = False
        self._autosave = Autosave(desk.store, self._snapshot, self)
        self._stuck = False
        self._images = CaseImages(jobs, self.package.image, self)
        self._images.ready.connect(self._on_image)
        self._images.failed.connect(self._on_image_failed)
        self._images.waiting_changed.connect(self.phase_changed)
        marks.changed.connect(self._on_marks_changed)
        self._life = QTimer(self, interval=LIFE_CHECK_MS)
        self._life.timeout.connect(self._check_life)
        self._life.start()
        self._keep_time = QTimer(self, interval=KEEP_TIME_MS)
        self._keep_time.timeout.connect(self._save_time)
        self._keep_time.start()

    # -- what the views read ----------------------------------------------------------------------

    @property
    def stage(self) -> Stage:
        return self._stage

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def state(self) -> SlotState | None:
        """Of the case on screen."""
        return self.session.slots[self._index] if 0 <= self._index < len(self.session.slots) else None

    @property
    def is_current(self) -> bool:
        """The case on screen is the one that is due."""
        current = self.session.current
        return current is not None and current.slot.index == self._index

    @property
    def saving(self) -> bool:
        """Something was handed to the record, which has not returned yet."""
        return self._recorder.busy

    @property
    def unsaved(self) -> bool:
        """Something that was entered is not on disk yet."""
        return self.saving or self._autosave.dirty_since is not None or self._store.pending > 0

    @property
    def not_saved(self) -> str:
        """Why what was entered last is not saved, a sentence; "" where it is."""
        return self._autosave.failure

    @property
    def waiting_for_image(self) -> bool:
        return self._images.waiting

    @property
    def paused(self) -> bool:
        """From the moment at which a break is asked for until the record knows that it is over."""
        return bool(self.session.paused_utc) or self._pause_wanted

    @property
    def pause_was_automatic(self) -> bool:
        return self._pause_was_automatic

    @property
    def now(self) -> datetime:
        return self._clock()

    @property
    def has_begun(self) -> bool:
        """This very package was begun on this machine before."""
        return self.session.started and self.package.manifest_sha256 in self._begun_with

    @property
    def opens_on(self) -> date | None:
        return self.session.progress(self._clock()).opens_on

    @property
    def may_go_back(self) -> bool:
        return self.package.protocol.going_back_allowed

    @property
    def may_correct(self) -> bool:
        """The answer on screen is locked, and the protocol lets it be corrected."""
        state = self.state
        if state is None or not self.may_go_back or self.saving or self.session.signed is not None:
            return False
        return self._phase is Phase.LOOKING or (self._phase is Phase.LOCKED and not state.revealed_utc)

    @property
    def box_is_known(self) -> bool:
        """The study says where in the image the hip lies."""
        state = self.state
        return state is not None and self.session.case(state.slot).box is not None

    # -- from page to page ------------------------------------------------------------------------

    def begin(self) -> None:
        """From the first page: the package is begun, or a break ends; then the case that is due."""
        if self.saving:
            return
        if self.session.signed is None:
            if not self.has_begun:
                self._recorder.record(lambda: self.session.start(self._app_version), self._after_start)
                return
            if self.session.paused_utc:
                self._recorder.record(lambda: self.session.resume(self._clock()), self.go_on)
                return
        self.go_on()

    def _after_start(self) -> None:
        self._begun_with |= {self.package.manifest_sha256}
        self.begin()

    def go_on(self) -> None:
        """To whatever is due now."""
        progress = self.session.progress(self._clock())
        stage = {Step.WAIT: Stage.WAIT, Step.SIGN: Stage.SIGN, Step.FINISHED: Stage.FINISHED}.get(
            progress.step, Stage.READING
        )
        if stage is Stage.READING and progress.slot is not None and self._is_new_part(progress.slot.period):
            stage = Stage.BETWEEN
        if stage is not Stage.READING:
            self._leave_case()
        self._set_stage(stage)
        if stage is Stage.READING and progress.slot is not None:
            self._open(progress.slot.index)
        elif progress.slot is not None:
            self._images.read_ahead(progress.slot.case_id)
        self.progress_changed.emit()

    def begin_part(self) -> None:
        """From the page between two parts."""
        current = self.session.current
        if current is not None:
            self._announced.add(current.slot.period)
        self.go_on()

    def show_intro(self) -> None:
        """Read again what the study asks; what was entered is kept."""
        self._leave_case()
        self._set_stage(Stage.INTRO)

    def look_at(self, index: int) -> None:
        """Another case: one that is done, or the one that is due. Only where the protocol allows going back."""
        if self._stage is not Stage.READING or self.saving or self.paused or index == self._index:
            return
        slots = self.session.slots
        current = self.session.current
        due = current is not None and current.slot.index == index
        if 0 <= index < len(slots) and (due or (self.may_go_back and slots[index].done)):
            self._open(index)

    def step(self, by: int) -> None:
        self.look_at(self._index + by)

    def review(self) -> None:
        """From the page of the signature back to the last case, where going back is allowed."""
        if self.may_go_back and self._stage is Stage.SIGN and not self.saving:
            self._set_stage(Stage.READING)
            self._open(len(self.session.slots) - 1)

    def _is_new_part(self, period: int) -> bool:
        """Nothing of this part was done, something before it was, and it has not been told yet."""
        if period in self._announced:
            return False
        before = [state for state in self.session.slots if state.slot.period < period]
        started = any(
            state.unaided is not None or state.done for state in self.session.slots if state.slot.period == period
        )
        return bool(before) and not started

    def _set_stage(self, stage: Stage) -> None:
        if stage is not self._stage:
            self._stage = stage
            self.stage_changed.emit()

    # -- a case -----------------------------------------------------------------------------------

    def _open(self, index: int) -> None:
        self._leave_case()
        self._index = index
        self._phase = Phase.OPENING
        self._stuck = False
        self.phase_changed.emit()
        self.progress_changed.emit()
        self._images.ask(self.session.slots[index].slot.case_id)

    @property
    def may_try_again(self) -> bool:
        """The case's image, or the CNN's answer, could not be opened."""
        return self._stuck and self._stage is Stage.READING and self._phase is Phase.OPENING

    def try_again(self) -> None:
        if self.may_try_again and self.state is not None:
            self._stuck = False
            self._images.ask(self.state.slot.case_id)
            self.phase_changed.emit()

    def _on_image(self, case_id: str, radiograph: Radiograph) -> None:
        state = self.state
        if state is None or state.slot.case_id != case_id or self._stage is not Stage.READING:
            return
        if radiograph.sha256 != self.session.case(state.slot).image_sha256:
            self.failed.emit("The package was changed since it was opened. Close this window and open it again.", "")
            return
        if state.slot.arm is Arm.AIDED and not state.done and not state.revealed_utc:
            # In this part the CNN is there from the start, and the record knows it before anything is on screen.
            self._recorder.record(lambda: self.session.reveal(self._clock()), lambda: self._fetch_aid(radiograph))
        elif state.revealed_utc:
            self._fetch_aid(radiograph)
        else:
            self._present(radiograph, None)

    def _on_image_failed(self, case_id: str, sentence: str, details: str) -> None:
        self._stuck = True
        self.failed.emit(f"This case cannot be opened: {sentence}", details)
        self.phase_changed.emit()

    def _fetch_aid(self, radiograph: Radiograph) -> None:
        """What is shown of the CNN, out of the package, then the case with it."""
        state = self.state
        if state is None:
            return
        index, side = state.slot.index, Side(self.session.case(state.slot).side)

        def then(prediction: Prediction) -> None:
            if self._index == index and self._stage is Stage.READING:
                self._present(radiograph, prediction)

        def failed(sentence: str, details: str) -> None:
            self._stuck = self._index == index
            self.failed.emit(sentence, details)
            self.phase_changed.emit()

        self._background.run(
            "Opening the CNN's answer",
            lambda _steps: prediction_of(self.session.aid(index), side),
            then,
            failed,
        )

    def _present(self, radiograph: Radiograph, prediction: Prediction | None) -> None:
        """The case on screen is complete: everything about it becomes known to the views at once."""
        state = self.state
        assert state is not None
        is_new = radiograph is not self._radiograph
        self._stuck = False
        if is_new:
            self._radiograph = radiograph
        self._prediction = prediction
        self._phase = self._phase_of(state)
        self._hip = hip_of(state, self.session.case(state.slot), radiograph)
        self._restore(self._hip)
        if is_new:
            self.radiograph_changed.emit()
        self.hips_changed.emit()
        self.hip_changed.emit(0)
        self.answer_replaced.emit()
        self.diagnosis_changed.emit()
        self.phase_changed.emit()
        self.progress_changed.emit()
        if not self.paused:
            self._hip.viewing.resume()
        self._read_ahead()

    def _phase_of(self, state: SlotState) -> Phase:
        if state.done:
            return Phase.LOOKING
        return {Step.ANSWER: Phase.FIRST, Step.REVEAL: Phase.LOCKED, Step.ANSWER_AIDED: Phase.AIDED}[state.step]

    def _restore(self, hip: Hip) -> None:
        """The draft of this answer where there is one; else the marks of the answer before it."""
        draft = self._draft()
        if draft is not None and draft.hips:
            kept = draft.hips[0]
            hip.answer, hip.viewing = kept.answer, ViewingClock(earlier=kept.viewing)
            self._load_marks(draft.annotations)
        else:
            recorded = hip.recorded
            self._load_marks(recorded.annotations if recorded is not None else ())

    def _load_marks(self, marks: Sequence[Annotation]) -> None:
        self._loading = True
        try:
            self._marks.load(marks)
        finally:
            self._loading = False

    def _leave_case(self) -> None:
        """Nothing of a case stays on screen, nor anything of the CNN."""
        if self._hip is not None:
            self._save_time()
            self._hip.viewing.pause()
        self._autosave.flush()
        self._images.forget()
        was_there = self._radiograph is not None
        self._radiograph = self._hip = self._prediction = None
        self._index = -1
        self._load_marks(())
        if was_there:
            self.diagnosis_changed.emit()
            self.radiograph_changed.emit()
            self.hips_changed.emit()
            self.answer_replaced.emit()

    def _read_ahead(self) -> None:
        following = self.session.slots[self._index + 1 : self._index + 2]
        if following and self.session.current is not None:
            self._images.read_ahead(following[0].slot.case_id)

    # -- answering --------------------------------------------------------------------------------

    def set_answer(self, answer: Answer) -> None:
        """The form has changed."""
        self.note_life()
        hip = self._hip
        if hip is None or self._phase not in ANSWERING or answer == hip.answer:
            return
        hip.answer = answer
        self._autosave.touch()

    def submit(self, reason: str = "") -> None:
        """Lock the answer on screen. What is wrong with it comes as `failed`; `reason` is for a correction."""
        hip, state = self._hip, self.state
        if hip is None or state is None or self.saving or self.paused or self._phase not in ANSWERING:
            return
        index, key = state.slot.index, self._draft_key()
        reading = self._compose(hip, state)

        def payload() -> StudyPayload:
            if self._phase is Phase.CORRECTING:
                return self.session.correct(index, reading, reason.strip(), self._clock())
            return self.session.answer(reading, self._clock())

        self._recorder.record(payload, lambda: self._after_answer(index, key))

    def _compose(self, hip: Hip, state: SlotState) -> Reading:
        locked = state.aided or state.unaided if self._phase is Phase.CORRECTING else None
        seen = self._prediction if locked is None or locked.mode is not ReadingMode.ANSWER_FIRST else None
        account = self.package.manifest.account
        return compose(
            hip,
            state,
            self.session.case(state.slot),
            Reader(self.package.reader_id, experience=account.experience),
            locked.mode if locked is not None else self.session.mode(),
            locked=locked,
            seen=seen,
            marks=self._marks.to_list(),
            spacing=self.spacing,
            app_version=self._app_version,
        )

    def _after_answer(self, index: int, key: str) -> None:
        self._autosave.discard(key)
        state, corrected = self.session.slots[index], self._phase is Phase.CORRECTING
        self._hip_is_over()
        if state.done and not corrected:
            self.go_on()
        elif self._radiograph is not None:
            self._present(self._radiograph, self._prediction)

    def _hip_is_over(self) -> None:
        """What was counted for the answer that is locked now must not be saved as a draft of the next one."""
        if self._hip is not None:
            self._hip.viewing.pause()
            self._hip = None

    def reveal(self) -> None:
        """Show the CNN's answer, once the reader's own is locked."""
        state, radiograph = self.state, self._radiograph
        if state is None or radiograph is None or self.saving or self.paused or self._phase is not Phase.LOCKED:
            return
        if state.revealed_utc:  # recorded, but the answer could not be opened
            self._fetch_aid(radiograph)
        else:
            self._recorder.record(lambda: self.session.reveal(self._clock()), lambda: self._fetch_aid(radiograph))

    def begin_correction(self) -> None:
        if self.may_correct and self._hip is not None:
            self._phase = Phase.CORRECTING
            self._hip.viewing.resume()
            draft = self._draft()
            if draft is not None and draft.hips:
                self._hip.answer = draft.hips[0].answer
                self._load_marks(draft.annotations)
            self.answer_replaced.emit()
            self.phase_changed.emit()

    def drop_correction(self) -> None:
        """The locked answer stays as it is."""
        if self._phase is Phase.CORRECTING and not self.saving and self._radiograph is not None:
            self._autosave.discard(self._draft_key())
            self._hip_is_over()
            self._present(self._radiograph, self._prediction)

    # -- breaks -----------------------------------------------------------------------------------

    def pause(self, *, automatic: bool = False) -> None:
        if self._stage is not Stage.READING or self.saving or self.paused or self.session.current is None:
            return
        self._pause_wanted, self._pause_was_automatic = True, automatic
        self._save_time()
        if self._hip is not None:
            self._hip.viewing.pause()
        self.pause_changed.emit()
        self._recorder.record(lambda: self.session.pause(self._clock()), self._after_pause, self._after_pause)

    def _after_pause(self) -> None:
        self._pause_wanted = False
        self.pause_changed.emit()
        if self._resume_wanted:
            self.resume()

    def resume(self) -> None:
        """Asked for while the break is still being recorded, it follows."""
        self._resume_wanted = self._pause_wanted
        if self.session.paused_utc and not self.saving:
            self._recorder.record(lambda: self.session.resume(self._clock()), self._after_resume)

    def _after_resume(self) -> None:
        self.note_life()
        if self._hip is not None:
            self._hip.viewing.resume()
        self.pause_changed.emit()
        self.phase_changed.emit()

    def _check_life(self) -> None:
        if time.monotonic() - self._last_life > PAUSE_AFTER_S and self._phase is not Phase.OPENING:
            self.pause(automatic=True)

    # -- how the case is looked at ----------------------------------------------------------------

    def note_away(self, away: bool) -> None:
        """The program has gone to the background, or come back."""
        if self._hip is not None and not self.paused:
            if away:
                self._hip.viewing.pause()
            else:
                self._hip.viewing.resume()

    def note_away_state(self, state: Qt.ApplicationState) -> None:
        self.note_away(state is not Qt.ApplicationState.ApplicationActive)

    # -- the end ----------------------------------------------------------------------------------

    def sign(self, passphrase: str, then: Callable[[str], object]) -> None:
        """Sign for everything that was read. `then` gets "" or a sentence that says why not."""
        if self._stage is Stage.SIGN:
            self.account.sign(passphrase, then, self.go_on)

    def close(self) -> None:
        """The window closes: the draft goes to the record, and a break begins. The caller closes the record."""
        self._life.stop()
        self._keep_time.stop()
        self._save_time()
        self._autosave.flush()
        self._images.close()
        if self._stage is Stage.READING and self.session.current is not None and not self.paused:
            with contextlib.suppress(SessionError):
                self._recorder.append(self.session.pause(self._clock()))
        self._recorder.close()

    # -- drafts -----------------------------------------------------------------------------------

    def _draft_key(self) -> str:
        """Names a place in the order, never a case or a file."""
        what = {Phase.FIRST: "first", Phase.AIDED: "aided", Phase.CORRECTING: "correction"}.get(self._phase, "none")
        return f"slot-{self._index}-{what}"

    def _draft(self) -> Draft | None:
        data = self._store.draft(self._draft_key()) if self._phase in ANSWERING else None
        return Draft.from_bytes(data) if data is not None else None

    def _snapshot(self) -> tuple[str, bytes] | None:
        hip = self._hip
        if hip is None or self._phase not in ANSWERING or self._recorder.busy:
            return None
        kept = HipDraft(hip.region.box, hip.region.side.value, False, hip.answer, hip.cnn_seen, hip.viewing.record())
        draft = Draft((kept,), tuple(self._marks.to_list()))
        return self._draft_key(), draft.to_bytes()

    def _save_time(self) -> None:
        """Time that was spent without entering anything counts too, after a kill as well."""
        if self._hip is not None and self._phase in ANSWERING and not self.saving and not self.paused:
            self._autosave.touch()

    def _on_marks_changed(self) -> None:
        if not self._loading and self._hip is not None and self._phase in ANSWERING:
            self.note_life()
            self._autosave.touch()
