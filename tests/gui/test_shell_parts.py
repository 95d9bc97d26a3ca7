"""The plain parts of the shell: viewing record, agreement, model card in words, actions, autosave."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QWidget

from gui import model_info
from gui.actions import Actions, keys_of, specs
from gui.agreement import compare
from gui.annotations import new_annotation
from gui.autosave import LATEST_S, Autosave
from gui.preferences import Preferences
from gui.viewing import IDLE_AFTER_S, ViewingClock
from gui.views.diagnosis_panel import agreement_lines
from gui.words import unplaced_zones_words
from imaging.geometry import HipRegion
from inference.model_bundle import IndeterminateBand, InputCard, Metric, ModelCard, OperatingPoint, SaliencyCard
from inference.prediction import Decision
from study.localisation import marks_mask
from study.model import AnnotationKind, Call, CaseKey, Reader, Reading, ReadingMode, ZoneFinding
from tests.gui.shell_fakes import prediction

REGION = HipRegion(0, 0, 80, 80)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_active_seconds_stop_when_the_reader_does():
    clock = Clock()
    viewing = ViewingClock(clock)
    viewing.resume()
    clock.now += 10
    viewing.touch()
    clock.now += 1000
    assert viewing.record().active_s == pytest.approx(10 + IDLE_AFTER_S)
    viewing.touch()
    clock.now += 5
    viewing.pause()
    clock.now += 500
    assert viewing.record().active_s == pytest.approx(15 + IDLE_AFTER_S)


def test_overlay_seconds_windows_and_zoom():
    clock = Clock()
    viewing = ViewingClock(clock)
    viewing.resume()
    viewing.set_window(100, 200)
    clock.now += 2
    viewing.set_overlay_visible(True)
    clock.now += 3
    viewing.set_overlay_visible(False)
    viewing.set_window(110, 200)  # held for no time: not a setting anybody looked at
    viewing.set_window(50, 60)
    clock.now += 4
    viewing.set_zoom(3.0)
    viewing.set_zoom(1.5)
    record = viewing.record()
    assert record.overlay_visible_s == pytest.approx(3)
    assert record.active_s == pytest.approx(9)
    assert record.windows == ((100, 200), (50, 60))
    assert record.max_zoom == 3.0


def test_viewing_goes_on_from_a_draft():
    clock = Clock()
    viewing = ViewingClock(clock)
    viewing.resume()
    clock.now += 7
    later = ViewingClock(clock, viewing.record())
    later.resume()
    clock.now += 5
    assert later.record().active_s == pytest.approx(12)


@given(st.lists(st.tuples(st.sampled_from("trpo"), st.floats(0, 100)), max_size=40))
def test_overlay_seconds_never_exceed_active_ones_nor_the_clock(steps):
    clock = Clock()
    viewing = ViewingClock(clock)
    shown = False
    for what, seconds in steps:
        match what:
            case "t":
                viewing.touch()
            case "r":
                viewing.resume()
            case "p":
                viewing.pause()
            case _:
                shown = not shown
                viewing.set_overlay_visible(shown)
        clock.now += seconds
    record = viewing.record()
    assert 0 <= record.overlay_visible_s <= record.active_s + 1e-6
    assert record.active_s <= clock.now - 100 + 0.02


def reading(**fields) -> Reading:
    return Reading(
        **(
            {
                "id": "1",
                "case": CaseKey("0" * 64, 0, REGION.box, "R"),
                "reader": Reader("AB"),
                "mode": ReadingMode.ASSIST,
                "call": Call.LOOSE,
                "score": 80.0,
            }
            | fields
        )
    )


def test_agreement_of_calls_zones_and_marks():
    values = np.zeros((8, 8), np.float32)
    values[2, 3] = 1.0
    cnn = prediction(REGION.box, values=values)
    on_it = new_annotation(AnnotationKind.ELLIPSE, [(30, 20), (40, 30)])
    agreement = compare(
        reading(annotations=(on_it,), findings=(ZoneFinding("1", lucency=True), ZoneFinding("7", osteolysis=True))), cnn
    )
    assert agreement.same_call is True
    assert agreement.score_difference == pytest.approx(-7)
    assert agreement.attention_in_marked_zones == pytest.approx(0.62)
    assert agreement.peak_on_mark is True
    assert 0.1 < agreement.iou < 0.9
    text = " ".join(agreement_lines(agreement))
    assert "62 % of the attention in your zones (1, 7)" in text
    assert "Same call, 7 points apart" in text
    far = new_annotation(AnnotationKind.POLYGON, [(60, 60), (79, 60), (79, 79)])
    elsewhere = compare(reading(call=Call.NOT_LOOSE, score=10.0, annotations=(far,)), cnn)
    assert (elsewhere.same_call, elsewhere.peak_on_mark, elsewhere.iou) == (False, False, 0.0)


def test_what_cannot_be_compared_is_left_out():
    refused = prediction(decision=Decision.NOT_ASSESSABLE, probability=None)
    agreement = compare(reading(), refused)
    assert agreement_lines(agreement) == []
    no_map = prediction(values=np.zeros((8, 8)))
    marked = reading(annotations=(new_annotation(AnnotationKind.POINT, [(30, 30)]),))
    assert compare(marked, no_map).iou is None
    ruler = reading(annotations=(new_annotation(AnnotationKind.RULER, [(0, 0), (10, 10)]),))
    assert compare(ruler, prediction()).peak_on_mark is None, "a measurement is no finding"


@given(st.lists(st.tuples(st.floats(-200, 300), st.floats(-200, 300)), min_size=1, max_size=6), st.floats(0, 50))
def test_any_mark_can_be_laid_on_the_grid(points, width):
    for kind, count in ((AnnotationKind.LUCENT_LINE, 2), (AnnotationKind.POLYGON, 3), (AnnotationKind.POINT, 1)):
        mark = new_annotation(kind, (points * 3)[: max(count, len(points))], width_px=width)
        assert marks_mask([mark], REGION).shape == (256, 256)


def card(**fields) -> ModelCard:
    known = {
        "schema": 1,
        "id": "m",
        "version": "1.0.0",
        "title": "M",
        "architecture": "lucency-net",
        "input": InputCard(size=64),
        "outputs": ("loose",),
        "operating_point": OperatingPoint(threshold=0.42, chosen_on="the calibration set", n=300),
        "saliency": SaliencyCard(method="map", levels=(0.0, 1.0)),
        "training_data": "simulated",
        "intended_use": "x",
    }
    return ModelCard(**(known | fields))


METRICS = (
    Metric(name="patch accuracy", value=0.5, n=9, set="patches"),
    Metric(name="sensitivity", value=0.99, n=40, set="calibration"),
    Metric(name="specificity", value=0.99, n=40, set="calibration"),
    Metric(name="sensitivity", value=0.6, n=50, set="fresh"),
    Metric(name="specificity", value=0.45, n=60, set="fresh"),
    Metric(name="sensitivity where decided", value=0.9, n=30, set="fresh", ci=(0.74, 0.97)),
    Metric(name="specificity where decided", value=0.95, n=40, set="fresh", ci=(0.83, 0.99)),
    Metric(name="indeterminate", value=0.36, n=110, set="fresh"),
    Metric(name="AUC loose", value=0.94, n=110, set="fresh", ci=(0.9, 0.98)),
)


def test_the_card_in_words_says_what_was_tested_on_what():
    band = IndeterminateBand(low=0.3, high=0.42, n=300)
    assert model_info.tested_text(card(metrics=METRICS, indeterminate=band)) == (
        "Tested on 110 simulated hips that it had not seen: where it decided, sensitivity 0.90 (0.74–0.97), "
        "specificity 0.95 (0.83–0.99); 36 % indeterminate; AUC 0.940 (0.900–0.980)."
    )
    for band in (None, IndeterminateBand(low=0.42, high=0.42, n=300)):  # what it refuses then counts as an error
        assert model_info.tested_text(card(metrics=METRICS, indeterminate=band)) == (
            "Tested on 110 simulated hips that it had not seen: sensitivity 0.60, specificity 0.45; "
            "AUC 0.940 (0.900–0.980)."
        )
    assert model_info.tested_text(card(metrics=METRICS[:3])) == (
        "Tested on 40 simulated hips of its own calibration cohort: sensitivity 0.99, specificity 0.99."
    )
    assert model_info.operating_point_text(card()) == (
        "Classified as loose at a score of 42 or higher (threshold chosen on the calibration set, n = 300)."
    )
    assert "no test results" in model_info.tested_text(card())


def test_predictive_values_follow_bayes():
    positive, negative = model_info.predictive_values(card(metrics=METRICS), 0.1)
    loose, alarm = 0.1 * 27.5 / 51, 0.9 * 2.5 / 61
    assert positive == pytest.approx(loose / (loose + alarm))
    cleared, missed = 0.9 * 38.5 / 61, 0.1 * 3.5 / 51
    assert negative == pytest.approx(cleared / (cleared + missed))
    assert model_info.predictive_values(card(), 0.1) is None


def test_a_small_perfect_test_claims_no_certainty():
    perfect = tuple(Metric(name=name, value=1.0, n=20, set="fresh") for name in ("sensitivity", "specificity"))
    assert all(0.5 < value < 0.99 for value in model_info.predictive_values(card(metrics=perfect), 0.5))


def test_no_two_actions_share_a_key():
    keys = Counter(key.toString() for spec in specs() for key in keys_of(spec, {}))
    assert [key for key, count in keys.items() if count > 1] == []
    assert len({spec.id for spec in specs()}) == len(list(specs()))


def test_keys_can_be_remapped_and_taken_away(qtbot, tmp_path):
    preferences = Preferences(tmp_path)
    window = QWidget()
    qtbot.addWidget(window)
    actions = Actions(window, preferences, (window,))
    assert actions["fit"].shortcuts() == [QKeySequence("F")]
    preferences.shortcuts = {"fit": "Ctrl+Alt+F", "invert": ""}
    assert actions["fit"].shortcuts() == [QKeySequence("Ctrl+Alt+F")]
    assert "Ctrl+Alt+F" in actions["fit"].toolTip()
    assert actions["invert"].shortcuts() == []


class Keeper:
    def __init__(self) -> None:
        self.saved: list[tuple[str, bytes]] = []

    def save_draft(self, key: str, data: bytes) -> None:
        self.saved.append((key, data))

    def discard_draft(self, key: str) -> None:
        self.saved.append((key, b""))


def test_a_reader_who_never_pauses_is_saved_all_the_same(qtbot):
    keeper, text = Keeper(), [b"0"]
    autosave = Autosave(keeper, lambda: ("a", text[0]))
    for step in range(40):
        text[0] = str(step).encode()
        autosave.touch()
        qtbot.wait(50)
    assert keeper.saved, f"nothing within 2 s, though {LATEST_S} s are promised"
    autosave.flush()
    assert keeper.saved[-1] == ("a", b"39")
    count = len(keeper.saved)
    autosave.touch()
    autosave.flush()
    assert len(keeper.saved) == count, "what is saved already is not written again"


STEM_SHARES = {str(zone): 0.1 for zone in range(1, 8)}
CUP_SHARES = {"I": 0.1, "II": 0.1, "III": 0.05}
FOUND = {"stem_tip": (1.0, 2.0, 0.9)}


@pytest.mark.parametrize(
    ("shares", "landmarks", "words"),
    [
        (STEM_SHARES | CUP_SHARES, FOUND, ""),
        (STEM_SHARES, FOUND, "where the cup lies"),
        (CUP_SHARES, FOUND, "where the stem lies"),
        ({}, FOUND, "where stem and cup lie"),
        ({}, {}, ""),  # a network that places nothing has not failed to
    ],
)
def test_zones_that_the_cnn_could_not_place_are_named(shares, landmarks, words):
    said = unplaced_zones_words(prediction(zone_shares=shares, landmarks=landmarks))
    assert words in said
    assert bool(said) is bool(words)


def test_a_zone_without_a_share_is_no_share_of_nothing():
    marked = reading(findings=(ZoneFinding("I", lucency=True),))
    assert compare(marked, prediction(zone_shares=STEM_SHARES)).attention_in_marked_zones is None
    assert compare(marked, prediction(zone_shares=STEM_SHARES | CUP_SHARES)).attention_in_marked_zones == 0.1
