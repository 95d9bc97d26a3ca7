"""MODEL_CARD.md from model.json and the evaluation: what was measured, on what, and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inference.model_bundle import Metric, ModelCard
from training.calibrate import FILM_SPECIFICITY, TARGET_SPECIFICITY

SET_TITLES = {
    "calibration": "Calibration cohort: the thresholds were chosen here, so these figures flatter",
    "fresh": "Fresh cohort: same simulator, new seeds",
    "shifted": "Shifted cohort: stems, spectra, tone curves and line positions outside the training ranges",
    "coarse": "Coarse cohort: thumbnails, more than 0.7 mm per pixel",
    "gate": "Gate: simulated images to refuse, and suitable ones to accept",
    "real images without a replacement": "Real images without a replacement (none may be assessed)",
    "real films, inserted lines": "Real films with inserted lines, each patient scored by a network that never saw it",
    "real films, unaltered": "Real films through the whole program, each by a network that never saw its patient",
    "weight randomisation": "Weight randomisation (Adebayo et al., NeurIPS 2018)",
}


_CLAIM = {
    "simulated": (
        "**This network has only ever seen simulated radiographs.** The figures below verify that the software does "
        "what it was built to do on such images. They are not clinical accuracy, and nothing here says how it does "
        "on a patient's radiograph."
    ),
    "inserted": (
        "**No patient with proven loosening was used.** The network was trained on lines that this project inserted into real "
        "radiographs, and on simulations. The figures on real films say how well it finds such lines on hips that it never saw, "
        "and how quiet it is on films in which a person saw no line. There is no clinical reference standard: they are not "
        "clinical accuracy."
    ),
    "clinical": "",
}


def _target(card: ModelCard) -> str:
    """What the operating point was chosen for."""
    if card.training_data == "inserted":
        return f"a specificity of {FILM_SPECIFICITY} in each stratum (cemented stems, other stems)"
    return f"a specificity of {TARGET_SPECIFICITY} there, hips that the gate refuses counting as errors"


def _row(metric: Metric) -> str:
    interval = f"{metric.ci[0]:.3f} – {metric.ci[1]:.3f}" if metric.ci else ""
    return f"| {metric.name} | {metric.value:.3f} | {interval} | {metric.n} |"


def _second_voices(card: ModelCard) -> list[str]:
    """What corrects or comments on an answer without changing the decision."""
    lines = []
    features, axis = card.feature_statistics, card.stem_axis
    if features is not None:
        lines.append(
            f"- Noted as unlike what the network was trained on, and never refused for it: beyond a distance of "
            f"{features.limit:.2f} in its deepest features, which 99 % of {features.n} suitable calibration hips keep."
        )
    if axis is not None:
        lines.append(
            f"- The top of the stem's axis is placed by tip, head and shoulder (regression on {axis.n} calibration hips) "
            f"where the network is at least {axis.confidence:g} sure of these three, else by the network alone."
        )
    return lines


def render(card: ModelCard, extra: Mapping[str, Any], description: Sequence[str], commands: Sequence[str]) -> str:
    """Markdown. `description` are paragraphs on how this network was trained; `commands` reproduce it."""
    point, band = card.operating_point, card.indeterminate
    lines = [
        f"# {card.title} ({card.id} {card.version})",
        "",
        card.intended_use,
        "",
        _CLAIM[card.training_data],
        "",
        "## How it was made",
        "",
        *(paragraph + "\n" for paragraph in description),
        (
            f"Training cohort: {card.cohort.n} hip images, {100 * (card.cohort.prevalence or 0):.0f} % of the labelled "
            f"replacements loose, seeds {', '.join(map(str, card.cohort.seeds))}, "
            f"manifest SHA-256 `{card.cohort.manifest_sha256[:16]}…`. Commit `{card.commit[:12]}`."
        ),
        "",
        "```",
        *commands,
        "```",
        "",
        "## Decision rules",
        "",
        (
            f"- Loose from a calibrated probability of {point.threshold:.3f}: chosen on the {point.chosen_on} "
            f"(n = {point.n}) for {_target(card)}; it gave sensitivity {point.sensitivity} and specificity {point.specificity}."
        ),
    ]
    if band is not None:
        lines.append(
            f"- Indeterminate from {band.low:.3f} to {band.high:.3f}: class-conditional conformal quantiles, "
            f"alpha {band.alpha:g}, n = {band.n}."
            if band.low < band.high
            else f"- No indeterminate band: at alpha {band.alpha:g} the classes' quantiles cross (n = {band.n})."
        )
    lines += [
        *(["- The hip's probability is that of its more suspicious assessed part."] if card.parts else []),
        (
            f"- Probability = sigmoid(logit / {card.temperature.get('loose', 1):.3f} + {card.bias.get('loose', 0):.3f}), "
            "calibrated at a prevalence of 50 %."
        ),
        *(
            f"- The {name} is assessed where {rule.complete} reaches {rule.threshold:.3f}."
            for name, rule in card.parts.items()
        ),
        "- Refused when a gate output stays below its threshold: "
        + ", ".join(f"{name} {rule.threshold:.3f}" for name, rule in card.suitability.items())
        + ".",
        *_second_voices(card),
        (
            f"- The map shown is the network's own evidence (0–1 per cell of 8 x 8 input pixels), drawn from "
            f"{card.saliency.levels[0]} (nothing) to {card.saliency.levels[1]} (full colour)."
        ),
        "",
        (
            "Sensitivity and specificity count indeterminate, not assessable and not found hips as errors. Borderline "
            "hips are kept out of them and reported apart. Regions are those that the program proposes by itself. "
            "Intervals are 95 %: Wilson for shares, DeLong for AUC, bootstrap for means and medians; of real films with "
            "inserted lines, bootstrap over patients, for many images come from one hip."
        ),
        "",
        "## Figures",
    ]
    sets = list(dict.fromkeys(metric.set for metric in card.metrics))
    for name in sets:
        lines += ["", f"### {SET_TITLES.get(name, name)}", "", "| | value | 95 % interval | n |", "|---|---|---|---|"]
        lines += [_row(metric) for metric in card.metrics if metric.set == name]
        bins = extra.get("reliability", {}).get(name)
        if bins:
            lines += ["", "Reliability: mean probability → share loose (n): "]
            lines[-1] += "; ".join(f"{p:.2f} → {rate:.2f} ({n})" for p, rate, n in bins) + "."
    if extra.get("real_images"):
        lines += [
            "",
            (
                "These real files are no independent check of the gate: it was improved after looking at how they fared. "
                "Some of them are the same radiograph in another encoding."
            ),
            "",
            "Real images, one line each (the file's tags withheld, so that only the pixels speak):",
            "",
        ]
        lines += [f"- {line}" for line in extra["real_images"]]
    lines += [
        "",
        "## What it was never shown, and limits",
        "",
        (
            ("- Any real radiograph. " if card.training_data == "simulated" else "- Proven loosening. ")
            + "Infection, periprosthetic fracture, metallosis, heterotopic bone, paediatric hips; "
            "serial films (loosening over time cannot be seen in one image)."
        ),
        "- Resurfacing, hemiarthroplasty, plates and nails were shown only to be refused.",
        "- Loosening without a visible line, gap or fracture cannot be seen by it.",
        "- A line of 2 mm is about three pixels of its input; below 0.7 mm per pixel of the file it sees less.",
        "- Thresholds do not carry over between sources of images: recalibrate on local cases before any study.",
        "",
    ]
    return "\n".join(lines)
