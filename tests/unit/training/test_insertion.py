"""Lines inserted into films: only the line differs, it is where its mask is, and its label follows the rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy import ndimage

from inference.lucency_net import AUXILIARY, COMPONENTS, LANDMARKS, SUITABILITY, LucencyNet
from training.dataset import CACHE_SIZE, MASKS, fold_of, in_fold, load_shards
from training.fit import FitOptions, Sampler, _network_step
from training.insertion import command, outlines
from training.insertion.films import CutHip, cut, read_films, read_grey, regions
from training.insertion.lines import BORDERLINE, draw, film_of, plan, sham
from training.insertion.outlines import Outlines, distance_from

SIZE = 331
HEAD, TIP, SHOULDER = (110, 60), (215, 300), (240, 90)
TABLE = "file,group,kind,side_in_image,folder_label,implant,fixation_stem,cup_visible,stem_visible,head_center,head_rx_px,head_ry_px,head_seen,stem_tip,shoulder,drawn_on,drawn_boxes,lucency_seen,lucency_zones,note\n"


def film(folder: Path, name: str, *, implant: bool = True) -> np.ndarray:
    """A drawn hip: bone of two cortices, a stem, a head in a cup, all within soft tissue. Returns its grey values."""
    image = Image.new("L", (SIZE, SIZE), 60)
    pen = ImageDraw.Draw(image)
    pen.polygon([(180, 80), (280, 70), (265, 331), (185, 331)], fill=150)
    pen.ellipse([30, 5, 190, 130], fill=150)
    if implant:
        pen.ellipse([60, 20, 160, 100], fill=245)
        pen.polygon([(140, 60), (205, 95), SHOULDER, (240, 150), TIP, (208, 292), (200, 140), (130, 90)], fill=245)
    pixels = np.asarray(image, np.float32)
    rng = np.random.default_rng(len(name))
    pixels = ndimage.gaussian_filter(pixels, 1.3) + rng.normal(0, 2, pixels.shape)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name)
    return pixels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = TABLE
    for number, fixation in enumerate(("cemented", "cementless")):
        film(tmp_path, f"{number}.png")
        rows += (
            f"{number}.png,g{number},crop,,,thr,{fixation},2,2,{HEAD[0]} {HEAD[1]},40,34,yes,"
            f"{TIP[0]} {TIP[1]},{SHOULDER[0]} {SHOULDER[1]},none,,no,,\n"
        )
    film(tmp_path, "2.png", implant=False)
    rows += "2.png,g2,native,,,,,0,0,,,,,,,none,,no,,\n"
    (tmp_path / "seen.csv").write_text(rows)
    return tmp_path


@pytest.fixture(autouse=True)
def _seen_by_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outlines come from a trained network; here, from what was drawn."""

    def look(_network: LucencyNet, hip: CutHip) -> tuple[np.ndarray, np.ndarray]:
        metal = ndimage.gaussian_filter(hip.grey, 2) > 0.85
        away = ndimage.distance_transform_edt(~metal)
        band = ((away > 0) & (away < 9)).astype(np.float32)
        rows = np.arange(CACHE_SIZE)[:, None]
        cup = band * (rows < hip.landmarks[LANDMARKS.index("head_center"), 1])
        stem = band * (rows > hip.landmarks[LANDMARKS.index("shoulder"), 1])
        dense = np.stack([{"implant": metal, "stem_interface": stem, "cup_interface": cup}[name] for name in AUXILIARY])
        return dense.astype(np.float32), np.zeros((len(LANDMARKS), 3), np.float32)

    monkeypatch.setattr(outlines, "look", look)


def hip_of(folder: Path, number: int = 0) -> tuple[CutHip, Outlines]:
    row = read_films(folder)[number]
    pixels = read_grey(row.path)
    hip = cut(row, pixels, regions(row, pixels.shape)[0])
    return hip, outlines.outlines(LucencyNet(), hip)


def test_the_table_is_read_and_the_label_of_its_folder_is_not(folder: Path) -> None:
    first, _, native = read_films(folder)
    assert (first.implant, first.fixation, first.head, first.tip) == ("thr", "cemented", HEAD, TIP)
    assert native.implant == ""
    assert not hasattr(first, "folder_label")


def test_outlines_follow_the_metal(folder: Path) -> None:
    hip, found = hip_of(folder)
    assert found.stem is not None
    edge = ndimage.distance_transform_edt(found.metal) + ndimage.distance_transform_edt(~found.metal)
    at = found.stem.points.astype(int)
    assert np.median(edge[at[:, 1], at[:, 0]]) < 3
    assert list(dict.fromkeys(found.stem.zone.tolist())) == list("1234567")
    tip = hip.landmarks[LANDMARKS.index("stem_tip")]
    assert np.hypot(*(found.stem.points[found.stem.zone == "4"] - tip).T).min() < 15


@pytest.mark.parametrize("kind", ["loose", "partial", "lookalike"])
def test_only_the_line_changes(folder: Path, kind: str) -> None:
    hip, found = hip_of(folder)
    interface = found.stem
    assert interface is not None
    seen, near = film_of(hip, found), distance_from(interface, hip.mm_px)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        line = plan(rng, hip, interface, kind)
        drawn = draw(rng, seen, hip, interface, line, near)
        changed = np.abs(drawn.grey - hip.grey) > 1e-4
        reach = np.zeros_like(changed)
        close = near.outward_mm < 16
        reach[near.rows[close], near.cols[close]] = True
        assert not (changed & ~reach).any(), "nothing away from the interface"
        if drawn.mask.any():
            assert float((drawn.grey - hip.grey)[drawn.mask].mean()) < 0, "a lucent line is darker"
            assert not (drawn.mask & ndimage.binary_erosion(found.metal, iterations=4)).any(), "not within the metal"


def test_labels_follow_the_rule(folder: Path) -> None:
    hip, found = hip_of(folder)
    assert found.stem is not None
    rng = np.random.default_rng(1)
    labels = {kind: {plan(rng, hip, found.stem, kind).label() for _ in range(25)} for kind in ("lookalike", "partial")}
    assert labels["lookalike"] == {0.0}
    assert BORDERLINE in labels["partial"]
    loose = [plan(rng, hip, found.stem, "loose") for _ in range(25)]
    for line in loose:
        wide, round_about = (line.width_mm >= 2).mean() >= 0.5, (line.width_mm >= 1).mean() >= 0.8
        assert (line.label() == 1.0) == bool(wide or round_about)


def test_a_sham_is_away_from_the_interface(folder: Path) -> None:
    hip, found = hip_of(folder)
    assert found.stem is not None
    rng = np.random.default_rng(2)
    line, shift_mm = sham(rng, plan(rng, hip, found.stem, "loose"))
    near = distance_from(found.stem, hip.mm_px)
    drawn = draw(rng, film_of(hip, found), hip, found.stem, line, near, shift_mm)
    away = np.full((CACHE_SIZE, CACHE_SIZE), np.inf)
    away[near.rows, near.cols] = near.outward_mm
    assert away[drawn.mask].min() > 4


def test_shards_hold_pairs(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = command.insert(folder, LucencyNet(), out, seed=3, draws=1, kinds=("crop", "native"))
    hips = load_shards(out)
    assert len(hips) == written
    originals = hips.originals()
    lines = [at for at, record in enumerate(hips.records) if record.get("variant") == "loose"]
    assert lines
    for at in lines:
        first = originals[at]
        assert hips.records[first]["variant"] == "original"
        assert hips.records[first]["film"] == hips.records[at]["film"]
        differs = (hips.pixels[at] != hips.pixels[first]).float().mean()
        assert 0 < differs < 0.35
        for component in hips.records[at]["components"]:
            assert hips.labels[at, 1 + COMPONENTS.index(component)] == 1
            assert (hips.masks[at] & (1 << MASKS.index(f"{component}_lucency"))).any()
    assert (
        hips.labels[[at for at, first in enumerate(originals) if hips.records[at]["variant"] == "original"]].nansum()
        == 0
    )
    gate = dict(zip(SUITABILITY, hips.suitability[lines[0]].tolist(), strict=True))
    assert gate["has_stem"] == gate["has_cup"] == gate["stem_complete"] == 1
    again = command.insert(folder, LucencyNet(), tmp_path / "again", seed=3, draws=1, kinds=("crop", "native"))
    assert again == written
    assert torch.equal(load_shards(tmp_path / "again").pixels, hips.pixels), "seeded"


def test_patients_never_cross_folds(folder: Path, tmp_path: Path) -> None:
    command.insert(folder, LucencyNet(), tmp_path / "out", seed=3, draws=1, kinds=("crop", "native"))
    hips = load_shards(tmp_path / "out")
    kept = hips.chosen([not in_fold(record, 0, 2) for record in hips.records])
    left = {record["group"] for record in hips.records} - {record["group"] for record in kept.records}
    assert all(fold_of(str(group), 2) == 0 for group in left)
    assert all(fold_of(str(record["group"]), 2) == 1 for record in kept.records)


def test_a_pair_is_changed_alike(folder: Path, tmp_path: Path) -> None:
    command.insert(folder, LucencyNet(), tmp_path / "out", seed=3, draws=1, kinds=("crop", "native"))
    hips = load_shards(tmp_path / "out")
    torch.manual_seed(0)
    network = LucencyNet()
    options = FitOptions(processes=1, batch=8, reduced_precision=False)
    sampler = Sampler(hips, 1)
    assert len(sampler.pairs)
    generator = torch.Generator().manual_seed(1)
    loss, parts = _network_step(network, hips, sampler, generator, generator, options.steps, options)
    assert torch.isfinite(loss)
    assert parts["pairs"] > 0
