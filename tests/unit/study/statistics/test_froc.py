"""Free-response figures of merit: a case by hand, and the published set."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from study.free_response import read_free_response
from study.statistics.froc import FreeResponse, FreeResponseMerit, estimate_free_response
from study.statistics.obuchowski_rockette import analyse_crossed
from study.statistics.roc import NotEstimableError
from tests.unit.study.statistics.expected import check
from tests.unit.study.whole_study import run

NOTHING = -np.inf


def by_hand() -> FreeResponse:
    """Two normal cases, marked at 2 and not at all; a case with lesions at 3 and unmarked, and one with a lesion at 1."""
    return FreeResponse(
        np.array([[2.0, NOTHING]]),
        np.array([[3.0, NOTHING, 1.0]]),
        np.array([[3.0, 1.0]]),
        np.array([0, 0, 1]),
        np.array([0.75, 0.25, 1.0]),
    )


@pytest.mark.parametrize(
    ("merit", "value"),
    [
        # Lesion 3 beats both, the unmarked one beats none and ties with one (1/4), lesion 1 beats one of two.
        (FreeResponseMerit.WAFROC, (0.75 * 1 + 0.25 * 0.25 + 0.5) / 2),
        (FreeResponseMerit.AFROC, (1 + 0.25 + 0.5) / 3),
        (FreeResponseMerit.INFERRED_ROC, (1 + 0.5) / 2),
    ],
)
def test_by_hand(merit, value):
    values, covariance = estimate_free_response(by_hand(), merit)
    assert values == pytest.approx([value])
    assert covariance[0, 0] > 0


def test_too_few_cases_get_a_sentence():
    data = by_hand()
    with pytest.raises(NotEstimableError, match="two cases"):
        estimate_free_response(
            FreeResponse(data.normal[:, :1], data.lesions, data.highest, data.owner, data.weight),
            FreeResponseMerit.AFROC,
        )


def test_the_published_set(stats_cases):
    study = read_free_response(stats_cases / "froc_fed_marks.csv", stats_cases / "froc_fed_truth.csv")
    computed: dict[str, float | None] = {}
    for merit in FreeResponseMerit:
        values, covariance = estimate_free_response(study.data, merit)
        shape = (len(study.modes), len(study.readers))
        table = values.reshape(shape)
        for m, mode in enumerate(study.modes):
            for r, reader in enumerate(study.readers):
                computed[f"{merit}.t{mode}.r{reader}"] = float(table[m, r])
        analysis = analyse_crossed(table, covariance.reshape(shape + shape), study.modes, study.readers, "jackknife")
        both = analysis.random_readers_random_cases
        name = f"{merit}.or_jk"
        computed |= {f"{name}.F": both.statistic, f"{name}.ddf": both.denominator_df, f"{name}.p": both.p}
        computed |= {f"{name}.ci_low": both.differences[0].ci[0], f"{name}.ci_high": both.differences[0].ci[1]}
    check(stats_cases, "froc_fed", computed)


def test_marks_that_contradict_the_lesions_are_named(tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("case,truth,lesion,weight\n1,0,,\n2,0,,\n3,1,1,1\n4,1,1,\n4,1,2,\n")
    marks = tmp_path / "marks.csv"
    rows = ["1,1,3,1,5", "1,1,4,2,4", "1,1,1,0,2"]
    marks.write_text("modality,reader,case,lesion,rating\n" + "\n".join(rows) + "\n")
    study = read_free_response(marks, truth)
    assert study.data.weight.tolist() == [1, 0.5, 0.5]
    assert study.data.lesions.tolist() == [[5, NOTHING, 4]]
    assert study.data.normal.tolist() == [[2, NOTHING]]
    for wrong, said in (("1,1,9,0,3", "row 5"), ("1,1,3,7,3", "row 5"), ("1,1,1,0,x", "row 5"), ("1,1,3,1,6", "row 5")):
        with marks.open("w", newline="") as file:
            csv.writer(file).writerows([["modality", "reader", "case", "lesion", "rating"]])
            file.write("\n".join([*rows, wrong]) + "\n")
        with pytest.raises(ValueError, match=said):
            read_free_response(marks, truth)


def test_the_command_prints_every_figure(tmp_path, capsys):
    rng = np.random.default_rng(1)
    truth = ["case,truth,lesion,weight", *(f"{c},{int(c > 8)},{1 if c > 8 else ''}," for c in range(1, 17))]
    marks = ["modality,reader,case,lesion,rating"]
    for mode in ("unaided", "aided"):
        for reader in ("ann", "bo", "carla"):
            for case in range(1, 17):
                if rng.random() < 0.8:
                    marks.append(f"{mode},{reader},{case},{int(case > 8)},{rng.integers(1, 5) + 2 * (case > 8)}")
    for name, lines in (("truth.csv", truth), ("marks.csv", marks)):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    out = tmp_path / "a.json"
    assert run("analyse", tmp_path / "marks.csv", "--lesions", tmp_path / "truth.csv", "--json", out) == 0
    assert "aided minus unaided" in capsys.readouterr().out
    document = json.loads(out.read_text("utf-8"))
    assert [entry["endpoint"] for entry in document["figures_of_merit"]] == ["wAFROC", "AFROC", "HrAuc"]
    (difference,) = document["figures_of_merit"][0]["differences"]
    assert "p_obuchowski_rockette_jackknife_hillis_readers_and_cases_like_these" in difference
    # One lesion to a case and no mark elsewhere in it: the three figures are one.
    assert len({round(entry["values"][0]["value"], 9) for entry in document["figures_of_merit"]}) == 1
    (tmp_path / "truth.csv").write_text("case,truth,lesion\n1,0,\n9,1,1\n")
    assert run("analyse", tmp_path / "marks.csv", "--lesions", tmp_path / "truth.csv") == 2
    assert "marks.csv, row" in capsys.readouterr().err
