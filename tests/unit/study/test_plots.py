"""The plots: words in the picture, the same colour for the same reader, and a sentence where there is nothing to draw."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.analysis import analyse
from study.example import simulated_scores
from study.plots import DARK, LIGHT, agreement_plot, all_plots, cast, export_plots, pair_agreements, plots, roc_plot
from study.plots.cast import case_counts
from study.plots.drawing import WIDTH, apart, contrasting, fitted, text_width, wrapped
from study.plots.roc import _mean
from study.scores import ScoreTable

SVG = "{http://www.w3.org/2000/svg}"
NAMES = {
    *("roc", "differences", "against-algorithm", "sensitivity-specificity", "agreement", "switches", "time"),
}
# Machado, Oliveira and Fernandes 2009 (IEEE TVCG 15:1291), severity 1.0, on linear RGB.
VISIONS = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.fixture(scope="module")
def example():
    """The worked example: its table and analysis, and the analysis of six of its cases as if they had been shams."""
    table = simulated_scores()
    few = set(table.cases[:6])
    sham = analyse(table.where([case in few for case in table.case]), "CNN")
    return table, analyse(table, "CNN"), sham


def scores(rows, algorithm=None):
    table = ScoreTable.from_rows(rows)
    return table, analyse(table, algorithm)


def rows(
    readers=3, modes=("unaided", "aided"), cases=12, score=None, truth=lambda c: int(c % 3 == 0), call=True, seed=0
):
    rng = np.random.default_rng(seed)
    out = []
    for reader, mode, case in itertools.product(range(readers), modes, range(cases)):
        value = float(rng.integers(0, 60) + 40 * truth(case)) if score is None else score(reader, mode, case)
        row = {"reader": f"r{reader}", "mode": mode, "case": f"c{case}", "truth": truth(case), "score": value}
        out.append(row | ({"call": None if value is None else int(value > 50), "seconds": 9.0} if call else {}))
    return out


def texts(plot):
    """(left, right, text) of every upright text in the picture, by the estimate of its width."""
    for element in ET.fromstring(plot.svg).findall(f"{SVG}text"):  # not of the axis that is turned
        x, size = float(element.get("x")), float(element.get("font-size"))
        wide = text_width(element.text, size, int(element.get("font-weight")))
        shift = {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor")]
        yield x - shift * wide, x + (1 - shift) * wide, element.text


def check(table, analysis, sham=None):
    """What holds for every plot whatever the data; returns those that were drawn by name."""
    made = all_plots(analysis, table, sham)
    assert {plot.name for plot in made} == NAMES
    for plot in made:
        assert re.search(r"\.[”)]?$", plot.caption), plot.caption
        assert not re.search(r"\b(nan|NaN|inf|None)\b", plot.svg + plot.caption)
        if plot.svg:
            for left, right, text in texts(plot):
                assert left >= -0.5, (plot.name, text)
                assert right <= WIDTH + 0.5, (plot.name, text)
            assert "n = " in plot.caption
    return {plot.name: plot for plot in made if plot.svg}


def test_plots_are_accessible_svg_files(example, tmp_path):
    table, analysis, sham = example
    for path in export_plots(analysis, tmp_path, table, sham):
        root = ET.fromstring(path.read_text("utf-8"))
        title, text = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
        assert title.text
        assert text.text
        assert root.get("aria-labelledby").split() == [title.get("id"), text.get("id")]
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            *("svg", "title", "desc", "rect", "text", "line", "polyline", "polygon", "circle", "g"),
        }
    assert {path.stem for path in tmp_path.iterdir()} == NAMES
    ids = re.findall(r" id='([^']+)'", "".join(plot.svg for plot in plots(analysis, table)))
    assert len(ids) == len(set(ids))


def test_every_plot_of_the_example_names_n_and_method(example):
    table, analysis, sham = example
    drawn = check(table, analysis, sham)
    assert set(drawn) == NAMES
    for plot in drawn.values():
        assert plot.caption.split()[-1] in plot.svg  # the caption travels with the picture
    said = {
        "roc": ("17 loose, 23 not loose", "trapezoidal"),
        "differences": ("Obuchowski-Rockette, jackknife covariance", "readers and cases like these", "(Hillis)"),
        "against-algorithm": ("paired DeLong", "readers and cases like these"),
        "agreement": ("Cohen's kappa", "Below the diagonal unaided, above it aided"),
        "switches": ("from unaided to aided", "flipped on purpose"),
        "time": ("Median and quartiles",),
    }
    for name, sentences in said.items():
        for sentence in sentences:
            assert sentence in drawn[name].caption


def test_a_reader_has_one_colour_and_number_in_every_plot(example):
    table, analysis, _ = example
    for look in (LIGHT, DARK):
        who = cast(analysis, look)
        assert [who.number(reader) for reader in who.people] == ["1", "2", "3", "4", "5"]
        for plot in plots(analysis, table, look=look):
            for reader in who.people:
                assert who.colour(reader) in plot.svg
            used = set(re.findall(r"#[0-9a-f]{6}", plot.svg))
            assert not used & set(look.readers[len(who.people) :])


def test_readers_colours_stay_apart_for_every_colour_vision():
    def linear(colour):
        value = np.array([int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)])
        return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)

    def lab(rgb):
        xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(
            rgb, 0, 1
        )
        f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
        return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

    for matrix in VISIONS.values():
        seen = [lab(np.array(matrix) @ linear(colour)) for colour in (*LIGHT.readers, LIGHT.ink)]
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) >= 20
    for look, least in ((LIGHT, 3), (DARK, 3)):
        paper = linear(look.paper) @ [0.2126, 0.7152, 0.0722]
        for colour in (*look.readers, look.to_truth, look.from_truth, look.muted):
            light = linear(colour) @ [0.2126, 0.7152, 0.0722]
            high, low = max(light, paper) + 0.05, min(light, paper) + 0.05
            assert high / low >= least, colour
    assert contrasting("#000000", LIGHT) == LIGHT.paper
    assert contrasting("#ffffff", DARK) == DARK.paper


def test_long_names_and_many_readers_are_not_cut_off():
    long = [
        row
        | {"reader": f"Consultant orthopaedic surgeon WWWW {row['reader']}", "mode": f"{row['mode']} with a long name"}
        for row in rows(readers=22, cases=9)
    ]
    drawn = check(*scores(long))
    assert set(drawn) == NAMES - {"against-algorithm"}
    assert "more readers" in drawn["roc"].svg
    assert "22" in drawn["agreement"].svg


def test_an_auc_below_a_half_is_shown_as_it_is():
    table, analysis = scores(rows(score=lambda r, m, c: float(60 - 40 * (c % 3 == 0) + (c * (r + 2)) % 7)))
    plot = check(table, analysis)["roc"]
    assert "below .5 is shown as it is" in plot.caption
    lowest = min(result.auc_delong.auc for result in analysis.reader_results)
    assert lowest < 0.5
    assert f"{lowest:.3f}" in [text for _, _, text in texts(plot)]


def test_the_mean_curve_has_the_mean_area(example):
    _, analysis, _ = example
    of_mode = [r for r in analysis.reader_results if r.mode == "aided"]
    x, y = np.array(_mean(of_mode)).T
    assert np.trapezoid(y, x) == pytest.approx(np.mean([r.auc_delong.auc for r in of_mode]), abs=1e-9)


def test_kappa_and_its_n_are_those_of_the_calls_in_common():
    called = {"a": [1, 1, 1, 0, 0, 0, 0, None], "b": [1, 1, 0, 0, 0, 0, 1, 1]}
    table, analysis = scores(
        [
            {"reader": name, "mode": "m", "case": f"c{n}", "truth": n % 2, "score": n, "call": call}
            for name, calls in called.items()
            for n, call in enumerate(calls)
        ]
    )
    (pair,) = pair_agreements(table, cast(analysis))
    # 5 of 7 alike; by chance (3/7)(3/7) + (4/7)(4/7) = 25/49
    assert (pair.cases, pair.same) == (7, 5)
    assert pair.kappa == pytest.approx((5 / 7 - 25 / 49) / (1 - 25 / 49))
    drawn = agreement_plot(table, cast(analysis))
    assert {"0.42", "7"} <= {text for _, _, text in texts(drawn)}


def test_kappa_that_is_not_defined_is_a_dash_with_its_reason():
    table, analysis = scores(rows(readers=2, modes=("m",), score=lambda r, m, c: 90.0 if r or c % 2 else 10.0))
    drawn = agreement_plot(table, cast(analysis))
    assert "–" in [text for _, _, text in texts(drawn)]
    assert "used one category only" in drawn.caption


def test_shams_stand_apart(example):
    table, analysis, sham = example
    without, with_sham = (check(table, analysis, given)["switches"] for given in (None, sham))
    assert "sham" not in without.svg.lower()
    assert "outputs flipped on purpose (sham)" in with_sham.svg
    assert len(ET.fromstring(with_sham.svg).findall(f"{SVG}text")) > len(
        ET.fromstring(without.svg).findall(f"{SVG}text")
    )


@pytest.mark.parametrize(
    ("made", "missing", "said"),
    [
        (
            rows(readers=1, modes=("m",)),
            {"differences", "switches", "agreement", "against-algorithm"},
            "in one mode only",
        ),
        (rows(readers=1), {"agreement", "against-algorithm"}, "two readers"),
        (rows(truth=lambda c: 1), {"roc", "differences", "sensitivity-specificity"}, "one kind"),
        (rows(call=False), {"agreement", "switches", "sensitivity-specificity", "time"}, "no binary calls"),
        (rows(score=lambda *_: 70.0), {"against-algorithm"}, "No reader of these data is an algorithm"),
        (rows(cases=1), {"roc", "differences"}, "No ROC curve can be drawn"),
        (rows(score=lambda r, m, c: None), {"roc", "differences", "agreement"}, "No ROC curve can be drawn"),
        (rows(score=lambda r, m, c: 90.0 if c % 3 == 0 else 10.0), set(), ""),
    ],
    ids=["one reading", "one reader", "one kind", "no calls", "ties", "one case", "no scores", "perfect"],
)
def test_degenerate_data_get_a_sentence_instead_of_an_empty_plot(made, missing, said):
    table, analysis = scores(made)
    drawn = check(table, analysis)
    assert missing <= NAMES - set(drawn)
    assert said in " ".join(plot.caption for plot in all_plots(analysis, table) if not plot.svg)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.lists(
        st.tuples(st.integers(0, 1), st.lists(st.integers(-1, 4), min_size=12, max_size=12)), min_size=1, max_size=9
    ),
    st.booleans(),
)
def test_no_table_breaks_a_plot(readers, modes, cases, algorithm):
    """Ratings 0 to 4, -1: not read."""
    made = [
        {"reader": f"r{r}", "mode": f"m{m}", "case": f"c{c}", "truth": truth, "score": ratings[r * 3 + m]}
        | {"call": ratings[r * 3 + m] // 3, "seconds": float(c)}
        for c, (truth, ratings) in enumerate(cases)
        for r in range(readers)
        for m in range(modes)
        if ratings[r * 3 + m] >= 0
    ]
    if made:
        table, analysis = scores(made, made[0]["reader"] if algorithm else None)
        check(table, analysis, analysis)


@given(st.lists(st.tuples(st.floats(0, 200), st.floats(0, 200)), max_size=12))
def test_marks_are_moved_apart_and_stay_near(places):
    shown = apart(places)
    assert len(shown) == len(places)
    assert shown[:1] == places[:1]
    for one, other in itertools.combinations(shown, 2):
        assert np.hypot(one[0] - other[0], one[1] - other[1]) >= 16.5
    for place, moved in zip(places, shown, strict=True):
        assert np.hypot(place[0] - moved[0], place[1] - moved[1]) <= 3.01 * 17


@given(st.text(max_size=60), st.floats(30, 300))
def test_text_is_fitted_and_wrapped_into_its_width(text, width):
    assert text_width(fitted(text, width)) <= max(width, text_width("…"))
    for line in wrapped(text, width):
        assert text_width(line) <= max(width, text_width("…"))


def test_a_reader_with_calls_but_no_scores_is_still_marked():
    table, analysis = scores([row | {"score": None} for row in rows()])
    assert not roc_plot(analysis).svg
    assert "sensitivity-specificity" in check(table, analysis)


def test_captions_say_how_many_cases_people_read():
    """Shams count for the CNN alone: its 12 cases are not the readers' 10."""
    rng = np.random.default_rng(4)
    rows = [(reader, mode, case) for reader in ("A", "B") for mode in ("unaided", "aided") for case in range(10)]
    rows += [("cnn", "algorithm", case) for case in range(12)]
    table = ScoreTable(
        reader=np.array([row[0] for row in rows]),
        mode=np.array([row[1] for row in rows]),
        case=np.array([f"c{row[2]}" for row in rows]),
        truth=np.array([row[2] % 2 for row in rows]),
        score=rng.uniform(0, 100, len(rows)),
    )
    analysis = analyse(table, "cnn")
    assert case_counts(analysis) == "n = 12 cases (6 loose, 6 not loose), 2 readers (10 cases each) and cnn."


def test_agreement_in_a_third_mode_alone_gets_a_sentence():
    """Only the first two modes are drawn; two readers who met in the third alone left an empty matrix."""
    rows = [("A", "m0", "c1"), ("B", "m1", "c1"), ("A", "m2", "c1"), ("B", "m2", "c1")]
    table = ScoreTable(
        reader=[row[0] for row in rows],
        mode=[row[1] for row in rows],
        case=[row[2] for row in rows],
        truth=np.zeros(4, np.int8),
        score=np.array([10.0, 20.0, 30.0, 40.0]),
        call=np.zeros(4, np.int8),
    )
    plot = agreement_plot(table, cast(analyse(table)))
    assert plot.svg == ""
    assert "m0 or m1" in plot.caption
