"""The tools of the canvas: their names, what they draw, and a sentence about each. gui.canvas has what they do."""

from __future__ import annotations

from enum import StrEnum

from study.model import AnnotationKind


class Tool(StrEnum):
    SELECT = "select"  # select, move and edit marks and regions; drags the image where nothing is hit
    PAN = "pan"
    WINDOW = "window"
    ZOOM = "zoom"
    MAGNIFIER = "magnifier"
    RULER = "ruler"
    ANGLE = "angle"
    LUCENT_LINE = "lucent_line"
    POLYGON = "polygon"
    ELLIPSE = "ellipse"
    POINT = "point"
    TEXT = "text"
    HEAD_CIRCLE = "head_circle"
    REGION = "region"  # draw the square of a hip that was not found


MARK_TOOLS: dict[Tool, AnnotationKind] = {
    Tool.RULER: AnnotationKind.RULER,
    Tool.ANGLE: AnnotationKind.ANGLE,
    Tool.LUCENT_LINE: AnnotationKind.LUCENT_LINE,
    Tool.POLYGON: AnnotationKind.POLYGON,
    Tool.ELLIPSE: AnnotationKind.ELLIPSE,
    Tool.POINT: AnnotationKind.POINT,
    Tool.TEXT: AnnotationKind.TEXT,
}

HINTS: dict[Tool, str] = {
    Tool.SELECT: "Click a mark to select it, drag to move it; drag the image to pan",
    Tool.PAN: "Drag to move the image",
    Tool.WINDOW: "Drag sideways for contrast, up and down for brightness",
    Tool.ZOOM: "Drag up to zoom in, down to zoom out",
    Tool.MAGNIFIER: "Hold the button to magnify",
    Tool.RULER: "Drag, or click both ends",
    Tool.ANGLE: "Draw two lines: drag each, or click their ends",
    Tool.LUCENT_LINE: "Click along the lucent line; double-click or Enter ends it",
    Tool.POLYGON: "Click around the region; double-click or Enter closes it",
    Tool.ELLIPSE: "Drag across the region",
    Tool.POINT: "Click to set a point",
    Tool.TEXT: "Click where the text belongs",
    Tool.HEAD_CIRCLE: "Drag from the centre of the head to its rim, or click three points on the rim",
    Tool.REGION: "Drag a square around the hip",
}
