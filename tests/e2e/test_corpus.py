"""Every file of the corpus, through the decode worker that the program uses."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imaging.radiograph import Radiograph, RadiographError, View
from imaging.reader import read_radiograph
from imaging.sources import find_sources
from imaging.worker import WorkerError, decode_worker
from inference.classifier import Classifier
from inference.model_bundle import load_bundle
from inference.prediction import Decision

SHIPPED = Path(__file__).resolve().parents[2] / "resources" / "models" / "lucency-1"

# One file may take 10 s; the worker stops it then. Half of that leaves room for a busy machine.
LIMIT_S = 10.0


@pytest.fixture(scope="module")
def worker():
    with decode_worker() as supervised:
        supervised.warm_up().result(60)
        yield supervised


@pytest.fixture(scope="module")
def outcomes(worker, corpus) -> dict[str, tuple[Radiograph | Exception, float]]:
    """name -> (what came of it, seconds)"""
    found = {}
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        start = time.perf_counter()
        outcome: Radiograph | Exception
        try:
            outcome = worker.submit(read_radiograph, path).result(60)
        except Exception as error:  # judged by the tests
            outcome = error
        found[str(path.relative_to(corpus))] = outcome, time.perf_counter() - start
    assert found
    return found


def test_every_file_opens_or_gives_one_sentence(outcomes):
    for name, (outcome, _seconds) in outcomes.items():
        if isinstance(outcome, Radiograph):
            assert np.isfinite(outcome.pixels).all(), name
            assert outcome.pixels.size, name
            assert outcome.windows, name
            continue
        assert isinstance(outcome, RadiographError), (name, outcome)
        assert not isinstance(outcome, WorkerError), (name, outcome)
        assert str(outcome).endswith("."), name
        assert "\n" not in str(outcome), name
        assert len(str(outcome)) < 200, name


def test_none_takes_long_and_the_worker_was_never_lost(outcomes, worker):
    slowest = max(outcomes, key=lambda name: outcomes[name][1])
    assert outcomes[slowest][1] < LIMIT_S, slowest
    assert worker.starts == 1


def test_notices_hold_nothing_of_the_patient(outcomes):
    for name, (outcome, _seconds) in outcomes.items():
        if isinstance(outcome, Radiograph):
            secrets = [secret for secret in (outcome.patient_name, outcome.patient_id) if len(secret) > 3]
            assert not [secret for secret in secrets for notice in outcome.notices if secret in notice], name


def test_real_radiographs_all_open(outcomes):
    names = [name for name in outcomes if name.startswith("radiographs")]
    assert names
    for name in names:
        assert isinstance(outcomes[name][0], Radiograph), (name, outcomes[name][0])


def test_none_shows_a_replacement_and_that_is_the_reason(outcomes):
    """From the pixels alone: what the tags say of chest and leg is withheld."""
    classifier = Classifier(load_bundle(SHIPPED), "cpu", cpu_threads=1)
    for name, (radiograph, _) in outcomes.items():
        if name.startswith("radiographs"):
            bare = replace(radiograph, modality="", body_part="", view=View.UNKNOWN)
            for prediction in classifier.assess(bare):
                assert prediction.decision is Decision.NOT_ASSESSABLE, name
                assert prediction.reason == "No hip replacement is seen in this region.", name


def test_three_encodings_of_one_hip_are_the_same_pixels(outcomes):
    hips = [outcome for name, (outcome, _) in outcomes.items() if Path(name).name.startswith("hip_native_")]
    assert len(hips) == 3
    first, *others = hips
    assert isinstance(first, Radiograph)
    assert first.shape == (2140, 1760)
    for other in others:
        assert isinstance(other, Radiograph)
        np.testing.assert_array_equal(other.pixels, first.pixels)
        assert other.windows == first.windows
        assert other.spacing_mm == first.spacing_mm


def test_both_encodings_of_the_monochrome1_leg_are_the_same_pixels(outcomes):
    legs = [outcome for name, (outcome, _) in outcomes.items() if Path(name).name.startswith("leg_monochrome1_")]
    assert len(legs) == 2
    assert all(isinstance(leg, Radiograph) and leg.inverted for leg in legs)
    np.testing.assert_array_equal(legs[0].pixels, legs[1].pixels)


@pytest.mark.parametrize("encoding", ["rle", "j2k_lossless"])
def test_bone_is_brighter_than_air_in_the_monochrome1_leg(outcomes, encoding):
    leg = outcomes[f"radiographs/leg_monochrome1_{encoding}.dcm"][0]
    assert isinstance(leg, Radiograph)
    rows, cols = leg.shape
    row = slice(int(0.30 * rows), int(0.34 * rows))
    bone, air = leg.pixels[row, int(0.48 * cols)].mean(), leg.pixels[row, int(0.30 * cols)].mean()
    assert bone > air + 100


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("varied/rtplan.dcm", "holds a treatment plan, no image"),
        ("varied/no_meta_group_length.dcm", "holds no image"),
        ("malformed/cat04_pixel_data/TC0285_buf_half.dcm", "pixel data are shorter than the header says"),
        ("malformed/cat04_pixel_data/TC0295_rows_zero.dcm", "64 x 0 pixels"),
        ("malformed/cat04_pixel_data/TC0339_mf_nf_million.dcm", "shorter than the header says"),
        ("malformed/cat04_pixel_data/TC0317_bits_ba_128.dcm", "128 bits"),
    ],
)
def test_sentence_names_the_fault(outcomes, name, words):
    outcome = outcomes[name][0]
    assert isinstance(outcome, RadiographError)
    assert words in str(outcome)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("radiographs/infant_pelvis_10.dcm", "exactly 1 mm"),
        ("radiographs/chest_monochrome1_j2k.dcm", "not a length"),
        ("radiographs/hip_native_uncompressed.dcm", "does not say that its pixel spacing is calibrated"),
    ],
)
def test_doubtful_spacing_is_said(outcomes, name, words):
    outcome = outcomes[name][0]
    assert isinstance(outcome, Radiograph)
    assert any(words in notice for notice in outcome.notices)


@pytest.mark.parametrize("name", ["ExplVR_BigEnd", "Fake_MONOHR1", "JPEG-lossy", "SC_rgb_jpeg_dcmtk", "badVR", "color-pl", "mlut_18", "vlut_04"])  # fmt: skip
def test_varied_files_open(outcomes, name):
    assert isinstance(outcomes[f"varied/{name}.dcm"][0], Radiograph), outcomes[f"varied/{name}.dcm"][0]


def test_the_whole_folder_is_found(outcomes, corpus):
    assert {str(source.path.relative_to(corpus)) for source in find_sources([corpus])} == set(outcomes)
