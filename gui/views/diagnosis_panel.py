"""The CNN's side: its answer with what it was tested on, and how far it agrees with the reader."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui import icons, model_info, theme
from gui.agreement import Agreement
from gui.cases import DiagnosisState
from gui.preferences import Preferences
from gui.reading import ReadingController
from gui.views.elided_label import ElidedLabel
from gui.views.number_fields import DecimalField
from gui.views.score_bar import Scale, ScoreBar
from gui.words import TRAINED_ON, score_words
from imaging.radiograph import Side
from inference.model_bundle import ModelCard
from inference.prediction import Decision, Engine, PartFinding, Prediction
from study.model import ReadingMode

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
        preferences: Preferences,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._preferences = preferences
        self._card: ModelCard | None = None
        self._engine_label = ""
        self.setObjectName("diagnosis-panel")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self._build_header())
        column.addWidget(self._build_agreement())
        column.addWidget(self._build_status())
        column.addWidget(self._build_answer())
        controller.diagnosis_changed.connect(self.refresh)
        controller.mode_changed.connect(self.refresh)
        controller.hips_changed.connect(self._refresh_hips)
        controller.hip_changed.connect(self._refresh_hips)
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
        row.setSpacing(6)
        title = QLabel("CNN")
        title.setProperty("role", "section")
        title.setToolTip("What the neural network says about this hip")
        row.addWidget(title)
        self._model_line = ElidedLabel()
        self._model_line.setProperty("role", "small")
        row.addWidget(self._model_line, 1)
        self._hip_buttons = QButtonGroup(self)
        self._hip_buttons.setExclusive(True)
        self._hip_row = QHBoxLayout()
        self._hip_row.setSpacing(4)
        row.addLayout(self._hip_row)
        self._hip_buttons.idClicked.connect(self._controller.select_hip)
        self._card_button = QToolButton()
        self._card_button.setProperty("role", "quiet")
        self._card_button.setToolTip("Model card: what it was trained on, and how it was tested")
        self._card_button.setAccessibleName("Model card")
        icons.attach(self._card_button, "info")
        self._card_button.clicked.connect(self.card_asked)
        row.addWidget(self._card_button)
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
        self._components = _wrapped()
        self._components.setTextFormat(Qt.TextFormat.RichText)
        column.addWidget(self._components)
        self._tested = _wrapped("small")
        column.addWidget(self._tested)
        self._training = _wrapped("warning")
        column.addWidget(self._training)
        column.addLayout(self._build_prevalence())
        return self._answer

    def _build_prevalence(self) -> QLayout:
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        self._prevalence_label = QLabel("Loose among your patients")
        self._prevalence_label.setProperty("role", "small")
        grid.addWidget(self._prevalence_label, 0, 0)
        self._prevalence = DecimalField(0.0, 99.0, step=1.0, suffix=" %")
        self._prevalence.setAlignment(Qt.AlignmentFlag.AlignRight)
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
        for widget in (self._score, self._score_unit, self._bar, self._tested):
            widget.setVisible(score is not None)
        self._score.setText("" if score is None else score_words(score))
        self._score.setStyleSheet(f"color: {look.color}; font-size: {self._pt(2.1)}pt; font-weight: 600;")
        self._answer.setAccessibleName(
            f"CNN: {look.word}" + ("" if score is None else f", {score_words(score)} of 100 for loosening")
        )
        reason = prediction.reason
        if prediction.score is not None:
            for part in prediction.parts.values():  # each part gives its own reason below
                reason = reason.replace(part.reason, "").strip()
        notes = [note for note in (reason, prediction.notice) if note]
        if prediction.seen_in_training:
            notes.append("The CNN was trained on this radiograph, so its answer is not evidence.")
        self._reason.setText(" ".join(notes))
        self._reason.setVisible(bool(notes))
        hip = self._controller.hip
        recorded = hip.recorded if hip is not None else None
        self._bar.show_scores(self._scale(), score, look.color, recorded.score if recorded is not None else None)
        self._refresh_components(prediction)
        if self._card is not None:
            self._tested.setText(f"{model_info.operating_point_text(self._card)} {model_info.tested_text(self._card)}")
        else:
            self._tested.clear()
        self._refresh_predictive(prediction)

    def _scale(self) -> Scale:
        if self._card is None:
            return Scale()
        band = self._card.indeterminate
        return Scale(
            100 * self._card.operating_point.threshold,
            (100 * band.low, 100 * band.high) if band is not None and model_info.has_band(self._card) else None,
        )

    def _refresh_components(self, prediction: Prediction) -> None:
        if prediction.parts:
            lines = [_part_words(part, prediction.fixation) for part in prediction.parts.values()]
            self._components.setText("<br>".join(lines))
            self._components.setVisible(True)
            return
        parts = [
            f"{_muted(name)}&nbsp;<b>{escape(score_words(100 * probability))}</b>"
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

    def _refresh_provenance(self) -> None:
        prediction, card = self._controller.prediction, self._card
        self._card_button.setVisible(card is not None)
        trained_on = TRAINED_ON[card.training_data] if card is not None else ""
        self._training.setVisible(bool(trained_on))
        self._training.setText(trained_on)
        if card is None:
            self._model_line.clear()
            return
        engine = ENGINE_NAMES[prediction.engine] if prediction is not None else ""
        parts = [f"{card.id} {card.version}", engine]
        if prediction is not None and prediction.elapsed_s >= 0.005:
            parts.append(f"{prediction.elapsed_s:.2f} s")
        # The buttons of two hips need the room; the tip says the same.
        self._model_line.setText("" if len(self._controller.hips) > 1 else " · ".join(filter(None, parts)))
        self._model_line.setToolTip(f"{card.title} {card.version}\n{self._engine_label}".strip())
        self._card_button.setToolTip(f"{card.title} {card.version}: what it was trained on, and how it was tested")

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
        self._refresh_provenance()

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


def hip_name(side: Side, index: int) -> str:
    return SIDE_NAMES.get(side, f"Hip {index + 1}")


def _muted(text: str) -> str:
    return f"<span style='color:{theme.colors().muted}'>{escape(text)}</span>"


def _part_words(part: PartFinding, fixation: str) -> str:
    """One line of rich text: the part, what the CNN says of it, or why the film does not let it be assessed."""
    name = part.name.capitalize() + (f" ({fixation})" if part.name == "stem" and fixation else "")
    look = theme.outcome(part.decision)
    if part.probability is None:
        return f"{_muted(name)}&nbsp; {escape(look.word)}. {escape(part.reason)}"
    score = escape(score_words(100 * part.probability))
    return f"{_muted(name)}&nbsp; <b style='color:{look.color}'>{escape(look.word)}</b>, <b>{score}</b>"


def _score_text(score: float | None) -> str:
    """For rich text: a score of <1 is no tag."""
    return "" if score is None else f" {escape(score_words(score))}"


def _wrapped(role: str = "") -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    if role:
        label.setProperty("role", role)
    return label
