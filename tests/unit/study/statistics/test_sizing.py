"""Sizing: alternatives that agree with the power they promise, and refusals instead of NaN."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.statistics.sizing import TYPICAL, CasesRange, Pilot, alternatives, cases_for_power, cases_range, power
from tests.unit.study.statistics.expected import load

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


def test_the_range_of_a_pilot_is_that_of_its_draws():
    """Four pilots that need known numbers of cases, one of them out of reach."""
    pilots = [replace(PILOT, var_interaction=v) for v in (0.0, 0.0001, 0.0002, 0.05)]
    needed = [cases_for_power(pilot, 8, 0.1) for pilot in pilots]
    assert needed[:3] == sorted(needed[:3])
    assert needed[3] is None
    found = cases_range(pilots, 8, 0.1)
    assert (found.low, found.high, found.share) == (needed[0], None, 0.75)
    assert cases_range(pilots[:1], 8, 0.1) == CasesRange(needed[0], needed[0], 1.0)
    assert cases_range([], 8, 0.1) is None


def test_published_components_are_those_of_their_data(stats_cases):
    for name, typical in zip(("vandyke", "franken"), TYPICAL, strict=True):
        expected = load(stats_cases, name)
        for field, key in (("var", "Var"), ("cov1", "Cov1"), ("cov2", "Cov2"), ("cov3", "Cov3")):
            assert getattr(typical.pilot, field) == pytest.approx(expected[f"or.jk.{key}"]["value"], abs=5e-9)
        interaction = max(expected["or.jk.VarTR"]["value"], 0.0)
        assert typical.pilot.var_interaction == pytest.approx(interaction, abs=5e-9)
    assert cases_for_power(TYPICAL[0].pilot, 6, 0.05) == pytest.approx(170, abs=1)
