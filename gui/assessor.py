"""The CNN on the radiograph on screen: it proposes the hips, reads each, and reads again what the reader moves."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from gui.cases import Hip
from gui.jobs import Job, Jobs, guarded
from imaging.radiograph import Radiograph
from inference.prediction import Prediction

REGION_SETTLES_MS = 350  # after the last change of a region the CNN runs again
KEPT_PREDICTIONS = 64


class Assessor(QObject):
    """Writes what it learns into the hips that `hips` returns: prediction, job, failure."""

    proposed = Signal()  # `proposals` is there, or will not come
    sided = Signal()  # the side of a hip that a person has placed is known, or another one
    changed = Signal()  # what may be said of the CNN has changed

    def __init__(self, jobs: Jobs, hips: Callable[[], Sequence[Hip]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._hips = hips
        self._radiograph: Radiograph | None = None
        self._known: OrderedDict[tuple[str, int], list[Prediction]] = OrderedDict()
        self.proposals: list[Prediction] | None = None  # [] where the CNN failed or was stopped
        self.proposing: Job | None = None
        self.failure: tuple[str, str] | None = None  # of the proposal: sentence, details
        self._settle = QTimer(self, singleShot=True, interval=REGION_SETTLES_MS)
        self._settle.timeout.connect(self.assess_rest)

    def begin(self, radiograph: Radiograph) -> None:
        """Another radiograph is on screen: let the CNN find its hips and read each."""
        self._radiograph = radiograph
        if self._jobs.has_engine:
            self._propose(radiograph)
        else:
            self.proposals = []

    def leave(self) -> None:
        """Nobody waits for this radiograph any more."""
        self._settle.stop()
        for job in (self.proposing, *(hip.job for hip in self._hips())):
            if job is not None:
                job.abandon()
        self._radiograph = self.proposing = self.proposals = self.failure = None

    def drop(self, hip: Hip) -> None:
        """What was said of this hip holds no longer: its region has moved."""
        if hip.job is not None:
            hip.job.abandon()
        hip.job = hip.prediction = hip.other_map = hip.failure = None
        hip.cancelled = False

    def assess_soon(self) -> None:
        """Once the reader has left the regions alone for a moment."""
        self._settle.start()

    def assess_rest(self) -> None:
        """Run the CNN on every region that it has not read."""
        radiograph = self._radiograph
        if radiograph is None or not self._jobs.has_engine or self.proposing is not None:
            return
        for hip in self._hips():
            if hip.prediction is None and hip.job is None and hip.failure is None and not hip.cancelled:
                self._assess(radiograph, hip)
        self.changed.emit()

    def retry(self) -> None:
        """After a failure or a cancel."""
        self.failure = None
        for hip in self._hips():
            hip.failure, hip.cancelled = None, False
        self.assess_rest()
        self.changed.emit()

    def forget(self) -> None:
        """Another network or device: what is on screen is read again."""
        self._known.clear()
        for hip in self._hips():
            self.drop(hip)
        if self.proposing is not None and self._radiograph is not None and not self._hips():
            self.proposing.abandon()
            self._propose(self._radiograph)
        self.assess_rest()
        self.changed.emit()

    def take_proposals(self) -> None:
        """What the CNN said about a region counts for the hip with that very region."""
        for prediction in self.proposals or ():
            for hip in self._hips():
                if hip.prediction is None and hip.region.box == prediction.region.box:
                    hip.prediction = prediction
                    hip.learn_side()

    def _propose(self, radiograph: Radiograph) -> None:
        known = self._known.get((radiograph.sha256, radiograph.frame))
        if known is not None:
            self.proposals = known
            self.proposed.emit()
            return
        job = self.proposing = self._jobs.assess(radiograph, None)
        job.done.connect(guarded(self, lambda predictions: self._on_proposals(job, radiograph, predictions)))
        job.failed.connect(guarded(self, lambda sentence, details: self._on_failed(job, sentence, details)))
        job.ended.connect(guarded(self, lambda: self._on_proposal_ended(job)))
        self.changed.emit()

    def _on_proposals(self, job: Job, radiograph: Radiograph, predictions: list[Prediction]) -> None:
        self._known[(radiograph.sha256, radiograph.frame)] = predictions
        while len(self._known) > KEPT_PREDICTIONS:
            self._known.popitem(last=False)
        if job is self.proposing:
            self.proposals = predictions

    def _on_failed(self, job: Job, sentence: str, details: str) -> None:
        if job is self.proposing:
            self.failure = (sentence, details)

    def _on_proposal_ended(self, job: Job) -> None:
        """However it ended, the reader can go on."""
        if job is not self.proposing:
            return
        self.proposing = None
        if self.proposals is None:
            self.proposals = []
        self.proposed.emit()

    def _assess(self, radiograph: Radiograph, hip: Hip) -> None:
        job = hip.job = self._jobs.assess(radiograph, hip.region)

        def on_done(predictions: list[Prediction]) -> None:
            if hip.job is job and hip in self._hips():
                hip.prediction = predictions[0]
                hip.learn_side()
                self.sided.emit()

        def on_failed(sentence: str, details: str) -> None:
            if hip.job is job:
                hip.failure = (sentence, details)

        def on_ended() -> None:
            if hip.job is job:
                hip.job = None
                if hip in self._hips():
                    self.changed.emit()

        job.done.connect(guarded(self, on_done))
        job.failed.connect(guarded(self, on_failed))
        job.ended.connect(guarded(self, on_ended))
