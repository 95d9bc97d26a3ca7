"""The projected renderer: true lengths, true masks, one truth for both renderers, nothing but the hip tells the class."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import ndimage

from imaging.zones import CUP_ZONES, GRUEN_ZONES
from training.dataset import read_records
from training.prepare import prepare
from training.simulation import Label, SimulationOptions, Suitability
from training.simulation.canvas import Canvas
from training.simulation.projection.rays import Beam, Plane, Pose, turned
from training.simulation.projection.shapes import merged, rod, sphere
from training.simulation.renderers import Renderer, draw
from training.simulation.visibility import MIN_VISIBLE_SHARE

SMALL = SimulationOptions(size_px=(280, 300), work_spacing_mm=0.7, pelvis_share=0.0, borderline_share=0.0)
CLEAN = replace(SMALL, clean=True, overlays=False)


def projected(index, options=SMALL, seed=60):
    return draw(seed, index, options, Renderer.PROJECTION)


def grey(image):
    values = image.pixels.astype(np.float32) / ((1 << image.bits) - 1)
    return 1 - values if image.truth.nuisance["inverted"] else values


@pytest.fixture(scope="module")
def images():
    return [projected(index, replace(SMALL, prevalence=float(index % 2 == 0))) for index in range(4)]


# --- rays ----------------------------------------------------------------------------------------------


def beam(spacing=0.5, side=160, source=(30.0, -20.0, 900.0)):
    half = spacing * (side - 1) / 2
    return Beam(Canvas(side, side, np.array([[spacing, 0, -half], [0, spacing, -half]])), source)


def chords(center, radius, source=(30.0, -20.0, 900.0)):
    """Through a ball, worked out from the ray of each pixel."""
    u, v = beam().canvas.coordinates
    points = np.stack([u, v, np.zeros_like(u)], axis=-1).astype(float)
    way = points - np.array(source)
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    to = np.array(center) - np.array(source)
    nearest = way @ to
    return 2 * np.sqrt(np.maximum(radius**2 - (to @ to - nearest**2), 0)) * np.abs(way[..., 2])


@pytest.mark.parametrize("center", [(0.0, 0.0, 0.0), (9.0, -12.0, 40.0), (-15.0, 8.0, -60.0)])
def test_the_path_through_a_ball_is_its_chord_in_perspective(center):
    rays = beam().window(Pose(np.eye(3), np.zeros(3)), np.array(center) - 20, np.array(center) + 20, 2.0, 2.0)
    found = rays.paths([sphere(*rays.points, center, 16.0)])[0]
    expected = chords(center, 16.0)[rays.slices]
    assert np.abs(found - expected).mean() < 0.1
    assert np.abs(found - expected)[expected > 8].max() < 0.5


def test_a_turned_body_is_where_its_pose_puts_it():
    pose = Pose(np.eye(3), np.zeros(3)).moved(turned(20, -15, 40), (5.0, 10.0, -8.0))
    points = np.array([(3.0, 4.0, 5.0), (-7.0, 0.0, 2.0)])
    np.testing.assert_allclose(pose.local(pose.world(points)), points, atol=1e-9)
    x, y = beam().pixels(pose.world([(0.0, 0.0, 0.0)]))[0]
    rays = beam().window(pose, (-9, -9, -9), (9, 9, 9), 1.5, 1.5)
    row, col = ndimage.center_of_mass(rays.paths([sphere(*rays.points, (0, 0, 0), 6.0)])[0])
    assert (col + rays.slices[1].start, row + rays.slices[0].start) == pytest.approx((x, y), abs=0.3)


def test_a_plane_in_the_picture_agrees_with_the_rays():
    pose = Pose(np.eye(3), np.zeros(3)).moved(turned(8, 12, 25), (3.0, -4.0, 30.0))
    plane = Plane.of(beam(), pose, (5.0, 20.0))
    np.testing.assert_allclose(plane.to_pixels([(5.0, 20.0)]), beam().pixels(pose.world([(5.0, 20.0, 0.0)])), atol=1e-9)
    affine = np.linalg.solve(plane.matrix[:, :2], np.array([25.0, 40.0]) - plane.matrix[:, 2])
    assert np.abs(affine - plane.to_pixels([(25.0, 40.0)])[0]).max() < 1.0


def test_a_union_is_no_smaller_than_its_parts():
    x, y, z = np.meshgrid(*[np.linspace(-20, 20, 21, dtype=np.float32)] * 3)
    a, b = sphere(x, y, z, (0, 0, 0), 8.0), rod(x, y, z, (0, 0, 0), (15, 5, 0), 4.0, 2.0)
    assert (merged(a, b, 3.0) <= np.minimum(a, b) + 1e-5).all()


# --- truth ---------------------------------------------------------------------------------------------


def test_same_seed_and_index_give_the_same_image_in_any_order():
    cheap = replace(SMALL, suitability="native")
    forward = [projected(index, cheap, seed=5) for index in (0, 1)]
    for one, other in zip(forward, [projected(index, cheap, seed=5) for index in (1, 0)][::-1], strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.truth.nuisance == other.truth.nuisance


def test_both_renderers_give_the_same_structure():
    layered, spatial = (draw(4, 0, SMALL, renderer) for renderer in (Renderer.LAYERED, Renderer.PROJECTION))
    assert (layered.truth.nuisance["projected"], spatial.truth.nuisance["projected"]) == (0, 1)
    assert layered.truth.nuisance.keys() <= spatial.truth.nuisance.keys()
    one, other = layered.truth.hips[0], spatial.truth.hips[0]
    assert one.landmarks_px.keys() == other.landmarks_px.keys()
    assert one.zone_widths_mm.keys() == other.zone_widths_mm.keys() == set(GRUEN_ZONES) | set(CUP_ZONES)
    for field in fields(one):
        assert type(getattr(one, field.name)) is type(getattr(other, field.name)), field.name


def test_a_mix_is_drawn_by_both():
    found = {
        draw(8, index, replace(SMALL, suitability="blank"), Renderer.BOTH).truth.nuisance["projected"]
        for index in range(12)
    }
    assert found == {0.0, 1.0}
    again = [
        draw(8, index, replace(SMALL, suitability="blank"), Renderer.BOTH, 1.0).truth.nuisance["projected"]
        for index in range(4)
    ]
    assert again == [1.0] * 4


def test_prepare_draws_from_both_and_says_which(tmp_path):
    options = replace(SMALL, suitability="blank")
    assert prepare(tmp_path, count=12, images=12, seed=8, options=options, workers=1, renderer=Renderer.BOTH) == 12
    assert {record["nuisance"]["projected"] for record in read_records(tmp_path)} == {0.0, 1.0}


def test_labels_and_masks_agree(images):
    for image in images:
        hip = image.truth.hips[0]
        assert image.truth.suitability is Suitability.SUITABLE
        assert hip.implant_mask.any()
        assert not (hip.lucency_mask & hip.implant_mask).any()
        if hip.label is Label.FIXED:
            assert not hip.lucency_mask.any()
        if hip.label is Label.LOOSE:
            assert hip.lucency_mask.sum() > 10
            assert (hip.lucency_mask & hip.interface_mask).sum() > 0.6 * hip.lucency_mask.sum()
        for part in (hip.stem, hip.cup):
            if part.label is Label.LOOSE:
                assert part.line_visible_share >= MIN_VISIBLE_SHARE


def test_lines_are_darker_than_what_is_beside_them(images):
    differences = []
    for image in images:
        values, line = grey(image), image.truth.hips[0].lucency_mask
        if line.any():
            beside = (ndimage.binary_dilation(line, iterations=3) & ~line).astype(np.float32)
            weight = ndimage.gaussian_filter(beside, 2.0)
            around = ndimage.gaussian_filter(values * beside, 2.0) / np.maximum(weight, 1e-6)
            differences.append(float((around - values)[line & (weight > 0.02)].mean()))
    assert differences
    assert np.mean(np.array(differences) > 0.01) > 0.7


def test_metal_is_where_the_landmarks_say():
    """Within a millimetre: the head's outline and the stem's tip, against the metal that is drawn."""
    for index in range(2):
        image = projected(index, replace(CLEAN, prevalence=0.0, hard_share=0.0))
        hip, (row_mm, col_mm) = image.truth.hips[0], image.spacing_mm
        (x, y), radius = hip.landmarks_px["head_center"], hip.landmarks_px["head_radius_px"]
        rows, cols = np.indices(image.pixels.shape)
        ball = np.hypot((cols - x) * col_mm, (rows - y) * row_mm) < radius * np.sqrt(row_mm * col_mm) - 1.0
        assert hip.implant_mask[ball].mean() > 0.99
        tip = np.array(hip.landmarks_px["stem_tip"]) * (col_mm, row_mm)
        metal = np.argwhere(hip.implant_mask)[:, ::-1] * (col_mm, row_mm)
        axis = tip - np.array(hip.landmarks_px["stem_axis_top"]) * (col_mm, row_mm)
        axis /= np.hypot(*axis)
        if 0 < hip.landmarks_px["stem_tip"][1] < image.pixels.shape[0] - 4:
            assert ((metal - tip) @ axis).max() == pytest.approx(0, abs=1.0)


# --- nothing but the hip tells the class -----------------------------------------------------------------


def test_a_hip_drawn_loose_and_fixed_differs_only_near_the_implant():
    for index in (0,):
        fixed, loose = (projected(index, replace(CLEAN, prevalence=share), seed=91) for share in (0.0, 1.0))
        assert fixed.pixels.shape == loose.pixels.shape
        assert fixed.truth.nuisance == loose.truth.nuisance
        far = np.ones(fixed.pixels.shape, bool)
        for image in (fixed, loose):
            hip = image.truth.hips[0]
            near = ndimage.binary_dilation(
                hip.implant_mask | hip.interface_mask, iterations=round(14 / min(image.spacing_mm))
            )
            box = hip.region
            rows, cols = np.indices(near.shape)
            inside = (cols > box.x) & (cols < box.x + box.width) & (rows > box.y) & (rows < box.y + box.height)
            far &= ~(near | inside)
        changed = np.abs(grey(fixed) - grey(loose))
        if far.sum() > 200:
            assert np.percentile(changed[far], 95) < 0.02
        assert changed.max() > 0.05


@pytest.mark.parametrize("kind", [Suitability.NATIVE, Suitability.CROPPED, Suitability.UNCOVERED_DESIGN])
def test_each_unsuitable_kind(kind):
    image = projected(1, replace(SMALL, suitability=str(kind)), seed=62)
    assert image.truth.suitability is kind
    assert all(hip.label is None for hip in image.truth.hips)
    if kind is not Suitability.UNCOVERED_DESIGN:  # plates and nails are no replacement
        assert [hip.implant_mask.any() for hip in image.truth.hips] == [kind is Suitability.CROPPED]


def test_resurfacings_and_balls_show_metal():
    for index, design in ((5, "resurfacing"), (7, "hemiarthroplasty")):
        image = projected(index, replace(SMALL, suitability="uncovered_design"), seed=77)
        assert image.truth.notes == (design,)
        assert image.truth.hips[0].implant_mask.sum() > 100
        assert image.truth.hips[0].replaced


def test_a_pelvis_has_both_hips():
    image = projected(0, replace(SMALL, pelvis_share=1.0, bilateral_share=1.0))
    assert [hip.replaced for hip in image.truth.hips] == [True, True]
    left, right = sorted(image.truth.hips, key=lambda hip: hip.landmarks_px["head_center"][0])
    assert (left.side.value, right.side.value) == ("R", "L")  # the patient's right is on the left
