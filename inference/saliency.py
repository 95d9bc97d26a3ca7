"""The map beside the score, from the same forward pass; always raw, never stretched.

Grad-CAM (Selvaraju et al., ICCV 2017): relu(sum over channels of activation x mean gradient of the loose logit).
Class-activation map: where a network's score is pooled from per-cell evidence, that evidence itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

    from inference.networks import PublishedNetwork

FloatArray = npt.NDArray[np.float32]
GRAD_CAM = "Grad-CAM"
CLASS_ACTIVATION_MAP = "class-activation map"


def saliency_maps(outputs: dict[str, FloatArray]) -> FloatArray:
    """(N, h, w) from an engine's outputs: the evidence that made the score, else Grad-CAM of the loose logit."""
    if "evidence" in outputs:
        return class_activation(outputs["evidence"])
    return grad_cam(outputs["features"], outputs["channel_weights"])


def grad_cam(features: FloatArray, channel_weights: FloatArray) -> FloatArray:
    """Activations (N, C, h, w) and mean gradients (N, C) -> (N, h, w), float32, >= 0."""
    count, channels, rows, cols = features.shape
    weighted = np.matmul(channel_weights[:, None, :], features.reshape(count, channels, rows * cols))
    return _positive(weighted.reshape(count, rows, cols))


def class_activation(evidence: FloatArray) -> FloatArray:
    """Evidence (N, components, h, w) -> (N, h, w): the stronger component in each cell, never below 0."""
    return _positive(evidence.max(axis=1))


def _positive(values: FloatArray) -> FloatArray:
    return np.maximum(values, np.float32(0.0))


def one_pass(network: PublishedNetwork, image: torch.Tensor, loose: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(logits (N, K), Grad-CAM (N, h, w)) of any network that is split into features and head, by autograd.

    The features are computed once and without a graph; only the head is differentiated. What the engines compute in
    closed form (`PublishedNetwork.channel_weights`) must equal this.
    """
    import torch

    with torch.no_grad():
        features = network.forward_features(image)
    with torch.enable_grad():
        features = features.detach().requires_grad_(True)
        logits = network.forward_head(features)
        (gradient,) = torch.autograd.grad(logits[:, loose].sum(), features)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return logits.detach(), torch.relu((weights * features.detach()).sum(dim=1))
