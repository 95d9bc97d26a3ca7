"""Which actions can be used now, and which are shown as on."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QUndoStack
from PySide6.QtWidgets import QWidget

from gui.actions import Actions
from gui.annotations import AnnotationModel
from gui.cases import DiagnosisState
from gui.library import CaseLibrary
from gui.overlay import OverlayMode, OverlayState
from gui.reading import ReadingController
from gui.tools import Tool
from gui.views.side_by_side import ReadingPanes
from study.model import ReadingMode

WITH_IMAGE = (
    "fit", "one_to_one", "zoom_in", "zoom_out", "auto_window", "invert", "rotate_right", "rotate_left", "flip",
    "reset_view", "to_image", "to_form", "save_picture", "side_by_side", "select_all",
    *(f"tool_{tool.value}" for tool in Tool),
)  # fmt: skip
WITH_CASES = ("close_cases", "next_case", "previous_case", "next_unread")
WITH_SELECTION = ("cut", "copy", "duplicate", "delete")
ON_AT_START = ("show_marks", "show_regions", "show_cases", "tool_select")


class ActionStates(QObject):
    """Follows what the actions are about. Make it after the panes, before the handlers are connected."""

    def __init__(
        self,
        window: QWidget,
        actions: Actions,
        library: CaseLibrary,
        controller: ReadingController,
        panes: ReadingPanes,
        overlay: OverlayState,
        marks: AnnotationModel,
        undo_stack: QUndoStack,
    ) -> None:
        super().__init__(window)
        self._actions, self._library, self._controller = actions, library, controller
        self._overlay, self._marks, self._undo_stack = overlay, marks, undo_stack
        for action_id in ON_AT_START:
            actions[action_id].setChecked(True)
        library.cases_changed.connect(self.refresh)
        controller.radiograph_changed.connect(self.refresh)
        controller.hips_changed.connect(self.refresh)
        controller.hip_changed.connect(self.refresh)
        controller.answer_replaced.connect(self.refresh)
        controller.form_state_changed.connect(self.refresh)
        controller.diagnosis_changed.connect(self.refresh)
        controller.mode_changed.connect(self._show_mode)
        controller.spacing_changed.connect(self.refresh)
        marks.selection_changed.connect(self._refresh_marks)
        undo_stack.canUndoChanged.connect(actions["undo"].setEnabled)
        undo_stack.canRedoChanged.connect(actions["redo"].setEnabled)
        overlay.changed.connect(self._show_overlay)
        panes.side_by_side_changed.connect(lambda on: show_checked(actions["side_by_side"], on))
        panes.main.inverted_changed.connect(lambda on: show_checked(actions["invert"], on))
        panes.main.tool_changed.connect(self._show_tool)
        self.refresh()
        self._refresh_marks()
        self._show_mode()
        self._show_overlay()

    def refresh(self) -> None:
        actions, controller = self._actions, self._controller
        has_image = controller.radiograph is not None
        for action_id in WITH_IMAGE:
            actions[action_id].setEnabled(has_image)
        for action_id in ("overlay", "contour"):
            actions[action_id].setEnabled(has_image and controller.may_show_cnn)
        for action_id in WITH_CASES:
            actions[action_id].setEnabled(bool(self._library.cases))
        actions["remove_calibration"].setEnabled(controller.head_spacing_mm is not None)
        hip = controller.hip
        actions["other_hip"].setEnabled(len(controller.hips) > 1)
        open_answer = hip is not None and (hip.recorded is None or hip.editing)
        for action_id in ("submit_next", "side_right", "side_left", "side_unknown"):
            actions[action_id].setEnabled(open_answer)
        actions["correct"].setEnabled(
            hip is not None and hip.recorded is not None and not hip.saving and not hip.editing
        )
        actions["rerun"].setEnabled(
            controller.diagnosis_state in (DiagnosisState.FAILED, DiagnosisState.CANCELLED, DiagnosisState.SHOWN)
        )

    def _refresh_marks(self) -> None:
        for action_id in WITH_SELECTION:
            self._actions[action_id].setEnabled(bool(self._marks.selection))
        self._actions["undo"].setEnabled(self._undo_stack.canUndo())
        self._actions["redo"].setEnabled(self._undo_stack.canRedo())

    def _show_overlay(self) -> None:
        show_checked(self._actions["overlay"], self._overlay.visible)
        show_checked(self._actions["contour"], self._overlay.mode is not OverlayMode.FILL)

    def _show_mode(self) -> None:
        show_checked(self._actions["answer_first"], self._controller.mode is ReadingMode.ANSWER_FIRST)
        self.refresh()

    def _show_tool(self, tool: Tool) -> None:
        action = self._actions[f"tool_{Tool(tool).value}"]
        if not action.isChecked():
            action.setChecked(True)


def show_checked(action: QAction, on: bool) -> None:
    """Show a state without asking for it again."""
    action.blockSignals(True)
    action.setChecked(on)
    action.blockSignals(False)
    action.changed.emit()  # its buttons follow
