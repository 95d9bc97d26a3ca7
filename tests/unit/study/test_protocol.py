"""The protocol: what may be registered, its hash, the page to print."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from study.chain import canonical_json
from study.protocol import (
    AnalysisPlan,
    Arms,
    Hypothesis,
    Method,
    NegativeVariance,
    Protocol,
    ProtocolError,
    ReaderGroup,
    StudyDesign,
    TrainingData,
    check_protocol,
    protocol_problems,
    protocol_sha256,
)
from study.protocol_page import protocol_page
from tests.unit.study.study_maker import against_readers, protocol


def test_sound_protocols_have_no_problems():
    assert protocol_problems(protocol()) == []
    assert protocol_problems(against_readers()) == []
    assert protocol_problems(protocol(arms=Arms.CROSSOVER)) == []
    split = protocol(design=StudyDesign.SPLIT_PLOT, blocks=2, plan=AnalysisPlan(method=Method.U_STATISTICS))
    assert protocol_problems(split) == []


def test_washout_is_four_weeks_unless_said_otherwise():
    assert protocol().washout_days == 28


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"title": " "}, "title"),
        ({"reference_source": ""}, "reference standard comes from"),
        ({"readers": ()}, "readers"),
        ({"readers": (ReaderGroup("x", 0),)}, "readers"),
        ({"planned_cases": 1}, "two cases"),
        ({"design": StudyDesign.SPLIT_PLOT}, "blocks"),
        ({"blocks": 3}, "blocks"),
        ({"arms": Arms.UNAIDED}, "nothing to compare"),
        ({"design": StudyDesign.CNN_AGAINST_READERS}, "unaided arm alone"),
        ({"arms": Arms.CROSSOVER, "washout_days": 0}, "washout"),
        ({"bundle_sha256": ""}, "CNN"),
        ({"repeats": 5}, "read twice"),
        ({"sham_share": float("nan")}, "sham"),
        ({"sham_share": 0.6}, "sham"),
        ({"plan": AnalysisPlan(alpha=0)}, "significance"),
        ({"plan": AnalysisPlan(hypothesis=Hypothesis.NON_INFERIORITY)}, "margin"),
        ({"plan": AnalysisPlan(margin=0.1)}, "margin"),
        ({"plan": AnalysisPlan(effect=float("nan"))}, "difference"),
        ({"plan": AnalysisPlan(effect=0.05, power=1.0)}, "power"),
        ({"plan": AnalysisPlan(method=Method.ONE_AGAINST_MANY)}, "one against many"),
        ({"plan": AnalysisPlan(new_mode="aided")}, "arms of the study"),
        ({"plan": AnalysisPlan(new_mode="aided", reference_mode="aided")}, "arms of the study"),
        ({"plan": AnalysisPlan(negative_variance=NegativeVariance.MLE)}, "U-statistics"),
    ],
)
def test_each_contradiction_gets_its_sentence(changes, word):
    problems = protocol_problems(protocol(**changes))
    assert any(word in sentence for sentence in problems)
    with pytest.raises(ProtocolError) as caught:
        check_protocol(protocol(**changes))
    assert caught.value.sentences == problems


def test_the_hash_is_that_of_canonical_json_and_changes_with_every_field():
    first = protocol()
    assert protocol_sha256(first) == hashlib.sha256(canonical_json(first).encode()).hexdigest()
    digests = {protocol_sha256(first)}
    for name in Protocol.__struct_fields__:
        value = getattr(first, name)
        changed = {str: "x", int: 99, bool: not value, float: 0.25}.get(type(value))
        if changed is None:
            changed = {
                "readers": (ReaderGroup("resident", 2),),
                "design": StudyDesign.SPLIT_PLOT,
                "arms": Arms.CROSSOVER,
                "scale": type(first.scale).FIVE_POINT,
                "plan": AnalysisPlan(alpha=0.01),
                "bundle_training": TrainingData.CLINICAL,
            }[name]
        digests.add(protocol_sha256(msgspec.structs.replace(first, **{name: changed})))
    assert len(digests) == len(Protocol.__struct_fields__) + 1


def test_it_survives_storage_with_its_hash():
    first = protocol(sham_share=0.1, plan=AnalysisPlan(effect=0.05, power=0.8, secondary=("time",)))
    again = msgspec.json.decode(canonical_json(first), type=Protocol)
    assert again == first
    assert protocol_sha256(again) == protocol_sha256(first)


def test_the_page_says_what_was_fixed_and_needs_nothing_else():
    value = protocol(title="A <b>& study", arms=Arms.CROSSOVER, sham_share=0.125, plan=AnalysisPlan(effect=0.05))
    page = protocol_page(value, (("2026-01-02", "One reader fell <ill>."),))
    assert "A &lt;b&gt;&amp; study" in page
    assert "fell &lt;ill&gt;" in page
    for text in (protocol_sha256(value), "28 days", "ab" * 32, "12.5 %", "a difference of 0.05", "from seed 7"):
        assert text in page
    for outside in ("http", "<script", "src=", "<link"):
        assert outside not in page
