"""A worked example: 40 simulated cases, 5 simulated readers, unaided and then aided by a simulated CNN.

`python -m study.example --out DIR` writes scores.csv and report.html. Nobody read anything: the readers are the model below,
and the report says so in big letters.

The model, an equal-variance signal detection model with a random case effect: case c has a strength of evidence
s = case + d where loose, case ~ N(0, 1). The CNN sees s + N(0, 0.7). Unaided, reader r sees s + N(0, noise_r) and answers
against a criterion of their own; aided, they take a weight w_r of what the CNN saw and 1 - w_r of what they had seen. Scores are
0 to 100 through a logistic curve, 50 avoided, calls follow the score; the seconds are log-normal.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from study.analysis import Analysis, analyse
from study.exchange import format_csv
from study.files import replace_file
from study.report import Preregistration, Provenance, to_html
from study.scores import ScoreTable

SEED = 20240817
CASES, LOOSE = 40, 17
SEPARATION, CNN_NOISE = 1.6, 0.7
NOISE = {"reader 1": 0.7, "reader 2": 0.9, "reader 3": 1.1, "reader 4": 1.3, "reader 5": 1.6}
CRITERION = {"reader 1": 0.1, "reader 2": -0.2, "reader 3": 0.3, "reader 4": 0.0, "reader 5": 0.4}
WEIGHT = {"reader 1": 0.25, "reader 2": 0.4, "reader 3": 0.5, "reader 4": 0.35, "reader 5": 0.6}
NOTICE = "SIMULATED READERS"
TITLE = "Worked example: simulated readers, unaided and aided"
PLAN = Preregistration(
    endpoint="AUC",
    method="Obuchowski-Rockette",
    covariance="jackknife",
    margin=0.05,
    missing="a missing or indeterminate call counts as an error",
    title="Written into study/example.py beside the model.",
)


def simulated_scores(seed: int = SEED) -> ScoreTable:
    """The table of the example, the same for the same seed."""
    rng = np.random.default_rng(seed)
    loose = rng.permutation(CASES) < LOOSE
    strength = rng.normal(size=CASES) + SEPARATION * loose
    cnn = strength + rng.normal(scale=CNN_NOISE, size=CASES)
    rows: list[dict[str, Any]] = []
    for reader, noise in NOISE.items():
        unaided = strength + rng.normal(scale=noise, size=CASES)
        aided = (1 - WEIGHT[reader]) * unaided + WEIGHT[reader] * cnn
        for mode, evidence, typical_s in (("unaided", unaided, 42.0), ("aided", aided, 18.0)):
            rows += _rows(
                reader, mode, loose, evidence - CRITERION[reader], typical_s * np.exp(rng.normal(0, 0.4, CASES))
            )
    rows += _rows("CNN", "algorithm", loose, cnn, None)
    note = (
        "These readers are a model (study/example.py): nobody read these cases, and no conclusion about people follows."
    )
    return ScoreTable.from_rows(rows, title=TITLE, notes=(note,))


def _rows(reader: str, mode: str, loose: Any, evidence: Any, seconds: Any) -> list[dict[str, Any]]:
    scores = np.round(100 / (1 + np.exp(-1.3 * (evidence - SEPARATION / 2))))
    scores[scores == 50] = 51
    return [
        {
            "reader": reader,
            "mode": mode,
            "case": f"case {case + 1:02}",
            "truth": int(loose[case]),
            "score": float(scores[case]),
            "call": int(scores[case] > 50),
            "seconds": None if seconds is None else round(float(seconds[case]), 1),
        }
        for case in range(CASES)
    ]


def example_analysis(seed: int = SEED) -> Analysis:
    return analyse(simulated_scores(seed), algorithm="CNN")


def write_example(folder: Path) -> list[Path]:
    """scores.csv and report.html. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = format_csv(simulated_scores()).encode("utf-8")
    # No versions and no clock: the same program writes the same file.
    provenance = Provenance("scores.csv", hashlib.sha256(scores).hexdigest(), created_utc=f"from seed {SEED}")
    page = to_html(example_analysis(), provenance, PLAN, PLAN.margin, NOTICE)
    paths = [folder / "scores.csv", folder / "report.html"]
    for path, data in zip(paths, (scores, page.encode("utf-8")), strict=True):
        replace_file(path, data, durable=False)
    return paths


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m study.example", description="write the worked example")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    write_example(parser.parse_args(arguments).out)


if __name__ == "__main__":
    main()
