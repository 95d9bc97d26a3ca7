"""The bundled network and the hip locator: definitions only. Needs torch; loaded for training, export and the GPU engines.

`LucencyNet` scores a hip *from* its map: two evidence channels (stem, cup) are computed per cell of 8 x 8 input
pixels, and the logit of a component is an affine function of the means of its strongest cells. What the map shows
is therefore what the score was made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

INPUT_SIZE = 448
EVIDENCE_STRIDE = 8
COMPONENTS = ("stem", "cup")
# What is seen of the film. The first four say what kind of image it is; the next two which parts of the implant it shows
# well enough to be assessed; the last one how the stem is fixed.
SUITABILITY = ("implant", "ap_view", "has_stem", "has_cup", "stem_complete", "cup_complete", "cemented")
GATE = SUITABILITY[:4]  # an image that misses one of these is refused as a whole
COMPLETE = {"stem": "stem_complete", "cup": "cup_complete"}  # a part that misses its own is not assessed
FIXATION = "cemented"
OUTPUTS = ("loose", *COMPONENTS, *SUITABILITY)
LANDMARKS = (
    "head_center",
    "head_top",  # one head radius above the centre: gives the radius
    "stem_tip",
    "stem_axis_top",
    "shoulder",
    "cup_rim_lateral",
    "cup_rim_medial",
    "teardrop",
    "trochanter_tip",
)
AUXILIARY = ("implant", "stem_interface", "cup_interface")  # dense heads that only training sees

LOCATOR_SIZE = 256
LOCATOR_STRIDE = 8

IMPLANT_SHARE = 0.02  # of all cells: the least that a hip replacement covers

# Share of all cells whose mean makes the score. A line along half a stem lights some thirty of the 56 x 56 cells,
# along half a cup eight: each component is read at its own scale.
POOLED_SHARES = {"stem": (0.003, 0.01, 0.025), "cup": (0.0015, 0.004, 0.01)}


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.norm(self.second(self.first(x))))


def local_contrast(x: Tensor) -> Tensor:
    """(N, 1, S, S) -> the same, each pixel relative to mean and spread of its surroundings (about 24 px).

    Fixed, not learnt: a line beside saturated metal and one in a dark canal then look alike.
    """
    size = x.shape[-2:]

    def surroundings(values: Tensor) -> Tensor:
        coarse = functional.avg_pool2d(values, 8)
        smooth = functional.avg_pool2d(functional.pad(coarse, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        return functional.interpolate(smooth, size=size, mode="bilinear", align_corners=False)

    mean = surroundings(x)
    spread = surroundings((x - mean).square()).clamp_min(1e-6).sqrt()
    return ((x - mean) / (spread + 0.08)).clamp(-4.0, 4.0)


class EvidencePooling(nn.Module):
    """The score of each component from its evidence map: non-negative weights on means of the strongest cells."""

    def __init__(self) -> None:
        super().__init__()
        levels = len(POOLED_SHARES["stem"])
        self.weight = nn.Parameter(torch.full((len(COMPONENTS), levels), -0.5))  # softplus(-0.5) is about 0.47
        self.bias = nn.Parameter(torch.zeros(len(COMPONENTS)))

    def forward(self, evidence: Tensor) -> Tensor:
        """(N, 2, h, w) evidence logits -> (N, 2) component logits."""
        cells = evidence.flatten(2)
        count = evidence.shape[-2] * evidence.shape[-1]
        logits = []
        for index, component in enumerate(COMPONENTS):
            sizes = [max(1, round(share * count)) for share in POOLED_SHARES[component]]
            top = torch.topk(cells[:, index], max(sizes), dim=1).values
            means = torch.stack([top[:, :size].mean(dim=1) for size in sizes], dim=1)
            logits.append((means * functional.softplus(self.weight[index])).sum(dim=1) + self.bias[index])
        return torch.stack(logits, dim=1)


def either(components: Tensor) -> Tensor:
    """Logit of "stem or cup" from (N, 2) component logits, as if independent: odds = (1 + a)(1 + b) - 1."""
    return torch.logsumexp(torch.cat([components, components.sum(dim=1, keepdim=True)], dim=1), dim=1)


def soft_argmax(heatmaps: Tensor, stride: int) -> Tensor:
    """(N, K, h, w) logits -> (N, K, 3): x, y in input pixels, confidence 0-1.

    The coordinate is the mean of the softmax within two cells of its peak, so that a second, weaker peak does not
    pull it; the confidence is the softmax mass found there.
    """
    batch, points, height, width = heatmaps.shape
    mass = torch.softmax(heatmaps.flatten(2), dim=2).reshape(batch, points, height, width)
    near = functional.avg_pool2d(mass, 5, stride=1, padding=2, count_include_pad=True) * 25.0
    confidence, at = near.flatten(2).max(dim=2)
    row = torch.div(at, width, rounding_mode="floor").unsqueeze(-1)
    col = (at - row.squeeze(-1) * width).unsqueeze(-1)
    rows = torch.arange(height, device=heatmaps.device).reshape(1, 1, height)
    cols = torch.arange(width, device=heatmaps.device).reshape(1, 1, width)
    row_window = ((rows - row).abs() <= 2).to(mass.dtype).unsqueeze(-1)
    col_window = ((cols - col).abs() <= 2).to(mass.dtype).unsqueeze(-2)
    local = mass * row_window * col_window
    total = local.sum(dim=(2, 3)).clamp_min(1e-9)
    x = ((local.sum(dim=2) * (cols.to(mass.dtype) + 0.5)).sum(dim=2) / total) * stride
    y = ((local.sum(dim=3) * (rows.to(mass.dtype) + 0.5)).sum(dim=2) / total) * stride
    return torch.stack([x, y, confidence.clamp(0.0, 1.0)], dim=2)


def _pooled(features: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, 2 C): means, then maxima."""
    return torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)


def _give_gate_its_stage(_module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Weights of bundles before 1.3 have no such stage: their gate looked through the diagnosis' own."""
    if not any(name.startswith(f"{prefix}gate_stage.") for name in state):
        own = {name: value for name, value in state.items() if name.startswith(f"{prefix}stage5.")}
        state |= {name.replace("stage5.", "gate_stage.", 1): value for name, value in own.items()}


def without_foreign_gate(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` with the network's own last layer of the gate where that of another bundle has other outputs."""
    own = network.state_dict()
    return {
        name: own[name] if name.startswith("suitability_head.2.") and value.shape != own[name].shape else value
        for name, value in state.items()
    }


class LucencyNet(nn.Module):
    """Residual encoder to stride 32, decoder back to stride 8; 4.3 M parameters. The gate has a last stage of its own, so
    that it can learn what to refuse without the diagnosis changing."""

    def __init__(
        self,
        suitability: Sequence[str] = SUITABILITY,
        channels: tuple[int, int, int, int, int] = (16, 32, 64, 128, 192),
        decoder: int = 96,
    ) -> None:
        """`suitability` names the outputs of the gate: those of the bundle's card, for older bundles have others."""
        super().__init__()
        self.outputs = ("loose", *COMPONENTS, *suitability)
        self._implant = tuple(suitability).index("implant")
        c1, c2, c3, c4, c5 = channels
        self.stem = _conv(2, c1, 5, 2)
        self.stage2 = nn.Sequential(_conv(c1, c2, 3, 2), _Block(c2))
        self.stage3 = nn.Sequential(_conv(c2, c3, 3, 2), _Block(c3), _Block(c3))
        self.stage4 = nn.Sequential(_conv(c3, c4, 3, 2), _Block(c4), _Block(c4))
        self.stage5 = nn.Sequential(_conv(c4, c5, 3, 2), _Block(c5), _Block(c5))
        self.lateral3 = nn.Conv2d(c3, decoder, 1)
        self.lateral4 = nn.Conv2d(c4, decoder, 1)
        self.lateral5 = nn.Conv2d(c5, decoder, 1)
        self.merge4 = _conv(decoder, decoder)
        self.merge3 = _conv(decoder, decoder)
        self.evidence_head = nn.Sequential(_conv(decoder, 64), nn.Conv2d(64, len(COMPONENTS), 1))
        self.auxiliary_head = nn.Conv2d(decoder, len(AUXILIARY), 1)
        self.landmark_head = nn.Sequential(_conv(decoder, 64), nn.Conv2d(64, len(LANDMARKS), 1))
        self.gate_stage = nn.Sequential(_conv(c4, c5, 3, 2), _Block(c5), _Block(c5))
        self.suitability_head = nn.Sequential(
            nn.Linear(2 * c5, 96), nn.ReLU(inplace=True), nn.Linear(96, len(suitability))
        )
        self.register_load_state_dict_pre_hook(_give_gate_its_stage)  # type: ignore[no-untyped-call]
        self.pooling = EvidencePooling()
        last = cast(nn.Conv2d, self.evidence_head[-1])
        nn.init.constant_(cast(Tensor, last.bias), -2.0)  # most cells show nothing

    def shared(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, S, S) -> what diagnosis and gate both start from: features at stride 8 and at stride 16."""
        x = self.stem(torch.cat([x, local_contrast(x)], dim=1))
        f3 = self.stage3(self.stage2(x))
        return f3, self.stage4(f3)

    def dense(self, f3: Tensor, f4: Tensor) -> tuple[Tensor, Tensor]:
        """`shared` -> features at stride 8 (N, decoder, S/8, S/8) and at stride 32 (N, c5, S/32, S/32)."""
        f5 = self.stage5(f4)
        p4 = self.lateral4(f4) + functional.interpolate(self.lateral5(f5), size=f4.shape[-2:], mode="nearest")
        p4 = self.merge4(p4)
        p3 = self.lateral3(f3) + functional.interpolate(p4, size=f3.shape[-2:], mode="nearest")
        return self.merge3(p3), f5

    def training_outputs(self, x: Tensor) -> dict[str, Tensor]:
        """Raw outputs for the losses: `evidence`, `auxiliary` and `heatmaps` logits at stride 8, `suitability` (N, outputs of the gate),
        `components` (N, 2), `loose` (N,); `features` (N, 2 c5), the deepest activations pooled by mean and maximum."""
        f3, f4 = self.shared(x)
        p3, f5 = self.dense(f3, f4)
        evidence = self.evidence_head(p3).float()
        components = self.pooling(evidence)
        auxiliary = self.auxiliary_head(p3).float()
        suitability = self.suitability(f4, self.metal_seen(auxiliary))
        return {
            "evidence": evidence,
            "auxiliary": auxiliary,
            "heatmaps": self.landmark_head(p3).float(),
            "suitability": suitability,
            "components": components,
            "loose": either(components),
            "features": _pooled(f5).float(),
        }

    def metal_seen(self, auxiliary: Tensor) -> Tensor:
        """Dense logits (N, 3, h, w) -> (N,): the mean of the cells that look most like metal."""
        metal = auxiliary[:, AUXILIARY.index("implant")].flatten(1)
        return torch.topk(metal, max(1, round(IMPLANT_SHARE * metal.shape[1])), dim=1).values.mean(dim=1)

    def suitability(self, f4: Tensor, metal: Tensor) -> Tensor:
        """Features at stride 16 and `metal_seen` -> logits (N, outputs of the gate)."""
        logits = self.suitability_head(_pooled(self.gate_stage(f4))).float()
        # Is there an implant? Half of the answer is the image as a whole, half the cells where metal is seen.
        seen = 0.5 * (logits[:, self._implant] + metal)
        return torch.cat([logits[:, : self._implant], seen.unsqueeze(1), logits[:, self._implant + 1 :]], dim=1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 1, S, S) -> `logits` (N, n) in the order of `outputs`, `evidence` (N, 2, S/8, S/8) as 0-1, `landmarks`
        (N, K, 3): x, y in input pixels and confidence, in the order of LANDMARKS."""
        logits, evidence, landmarks, _ = self.with_features(image)
        return logits, evidence, landmarks

    def with_features(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`forward`, and `features` (N, 2 c5): what the distance from the training set is measured on."""
        raw = self.training_outputs(image)
        logits = torch.cat([raw["loose"].unsqueeze(1), raw["components"], raw["suitability"]], dim=1)
        landmarks = soft_argmax(raw["heatmaps"], EVIDENCE_STRIDE)
        return logits, torch.sigmoid(raw["evidence"]), landmarks, raw["features"]


class HipLocator(nn.Module):
    """Finds hips in a whole radiograph that was squeezed onto a square of LOCATOR_SIZE.

    The radiograph is scaled so that its longer side is LOCATOR_SIZE, keeping its shape; the rest is background: it is
    exactly `crop_region` of a region around the whole image (`HipRegion(0, 0, cols, rows).squared()`), normalised
    like the network's input. So `imaging` coordinates come back through `preprocess.to_image` with that region.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.encoder2 = nn.Sequential(_conv(2, width // 2, 5, 2), _conv(width // 2, width, 3, 2), _Block(width))
        self.encoder3 = nn.Sequential(_conv(width, 2 * width, 3, 2), _Block(2 * width))
        self.encoder4 = nn.Sequential(_conv(2 * width, 3 * width, 3, 2), _Block(3 * width))
        self.encoder5 = nn.Sequential(_conv(3 * width, 4 * width, 3, 2), _Block(4 * width), _Block(4 * width))
        self.lateral3 = nn.Conv2d(2 * width, 2 * width, 1)
        self.lateral4 = nn.Conv2d(3 * width, 2 * width, 1)
        self.lateral5 = nn.Conv2d(4 * width, 2 * width, 1)
        self.merge4 = _conv(2 * width, 2 * width)
        self.merge3 = _conv(2 * width, 2 * width)
        self.head = nn.Conv2d(2 * width, 3, 1)
        with torch.no_grad():  # few cells are centres; a region usually spans half of the image
            cast(Tensor, self.head.bias).copy_(torch.tensor([-3.0, -3.0, -0.6]))

    def raw(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the centres (N, 2, t, t) and log of the side relative to LOCATOR_SIZE (N, 1, t, t)."""
        f2 = self.encoder2(torch.cat([image, local_contrast(image)], dim=1))
        f3 = self.encoder3(f2)
        f4 = self.encoder4(f3)
        f5 = self.encoder5(f4)
        p4 = self.merge4(
            self.lateral4(f4) + functional.interpolate(self.lateral5(f5), size=f4.shape[-2:], mode="nearest")
        )
        p3 = self.merge3(self.lateral3(f3) + functional.interpolate(p4, size=f3.shape[-2:], mode="nearest"))
        out = self.head(p3).float()
        return out[:, :2], out[:, 2:]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, T, T) -> `centers` (N, 2, t, t) 0-1 (replaced hips, native hips), `sizes` (N, 1, t, t): side of the
        hip region in input pixels."""
        centers, sides = self.raw(image)
        return torch.sigmoid(centers), torch.exp(sides.clamp(-4.0, 1.5)) * LOCATOR_SIZE
