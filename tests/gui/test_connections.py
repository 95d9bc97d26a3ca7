"""No signal reaches an object that is gone: what outlives a window is only connected to bound methods.

Qt disconnects a bound method of a QObject when that is deleted. A lambda, a partial or a local function is called all
the same, and keeps alive what it holds.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget
from shiboken6 import delete

from gui.jobs import guarded
from imaging.sources import Source
from tests.conftest import ROOT
from tests.gui.decode_jobs import decode_jobs

# What lives as long as the program, or as long as its work takes, by the names that it goes by.
LONG_LIVED = {
    "preferences", "controller", "library", "jobs", "job", "overlay", "marks", "application", "undo_stack", "assessor",
    "store", "recorder", "history", "desk",
}  # fmt: skip
MODULES = sorted((ROOT / "gui").rglob("*.py"))


def names(expression: ast.expr) -> set[str]:
    return {
        (node.id if isinstance(node, ast.Name) else node.attr).lstrip("_")
        for node in ast.walk(expression)
        if isinstance(node, ast.Name | ast.Attribute)
    }


def loose_ends(source: str) -> list[int]:
    """Lines that connect a signal of something long-lived to what Qt cannot disconnect by itself."""
    lines = []
    for scope in ast.walk(ast.parse(source)):
        if not isinstance(scope, ast.FunctionDef):
            continue
        local = {inner.name for inner in ast.walk(scope) if isinstance(inner, ast.FunctionDef) and inner is not scope}
        for call in ast.walk(scope):
            if not (
                isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "connect"
            ):
                continue
            slot = call.args[0] if call.args else None
            is_guarded = isinstance(slot, ast.Call) and isinstance(slot.func, ast.Name) and slot.func.id == "guarded"
            is_loose = isinstance(slot, ast.Lambda | ast.Call) or (isinstance(slot, ast.Name) and slot.id in local)
            if is_loose and not is_guarded and names(call.func.value) & LONG_LIVED:
                lines.append(call.lineno)
    return sorted(set(lines))


def test_the_search_finds_what_it_is_for():
    source = """
def build(self, preferences):
    preferences.changed.connect(lambda name: self.show())
    self._jobs.changed.connect(partial(self.show, 1))
    def later(): self.show()
    self.controller.hip_changed.connect(later)
    job.done.connect(guarded(self, lambda result: self.show()))
    preferences.changed.connect(self.show)
    self.button.clicked.connect(lambda: self.show())
"""
    assert loose_ends(source) == [3, 4, 6]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_lambda_waits_for_what_outlives_it(path: Path):
    if path.name == "start.py":
        return  # its lambdas hold the program itself, which is deleted last
    assert loose_ends(path.read_text("utf-8")) == []


def test_what_is_asked_for_while_the_program_quits_never_begins(qtbot, tmp_path):
    heard = []
    with decode_jobs() as jobs:
        jobs.shutdown()
        source = Source(tmp_path / "a.dcm")
        for job in (
            jobs.prefetch(source),
            jobs.glance(source, 100),
            jobs.decode(source),
            jobs.list_sources([tmp_path]),
        ):
            job.ended.connect(lambda: heard.append(1))
        qtbot.wait(50)
    assert heard == []


def test_a_guarded_slot_is_not_called_for_an_object_that_is_gone(qapp):
    class Sender(QObject):
        done = Signal(object)
        ended = Signal()

    sender, receiver, heard = Sender(), QWidget(), []
    sender.done.connect(guarded(receiver, lambda value: heard.append((value, receiver.windowTitle()))))
    sender.ended.connect(guarded(receiver, lambda: heard.append(receiver.windowTitle())))
    sender.done.emit(1)
    sender.ended.emit()
    delete(receiver)
    sender.done.emit(2)
    sender.ended.emit()
    assert heard == [(1, ""), ""]
