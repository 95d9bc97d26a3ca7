"""From what a user drops, a file, a folder, a ZIP archive or a DICOMDIR, to the images in it."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from imaging.radiograph import RadiographError

MAX_FILE_BYTES = 512 * 1024**2  # a file is read whole; radiographs are under 100 MB
MAX_MEMBERS = 100_000  # of one archive
MAX_DEPTH = 32  # of folders within folders
_IGNORED_SUFFIXES = frozenset(
    [
        ".txt",
        ".md",
        ".csv",
        ".json",
        ".jsonl",
        ".xml",
        ".html",
        ".htm",
        ".css",
        ".js",
        ".py",
        ".log",
        ".ini",
        ".toml",
        ".yaml",
        ".yml",
        ".exe",
        ".dll",
        ".so",
        ".inf",
        ".bat",
        ".sh",
        ".doc",
        ".docx",
        ".xls",
        ".xlsx",
        ".ppt",
        ".pptx",
        ".db",
        ".sqlite",
        ".sha256",
        ".md5",
    ]
)
_DICOMDIR_CLASS = b"1.2.840.10008.1.3.10"
_DICOMDIR_HEAD_BYTES = 512  # hold the file meta information's first elements
_DEFLATE64 = 9  # of the ways to pack that ZIP knows; Windows takes it for files of 2 GB and more
_KNOWN_PACKING = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_IGNORED_NAMES = frozenset({"thumbs.db", "desktop.ini", "lockfile", "version"})


@dataclass(frozen=True)
class Source:
    """Where the bytes of one image lie: a file, or a member of a ZIP archive."""

    path: Path
    member: str = ""

    @property
    def label(self) -> str:
        """A short name for lists."""
        return readable(PurePosixPath(self.member).name if self.member else self.path.name)

    def read_bytes(self) -> bytes:
        """All bytes, at most MAX_FILE_BYTES. Raises RadiographError."""
        return _read_member(self.path, self.member) if self.member else _read_file(self.path)


def readable(name: str) -> str:
    """A file's name or path as text that can be shown and written; a byte that is no UTF-8 becomes its number, "\\xfc"."""
    spelt = re.sub("[\udc80-\udcff]", lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", name)
    return spelt.encode("utf-8", "backslashreplace").decode("utf-8")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts as people count: image 2 before image 10."""
    parts = re.split(r"(\d{1,30})", name.casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def find_sources(paths: Iterable[Path | str]) -> Iterator[Source]:
    """The images under `paths`, in the order given; inside a folder or an archive in natural order.

    A file named outright is always given, whatever its name; reading it says what is wrong with it. Inside
    folders and archives, files whose ending says that they are no image are left out. Links inside a folder are not
    followed. Raises RadiographError for a path that does not exist, an archive that cannot be read, or a DICOMDIR
    whose files are missing.
    """
    for given in paths:
        path = Path(given)
        try:
            if path.is_dir():
                yield from _in_folder(path)
                continue
            if not path.exists():
                raise RadiographError(f"“{readable(path.name)}” does not exist.")
            mode = path.stat().st_mode
        except (OSError, ValueError) as error:
            raise RadiographError(f"“{readable(path.name)}” cannot be opened.", type(error).__name__) from None
        if not stat.S_ISREG(mode):
            raise RadiographError(f"“{readable(path.name)}” is not a file.")
        if is_zip(path):
            yield from _in_archive(path)
        elif _is_dicomdir(path):
            yield from _in_dicomdir(path)
        else:
            yield Source(path)


def is_zip(path: Path) -> bool:
    """By content, not by name."""
    try:
        with path.open("rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


def _is_dicomdir(path: Path) -> bool:
    """By name, as on a disc; by content, where it was given another."""
    if _plain_name(path.name) == "dicomdir":
        return True
    try:
        with path.open("rb") as file:
            head = file.read(_DICOMDIR_HEAD_BYTES)
    except OSError:
        return False
    return head[128:132] == b"DICM" and _DICOMDIR_CLASS in head


def _may_be_image(name: str) -> bool:
    lower = PurePosixPath(name.replace("\\", "/")).name.lower()
    return not (
        lower.startswith(".")
        or lower in _IGNORED_NAMES
        or PurePosixPath(lower).suffix in _IGNORED_SUFFIXES
        or _plain_name(lower) == "dicomdir"
    )


def _plain_name(name: str) -> str:
    """As DICOM means it: without the version that ISO 9660 adds (";1"), the ending that others add, and capitals."""
    return re.sub(r"(\.(dcm|dicom|dic|ima|img))?\.?(;\d+)?$", "", name.casefold())


def _in_folder(folder: Path, depth: int = 0) -> Iterator[Source]:
    """Depth first. Never through a link: it could lead out of the folder, or round in circles."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: natural_key(entry.name))
    except OSError as error:
        if depth == 0:
            raise RadiographError(
                f"The folder “{readable(folder.name)}” cannot be read.", type(error).__name__
            ) from None
        return
    for entry in entries:
        try:
            if entry.is_symlink():
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth < MAX_DEPTH and not entry.name.startswith("."):
                    yield from _in_folder(Path(entry.path), depth + 1)
            elif entry.is_file(follow_symlinks=False) and _may_be_image(entry.name):
                path = Path(entry.path)
                if is_zip(path):
                    yield from _in_archive(path)
                else:
                    yield Source(path)
        except (OSError, RadiographError):
            continue  # one bad archive or a file that vanished does not hide the rest of the folder


def _in_archive(path: Path) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > MAX_MEMBERS:
                raise RadiographError(f"The archive “{readable(path.name)}” holds more than {MAX_MEMBERS:,} files.")
            members = _members(archive)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RecursionError, OverflowError) as error:
        raise RadiographError(f"The archive “{readable(path.name)}” is damaged.", type(error).__name__) from None
    names = [
        name
        for name, info in members.items()
        if not info.is_dir() and _may_be_image(info.filename) and not name.startswith("__MACOSX/")
    ]
    for name in sorted(names, key=natural_key):
        yield Source(path, name)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of an archive, each under a name of its own: of those with the same name, the second is "name (2)"."""
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = first = _member_name(info)
        number = 1
        while name in found:
            number += 1
            name = f"{first} ({number})"
        found[name] = info
    return found


def _member_name(info: zipfile.ZipInfo) -> str:
    """Its name as it was meant: macOS and Linux write UTF-8 without saying so, and zipfile takes it for MS-DOS."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _in_dicomdir(path: Path) -> Iterator[Source]:
    """The files that a DICOMDIR lists, where they are inside its own folder; else the images in the folder."""
    from imaging.dicom import dicomdir_file_ids  # pydicom only where it is needed

    root = path.parent.resolve()
    found = [place for parts in dicomdir_file_ids(_read_file(path)) if (place := _inside(root, parts)) is not None]
    sources = [Source(place) for place in dict.fromkeys(found)] or list(_in_folder(path.parent))
    if not sources:
        raise RadiographError(f"The files that “{readable(path.name)}” lists are missing.")
    yield from sources


def _inside(root: Path, parts: tuple[str, ...]) -> Path | None:
    """The file named by a DICOMDIR's components, or None where they lead elsewhere or nowhere.

    File IDs are upper case and have no endings; discs are often copied in lower case, with endings, or into one folder.
    Only names that are really in the folder are followed, so that no component of the file's own making ever becomes
    a path.
    """
    # Some writers give one text with slashes for the components of the standard.
    names = [name for part in parts for name in re.split(r"[/\\]", part) if name not in ("", ".")]
    place = _follow(root, names)
    return place if place is not None else _follow(root, names[-1:])


def _follow(root: Path, names: list[str]) -> Path | None:
    current = root
    for position, name in enumerate(names):
        try:
            with os.scandir(current) as scan:
                entries = sorted(scan, key=lambda entry: entry.name.casefold() != name.casefold())
        except OSError:
            return None
        last = position == len(names) - 1
        for entry in entries:
            if _plain_name(entry.name) == _plain_name(name) and not entry.is_symlink():
                is_wanted = entry.is_file(follow_symlinks=False) if last else entry.is_dir(follow_symlinks=False)
                if is_wanted:
                    current = Path(entry.path)
                    break
        else:
            return None
    return current if names else None


def _read_file(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise RadiographError("This is a folder, not a file.")
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its other end
            raise RadiographError("This is not a file.")
        if status.st_size > MAX_FILE_BYTES:
            raise _too_large()
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise RadiographError("This file does not exist any more.") from None
    except PermissionError:
        raise RadiographError("You have no permission to read this file.") from None
    except (OSError, ValueError) as error:
        raise RadiographError("This file cannot be read from its disk.", type(error).__name__) from None
    if len(data) > MAX_FILE_BYTES:
        raise _too_large()
    if not data:
        raise RadiographError("This file is empty.")
    return data


def _read_member(path: Path, member: str) -> bytes:
    """The member's bytes, inflated in memory only: its name is never used to write anything."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = _members(archive)[member]
            if info.flag_bits & 0x1:
                raise RadiographError("This archive is encrypted; unpack it first.")
            if info.compress_type not in _KNOWN_PACKING:
                how = "Deflate64" if info.compress_type == _DEFLATE64 else f"number {info.compress_type}"
                raise RadiographError(f"This way of packing ({how}) is not known here; unpack the archive first.")
            if info.file_size > MAX_FILE_BYTES:
                raise _too_large()
            with archive.open(info) as file:
                data = file.read(MAX_FILE_BYTES + 1)  # the sizes in the archive may lie
    except FileNotFoundError:
        raise RadiographError("This archive does not exist any more.") from None
    except KeyError:
        raise RadiographError("The archive does not hold this file any more.") from None
    except RadiographError:
        raise
    except Exception as error:  # zlib, lzma, bz2 and zipfile each have their own
        raise RadiographError(
            "This archive is damaged: the file in it cannot be unpacked.", type(error).__name__
        ) from None
    if len(data) > MAX_FILE_BYTES:
        raise _too_large()
    if not data:
        raise RadiographError("This file is empty.")
    return data


def _too_large() -> RadiographError:
    return RadiographError(f"This file is larger than {MAX_FILE_BYTES // 1024**2} MB, more than the program reads.")
