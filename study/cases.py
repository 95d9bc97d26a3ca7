"""The cases of a study: read from a CSV or a folder, named by what their images are, checked before they are used."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from imaging.radiograph import RadiographError, Side
from imaging.sources import Source, find_sources
from study.cells import plain_cell
from study.chain import canonical_json
from study.exchange import RowProblem

_TRUTH = {
    **dict.fromkeys(("1", "loose", "yes", "true", "positive"), 1),
    **dict.fromkeys(("0", "not loose", "not_loose", "fixed", "stable", "no", "false", "negative"), 0),
}
_YES = {"1", "yes", "true", "y", "x"}
_SIDES = {
    **dict.fromkeys(("r", "right"), Side.RIGHT),
    **dict.fromkeys(("l", "left"), Side.LEFT),
    "": Side.UNKNOWN,
}
_SHOWN = 5  # names that a sentence spells out

Box = tuple[float, float, float, float]


class CasesError(ValueError):
    """The cases cannot be used. `str(error)` is a sentence."""


class StudyCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One hip in one radiograph, without patient data and without truth."""

    id: str
    image_sha256: str  # of the original file's bytes
    frame: int
    side: str  # imaging.radiograph.Side value
    patient: str  # a pseudonym that is drawn for this study; the cluster
    box: Box | None = None  # x, y, width, height in image pixels; None: as the program or the reader finds the hip
    practice: bool = False


@dataclass(frozen=True)
class Candidate:
    """A case as somebody listed it."""

    row: int  # of the CSV, from 1; in a folder the number of the file
    source: Source
    image_sha256: str
    frame: int = 0
    side: Side = Side.UNKNOWN
    box: Box | None = None
    truth: int | None = None  # 1 = loose
    patient: str = ""  # as the list has it; never leaves the coordinator's machine
    practice: bool = False

    @property
    def key(self) -> tuple[str, int, str, Box | None]:
        """What the case is: two rows with one key are the same hip."""
        return self.image_sha256, self.frame, self.side.value, self.box if self.side is Side.UNKNOWN else None


@dataclass(frozen=True)
class CaseList:
    candidates: tuple[Candidate, ...]
    problems: tuple[RowProblem, ...]  # all must be gone before the study is registered


def read_case_csv(path: Path, keep_going: Callable[[int], bool] = lambda _: True) -> CaseList:
    """Cases from a CSV with a column `path` and optional truth, patient, side, frame, practice, x, y, width, height.

    Relative paths start at the CSV's own folder. keep_going gets the number of rows read so far. Waits for the disk.
    Raises CasesError where the file is no such list.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CasesError(f"{path.name} cannot be read.") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except csv.Error as error:
        raise CasesError(f"{path.name} is not a table that can be read: {error}.") from error
    names = [name.strip().lower() for name in rows[0]] if rows else []
    if "path" not in names:
        raise CasesError(f"{path.name} has no column named path. Its first line must name the columns.")
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise CasesError(f"{path.name} has two columns named {doubled[0]}.")
    candidates: list[Candidate] = []
    problems: list[RowProblem] = []
    for number, cells in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if not keep_going(number - 2):
            break
        row = dict(zip(names, (plain_cell(cell.strip()) for cell in cells), strict=False))
        try:
            candidates.append(_candidate(number, row, path.parent))
        except _RowError as error:
            problems.append(RowProblem(number, error.what, error.cure))
    return CaseList(tuple(candidates), (*problems, *case_problems(candidates)))


def read_case_folder(paths: Iterable[Path], keep_going: Callable[[int], bool] = lambda _: True) -> CaseList:
    """Every image under the paths as a case without truth, side or patient. Waits for the disk. Raises CasesError."""
    candidates: list[Candidate] = []
    problems: list[RowProblem] = []
    try:
        for number, source in enumerate(find_sources(paths), start=1):
            if not keep_going(number - 1):
                break
            try:
                candidates.append(Candidate(number, source, source_sha256(source)))
            except RadiographError as error:
                problems.append(RowProblem(number, f"{source.label}: {error.sentence}", "Leave it out, or replace it."))
    except RadiographError as error:
        raise CasesError(error.sentence) from error
    return CaseList(tuple(candidates), (*problems, *case_problems(candidates)))


def source_sha256(source: Source) -> str:
    """SHA-256 (hex) of the image file's bytes, as in every record. Raises RadiographError."""
    return hashlib.sha256(source.read_bytes()).hexdigest()


class _RowError(Exception):
    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.what, self.cure = what, cure


def _candidate(number: int, row: dict[str, str], folder: Path) -> Candidate:
    given = row.get("path", "")
    if not given:
        raise _RowError("the path is empty.", "Name the image file.")
    side = _SIDES.get(row.get("side", "").lower())
    if side is None:
        raise _RowError(f"“{row['side']}” is no side.", "Write R or L.")
    truth_text = row.get("truth", "").lower()
    if truth_text and truth_text not in _TRUTH:
        raise _RowError(f"“{row['truth']}” is no truth.", "Write 1 for loose and 0 for not loose.")
    frame_text = row.get("frame", "") or "0"
    if not (frame_text.isascii() and frame_text.isdigit()):
        raise _RowError(f"“{row['frame']}” is no frame.", "Count frames from 0.")
    source = Source(_found(folder, given))
    try:
        digest = source_sha256(source)
    except RadiographError as error:
        raise _RowError(f"{source.path.name}: {error.sentence}", "Leave it out, or replace it.") from error
    return Candidate(
        number,
        source,
        digest,
        int(frame_text),
        side,
        _box(row),
        _TRUTH.get(truth_text),
        row.get("patient", ""),
        row.get("practice", "").lower() in _YES,
    )


def _found(folder: Path, given: str) -> Path:
    """The file that the list names; a list written on Windows has backslashes."""
    for text in dict.fromkeys((given, given.replace("\\", "/"))):
        if "\0" not in text and (folder / text).is_file():
            return folder / text
    name = given.replace("\\", "/").rpartition("/")[2].replace("\0", "")
    raise _RowError(f"{name} does not exist.", "Correct the path, or leave the row out.")


def _box(row: dict[str, str]) -> Box | None:
    texts = [row.get(name, "") for name in ("x", "y", "width", "height")]
    if not any(texts):
        return None
    try:
        x, y, width, height = (float(text) for text in texts)
    except ValueError:
        raise _RowError("the hip region is incomplete.", "Give x, y, width and height in pixels, or none.") from None
    if not (all(map(math.isfinite, (x, y, width, height))) and width > 0 and height > 0):
        raise _RowError("the hip region has no area.", "Give a width and a height above zero.")
    return x, y, width, height


def case_problems(candidates: Sequence[Candidate]) -> list[RowProblem]:
    """What stands against using these cases together."""
    out: list[RowProblem] = []
    counted = [case for case in candidates if not case.practice]
    if not counted:
        out.append(RowProblem(0, "there is no case to read.", "Add cases."))
    by_key: dict[object, list[Candidate]] = defaultdict(list)
    by_image: dict[str, list[Candidate]] = defaultdict(list)
    for case in candidates:
        by_key[case.key].append(case)
        by_image[case.image_sha256].append(case)
    for same in by_key.values():
        if len({case.truth for case in same if case.truth is not None}) > 1:
            what = f"{_rows(same)} are the same hip, with contradictory truth."
            out.append(RowProblem(same[0].row, what, "Correct the truth, and keep one of them."))
        elif len(same) > 1:
            what = f"{_rows(same)} are the same hip of the same image."
            out.append(RowProblem(same[0].row, what, "Keep one of them, or give the side of each."))
    for same in by_image.values():
        unsided = [case for case in same if case.side is Side.UNKNOWN and case.box is None]
        if unsided and any(case.frame == unsided[0].frame and case.key != unsided[0].key for case in same):
            what = f"{_rows(same)} are one image, and one of them does not say which hip it is."
            out.append(RowProblem(unsided[0].row, what, "Give the side of each."))
        if len({case.patient for case in same if case.patient}) > 1:
            out.append(
                RowProblem(same[0].row, f"{_rows(same)} are one image of two patients.", "Correct the patient column.")
            )
        if len({case.practice for case in same}) > 1:
            what = f"{_rows(same)} are one image, for practice and for counting."
            out.append(RowProblem(same[0].row, what, "Practise on images that are not read later."))
    without = [case for case in counted if case.truth is None]
    if without:
        noun = "case has" if len(without) == 1 else "cases have"
        out.append(RowProblem(without[0].row, f"{len(without)} {noun} no truth.", "Fill in the column truth."))
    elif counted and len({case.truth for case in counted}) == 1:
        only = "loose" if counted[0].truth else "not loose"
        what = f"all cases are {only}, so sensitivity and specificity cannot both be measured."
        out.append(RowProblem(0, what, "Add cases of the other kind."))
    return out


def _rows(cases: Sequence[Candidate]) -> str:
    return "Rows " + ", ".join(str(case.row) for case in cases[:_SHOWN]) + (" …" if len(cases) > _SHOWN else "")


def refuse_trained(candidates: Iterable[Candidate], training_hashes: Collection[str], bundle_id: str) -> None:
    """Raise CasesError, listing them, where a case is among the images that the bundle learnt from."""
    known = {digest.lower() for digest in training_hashes}
    seen = [case for case in candidates if case.image_sha256 in known]
    if seen:
        names = list(dict.fromkeys(case.source.label for case in seen))
        listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        noun = "This image was" if len(names) == 1 else f"These {len(names)} images were"
        raise CasesError(f"{noun} used to train {bundle_id} and cannot be part of a study of it: {listed}.")


def name_cases(candidates: Sequence[Candidate], secret: str) -> dict[str, Candidate]:
    """The case id of each candidate, sorted by id, so that their order tells nothing.

    secret: random text of the coordinator's; without it nobody can tell from an id which image it is.
    """
    named = {}
    for case in candidates:
        digest = hashlib.sha256(canonical_json([secret, *case.key]).encode("utf-8")).hexdigest()
        named[f"c-{digest[:12]}"] = case
    if len(named) != len(candidates):
        raise CasesError("Two rows are the same case.")
    return dict(sorted(named.items()))


def study_cases(named: dict[str, Candidate], secret: str) -> tuple[StudyCase, ...]:
    """The case list as it is recorded: without paths, truth, or a patient's name or number."""
    of_image = {case.image_sha256: case.patient for case in named.values() if case.patient}
    patients = {  # both hips of one image are one patient's, whether or not the list says so
        name: of_image.get(case.image_sha256) or f"only:{case.image_sha256}" for name, case in named.items()
    }
    ranked = sorted(
        set(patients.values()), key=lambda text: hashlib.sha256(f"{secret}/patient/{text}".encode()).digest()
    )
    pseudonym = {patient: f"p-{number:04d}" for number, patient in enumerate(ranked, start=1)}
    return tuple(
        StudyCase(
            name, case.image_sha256, case.frame, case.side.value, pseudonym[patients[name]], case.box, case.practice
        )
        for name, case in named.items()
    )


def cases_sha256(cases: Sequence[StudyCase]) -> str:
    """SHA-256 (hex) of the case list, as the protocol names it."""
    return hashlib.sha256(canonical_json(cases).encode("utf-8")).hexdigest()
