"""The one-folder program of `make package`: it starts, and its numbers are those of the source."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("LUCENCY_PACKAGE", ROOT / "dist" / "lucency")) / "lucency"
MOST_BYTES = 500 * 2**20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAM.exists(), reason="no package: run `make package` first, or set LUCENCY_PACKAGE"),
]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=True)


def test_numbers_are_those_of_the_source():
    samples = [str(path) for path in sorted((ROOT / "resources" / "samples").glob("*.dcm"))]
    arguments = ("predict", *samples, "--device", "cpu")
    packaged = run(str(PROGRAM), *arguments).stdout.splitlines()
    source = run(sys.executable, str(ROOT / "main.py"), *arguments).stdout.splitlines()
    assert len(packaged) == len(source) == len(samples)
    for one, two in zip(map(json.loads, packaged), map(json.loads, source), strict=True):
        del one["seconds"], two["seconds"]
        assert one == two


def test_window_opens_a_sample(tmp_path):
    picture = tmp_path / "window.png"
    printed = run(str(PROGRAM), "--sample", "--screenshot", str(picture), "--data", str(tmp_path / "data")).stdout
    assert "of 100 for loosening" in printed
    assert picture.stat().st_size > 100_000


def test_small_and_without_torch():
    files = [path for path in PROGRAM.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES
    assert not [path for path in files if path.name.startswith("libtorch")]
    assert not [path for path in files if "training" in path.parts]
