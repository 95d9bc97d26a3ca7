from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import astuple

import numpy as np
import pytest

from study.statistics.agreement import (
    chance_corrected,
    cohen_kappa,
    counts_by_category,
    fleiss_kappa,
    intraclass_correlations,
    krippendorff_alpha,
)
from study.statistics.roc import NotEstimableError
from tests.unit.study.statistics.expected import check


def ratings_of(table):
    """(c, c) counts -> (n, 2) ratings"""
    return np.array([(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(int(count))])


def test_kappa_by_hand():
    """20 agree on yes, 15 on no, 15 differ: observed .7, expected .5."""
    result = cohen_kappa([[20, 5], [10, 15]])
    assert result.raw_agreement == pytest.approx(0.7)
    assert result.kappa == pytest.approx(0.4)


def test_relabelling_raters_and_cases_changes_nothing():
    ratings = np.array([[1, 1, 2], [2, 2, 2], [3, 1, 3], [1, 1, 1], [3, 3, 2]])
    shuffled = ratings[[3, 1, 4, 0, 2]][:, [2, 0, 1]]
    assert astuple(chance_corrected(ratings)) == pytest.approx(astuple(chance_corrected(shuffled)))
    assert krippendorff_alpha(ratings, "ordinal") == pytest.approx(krippendorff_alpha(shuffled, "ordinal"))
    assert fleiss_kappa(counts_by_category(ratings)[0]).kappa == pytest.approx(
        fleiss_kappa(counts_by_category(shuffled)[0]).kappa
    )


def test_degenerate_ratings_get_sentences():
    with pytest.raises(NotEstimableError, match="one category"):
        cohen_kappa([[10, 0], [0, 0]])
    with pytest.raises(NotEstimableError, match="one category"):
        chance_corrected([[1, 1], [1, 1]])
    with pytest.raises(NotEstimableError, match="two ratings"):
        krippendorff_alpha([[1, None], [None, 2]])
    with pytest.raises(NotEstimableError, match="missing"):
        intraclass_correlations([[1, np.nan], [2, 3]])
    with pytest.raises(NotEstimableError, match="equal"):
        intraclass_correlations([[2, 2], [2, 2]])


def test_published_two_reader_tables(stats_cases):
    tables = defaultdict(dict)
    with (stats_cases / "cohen_kappa_tables.csv").open() as file:
        for row in csv.DictReader(file):
            tables[row["table"]][int(row["rater1"]), int(row["rater2"])] = int(row["n"])
    computed = {}
    for name, cells in tables.items():
        size = max(max(key) for key in cells)
        offset = min(min(key) for key in cells)
        counts = np.zeros((size + 1 - offset,) * 2)
        for (i, j), count in cells.items():
            counts[i - offset, j - offset] = count
        for weights in ("unweighted", "linear", "quadratic"):
            result = cohen_kappa(counts, weights)
            computed |= {f"{name}.{weights}.{key}": getattr(result, key) for key in ("kappa", "se", "se0")}
        chance = chance_corrected(ratings_of(counts))
        computed |= {f"{name}.gwet_ac1": chance.gwet_ac1, f"{name}.pabak": chance.brennan_prediger}
    check(stats_cases, "cohen_kappa_tables", computed)


def test_published_psychiatric_diagnoses(stats_cases):
    with (stats_cases / "fleiss1971.csv").open() as file:
        ratings = np.array(
            [[int(value) for key, value in row.items() if key != "patient"] for row in csv.DictReader(file)]
        )
    result = fleiss_kappa(counts_by_category(ratings)[0])
    computed = {
        "kappa": result.kappa,
        "se0": result.se0,
        "z": result.z,
        "Pbar": result.raw_agreement,
        "Pe": result.expected_agreement,
    }
    names = ("Depression", "Personality disorder", "Schizophrenia", "Neurosis", "Other")
    computed |= {f"per_category.{name}": value for name, value in zip(names, result.per_category, strict=True)}
    computed |= {"gwet_ac1": chance_corrected(ratings).gwet_ac1, "krippendorff_nominal": krippendorff_alpha(ratings)}
    check(stats_cases, "fleiss1971", computed)


def test_published_incomplete_ratings(stats_cases):
    with (stats_cases / "krippendorff_gwet.csv").open() as file:
        ratings = np.array([[float(row[rater] or "nan") for rater in "ABCD"] for row in csv.DictReader(file)])
    computed = {
        f"alpha.{level}": krippendorff_alpha(ratings, level) for level in ("nominal", "ordinal", "interval", "ratio")
    }
    chance = chance_corrected(ratings)
    computed |= {"gwet_ac1": chance.gwet_ac1, "fleiss_incomplete": chance.fleiss}
    computed |= {"brennan_prediger": chance.brennan_prediger, "conger": chance.conger}
    check(stats_cases, "krippendorff_gwet", computed)


def test_published_intraclass_correlations(stats_cases):
    table = defaultdict(list)
    with (stats_cases / "icc_shrout_fleiss.csv").open() as file:
        for row in csv.DictReader(file):
            table[row["target"]].append(float(row["rating"]))
    computed = {}
    for form in intraclass_correlations(list(table.values())):
        computed |= {form.form: form.value, f"{form.form}.ci_low": form.ci[0], f"{form.form}.ci_high": form.ci[1]}
    check(stats_cases, "icc_shrout_fleiss", computed)
