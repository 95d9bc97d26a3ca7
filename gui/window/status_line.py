"""Below everything: what the tool does, where the pointer is, whether all is saved, which CNN is in use."""

from __future__ import annotations

import math

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QStatusBar

from gui.reading import ReadingController
from gui.views.elided_label import ElidedLabel
from gui.views.form_parts import restyle
from gui.views.side_by_side import ReadingPanes
from inference.model_bundle import ModelCard
from inference.worker import EngineDescription

SAVED_POLL_MS = 250


class StatusLine(QStatusBar):
    def __init__(self, controller: ReadingController, panes: ReadingPanes) -> None:
        super().__init__()
        self._controller, self._panes = controller, panes
        self.setSizeGripEnabled(False)
        self._hint = ElidedLabel()
        self._hint.setProperty("role", "small")
        self.addWidget(self._hint, 1)
        self.cursor_label, self._window_label, self.saved_label, self.engine_label = (QLabel() for _ in range(4))
        for label in (self.cursor_label, self._window_label, self.saved_label, self.engine_label):
            label.setProperty("role", "small")
            label.setContentsMargins(10, 0, 10, 0)
            self.addPermanentWidget(label)
        self.saved_label.setAccessibleName("State of the record")
        self._poll = QTimer(self, singleShot=True, interval=SAVED_POLL_MS)
        self._poll.timeout.connect(self.refresh_saved)
        controller.pending_changed.connect(self.refresh_saved)
        controller.not_saved_changed.connect(self.refresh_saved)
        controller.radiograph_changed.connect(self._show_hint)
        controller.radiograph_changed.connect(self._show_window)
        panes.main.hint_changed.connect(self._show_hint)
        panes.cursor_moved.connect(self._show_cursor)
        panes.window_changed.connect(self._show_window)
        panes.zoom_changed.connect(self._show_window)

    def refresh_saved(self) -> None:
        """What the store has not returned yet, drafts included."""
        controller = self._controller
        if controller.not_saved:
            self._show_saved("Not saved", controller.not_saved)
            return
        waiting = controller.pending > 0 or controller.unsaved_since is not None or controller.store_pending > 0
        if waiting:
            readings = "" if controller.pending == 0 else f" {controller.pending}"
            self._show_saved(f"Saving{readings} …")
            self._poll.start()
        else:
            self._show_saved("All saved" if controller.radiograph is not None else "")

    def _show_saved(self, words: str, reason: str = "") -> None:
        """reason: why not."""
        self.saved_label.setText(words)
        self.saved_label.setToolTip(reason)
        role = "warning" if reason else "small"
        if self.saved_label.property("role") != role:
            self.saved_label.setProperty("role", role)
            restyle(self.saved_label)

    def show_model(self, card: ModelCard | None, engine: EngineDescription | None, origin: str) -> None:
        self.engine_label.setToolTip(origin)
        if card is None:
            self.engine_label.setText("No CNN")
            return
        state = engine.engine_label if engine is not None else ""
        added = " (added)" if origin else ""
        self.engine_label.setText(f"{card.id} {card.version}{added} · {state or 'starting'}")

    def _show_hint(self) -> None:
        hint = self._panes.main.hint if self._controller.radiograph is not None else ""
        self._hint.setText(hint)
        self._hint.setToolTip(hint)  # it gives way to the rest of the line

    def _show_cursor(self, x: float, y: float, value: float) -> None:
        self.cursor_label.setText("" if math.isnan(x) else f"x {x:.0f}  y {y:.0f}  value {value:.0f}")

    def _show_window(self) -> None:
        if self._controller.radiograph is None:
            self._window_label.clear()
            return
        window, zoom = self._panes.window_setting, self._panes.main.zoom
        self._window_label.setText(f"W {window.width:.0f}  L {window.center:.0f}  ·  {100 * zoom:.0f} %")
