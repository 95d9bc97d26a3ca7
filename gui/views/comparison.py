"""A person's answer beside the CNN's: what each said, and in words whether it is the same. Nobody is declared right."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QVBoxLayout, QWidget

from gui import icons, theme
from gui.words import MODE_WORDS, score_words
from imaging.zones import CUP_ZONES
from inference.prediction import Decision
from study.model import Call, ReaderKind, Reading, ZoneFinding
from study.record import Agreement, compare


def outcome_of(reading: Reading) -> theme.Outcome:
    """A CNN that cannot tell is called indeterminate, as everywhere in the window."""
    if reading.reader.kind is ReaderKind.ALGORITHM and reading.call is Call.CANNOT_TELL:
        return theme.outcome(Decision.INDETERMINATE)
    return theme.outcome(reading.call)


def agreement_words(person: Reading, cnn: Reading | None, who: str = "Reader") -> str:
    """One line: "Both say loose", "Reader: loose · CNN: not loose"."""
    said = outcome_of(person).word.lower()
    if cnn is None:
        return f"{who}: {said} · no answer of the CNN is recorded"
    other = outcome_of(cnn).word.lower()
    if compare(person.call, cnn.call) is Agreement.AGREE:
        return f"Both say {said}"
    return f"{who}: {said} · CNN: {other}"


def zone_words(findings: tuple[ZoneFinding, ...]) -> list[str]:
    """A line for each zone that something was said of."""
    lines = []
    for finding in findings:
        said = []
        if finding.lucency:
            said.append("line" if finding.width_mm is None else f"line {finding.width_mm:g} mm")
        if finding.osteolysis:
            said.append("osteolysis")
        if finding.not_assessable:
            said.append("not assessable")
        system = "DeLee-Charnley" if finding.zone in CUP_ZONES else "Gruen"
        lines.append(f"{system} {finding.zone}: {', '.join(said)}")
    return lines


class ComparisonView(QFrame):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[Reading, Reading | None, Reading | None] | None = None
        self.verdict = QLabel(wordWrap=True)
        self.verdict.setProperty("role", "section")
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(18)
        self._grid.setColumnStretch(1, 1)
        self._grid.setColumnStretch(2, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.verdict)
        layout.addLayout(self._grid)
        self.setAccessibleName(self.tr("Reader and CNN side by side"))

    def show_readings(self, person: Reading, cnn: Reading | None, first: Reading | None = None) -> None:
        """`first`: the answer before the CNN was shown, where `person` revised it."""
        self._shown = (person, cnn, first)
        self._fill()

    def clear(self) -> None:
        self._shown = None
        self.verdict.clear()
        self._empty_grid()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and getattr(self, "_shown", None) is not None:
            self._fill()

    def _fill(self) -> None:
        assert self._shown is not None
        person, cnn, first = self._shown
        self.verdict.setText(agreement_words(person, cnn))
        self._empty_grid()
        self._add(0, "", self._head("reader", person.reader.id), self._head("cnn", "CNN"))
        self._add(1, self.tr("Hip"), self._call(outcome_of(person)), self._call(outcome_of(cnn)) if cnn else None)
        self._add(2, self.tr("Score"), _text(_score(person.score)), _text(_score(cnn.score)) if cnn else None)
        row = 3
        for words, of_person, of_cnn in (
            (self.tr("Stem"), person.stem_call, cnn.stem_call if cnn else None),
            (self.tr("Cup"), person.cup_call, cnn.cup_call if cnn else None),
        ):
            if of_person is not None or of_cnn is not None:
                self._add(row, words, self._component(of_person), self._component(of_cnn) if cnn else None)
                row += 1
        if person.findings or (cnn and cnn.findings):
            self._add(
                row,
                self.tr("Zones"),
                _text("\n".join(zone_words(person.findings)) or "–"),
                _text("\n".join(zone_words(cnn.findings)) or "–") if cnn else None,
            )
            row += 1
        if person.call is None:
            self._add(row, self.tr("Reason"), _text(person.not_assessable_reason), None)
            row += 1
        self._add(row, self.tr("Given"), _text(MODE_WORDS[person.mode]), _text(_model(cnn)) if cnn else None)
        if first is not None:
            call = theme.outcome(first.call)
            words = f"{call.word}, {_score(first.score)}" if first.score is not None else call.word
            self._add(row + 1, self.tr("Before"), _text(words), None)

    def _add(self, row: int, caption: str, person: QWidget, cnn: QWidget | None) -> None:
        label = QLabel(caption)
        label.setProperty("role", "muted")
        top = Qt.AlignmentFlag.AlignTop
        self._grid.addWidget(label, row, 0, top)
        self._grid.addWidget(person, row, 1, top)
        if cnn is not None:
            self._grid.addWidget(cnn, row, 2, top)

    def _head(self, icon: str, name: str) -> QLabel:
        color = theme.colors().muted
        picture = icons.as_html(icon, self.fontMetrics().height(), color)
        return QLabel(f"{picture}&nbsp;&nbsp;<b>{escape(name)}</b>", textFormat=Qt.TextFormat.RichText)

    def _call(self, shown: theme.Outcome) -> QLabel:
        picture = icons.as_html(shown.icon, self.fontMetrics().height(), shown.color)
        text = f"{picture}&nbsp;&nbsp;<b style='color:{shown.color}'>{shown.word}</b>"
        return QLabel(text, textFormat=Qt.TextFormat.RichText)

    def _component(self, call: Call | None) -> QLabel:
        return _text("–") if call is None else self._call(theme.outcome(call))

    def _empty_grid(self) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score_words(score)} of 100"


def _model(reading: Reading) -> str:
    return f"{reading.model_id} {reading.model_sha256[:8]}".strip() or "–"


def _text(words: str) -> QLabel:
    label = QLabel(words, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
