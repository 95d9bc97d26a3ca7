"""Sizing: alternatives that agree with the power they promise, and refusals instead of NaN."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.statistics.sizing import Pilot, alternatives, cases_for_power, power

PILOT = Pilot(0.00012, 0.0042, 0.0035, 0.0014, 0.0012, 40)


def test_each_alternative_is_the_fewest_cases_that_reach_the_power():
    found = alternatives(PILOT, (3, 5, 10), 0.05, 0.8, 0.05, planned_cases=60)
    assert [row.readers for row in found] == [3, 5, 10]
    for row in found:
        if row.cases is not None:
            assert power(PILOT, row.readers, row.cases, 0.05).power >= 0.8
            assert power(PILOT, row.readers, row.cases - 1, 0.05).power < 0.8
        assert row.planned == power(PILOT, row.readers, 60, 0.05).power
    needed = [row.cases for row in found if row.cases is not None]
    assert needed == sorted(needed, reverse=True)
    assert alternatives(PILOT, (5,), 0.05)[0].planned is None


@pytest.mark.parametrize(
    "pilot",
    [
        replace(PILOT, cases=0),
        replace(PILOT, var=float("nan")),
        replace(PILOT, var=0.0),
        replace(PILOT, var_interaction=-0.1),
        replace(PILOT, cov2=float("inf")),
    ],
)
def test_what_is_no_pilot_gets_a_sentence(pilot):
    with pytest.raises(ValueError, match="variance components"):
        power(pilot, 5, 100, 0.05)


def test_what_is_no_plan_gets_a_sentence():
    with pytest.raises(ValueError, match="must be a number"):
        power(PILOT, 5, 100, float("nan"))
    with pytest.raises(ValueError, match="power must lie"):
        cases_for_power(PILOT, 5, 0.05, target=1.0)
