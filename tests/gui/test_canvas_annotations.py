"""Marks: every edit can be undone, drags are one step, copies are copies."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QUndoStack

from gui.annotations import AnnotationModel, new_annotation
from study.model import AnnotationKind

LINE = [(10.0, 10.0), (20.0, 30.0), (30.0, 60.0)]


@pytest.fixture
def model(qapp) -> AnnotationModel:
    return AnnotationModel()


def test_add_undo_redo(model: AnnotationModel) -> None:
    mark = new_annotation(AnnotationKind.LUCENT_LINE, LINE, width_px=4)
    model.add(mark)
    assert model.to_list() == [mark]
    assert model.selection == {mark.id}
    model.undo_stack.undo()
    assert model.to_list() == []
    assert model.selection == frozenset()
    model.undo_stack.redo()
    assert model.to_list() == [mark]


def test_a_drag_is_one_step(model: AnnotationModel) -> None:
    mark = new_annotation(AnnotationKind.POINT, [(1, 1)])
    model.add(mark)
    gesture = model.new_gesture()
    for _ in range(50):
        model.move([mark.id], 1, 2, gesture)
    assert model.annotations[0].points == ((51, 101),)
    assert model.undo_stack.count() == 2
    model.undo_stack.undo()
    assert model.annotations[0].points == ((1, 1),)


def test_two_drags_are_two_steps(model: AnnotationModel) -> None:
    mark = new_annotation(AnnotationKind.POINT, [(1, 1)])
    model.add(mark)
    model.move([mark.id], 1, 0, model.new_gesture())
    model.move([mark.id], 1, 0, model.new_gesture())
    model.undo_stack.undo()
    assert model.annotations[0].points == ((2, 1),)


def test_a_drag_that_comes_back_leaves_no_step(model: AnnotationModel) -> None:
    mark = new_annotation(AnnotationKind.POINT, [(1, 1)])
    model.add(mark)
    gesture = model.new_gesture()
    model.move([mark.id], 5, 5, gesture)
    model.move([mark.id], -5, -5, gesture)
    assert model.undo_stack.count() == 1


def test_copies_have_their_own_ids_and_survive_another_radiograph(model: AnnotationModel) -> None:
    mark = new_annotation(AnnotationKind.POLYGON, LINE)
    model.add(mark)
    model.copy()
    model.paste()
    assert len({m.id for m in model.annotations}) == 2
    assert model.annotations[1].points != mark.points
    model.load([])
    assert model.to_list() == []
    assert not model.undo_stack.canUndo()
    model.paste()
    assert len(model.annotations) == 1


def test_points_that_a_mark_needs_cannot_be_removed(model: AnnotationModel) -> None:
    mark = new_annotation(AnnotationKind.LUCENT_LINE, LINE)
    model.add(mark)
    assert model.remove_point(mark.id, 1)
    assert not model.remove_point(mark.id, 1)
    assert model.insert_point(mark.id, 1, (15.0, 15.0))
    assert model.annotations[0].points == ((10, 10), (15, 15), (30, 60))


def test_a_submitted_reading_cannot_be_changed(model: AnnotationModel) -> None:
    mark = new_annotation(AnnotationKind.POINT, [(1, 1)])
    model.load([mark])
    heard = []
    model.changed.connect(lambda: heard.append(1))
    model.set_read_only(True)
    assert not heard  # no mark has changed, so nothing is to be saved
    model.move([mark.id], 5, 5)
    model.remove([mark.id])
    assert model.to_list() == [mark]
    assert model.undo_stack.count() == 0


def test_a_stack_can_be_shared(qapp) -> None:
    stack = QUndoStack()
    one, two = AnnotationModel(stack), AnnotationModel(stack)
    one.add(new_annotation(AnnotationKind.POINT, [(1, 1)]))
    two.add(new_annotation(AnnotationKind.POINT, [(2, 2)]))
    stack.undo()
    assert len(one.annotations) == 1
    assert len(two.annotations) == 0


@given(st.lists(st.sampled_from(["add", "move", "remove", "paste", "width", "undo", "redo"]), max_size=25))
def test_undoing_everything_empties_and_redoing_restores(steps: list[str]) -> None:
    model = AnnotationModel()
    for number, step in enumerate(steps):
        ids = [mark.id for mark in model.annotations]
        if step == "add":
            model.add(new_annotation(AnnotationKind.LUCENT_LINE, [(number, 0), (number, 9)], width_px=1))
        elif step == "move":
            model.move(ids[:2], 1, 1, model.new_gesture())
        elif step == "remove":
            model.remove(ids[-1:])
        elif step == "paste":
            model.duplicate()
        elif step == "width":
            model.set_width(ids, number + 2)
        elif step == "undo":
            model.undo_stack.undo()
        else:
            model.undo_stack.redo()
    end = model.to_list()
    index = model.undo_stack.index()
    model.undo_stack.setIndex(0)
    assert model.to_list() == []
    model.undo_stack.setIndex(index)
    assert model.to_list() == end


def test_a_model_goes_with_its_last_reference() -> None:
    """Left to the garbage collector it crashed: steps were freed before the stack that Qt deletes them with."""
    gc.disable()
    try:
        model = AnnotationModel()
        mark = new_annotation(AnnotationKind.POINT, [(1, 1)])
        model.add(mark)
        model.move([mark.id], 1, 1, model.new_gesture())
        model.undo_stack.undo()
        gone = weakref.ref(model)
        del model
        assert gone() is None
    finally:
        gc.enable()


def test_signals(model: AnnotationModel, qtbot) -> None:
    mark = new_annotation(AnnotationKind.POINT, [(1, 1)])
    with qtbot.waitSignals([model.changed, model.selection_changed]):
        model.add(mark)
    with qtbot.assertNotEmitted(model.changed), qtbot.waitSignal(model.selection_changed):
        model.select(())
    with qtbot.assertNotEmitted(model.selection_changed):
        model.select(["not there"])
