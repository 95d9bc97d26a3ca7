"""What a reader is told about their study, in sentences. No Qt, and nothing that the protocol does not tell readers."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import msgspec

from gui.words import TRAINED_ON
from imaging.radiograph import Side
from study.design import Plan, PlannedCase, Slot
from study.protocol import Arm, Arms, Protocol, Scale, TrainingData
from study.session import SlotState, Step

CLINICAL = "The CNN was trained on radiographs of a hospital's patients."
FIVE_POINT_WORDS = ("Surely not loose", "Probably not loose", "Undecided", "Probably loose", "Surely loose")


class Line(NamedTuple):
    """One thing that is asked or told, under a short heading."""

    heading: str
    text: str


def what_is_asked(protocol: Protocol, plan: Plan) -> list[Line]:
    """For the first page: everything that a reader must know before they agree to begin."""
    lines = [Line("Cases", _cases(plan)), Line("How you read", _arms(protocol, plan))]
    lines.append(Line("Your answer", _answer(protocol)))
    if protocol.zones_asked or protocol.marks_asked:
        lines.append(Line("Findings", _findings(protocol)))
    lines.append(Line("Going back", _going_back(protocol)))
    if protocol.shows_cnn:
        overlay = (
            "You may show its attention map on the radiograph (S)."
            if protocol.overlay_allowed
            else "It is shown without a map."
        )
        lines.append(Line("The CNN", f"{training_words(protocol)} {overlay}"))
    lines.append(
        Line(
            "Recorded",
            "Your answers and marks, the seconds you take (breaks do not count), zoom and window"
            + (", whether and how long the map was on" if protocol.shows_cnn and protocol.overlay_allowed else "")
            + ", and the size of your screen.",
        )
    )
    return lines


def training_words(protocol: Protocol) -> str:
    """What the CNN was trained on. Studies from before this was recorded had a CNN trained on simulated radiographs."""
    training = protocol.bundle_training
    return TRAINED_ON[TrainingData.SIMULATED if training is msgspec.UNSET else training] or CLINICAL


def sham_note(protocol: Protocol) -> str:
    """What a reader agrees to where some of the CNN's answers are wrong on purpose; "" where none are."""
    if protocol.sham_share <= 0:
        return ""
    shams = round(protocol.sham_share * protocol.planned_cases)
    return (
        f"In this study {100 * protocol.sham_share:.0f} % of the CNN's answers ({shams} of {protocol.planned_cases}) are "
        "turned into their opposite on purpose, to measure how people follow a wrong answer. Which ones stays sealed until "
        "the study is closed."
    )


def version_note(written_by: str, version: str) -> str:
    """Where the package comes from another version of the program; its images and questions are the same."""
    if not written_by or written_by == version:
        return ""
    return (
        f"This package was made with version {written_by} of the program; you read it with version {version}. "
        "Both are recorded."
    )


def slot_name(plan: Plan, slot: Slot) -> str:
    """“Case 7 of 40”: neutral, and counted within its part of the study."""
    peers = [other for other in plan.slots if other.period == slot.period]
    place = peers.index(slot) + 1
    return f"{'Practice' if slot.practice else 'Case'} {place} of {len(peers)}"


def part_name(protocol: Protocol, slot: Slot) -> str:
    """Of the part that a slot belongs to, for the worklist."""
    if slot.practice:
        return "Practice, not counted"
    if protocol.arms is Arms.CROSSOVER:
        return f"Part {slot.period} · {arm_words(slot.arm)}"
    return f"Cases · {arm_words(slot.arm)}"


def arm_words(arm: Arm) -> str:
    return {
        Arm.SEQUENTIAL: "without, then with the CNN",
        Arm.UNAIDED: "without the CNN",
        Arm.AIDED: "with the CNN",
    }[arm]


def hip_words(case: PlannedCase) -> str:
    """Which hip is to be read, as far as the study's list of cases says so; "" where it says nothing."""
    side = {Side.RIGHT.value: "right ", Side.LEFT.value: "left "}.get(case.side, "")
    if case.box is not None:
        return f"Read the {side}hip, in the frame"
    return f"Read the {side}hip" if side else ""


def step_words(state: SlotState, *, correcting: bool = False) -> str:
    """Under what condition the answer on screen was given, or is to be."""
    if correcting:
        return f"Correcting your answer {arm_words(Arm.UNAIDED if state.aided is None else Arm.AIDED)}"
    if state.slot.arm is not Arm.SEQUENTIAL:
        words = arm_words(state.slot.arm)
        return words[:1].upper() + words[1:]
    if state.done:
        return "Final answer, with the CNN"
    return {
        Step.ANSWER: "First answer, without the CNN",
        Step.REVEAL: "First answer locked",
        Step.ANSWER_AIDED: "Final answer, with the CNN",
    }[state.step]


def washout_words(opens_on: date, today: date) -> str:
    days = (opens_on - today).days
    return f"{long_date(opens_on)}, in {_count(days, 'day')}"


def long_date(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def duration_words(seconds: float) -> str:
    """Rounded as people say it."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "under a minute"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"


def _cases(plan: Plan) -> str:
    periods = {slot.period for slot in plan.slots if not slot.practice}
    first = sum(slot.period == 1 for slot in plan.slots)
    counted = f"{first}, twice." if len(periods) > 1 else f"{first}."
    practice = sum(slot.practice for slot in plan.slots)
    if not practice:
        return counted
    return f"{counted} Before them, {_count(practice, 'case')} for practice: what you answer there is never counted."


def _arms(protocol: Protocol, plan: Plan) -> str:
    if protocol.arms is Arms.SEQUENTIAL:
        return (
            "You answer without the CNN, and that answer is locked. Then you ask for the CNN's answer, see it, and "
            "answer once more: keep yours or change it."
        )
    if protocol.arms is Arms.UNAIDED:
        return "Without the CNN, from beginning to end."
    first = next(slot.arm for slot in plan.slots if not slot.practice)
    second = Arm.AIDED if first is Arm.UNAIDED else Arm.UNAIDED
    return (
        f"All cases {arm_words(first)}; then, {_count(protocol.washout_days, 'day')} after your last answer of that "
        f"part, all of them {arm_words(second)}. The program tells you the date and stays closed until then."
    )


def _answer(protocol: Protocol) -> str:
    calls = "loose, not loose or cannot tell" if protocol.cannot_tell_allowed else "loose or not loose"
    if protocol.scale is Scale.SCORE:
        scale = "a score from 0 (surely not loose) to 100 (surely loose), never 50"
    else:
        scale = "one of five points from surely not loose to surely loose"
    refuse = (
        "You may say that a radiograph cannot be assessed, and why."
        if protocol.not_assessable_allowed
        else "Every radiograph needs an answer."
    )
    return f"{calls.capitalize()}, with {scale}. {refuse}"


def _findings(protocol: Protocol) -> str:
    asked = [
        text
        for text, on in (
            ("radiolucent lines and osteolysis by zone", protocol.zones_asked),
            ("marks on the radiograph where you see something", protocol.marks_asked),
        )
        if on
    ]
    return f"Please give {' and '.join(asked)}."


def _going_back(protocol: Protocol) -> str:
    if not protocol.going_back_allowed:
        return "An answer is final once it is locked; you cannot go back to a case."
    locked = (
        " An answer given without the CNN stays as it is once you have seen the CNN's." if protocol.shows_cnn else ""
    )
    return (
        f"You may look at cases again and correct an answer, with a reason; the answer before stays on record.{locked}"
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
