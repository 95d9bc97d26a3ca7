"""`python -m benchmarks [--quick]`: every figure as a ratio in one run, medians, written to benchmarks/RESULTS.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.measure import ROOT, Comparison, ProcessRun, run_process

SAMPLES = ROOT / "resources" / "samples"
RESULTS = ROOT / "benchmarks" / "RESULTS.md"


def in_process(module: str, *arguments: str) -> str:
    """The last line that `python -m MODULE` prints."""
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()[-1]


def whole_program(folder: Path, first_sample: Path) -> Sequence[str]:
    return ["main.py", "--screenshot", str(folder / "window.png"), "--data", str(folder / "data"), str(first_sample)]


def process_comparisons(folder: Path, pairs: int) -> list[Comparison]:
    """Whole processes: start to paint, start to diagnosis, memory. In turn: bare window, our program, own script."""
    sample = SAMPLES / "loose-cemented.dcm"
    painted = Comparison("process start → sample hip painted", "bare PySide6 + pyqtgraph window with an array", 1.5)
    diagnosed = Comparison(
        "process start → diagnosis and map on screen",
        "own script: pydicom + torchvision + grad-cam, to a saved overlay",
        0.5,
    )
    window = Comparison("peak memory, window's process", "bare window", 1.6, unit="MiB")
    everything = Comparison("peak memory, all processes", "own script", 0.6, unit="MiB")

    def runs(sample_memory: bool) -> tuple[ProcessRun, ProcessRun, ProcessRun]:
        bare = run_process(["-m", "benchmarks.bare_window"], sample_memory=sample_memory)
        ours = run_process(whole_program(folder, sample), sample_memory=sample_memory)
        script = run_process(
            ["-m", "benchmarks.own_script", str(sample), str(folder / "overlay.png")], sample_memory=sample_memory
        )
        return bare, ours, script

    runs(sample_memory=False)  # warms the disk cache
    for _ in range(pairs):
        bare, ours, script = runs(sample_memory=False)
        painted.ours.append(ours.milestones_s["painted"])
        painted.theirs.append(bare.milestones_s["painted"])
        diagnosed.ours.append(ours.milestones_s["diagnosis"])
        diagnosed.theirs.append(script.wall_s)
    for _ in range(max(2, pairs // 2)):
        bare, ours, script = runs(sample_memory=True)
        window.ours.append(ours.peak_main_mib)
        window.theirs.append(bare.peak_main_mib)
        everything.ours.append(ours.peak_tree_mib)
        everything.theirs.append(script.peak_tree_mib)
    window.note = everything.note = "proportional set size, sampled every 50 ms"
    return [painted, diagnosed, window, everything]


def warm_open(pairs: int) -> list[Comparison]:
    corpus = Path(os.environ.get("LUCENCY_CORPUS", ROOT.parent / "shared" / "corpus"))
    radiograph = corpus / "radiographs" / "hip_native_j2k_lossless.dcm"
    if not radiograph.is_file():
        print(f"Skipped: {radiograph.name} is absent (set LUCENCY_CORPUS).", file=sys.stderr)
        return []
    result = json.loads(in_process("benchmarks.warm_open", str(radiograph), "--pairs", str(pairs)))
    return [
        Comparison(
            "open a 2,140 x 1,760 JPEG 2000 hip → painted, warm",
            "decoding it alone",
            1.5,
            result["ours"],
            result["theirs"],
        )
    ]


def diagnosis(folder: Path, pairs: int) -> list[Comparison]:
    result = json.loads(in_process("benchmarks.diagnosis", "--pairs", str(pairs), "--folder", str(folder)))
    sample = SAMPLES / "loose-cemented.dcm"
    script = json.loads(
        in_process("benchmarks.own_script", str(sample), str(folder / "overlay.png"), "--repeat", str(pairs))
    )
    ours = result["diagnosis"]
    return [
        Comparison(
            "diagnosis + map, warm", "bare forward of the same network and engine", 1.10, ours["ours"], ours["theirs"]
        ),
        Comparison(
            "gate + region + diagnosis + map, warm",
            "bare forward of the same network and engine",
            1.5,
            result["assess"]["ours"],
            result["assess"]["theirs"],
        ),
        Comparison(
            "diagnosis + map, warm",
            "own script: DenseNet-201 at 448 px with the grad-cam library",
            0.5,
            ours["ours"],
            script,
            note="another, larger network: what a user would script, not the same arithmetic",
        ),
        Comparison(
            "predict, images a second",
            "bare ONNX Runtime on the same tensors",
            0.9,
            result["batch"]["ours"],
            result["batch"]["theirs"],
            unit="/s",
            at_least=True,
            note="predict also decodes, finds the region and writes the answer",
        ),
    ]


def frames() -> str:
    figures = json.loads(in_process("benchmarks.canvas", "--json"))
    rows = [f"| {name} | {value:.1f} | {'met' if value <= 16 else 'NOT met'} |" for name, value in figures.items()]
    return "\n".join(["| step at 2,140 x 1,760 | median ms a frame | 16 ms |", "|---|---|---|", *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, nothing written")
    arguments = parser.parse_args()
    pairs = 2 if arguments.quick else 7
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        comparisons = [
            *process_comparisons(folder, pairs),
            *warm_open(3 if arguments.quick else 9),
            *diagnosis(folder, 5 if arguments.quick else 25),
        ]
        frame_table = frames()
    rows = "\n".join(comparison.row() for comparison in comparisons)
    text = f"""# Benchmarks

`python -m benchmarks`, {datetime.now(UTC).date().isoformat()}. Every figure is a ratio, ours / theirs, measured in turn in one run; the median of the
pairs is shown, then both medians. Seconds differ from machine to machine and under load; the ratios less.
Machine: {platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}, PySide6 {version("PySide6-Essentials")}, ONNX Runtime {version("onnxruntime")}, torch {version("torch")} (CPU).

| what | against | reach | ratio | medians | pairs | note |
|---|---|---|---|---|---|---|
{rows}

{frame_table}
"""
    print(text)
    if not arguments.quick:
        RESULTS.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
