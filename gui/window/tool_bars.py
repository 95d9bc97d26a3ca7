"""The tools and, at the right, the switch between the two ways of reading."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QSizePolicy,
    QToolBar,
    QToolButton,
    QWidget,
)

from gui import icons
from gui.actions import Actions
from gui.reading import ReadingController
from study.model import ReadingMode

TOOLBAR = (
    ("open_files",),
    ("tool_select", "tool_pan", "tool_window", "tool_magnifier"),
    ("tool_lucent_line", "tool_polygon", "tool_ellipse", "tool_point", "tool_text"),
    ("tool_ruler", "tool_angle", "tool_head_circle", "tool_region"),
    ("fit", "one_to_one", "invert", "rotate_right", "flip"),
    ("undo", "redo"),
    ("overlay", "side_by_side"),
)
MODES = (
    (ReadingMode.ASSIST, "Assist", "eye", "The CNN's diagnosis appears as soon as it is there"),
    (ReadingMode.ANSWER_FIRST, "Answer first", "eye-off", "The CNN stays hidden until your own answer is recorded"),
)


class ModeSwitch(QWidget):
    """Both modes in plain sight; the one in force is pressed."""

    def __init__(self, controller: ReadingController) -> None:
        super().__init__()
        self._controller = controller
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 0, 6, 0)
        row.setSpacing(0)
        self._group = QButtonGroup(self)
        self.buttons: dict[ReadingMode, QPushButton] = {}
        for index, (mode, text, icon, tip) in enumerate(MODES):
            button = QPushButton(text)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setObjectName(f"mode-{mode.value}")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            icons.attach(button, icon)
            self._group.addButton(button, index)
            self.buttons[mode] = button
            row.addWidget(button)
        self._group.idClicked.connect(lambda index: controller.set_mode(MODES[index][0]))
        controller.mode_changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        self.buttons[self._controller.mode].setChecked(True)


def add_tool_bars(window: QMainWindow, actions: Actions, switch: ModeSwitch) -> None:
    """Two bars in one row: in a narrow window the tools go into their »-menu, the switch stays whole."""
    tools = _bar("Tools", "tools")
    for number, group in enumerate(TOOLBAR):
        if number:
            tools.addSeparator()
        for action_id in group:
            tools.addAction(actions[action_id])
    for more in tools.findChildren(QToolButton, "qt_toolbar_ext_button"):
        more.setStyleSheet("padding: 0; border: 0;")  # the theme's padding leaves nothing of so small a button
        more.setToolTip("More tools")
        more.setAccessibleName("More tools")
        icons.attach(more, "next")
    modes = _bar("Way of reading", "modes")
    spacer = QWidget()
    spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    modes.addWidget(spacer)
    modes.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)  # never less than its switch
    modes.addWidget(switch)
    for bar in (tools, modes):
        window.addToolBar(bar)


def _bar(title: str, name: str) -> QToolBar:
    bar = QToolBar(title)
    bar.setObjectName(name)
    bar.setMovable(False)
    bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
    return bar
