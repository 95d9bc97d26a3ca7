"""What the actions on a radiograph do, alike in the program's window and in a study's reading window."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QWidget

from gui.annotations import AnnotationModel
from gui.overlay import OverlayState
from gui.tools import Tool
from gui.views.side_by_side import ReadingPanes


def picture_handlers(
    window: QWidget,
    panes: ReadingPanes,
    marks: AnnotationModel,
    overlay: OverlayState,
    undo_stack: QUndoStack,
    tools: Iterable[Tool],
) -> dict[str, Callable[..., object]]:
    """Action id -> handler, for `Actions.connect`: editing marks, looking, the map, the tools."""
    main = panes.main
    handlers: dict[str, Callable[..., object]] = {
        "undo": undo_stack.undo,
        "redo": undo_stack.redo,
        "cut": marks.cut,
        "copy": marks.copy,
        "paste": marks.paste,
        "duplicate": marks.duplicate,
        "delete": marks.delete_selected,
        "select_all": marks.select_all,
        "fit": main.fit,
        "one_to_one": main.one_to_one,
        "zoom_in": lambda: main.zoom_by(1.25),
        "zoom_out": lambda: main.zoom_by(0.8),
        "invert": main.set_inverted,
        "rotate_right": lambda: main.rotate_by(90),
        "rotate_left": lambda: main.rotate_by(-90),
        "flip": main.flip_horizontal,
        "reset_view": main.reset_view,
        "side_by_side": panes.set_side_by_side,
        "show_marks": panes.set_show_marks,
        "full_screen": lambda on: window.showFullScreen() if on else window.showNormal(),
        "to_image": main.setFocus,
        "overlay": overlay.set_visible,
        "contour": overlay.set_contour,
        "opacity_up": lambda: overlay.step_opacity(1),
        "opacity_down": lambda: overlay.step_opacity(-1),
        "threshold_up": lambda: overlay.set_threshold(overlay.threshold + 0.05),
        "threshold_down": lambda: overlay.set_threshold(overlay.threshold - 0.05),
    }
    for tool in tools:
        handlers[f"tool_{tool.value}"] = lambda on, tool=tool: panes.set_tool(tool) if on else None
    return handlers
