"""One window for each data folder: a second start hands its files to the window that is open, and ends.

Who the first is, a lock file in the data folder says; the files go through a local socket that only this user can open.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, QSysInfo, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

log = logging.getLogger(__name__)
LOCK_FILE = "window.lock"
STARTING_S = 10.0  # the other one may be starting or quitting
ANSWER_MS = 5000
LIMIT_BYTES = 1 << 20
TAKEN = b"taken\n"


class OneInstance(QObject):
    """Call `begin`; where it is False, the files are with the other window. Keep the object as long as the program."""

    files_given = Signal(list, bool)  # paths, and whether the samples were asked for: from a second start

    def __init__(self, data_folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = data_folder
        self._lock = QLockFile(str(data_folder / LOCK_FILE))
        self._lock.setStaleLockTime(0)  # only the end of its process frees it
        self._server: QLocalServer | None = None
        self.is_alone = False  # no other window uses this data folder

    def begin(self, files: Sequence[Path], *, sample: bool) -> bool:
        """True: go on, as the only window or, where the other one does not answer, beside it (`is_alone` tells)."""
        until = time.monotonic() + STARTING_S
        while True:
            if self._lock.tryLock(0):
                self.is_alone = True
                self._listen()
                return True
            if self._lock.error() is not QLockFile.LockError.LockFailedError:
                return True  # the folder cannot be written: the record will say so
            if self._hand_over(files, sample):
                return False
            if not self._is_held_here() or time.monotonic() > until:
                log.warning("Another window holds the data folder and does not answer")
                return True
            time.sleep(0.1)

    def end(self) -> None:
        """Let the next start be the first."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._lock.unlock()

    def _is_held_here(self) -> bool:
        """By a process of this machine, which a local socket can reach."""
        _pid, host, _name = self._lock.getLockInfo()  # empty where it was let go of in this moment
        return host in ("", QSysInfo.machineHostName())

    # -- the first --------------------------------------------------------------------------------

    def _listen(self) -> None:
        server = QLocalServer(self)
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        name = socket_name(self._folder)
        QLocalServer.removeServer(name)  # left behind by a program that was killed: the lock says that it is gone
        server.newConnection.connect(self._on_connection)
        if server.listen(name):
            self._server = server
        else:
            log.warning("No second start can be heard: %s", server.errorString())

    def _on_connection(self) -> None:
        while self._server is not None and (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(self._on_line)
            socket.disconnected.connect(socket.deleteLater)
            if socket.canReadLine():
                self._take(socket)

    def _on_line(self) -> None:
        socket = self.sender()
        if isinstance(socket, QLocalSocket):
            self._take(socket)

    def _take(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            if socket.bytesAvailable() > LIMIT_BYTES:
                socket.abort()
            return
        try:
            asked = json.loads(bytes(socket.readLine().data()))
            files, sample = [Path(str(file)) for file in asked["files"]], bool(asked["sample"])
        except (ValueError, TypeError, KeyError):
            socket.abort()
            return
        socket.write(TAKEN)
        socket.flush()
        self.files_given.emit(files, sample)

    # -- the second -------------------------------------------------------------------------------

    def _hand_over(self, files: Sequence[Path], sample: bool) -> bool:
        """True once the other window has them."""
        name = socket_name(self._folder)
        if not _is_ours(name):
            return False
        socket = QLocalSocket()
        socket.connectToServer(name)
        if not socket.waitForConnected(1000):
            return False
        # JSON in ASCII: a file name that is no valid text survives as well.
        asked = {"files": [os.path.abspath(file) for file in files], "sample": sample}  # noqa: PTH100 - keeps links
        socket.write(json.dumps(asked).encode("ascii") + b"\n")
        socket.flush()
        answer = b""
        while not answer.endswith(b"\n") and socket.waitForReadyRead(ANSWER_MS):
            answer += bytes(socket.readAll().data())
        socket.disconnectFromServer()
        return answer == TAKEN


def socket_name(data_folder: Path) -> str:
    """Of this user and data folder: a pipe's name on Windows, elsewhere a path in a folder of this machine."""
    place = os.path.realpath(data_folder)
    digest = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    if sys.platform == "win32":
        return f"lucency-{digest}"
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    return str(
        Path(folder if Path(folder).is_dir() and folder else tempfile.gettempdir()) / f"lucency-{os.getuid()}-{digest}"
    )


def _is_ours(name: str) -> bool:
    """Paths may hold patients' names: they are told to nobody else, who might have made a socket of this name."""
    if sys.platform == "win32":
        return True
    try:
        return Path(name).lstat().st_uid == os.getuid()
    except OSError:
        return False
