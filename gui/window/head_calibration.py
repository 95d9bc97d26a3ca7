"""The scale from the implanted head: its circle was drawn, its diameter is asked for."""

from __future__ import annotations

import math
import weakref

from PySide6.QtCore import QObject, QPointF
from PySide6.QtGui import QUndoCommand, QUndoStack
from PySide6.QtWidgets import QInputDialog, QWidget

from gui.reading import ReadingController
from gui.views.notice_bar import NoticeBar
from gui.views.number_fields import read_number
from gui.views.side_by_side import ReadingPanes
from imaging.geometry import GeometryError, HeadCalibration, calibrate_from_head
from imaging.radiograph import Radiograph, SpacingSource

HEAD_DIAMETERS_MM = ("22", "22.2", "26", "28", "32", "36", "40", "44")
USUAL_MM = "28"
# A detector's spacing is that of the shadow: the head is nearer to the tube by this factor at most.
MOST_MAGNIFIED = 1.3
Spacing = tuple[float, float] | None


class HeadRuler(QObject):
    """The implanted head is the best ruler: every length on screen follows it, and one undo takes it back."""

    def __init__(
        self,
        window: QWidget,
        controller: ReadingController,
        panes: ReadingPanes,
        undo_stack: QUndoStack,
        notice: NoticeBar,
    ) -> None:
        super().__init__(window)
        self._window, self._controller, self._undo_stack, self._notice = window, controller, undo_stack, notice
        panes.head_circle_drawn.connect(self._ask)

    def _ask(self, _center: QPointF, radius_px: float) -> None:
        radiograph = self._controller.radiograph
        if radiograph is None or radius_px <= 0:
            return
        text, agreed = QInputDialog.getItem(
            self._window,
            "Calibrate on the head",
            "Diameter of the implanted head in mm (from the operation record):",
            HEAD_DIAMETERS_MM,
            HEAD_DIAMETERS_MM.index(nearest_diameter(radiograph, radius_px)),
            True,
        )
        if agreed:
            self.calibrate(_center, radius_px, text)

    def calibrate(self, center: QPointF, radius_px: float, diameter_text: str) -> None:
        """The circle in image pixels, the diameter as it was typed; a sentence where it cannot be one."""
        radiograph = self._controller.radiograph
        if radiograph is None:
            return
        diameter_mm = read_number(diameter_text, "mm")
        if diameter_mm is None:
            self._notice.show_problem("The diameter must be a number of millimetres.", "")
            return
        angles = (0.0, 2 * math.pi / 3, 4 * math.pi / 3)
        points = [(center.x() + radius_px * math.cos(a), center.y() + radius_px * math.sin(a)) for a in angles]
        try:
            calibration = calibrate_from_head(points, diameter_mm, radiograph.spacing_mm)
        except GeometryError as error:
            self._notice.show_problem(str(error), "")
            return
        self._change(calibration.spacing_mm)
        self._notice.show_note(
            f"Calibrated on the head: {calibration.spacing_mm[1]:.3f} mm per pixel, "
            f"lengths ±{100 * calibration.relative_error:.1f} %, in the plane of the head."
        )
        contradiction = contradiction_words(radiograph, calibration)
        if contradiction:
            self._notice.show_problem(contradiction)

    def remove(self) -> None:
        """Back to the file's own scale."""
        if self._controller.head_spacing_mm is not None:
            self._change(None)
            self._notice.show_note("The calibration on the head was removed.")

    def _change(self, spacing_mm: Spacing) -> None:
        self._undo_stack.push(ChangeHeadSpacing(self._controller, spacing_mm))


class ChangeHeadSpacing(QUndoCommand):
    def __init__(self, controller: ReadingController, after: Spacing) -> None:
        super().__init__("calibration on the head")
        self._controller = weakref.ref(controller)  # not to keep it alive: see gui.commands.ChangeMarks
        self._before, self._after = controller.head_spacing_mm, after

    def redo(self) -> None:
        self._apply(self._after)

    def undo(self) -> None:
        self._apply(self._before)

    def _apply(self, spacing_mm: Spacing) -> None:
        controller = self._controller()
        if controller is not None:
            controller.set_head_spacing(spacing_mm)


def nearest_diameter(radiograph: Radiograph, radius_px: float) -> str:
    """The listed diameter nearest to what the circle measures by the file's own scale; the usual one without a scale."""
    if radiograph.spacing_mm is None:
        return USUAL_MM
    measured_mm = 2 * radius_px * radiograph.spacing_mm[1]
    return min(HEAD_DIAMETERS_MM, key=lambda diameter: abs(float(diameter) - measured_mm))


def contradiction_words(radiograph: Radiograph, calibration: HeadCalibration) -> str:
    """A sentence where the head and the file differ by more than the head's own error, else ""."""
    if radiograph.spacing_mm is None:
        return ""
    ratio = calibration.spacing_mm[1] / radiograph.spacing_mm[1]
    least = 1 / MOST_MAGNIFIED if radiograph.spacing_source is SpacingSource.DETECTOR else 1.0
    error = calibration.relative_error
    if least * (1 - error) <= ratio <= 1 + error:
        return ""
    way = "more" if ratio > 1 else "less"
    return (
        f"The head gives {calibration.spacing_mm[1]:.3f} mm per pixel, {100 * abs(ratio - 1):.0f} % {way} than the "
        f"file ({radiograph.spacing_mm[1]:.3f}, {radiograph.spacing_source.value}): check the circle and the diameter."
    )
