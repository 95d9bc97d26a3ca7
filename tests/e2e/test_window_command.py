"""The command line: pictures without a display, sentences instead of tracebacks, and a light window process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.window_program import ROOT, write_hip

pytestmark = pytest.mark.timeout(300)


def run_main(*arguments: object, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    clean.pop("QT_QPA_PLATFORM", None)
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *map(str, arguments)],
        cwd=cwd,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_version():
    done = run_main("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("Lucency 0.")


def test_a_picture_of_the_window_with_the_image(tmp_path):
    image = write_hip(tmp_path / "hip.png")
    picture = tmp_path / "out.png"
    done = run_main("--data", tmp_path / "data", "--screenshot", picture, image, QT_QPA_PLATFORM="offscreen")
    assert done.returncode == 0, done.stdout + done.stderr
    with Image.open(picture) as image_file:
        assert image_file.size == (1440, 900)
    assert "hip.png" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_opened_is_said_and_counted(tmp_path):
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"\0" * 200)
    done = run_main("--data", tmp_path / "data", "--screenshot", tmp_path / "out.png", broken)
    assert done.returncode == 1
    assert "broken.dcm" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert (tmp_path / "out.png").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_without_a_display_it_says_so_and_reads_offscreen(tmp_path):
    image = write_hip(tmp_path / "hip.png")
    done = run_main("--data", tmp_path / "data", image, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("There is no display")
    assert (tmp_path / "lucency-window.png").exists()


@pytest.mark.skipif(not list((ROOT / "resources" / "models").glob("*/model.json")), reason="no network is bundled")
def test_the_sample_is_diagnosed_by_the_bundled_network(tmp_path):
    done = run_main("--data", tmp_path / "data", "--sample", "--screenshot", tmp_path / "out.png")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Sample 1, left hip: loose" in done.stdout
    assert "lines inserted into real radiographs" in done.stdout
    assert "Traceback" not in done.stderr


LIGHT = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.e2e.window_light import main
if __name__ == "__main__":
    main(Path({image!r}), Path({data!r}))
"""


def test_the_windows_process_imports_no_engine_and_no_decoder(tmp_path):
    """Nothing that a file or a driver does can take the window down, and it stays small."""
    image = write_hip(tmp_path / "hip.png")
    script = tmp_path / "light.py"
    script.write_text(LIGHT.format(root=str(ROOT), image=str(image), data=str(tmp_path / "data")))
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "opened; heavy modules: none"
