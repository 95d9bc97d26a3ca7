"""Every action of the window in one table: name, words, keys, menu. Keys can be remapped in the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from gui import icons
from gui.preferences import Preferences
from gui.tools import Tool


@dataclass(frozen=True)
class ActionSpec:
    """One action. `keys` are portable names, several separated by "; "."""

    id: str
    text: str
    menu: str
    keys: str = ""
    icon: str = ""
    checkable: bool = False
    tip: str = ""
    group: str = ""  # of actions of which one at a time is checked
    on_image: bool = False  # the keys count only while the image or the list of cases has the keyboard


SEPARATOR = ""

FILE, EDIT, VIEW, TOOLS, CASE, CNN, STUDY, HELP = (
    "&File", "&Edit", "&View", "&Tools", "&Case", "&CNN", "&Study", "&Help",
)  # fmt: skip
MENUS = (FILE, EDIT, VIEW, TOOLS, CASE, CNN, STUDY, HELP)
SUBMENUS = {  # id of the place -> text; the window fills them
    "samples": (FILE, "&Samples"),
    "recent": (FILE, "Open &recent"),
    "presets": (VIEW, "Window &preset"),
    "frames": (VIEW, "&Image of the file"),
    "advanced": (CNN, "&Advanced maps"),
}


def _tool(tool: Tool, text: str, keys: str, icon: str) -> ActionSpec:
    return ActionSpec(f"tool_{tool.value}", text, TOOLS, keys, icon, checkable=True, group="tool")


SPECS: tuple[ActionSpec | str, ...] = (
    ActionSpec("open_files", "&Open files …", FILE, "Ctrl+O", "open", tip="Open radiographs or ZIP archives"),
    ActionSpec("open_folder", "Open &folder …", FILE, "Ctrl+Shift+O", "folder"),
    "samples",
    "recent",
    SEPARATOR,
    ActionSpec("record", "&Record of readings …", FILE, "Ctrl+R", "record", tip="All readings of this machine"),
    ActionSpec("save_picture", "Save &picture of the window …", FILE, "Ctrl+Shift+S", "camera"),
    ActionSpec("close_cases", "&Close all cases", FILE, "Ctrl+W", "close"),
    SEPARATOR,
    ActionSpec("settings", "Se&ttings …", FILE, "Ctrl+,", "settings"),
    ActionSpec("quit", "&Quit", FILE, "Ctrl+Q"),
    ActionSpec("undo", "&Undo", EDIT, "Ctrl+Z", "undo"),
    ActionSpec("redo", "&Redo", EDIT, "Ctrl+Shift+Z; Ctrl+Y", "redo"),
    ActionSpec("cut", "Cu&t marks", EDIT, "Ctrl+X"),
    ActionSpec("copy", "&Copy marks", EDIT, "Ctrl+C", "copy"),
    ActionSpec("paste", "&Paste marks", EDIT, "Ctrl+V"),
    ActionSpec("duplicate", "&Duplicate marks", EDIT, "Ctrl+D"),
    ActionSpec("delete", "De&lete marks", EDIT, "Del", "delete", on_image=True),
    ActionSpec("select_all", "Select &all marks", EDIT, "Ctrl+A"),
    ActionSpec("fit", "&Fit to the window", VIEW, "F", "fit"),
    ActionSpec("one_to_one", "&One to one", VIEW, "1", "one-to-one"),
    ActionSpec("zoom_in", "Zoom &in", VIEW, "+; =", "zoom-in"),
    ActionSpec("zoom_out", "Zoom o&ut", VIEW, "-", "zoom-out"),
    "presets",
    ActionSpec("auto_window", "&Automatic window", VIEW, "A", "auto-window"),
    ActionSpec("invert", "In&vert", VIEW, "I", "invert", checkable=True),
    ActionSpec("rotate_right", "Rotate &right", VIEW, "R", "rotate-right"),
    ActionSpec("rotate_left", "Rotate &left", VIEW, "Shift+R", "rotate-left"),
    ActionSpec("flip", "Flip &horizontally", VIEW, "H", "flip-horizontal", tip="The side markers follow"),
    ActionSpec("reset_view", "Re&set the view", VIEW, "0", "reset"),
    "frames",
    SEPARATOR,
    ActionSpec(
        "side_by_side",
        "Side &by side",
        VIEW,
        "B",
        "side-by-side",
        checkable=True,
        tip="Your marks left, the CNN's map right, linked",
    ),
    ActionSpec("show_marks", "Show &marks", VIEW, "M", "eye", checkable=True),
    ActionSpec("show_regions", "Show hip re&gions", VIEW, "Shift+G", checkable=True),
    ActionSpec("show_cases", "Show the &cases", VIEW, "F8", "list", checkable=True),
    ActionSpec("full_screen", "F&ull screen", VIEW, "F11", checkable=True),
    _tool(Tool.SELECT, "&Select and move", "V", "select"),
    _tool(Tool.PAN, "&Pan", "N", "pan"),
    _tool(Tool.WINDOW, "&Window / level", "W", "window-level"),
    _tool(Tool.ZOOM, "&Zoom", "Z", "zoom-in"),
    _tool(Tool.MAGNIFIER, "&Magnifier", "X", "magnifier"),
    SEPARATOR,
    _tool(Tool.LUCENT_LINE, "Radiolucent &line", "L", "lucent-line"),
    _tool(Tool.POLYGON, "Region: pol&ygon", "Y", "polygon"),
    _tool(Tool.ELLIPSE, "Region: &ellipse", "E", "ellipse"),
    _tool(Tool.POINT, "P&oint", "P", "point"),
    _tool(Tool.TEXT, "&Text", "T", "text"),
    SEPARATOR,
    _tool(Tool.RULER, "&Ruler", "U", "ruler"),
    _tool(Tool.ANGLE, "&Angle between two lines", "K", "angle"),
    _tool(Tool.HEAD_CIRCLE, "Calibrate on the &head", "C", "head-circle"),
    ActionSpec(
        "remove_calibration", "Remo&ve the calibration on the head", TOOLS, "", tip="Back to the file's own scale"
    ),
    _tool(Tool.REGION, "&Draw a hip region", "G", "region"),
    ActionSpec("next_case", "&Next case", CASE, "PgDown", "next"),
    ActionSpec("previous_case", "&Previous case", CASE, "PgUp", "previous"),
    ActionSpec("next_case_arrow", "Next case, from the image", "", "Right", on_image=True),
    ActionSpec("previous_case_arrow", "Previous case, from the image", "", "Left", on_image=True),
    ActionSpec("next_unread", "Next &unread case", CASE, "Ctrl+PgDown"),
    ActionSpec("other_hip", "Other &hip", CASE, "O", "hip", tip="Where both hips are replaced"),
    ActionSpec("side_right", "This is the r&ight hip", CASE, tip="Say which hip this is; the file may not know"),
    ActionSpec("side_left", "This is the le&ft hip", CASE),
    ActionSpec("side_unknown", "The side is not &known", CASE),
    SEPARATOR,
    ActionSpec("to_image", "Go to the &image", CASE, "F6"),
    ActionSpec("to_form", "Go to the &reading form", CASE, "F7"),
    ActionSpec("reading.loose", "Call it &loose", CASE, "Ctrl+1"),
    ActionSpec("reading.not_loose", "Call it no&t loose", CASE, "Ctrl+2"),
    ActionSpec("reading.cannot_tell", "Cannot tell", CASE, "Ctrl+3"),
    ActionSpec("reading.score", "Go to the &score", CASE, "Ctrl+4"),
    ActionSpec("reading.zones", "Go to the &zones", CASE, "Ctrl+5"),
    ActionSpec("reading.comment", "Go to the co&mment", CASE, "Ctrl+6"),
    ActionSpec("reading.record", "&Record the reading", CASE, "Ctrl+Return", "save"),
    ActionSpec("submit_next", "Record and open the ne&xt case", CASE, "Ctrl+Shift+Return"),
    ActionSpec("correct", "Re&vise or correct the recorded reading", CASE, "", "edit"),
    SEPARATOR,
    ActionSpec(
        "answer_first",
        "&Answer first",
        CASE,
        "Ctrl+B",
        "eye-off",
        checkable=True,
        tip="The CNN stays hidden until your own answer is recorded",
    ),
    ActionSpec("overlay", "Model &attention on the image", CNN, "S", "overlay", checkable=True),
    ActionSpec("peek", "Peek while held", "", "Space", on_image=True),
    ActionSpec("contour", "&Contour instead of colours", CNN, "Shift+S", "contour", checkable=True),
    ActionSpec("opacity_up", "&More opaque", CNN, "]"),
    ActionSpec("opacity_down", "&Less opaque", CNN, "["),
    ActionSpec("threshold_up", "&Higher threshold", CNN, "."),
    ActionSpec("threshold_down", "Lo&wer threshold", CNN, ","),
    SEPARATOR,
    ActionSpec("rerun", "Ask the CNN a&gain", CNN, "F5", "refresh"),
    "advanced",
    ActionSpec("model_card", "Model ca&rd …", CNN, "", "info"),
    ActionSpec("study_read", "&Read for a study …", STUDY, "", "reader", tip="Open the package that you were handed"),
    SEPARATOR,
    ActionSpec("study_new", "&New study …", STUDY, "", "add"),
    ActionSpec("study_open", "&Open a study …", STUDY, "", "folder", tip="The coordinator's file of a study"),
    ActionSpec("study_results", "Re&sults of a study …", STUDY, "", "chart"),
    SEPARATOR,
    ActionSpec("study_example", "&Worked example", STUDY, "", "", tip="A simulated study with its results"),
    ActionSpec("shortcuts", "&Keyboard shortcuts", HELP, "F1; ?", "keyboard"),
    ActionSpec("logs", "&Log …", HELP, "", "log"),
    ActionSpec("about", "&About Lucency", HELP, "", "info"),
)


def specs() -> Iterator[ActionSpec]:
    return (entry for entry in SPECS if isinstance(entry, ActionSpec))


def keys_of(spec: ActionSpec, remapped: Mapping[str, str]) -> list[QKeySequence]:
    text = remapped.get(spec.id, spec.keys)
    return [QKeySequence.fromString(part) for part in text.split("; ") if part]


class Actions(QObject):
    """The QActions of one window, by id, with their menus."""

    def __init__(
        self,
        window: QWidget,
        preferences: Preferences,
        image_scope: tuple[QWidget, ...],
        others: Iterable[QAction] = (),
    ) -> None:
        """`image_scope`: the widgets in which the keys of `on_image` actions count. `others`: actions that a view
        has made itself; those whose name is in the table get their keys and their place in the menus from it."""
        super().__init__(window)
        owned = {action.objectName(): action for action in others}
        self._preferences = preferences
        self._actions: dict[str, QAction] = {}
        self.submenus: dict[str, QMenu] = {}
        groups: dict[str, QActionGroup] = {}
        for spec in specs():
            if spec.id in owned:
                self._actions[spec.id] = owned[spec.id]
                owned[spec.id].setText(spec.text)
                continue
            action = QAction(spec.text, self)
            action.setObjectName(spec.id)
            action.setCheckable(spec.checkable)
            if spec.icon:
                icons.attach(action, spec.icon)
            if spec.group:
                group = groups.setdefault(spec.group, QActionGroup(self))
                group.addAction(action)
            if spec.on_image:
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                for widget in image_scope:
                    widget.addAction(action)
            else:
                window.addAction(action)
            self._actions[spec.id] = action
        self.apply_keys()
        preferences.changed.connect(self._on_preference)

    def __getitem__(self, action_id: str) -> QAction:
        return self._actions[action_id]

    def keys(self, action_id: str) -> list[QKeySequence]:
        """In force, remapped or not."""
        spec = next(spec for spec in specs() if spec.id == action_id)
        return keys_of(spec, self._preferences.shortcuts)

    def connect(self, handlers: Mapping[str, Callable[..., object]]) -> None:  # type: ignore[override]
        """Checkable actions call their handler with the new state, the others with nothing."""
        for action_id, handler in handlers.items():
            action = self._actions[action_id]
            if action.isCheckable():
                action.toggled.connect(handler)
            else:
                action.triggered.connect(lambda _checked=False, handler=handler: handler())

    def fill(self, bar: QMenuBar) -> None:
        menus = {title: bar.addMenu(title) for title in MENUS}
        current = FILE
        for entry in SPECS:
            if isinstance(entry, ActionSpec):
                if entry.menu:
                    current = entry.menu
                    menus[entry.menu].addAction(self._actions[entry.id])
            elif entry == SEPARATOR:
                menus[current].addSeparator()
            else:
                title, text = SUBMENUS[entry]
                self.submenus[entry] = menus[title].addMenu(text)
        for menu in menus.values():
            menu.setToolTipsVisible(True)

    def _on_preference(self, name: str) -> None:
        if name == "shortcuts":
            self.apply_keys()

    def apply_keys(self) -> None:
        remapped = self._preferences.shortcuts
        for spec in specs():
            action = self._actions[spec.id]
            keys = keys_of(spec, remapped)
            # Holding Space is the canvas's own business (it needs the release too).
            action.setShortcuts([] if spec.id == "peek" else keys)
            plain = spec.text.replace("&", "").removesuffix(" …")
            shown = ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in keys)
            tip = spec.tip or plain
            action.setToolTip(f"{tip} ({shown})" if shown else tip)
