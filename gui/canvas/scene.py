"""Everything that a view of a radiograph shows, and how; no widgets."""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor

from gui.annotations import AnnotationModel
from gui.items.head_circle_item import HeadCircle
from gui.items.image_item import ImageItem
from gui.items.saliency_item import SaliencyItem
from gui.items.style import CanvasColours
from gui.overlay import MapState, OverlayState
from gui.viewport import Viewport
from imaging.geometry import HipRegion
from imaging.measure import Measure, Point
from imaging.radiograph import Radiograph, Window
from study.model import Annotation


@dataclass
class Scene:
    """One pane's. Coordinates are image pixels but for `loupe_at`, a point of the view."""

    marks: AnnotationModel  # of the reader, to be edited
    overlay: OverlayState
    colours: CanvasColours
    reader_colour: QColor
    radiograph: Radiograph | None = None
    image: ImageItem | None = None
    viewport: Viewport = field(default_factory=Viewport)
    window: Window = field(default_factory=lambda: Window(0.5, 1.0))
    inverted: bool = False
    measure: Measure = field(default_factory=Measure)
    saliency: list[SaliencyItem] = field(default_factory=list)
    other_marks: list[tuple[QColor, tuple[Annotation, ...]]] = field(default_factory=list)  # to be seen only
    regions: list[HipRegion] = field(default_factory=list)
    current_region: int = 0
    head_circle: HeadCircle | None = None
    show_marks: bool = True
    show_regions: bool = True
    show_texts: bool = True
    pointer: Point | None = None  # under the mouse
    peer_pointer: Point | None = None  # under the mouse of a linked pane
    loupe_at: QPointF | None = None

    @property
    def map_state(self) -> MapState:
        if not self.saliency:
            return MapState.ABSENT
        return MapState.EMPTY if all(item.is_empty for item in self.saliency) else MapState.PRESENT
