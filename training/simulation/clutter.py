"""What lies on, in and around a patient besides the hip: staples, drains, leads, sheets, calcified vessels.

All of it is drawn from streams of its own, in every kind of radiograph alike: it says nothing about the hip.
"""

from __future__ import annotations

import numpy as np

from training.simulation.canvas import Points, polyline_distance, smooth_path
from training.simulation.physics import Paths


def add_rod(
    paths: Paths,
    path: Points,
    radius_mm: float,
    material: str,
    thread_mm: float = 0.0,
    depth: float = 1.0,
    bore: float = 0.0,
) -> None:
    """A cylinder along a path; `thread_mm` adds a screw's ripple, `bore` hollows it (share of the radius)."""
    canvas = paths.canvas
    window = canvas.box(tuple(path.min(axis=0) - radius_mm - 3), tuple(path.max(axis=0) + radius_mm + 3))
    if window is None:
        return
    slices, part = window
    stride, x, y = part.coarse(0.8)
    distance, arc, beyond = polyline_distance(path, x, y, 20.0)
    distance, arc, beyond = (part.refine(values, stride) for values in (np.abs(distance), arc, beyond))
    radius = radius_mm + thread_mm * np.sin(arc * 2 * np.pi / 2.8) if thread_mm else radius_mm
    inside = np.where(beyond > 0.6, 99.0, distance)
    wall = np.sqrt(np.maximum(radius * radius - inside * inside, 0.0))
    if bore:
        wall = wall - np.sqrt(np.maximum((bore * radius) ** 2 - inside * inside, 0.0))
    paths.view(slices).insert(material, 2.0 * depth * wall)


def _field(paths: Paths) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the picture in mm: (low, high)."""
    x, y = paths.canvas.coordinates
    return np.array([x.min(), y.min()]), np.array([x.max(), y.max()])


def add_staples(paths: Paths, rng: np.random.Generator) -> None:
    """A row of skin staples along the wound."""
    low, high = _field(paths)
    at = rng.uniform(low + 0.2 * (high - low), low + 0.8 * (high - low))
    heading = rng.normal(np.pi / 2, 0.4)
    step = rng.uniform(6, 10)
    for _ in range(int(rng.integers(6, 18))):
        along = np.array([np.cos(heading), np.sin(heading)])
        tilt = heading + np.pi / 2 + rng.normal(0, 0.25)
        half = 3.0 * np.array([np.cos(tilt), np.sin(tilt)])
        leg = 1.8 * along
        add_rod(paths, np.array([at - half + leg, at - half, at + half, at + half + leg]), 0.35, "cobalt")
        at = at + step * along
        heading += rng.normal(0, 0.03)


def _wandering(paths: Paths, rng: np.random.Generator) -> Points:
    """A curve from edge to edge of the picture."""
    low, high = _field(paths)
    start, end = rng.uniform(low, high), rng.uniform(low, high)
    side = int(rng.integers(2))
    start[side], end[side] = low[side] - 5, high[side] + 5
    middle = [start + t * (end - start) + rng.normal(0, 0.08, 2) * (high - low) for t in (0.33, 0.67)]
    return smooth_path(np.vstack([start, *middle, end]), 8)


def add_tube(paths: Paths, rng: np.random.Generator) -> None:
    """A drain or catheter: a faint tube with a dense stripe."""
    path = _wandering(paths, rng)
    add_rod(paths, path, rng.uniform(1.5, 3.5), "soft", bore=0.6)
    add_rod(paths, path, 0.35, "titanium")


def add_lead(paths: Paths, rng: np.random.Generator) -> None:
    """A cable of a monitor or a wire in the clothing."""
    add_rod(paths, _wandering(paths, rng), rng.uniform(0.4, 0.9), "titanium", depth=rng.uniform(0.4, 1.0))


def add_sheet(paths: Paths, rng: np.random.Generator) -> None:
    """A fold of bed linen or the edge of a pad: faint, straight or wavy, one side denser."""
    for _ in range(int(rng.integers(1, 4))):
        path = _wandering(paths, rng)
        stride, x, y = paths.canvas.coarse(2.5)
        distance, _, _ = polyline_distance(path, x, y, 80.0)
        width = rng.uniform(2.0, 14.0)
        fold = rng.uniform(0.5, 3.0) * np.exp(-np.maximum(distance, 0) / width) * np.clip(0.5 + distance / 2.0, 0, 1)
        paths["soft"][...] += np.maximum(paths.canvas.refine(fold.astype(np.float32), stride), 0)


def add_vessels(paths: Paths, rng: np.random.Generator) -> None:
    """The calcified walls of the femoral artery."""
    x0, y0 = rng.uniform(-45, -10), rng.uniform(0, 40)
    t = np.linspace(0, 1, 12)
    middle = np.column_stack([x0 + 30 * t + 4 * np.sin(6 * t + rng.uniform(0, 6)), y0 + 200 * t])
    for side in (-1, 1):
        for k in range(11):
            if rng.random() < 0.6:
                add_rod(
                    paths, middle[k : k + 2] + np.array([3.5 * side, 0.0]), rng.uniform(0.4, 0.8), "bone", depth=3.0
                )


def add_phleboliths(paths: Paths, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 5))):
        x, y = rng.uniform(-75, -38), rng.uniform(-10, 45)
        add_rod(paths, np.array([[x, y], [x + 0.6, y + 0.4]]), rng.uniform(1.2, 2.6), "bone", depth=1.0, bore=0.4)


_KINDS = (
    ("staples", 0.05, add_staples),
    ("tube", 0.04, add_tube),
    ("lead", 0.05, add_lead),
    ("sheet", 0.14, add_sheet),
    ("vessels", 0.07, add_vessels),
    ("phleboliths", 0.12, add_phleboliths),
)


def add_clutter(paths: Paths, rng: np.random.Generator) -> dict[str, float]:
    """Some of each, seldom; returns which, as nuisances."""
    drawn: dict[str, float] = {}
    for (name, share, draw), roll, own in zip(_KINDS, rng.random(len(_KINDS)), rng.spawn(len(_KINDS)), strict=True):
        drawn[f"clutter_{name}"] = float(roll < share)
        if roll < share:
            draw(paths, own)
    return drawn
