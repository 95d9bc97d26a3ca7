"""The line that is always there: for research use only."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel

from gui import icons, theme
from gui.words import TRAINED_ON
from inference.model_bundle import ModelCard

RESEARCH = "For research use only, not for clinical use."
RESEARCH_SIMULATED = f"{RESEARCH} {TRAINED_ON['simulated']}"


class ResearchBanner(QFrame):
    def __init__(self, words: str = RESEARCH_SIMULATED) -> None:
        super().__init__()
        self.setObjectName("research-banner")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 3, 12, 3)
        row.setSpacing(8)
        self._icon = QLabel()
        self._text = QLabel(words)
        self._text.setObjectName("research-banner-text")
        row.addStretch(1)
        row.addWidget(self._icon)
        row.addWidget(self._text)
        row.addStretch(1)
        self.restyle()

    def set_model(self, card: ModelCard | None) -> None:
        """What the network in use was trained on; where there is none, no claim is taken back."""
        self._text.setText(f"{RESEARCH} {TRAINED_ON[card.training_data if card else 'simulated']}".rstrip())

    def restyle(self) -> None:
        """In the colours and the font size of the theme."""
        now = theme.colors()
        self.setStyleSheet(
            f"QFrame#research-banner {{ background: {theme.blend(now.warning, now.surface, 0.14).name()}; }}"
        )
        self._text.setStyleSheet(f"color: {now.warning}; font-weight: 600;")
        size = self.fontMetrics().height()
        self._icon.setPixmap(icons.pixmap("warning", size, now.warning, self.devicePixelRatio()))
