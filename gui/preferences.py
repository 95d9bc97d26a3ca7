"""What the user has chosen, kept in one INI file: typed, validated, written at once.

A file that is damaged, unreadable or of a newer version never stops the program: `problems` then holds a
sentence for each thing that was set aside, and the defaults serve.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, overload

from PySide6.QtCore import QByteArray, QObject, QSettings, QTimer, Signal

from imaging.sources import readable
from study.local import default_data_folder
from study.model import ReadingMode

SCHEMA = 1
RECENT_LIMIT = 12
FILE_LIMIT_BYTES = 1 << 20
# A slider that is dragged sends a hundred values a second, and every write waits for the disk.
SETTLE_MS = 200


class ThemeName(StrEnum):
    DARK = "dark"
    LIGHT = "light"
    SYSTEM = "system"


class Device(StrEnum):
    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


@dataclass(frozen=True)
class RecentFile:
    path: Path
    opened_at: datetime

    def label(self, *, show_name: bool) -> str:
        """What a menu shows. A file name may hold a patient's name, hence it is left out unless asked for."""
        if show_name:
            return readable(self.path.name)
        kind = self.path.suffix.lstrip(".").upper() or "file"
        return f"{kind} opened {self.opened_at:%d %b %Y, %H:%M}"


T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class _Setting(Generic[T]):
    """One value: where it lies in the file, its default, and how text becomes a valid value or ValueError."""

    def __init__(
        self,
        key: str,
        default: T,
        parse: Callable[[str], T],
        write: Callable[[T], str] = str,
        *,
        settles: bool = False,
    ) -> None:
        self.key, self.default, self.parse, self.write, self.settles = key, default, parse, write, settles

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> _Setting[T]: ...

    @overload
    def __get__(self, instance: Preferences, owner: type) -> T: ...

    def __get__(self, instance: Preferences | None, owner: type) -> _Setting[T] | T:
        return self if instance is None else cast(T, instance._values[self.name])

    def __set__(self, instance: Preferences, value: T) -> None:
        """Raise ValueError, a sentence, for a value that is not allowed."""
        text = self.write(value)
        instance._set(self, self.parse(text), text)


def _choice(kind: type[E]) -> Callable[[str], E]:
    def parse(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"must be one of {', '.join(kind)}") from None

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(f"must lie between {low:g} and {high:g}")
        return value

    return parse


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"must lie between {low} and {high}")
        return value

    return parse


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def _write_flag(value: bool) -> str:
    return "true" if value else "false"


def _line(limit: int) -> Callable[[str], str]:
    def parse(text: str) -> str:
        line = json.loads(text)
        if not isinstance(line, str) or len(line) > limit:
            raise ValueError(f"must be text of at most {limit} characters")
        return " ".join(line.split())

    return parse


def _prevalence(text: str) -> float | None:
    return None if text == "" else _number(0.001, 0.999)(text)


def _path(text: str) -> Path:
    path = json.loads(text)
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError("must be a folder")
    return Path(path)


def _write_path(path: Path) -> str:
    return json.dumps(str(path))


def _bytes(text: str) -> QByteArray:
    return QByteArray(bytes.fromhex(text))


def _write_bytes(value: QByteArray) -> str:
    return bytes(value.data()).hex()


def _widths(text: str) -> tuple[int, ...]:
    value = json.loads(text)
    if not isinstance(value, list) or not all(type(width) is int and 0 < width < 100_000 for width in value):
        raise ValueError("must be widths in pixels")
    return tuple(value)


def _shortcuts(text: str) -> dict[str, str]:
    value = json.loads(text)
    if not isinstance(value, dict) or not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
        raise ValueError("must map actions to keys")
    return value


def _write_json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _recent(text: str) -> tuple[RecentFile, ...]:
    return tuple(
        RecentFile(Path(str(path)), datetime.fromisoformat(opened_at)) for path, opened_at in json.loads(text)
    )[:RECENT_LIMIT]


def _write_recent(files: tuple[RecentFile, ...]) -> str:
    return json.dumps([[str(file.path), file.opened_at.isoformat(timespec="seconds")] for file in files])


class Preferences(QObject):
    """Assigning to a property validates it (ValueError), writes it and emits `changed(name)`.

    `folder` holds `preferences.ini`; it is made when the first value is written.
    """

    changed = Signal(str)
    problem_found = Signal(str)  # a sentence: a setting could not be written

    theme = _Setting("appearance/theme", ThemeName.DARK, _choice(ThemeName))
    font_scale_percent = _Setting("appearance/font_scale_percent", 100, _whole(100, 200))

    device = _Setting("cnn/device", Device.AUTO, _choice(Device))
    model_id = _Setting("cnn/model_id", "", _line(200), json.dumps)  # "": the newest version of the program's own
    local_prevalence = _Setting[float | None](
        "cnn/local_prevalence", None, _prevalence, lambda value: "" if value is None else repr(value)
    )

    reading_mode = _Setting("reading/mode", ReadingMode.ASSIST, _choice(ReadingMode))
    reader_name = _Setting("reading/reader_name", "", _line(100), json.dumps)
    reader_experience = _Setting("reading/reader_experience", "", _line(200), json.dumps)
    lucency_cutoff_mm = _Setting("reading/lucency_cutoff_mm", 2.0, _number(0.1, 10.0), repr)

    overlay_opacity = _Setting("overlay/opacity", 0.5, _number(0.0, 1.0), repr, settles=True)
    overlay_threshold = _Setting("overlay/threshold", 0.0, _number(0.0, 1.0), repr, settles=True)
    overlay_contour = _Setting("overlay/contour", False, _flag, _write_flag)
    side_by_side = _Setting("window/side_by_side", False, _flag, _write_flag)

    recent_files_on = _Setting("files/recent_files_on", True, _flag, _write_flag)
    recent_names_on = _Setting("files/recent_names_on", False, _flag, _write_flag)  # a name may be a patient's
    recent_files = _Setting[tuple[RecentFile, ...]]("files/recent_files", (), _recent, _write_recent)
    data_folder = _Setting("files/data_folder", Path(), _path, _write_path)  # the record, drafts and logs

    shortcuts = _Setting[dict[str, str]]("keys/shortcuts", {}, _shortcuts, _write_json)  # action id -> portable keys

    window_geometry = _Setting("window/geometry", QByteArray(), _bytes, _write_bytes, settles=True)
    window_state = _Setting("window/state", QByteArray(), _bytes, _write_bytes, settles=True)
    column_widths = _Setting[tuple[int, ...]]("window/columns", (), _widths, _write_json, settles=True)

    def __init__(self, folder: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder = folder if folder is not None else default_data_folder()
        self.problems: list[str] = []
        self._pending: dict[str, str] = {}
        self._settle = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._settle.timeout.connect(self.flush)
        self._values: dict[str, object] = {name: setting.default for name, setting in _settings().items()}
        self._values["data_folder"] = self.folder
        self._write_failed = False
        self._file = QSettings(str(self._readable_file()), QSettings.Format.IniFormat)
        # Without this, an unreadable place would silently fall back to another one.
        self._file.setFallbacksEnabled(False)
        self._read()

    @property
    def file(self) -> Path:
        return Path(self._file.fileName())

    def reset(self, *names: str) -> None:
        """Back to the defaults: the named settings, or all of them."""
        for name in names or _settings():
            default = self.folder if name == "data_folder" else _settings()[name].default
            setattr(self, name, default)

    def add_recent(self, path: Path) -> None:
        """Remember a file that was opened, unless the user wants none remembered."""
        if not self.recent_files_on:
            return
        path = path.absolute()
        others = tuple(file for file in self.recent_files if file.path != path)
        # Local time: it is shown in a menu and never leaves this machine.
        self.recent_files = (RecentFile(path, datetime.now().astimezone()), *others)[:RECENT_LIMIT]

    def flush(self) -> None:
        """Write what is still waiting; called by itself, and worth calling before the program ends."""
        self._settle.stop()
        if not self._pending:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            self._report_write_failure()
            return
        self._file.setValue("schema", str(SCHEMA))
        for key, text in self._pending.items():
            self._file.setValue(key, text)
        self._file.sync()
        if self._file.status() is QSettings.Status.NoError:
            self._pending.clear()
            self._write_failed = False
        else:
            self._report_write_failure()

    def _set(self, setting: _Setting[Any], value: object, text: str) -> None:
        if self._values[setting.name] == value:
            return
        self._values[setting.name] = value
        self._pending[setting.key] = text
        if setting.settles:
            self._settle.start()
        else:
            self.flush()
        if setting.name == "recent_files_on" and not value:
            self.recent_files = ()
        self.changed.emit(setting.name)

    def _report_write_failure(self) -> None:
        if self._write_failed:
            return
        self._write_failed = True
        self.problem_found.emit("Your settings could not be saved: the settings file cannot be written.")

    def _readable_file(self) -> Path:
        """The file to use. One that cannot be understood is set aside, never overwritten."""
        file = self.folder / "preferences.ini"
        try:
            with file.open("rb") as stream:
                data = stream.read(FILE_LIMIT_BYTES + 1)
        except FileNotFoundError:
            return file
        except OSError:
            self.problems.append("Your settings could not be read; the program started with its defaults.")
            return file
        probe = QSettings(str(file), QSettings.Format.IniFormat)
        schema = str(probe.value("schema", ""))
        damaged = len(data) > FILE_LIMIT_BYTES or b"\0" in data or probe.status() is not QSettings.Status.NoError
        if data.strip() and (damaged or not schema.isdecimal()):
            self.problems.append(
                "Your settings file was damaged; it was kept beside the new one, and the defaults are in use."
            )
            try:
                file.replace(file.with_name("preferences.damaged.ini"))
            except OSError:
                return file.with_name("preferences.new.ini")
            return file
        if schema.isdecimal() and int(schema) > SCHEMA:
            self.problems.append(
                "Your settings were written by a newer version of Lucency; they were left alone, "
                "and this version keeps its own."
            )
            return file.with_name(f"preferences.{SCHEMA}.ini")
        return file

    def _read(self) -> None:
        refused: list[str] = []
        for name, setting in _settings().items():
            text = self._file.value(setting.key)
            if text is None:
                continue
            try:
                self._values[name] = setting.parse(str(text))
            except (ValueError, TypeError, KeyError, RecursionError):
                refused.append(name.replace("_", " "))
        if refused:
            self.problems.append(
                f"Some settings were not valid and are back to their defaults: {', '.join(sorted(refused))}."
            )


def _settings() -> dict[str, _Setting[Any]]:
    return {name: value for name, value in vars(Preferences).items() if isinstance(value, _Setting)}
