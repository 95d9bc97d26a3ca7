"""The actions of a study's reading window. Words and keys come from the table of the ordinary window.

What speaks of the CNN is made when the CNN may be seen, and removed with it: before that there is no such action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from gui import icons
from gui.actions import CASE, CNN, EDIT, HELP, TOOLS, VIEW, ActionSpec, keys_of, specs
from gui.preferences import Preferences
from gui.tools import MARK_TOOLS, Tool
from gui.views.zone_schematic import ZONE_KEYS
from study.model import AnnotationKind
from study.protocol import Arms, Protocol, Scale

STUDY = "&Study"
PAUSE, REVEAL, RETURN, INTRO, CLOSE = "study_pause", "study_reveal", "study_return", "study_intro", "study_close"
PASSPHRASE = "study_passphrase"
OWN = (
    ActionSpec(PAUSE, "&Break", STUDY, "F9", "clock", tip="Cover the image; the time does not count"),
    ActionSpec(INTRO, "&What this study asks", STUDY, "", "info"),
    ActionSpec(RETURN, "&Save the file for the coordinator …", STUDY, "", "export"),
    ActionSpec(PASSPHRASE, "Change the &passphrase …", STUDY, "", "lock"),
    ActionSpec(CLOSE, "&Close", STUDY, "Ctrl+W", "close"),
    ActionSpec(REVEAL, "Show the CN&N's answer", CASE, "F5"),
)
MEASURES = (AnnotationKind.RULER, AnnotationKind.ANGLE)
ALWAYS = (
    "undo", "redo", "cut", "copy", "paste", "duplicate", "delete", "select_all",
    "fit", "one_to_one", "zoom_in", "zoom_out", "auto_window", "invert", "rotate_right", "rotate_left", "flip",
    "reset_view", "show_marks", "show_cases", "full_screen",
    "tool_select", "tool_pan", "tool_window", "tool_zoom", "tool_magnifier",
    "to_image", "to_form", "reading.loose", "reading.not_loose", "reading.score", "reading.comment", "reading.record",
    "shortcuts",
)  # fmt: skip
GOING_BACK = ("next_case", "previous_case", "correct")
WITH_CNN = ("side_by_side", "overlay", "contour", "opacity_up", "opacity_down", "threshold_up", "threshold_down")
MENUS = (STUDY, EDIT, VIEW, TOOLS, CASE, HELP)


def actions_of(protocol: Protocol) -> list[ActionSpec]:
    """In the order of the ordinary window's menus."""
    wanted = {*ALWAYS, *(f"tool_{tool.value}" for tool in study_tools(protocol))}
    if protocol.going_back_allowed:
        wanted |= set(GOING_BACK)
    if protocol.cannot_tell_allowed:
        wanted.add("reading.cannot_tell")
    if protocol.zones_asked:
        wanted.add("reading.zones")
    return [*OWN[:-1], *(_renamed(spec) for spec in specs() if spec.id in wanted)]


def _renamed(spec: ActionSpec) -> ActionSpec:
    """A study locks what the ordinary window records."""
    return replace(spec, text="Loc&k the answer") if spec.id == "reading.record" else spec


def cnn_specs(protocol: Protocol) -> list[ActionSpec]:
    """Of the actions that come and go with the CNN. That they exist tells a reader no more than the first page does."""
    out = [OWN[-1]] if protocol.arms is Arms.SEQUENTIAL else []
    if protocol.shows_cnn and protocol.overlay_allowed:
        out += [spec for spec in specs() if spec.id in WITH_CNN]
    return out


def form_keys(protocol: Protocol) -> dict[str, Sequence[tuple[str, str]]]:
    """The keys that count while the keyboard is in the form, under their headings, as far as the study asks for it."""
    keys = [("1", "Loose"), ("2", "Not loose")]
    if protocol.cannot_tell_allowed:
        keys.append(("3", "Cannot tell"))
    keys.append(("4", "Go to the score"))
    if protocol.zones_asked:
        keys.append(("5", "Go to the zones"))
    keys.append(("6", "Go to the comment"))
    if protocol.scale is Scale.SCORE:
        keys.append(("Arrows, PgUp, PgDown", "Score up and down, in steps of 1 and 10"))
    out: dict[str, Sequence[tuple[str, str]]] = {"In the reading form": keys}
    if protocol.scale is Scale.FIVE_POINT:
        out["On the five points"] = (("1 … 5", "The point of that number"), ("Arrows", "Next point"))
    if protocol.zones_asked:
        out["On the zones of the form"] = ZONE_KEYS
    return out


def study_tools(protocol: Protocol) -> list[Tool]:
    """Measuring always; other marks where the protocol asks for them. Regions and scale are the study's, not theirs."""
    marks = [tool for tool, kind in MARK_TOOLS.items() if protocol.marks_asked or kind in MEASURES]
    return [Tool.SELECT, Tool.PAN, Tool.WINDOW, Tool.ZOOM, Tool.MAGNIFIER, *marks]


class StudyActions(QObject):
    def __init__(
        self,
        window: QWidget,
        bar: QMenuBar,
        protocol: Protocol,
        preferences: Preferences,
        image_scope: QWidget,
        handlers: Mapping[str, Callable[..., object]],
    ) -> None:
        """handlers: what each action does, by id; checkable ones are called with their new state."""
        super().__init__(window)
        self._window, self._bar, self._scope = window, bar, image_scope
        self._preferences, self._handlers = preferences, handlers
        self._tools = QActionGroup(self)
        self._actions: dict[str, QAction] = {}
        self._menus: dict[str, QMenu] = {title: bar.addMenu(title) for title in MENUS}
        self._cnn: list[str] = []
        self.specs = actions_of(protocol)
        for spec in self.specs:
            self._add(spec)

    def __getitem__(self, action_id: str) -> QAction:
        return self._actions[action_id]

    def __contains__(self, action_id: str) -> bool:
        return action_id in self._actions

    def shown_keys(self) -> dict[str, str]:
        """By action id, as they are shown; also of actions that are made later."""
        out = {}
        for spec in (*OWN, *self.specs, *(spec for spec in specs() if spec.id in WITH_CNN)):
            keys = keys_of(spec, self._preferences.shortcuts)
            if keys:
                out[spec.id] = keys[0].toString(QKeySequence.SequenceFormat.NativeText)
        return out

    def set_cnn(self, *, revealable: bool, shown: bool, has_map: bool) -> None:
        """Make the actions that may exist now, and take away those that may not."""
        wanted = [REVEAL] if revealable else []
        if shown and has_map:
            wanted += WITH_CNN
        for action_id in [name for name in self._cnn if name not in wanted]:
            self._drop(action_id)
        known = {spec.id: spec for spec in (*OWN, *specs())}
        for action_id in wanted:
            if action_id not in self._actions:
                self._add(known[action_id])
                self._cnn.append(action_id)

    def set_enabled(self, action_ids: tuple[str, ...], enabled: bool) -> None:
        for action_id in action_ids:
            if action_id in self._actions:
                self._actions[action_id].setEnabled(enabled)

    def set_checked(self, action_id: str, on: bool) -> None:
        if action_id in self._actions:
            action = self._actions[action_id]
            action.blockSignals(True)
            action.setChecked(on)
            action.blockSignals(False)

    def _add(self, spec: ActionSpec) -> None:
        action = QAction(spec.text, self)
        action.setObjectName(spec.id)
        action.setCheckable(spec.checkable)
        if spec.icon:
            icons.attach(action, spec.icon)
        if spec.group:
            self._tools.addAction(action)
        keys = keys_of(spec, self._preferences.shortcuts)
        action.setShortcuts(keys)
        shown = ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in keys)
        tip = spec.tip or spec.text.replace("&", "").removesuffix(" …")
        action.setToolTip(f"{tip} ({shown})" if shown else tip)
        if spec.on_image:
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            self._scope.addAction(action)
        else:
            self._window.addAction(action)
        handler = self._handlers[spec.id]
        if spec.checkable:
            action.toggled.connect(handler)
        else:
            action.triggered.connect(lambda _checked=False: handler())
        if spec.menu not in self._menus:
            self._menus[spec.menu] = QMenu(spec.menu, self._bar)
            self._bar.insertMenu(self._menus[HELP].menuAction(), self._menus[spec.menu])
        self._menus[spec.menu].addAction(action)
        self._actions[spec.id] = action

    def _drop(self, action_id: str) -> None:
        action = self._actions.pop(action_id)
        self._cnn.remove(action_id)
        self._window.removeAction(action)
        for menu in self._menus.values():
            menu.removeAction(action)
        action.deleteLater()
        if CNN in self._menus and self._menus[CNN].isEmpty():
            emptied = self._menus.pop(CNN)
            self._bar.removeAction(emptied.menuAction())
            emptied.deleteLater()
