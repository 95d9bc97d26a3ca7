"""Scale, side, view and date: nothing guessed silently, contradictions said."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from imaging.radiograph import Side, SpacingSource, View
from imaging.square_pixels import square_shape
from tests.unit.imaging.dicom_maker import dataset, gradient, make, write
from tests.unit.imaging.test_dicom_syntaxes import read

NONE, DETECTOR, CALIBRATED = SpacingSource.NONE, SpacingSource.DETECTOR, SpacingSource.CALIBRATED
TWO, IMAGER, SMALLER = [0.2, 0.2], [0.144, 0.144], [0.125, 0.125]


@pytest.mark.parametrize(
    ("tags", "spacing_mm", "source", "said"),
    [
        pytest.param({}, None, NONE, None, id="none"),
        pytest.param({"PixelSpacing": TWO}, (0.2, 0.2), DETECTOR, "does not say", id="not said to be calibrated"),
        pytest.param({"ImagerPixelSpacing": IMAGER}, (0.144, 0.144), DETECTOR, None, id="imager"),
        pytest.param(
            {"ImagerPixelSpacing": IMAGER, "PixelSpacing": IMAGER}, (0.144, 0.144), DETECTOR, None, id="equal"
        ),
        pytest.param(
            {"PixelSpacing": SMALLER, "PixelSpacingCalibrationType": "FIDUCIAL"},
            (0.125, 0.125),
            CALIBRATED,
            None,
            id="fiducial",
        ),
        pytest.param(
            {"ImagerPixelSpacing": IMAGER, "PixelSpacing": SMALLER, "PixelSpacingCalibrationType": "GEOMETRY"},
            (0.125, 0.125),
            CALIBRATED,
            None,
            id="geometry",
        ),
        pytest.param(
            {"ImagerPixelSpacing": IMAGER, "PixelSpacing": SMALLER},
            (0.125, 0.125),
            CALIBRATED,
            "without saying how",
            id="corrected, not said how",
        ),
        pytest.param(
            {"ImagerPixelSpacing": IMAGER, "PixelSpacing": IMAGER, "PixelSpacingCalibrationType": "FIDUCIAL"},
            (0.144, 0.144),
            DETECTOR,
            "equals the detector's",
            id="calibrated in name only",
        ),
        pytest.param(
            {"ImagerPixelSpacing": IMAGER, "PixelSpacing": IMAGER, "EstimatedRadiographicMagnificationFactor": "1.15"},
            (0.144, 0.144),
            DETECTOR,
            "not corrected",
            id="magnification left uncorrected",
        ),
        pytest.param(
            {"ImagerPixelSpacing": IMAGER, "EstimatedRadiographicMagnificationFactor": "1.15"},
            (0.144, 0.144),
            DETECTOR,
            "magnification of 1.15",
            id="magnification only",
        ),
        pytest.param(
            {
                "ImagerPixelSpacing": IMAGER,
                "PixelSpacing": SMALLER,
                "PixelSpacingCalibrationType": "GEOMETRY",
                "EstimatedRadiographicMagnificationFactor": "1.5",
            },
            (0.125, 0.125),
            CALIBRATED,
            "corrected for 1.15",
            id="magnification contradicts",
        ),
        pytest.param(
            {"ImagerPixelSpacing": SMALLER, "PixelSpacing": TWO},
            (0.125, 0.125),
            DETECTOR,
            "contradict",
            id="larger in the patient than at the detector",
        ),
        pytest.param(
            {"PixelSpacing": [1.0, 1.0]},
            None,
            NONE,
            "exactly 1 mm",
            id="placeholder",
        ),
        pytest.param({"PixelSpacing": [0.0, 0.0]}, None, NONE, "not a length", id="zero"),
        pytest.param({"PixelSpacing": [-0.2, 0.2]}, None, NONE, "not a length", id="negative"),
        pytest.param({"ImagerPixelSpacing": [0.2]}, (0.2, 0.2), DETECTOR, "both directions", id="one value"),
        pytest.param({"ImagerPixelSpacing": [0.2] * 3}, (0.2, 0.2), DETECTOR, "first two", id="three values"),
        pytest.param(
            {"PixelSpacing": [1.0, 1.0], "ImagerPixelSpacing": IMAGER},
            (0.144, 0.144),
            DETECTOR,
            "no detector has: lengths are in millimetres at the detector",
            id="the unit that is used in the end",
        ),
        pytest.param({"PixelSpacing": [5.0, 5.0]}, (5.0, 5.0), DETECTOR, "unusual", id="unusual"),
        # 64 columns of 0.3 mm become 192 of 0.1 mm
        pytest.param({"PixelSpacing": [0.1, 0.3]}, (0.1, 0.1), DETECTOR, "very different", id="anisotropic"),
        pytest.param({"NominalScannedPixelSpacing": [0.17, 0.17]}, (0.17, 0.17), DETECTOR, "film", id="digitised film"),
        pytest.param({"Modality": "CT", "PixelSpacing": [1.0, 1.0]}, (1.0, 1.0), CALIBRATED, None, id="CT"),
        pytest.param({"Modality": "OT", "PixelSpacing": [0.2, 0.2]}, (0.2, 0.2), DETECTOR, "does not say", id="other"),
        pytest.param(
            {"ImagerPixelSpacing": IMAGER, "EstimatedRadiographicMagnificationFactor": "0.5"},
            (0.144, 0.144),
            DETECTOR,
            "not possible",
            id="impossible magnification",
        ),
    ],
)
def test_spacing_and_its_source(tmp_path, tags, spacing_mm, source, said):
    radiograph = read(tmp_path, make(gradient(), **tags))
    assert radiograph.spacing_mm == spacing_mm
    assert radiograph.spacing_source is source
    if said is None:
        assert radiograph.notices == ()
    else:
        assert any(said in notice for notice in radiograph.notices)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"0.143\\0.143 ", b"0,143\\0,143 "),
        (b"0.143\\0.143 ", b"143E-3\\.143 "),
        (b"0.143\\0.143 ", b" 0.143\\0.143"),
        (b"0.143\\0.143 ", b"0.143\\0.143\0"),
    ],
)
def test_numbers_however_they_are_written(tmp_path, syntax, old, new):
    data = make(gradient(), syntax, PixelSpacing=["0.143", "0.143"], PixelSpacingCalibrationType="FIDUCIAL")
    assert data.count(old) == 1
    radiograph = read(tmp_path, data.replace(old, new))
    assert radiograph.spacing_mm == (0.143, 0.143)
    assert radiograph.spacing_source is CALIBRATED


@pytest.mark.parametrize("vr", ["UT", "LO", "ST", "UN", "LT"])
def test_spacing_of_another_kind_of_text(tmp_path, vr):
    header = dataset(gradient(), PixelSpacing=["0.143", "0.143"], PixelSpacingCalibrationType="GEOMETRY")
    header.PixelData = gradient().tobytes()
    header["PixelData"].VR = "OW"
    data = write(header)
    at = data.index(b"\x28\0\x30\0DS")
    long = vr in ("UT", "UN")
    head = vr.encode() + (b"\0\0" + struct.pack("<I", 12) if long else struct.pack("<H", 12))
    radiograph = read(tmp_path, data[: at + 4] + head + data[at + 8 :])
    assert (radiograph.spacing_mm, radiograph.spacing_source) == ((0.143, 0.143), CALIBRATED)


@pytest.mark.parametrize("tag", ["WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept"])
def test_a_number_that_is_none_is_said(tmp_path, tag):
    given = {"WindowCenter": "2000", "WindowWidth": "3000", "RescaleSlope": "1", "RescaleIntercept": "0"} | {
        tag: "7777"
    }
    data = make(gradient(bits=12), bits=12, **given).replace(b"7777", b"7q77")
    radiograph = read(tmp_path, data)
    np.testing.assert_array_equal(radiograph.pixels, gradient(bits=12))
    words = "not a number" if tag.startswith("Window") else "rescale makes no sense"
    assert any(words in notice for notice in radiograph.notices)


def test_decimal_commas_in_window_and_rescale(tmp_path):
    given = {"WindowCenter": "1000.5", "WindowWidth": "2000.5", "RescaleSlope": "1.5", "RescaleIntercept": "-0.5"}
    data = make(gradient(bits=12), bits=12, **given)
    for number in given.values():
        data = data.replace(number.encode(), number.replace(".", ",").encode())
    radiograph = read(tmp_path, data)
    np.testing.assert_array_equal(radiograph.pixels, gradient(bits=12).astype(np.float32) * 1.5 - 0.5)
    assert (radiograph.windows[0].center, radiograph.windows[0].width) == (1000.5, 2000.5)
    assert radiograph.notices == ()


def disc(height: int, width: int) -> np.ndarray:
    """A white disc that fills half of the picture's height and width, whatever its pixels' shape, uint16."""
    y, x = np.mgrid[0:height, 0:width]
    inside = ((y + 0.5) / height - 0.5) ** 2 + ((x + 0.5) / width - 0.5) ** 2 < 0.25**2
    return np.where(inside, 3000, 600).astype(np.uint16)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.JPEG2000Lossless])
@pytest.mark.parametrize(
    ("shape", "tags", "became"),
    [
        ((100, 200), {"PixelAspectRatio": ["2", "1"]}, (200, 200)),
        ((200, 100), {"PixelAspectRatio": ["1", "2"]}, (200, 200)),
        ((150, 200), {"PixelAspectRatio": ["4", "3"]}, (200, 200)),
        ((100, 200), {"ImagerPixelSpacing": [0.2, 0.1]}, (200, 200)),
        ((200, 160), {"PixelSpacing": [0.16, 0.2], "PixelSpacingCalibrationType": "GEOMETRY"}, (200, 200)),
        ((100, 200), {"ImagerPixelSpacing": [0.2, 0.1], "PixelAspectRatio": ["1", "1"]}, (200, 200)),
        ((200, 200), {"ImagerPixelSpacing": [0.1434, 0.1435]}, (200, 200)),
        ((200, 200), {"PixelAspectRatio": ["99", "1"]}, (200, 200)),
        ((200, 200), {"PixelAspectRatio": ["0", "1"]}, (200, 200)),
    ],
)
def test_a_disc_is_round_whatever_the_shape_of_its_pixels(tmp_path, syntax, shape, tags, became):
    radiograph = read(tmp_path, make(disc(*shape), syntax, bits=12, **tags))
    assert radiograph.shape == became
    seen = radiograph.pixels > 1800
    assert np.ptp(np.flatnonzero(seen.any(axis=0))) == pytest.approx(np.ptp(np.flatnonzero(seen.any(axis=1))), abs=2)
    assert any("not square" in notice for notice in radiograph.notices) == (shape != became)
    if radiograph.spacing_mm is not None:
        assert radiograph.spacing_mm[0] == pytest.approx(radiograph.spacing_mm[1], rel=0.005)
        given = next(value for name, value in tags.items() if name.endswith("Spacing"))
        assert radiograph.shape[0] * radiograph.spacing_mm[0] == pytest.approx(shape[0] * given[0], rel=0.01)


def test_a_pixel_shape_that_no_detector_has_is_said(tmp_path):
    assert any(
        "no detector has" in notice for notice in read(tmp_path, make(gradient(), PixelAspectRatio=["99", "1"])).notices
    )


def test_a_shape_that_would_grow_too_large_shrinks_instead():
    assert square_shape((1000, 2000), 2.0, 10_000_000) == (2000, 2000)
    assert square_shape((1000, 2000), 2.0, 3_000_000) == (1000, 1000)
    assert square_shape((2000, 1000), 0.5, 3_000_000) == (1000, 1000)


def grouped(sequence: str, **tags) -> Dataset:
    inner, group = Dataset(), Dataset()
    for keyword, value in tags.items():
        setattr(inner, keyword, value)
    setattr(group, sequence, [inner])
    return group


def test_each_frame_has_what_its_functional_groups_say(tmp_path):
    stack = np.stack([gradient(bits=12)] * 2)
    window = {"WindowCenter": "1000", "WindowWidth": "900"}
    frames = [grouped("FrameVOILUTSequence", **window | {"WindowCenter": center}) for center in ("1000", "2000")]
    shared = grouped("PixelValueTransformationSequence", RescaleSlope="-1", RescaleIntercept="4095", RescaleType="US")
    data = make(
        stack, bits=12, frames=2, PerFrameFunctionalGroupsSequence=frames, SharedFunctionalGroupsSequence=[shared]
    )
    for frame, center in enumerate((1000.0, 2000.0)):
        radiograph = read(tmp_path, data, frame)
        np.testing.assert_array_equal(radiograph.pixels, 4095 - gradient(bits=12).astype(np.float32))
        assert radiograph.windows[0].center == center


def test_what_the_data_set_says_itself_comes_before_its_functional_groups(tmp_path):
    shared = grouped("FrameVOILUTSequence", WindowCenter="1000", WindowWidth="900")
    data = make(gradient(bits=12), bits=12, WindowCenter="2000", WindowWidth="4000", SharedFunctionalGroupsSequence=[shared])  # fmt: skip
    assert read(tmp_path, data).windows[0].center == 2000


def test_spacing_of_an_enhanced_image(tmp_path):
    measures, group = Dataset(), Dataset()
    measures.PixelSpacing = TWO
    group.PixelMeasuresSequence = [measures]
    radiograph = read(tmp_path, make(gradient(), SharedFunctionalGroupsSequence=[group]))
    assert (radiograph.spacing_mm, radiograph.spacing_source) == ((0.2, 0.2), DETECTOR)


@pytest.mark.parametrize(
    ("tags", "side", "said"),
    [
        ({}, Side.UNKNOWN, False),
        ({"ImageLaterality": "R"}, Side.RIGHT, False),
        ({"Laterality": "L"}, Side.LEFT, False),
        ({"ImageLaterality": "B"}, Side.BOTH, False),
        ({"ImageLaterality": "U", "Laterality": "L"}, Side.LEFT, False),
        ({"ImageLaterality": "R", "Laterality": "R"}, Side.RIGHT, False),
        ({"ImageLaterality": "R", "Laterality": "L"}, Side.UNKNOWN, True),
    ],
)
def test_side(tmp_path, tags, side, said):
    radiograph = read(tmp_path, make(gradient(), **tags))
    assert radiograph.side is side
    assert any("side" in notice for notice in radiograph.notices) == said


def view_code(value: str, meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return [item]


@pytest.mark.parametrize(
    ("tags", "view", "said"),
    [
        ({}, View.UNKNOWN, False),
        ({"ViewPosition": "AP"}, View.AP, False),
        ({"ViewPosition": "LL"}, View.LATERAL, False),
        ({"ViewPosition": "PA"}, View.OTHER, False),
        ({"ViewPosition": "SUNRISE"}, View.OTHER, False),
        ({"ViewCodeSequence": view_code("399348003", "antero-posterior")}, View.AP, False),
        ({"ViewCodeSequence": view_code("X1", "medio-lateral")}, View.LATERAL, False),
        ({"ViewCodeSequence": view_code("X2", "right anterior oblique")}, View.OTHER, False),
        ({"ViewPosition": "LL", "ViewCodeSequence": view_code("399348003", "antero-posterior")}, View.UNKNOWN, True),
    ],
)
def test_view(tmp_path, tags, view, said):
    radiograph = read(tmp_path, make(gradient(), **tags))
    assert radiograph.view is view
    assert any("view" in notice for notice in radiograph.notices) == said


@pytest.mark.parametrize(
    ("tags", "day", "said"),
    [
        ({"AcquisitionDate": "20240131", "StudyDate": "20240201"}, "2024-01-31", False),
        ({"AcquisitionDateTime": "20240131120000.000"}, "2024-01-31", False),
        ({"StudyDate": "20240201"}, "2024-02-01", False),
        ({"StudyDate": "20241301"}, "", True),
        ({"StudyDate": "00000000"}, "", True),
        ({"AcquisitionDate": "20241301", "StudyDate": "20240201"}, "2024-02-01", False),
        ({}, "", False),
    ],
)
def test_date(tmp_path, tags, day, said):
    radiograph = read(tmp_path, make(gradient(), **tags))
    assert radiograph.acquired_on == day
    assert any("date" in notice for notice in radiograph.notices) == said


def test_names_are_read_but_stay_out_of_the_notices(tmp_path):
    data = make(
        gradient(),
        PatientName="Sample^Petra",
        PatientID="12345",
        Manufacturer="ACME",
        BodyPartExamined="HIP",
        PixelSpacing=[0.0, 0.0],
        ImageLaterality="R",
        Laterality="L",
        StudyDate="20241301",
    )
    radiograph = read(tmp_path, data)
    assert (radiograph.patient_name, radiograph.patient_id) == ("Sample^Petra", "12345")
    assert (radiograph.manufacturer, radiograph.body_part, radiograph.modality) == ("ACME", "HIP", "DX")
    assert len(radiograph.notices) == 3
    assert not any("Petra" in notice or "12345" in notice for notice in radiograph.notices)
