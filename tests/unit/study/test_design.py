"""Orders, arms, blocks, repeats, shams: balanced, reproducible, and blind to names."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.design import (
    PRACTICE,
    arm_order,
    block_of,
    choose_shams,
    flipped_score,
    pilot_draws,
    pilot_from_scores,
    reading_order,
    shuffled,
    split_plot_blocks,
)
from study.protocol import AnalysisPlan, Arm, Arms, Endpoint, Method, StudyDesign
from study.scores import ScoreTable
from study.statistics.roc import NotEstimableError
from study.statistics.sizing import cases_for_power
from tests.unit.study.study_maker import protocol

seeds = st.integers(0, 2**31)
sizes = st.integers(2, 60)


few = settings(max_examples=30, deadline=None)


def ids(count: int) -> list[str]:
    return [f"c{n}" for n in range(count)]


def split_plot(**changes):
    return protocol(design=StudyDesign.SPLIT_PLOT, plan=AnalysisPlan(method=Method.U_STATISTICS), **changes)


def test_the_shuffle_is_the_same_in_every_version():
    """Anybody can check these by sorting SHA-256 hashes of "7/order/0/1/POSITION"."""
    assert shuffled(list("abcdef"), 7, "order", 0, 1) == list("bfadec")


@few
@given(seeds, sizes, st.integers(0, 20), st.sampled_from(Arms))
def test_every_reader_reads_every_case_once_in_every_arm(seed, n, reader, arms):
    value = protocol(seed=seed, planned_cases=n, arms=arms)
    slots = reading_order(value, reader, ids(n), ["p1", "p2"])
    assert [slot.index for slot in slots] == list(range(len(slots)))
    assert {slot.case_id for slot in slots[:2]} == {"p1", "p2"}
    assert all(slot.period == PRACTICE for slot in slots[:2])
    periods = Counter(slot.period for slot in slots[2:])
    assert periods == ({1: n, 2: n} if arms is Arms.CROSSOVER else {1: n})
    for period in periods:
        part = [slot for slot in slots if slot.period == period]
        assert sorted(slot.case_id for slot in part) == sorted(ids(n))
        assert len({slot.arm for slot in part}) == 1
    assert [slot.period for slot in slots] == sorted(slot.period for slot in slots)
    assert slots == reading_order(value, reader, ids(n), ["p1", "p2"])


@few
@given(seeds, sizes, st.data())
def test_renaming_cases_renames_the_order(seed, n, data):
    value = protocol(seed=seed, planned_cases=n, repeats=n // 4)
    names = data.draw(st.permutations([f"other {k}" for k in range(n)]))
    renamed = dict(zip(ids(n), names, strict=True))
    one, two = reading_order(value, 3, ids(n)), reading_order(value, 3, names)
    assert [(renamed[slot.case_id], slot.arm, slot.occasion) for slot in one] == [
        (slot.case_id, slot.arm, slot.occasion) for slot in two
    ]


@few
@given(seeds, sizes, st.data())
def test_repeats_come_once_more_and_lie_far_apart(seed, n, data):
    repeats = data.draw(st.integers(0, n // 2))
    slots = reading_order(protocol(seed=seed, planned_cases=n, repeats=repeats), 0, ids(n))
    first = {slot.case_id: slot.index for slot in slots if slot.occasion == 1}
    again = {slot.case_id: slot.index for slot in slots if slot.occasion == 2}
    assert len(first) == n
    assert len(again) == repeats
    assert len(slots) == n + repeats
    assert all(again[case] - first[case] >= max(n // 4, 1) for case in again)


@few
@given(seeds, st.integers(1, 25))
def test_arm_order_is_balanced_over_readers(seed, readers):
    value = protocol(seed=seed, arms=Arms.CROSSOVER)
    orders = [arm_order(value, reader) for reader in range(readers)]
    assert all(set(order) == {Arm.AIDED, Arm.UNAIDED} for order in orders)
    aided_first = sum(order[0] is Arm.AIDED for order in orders)
    assert abs(2 * aided_first - readers) <= 1


@few
@given(seeds, st.integers(2, 4), st.integers(1, 6))
def test_arm_order_is_balanced_within_each_block(seed, blocks, rounds):
    value = split_plot(seed=seed, blocks=blocks, arms=Arms.CROSSOVER)
    for block in range(blocks):
        own = [r for r in range(2 * rounds * blocks) if block_of(value, r) == block]
        assert sum(arm_order(value, r)[0] is Arm.AIDED for r in own) == rounds


def test_orders_differ_between_readers_periods_and_seeds():
    value = protocol(planned_cases=30, arms=Arms.CROSSOVER)
    orders = set()
    for seed in (1, 2):
        for reader in range(5):
            slots = reading_order(protocol(planned_cases=30, arms=Arms.CROSSOVER, seed=seed), reader, ids(30))
            for period in (1, 2):
                orders.add(tuple(slot.case_id for slot in slots if slot.period == period))
    assert len(orders) == 20
    assert value.seed == 7


@few
@given(seeds, st.integers(2, 5), st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=5, max_size=60))
def test_blocks_hold_every_case_once_and_keep_patients_together(seed, blocks, drawn):
    cases = ids(len(drawn))
    patients = {case: f"p{patient}" for case, (patient, _) in zip(cases, drawn, strict=True)}
    strata = {case: str(int(loose)) for case, (_, loose) in zip(cases, drawn, strict=True)}
    value = split_plot(seed=seed, blocks=blocks)
    dealt = split_plot_blocks(value, cases, patients, strata)
    assert len(dealt) == blocks
    assert sorted(case for block in dealt for case in block) == sorted(cases)
    for patient in set(patients.values()):
        assert sum(any(patients[case] == patient for case in block) for block in dealt) == 1


@few
@given(seeds, st.integers(2, 5), st.lists(st.booleans(), min_size=10, max_size=60))
def test_blocks_are_alike_in_size_and_truth(seed, blocks, loose):
    cases = ids(len(loose))
    strata = {case: str(int(value)) for case, value in zip(cases, loose, strict=True)}
    dealt = split_plot_blocks(split_plot(seed=seed, blocks=blocks), cases, {}, strata)
    sizes = [len(block) for block in dealt]
    ones = [sum(strata[case] == "1" for case in block) for block in dealt]
    assert max(sizes) - min(sizes) <= 1
    assert max(ones) - min(ones) <= 1


def test_a_split_plot_reader_reads_the_own_block():
    value = split_plot(blocks=2)
    slots = reading_order(value, 1, ids(8), block=["c1", "c5"])
    assert {slot.case_id for slot in slots} == {"c1", "c5"}
    with pytest.raises(ValueError, match="block"):
        reading_order(value, 1, ids(8))


@few
@given(st.text(max_size=8), st.integers(1, 80), st.floats(0, 0.5))
def test_shams_are_the_declared_share_and_reproducible(secret, n, share):
    shams = choose_shams(secret, ids(n), n, share)
    assert len(shams) == round(share * n)
    assert shams <= set(ids(n))
    assert shams == choose_shams(secret, ids(n), n, share)


@few
@given(st.floats(0, 100), st.floats(1, 99))
def test_a_flipped_score_lies_on_the_other_side(score, threshold):
    flipped = flipped_score(score, threshold)
    assert 0 <= flipped <= 100
    assert (flipped >= threshold) != (score >= threshold) or (score < threshold and threshold - score < 1e-9)


def test_sizing_from_a_pilot():
    rng = np.random.default_rng(3)
    rows = [
        {
            "reader": f"r{r}",
            "mode": mode,
            "case": f"c{c}",
            "truth": c % 2,
            "score": float(base[c] + rng.normal() + (c % 2) * gain),
        }
        for base in [rng.normal(size=40)]
        for r in range(4)
        for mode, gain in (("unaided", 1.0), ("aided", 1.6))
        for c in range(40)
    ]
    pilot = pilot_from_scores(ScoreTable.from_rows(rows))
    assert pilot.cases == 40
    needed = cases_for_power(pilot, readers=16, effect=0.15)
    larger = cases_for_power(pilot, readers=16, effect=0.3)
    assert needed is not None
    assert larger is not None
    assert larger < needed
    with pytest.raises(NotEstimableError, match="both arms"):
        pilot_from_scores(ScoreTable.from_rows([row for row in rows if row["mode"] == "aided"]))


def test_a_pilot_gives_the_components_of_the_endpoint_itself_and_says_how_sure_they_are():
    rng = np.random.default_rng(3)
    base, rows = rng.normal(size=60), []
    for r in range(4):
        for mode, gain in (("unaided", 1.0), ("aided", 1.4)):
            for c in range(60):
                score = float(base[c] + rng.normal() + (c % 2) * gain)
                rows.append(
                    {
                        "reader": f"r{r}",
                        "mode": mode,
                        "case": f"c{c}",
                        "truth": c % 2,
                        "score": score,
                        "call": int(score > 0.7),
                    }
                )
    table = ScoreTable.from_rows(rows)
    pilots = {endpoint: pilot_from_scores(table, endpoint) for endpoint in Endpoint}
    assert len({pilot.var for pilot in pilots.values()}) == 3
    calls = np.array([row["call"] for row in rows if row["truth"]]).reshape(8, 30)
    direct = np.cov(calls) / 30
    assert pilots[Endpoint.SENSITIVITY].var == pytest.approx(np.diag(direct).mean())
    for endpoint in Endpoint:
        draws = pilot_draws(table, endpoint, draws=60)
        spread = np.quantile([draw.var for draw in draws], [0.02, 0.98])
        assert spread[0] < pilots[endpoint].var < spread[1]
        assert {draw.cases for draw in draws} == {60}
        assert pilot_draws(table, endpoint, draws=3) == draws[:3]
    with pytest.raises(NotEstimableError, match="calls"):
        pilot_from_scores(ScoreTable.from_rows([row | {"call": None} for row in rows[:-1]]), Endpoint.SENSITIVITY)
