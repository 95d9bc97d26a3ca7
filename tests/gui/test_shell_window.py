"""The window over jobs and a record that the test holds in its hands."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument, QUndoStack
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from gui import theme
from gui.actions import specs
from gui.annotations import AnnotationModel, new_annotation
from gui.cases import CaseState
from gui.library import CaseLibrary
from gui.main_window import MainWindow
from gui.overlay import OverlayState
from gui.preferences import Preferences
from gui.reading import ReadingController
from gui.samples import Sample, find_samples
from gui.tools import Tool
from gui.views.diagnosis_panel import HIDDEN_TEXT
from gui.views.reading_form import FormState
from imaging.radiograph import Side
from inference.model_bundle import IndeterminateBand, OperatingPoint
from inference.prediction import Decision, PartFinding
from inference.worker import Engine, EngineDescription
from study.model import AnnotationKind, Call, Reader, ReadingMode
from tests.gui.shell_fakes import FakeJobs, FakeStore, prediction, radiograph, source
from tests.gui.test_shell_parts import METRICS, card

SAMPLE = source("loose-cemented.dcm")


@pytest.fixture
def desk(qtbot, qapp, tmp_path):
    preferences = Preferences(tmp_path)
    preferences.reader_name = "AB"
    theme.apply_theme(qapp, preferences)
    jobs, store, undo, overlay = FakeJobs(), FakeStore(), QUndoStack(), OverlayState()
    library, marks = CaseLibrary(jobs), AnnotationModel(undo)
    controller = ReadingController(jobs, library, store, marks, reader=lambda: Reader("AB"), app_version="1")
    samples = [Sample(SAMPLE.path, "Sample 1", "Loose cemented stem", "A line.")]
    window = MainWindow(jobs, library, controller, marks, undo, overlay, preferences, samples)
    window.set_model(card(metrics=METRICS, indeterminate=IndeterminateBand(low=0.4, high=0.6, n=10)))
    qtbot.addWidget(window)
    window.resize(1440, 900)
    window.show()
    controller.open_record()
    qtbot.waitUntil(lambda: controller._store_is_open)
    yield SimpleNamespace(
        jobs=jobs, store=store, library=library, marks=marks, controller=controller, window=window, overlay=overlay,
        preferences=preferences, undo=undo,
    )  # fmt: skip
    preferences.font_scale_percent = 100
    theme.apply_theme(qapp, preferences)


def show(desk, *predictions, name="a.png", **fields):
    desk.library.add([source(name)])
    desk.jobs.waiting("decode").finish(radiograph(name, **fields))
    desk.jobs.waiting("assess").finish(list(predictions) or [prediction()])


def seen(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def test_every_action_of_the_table_does_something(desk):
    own = {"peek", *(action.objectName() for action in desk.window.form.actions())}
    assert {spec.id for spec in specs()} - own == set(desk.window.handlers())


def test_every_action_with_keys_is_within_reach(desk):
    in_menus = set()
    for menu in desk.window.menuBar().actions():
        in_menus |= {action.objectName() for action in menu.menu().actions()}
    assert {spec.id for spec in specs() if spec.menu} <= in_menus


def test_the_banner_is_always_there(desk):
    assert "research use only" in seen(desk.window).lower()
    show(desk)
    assert "simulated" in seen(desk.window.banner)
    assert desk.window.banner.isVisible()


@pytest.mark.parametrize(
    ("decision", "probability", "reason", "word"),
    [
        (Decision.LOOSE, 0.87, "", "Loose"),
        (Decision.NOT_LOOSE, 0.08, "", "Not loose"),
        (Decision.INDETERMINATE, 0.5, "Too close to call.", "Indeterminate"),
        (Decision.NOT_ASSESSABLE, None, "No hip replacement was found.", "Not assessable"),
    ],
)
def test_the_four_outcomes(desk, decision, probability, reason, word):
    show(desk, prediction(decision=decision, probability=probability, reason=reason))
    text = seen(desk.window.diagnosis)
    assert word in text.split("\n")
    assert reason in text
    assert (f"{100 * (probability or 0):.0f}" in text.split("\n")) is (probability is not None)
    assert ("Tested on 110 simulated hips" in text) is (probability is not None)
    assert "trained on simulated radiographs" in text
    assert ("Loose among your patients" in text) is (decision in (Decision.LOOSE, Decision.NOT_LOOSE))


def test_a_part_that_the_film_does_not_show_says_so(desk):
    """Stem and cup one by one; the hip says by which it was judged."""
    parts = {
        "stem": PartFinding("stem", Decision.NOT_ASSESSABLE, "The film ends above the tip of the stem.", None),
        "cup": PartFinding("cup", Decision.LOOSE, "", 0.87),
    }
    reason = "Judged by the cup alone. The film ends above the tip of the stem."
    show(desk, prediction(reason=reason, parts=parts, fixation="cemented", stem_probability=None))
    document = QTextDocument()
    document.setHtml(desk.window.diagnosis._components.text())
    stem, cup = document.toPlainText().replace("\xa0", " ").splitlines()
    assert stem == "Stem (cemented)  Not assessable. The film ends above the tip of the stem."
    assert cup == "Cup  Loose, 87"
    assert "Judged by the cup alone.\n" in seen(desk.window.diagnosis), "its reason is beside the stem"


def test_local_prevalence_becomes_a_predictive_value(desk):
    show(desk)
    desk.window.diagnosis._prevalence.setValue(10)
    assert desk.preferences.local_prevalence == pytest.approx(0.1)
    assert "right in 59 of 100" in seen(desk.window.diagnosis)


def test_an_empty_map_is_called_no_map(desk):
    show(desk, prediction(values=np.full((8, 8), np.nan, np.float32)))
    assert "No map" in seen(desk.window)


def test_the_map_is_off_at_open_but_for_samples_and_its_opacity_is_kept(desk):
    show(desk)
    assert not desk.overlay.visible
    desk.overlay.set_visible(True)
    desk.overlay.set_opacity(0.35)
    show(desk, name="b.png")
    assert not desk.overlay.visible
    assert desk.overlay.opacity == 0.35
    assert desk.preferences.overlay_opacity == 0.35
    desk.window.opening.open_samples(0)
    desk.jobs.waiting("decode").finish(radiograph("loose-cemented.dcm"))
    assert desk.overlay.visible


def test_side_by_side_shows_marks_left_and_the_map_right(desk):
    show(desk)
    desk.window.actions_["side_by_side"].trigger()
    main, cnn = desk.window.panes.main, desk.window.panes.cnn
    QApplication.processEvents()
    assert main.height() == cnn.height(), "one header says an outcome, the other none"
    assert main.map_state.value == "absent"
    assert cnn.map_state.value == "present"
    assert cnn.overlay.shown
    assert not main.overlay.shown
    assert main.shows_marks
    assert not cnn.shows_marks
    main.zoom_by(2.0)
    assert cnn.zoom == pytest.approx(main.zoom)
    desk.window.form.edit("call", call=Call.NOT_LOOSE)
    desk.window.form.edit("score", score=20)
    text = seen(desk.window.panes)
    assert "Not loose 20 · not recorded yet" in text
    assert "Loose 87" in text
    desk.window.form.submit()
    assert "Different calls" in seen(desk.window.diagnosis)
    desk.window.actions_["side_by_side"].trigger()
    assert main.map_state.value == "present"
    assert not desk.overlay.visible, "as it was before"


def test_a_score_below_one_is_said_beside_the_readers(desk):
    """`<1` is no tag."""
    show(desk, prediction(probability=0.002, decision=Decision.NOT_LOOSE))
    desk.window.form.edit("call", call=Call.LOOSE)
    desk.window.form.edit("score", score=85)
    desk.window.form.submit()
    document = QTextDocument()
    document.setHtml(desk.window.diagnosis._agreement_text.text())
    assert "CNN: Not loose <1\nDifferent calls, 85 points apart." in document.toPlainText()


def test_answer_first_hides_titles_too(desk):
    tile = desk.window.welcome._tiles[0]
    assert tile.text() == "Loose cemented stem"
    desk.window.mode_switch.buttons[ReadingMode.ANSWER_FIRST].click()
    assert desk.controller.mode is ReadingMode.ANSWER_FIRST
    assert tile.text() == "Sample 1"
    assert not tile.toolTip()
    desk.window.opening.open_samples(0)
    desk.jobs.waiting("decode").finish(radiograph("loose-cemented.dcm"))
    desk.jobs.waiting("assess").finish([prediction()])
    assert HIDDEN_TEXT in seen(desk.window)
    assert desk.library.cases[0].label == "Sample 1"
    for menu in desk.window.findChildren(type(desk.window.actions_.submenus["samples"])):
        assert not any("oose cem" in action.text() for action in menu.actions())


def test_undo_stays_with_its_hip_and_ends_at_the_record(desk):
    show(desk, prediction((0, 0, 50, 50)), prediction((50, 0, 50, 50), side=Side.LEFT))
    desk.window.form.edit("call", call=Call.LOOSE)
    assert desk.undo.canUndo()
    desk.controller.select_hip(1)
    assert not desk.undo.canUndo(), "an undo would change the other hip's answer"
    desk.window.form.edit("call", call=Call.LOOSE)
    desk.window.form.edit("score", score=70)
    desk.marks.add(new_annotation(AnnotationKind.POINT, [(60, 10)]))
    desk.window.form.submit()
    assert not desk.undo.canUndo()
    assert desk.window.form.state in (FormState.SAVING, FormState.LOCKED)
    desk.marks.delete_selected()
    assert len(desk.marks.to_list()) == 1, "recorded marks are locked"


def test_a_slow_job_shows_and_can_be_cancelled(desk):
    desk.library.add([source("slow.dcm")])
    assert desk.window.notice.busy == ""
    desk.jobs.waiting("decode").be_slow()
    assert desk.window.notice.busy != ""
    desk.window.notice._cancel.click()
    assert desk.jobs.of("decode")[0].cancelled
    assert desk.window.notice.busy == ""


def test_problems_are_sentences_and_do_not_hide_the_image(desk):
    show(desk)
    desk.library.add([source("bad.dcm")])
    desk.jobs.waiting("decode").fail("This file is damaged.", "details")
    assert desk.window.notice.message.startswith("bad.dcm: This file is damaged.")
    assert "stays on screen" in desk.window.notice.message
    assert desk.library.cases[1].state is CaseState.ERROR


def test_what_the_file_says_about_itself_is_said(desk):
    show(desk, notices=("The side in the header contradicts the view.",))
    assert desk.window.notice.facts == "The side in the header contradicts the view."


def test_calibrating_on_the_head_changes_every_length(desk):
    show(desk)
    from PySide6.QtCore import QPointF

    desk.window.calibration.calibrate(QPointF(50, 50), 40.0, "32")
    assert desk.window.panes.main.measure.unit.startswith("mm")
    assert desk.controller.spacing[0][1] == pytest.approx(0.4)
    desk.window.calibration.calibrate(QPointF(50, 50), 40.0, "three")
    assert "number" in desk.window.notice.message


def test_advanced_maps_say_why_they_are_missing_and_work_when_there(desk):
    show(desk)
    menu = desk.window.actions_.submenus["advanced"]
    assert any("torch" in action.text() and not action.isEnabled() for action in menu.actions())
    description = EngineDescription("m", "M", "1.0.0", "f" * 64, "simulated", Engine.CPU, "CPU", ("Eigen-CAM",))
    desk.window.set_model(card(), description)
    assert menu.isEnabled()
    next(action for action in menu.actions() if action.text() == "Eigen-CAM").trigger()
    other = prediction(values=np.eye(8)).saliency
    desk.jobs.waiting("advanced").finish(other)
    assert desk.controller.visible_maps == [other]
    assert "another method" in seen(desk.window)
    menu.actions()[0].trigger()
    assert desk.controller.visible_maps == [desk.controller.prediction.saliency]


def test_keys_reach_the_image_and_the_next_case(desk, qtbot):
    desk.library.add([source("a.png"), source("b.png")])
    desk.jobs.waiting("decode").finish(radiograph("a.png"))
    window = desk.window
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is window)
    window.panes.main.setFocus()
    QTest.keyClick(window.panes.main, Qt.Key.Key_L)
    assert window.panes.main.tool is Tool.LUCENT_LINE
    QTest.keyClick(window.panes.main, Qt.Key.Key_V)
    QTest.keyClick(window.panes.main, Qt.Key.Key_I)
    assert window.panes.main.inverted
    QTest.keyPress(window.panes.main, Qt.Key.Key_Space)
    assert desk.overlay.peeking
    QTest.keyRelease(window.panes.main, Qt.Key.Key_Space)
    assert not desk.overlay.peeking
    QTest.keyClick(window.panes.main, Qt.Key.Key_Right)
    assert desk.library.asked == 1
    QTest.keyClick(window.panes.main, Qt.Key.Key_PageUp)
    assert desk.library.asked == 0


@pytest.mark.parametrize("percent", [100, 150, 200])
def test_everything_fits_at_large_fonts(desk, qapp, percent):
    desk.preferences.font_scale_percent = percent
    theme.apply_theme(qapp, desk.preferences)
    show(desk)
    desk.overlay.set_visible(True)
    qapp.processEvents()
    window = desk.window
    assert window.width() <= 1440 * max(1, percent / 150)
    assert window.panes.main.width() >= 160
    assert window.form.submit_button.isVisible()
    picture = window.grab()
    assert not picture.isNull()


def test_moving_about_counts_as_reading(desk):
    show(desk)
    viewing = desk.controller.hip.viewing
    before = viewing._last_touch
    QTest.qWait(20)
    QTest.mouseMove(desk.window.panes.main, desk.window.panes.main.view_point(50, 60).toPoint())
    assert viewing._last_touch > before
    assert "value" in desk.window.status.cursor_label.text()


def test_samples_are_listed_as_their_index_says(tmp_path):
    (tmp_path / "one.dcm").write_bytes(b"")
    (tmp_path / "index.json").write_text(
        '{"samples": [{"file": "one.dcm", "title": "T", "description": "D", "id": "x"}, {"file": "no.dcm", "title": "N"}]}'
    )
    assert find_samples(tmp_path) == [Sample(tmp_path / "one.dcm", "Sample 1", "T", "D")]
    (tmp_path / "index.json").write_text("{")
    assert find_samples(tmp_path) == []


def test_an_operating_point_stands_on_the_scale(desk):
    desk.window.set_model(card(operating_point=OperatingPoint(threshold=0.42, chosen_on="x")))
    show(desk)
    assert "loose from 42" in desk.window.diagnosis._bar.accessibleName()


def test_the_widths_of_the_columns_outlive_the_window(desk):
    show(desk)
    desk.window.columns.restore((150, 500))
    desk.window.resize(900, 700)
    desk.window.close()
    assert Preferences(desk.preferences.folder).column_widths == (150, 500)


@pytest.mark.parametrize("width", [900, 1000, 1280])
def test_the_way_of_reading_is_in_sight_at_every_width(desk, qapp, width):
    show(desk)
    desk.window.resize(width, 700)
    qapp.processEvents()
    for button in desk.window.mode_switch.buttons.values():
        place = button.mapTo(desk.window, button.rect().bottomRight())
        assert button.isVisible()
        assert place.x() < width
        assert button.width() >= button.sizeHint().width()


def test_a_network_that_was_added_is_called_so(desk):
    desk.window.set_model(card(), None, "m 1.0.0 was added in the data folder; the program came with m 0.9.0.")
    assert desk.window.status.engine_label.text() == "m 1.0.0 (added) · starting"
    assert "came with m 0.9.0" in desk.window.status.engine_label.toolTip()
    desk.window.set_model(card())
    assert desk.window.status.engine_label.text() == "m 1.0.0 · starting"
    assert not desk.window.status.engine_label.toolTip()


def test_zones_that_could_not_be_placed_are_said_beside_the_drawing(desk):
    desk.controller.set_mode(ReadingMode.ANSWER_FIRST)
    show(desk, prediction(zone_shares={}, landmarks={"stem_tip": (1.0, 2.0, 0.1)}))
    label = desk.window.form.zones.shares_label
    assert "not sure" not in seen(desk.window), "nothing of the CNN before the answer"
    assert not label.isVisibleTo(desk.window.form)
    desk.controller.set_mode(ReadingMode.ASSIST)
    assert label.text() == "The CNN is not sure where stem and cup lie: no zone is given a share."
    assert label.isVisibleTo(desk.window.form)
