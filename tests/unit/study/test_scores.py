"""The table that exchange fills and statistics read."""

from __future__ import annotations

import numpy as np
import pytest

from study.scores import NO_TRUTH, ScoreTable


def rows():
    return [
        {"reader": "b", "mode": "m", "case": "c1", "truth": 1, "score": 3, "patient": "p"},
        {"reader": "a", "mode": "m", "case": "c1", "truth": 1, "score": None, "patient": "p"},
        {"reader": "a", "mode": "n", "case": "c2", "truth": None, "score": 5, "patient": ""},
    ]


def test_what_is_not_given_stays_so():
    table = ScoreTable.from_rows(rows())
    assert len(table) == 3
    assert table.truth.tolist() == [1, 1, NO_TRUTH]
    assert np.isnan(table.score).tolist() == [False, True, False]
    assert table.call is None
    assert table.seconds is None
    assert table.side is None
    assert table.patient == ["p", "p", "c2"]  # its own cluster where no patient is known


def test_ids_come_in_order_of_appearance():
    table = ScoreTable.from_rows(rows())
    assert table.readers == ["b", "a"]
    assert table.modes == ["m", "n"]
    assert table.case_truth == {"c1": 1, "c2": NO_TRUTH}
    assert table.case_patient == {"c1": "p", "c2": "c2"}


def test_where_keeps_whole_rows():
    table = ScoreTable.from_rows(rows(), title="t", notes=("n",))
    part = table.where([False, False, True])
    assert (part.reader, part.case, part.patient, part.title, part.notes) == (["a"], ["c2"], ["c2"], "t", ("n",))
    assert part.score.tolist() == [5]


def test_columns_are_of_one_length_and_read_only():
    with pytest.raises(ValueError, match="Column score has 1 rows, reader has 2"):
        ScoreTable(["a", "b"], ["m", "m"], ["c", "d"], np.zeros(2, np.int8), np.zeros(1))
    table = ScoreTable.from_rows(rows())
    with pytest.raises(ValueError, match="read-only"):
        table.score[0] = 1
