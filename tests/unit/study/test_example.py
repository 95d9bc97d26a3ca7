"""The worked example that ships: a whole study that verifies, analyses, and says that nobody read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study import example
from study.cases import read_case_csv
from study.chain import head_of
from study.store import StudyStore, read_record
from study.study_state import fold_study, registered_studies
from tests.unit.study.whole_study import run

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "resources" / example.FOLDER
STUDY_FILE = SHIPPED / example.FILE_NAME


def test_the_shipped_study_verifies_and_is_small(capsys):
    assert run("verify", STUDY_FILE) == 0
    assert "6 chains, all sound" in capsys.readouterr().out
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 8_000_000
    assert max(path.stat().st_size for path in (SHIPPED / "images").iterdir()) <= 150_000
    # What belongs to a machine must not travel: two machines with one device id would write one chain.
    assert not [path.name for path in files if "device-id" in path.name or ".local." in path.name]


def test_its_analysis_says_in_big_letters_that_the_readers_are_simulated(tmp_path, capsys):
    secret = SHIPPED / "passphrase.txt"
    out = [tmp_path / name for name in ("a.json", "a.html")]
    before = STUDY_FILE.read_bytes()
    assert run("analyse", STUDY_FILE, "--passphrase-file", secret, "--json", out[0], "--html", out[1]) == 0
    assert capsys.readouterr().out.startswith("SIMULATED READERS\n")
    page = out[1].read_text("utf-8")
    assert '<p class="notice">SIMULATED READERS</p>' in page
    document = json.loads(out[0].read_text("utf-8"))
    assert document["notice"] == "SIMULATED READERS"
    flow = document["study"]["case_flow"]
    assert (flow["loose"], flow["not_loose"], flow["practice"], flow["sham"]) == (17, 23, 3, 4)
    assert len(document["study"]["readers"]) == 5
    assert all(reader["signed"] and reader["answers"] == 88 for reader in document["study"]["readers"])
    assert [test["endpoint"] for test in document["registered_tests"]] == ["AUC", "sensitivity", "specificity"]
    assert STUDY_FILE.read_bytes() == before  # an opened study is only read


def test_the_report_in_the_documentation_is_of_this_very_file():
    page = (ROOT / "docs" / example.FOLDER / "report.html").read_text("utf-8")
    assert "SIMULATED READERS" in page
    ends = {event.device: head_of(event) for event in read_record(STUDY_FILE).events}
    for head in ends.values():
        assert head.hash in page


def test_the_listed_radiographs_are_those_of_the_study():
    listed = read_case_csv(SHIPPED / "cases.csv")
    assert listed.problems == ()
    events = read_record(STUDY_FILE).events
    state = fold_study(events, next(iter(registered_studies(events))))
    assert {case.image_sha256 for case in listed.candidates} == {case.image_sha256 for case in state.registered.cases}


def test_it_is_copied_once_and_never_over_what_somebody_did(tmp_path):
    path = example.example_study(ROOT, tmp_path)
    assert path.read_bytes() == STUDY_FILE.read_bytes()
    (study,) = registered_studies(read_record(path).events)
    with StudyStore(path, "1", study=study) as store:
        images = {case.image_sha256 for case in fold_study(store.events(), study).registered.cases}
        assert all(Path(store.location(image).path).parent == path.parent / "images" for image in images)
        store.append("note", "somebody", {}).result()
    mine = path.read_bytes()
    assert example.example_study(ROOT, tmp_path) == path
    assert path.read_bytes() == mine
    (path.parent / "as-shipped").write_text("an older version's")
    assert example.example_study(ROOT, tmp_path).read_bytes() == STUDY_FILE.read_bytes()
    kept = path.parent.with_name(f"{example.FOLDER}-1") / example.FILE_NAME
    assert kept.read_bytes() == mine


def test_a_missing_example_is_an_error_of_the_disk(tmp_path):
    with pytest.raises(OSError, match=example.FILE_NAME):
        example.example_study(tmp_path, tmp_path)
