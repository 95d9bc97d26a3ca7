"""Which case is on screen, in one line: it is above the image and above the form, so that nobody answers for another."""

from __future__ import annotations

from PySide6.QtCore import Qt

from gui.reading import ReadingController
from gui.views.diagnosis_panel import hip_name
from gui.views.elided_label import ElidedLabel


class CaseTitle(ElidedLabel):
    def __init__(self, controller: ReadingController) -> None:
        super().__init__()
        self._controller = controller
        self.setProperty("role", "section")
        self.setContentsMargins(10, 3, 10, 3)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setAccessibleName("Case on screen")
        controller.radiograph_changed.connect(self._show)
        controller.hips_changed.connect(self._show)
        controller.hip_changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        controller = self._controller
        shown, radiograph, hip = controller.shown, controller.radiograph, controller.hip
        if shown is None or radiograph is None:
            self.clear()
            return
        parts = [shown.label]
        if radiograph.frame_count > 1:
            parts.append(f"frame {radiograph.frame + 1} of {radiograph.frame_count}")
        if hip is not None and len(controller.hips) > 1:
            parts.append(hip_name(hip.region.side, controller.current))
        self.setText(" · ".join(parts))
        self.setToolTip(self.text())
