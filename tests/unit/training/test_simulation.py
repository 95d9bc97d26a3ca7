"""Simulated radiographs: reproducible, true to their truth, visible, written as files that the program reads."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from imaging.dicom import BURNED_IN
from imaging.reader import read_radiograph
from imaging.zones import CUP_ZONES, GRUEN_ZONES
from training.__main__ import main
from training.prepare import prepare
from training.simulation import Label, SimulationOptions, Suitability, simulate
from training.simulation.canvas import Canvas, half_depth, polygon_distance, polyline_distance
from training.simulation.evaluation_sets import (
    EVALUATION_SETS,
    PIXEL_TOLERANCE,
    RESERVED_SEEDS,
    VERSION,
    fingerprint,
    frozen_record,
    pixel_statistics,
)
from training.simulation.manifest import rows_of, write_manifest
from training.simulation.physics import Exposure, Paths, add_noise, project, spectrum
from training.simulation.samples import SAMPLES, SAMPLES_FOLDER
from training.simulation.stem_families import SHIFTED_FAMILIES
from training.simulation.visibility import MIN_VISIBLE_SHARE

SMALL = SimulationOptions(size_px=(320, 420), work_spacing_mm=0.5)


def grey(image):
    values = image.pixels.astype(np.float32) / ((1 << image.bits) - 1)
    return 1 - values if image.truth.nuisance["inverted"] else values


@pytest.fixture(scope="module")
def images():
    options = replace(SMALL, pelvis_share=0.2)
    return [simulate(60, index, options) for index in range(24)]


# --- physics -------------------------------------------------------------------------------------------


def test_half_depth_of_a_cylinder_is_exact():
    radius = 7.0
    across = np.linspace(0, 9, 40, dtype=np.float32)
    expected = np.sqrt(np.maximum(radius**2 - across**2, 0))
    np.testing.assert_allclose(half_depth(across - radius, radius), expected, atol=1e-4)
    shell = half_depth(across - radius, radius, 2.0)
    np.testing.assert_allclose(shell, np.sqrt(np.maximum(9.0**2 - across**2, 0)), atol=1e-4)


def test_distances_to_a_square():
    x, y = np.meshgrid(np.arange(-10, 11, dtype=np.float32), np.arange(-10, 11, dtype=np.float32))
    square = np.array([(-5, -5), (5, -5), (5, 5), (-5, 5)], float)
    distance = polygon_distance(square, x, y)
    assert distance[10, 10] == pytest.approx(-5)
    assert distance[10, 18] == pytest.approx(3)
    assert distance[18, 18] == pytest.approx(np.hypot(3, 3), abs=1e-4)
    signed, arc, _ = polyline_distance(np.array([(0.0, -8.0), (0.0, 8.0)]), x, y)
    assert signed[10, 13] * signed[10, 7] < 0
    assert abs(signed[10, 13]) == pytest.approx(3)
    assert arc[10, 13] == pytest.approx(8)


def plain_canvas(size=40, spacing=0.5):
    return Canvas(size, size, np.array([[spacing, 0, 0], [0, spacing, 0]], float))


def test_beer_lambert_of_water_and_metal():
    exposure = Exposure(75.0, 0.0, 1e12, 0.0)
    paths = Paths(plain_canvas())
    paths["soft"][...] = 100.0
    signal = project(paths, exposure)
    weights = spectrum(75.0)
    expected = float((weights * np.exp(-100.0 * np.array([0.0285, 0.0240, 0.0217, 0.0203]))).sum())
    np.testing.assert_allclose(signal, expected, rtol=1e-4)
    behind_metal = Paths(plain_canvas())
    behind_metal["soft"][...] = 100.0
    behind_metal.insert("titanium", np.full((40, 40), 10.0, np.float32))
    assert project(behind_metal, exposure).mean() < 0.1 * signal.mean()


def test_noise_follows_the_dose():
    signal = np.full((200, 200), 0.02, np.float32)
    deviation = [add_noise(signal, photons, 0.2, np.random.default_rng(1)).std() for photons in (1e5, 4e5)]
    assert deviation[0] / deviation[1] == pytest.approx(2.0, rel=0.1)


# --- truth ---------------------------------------------------------------------------------------------


def test_same_seed_and_index_give_the_same_image_in_any_order():
    forward = [simulate(5, index, SMALL) for index in (0, 1)]
    backward = [simulate(5, index, SMALL) for index in (1, 0)][::-1]
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.truth.nuisance == other.truth.nuisance
    assert forward[0].pixels.shape != forward[1].pixels.shape or (forward[0].pixels != forward[1].pixels).any()


def test_truth_is_complete_and_consistent(images):
    for image in images:
        rows, cols = image.pixels.shape
        assert image.pixels.dtype == np.uint16
        assert image.pixels.max() < 1 << image.bits
        assert image.truth.suitability is Suitability.SUITABLE
        assert len(image.truth.hips) == (2 if image.truth.kind == "pelvis" else 1)
        for hip in image.truth.hips:
            masks = (hip.lucency_mask, hip.implant_mask, hip.interface_mask)
            assert all(mask.shape == (rows, cols) and mask.dtype == bool for mask in masks)
            if not hip.replaced:
                assert hip.label is None
                assert not hip.implant_mask.any()
                continue
            assert set(hip.zone_widths_mm) == set(GRUEN_ZONES) | set(CUP_ZONES)
            labels = {hip.stem.label, hip.cup.label}
            order = [Label.LOOSE, Label.BORDERLINE, Label.FIXED]
            assert hip.label is next(label for label in order if label in labels)
            assert hip.implant_mask.any()
            assert not (hip.lucency_mask & hip.implant_mask).any()
            if hip.label is Label.FIXED:
                assert not hip.lucency_mask.any()
                assert max(hip.zone_widths_mm.values()) <= 1.0
            for part in (hip.stem, hip.cup):
                assert part.widest_mm == pytest.approx(max(part.zone_widths_mm.values()), abs=0.02)
                if part.label is Label.LOOSE:
                    assert part.line_visible_share >= MIN_VISIBLE_SHARE


def test_a_loose_hip_has_a_lucency_mask(images):
    loose = [hip for image in images for hip in image.truth.hips if hip.label is Label.LOOSE]
    assert len(loose) > 4
    assert all(hip.lucency_mask.sum() > 10 for hip in loose)
    # Lines lie beside the implant: within the periprosthetic band but for blur at its edges.
    inside = [float((hip.lucency_mask & hip.interface_mask).sum() / hip.lucency_mask.sum()) for hip in loose]
    assert np.median(inside) > 0.8


def test_landmarks_lie_where_the_metal_is(images):
    for image in images:
        for hip in image.truth.hips:
            if not hip.replaced:
                continue
            rows, cols = image.pixels.shape
            x, y = hip.landmarks_px["head_center"]
            if 0 <= x < cols - 1 and 0 <= y < rows - 1:
                assert hip.implant_mask[round(y), round(x)]
            tip, top = np.array(hip.landmarks_px["stem_tip"]), np.array(hip.landmarks_px["stem_axis_top"])
            middle = np.round(0.5 * tip + 0.5 * top).astype(int)
            if 0 <= middle[0] < cols and 0 <= middle[1] < rows:
                near = round(3.0 / min(image.spacing_mm))  # a curved stem leaves its axis by a millimetre or two
                left, top_row = max(0, middle[0] - near), max(0, middle[1] - near)
                assert hip.implant_mask[top_row : middle[1] + near + 1, left : middle[0] + near + 1].any()
            box = hip.region
            assert box.x < x < box.x + box.width
            assert box.y < tip[1] < box.y + box.height


def test_lateral_is_on_the_right_of_a_left_hip(images):
    for image in images:
        for hip in image.truth.hips:
            lateral, center = hip.landmarks_px["trochanter_tip"][0], hip.landmarks_px["head_center"][0]
            assert (lateral > center) == (hip.side.value == "L")


def test_metal_is_brighter_than_its_surroundings(images):
    for image in images:
        values = grey(image)
        for hip in image.truth.hips:
            if hip.replaced and hip.implant_mask.sum() > 50:
                assert np.median(values[hip.implant_mask]) > np.median(values)


def test_lines_are_darker_than_their_neighbours(images):
    """Measured here anew on the final image, not taken from the truth: against the pixels just beside the line."""
    differences = []
    for image in images:
        values = grey(image)
        for hip in image.truth.hips:
            if hip.label is Label.LOOSE:
                line = hip.lucency_mask
                beside = (ndimage.binary_dilation(line, iterations=3) & ~line).astype(np.float32)
                weight = ndimage.gaussian_filter(beside, 2.0)
                around = ndimage.gaussian_filter(values * beside, 2.0) / np.maximum(weight, 1e-6)
                differences.append(float((around - values)[line & (weight > 0.02)].mean()))
    assert np.mean(np.array(differences) > 0.01) > 0.85


def test_whether_a_line_could_be_seen_is_asked_of_fixed_hips_too():
    """Drawn loose or drawn fixed, the same hips are kept: were it otherwise, few pixels would mean "fixed"."""
    coarse = SimulationOptions(size_px=(160, 165), pelvis_share=0.0, work_spacing_mm=0.5)
    lost = [
        [simulate(77, index, replace(coarse, prevalence=share)).truth for index in (0, 2, 6)] for share in (1.0, 0.0)
    ]
    kept = [[truth.label is not Label.BORDERLINE for truth in each] for each in lost]
    assert kept[0] == kept[1]
    assert not all(kept[0])
    assert any("would not be visible" in note for truth in lost[1] for note in truth.notes)


def test_mixture_follows_the_options():
    fixed = [simulate(61, index, replace(SMALL, prevalence=0.0, borderline_share=0.0)) for index in range(8)]
    assert {image.truth.label for image in fixed} == {Label.FIXED}
    pelvis = simulate(61, 0, replace(SMALL, pelvis_share=1.0, bilateral_share=1.0))
    assert [hip.replaced for hip in pelvis.truth.hips] == [True, True]
    shifted = simulate(61, 1, replace(SMALL, shifted=True))
    assert shifted.truth.hips[0].stem.family in SHIFTED_FAMILIES


@pytest.mark.parametrize("kind", [kind for kind in Suitability if kind is not Suitability.SUITABLE])
def test_each_unsuitable_kind(kind):
    image = simulate(62, 3, replace(SMALL, suitability=str(kind)))
    assert image.truth.suitability is kind
    assert all(hip.label is None for hip in image.truth.hips)
    assert image.truth.label is None
    assert max(image.pixels.shape) <= 440


def test_spacing_is_that_of_the_head(images):
    """The drawn head's radius in pixels, the head's diameter and the spacing agree, squashed images apart."""
    for image in images:
        row_mm, col_mm = image.spacing_mm
        hip = image.truth.hips[0]
        if hip.replaced and abs(row_mm / col_mm - 1) < 0.01:
            diameter_mm = 2 * hip.landmarks_px["head_radius_px"] * row_mm
            assert min(abs(diameter_mm - size) for size in (22, 26, 28, 32, 36, 40)) < 0.3


# --- files ---------------------------------------------------------------------------------------------


def test_simulate_command_writes_files_that_open_and_a_cohort(tmp_path):
    common = ["simulate", "--n", "3", "--seed", "9", "--size", "300", "--unsuitable", "0.3"]
    assert main([*common, "--out", str(tmp_path / "one"), "--workers", "1", "--as", "dicom"]) == 0
    with (tmp_path / "one" / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {"path", "patient", "side", "label", "region"} <= set(rows[0])
    for row in rows:
        radiograph = read_radiograph(tmp_path / "one" / row["path"])
        again = simulate(9, int(row["index"]), SimulationOptions(size_px=(300, 300), unsuitable_share=0.3))
        if again.spacing_mm[0] != pytest.approx(again.spacing_mm[1]):
            assert radiograph.spacing_mm is not None
            assert radiograph.spacing_mm[0] == pytest.approx(radiograph.spacing_mm[1], rel=2e-3), (
                "read with square pixels"
            )
            continue
        assert radiograph.shape == again.pixels.shape
        np.testing.assert_array_equal(radiograph.pixels, grey(again) * ((1 << again.bits) - 1))


def test_manifest_is_the_same_whatever_the_worker_count(tmp_path):
    common = ["simulate", "--n", "4", "--seed", "9", "--size", "200", "--single"]
    main([*common, "--out", str(tmp_path / "one"), "--workers", "1"])
    main([*common, "--out", str(tmp_path / "two"), "--workers", "2"])
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_manifest_has_a_row_per_hip(images, tmp_path):
    count = write_manifest((row for i, image in enumerate(images) for row in rows_of(image, f"{i}.png", 60, i)), tmp_path / "m.csv")  # fmt: skip
    assert count == sum(len(image.truth.hips) for image in images)


# --- frozen sets and samples ---------------------------------------------------------------------------


def test_evaluation_sets_are_frozen():
    """A failure here means that parameter ranges changed: make it a new version, keep the old results."""
    record = frozen_record()
    assert record["version"] == VERSION
    assert set(record["fingerprints"]) == set(EVALUATION_SETS)
    for name, each in EVALUATION_SETS.items():
        assert fingerprint(each) == record["fingerprints"][name], name
        assert record["sets"][name] == {"seed": each.seed, "count": each.count}
    assert EVALUATION_SETS["fresh"].count >= 2000
    assert len({each.seed for each in EVALUATION_SETS.values()}) == len(EVALUATION_SETS)


@pytest.mark.parametrize("name", sorted(EVALUATION_SETS))
def test_pixels_of_the_evaluation_sets_are_frozen(name):
    """The physics and the processing are pinned by what they render, within what platforms differ by."""
    frozen = np.array(frozen_record()["pixel_statistics"][name])
    np.testing.assert_allclose(pixel_statistics(EVALUATION_SETS[name]), frozen, atol=PIXEL_TOLERANCE)


def test_a_quarter_of_the_frozen_sets_is_hard():
    for name, found in frozen_record()["difficulty"].items():
        share = (
            found["hard_among_loose"] * found["loose_hips"]
            + found["hard_among_fixed"] * (found["replaced_hips"] - found["loose_hips"])
        ) / found["replaced_hips"]
        assert share >= 0.25, name


def test_earlier_versions_stay_on_record():
    for version in range(1, VERSION):
        assert len(frozen_record(version)["fingerprints"]) == 5


def test_reserved_seeds_are_refused_in_words(tmp_path, capsys):
    for seed in (9001, EVALUATION_SETS["fresh"].seed):
        assert seed in RESERVED_SEEDS
        for command in ("simulate", "prepare"):
            with pytest.raises(SystemExit) as stopped:
                main([command, "--n", "1", "--seed", str(seed), "--out", str(tmp_path / "no")])
            assert stopped.value.code == 2
            assert "evaluation set" in capsys.readouterr().err
        with pytest.raises(ValueError, match="evaluation set"):
            prepare(tmp_path / "no", count=1, seed=seed, options=SMALL, workers=1)
    assert not (tmp_path / "no").exists()


def test_a_frozen_version_is_not_written_over(capsys):
    assert main(["freeze", "--images", "1", "--workers", "1"]) == 1
    assert "frozen already" in capsys.readouterr().err


def test_samples_are_there_and_open():
    index = json.loads((SAMPLES_FOLDER / "index.json").read_text(encoding="utf-8"))["samples"]
    assert [row["id"] for row in index] == [sample.name for sample in SAMPLES]
    assert index[0]["id"] == "loose-cemented"
    assert sum(path.stat().st_size for path in Path(SAMPLES_FOLDER).iterdir()) < 15_000_000
    for row in index:
        radiograph = read_radiograph(SAMPLES_FOLDER / row["file"])
        truth = json.loads((SAMPLES_FOLDER / f"{row['id']}.truth.json").read_text(encoding="utf-8"))
        assert truth["simulated"] is True
        assert radiograph.patient_name.startswith("Simulated")
        # The mark that the picture is simulated is written into it, as the header says.
        said = [notice for notice in radiograph.notices if notice != BURNED_IN]
        assert all(notice.startswith("The file's pixels are not square") for notice in said)
        assert max(radiograph.shape) >= 1200
