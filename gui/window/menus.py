"""The menus whose entries come and go with files, radiographs and preferences."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtWidgets import QMenu, QWidget

from gui.actions import Actions
from gui.preferences import Preferences
from gui.reading import ReadingController
from gui.samples import Sample
from gui.views.side_by_side import ReadingPanes
from gui.window.opening import Opening
from imaging.radiograph import Window

SHOWN_FRAMES = 200  # a menu is no place for more
CONTEXT_MENU = (
    ("copy", "paste", "duplicate", "delete"),
    ("fit", "one_to_one", "auto_window", "invert"),
    ("overlay", "side_by_side"),
    ("side_right", "side_left", "side_unknown"),
)


class FileMenus(QObject):
    """Samples, and what was opened lately."""

    def __init__(
        self, window: QWidget, actions: Actions, opening: Opening, preferences: Preferences, samples: Sequence[Sample]
    ) -> None:
        super().__init__(window)
        self._recent = actions.submenus["recent"]
        self._opening, self._preferences = opening, preferences
        menu = actions.submenus["samples"]
        menu.menuAction().setVisible(bool(samples))
        for index, sample in enumerate(samples):
            menu.addAction(sample.name).triggered.connect(lambda _on=False, index=index: opening.open_samples(index))
        preferences.changed.connect(self._on_preference)
        self._fill_recent()

    def _on_preference(self, name: str) -> None:
        if name in ("recent_files", "recent_files_on", "recent_names_on"):
            self._fill_recent()

    def _fill_recent(self) -> None:
        menu, preferences = self._recent, self._preferences
        menu.clear()
        files = preferences.recent_files
        menu.menuAction().setVisible(preferences.recent_files_on)
        menu.setEnabled(bool(files))
        for file in files:
            action = menu.addAction(file.label(show_name=preferences.recent_names_on))
            action.triggered.connect(lambda _on=False, path=file.path: self._opening.open_paths([path]))


class ImageMenus(QObject):
    """The windows and the frames of the radiograph on screen, and what a right click on it offers."""

    def __init__(self, window: QWidget, actions: Actions, controller: ReadingController, panes: ReadingPanes) -> None:
        super().__init__(window)
        self._window, self._actions, self._controller, self._panes = window, actions, controller, panes
        controller.radiograph_changed.connect(self._fill)
        panes.context_menu_requested.connect(self._show_context_menu)
        self._fill()

    def _fill(self) -> None:
        self._fill_presets()
        self._fill_frames()

    def _fill_presets(self) -> None:
        menu = self._actions.submenus["presets"]
        menu.clear()
        radiograph, main = self._controller.radiograph, self._panes.main
        menu.setEnabled(radiograph is not None)
        for number, window in enumerate(radiograph.windows if radiograph is not None else (), start=1):
            action = menu.addAction(_window_name(window, number))
            action.triggered.connect(
                lambda _on=False, window=window: main.set_window(
                    window.center, window.width, window.name, window.sigmoid
                )
            )

    def _fill_frames(self) -> None:
        menu = self._actions.submenus["frames"]
        menu.clear()
        radiograph = self._controller.radiograph
        count = radiograph.frame_count if radiograph is not None else 1
        menu.menuAction().setVisible(count > 1)
        for frame in range(min(count, SHOWN_FRAMES) if count > 1 else 0):
            action = menu.addAction(f"Image {frame + 1} of {count}")
            action.setCheckable(True)
            action.setChecked(radiograph is not None and frame == radiograph.frame)
            action.triggered.connect(lambda _on=False, frame=frame: self._controller.show_frame(frame))

    def _show_context_menu(self, at: QPoint) -> None:
        menu = QMenu(self._window)
        for number, group in enumerate(CONTEXT_MENU):
            if number:
                menu.addSeparator()
            for action_id in group:
                menu.addAction(self._actions[action_id])
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)


def _window_name(window: Window, number: int) -> str:
    name = window.name or f"Window {number}"
    return f"{name}   W {window.width:.0f}  L {window.center:.0f}"
