"""Settings. Every change counts at once and is kept at once; there is nothing to confirm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSlider,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from gui.actions import ActionSpec
from gui.file_dialogs import choose_folder
from gui.preferences import Device, Preferences, ThemeName
from gui.views.number_fields import DecimalField
from gui.views.settings_keys import KeysPage
from gui.views.shortcut_sheet import plain
from study.model import ReadingMode

SCALE_STEP = 25


class SettingsDialog(QDialog):
    """`specs` are the actions whose keys can be changed."""

    def __init__(
        self,
        preferences: Preferences,
        specs: Sequence[ActionSpec],
        parent: QWidget | None = None,
        *,
        networks: Mapping[str, str] | None = None,
    ) -> None:
        """`networks`: those that can be chosen, title by id."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Settings"))
        self._preferences = preferences
        self.tabs = QTabWidget()
        self.reading = _ReadingPage(preferences)
        self.looks = _LooksPage(preferences)
        self.cnn = _CnnPage(preferences)
        self.cnn.offer_networks(networks or {})
        self.files = _FilesPage(preferences)
        self.keys = KeysPage(preferences, specs)
        for page, title in (
            (self.reading, self.tr("&Reading")),
            (self.looks, self.tr("&Appearance")),
            (self.cnn, self.tr("&CNN")),
            (self.files, self.tr("&Files")),
            (self.keys, self.tr("&Keys")),
        ):
            self.tabs.addTab(page, title)
        note = QLabel(self.tr("Changes count at once."))
        note.setProperty("role", "muted")
        close = QPushButton(self.tr("Close"))
        close.setProperty("role", "main")
        close.clicked.connect(self.close)
        bottom = QHBoxLayout()
        bottom.addWidget(note, 1)
        bottom.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(bottom)
        em = self.fontMetrics().height()
        self.resize(40 * em, 32 * em)


class _Page(QWidget):
    def __init__(self, preferences: Preferences) -> None:
        super().__init__()
        self._preferences = preferences
        self._form = QFormLayout(self)
        self._form.setContentsMargins(14, 14, 14, 14)
        self._form.setVerticalSpacing(12)
        self._form.setHorizontalSpacing(16)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self._build()
        self._show()
        preferences.changed.connect(self._show)

    def _build(self) -> None:
        raise NotImplementedError

    def _show(self) -> None:
        raise NotImplementedError

    def _row(self, caption: str, field: QWidget, hint: str = "") -> None:
        field.setAccessibleName(plain(caption))
        label = QLabel(caption)
        label.setBuddy(field)
        self._form.addRow(label, field)
        if hint:
            self._form.addRow("", _hint(hint))

    def _choices(self, name: str, choices: Sequence[tuple[object, str]]) -> QComboBox:
        box = QComboBox()
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(24)
        box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for value, words in choices:
            box.addItem(words, value)
        box.activated.connect(lambda index: setattr(self._preferences, name, choices[index][0]))
        return box

    def _show_choice(self, box: QComboBox, value: object) -> None:
        values = [box.itemData(index) for index in range(box.count())]
        box.setCurrentIndex(values.index(value))

    def _check(self, name: str, words: str, hint: str) -> QCheckBox:
        box = QCheckBox(words)
        box.clicked.connect(lambda on: setattr(self._preferences, name, on))
        self._form.addRow(box)
        self._form.addRow(_hint(hint))
        return box


class _ReadingPage(_Page):
    def _build(self) -> None:
        self.name_line = QLineEdit(maxLength=100, placeholderText=self.tr("Name or initials"))
        self.name_line.editingFinished.connect(self._take_name)
        self._row(self.tr("Reader's &name"), self.name_line, self.tr("Goes into every reading that you record."))
        self.experience_line = QLineEdit(maxLength=200, placeholderText=self.tr("e.g. consultant, 12 years"))
        self.experience_line.editingFinished.connect(self._take_name)
        self._row(self.tr("&Experience"), self.experience_line)
        self.mode_box = self._choices(
            "reading_mode",
            [
                (ReadingMode.ASSIST, self.tr("Assist: the diagnosis appears as soon as it is there")),
                (ReadingMode.ANSWER_FIRST, self.tr("Answer first: the CNN stays hidden until you have recorded")),
            ],
        )
        self._row(
            self.tr("Reading &mode"),
            self.mode_box,
            self.tr("People tend to follow a wrong suggestion. The mode is written into every reading."),
        )
        self.cutoff_spin = DecimalField(0.1, 10.0, suffix=" mm")
        self.cutoff_spin.valueChanged.connect(
            lambda value: setattr(self._preferences, "lucency_cutoff_mm", round(value, 1))
        )
        self._row(
            self.tr("Cut-&off of a radiolucent line"),
            self.cutoff_spin,
            self.tr("Lines wider than this are highlighted in the form."),
        )

    def _show(self) -> None:
        for line, text in (
            (self.name_line, self._preferences.reader_name),
            (self.experience_line, self._preferences.reader_experience),
        ):
            if not line.hasFocus():
                line.setText(text)
        self._show_choice(self.mode_box, self._preferences.reading_mode)
        with QSignalBlocker(self.cutoff_spin):
            self.cutoff_spin.setValue(self._preferences.lucency_cutoff_mm)

    def _take_name(self) -> None:
        self._preferences.reader_name = self.name_line.text()
        self._preferences.reader_experience = self.experience_line.text()


class _LooksPage(_Page):
    def _build(self) -> None:
        self.theme_box = self._choices(
            "theme",
            [
                (ThemeName.DARK, self.tr("Dark")),
                (ThemeName.LIGHT, self.tr("Light")),
                (ThemeName.SYSTEM, self.tr("As the system")),
            ],
        )
        self._row(self.tr("&Theme"), self.theme_box)
        self.scale_slider = QSlider(Qt.Orientation.Horizontal)
        self.scale_slider.setRange(100 // SCALE_STEP, 200 // SCALE_STEP)
        self.scale_slider.setPageStep(1)
        # While it is dragged the window would change under the pointer: the size changes on release.
        self.scale_slider.setTracking(False)
        self.scale_slider.valueChanged.connect(
            lambda step: setattr(self._preferences, "font_scale_percent", SCALE_STEP * step)
        )
        self.scale_slider.sliderMoved.connect(lambda step: self._say_scale(SCALE_STEP * step))
        self._row(self.tr("&Size of text"), self.scale_slider)
        self.scale_label = QLabel()
        self.scale_label.setProperty("role", "small")
        self._form.addRow("", self.scale_label)

    def _show(self) -> None:
        self._show_choice(self.theme_box, self._preferences.theme)
        percent = self._preferences.font_scale_percent
        with QSignalBlocker(self.scale_slider):
            self.scale_slider.setValue(round(percent / SCALE_STEP))
        self._say_scale(percent)

    def _say_scale(self, percent: int) -> None:
        self.scale_label.setText(f"{percent} %")


class _CnnPage(_Page):
    def _build(self) -> None:
        self.network_box: QComboBox | None = None  # where there is a choice
        self.device_box = self._choices(
            "device",
            [
                (Device.AUTO, self.tr("Automatic: the fastest that works")),
                (Device.CPU, self.tr("CPU (ONNX Runtime)")),
                (Device.CUDA, self.tr("NVIDIA GPU (CUDA)")),
                (Device.MPS, self.tr("Apple GPU (MPS)")),
            ],
        )
        self._row(
            self.tr("&Device"),
            self.device_box,
            self.tr("A GPU needs the torch engine. The one in use is shown beside the diagnosis."),
        )
        self.prevalence_box = QCheckBox(self.tr("State how common loosening is among the hips read here"))
        self.prevalence_box.clicked.connect(self._take_prevalence)
        self._form.addRow(self.prevalence_box)
        self.prevalence_spin = DecimalField(0.1, 99.9, step=1.0, suffix=" %")
        self.prevalence_spin.setValue(10.0)
        self.prevalence_spin.valueChanged.connect(self._take_prevalence)
        self._row(
            self.tr("Local &prevalence"),
            self.prevalence_spin,
            self.tr("The predictive value beside the diagnosis then holds for this share of loose hips."),
        )

    def offer_networks(self, titles: Mapping[str, str]) -> None:
        """By id. One network is no choice."""
        chosen = self._preferences.model_id
        if len(titles) < 2:
            return
        missing = {} if chosen in ("", *titles) else {chosen: self.tr("{id} (not found)").format(id=chosen)}
        words = {"": self.tr("The one that came with the program")} | dict(titles) | missing
        self.network_box = self._choices("model_id", list(words.items()))
        self._row(
            self.tr("&Network"),
            self.network_box,
            self.tr(
                "Of several versions the newest is taken. More can be added in the folder “models” beside the record."
            ),
        )
        self._show()

    def _show(self) -> None:
        if self.network_box is not None:
            self._show_choice(self.network_box, self._preferences.model_id)
        self._show_choice(self.device_box, self._preferences.device)
        share = self._preferences.local_prevalence
        self.prevalence_box.setChecked(share is not None)
        self.prevalence_spin.setEnabled(share is not None)
        if share is not None:
            with QSignalBlocker(self.prevalence_spin):
                self.prevalence_spin.setValue(100 * share)

    def _take_prevalence(self) -> None:
        share = round(self.prevalence_spin.value() / 100, 4)
        self._preferences.local_prevalence = share if self.prevalence_box.isChecked() else None


class _FilesPage(_Page):
    folder_chosen = Signal(object)

    def _build(self) -> None:
        self.recent_box = self._check(
            "recent_files_on",
            self.tr("Remember &recent files"),
            self.tr("Kept on this machine only. Switching it off forgets them at once."),
        )
        self.names_box = self._check(
            "recent_names_on",
            self.tr("Show file &names in menus and lists"),
            self.tr("A file name may hold a patient's name: off, files go by their kind and the time of opening."),
        )
        self.folder_line = QLineEdit(readOnly=True)
        self.folder_line.setAccessibleName(self.tr("Data folder"))
        open_button = QPushButton(self.tr("&Open"))
        open_button.clicked.connect(self._open_folder)
        change_button = QPushButton(self.tr("C&hange …"))
        change_button.clicked.connect(
            lambda: choose_folder(self, self.tr("Folder for readings and drafts"), self._take_folder)
        )
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.folder_line, 1)
        line.addWidget(open_button)
        line.addWidget(change_button)
        self._form.addRow(self.tr("Data folder"), row)
        self.folder_note = _hint(self.tr("Holds the record of readings, drafts and logs."))
        self._form.addRow("", self.folder_note)

    def _show(self) -> None:
        self.recent_box.setChecked(self._preferences.recent_files_on)
        self.names_box.setChecked(self._preferences.recent_names_on)
        self.names_box.setEnabled(self._preferences.recent_files_on)
        self.folder_line.setText(str(self._preferences.data_folder))

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._preferences.data_folder)))

    def _take_folder(self, folder: Path) -> None:
        probe = folder / ".lucency-probe"
        try:
            probe.write_bytes(b"")
            probe.unlink()
        except OSError:
            self.folder_note.setText(self.tr("That folder cannot be written; the old one stays in use."))
            return
        self._preferences.data_folder = folder
        self.folder_note.setText(
            self.tr("Used from the next start on. What has been recorded stays in the old folder.")
        )


def _hint(words: str) -> QLabel:
    label = QLabel(words, wordWrap=True)
    label.setProperty("role", "small")
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    return label
