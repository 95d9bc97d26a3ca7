"""Every design from its draft to the report, through the coordinator's file and the command line.

The numbers are checked against the statistics called directly on what the readers are known to have answered.
"""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest

from study.analysis import ONE_READER
from study.exchange import read_scores
from study.model import Annotation, AnnotationKind
from study.protocol import AnalysisPlan, Arms, Hypothesis, Method, Multiplicity, ReaderGroup, StudyDesign
from study.statistics.covariance import Covariance, Merit, estimate
from study.statistics.obuchowski_rockette import analyse_crossed, non_inferiority
from study.statistics.one_against_many import compare_one_against_many
from study.statistics.ustatistics import analyse_any_design
from tests.unit.study.study_maker import protocol
from tests.unit.study.whole_study import cnn_score, run, whole_study

MODES = ("unaided", "aided")


def readers(count):
    return (ReaderGroup("consultant", count),)


def analysed(study, tmp_path, *more):
    out = [tmp_path / name for name in ("report.json", "report.html")]
    assert (
        run(
            "analyse", study.file, "--passphrase-file", study.passphrase_file, "--json", out[0], "--html", out[1], *more
        )
        == 0
    )
    document = json.loads(out[0].read_text("utf-8"))
    page = out[1].read_text("utf-8")
    assert not re.search(r"\b(nan|NaN|inf|None)\b", re.sub(r"<(style|pre)>.*?</\1>", "", page, flags=re.S))
    return document, page


def arrays(study, count, modes=MODES, leave_out=()):
    """Truth (cases,), scores (modes, readers, cases) as answered, NaN where not read, and the case ids."""
    cases = [case for case in sorted(study.truth) if case not in leave_out]
    truth = np.array([study.truth[case] for case in cases], dtype=bool)
    scores = np.array(
        [
            [[study.given.get((f"R{r + 1}", mode, case), np.nan) for case in cases] for r in range(count)]
            for mode in modes
        ]
    )
    return truth, scores, cases


def crossed(truth, values, merit=Merit.AUC, method=Covariance.JACKKNIFE, cluster=None):
    shape = values.shape[:2]
    found = estimate(truth, values.reshape(-1, truth.size), merit, method, cluster)
    return analyse_crossed(
        found.values.reshape(shape), found.covariance.reshape(shape + shape), list(MODES), ["r"] * shape[1], ""
    ).random_readers_random_cases.differences[0]


def p_of(test):
    (name,) = [key for key in test["estimate"] if key.startswith(("p_obu", "p_u_", "p_one_"))]
    return test["estimate"][name]


def test_fully_crossed_sequential_with_shams_and_repeats(tmp_path):
    plan = AnalysisPlan(
        hypothesis=Hypothesis.NON_INFERIORITY,
        margin=0.1,
        secondary=("specificity",),
        multiplicity=Multiplicity.FIXED_SEQUENCE,
    )
    value = protocol(readers=readers(3), planned_cases=12, sham_share=0.17, repeats=2, plan=plan)
    study = whole_study(tmp_path, value, 3)
    assert len(study.scores.sham_cases) == 2
    document, page = analysed(study, tmp_path)
    truth, scores, _ = arrays(study, 3, leave_out=study.scores.sham_cases)
    direct = crossed(truth, scores)
    primary, secondary = document["registered_tests"]
    assert primary["estimate"]["difference"] == pytest.approx(-direct.difference)
    assert primary["estimate"]["cases"] == 10
    turned = type(direct)("aided", "unaided", -direct.difference, direct.se, direct.df, None, None, (0.0, 0.0))
    assert p_of(primary) == pytest.approx(non_inferiority(turned, 0.1))
    right = crossed(truth, (scores > 50).astype(float), Merit.SPECIFICITY)
    assert secondary["estimate"]["difference"] == pytest.approx(-right.difference)
    # The CNN's own accuracy rests on its own outputs, those that were shown flipped included.
    own = next(r for r in document["reader_results"] if r["reader"] == document["algorithm"])
    said = {name: cnn_score(case.row, case.truth) for name, case in study.draft.named.items() if not case.practice}
    assert own["cases"] == 12
    assert own["table"]["true_positive"] == sum(said[case] >= 50 for case in study.truth if study.truth[case])
    flipped = document["study"]["flipped_outputs"]
    assert sorted(flipped["cases"]) == sorted(study.scores.sham_cases)
    assert {row["reader"] for row in flipped["switches"]} == {"R1", "R2", "R3"}
    # The same answer to the same case, so second readings repeat the first ones.
    again = document["study"]["intra_reader_agreement"]
    assert {(row["reader"], row["mode"]) for row in again} == {(f"R{n}", mode) for n in (1, 2, 3) for mode in MODES}
    assert all(row["same_call"]["k"] == row["same_call"]["n"] == row["cases"] == 2 for row in again)
    assert all(row["within_case_sd_of_score"] == 0 for row in again)
    flow = {(row["reader"], row["mode"]): row for row in document["study"]["case_flow"]["readers"]}
    assert flow["R1", "aided"] | {"sham": 0} == {
        "reader": "R1", "mode": "aided", "planned": 14, "given": 14, "missing": 0, "not_counted": 0,
        "indeterminate": 0, "sham": 0, "repeated": 2,
    }  # fmt: skip
    assert "No deviation was noted, and the record shows none." in page
    for end in document["study"]["heads"]:
        assert end["hash"] in page
    assert document["study"]["protocol_sha256"] in page
    assert "Chains, hashes and signatures were checked and fit." in page


def test_crossover_with_washout(tmp_path):
    value = protocol(readers=readers(2), planned_cases=12, arms=Arms.CROSSOVER, washout_days=28)
    study = whole_study(tmp_path, value, 2, paired=True)
    document, _ = analysed(study, tmp_path)
    truth, scores, cases = arrays(study, 2)
    patients = [study.draft.named[case].patient for case in cases]
    direct = crossed(truth, scores, method=Covariance.CLUSTERED, cluster=np.array(patients))
    (primary,) = document["registered_tests"]
    assert primary["estimate"]["covariance"] == "Obuchowski clustered"
    assert primary["estimate"]["difference"] == pytest.approx(-direct.difference)
    assert p_of(primary) == pytest.approx(direct.p)
    assert document["study"]["protocol"]["washout_days"] == 28


def test_paired_split_plot(tmp_path):
    value = protocol(
        readers=readers(4),
        planned_cases=16,
        design=StudyDesign.SPLIT_PLOT,
        blocks=2,
        plan=AnalysisPlan(method=Method.U_STATISTICS),
    )
    study = whole_study(tmp_path, value, 4, count=16)
    document, _ = analysed(study, tmp_path)
    truth, scores, _ = arrays(study, 4)
    assert np.isfinite(scores).sum() == 2 * 4 * 8
    direct = analyse_any_design(truth, scores, list(MODES)).differences[0]
    (primary,) = document["registered_tests"]
    assert primary["estimate"]["difference"] == pytest.approx(-direct.difference)
    assert p_of(primary) == (pytest.approx(direct.p_t) if direct.p_t is not None else None)


def test_cnn_against_readers(tmp_path):
    value = protocol(
        readers=readers(3),
        planned_cases=12,
        design=StudyDesign.CNN_AGAINST_READERS,
        arms=Arms.UNAIDED,
        plan=AnalysisPlan(method=Method.ONE_AGAINST_MANY),
    )
    study = whole_study(tmp_path, value, 3)
    document, page = analysed(study, tmp_path)
    truth, scores, cases = arrays(study, 3, MODES[:1])
    cnn = [cnn_score(study.draft.named[case].row, study.draft.named[case].truth) for case in cases]
    direct = compare_one_against_many(truth, cnn, scores[0])
    (primary,) = document["registered_tests"]
    assert (primary["estimate"]["new"], primary["estimate"]["reference"]) == ("lucency-1", "mean of readers")
    assert primary["estimate"]["difference"] == pytest.approx(-direct.difference)
    assert p_of(primary) == pytest.approx(direct.p)
    assert "CNN against readers, who read without it" in page


def test_one_reader_of_two_gets_a_sentence_and_is_a_departure(tmp_path, capsys):
    study = whole_study(tmp_path, protocol(planned_cases=12), 1)
    document, page = analysed(study, tmp_path)
    (primary,) = document["registered_tests"]
    assert primary["estimate"] is None
    assert ONE_READER in primary["verdict"]
    assert "2 readers planned; answers came back from 1." in page
    assert ONE_READER in capsys.readouterr().out


def test_the_passphrase_is_needed_and_a_study_keeps_to_its_protocol(tmp_path, capsys, monkeypatch):
    study = whole_study(tmp_path, protocol(planned_cases=12), 2, keep_open=True)
    secret = study.passphrase_file
    assert run("analyse", study.file, "--passphrase-file", secret) == 2
    assert "not closed" in capsys.readouterr().err
    study = (
        whole_study(tmp_path / "closed", protocol(planned_cases=12), 2)
        if (tmp_path / "closed").mkdir() is None
        else None
    )
    wrong = tmp_path / "wrong.txt"
    for text, said in (("not the passphrase at all\n", "passphrase is not the right one"), ("\n", "is needed")):
        wrong.write_text(text)
        assert run("analyse", study.file, "--passphrase-file", wrong) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert run("analyse", study.file, "--passphrase-file", secret, "--protocol", secret) == 2
    assert "own protocol" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO(secret.read_text("utf-8")))
    assert run("analyse", study.file) == 0
    assert "Pre-registered, primary: AUC" in capsys.readouterr().out


def test_what_a_study_exports_gives_the_same_numbers_when_it_is_read_back(tmp_path):
    study = whole_study(tmp_path, protocol(planned_cases=12, sham_share=0.17), 2, paired=True)
    document, _ = analysed(study, tmp_path)
    wanted = {(r["reader"], r["mode"]): r["auc_empirical"] for r in document["reader_results"]}
    for name in ("scores.csv", "scores.imrmc"):
        assert run("export", study.file, tmp_path / name, "--passphrase-file", study.passphrase_file) == 0
        assert run("analyse", tmp_path / name, "--algorithm", "lucency-1", "--json", tmp_path / "again.json") == 0
        again = json.loads((tmp_path / "again.json").read_text("utf-8"))
        assert {(r["reader"], r["mode"]): r["auc_empirical"] for r in again["reader_results"]} == wanted
        assert set(read_scores(tmp_path / name).cases) == set(study.truth)  # ids as they were, letters and all
        if name.endswith("csv"):  # .imrmc has no place for patients
            assert again["multi_reader_tests"][1:] == document["multi_reader_tests"]


def test_marks_are_held_against_the_map(tmp_path):
    """The map is even over a square from x = -2 to 22; a mark over x = 0 to 10 covers 10 / 24 of it, its corner included."""
    corners = ((0.0, -2.0), (10.0, -2.0), (10.0, 26.0), (0.0, 26.0))
    mark = Annotation("m", AnnotationKind.POLYGON, corners)
    study = whole_study(tmp_path, protocol(planned_cases=12, sham_share=0.17, repeats=2), 2, annotations=(mark,))
    document, page = analysed(study, tmp_path)
    rows = document["study"]["marks_against_map"]
    assert [(row["reader"], row["mode"]) for row in rows] == [(r, m) for r in ("R1", "R2") for m in MODES]
    for row in rows:
        assert (row["peak_on_mark"]["k"], row["peak_on_mark"]["n"]) == (12, 12)
        assert row["median_intersection_over_union"] == pytest.approx(10 / 24, abs=0.01)
    assert "none of this is accuracy" in page
