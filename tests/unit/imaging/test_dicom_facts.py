"""Scale, side, view and date: nothing guessed silently, contradictions said."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from imaging.radiograph import Side, SpacingSource, View
from tests.unit.imaging.dicom_maker import gradient, make
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
        pytest.param({"ImagerPixelSpacing": [0.2]}, None, NONE, "not a length", id="one value"),
        pytest.param({"PixelSpacing": [5.0, 5.0]}, (5.0, 5.0), DETECTOR, "unusual", id="unusual"),
        pytest.param({"PixelSpacing": [0.1, 0.3]}, (0.1, 0.3), DETECTOR, "very different", id="anisotropic"),
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
