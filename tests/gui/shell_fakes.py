"""Jobs and a record that do what a test tells them, at once and without processes."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from imaging.geometry import HipRegion
from imaging.radiograph import Radiograph, Side, View, Window
from imaging.sources import Source
from inference.prediction import Decision, Engine, Prediction, SaliencyMap, Suitability


class FakeJob(QObject):
    done = Signal(object)
    failed = Signal(str, str)
    slow = Signal()
    ended = Signal()
    is_foreground = True

    def __init__(self, kind: str, *args: Any) -> None:
        super().__init__()
        self.title = kind
        self.kind, self.args = kind, args
        self.is_over = self.is_slow = self.is_too_late = self.cancelled = self.abandoned = False

    def finish(self, result: Any) -> None:
        assert not self.is_over
        self.is_over = True
        if not self.cancelled:
            self.done.emit(result)
        self.ended.emit()

    def fail(self, sentence: str, details: str = "", *, too_late: bool = False) -> None:
        self.is_over, self.is_too_late = True, too_late
        self.failed.emit(sentence, details)
        self.ended.emit()

    def be_slow(self) -> None:
        self.is_slow = True
        self.slow.emit()

    def cancel(self) -> None:
        if not self.is_over:
            self.cancelled = self.is_over = True
            self.ended.emit()

    def abandon(self) -> None:
        self.abandoned = True


class FakeJobs(QObject):
    """Keeps every job that was asked for, in order."""

    changed = Signal()

    def __init__(self, *, has_engine: bool = True) -> None:
        super().__init__()
        self.has_engine = has_engine
        self.asked: list[FakeJob] = []

    @property
    def slow_jobs(self) -> list[FakeJob]:
        return [job for job in self.asked if job.is_slow and not job.is_over]

    def _ask(self, kind: str, *args: Any) -> FakeJob:
        job = FakeJob(kind, *args)
        job.slow.connect(self.changed)
        job.ended.connect(self.changed)
        self.asked.append(job)
        return job

    def of(self, kind: str) -> list[FakeJob]:
        return [job for job in self.asked if job.kind == kind]

    def waiting(self, kind: str) -> FakeJob:
        """The newest job of a kind that is not over."""
        return [job for job in self.of(kind) if not job.is_over][-1]

    def list_sources(self, paths):
        return self._ask("list", paths)

    def decode(self, source, frame=0):
        return self._ask("decode", source, frame)

    def prefetch(self, source):
        return self._ask("prefetch", source)

    def glance(self, source, size_px):
        return self._ask("glance", source, size_px)

    def assess(self, radiograph, region):
        return self._ask("assess", radiograph, region)

    def advanced_map(self, radiograph, region, method, way):
        return self._ask("advanced", radiograph, region, method, way)


@dataclass
class FakeStore:
    """Acknowledges at once, unless `hold` is set: then `acknowledge` or `refuse` does."""

    hold: bool = False
    events: list[tuple[str, str, Any]] = field(default_factory=list)
    saved: dict[str, bytes] = field(default_factory=dict)
    locations: dict[str, Path] = field(default_factory=dict)
    held: list[Future[Any]] = field(default_factory=list)
    pending: int = 0
    warnings: list[str] = field(default_factory=list)

    def open(self) -> Future[None]:
        future: Future[None] = Future()
        future.set_result(None)
        return future

    def append(self, kind: str, actor: str, payload: Any) -> Future[Any]:
        self.events.append((str(kind), actor, payload))
        future: Future[Any] = Future()
        if self.hold:
            self.held.append(future)
        else:
            future.set_result(EVENT)
        return future

    def acknowledge(self) -> None:
        for future in self.held:
            future.set_result(EVENT)
        self.held.clear()

    def refuse(self, error: Exception) -> None:
        for future in self.held:
            future.set_exception(error)
        self.held.clear()

    def save_draft(self, key: str, data: bytes) -> None:
        self.saved[key] = data

    def draft(self, key: str) -> bytes | None:
        return self.saved.get(key)

    def drafts(self) -> dict[str, bytes]:
        return dict(self.saved)

    def discard_draft(self, key: str) -> None:
        self.saved.pop(key, None)

    def note_location(self, image_sha256: str, path: Path, member: str = "") -> None:
        self.locations[image_sha256] = path


EVENT = SimpleNamespace(utc="2026-01-02T03:04:05.000000Z")


def source(name: str) -> Source:
    return Source(Path(f"/nowhere/{name}"))


def radiograph(name: str = "a.png", rows: int = 120, cols: int = 100, **fields: Any) -> Radiograph:
    pixels = np.arange(rows * cols, dtype=np.float32).reshape(rows, cols)
    known: dict[str, Any] = {
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "path": Path(f"/nowhere/{name}"),
        "side": Side.RIGHT,
        "view": View.AP,
    }
    return Radiograph(pixels, (Window(6000, 12000, "first"), Window(3000, 1000, "second")), **(known | fields))


def prediction(
    box: tuple[float, float, float, float] = (10, 10, 80, 80),
    *,
    side: Side = Side.RIGHT,
    decision: Decision = Decision.LOOSE,
    probability: float | None = 0.87,
    values: np.ndarray | None = None,
    **fields: Any,
) -> Prediction:
    region = HipRegion(*box, side=side, proposed=True)
    if values is None:
        values = np.zeros((8, 8), np.float32)
        values[2, 3] = 1.0
    known: dict[str, Any] = {
        "reason": "",
        "stem_probability": probability,
        "cup_probability": None if probability is None else probability / 2,
        "suitability": Suitability(probability is not None),
        "zone_shares": {"1": 0.4, "7": 0.22, "I": 0.1},
        "model_id": "tiny",
        "model_version": "0.1.0",
        "model_sha256": "f" * 64,
        "engine": Engine.CPU,
        "elapsed_s": 0.31,
    }
    saliency = None if probability is None else SaliencyMap(values.astype(np.float32), region, (0.2, 0.9), "Grad-CAM")
    return Prediction(region=region, decision=decision, probability=probability, saliency=saliency, **(known | fields))
