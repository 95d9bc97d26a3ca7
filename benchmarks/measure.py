"""Run commands in turn and compare them: wall time, milestones and peak memory of whole process trees."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
MILESTONES = "LUCENCY_BENCHMARK_MILESTONES"  # file to which a benchmarked process appends {"name":…, "at":…}


def milestone(name: str, **more: float) -> None:
    """Called inside a benchmarked process: `name` was reached now (same clock as the parent's)."""
    with Path(os.environ[MILESTONES]).open("a") as file:
        file.write(json.dumps({"name": name, "at": time.time(), **more}) + "\n")


@dataclass
class ProcessRun:
    """One run of a command. Seconds from process start; memory in MiB (proportional set size, so shared pages count once)."""

    wall_s: float
    milestones_s: dict[str, float]
    peak_main_mib: float
    peak_tree_mib: float


def _pss_mib(process: psutil.Process) -> float:
    try:
        return process.memory_full_info().pss / 2**20
    except (psutil.Error, AttributeError):
        return 0.0


def run_process(arguments: Sequence[str], *, sample_memory: bool = False, timeout_s: float = 300) -> ProcessRun:
    """Run `python ARGUMENTS` from the repository root; raises RuntimeError when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        marks = Path(folder) / "milestones.jsonl"
        marks.touch()
        environment = os.environ | {MILESTONES: str(marks), "QT_QPA_PLATFORM": "offscreen"}
        log = Path(folder) / "log"
        started = time.time()
        with log.open("w") as output:
            child = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
            peak_main = peak_tree = 0.0
            try:
                process = psutil.Process(child.pid)
                while child.poll() is None:
                    if time.time() - started > timeout_s:
                        raise RuntimeError(f"{arguments} took over {timeout_s} s")
                    if sample_memory:
                        own = _pss_mib(process)
                        tree = own + sum(_pss_mib(descendant) for descendant in _descendants(process))
                        peak_main, peak_tree = max(peak_main, own), max(peak_tree, tree)
                    time.sleep(0.05 if sample_memory else 0.005)
            finally:
                if child.poll() is None:
                    child.kill()
        wall_s = time.time() - started
        if child.returncode:
            raise RuntimeError(f"{arguments} failed:\n{log.read_text()[-2000:]}")
        reached = {mark["name"]: mark["at"] - started for mark in map(json.loads, marks.read_text().splitlines())}
    return ProcessRun(wall_s, reached, peak_main, peak_tree)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


@dataclass
class Comparison:
    """Ours and theirs, measured in turn. `goal` bounds ours / theirs from above, or from below when `at_least`."""

    what: str
    against: str
    goal: float
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    unit: str = "s"
    at_least: bool = False
    note: str = ""

    @property
    def ratio(self) -> float:
        """Median of the pairwise ratios."""
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def met(self) -> bool:
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal

    def row(self) -> str:
        sign = "≥" if self.at_least else "≤"
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        return (
            f"| {self.what} | {self.against} | {sign} {self.goal:g}x | **{self.ratio:.2f}x** {'met' if self.met else 'NOT met'} "
            f"| {ours:.3g} / {theirs:.3g} {self.unit} | {len(self.ours)} | {self.note} |"
        )


def alternate(
    comparison: Comparison, ours: Callable[[], float], theirs: Callable[[], float], pairs: int, warm_up: int = 1
) -> Comparison:
    """Measure theirs and ours in turn, `pairs` times, after `warm_up` uncounted pairs."""
    for index in range(warm_up + pairs):
        their_value, our_value = theirs(), ours()
        if index >= warm_up:
            comparison.theirs.append(their_value)
            comparison.ours.append(our_value)
    return comparison
