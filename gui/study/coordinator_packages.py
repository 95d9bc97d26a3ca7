"""Handing out: names out of the images, somebody looks at every one of them, then the file and the passphrase."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from gui.file_dialogs import choose_folder, choose_new_file
from gui.study.background import RadiographReader, Steps, Task
from gui.study.coordinator_look import LookDialog
from gui.study.coordinator_overview import OpenStudy, places
from imaging.radiograph import Radiograph
from imaging.sources import Source
from study.cases import StudyCase
from study.package import SUFFIX as PACKAGE_SUFFIX
from study.package import Images
from study.record import find_moved

if TYPE_CHECKING:
    from gui.jobs import Jobs
    from gui.study.coordinator_window import CoordinatorWindow


class HandOut(QObject):
    """The images are prepared, and looked at, once for all packages that are made while the window is open."""

    def __init__(self, window: CoordinatorWindow, study: OpenStudy, jobs: Jobs) -> None:
        super().__init__(window)
        self._window = window
        self._study = study
        self._jobs = jobs
        self._reader = RadiographReader(jobs, self)
        self.images: Images | None = None
        self.looked = False  # somebody looked at every image
        self.dialog: LookDialog | None = None

    def ask(self, name: str) -> None:
        if self.images is None:
            self.prepare(lambda: self.look(name))
        else:
            self.look(name)

    def prepare(self, then: Callable[[], object]) -> None:
        study = self._study

        def work(steps: Steps) -> tuple[Images | None, set[str]]:
            found, missing = places(study)
            if missing:
                return None, missing
            steps.total = len(study.coordinator.state().registered.cases)

            def read(case: StudyCase) -> Radiograph:
                return self._reader.read(found[case.image_sha256], case.frame, steps)

            return study.coordinator.prepare(read, study.scratch, steps.keep_going), set()

        def done(result: tuple[Images | None, set[str]]) -> None:
            self.images, missing = result
            if missing:
                self._ask_where(missing, then)
            else:
                then()

        self._window.run("Removing names from the images", work, done)

    def _ask_where(self, missing: set[str], then: Callable[[], object]) -> None:
        find = partial(self.find, missing, then)
        self._window.notices.show_notice(
            f"{len(missing)} image{' is' if len(missing) == 1 else 's are'} no longer where they were.",
            action=("Look for them …", lambda: choose_folder(self._window, "Where are the images now?", find)),
        )

    def find(self, missing: set[str], then: Callable[[], object], folder: Path) -> None:
        store = self._study.store

        def work(steps: Steps) -> int:
            found = find_moved(folder, missing, steps.keep_going)
            for digest, path in found.items():
                store.note_location(digest, path).result()
            return len(found)

        self._window.run("Looking for the images", work, lambda _number: self.prepare(then))

    def look(self, name: str) -> None:
        assert self.images is not None
        if self.looked:
            self._ask_file(name)
            return
        held = self.images
        digests = sorted({case.image_sha256 for case in held.of_case.values()})
        self.dialog = LookDialog(self._window, self._jobs, [Source(held.path(digest)) for digest in digests])
        self.dialog.accepted.connect(lambda: self._on_looked(name))
        self.dialog.finished.connect(self.dialog.deleteLater)
        self.dialog.open()

    def _on_looked(self, name: str) -> None:
        self.looked = True
        self._ask_file(name)

    def _ask_file(self, name: str) -> None:
        choose_new_file(
            self._window,
            f"The package of {name}",
            f"{name}{PACKAGE_SUFFIX}",
            f"Reader packages (*{PACKAGE_SUFFIX})",
            lambda path: self._window.ask_own(
                f"Hand out the package of {name}",
                "The package holds de-identified images, the protocol and this reader's order; never the truth.",
                "&Write the package",
                lambda passphrase: self.write(name, path, passphrase),
            ),
        )

    def write(self, name: str, path: Path, passphrase: str) -> Task:
        images, looked = self.images, self.looked
        assert images is not None
        return self._window.do(
            f"Writing the package of {name}",
            lambda held, _steps: held.hand_out(name, path, images, passphrase, burned_in_checked=looked),
            lambda _packaged: self._window.note(
                f"The package of {name} was written to {path.name}. Hand it to them, and the passphrase another way."
            ),
        )

    def close(self) -> None:
        """The de-identified images were made for the packages alone."""
        shutil.rmtree(self._study.scratch, ignore_errors=True)
