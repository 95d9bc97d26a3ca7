"""How the CNN's map is shown: one state for every pane, kept from image to image."""

from __future__ import annotations

from enum import StrEnum

from PySide6.QtCore import QObject, Signal, Slot


class OverlayMode(StrEnum):
    FILL = "fill"  # colours
    CONTOUR = "contour"  # lines at the threshold
    BOTH = "both"


class MapState(StrEnum):
    """What there is to show, whether or not it is switched on."""

    ABSENT = "absent"  # no prediction yet, or held back
    EMPTY = "empty"  # a prediction came with "no map": zero everywhere, or not finite
    PRESENT = "present"


OPACITY_STEPS = 20  # from 0 to 1: 5 % each


class OverlayState(QObject):
    """Visible or not, how opaque, from which level on.

    None of this is an undo step, and none of it is touched by toggling or by another image. `threshold` is a share
    of the map's fixed display range: 0 shows everything above the low level, 1 only what reaches the high one.
    """

    changed = Signal()
    shown_changed = Signal(bool)  # what the reader sees: `visible`, or the opposite while peeking

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._visible = False
        self._opacity = 0.6
        self._threshold = 0.0
        self._mode = OverlayMode.FILL
        self._peeking = False
        self._method = ""

    @property
    def visible(self) -> bool:
        return self._visible

    @property
    def peeking(self) -> bool:
        return self._peeking

    @property
    def shown(self) -> bool:
        """Peeking shows a hidden map, and takes a visible one away: the other view is one key from either."""
        return self._visible != self._peeking

    @property
    def opacity(self) -> float:
        return self._opacity

    @property
    def threshold(self) -> float:
        return self._threshold

    @property
    def mode(self) -> OverlayMode:
        return self._mode

    @property
    def method(self) -> str:
        """Name of the map that the reader has chosen; "" for the bundle's own."""
        return self._method

    @Slot(bool)
    def set_visible(self, visible: bool) -> None:
        self._change(_visible=bool(visible))

    @Slot()
    def toggle(self) -> None:
        self.set_visible(not self._visible)

    @Slot(bool)
    def set_peek(self, peeking: bool) -> None:
        self._change(_peeking=bool(peeking))

    @Slot(float)
    def set_opacity(self, opacity: float) -> None:
        self._change(_opacity=min(max(float(opacity), 0.0), 1.0))

    def step_opacity(self, steps: int) -> None:
        """To the next multiple of 5 %, up or down."""
        self.set_opacity((round(self._opacity * OPACITY_STEPS) + steps) / OPACITY_STEPS)

    @Slot(float)
    def set_threshold(self, threshold: float) -> None:
        self._change(_threshold=min(max(float(threshold), 0.0), 1.0))

    def set_mode(self, mode: OverlayMode) -> None:
        self._change(_mode=OverlayMode(mode))

    @Slot(bool)
    def set_contour(self, contour: bool) -> None:
        self.set_mode(OverlayMode.CONTOUR if contour else OverlayMode.FILL)

    @Slot(str)
    def set_method(self, method: str) -> None:
        self._change(_method=method)

    def _change(self, **values: object) -> None:
        if all(getattr(self, name) == value for name, value in values.items()):
            return
        was_shown = self.shown
        for name, value in values.items():
            setattr(self, name, value)
        self.changed.emit()
        if self.shown != was_shown:
            self.shown_changed.emit(self.shown)
