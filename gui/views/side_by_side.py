"""The centre of the window: one pane, or two linked ones with the reader's marks left and the CNN's map right."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from gui import icons, theme
from gui.annotations import AnnotationModel
from gui.cases import DiagnosisState
from gui.overlay import OverlayState
from gui.reading import ReadingController
from gui.tools import Tool
from gui.views.diagnosis_panel import HIDDEN_TEXT, hip_name
from gui.views.elided_label import ElidedLabel
from gui.views.radiograph_view import RadiographView
from gui.words import score_words
from imaging.geometry import HipRegion
from imaging.radiograph import Window


class PaneHeader(QFrame):
    """Whose pane this is, and their answer: icon and word, never colour alone."""

    def __init__(self, title: str, icon: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self.setMinimumWidth(1)  # the panes are equally wide, whatever their headers say
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(10, 5, 10, 5)
        name_icon = QLabel()
        name_icon.setPixmap(icons.pixmap(icon, self.fontMetrics().height(), "", self.devicePixelRatio()))
        # As high as with an outcome's icon, so that both panes show their images at the same height.
        self.setMinimumHeight(round(1.3 * self.fontMetrics().height()) + 10)
        self._name = QLabel(title)
        self._name.setProperty("role", "section")
        row.addWidget(name_icon)
        row.addWidget(self._name)
        row.addStretch(1)
        self._icon = QLabel()
        self._text = ElidedLabel()
        row.addWidget(self._icon)
        row.addWidget(self._text)

    def show_outcome(self, look: theme.Outcome, score: float | None, note: str = "") -> None:
        size = round(1.3 * self.fontMetrics().height())
        self._icon.setPixmap(icons.pixmap(look.icon, size, look.color, self.devicePixelRatio()))
        self._icon.setVisible(True)
        number = "" if score is None else f" {score_words(score)}"
        self._text.setStyleSheet(f"color: {look.color}; font-weight: 600;")
        self._show(f"{look.word}{number}{note}")

    def show_note(self, text: str) -> None:
        self._icon.setVisible(False)
        self._text.setStyleSheet(f"color: {theme.colors().muted};")
        self._show(text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _show(self, words: str) -> None:
        self._text.setText(words)
        self.setAccessibleName(f"{self._title}: {words}")
        self._fit()

    def _fit(self) -> None:
        """Where there is no room for all, the name goes before the words end early; its icon stays."""
        self._name.setVisible(True)
        self._text.ensurePolished()  # its weight comes from the style sheet
        self._row.invalidate()
        self._name.setVisible(self._row.sizeHint().width() <= self.width())


class ReadingPanes(QWidget):
    """Views take what they show from the controller; every call that changes a view goes through here.

    `main` carries the marks and, with one pane, the map too; the second pane is made when first asked for.
    """

    region_edited = Signal(int, object)
    region_selected = Signal(int)
    region_drawn = Signal(object)
    cursor_moved = Signal(float, float, float)
    window_changed = Signal(float, float)
    zoom_changed = Signal(float)
    head_circle_drawn = Signal(QPointF, float)
    context_menu_requested = Signal(QPoint)  # global position
    side_by_side_changed = Signal(bool)
    resized = Signal()  # `main` has another size

    def __init__(
        self,
        controller: ReadingController,
        marks: AnnotationModel,
        overlay: OverlayState,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._marks = marks
        self._overlay = overlay
        self._no_overlay = OverlayState(self)  # of the reader's pane beside the CNN's: never shown
        self._was_visible = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.setChildrenCollapsible(False)
        column.addWidget(self._splitter, 1)
        self.main = RadiographView()
        self._reader_header = PaneHeader("You", "reader")
        self._reader_header.hide()
        self._splitter.addWidget(_pane(self._reader_header, self.main))
        self.cnn: RadiographView | None = None
        self._cnn_pane: QWidget | None = None
        self._cnn_header = PaneHeader("CNN", "cnn")
        self._wire(self.main)
        self.main.set_annotations(marks)
        self.main.set_overlay(overlay)
        controller.radiograph_changed.connect(self._show_radiograph)
        controller.spacing_changed.connect(self._show_spacing)
        controller.hips_changed.connect(self._show_regions)
        controller.hip_changed.connect(self._show_regions)
        controller.diagnosis_changed.connect(self._show_diagnosis)
        controller.mode_changed.connect(self._show_diagnosis)
        controller.answer_replaced.connect(self.refresh_headers)

    @property
    def side_by_side(self) -> bool:
        return self._cnn_pane is not None and self._cnn_pane.isVisibleTo(self)

    @property
    def window_setting(self) -> Window:
        """Window centre and width on screen."""
        return self.main.grey_window

    def set_show_regions(self, shown: bool) -> None:
        for view in self.views():
            view.set_show_regions(shown)

    def views(self) -> Iterator[RadiographView]:
        yield self.main
        if self.cnn is not None:
            yield self.cnn

    def set_side_by_side(self, on: bool) -> None:
        if on == self.side_by_side:
            return
        if on:
            self._was_visible = self._overlay.visible
            if self.cnn is None:
                self._make_cnn_pane()
            assert self.cnn is not None
            assert self._cnn_pane is not None
            self._cnn_pane.show()
            self._reader_header.show()
            self.main.set_overlay(self._no_overlay)
            self.cnn.set_overlay(self._overlay)
            self._show_in(self.cnn)
            self.main.link(self.cnn)
            self._overlay.set_visible(True)
            width = max(self._splitter.width(), 2)
            self._splitter.setSizes([width // 2, width - width // 2])
        elif self.cnn is not None and self._cnn_pane is not None:
            self.cnn.unlink()
            self._cnn_pane.hide()
            self._reader_header.hide()
            self.cnn.set_radiograph(None)
            self.main.set_overlay(self._overlay)
            self._overlay.set_visible(self._was_visible)
        self._show_diagnosis()
        self.side_by_side_changed.emit(on)

    def set_tool(self, tool: Tool) -> None:
        for view in self.views():
            view.set_tool(tool)

    def set_show_marks(self, shown: bool) -> None:
        self.main.set_show_marks(shown)

    @property
    def shows_map(self) -> bool:
        """A map is on screen now."""
        return self._overlay.shown and bool(self._controller.visible_maps)

    # -- following the controller -----------------------------------------------------------------

    def _make_cnn_pane(self) -> None:
        self.cnn = RadiographView()
        self.cnn.setAccessibleName("Radiograph with the model's attention")
        self._wire(self.cnn)
        self.cnn.set_annotations(self._marks)
        self.cnn.set_show_marks(False)
        self.cnn.set_tool(Tool.SELECT)
        self._cnn_pane = _pane(self._cnn_header, self.cnn)
        self._splitter.addWidget(self._cnn_pane)
        self._cnn_pane.hide()

    def _wire(self, view: RadiographView) -> None:
        view.region_edited.connect(self.region_edited)
        view.region_selected.connect(self.region_selected)
        view.region_drawn.connect(self.region_drawn)
        view.cursor_moved.connect(self.cursor_moved)
        view.head_circle_drawn.connect(self.head_circle_drawn)
        view.context_menu_requested.connect(lambda at: self.context_menu_requested.emit(view.mapToGlobal(at)))
        if view is self.main:
            view.window_changed.connect(self.window_changed)
            view.zoom_changed.connect(self.zoom_changed)
            view.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self.main:
            self.resized.emit()
        return super().eventFilter(watched, event)

    def _show_radiograph(self) -> None:
        for view in self.views():
            if view is self.main or self.side_by_side:
                view.set_radiograph(self._controller.radiograph)
        self._show_spacing()
        self._show_regions()
        self._show_diagnosis()

    def _show_spacing(self) -> None:
        for view in self.views():
            view.set_spacing(*self._controller.spacing)

    def _show_in(self, view: RadiographView) -> None:
        view.set_radiograph(self._controller.radiograph)
        view.set_spacing(*self._controller.spacing)
        view.set_regions(self._regions(), self._controller.current)

    def _show_regions(self) -> None:
        for view in self.views():
            view.set_regions(self._regions(), self._controller.current)

    def _regions(self) -> list[HipRegion]:
        return [hip.region for hip in self._controller.hips]

    def _show_diagnosis(self) -> None:
        maps = self._controller.visible_maps
        if self.side_by_side and self.cnn is not None:
            self.main.set_saliency([])
            self.cnn.set_saliency(maps)
        else:
            self.main.set_saliency(maps)
        self.refresh_headers()

    def refresh_headers(self) -> None:
        """Both answers, as far as they may be shown."""
        hip = self._controller.hip
        if not self.side_by_side or hip is None:
            self._reader_header.show_note("")
            self._cnn_header.show_note("")
            return
        which = f" · {hip_name(hip.region.side, self._controller.current)}" if len(self._controller.hips) > 1 else ""
        answer = hip.answer
        if answer.call is not None or answer.not_assessable_reason:
            note = " · recorded" if hip.recorded is not None and not hip.is_changed else " · not recorded yet"
            self._reader_header.show_outcome(theme.outcome(answer.call), answer.score, note + which)
        else:
            self._reader_header.show_note("No answer yet" + which)
        prediction = self._controller.prediction
        if prediction is not None:
            self._cnn_header.show_outcome(theme.outcome(prediction.decision), prediction.score, which)
        else:
            self._cnn_header.show_note(
                {
                    DiagnosisState.HIDDEN: HIDDEN_TEXT,
                    DiagnosisState.WAITING: "Reading …",
                    DiagnosisState.NO_CNN: "No CNN loaded",
                    DiagnosisState.FAILED: "Could not read this radiograph",
                    DiagnosisState.CANCELLED: "Cancelled",
                }.get(self._controller.diagnosis_state, "")
            )


def _pane(header: QWidget, view: QWidget) -> QWidget:
    pane = QWidget()
    column = QVBoxLayout(pane)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(header)
    column.addWidget(view, 1)
    return pane
