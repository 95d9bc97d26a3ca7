"""The protocol as a page: to read, to print, to save as PDF or HTML."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QTextBrowser, QVBoxLayout, QWidget

from gui.file_dialogs import choose_new_file
from gui.study.background import Background
from gui.study.parts import button
from gui.study.study_place import file_name
from study.files import replace_file
from study.protocol import Protocol

PAPER = "QTextBrowser { background: #ffffff; color: #111111; border-radius: 4px; padding: 12px; }"


class ProtocolView(QWidget):
    told = Signal(str)  # what was done
    problem = Signal(str, str)

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._protocol: Protocol | None = None
        self._deviations: tuple[tuple[str, str], ...] = ()
        self.html = ""
        self.page = QTextBrowser()
        self.page.setStyleSheet(PAPER)  # paper is white in either theme
        self.page.setAccessibleName("Protocol")
        self.print_button = button("&Print …", self._print)
        self.pdf_button = button("Save as P&DF …", self._ask_pdf, "export")
        self.html_button = button("Save as &HTML …", self._ask_html, "export")
        row = QHBoxLayout()
        for made in (self.print_button, self.pdf_button, self.html_button):
            row.addWidget(made)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.page, 1)
        column.addLayout(row)
        self._enable()

    def show_protocol(self, protocol: Protocol, deviations: tuple[tuple[str, str], ...] = ()) -> None:
        if (protocol, deviations) == (self._protocol, self._deviations):
            return
        self._protocol, self._deviations = protocol, deviations

        def make(_steps: object) -> str:
            from study.protocol_page import protocol_page

            return protocol_page(protocol, deviations)

        self._background.run("Writing the protocol page", make, self._show, self.problem.emit)

    def save_pdf(self, path: Path) -> None:
        from gui.study.printing import save_pdf

        html, title = self.html, self._title()
        self._background.run(
            "Writing the PDF",
            lambda _steps: save_pdf(html, path, title),
            lambda _none: self.told.emit(f"The protocol was saved as {path.name}."),
            self.problem.emit,
        )

    def save_html(self, path: Path) -> None:
        data = self.html.encode("utf-8")
        self._background.run(
            "Writing the page",
            lambda _steps: replace_file(path, data),
            lambda _none: self.told.emit(f"The protocol was saved as {path.name}."),
            self.problem.emit,
        )

    def _show(self, html: str) -> None:
        self.html = html
        self.page.setHtml(html)
        self._enable()

    def _enable(self) -> None:
        for made in (self.print_button, self.pdf_button, self.html_button):
            made.setEnabled(bool(self.html))

    def _title(self) -> str:
        return self._protocol.title if self._protocol is not None else ""

    def _print(self) -> None:
        from gui.study.printing import print_page

        print_page(self, self.html)

    def _ask_pdf(self) -> None:
        name = Path(file_name(self._title())).with_suffix(".pdf").name
        choose_new_file(self, "Save the protocol", name, "PDF (*.pdf)", self.save_pdf)

    def _ask_html(self) -> None:
        name = Path(file_name(self._title())).with_suffix(".html").name
        choose_new_file(self, "Save the protocol", name, "Web pages (*.html)", self.save_html)
