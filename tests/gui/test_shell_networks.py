"""Which network answers where several lie about, and what the window says of it."""

from __future__ import annotations

import pytest

from gui.bundle_choice import choose_network, find_networks, origin_words
from tests.unit.inference import bundles


@pytest.fixture
def networks(tmp_path):
    """Makes bundles from "where:id version" and finds them again."""

    def make(*wanted):
        for number, (where, words) in enumerate(entry.split(":") for entry in wanted):
            model_id, version = words.split()
            bundles.make_bundle(tmp_path / where / f"{number}", id=model_id, version=version)
        return find_networks(tmp_path / "shipped", tmp_path / "added")

    return make


@pytest.mark.parametrize(
    ("there", "named", "taken"),
    [
        (["shipped:a 1.1.0"], "", "a 1.1.0"),
        (["shipped:a 1.1.0", "added:a 1.0.0"], "", "a 1.1.0"),
        (["shipped:a 1.1.0", "added:a 1.10.0"], "", "a 1.10.0"),
        (["shipped:a 1.1.0", "added:a 1.1.0-rc1"], "", "a 1.1.0"),
        (["shipped:a 1.1.0", "added:z 9.0.0"], "", "a 1.1.0"),
        (["shipped:a 1.1.0", "added:z 9.0.0"], "z", "z 9.0.0"),
        (["shipped:a 1.1.0", "added:z 9.0.0"], "gone", "a 1.1.0"),
        (["added:z 9.0.0", "added:y 1.0.0"], "", "z 9.0.0"),
    ],
)
def test_what_is_named_or_newer_is_taken(networks, there, named, taken):
    assert choose_network(networks(*there), named).name == taken


def test_nothing_added_silently_takes_the_place_of_the_programs_own(networks):
    found = networks("shipped:a 1.1.0", "added:a 1.1.0")
    chosen = choose_network(found, "")
    assert not chosen.is_added
    assert origin_words(chosen, found) == ""


def test_an_added_network_says_so(networks):
    found = networks("shipped:a 1.1.0", "added:a 1.2.0")
    words = "a 1.2.0 was added in the data folder; the program came with a 1.1.0."
    assert origin_words(choose_network(found, ""), found) == words


def test_a_broken_bundle_is_left_out_and_none_is_none(networks, tmp_path):
    broken = tmp_path / "added" / "broken"
    broken.mkdir(parents=True)
    (broken / "model.json").write_text("{")
    assert networks() == []
    assert choose_network([], "") is None
