"""The readings of this machine, as the record holds them: which cases were read before, and by whom."""

from __future__ import annotations

from collections.abc import Iterable

from study.model import CaseKey, Reader, ReaderKind, Reading


class History:
    def __init__(self) -> None:
        self._people: dict[tuple[str, int], dict[str, Reading]] = {}  # image and frame: by id, as last corrected
        self._cases: dict[tuple[str, str], set[CaseKey]] = {}  # image, whichever frame, and reader
        self._algorithms: set[str] = set()

    def learn(self, readings: Iterable[Reading]) -> None:
        for reading in readings:
            if reading.reader.kind is ReaderKind.HUMAN:
                image, frame = reading.case.image_sha256, reading.case.frame
                self._people.setdefault((image, frame), {})[reading.id] = reading
                self._cases.setdefault((image, reading.reader.id), set()).add(reading.case)
            else:
                self._algorithms.add(_answer_of(reading))

    def by(self, reader: Reader, image_sha256: str, frame: int) -> list[Reading]:
        """What this person said of a radiograph."""
        readings = self._people.get((image_sha256, frame), {})
        return [reading for reading in readings.values() if reading.reader.id == reader.id]

    def hips_read(self, reader: Reader, image_sha256: str) -> int:
        """How many hips of this image, in any of its frames, this person has read."""
        return len(self._cases.get((image_sha256, reader.id), ()))

    def holds(self, prediction: Reading) -> bool:
        """Whether this network's answer about this very region is in the record."""
        return _answer_of(prediction) in self._algorithms

    @property
    def is_empty(self) -> bool:
        return not self._people


def _answer_of(prediction: Reading) -> str:
    return f"{prediction.case}{prediction.model_sha256}"
