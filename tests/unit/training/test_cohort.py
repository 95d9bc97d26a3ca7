"""A hospital's own cohort: what is wrong is told at once, and a small one goes from CSV to report."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training import cross_validate as cross_validation
from training.cohort import CohortError, check_cohort, patient_folds, read_cohort
from training.cross_validate import CrossValidationOptions, LoosenessModule, cross_validate


def image(path: Path, loose: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 120, (90, 70)).astype(np.uint8)
    pixels[30:80, 30:36] = 250
    if loose:
        pixels[30:80, 36:44] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """12 patients, 2 hips each in folders of their own, as an export looks; semicolons and German words excluded."""
    rows = ["path,patient,side,label,region,date"]
    for patient in range(12):
        for side in ("R", "left"):
            loose = patient % 2 == 0
            name = f"export/{patient:03d}/IM_{side}.png"
            image(tmp_path / name, loose, patient)
            region = "5 5 60 80" if side == "R" else ""
            rows.append(f"{name},P{patient},{side},{'loose' if loose else 'fixed'},{region},2020-01-{patient + 1:02d}")
    manifest = tmp_path / "cohort.csv"
    manifest.write_text("\ufeff" + "\n".join(rows) + "\n\n", encoding="utf-8")
    return manifest


def test_cohort_is_read_with_regions_and_sides(hospital: Path) -> None:
    cases = read_cohort(hospital)
    assert len(cases) == 24
    assert {str(case.side) for case in cases} == {"R", "L"}
    assert cases[0].box == (5, 5, 60, 80)
    assert cases[1].box is None
    check_cohort(cases, 5)


def test_patients_stay_together_and_classes_are_spread(hospital: Path) -> None:
    cases = read_cohort(hospital)
    folds = patient_folds(cases, 3, seed=1)
    for patient in {case.patient for case in cases}:
        assert len({int(fold) for case, fold in zip(cases, folds, strict=True) if case.patient == patient}) == 1
    for fold in range(3):
        assert {case.loose for case, own in zip(cases, folds, strict=True) if own == fold} == {True, False}


def test_all_faults_of_form_are_listed_with_their_rows(tmp_path: Path) -> None:
    manifest = tmp_path / "cohort.csv"
    manifest.write_text(
        "path;patient;side;label;region\na.png;;R;loose;\nb.png;P1;X;loose;\nc.png;P2;R;maybe;\nd.png;P3;R;fixed;1 2 3\n"
    )
    with pytest.raises(CohortError) as caught:
        read_cohort(manifest)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["Row 2", "Row 3", "Row 4", "Row 5"]


def test_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text("path,patient,label\na.png,P,loose\n")
    with pytest.raises(CohortError, match="no column side"):
        read_cohort(tmp_path / "cohort.csv")


def test_what_would_spoil_the_folds_is_listed(hospital: Path) -> None:
    text = hospital.read_text(encoding="utf-8-sig").splitlines()
    broken = hospital.parent / "export" / "000" / "IM_R.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    (hospital.parent / "export" / "001" / "IM_R.png").unlink()
    lines = [text[0] + ",fold"] + [f"{line},{index % 3}" for index, line in enumerate(text[1:-1])]
    hospital.write_text("\n".join([*lines, lines[3]]) + "\n", encoding="utf-8")
    with pytest.raises(CohortError) as caught:
        check_cohort(read_cohort(hospital), 5)
    told = str(caught.value)
    assert "there is no file IM_R.png" in told
    assert "Patient P0 is in the folds 0, 1" in told
    assert "is listed 2 times" in told
    assert "Row 2: IM_R.png: " in told


def test_one_class_is_refused(hospital: Path) -> None:
    loose = [case for case in read_cohort(hospital) if case.loose]
    with pytest.raises(CohortError, match="All 12 hips are loose"):
        check_cohort(loose, 2)


def test_from_csv_to_report_and_resumed(hospital: Path, tmp_path: Path) -> None:
    cases = read_cohort(hospital)
    out = tmp_path / "out"
    options = CrossValidationOptions(
        architecture="resnet50",
        folds=2,
        epochs=1,
        batch=4,
        input_size=32,
        accelerator="cpu",
        devices="1",
        progress=False,
    )
    figures = cross_validate(cases, out, options)
    assert figures["n"] == 24
    assert figures["patients"] == 12
    assert 0 <= figures["auc"]["value"] <= 1
    assert {each["n"] for each in figures["strata"]["side"]["strata"].values()} == {12}
    assert 0 <= figures["strata"]["side"]["within"]["auc"] <= 1
    with (out / "predictions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["reader", "mode", "case", "truth", "score", "patient", "side", "call"]
    assert len(rows) == 24
    assert all((float(row["score"]) >= 50) == (row["call"] == "1") for row in rows)
    assert "data:image/png" in (out / "report.html").read_text(encoding="utf-8")
    # A finished fold is not trained again; a stopped one is.
    kept = (out / "fold-0" / "model.safetensors").stat().st_mtime_ns
    (out / "fold-1" / "predictions.csv").unlink()
    again = cross_validate(cases, out, options)
    assert (out / "fold-0" / "model.safetensors").stat().st_mtime_ns == kept
    assert again["n"] == 24
    with pytest.raises(CohortError, match="other options"):
        cross_validate(cases, out, CrossValidationOptions(architecture="resnet50", folds=2, epochs=2, input_size=32))
    assert json.loads((out / "figures.json").read_text())["loose"] == 12


def test_a_stopped_fold_goes_on_from_its_last_epoch(
    hospital: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cross_validation, "RESUME_S", 0.0)
    options = CrossValidationOptions(
        folds=2, epochs=3, batch=4, input_size=32, accelerator="cpu", devices="1", progress=False
    )
    cases, out = read_cohort(hospital), tmp_path / "out"
    epochs: list[int] = []
    stop_after = 2
    configured = LoosenessModule.training_step

    def counted(module: LoosenessModule, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        if index == 0:
            if len(epochs) == stop_after:
                raise RuntimeError("stopped")
            epochs.append(module.current_epoch)
        return configured(module, batch, index)

    monkeypatch.setattr(LoosenessModule, "training_step", counted)
    with pytest.raises(RuntimeError, match="stopped"):
        cross_validate(cases, out, options)
    assert (out / "fold-0" / cross_validation.RESUME_FILE).is_file()
    stop_after = 100
    assert cross_validate(cases, out, options)["n"] == 24
    assert epochs == [0, 1, 2, 0, 1, 2]  # two of the first fold, the one that was missing, and the second fold's
    assert not list(out.rglob("*.ckpt"))
