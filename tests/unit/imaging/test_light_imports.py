"""The window's process imports the doors of imaging, not what lies behind them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("imaging.worker_process", "numpy pydicom PIL imagecodecs"),
        ("imaging.worker", "pydicom PIL imagecodecs scipy"),
        ("imaging.reader", "pydicom PIL imagecodecs scipy"),
        ("imaging.sources", "pydicom PIL imagecodecs scipy"),
        ("imaging.windowing", "pydicom PIL imagecodecs scipy"),
        ("imaging.geometry", "pydicom PIL imagecodecs scipy"),
    ],
)
def test_import_stays_light(module, absent):
    code = f"import sys, {module}; print([name for name in {absent.split()!r} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
