"""A drawn hip replacement, seen AP, whose zones can be pointed at.

Gruen 1-7 lie round the stem, DeLee-Charnley I-III round the cup. The drawing is made once for a right hip, whose
lateral side is on the left of the picture as in a radiograph, and mirrored where the picture on screen has it on the
right: zones follow anatomy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QHelpEvent,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTransform,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui import theme
from gui.views.zone_drawing import (
    DRAWING,
    HEAD_CENTER,
    HEAD_RADIUS,
    anatomy,
    hatch,
    interface,
    scallops,
)
from imaging.orientation import Edge
from imaging.radiograph import Side
from imaging.zones import GRUEN_ZONES, ZONES
from study.model import ZoneFinding

ZONE_NAMES = {
    "1": "Gruen 1 · lateral, proximal",
    "2": "Gruen 2 · lateral, middle",
    "3": "Gruen 3 · lateral, distal",
    "4": "Gruen 4 · below the tip",
    "5": "Gruen 5 · medial, distal",
    "6": "Gruen 6 · medial, middle",
    "7": "Gruen 7 · medial, proximal (calcar)",
    "I": "DeLee-Charnley I · superolateral",
    "II": "DeLee-Charnley II · medial",
    "III": "DeLee-Charnley III · inferomedial",
}

LATERAL_COLUMN = ("I", "1", "2", "3", "4")
MEDIAL_COLUMN = ("II", "III", "7", "6", "5")
# Where the label's line meets the zone, and at which height the label stands.
ANCHORS = {
    "1": (60, 108), "2": (66, 161), "3": (70, 205), "4": (87, 247), "5": (102, 205), "6": (104, 161),
    "7": (112, 128), "I": (112, 22), "II": (168, 36), "III": (177, 73),
}  # fmt: skip
LABEL_Y = {"I": 16, "1": 108, "2": 161, "3": 205, "4": 250, "II": 16, "III": 73, "7": 119, "6": 161, "5": 205}

# For the shortcut sheet.
ZONE_KEYS = (
    ("1 … 7", "Gruen zone of that number"),
    ("Arrows", "Next zone"),
    ("Space", "Radiolucent line"),
    ("O", "Osteolysis"),
    ("X", "Zone not assessable"),
    ("Del", "Clear the zone"),
)


class ZoneSchematic(QWidget):
    """Shows findings per zone; says which zone is meant. It changes no finding itself.

    Mouse: click selects, double click asks for a lucency. Keyboard: arrows and 1-7 select, Space asks for a
    lucency, O for osteolysis, X for "not assessable", Delete to clear.
    """

    zone_selected = Signal(str)
    edit_requested = Signal(str, str)  # zone, one of EDITS

    EDITS = ("lucency", "osteolysis", "not_assessable", "clear")
    EDIT_KEYS: ClassVar = {
        Qt.Key.Key_Space: "lucency",
        Qt.Key.Key_O: "osteolysis",
        Qt.Key.Key_X: "not_assessable",
        Qt.Key.Key_Delete: "clear",
        Qt.Key.Key_Backspace: "clear",
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._side, self._mirrored = Side.UNKNOWN, False
        self._findings: dict[str, ZoneFinding] = {}
        self._shares: dict[str, float] = {}
        self._cutoff_mm = 2.0
        self._selected = ""
        self._hovered = ""
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName(self.tr("Zones of the hip replacement"))
        self._describe()

    # What is shown

    @property
    def selected(self) -> str:
        """Name of the selected zone, or ""."""
        return self._selected

    def set_side(self, side: Side, lateral: Edge | None = None) -> None:
        """`lateral`: where the hip's lateral side is on screen; None: as an AP view usually has it."""
        self._side = side
        self._mirrored = lateral is Edge.RIGHT if lateral is not None else side is Side.LEFT
        self.update()

    @property
    def mirrored(self) -> bool:
        """The lateral side is drawn on the right."""
        return self._mirrored

    def set_findings(self, findings: Iterable[ZoneFinding]) -> None:
        self._findings = {finding.zone: finding for finding in findings}
        self._describe()
        self.update()

    def set_shares(self, shares: Mapping[str, float] | None) -> None:
        """The CNN's share of attention per zone (0-1); None while it is hidden or has no map."""
        self._shares = dict(shares or {})
        self.update()

    def set_cutoff_mm(self, cutoff_mm: float) -> None:
        self._cutoff_mm = cutoff_mm
        self.update()

    def select(self, zone: str) -> None:
        if zone == self._selected:
            return
        self._selected = zone
        self._describe()
        self.update()
        self.zone_selected.emit(zone)

    def zone_at(self, position: QPointF) -> str:
        """The zone under a point of the widget, its label included; "" where there is none."""
        for zone in ZONES:
            if self._label_box(zone).contains(position):
                return zone
        at = self._to_widget().inverted()[0].map(position)
        return next((zone for zone, path in anatomy().zones.items() if path.contains(at)), "")

    def zone_position(self, zone: str) -> QPointF:
        """A point of the widget inside the zone."""
        return self._to_widget().map(QPointF(*ANCHORS[zone]))

    def describe(self, zone: str) -> str:
        """The zone and what is known of it, in words."""
        said = [ZONE_NAMES[zone]]
        finding = self._findings.get(zone)
        if finding is not None:
            if finding.not_assessable:
                said.append(self.tr("not assessable"))
            if finding.lucency and finding.width_mm is None:
                said.append(self.tr("radiolucent line"))
            elif finding.lucency:
                said.append(self.tr("radiolucent line {width:g} mm").format(width=finding.width_mm))
            if finding.osteolysis:
                said.append(self.tr("osteolysis"))
        if zone in self._shares:
            said.append(self.tr("CNN attention {share:.0%}").format(share=self._shares[zone]))
        return "\n".join(said)

    # Qt

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        fitting = (width - 2 * self._column_px()) * DRAWING.height() / DRAWING.width() + 2 * self._margin_px()
        return round(min(fitting, 19 * self.fontMetrics().height()))

    def sizeHint(self) -> QSize:
        width = round(2 * self._column_px() + 17 * self.fontMetrics().height())
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        width = round(2 * self._column_px() + 9 * self.fontMetrics().height())
        return QSize(width, self.heightForWidth(width))

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            zone = self.zone_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), self.describe(zone) if zone else "", self)
            return True
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._handles(event):
            event.accept()  # these keys mean the schematic while it has the focus, whatever the window does with them
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._handles(event):
            super().keyPressEvent(event)
            return
        key = Qt.Key(event.key())
        if event.text() in GRUEN_ZONES:
            self.select(event.text())
        elif key in self.EDIT_KEYS:
            if self._selected:
                self.edit_requested.emit(self._selected, self.EDIT_KEYS[key])
        else:
            self._move(key)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        zone = self.zone_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and zone:
            self.select(zone)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        zone = self.zone_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and zone:
            self.edit_requested.emit(zone, "lucency")

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self.zone_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._hover("")

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        by_keyboard = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if by_keyboard and not self._selected:
            self.select("1")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.save()
        painter.setTransform(self._to_widget(), combine=True)
        self._paint_bone(painter)
        for zone in ZONES:
            self._paint_zone(painter, zone)
        self._paint_implant(painter)
        self._paint_selection(painter)
        painter.restore()
        self._paint_sides(painter)
        for zone in ZONES:
            self._paint_label(painter, zone)

    # Painting

    def _paint_bone(self, painter: QPainter) -> None:
        now, drawn = theme.colors(), anatomy()
        clear = theme.translucent(now.bone, 0.0)
        for path, solid_y, clear_y in ((drawn.pelvis, 24.0, 1.0), (drawn.femur, 252.0, 275.0)):
            fill, edge = QLinearGradient(0, clear_y, 0, solid_y), QLinearGradient(0, clear_y, 0, solid_y)
            fill.setColorAt(0, clear)
            fill.setColorAt(1, QColor(now.bone))
            edge.setColorAt(0, theme.translucent(now.bone_edge, 0.0))
            edge.setColorAt(1, QColor(now.bone_edge))
            pen = QPen(edge, 1.3)
            pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            painter.setPen(pen)
            painter.setBrush(fill)
            painter.drawPath(path)

    def _paint_zone(self, painter: QPainter, zone: str) -> None:
        now = theme.colors()
        path = anatomy().zones[zone]
        share = self._shares.get(zone, 0.0)
        painter.setPen(Qt.PenStyle.NoPen)
        if share > 0:
            painter.fillPath(path, theme.translucent(now.attention, 0.1 + 0.6 * min(1.0, share)))
        if zone == self._hovered and self.isEnabled():
            painter.fillPath(path, theme.translucent(now.text, 0.12))
        divider = QPen(theme.translucent(now.bone_edge, 0.9), 0.8, Qt.PenStyle.DashLine)
        painter.strokePath(path, divider)
        finding = self._findings.get(zone)
        if finding is None:
            return
        if finding.not_assessable:
            hatch(painter, path, QColor(now.muted))
        if finding.osteolysis:
            scallops(painter, path, QColor(now.loose))
        if finding.lucency:
            width_units = round(2.2 + 0.9 * min(finding.width_mm or 1.0, 6.0), 1)
            painter.fillPath(interface(zone, width_units), QColor(now.loose))

    def _paint_implant(self, painter: QPainter) -> None:
        now, drawn = theme.colors(), anatomy()
        shine = QLinearGradient(78, 0, 112, 0)
        shine.setColorAt(0.0, QColor(now.metal))
        shine.setColorAt(0.35, QColor(now.metal_edge))
        shine.setColorAt(1.0, QColor(now.metal))
        pen = QPen(QColor(now.metal_edge), 0.8)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillPath(drawn.liner, theme.blend(now.metal, now.surface, 0.28))
        painter.setPen(pen)
        painter.setBrush(QColor(now.metal))
        painter.drawPath(drawn.shell)
        painter.setBrush(shine)
        painter.drawPath(drawn.stem)
        ball = QLinearGradient(HEAD_CENTER.x() - HEAD_RADIUS, 40, HEAD_CENTER.x() + HEAD_RADIUS, 80)
        ball.setColorAt(0.0, QColor(now.metal_edge))
        ball.setColorAt(1.0, theme.blend(now.metal, now.surface, 0.75))
        painter.setBrush(ball)
        painter.drawPath(drawn.head)

    def _paint_selection(self, painter: QPainter) -> None:
        if not self._selected:
            return
        now = theme.colors()
        pen = QPen(QColor(now.focus if self.hasFocus() else now.accent), 2.2 if self.hasFocus() else 1.6)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.strokePath(anatomy().zones[self._selected], pen)

    def _paint_sides(self, painter: QPainter) -> None:
        painter.setPen(QColor(theme.colors().muted))
        painter.setFont(self._small_font())
        box = QRectF(self.rect()).adjusted(2, 0, -2, -1)
        lateral, medial = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight)
        if self._mirrored:
            lateral, medial = medial, lateral
        painter.drawText(box, lateral | Qt.AlignmentFlag.AlignBottom, self.tr("lateral"))
        side = {Side.LEFT: self.tr("left hip"), Side.RIGHT: self.tr("right hip")}.get(
            self._side, self.tr("side unknown")
        )
        painter.drawText(box, medial | Qt.AlignmentFlag.AlignBottom, self.tr("medial"))
        corner = medial | Qt.AlignmentFlag.AlignBottom
        painter.drawText(box.adjusted(0, 0, 0, -self.fontMetrics().height()), corner, side)

    def _paint_label(self, painter: QPainter, zone: str) -> None:
        now = theme.colors()
        box = self._label_box(zone)
        on_left = self._on_left(zone)
        inner = box.right() if on_left else box.left()
        active = zone in (self._selected, self._hovered)
        name_box = self._name_box(zone)
        painter.setPen(QPen(QColor(now.text if active else now.outline), 1))
        near = QPointF(inner, name_box.center().y())
        painter.drawLine(near, self.zone_position(zone))
        painter.setBrush(QColor(now.accent if zone == self._selected else now.raised))
        painter.setPen(QPen(QColor(now.focus if zone == self._selected else now.outline), 1))
        painter.drawRoundedRect(name_box, name_box.height() / 2, name_box.height() / 2)
        bold = QFont(self._small_font())
        bold.setBold(True)
        painter.setFont(bold)
        painter.setPen(QColor(now.on_accent if zone == self._selected else now.text))
        painter.drawText(name_box, Qt.AlignmentFlag.AlignCenter, zone)

        painter.setFont(self._small_font())
        align = Qt.AlignmentFlag.AlignRight if on_left else Qt.AlignmentFlag.AlignLeft
        gap = 4.0
        left = box.left() if on_left else name_box.right() + gap
        line_box = QRectF(left, name_box.top(), box.width() - name_box.width() - gap, name_box.height())
        for text, color in self._notes(zone):
            painter.setPen(QColor(color))
            painter.drawText(line_box, align | Qt.AlignmentFlag.AlignVCenter, text)
            line_box.translate(0, self._line_px())

    def _notes(self, zone: str) -> list[tuple[str, str]]:
        """(text, colour) beside the zone's number, a line each."""
        now = theme.colors()
        notes = []
        finding = self._findings.get(zone)
        if finding is not None:
            if finding.not_assessable:
                notes.append((self.tr("n/a"), now.muted))
            said = []
            if finding.lucency:
                said.append(self.tr("line") if finding.width_mm is None else f"{finding.width_mm:g} mm")
            if finding.osteolysis:
                said.append(self.tr("lysis"))
            notes += [(text, now.loose) for text in said]
        if zone in self._shares:
            notes.append((f"{self._shares[zone]:.0%}", now.attention))
        return notes

    # Geometry

    def _small_font(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(0.9 * font.pointSizeF())
        return font

    def _column_px(self) -> float:
        """Width of a label: the zone's number and what is said of it."""
        return self.fontMetrics().horizontalAdvance("III 00.0 mm") + 8

    def _line_px(self) -> float:
        return 0.95 * self.fontMetrics().height()

    def _margin_px(self) -> float:
        return 2.0

    def _to_widget(self) -> QTransform:
        width = max(1.0, self.width() - 2 * self._column_px())
        height = max(1.0, self.height() - 2 * self._margin_px())
        scale = min(width / DRAWING.width(), height / DRAWING.height())
        transform = QTransform()
        transform.translate(self.width() / 2, self._margin_px() + scale * DRAWING.height() / 2)
        transform.scale(-scale if self._mirrored else scale, scale)
        transform.translate(-DRAWING.center().x(), -DRAWING.center().y())
        return transform

    def _on_left(self, zone: str) -> bool:
        return (zone in LATERAL_COLUMN) != self._mirrored

    def _name_box(self, zone: str) -> QRectF:
        box = self._label_box(zone)
        height = self.fontMetrics().height() * 1.1
        width = max(height, self.fontMetrics().horizontalAdvance(zone) + 0.6 * height)
        left = box.right() - width if self._on_left(zone) else box.left()
        return QRectF(left, box.top(), width, height)

    def _label_box(self, zone: str) -> QRectF:
        transform = self._to_widget()
        column = self._column_px()
        edge = transform.mapRect(DRAWING)
        left = edge.left() - column if self._on_left(zone) else edge.right()
        left = min(max(0.0, left), self.width() - column)
        height = self.fontMetrics().height()
        y = transform.map(QPointF(0, LABEL_Y[zone])).y() - height * 0.55
        below = max(0, len(self._notes(zone)) - 1) * self._line_px()
        return QRectF(left, max(0.0, y), column, height * 1.1 + below)

    # Keyboard

    def _handles(self, event: QKeyEvent) -> bool:
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return False
        arrows = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)
        return event.text() in GRUEN_ZONES or event.key() in self.EDIT_KEYS or event.key() in arrows

    def _move(self, key: Qt.Key) -> None:
        if not self._selected:
            self.select("1")
            return
        lateral = self._selected in LATERAL_COLUMN
        column = LATERAL_COLUMN if lateral else MEDIAL_COLUMN
        row = column.index(self._selected)
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            row = min(max(row + (1 if key == Qt.Key.Key_Down else -1), 0), len(column) - 1)
        elif (key == Qt.Key.Key_Left) != self._on_left(self._selected):
            other = MEDIAL_COLUMN if lateral else LATERAL_COLUMN
            here = LABEL_Y[self._selected]
            self.select(min(other, key=lambda zone: abs(LABEL_Y[zone] - here)))
            return
        self.select(column[row])

    def _hover(self, zone: str) -> None:
        if zone != self._hovered:
            self._hovered = zone
            self.setCursor(Qt.CursorShape.PointingHandCursor if zone else Qt.CursorShape.ArrowCursor)
            self.update()

    def _describe(self) -> None:
        self.setAccessibleDescription(
            self.describe(self._selected).replace("\n", ", ") if self._selected else self.tr("no zone selected")
        )
