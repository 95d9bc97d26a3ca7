"""How a case was looked at before the answer: seconds, overlay, zoom, windows."""

from __future__ import annotations

import time
from collections.abc import Callable

from study.model import ViewingRecord

IDLE_AFTER_S = 30.0  # without a key or the mouse for this long, the reader is taken to have paused
HELD_S = 1.0  # a window setting counts once it was held for a second
MAX_WINDOWS = 50


class ViewingClock:
    """Counts one hip's viewing; `touch` is called at every sign of life, everything else at its change.

    Seconds are counted up to IDLE_AFTER_S after the last sign of life, and never while paused
    (the program in the background, another case on screen).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, earlier: ViewingRecord | None = None) -> None:
        is_continued, earlier = earlier is not None, earlier or ViewingRecord()
        self._clock = clock
        self._active_s = earlier.active_s
        self._overlay_s = earlier.overlay_visible_s
        self._max_zoom = earlier.max_zoom if is_continued else 0.0  # 1.0 would say that it was once shown so
        self._windows = list(earlier.windows)
        self._display_scale = earlier.display_scale
        self._display_px = earlier.display_px
        self._counted_to: float | None = None  # None: paused
        self._last_touch = 0.0
        self._overlay_visible = False
        self._held: tuple[tuple[float, float], float] | None = None

    def resume(self) -> None:
        if self._counted_to is None:
            self._counted_to = self._last_touch = self._clock()
            if self._held is not None:
                self._held = (self._held[0], self._counted_to)

    def pause(self) -> None:
        self._count()
        self._counted_to = None

    def touch(self) -> None:
        """The reader moved the mouse or pressed a key."""
        if self._counted_to is not None:
            self._count()
            self._last_touch = self._counted_to = self._clock()

    def set_overlay_visible(self, visible: bool) -> None:
        self._count()
        self._overlay_visible = visible

    def set_zoom(self, zoom: float) -> None:
        self._max_zoom = max(self._max_zoom, zoom)

    def set_window(self, center: float, width: float) -> None:
        setting = (round(center, 3), round(width, 3))
        if self._held is None or self._held[0] != setting:
            self._keep_held_window()
            self._held = (setting, self._clock())

    def set_display(self, scale: float, size_px: tuple[int, int]) -> None:
        self._display_scale, self._display_px = scale, size_px

    def record(self) -> ViewingRecord:
        self._count()
        self._keep_held_window()
        return ViewingRecord(
            active_s=round(self._active_s, 2),
            overlay_visible_s=round(self._overlay_s, 2),
            max_zoom=round(self._max_zoom, 3),
            windows=tuple(self._windows),
            display_scale=self._display_scale,
            display_px=self._display_px,
        )

    def _count(self) -> None:
        if self._counted_to is None:
            return
        until = min(self._clock(), self._last_touch + IDLE_AFTER_S)
        if until > self._counted_to:
            self._active_s += until - self._counted_to
            if self._overlay_visible:
                self._overlay_s += until - self._counted_to
            self._counted_to = until

    def _keep_held_window(self) -> None:
        if self._held is None or self._counted_to is None:
            return
        setting, since = self._held
        if self._clock() - since < HELD_S or (self._windows and self._windows[-1] == setting):
            return
        if len(self._windows) < MAX_WINDOWS:
            self._windows.append(setting)
