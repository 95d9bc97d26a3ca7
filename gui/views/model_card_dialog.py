"""The model card that travels with a network, as its makers wrote it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from inference.model_bundle import CARD_FILE


class ModelCardDialog(QDialog):
    def __init__(self, bundle_folder: Path | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Model card")
        em = self.fontMetrics().height()
        self.resize(44 * em, 40 * em)
        text = QTextBrowser()
        text.setOpenLinks(False)  # the program never reaches for the network
        text.setMarkdown(_card_text(bundle_folder))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        column = QVBoxLayout(self)
        column.addWidget(text)
        column.addWidget(buttons)


def _card_text(bundle_folder: Path | None) -> str:
    if bundle_folder is None:
        return "No network is loaded."
    try:
        return (bundle_folder / CARD_FILE).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return "The card of this network cannot be read."
