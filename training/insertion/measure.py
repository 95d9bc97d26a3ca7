"""Figures on real hips with inserted lines: pairs, strata, look-alikes, the map on the line, what the gate says.

Rows are of whole hips as the network sees them, unmoved; the original of a hip is compared with its own variants. Strata
(cemented and other stems, cups) are always reported apart: what tells them from one another is no sign of loosening.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from inference.lucency_net import COMPONENTS, INPUT_SIZE, LANDMARKS, OUTPUTS, SUITABILITY, LucencyNet
from inference.model_bundle import Metric, ModelCard
from training.augment import Batch, make_batch
from training.dataset import MASKS, HipSet
from training.measure import area, average, share
from training.validation import QUIET, hits

Row = dict[str, Any]
SPECIFICITY = 0.95
DRAWS = 400
FILM_SET = "real films, inserted lines"
CHANGES: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mirror image": lambda grey: grey.flip(2),
    "gamma 0.6": lambda grey: ((grey.float() / 255) ** 0.6 * 255).round().to(torch.uint8),
    "gamma 1.5": lambda grey: ((grey.float() / 255) ** 1.5 * 255).round().to(torch.uint8),
}


def score_hips(network: LucencyNet, hips: HipSet, batch: int = 8) -> list[Row]:
    """One row per hip: its record, labels, logits by output, map hits, landmark errors as shares of the region."""
    network.eval()
    generator = torch.Generator().manual_seed(0)
    rows: list[Row] = []
    for first in range(0, len(hips), batch):
        part = slice(first, first + batch)
        made = make_batch(
            hips.pixels[part], hips.masks[part], hips.landmarks[part],
            size=INPUT_SIZE, generator=generator, options=QUIET,
        )  # fmt: skip
        with torch.no_grad():
            logits, evidence, landmarks = network(made.image.to(memory_format=torch.channels_last))
        for at in range(len(logits)):
            row = _row(hips.records[first + at], evidence[at].numpy(), landmarks[at].numpy(), made, at)
            row["labels"] = dict(zip(("loose", *COMPONENTS), hips.labels[first + at].tolist(), strict=True))
            row["gate"] = dict(zip(SUITABILITY, hips.suitability[first + at].tolist(), strict=True))
            row["logits"] = dict(zip(network.outputs, logits[at].tolist(), strict=True))
            rows.append(row)
    return rows


def _row(
    record: Mapping[str, Any],
    evidence: npt.NDArray[np.float32],
    landmarks: npt.NDArray[np.float32],
    made: Batch,
    at: int,
) -> Row:
    """What is seen of one hip: `evidence` (components, h, w), `landmarks` (K, 3), beside the truth in `made`."""
    masks, points = made.masks[at].numpy(), made.landmarks[at].numpy()
    row: Row = {"record": dict(record)}
    values = evidence.max(axis=0)
    row["map_peak"] = float(values.max())
    lucency = np.maximum(masks[MASKS.index("stem_lucency")], masks[MASKS.index("cup_lucency")])
    if lucency.any():
        row["hit"] = bool(hits(values[None], lucency[None])[0])
        grown = torch.nn.functional.max_pool2d(torch.from_numpy(lucency)[None, None], 3, 1, 1)
        row["chance"] = float(grown.mean())
    band = np.maximum(masks[MASKS.index("stem_interface")], masks[MASKS.index("cup_interface")])
    if band.any() and values.sum() > 0:
        near = torch.nn.functional.max_pool2d(torch.from_numpy(band)[None, None], 3, 1, 1)[0, 0].numpy() > 0
        row["mass_in_band"] = float(values[near].sum() / values.sum())
    if record.get("variant") == "original":
        marked = ("head_center", "stem_tip", "shoulder")
        row["landmarks"] = {
            name: float(np.hypot(*(landmarks[index, :2] - points[index]))) / INPUT_SIZE
            for index, name in ((LANDMARKS.index(name), name) for name in marked)
            if np.isfinite(points[index]).all()
        }
    return row


def stratum(record: Mapping[str, Any]) -> str:
    return "cemented stem" if record["fixation"] == "cemented" else "other stem"


def by_patient(
    rows: Sequence[Row], compute: Callable[[Sequence[Row]], list[Metric]], draws: int = DRAWS
) -> list[Metric]:
    """`compute(rows)` with intervals from a bootstrap over patients: many images come from one hip.

    Patients are drawn with replacement, all of their images with them (Field & Welsh, JRSS B 2007); seeded.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row["record"].get("group", "")), []).append(row)
    names = sorted(groups)
    if not names:
        return []
    rng = np.random.default_rng(0)
    values: dict[str, list[float]] = {}
    for _ in range(draws):
        drawn = [row for at in rng.integers(0, len(names), len(names)) for row in groups[names[at]]]
        for metric in compute(drawn):
            values.setdefault(metric.name, []).append(metric.value)
    found = []
    for metric in compute(rows):
        low, high = np.quantile(values.get(metric.name, [metric.value]), (0.025, 0.975))
        found.append(msgspec.structs.replace(metric, ci=(round(float(low), 4), round(float(high), 4))))
    return found


def figures(rows: Sequence[Row], name: str) -> list[Metric]:
    """Everything that is asked of real hips, on rows of one set."""
    real = [row for row in rows if row["record"].get("source") == "inserted"]
    thr = [row for row in real if row["record"]["implant"] in ("thr", "hemi")]
    found = [*_lines(thr, name), *_pairs(thr, name), *_map(thr, name), *_gate(real, name), *_points(thr, name)]
    return [metric for metric in found if metric is not None]


def _variant(rows: Sequence[Row], *wanted: str) -> list[Row]:
    return [row for row in rows if row["record"]["variant"] in wanted]


def _component(row: Row) -> str:
    """Which score a row with lines is judged by: the component's, or the hip's where both have one."""
    parts = row["record"].get("components", [])
    return str(parts[0]) if len(parts) == 1 else "loose"


def _known_fixed(rows: Sequence[Row], output: str) -> list[Row]:
    return [row for row in rows if row["labels"][output] == 0.0]


def _lines(rows: Sequence[Row], name: str) -> list[Metric | None]:
    found: list[Metric | None] = []
    fixed = _variant(rows, "original")
    other = _variant(rows, "lookalike", "sham")
    groups: dict[str, tuple[str, Callable[[Row], bool]]] = {
        "": ("loose", lambda row: True),
        ", cemented stem": ("stem", lambda row: row["record"]["fixation"] == "cemented"),
        ", other stem": ("stem", lambda row: row["record"]["fixation"] != "cemented"),
        ", cup": ("cup", lambda row: True),
    }
    for words, (output, member) in groups.items():
        loose = [row for row in _variant(rows, "loose") if row["labels"][output] == 1.0 and member(row)]
        originals = [row for row in _known_fixed(fixed, output) if member(row)]
        controls = originals + [row for row in _known_fixed(other, output) if member(row)]

        def scores(chosen: Sequence[Row], output: str = output) -> list[float]:
            return [row["logits"][output] for row in chosen]

        truth = [1] * len(loose) + [0] * len(originals)
        found.append(area(f"AUC line against original{words}", truth, scores(loose) + scores(originals), name))
        if not controls or not loose:
            continue
        threshold = float(np.quantile(scores(controls), SPECIFICITY))
        plain = [row for row in loose if any(line["clearness"] != "faint" for line in row["record"]["lines"])]
        for label, chosen in (("", loose), (" of moderate and clear lines", plain)):
            hit = [row["logits"][output] > threshold for row in chosen]
            found.append(share(f"sensitivity{label} at specificity {SPECIFICITY}{words}", hit, name))
    for clearness in ("clear", "moderate", "faint"):
        loose = [
            row
            for row in _variant(rows, "loose")
            if row["labels"]["loose"] == 1.0 and row["record"]["lines"][0]["clearness"] == clearness
        ]
        originals = _known_fixed(fixed, "loose")
        truth = [1] * len(loose) + [0] * len(originals)
        scores_all = [row["logits"]["loose"] for row in (*loose, *originals)]
        found.append(area(f"AUC line against original, {clearness}", truth, scores_all, name))
    return found


def _pairs(rows: Sequence[Row], name: str) -> list[Metric | None]:
    originals = {row["record"]["film"]: row for row in _variant(rows, "original")}
    found: list[Metric | None] = []
    for variant, words in (
        ("loose", "line"),
        ("partial", "partial line"),
        ("lookalike", "look-alike"),
        ("sham", "sham"),
    ):
        higher: dict[str, list[bool]] = {"": [], ", cup": [], ", cemented stem": [], ", other stem": []}
        rise = []
        for row in _variant(rows, variant):
            first = originals.get(row["record"]["film"])
            if first is None:
                continue
            output = _component(row)
            above = row["logits"][output] > first["logits"][output]
            rise.append(row["logits"][output] - first["logits"][output])
            higher[""].append(above)
            if output in COMPONENTS:
                higher[", cup" if output == "cup" else f", {stratum(row['record'])}"].append(above)
        for group, values in higher.items():
            found.append(share(f"score with {words} above original{group}", values, name))
        found.append(average(f"rise of the logit by a {words} (median)", rise, name, np.median))
    return found


def _map(rows: Sequence[Row], name: str) -> list[Metric | None]:
    with_line = [row for row in _variant(rows, "loose") if "hit" in row]
    return [
        share("map maximum on the line", (row["hit"] for row in with_line), name),
        average("the same, random point", (row["chance"] for row in with_line), name),
        average("map mass near the interface", (row.get("mass_in_band") for row in with_line), name),
    ]


def _gate(rows: Sequence[Row], name: str) -> list[Metric | None]:
    originals = _variant(rows, "original")
    found: list[Metric | None] = []
    for output in SUITABILITY:
        if not originals or output not in originals[0]["logits"]:
            continue
        known = [row for row in originals if np.isfinite(row["gate"][output])]
        truth = [int(row["gate"][output]) for row in known]
        found.append(area(f"AUC {output}", truth, [row["logits"][output] for row in known], name))
        right = [(row["logits"][output] > 0) == bool(value) for row, value in zip(known, truth, strict=True)]
        found.append(share(f"{output} right", right, name))
    return found


def _points(rows: Sequence[Row], name: str) -> list[Metric | None]:
    found: list[Metric | None] = []
    for landmark in ("head_center", "stem_tip", "shoulder"):
        errors = [row.get("landmarks", {}).get(landmark) for row in _variant(rows, "original")]
        found.append(average(f"{landmark} error, share of the region's side (median)", errors, name, np.median))
    return found


def judged(rows: Sequence[Row], card: ModelCard) -> list[Row]:
    """The hips with both parts known, and `probability` by the card's rules: of the more suspicious assessed part, None where
    the image is refused or no part is assessed."""
    hips = [row for row in rows if row["record"].get("implant") == "thr" and row["labels"]["loose"] in (0.0, 1.0)]
    return [row | {"probability": _probability(row, card)} for row in hips]


def at_operating_point(hips: Sequence[Row], card: ModelCard, name: str) -> list[Metric]:
    """Sensitivity and specificity of `judged` hips by the card's rules; one without an answer counts as an error."""
    band = card.indeterminate

    def call(row: Row) -> bool | None:
        probability = row["probability"]
        if probability is None or (band is not None and band.low < band.high and band.low <= probability <= band.high):
            return None
        return bool(probability >= card.operating_point.threshold)

    called = [(row, call(row)) for row in hips]

    def shares(words: str, member: Callable[[Row], bool]) -> list[Metric | None]:
        own = [(row["labels"]["loose"] == 1.0, said) for row, said in called if member(row)]
        return [
            share(f"sensitivity{words}", (said is True for loose, said in own if loose), name),
            share(f"specificity{words}", (said is False for loose, said in own if not loose), name),
        ]

    def plain(row: Row) -> bool:
        lines = row["record"].get("lines", [])
        return row["labels"]["loose"] == 1.0 and any(line["clearness"] != "faint" for line in lines)

    found = shares("", lambda row: True)
    scored = [(int(row["labels"]["loose"]), row["probability"]) for row in hips if row["probability"] is not None]
    found.append(area("AUC loose", [truth for truth, _ in scored], [p for _, p in scored], name))
    found.append(shares(", moderate and clear lines", plain)[0])
    found += shares(", cemented stem", lambda row: row["record"]["fixation"] == "cemented")
    found += shares(", other stem", lambda row: row["record"]["fixation"] != "cemented")
    found.append(shares(", unaltered films", lambda row: row["record"]["variant"] == "original")[1])
    return [metric for metric in found if metric is not None]


def _probability(row: Row, card: ModelCard) -> float | None:
    logits = row["logits"]
    if any(_sigmoid(logits[output]) < rule.threshold for output, rule in card.suitability.items()):
        return None
    probabilities = [
        _sigmoid(logits[part] / card.temperature.get(part, 1.0) + card.bias.get(part, 0.0))
        for part, rule in card.parts.items()
        if _sigmoid(logits[rule.complete]) >= rule.threshold
    ]
    return max(probabilities, default=None)


def _sigmoid(value: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(value, -60.0, 60.0))))


def changed_calls(network: LucencyNet, hips: HipSet, threshold: float, batch: int = 8) -> dict[str, tuple[int, int]]:
    """Of each change: (calls that differ from those of the unchanged hips, hips)."""
    generator = torch.Generator().manual_seed(0)

    def calls(pixels: torch.Tensor) -> npt.NDArray[np.bool_]:
        found = []
        for first in range(0, len(pixels), batch):
            part = slice(first, first + batch)
            made = make_batch(
                pixels[part],
                hips.masks[part],
                hips.landmarks[part],
                size=INPUT_SIZE,
                generator=generator,
                options=QUIET,
            )
            with torch.no_grad():
                logits, _, _ = network(made.image.to(memory_format=torch.channels_last))
            found.append(logits[:, OUTPUTS.index("loose")].numpy() > threshold)
        return np.concatenate(found)

    plain = calls(hips.pixels)
    return {name: (int((calls(change(hips.pixels)) != plain).sum()), len(plain)) for name, change in CHANGES.items()}
