"""What somebody opens, by dialog, drop, menu or command line, and whose business it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject, Signal
from PySide6.QtWidgets import QWidget

from gui.file_dialogs import choose_files, choose_folder
from gui.jobs import Jobs
from gui.library import CaseLibrary
from gui.preferences import Preferences
from gui.samples import Sample
from gui.study_files import study_action

FILE_FILTER = (
    "Radiographs and archives (*.dcm *.dicom *.png *.jpg *.jpeg *.tif *.tiff *.bmp *.zip DICOMDIR);;All files (*)"
)


class Opening(QObject):
    study_asked = Signal(str, object)  # a study's action by id, and its file
    problem_found = Signal(str, str)  # sentence, details

    def __init__(
        self, window: QWidget, jobs: Jobs, library: CaseLibrary, preferences: Preferences, samples: Sequence[Sample]
    ) -> None:
        super().__init__(window)
        self._window, self._jobs, self._library, self._preferences = window, jobs, library, preferences
        self._samples = {sample.path: sample for sample in samples}

    def is_sample(self, path: Path) -> bool:
        return path in self._samples

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Files, folders, ZIP archives, DICOMDIRs: what they hold is added to the list, the first one opened.

        A reader package or a study among them opens in a window of its own, and is not listed as a recent file.
        """
        paths = self._hand_over_studies(paths)
        if not paths:
            return
        job = self._jobs.list_sources(paths)
        job.done.connect(self._on_sources)
        job.failed.connect(self.problem_found)
        for path in paths:
            if not self.is_sample(path):
                self._preferences.add_recent(path)

    def open_samples(self, first: int = 0) -> None:
        """All samples into the list, one of them on screen."""
        from imaging.sources import Source

        paths = list(self._samples)
        self._library.add([Source(path) for path in paths], open_first=False, names=self._sample_names())
        listed = [item.source.path for item in self._library.cases]
        self._library.open(listed.index(paths[first]))

    def ask_files(self) -> None:
        choose_files(self._window, "Open radiographs", FILE_FILTER, self.open_paths)

    def ask_folder(self) -> None:
        choose_folder(self._window, "Open a folder of radiographs", lambda folder: self.open_paths([folder]))

    def _hand_over_studies(self, paths: Sequence[Path]) -> list[Path]:
        """The paths that are left."""
        left = []
        for path in paths:
            action = study_action(path)
            if action:
                self.study_asked.emit(action, path)
            else:
                left.append(path)
        return left

    def _on_sources(self, sources: list[object]) -> None:
        if sources:
            self._library.add(sources, names=self._sample_names())  # type: ignore[arg-type]
        else:
            self.problem_found.emit("No radiograph was found there.", "")

    def _sample_names(self) -> dict[Path, str]:
        return {path: sample.name for path, sample in self._samples.items()}


def local_paths(data: QMimeData) -> list[Path]:
    """The files and folders among what is dropped."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
