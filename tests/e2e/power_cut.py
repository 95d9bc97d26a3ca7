"""A disk that remembers every write, so that a power cut can be simulated at any of them.

A SQLite VFS over ordinary files. What SQLite asked for is logged in order; `disk_after_cut` then builds what a real disk
may hold when the power fails: everything synced, and of what was not synced each 512-byte sector as written, as it was
before, or garbled.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import os
import random
import sqlite3
from collections.abc import Iterator
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path

SECTOR = 512
OK, IOERR, NOTFOUND, CANTOPEN, SHORT_READ = 0, 10, 12, 14, 522
OPEN_CREATE = 4
POWERSAFE_OVERWRITE = 0x1000
NAME = b"powercut"

Op = tuple  # (name, path, *arguments)


class IoMethods(ctypes.Structure):
    _fields_ = [
        ("version", c_int),
        ("close", CFUNCTYPE(c_int, c_void_p)),
        ("read", CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)),
        ("write", CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)),
        ("truncate", CFUNCTYPE(c_int, c_void_p, c_int64)),
        ("sync", CFUNCTYPE(c_int, c_void_p, c_int)),
        ("file_size", CFUNCTYPE(c_int, c_void_p, POINTER(c_int64))),
        ("lock", CFUNCTYPE(c_int, c_void_p, c_int)),
        ("unlock", CFUNCTYPE(c_int, c_void_p, c_int)),
        ("check_reserved_lock", CFUNCTYPE(c_int, c_void_p, POINTER(c_int))),
        ("file_control", CFUNCTYPE(c_int, c_void_p, c_int, c_void_p)),
        ("sector_size", CFUNCTYPE(c_int, c_void_p)),
        ("device_characteristics", CFUNCTYPE(c_int, c_void_p)),
    ]


class File(ctypes.Structure):
    _fields_ = [("methods", POINTER(IoMethods)), ("handle", c_int)]


class Vfs(ctypes.Structure):
    _fields_ = [
        ("version", c_int),
        ("file_size", c_int),
        ("max_pathname", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("app_data", c_void_p),
        ("open", CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p, c_int, POINTER(c_int))),
        ("delete", CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)),
        ("access", CFUNCTYPE(c_int, c_void_p, c_char_p, c_int, POINTER(c_int))),
        # the system's own, taken over as they are:
        *((name, c_void_p) for name in ("full_pathname", "dl_open", "dl_error", "dl_sym", "dl_close")),
        *((name, c_void_p) for name in ("randomness", "sleep", "current_time", "last_error")),
    ]


def _library() -> ctypes.CDLL | None:
    for name in (ctypes.util.find_library("sqlite3"), "libsqlite3.so.0"):
        with contextlib.suppress(OSError, TypeError):
            return ctypes.CDLL(name)
    return None


class RememberingDisk:
    """While `mounted`, every SQLite connection of this process writes through it; `log` holds what was asked."""

    def __init__(self) -> None:
        self.log: list[Op] = []
        self._files: dict[int, str] = {}
        self._library = _library()
        if self._library is None:
            raise OSError("the SQLite library was not found")
        self._library.sqlite3_vfs_find.restype = POINTER(Vfs)
        system = self._library.sqlite3_vfs_find(None).contents
        self._methods = IoMethods(1)
        for name, function in IoMethods._fields_[1:]:
            setattr(self._methods, name, function(getattr(self, f"_{name}")))
        self._vfs = Vfs(1, ctypes.sizeof(File), system.max_pathname, None, NAME)
        for name, function in Vfs._fields_[6:9]:
            setattr(self._vfs, name, function(getattr(self, f"_{name}")))
        for name, _ in Vfs._fields_[9:]:
            setattr(self._vfs, name, getattr(system, name))

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Raises sqlite3.OperationalError where Python has another copy of SQLite built in."""
        assert self._library is not None
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)
        try:
            sqlite3.connect("file::memory:?vfs=powercut", uri=True).close()
            yield
        finally:
            self._library.sqlite3_vfs_unregister(ctypes.byref(self._vfs))

    def acknowledge(self, *what: object) -> None:
        self.log.append(("acknowledged", "", *what))

    # --- what SQLite calls

    def _open(self, _vfs, name, file, flags, out_flags):
        path = os.fsdecode(name) if name else ""
        try:
            handle = os.open(path, os.O_RDWR | (os.O_CREAT if flags & OPEN_CREATE else 0), 0o644)
        except OSError:
            ctypes.cast(file, POINTER(File)).contents.methods = None
            return CANTOPEN
        opened = ctypes.cast(file, POINTER(File)).contents
        opened.methods = ctypes.pointer(self._methods)
        opened.handle = handle
        self._files[handle] = path
        if out_flags:
            out_flags[0] = flags
        return OK

    def _delete(self, _vfs, name, sync_folder):
        path = os.fsdecode(name)
        Path(path).unlink(missing_ok=True)
        self.log.append(("delete", path, bool(sync_folder)))
        return OK

    def _access(self, _vfs, name, _flags, result):
        result[0] = Path(os.fsdecode(name)).exists()
        return OK

    @staticmethod
    def _handle(file) -> int:
        return ctypes.cast(file, POINTER(File)).contents.handle

    def _close(self, file):
        handle = self._handle(file)
        os.close(handle)
        del self._files[handle]
        return OK

    def _read(self, file, buffer, count, offset):
        data = os.pread(self._handle(file), count, offset)
        ctypes.memmove(buffer, data + bytes(count - len(data)), count)
        return OK if len(data) == count else SHORT_READ

    def _write(self, file, buffer, count, offset):
        data = ctypes.string_at(buffer, count)
        handle = self._handle(file)
        os.pwrite(handle, data, offset)
        self.log.append(("write", self._files[handle], offset, data))
        return OK

    def _truncate(self, file, size):
        handle = self._handle(file)
        os.ftruncate(handle, size)
        self.log.append(("truncate", self._files[handle], size))
        return OK

    def _sync(self, file, _flags):
        self.log.append(("sync", self._files[self._handle(file)]))
        return OK

    def _file_size(self, file, size):
        size[0] = os.fstat(self._handle(file)).st_size
        return OK

    def _lock(self, _file, _level):
        return OK

    def _unlock(self, _file, _level):
        return OK

    def _check_reserved_lock(self, _file, result):
        result[0] = 0
        return OK

    def _file_control(self, _file, _op, _argument):
        return NOTFOUND

    def _sector_size(self, _file):
        return 4096  # as the system's own says

    def _device_characteristics(self, _file):
        return POWERSAFE_OVERWRITE  # likewise


def _apply(content: bytearray, op: Op) -> None:
    if op[0] == "write":
        offset, data = op[2:]
        content.extend(bytes(max(0, offset + len(data) - len(content))))
        content[offset : offset + len(data)] = data
    else:
        size = op[2]
        del content[size:]
        content.extend(bytes(size - len(content)))


def disk_after_cut(log: list[Op], cut: int, chance: random.Random) -> dict[str, bytes]:
    """What the files may hold when the power fails after the first `cut` entries of the log."""
    synced: dict[str, bytearray] = {}
    pending: dict[str, list[Op]] = {}
    for op in log[:cut]:
        name, path = op[:2]
        if name in ("write", "truncate"):
            pending.setdefault(path, []).append(op)
        elif name == "sync":
            content = synced.setdefault(path, bytearray())
            for waiting in pending.pop(path, []):
                _apply(content, waiting)
        elif name == "delete":
            pending.pop(path, None)
            if op[2] or chance.random() < 0.5:  # a removal that was not synced may be undone
                synced.pop(path, None)
    for path, ops in pending.items():
        if path not in synced and chance.random() < 0.3:
            continue  # not even its name reached the disk
        content = synced.setdefault(path, bytearray())
        for op in ops:
            if op[0] == "truncate":
                if chance.random() < 0.5:
                    _apply(content, op)
                continue
            offset, data = op[2:]
            start = offset
            while start < offset + len(data):
                end = min((start // SECTOR + 1) * SECTOR, offset + len(data))
                fate = chance.choice(("kept", "dropped", "garbled"))
                piece = data[start - offset : end - offset] if fate == "kept" else chance.randbytes(end - start)
                if fate != "dropped":
                    _apply(content, ("write", path, start, piece))
                start = end
    return {path: bytes(content) for path, content in synced.items()}


def write_disk(files: dict[str, bytes], folder: Path) -> None:
    for path, content in files.items():
        (folder / Path(path).name).write_bytes(content)
