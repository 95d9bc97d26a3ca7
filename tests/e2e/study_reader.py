"""A reader at the real window, who has a keyboard and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QFileDialog, QPushButton
from shiboken6 import isValid

from gui import theme
from gui.jobs import Jobs
from gui.preferences import Preferences
from gui.program import make_application
from gui.study.reading_stages import Phase, Stage
from gui.study.reading_window import StudyReadingWindow
from study.protocol import Protocol
from tests.e2e.window_program import wait_until
from tests.unit.study.study_maker import PASSPHRASE, protocol, registered

KEY = Qt.Key
CONTROL = Qt.KeyboardModifier.ControlModifier
VERSION = "1"


class Study:
    """A registered study whose package for R1 lies in `package`."""

    def __init__(self, folder: Path, count: int = 4, practice: int = 1, **changes) -> None:
        folder.mkdir(exist_ok=True)
        value: Protocol = protocol(planned_cases=count, **changes)
        self.coordinator, self.machine, self.draft, read = registered(folder, value, count, practice)
        self.coordinator.enrol("R1", PASSPHRASE, "consultant")
        self._images = self.coordinator.prepare(read, folder / "prepared")
        self.package = folder / "R1.lucency-reader"
        self.hand_out()

    def hand_out(self) -> None:
        """A package for R1, in the place of the one before."""
        self.coordinator.hand_out("R1", self.package, self._images, PASSPHRASE, burned_in_checked=True)


class ReaderAtWindow:
    def __init__(self, package: Path, data: Path, jobs: Jobs, **options) -> None:
        application = make_application(["test"])
        preferences = Preferences(data)
        theme.apply_theme(application, preferences)
        self.window = StudyReadingWindow(package, data, jobs, preferences, VERSION, **options)
        self.window.resize(1300, 850)
        self.window.show()
        self.window.activateWindow()

    @property
    def controller(self):
        return self.window.controller

    @property
    def session(self):
        return self.controller.session

    def press(self, *keys: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        for key in keys:
            QTest.keyClick(QApplication.focusWidget() or self.window, key, modifiers)

    def type(self, text: str) -> None:
        QTest.keyClicks(QApplication.focusWidget(), text)

    def sign_in(self, passphrase: str = PASSPHRASE) -> None:
        wait_until(lambda: self.window.sign_in_page is not None, what="the page to sign in")
        self.type(passphrase)
        self.press(KEY.Key_Return)
        wait_until(lambda: self.controller is not None, what="the first page")

    def begin(self) -> None:
        """From the first page, agreeing to what it asks."""
        if isinstance(QApplication.focusWidget(), QCheckBox):
            self.press(KEY.Key_Space)
            while not isinstance(QApplication.focusWidget(), QPushButton):
                self.press(KEY.Key_Tab)
        self.press(KEY.Key_Return)
        self.settle()

    def settle(self) -> None:
        """Until the reader can go on: a case is complete on screen, or another page is."""
        wait_until(
            lambda: (
                not self.controller.saving
                and (
                    self.controller.stage not in (Stage.READING, Stage.INTRO)
                    or (self.controller.stage is Stage.READING and self.controller.hip is not None)
                )
            ),
            what="the next case or page",
        )

    def answer(self, score: int) -> None:
        """A multiple of ten, by call and score."""
        steps = abs(score - 50) // 10
        self.press(KEY.Key_1 if score > 50 else KEY.Key_2, KEY.Key_4, KEY.Key_Delete)
        self.press(*[KEY.Key_PageUp if score > 50 else KEY.Key_PageDown] * steps)

    def lock(self) -> None:
        self.press(KEY.Key_Return, modifiers=CONTROL)
        self.settle()

    def reveal(self) -> None:
        self.press(KEY.Key_F5)
        wait_until(lambda: self.controller.phase is Phase.AIDED, what="the CNN's answer")

    def read_case(
        self, score: int, final: int | None = None, with_cnn: Callable[[ReaderAtWindow], object] | None = None
    ) -> None:
        """Sequentially: unaided, reveal, final (None keeps the first one). with_cnn: done once the CNN is there."""
        self.answer(score)
        self.lock()
        self.reveal()
        if with_cnn is not None:
            with_cnn(self)
        if final is not None:
            self.answer(final)
        self.lock()

    def sign(self, passphrase: str = PASSPHRASE) -> None:
        self.type(passphrase)
        self.press(KEY.Key_Return)

    def save_return(self, path: Path) -> None:
        """Through the dialog that the button opens."""
        self.press(KEY.Key_Return)
        wait_until(lambda: bool(self.window.findChildren(QFileDialog)), what="the dialog")
        dialog = self.window.findChildren(QFileDialog)[0]
        wait_until(lambda: dialog.isVisible() and dialog.focusWidget() is not None)
        line = dialog.focusWidget()
        line.setText(str(path))  # typed, a list of suggestions would take the Return
        QTest.keyClick(line, KEY.Key_Return)
        wait_until(path.exists, what="the file for the coordinator")
        wait_until(lambda: "Saved as" in self.window.end_page.sending.text())

    def close(self) -> None:
        if not isValid(self.window):
            return
        self.window.close()
        self.window.deleteLater()
        QApplication.processEvents()
