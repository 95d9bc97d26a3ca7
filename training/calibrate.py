"""From scores on the calibration cohort to probabilities, thresholds, the indeterminate band and display levels.

All of it is set once, on that cohort, and carried unchanged to every other set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from inference.lucency_net import COMPLETE, FIXATION, GATE, LANDMARKS, OUTPUTS
from inference.model_bundle import Coefficients, FeatureStatistics, StemAxisFit
from inference.stem_axis import ANCHORS, AXIS_TOP, HEAD, TIP, StemFrame, usable

F64 = npt.NDArray[np.float64]

TARGET_SPECIFICITY = (
    0.96  # room above the 0.95 that is asked of new hips; refused hips count as errors, as they do there
)
COMPLETE_ACCEPTED = 0.97  # of complete parts, by each part's own output
MAX_COMPLETE = 0.5  # a part that looks complete rather than not is never left out
FILM_SPECIFICITY = 0.95  # on real films, in each stratum
# Of each class, on real films. At .15 a band would leave one film in seven undecided, and mirroring would change 13 % of the
# decisions instead of 2 %: the band's lower end is where most films are.
FILM_ALPHA = 0.20
FIXATION_RIGHT = 0.93  # of the stems that are called cemented, and of those called cementless
ALPHA = 0.025  # of each class may fall beyond the indeterminate band on the wrong side
ACCEPTED_TOGETHER = 0.98  # of suitable hips, by all outputs of the gate: what is asked for
MAX_GATE = 0.85  # real radiographs look unlike simulated ones: no output of the gate may ask for near certainty
LOCATOR_THRESHOLD = 0.35
ANCHOR_CONFIDENCE = 0.3  # tip, head and shoulder must be seen at least so surely to place the top of the stem's axis
MIN_STEMS = 50  # fewer fit no regression
MISPLACED = 0.1  # of the distance from tip to head: a point so far off was not found at all

FEATURE_AXES = 16  # of the pooled features' variance; more tell cropped and lateral images less well from suitable ones
HIPS_PER_AXIS = 10
SHRINKAGE = 0.1  # of the axes' variances towards their mean
ORDINARY_SHARE = 0.99  # of suitable hips lie within the limit of the feature distance


@dataclass(frozen=True)
class Point:
    threshold: float
    chosen_on: str
    sensitivity: float
    specificity: float
    n: int


@dataclass(frozen=True)
class Band:
    low: float
    high: float
    n: int
    alpha: float


@dataclass(frozen=True)
class Calibration:
    """What the card carries. Thresholds are on calibrated probabilities."""

    temperature: Mapping[str, float]
    bias: Mapping[str, float]
    operating_point: Point
    band: Band
    levels: tuple[float, float]
    suitability: Mapping[str, float]
    stem_axis: StemAxisFit | None = None
    feature_statistics: FeatureStatistics | None = None
    locator_threshold: float = LOCATOR_THRESHOLD
    parts: Mapping[str, float] = field(default_factory=dict)  # least probability of being complete, by part
    fixation: tuple[float, float] = (0.5, 0.5)  # cemented from, cementless up to
    notes: tuple[str, ...] = field(default=())

    def probability(self, name: str, logits: npt.ArrayLike) -> F64:
        return np.asarray(
            special.expit(np.asarray(logits, float) / self.temperature.get(name, 1.0) + self.bias.get(name, 0.0))
        )


def fit_temperature(truth: npt.ArrayLike, logits: npt.ArrayLike) -> tuple[float, float]:
    """(temperature, bias) that minimise the negative log-likelihood of sigmoid(logit / temperature + bias).

    Platt, Adv Large Margin Classifiers 1999, with his smoothed targets; Guo et al., ICML 2017 without the bias.
    Raises ValueError when a class is missing.
    """
    y, z = np.asarray(truth, float), np.asarray(logits, float)
    positives, negatives = int((y == 1).sum()), int((y == 0).sum())
    if not positives or not negatives:
        raise ValueError("Calibration needs loose and fixed hips.")
    target = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: F64) -> float:
        s = z * np.exp(parameters[0]) + parameters[1]
        return float(np.mean(np.logaddexp(0.0, s) - target * s))

    best = optimize.minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9})
    slope, bias = float(np.exp(best.x[0])), float(best.x[1])
    return float(np.clip(1 / slope, 0.05, 50.0)), bias


def choose_threshold(truth: npt.ArrayLike, probability: npt.ArrayLike, specificity: float) -> float:
    """The lowest threshold (call loose when probability >= threshold) that keeps `specificity` on these hips; 1 without
    a fixed hip to keep it on."""
    fixed = np.sort(np.asarray(probability, float)[np.asarray(truth) == 0])
    if not len(fixed):
        return 1.0
    kept = int(np.ceil(specificity * len(fixed) - 1e-9))  # fixed hips that must lie below
    above = fixed[max(kept, 1) - 1]
    return float(np.clip(np.nextafter(above, 1.0), 0.0, 1.0))


def conformal_band(truth: npt.ArrayLike, probability: npt.ArrayLike, alpha: float, threshold: float) -> Band:
    """Class-conditional split-conformal quantiles (Vovk, ACML 2012): below `low` fewer than `alpha` of loose hips are
    expected, above `high` fewer than `alpha` of fixed ones. The band always reaches to the threshold, so that no hip
    beyond it is called otherwise than the nearer class; where the classes are so far apart that the quantiles cross,
    it shrinks to the threshold."""
    y, p = np.asarray(truth), np.asarray(probability, float)
    loose, fixed = np.sort(p[y == 1]), np.sort(p[y == 0])
    low_rank = int(np.floor(alpha * (len(loose) + 1)))
    high_rank = int(np.ceil((1 - alpha) * (len(fixed) + 1)))
    low = float(loose[low_rank - 1]) if low_rank >= 1 else 0.0
    high = float(fixed[high_rank - 1]) if high_rank <= len(fixed) else 1.0
    if low >= high:
        return Band(threshold, threshold, len(p), alpha)
    return Band(min(low, threshold), max(high, threshold), len(p), alpha)


def gate_threshold(accepted: npt.ArrayLike, refused: npt.ArrayLike, share: float) -> float:
    """Probability for one output: keeps `share` of the suitable hips, and where the groups are apart lies between
    them (at most half-way, in logits), so that images unlike the simulated ones have room on both sides."""
    if not len(np.atleast_1d(accepted)):
        raise ValueError("The gate cannot be set without suitable hips.")
    good = special.logit(np.clip(np.asarray(accepted, float), 1e-6, 1 - 1e-6))
    bad = special.logit(np.clip(np.asarray(refused, float), 1e-6, 1 - 1e-6))
    keep = float(np.quantile(good, 1 - share))
    reach = float(np.quantile(bad, share)) if len(bad) else keep - 4.0
    # Even odds where that is enough: simulated hips are recognised with a certainty that real ones will not reach.
    chosen = min((keep + reach) / 2, max(0.0, reach + 0.5)) if reach < keep else keep
    return float(np.clip(special.expit(chosen), 0.02, MAX_GATE))


def gate_thresholds(
    accepted: Mapping[str, F64], refused: Mapping[str, F64], together: float = ACCEPTED_TOGETHER
) -> dict[str, float]:
    """For every output, as strict as can be while `together` of the suitable hips still pass all of them.

    `accepted`: each output's probabilities of the same suitable hips; `refused`: of the images that it must refuse.
    """
    found: dict[str, float] = {}
    for share in np.arange(together, 1.0, 0.0005):
        found = {name: gate_threshold(accepted[name], refused[name], float(share)) for name in accepted}
        if np.all([accepted[name] >= found[name] for name in accepted], axis=0).mean() >= together:
            break
    return found


def fit_stem_axis(landmarks: npt.ArrayLike, truth: npt.ArrayLike) -> StemAxisFit | None:
    """From landmarks (N, K, 3) as the network placed them and the true ones (N, K, 2), in the order of LANDMARKS.

    Least squares in the frame of each stem, on stems whose points were found, and surely. None where there are too few
    of them, or where stems that were left out (of two halves, each in turn) would have been placed no better than by
    the network itself.
    """
    placed, true_points = np.asarray(landmarks, float), np.asarray(truth, float)
    known = usable(placed, LANDMARKS, ANCHOR_CONFIDENCE)
    length = np.linalg.norm(np.diff(placed[:, [LANDMARKS.index(TIP), LANDMARKS.index(HEAD)], :2], axis=1)[:, 0], axis=1)
    used = [LANDMARKS.index(name) for name in (*ANCHORS, AXIS_TOP)]
    off = np.linalg.norm(placed[:, used, :2] - true_points[:, used], axis=2).max(axis=1)
    known &= off < MISPLACED * length  # false where a true point is unknown
    if known.sum() < MIN_STEMS:
        return None
    frame = StemFrame(placed[known, :, :2], LANDMARKS)
    predictors, target = frame.predictors(), frame.from_image(true_points[known, LANDMARKS.index(AXIS_TOP)])
    own = predictors[:, 1] + 1j * predictors[:, 2]
    left_out = np.empty_like(target)
    even = np.arange(len(target)) % 2 == 0
    for half in (even, ~even):
        real, imaginary = _least_squares(predictors[~half], target[~half])
        left_out[half] = predictors[half] @ real + 1j * (predictors[half] @ imaginary)
    if not np.median(np.abs(left_out - target)) < np.median(np.abs(own - target)):
        return None
    real, imaginary = _least_squares(predictors, target)
    return StemAxisFit(
        real=msgspec.convert(real.round(6).tolist(), Coefficients),
        imaginary=msgspec.convert(imaginary.round(6).tolist(), Coefficients),
        confidence=ANCHOR_CONFIDENCE,
        n=len(target),
    )


def _least_squares(predictors: F64, target: npt.NDArray[np.complex128]) -> tuple[F64, F64]:
    """Coefficients of the real and of the imaginary part."""
    real, imaginary = np.linalg.lstsq(predictors, np.stack([target.real, target.imag], axis=1), rcond=None)[0].T
    return real, imaginary


def fit_feature_statistics(features: npt.ArrayLike) -> FeatureStatistics | None:
    """From pooled features (N, C) of suitable hips: a Mahalanobis distance along the strongest principal components of
    the standardised features, their variances shrunk. None of a network that gives no features."""
    pooled = np.asarray(features, float)
    if not len(pooled):
        return None
    axes = max(1, min(FEATURE_AXES, len(pooled) // HIPS_PER_AXIS))
    mean, spread = pooled.mean(axis=0), np.maximum(pooled.std(axis=0), 1e-3)  # a feature that never varies says nothing
    _, singular, directions = np.linalg.svd((pooled - mean) / spread, full_matrices=False)
    variance = singular[:axes] ** 2 / len(pooled)
    variance = (1 - SHRINKAGE) * variance + SHRINKAGE * variance.mean()
    projection = (directions[:axes] / np.sqrt(variance)[:, None] / spread).astype("<f4")
    distance = np.sqrt(np.mean(np.square((pooled - mean) @ projection.T), axis=1))
    limit = round(float(np.quantile(distance, ORDINARY_SHARE)), 4)
    return FeatureStatistics(
        mean=mean.astype("<f4").tobytes(), projection=projection.tobytes(), limit=limit, n=len(pooled)
    )


def calibrate(rows: list[dict], chosen_on: str, films: list[dict] | None = None) -> Calibration:
    """`rows` are those of training.scoring on the simulated calibration cohort (suitable hips and images to refuse);
    `films` those of training.insertion.measure, each scored by a network that did not see its patient.

    Where there are films, probabilities, operating point and display levels come from them alone, and the gate from both.
    """
    seen = [row for row in rows if row["logits"] is not None]
    judged = [_Judged.of_film(row) for row in films] if films else [_Judged.of_simulation(row) for row in seen]
    temperature: dict[str, float] = {}
    bias: dict[str, float] = {}
    for name in ("loose", "stem", "cup"):
        known = [(one.truth[name], one.logits[name]) for one in judged if one.truth.get(name) in (0.0, 1.0)]
        truths, logits = np.array(known, float).reshape(-1, 2).T
        temperature[name], bias[name] = fit_temperature(truths, logits)
    everything = [_Judged.of_simulation(row) for row in seen] + (
        [_Judged.of_film(row) for row in films] if films else []
    )
    suitability = gate_thresholds(
        {name: _expit(one.logits[name] for one in judged if one.suitable) for name in GATE},
        {name: _expit(one.logits[name] for one in everything if one.gate.get(name) == 0) for name in GATE},
    )
    parts = {
        name: min(
            MAX_COMPLETE,
            gate_threshold(
                _expit(one.logits[complete] for one in judged if one.gate.get(complete) == 1),
                _expit(one.logits[complete] for one in everything if one.gate.get(complete) == 0),
                COMPLETE_ACCEPTED,
            ),
        )
        for name, complete in COMPLETE.items()
    }
    labelled = [one for one in judged if one.truth.get("loose") in (0.0, 1.0)]
    truth = np.array([one.truth["loose"] for one in labelled])

    def probability_of(one: _Judged) -> float:
        return max(float(special.expit(one.logits[name] / temperature[name] + bias[name])) for name in ("stem", "cup"))

    probability = np.array([probability_of(one) for one in labelled])
    # Simulated hips that are refused count as errors; on real films the operating point is that of the assessed hips.
    passed = np.array(
        [
            bool(films)
            or (
                all(special.expit(one.logits[name]) >= limit for name, limit in suitability.items())
                and all(special.expit(one.logits[COMPLETE[name]]) >= limit for name, limit in parts.items())
            )
            for one in labelled
        ]
    )
    threshold = 0.0
    for stratum in sorted({one.stratum for one in labelled}):
        own = np.array([one.stratum == stratum for one in labelled])
        fixed = own & (truth == 0)
        target = FILM_SPECIFICITY if films else TARGET_SPECIFICITY
        # Of the fixed hips that pass the gate more must be below, so that it holds of all of them.
        share = min(1.0, target * float(fixed.sum() / max(1, (fixed & passed).sum())))
        threshold = max(threshold, choose_threshold(truth[own & passed], probability[own & passed], share))
    called = probability >= threshold
    peaks = np.array([one.map_peak for one in labelled])
    low = float(np.clip(np.quantile(peaks[truth == 0], 0.75), 0.15, 0.6))
    high = float(np.clip(np.quantile(peaks[truth == 1], 0.6), low + 0.15, 0.98))
    suitable = [row for row in seen if row["hip_suitability"] == "suitable"]
    return Calibration(
        temperature,
        bias,
        Point(
            threshold,
            chosen_on,
            round(float((passed & called)[truth == 1].mean()), 4),
            round(float((passed & ~called)[truth == 0].mean()), 4),
            len(labelled),
        ),
        conformal_band(truth, probability, FILM_ALPHA if films else ALPHA, threshold),
        (round(low, 3), round(high, 3)),
        suitability,
        fit_stem_axis([row["landmarks"] for row in suitable], [row["landmark_truth"] for row in suitable]),
        fit_feature_statistics([row["features"] for row in suitable if "features" in row]),
        parts=parts,
        fixation=fixation_levels(
            [(one.gate[FIXATION], one.logits[FIXATION]) for one in everything if one.gate.get(FIXATION) in (0.0, 1.0)]
        ),
    )


def fixation_levels(known: Sequence[tuple[float | None, float]]) -> tuple[float, float]:
    """(cemented from, cementless up to): probabilities beyond which at least FIXATION_RIGHT of the stems are so.

    `known` holds truth (1 cemented, 0 cementless) and logit of each stem.
    """
    y, logits = np.array(known, float).reshape(-1, 2).T
    p = special.expit(logits)
    grid = np.linspace(0.5, 0.95, 46)
    high = next((t for t in grid if (p >= t).any() and y[p >= t].mean() >= FIXATION_RIGHT), 0.95)
    low = next((1 - t for t in grid if (p <= 1 - t).any() and 1 - y[p <= 1 - t].mean() >= FIXATION_RIGHT), 0.05)
    return round(float(high), 3), round(float(low), 3)


def _expit(logits: Iterable[float]) -> F64:
    return np.asarray(special.expit(np.array(list(logits), float)))


@dataclass(frozen=True)
class _Judged:
    """One hip for calibration, simulated or real. Truth and gate: 1, 0, or something else where it is not known."""

    logits: Mapping[str, float]
    truth: Mapping[str, float | None]
    gate: Mapping[str, float | None]
    suitable: bool
    stratum: str
    map_peak: float

    @classmethod
    def of_simulation(cls, row: dict) -> _Judged:
        logits = dict(zip(OUTPUTS, row["logits"], strict=True))
        suitable = row["hip_suitability"] == "suitable"
        return cls(logits, row["truth"], row["suitability_targets"], suitable, "", row["map_peak"])

    @classmethod
    def of_film(cls, row: dict) -> _Judged:
        record = row["record"]
        suitable = record["implant"] == "thr"
        stratum = "cemented" if record["fixation"] == "cemented" else "other"
        return cls(row["logits"], row["labels"], row["gate"], suitable, stratum, row["map_peak"])
