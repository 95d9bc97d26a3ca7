"""Undo steps on the marks. Tiny on purpose: each holds a before and an after, the model does the rest."""

from __future__ import annotations

import weakref
from typing import Protocol

from PySide6.QtGui import QUndoCommand

from study.model import Annotation

Marks = tuple[Annotation, ...]

_MERGEABLE = 0x4C55  # any positive number: Qt merges neighbours that carry the same one


class MarksHolder(Protocol):
    """The side of AnnotationModel that commands see."""

    def replace_marks(self, marks: Marks, selection: frozenset[str]) -> None: ...


class ChangeMarks(QUndoCommand):
    """Swap all marks for others. Marks are small and frozen, so a whole list costs a few pointers.

    Steps of one `gesture` (a drag, a held arrow key) merge into one; a gesture that ends where it began vanishes.
    A step does not keep its model alive: a model that only its own steps still hold would be left to Python's garbage
    collector, which frees steps before the stack that Qt is to delete them with, and the program dies of it.
    """

    def __init__(
        self,
        holder: MarksHolder,
        text: str,
        before: Marks,
        after: Marks,
        selected_before: frozenset[str],
        selected_after: frozenset[str],
        gesture: int = 0,
    ) -> None:
        super().__init__(text)
        self._holder = weakref.ref(holder)
        self._before, self._after = before, after
        self._selected_before, self._selected_after = selected_before, selected_after
        self._gesture = gesture

    def id(self) -> int:
        return _MERGEABLE if self._gesture else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, ChangeMarks) or other._gesture != self._gesture:
            return False
        self._after, self._selected_after = other._after, other._selected_after
        self.setObsolete(self._after == self._before)
        return True

    def redo(self) -> None:
        self._swap(self._after, self._selected_after)

    def undo(self) -> None:
        self._swap(self._before, self._selected_before)

    def _swap(self, marks: Marks, selection: frozenset[str]) -> None:
        holder = self._holder()
        if holder is not None:
            holder.replace_marks(marks, selection)
