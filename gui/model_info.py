"""What a model card says, in sentences for the diagnosis panel. Nothing beyond what the card holds."""

from __future__ import annotations

from collections.abc import Iterable

from inference.model_bundle import Metric, ModelCard

SHOWN_METRICS = ("sensitivity", "specificity", "auc")


def operating_point_text(card: ModelCard) -> str:
    point = card.operating_point
    chosen = f" (chosen on {point.chosen_on}" if point.chosen_on else ""
    if chosen:
        chosen += f", n = {point.n:,})" if point.n else ")"
    return f"Called loose from {100 * point.threshold:.0f}{chosen}."


def tested_text(card: ModelCard) -> str:
    """The figures and what they were measured on; says so when the card has none."""
    metrics = headline_metrics(card)
    if not metrics:
        return "The model card holds no test results."
    first = metrics[0]
    figures = ", ".join(_figure(metric) for metric in metrics)
    return f"Tested on {first.n:,} hips ({first.set}): {figures}."


def headline_metrics(card: ModelCard) -> list[Metric]:
    """Sensitivity, specificity and AUC of the hip, all from the same set of images: the first set that has them."""
    for set_name in dict.fromkeys(metric.set for metric in card.metrics):
        found = [_named(card.metrics, name, set_name) for name in SHOWN_METRICS]
        present = [metric for metric in found if metric is not None]
        if len(present) >= 2:
            return present
    return []


def predictive_values(card: ModelCard, prevalence: float) -> tuple[float, float] | None:
    """(positive, negative) predictive value at a prevalence, by Bayes' rule; None where the card lacks the figures."""
    rates = _rates(card)
    if rates is None:
        return None
    sensitivity, specificity = rates
    called = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    not_called = (1 - sensitivity) * prevalence + specificity * (1 - prevalence)
    if called <= 0 or not_called <= 0:
        return None
    return sensitivity * prevalence / called, specificity * (1 - prevalence) / not_called


def _rates(card: ModelCard) -> tuple[float, float] | None:
    by_name = {metric.name.lower(): metric.value for metric in headline_metrics(card)}
    sensitivity = by_name.get("sensitivity", card.operating_point.sensitivity)
    specificity = by_name.get("specificity", card.operating_point.specificity)
    return None if sensitivity is None or specificity is None else (sensitivity, specificity)


def _named(metrics: Iterable[Metric], name: str, set_name: str) -> Metric | None:
    return next((metric for metric in metrics if metric.name.lower() == name and metric.set == set_name), None)


def _figure(metric: Metric) -> str:
    name = "AUC" if metric.name.lower() == "auc" else metric.name.lower()
    interval = f" ({metric.ci[0]:.2f}–{metric.ci[1]:.2f})" if metric.ci is not None else ""
    return f"{name} {metric.value:.2f}{interval}"
