from __future__ import annotations

import numpy as np
import pytest

from study.analysis import ONE_READER, Design, analyse, possible_pairings
from study.scores import ScoreTable
from study.statistics.roc import NotEstimableError


def seed_study() -> ScoreTable:
    """17 loose, 23 not; CNN 16/17 and 22/23, surgeon 9/17 and 22/23, in the pairing with most overlap."""
    rows = []
    for case in range(40):
        loose = case < 17
        right = {"CNN": case not in (16, 39), "surgeon": case < 9 or 17 <= case < 39}
        for reader, is_right in right.items():
            call = int(loose == is_right)
            rows.append(
                {
                    "reader": reader,
                    "mode": "unaided",
                    "case": f"c{case}",
                    "truth": int(loose),
                    "score": 90 * call + 5,
                    "call": call,
                }
            )
    return ScoreTable.from_rows(rows)


def test_seed_study_table():
    analysis = analyse(seed_study(), algorithm="CNN")
    by_reader = {result.reader: result for result in analysis.reader_results}
    assert by_reader["CNN"].sensitivity.clopper_pearson == pytest.approx((0.7131, 0.9985), abs=1e-4)
    assert by_reader["surgeon"].sensitivity.clopper_pearson == pytest.approx((0.2781, 0.7702), abs=1e-4)
    assert by_reader["CNN"].specificity.value == by_reader["surgeon"].specificity.value == pytest.approx(22 / 23)
    assert ONE_READER in analysis.sentences
    assert analysis.algorithm_against_readers is None
    (pair,) = analysis.pairs
    assert (pair.sensitivity_mcnemar.first_only, pair.sensitivity_mcnemar.second_only) == (7, 0)


def test_published_counts_leave_two_pairings():
    """P(7 of 7 one way) = 2 / 2**7; 8 against 1: 2 * (1 + 9) / 2**9."""
    sensitivity = possible_pairings(16, 9, 17)
    assert [(table.first_only, table.second_only) for table in sensitivity] == [(7, 0), (8, 1)]
    assert [table.exact_p for table in sensitivity] == pytest.approx([2 / 2**7, 20 / 2**9])
    assert [table.exact_p for table in possible_pairings(22, 22, 23)] == [1.0, 1.0]


def test_a_missing_call_is_an_error():
    rows = [
        {
            "reader": "a",
            "mode": "m",
            "case": str(case),
            "truth": case % 2,
            "score": None if case == 1 else 10 + case,
            "call": None if case == 1 else case % 2,
        }
        for case in range(8)
    ]
    (result,) = analyse(ScoreTable.from_rows(rows)).reader_results
    assert (result.calls_missing, result.missing) == (1, 1)
    assert result.sensitivity.value == pytest.approx(3 / 4)


def test_incomplete_designs_and_single_class_are_said():
    rows = [
        {"reader": reader, "mode": mode, "case": str(case), "truth": case % 2, "score": (case * 7 + len(reader)) % 5}
        for reader in ("a", "bb", "ccc")
        for mode in ("x", "y")
        for case in range(12)
        if not (reader == "a" and case == 3)
    ]
    analysis = analyse(ScoreTable.from_rows(rows))
    assert analysis.design is Design.INCOMPLETE
    assert {str(result.covariance) for result in analysis.crossed} == {"unbiased"}
    assert any("2 of 72 readings" in sentence for sentence in analysis.sentences)
    assert analysis.u_statistics is not None
    one_kind = analyse(ScoreTable.from_rows([dict(row, truth=1) for row in rows]))
    assert any("one kind" in sentence for sentence in one_kind.sentences)
    with pytest.raises(NotEstimableError, match="known truth"):
        analyse(ScoreTable.from_rows([dict(row, truth=None) for row in rows]))


def test_clusters_are_honoured():
    rng = np.random.default_rng(4)
    rows = [
        {
            "reader": f"r{reader}",
            "mode": mode,
            "case": f"{patient}{side}",
            "patient": str(patient),
            "truth": int(patient % 3 == 0),
            "score": float(rng.normal() + (patient % 3 == 0)),
        }
        for reader in range(3)
        for mode in ("x", "y")
        for patient in range(20)
        for side in "LR"
    ]
    analysis = analyse(ScoreTable.from_rows(rows))
    assert [result.covariance for result in analysis.crossed] == ["Obuchowski clustered"]
    assert analysis.patients == 20
