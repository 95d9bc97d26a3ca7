"""One pelvis and one hip stored in every orientation: the same hip of the same patient is called loose each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from imaging.geometry import HipRegion
from imaging.orientation import Edge, edge_of
from imaging.radiograph import Orientation, Radiograph, Side, SideSource
from imaging.reader import read_radiograph
from imaging.zones import zone_polygons
from inference.classifier import Classifier, with_side
from inference.model_bundle import load_bundle
from inference.prediction import Decision, Prediction, sure_points
from inference.regions import Hip, side_of
from study.package import deidentified

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "resources" / "samples"
CASES = ROOT.parent / "shared" / "cases"
OPPOSITE = {"R": "L", "L": "R", "H": "F", "F": "H"}
# Quarter turns and mirroring of a picture whose rows run to the patient's left and columns to the feet.
EIGHT = [(turns, mirrored) for mirrored in (False, True) for turns in range(4)]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_bundle(ROOT / "resources" / "models" / "lucency-1"), "cpu", cpu_threads=2)


def stored(folder: Path, sample: str, turns: int, mirrored: bool, **tags: object) -> Path:
    """The sample with its pixels turned and mirrored, and with the orientation that is right for them."""
    header = pydicom.dcmread(SAMPLES / f"{sample}.dcm")
    pixels, row, column = header.pixel_array, "L", "F"
    if mirrored:
        pixels, row = pixels[:, ::-1], "R"
    for _ in range(turns):  # counter-clockwise: the lower edge becomes the right one, the left edge the lower one
        row, column = column, OPPOSITE[row]
    pixels = np.ascontiguousarray(np.rot90(pixels, turns))
    header.Rows, header.Columns = pixels.shape
    header.PixelData = pixels.tobytes()
    header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    header["PixelData"].VR = "OW"
    header.PatientOrientation = [row, column]
    if turns % 2:
        for name in ("PixelSpacing", "ImagerPixelSpacing"):
            if name in header:
                setattr(header, name, list(getattr(header, name))[::-1])
    for name, given in tags.items():
        if given is None:
            delattr(header, name)
        else:
            setattr(header, name, given)
    path = folder / f"{sample}-{turns}-{mirrored}.dcm"
    header.save_as(path)
    return path


def zone_centres(prediction: Prediction) -> dict[str, np.ndarray]:
    return {zone: shape.mean(axis=0) for zone, shape in zone_polygons(sure_points(prediction.landmarks)).items()}


@pytest.mark.parametrize(("turns", "mirrored"), EIGHT)
def test_both_hips_keep_their_sides_in_every_orientation(classifier, tmp_path, turns, mirrored):
    radiograph = read_radiograph(stored(tmp_path, "both-hips", turns, mirrored))
    plain = read_radiograph(SAMPLES / "both-hips.dcm")
    assert radiograph.shape == plain.shape
    assert radiograph.spacing_mm == plain.spacing_mm
    upright = plain.pixels[:, ::-1] if mirrored else plain.pixels
    np.testing.assert_array_equal(radiograph.pixels, upright)
    assert any("turned upright" in notice for notice in radiograph.notices) == bool(turns)
    assert any("from behind" in notice for notice in radiograph.notices) == mirrored

    found = {prediction.region.side: prediction for prediction in classifier.assess(radiograph)}
    assert found[Side.LEFT].decision is Decision.LOOSE
    assert found[Side.RIGHT].decision is Decision.NOT_LOOSE
    middle = radiograph.shape[1] / 2
    for side, prediction in found.items():
        assert prediction.region.side_source is SideSource.ORIENTATION
        on_left = prediction.region.center[0] < middle
        assert on_left == (edge_of(radiograph.orientation, side) is Edge.LEFT)
        assert prediction.lateral is (Edge.LEFT if on_left else Edge.RIGHT)
        zones = zone_centres(prediction)
        assert (zones["1"][0] < zones["7"][0]) == on_left  # Gruen 1 is lateral
        assert zones["1"][1] < zones["4"][1]  # and proximal
        assert prediction.notice == ""


@pytest.fixture(scope="module")
def seen(classifier) -> dict[str, list[Prediction]]:
    """What the network sees in two samples as they are."""
    return {
        name: classifier.assess(read_radiograph(SAMPLES / f"{name}.dcm")) for name in ("both-hips", "loose-cemented")
    }


def sides(radiograph: Radiograph, predictions: list[Prediction]) -> list[tuple[HipRegion, str]]:
    """What becomes of the sides where the header says something else about the same picture."""
    hips = [Hip(*one.region.center, one.region.width, 1.0, True) for one in predictions]
    places = [hip.region(*side_of(hip, hips, radiograph)) for hip in hips]
    return [with_side(place, radiograph, one.landmarks) for place, one in zip(places, predictions, strict=True)]


@pytest.mark.parametrize(
    ("tags", "side", "source", "said"),
    [
        ({"ImageLaterality": "L"}, Side.LEFT, SideSource.LATERALITY, ""),
        ({"ImageLaterality": None}, Side.LEFT, SideSource.LANDMARKS, ""),
        ({"ImageLaterality": "U"}, Side.LEFT, SideSource.LANDMARKS, ""),
        ({"ImageLaterality": None, "PatientOrientation": ["R", "F"]}, Side.RIGHT, SideSource.LANDMARKS, ""),
        ({"ImageLaterality": None, "PatientOrientation": ["LA", "FP"]}, Side.LEFT, SideSource.LANDMARKS, ""),
        ({"ImageLaterality": "R"}, Side.UNKNOWN, SideSource.NONE, "left open"),
        ({"ImageLaterality": "R", "PatientOrientation": None}, Side.UNKNOWN, SideSource.NONE, "left open"),
        ({"ImageLaterality": "L", "PatientOrientation": ["R", "F"]}, Side.UNKNOWN, SideSource.NONE, "left open"),
        ({"ImageLaterality": None, "PatientOrientation": None}, Side.LEFT, SideSource.ASSUMED, ""),
        ({"ImageLaterality": None, "PatientOrientation": ["L", "R"]}, Side.LEFT, SideSource.ASSUMED, ""),
        ({"ImageLaterality": None, "ViewPosition": "PA"}, Side.LEFT, SideSource.LANDMARKS, ""),
        (
            {"ImageLaterality": None, "ViewPosition": "PA", "PatientOrientation": None},
            Side.UNKNOWN,
            SideSource.NONE,
            "",
        ),
        ({"ViewPosition": "PA", "PatientOrientation": None}, Side.LEFT, SideSource.LATERALITY, ""),
        ({"Laterality": "R", "PatientOrientation": None}, Side.UNKNOWN, SideSource.NONE, ""),
        ({"Laterality": "R"}, Side.LEFT, SideSource.LANDMARKS, ""),
    ],
)
def test_a_single_hip_by_what_its_header_says(seen, tmp_path, tags, side, source, said):
    radiograph = read_radiograph(stored(tmp_path, "loose-cemented", 0, False, **tags))
    ((region, contradiction),) = sides(radiograph, seen["loose-cemented"])
    assert (region.side, region.side_source) == (side, source)
    assert said in contradiction
    assert bool(contradiction) == bool(said)


@pytest.mark.parametrize(
    ("tags", "letters", "source", "said"),
    [
        ({}, "RL", SideSource.ORIENTATION, ""),
        ({"PatientOrientation": None}, "RL", SideSource.ASSUMED, ""),
        ({"PatientOrientation": None, "ViewPosition": "PA"}, "UU", SideSource.NONE, ""),
        ({"PatientOrientation": None, "ViewPosition": None}, "UU", SideSource.NONE, ""),
        ({"PatientOrientation": ["A", "F"]}, "UU", SideSource.NONE, ""),
        ({"PatientOrientation": None, "ImageLaterality": "L"}, "UL", None, "left open"),
        ({"ImageLaterality": "L"}, "RL", SideSource.ORIENTATION, "check the side"),
    ],
)
def test_two_hips_by_what_their_header_says(seen, tmp_path, tags, letters, source, said):
    radiograph = read_radiograph(stored(tmp_path, "both-hips", 0, False, **tags))
    found = sides(radiograph, seen["both-hips"])
    assert "".join(region.side.value for region, _ in found) == letters
    if source is not None:
        assert {region.side_source for region, _ in found} == {source}
    assert said in " ".join(contradiction for _, contradiction in found)
    assert any("assumed as usual" in notice for notice in radiograph.notices) == (source is SideSource.ASSUMED)


def test_a_picture_without_a_header_has_no_sides_but_says_where_lateral_is(seen):
    radiograph = read_radiograph(SAMPLES / "both-hips.dcm")
    bare = replace(radiograph, modality="", side=Side.UNKNOWN, orientation=Orientation())
    assert [region.side for region, _ in sides(bare, seen["both-hips"])] == [Side.UNKNOWN, Side.UNKNOWN]
    assert [prediction.lateral for prediction in seen["both-hips"]] == [Edge.LEFT, Edge.RIGHT]


@pytest.mark.parametrize("source", [SideSource.READER, SideSource.STUDY])
@pytest.mark.parametrize("side", [Side.RIGHT, Side.UNKNOWN])
def test_what_a_person_says_stays_and_is_questioned(seen, side, source):
    radiograph = read_radiograph(SAMPLES / "loose-cemented.dcm")  # a left hip
    (prediction,) = seen["loose-cemented"]
    said = replace(prediction.region, side=side, side_source=source)
    region, contradiction = with_side(said, radiograph, prediction.landmarks)
    assert region == said
    assert ("check the side" in contradiction) == (side is Side.RIGHT)


@pytest.mark.parametrize(("turns", "mirrored"), EIGHT)
def test_a_reader_package_keeps_directions(tmp_path, turns, mirrored):
    radiograph = read_radiograph(stored(tmp_path, "both-hips", turns, mirrored))
    data, _ = deidentified(radiograph)
    path = tmp_path / "handed-out.dcm"
    path.write_bytes(data)
    again = read_radiograph(path)
    assert (again.orientation.row, again.orientation.column) == (radiograph.orientation.row, "F")
    assert again.orientation.source is SideSource.ORIENTATION


def test_a_region_that_a_person_draws_gets_its_side_from_the_picture(seen):
    radiograph = read_radiograph(SAMPLES / "both-hips.dcm")
    prediction = seen["both-hips"][1]
    region, _ = with_side(HipRegion(*prediction.region.box), radiograph, prediction.landmarks)
    assert (region.side, region.side_source) == (Side.LEFT, SideSource.LANDMARKS)


@pytest.mark.skipif(not (CASES / "18-orientation").is_dir(), reason="the shared cases are not here")
@pytest.mark.parametrize(
    ("name", "sides_of_picture", "said"),
    [
        ("a-L-F-standard", "RL", ""),
        ("b-R-F-mirrored", "LR", "from behind"),
        ("c-R-H-upside-down", "RL", "turned upright"),
        ("e-no-orientation", "RL", "assumed as usual"),
    ],
)
def test_the_shared_orientations(classifier, name, sides_of_picture, said):
    radiograph = read_radiograph(CASES / "18-orientation" / f"{name}.dcm")
    predictions = {prediction.region.side: prediction for prediction in classifier.assess(radiograph)}
    from_left = sorted(predictions.values(), key=lambda prediction: prediction.region.x)
    assert "".join(prediction.region.side.value for prediction in from_left) == sides_of_picture
    assert said in " ".join(radiograph.notices)
    assert bool(radiograph.notices) == bool(said)
