"""The top of the stem's axis from tip, head and shoulder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.model_bundle import StemAxisFit
from inference.stem_axis import refined

NAMES = ("head_center", "stem_tip", "stem_axis_top", "shoulder", "teardrop")
HIP = {
    "head_center": (40, 0),
    "stem_tip": (0, 160),
    "stem_axis_top": (9, 31),
    "shoulder": (-4, 20),
    "teardrop": (60, 9),
}
OWN_POINT = {"real": (0.0, 1.0, 0.0, 0.0, 0.0), "imaginary": (0.0, 0.0, 1.0, 0.0, 0.0)}
# Half-way from the head to the shoulder, whatever the network's own point is.
HALF_WAY = {"real": (0.5, 0.0, 0.0, 0.5, 0.0), "imaginary": (0.0, 0.0, 0.0, 0.0, 0.5)}


def landmarks(confidence: float = 0.9, **changes: tuple[float, float]) -> np.ndarray:
    return np.array([(*{**HIP, **changes}[name], confidence) for name in NAMES], np.float32)


def test_only_the_top_of_the_axis_moves_and_keeps_its_confidence() -> None:
    before = landmarks()
    after = refined(before, NAMES, StemAxisFit(**HALF_WAY, confidence=0.3))
    assert after[2] == pytest.approx(((40 - 4) / 2, (0 + 20) / 2, 0.9), abs=1e-4)
    np.testing.assert_array_equal(np.delete(after, 2, axis=0), np.delete(before, 2, axis=0))
    assert tuple(before[2, :2]) == HIP["stem_axis_top"]  # what was given is left alone
    same = refined(before, NAMES, StemAxisFit(**OWN_POINT, confidence=0.3))
    np.testing.assert_allclose(same, before, atol=1e-4)


@given(
    angle=st.floats(-3, 3), scale=st.floats(0.3, 8), x=st.floats(-90, 90), y=st.floats(-90, 90), mirrored=st.booleans()
)
def test_side_scale_tilt_and_place_do_not_matter(
    angle: float, scale: float, x: float, y: float, mirrored: bool
) -> None:
    fit = StemAxisFit(real=(0.1, 0.2, -0.3, 0.6, 0.1), imaginary=(0.0, -0.1, 0.4, 0.05, 0.4), confidence=0.3)

    def moved(points: np.ndarray) -> np.ndarray:
        z = (-1 if mirrored else 1) * points[:, 0] + 1j * points[:, 1]
        z = scale * np.exp(1j * angle) * z + complex(x, y)
        return np.stack([z.real, z.imag, points[:, 2]], axis=1)

    there = refined(moved(landmarks().astype(float)), NAMES, fit)
    np.testing.assert_allclose(there, moved(refined(landmarks(), NAMES, fit).astype(float)), atol=2e-3)


@pytest.mark.parametrize("unsure", ["shoulder", "stem_tip", "head_center"])
def test_where_an_anchor_is_unsure_the_network_s_own_point_stays(unsure: str) -> None:
    points = landmarks()
    points[NAMES.index(unsure), 2] = 0.29
    np.testing.assert_array_equal(refined(points, NAMES, StemAxisFit(**HALF_WAY, confidence=0.3)), points)


def test_without_a_fit_a_point_or_a_frame_nothing_changes() -> None:
    fit = StemAxisFit(**HALF_WAY, confidence=0.3)
    np.testing.assert_array_equal(refined(landmarks(), NAMES, None), landmarks())
    np.testing.assert_array_equal(refined(landmarks()[:3], NAMES[:3], fit), landmarks()[:3])
    upon = landmarks(head_center=HIP["stem_tip"])
    np.testing.assert_array_equal(refined(upon, NAMES, fit), upon)
    lost = landmarks(shoulder=(float("nan"), 1.0))
    np.testing.assert_array_equal(refined(lost, NAMES, fit), lost)
