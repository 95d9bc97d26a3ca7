from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.analysis import ONE_READER, analyse
from study.example import LOOSE, simulated_scores
from study.protocol import AnalysisPlan, Endpoint, Hypothesis
from study.report import (
    Provenance,
    multi_reader_tests,
    published_table_report,
    report_of_table,
    summary,
    to_html,
    to_json,
)
from study.scores import ScoreTable

PROVENANCE = Provenance("scores.csv", "0" * 64, "1.2.3")
PLAN = AnalysisPlan(hypothesis=Hypothesis.NON_INFERIORITY, margin=0.05)


def rows(readers=3, modes=("x", "y"), cases=12, seed=0, score=None, truth=None, call=True):
    """Simulated ratings; `score` and `truth` are functions of (reader, mode, case) and of case that replace them."""
    rng = np.random.default_rng(seed)
    out = []
    for r in range(readers):
        for m in modes:
            for c in range(cases):
                loose = int(c % 3 == 0) if truth is None else truth(c)
                value = float(rng.integers(0, 60) + 40 * loose) if score is None else score(r, m, c)
                row = {"reader": f"r{r}", "mode": m, "case": f"c{c}", "truth": loose, "score": value}
                out.append(row | ({"call": int(value > 50)} if call and value is not None else {}))
    return out


def every_output(table, margin=0.05, plan=None, algorithm=None):
    """(JSON document, HTML, summary) after checking what must hold for each of them."""
    report = report_of_table(table, PROVENANCE, algorithm, plan, margin)
    document, page, text = to_json(report), to_html(report), summary(report)
    parsed = json.loads(document, parse_constant=lambda name: pytest.fail(f"{name} in the JSON"))
    for written in (re.sub(r"<style>.*?</style>", "", page, flags=re.S), text):
        assert not re.search(r"\b(nan|NaN|inf|None)\b", written)
    return parsed, page, text


def keys(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


def test_p_values_name_their_method():
    document, _, _ = every_output(simulated_scores(), plan=PLAN, algorithm="CNN")
    of_p = {key for key in keys(document) if key == "p" or key.startswith(("p_", "p-"))}
    assert "p" not in of_p
    assert "p_obuchowski_rockette_jackknife_hillis_readers_and_cases_like_these" in of_p
    assert {"p_delong", "p_mcnemar_exact", "p_mcnemar_mid"} <= of_p


def test_infinite_degrees_of_freedom_are_null_with_a_note():
    document, _, _ = every_output(ScoreTable.from_rows(rows(seed=3)))
    fixed = next(t for t in document["multi_reader_tests"] if "statistic_chi_square" in t)
    assert fixed["denominator_df"] is None
    assert "normal" in fixed["denominator_df_note"]


def test_the_registered_analysis_stands_alone_and_is_not_repeated():
    document, page, text = every_output(simulated_scores(), plan=PLAN, algorithm="CNN")
    (test,) = document["registered_tests"]
    assert (test["status"], test["endpoint"], test["method"]) == ("pre-registered", "AUC", "Obuchowski-Rockette")
    assert test["estimate"]["covariance"] == "jackknife"
    assert test["verdict"] in text
    assert page.index("Pre-registered analysis") < page.index("Several readers: exploratory")
    others = {
        (t["endpoint"], t["method"], t["covariance"], t["generalises_to"]) for t in document["multi_reader_tests"]
    }
    assert ("AUC", "Obuchowski-Rockette", "jackknife", "readers and cases like these") not in others
    assert ("AUC", "Obuchowski-Rockette", "DeLong", "readers and cases like these") in others
    document, _, _ = every_output(simulated_scores(), algorithm="CNN")
    assert document["registered_tests"] == []
    assert all(t["status"] == "exploratory" for t in document["multi_reader_tests"])
    assert len(document["multi_reader_tests"]) == len(others) + 1


def test_a_planned_analysis_that_cannot_be_computed_is_a_sentence():
    plan = AnalysisPlan(endpoint=Endpoint.SENSITIVITY)
    document, page, _ = every_output(ScoreTable.from_rows(rows(call=False)), plan=plan)
    assert "could not be carried out: These data hold no calls." in page
    assert document["registered_tests"][0]["estimate"] is None
    _, page, _ = every_output(ScoreTable.from_rows(rows(call=False)))
    assert "No protocol was given" in page


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def test_the_report_is_one_file_without_scripts():
    names = ScoreTable.from_rows([row | {"reader": "<script>x</script>&" + row["reader"]} for row in rows()])
    _, page, _ = every_output(names)
    parsed = _Page()
    parsed.feed(page)
    assert not {"script", "link", "img", "iframe", "object"} & set(parsed.tags)
    assert not any(name in ("src", "href", "onclick") for name, _ in parsed.attributes)
    assert "svg" in parsed.tags
    assert PROVENANCE.sha256 in page
    assert "compliant" not in page.lower()
    assert "supports" in page


def test_the_example_says_that_nobody_read():
    table = simulated_scores()
    assert sum(table.case_truth.values()) == LOOSE
    assert any("nobody read these cases" in note for note in table.notes)
    assert np.array_equal(simulated_scores().score, table.score)
    assert not (table.score == 50).any()


def test_the_seed_study_has_two_pairings():
    report = published_table_report(("CNN", "surgeon"), (16, 9, 17), (22, 22, 23))
    for said in ("16/17 = 0.941", "Clopper-Pearson 0.713 to 0.999", "0.278 to 0.770", "p = .0156", "p = .0391"):
        assert said in report
    assert report.count("2 pairings are possible") == 2
    assert ONE_READER in report


# --- what data can do wrong


def constant(value):
    return lambda *_: value


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (rows(score=constant(50.0), call=False), "all scores are tied"),
        (rows(truth=constant(1)), "All cases are of one kind"),
        (rows(truth=constant(0)), "All cases are of one kind"),
        (rows(readers=1), ONE_READER),
        (rows(score=lambda r, m, c: 90.0 if c % 3 == 0 else 10.0), "separated completely"),
        (rows(score=lambda r, m, c: float(c * 7 % 50)), "no test"),
        (rows(truth=lambda c: int(c == 0)), "At least two loose and two not loose cases"),
        (rows(cases=1), "All cases are of one kind"),
        (rows(score=lambda r, m, c: None if (r, c) == (0, 3) else float(c * (r + 3) % 11)), "no score: outside"),
        (rows(score=lambda r, m, c: None if m == "y" else float(c * (r + 3) % 11)), "have no score"),
    ],
    ids=[
        "ties",
        "all loose",
        "none loose",
        "one reader",
        "perfect",
        "identical",
        "one loose",
        "one case",
        "missing",
        "no mode",
    ],
)
def test_degenerate_data_get_sentences(table, said):
    document, page, text = every_output(ScoreTable.from_rows(table))
    assert said in page or said in text
    assert (
        document["cautions"]
        or any(r["sentences"] for r in document["reader_results"])
        or document["multi_reader_tests"]
    )


def test_an_interval_without_width_is_not_shown():
    table = ScoreTable.from_rows(rows(score=lambda r, m, c: 90.0 if c % 3 == 0 else 10.0))
    document, page, text = every_output(table)
    assert all(r["auc_ci95_delong"] is None for r in document["reader_results"])
    kappas = [
        a["coefficients"]["Fleiss kappa (jackknife interval)"] for a in document["agreement"] if a["of"] == "calls"
    ]
    assert [kappa["ci95"] for kappa in kappas] == [None, None]
    assert "1.000 to 1.000" not in page + text
    assert "no proof of perfect agreement" in page


def test_thirty_readers_are_drawn_and_their_pairs_capped():
    document, _, _ = every_output(ScoreTable.from_rows(rows(readers=30, cases=6, call=False)))
    assert any("more comparisons of two are not listed" in sentence for sentence in document["cautions"])


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.lists(
        st.tuples(st.integers(0, 1), st.lists(st.integers(-1, 4), min_size=12, max_size=12)), min_size=1, max_size=9
    ),
)
def test_no_table_breaks_the_report(readers, modes, cases):
    """Ratings 0 to 4, -1: not read. Whatever the design, there are words and finite numbers."""
    table = [
        {
            "reader": f"r{r}",
            "mode": f"m{m}",
            "case": f"c{c}",
            "truth": truth,
            "score": ratings[r * 3 + m],
            "call": ratings[r * 3 + m] // 3,
        }
        for c, (truth, ratings) in enumerate(cases)
        for r in range(readers)
        for m in range(modes)
        if ratings[r * 3 + m] >= 0
    ]
    if table:
        every_output(ScoreTable.from_rows(table))


def main_numbers(analysis):
    """What must not depend on names or order: AUCs, and the tests' p-values and differences."""
    aucs = sorted(r.auc_delong.auc for r in analysis.reader_results)
    return aucs, [(test.p, test.comparisons[0].difference) for test in multi_reader_tests(analysis)]


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000))
def test_relabelling_swapping_and_rescaling(seed):
    table = rows(seed=seed, cases=15)
    rng = np.random.default_rng(seed)
    aucs, tested = main_numbers(analyse(ScoreTable.from_rows(table)))

    names = {row["reader"]: f"z{n}" for n, row in zip(rng.permutation(len(table)), table, strict=True)}
    relabelled = [
        row | {"reader": names[row["reader"]], "case": "q" + row["case"][::-1] + row["case"]} for row in table
    ]
    order = sorted(range(len(table)), key=lambda n: (table[n]["mode"], rng.random()))
    other_aucs, other_tested = main_numbers(analyse(ScoreTable.from_rows([relabelled[n] for n in order])))
    assert other_aucs == pytest.approx(aucs)
    for (p, difference), (other_p, other_difference) in zip(tested, other_tested, strict=True):
        assert (other_p is None) if p is None else other_p == pytest.approx(p, rel=1e-6)
        assert other_difference == pytest.approx(difference, abs=1e-12)

    swapped = [row | {"mode": {"x": "y", "y": "x"}[row["mode"]]} for row in table]
    swapped.sort(key=lambda row: row["mode"])
    for (p, difference), (other_p, other_difference) in zip(
        tested, main_numbers(analyse(ScoreTable.from_rows(swapped)))[1], strict=True
    ):
        assert (other_p is None) if p is None else other_p == pytest.approx(p, rel=1e-6)
        assert other_difference == pytest.approx(-difference, abs=1e-12)

    rescaled = [row | {"score": float(np.exp(row["score"] / 20))} for row in table]
    assert main_numbers(analyse(ScoreTable.from_rows(rescaled)))[0] == pytest.approx(aucs)


def test_the_conclusion_stands_first_and_claims_no_more_than_the_analysis():
    _, page, _ = every_output(simulated_scores(), plan=PLAN, algorithm="CNN")
    top = page[page.index("<main>") : page.index("Pre-registered analysis")]
    assert "Conclusion" in top
    assert "Pre-registered, AUC: " in top
    assert re.search(r"From \d+ readers and \d+ cases, it speaks for readers and cases like these", top)
    _, page, _ = every_output(simulated_scores(), algorithm="CNN")
    top = page[page.index("<main>") : page.index("Pre-registered analysis")]
    assert "Exploratory, AUC" in top
    assert "suggests and decides nothing" in top
