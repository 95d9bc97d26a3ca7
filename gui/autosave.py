"""Drafts reach the store within two seconds of a change, whatever happens to the program after that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QObject, QTimer

QUIET_MS = 400  # write once the reader has paused for this long ...
LATEST_S = 1.2  # ... but no later than this after the first unsaved change


class DraftStore(Protocol):
    def save_draft(self, key: str, data: bytes) -> object: ...

    def discard_draft(self, key: str) -> object: ...


class Autosave(QObject):
    """Writes what `snapshot` returns, (key, bytes), shortly after each `touch`; None means nothing to keep."""

    def __init__(
        self, store: DraftStore, snapshot: Callable[[], tuple[str, bytes] | None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._snapshot = snapshot
        self._dirty_since: float | None = None
        self._written: dict[str, bytes] = {}
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.flush)

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
            self._store.save_draft(key, data)
            self._written = {key: data}

    def discard(self, key: str) -> None:
        """The draft has become a reading, or was emptied."""
        self._timer.stop()
        self._dirty_since = None
        self._written.pop(key, None)
        self._store.discard_draft(key)
