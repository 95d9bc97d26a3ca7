"""Published files through the whole of `analyse`: read, computed, written."""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from study import commands
from study.analysis import Design, analyse
from study.scores import ScoreTable
from tests.e2e.pdf_text import pdf_pages
from tests.unit.study.statistics.expected import load, matches

ROOT = Path(__file__).resolve().parents[2]

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


def test_the_report_as_pdf_without_a_window(tmp_path):
    """A plan and a few scores through the program itself, as a terminal without a display gives them."""
    (tmp_path / "scores.csv").write_text(
        "reader,mode,case,truth,score,call\n"
        + "".join(
            f"{reader},{mode},c{case},{case % 2},{(case * 7 + 11 * place) % 40 + 30 * (case % 2)},{case % 2}\n"
            for place, reader in enumerate(("ann", "bo", "carla"))
            for mode in ("unaided", "aided")
            for case in range(12)
        )
    )
    (tmp_path / "plan.json").write_text('{"secondary": ["specificity"], "multiplicity": "holm"}')
    command = ["analyse", "scores.csv", "--protocol", "plan.json", "--title", "A trial of paper", "--pdf", "out.pdf"]
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [sys.executable, ROOT / "main.py", *command], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("A trial of paper\n3 readers, 2 modes, 12 cases")
    pages = pdf_pages((tmp_path / "out.pdf").read_bytes())
    assert len(pages) > 3
    assert pages[0].startswith("A trial of paperPre-registered, AUC")
    assert all(f"page {number} of {len(pages)}" in page for number, page in enumerate(pages, start=1))
    whole = "".join("".join(pages).split())  # where a line breaks there is no blank
    for words in ("Obuchowski-Rockette", "jackknife covariance", "2×2 tables", "carla", "SHA-256", "STARD 2015"):
        assert words.replace(" ", "") in whole
