"""However the window was used, it quits, and the process ends: in a real event loop, with the real handler of errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(500)

WINDOWS = {
    "AboutDialog", "CoordinatorWindow", "LogViewer", "ModelCardDialog", "OpenStudyDialog", "QFileDialog", "RecordView",
    "ResultsWindow", "SettingsDialog", "ShortcutSheet", "StudyReadingWindow", "StudyWizard",
}  # fmt: skip


def run(what: str, folder: Path) -> tuple[subprocess.CompletedProcess[str], str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "e2e" / "every_window.py"), what, folder / "data", folder / "study"],
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=450,
        check=False,
    )
    return done, (folder / "data" / "logs" / "lucency.log").read_text("utf-8")


def test_after_every_window_was_opened_and_every_preference_changed(tmp_path):
    done, log = run("tour", tmp_path)
    assert "Uncaught exception" not in log, log[log.index("Uncaught exception") :][:2000]
    assert "failed" not in log
    assert done.returncode == 0, done.stdout + done.stderr
    opened, changed = done.stdout.splitlines()
    assert set(opened.split()[1:]) >= WINDOWS
    assert changed == "changed"


def test_whatever_fails_on_the_way_out(tmp_path):
    done, log = run("fail", tmp_path)
    assert done.stdout.strip() == "changed", done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert log.count("A step of quitting failed") >= 7
