"""What a reader does with their passphrase: change it, sign; and the file that they send back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gui.study.reading_place import Desk, return_to
from gui.study.reading_recorder import Recorder, Then
from study.study_events import StudyPayload

if TYPE_CHECKING:
    from gui.study.background import Background

NOT_RECORDED = "This could not be recorded; nothing has changed. Try again."
Told = Callable[[str], object]  # gets "" or a sentence that says why not


class ReaderAccount(QObject):
    returned = Signal(object)  # path of the file for the coordinator
    failed = Signal(str, str)  # a sentence, details

    def __init__(
        self,
        desk: Desk,
        recorder: Recorder,
        background: Background,
        clock: Callable[[], datetime],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._package, self._session, self._store = desk.package, desk.session, desk.store
        self._account = desk.account
        self._recorder, self._background, self._clock = recorder, background, clock

    @property
    def has_own_passphrase(self) -> bool:
        """The first one, which the coordinator set, does not open this record any more."""
        return self._account != self._package.manifest.account

    @property
    def may_change_passphrase(self) -> bool:
        return self._session.signed is None and not self._recorder.busy

    def change_passphrase(self, old: str, new: str, then: Told) -> None:
        """From now on the reader signs in and signs with `new` on this machine."""

        def finish() -> None:
            assert self._session.changed is not None
            self._account = self._session.changed.account
            then("")

        account, now = self._account, self._clock()
        self._make(
            "Changing the passphrase",
            lambda: self._session.change_passphrase(account, old, new, now),
            finish,
            then,
        )

    def sign(self, passphrase: str, then: Told, signed: Then) -> None:
        """Sign for everything that was read; `signed` follows once it is recorded."""

        def finish() -> None:
            then("")
            signed()

        account, now = self._account, self._clock()
        self._make("Signing", lambda: self._session.sign(account, passphrase, self._store.head(), now), finish, then)

    def write_return(self, path: Path) -> None:
        """Write the file for the coordinator; `returned` or `failed` follows."""
        self._background.run(
            "Writing the file for the coordinator",
            lambda _steps: return_to(path, self._package, self._store),
            lambda _returned: self.returned.emit(path),
            self.failed.emit,
            keep=True,
        )

    def _make(self, title: str, make: Callable[[], StudyPayload], finish: Then, then: Told) -> None:
        """Record what takes a while to make."""
        if self._recorder.busy:
            return
        self._recorder.set_busy(True)

        def failed(sentence: str, _details: str) -> None:
            self._recorder.set_busy(False)
            then(sentence)

        self._background.run(
            title,
            lambda _steps: make(),
            lambda payload: self._recorder.record(lambda: payload, finish, lambda: then(NOT_RECORDED)),
            failed,
        )
