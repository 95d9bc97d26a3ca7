"""The audit of a cohort finds what was planted, and nothing where nothing was; figures are given within strata."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from benchmarks import public_set
from training.__main__ import main
from training.cohort import read_cohort
from training.strata import auc_within

PATIENTS = 24  # of two hips each


def film(rng: np.random.Generator) -> np.ndarray:
    """Grey blobs of no meaning, another one each time: (96, 80) 0-255."""
    blobs = ndimage.gaussian_filter(rng.normal(size=(96, 80)), 4)
    return np.clip(128 + 400 * blobs + rng.normal(0, 6, blobs.shape), 0, 255).astype(np.uint8)


def write_cohort(folder: Path, rows: list[dict[str, Any]]) -> Path:
    with (folder / "cohort.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "cohort.csv"


def audited(manifest: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, dict[str, Any]]:
    out = manifest.parent / "audit.json"
    status = main(["audit", "--cohort", str(manifest), "--out", str(out)])
    return status, capsys.readouterr().out, json.loads(out.read_text(encoding="utf-8"))


def found(record: dict[str, Any], feature: str) -> float:
    return max(each["auc"] for each in record["findings"] if each["feature"] == feature)


def test_planted_short_cuts_are_found_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Loose hips are mostly cementless, come from later years, and their films are framed in black."""
    rng = np.random.default_rng(1)
    rows = []
    for index in range(2 * PATIENTS):
        loose = index // 2 % 2 == 0
        pixels = film(rng)
        if loose:
            pixels[:5], pixels[:, -5:] = 0, 0
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
        cementless = loose != (rng.random() < 0.1)
        rows.append(
            {
                "path": f"{index}.png",
                "patient": f"P{index // 2}",
                "side": "RL"[index % 2],
                "label": "loose" if loose else "fixed",
                "date": f"{2015 + loose * 2 + index % 3}-0{1 + index % 9}-1{index % 10}",
                "Fixation": "cementless" if cementless else "cemented",
                "reader": f"reader {rng.integers(3)}",
            }
        )
    status, printed, record = audited(write_cohort(tmp_path, rows), capsys)
    assert status == 1
    assert found(record, "fixation") > 0.8
    assert found(record, "date") > 0.75
    assert found(record, "border") > 0.9
    assert found(record, "reader") < 0.7
    counts = record["categories"]["fixation"]
    assert sum(map(sum, counts.values())) == 2 * PATIENTS
    assert f"cementless: {counts['cementless'][0]} of {sum(counts['cementless'])} loose" in printed
    assert "The border of the image alone tells loose from fixed" in printed
    assert not any("“reader”" in sentence or "“side”" in sentence for sentence in record["advice"])
    assert record["repeated"] == []


def test_a_clean_cohort_is_called_clean_and_its_repeated_films_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One film comes twice more: re-encoded with another tone, and mirrored. One patient is in two folds."""
    rng = np.random.default_rng(2)
    rows = []
    for index in range(2 * PATIENTS):
        pixels = film(rng)
        if index == 9:
            stream = io.BytesIO()
            toned = 255 * (np.asarray(Image.open(tmp_path / "0.png")) / 255) ** 0.7
            Image.fromarray(toned.astype(np.uint8)).save(stream, "JPEG", quality=70)
            pixels = np.asarray(Image.open(stream))
        if index == 30:
            pixels = np.asarray(Image.open(tmp_path / "4.png"))[:, ::-1]
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
        rows.append(
            {
                "path": f"{index}.png",
                "patient": f"P{index // 2}",
                "side": "",
                "label": "loose" if index // 2 % 2 == 0 else "fixed",
                "fold": (index // 2) % 5 if index != 13 else 4,
                "source": f"source {rng.integers(2)}",
            }
        )
    status, printed, record = audited(write_cohort(tmp_path, rows), capsys)
    assert status == 0, record["advice"]
    assert "Nothing here tells loose from fixed by more than chance" in printed
    assert [each["rows"] for each in record["repeated"]] == [[2, 11], [6, 32]]  # the header is row 1
    assert "Rows 2 and 11 show the same film (0.png, 9.png): they name two patients, they are in two folds." in printed
    assert "their labels differ" in next(each for each in record["advice"] if each.startswith("Rows 6 and 32"))
    assert "Patient P6 is in the folds 1, 4" in printed


def test_a_small_cohort_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(3)
    rows = []
    for index in range(12):
        Image.fromarray(film(rng)).save(tmp_path / f"{index}.png")
        rows.append({"path": f"{index}.png", "patient": index, "side": "", "label": "loose" if index % 2 else "fixed"})
    assert main(["audit", "--cohort", str(write_cohort(tmp_path, rows))]) == 2
    assert "at least 10 loose hips of 5 patients" in capsys.readouterr().err
    assert main(["audit", "--cohort", str(tmp_path / "absent.csv")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_score_that_only_knows_the_stratum_falls_to_chance_within() -> None:
    rng = np.random.default_rng(4)
    cementless = rng.random(400) < 0.5
    truth = rng.random(400) < np.where(cementless, 0.9, 0.1)
    scores = cementless + 0.2 * rng.normal(size=400)
    patients = [f"P{index // 2}" for index in range(400)]
    fixation = np.where(cementless, "cementless", "cemented").tolist()
    one = ["the same"] * 400
    result = auc_within(truth, scores, patients, {"fixation": fixation, "all": one})
    assert result["all"]["within"]["auc"] == pytest.approx(result["all"]["strata"]["the same"]["auc"])
    assert result["all"]["within"]["auc"] > 0.85
    within = result["fixation"]["within"]
    assert within["ci"][0] < 0.5 < within["ci"][1]
    for stratum in result["fixation"]["strata"].values():
        assert stratum["ci"][0] <= stratum["auc"] <= stratum["ci"][1]
    assert sum(each["n"] for each in result["fixation"]["strata"].values()) == 400


def test_strata_too_small_for_an_auc_say_so() -> None:
    truth = np.array([True, True, False, False, True, True])
    result = auc_within(truth, np.arange(6.0), list("abcdef"), {"source": ["x"] * 4 + ["y"] * 2})
    assert result["source"]["strata"]["y"]["auc"] is None
    assert "fewer than" in result["source"]["strata"]["x"]["reason"]
    assert result["source"]["within"]["pairs"] == 4
    alone = auc_within(truth, np.arange(6.0), list("abcdef"), {"source": list("yynnyy")})
    assert alone["source"]["within"]["auc"] is None


def test_the_public_set_s_cohort_takes_its_labels_and_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [
        "file,group,folder_label,implant,fixation_stem,drawn_on,cup_visible,stem_visible",
        "crops/a.png,g1,loose,thr,cementless,none,2,2",
        "crops/b.png,g2,control,hemi,cemented,arrow,1,2",
        "crops/c.png,g3,control,thr,unclear,none,2,2",
        "pelves/d.png,g4,,thr,cemented,none,2,2",
    ]
    (tmp_path / "seen.csv").write_text("\n".join(seen), encoding="utf-8")

    def cohort(*more: str) -> list[tuple[str, str, bool, str]]:
        monkeypatch.setattr("sys.argv", ["public_set", str(tmp_path / "out.csv"), "--set", str(tmp_path), *more])
        assert public_set.main() == 0
        return [
            (case.path.name, case.patient, case.loose, case.columns["fixation"])
            for case in read_cohort(tmp_path / "out.csv")
        ]

    both = [("a.png", "g1", True, "cementless"), ("b.png", "g2", False, "cemented")]
    assert cohort() == [*both, ("c.png", "g3", False, "unclear")]
    assert cohort("--label", "fixation") == both
