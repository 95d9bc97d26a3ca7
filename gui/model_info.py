"""What a model card says, in sentences for the diagnosis panel. Nothing beyond what the card holds."""

from __future__ import annotations

from dataclasses import dataclass

from inference.model_bundle import Metric, ModelCard

# Where a network was tried on images that had no part in making it; its own calibration cohort comes last.
SET_WORDS = {
    "real films, inserted lines": "images of real hips with and without inserted lines, of patients that it had not seen",
    "fresh": "simulated hips that it had not seen",
    "calibration": "simulated hips of its own calibration cohort",
}
OWN_SET = "calibration"


@dataclass(frozen=True)
class TestResult:
    """One set's figures. `sensitivity` and `specificity` are those where the CNN decided, if the card tells them."""

    set: str
    n: int
    sensitivity: Metric
    specificity: Metric
    indeterminate: Metric | None
    auc: Metric | None


def operating_point_text(card: ModelCard) -> str:
    point = card.operating_point
    chosen = f" (threshold chosen on {point.chosen_on}" if point.chosen_on else ""
    if chosen:
        chosen += f", n = {point.n:,})" if point.n else ")"
    return f"Classified as loose at a score of {100 * point.threshold:.0f} or higher{chosen}."


def tested_text(card: ModelCard) -> str:
    """The figures and what they were measured on; says so when the card has none."""
    # Without a band nothing is left undecided but what is refused: then the figures that count it as an error.
    result = test_result(card, where_decided=has_band(card))
    if result is None:
        return "The model card holds no test results."
    where = SET_WORDS.get(result.set, f"hips ({result.set})")
    parts = [f"sensitivity {_figure(result.sensitivity)}", f"specificity {_figure(result.specificity)}"]
    text = ", ".join(parts)
    if result.indeterminate is not None:
        text = f"where it decided, {text}; {100 * result.indeterminate.value:.0f} % indeterminate"
    if result.auc is not None:
        text += f"; AUC {_figure(result.auc, 3)}"  # with two digits .996 would read as perfect
    return f"Tested on {result.n:,} {where}: {text}."


def test_result(card: ModelCard, *, where_decided: bool) -> TestResult | None:
    """Of the set that says most: not the calibration cohort, where there is another. `where_decided`: of the hips that
    got an answer, where the card has those figures; else all others count as errors."""
    names = list(dict.fromkeys(metric.set for metric in card.metrics))
    for name in sorted(names, key=lambda name: name == OWN_SET):
        found = {metric.name.lower(): metric for metric in card.metrics if metric.set == name}
        decided = " where decided" if where_decided and "sensitivity where decided" in found else ""
        sensitivity, specificity = (found.get(f"{name}{decided}") for name in ("sensitivity", "specificity"))
        if sensitivity is None or specificity is None:
            continue
        indeterminate = found.get("indeterminate") if decided else None
        auc = found.get("auc loose") or found.get("auc")
        n = max(metric.n for metric in (sensitivity, specificity, indeterminate, auc) if metric is not None)
        return TestResult(name, n, sensitivity, specificity, indeterminate, auc)
    return None


def has_band(card: ModelCard) -> bool:
    """Whether any score is called indeterminate."""
    return card.indeterminate is not None and card.indeterminate.low < card.indeterminate.high


def predictive_values(card: ModelCard, prevalence: float) -> tuple[float, float] | None:
    """(positive, negative) predictive value of a decided answer at a prevalence, by Bayes' rule; None without figures.

    Indeterminate answers are no answers: what counts is how often a loose hip is called loose and how often a fixed
    one is, of all of either kind. Half an event is added to every cell (Haldane 1956, Anscombe 1956), so that no
    small test set claims certainty.
    """
    result = test_result(card, where_decided=True)
    if result is None:
        return None
    found = {metric.name.lower(): metric for metric in card.metrics if metric.set == result.set}
    loose = found.get("sensitivity", result.sensitivity)  # n: all loose hips of the set
    fixed = found.get("specificity", result.specificity)
    hits = result.sensitivity.value * result.sensitivity.n
    misses = result.sensitivity.n - hits
    clears = result.specificity.value * result.specificity.n
    alarms = result.specificity.n - clears
    loose_called = prevalence * (hits + 0.5) / (loose.n + 1)
    fixed_called = (1 - prevalence) * (alarms + 0.5) / (fixed.n + 1)
    loose_cleared = prevalence * (misses + 0.5) / (loose.n + 1)
    fixed_cleared = (1 - prevalence) * (clears + 0.5) / (fixed.n + 1)
    return loose_called / (loose_called + fixed_called), fixed_cleared / (fixed_cleared + loose_cleared)


def _figure(metric: Metric, digits: int = 2) -> str:
    interval = f" ({metric.ci[0]:.{digits}f}–{metric.ci[1]:.{digits}f})" if metric.ci is not None else ""
    return f"{metric.value:.{digits}f}{interval}"
