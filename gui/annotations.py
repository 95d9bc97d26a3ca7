"""The reader's marks on one radiograph, with selection and undo. No widget."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Sequence

import msgspec
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoStack

from gui.commands import ChangeMarks, Marks
from study.model import Annotation, AnnotationKind

MIN_POINTS: dict[AnnotationKind, int] = {
    AnnotationKind.LUCENT_LINE: 2,
    AnnotationKind.POLYGON: 3,
    AnnotationKind.ELLIPSE: 2,
    AnnotationKind.POINT: 1,
    AnnotationKind.TEXT: 1,
    AnnotationKind.RULER: 2,
    AnnotationKind.ANGLE: 4,
}
FREE_LENGTH = frozenset({AnnotationKind.LUCENT_LINE, AnnotationKind.POLYGON})  # points may be added and removed
KIND_NAMES: dict[AnnotationKind, str] = {
    AnnotationKind.LUCENT_LINE: "lucent line",
    AnnotationKind.POLYGON: "polygon",
    AnnotationKind.ELLIPSE: "ellipse",
    AnnotationKind.POINT: "point",
    AnnotationKind.TEXT: "text",
    AnnotationKind.RULER: "ruler",
    AnnotationKind.ANGLE: "angle",
}

Point = tuple[float, float]


def new_annotation(
    kind: AnnotationKind, points: Iterable[Point], *, width_px: float = 0.0, text: str = ""
) -> Annotation:
    """A mark with an id of its own."""
    return Annotation(uuid.uuid4().hex, kind, tuple((float(x), float(y)) for x, y in points), width_px, text)


def moved(annotation: Annotation, dx: float, dy: float) -> Annotation:
    points = tuple((x + dx, y + dy) for x, y in annotation.points)
    return msgspec.structs.replace(annotation, points=points)


class AnnotationModel(QObject):
    """A list of `study.model.Annotation` in image pixels; every edit is one step on `undo_stack`.

    A stack can be handed in, so that marks and the form share one undo.
    """

    changed = Signal()
    selection_changed = Signal()

    def __init__(self, undo_stack: QUndoStack | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._undo_stack = undo_stack if undo_stack is not None else QUndoStack(self)
        self._marks: Marks = ()
        self._selection: frozenset[str] = frozenset()
        self._clipboard: Marks = ()
        self._pastes = 0
        self._gestures = itertools.count(1)
        self._read_only = False

    # What there is

    @property
    def undo_stack(self) -> QUndoStack:
        return self._undo_stack

    @property
    def annotations(self) -> Marks:
        return self._marks

    def to_list(self) -> list[Annotation]:
        return list(self._marks)

    def annotation(self, mark_id: str) -> Annotation | None:
        return next((mark for mark in self._marks if mark.id == mark_id), None)

    @property
    def selection(self) -> frozenset[str]:
        return self._selection

    @property
    def selected(self) -> Marks:
        return tuple(mark for mark in self._marks if mark.id in self._selection)

    @property
    def read_only(self) -> bool:
        return self._read_only

    def set_read_only(self, read_only: bool) -> None:
        """A submitted reading's marks can be looked at, not changed. No mark has changed by that: nothing is emitted."""
        self._read_only = read_only

    # Loading and selecting: no undo steps

    def load(self, annotations: Sequence[Annotation]) -> None:
        """Show the marks of another reading; its history starts here."""
        self._undo_stack.clear()
        self.replace_marks(tuple(annotations), frozenset())

    def select(self, ids: Iterable[str]) -> None:
        selection = frozenset(ids) & {mark.id for mark in self._marks}
        if selection != self._selection:
            self._selection = selection
            self.selection_changed.emit()

    @Slot()
    def select_all(self) -> None:
        self.select(mark.id for mark in self._marks)

    @Slot()
    def clear_selection(self) -> None:
        self.select(())

    def new_gesture(self) -> int:
        """A number for one drag or one held key: all edits that carry it are undone together."""
        return next(self._gestures)

    # Editing: one undo step each

    def add(self, annotation: Annotation) -> None:
        self._push(f"Add {KIND_NAMES[annotation.kind]}", (*self._marks, annotation), frozenset({annotation.id}))

    def replace(self, annotation: Annotation, gesture: int = 0) -> None:
        """Put `annotation` in the place of the mark with the same id."""
        self._map(f"Edit {KIND_NAMES[annotation.kind]}", {annotation.id}, lambda _: annotation, gesture)

    def replace_many(self, annotations: Iterable[Annotation], text: str = "Edit marks", gesture: int = 0) -> None:
        new = {annotation.id: annotation for annotation in annotations}
        self._map(text, new, lambda mark: new[mark.id], gesture)

    def move(self, ids: Iterable[str], dx: float, dy: float, gesture: int = 0) -> None:
        self._map("Move marks", frozenset(ids), lambda mark: moved(mark, dx, dy), gesture)

    def set_width(self, ids: Iterable[str], width_px: float, gesture: int = 0) -> None:
        """Of lucent lines; other kinds have none."""
        chosen = {m.id for m in self._marks if m.kind is AnnotationKind.LUCENT_LINE} & frozenset(ids)
        width = max(0.0, float(width_px))
        self._map("Change width", chosen, lambda m: msgspec.structs.replace(m, width_px=width), gesture)

    def remove(self, ids: Iterable[str]) -> None:
        gone = frozenset(ids)
        kept = tuple(mark for mark in self._marks if mark.id not in gone)
        if len(kept) != len(self._marks):
            self._push("Delete marks", kept, frozenset())

    def remove_point(self, mark_id: str, index: int) -> bool:
        """Take one point out of a polyline or polygon. False when the mark needs it."""
        mark = self.annotation(mark_id)
        if mark is None or mark.kind not in FREE_LENGTH or len(mark.points) <= MIN_POINTS[mark.kind]:
            return False
        points = mark.points[:index] + mark.points[index + 1 :]
        self.replace(msgspec.structs.replace(mark, points=points))
        return True

    def insert_point(self, mark_id: str, index: int, point: Point) -> bool:
        mark = self.annotation(mark_id)
        if mark is None or mark.kind not in FREE_LENGTH:
            return False
        self.replace(msgspec.structs.replace(mark, points=(*mark.points[:index], point, *mark.points[index:])))
        return True

    @Slot()
    def delete_selected(self) -> None:
        self.remove(self._selection)

    # Copying. The clipboard outlives `load`, so that marks can be taken from one radiograph to the next.

    @Slot()
    def copy(self) -> None:
        if self.selected:
            self._clipboard = self.selected
            self._pastes = 0

    @property
    def can_paste(self) -> bool:
        return bool(self._clipboard)

    @Slot()
    def cut(self) -> None:
        self.copy()
        self.delete_selected()

    def paste(self, offset_px: float = 12.0) -> None:
        """Paste beside the original, a step further each time."""
        if not self._clipboard:
            return
        self._pastes += 1
        shift = offset_px * self._pastes
        pasted = tuple(
            msgspec.structs.replace(moved(mark, shift, shift), id=uuid.uuid4().hex) for mark in self._clipboard
        )
        self._push("Paste marks", (*self._marks, *pasted), frozenset(mark.id for mark in pasted))

    def duplicate(self, offset_px: float = 12.0) -> None:
        self.copy()
        self.paste(offset_px)

    # For commands

    def replace_marks(self, marks: Marks, selection: frozenset[str]) -> None:
        """Called by undo steps; editing goes through the methods above."""
        ids = {mark.id for mark in marks}
        self._marks = marks
        selection &= ids
        selection_differs = selection != self._selection
        self._selection = selection
        self.changed.emit()
        if selection_differs:
            self.selection_changed.emit()

    def _map(self, text: str, ids: Iterable[str], change: Callable[[Annotation], Annotation], gesture: int) -> None:
        chosen = frozenset(ids)
        after = tuple(change(mark) if mark.id in chosen else mark for mark in self._marks)
        if after != self._marks:
            self._push(text, after, self._selection, gesture)

    def _push(self, text: str, after: Marks, selected_after: frozenset[str], gesture: int = 0) -> None:
        if self._read_only:
            return
        self._undo_stack.push(ChangeMarks(self, text, self._marks, after, self._selection, selected_after, gesture))
