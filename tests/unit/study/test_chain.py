"""The chain names every change, and shows nothing that was not written."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.chain import Damage, canonical_json, check_chains, empty_head, head_of, is_sound, make_event


def chain(count, device="d1", study=""):
    head, events = empty_head(device, study), []
    for number in range(count):
        event = make_event(head, f"2026-01-01T00:00:{number:02}Z", "ann", "reading", canonical_json({"n": number}))
        events.append(event)
        head = head_of(event)
    return events


def damages(events, heads=()):
    return [(problem.damage, problem.seq) for problem in check_chains(events, heads)[1]]


def test_a_whole_record_has_no_problems():
    events = chain(5) + chain(3, "d2") + chain(2, "d1", "study")
    sound, problems = check_chains(reversed(events), [head_of(events[4]), head_of(events[2])])
    assert problems == []
    assert sorted(sound, key=repr) == sorted(events, key=repr)


def test_the_hash_is_fixed_for_all_time():
    """Another version of the program must compute the same hashes from the same events."""
    event = make_event(empty_head("d", "s"), "2026-01-01T00:00:00.000000Z", "änn", "reading", '{"score":70.5}')
    assert event.hash == "25aa98e3e3c9173be0d66f125198f663cb5ea557f5cee61898d62b26abf35b79"


@pytest.mark.parametrize("field", ["device", "study", "utc", "actor", "kind", "payload", "previous", "hash"])
@given(st.data())
def test_any_changed_field_is_found_at_its_place(field, data):
    events = chain(4)
    place = data.draw(st.integers(0, 3))
    other = data.draw(st.text(max_size=80).filter(lambda text: text != getattr(events[place], field)))
    changed = msgspec.structs.replace(events[place], **{field: other})
    events[place] = changed
    sound, problems = check_chains(events)
    assert changed not in sound
    assert (Damage.CHANGED, place + 1) in [(p.damage, p.seq) for p in problems]


def test_a_deleted_event_is_found_at_its_place():
    events = chain(5)
    assert damages([*events[:2], *events[3:]]) == [(Damage.MISSING, 3)]
    assert damages(events[2:]) == [(Damage.MISSING, 1)]
    sentence = check_chains([events[0], events[4]])[1][0].sentence
    assert sentence == "Events 2 to 4 are missing or damaged."


def test_swapped_places_are_found():
    events = chain(4)
    events[1], events[2] = (
        msgspec.structs.replace(events[2], seq=events[1].seq),
        msgspec.structs.replace(events[1], seq=events[2].seq),
    )
    assert (Damage.CHANGED, 2) in damages(events)
    assert (Damage.CHANGED, 3) in damages(events)


def test_an_inserted_event_is_found_even_with_a_hash_of_its_own():
    events = chain(4)
    forged = make_event(head_of(events[0]), "2026-01-01T00:00:00Z", "eve", "reading", "{}")
    assert is_sound(forged)
    assert damages([*events, forged])[0] == (Damage.INSERTED, 2)
    assert damages([events[0], forged, *events[2:]]) == [(Damage.INSERTED, 3)]


def test_a_cut_off_end_shows_against_a_head_only():
    events = chain(5)
    assert damages(events[:3]) == []
    assert damages(events[:3], [head_of(events[4])]) == [(Damage.CUT_OFF, 4)]
    assert damages([], [head_of(events[4])]) == [(Damage.CUT_OFF, 1)]


def test_a_rewritten_chain_shows_against_a_head():
    events = chain(3)
    forged = [*events[:1], *(make_event(head_of(events[0]), "2026", "eve", "reading", "{}"),)]
    forged.append(make_event(head_of(forged[-1]), "2026", "eve", "reading", "{}"))
    assert damages(forged) == []
    assert damages(forged, [head_of(events[2])]) == [(Damage.INSERTED, 3)]


@given(st.data())
def test_events_that_are_not_what_was_written_are_never_shown(data):
    """Whatever rows are dropped, doubled, altered or moved: sound means written."""
    written = chain(6)
    rows = data.draw(st.lists(st.sampled_from(written), max_size=8))
    altered = [
        msgspec.structs.replace(row, **{data.draw(st.sampled_from(["payload", "actor", "utc"])): data.draw(st.text())})
        for row in rows[: data.draw(st.integers(0, len(rows)))]
    ]
    sound, _ = check_chains(rows + altered)
    assert all(event in written for event in sound)


def test_what_cannot_be_read_back_is_refused():
    for bad in (float("nan"), float("inf"), "\ud800", object()):
        with pytest.raises(ValueError, match="cannot be written"):
            canonical_json({"a": bad})
    assert canonical_json({"b": 1, "a": [1.5, "ä"]}) == '{"a":[1.5,"ä"],"b":1}'
