"""The worked example that comes with the program: a whole study whose readers are a model. Nobody read anything.

The model, an equal-variance signal detection model with a random case effect: case c has a strength of evidence
s = case + d where loose, case ~ N(0, 1). Unaided, reader r sees s + N(0, noise_r) and answers against a criterion of their
own; aided, they take a weight w_r of what the CNN's score says and 1 - w_r of what they had seen. Scores are 0 to 100
through a logistic curve, 50 avoided, calls follow the score; the seconds are log-normal. Whoever calls a hip loose draws an
ellipse round a point of a lucent line (of the interface, where there is none), off by an error that grows with noise_r.

In the study (`python -m training example-study`) the CNN is the bundled network, which answered on 40 simulated
radiographs; in `simulated_scores`, a table for tests and benchmarks, it is a sixth draw: it sees s + N(0, 0.7).
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from study.record import file_sha256
from study.scores import ScoreTable
from study.store import StudyStore, read_record
from study.study_state import registered_studies

FOLDER = "example-study"  # in the program's resources, and in the user's data folder
FILE_NAME = "example.lucency-study"
PASSPHRASE = "an example holds no secret"  # published, because it is an example

SEED = 20240817
CASES, LOOSE = 40, 17
SEPARATION, CNN_NOISE, STEEPNESS = 1.6, 0.7, 1.3
UNAIDED_S, AIDED_S = 42.0, 18.0  # typical seconds per case
TITLE = "Worked example: simulated readers, unaided and aided"
NOTE = "These readers are a model (study/example.py): nobody read these cases, and no conclusion about people follows."

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedReader:
    id: str
    noise: float
    criterion: float
    weight: float  # of the CNN, once it is shown

    def unaided(self, rng: np.random.Generator, strength: FloatArray) -> FloatArray:
        """What the reader sees of each case, (n,)."""
        return strength + rng.normal(scale=self.noise, size=strength.size)

    def aided(self, seen: FloatArray, shown: FloatArray) -> FloatArray:
        """After the CNN's evidence was shown, (n,) each."""
        return (1 - self.weight) * seen + self.weight * shown

    def scores(self, evidence: FloatArray) -> FloatArray:
        """Whole numbers from 0 to 100, never 50, (n,)."""
        return _scores(evidence - self.criterion)


READERS = (
    SimulatedReader("R1", 0.7, 0.1, 0.25),
    SimulatedReader("R2", 0.9, -0.2, 0.4),
    SimulatedReader("R3", 1.1, 0.3, 0.5),
    SimulatedReader("R4", 1.3, 0.0, 0.35),
    SimulatedReader("R5", 1.6, 0.4, 0.6),
)


def strengths(rng: np.random.Generator, loose: npt.NDArray[np.bool_]) -> FloatArray:
    """The evidence that each case holds, (n,)."""
    return rng.normal(size=loose.size) + SEPARATION * loose


def evidence_of(score: float) -> float:
    """What a score of the CNN (0-100) says, on the readers' scale of evidence."""
    share = min(max(score / 100, 0.005), 0.995)
    return float(np.log(share / (1 - share))) / STEEPNESS + SEPARATION / 2


def seconds(rng: np.random.Generator, typical_s: float, count: int) -> FloatArray:
    return np.round(typical_s * np.exp(rng.normal(0, 0.4, count)), 1)


def _scores(evidence: FloatArray) -> FloatArray:
    scores = np.round(100 / (1 + np.exp(-STEEPNESS * (evidence - SEPARATION / 2))))
    scores[scores == 50] = 51
    return scores


def simulated_scores(seed: int = SEED) -> ScoreTable:
    """A table of five readers in two modes and a CNN, the same for the same seed."""
    rng = np.random.default_rng(seed)
    loose = rng.permutation(CASES) < LOOSE
    strength = strengths(rng, loose)
    cnn = strength + rng.normal(scale=CNN_NOISE, size=CASES)
    modes: dict[str, list[dict[str, Any]]] = {"unaided": [], "aided": []}
    for reader in READERS:
        seen = reader.unaided(rng, strength)
        answers = (("unaided", seen, UNAIDED_S), ("aided", reader.aided(seen, cnn), AIDED_S))
        for mode, evidence, typical_s in answers:
            times = seconds(rng, typical_s, CASES)
            modes[mode] += _rows(reader.id, mode, loose, reader.scores(evidence), times)
    rows = [*modes["unaided"], *modes["aided"], *_rows("CNN", "unaided", loose, _scores(cnn), None)]
    return ScoreTable.from_rows(rows, title=TITLE, notes=(NOTE,))


def _rows(
    reader: str, mode: str, loose: npt.NDArray[np.bool_], scores: FloatArray, times: FloatArray | None
) -> list[dict[str, Any]]:
    return [
        {
            "reader": reader,
            "mode": mode,
            "case": f"case {case + 1:02}",
            "truth": int(loose[case]),
            "score": float(scores[case]),
            "call": int(scores[case] > 50),
            "seconds": None if times is None else float(times[case]),
        }
        for case in range(loose.size)
    ]


def example_study(root: Path, data_folder: Path) -> Path:
    """The example's study file in the user's data folder, copied there unless it is. Waits for the disk. Raises OSError,
    StoreError.

    root: the program's folder. A newer program brings its own copy; what the user did with an older one stays beside it.
    """
    source = root / "resources" / FOLDER
    target = data_folder / FOLDER
    wanted = (source / FILE_NAME).read_bytes()
    held = target / "as-shipped"
    if not ((target / FILE_NAME).is_file() and held.is_file() and held.read_bytes() == _digest(wanted)):
        if (target / FILE_NAME).exists():
            target.rename(_free_name(target))
        shutil.copytree(source, target, dirs_exist_ok=True)
        _note_images(target)
        held.write_bytes(_digest(wanted))
    return target / FILE_NAME


def _note_images(folder: Path) -> None:
    """Tell the study where its radiographs lie, as the wizard does for those of a real one."""
    study = next(iter(registered_studies(read_record(folder / FILE_NAME).events)))
    with StudyStore(folder / FILE_NAME, "", study=study, keep_backups=0) as store:
        for path in sorted((folder / "images").iterdir()):
            store.note_location(file_sha256(path), path).result()


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode("ascii")


def _free_name(folder: Path) -> Path:
    number = 1
    while (free := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    return free
