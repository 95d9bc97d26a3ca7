"""What the networks are asked to get right. Unknown targets are nan and cost nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from inference.lucency_net import COMPONENTS, EVIDENCE_STRIDE, LOCATOR_SIZE, LOCATOR_STRIDE
from training.dataset import LABELS, MASKS

LUCENCY_PLANES = [MASKS.index(f"{component}_lucency") for component in COMPONENTS]
AUXILIARY_PLANES = [MASKS.index(name) for name in ("implant", "stem_interface", "cup_interface")]


STEADY = 0.3  # of the score of what was not altered, or not by a lucent line, relative to the rise by a line


@dataclass(frozen=True)
class LossWeights:
    evidence: float = 1.0
    auxiliary: float = 0.3
    components: float = 0.35
    landmarks: float = 0.12
    suitability: float = 0.8
    pairs: float = 0.3


def known_bce(logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy over the targets that are not nan; 0 when there are none."""
    known = torch.isfinite(targets)
    if not bool(known.any()):
        return logits.sum() * 0.0
    each = F.binary_cross_entropy_with_logits(logits[known], targets[known], reduction="none")
    if weight is not None:
        weight = weight.expand_as(targets)[known]
        return (each * weight).sum() / weight.sum().clamp_min(1e-6)
    return each.mean()


def evidence_targets(masks: Tensor, labels: Tensor, quiet: Tensor) -> Tensor:
    """(B, 2, h, w): 1 where a loose component shows its lucency, 0 elsewhere, nan where nobody can say.

    A drawn borderline line (label between 0 and 1) counts; the lucent cells of a component of unknown label are nan. `quiet` (B,) marks images that must stay dark altogether (no
    implant); other images without labels (lateral, cropped, ...) are nan near their implant.
    """
    lucency = masks[:, LUCENCY_PLANES]
    component = labels[:, [LABELS.index(name) for name in COMPONENTS]]
    state = component[:, :, None, None].expand_as(lucency)
    target = torch.where(state > 0, lucency, torch.zeros_like(lucency))
    unknown = torch.isnan(state) & (lucency > 0) & ~quiet[:, None, None, None]
    return torch.where(unknown, torch.full_like(target, torch.nan), target)


def evidence_loss(logits: Tensor, targets: Tensor, bands: Tensor) -> Tensor:
    """Cross-entropy per cell, the periprosthetic band counted more, and a soft Dice over the batch.

    Lucent cells are a percent of all: without the weights a blank map would be a good answer.
    """
    known = torch.isfinite(targets)
    target = torch.where(known, targets, torch.zeros_like(targets))
    weight = (1.0 + 3.0 * bands + 3.0 * target) * known
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = torch.sigmoid(logits) * known
    overlap = (probability * target).sum(dim=(0, 2, 3))
    total = probability.sum(dim=(0, 2, 3)) + target.sum(dim=(0, 2, 3))
    dice = 1.0 - (2.0 * overlap + 10.0) / (total + 10.0)
    return 8.0 * (bce * weight).sum() / weight.sum().clamp_min(1.0) + 0.3 * dice.mean()


def landmark_loss(heatmaps: Tensor, points: Tensor) -> Tensor:
    """Cross-entropy of each heatmap's softmax with a Gaussian (one cell) at the point; uniform where it is absent (nan),
    nothing where nobody knows it (inf)."""
    height, width = heatmaps.shape[-2:]
    present = torch.isfinite(points).all(dim=2)
    at = torch.where(torch.isfinite(points), points, torch.zeros_like(points)) / EVIDENCE_STRIDE - 0.5
    x = torch.arange(width).reshape(1, 1, 1, width)
    y = torch.arange(height).reshape(1, 1, height, 1)
    distance = (x - at[..., 0, None, None]) ** 2 + (y - at[..., 1, None, None]) ** 2
    target = torch.exp(-0.5 * distance).flatten(2)
    target = target / target.sum(dim=2, keepdim=True).clamp_min(1e-9)
    uniform = torch.full_like(target, 1.0 / (height * width))
    target = torch.where(present.unsqueeze(2), target, uniform)
    cross_entropy = -(target * torch.log_softmax(heatmaps.flatten(2), dim=2)).sum(dim=2)
    weight = torch.where(present, 1.0, 0.15) * ~torch.isinf(points).any(dim=2)
    return (cross_entropy * weight).sum() / weight.sum().clamp_min(1.0)


def whole_loss(
    raw: dict[str, Tensor], masks: Tensor, labels: Tensor, suitability: Tensor, points: Tensor, weights: LossWeights
) -> tuple[Tensor, dict[str, float]]:
    """The loss of whole hip regions, and its parts for the log."""
    quiet = suitability[:, 0] == 0
    bands = masks[:, AUXILIARY_PLANES[1:]]
    parts = {
        "evidence": evidence_loss(raw["evidence"], evidence_targets(masks, labels, quiet), bands),
        "auxiliary": known_bce(raw["auxiliary"], masks[:, AUXILIARY_PLANES], 1.0 + 3.0 * masks[:, AUXILIARY_PLANES]),
        "components": known_bce(
            torch.cat([raw["loose"].unsqueeze(1), raw["components"]], dim=1),
            labels[:, [LABELS.index(name) for name in ("loose", *COMPONENTS)]],
        ),
        "landmarks": landmark_loss(raw["heatmaps"], points),
        "suitability": known_bce(raw["suitability"], suitability),
    }
    total = sum((getattr(weights, name) * part for name, part in parts.items()), torch.zeros(()))
    return total, {name: float(part.detach()) for name, part in parts.items()}


def patch_loss(raw: dict[str, Tensor], masks: Tensor, labels: Tensor, suitability: Tensor) -> Tensor:
    """The loss of patches near the interface: dense targets only, for a patch says nothing about the whole."""
    quiet = suitability[:, 0] == 0
    bands = masks[:, AUXILIARY_PLANES[1:]]
    dense = evidence_loss(raw["evidence"], evidence_targets(masks, labels, quiet), bands)
    auxiliary = masks[:, AUXILIARY_PLANES]
    return dense + 0.3 * known_bce(raw["auxiliary"], auxiliary, 1.0 + 3.0 * auxiliary)


def pair_loss(with_line: Tensor, original: Tensor, drawn: Tensor, margin: float = 2.0) -> Tensor:
    """Component logits (P, 2) of altered films and of their originals: a line must raise its component's score, and nothing
    else may change one.

    `drawn` (P, 2) is True where a line was drawn; elsewhere the other component, a look-alike or a sham was altered.
    """
    change = with_line - original
    rise, other = change[drawn], change[~drawn]
    loss = with_line.sum() * 0.0
    if len(rise):
        loss = loss + F.softplus(margin - rise).mean()
    if len(other):
        loss = loss + STEADY * F.smooth_l1_loss(other, torch.zeros_like(other))
    return loss


def locator_targets(hips: list[Tensor], size: int = LOCATOR_SIZE) -> tuple[Tensor, Tensor, Tensor]:
    """Lists of (k, 4) x, y, side, replaced -> centres (B, 2, t, t), log sides (B, 1, t, t), where they count."""
    cells = size // LOCATOR_STRIDE
    centers = torch.zeros(len(hips), 2, cells, cells)
    sides = torch.zeros(len(hips), 1, cells, cells)
    counts = torch.zeros(len(hips), 1, cells, cells)
    axis = (torch.arange(cells) + 0.5) * LOCATOR_STRIDE
    for index, boxes in enumerate(hips):
        for x, y, side, replaced in boxes.tolist():
            distance = (axis[None, :] - x) ** 2 + (axis[:, None] - y) ** 2
            spread = max(LOCATOR_STRIDE, 0.05 * side)
            peak = torch.exp(-0.5 * distance / spread**2)
            channel = 0 if replaced > 0.5 else 1
            centers[index, channel] = torch.maximum(centers[index, channel], peak)
            near = peak > 0.5
            sides[index, 0][near] = float(torch.log(torch.tensor(side / size)))
            counts[index, 0][near] = 1.0
    return centers, sides, counts


def locator_loss(centers: Tensor, sides: Tensor, hips: list[Tensor]) -> Tensor:
    """Penalty-reduced focal loss on the centres (Law and Deng, ECCV 2018) and L1 on the log of the side."""
    target, log_side, counts = locator_targets(hips, centers.shape[-1] * LOCATOR_STRIDE)
    probability = torch.sigmoid(centers)
    positive = (target > 0.7).float()
    loss_positive = -((1 - probability) ** 2) * F.logsigmoid(centers) * positive * target
    loss_negative = -((1 - target) ** 4) * probability**2 * F.logsigmoid(-centers) * (1 - positive)
    focal = (loss_positive.sum() + loss_negative.sum()) / positive.sum().clamp_min(1.0)
    size = ((sides - log_side).abs() * counts).sum() / counts.sum().clamp_min(1.0)
    return focal + size
