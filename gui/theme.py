"""One look for the whole window: named colours, a palette and one style sheet made of them.

Colours that carry a meaning are never alone: `outcome()` gives the word and the icon that go with them.
The outcome and reader colours start from Okabe and Ito's set (jfly.uni-koeln.de/color), which stays apart
under every common colour-vision deficiency; tests compute that, and the contrast.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from gui import icons
from gui.preferences import Preferences, ThemeName
from inference.prediction import Decision
from study.model import Call

THEMES_FOLDER = Path(__file__).resolve().parents[1] / "resources" / "themes"
SMALLEST_BASE_PT = 10.0


@dataclass(frozen=True)
class Colors:
    """Hex colours. `text` and `muted` reach 4.5:1 on the three backgrounds, `outline` and `focus` 3:1."""

    background: str  # behind everything, the canvas included
    surface: str  # panels
    raised: str  # buttons, fields, cards on a panel
    hover: str
    line: str  # separators: decoration only
    outline: str  # edges that show where a control is
    text: str
    muted: str
    accent: str  # selection, the one main button
    on_accent: str  # text on accent
    focus: str  # ring round what the keyboard speaks to
    warning: str
    loose: str
    not_loose: str
    indeterminate: str
    not_assessable: str
    attention: str  # the CNN's map where it is summed up as one colour
    bone: str
    bone_edge: str
    metal: str
    metal_edge: str
    readers: tuple[str, ...]  # the first, second, … reader, beside text; `reader_color` is for marks on a radiograph


DARK = Colors(
    background="#0f1215",
    surface="#171b20",
    raised="#222830",
    hover="#2c343e",
    line="#2d353f",
    outline="#6f7c8a",
    text="#e9edf1",
    muted="#a7b2be",
    accent="#3fc1ab",
    on_accent="#06201c",
    focus="#8fe9d9",
    warning="#f2c14e",
    loose="#ff9f52",
    not_loose="#6fb1ff",
    indeterminate="#f3e08a",
    not_assessable="#aeb8c2",
    attention="#d58bd0",
    bone="#353c45",
    bone_edge="#7d8996",
    metal="#d6dde4",
    metal_edge="#f5f8fa",
    readers=("#56e0ff", "#ffb000", "#f0e442", "#3ddc97", "#ff8ad1", "#b7a6ff"),
)

LIGHT = Colors(
    background="#e8ebee",
    surface="#f6f7f9",
    raised="#ffffff",
    hover="#e3e9ee",
    line="#d3d9df",
    outline="#6d7a87",
    text="#15191e",
    muted="#4d5966",
    accent="#0b6b5d",
    on_accent="#ffffff",
    focus="#0b6b5d",
    warning="#7a5200",
    loose="#ad4200",
    not_loose="#0a55b4",
    indeterminate="#4a3e00",
    not_assessable="#505b66",
    attention="#8a3a86",
    bone="#dcd9d2",
    bone_edge="#8b8577",
    metal="#56626f",
    metal_edge="#2f3943",
    readers=("#1e85e0", "#7c3b08", "#938f02", "#115b3e", "#d83a87", "#3f2598"),
)


@dataclass(frozen=True)
class Outcome:
    """How one of the four outcomes is shown, everywhere."""

    word: str
    icon: str  # name for gui.icons
    color: str


_current = DARK


def colors() -> Colors:
    """The colours in force. Widgets that paint ask again at every paint."""
    return _current


def outcome(value: Decision | Call | None) -> Outcome:
    """The CNN's decision or a reader's call; None is "not assessable"."""
    now = colors()
    match value:
        case Decision.LOOSE | Call.LOOSE:
            return Outcome("Loose", "outcome-loose", now.loose)
        case Decision.NOT_LOOSE | Call.NOT_LOOSE:
            return Outcome("Not loose", "outcome-not-loose", now.not_loose)
        case Decision.INDETERMINATE:
            return Outcome("Indeterminate", "outcome-indeterminate", now.indeterminate)
        case Call.CANNOT_TELL:
            return Outcome("Cannot tell", "outcome-indeterminate", now.indeterminate)
        case _:
            return Outcome("Not assessable", "outcome-not-assessable", now.not_assessable)


def reader_color(index: int) -> str:
    """Of the marks of the reader with this index (0 is the one who reads now): a radiograph is dark in either theme."""
    return DARK.readers[index % len(DARK.readers)]


def blend(over: str, under: str, share: float) -> QColor:
    """`share` (0-1) of one colour over another, opaque."""
    top, bottom = QColor(over), QColor(under)
    return QColor.fromRgbF(
        share * top.redF() + (1 - share) * bottom.redF(),
        share * top.greenF() + (1 - share) * bottom.greenF(),
        share * top.blueF() + (1 - share) * bottom.blueF(),
    )


def translucent(color: str, opacity: float) -> QColor:
    result = QColor(color)
    result.setAlphaF(opacity)
    return result


def apply_theme(app: QApplication, preferences: Preferences) -> None:
    """Give the whole program its colours, font size and style sheet, and tint its icons anew."""
    global _current
    _current = _colors_of(preferences.theme)
    if app.style().objectName() != "fusion":
        app.setStyle("fusion")  # the one style that takes every colour of the palette, on every platform
    app.setFont(_scaled_font(app, preferences.font_scale_percent))
    app.setPalette(_palette(_current))
    app.setStyleSheet(style_sheet(_current, app.font().pointSizeF()))
    icons.retint(_hexes(_current))


def style_sheet(named: Colors, base_pt: float) -> str:
    """The template with its colours and sizes. Sizes are points, so that they follow screen and font scale."""
    template = Template((THEMES_FOLDER / "lucency.qss").read_text(encoding="utf-8"))
    sizes = {"small_pt": f"{0.9 * base_pt:.2f}", "base_pt": f"{base_pt:.2f}", "large_pt": f"{1.25 * base_pt:.2f}"}
    # Qt's style sheets scale no lengths but fonts: paddings are made from the font size here.
    lengths = {f"u{n}": f"{max(1, round(n * base_pt * 0.1))}px" for n in (1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 24)}
    derived = {
        "accent_hover": blend(named.text, named.accent, 0.18).name(),
        "track": blend(named.outline, named.surface, 0.4).name(),  # where nothing is done yet
        "accent_soft": blend(named.accent, named.surface, 0.22).name(),
        "loose_soft": blend(named.loose, named.surface, 0.2).name(),
        "not_loose_soft": blend(named.not_loose, named.surface, 0.2).name(),
        "indeterminate_soft": blend(named.indeterminate, named.surface, 0.2).name(),
    }
    paths = {"icons": icons.ICONS_FOLDER.as_posix(), "tone": "dark" if named is DARK else "light"}
    return template.substitute(_hexes(named) | derived | sizes | lengths | paths)


def _hexes(named: Colors) -> dict[str, str]:
    return {name: value for name, value in asdict(named).items() if isinstance(value, str)}


def _colors_of(name: ThemeName) -> Colors:
    if name is ThemeName.SYSTEM:
        light = QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Light
        return LIGHT if light else DARK
    return LIGHT if name is ThemeName.LIGHT else DARK


def _scaled_font(app: QApplication, percent: int) -> QFont:
    base_pt = app.property("lucency_base_pt")
    if base_pt is None:
        # What the platform asks for, before any scaling of ours.
        base_pt = max(SMALLEST_BASE_PT, app.font().pointSizeF())
        app.setProperty("lucency_base_pt", base_pt)
    font = QFont(app.font())
    font.setPointSizeF(float(base_pt) * percent / 100)
    return font


def _palette(named: Colors) -> QPalette:
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    palette = QPalette()
    for which, value in {
        role.Window: named.surface,
        role.WindowText: named.text,
        role.Base: named.raised,
        role.AlternateBase: named.surface,
        role.Text: named.text,
        role.PlaceholderText: named.muted,
        role.Button: named.raised,
        role.ButtonText: named.text,
        role.BrightText: named.text,
        role.ToolTipBase: named.raised,
        role.ToolTipText: named.text,
        role.Highlight: named.accent,
        role.HighlightedText: named.on_accent,
        role.Accent: named.accent,
        role.Link: named.not_loose,
        role.LinkVisited: named.not_loose,
        role.Light: named.hover,
        role.Midlight: named.hover,
        role.Mid: named.line,
        role.Dark: named.line,
        role.Shadow: named.background,
    }.items():
        palette.setColor(which, QColor(value))
    for which in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(group.Disabled, which, blend(named.muted, named.surface, 0.7))
    palette.setColor(group.Disabled, role.Highlight, QColor(named.line))
    return palette
