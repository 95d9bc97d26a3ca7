"""Recording: what a reader and the CNN said becomes readings, and the store says when they are on disk."""

from __future__ import annotations

import logging
import uuid
from concurrent.futures import Future
from datetime import datetime
from typing import Any, Protocol

import msgspec
from PySide6.QtCore import QObject, Qt, Signal

from gui.agreement import CALL_OF_DECISION
from gui.history import History
from imaging.radiograph import SideSource
from inference.prediction import Decision, Prediction
from study.events import Correction, EventKind, ReadingSubmitted
from study.model import CaseKey, Reader, ReaderKind, Reading, ReadingMode

log = logging.getLogger(__name__)


class EventStore(Protocol):
    """study.store.StudyStore, as far as recording uses it."""

    def append(self, kind: str, actor: str, payload: Any) -> Future[Any]: ...


class Recorder(QObject):
    pending_changed = Signal(int)  # readings handed to the store and not yet acknowledged
    acknowledged = Signal(object, object)  # Reading, and when it was recorded in local time
    refused = Signal(object, str)  # Reading, technical details
    _answered = Signal(object, object)  # future, Reading: from the store's thread

    def __init__(self, store: EventStore, history: History, app_version: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store, self._history, self._app_version = store, history, app_version
        self._pending: set[Future[Any]] = set()
        self._answered.connect(self._on_answered, Qt.ConnectionType.QueuedConnection)

    @property
    def pending(self) -> int:
        return len(self._pending)

    def record(self, reading: Reading) -> None:
        self._append(EventKind.READING, reading, ReadingSubmitted(reading, self._app_version))

    def correct(self, before: Reading, reading: Reading, reason: str) -> None:
        self._append(EventKind.CORRECTION, reading, Correction(before.id, before, reading, reason))

    def record_prediction(self, prediction: Prediction, case: CaseKey, side_source: SideSource) -> None:
        """The CNN's answer about this very region is a reading too; it is recorded once."""
        reading = algorithm_reading(prediction, case, side_source, self._app_version)
        if not self._history.holds(reading):
            self._history.learn([reading])
            self._append(EventKind.PREDICTION, reading, ReadingSubmitted(reading, self._app_version))

    def _append(self, kind: EventKind, reading: Reading, payload: msgspec.Struct) -> None:
        future = self._store.append(kind, reading.reader.id, payload)
        self._pending.add(future)
        self.pending_changed.emit(len(self._pending))
        future.add_done_callback(lambda done: self._answered.emit(done, reading))

    def _on_answered(self, future: Future[Any], reading: Reading) -> None:
        self._pending.discard(future)
        self.pending_changed.emit(len(self._pending))
        error = future.exception()
        if error is not None:
            log.error("A reading could not be recorded: %s", type(error).__name__)
            self.refused.emit(reading, str(error))
            return
        self._history.learn([reading])
        self.acknowledged.emit(reading, datetime.fromisoformat(future.result().utc).astimezone())


def algorithm_reading(prediction: Prediction, case: CaseKey, side_source: SideSource, app_version: str) -> Reading:
    """A prediction as what it is in a study: the answer of a reader that happens to be an algorithm."""
    parts = {name: prediction.parts.get(name) for name in ("stem", "cup")}
    calls = {name: CALL_OF_DECISION.get(part.decision) if part else None for name, part in parts.items()}
    return Reading(
        id=uuid.uuid4().hex,
        case=case,
        reader=Reader(id=prediction.model_id, kind=ReaderKind.ALGORITHM),
        mode=ReadingMode.ALGORITHM,
        call=CALL_OF_DECISION.get(prediction.decision),
        score=prediction.score,
        stem_call=calls["stem"],
        cup_call=calls["cup"],
        comment=_parts_comment(prediction),
        not_assessable_reason=prediction.reason if prediction.decision is Decision.NOT_ASSESSABLE else "",
        app_version=app_version,
        model_id=prediction.model_id,
        model_sha256=prediction.model_sha256,
        side_source=side_source.value,
    )


def _parts_comment(prediction: Prediction) -> str:
    """What the CNN says of stem and cup, with its scores, for the record."""

    def score(probability: float | None) -> Any:
        return None if probability is None else round(100 * probability, 3)

    if prediction.parts:
        said = [
            f"{part.name} {score(part.probability)}" if part.probability is not None else part.reason.rstrip(".")
            for part in prediction.parts.values()
        ]
        fixation = [f"{prediction.fixation} stem"] if prediction.fixation else []
        return "; ".join(said + fixation)
    if prediction.stem_probability is None and prediction.cup_probability is None:
        return ""
    return f"stem {score(prediction.stem_probability)}, cup {score(prediction.cup_probability)}"
