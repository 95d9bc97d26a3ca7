"""Published files through the whole of `analyse`: read, computed, written."""

from __future__ import annotations

import argparse
import csv
import json

import pytest

from study import commands
from study.analysis import Design, analyse
from study.scores import ScoreTable
from tests.unit.study.statistics.expected import load, matches

BROKEN = {
    "test-ERROR-NR-not-a-number.imrmc": "row 16",
    "test-ERROR-duplicate-truth.imrmc": "row 51",
    "test-ERROR-no-truth-observation.imrmc": "row 164",
    "test-ERROR-replicate-observation.imrmc": "row 80",
}


def run(*given: object) -> int:
    parser = argparse.ArgumentParser()
    commands.add_parsers(parser.add_subparsers(dest="command", required=True))
    return commands.run(parser.parse_args(["analyse", *(str(part) for part in given)]))


def test_every_good_file_is_analysed(stats_cases, tmp_path):
    expected, wrong = load(stats_cases, "io_imrmc"), []
    good = sorted(path for path in (stats_cases / "io").glob("*.imrmc") if path.name not in BROKEN)
    assert len(good) == 12
    for path in good:
        out = tmp_path / f"{path.stem}.json"
        assert run(path, "--json", out, "--html", tmp_path / f"{path.stem}.html") == 0
        document = json.loads(out.read_text("utf-8"))
        flow = document["case_flow"]
        computed = {
            "n_readers": flow["readers"],
            "n_modalities": flow["modes"],
            "n_pos": flow["loose"],
            "n_neg": flow["not_loose"],
        }
        computed["n_obs"] = sum(result["cases"] for result in document["reader_results"])
        for test in document["multi_reader_tests"]:
            if test["method"] == "U-statistics":
                computed |= {f"auc.{mean['of']}": mean["mean"] for mean in test["means"]}
                if len(test["differences"]) == 1:
                    sign = 1 if test["differences"][0]["first"] < test["differences"][0]["second"] else -1
                    computed["diff"] = sign * test["differences"][0]["difference"]
                    computed["var_diff"] = (test["differences"][0]["se"] or float("nan")) ** 2
        for name, value in computed.items():
            entry = expected.get(f"{path.name}.{name}")
            # The order of the modes in the file decides the sign of the difference.
            if entry and not matches(entry, value) and not (name == "diff" and matches(entry, -value)):
                wrong.append(f"{path.name}.{name}: got {value}, want {entry['value']}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("name", "row"), BROKEN.items())
def test_broken_files_name_the_row(stats_cases, capsys, name, row):
    assert run(stats_cases / "io" / name) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{name}, {row}: ")
    assert error.count("\n") == 1


def test_a_header_that_contradicts_itself_can_be_set_aside(stats_cases, capsys):
    assert run(stats_cases / "io" / "test-ERROR-NR-not-a-number.imrmc", "--ignore-header") == 0
    assert "4 readers" in capsys.readouterr().out


def test_one_against_many_is_recognised(stats_cases, capsys):
    assert run(stats_cases / "io" / "test-one-versus-many.imrmc") == 0
    assert "reader1 alone read in mode modality1" in capsys.readouterr().out


def test_modes_with_different_cases(stats_cases):
    """Kundel: mode 1 was read on other patients than modes 2 and 3."""
    with (stats_cases / "kundel.csv").open() as file:
        rows = [
            {
                "reader": r["reader"],
                "mode": r["treatment"],
                "case": r["case"],
                "truth": r["truth"],
                "score": r["rating"],
            }
            for r in csv.DictReader(file)
        ]
    analysis = analyse(ScoreTable.from_rows(rows))
    assert analysis.design is Design.OTHER_CASES
    (result,) = analysis.crossed
    parts, both = result.analysis.components, result.analysis.random_readers_random_cases
    computed = {"Error": parts.var, "Cov1": parts.cov1, "Cov2": parts.cov2, "Cov3": parts.cov3}
    computed |= {"RRRC.F": both.statistic, "RRRC.ddf": both.denominator_df, "RRRC.p": both.p}
    expected = load(stats_cases, "kundel_partially_paired")
    wrong = [name for name, value in computed.items() if not matches(expected[f"or.unbiased.{name}"], value)]
    assert not wrong
