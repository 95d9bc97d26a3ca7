"""Maps by other methods than the bundle's own: a menu, and one computation at a time."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMenu, QWidget

from gui.cases import DiagnosisState
from gui.jobs import Job, Jobs, guarded
from gui.reading import ReadingController
from gui.views.notice_bar import NoticeBar


class AdvancedMaps(QObject):
    def __init__(
        self, window: QWidget, menu: QMenu, jobs: Jobs, controller: ReadingController, notice: NoticeBar
    ) -> None:
        super().__init__(window)
        self._menu, self._jobs, self._controller, self._notice = menu, jobs, controller, notice
        self._running: Job | None = None
        controller.diagnosis_changed.connect(self._refresh)
        controller.radiograph_changed.connect(self._refresh)
        self.set_methods(())

    def set_methods(self, methods: Sequence[str]) -> None:
        """What the engine in use can compute."""
        self._menu.clear()
        self._menu.addAction("The map that the score came from").triggered.connect(self._show_own)
        self._menu.addSeparator()
        for method in methods:
            self._menu.addAction(method).triggered.connect(lambda _on=False, method=method: self._show(method))
        if not methods:
            missing = self._menu.addAction("Other methods need torch, which is not installed here")
            missing.setEnabled(False)
        self._refresh()

    def _refresh(self) -> None:
        # Before the reveal there is nothing that this menu may even hint at.
        self._menu.setEnabled(self._controller.diagnosis_state is DiagnosisState.SHOWN)

    def _show(self, method: str) -> None:
        radiograph, hip, prediction = self._controller.radiograph, self._controller.hip, self._controller.prediction
        if radiograph is None or hip is None or prediction is None:
            return
        if self._running is not None:
            self._running.cancel()
        job = self._running = self._jobs.advanced_map(radiograph, hip.region, method, prediction.way)
        job.done.connect(guarded(self, lambda saliency: self._controller.show_other_map(hip, saliency)))
        job.failed.connect(self._notice.show_problem)
        job.ended.connect(guarded(self, lambda: self._on_ended(job)))

    def _on_ended(self, job: Job) -> None:
        if job is self._running:
            self._running = None

    def _show_own(self) -> None:
        if self._controller.hip is not None:
            self._controller.show_other_map(self._controller.hip, None)
