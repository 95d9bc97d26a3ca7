"""How often intervals hold the truth and tests reject it, in 1,000 simulated studies: the figures of docs/statistics.md.

40 patients with two hips, 17 of them with loose ones, as the seed study has; no difference between the two that are
compared. Run it with `-m slow -s` to see the figures.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import numpy as np
import pytest
from scipy import stats

from study.statistics.accuracy import mcnemar_of, proportion_of
from study.statistics.agreement import cohen_kappa_of
from study.statistics.covariance import Covariance, Merit, estimate
from study.statistics.obuchowski_rockette import analyse_crossed
from study.statistics.one_against_many import compare_one_against_many
from study.statistics.roc import NotEstimableError, auc_delong, auc_difference_delong
from study.statistics.ustatistics import analyse_any_design, analyse_calls

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

STUDIES, PATIENTS, LOOSE, HIPS = 1000, 40, 17, 2
PATIENT = np.repeat(np.arange(PATIENTS), HIPS)
COVERS, REJECTS = 93.0, (3.5, 6.5)  # per cent


class Study:
    """A patient's hips are both loose or neither (`alike`), or loose hips are spread over the patients."""

    def __init__(self, rng: np.random.Generator, distance: float, *, alike: bool) -> None:
        self.rng, self.distance = rng, distance
        self.truth = np.repeat(np.arange(PATIENTS) < LOOSE, HIPS)
        if not alike:
            self.truth = rng.permutation(self.truth)

    def noise(self, *shape: int) -> np.ndarray:
        """Standard normal, with half of the variance shared by the hips of a patient."""
        shared = self.rng.normal(size=(*shape, PATIENTS))[..., PATIENT]
        return np.sqrt(0.5) * (shared + self.rng.normal(size=(*shape, PATIENT.size)))

    def two(self) -> np.ndarray:
        return np.sqrt(0.5) * (self.noise() + self.noise(2)) + self.distance * self.truth

    def readers(self, readers: int, skill: float) -> np.ndarray:
        """(2 modes, readers, cases); skill: how much a reader's distance differs between modes."""
        parts = 0.6 * self.noise() + 0.4 * self.noise(readers) + 0.4 * self.noise(2)[:, None]
        own = np.sqrt(1 - 0.36 - 0.32) * self.noise(2, readers)
        distance = self.distance + skill * self.rng.normal(size=(2, readers, 1))
        return parts + own + distance * self.truth


def inside(bounds: tuple[float, float] | None, value: float) -> bool:
    return bounds is not None and bounds[0] <= value <= bounds[1]


def show(title: str, counts: Counter[str]) -> dict[str, float]:
    found = {name: 100 * count / STUDIES for name, count in sorted(counts.items())}
    print(f"\n{title}: " + "; ".join(f"{name} {value:.1f} %" for name, value in found.items()))
    return found


def check(found: dict[str, float], but_for: tuple[str, ...] = ()) -> None:
    """Every interval covers and every test rejects as it should, but for tests that are conservative by their nature."""
    for name, value in found.items():
        if name.startswith("covers"):
            assert value >= COVERS, name
        elif name not in but_for:
            assert REJECTS[0] <= value <= REJECTS[1], name
        else:
            assert value <= REJECTS[1], name


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("distance", [1.2, 2.3])
def test_one_reader_and_pairs_by_patient(alike, distance):
    rng = np.random.default_rng(1)
    auc, share = stats.norm.cdf(distance / np.sqrt(2)), stats.norm.cdf(distance / 2)
    many = np.concatenate([Study(rng, distance, alike=alike).two() > distance / 2 for _ in range(500)], axis=1)
    kappa = cohen_kappa_of(*many).kappa
    counts: Counter[str] = Counter()
    for _ in range(STUDIES):
        study = Study(rng, distance, alike=alike)
        truth, scores = study.truth, study.two()
        calls = scores > distance / 2
        counts["covers AUC, logit by patient"] += inside(auc_delong(truth, scores[0], cluster=PATIENT).ci_logit, auc)
        counts["rejects AUC, Obuchowski by patient"] += (
            auc_difference_delong(truth, *scores, cluster=PATIENT).p or 1
        ) < 0.05
        sensitivity = proportion_of(calls[0, truth], PATIENT[truth])
        specificity = proportion_of(~calls[0, ~truth], PATIENT[~truth])
        for name, found in (("sensitivity", sensitivity), ("specificity", specificity)):
            counts[f"covers {name}, Wilson by patient"] += inside(found.wilson, share)
            counts[f"covers {name}, Clopper-Pearson by patient"] += inside(found.clopper_pearson, share)
        paired = mcnemar_of(calls[0, truth], calls[1, truth], PATIENT[truth])
        counts["covers difference, Tango by patient"] += inside(paired.tango, 0)
        counts["covers difference, Newcombe by patient"] += inside(paired.newcombe, 0)
        counts["rejects McNemar exact by patient"] += paired.exact_p < 0.05
        counts["rejects McNemar mid-p by patient"] += paired.mid_p < 0.05
        counts["rejects McNemar chi-square by patient"] += (1 if paired.chi2_p is None else paired.chi2_p) < 0.05
        with suppress(NotEstimableError):  # it then counts as one that does not cover
            counts["covers kappa, by patient"] += inside(cohen_kappa_of(*calls, PATIENT).ci, kappa)
    found = show(f"pairs, {'alike' if alike else 'spread'}, AUC {auc:.2f}", counts)
    exact = ["rejects McNemar exact by patient", "rejects McNemar mid-p by patient"]
    near_one = ["rejects AUC, Obuchowski by patient", "rejects McNemar chi-square by patient"]
    # Near an AUC of 1 there is little to differ, and every test of a difference becomes conservative.
    check(found, (*exact, *(near_one if distance > 2 else [])))


def test_logit_interval_near_one():
    """One hip a patient, 17 loose and 23 not, AUC .97: the interval that is cut at 1 covers too little."""
    rng = np.random.default_rng(3)
    distance = stats.norm.ppf(0.97) * np.sqrt(2)
    truth = np.arange(40) < 17
    counts: Counter[str] = Counter()
    for _ in range(STUDIES):
        found = auc_delong(truth, rng.normal(size=40) + distance * truth)
        if found.ci is None:  # separated: no interval is given, so none can be wrong
            counts["no interval"] += 1
            continue
        counts["normal"] += inside(found.ci, 0.97)
        counts["logit"] += inside(found.ci_logit, 0.97)
    shares = {name: 100 * counts[name] / (STUDIES - counts["no interval"]) for name in ("normal", "logit")}
    print("\nAUC .97:", shares, f"no interval {100 * counts['no interval'] / STUDIES} %")
    assert shares["logit"] >= COVERS > shares["normal"]


@pytest.mark.parametrize("alike", [True, False])
def test_several_readers_by_patient(alike):
    rng = np.random.default_rng(7)
    readers, distance = 5, 1.2
    auc = stats.norm.cdf(distance / np.sqrt(2))
    counts: Counter[str] = Counter()
    for _ in range(STUDIES):
        study = Study(rng, distance, alike=alike)
        truth, scores = study.truth, study.readers(readers, 0.0)
        for name, covariance in (("clustered", Covariance.CLUSTERED), ("unbiased", Covariance.UNBIASED_BY_PATIENT)):
            made = estimate(truth, scores.reshape(2 * readers, -1), Merit.AUC, covariance, PATIENT)
            both = analyse_crossed(
                made.values.reshape(2, -1),
                made.covariance.reshape(2, readers, 2, readers),
                ["a", "b"],
                ["r"] * readers,
                "",
            ).random_readers_random_cases
            counts[f"rejects Obuchowski-Rockette, {name} by patient"] += (1 if both.p is None else both.p) < 0.05
            counts[f"covers mean, Obuchowski-Rockette, {name} by patient"] += inside(both.means[0].ci_logit, auc)
        u = analyse_any_design(truth, scores, ["a", "b"], cluster=PATIENT, mle_where_negative=True)
        counts["rejects U-statistics by patient, MLE where negative"] += _p(u) < 0.05
        counts["covers mean, U-statistics by patient"] += inside(u.modes[0].ci, auc)
        blocks = scores.copy()
        for reader in range(readers):
            blocks[:, reader, (PATIENT + reader) % 2 == 1] = np.nan
        split = analyse_any_design(truth, blocks, ["a", "b"], cluster=PATIENT, mle_where_negative=True)
        counts["rejects U-statistics by patient, split-plot"] += _p(split) < 0.05
        calls = (scores > distance / 2)[:, :, truth].astype(float)
        of_calls = analyse_calls(calls, ["a", "b"], cluster=PATIENT[truth], mle_where_negative=True)
        counts["rejects sensitivity, U-statistics by patient"] += _p(of_calls) < 0.05
        one = compare_one_against_many(truth, scores[0, 0], scores[0, 1:], method=Covariance.CLUSTERED, cluster=PATIENT)
        counts["rejects one against many, by patient"] += (1 if one.p is None else one.p) < 0.05
    check(show(f"5 readers, {'alike' if alike else 'spread'}", counts))


def test_mle_variance_where_the_unbiased_one_is_negative():
    """Two readers and 12 + 12 cases, where one study in some has a negative variance."""
    rng = np.random.default_rng(11)
    truth = np.arange(24) < 12
    counts: Counter[str] = Counter()
    for _ in range(STUDIES):
        scores = rng.normal(size=24) + 0.7 * rng.normal(size=(2, 2, 24)) + 1.2 * truth
        found = analyse_any_design(truth, scores, ["a", "b"], mle_where_negative=True).differences[0]
        counts["MLE"] += found.used == "MLE"
        counts["rejects"] += (1 if found.p_t is None else found.p_t) < 0.05
    print(f"\nMLE took the place in {counts['MLE'] / 10:.1f} %, rejects {counts['rejects'] / 10:.1f} %")
    assert counts["MLE"] > 0
    assert counts["rejects"] / 10 <= REJECTS[1]


def _p(found) -> float:
    p = found.differences[0].p_t
    return 1.0 if p is None else p
