"""Pictures that arrive inverted or turned: seen all the same, in the picture's own pixels, and said so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, Window
from imaging.reader import read_radiograph
from inference import advanced_maps, upright
from inference.classifier import Classifier
from inference.model_bundle import find_bundles, load_bundle
from inference.prediction import Decision, Prediction
from tests.unit.inference import bundles

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_bundle(find_bundles(ROOT / "resources" / "models")[-1]), "cpu", cpu_threads=1)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A loose cemented hip, as an export to a small 8-bit picture would hold it; taller than wide."""
    pixels = read_radiograph(ROOT / "resources" / "samples" / "loose-cemented.dcm").pixels[::2, ::2]
    assert pixels.shape[0] != pixels.shape[1]
    return np.round((pixels - pixels.min()) * np.float32(255 / np.ptp(pixels)))


def assess(classifier: Classifier, pixels: np.ndarray, region: HipRegion | None = None, **fields: object) -> Prediction:
    radiograph = bundles.radiograph(pixels, windows=(Window(127.5, 255.0),), **fields)
    (prediction,) = classifier.assess(radiograph, region)
    return prediction


def strongest(prediction: Prediction) -> tuple[float, float]:
    """(x, y) in image pixels of the map's strongest cell."""
    saliency = prediction.saliency
    row, col = np.unravel_index(saliency.values.argmax(), saliency.values.shape)
    square, cells = saliency.region, saliency.values.shape[0]
    return square.x + (col + 0.5) * square.width / cells, square.y + (row + 0.5) * square.height / cells


def test_a_file_that_contradicts_itself_about_white_is_asked_both_ways(
    classifier: Classifier, picture: np.ndarray
) -> None:
    as_it_is = assess(classifier, picture, modality="DX")
    for padding in (
        None,
        np.pad(np.zeros((picture.shape[0], picture.shape[1] - 30), bool), ((0, 0), (0, 30)), constant_values=True),
    ):
        inverted = 255 - picture
        if padding is not None:
            inverted[padding] = inverted.min()
        refused = assess(classifier, inverted, modality="DX", padding=padding)
        assert refused.decision is Decision.NOT_ASSESSABLE
        asked = assess(classifier, inverted, modality="DX", padding=padding, polarity_doubtful=True)
        assert asked.decision is Decision.LOOSE
        assert asked.probability == pytest.approx(as_it_is.probability, abs=0.01)
        assert "swapped" in asked.notice


def test_a_file_that_says_which_way_is_up_is_not_turned(classifier: Classifier, picture: np.ndarray) -> None:
    turned = np.ascontiguousarray(np.rot90(picture))
    assert assess(classifier, turned, modality="DX", polarity_doubtful=True).decision is Decision.NOT_ASSESSABLE


def test_an_inverted_picture_is_seen_and_says_so(classifier: Classifier, picture: np.ndarray) -> None:
    as_it_is = assess(classifier, picture)
    assert as_it_is.decision is Decision.LOOSE
    assert as_it_is.notice == ""
    inverted = assess(classifier, 255 - picture)
    assert inverted.probability == pytest.approx(as_it_is.probability, abs=1e-3)
    assert "swapped" in inverted.notice
    assert inverted.landmarks["stem_tip"] == pytest.approx(as_it_is.landmarks["stem_tip"], abs=0.1)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_picture_is_seen_in_its_own_pixels(classifier: Classifier, picture: np.ndarray, turns: int) -> None:
    as_it_is = assess(classifier, picture)
    turned = assess(classifier, np.rot90(picture, turns))
    assert turned.probability == pytest.approx(as_it_is.probability, abs=1e-3)
    assert "turned upright" in turned.notice
    # The tip and the map's strongest cell, marked in the picture and turned with it.
    for before, after in (
        (as_it_is.landmarks["stem_tip"][:2], turned.landmarks["stem_tip"][:2]),
        (strongest(as_it_is), strongest(turned)),
    ):
        marked = np.zeros(picture.shape, bool)
        marked[int(before[1]), int(before[0])] = True
        row, col = np.argwhere(np.rot90(marked, turns))[0]
        assert after == pytest.approx((col + 0.5, row + 0.5), abs=1.0)


def test_a_region_proposed_beside_a_turned_picture_does_not_end_the_search(
    classifier: Classifier, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upside down, the locator may see a hip whose region lies mostly outside of the picture."""
    upside_down = np.rot90(picture, 2)
    propose = classifier.propose_regions

    def mistaken(radiograph: Radiograph) -> list[HipRegion]:
        rows, cols = radiograph.shape
        if np.array_equal(radiograph.pixels, upside_down):
            return [HipRegion(0.9 * cols, 0.9 * rows, float(rows), float(rows))]
        return propose(radiograph)

    monkeypatch.setattr(classifier, "propose_regions", mistaken)
    assert assess(classifier, upside_down).decision is Decision.LOOSE


def test_what_was_said_of_the_changed_picture_is_said_too(classifier: Classifier, picture: np.ndarray) -> None:
    said = replace(assess(classifier, picture), notice="It looks unlike anything.")
    way = upright.WAYS[0]
    assert upright.as_given(said, picture.shape, way).notice == f"{way.notice} It looks unlike anything."


@pytest.mark.filterwarnings("ignore")  # the library's own
@pytest.mark.parametrize("turns", [0, 3])
def test_another_map_is_made_of_what_the_network_saw(classifier: Classifier, picture: np.ndarray, turns: int) -> None:
    """Inverted, or turned by quarter turns: the same map as of the picture as it should be, turned with it."""
    as_it_is = assess(classifier, picture)
    given = np.rot90(picture, turns) if turns else 255 - picture
    prediction = assess(classifier, given)
    assert prediction.way is not None
    assert as_it_is.way is None
    maps = [
        advanced_maps.compute(classifier.bundle, bundles.radiograph(pixels), one.region, "LayerCAM", one.way)
        for pixels, one in ((picture, as_it_is), (given, prediction))
    ]
    expected, found = np.rot90(maps[0].values, turns), maps[1].values
    np.testing.assert_allclose(found, expected, atol=0.02 * float(expected.max()))
    assert maps[1].region.box == pytest.approx(prediction.region.squared().box, abs=0.1)


def test_a_region_that_a_person_set_stays_where_it_is(classifier: Classifier, picture: np.ndarray) -> None:
    turned = np.rot90(picture)
    found = assess(classifier, turned).region
    by_hand = HipRegion(*found.box)
    prediction = assess(classifier, turned, by_hand)
    assert prediction.decision is Decision.LOOSE
    assert prediction.region.box == pytest.approx(by_hand.box, abs=1e-6)
    assert not prediction.region.proposed


def test_a_file_with_tags_is_taken_at_its_word(classifier: Classifier, picture: np.ndarray) -> None:
    assert assess(classifier, 255 - picture, modality="DX").decision is Decision.NOT_ASSESSABLE


def test_what_shows_no_hip_any_way_round_keeps_its_first_reason(classifier: Classifier) -> None:
    pixels = np.random.default_rng(3).uniform(0, 255, (300, 200)).astype(np.float32)
    prediction = assess(classifier, pixels)
    assert prediction.decision is Decision.NOT_ASSESSABLE
    assert prediction.reason
    assert prediction.notice == ""
    assert (prediction.region.width, prediction.region.height) == (300, 300)


@given(
    st.sampled_from(upright.WAYS),
    st.tuples(st.integers(2, 40), st.integers(2, 40)),
    st.tuples(st.floats(-5, 40), st.floats(-5, 40), st.floats(0.5, 30), st.floats(0.5, 30)),
)
def test_a_region_goes_there_and_back(
    way: upright.Way, shape: tuple[int, int], box: tuple[float, float, float, float]
) -> None:
    pixels = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    radiograph: Radiograph = bundles.radiograph(pixels)
    there = upright.changed_region(HipRegion(*box), shape, way)
    back = upright.changed_region(there, upright.changed(radiograph, way).shape, upright.Way(-way.turns, False, ""))
    assert back.box == pytest.approx(box, abs=1e-6)
