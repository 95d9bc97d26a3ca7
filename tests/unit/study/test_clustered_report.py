"""What a report says: by patient where patients have several hips, bounds that exist, and no item that it does not hold."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from study.exchange import read_scores
from study.report import Provenance, report_of_table, summary, to_html, to_json
from study.report.guidelines import AUTHORS, items_of
from study.report.words import degrees
from study.result_tables import result_tables
from study.scores import ScoreTable

FROM = Provenance("scores.csv", "", "")


def scores(*, readers=3, patients=20, each=2, modes=("unaided", "aided"), cnn=True, agree=False, seed=2) -> ScoreTable:
    rng = np.random.default_rng(seed)
    rows = []
    shared = rng.normal(size=patients)
    for reader in [*(f"R{n}" for n in range(readers)), *(["CNN"] if cnn else [])]:
        for mode in modes if reader != "CNN" else modes[:1]:
            for case in range(patients * each):
                truth = int((case // each) % 3 == 0)
                score = (
                    60 * truth + 20
                    if agree
                    else float(np.round(50 + 15 * (shared[case // each] + truth + rng.normal())))
                )
                row = {"reader": reader, "mode": mode, "case": f"c{case}", "truth": truth, "score": score}
                rows.append(row | {"call": int(score > 57), "patient": f"p{case // each}", "seconds": 10.0})
    return ScoreTable.from_rows(rows)


def outputs(table: ScoreTable, algorithm: str | None = "CNN"):
    report = report_of_table(table, FROM, algorithm)
    return report, json.loads(to_json(report)), to_html(report) + summary(report), result_tables(report)


def keys(value) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys(item)}
    return {key for item in value for key in keys(item)} if isinstance(value, list) else set()


def test_every_number_is_by_patient_and_says_so_where_patients_have_several_hips():
    _, document, text, tables = outputs(scores())
    shown = text + " ".join(column for table in tables for column in table.columns)
    for name in (
        "Obuchowski by patient",
        "Rao-Scott by patient",
        "McNemar exact by patient",
        "Yang",
        "jackknife by patient",
    ):
        assert name in shown, name
    plain = re.compile(r"(_delong|_wilson|_clopper_pearson|_tango|_newcombe_10|mcnemar_exact|mcnemar_mid|chi_square)$")
    assert not [key for key in keys(document) if plain.search(key) and key != "statistic_chi_square"]
    assert not re.search(r"\((DeLong|Wilson|Clopper-Pearson|Tango|Newcombe 10|McNemar exact)\)", shown)
    assert {test["covariance"] for test in document["multi_reader_tests"]} <= {
        "Obuchowski clustered",
        "unbiased by patient",
        "none",
    }
    icc = [a for a in document["agreement"] if a["of"] == "scores"]
    assert all(value["ci95"] is None for a in icc for value in a["coefficients"].values())
    assert "none is offered" in text


def test_one_hip_a_patient_gives_the_numbers_of_a_file_without_patients():
    with_patients = scores(each=1, patients=40)
    without = replace(with_patients, patient=None)
    one, two = outputs(with_patients)[1], outputs(without)[1]
    for document in (one, two):
        document.pop("created_utc")
    assert one == two


def test_no_interval_without_width_and_none_beyond_its_bounds():
    for table in (scores(agree=True, each=1), scores(agree=True), scores(seed=5)):
        _, document, text, tables = outputs(table)
        cells = " ".join(cell for table in tables for row in table.rows for cell in row)
        assert not re.search(r"\b1\.00+ to 1\.00+", text + cells)
        for key, bounds in found_bounds(document):
            low, high = bounds
            assert -1 <= low <= high <= 1, key
            assert not (key.startswith("auc_ci95") or "means" in key) or low >= 0, key


def found_bounds(value, path=""):
    if isinstance(value, dict):
        for key, item in value.items():
            if "ci95" in key and isinstance(item, list):
                yield f"{path}{key}", item
            else:
                yield from found_bounds(item, f"{key}." if key == "means" else "")
    elif isinstance(value, list):
        for item in value:
            yield from found_bounds(item, path)


def test_the_cnn_comes_first_in_every_difference_and_has_no_mode():
    report, document, text, tables = outputs(scores(each=1))
    pairs = [pair for pair in document["pairs"] if "CNN" in (pair["first"] + pair["second"])]
    assert pairs
    assert all(pair["first"] == "CNN" for pair in pairs)
    against = next(t for t in document["multi_reader_tests"] if t["method"] == "one algorithm against readers")
    assert (against["differences"][0]["first"], against["differences"][0]["second"]) == ("CNN", "mean of readers")
    assert "CNN, unaided" not in text
    assert "CNN, unaided" not in " ".join(cell for table in tables for row in table.rows for cell in row)
    found = report.analysis.algorithm_against_readers
    assert against["differences"][0]["difference"] == pytest.approx(found.algorithm - found.reader_mean)


def test_the_json_has_every_comparison_of_two():
    report, document, text, _ = outputs(scores(readers=8, patients=6, each=1, cnn=False), None)
    assert len(document["pairs"]) == 2 * 28 + 8
    assert len(report.analysis.listed_pairs) == 45
    assert "19 more comparisons of two are not listed" in text


def test_degrees_of_freedom_are_readable():
    assert [degrees(value) for value in (None, 12.0, 12.34, 3e61, float("inf"))] == [
        "–",
        "12",
        "12.3",
        "> 100,000",
        "∞",
    ]


def test_items_of_guidelines_name_sections_that_are_there():
    for table, algorithm in (
        (scores(), "CNN"),
        (scores(readers=1, modes=("unaided",), cnn=False), None),
        (replace(scores(cnn=False), call=None, seconds=None), None),
    ):
        report, _, text, _ = outputs(table, algorithm)
        headings = " ".join(re.findall(r"<h[23]>([^<]*)</h[23]>", text))
        for item in items_of(report):
            for section in item.where.split("; "):
                name = section.removeprefix("else ")
                assert AUTHORS in name or "model card" in name or name in headings, (item.number, name)
        where = {item.number: item.where for item in items_of(report)}
        assert where["18"] == where["12"] == AUTHORS
        assert (where["23"] == AUTHORS) == (table.call is None)


def test_one_loose_case_has_an_auc_and_calls_need_no_scores(cases):
    _, document, text, _ = outputs(read_scores(cases / "42-edge-statistics" / "g-one-positive.csv"), None)
    assert all(result["auc_empirical"] is not None for result in document["reader_results"])
    assert all(result["auc_ci95_delong"] is None for result in document["reader_results"])
    assert "no number" not in text
    _, document, text, _ = outputs(read_scores(cases / "42-edge-statistics" / "u-calls-only.csv"), None)
    assert {pair["cases"] for pair in document["pairs"]} == {30}
    assert "fully crossed" in document["design"]
    assert "No case is" not in text
    assert {result["cases"] for result in document["reader_results"]} == {30}
