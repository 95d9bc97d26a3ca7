"""Drafts reach the store within two seconds of a change, whatever happens to the program after that.

A draft that the store refuses (a full disk, a drive that is gone) is not saved, and tried again until it is.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from PySide6.QtCore import QObject, Qt, QTimer, Signal

QUIET_MS = 400  # write once the reader has paused for this long ...
LATEST_S = 1.2  # ... but no later than this after the first unsaved change
AGAIN_MS = 5000  # after a draft was refused


class DraftStore(Protocol):
    """Answers with a Future, or tells of failures by itself."""

    def save_draft(self, key: str, data: bytes) -> object: ...

    def discard_draft(self, key: str) -> object: ...


class Autosave(QObject):
    """Writes what `snapshot` returns, (key, bytes), shortly after each `touch`; None means nothing to keep."""

    failure_changed = Signal()  # `failure` says something else
    _answered = Signal(object, str, object)  # the store's future, a draft's key and data, from the store's thread

    def __init__(
        self, store: DraftStore, snapshot: Callable[[], tuple[str, bytes] | None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._snapshot = snapshot
        self._dirty_since: float | None = None
        self._written: dict[str, bytes] = {}
        self._refused: dict[str, bytes | None] = {}  # None: to be discarded
        self.failure = ""  # why the latest drafts are not saved, a sentence
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.flush)
        self._again = QTimer(self, singleShot=True, interval=AGAIN_MS)
        self._again.timeout.connect(self._try_again)
        self._answered.connect(self._on_answered, Qt.ConnectionType.QueuedConnection)

    @property
    def dirty_since(self) -> float | None:
        return self._dirty_since

    def touch(self) -> None:
        now = time.monotonic()
        if self._dirty_since is None:
            self._dirty_since = now
        left_ms = max(0.0, LATEST_S - (now - self._dirty_since)) * 1000
        self._timer.start(int(min(QUIET_MS, left_ms)))

    def flush(self) -> None:
        """Hand the draft to the store's writer now."""
        self._timer.stop()
        if self._dirty_since is None:
            return
        self._dirty_since = None
        snapshot = self._snapshot()
        if snapshot is None:
            return
        key, data = snapshot
        if self._written.get(key) != data:
            self._written = {key: data}
            self._refused.pop(key, None)
            self._watch(self._store.save_draft(key, data), key, data)

    def discard(self, key: str) -> None:
        """The draft has become a reading, or was emptied."""
        self._timer.stop()
        self._dirty_since = None
        self._written.pop(key, None)
        self._refused.pop(key, None)
        self._watch(self._store.discard_draft(key), key, None)

    def _watch(self, answer: object, key: str, data: bytes | None) -> None:
        if isinstance(answer, Future):
            answer.add_done_callback(lambda future: self._tell(future, key, data))

    def _tell(self, future: Future[None], key: str, data: bytes | None) -> None:
        """Runs in the store's thread."""
        with contextlib.suppress(RuntimeError):  # the window has gone
            self._answered.emit(future, key, data)

    def _on_answered(self, future: Future[None], key: str, data: bytes | None) -> None:
        error = future.exception()
        if error is None:
            self._refused.pop(key, None)
        else:
            self._refused[key] = data
            self._again.start()
        failure = "" if not self._refused else str(error) if error is not None else self.failure
        if failure != self.failure:
            self.failure = failure
            self.failure_changed.emit()

    def _try_again(self) -> None:
        for key, data in list(self._refused.items()):
            if data is None:
                self._watch(self._store.discard_draft(key), key, data)
            else:
                self._watch(self._store.save_draft(key, data), key, data)
