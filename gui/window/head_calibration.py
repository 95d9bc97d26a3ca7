"""The scale from the implanted head: its circle was drawn, its diameter is asked for."""

from __future__ import annotations

import math

from PySide6.QtCore import QObject, QPointF
from PySide6.QtWidgets import QInputDialog, QWidget

from gui.reading import ReadingController
from gui.views.notice_bar import NoticeBar
from gui.views.side_by_side import ReadingPanes
from imaging.geometry import GeometryError, calibrate_from_head
from imaging.radiograph import SpacingSource

HEAD_DIAMETERS_MM = ("22", "22.2", "26", "28", "32", "36", "40", "44")
SUGGESTED = HEAD_DIAMETERS_MM.index("28")


class HeadCalibration(QObject):
    """The implanted head is the best ruler: every length on screen follows it."""

    def __init__(self, window: QWidget, controller: ReadingController, panes: ReadingPanes, notice: NoticeBar) -> None:
        super().__init__(window)
        self._window, self._controller, self._panes, self._notice = window, controller, panes, notice
        panes.head_circle_drawn.connect(self._ask)

    def _ask(self, center: QPointF, radius_px: float) -> None:
        if self._controller.radiograph is None or radius_px <= 0:
            return
        text, agreed = QInputDialog.getItem(
            self._window,
            "Calibrate on the head",
            "Diameter of the implanted head in mm (from the operation record):",
            HEAD_DIAMETERS_MM,
            SUGGESTED,
            True,
        )
        if agreed:
            self.calibrate(center, radius_px, text)

    def calibrate(self, center: QPointF, radius_px: float, diameter_text: str) -> None:
        """The circle in image pixels, the diameter as it was typed; a sentence where it cannot be one."""
        radiograph = self._controller.radiograph
        if radiograph is None:
            return
        angles = (0.0, 2 * math.pi / 3, 4 * math.pi / 3)
        points = [(center.x() + radius_px * math.cos(a), center.y() + radius_px * math.sin(a)) for a in angles]
        try:
            diameter_mm = float(diameter_text.replace(",", ".").replace("mm", ""))
            calibration = calibrate_from_head(points, diameter_mm, radiograph.spacing_mm)
        except GeometryError as error:
            self._notice.show_problem(str(error), "")
            return
        except ValueError:
            self._notice.show_problem("The diameter must be a number of millimetres.", "")
            return
        self._controller.set_spacing(calibration.spacing_mm, SpacingSource.HEAD)
        self._panes.set_spacing(calibration.spacing_mm, SpacingSource.HEAD)
        self._notice.show_note(
            f"Calibrated on the head: {calibration.spacing_mm[1]:.3f} mm per pixel, "
            f"lengths ±{100 * calibration.relative_error:.1f} %, in the plane of the head."
        )
