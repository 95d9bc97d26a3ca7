"""The CNN's side: its answer with what it was tested on, its map's switches, and how far it agrees with the reader."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui import icons, model_info, theme
from gui.agreement import Agreement
from gui.cases import DiagnosisState
from gui.items.colour_map import SALIENCY_COLOURS
from gui.overlay import OverlayMode, OverlayState
from gui.preferences import Preferences
from gui.reading import ReadingController
from gui.views.diagnosis_parts import Scale, ScoreBar, ZoneShares
from imaging.radiograph import Side
from inference.model_bundle import ModelCard
from inference.prediction import Decision, Engine, Prediction, SaliencyMap
from study.model import ReadingMode, ZoneFinding

SIDE_NAMES = {Side.RIGHT: "Right hip", Side.LEFT: "Left hip"}
ENGINE_NAMES = {Engine.CUDA: "GPU (CUDA)", Engine.MPS: "GPU (Apple)", Engine.CPU: "CPU"}
HIDDEN_TEXT = "The CNN's answer is hidden until yours is recorded."


class DiagnosisPanel(QWidget):
    """Shows what the controller lets be shown, and nothing else."""

    cancel_asked = Signal()
    retry_asked = Signal()
    card_asked = Signal()

    def __init__(
        self,
        controller: ReadingController,
        overlay: OverlayState,
        preferences: Preferences,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._overlay = overlay
        self._preferences = preferences
        self._card: ModelCard | None = None
        self._engine_label = ""
        self.setObjectName("diagnosis-panel")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self._build_header())
        column.addWidget(self._build_status())
        column.addWidget(self._build_answer())
        column.addWidget(self._build_agreement())
        column.addWidget(self._build_map())
        column.addWidget(self._build_provenance())
        controller.diagnosis_changed.connect(self.refresh)
        controller.mode_changed.connect(self.refresh)
        controller.hips_changed.connect(self._refresh_hips)
        controller.hip_changed.connect(self._refresh_hips)
        overlay.changed.connect(self._refresh_map_controls)
        preferences.changed.connect(self._on_preference)
        self._refresh_hips()
        self.refresh()

    def set_model(self, card: ModelCard | None, engine_label: str = "") -> None:
        self._card = card
        self._engine_label = engine_label or self._engine_label
        self.refresh()

    # -- building ---------------------------------------------------------------------------------

    def _build_header(self) -> QLayout:
        row = QHBoxLayout()
        title = QLabel("CNN")
        title.setProperty("role", "section")
        title.setToolTip("What the neural network says about this hip")
        row.addWidget(title)
        row.addStretch(1)
        self._hip_buttons = QButtonGroup(self)
        self._hip_buttons.setExclusive(True)
        self._hip_row = QHBoxLayout()
        self._hip_row.setSpacing(4)
        row.addLayout(self._hip_row)
        self._hip_buttons.idClicked.connect(self._controller.select_hip)
        return row

    def _build_status(self) -> QWidget:
        """Everything that is not an answer: waiting, hidden, failed, no CNN."""
        self._status = QFrame()
        self._status.setProperty("role", "card")
        column = QVBoxLayout(self._status)
        row = QHBoxLayout()
        self._status_icon = QLabel()
        row.addWidget(self._status_icon, 0, Qt.AlignmentFlag.AlignTop)
        self._status_text = _wrapped()
        row.addWidget(self._status_text, 1)
        column.addLayout(row)
        self._progress = QProgressBar()
        self._progress.setRange(0, 0)
        self._progress.setTextVisible(False)
        self._progress.setAccessibleName("The CNN is reading")
        column.addWidget(self._progress)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        self._cancel = QPushButton("Cancel")
        self._cancel.clicked.connect(self.cancel_asked)
        self._retry = QPushButton("Ask the CNN again")
        self._retry.clicked.connect(self.retry_asked)
        buttons.addWidget(self._cancel)
        buttons.addWidget(self._retry)
        column.addLayout(buttons)
        return self._status

    def _build_answer(self) -> QWidget:
        self._answer = QFrame()
        self._answer.setProperty("role", "card")
        column = QVBoxLayout(self._answer)
        column.setSpacing(6)
        row = QHBoxLayout()
        row.setSpacing(10)
        self._outcome_icon = QLabel()
        row.addWidget(self._outcome_icon, 0, Qt.AlignmentFlag.AlignVCenter)
        self._outcome_word = QLabel()
        self._outcome_word.setObjectName("outcome-word")
        row.addWidget(self._outcome_word, 1)
        number = QVBoxLayout()
        number.setSpacing(0)
        self._score = QLabel()
        self._score.setObjectName("outcome-score")
        self._score.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._score_unit = QLabel("of 100 for loosening")
        self._score_unit.setProperty("role", "small")
        self._score_unit.setAlignment(Qt.AlignmentFlag.AlignRight)
        number.addWidget(self._score)
        number.addWidget(self._score_unit)
        row.addLayout(number)
        column.addLayout(row)
        self._reason = _wrapped()
        column.addWidget(self._reason)
        self._bar = ScoreBar()
        column.addWidget(self._bar)
        self._components = QLabel()
        self._components.setTextFormat(Qt.TextFormat.RichText)
        column.addWidget(self._components)
        self._operating_point = _wrapped("small")
        column.addWidget(self._operating_point)
        self._tested = _wrapped("small")
        column.addWidget(self._tested)
        column.addLayout(self._build_prevalence())
        return self._answer

    def _build_prevalence(self) -> QLayout:
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        self._prevalence_label = QLabel("Loose among your patients")
        self._prevalence_label.setProperty("role", "small")
        grid.addWidget(self._prevalence_label, 0, 0)
        self._prevalence = QDoubleSpinBox()
        self._prevalence.setRange(0.0, 99.0)
        self._prevalence.setDecimals(0)
        self._prevalence.setSuffix(" %")
        self._prevalence.setSpecialValueText("not set")
        self._prevalence.setAccessibleName("Share of loose hips among your patients, in per cent")
        self._prevalence.setToolTip(
            "How many of 100 patients whom you would examine like this have a loose hip. It turns the CNN's "
            "sensitivity and specificity into how often its answer would be right among them."
        )
        share = self._preferences.local_prevalence
        self._prevalence.setValue(0.0 if share is None else 100 * share)
        self._prevalence.valueChanged.connect(self._on_prevalence)
        self._prevalence_label.setBuddy(self._prevalence)
        grid.addWidget(self._prevalence, 0, 1)
        self._predictive = _wrapped("small")
        grid.addWidget(self._predictive, 1, 0, 1, 2)
        return grid

    def _build_agreement(self) -> QWidget:
        self._agreement = QFrame()
        self._agreement.setProperty("role", "card")
        self._agreement.setObjectName("agreement")
        column = QVBoxLayout(self._agreement)
        column.setSpacing(4)
        title = QLabel("You and the CNN")
        title.setProperty("role", "section")
        column.addWidget(title)
        self._agreement_row = QHBoxLayout()
        column.addLayout(self._agreement_row)
        self._agreement_icon = QLabel()
        self._agreement_row.addWidget(self._agreement_icon, 0, Qt.AlignmentFlag.AlignTop)
        self._agreement_text = _wrapped()
        self._agreement_text.setTextFormat(Qt.TextFormat.RichText)
        self._agreement_row.addWidget(self._agreement_text, 1)
        return self._agreement

    def _build_map(self) -> QWidget:
        self._map = QFrame()
        self._map.setProperty("role", "card")
        column = QVBoxLayout(self._map)
        column.setSpacing(6)
        row = QHBoxLayout()
        title = QLabel("Model attention")
        title.setProperty("role", "section")
        row.addWidget(title)
        row.addStretch(1)
        self._map_switch = QToolButton()
        self._map_switch.setCheckable(True)
        self._map_switch.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        icons.attach(self._map_switch, "overlay")
        self._map_switch.toggled.connect(self._overlay.set_visible)
        row.addWidget(self._map_switch)
        self._contour = QToolButton()
        self._contour.setCheckable(True)
        self._contour.setText("Contour")
        self._contour.setToolTip("Lines at the threshold instead of colours")
        self._contour.toggled.connect(self._overlay.set_contour)
        row.addWidget(self._contour)
        column.addLayout(row)
        self._map_note = _wrapped("small")
        column.addWidget(self._map_note)
        self._legend = MapLegend()
        column.addWidget(self._legend)
        self._sliders = QWidget()
        grid = QGridLayout(self._sliders)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        self._opacity, self._opacity_value = self._slider(grid, 0, "Opacity", "Opacity of the model's attention")
        self._threshold, self._threshold_value = self._slider(
            grid, 1, "Threshold", "Attention below this share of the scale is not drawn"
        )
        self._opacity.valueChanged.connect(lambda value: self._overlay.set_opacity(value / 100))
        self._threshold.valueChanged.connect(lambda value: self._overlay.set_threshold(value / 100))
        column.addWidget(self._sliders)
        self._zones = ZoneShares()
        column.addWidget(self._zones)
        return self._map

    def _slider(self, grid: QGridLayout, row: int, name: str, tip: str) -> tuple[QSlider, QLabel]:
        label = QLabel(name)
        label.setProperty("role", "small")
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, 100)
        slider.setSingleStep(5)
        slider.setPageStep(10)
        slider.setAccessibleName(name)
        slider.setToolTip(tip)
        label.setBuddy(slider)
        value = QLabel()
        value.setProperty("role", "small")
        value.setMinimumWidth(value.fontMetrics().horizontalAdvance("100 %"))
        value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(label, row, 0)
        grid.addWidget(slider, row, 1)
        grid.addWidget(value, row, 2)
        return slider, value

    def _build_provenance(self) -> QWidget:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(2, 0, 2, 0)
        column.setSpacing(2)
        self._training = _wrapped("warning")
        column.addWidget(self._training)
        row = QHBoxLayout()
        self._model_line = _wrapped("small")
        row.addWidget(self._model_line, 1)
        self._card_button = QPushButton("Model card")
        self._card_button.setProperty("role", "quiet")
        self._card_button.clicked.connect(self.card_asked)
        row.addWidget(self._card_button, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)
        return box

    # -- refreshing -------------------------------------------------------------------------------

    def refresh(self) -> None:
        state = self._controller.diagnosis_state
        shown = state is DiagnosisState.SHOWN
        prediction = self._controller.prediction
        self._status.setVisible(not shown)
        self._answer.setVisible(shown)
        if shown and prediction is not None:
            self._refresh_answer(prediction)
        else:
            self._refresh_status(state)
        self._refresh_agreement()
        self._map.setVisible(shown and prediction is not None and prediction.decision is not Decision.NOT_ASSESSABLE)
        self._refresh_map_controls()
        self._refresh_provenance()

    def _refresh_status(self, state: DiagnosisState) -> None:
        failure = self._controller.failure
        icon, text = {
            DiagnosisState.NO_CASE: ("cnn", "Open a radiograph: the CNN reads it at once."),
            DiagnosisState.NO_CNN: ("warning", "No CNN could be loaded. You can read and record without it."),
            DiagnosisState.WAITING: ("cnn", "The CNN is reading …"),
            DiagnosisState.HIDDEN: ("eye-off", HIDDEN_TEXT),
            DiagnosisState.FAILED: ("warning", failure[0] if failure else "The CNN could not read this radiograph."),
            DiagnosisState.CANCELLED: ("stop", "Cancelled. The CNN has not read this hip."),
        }.get(state, ("cnn", ""))
        self._status_icon.setPixmap(icons.pixmap(icon, self._em(1.5), theme.colors().muted, self.devicePixelRatio()))
        self._status_text.setText(text)
        self._status_text.setToolTip(failure[1] if failure and state is DiagnosisState.FAILED else "")
        self._progress.setVisible(state is DiagnosisState.WAITING)
        self._cancel.setVisible(state is DiagnosisState.WAITING and self._controller.cnn_job is not None)
        self._retry.setVisible(state in (DiagnosisState.FAILED, DiagnosisState.CANCELLED))

    def _refresh_answer(self, prediction: Prediction) -> None:
        look = theme.outcome(prediction.decision)
        ratio = self.devicePixelRatio()
        self._outcome_icon.setPixmap(icons.pixmap(look.icon, self._em(2.6), look.color, ratio))
        self._outcome_word.setText(look.word)
        self._outcome_word.setStyleSheet(f"color: {look.color}; font-size: {self._pt(1.6)}pt; font-weight: 600;")
        score = prediction.score
        for widget in (self._score, self._score_unit, self._bar, self._operating_point, self._tested):
            widget.setVisible(score is not None)
        self._score.setText("" if score is None else f"{score:.0f}")
        self._score.setStyleSheet(f"color: {look.color}; font-size: {self._pt(2.1)}pt; font-weight: 600;")
        self._answer.setAccessibleName(
            f"CNN: {look.word}" + ("" if score is None else f", {score:.0f} of 100 for loosening")
        )
        notes = [prediction.reason] if prediction.reason else []
        if prediction.seen_in_training:
            notes.append("The CNN learnt from this very radiograph: its answer here proves nothing.")
        self._reason.setText(" ".join(notes))
        self._reason.setVisible(bool(notes))
        hip = self._controller.hip
        recorded = hip.recorded if hip is not None else None
        self._bar.show_scores(self._scale(), score, look.color, recorded.score if recorded is not None else None)
        self._refresh_components(prediction)
        if self._card is not None:
            self._operating_point.setText(model_info.operating_point_text(self._card))
            self._tested.setText(model_info.tested_text(self._card))
        else:
            self._operating_point.clear()
            self._tested.clear()
        self._refresh_predictive(prediction)

    def _scale(self) -> Scale:
        if self._card is None:
            return Scale()
        band = self._card.indeterminate
        return Scale(
            100 * self._card.operating_point.threshold,
            None if band is None or band.high <= band.low else (100 * band.low, 100 * band.high),
        )

    def _refresh_components(self, prediction: Prediction) -> None:
        parts = [
            f"<span style='color:{theme.colors().muted}'>{name}</span>&nbsp;<b>{100 * probability:.0f}</b>"
            for name, probability in (("Stem", prediction.stem_probability), ("Cup", prediction.cup_probability))
            if probability is not None
        ]
        self._components.setText("&nbsp;&nbsp;&nbsp;&nbsp;".join(parts))
        self._components.setVisible(bool(parts) and prediction.score is not None)

    def _refresh_predictive(self, prediction: Prediction) -> None:
        decided = prediction.decision in (Decision.LOOSE, Decision.NOT_LOOSE) and self._card is not None
        self._prevalence_label.setVisible(decided)
        self._prevalence.setVisible(decided)
        self._predictive.setVisible(False)
        share = self._preferences.local_prevalence
        if not decided or self._card is None or share is None:
            return
        values = model_info.predictive_values(self._card, share)
        if values is None:
            return
        positive, negative = values
        loose = prediction.decision is Decision.LOOSE
        value, word = (positive, "loose") if loose else (negative, "not loose")
        self._predictive.setText(
            f"Then “{word}” would be right in {100 * value:.0f} of 100, "
            "if the CNN did among them as well as on its test images."
        )
        self._predictive.setVisible(True)

    def _refresh_agreement(self) -> None:
        agreement, hip, prediction = self._controller.agreement, self._controller.hip, self._controller.prediction
        self._agreement.setVisible(agreement is not None)
        if agreement is None or hip is None or hip.recorded is None or prediction is None:
            return
        name, color = {
            True: ("check", theme.colors().accent),
            False: ("warning", theme.colors().warning),
            None: ("info", theme.colors().muted),
        }[agreement.same_call]
        self._agreement_icon.setPixmap(icons.pixmap(name, self._em(1.4), color, self.devicePixelRatio()))
        lines = agreement_lines(agreement)
        yours = theme.outcome(hip.recorded.call)
        cnn = theme.outcome(prediction.decision)
        scores = (
            f"You: <b style='color:{yours.color}'>{yours.word}</b>{_score_text(hip.recorded.score)} · "
            f"CNN: <b style='color:{cnn.color}'>{cnn.word}</b>{_score_text(prediction.score)}"
        )
        if hip.reading is not None and hip.final is not None and hip.reading.mode is ReadingMode.ANSWER_FIRST:
            first = theme.outcome(hip.reading.call)
            scores += f"<br>Before the CNN was shown: {first.word}{_score_text(hip.reading.score)}"
        self._agreement_text.setText("<br>".join([scores, *lines]))

    def _refresh_map_controls(self) -> None:
        overlay = self._overlay
        prediction = self._controller.prediction
        saliency = prediction.saliency if prediction is not None else None
        empty = saliency is None or saliency.is_empty
        for button, value in ((self._map_switch, overlay.visible), (self._contour, _is_contour(overlay))):
            button.blockSignals(True)
            button.setChecked(value)
            button.blockSignals(False)
        self._map_switch.setText("Shown" if overlay.visible else "Show")
        for slider, label, share in (
            (self._opacity, self._opacity_value, overlay.opacity),
            (self._threshold, self._threshold_value, overlay.threshold),
        ):
            slider.blockSignals(True)
            slider.setValue(round(100 * share))
            slider.blockSignals(False)
            label.setText(f"{100 * share:.0f} %")
        for widget in (self._map_switch, self._contour, self._sliders):
            widget.setEnabled(not empty)
        self._legend.setVisible(not empty)
        self._legend.show_map(saliency if not empty else None, overlay.threshold)
        if empty:
            self._map_note.setText("No map: the CNN attended nowhere above its display level.")
        elif saliency is not None:
            self._map_note.setText(
                f"{saliency.method}: what the score came from, not where a lucency is. Thin lines are where such maps "
                "are weakest."
            )
        self.refresh_zones()

    def refresh_zones(self) -> None:
        """The reader's zones may change while the map stays."""
        prediction, hip = self._controller.prediction, self._controller.hip
        saliency = prediction.saliency if prediction is not None else None
        shares = prediction.zone_shares if prediction is not None and saliency and not saliency.is_empty else {}
        self._zones.show_zones(shares, found_words(hip.answer.findings) if hip is not None else {})
        self._zones.setVisible(bool(shares))

    def _refresh_provenance(self) -> None:
        prediction = self._controller.prediction
        card = self._card
        if card is None:
            self._training.setVisible(False)
            self._model_line.clear()
            self._card_button.setVisible(False)
            return
        simulated = card.training_data == "simulated"
        self._training.setVisible(simulated)
        self._training.setText("Learnt from simulated radiographs only. Research use.")
        engine = ENGINE_NAMES[prediction.engine] if prediction is not None else self._engine_label
        seconds = f", {prediction.elapsed_s:.2f} s" if prediction is not None else ""
        self._model_line.setText(f"{card.title} {card.version} · {engine}{seconds}" if engine else card.title)
        self._card_button.setVisible(True)

    def _refresh_hips(self) -> None:
        hips = self._controller.hips
        names = [hip_name(hip.region.side, index) for index, hip in enumerate(hips)]
        buttons = self._hip_buttons.buttons()
        if [button.text() for button in buttons] != (names if len(hips) > 1 else []):
            for button in buttons:
                self._hip_buttons.removeButton(button)
                self._hip_row.removeWidget(button)
                button.deleteLater()
            for index, name in enumerate(names if len(hips) > 1 else []):
                button = QPushButton(name)
                button.setCheckable(True)
                self._hip_buttons.addButton(button, index)
                self._hip_row.addWidget(button)
        current = self._hip_buttons.button(self._controller.current)
        if current is not None:
            current.setChecked(True)

    def _on_prevalence(self, percent: float) -> None:
        self._preferences.local_prevalence = None if percent == 0 else percent / 100
        prediction = self._controller.prediction
        if prediction is not None:
            self._refresh_predictive(prediction)

    def _on_preference(self, name: str) -> None:
        if name in ("theme", "font_scale_percent"):
            self.refresh()

    def _em(self, times: float) -> int:
        return round(times * self.fontMetrics().height())

    def _pt(self, times: float) -> str:
        return f"{times * self.font().pointSizeF():.1f}"


class MapLegend(QWidget):
    """The colour scale with its fixed levels in numbers; what lies below the threshold is faded."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._levels = (0.0, 1.0)
        self._threshold = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        colours = SALIENCY_COLOURS[:, :3].copy()
        self._strip = QImage(colours.tobytes(), 256, 1, 256 * 3, QImage.Format.Format_RGB888).copy()

    def show_map(self, saliency: SaliencyMap | None, threshold: float) -> None:
        if saliency is not None:
            self._levels = saliency.levels
        self._threshold = threshold
        self.setAccessibleName(f"Colour scale from {self._levels[0]:.2g} to {self._levels[1]:.2g}, fixed levels")
        self.update()

    def sizeHint(self) -> QSize:
        em = self.fontMetrics().height()
        return QSize(10 * em, round(1.9 * em))

    minimumSizeHint = sizeHint

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        em = self.fontMetrics().height()
        strip = QRectF(0, 0, self.width(), 0.55 * em)
        painter.drawImage(strip, self._strip)
        if self._threshold > 0:
            faded = QRectF(strip)
            faded.setWidth(strip.width() * self._threshold)
            painter.fillRect(faded, theme.translucent(theme.colors().raised, 0.85))
        font = self.font()
        font.setPointSizeF(0.85 * font.pointSizeF())
        painter.setFont(font)
        painter.setPen(QColor(theme.colors().muted))
        low, high = self._levels
        below = QRectF(0, strip.bottom() + 0.1 * em, self.width(), 1.2 * em)
        top = Qt.AlignmentFlag.AlignTop
        painter.drawText(below, top | Qt.AlignmentFlag.AlignLeft, f"{low:.2g}")
        painter.drawText(below, top | Qt.AlignmentFlag.AlignHCenter, "fixed levels")
        painter.drawText(below, top | Qt.AlignmentFlag.AlignRight, f"{high:.2g} and above")
        painter.end()


def agreement_lines(agreement: Agreement) -> list[str]:
    """Sentences; only about what could be compared."""
    lines = []
    if agreement.same_call is not None:
        difference = agreement.score_difference
        apart = "" if difference is None else f", {abs(difference):.0f} points apart"
        lines.append(("Same call" if agreement.same_call else "Different calls") + apart + ".")
    if agreement.attention_in_marked_zones is not None:
        zones = ", ".join(agreement.marked_zones)
        lines.append(f"{100 * agreement.attention_in_marked_zones:.0f} % of the attention in your zones ({zones}).")
    if agreement.peak_on_mark is not None:
        where = "on" if agreement.peak_on_mark else "not on"
        lines.append(f"The strongest attention is {where} one of your marks; overlap (IoU) {agreement.iou or 0:.2f}.")
    return lines


def found_words(findings: tuple[ZoneFinding, ...]) -> dict[str, str]:
    """What the reader found, zone by zone, in a few words."""
    words = {}
    for finding in findings:
        parts = []
        if finding.lucency:
            parts.append("line" if finding.width_mm is None else f"line {finding.width_mm:g} mm")
        if finding.osteolysis:
            parts.append("osteolysis")
        if finding.not_assessable:
            parts.append("not assessable")
        if parts:
            words[finding.zone] = ", ".join(parts)
    return words


def hip_name(side: Side, index: int) -> str:
    return SIDE_NAMES.get(side, f"Hip {index + 1}")


def _score_text(score: float | None) -> str:
    return "" if score is None else f" {score:.0f}"


def _is_contour(overlay: OverlayState) -> bool:
    return overlay.mode is not OverlayMode.FILL


def _wrapped(role: str = "") -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    if role:
        label.setProperty("role", role)
    return label
