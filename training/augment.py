"""What differs between machines, rooms and people, applied at random to cached hips on their way into the network.

Whole batches at once, in torch. The last step is the same percentile stretch as in `inference.preprocess`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from inference.lucency_net import EVIDENCE_STRIDE, LANDMARKS, SUITABILITY
from inference.preprocess import HIGH_PERCENTILE, LOW_PERCENTILE, InputSpec
from training.dataset import CACHE_SIZE, INPUT_PER_CACHE, MASKS

SPEC = InputSpec(448)
IMPLANT_PLANES = [MASKS.index(name) for name in ("implant", "stem_interface", "cup_interface")]


@dataclass(frozen=True)
class AugmentOptions:
    """Ranges of the random changes. `strength` 0 switches all of them off."""

    strength: float = 1.0
    rotation_deg: float = 8.0
    scale: tuple[float, float] = (0.86, 1.2)  # of the region: below 1 is a tighter crop
    shift: float = 0.07  # of the region's side
    squash_probability: float = 0.3  # public crops are anisotropic
    squash: float = 0.28
    flip_probability: float = 0.5
    shutter_probability: float = 0.3  # edges of the exposed field, white or black, whatever the image shows
    gamma: float = 0.6  # log of the widest gamma, either way
    halo_probability: float = 0.25  # edge enhancement so wide that metal gets a dark rim: in every class alike
    cut_probability: float = 0.4  # the film ends within, or just beyond, the implant


@dataclass
class Batch:
    image: Tensor  # (B, 1, S, S) normalised
    masks: Tensor  # (B, len(MASKS), S/8, S/8) 0/1
    landmarks: Tensor  # (B, K, 2) in input pixels; nan where outside, inf where nobody knows


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def _chance(count: int, probability: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) < probability


def affine(
    count: int, options: AugmentOptions, generator: torch.Generator, centers: Tensor | None, zoom: tuple[float, float]
) -> Tensor:
    """(B, 2, 3): input pixel, relative to the middle of the input -> cache pixel.

    `centers` (B, 2) in cache pixels, for patches; otherwise the middle of the cached square, shifted.
    """
    k = options.strength
    base = 1.0 / INPUT_PER_CACHE
    scale = base * (1 + k * (_uniform(count, *options.scale, generator) - 1)) * _uniform(count, *zoom, generator)
    squash = 1 + k * options.squash * torch.rand(count, generator=generator) * _chance(
        count, options.squash_probability, generator
    )
    wide = _chance(count, 0.7, generator)
    scale_x = torch.where(wide, scale, scale * squash)
    scale_y = torch.where(wide, scale * squash, scale)
    angle = torch.deg2rad(k * _uniform(count, -options.rotation_deg, options.rotation_deg, generator))
    if k > 0:
        scale_x = torch.where(_chance(count, options.flip_probability, generator), -scale_x, scale_x)
    cos, sin = torch.cos(angle), torch.sin(angle)
    if centers is None:
        centers = torch.full((count, 2), CACHE_SIZE / 2)
        reach = k * options.shift * CACHE_SIZE / 1.25
        centers = centers + torch.stack([_uniform(count, -reach, reach, generator) for _ in range(2)], dim=1)
    return torch.stack(
        [
            torch.stack([cos * scale_x, -sin * scale_y, centers[:, 0]], dim=1),
            torch.stack([sin * scale_x, cos * scale_y, centers[:, 1]], dim=1),
        ],
        dim=1,
    )


def _grid(matrix: Tensor, size: int, step: int, offset: float = 0.0) -> Tensor:
    """Sampling grid (B, size/step, size/step, 2) in normalised cache coordinates."""
    axis = torch.arange(step / 2, size, step) - size / 2 + offset
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(1, -1, 3)
    cache = points @ matrix.transpose(1, 2)
    side = size // step
    return (cache / (CACHE_SIZE / 2) - 1).reshape(len(matrix), side, side, 2)


def warp(pixels: Tensor, masks: Tensor, landmarks: Tensor, matrix: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Resample cached pixels (B, C, C) uint8, bit masks and landmarks through `matrix`; grey 0-1 comes back."""
    grey = pixels.unsqueeze(1).float() / 255.0
    image = F.grid_sample(grey, _grid(matrix, size, 1), mode="bilinear", padding_mode="zeros", align_corners=False)
    planes = torch.stack([(masks >> bit) & 1 for bit in range(len(MASKS))], dim=1).float()
    fine = F.grid_sample(planes, _grid(matrix, size, 4), mode="nearest", padding_mode="zeros", align_corners=False)
    cells = F.max_pool2d(fine, EVIDENCE_STRIDE // 4)
    inverse = torch.linalg.inv(matrix[:, :, :2])
    moved = (landmarks - matrix[:, None, :, 2]) @ inverse.transpose(1, 2) + size / 2
    inside = ((moved >= 0) & (moved < size)).all(dim=2, keepdim=True)
    moved = torch.where(inside, moved, torch.full_like(moved, math.nan))
    return image, cells, torch.where(torch.isinf(landmarks), landmarks, moved)


def shutters(image: Tensor, cells: Tensor, options: AugmentOptions, generator: torch.Generator) -> Tensor:
    """Cover one to three edges of some images (B, 1, S, S), never what lies within 14 mm or so of an implant.

    Fields that were never exposed are white or black in stored images. Without this a network takes white blocks for
    metal. `cells` are the masks (B, len(MASKS), S/8, S/8).
    """
    size = image.shape[-1]
    across = torch.arange(size, dtype=image.dtype)
    out = []
    for single, mask in zip(image.split(1), cells[:, IMPLANT_PLANES].amax(dim=1), strict=True):
        u = torch.rand(3, generator=generator).tolist()
        if u[0] < options.shutter_probability * options.strength:
            single = single.clone()
            white = u[1] < 0.7
            for edge in torch.randperm(4, generator=generator)[: 1 + int(3 * u[2])].tolist():
                v = torch.rand(4, generator=generator).tolist()
                lit = torch.nonzero((mask if edge % 2 == 0 else mask.t()).amax(dim=0)).flatten()
                near, far = (int(lit[0]), int(lit[-1]) + 1) if len(lit) else (28, 28)
                free = (near if edge < 2 else size // EVIDENCE_STRIDE - far) * EVIDENCE_STRIDE - 24
                width = min(v[0] * 0.45 * size, float(free))
                if width < 4:
                    continue
                slanted = width * (1 - 0.15 * v[1] * across / size)  # the far end may be a little narrower
                distance = across if edge < 2 else across.flip(0)
                covered = distance[None, :] < slanted[:, None]
                level = (0.85 + 0.15 * v[2]) if white else 0.03 * v[2]
                single[0, 0][covered if edge % 2 == 0 else covered.t()] = level
        out.append(single)
    return torch.cat(out)


def _blur(image: Tensor, sigma: float) -> Tensor:
    radius = max(1, math.ceil(2.5 * sigma))
    x = torch.arange(-radius, radius + 1, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2)
    kernel = kernel / kernel.sum()
    image = F.conv2d(F.pad(image, (radius, radius, 0, 0), mode="replicate"), kernel.reshape(1, 1, 1, -1))
    return F.conv2d(F.pad(image, (0, 0, radius, radius), mode="replicate"), kernel.reshape(1, 1, -1, 1))


def tone(image: Tensor, options: AugmentOptions, generator: torch.Generator) -> Tensor:
    """Exposure, gamma, saturation, blur, sharpening, coarse pixels, noise on (B, 1, S, S) grey 0-1."""
    k = options.strength
    if k <= 0:
        return image
    count = len(image)

    def column(values: Tensor) -> Tensor:
        return values.reshape(-1, 1, 1, 1)

    image = image.clamp_min(1e-4) ** column(torch.exp(k * _uniform(count, -options.gamma, options.gamma, generator)))
    # Metal goes white, but what surrounds it must stay visible: a line that cannot be seen teaches nothing.
    brightest = torch.quantile(image[:, 0, ::5, ::5].flatten(1), 0.9, dim=1).clamp_min(0.05)
    gain = 1 + k * torch.rand(count, generator=generator) * 0.8 * _chance(count, 0.35, generator)
    gain = torch.minimum(gain, (0.85 / brightest).clamp_min(1.0))
    floor = k * torch.rand(count, generator=generator) * 0.18 * _chance(count, 0.3, generator)  # black surroundings
    image = ((image - column(floor)) * column(gain)).clamp(0.0, 1.0)
    # A sigmoid steepens the middle: harsh processing.
    steep = column(1 + 4 * k * torch.rand(count, generator=generator) * _chance(count, 0.25, generator))
    curved = torch.sigmoid((image - 0.5) * steep)
    image = torch.where(steep > 1.01, curved, image)
    out = []
    for single in image.split(1):
        u = torch.rand(6, generator=generator).tolist()
        if u[0] < 0.22 * k:  # a thumbnail, enlarged
            side = int(single.shape[-1] * (0.38 + 0.5 * u[1]))
            single = F.interpolate(single, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
            single = F.interpolate(single, size=image.shape[-2:], mode="bilinear", align_corners=False)
        elif u[0] < 0.42 * k:
            single = _blur(single, 0.5 + 0.9 * u[1])
        elif u[0] < 0.62 * k:  # edge enhancement, as detectors' software does
            single = single + (0.3 + 1.2 * u[1]) * (single - _blur(single, 1.0 + 3.0 * u[2]))
        halo = torch.rand(3, generator=generator).tolist()
        if halo[0] < options.halo_probability * k:
            single = (single + (0.4 + 1.1 * halo[1]) * (single - _blur(single, 3.0 + 6.0 * halo[2]))).clamp(0.0, 1.0)
        if u[3] < 0.5 * k:
            noise = torch.randn(single.shape, generator=generator) * (0.035 * u[4])
            single = single + (_blur(noise, 0.8) * 1.8 if u[5] < 0.4 else noise)
        out.append(single)
    return torch.cat(out)


def stretch(image: Tensor) -> Tensor:
    """The percentile stretch of `preprocess.crop_region` on (B, 1, S, S), and its normalisation."""
    sample = image[:, 0, ::3, ::3].flatten(1)
    levels = torch.quantile(sample, torch.tensor([LOW_PERCENTILE / 100, HIGH_PERCENTILE / 100]), dim=1)
    low, high = (level.reshape(-1, 1, 1, 1) for level in levels)
    grey = ((image - low) / (high - low).clamp_min(1e-4)).clamp(0.0, 1.0)
    return (grey - SPEC.mean[0]) / SPEC.std[0]


def as_grey(image: Tensor) -> Tensor:
    """A batch as `make_batch` gives it, back as grey 0-1: for networks that are normalised otherwise."""
    return image * SPEC.std[0] + SPEC.mean[0]


def make_batch(
    pixels: Tensor,
    masks: Tensor,
    landmarks: Tensor,
    *,
    size: int,
    generator: torch.Generator,
    options: AugmentOptions,
    centers: Tensor | None = None,
    zoom: tuple[float, float] = (1.0, 1.0),
) -> Batch:
    """Cached hips (B, …) -> an augmented batch at `size` pixels; `zoom` below 1 enlarges (for patches)."""
    matrix = affine(len(pixels), options, generator, centers, zoom)
    image, cells, points = warp(pixels, masks, landmarks, matrix, size)
    if centers is None:
        image = shutters(image, cells, options, generator)
    return Batch(stretch(tone(image, options, generator)), cells, points)


def cut_films(
    batch: Batch, labels: Tensor, suitability: Tensor, options: AugmentOptions, generator: torch.Generator
) -> tuple[Batch, Tensor, Tensor]:
    """Let the film end within, or just beyond, the implant of some hips; what is cut off is no longer asked for.

    `labels` (B, 3) and `suitability` (B, n) come back changed: a part of which too much is missing is not complete and has
    no label. More than 15 % of the stem's interface or half of the cup's dome count as too much.
    """
    head, tip, shoulder = (LANDMARKS.index(name) for name in ("head_center", "stem_tip", "shoulder"))
    head_top = LANDMARKS.index("head_top")
    stem_complete, cup_complete = (SUITABILITY.index(name) for name in ("stem_complete", "cup_complete"))
    image, cells, points = batch.image.clone(), batch.masks.clone(), batch.landmarks.clone()
    labels, suitability = labels.clone(), suitability.clone()
    for at in range(len(image)):
        u = torch.rand(5, generator=generator).tolist()
        known = points[at, [head, tip, shoulder, head_top]]
        if u[0] >= options.cut_probability * options.strength or not bool(torch.isfinite(known).all()):
            continue
        (head_x, head_y), (_, tip_y), (shoulder_x, shoulder_y), (_, top_y) = known.tolist()
        radius = max(head_y - top_y, 4.0)
        size = image.shape[-1]
        background = -SPEC.mean[0] / SPEC.std[0] if u[4] < 0.85 else (u[4] - 0.85) / 0.15 / SPEC.std[0]
        if u[1] < 0.5:  # from below
            share = 0.2 + 0.95 * u[2]
            row = shoulder_y + share * (tip_y - shoulder_y)
            hidden = (slice(round(max(row, 0.0)), size), slice(0, size))
            missing, ambiguous = (1, share < 0.82), 0.82 <= share < 0.98
        elif u[1] < 0.8:  # from above
            share = -2.2 + 3.4 * u[2]  # of the head's radius, from its centre down
            row = head_y + share * radius
            hidden = (slice(0, round(min(max(row, 0.0), float(size)))), slice(0, size))
            missing, ambiguous = (2, share > -0.5), -1.7 < share <= -0.5
        else:  # from the medial side
            share = -2.2 + 3.2 * u[2]
            lateral = 1.0 if shoulder_x > head_x else -1.0
            col = round(min(max(head_x + lateral * share * radius, 0.0), float(size)))
            hidden = (slice(0, size), slice(0, col) if lateral > 0 else slice(col, size))
            missing, ambiguous = (2, share > -0.3), -1.7 < share <= -0.3
        image[at, 0][hidden] = background
        rows, cols = (slice(-(-part.start // EVIDENCE_STRIDE), part.stop // EVIDENCE_STRIDE) for part in hidden)
        cells[at, :, rows, cols] = 0.0
        x, y = points[at, :, 0], points[at, :, 1]
        gone = (y >= hidden[0].start) & (y < hidden[0].stop) & (x >= hidden[1].start) & (x < hidden[1].stop)
        points[at, gone] = math.nan
        part, cut = missing
        output = stem_complete if part == 1 else cup_complete
        if cut or ambiguous:
            labels[at, part] = math.nan
            labels[at, 0] = labels[at, 0] if labels[at, 3 - part] == 1 else math.nan
            suitability[at, output] = 0.0 if cut and suitability[at, output] == 1 else math.nan
    return Batch(image, cells, points), labels, suitability
