"""The program's own line icons: SVG files in resources/icons, tinted to the theme."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from shiboken6 import isValid

ICONS_FOLDER = Path(__file__).resolve().parents[1] / "resources" / "icons"
SIZES_PX = (20, 40, 80)  # Qt scales down from the next larger one

_named = {"text": "#e9edf1", "muted": "#a7b2be"}  # the theme's colours by name; `retint` replaces them
# Buttons and actions whose icon follows the theme, each with its icon's name and its colour.
_attached: weakref.WeakKeyDictionary[QObject, tuple[str, str]] = weakref.WeakKeyDictionary()


class _HasIcon(Protocol):
    def setIcon(self, icon: QIcon, /) -> None: ...


def names() -> list[str]:
    return sorted(file.stem for file in ICONS_FOLDER.glob("*.svg"))


@cache
def _source(name: str) -> str:
    return (ICONS_FOLDER / f"{name}.svg").read_text(encoding="utf-8")


@lru_cache(maxsize=256)
def renderer(name: str, color: str) -> QSvgRenderer:
    """Draws the icon in one colour, e.g. inside a paintEvent: `renderer(...).render(painter, rect)`."""
    return QSvgRenderer(QByteArray(_source(name).replace("currentColor", color).encode()))


def pixmap(name: str, size_px: int, color: str = "", ratio: float = 1.0) -> QPixmap:
    """`size_px` in device-independent pixels; `ratio` is the screen's."""
    result = QPixmap(round(size_px * ratio), round(size_px * ratio))
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    renderer(name, _hex(color)).render(painter, QRectF(0, 0, result.width(), result.height()))
    painter.end()
    result.setDevicePixelRatio(ratio)
    return result


def icon(name: str, color: str = "") -> QIcon:
    """The icon in one colour, crisp up to 80 device pixels. Qt greys it where it is disabled."""
    # What lies on the accent while its button is enabled would not be seen on the plain surface of a disabled one.
    return _icon(name, _hex(color), _hex("muted") if color == "on_accent" else "")


@lru_cache(maxsize=256)
def _icon(name: str, hex_color: str, disabled_hex: str) -> QIcon:
    # A QIconEngine would draw at any size and tint, but one written in Python does not survive QIcon's ownership of it.
    result = QIcon()
    for size_px in SIZES_PX:
        result.addPixmap(pixmap(name, size_px, hex_color))
        if disabled_hex:
            result.addPixmap(pixmap(name, size_px, disabled_hex), QIcon.Mode.Disabled)
    return result


def as_html(name: str, size_px: int, color: str = "") -> str:
    """An <img> for rich text, drawn at twice its size so that it stays crisp."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    pixmap(name, 2 * size_px, color).save(buffer, "PNG")
    encoded = bytes(data.toBase64().data()).decode()
    return f"<img src='data:image/png;base64,{encoded}' width='{size_px}' height='{size_px}'>"


def attach(target: _HasIcon, name: str, color: str = "") -> None:
    """Set the icon now, and again whenever the theme changes."""
    target.setIcon(icon(name, color))
    assert isinstance(target, QObject)
    _attached[target] = (name, color)


def retint(named: Mapping[str, str]) -> None:
    """Called by the theme with its colours by name: draw every attached icon anew."""
    _named.update(named)
    for target, (name, color) in list(_attached.items()):
        if isValid(target):
            target.setIcon(icon(name, color))  # type: ignore[attr-defined]


def _hex(color: str) -> str:
    """A colour is one of the theme's by name, a hex value, or "": the text's."""
    return _named.get(color or "text", color)
