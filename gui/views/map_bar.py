"""Under the image: the switches of the CNN's map, and what it is and is not. Its scale is drawn on the image."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSlider, QToolButton, QVBoxLayout, QWidget

from gui import icons
from gui.overlay import OverlayMode, OverlayState
from gui.reading import ReadingController

WHAT_IT_IS = "what the score came from, not where a lucency is"
WHAT_ANOTHER_IS = "another method's guess at what the score came from, not where a lucency is"


class MapBar(QFrame):
    """Present only when the CNN's answer may be seen."""

    def __init__(self, controller: ReadingController, overlay: OverlayState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._overlay = overlay
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 5, 10, 5)
        column.setSpacing(2)
        row = QHBoxLayout()
        row.setSpacing(10)
        column.addLayout(row)
        self._switch = QToolButton()
        self._switch.setCheckable(True)
        self._switch.setText("Model attention")
        self._switch.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._switch.setToolTip("Show or hide it (S); hold Space to peek")
        icons.attach(self._switch, "overlay")
        self._switch.toggled.connect(overlay.set_visible)
        row.addWidget(self._switch)
        self._controls = QWidget()
        controls = QHBoxLayout(self._controls)
        controls.setContentsMargins(0, 0, 0, 0)
        controls.setSpacing(6)
        self._opacity = self._slider(controls, "Opacity", "How much of the radiograph the map covers ([ and ])")
        self._threshold = self._slider(controls, "From", "What lies below this share of the scale is not drawn")
        self._opacity.valueChanged.connect(lambda value: overlay.set_opacity(value / 100))
        self._threshold.valueChanged.connect(lambda value: overlay.set_threshold(value / 100))
        self._contour = QToolButton()
        self._contour.setCheckable(True)
        self._contour.setText("Contour")
        self._contour.setToolTip("Lines at the threshold instead of colours")
        self._contour.toggled.connect(overlay.set_contour)
        controls.addWidget(self._contour)
        row.addWidget(self._controls, 1)
        row.addStretch(1)
        self._note = QLabel()
        self._note.setProperty("role", "small")
        self._note.setWordWrap(True)
        column.addWidget(self._note)
        overlay.changed.connect(self.refresh)
        controller.diagnosis_changed.connect(self.refresh)
        controller.mode_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        overlay, prediction = self._overlay, self._controller.prediction
        maps = self._controller.visible_maps
        shown = [saliency for saliency in maps if not saliency.is_empty]
        self.setVisible(prediction is not None and prediction.probability is not None)
        for button, on in ((self._switch, overlay.visible), (self._contour, overlay.mode is not OverlayMode.FILL)):
            button.blockSignals(True)
            button.setChecked(on)
            button.blockSignals(False)
        for slider, share in ((self._opacity, overlay.opacity), (self._threshold, overlay.threshold)):
            slider.blockSignals(True)
            slider.setValue(round(100 * share))
            slider.blockSignals(False)
        self._switch.setEnabled(bool(shown))
        self._controls.setVisible(bool(shown) and overlay.visible)
        if not shown:
            self._note.setText("No map: the CNN attended nowhere above its display level.")
            return
        method = shown[0].method
        what = WHAT_IT_IS if self._controller.shows_own_maps else WHAT_ANOTHER_IS
        self._note.setText(f"{method[:1].upper()}{method[1:]}: {what}.")
        self._note.setToolTip("Such maps are weakest where the finding is thin.")

    def _slider(self, row: QHBoxLayout, name: str, tip: str) -> QSlider:
        label = QLabel(name)
        label.setProperty("role", "small")
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, 100)
        slider.setSingleStep(5)
        slider.setPageStep(10)
        slider.setMinimumWidth(3 * self.fontMetrics().height())
        slider.setAccessibleName(f"{name} of the model's attention")
        slider.setToolTip(tip)
        label.setBuddy(slider)
        row.addWidget(label)
        row.addWidget(slider, 1)
        return slider
