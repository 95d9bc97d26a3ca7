from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

from study import commands
from study.events import EventKind, ReadingSubmitted
from study.exchange import read_scores
from study.model import Call, CaseKey, Reader, ReaderKind, Reading, ReadingMode, ViewingRecord
from study.store import StudyStore

SCORES = "reader,mode,case,truth,score,call\n" + "".join(
    f"{reader},{mode},c{case},{case % 2},{(case * (7 + len(reader)) + 11 * (mode == 'aided')) % 40 + 30 * (case % 2)},{case % 2}\n"
    for reader in ("ann", "bo", "carla")
    for mode in ("unaided", "aided")
    for case in range(12)
)


def run(*given: object) -> int:
    parser = argparse.ArgumentParser()
    commands.add_parsers(parser.add_subparsers(dest="command", required=True))
    return commands.run(parser.parse_args([str(part) for part in given]), "9.9")


@pytest.fixture
def scores(tmp_path) -> Path:
    path = tmp_path / "scores.csv"
    path.write_text(SCORES)
    return path


@pytest.fixture
def record(tmp_path) -> Path:
    """A record of two readers and a CNN on eight hips."""
    path = tmp_path / "record.sqlite"
    with StudyStore(path, "9.9") as store:
        for reader, kind in (("ann", ReaderKind.HUMAN), ("bo", ReaderKind.HUMAN), ("cnn-1", ReaderKind.ALGORITHM)):
            for case in range(8):
                loose = (case % 2 == 0) != (case == len(reader))
                reading = Reading(
                    id=f"{reader}-{case}",
                    case=CaseKey(f"{case:02}" * 32, 0, (0.0, 0.0, 10.0, 10.0), "R"),
                    reader=Reader(reader, kind),
                    mode=ReadingMode.ALGORITHM if kind is ReaderKind.ALGORITHM else ReadingMode.ANSWER_FIRST,
                    call=Call.LOOSE if loose else Call.NOT_LOOSE,
                    score=60.0 + case if loose else 20.0 + case,
                    viewing=ViewingRecord(active_s=10.0 + case),
                )
                store.append(EventKind.READING, reader, ReadingSubmitted(reading)).result()
    return path


def test_analyse_writes_all_that_was_asked_for(scores, tmp_path, capsys):
    out = [tmp_path / name for name in ("a.json", "a.html", "plots")]
    assert run("analyse", scores, "--json", out[0], "--html", out[1], "--plots", out[2], "--margin", "0.1") == 0
    said = capsys.readouterr().out
    assert "3 readers, 2 modes, 12 cases: 6 loose, 6 not loose" in said
    document = json.loads(out[0].read_text("utf-8"))
    assert document["versions"]["Lucency"] == "9.9"
    assert document["non_inferiority"]
    assert document["input"]["sha256"] in out[1].read_text("utf-8")
    assert (out[2] / "roc.svg").exists()


def test_a_plan_is_followed(scores, tmp_path, capsys):
    protocol = tmp_path / "protocol.json"
    protocol.write_text(
        '{"endpoint": "auc", "method": "u_statistics", "hypothesis": "non_inferiority", "margin": 0.05}'
    )
    assert run("analyse", scores, "--protocol", protocol, "--json", tmp_path / "a.json") == 0
    assert "Pre-registered, primary: AUC, U-statistics" in capsys.readouterr().out
    document = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert document["registered_plan"]["margin"] == 0.05
    (test,) = document["registered_tests"]
    assert test["status"] == "pre-registered"
    assert any(key.startswith("p_one_sided_non_inferiority_u_statistics") for key in test["estimate"])
    protocol.write_text('{"secondary": ["specificity"], "multiplicity": "holm"}')
    assert run("analyse", scores, "--protocol", protocol) == 0
    assert "corrected p" in capsys.readouterr().out
    for wrong in (
        '{"multiplicity": "hope"}',
        '{"endpoint": "luck"}',
        '{"hypothesis": "non_inferiority"}',
        '{"alpha": 2}',
        "[]",
    ):
        protocol.write_text(wrong)
        assert run("analyse", scores, "--protocol", protocol) == 2
        assert "protocol.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reader,mode,case,truth,score\na,m,1,1,nine\n", "row 2"),
        ("reader,mode,case,truth,score\na,m,1,,9\n", "known truth"),
        ("", "empty"),
        ("hello", "column"),
    ],
)
def test_errors_are_one_sentence(tmp_path, capsys, text, said):
    path = tmp_path / "scores.csv"
    path.write_text(text)
    assert run("analyse", path) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_files_that_are_not_there(tmp_path, scores, capsys):
    for given in (
        ("analyse", tmp_path / "none.csv"),
        ("verify", tmp_path / "none.sqlite"),
        ("verify", scores),
        ("analyse", scores, "--html", tmp_path / "no" / "folder" / "a.html"),
        ("analyse", scores, "--algorithm", "Deep Thought"),
        ("analyse", scores, "--truth", tmp_path / "none.csv"),
        ("export", scores, tmp_path / "a.docx"),
        ("analyse", tmp_path),
    ):
        assert run(*given) == 2, given
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "Traceback" not in error


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("analyse", "folder"), "folder: it is a folder"),
        (("analyse", "none.csv"), "none.csv: there is no such file"),
        (("verify", "folder"), "folder is a folder, not a record"),
        (("verify", "scores.csv"), "scores.csv does not begin as a record does"),
        (("analyse", "scores.csv", "--html", "no/folder/a.html"), "a.html: there is no folder folder"),
        (("analyse", "R1.lucency-return"), "belongs to one reader and holds no truth"),
        (("verify", "mysql://somewhere/x"), "needs a PostgreSQL server"),
    ],
)
def test_what_is_wrong_with_a_place_is_named(scores, tmp_path, monkeypatch, capsys, given, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert run(*given) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_one_surgeon_and_the_cnn_are_paired_in_the_terminal(tmp_path, capsys):
    """The seed study's own table: 16/17 and 22/23 against 9/17 and 22/23, here in one of the pairings it allows."""
    rows = ["reader,mode,case,truth,score,call"]
    for case in range(40):
        truth = case < 17
        cnn, surgeon = (case != 0, case < 9) if truth else (case == 17, case == 18)
        rows += [
            f"CNN,m,c{case},{truth:d},{70 if cnn else 20},{cnn:d}",
            f"A,m,c{case},{truth:d},{80 if surgeon else 10},{surgeon:d}",
        ]
    (tmp_path / "seed.csv").write_text("\n".join(rows) + "\n")
    assert run("analyse", tmp_path / "seed.csv", "--algorithm", "CNN") == 0
    out = capsys.readouterr().out
    assert "1 reader and the algorithm CNN" in out
    assert "sensitivity 16/17 = 0.941 (0.713 to 0.999, Clopper-Pearson)" in out
    assert "sensitivity 9/17 = 0.529 (0.278 to 0.770, Clopper-Pearson)" in out
    assert "McNemar exact p = .0391, mid-p .0215" in out
    assert "One surgeon supports no claim" in out


def test_a_record_is_analysed_with_its_truth(record, tmp_path, capsys):
    assert run("analyse", record) == 2
    assert "--truth" in capsys.readouterr().err
    assert run("export", record, tmp_path / "readings.csv") == 0
    cases = read_scores(tmp_path / "readings.csv").cases
    truth = tmp_path / "truth.csv"
    truth.write_text(
        "case,truth\n" + "".join(f"{case},{'loose' if n % 2 == 0 else 'fixed'}\n" for n, case in enumerate(cases))
    )
    assert run("analyse", record, "--truth", truth, "--json", tmp_path / "a.json") == 0
    document = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert document["algorithm"] == "cnn-1"
    assert document["case_flow"]["loose"] == document["case_flow"]["not_loose"] == 4
    assert document["record_heads"]
    assert any(test["method"] == "one algorithm against readers" for test in document["multi_reader_tests"])
    truth.write_text("case,truth\nx,perhaps\n")
    assert run("analyse", record, "--truth", truth) == 2
    assert "row 2" in capsys.readouterr().err


def test_verify_names_the_place(record, tmp_path, capsys):
    head = record.with_name("record.head.json")
    kept = head.rename(tmp_path / "kept.json")
    assert run("verify", record) == 0
    assert "24 events in 1 chain, all sound" in capsys.readouterr().out
    assert run("verify", record, "--head", kept) == 0
    import sqlite3

    with sqlite3.connect(record) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM event WHERE seq = 24")
    connection.close()
    capsys.readouterr()
    assert run("verify", record, "--head", kept) == 1
    assert "cut_off" in capsys.readouterr().out


def test_exports_are_read_back_and_give_the_same_numbers(scores, tmp_path):
    assert run("export", scores, tmp_path / "b.imrmc") == 0
    for name, source in (("a", scores), ("b", tmp_path / "b.imrmc")):
        assert run("analyse", source, "--json", tmp_path / f"{name}.json") == 0
    one, two = (json.loads((tmp_path / f"{name}.json").read_text("utf-8")) for name in "ab")
    of_auc = [[t for t in d["multi_reader_tests"] if t["endpoint"] == "AUC"] for d in (one, two)]
    assert of_auc[0] == of_auc[1]


def test_published_counts_give_every_pairing_they_allow(scores, capsys):
    """16/17 against 9/17 leaves two pairings: 7 to 0 (p = 2 / 2**7) and 8 to 1 (p = 20 / 2**9)."""
    seed_study = ["--published", "CNN", "16/17", "22/23", "--published", "surgeon", "9/17", "22/23"]
    assert run("analyse", *seed_study) == 0
    out = capsys.readouterr().out
    for said in (
        "CNN: 16/17 = 0.941",
        "surgeon: 9/17 = 0.529",
        "p = .0156",
        "p = .0391",
        "One surgeon supports no claim",
    ):
        assert said in out
    for wrong, said in (
        (["analyse"], "Name the file"),
        (["analyse", *seed_study[:4]], "twice"),
        (["analyse", scores, *seed_study], "no file"),
        (["analyse", *seed_study[:5], "b", "9/18", "22/23"], "equally many"),
        (["analyse", *seed_study[:5], "b", "18/17", "22/23"], "is no count"),
        (["analyse", *seed_study[:5], "b", "x", "22/23"], "is no count"),
    ):
        assert run(*wrong) == 2
        assert said in capsys.readouterr().err


def test_without_qt_a_pdf_is_a_sentence(scores, tmp_path, capsys):
    def no_qt(report, path):
        raise ModuleNotFoundError("No module named 'PySide6'")

    parser = argparse.ArgumentParser()
    commands.add_parsers(parser.add_subparsers(dest="command", required=True))
    arguments = parser.parse_args(["analyse", str(scores), "--pdf", str(tmp_path / "a.pdf")])
    assert commands.run(arguments, "9.9", no_qt) == 2
    error = capsys.readouterr().err
    assert "A PDF needs Qt (PySide6), which cannot be loaded here" in error
    assert error.count("\n") == 1


def test_a_long_analysis_says_what_it_computes(tmp_path, capsys, monkeypatch):
    table = "reader,mode,case,truth,score\n" + "".join(
        f"r{r},{m},c{c},{c % 2},{(c * 7 + r * 3 + (m == 'b')) % 11}\n"
        for r in range(3)
        for m in "ab"
        for c in range(12)
    )
    (tmp_path / "scores.csv").write_text(table)
    assert run("analyse", tmp_path / "scores.csv") == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.modules["study.commands.analyse"], "SILENT_S", 0.0)
    assert run("analyse", tmp_path / "scores.csv") == 0
    said = capsys.readouterr().err
    for what in ("each reader", "several readers", "comparisons of two, 9 of 9", "agreement"):
        assert f"Computing: {what} …" in said


def test_published_counts_as_json(tmp_path, capsys):
    out = tmp_path / "published.json"
    given = ("--published", "CNN", "16/17", "22/23", "--published", "surgeon", "9/17", "22/23")
    assert run("analyse", *given, "--json", out) == 0
    document = json.loads(out.read_text())
    sensitivity, _ = document["endpoints"]
    assert [table["p_mcnemar_exact"] for table in sensitivity["possible_pairings"]] == pytest.approx(
        [2 / 2**7, 20 / 2**9]
    )
    assert sensitivity["readers"][0]["ci95_clopper_pearson"] == pytest.approx([0.7131, 0.9985], abs=1e-4)
    assert run("analyse", *given, "--html", tmp_path / "x.html") == 2
