"""Other parts of the body, with and without metal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.simulation import framing, physics
from training.simulation.canvas import Canvas, Points, half_depth, smooth_path
from training.simulation.clutter import add_rod
from training.simulation.options import SimulationOptions
from training.simulation.refused.common import draw_side, finish
from training.simulation.streams import Stream
from training.simulation.truth import SimulatedRadiograph, Suitability


def _add_bone(
    paths: physics.Paths,
    canvas: Canvas,
    outline: Points,
    radius: float,
    cortex: float,
    density: float,
    rng: np.random.Generator,
    closed_smooth: int = 4,
) -> None:
    window = canvas.box(tuple(outline.min(axis=0) - 4), tuple(outline.max(axis=0) + 4))
    if window is None:
        return
    slices, part = window
    distance = part.polygon(smooth_path(outline, closed_smooth, closed=True), 1.5) + part.noise(rng, 5.0) * 0.35
    wall = cortex * np.clip(1 + 0.3 * part.noise(rng, 14.0), 0.4, 1.6)
    outer, inner = half_depth(distance, radius), half_depth(distance, radius, -wall)
    texture = part.texture(rng, float(rng.choice([60, 90, 120])), 1.1)
    mineral = 2 * inner * np.maximum(density * (1 + 0.3 * texture), 0.004)
    view = paths.view(slices)
    view.insert("bone", 2 * (outer - inner) * 0.9 + mineral)


def _shaft(x0: float, y0: float, x1: float, y1: float, waist: float, top: float, bottom: float) -> Points:
    """The outline of a long bone from one end to the other."""
    d = np.array([x1 - x0, y1 - y0], float)
    length = float(np.hypot(*d))
    d /= length
    side = np.array([-d[1], d[0]])
    stations = [
        (0.0, 0.75 * top),
        (0.03, top),
        (0.10, 0.9 * top),
        (0.22, 1.1 * waist),
        (0.5, waist),
        (0.78, 1.1 * waist),
        (0.9, 0.9 * bottom),
        (0.97, bottom),
        (1.0, 0.75 * bottom),
    ]
    left = [np.array([x0, y0]) + d * length * t + side * w for t, w in stations]
    right = [np.array([x0, y0]) + d * length * t - side * w for t, w in stations]
    return np.array(left + right[::-1])


def _limb(paths: physics.Paths, rng: np.random.Generator, width: float, depth: float) -> None:
    stride, x, y = paths.canvas.coarse(5.0)
    half = width * (1 + 0.12 * np.sin(y / 90 + rng.uniform(0, 6)))
    body = 2 * depth * np.sqrt(np.maximum(1 - (x / half) ** 2, 0))
    body = np.maximum(paths.canvas.refine(body.astype(np.float32), stride), 0)
    paths["soft"][...] += 0.85 * body
    paths["fat"][...] += 0.15 * body


def _knee(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    _limb(paths, rng, rng.uniform(58, 85), rng.uniform(50, 70))
    femur = np.array(
        [
            (-14, -200),
            (14, -200),
            (15, -110),
            (20, -60),
            (36, -32),
            (41, -12),
            (36, 2),
            (20, 5),
            (6, -3),
            (-6, -3),
            (-20, 5),
            (-36, 2),
            (-41, -12),
            (-36, -32),
            (-20, -60),
            (-15, -110),
        ],
        float,
    )
    tibia = np.array(
        [
            (-40, 9),
            (-20, 11),
            (0, 6),
            (20, 11),
            (40, 9),
            (38, 24),
            (26, 45),
            (15, 90),
            (13, 230),
            (-13, 230),
            (-15, 90),
            (-26, 45),
            (-38, 24),
        ],
        float,
    )
    _add_bone(paths, canvas, femur, 16, 2.5, 0.14, rng)
    _add_bone(paths, canvas, tibia, 16, 2.5, 0.14, rng)
    _add_bone(paths, canvas, _shaft(40, 22, 34, 230, 5, 10, 7), 6, 1.8, 0.1, rng)
    _add_bone(
        paths,
        canvas,
        np.array([(-20, -38), (0, -46), (20, -38), (22, -18), (0, -4), (-22, -18)], float),
        9,
        1.0,
        0.12,
        rng,
    )
    if rng.random() < 0.5:  # a knee replacement: metal, but no hip
        shield = np.array(
            [(-38, -14), (-30, 3), (-8, 5), (0, -6), (8, 5), (30, 3), (38, -14), (28, -26), (-28, -26)], float
        )
        window = canvas.box((-45, -40), (45, 20))
        if window is not None:
            slices, part = window
            distance = part.polygon(smooth_path(shield, 4, closed=True), 1.0)
            paths.view(slices).insert("cobalt", 2 * half_depth(distance, 8.0))
        add_rod(paths, np.array([[-36.0, 12.0], [36.0, 12.0]]), 2.2, "cobalt", depth=6.0)
        add_rod(paths, np.array([[0.0, 12.0], [0.0, 50.0]]), 5.5, "titanium")


def _forearm(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    _limb(paths, rng, rng.uniform(38, 52), rng.uniform(26, 36))
    _add_bone(paths, canvas, _shaft(-14, -190, -17, 90, 7, 9, 15), 7, 2.6, 0.08, rng)
    _add_bone(paths, canvas, _shaft(14, -210, 13, 88, 6.5, 14, 8), 7, 2.6, 0.08, rng)
    for row, count in ((102, 4), (114, 4)):
        for k in range(count):
            cx = -19 + 12.5 * k + rng.normal(0, 1)
            _add_bone(
                paths,
                canvas,
                np.array([(cx - 6, row - 6), (cx + 6, row - 6), (cx + 6, row + 6), (cx - 6, row + 6)], float),
                6,
                0.8,
                0.15,
                rng,
            )
    for k in range(5):
        cx = -30 + 14 * k
        _add_bone(paths, canvas, _shaft(cx * 0.8, 122, cx * 1.5, 180, 3.6, 6, 6), 4, 1.4, 0.1, rng)
    if rng.random() < 0.3:
        add_rod(paths, np.array([[-22.0, -60.0], [-24.0, 40.0]]), 2.2, "titanium", depth=2.0)


def _spine(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    _limb(paths, rng, rng.uniform(150, 190), rng.uniform(100, 125))
    lean = rng.normal(0, 0.06)
    for k in range(-5, 6):
        cx, cy = lean * 36 * k, 36.0 * k
        body = np.array(
            [
                (cx - 24, cy - 14),
                (cx + 24, cy - 14),
                (cx + 20, cy),
                (cx + 24, cy + 14),
                (cx - 24, cy + 14),
                (cx - 20, cy),
            ],
            float,
        )
        _add_bone(paths, canvas, body, 16, 1.4, 0.13, rng)
        for sign in (-1, 1):
            _add_bone(
                paths,
                canvas,
                np.array(
                    [
                        (cx + sign * 22, cy - 4),
                        (cx + sign * 46, cy - 7),
                        (cx + sign * 46, cy),
                        (cx + sign * 22, cy + 5),
                    ],
                    float,
                ),
                5,
                1.2,
                0.1,
                rng,
            )
            _add_bone(
                paths,
                canvas,
                np.array(
                    [
                        (cx + sign * 12 - 4, cy - 7),
                        (cx + sign * 12 + 4, cy - 7),
                        (cx + sign * 12 + 4, cy + 3),
                        (cx + sign * 12 - 4, cy + 3),
                    ],
                    float,
                ),
                8,
                1.4,
                0.12,
                rng,
            )
        _add_bone(
            paths,
            canvas,
            np.array([(cx - 3, cy + 2), (cx + 3, cy + 2), (cx + 4, cy + 18), (cx - 4, cy + 18)], float),
            7,
            1.2,
            0.12,
            rng,
        )
        if rng.random() < 0.12:
            for sign in (-1, 1):
                add_rod(
                    paths,
                    np.array([[cx + sign * 20, cy - 3], [cx + sign * 8, cy + 2]]),
                    3.0,
                    "titanium",
                    thread_mm=0.4,
                )


def _chest(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    _limb(paths, rng, rng.uniform(160, 200), rng.uniform(95, 120))
    for sign in (-1, 1):
        lung = smooth_path(
            np.array(
                [
                    (sign * 25, -140),
                    (sign * 75, -130),
                    (sign * 115, -60),
                    (sign * 125, 60),
                    (sign * 110, 95),
                    (sign * 40, 75),
                    (sign * (55 if sign > 0 else 35), 0),
                    (sign * 25, -60),
                ],
                float,
            ),
            5,
            closed=True,
        )
        distance = canvas.polygon(lung, 2.5)
        air = 1.5 * half_depth(distance, 55.0)
        texture = canvas.noise(rng, 9.0)
        soft = paths["soft"]
        soft -= np.minimum(air * (0.72 + 0.03 * texture), 0.85 * np.maximum(soft, 0))
        for k in range(9):
            start = -130 + 24 * k
            rib = smooth_path(
                [(sign * 15, start), (sign * 60, start - 6), (sign * 115, start + 22), (sign * 130, start + 50)], 5
            )
            add_rod(paths, rib, 5.0, "bone", depth=0.35)
    add_rod(paths, np.array([[0.0, -220.0], [0.0, 220.0]]), 17.0, "bone", depth=0.22)


def _hand(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    for k in range(5):
        angle = (k - 2) * rng.uniform(0.12, 0.2) + (-0.5 if k == 0 else 0)
        d = np.array([np.sin(angle), -np.cos(angle)])
        at = np.array([(k - 2) * 15.0, 40.0])
        tip = at + d * 150
        add_rod(paths, np.vstack([at - d * 20, tip]), 9.5, "soft", depth=1.0)
        for length, width in ((58, 4.5), (38, 4.0), (24, 3.6), (17, 3.2)):
            end = at + d * length
            _add_bone(
                paths,
                canvas,
                _shaft(at[0], at[1], end[0], end[1], width * 0.85, width * 1.5, width * 1.4),
                4.5,
                1.3,
                0.1,
                rng,
            )
            at = end + d * 2.5
    add_rod(paths, np.array([[0.0, 50.0], [0.0, 130.0]]), 36.0, "soft", depth=0.5)
    for k in range(8):
        cx, cy = -18 + 12 * (k % 4), 56 + 12 * (k // 4)
        _add_bone(
            paths,
            canvas,
            np.array([(cx - 6, cy - 6), (cx + 6, cy - 6), (cx + 6, cy + 6), (cx - 6, cy + 6)], float),
            6,
            0.8,
            0.16,
            rng,
        )
    for cx in (-12, 13):
        _add_bone(paths, canvas, _shaft(cx, 82, cx, 220, 7, 13, 8), 7, 2.4, 0.09, rng)
    np.maximum(paths["soft"], 0, out=paths["soft"])
    np.minimum(paths["soft"], 34, out=paths["soft"])


def _skull(paths: physics.Paths, rng: np.random.Generator) -> None:
    canvas = paths.canvas
    x, y = canvas.coordinates
    a, b = rng.uniform(72, 82), rng.uniform(92, 104)
    r = np.sqrt((x / a) ** 2 + ((y + 10) / b) ** 2)
    head, vault, brain = (np.sqrt(np.maximum(1 - (r * k) ** 2, 0)) for k in (0.93, 1.0, 1.07))
    paths["soft"][...] += 2 * 78 * head
    paths.insert("bone", 2 * 70 * np.maximum(vault - brain, 0) * 0.55)
    for sign in (-1, 1):
        orbit = smooth_path(
            np.array(
                [(sign * 15, 10), (sign * 35, 4), (sign * 50, 14), (sign * 46, 34), (sign * 26, 38), (sign * 14, 26)],
                float,
            ),
            4,
            closed=True,
        )
        distance = canvas.polygon(orbit, 1.5)
        paths.insert("bone", 9 * np.exp(-((distance / 2.2) ** 2)))
    jaw = smooth_path([(-52, 40), (-46, 78), (-22, 104), (0, 108), (22, 104), (46, 78), (52, 40)], 5)
    add_rod(paths, jaw, 9.0, "bone", depth=0.5)
    for k in range(14):
        add_rod(paths, np.array([[-26 + 4 * k, 76.0], [-26 + 4 * k, 92.0]]), 1.7, "bone", depth=3.0)


def _leg(paths: physics.Paths, rng: np.random.Generator) -> None:
    """A shaft alone: femur, tibia or humerus, sometimes with a nail or plate."""
    canvas = paths.canvas
    _limb(paths, rng, rng.uniform(48, 90), rng.uniform(42, 75))
    r = rng.uniform(11, 15)
    _add_bone(
        paths, canvas, _shaft(0, -260, rng.normal(0, 8), 240, r, 1.6 * r, 2.2 * r), r, rng.uniform(4, 7), 0.03, rng
    )
    if rng.random() < 0.4:
        _add_bone(paths, canvas, _shaft(32, -230, 30, 230, 6, 10, 9), 6, 2.6, 0.05, rng)
    roll = rng.random()
    if roll < 0.25:
        add_rod(paths, np.array([[0.0, -260.0], [0.0, 150.0]]), 5.0, "titanium")
    elif roll < 0.5:
        add_rod(paths, np.array([[r + 2.0, -90.0], [r + 2.0, 60.0]]), 2.4, "titanium", depth=2.0)
        for level in range(-80, 60, 20):
            add_rod(
                paths,
                np.array([[r + 3.0, float(level)], [-r - 2.0, float(level)]]),
                1.9,
                "titanium",
                thread_mm=0.4,
            )


_BONES: dict[str, tuple[Callable[[physics.Paths, np.random.Generator], None], float]] = {
    "knee": (_knee, 170.0), "forearm": (_forearm, 190.0), "spine": (_spine, 190.0), "chest": (_chest, 210.0),
    "hand": (_hand, 160.0), "skull": (_skull, 130.0), "shaft": (_leg, 190.0),
}  # fmt: skip


def other_bone(stream: Stream, options: SimulationOptions) -> SimulatedRadiograph:
    rng = stream("bone")
    name = str(rng.choice(list(_BONES)))
    draw, half = _BONES[name]
    height = half * rng.uniform(0.6, 1.0)
    width = height * rng.uniform(0.45, 1.0)
    side = draw_side(stream)
    turn = float(rng.normal(0, 8) + (90 * rng.integers(0, 4) if rng.random() < 0.15 else 0))
    low, high = (-width + rng.normal(0, 8), -height), (width + rng.normal(0, 8), height)
    frame = framing.make_frame(stream("frame"), low, high, side, turn, 1.0, options)
    paths = physics.Paths(frame.canvas)
    draw(paths, rng)
    return finish(stream, options, paths, frame, side, None, Suitability.OTHER_BONE, "other", lambda grey: (), name)
