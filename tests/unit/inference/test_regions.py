"""From the locator's heatmaps to hips with the right side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.orientation import usual
from imaging.radiograph import Orientation, Radiograph, Side, SideSource
from inference.model_bundle import LocatorCard
from inference.regions import find_hips, full_region, locator_batch, propose
from tests.unit.inference.bundles import radiograph

CARD = LocatorCard(size=256, threshold=0.4)
CELLS = 32
STRIDE = 8
ROWS, COLS = 600, 800  # a pelvis; the locator's square spans 800 x 800 px, 100 px above and below the image


def image(**fields: object) -> Radiograph:
    return radiograph(np.random.default_rng(0).random((ROWS, COLS)), **fields)


def maps(*hips: tuple[float, float, str, float], side_px: float = 300) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian peaks at image pixels (x, y), as the locator is taught to draw them."""
    centers = np.zeros((2, CELLS, CELLS), np.float32)
    rows, cols = np.indices((CELLS, CELLS)) + 0.5
    for x, y, kind, height in hips:
        at_x, at_y = x / 800 * CELLS, (y + 100) / 800 * CELLS
        peak = height * np.exp(-((cols - at_x) ** 2 + (rows - at_y) ** 2) / 2)
        channel = 0 if kind == "replaced" else 1
        centers[channel] = np.maximum(centers[channel], peak)
    sizes = np.full((1, CELLS, CELLS), side_px * 256 / 800, np.float32)
    return centers, sizes


@pytest.mark.parametrize(
    ("orientation", "sides"),
    [
        (Orientation("L", "F", SideSource.ORIENTATION), [Side.RIGHT, Side.LEFT]),
        (Orientation("R", "F", SideSource.ORIENTATION), [Side.LEFT, Side.RIGHT]),
        (usual(), [Side.RIGHT, Side.LEFT]),
        (Orientation(), [Side.UNKNOWN, Side.UNKNOWN]),
    ],
)
def test_two_replaced_hips_of_a_pelvis_have_their_sides(orientation, sides) -> None:
    pelvis = image(orientation=orientation)
    regions = propose(pelvis, *maps((610, 300, "replaced", 0.8), (190, 310, "replaced", 0.9)), CARD)
    assert [region.side for region in regions] == sides
    assert {region.side_source for region in regions} == {orientation.source}
    assert regions[0].center == pytest.approx((190, 310), abs=8)
    assert regions[1].center == pytest.approx((610, 300), abs=8)
    assert all(region.width == region.height == pytest.approx(300, abs=1) for region in regions)
    assert all(region.proposed for region in regions)


def test_one_replaced_beside_a_native_hip() -> None:
    both = maps((200, 300, "native", 0.9), (600, 300, "replaced", 0.7))
    (region,) = propose(image(side=Side.BOTH, orientation=usual()), *both, CARD)
    assert region.center == pytest.approx((600, 300), abs=8)
    assert region.side is Side.LEFT


def test_native_hips_are_proposed_so_that_the_gate_can_say_why_not() -> None:
    regions = propose(image(), *maps((200, 300, "native", 0.9), (600, 300, "native", 0.9)), CARD)
    assert len(regions) == 2


@pytest.mark.parametrize("side", [Side.LEFT, Side.RIGHT])
def test_a_single_hip_is_on_the_side_that_the_file_says(side: Side) -> None:
    (region,) = propose(image(side=side), *maps((400, 300, "replaced", 0.9)), CARD)
    assert region.side is side


@pytest.mark.parametrize("side", [Side.UNKNOWN, Side.BOTH])
def test_a_single_hip_without_a_side_stays_unknown(side: Side) -> None:
    (region,) = propose(image(side=side), *maps((700, 300, "replaced", 0.9)), CARD)
    assert region.side is Side.UNKNOWN


def test_nothing_found_proposes_the_whole_image() -> None:
    (region,) = propose(image(side=Side.LEFT), *maps((400, 300, "replaced", 0.3)), CARD)
    assert region.box == (0, -100, 800, 800)
    assert region == full_region(image(side=Side.LEFT))
    assert region.side is Side.LEFT


def test_near_peaks_are_one_hip_and_a_place_is_what_it_looks_like_more() -> None:
    both = maps((400, 300, "native", 0.9), (420, 310, "replaced", 0.6), (410, 200, "replaced", 0.5))
    (hip,) = find_hips(image(), *both, CARD)
    assert not hip.replaced


def test_hips_lie_side_by_side() -> None:
    hips = find_hips(image(), *maps((400, 100, "replaced", 0.9), (420, 500, "replaced", 0.8), side_px=150), CARD)
    assert len(hips) == 1


@settings(deadline=None, max_examples=60)
@given(x=st.floats(20, 780), y=st.floats(20, 580), side_px=st.floats(150, 900))
def test_a_hip_is_found_where_it_is(x: float, y: float, side_px: float) -> None:
    (region,) = propose(image(), *maps((x, y, "replaced", 0.9), side_px=side_px), CARD)
    assert region.center == pytest.approx((x, y), abs=13)  # half a cell of 25 px
    assert region.width == pytest.approx(side_px, rel=0.01)


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["noise", "flat", "nan", "zero_size"]))
def test_whatever_the_locator_says_there_is_a_region_to_show(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    centers = rng.random((2, CELLS, CELLS)).astype(np.float32)
    sizes = (rng.random((1, CELLS, CELLS)) * 300).astype(np.float32)
    if kind == "flat":
        centers[:] = 0.9
    if kind == "nan":
        centers[rng.random(centers.shape) < 0.3] = np.nan
        sizes[rng.random(sizes.shape) < 0.3] = np.nan
    if kind == "zero_size":
        sizes[:] = 0
    regions = propose(image(), centers, sizes, CARD)
    assert 1 <= len(regions) <= 2
    for region in regions:
        assert np.isfinite(region.box).all()
        assert 0.1 * COLS <= region.width <= 2 * COLS


def test_the_locator_sees_the_whole_image_undistorted() -> None:
    pixels = np.zeros((ROWS, COLS), np.float32)
    pixels[:, :400] = 1.0
    batch = locator_batch(LocatorCard(size=80, threshold=0.4, mean=0.0, std=1.0), pixels)
    assert batch.shape == (1, 1, 80, 80)
    np.testing.assert_array_equal(batch[0, 0, :10], 0)
    np.testing.assert_array_equal(batch[0, 0, 70:], 0)
    np.testing.assert_allclose(batch[0, 0, 10:70, :38], 1, atol=1e-6)
