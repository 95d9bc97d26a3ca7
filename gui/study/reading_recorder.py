"""Between a reader's session and their record: what the session allows is written, and counts once the disk has it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from study.accounts import AccountError
from study.session import Session, SessionError
from study.store import StudyStore
from study.study_events import KIND_OF, StudyPayload

log = logging.getLogger(__name__)
Then = Callable[[], object]


class Recorder(QObject):
    """One entry at a time."""

    busy_changed = Signal()
    recorded = Signal()  # after everything that follows from it was done
    refused = Signal()  # by the session or the disk; what was entered stays a draft
    failed = Signal(str, str)  # a sentence, details
    _acknowledged = Signal(object, object)

    def __init__(self, session: Session, store: StudyStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._store = session, store
        self._busy = self._closed = False
        self._acknowledged.connect(self._on_acknowledged, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Something was handed to the record, which has not returned yet; or is being made for it."""
        return self._busy

    def set_busy(self, busy: bool) -> None:
        """While something is made that will be recorded."""
        self._busy = busy
        self.busy_changed.emit()

    def record(self, payload: Callable[[], StudyPayload], then: Then, failed: Then | None = None) -> None:
        """Ask the session, hand what it allows to the record, and go on with `then` once the disk has it."""
        try:
            allowed = payload()
        except (SessionError, AccountError) as error:
            if self._busy:
                self.set_busy(False)
            if failed is not None:
                failed()
            self.failed.emit(str(error), "")
            return
        self.set_busy(True)
        future = self._store.append(KIND_OF[type(allowed)], self._session.reader_id, allowed)
        future.add_done_callback(lambda done: self._acknowledged.emit(done, (then, failed)))

    def close(self) -> None:
        """What was handed over is still written, but nothing follows from it any more: the window closes."""
        self._closed = True

    def append(self, payload: StudyPayload) -> None:
        """Without waiting for it."""
        self._store.append(KIND_OF[type(payload)], self._session.reader_id, payload)

    def _on_acknowledged(self, future: Future[Any], ways: tuple[Then, Then | None]) -> None:
        if self._closed:
            return
        then, failed = ways
        self._busy = False
        error = future.exception()
        refused = len(self._session.violations)
        if error is None:
            self._session.apply(future.result())
        if error is not None or len(self._session.violations) > refused:
            if failed is not None:
                failed()
            if error is not None:
                log.error("An entry of a study could not be recorded: %s", type(error).__name__)
                self.failed.emit(f"This could not be recorded, and is kept as a draft. {error}", "")
            else:
                self.failed.emit(self._session.violations[-1].sentence, "")
            self.refused.emit()
            self.busy_changed.emit()
            return
        then()
        self.busy_changed.emit()
        self.recorded.emit()
