# ruff: noqa: F811 - tests take the fixture `desk` by its name
"""What a reading says of how the image was looked at is how it was looked at."""

from __future__ import annotations

import pytest

from study.events import EventKind
from study.model import Call
from tests.gui.shell_fakes import prediction, radiograph, source
from tests.gui.test_shell_window import desk  # noqa: F401 - a fixture


def open_case(desk, name, *predictions):
    desk.library.add([source(name)])
    desk.jobs.waiting("decode").finish(radiograph(name, rows=1200, cols=1000))
    return [list(predictions) or [prediction()]]


def assess(desk, predictions):
    desk.jobs.waiting("assess").finish(predictions[0])


def submit(desk):
    form = desk.window.form
    form.edit("call", call=Call.LOOSE)
    form.edit("score", score=90)
    desk.controller.submit()
    readings = [payload.reading for kind, _, payload in desk.store.events if kind == EventKind.READING]
    return readings[-1].viewing


def zoom_to(desk, zoom):
    main = desk.window.panes.main
    main.zoom_by(zoom / main.zoom)
    return main.zoom


def test_a_case_that_was_only_looked_at_fitted(desk, qapp):
    main, answers = desk.window.panes.main, open_case(desk, "a.png")
    zooms = [main.zoom]
    main.zoom_changed.connect(zooms.append)
    assess(desk, answers)
    qapp.processEvents()
    viewing = submit(desk)
    assert viewing.display_px == (main.width(), main.height())
    assert min(viewing.display_px) > 100
    assert viewing.max_zoom == pytest.approx(max(zooms), abs=1e-3)
    assert viewing.max_zoom < 0.9


def test_the_largest_zoom_is_kept_for_its_own_hip_and_case(desk, qapp):
    both = [prediction((100, 100, 300, 300)), prediction((600, 100, 300, 300))]
    answers = open_case(desk, "a.png", *both)
    before = zoom_to(desk, 4.0)  # while the CNN still looks for hips
    desk.window.panes.main.fit()
    fitted = desk.window.panes.main.zoom
    assess(desk, answers)
    zoomed = zoom_to(desk, 2.0)
    desk.window.panes.main.fit()
    first = submit(desk)
    assert first.max_zoom == pytest.approx(before, abs=1e-3)
    assert before > zoomed > fitted
    desk.controller.select_hip(1)
    second = submit(desk)
    assert second.max_zoom == pytest.approx(desk.window.panes.main.zoom, abs=1e-3)
    assert min(second.display_px) > 100
    assess(desk, open_case(desk, "b.png"))
    third = submit(desk)
    assert desk.window.panes.main.zoom - 1e-3 < third.max_zoom < 0.9


def test_the_size_is_that_of_the_view_when_the_answer_was_given(desk, qapp):
    assess(desk, open_case(desk, "a.png"))
    desk.window.resize(1200, 800)
    qapp.processEvents()
    main = desk.window.panes.main
    assert submit(desk).display_px == (main.width(), main.height())
