"""Scores in and out: what is written is read back, and what is wrong is named by row and cure."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.exchange import ExchangeError, format_csv, format_imrmc, parse_csv, parse_imrmc, read_scores, write_scores
from study.scores import ScoreTable

IMRMC = """A pilot
NR: 2
BEGIN DATA:
truth,a,truth,0
truth,b,truth,1
r1,a,unaided,10
r1,b,unaided,90
r2,a,unaided,20.5
"""


def imrmc_error(*rows: str, header: str = "x") -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        parse_imrmc("\n".join([header, "BEGIN DATA:", *rows]))
    return caught.value


def csv_error(text: str) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        parse_csv(text)
    return caught.value


def test_imrmc_is_read_into_rows():
    table = parse_imrmc(IMRMC)
    assert table.title == "A pilot"
    assert table.reader == ["r1", "r1", "r2"]
    assert table.case == ["a", "b", "a"]
    assert table.mode == ["unaided"] * 3
    assert table.truth.tolist() == [0, 1, 0]
    assert table.score.tolist() == [10, 90, 20.5]
    assert table.notes == ()


def test_white_space_and_trailing_commas_of_imrmc_do_not_count():
    table = parse_imrmc(
        "x,,,\r\nBEGIN DATA:,,,\r\n-1 , case 1,whatever it is,0 \r\n reader 1,case1 , m 1, 5,,,\r\n\r\n"
    )
    assert (table.reader, table.case, table.mode) == (["reader1"], ["case1"], ["m1"])


def test_ids_stay_text():
    table = parse_imrmc("x\nBEGIN DATA:\ntruth,007,truth,1\n01,007,1e3,5\n")
    assert (table.reader, table.case, table.mode) == (["01"], ["007"], ["1e3"])
    table = parse_csv("reader,mode,case,truth,score\n01,1e3,007,1,5\n")
    assert (table.reader, table.case, table.mode) == (["01"], ["007"], ["1e3"])


@pytest.mark.parametrize(
    ("rows", "row", "what", "cure"),
    [
        (
            ["truth,a,truth,0", "truth,a,truth,1", "r,a,m,1"],
            4,
            "truth of case “a” is given a second time",
            "Remove one",
        ),
        (["truth,a,truth,0", "r,a,m,1", "r,a,m,1"], 5, "scored case “a” in modality “m” before, in row 4", "Keep one"),
        (["truth,a,truth,0", "r,b,m,1"], 4, "truth of case “b” is missing", "truth,b,truth,0"),
        (["truth,a,truth,0", "r,a,m,high"], 4, "score “high” is not a number", "finite number"),
        (["truth,a,truth,0", "r,a,m,nan"], 4, "score “nan” is not a number", "finite number"),
        (["truth,a,truth,0", "r,a,m,1e999"], 4, "score “1e999” is not a number", "finite number"),
        (["truth,a,truth,2", "r,a,m,1"], 3, "truth of case “a” is 2", "0 (negative) or 1"),
        (["truth,a,truth,0", "r,a,1"], 4, "3 fields", "readerID,caseID,modalityID,score"),
        (["truth,a,truth,0", "r,,m,1"], 4, "an id is empty", "Fill in"),
        (["truth,a,truth,0"], 0, "there are no scores", "Add a row"),
    ],
)
def test_errors_of_imrmc_name_row_and_cure(rows, row, what, cure):
    error = imrmc_error(*rows)
    assert error.problems[0].row == row
    assert what in str(error)
    assert cure in str(error)


def test_header_counts_that_are_no_numbers_are_errors_and_wrong_ones_are_notes():
    rows = ["truth,a,truth,0", "r,a,m,1"]
    error = imrmc_error(*rows, header="title\nNR: many")
    assert error.problems[0].row == 2
    assert "Write NR: 1" in str(error)
    table = parse_imrmc("\n".join(["title", "N0: 7", "BEGIN DATA:", *rows]))
    assert table.notes == ("The header says N0: 7; the rows hold 1 negative cases, and these count.",)


def test_a_missing_begin_line_is_said(tmp_path):
    path = tmp_path / "scores.imrmc"
    path.write_text("truth,a,truth,0\nr,a,m,1\n")
    with pytest.raises(ExchangeError, match=r"scores\.imrmc.*BEGIN DATA: is missing"):
        read_scores(path)


@pytest.mark.parametrize(
    ("text", "row", "what", "cure"),
    [
        ("", 0, "empty", "CSV"),
        ("reader,mode,case,truth,score\n", 0, "no row", "Add"),
        ("reader,mode,truth,score\nr,m,1,1\n", 1, "column case is missing", "reader,mode,case"),
        ("reader,case,truth\nr,c,1\n", 1, "neither a column score nor call", "reader,mode,case"),
        ("reader,case,score\nr,c,1\nr,d,abc\n", 3, "score “abc” is not a number", "leave it empty"),
        ("reader,case,score\nr,c,1\n,d,2\n", 3, "reader is empty", "Fill it in"),
        ("reader,case,score\nr,c,1\nr,c,2\n", 3, "before, in row 2", "repeat"),
        ("reader,case,truth,score\nr,c,1,1\ns,c,0,2\n", 3, "truth of case “c” differs from row 2", "one truth"),
        ("reader,case,truth,score\nr,c,maybe,1\n", 2, "truth “maybe” is not understood", "1 (loose)"),
        ("reader,case,score\nr,c,1,2\n", 2, "4 cells under 3 column names", "quotes"),
        ("reader,case,score,rating\nr,c,1,2\n", 0, "", ""),
    ],
)
def test_errors_of_csv_name_row_and_cure(text, row, what, cure):
    if not what:  # the exact name wins over another program's name for the same
        assert parse_csv(text).score.tolist() == [1]
        return
    error = csv_error(text)
    assert error.problems[0].row == row
    assert what in str(error)
    assert cure in str(error)


def test_every_problem_is_listed_in_the_details():
    error = csv_error("reader,case,score\n" + "r,c,x\n" * 30)
    assert len(error.problems) == 30
    assert "(29 more problems in this file.)" in str(error)
    assert "and 10 more" in error.details


def test_csv_of_other_programs_and_places():
    table = parse_csv("\ufeffreaderID;treatment;caseID;truth;rating\r\nr;t;c;loose;0,5\r\n")
    assert (table.reader, table.mode, table.case) == (["r"], ["t"], ["c"])
    assert table.truth.tolist() == [1]
    assert table.score.tolist() == [0.5]


def test_missing_values_stay_missing():
    table = parse_csv("reader,mode,case,truth,score,call\nr,m,a,1,,cannot_tell\nr,m,b,,70,loose\n")
    assert math.isnan(table.score[0])
    assert table.truth.tolist() == [1, -1]
    assert table.call is not None
    assert table.call.tolist() == [-1, 1]


def test_a_truth_given_once_holds_for_all_rows_of_the_case():
    table = parse_csv("reader,mode,case,truth,score\nr,m,a,,1\ns,m,a,1,2\n")
    assert table.truth.tolist() == [1, 1]


def test_of_repeats_the_first_counts_and_it_is_said():
    table = parse_csv("reader,mode,case,truth,score,repeat\nr,m,a,1,10,1\nr,m,a,1,20,2\n")
    assert table.score.tolist() == [10]
    assert "1 repeated readings are left out" in table.notes[0]


def test_imrmc_cannot_be_written_without_truth():
    table = ScoreTable.from_rows([{"reader": "r", "mode": "m", "case": "c", "score": 1}])
    with pytest.raises(ExchangeError, match="have no truth"):
        format_imrmc(table)


def test_formulas_do_not_reach_a_spreadsheet():
    table = ScoreTable.from_rows([{"reader": "=cmd()", "mode": "+m", "case": "@c", "truth": 1, "score": -2.5}])
    line = format_csv(table).splitlines()[1]
    assert line == "'=cmd(),'+m,'@c,1,-2.5"
    assert parse_csv(format_csv(table)).reader == ["=cmd()"]


def test_files_carry_a_byte_order_mark_and_are_read_back(tmp_path):
    table = ScoreTable.from_rows([{"reader": "Ösa", "mode": "m", "case": "c", "truth": 1, "score": 3}])
    path = tmp_path / "scores.csv"
    write_scores(table, path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert read_scores(path).reader == ["Ösa"]
    path.write_bytes("reader,case,score\nÖsa,c,3\n".encode("cp1252"))
    assert read_scores(path).reader == ["Ösa"]
    assert "Windows-1252" in read_scores(path).notes[0]


def test_what_is_no_text_is_said(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_bytes(b"\x00\x01\x02")
    with pytest.raises(ExchangeError, match="not a text file"):
        read_scores(path)
    with pytest.raises(ExchangeError, match="there is no such file"):
        read_scores(tmp_path / "absent.csv")


ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8).filter(
    lambda text: text == text.strip() and text.strip()
)
numbers = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def tables(draw):
    places = draw(st.lists(st.tuples(ids, ids, ids), min_size=1, max_size=12, unique=True))
    cases = {case for _, _, case in places}
    truth = {case: draw(st.integers(0, 1)) for case in cases}
    patient = {case: draw(ids) for case in cases}
    return ScoreTable.from_rows(
        {
            "reader": reader,
            "mode": mode,
            "case": case,
            "truth": truth[case],
            "score": draw(numbers),
            "patient": patient[case],
            "side": draw(st.sampled_from(["R", "L"])),
            "call": draw(st.sampled_from([0, 1, None])),
            "seconds": draw(st.none() | st.floats(0, 1e6)),
        }
        for reader, mode, case in places
    )


def key_rows(table):
    return sorted(zip(table.reader, table.mode, table.case, table.truth.tolist(), table.score.tolist(), strict=True))


@given(tables())
def test_csv_round_trip(table):
    again = parse_csv(format_csv(table))
    for name in ("reader", "mode", "case", "patient", "side"):
        assert getattr(again, name) == getattr(table, name)
    for name in ("truth", "score", "call", "seconds"):
        one, other = getattr(again, name), getattr(table, name)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_array_equal(one, other)


@given(tables())
def test_imrmc_round_trip(table):
    assert key_rows(parse_imrmc(format_imrmc(table))) == key_rows(table)


@given(st.text(max_size=200))
def test_any_text_is_read_or_named(text):
    for parse in (parse_imrmc, parse_csv):
        try:
            result = parse(text)
        except ExchangeError as error:
            result = error.problems
        assert len(result) > 0


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_title_is_only_a_title(title):
    row = {"reader": "r", "mode": "m", "case": "c", "truth": 1, "score": 3}
    table = ScoreTable.from_rows([row], title=title)
    assert key_rows(parse_imrmc(format_imrmc(table))) == key_rows(table)


# --- the FDA's own debugging inputs


@pytest.mark.parametrize(
    ("name", "row", "what", "cure"),
    [
        ("NR-not-a-number", 16, "NR (number of readers) is “this is not a number”", "Write NR: 4"),
        ("duplicate-truth", 51, "truth of case “2” is given a second time (first in row 50)", "Remove one"),
        ("no-truth-observation", 164, "truth of case “1”", "Add a row truth,1,truth,0"),
        ("replicate-observation", 80, "scored case “2” in modality “modality1” before, in row 79", "Keep one"),
    ],
)
def test_broken_files_name_row_and_cure(stats_cases, name, row, what, cure):
    with pytest.raises(ExchangeError) as caught:
        read_scores(stats_cases / "io" / f"test-ERROR-{name}.imrmc")
    assert caught.value.problems[0].row == row
    assert what in str(caught.value)
    assert cure in str(caught.value)


def test_counts_of_the_published_files(stats_cases):
    expected = json.loads((stats_cases / "io_imrmc.expected.json").read_text())["expected"]
    checked = 0
    for entry in expected:
        stem, _, name = entry["id"].partition(".imrmc.")
        count = {
            "n_readers": lambda t: len(t.readers),
            "n_modalities": lambda t: len(t.modes),
            "n_neg": lambda t: list(t.case_truth.values()).count(0),
            "n_pos": lambda t: list(t.case_truth.values()).count(1),
            "n_obs": len,
        }.get(name)
        if count is None:
            continue
        table = read_scores(stats_cases / "io" / f"{stem}.imrmc", ignore_header="NR-not" in stem)
        assert count(table) == entry["value"], entry["id"]
        assert key_rows(parse_imrmc(format_imrmc(table))) == key_rows(table)
        checked += 1
    assert checked >= 40


# ------------------------------------------------------------------------------------ tables as other programs make them


@given(st.sampled_from(",;\t"), st.sampled_from(["sep={}", "SEP={}", '"sep={}"']), st.sampled_from(["\n", "\r\n"]))
def test_the_line_that_names_the_separator_is_skipped(delimiter, line, ending):
    rows = [["reader", "mode", "case", "truth", "score"], ["r", "m", "a", "1", "5"], ["r", "m", "b", "0", "x"]]
    text = ending.join([line.format(delimiter), *(delimiter.join(row) for row in rows)])
    assert csv_error(text).problems[0].row == 4  # as a text editor counts
    assert parse_csv(text.replace("x", "4")).score.tolist() == [5, 4]


@pytest.mark.parametrize("truth_reader", ["truth", "Truth", "-1"])
def test_truth_rows_of_a_csv_are_the_truth_and_no_reader(truth_reader):
    text = f"readerID,caseID,modalityID,score\n{truth_reader},a,truth,1\n{truth_reader},b,truth,0\nr,a,m,5\nr,b,m,2\n"
    table = parse_csv(text)
    assert (table.readers, table.modes, table.truth.tolist()) == (["r"], ["m"], [1, 0])
    assert "has a truth but no reading: c" in parse_csv(text + f"{truth_reader},c,truth,1\n").notes[-1]
    assert csv_error(text + f"{truth_reader},a,truth,0\n").problems[0].row == 6
    assert "not 0 or 1" in str(csv_error(text + f"{truth_reader},c,truth,7\n"))


def test_a_blank_mode_among_others_is_refused_with_its_row():
    error = csv_error("reader,mode,case,score\nr,m,a,1\nr,,b,2\ns, ,a,1\n")
    assert [problem.row for problem in error.problems] == [3, 4]
    assert "the mode is empty" in str(error)
    assert parse_csv("reader,mode,case,score\nr,,a,1\nr,,b,2\n").modes == ["all"]


@pytest.mark.parametrize(
    ("ids", "warned"),
    [
        (("1", "001"), True),
        (("hip01", "hip1"), True),
        (("R1", "r1"), True),
        (("1", "10"), False),
        (("a0", "a"), False),
        (("100", "1000"), False),
    ],
)
def test_ids_that_differ_in_zeros_or_case_get_one_sentence(ids, warned):
    rows = [f"{reader},{case},m,1" for reader in ("x", "X") for case in ids]
    for table in (
        parse_csv("\n".join(["reader,case,mode,score", *rows])),
        parse_imrmc("\n".join(["t", "BEGIN DATA:", *(f"truth,{case},truth,1" for case in ids), *rows])),
    ):
        (sentence,) = [note for note in table.notes if "count as different" in note]
        assert "reader “x” and “X”" in sentence
        assert (f"case “{ids[0]}” and “{ids[1]}”" in sentence) == warned
        assert len(table.cases) == 2


def test_score_files_made_after_bug_reports(cases):
    def read(name):
        return read_scores(cases / name)

    plain = read("40-csv-variants/a-plain.csv")
    separated = read("40-csv-variants/l-sep-line.csv")
    assert separated.score.tolist() == plain.score.tolist()
    assert any("“1”" in note and "“001”" in note for note in read("40-csv-variants/x-leading-zeros-mixed.csv").notes)
    listed = read("41-imrmc/z-dfmrmc-r.csv")
    assert "truth" not in listed.readers
    assert set(listed.truth.tolist()) == {0, 1}
    with pytest.raises(ExchangeError, match="row 2: the mode is empty"):
        read("42-edge-statistics/zc-empty-mode-some.csv")
