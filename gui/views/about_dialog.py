"""What this program is, which versions it is made of, under which licences, and what it must not be used for."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from gui import icons

RESEARCH_USE = (
    "For research and teaching only. Lucency is no medical device: it must not be used to diagnose or to decide "
    "on treatment. The bundled network was trained on lines inserted into real radiographs and on simulations."
)
# What the program asks for by name (pyproject.toml, and its torch extra); the rest follows from these.
ROOTS = (
    "argon2-cffi", "cryptography", "grad-cam", "imagecodecs", "jinja2", "msgspec", "numpy", "onnxruntime", "pillow",
    "platformdirs", "psutil", "pydicom", "pyjpegls", "pylibjpeg-openjpeg", "PySide6-Essentials",
    "safetensors", "scipy", "sqlalchemy", "statsmodels", "timm", "torch", "torchvision", "tqdm",
)  # fmt: skip


@dataclass(frozen=True)
class NetworkLine:
    """One network, as its card says."""

    id: str
    version: str
    sha256: str
    title: str = ""
    in_use: bool = False
    is_added: bool = False  # it lies in the data folder, and did not come with the program

    @property
    def notes(self) -> list[str]:
        return ["added in the data folder"] * self.is_added + ["in use"] * self.in_use


@dataclass(frozen=True)
class PartLine:
    """One package that the program is made of."""

    name: str
    version: str
    licence: str


class AboutDialog(QDialog):
    def __init__(
        self,
        app_version: str,
        networks: Sequence[NetworkLine],
        lacks: Sequence[str],
        engine: str = "",
        parent: QWidget | None = None,
    ) -> None:
        """`lacks`: sentences on what this build cannot do; `engine`: what computes, in words."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("About Lucency"))
        self._app_version, self._networks, self._lacks, self._engine = app_version, networks, lacks, engine
        self.parts = installed_parts()

        picture = QLabel()
        picture.setPixmap(icons.pixmap("hip", 4 * self.fontMetrics().height(), "accent", self.devicePixelRatioF()))
        title = QLabel(f"Lucency {app_version}")
        title.setProperty("role", "title")
        what = QLabel(self.tr("A desktop reading assistant for loosening of total hip replacements"), wordWrap=True)
        what.setProperty("role", "muted")
        warning = QLabel(RESEARCH_USE, wordWrap=True)
        warning.setProperty("role", "warning")
        words = QVBoxLayout()
        words.addWidget(title)
        words.addWidget(what)
        head = QHBoxLayout()
        head.addWidget(picture)
        head.addLayout(words, 1)

        self.overview = QTextBrowser()
        self.overview.setAccessibleName(self.tr("Versions"))
        self.overview.setHtml(self._overview_html())
        self.table = self._parts_table()
        tabs = QTabWidget()
        tabs.addTab(self.overview, self.tr("&Versions"))
        tabs.addTab(self.table, self.tr("&Licences"))

        self.copy_button = QPushButton(self.tr("&Copy all"))
        icons.attach(self.copy_button, "copy")
        self.copy_button.clicked.connect(self._copy)
        close = QPushButton(self.tr("Close"))
        close.setProperty("role", "main")
        close.setDefault(True)
        close.clicked.connect(self.close)
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy_button)
        buttons.addStretch(1)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addLayout(head)
        layout.addWidget(warning)
        layout.addWidget(tabs, 1)
        layout.addLayout(buttons)
        em = self.fontMetrics().height()
        self.resize(40 * em, 36 * em)

    def text(self) -> str:
        """Everything, to be copied into a report."""
        lines = [f"Lucency {self._app_version}", RESEARCH_USE, ""]
        lines += [f"{name}: {value}" for name, value in self._facts()]
        lines += [
            "",
            "Networks:",
            *(
                ", ".join([f"  {network.id} {network.version} sha256 {network.sha256}", *network.notes])
                for network in self._networks
            ),
        ]
        if self._lacks:
            lines += ["", "This build lacks:", *(f"  {sentence}" for sentence in self._lacks)]
        lines += ["", "Made of:", *(f"  {part.name} {part.version} ({part.licence})" for part in self.parts)]
        return "\n".join(lines)

    def _facts(self) -> list[tuple[str, str]]:
        return [
            ("Licence", "Apache-2.0"),
            ("Engine", self._engine or "not started yet"),
            ("Python", platform.python_version()),
            ("Qt", qVersion()),
            ("System", f"{platform.system()} {platform.machine()}"),
        ]

    def _overview_html(self) -> str:
        rows = "".join(f"<tr><td>{name}&nbsp;&nbsp;</td><td>{value}</td></tr>" for name, value in self._facts())
        parts = [f"<table cellpadding='2'>{rows}</table>"]
        if self._networks:
            parts.append("<h4>Networks</h4>")
        for network in self._networks:
            use = "".join(f" · <b>{note}</b>" for note in network.notes)
            parts.append(
                f"<p><b>{network.title or network.id}</b> · {network.id} {network.version}{use}<br>"
                f"<span style='font-family:monospace'>{' '.join(_chunks(network.sha256, 16))}</span></p>"
            )
        if not self._networks:
            parts.append("<p>No network is installed: nothing can be diagnosed.</p>")
        if self._lacks:
            parts.append("<h4>What this build lacks</h4>")
            parts += [f"<p>{sentence}</p>" for sentence in self._lacks]
        return "".join(parts)

    def _parts_table(self) -> QTableWidget:
        table = QTableWidget(len(self.parts), 3)
        table.setHorizontalHeaderLabels([self.tr("Package"), self.tr("Version"), self.tr("Licence")])
        table.setAccessibleName(self.tr("Packages and their licences"))
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        table.setShowGrid(False)
        table.verticalHeader().hide()
        for row, part in enumerate(self.parts):
            for column, text in enumerate((part.name, part.version, part.licence)):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
                table.setItem(row, column, item)
        table.horizontalHeader().setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        return table

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text())
        self.copy_button.setText(self.tr("Copied"))


def installed_parts() -> list[PartLine]:
    """The packages the program is made of here, by name: `ROOTS` and all that they require, as far as installed."""
    found: dict[str, PartLine] = {}
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            about = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[key] = PartLine(about.metadata["Name"], about.version, _licence(about))
        for requirement in about.requires or ():
            required, _, marker = requirement.partition(";")
            if "extra" not in marker:
                waiting.append(re.split(r"[^\w.-]", required.strip(), maxsplit=1)[0])
    return [found[key] for key in sorted(found)]


def _licence(about: metadata.Distribution) -> str:
    """The licence in one line: the expression where the package gives one, else its classifiers, else its field."""
    fields = about.metadata.json
    expression = fields.get("license_expression")
    if expression:
        return str(expression)
    classifiers = [line.rsplit("::", 1)[1].strip() for line in fields.get("classifier", ()) if "License ::" in line]
    named = [line for line in classifiers if line != "OSI Approved"]
    if named:
        return ", ".join(named)
    field = str(fields.get("license", "")).strip().splitlines()
    return field[0][:80] if field else "see the package"


def _chunks(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
