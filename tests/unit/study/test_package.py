"""The reader package: nothing in it tells who the patient is, what the truth is, or what the CNN says."""

from __future__ import annotations

import zipfile

import msgspec
import numpy as np
import pytest
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from imaging.radiograph import Side, SpacingSource
from imaging.reader import read_radiograph
from study.chain import canonical_json
from study.package import PackageError, deidentified, open_package
from study.protocol import Protocol, TrainingData, protocol_sha256
from study.truth import commitment
from tests.unit.imaging import dicom_maker
from tests.unit.study.study_maker import PASSPHRASE, protocol, registered, session_of

TEXT_VRS = {"LO": 64, "SH": 16, "PN": 64, "LT": 500, "ST": 500, "UT": 500, "AE": 16, "UC": 60}


def canary_tags() -> dict[str, str]:
    """A string that is found nowhere else for every text element of the dictionary."""
    tags = {}
    for tag, (vr, _, _, retired, keyword) in DicomDictionary.items():
        if tag >> 16 > 2 and vr in TEXT_VRS and keyword and not retired and not keyword.startswith("WindowCenterWidth"):
            tags[keyword] = f"CANARY{len(tags):05d}X"
    return tags


def make_package(tmp_path, **changes):
    value = protocol(planned_cases=4, **changes)
    coordinator, machine, draft, read = registered(tmp_path, value, count=4)
    coordinator.enrol("R1", PASSPHRASE)
    images = coordinator.prepare(read, tmp_path / "prepared")
    path = tmp_path / "R1.lucency-reader"
    coordinator.hand_out("R1", path, images, PASSPHRASE, burned_in_checked=True)
    return path, coordinator, machine, draft


def unpacked(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def test_no_canary_leaves_the_hospital(tmp_path):
    tags = canary_tags()
    assert len(tags) >= 100
    inner = Dataset()
    inner.PatientName = "CANARYNESTED^X"
    pixels = np.arange(600, dtype=np.uint16).reshape(30, 20)
    uid = "1.2.840.99999.1234567"
    dates = {
        "PatientBirthDate": "19470229"[:6] + "28",
        "StudyDate": "19991231",
        "AcquisitionDateTime": "19991231235959",
    }
    data = dicom_maker.make(
        pixels,
        bits=12,
        **tags,
        **dates,
        SOPInstanceUID=uid,
        StudyInstanceUID=uid + ".2",
        RequestAttributesSequence=[inner],
    )
    data = b"CANARYPREAMBLE".ljust(128, b"!") + data[128:]
    source = tmp_path / "CANARYFILE Smith.dcm"
    source.write_bytes(data)
    assert data.count(b"CANARY") >= 100
    radiograph = read_radiograph(source)
    made, lossless = deidentified(radiograph)
    assert lossless
    for leak in (b"CANARY", b"Smith", uid.encode(), b"19991231", b"19470228", radiograph.sha256.encode()):
        assert leak not in made
    assert made[:128] == b"\0" * 128
    assert np.array_equal(read_radiograph(write(tmp_path, made)).pixels, radiograph.pixels)


def write(folder, data):
    path = folder / "made.dcm"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("calibration", [None, "GEOMETRY"])
def test_grey_values_scale_side_and_window_survive(tmp_path, calibration):
    pixels = np.random.default_rng(1).integers(0, 4096, (40, 30)).astype(np.uint16)
    spacing = (
        {"PixelSpacing": [0.2, 0.2005], "PixelSpacingCalibrationType": "GEOMETRY"}
        if calibration
        else {"ImagerPixelSpacing": [0.143, 0.143]}
    )
    path = write(
        tmp_path,
        dicom_maker.make(
            pixels,
            bits=12,
            PhotometricInterpretation="MONOCHROME1",
            ImageLaterality="L",
            ViewPosition="AP",
            WindowCenter="2000",
            WindowWidth="3000",
            RescaleSlope="1",
            RescaleIntercept="-100",
            **spacing,
        ),
    )
    before = read_radiograph(path)
    made, lossless = deidentified(before)
    again = tmp_path / "again.dcm"
    again.write_bytes(made)
    after = read_radiograph(again)
    assert lossless
    assert np.array_equal(after.pixels, before.pixels)
    assert (after.spacing_mm, after.spacing_source) == (before.spacing_mm, before.spacing_source)
    assert after.spacing_source is (SpacingSource.CALIBRATED if calibration else SpacingSource.DETECTOR)
    assert (after.side, after.view) == (Side.LEFT, before.view)
    assert after.windows[0].levels == pytest.approx(before.windows[0].levels)
    assert after.patient_name == after.patient_id == after.acquired_on == after.manufacturer == ""


def test_the_same_pixels_give_the_same_file(tmp_path):
    pixels = np.arange(600, dtype=np.uint16).reshape(30, 20)
    files = []
    for name in ("A", "B"):
        files.append(
            deidentified(read_radiograph(write(tmp_path, dicom_maker.make(pixels, bits=12, PatientName=name))))[0]
        )
    assert files[0] == files[1]


def test_a_package_holds_neither_truth_nor_cnn_nor_names(tmp_path):
    path, coordinator, _, draft = make_package(tmp_path)
    parts = unpacked(path)
    everything = b"\n".join([*(name.encode() for name in parts), *parts.values()])
    manifest = parts["manifest.json"]
    for leak in (b"Person", b"hip 0", b"hip 1", b'truth":', b"decision", b"coordinator/", str(tmp_path).encode()):
        assert leak not in everything
    for case in draft.named.values():
        assert case.image_sha256.encode() not in everything
    registered_truth = canonical_json(coordinator.state().registered.truth).encode()
    assert registered_truth not in manifest
    sizes = {len(data) for name, data in parts.items() if name.startswith("aids/")}
    assert len(sizes) == 1  # neither the decision nor a missing map shows in the size


def test_an_opened_package_gives_images_and_sealed_answers(tmp_path):
    path, coordinator, _, draft = make_package(tmp_path)
    package = open_package(path)
    assert package.manifest_sha256 == coordinator.state().readers["R1"].package.manifest_sha256
    for case in package.plan.cases:
        source = draft.named[case.id].source
        assert np.array_equal(read_radiograph(package.image(case.id)).pixels, read_radiograph(source).pixels)
        assert read_radiograph(package.image(case.id)).sha256 == case.image_sha256
        assert commitment(package.open_aid(case.id)) == package.plan.aids[case.id]


def test_the_map_stays_out_where_the_overlay_is_not_allowed(tmp_path):
    path, *_ = make_package(tmp_path, overlay_allowed=False)
    package = open_package(path)
    assert all(package.open_aid(case.id).map is None for case in package.plan.cases)


def test_every_damage_is_a_sentence(tmp_path):
    path, *_ = make_package(tmp_path)
    data = path.read_bytes()
    parts = unpacked(path)
    broken = tmp_path / "broken.lucency-reader"
    for cut in (0, 10, len(data) // 2, len(data) - 5):
        broken.write_bytes(data[:cut])
        with pytest.raises(PackageError, match="broken"):
            open_package(broken)
    for name in parts:
        for change in ("flip", "drop"):
            with zipfile.ZipFile(broken, "w") as archive:
                for other, content in parts.items():
                    if other == name and change == "drop":
                        continue
                    flipped = bytes([content[0] ^ 1]) + content[1:] if other == name else content
                    archive.writestr(other, flipped)
            with pytest.raises(PackageError):
                open_package(broken)
    with zipfile.ZipFile(broken, "w") as archive:
        for other, content in parts.items():
            newer = content.replace(b'"version":1', b'"version":2') if other == "manifest.json" else content
            archive.writestr(other, newer)
    with pytest.raises(PackageError, match="newer version"):
        open_package(broken)
    with pytest.raises(PackageError, match="does not exist"):
        open_package(tmp_path / "none")


def test_the_session_of_a_package_starts_at_its_first_case(tmp_path):
    path, *_ = make_package(tmp_path)
    session = session_of(path)
    assert session.progress().practice_total == 1
    assert session.current.slot.practice


def test_checking_says_how_far_it_is_and_can_be_stopped(tmp_path):
    path, *_ = make_package(tmp_path)
    told = []
    open_package(path, lambda done, total: told.append((done, total)) or True)
    assert len(told) == 5 + 5, "images and answers of four cases and one for practice"
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert all(0 <= done < total for done, total in told)
    with pytest.raises(PackageError, match="Stopped"):
        open_package(path, lambda done, total: False)


def test_a_protocol_of_a_newer_program_is_told_from_damage(tmp_path):
    path, *_ = make_package(tmp_path)
    parts = unpacked(path)
    newer = parts["manifest.json"].replace(b'"schema":2', b'"anew":true,"schema":3')
    assert newer != parts["manifest.json"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, newer if name == "manifest.json" else data)
    with pytest.raises(PackageError, match="newer version of the program"):
        open_package(path)


def test_a_package_says_what_the_cnn_learnt_from(tmp_path):
    path, *_ = make_package(tmp_path, bundle_training=TrainingData.CLINICAL)
    assert open_package(path).protocol.bundle_training is TrainingData.CLINICAL


def test_a_protocol_of_before_that_was_recorded_keeps_its_hash():
    old = protocol(schema=1)
    assert old.bundle_training is msgspec.UNSET
    assert "bundle_training" not in canonical_json(old)
    assert protocol_sha256(old) == "ae4b0fb97c3e5cc9984e8da95a75c58faf0fa6caf282636ed38f180201154e69"
    assert msgspec.json.decode(canonical_json(old), type=Protocol) == old
