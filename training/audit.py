"""`python -m training audit`: does anything but the hip tell loose from fixed, in a cohort or in our simulation?

With `--cohort` a hospital's cohort is audited before training (training/cohort_audit.py); without, the simulator. A network takes every short cut that it is offered. What is drawn beside the hip (nuisances of the manifest) and what is
seen beside it (surroundings, histogram, corners, a thumbnail too small for any line, the shape of the picture) must
classify at AUC 0.5, by a linear and by a tree-based classifier, cross-validated.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from imaging.radiograph import Side
from study.statistics.covariance import Covariance, estimate
from training.simulation import Label, SimulationOptions, simulate
from training.simulation.evaluation_sets import training_seed
from training.simulation.truth import SimulatedRadiograph

ALLOWED = 0.03  # either side of 0.5
SIDE = 16
OPTIONS = SimulationOptions(size_px=(160, 480), bilateral_share=0.0, work_spacing_mm=0.5)
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """What one labelled radiograph offers besides its hip."""

    loose: bool
    features: dict[str, Vector]


@dataclass(frozen=True)
class Finding:
    """How well one kind of feature tells loose from fixed."""

    feature: str
    classifier: str
    auc: float
    se: float  # patients as clusters
    ci: tuple[float, float]  # 95 %: for the scores as they are, not for what another training would give
    images: int
    loose: int
    null_se: float  # of the AUC if this said nothing, the hips of a patient taken together
    chance_sd: float | None = None  # standard deviation of the AUC when labels are shuffled; None: not asked

    @property
    def blind(self) -> bool:
        return abs(self.auc - 0.5) <= ALLOWED

    def telling(self, asked: int) -> bool:
        """Above .5 by more than chance gives in 5 % of audits with `asked` questions (Bonferroni; score test)."""
        return self.auc - 0.5 > float(stats.norm.ppf(1 - 0.05 / asked)) * max(self.null_se, self.se)


def display_grey(image: SimulatedRadiograph) -> npt.NDArray[np.float32]:
    """(rows, cols) 0-1, denser is lighter, the main hip's lateral side to the right."""
    grey = image.pixels.astype(np.float32) / np.float32((1 << image.bits) - 1)
    if image.truth.nuisance["inverted"]:
        grey = 1 - grey
    return grey[:, ::-1] if image.truth.hips[0].side is Side.RIGHT else grey


def outside_of_hips(image: SimulatedRadiograph) -> npt.NDArray[np.float32]:
    """(rows, cols) 1 outside of the replaced hips' regions, turned as `display_grey` is.

    A subsided femur, a plug of cement and a line round the tip reach a little beyond the tight box: a tenth of its
    longer side is masked round it.
    """
    keep = np.ones(image.pixels.shape, np.float32)
    for hip in image.truth.hips:
        if hip.replaced:
            x, y, width, height = hip.region.box
            more = 0.1 * max(width, height)
            top, left = max(0, int(y - more)), max(0, int(x - more))
            keep[top : max(0, int(y + height + more) + 1), left : max(0, int(x + width + more) + 1)] = 0
    return keep[:, ::-1] if image.truth.hips[0].side is Side.RIGHT else keep


def shrunk(values: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float32]:
    """(side, side) means."""
    image = Image.fromarray(np.ascontiguousarray(values))
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def grey_counts(values: npt.NDArray[np.float32]) -> Vector:
    """(24,) shares of the grey levels of values 0-1."""
    counts, _ = np.histogram(values, 24, (0, 1.0001))
    return counts / max(1, values.size)


def corners_of(grey: npt.NDArray[np.float32]) -> Vector:
    """(8,) mean and spread of each corner."""
    corner = max(2, round(0.08 * min(grey.shape)))
    corners = [part for row in (grey[:corner], grey[-corner:]) for part in (row[:, :corner], row[:, -corner:])]
    return np.array([value for part in corners for value in (part.mean(), part.std())])


def border_of(grey: npt.NDArray[np.float32]) -> Vector:
    """(16,) mean and spread of each edge and corner."""
    edge = max(1, round(0.03 * min(grey.shape)))
    edges = [grey[:edge], grey[-edge:], grey[:, :edge], grey[:, -edge:]]
    return np.concatenate([[value for part in edges for value in (part.mean(), part.std())], corners_of(grey)])


def features_of(image: SimulatedRadiograph) -> dict[str, Vector]:
    """Everything that must be blind, by name."""
    grey, keep = display_grey(image), outside_of_hips(image)
    rows, cols = grey.shape
    small, weight = shrunk(grey * keep, SIDE), shrunk(keep, SIDE)
    names = sorted(image.truth.nuisance)
    found = {
        "nuisances": [image.truth.nuisance[name] for name in names],
        "surroundings": np.where(weight > 0.05, small / np.maximum(weight, 0.05), 0.0),
        "histogram of surroundings": grey_counts(grey[keep > 0]),
        "shape of what is masked": weight,
        "corners": corners_of(grey),
        "thumbnail": shrunk(grey, 6),
        "file": [rows, cols, rows / cols, image.bits, grey.size],
    }
    return {name: np.asarray(values, np.float64).ravel() for name, values in found.items()}


def one_case(index: int, *, seed: int, options: SimulationOptions = OPTIONS) -> Case | None:
    """None for a borderline hip: it is kept out, as it is out of every figure."""
    image = simulate(seed, index, options)
    label = image.truth.hips[0].label
    return None if label is Label.BORDERLINE else Case(label is Label.LOOSE, features_of(image))


def collect(count: int, seed: int, workers: int = 1, quiet: bool = False) -> list[Case]:
    """The first `count` labelled radiographs of the sequence."""
    job = partial(one_case, seed=seed)
    cases: list[Case] = []
    with tqdm(total=count, unit="image", file=sys.stderr, disable=quiet) as progress:
        for case in _drawn(job, count, workers):
            if case is not None:
                cases.append(case)
                progress.update()
            if len(cases) == count:
                break
    return cases


def _drawn(job: partial[Case | None], count: int, workers: int) -> Iterator[Case | None]:
    enough = range(2 * count + 50)  # far more than is needed: borderline hips are one in ten
    if workers == 1:
        yield from map(job, enough)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for start in range(0, len(enough), 256):  # in pieces: what is not needed is not drawn ahead
            yield from pool.imap(job, enough[start : start + 256], chunksize=8)


CLASSIFIERS: dict[str, object] = {
    "linear": make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000)),
    "trees": HistGradientBoostingClassifier(max_iter=60, max_depth=3, learning_rate=0.05, random_state=0),
}
COLUMN = "column"  # no classifier: the values are scores from other folds already


def measure(cases: list[Case], permutations: int = 0) -> list[Finding]:
    """Cross-validated AUC of every kind of feature by every classifier. ValueError without ten of each class.

    Folds share their training images, so that the AUC of features that say nothing scatters more widely than DeLong's
    interval: `permutations` of the labels, two or more, tell how widely.
    """
    loose = np.array([case.loose for case in cases])
    if min(int(loose.sum()), int((~loose).sum())) < 10:
        raise ValueError("An audit needs at least ten loose and ten fixed hips: ask for more images.")
    every = np.arange(len(cases))  # one hip an image, one image a patient
    findings = []
    for name in cases[0].features:
        values = np.array([case.features[name] for case in cases])
        for kind in CLASSIFIERS:
            found = measure_feature(name, kind, values, loose, every, _split(loose))
            shuffled = np.random.default_rng(0)
            by_chance = []
            for _ in range(permutations):
                other = shuffled.permutation(loose)
                by_chance.append(measure_feature(name, kind, values, other, every, _split(other)).auc)
            scatter = float(np.std(by_chance, ddof=1)) if permutations > 1 else None
            findings.append(replace(found, chance_sd=scatter))
    return findings


def _split(loose: npt.NDArray[np.bool_]) -> npt.NDArray[np.int_]:
    """(n,) fifth of each image."""
    folds = np.empty(len(loose), int)
    for fold, (_, test) in enumerate(StratifiedKFold(5, shuffle=True, random_state=0).split(loose[:, None], loose)):
        folds[test] = fold
    return folds


def out_of_fold(
    kind: str, values: Vector, loose: npt.NDArray[np.bool_], folds: npt.NDArray[np.int_]
) -> npt.NDArray[np.float64]:
    """(n,) scores that each fold gets from the others; values (n, k)."""
    if kind == COLUMN:
        return values[:, 0]
    model = CLASSIFIERS[kind]
    scores: npt.NDArray[np.float64] = cross_val_predict(
        model, values, loose, cv=PredefinedSplit(folds), method="predict_proba"
    )[:, 1]
    return scores


def measure_feature(
    name: str,
    kind: str,
    values: Vector,
    loose: npt.NDArray[np.bool_],
    patients: npt.NDArray[Any],
    folds: npt.NDArray[np.int_],
) -> Finding:
    """The AUC of one kind of feature (n, k) by one classifier; the interval takes the hips of a patient together."""
    return finding_of(name, kind, out_of_fold(kind, values, loose, folds), loose, patients)


def finding_of(
    name: str, kind: str, scores: npt.NDArray[np.float64], loose: npt.NDArray[np.bool_], patients: npt.NDArray[Any]
) -> Finding:
    """The AUC of scores (n,). NotEstimableError without two patients of each class."""
    found = estimate(loose, scores, method=Covariance.CLUSTERED, cluster=patients)
    auc, se = float(found.values[0]), float(np.sqrt(max(0.0, found.covariance[0, 0])))
    independent = float(np.sqrt(estimate(loose, scores, method=Covariance.DELONG).covariance[0, 0]))
    m, n = int(loose.sum()), int((~loose).sum())
    null_se = float(np.sqrt((m + n + 1) / (12 * m * n))) * (max(1.0, se / independent) if independent else 1.0)
    reach = 1.959964 * se
    ci = (max(0.0, auc - reach), min(1.0, auc + reach))
    return Finding(name, kind, auc, se, ci, m + n, m, null_se)


def table(findings: list[Finding]) -> str:
    """Markdown, as it stands in docs/simulation.md."""
    lines = ["| what is seen | classifier | AUC | 95 % CI | SD by chance |", "|---|---|---|---|---|"]
    for f in findings:
        chance = "" if f.chance_sd is None else f"{f.chance_sd:.3f}"
        lines.append(f"| {f.feature} | {f.classifier} | {f.auc:.3f} | {f.ci[0]:.3f} – {f.ci[1]:.3f} | {chance} |")
    return "\n".join(lines)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("audit", help="check that nothing but the hip tells loose from fixed")
    parser.add_argument(
        "--cohort", type=Path, help="your own cohort, as for `cross-validate`; without it the simulator"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        help="with --cohort: squeezenet1_1.safetensors (see `weights`), for frozen ImageNet features",
    )
    parser.add_argument("--n", type=int, default=4000, help="how many simulated radiographs with a label")
    parser.add_argument("--seed", type=training_seed, default=772)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--permutations", type=int, default=0, help="shuffles of the labels, to see how chance scatters"
    )
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 when everything is blind, 1 when something tells the class, 2 when the audit is not possible."""
    if arguments.cohort is not None:
        from training.cohort_audit import run_cohort  # needs torch for frozen features

        return run_cohort(arguments)
    try:
        findings = measure(collect(arguments.n, arguments.seed, arguments.workers), arguments.permutations)
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    print(table(findings))  # noqa: T201
    if arguments.out is not None:
        record = {"seed": arguments.seed, "findings": [asdict(finding) for finding in findings]}
        arguments.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    telling = [f"{finding.feature} ({finding.classifier})" for finding in findings if not finding.blind]
    if telling:
        print(f"Not blind within 0.5 ± {ALLOWED}: {', '.join(telling)}.", file=sys.stderr)  # noqa: T201
    return 1 if telling else 0
