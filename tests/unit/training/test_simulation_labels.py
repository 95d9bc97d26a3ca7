"""The written rule, and plans that obey it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from training.simulation import Label, label_component
from training.simulation.loosening import SAMPLES, label_of, plan_component

N = 100


def line(share, width):
    widths = np.zeros(N)
    widths[: round(share * N)] = width
    return widths


@pytest.mark.parametrize(
    ("share", "width", "expected"),
    [
        (0.00, 0.0, Label.FIXED),
        (0.33, 1.0, Label.FIXED),
        (0.34, 1.0, Label.BORDERLINE),  # over more than a third
        (0.20, 1.1, Label.BORDERLINE),  # over 1 mm
        (0.79, 1.9, Label.BORDERLINE),
        (0.80, 1.0, Label.LOOSE),  # nearly all round
        (0.79, 1.0, Label.BORDERLINE),
        (0.49, 2.0, Label.BORDERLINE),
        (0.50, 2.0, Label.LOOSE),
        (0.50, 1.9, Label.BORDERLINE),
        (1.00, 0.9, Label.BORDERLINE),
        (1.00, 0.2, Label.FIXED),  # too thin to be a line
    ],
)
def test_rule_at_its_edges(share, width, expected):
    assert label_component(line(share, width)) is expected


def test_fracture_and_visible_migration_are_loose_without_any_line():
    assert label_component(np.zeros(N), fracture=True) is Label.LOOSE
    assert label_component(np.zeros(N), migration_trace=True) is Label.LOOSE


@pytest.mark.parametrize("widths", [[], [[1.0]], [float("nan")], [-0.1], [float("inf")]])
def test_rule_refuses_what_is_no_row_of_widths(widths):
    with pytest.raises(ValueError, match="millimetres"):
        label_component(widths)


SEVERITY = {Label.FIXED: 0, Label.BORDERLINE: 1, Label.LOOSE: 2}


@given(
    hnp.arrays(float, st.integers(1, 60), elements=st.floats(0, 8)),
    st.floats(0, 5),
    st.randoms(use_true_random=False),
)
def test_wider_lines_are_never_less_loose_and_order_does_not_matter(widths, more, random):
    label = label_component(widths)
    assert SEVERITY[label_component(widths + more)] >= SEVERITY[label]
    shuffled = list(widths)
    random.shuffle(shuffled)
    assert label_component(shuffled) is label


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from(list(Label)), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
    st.integers(0, 3),
)  # fmt: skip
def test_every_plan_has_the_label_that_was_asked_for(seed, label, cemented, cup, hard, shifted, emphasis):
    plan = plan_component(
        np.random.default_rng(seed), label, cemented=cemented, cup=cup, hard=hard, shifted=shifted, emphasis=emphasis
    )
    assert plan.label is label
    assert label_of(plan) is label
    for widths in (plan.outer_mm, plan.inner_mm, plan.rim_mm):
        assert widths.shape == (SAMPLES,)
        assert (widths >= 0).all()
    if not cemented or cup:
        assert not plan.inner_mm.any()
        assert not plan.mantle_cracks
