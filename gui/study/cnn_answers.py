"""What the CNN says about the cases of a study, computed once on the coordinator's machine before registration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from gui.jobs import Job, Jobs, guarded
from gui.study.background import decode
from gui.study.wizard_state import Network
from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, Side, SideSource
from inference.model_bundle import BundleError, find_bundles, load_bundle
from inference.prediction import InferenceError, Prediction
from inference.worker import EngineDescription
from study.aids import Aid, as_aid
from study.cases import Candidate
from study.protocol import TrainingData


def find_network(folders: Sequence[Path], engine: EngineDescription) -> Network:
    """The bundle that the engine runs. Waits for the disk. Raises InferenceError where it is gone."""
    for folder in (found for place in folders for found in find_bundles(place)):
        try:
            bundle = load_bundle(folder, verify=False)  # the engine verified it when it started
        except BundleError:
            continue
        if bundle.sha256 == engine.model_sha256:
            threshold = 100.0 * bundle.card.operating_point.threshold
            title = f"{bundle.card.title}, version {bundle.card.version}"
            return Network(
                bundle.card.id,
                bundle.sha256,
                title,
                threshold,
                TrainingData(engine.training_data),
                bundle.training_hashes,
            )
    raise InferenceError("The files of the CNN were changed while the program ran. Start the program again.")


def choose(candidate: Candidate, predictions: Sequence[Prediction]) -> Prediction:
    """The prediction of this hip among those of its image. Raises InferenceError where it cannot be told."""
    if candidate.box is not None or len(predictions) == 1:
        found = predictions[0]
        if {found.region.side, candidate.side} == {Side.LEFT, Side.RIGHT} and candidate.box is None:
            named = "right" if candidate.side is Side.RIGHT else "left"
            raise InferenceError(f"The CNN found a replacement only in the other hip, not in the {named} one.")
        return found
    own = [found for found in predictions if found.region.side is candidate.side]
    if candidate.side in (Side.LEFT, Side.RIGHT) and len(own) == 1:
        return own[0]
    if candidate.side in (Side.LEFT, Side.RIGHT):
        raise InferenceError(
            "This image shows two hips, and does not say which is the right one. Give the region of the one that is meant."
        )
    raise InferenceError("This image shows two hips. Give the side of the one that is meant.")


class CnnAnswers(QObject):
    """Asks the workers, one image after the other; each image is decoded once, whatever the number of its cases."""

    progressed = Signal(int, int)  # done, of how many images
    finished = Signal(object, object)  # {Candidate.key: Aid}, {Candidate.key: sentence}

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._job: Job | None = None
        self._waiting: list[list[Candidate]] = []
        self._answers: dict[object, Aid] = {}
        self._faults: dict[object, str] = {}
        self._total = 0
        self._stopped = False
        self._network_sha256 = ""

    @property
    def is_running(self) -> bool:
        return self._job is not None

    def start(self, candidates: Sequence[Candidate], known: Mapping[object, Aid], network: Network) -> None:
        """Those that are not in `known` yet."""
        if self.is_running:
            return
        images: dict[tuple[str, int], list[Candidate]] = {}
        for candidate in candidates:
            if candidate.key not in known:
                images.setdefault((candidate.image_sha256, candidate.frame), []).append(candidate)
        self._waiting = list(images.values())
        self._answers, self._faults, self._total, self._stopped = {}, {}, len(self._waiting), False
        self._network_sha256 = network.sha256
        self._next()

    def stop(self) -> None:
        """What was answered so far counts."""
        self._stopped = True
        self._waiting.clear()
        if self._job is not None:
            self._job.cancel()

    def _next(self) -> None:
        if not self._waiting:
            self._job = None
            self.finished.emit(self._answers, self._faults)
            return
        cases = self._waiting.pop(0)
        self.progressed.emit(self._total - len(self._waiting) - 1, self._total)
        decoded: list[Radiograph] = []
        job = self._job = decode(self._jobs, cases[0].source, cases[0].frame)
        job.done.connect(decoded.append)
        job.failed.connect(guarded(self, lambda sentence, _details: self._fail(cases, sentence)))
        job.ended.connect(guarded(self, lambda: self._assess(cases, decoded)))

    def _assess(self, cases: list[Candidate], decoded: list[Radiograph]) -> None:
        if not decoded or self._stopped:
            self._next()
        elif decoded[0].sha256 != cases[0].image_sha256:
            self._fail(cases, "The file was changed since it was added. Remove it and add it again.")
            self._next()
        else:
            self._ask(cases, decoded[0])

    def _ask(self, cases: list[Candidate], radiograph: Radiograph) -> None:
        """Cases with a region of their own one by one, the others together."""
        boxed = next((case for case in cases if case.box is not None), None)
        asked = [boxed] if boxed is not None else cases
        left = [case for case in cases if case not in asked]
        region = (
            HipRegion(*boxed.box, side=boxed.side, side_source=SideSource.STUDY)
            if boxed is not None and boxed.box is not None
            else None
        )
        job = self._job = self._jobs.assess(radiograph, region)
        job.done.connect(guarded(self, lambda predictions: self._take(asked, predictions)))
        job.failed.connect(guarded(self, lambda sentence, _details: self._fail(asked, sentence)))
        job.ended.connect(
            guarded(self, lambda: self._ask(left, radiograph) if left and not self._stopped else self._next())
        )

    def _take(self, cases: list[Candidate], predictions: list[Prediction]) -> None:
        for case in cases:
            try:
                found = choose(case, predictions)
            except InferenceError as error:
                self._faults[case.key] = error.sentence
                continue
            if found.seen_in_training:
                self._faults[case.key] = "The CNN was trained on this image, so it cannot be part of a study of it."
            elif found.model_sha256 != self._network_sha256:
                self._faults[case.key] = "Another CNN was chosen in the settings meanwhile. Ask it again."
            else:
                self._answers[case.key] = as_aid(found)

    def _fail(self, cases: list[Candidate], sentence: str) -> None:
        for case in cases:
            self._faults[case.key] = sentence


def keyed(answers: Mapping[object, Aid], named: Mapping[str, Candidate]) -> list[Aid]:
    """The answers under the ids that registration gives the cases; those without one are left out."""
    return [
        msgspec.structs.replace(answers[case.key], case_id=name) for name, case in named.items() if case.key in answers
    ]
