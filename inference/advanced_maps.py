"""Other saliency methods, through the grad-cam library: for the curious, never in studies. Needs torch.

With global average pooling and one linear layer Grad-CAM, HiResCAM and XGrad-CAM are the same map, so only what
differs is offered. Values are the library's before it stretches them. No calibration cohort fixed levels for them, so
the scale ends at each map's own peak; `SaliencyMap.method` says so.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph
from inference import upright
from inference.model_bundle import LUCENCY_NET, WEIGHTS_FILE, ModelBundle
from inference.prediction import InferenceError, SaliencyMap, Way
from inference.preprocess import network_input

if TYPE_CHECKING:
    import torch
    from torch import nn

METHODS = ("Grad-CAM++", "LayerCAM", "Eigen-CAM", "Score-CAM")  # the last takes a forward pass for every channel
_CLASSES = {"Grad-CAM++": "GradCAMPlusPlus", "LayerCAM": "LayerCAM", "Eigen-CAM": "EigenCAM", "Score-CAM": "ScoreCAM"}

_loaded: tuple[str, nn.Module, nn.Module] | None = None  # sha256 of the bundle, network, layer: kept between jobs


def available_methods(bundle: ModelBundle | None = None) -> tuple[str, ...]:
    """What can be computed here (for `bundle`): nothing where torch or the torch weights are missing."""
    if bundle is not None and not bundle.has(WEIGHTS_FILE):
        return ()
    # Found, not imported.
    return METHODS if all(importlib.util.find_spec(name) for name in ("torch", "pytorch_grad_cam")) else ()


def compute(
    bundle: ModelBundle, radiograph: Radiograph, region: HipRegion, method: str, way: Way | None = None
) -> SaliencyMap:
    """The map of the loose logit by `method` over the region's square, on the CPU.

    `way` is the prediction's: the map is made of the picture as the network saw it, and laid over it as it came.
    Raises InferenceError where torch is not installed or the bundle has no torch weights.
    """
    if method not in METHODS:
        raise InferenceError(f"“{method}” is no known saliency method: choose one of {', '.join(METHODS)}.")
    if not available_methods():
        raise InferenceError("The advanced saliency maps need PyTorch, which is not part of this installation.")
    if not available_methods(bundle):
        raise InferenceError(f"The model “{bundle.card.title}” has no PyTorch weights, which these maps need.")
    import torch

    network, layer = _network(bundle)
    shape = radiograph.shape
    if way is not None:
        radiograph, region = upright.changed(radiograph, way), upright.changed_region(region, shape, way)
    image = torch.from_numpy(network_input(radiograph.pixels, region, bundle.card.input_spec, radiograph.padding)[None])
    values = library_map(method, network, layer, image, bundle.card.outputs.index("loose"))
    peak = float(values.max())
    levels = (0.0, peak) if np.isfinite(peak) and peak > 0 else (0.0, 1.0)
    saliency = SaliencyMap(values, region.squared(), levels, f"{method} (scaled to its own peak)")
    return saliency if way is None else upright.map_as_given(saliency, shape, way)


def library_map(
    method: str, network: nn.Module, layer: nn.Module, image: torch.Tensor, output: int
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(h, w), not negative, unstretched: what the library's `method` computes from `layer` for one logit."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    targets = [ClassifierOutputTarget(output)]
    cam = getattr(pytorch_grad_cam, _CLASSES.get(method, method))(network, [layer])
    try:
        # The library's own steps, less the last one, which stretches each map to 0-1.
        logits = cam.activations_and_grads(image)
        if cam.uses_gradients:
            network.zero_grad()
            targets[0](logits[0]).backward()
        recorded = cam.activations_and_grads
        activations = recorded.activations[0].numpy()
        gradients = recorded.gradients[0].numpy() if recorded.gradients else None
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            values = cam.get_cam_image(image, layer, targets, activations, gradients, False)[0]
    finally:
        cam.activations_and_grads.release()
    raw = np.asarray(values, np.float32)
    return np.maximum(raw, np.float32(0.0))


def _network(bundle: ModelBundle) -> tuple[nn.Module, nn.Module]:
    """The bundle's network with logits as its only output, and the layer that its maps are read from."""
    global _loaded
    if _loaded is None or _loaded[0] != bundle.sha256:
        from inference.networks import LogitsOnly, load_network

        network: Any = load_network(bundle).network
        layer = network.merge3 if bundle.card.architecture == LUCENCY_NET else network.cam
        _loaded = (bundle.sha256, LogitsOnly(network).eval(), layer)
    return _loaded[1], _loaded[2]
