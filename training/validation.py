"""Quick looks at a network during training: held-out prepared hips, not the headline figures (training/evaluate.py)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import nn

from inference.lucency_net import (
    COMPONENTS,
    INPUT_SIZE,
    LANDMARKS,
    LOCATOR_STRIDE,
    OUTPUTS,
    SUITABILITY,
)
from training.augment import AugmentOptions, make_batch, stretch
from training.dataset import LABELS, MASKS, HipSet

QUIET = AugmentOptions(strength=0.0)


def auc(truth: npt.NDArray, score: npt.NDArray) -> float:
    """Of the cases whose truth is known; nan when one class is missing."""
    known = np.isfinite(truth)
    truth, score = truth[known], score[known]
    if len(np.unique(truth)) < 2:
        return float("nan")
    return float(roc_auc_score(truth, score))


def predict_hips(model: nn.Module, hips: HipSet, batch: int = 16) -> dict[str, npt.NDArray]:
    """Unmoved hips through the network: logits (n, 7), evidence (n, 2, h, w), landmarks (n, K, 3), and the truth
    at the same geometry: masks (n, 5, h, w), points (n, K, 2)."""
    model.eval()
    generator = torch.Generator().manual_seed(0)
    found: dict[str, list[npt.NDArray]] = {}
    with torch.no_grad():
        for first in range(0, len(hips), batch):
            part = slice(first, first + batch)
            made = make_batch(
                hips.pixels[part], hips.masks[part], hips.landmarks[part],
                size=INPUT_SIZE, generator=generator, options=QUIET,
            )  # fmt: skip
            logits, evidence, landmarks = model(made.image.to(memory_format=torch.channels_last))
            for name, value in (
                ("logits", logits), ("evidence", evidence), ("landmarks", landmarks),
                ("masks", made.masks), ("points", made.landmarks),
            ):  # fmt: skip
                found.setdefault(name, []).append(value.float().numpy())
    return {name: np.concatenate(values) for name, values in found.items()}


def hits(evidence: npt.NDArray, lucency: npt.NDArray) -> npt.NDArray[np.bool_]:
    """(n, h, w) maps and masks -> whether the map's maximum lies in the mask dilated by one cell."""
    near = F.max_pool2d(torch.from_numpy(lucency[:, None].astype(np.float32)), 3, 1, 1)[:, 0].numpy() > 0
    at = evidence.reshape(len(evidence), -1).argmax(axis=1)
    return np.asarray(near.reshape(len(near), -1)[np.arange(len(near)), at], bool)


def validate(model: nn.Module, hips: HipSet) -> dict[str, float]:
    found = predict_hips(model, hips)
    labels = hips.labels.numpy()
    out: dict[str, float] = {}
    for index, name in enumerate(LABELS):
        out[f"auc_{name}"] = auc(labels[:, index], found["logits"][:, OUTPUTS.index(name)])
    for index, component in enumerate(COMPONENTS):
        loose = labels[:, LABELS.index(component)] == 1
        lucency = found["masks"][:, MASKS.index(f"{component}_lucency")]
        shown = loose & (lucency.max(axis=(1, 2)) > 0)
        if shown.any():
            out[f"hit_{component}"] = float(hits(found["evidence"][shown, index], lucency[shown]).mean())
    for index, name in enumerate(SUITABILITY):
        out[f"auc_{name}"] = auc(hips.suitability[:, index].numpy(), found["logits"][:, OUTPUTS.index(name)])
    kinds = np.array([str(record["hip_suitability"]) for record in hips.records])
    lowest = found["logits"][:, [OUTPUTS.index(name) for name in SUITABILITY]].min(axis=1)
    for kind in sorted(set(kinds)):
        out[f"accepted_{kind}"] = float((lowest[kinds == kind] > 0).mean())
    distance = np.linalg.norm(found["landmarks"][..., :2] - found["points"], axis=2)
    for index, name in enumerate(LANDMARKS):
        known = np.isfinite(distance[:, index])
        if known.any():
            out[f"px_{name}"] = float(np.median(distance[known, index]))
    return {name: round(value, 4) for name, value in out.items()}


def validate_locator(model: nn.Module, hips: HipSet, batch: int = 16) -> dict[str, float]:
    """Share of hips whose centre has a peak above 0.4 of its own kind within a tenth of the region's side."""
    model.eval()
    replaced: list[bool] = []
    near: list[bool] = []
    sides: list[float] = []
    stray = 0
    with torch.no_grad():
        for first in range(0, len(hips.whole_pixels), batch):
            grey = hips.whole_pixels[first : first + batch].unsqueeze(1).float() / 255.0
            centers, sizes = model(stretch(grey))
            peaks = (centers == F.max_pool2d(centers, 5, 1, 2)) & (centers > 0.4)
            for index, boxes in enumerate(hips.whole_hips[first : first + batch]):
                used = 0
                for x, y, side, kind in boxes.tolist():
                    cells = torch.nonzero(peaks[index, 0 if kind > 0.5 else 1])
                    at = (cells.flip(1) + 0.5) * LOCATOR_STRIDE
                    distance = torch.linalg.norm(at - torch.tensor([x, y]), dim=1)
                    replaced.append(kind > 0.5)
                    good = bool(len(cells)) and float(distance.min()) < 0.1 * side
                    near.append(good)
                    if good:
                        row, col = cells[int(distance.argmin())].tolist()
                        sides.append(abs(float(sizes[index, 0, row, col]) / side - 1))
                    used += int(kind > 0.5)
                stray += max(0, int(peaks[index, 0].sum()) - used)
    found, kinds = np.array(near), np.array(replaced)
    return {
        "found_replaced": float(found[kinds].mean()) if kinds.any() else float("nan"),
        "found_native": float(found[~kinds].mean()) if (~kinds).any() else float("nan"),
        "side_error": float(np.median(sides)) if sides else float("nan"),
        "stray_per_image": stray / max(1, len(hips.whole_pixels)),
    }
