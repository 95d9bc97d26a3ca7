"""Tiny prepared hips whose lines can be learnt in a few steps, without the simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.lucency_net import LANDMARKS, LOCATOR_SIZE
from training.dataset import CACHE_SIZE, MASK_SIZE, Hip, Whole, write_shard


def fake_hip(index: int, rng: np.random.Generator) -> Hip:
    """A bright bar with a dark line beside it when loose; every fourth has no implant."""
    pixels = rng.integers(60, 110, (CACHE_SIZE, CACHE_SIZE)).astype(np.uint8)
    masks = np.zeros((MASK_SIZE, MASK_SIZE), np.uint8)
    native = index % 4 == 3
    loose = index % 2 == 0
    if not native:
        pixels[200:460, 270:300] = 250
        masks[50:115, 68:75] |= 0b00100
        masks[50:115, 75:78] |= 0b01000
        if loose:
            pixels[220:440, 302:312] = 10
            masks[55:110, 76:78] |= 0b00001
    labels = np.full(3, np.nan, np.float32) if native else np.array([loose, loose, 0], np.float32)
    targets = np.array([0, 1] + [np.nan] * 5 if native else [1, 1, 1, 1, 1, 1, 0], np.float32)
    points = np.full((len(LANDMARKS), 2), np.nan, np.float32)
    if not native:
        points[LANDMARKS.index("stem_tip")] = (285, 460)
    record = {
        "seed": 1,
        "index": index,
        "hip_suitability": "native" if native else "suitable",
        "label": None if native else ("loose" if loose else "fixed"),
        "side": "R",
    }
    return Hip(pixels, masks, labels, targets, points, record)


def fake_shard(folder: Path, count: int = 8, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    hips = [fake_hip(index, rng) for index in range(count)]
    wholes = []
    for _ in range(count):
        pixels = np.full((LOCATOR_SIZE, LOCATOR_SIZE), 40, np.uint8)
        x, y = rng.integers(80, 176, 2)
        pixels[y - 20 : y + 20, x - 5 : x + 5] = 240
        wholes.append(Whole(pixels, np.array([[x, y, 120, 1]], np.float32)))
    path = folder / f"shard-1-{seed:05d}.npz"
    write_shard(path, hips, wholes)
    return path
