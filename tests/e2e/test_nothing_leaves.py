"""Nothing leaves the machine, and nothing stays behind outside the program's own folders.

Each part of the program runs as a process whose sockets are trapped by the kernel, native libraries' included, and
whose home, caches, temporary and working folder are empty before: all that is there afterwards must be its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.e2e import network_trap

pytestmark = pytest.mark.timeout(400)

OWN = ("share/Lucency", "cache/Lucency", "out")  # its data folder, its cache, and what it was asked to write
# The cache of fonts that every Linux program with a window fills by way of fontconfig, where the system's own is stale.
FONTS = "cache/fontconfig"


@dataclass(frozen=True)
class Home:
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "LUCENCY_", "ORT_"))}
        for name in ("MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR", "HF_HUB_DISABLE_TELEMETRY"):
            kept.pop(name, None)
        places = {"HOME": "home", "TMPDIR": "tmp", "XDG_RUNTIME_DIR": "run"}
        places |= {f"XDG_{kind.upper()}_HOME": kind for kind in ("cache", "config", "state")} | {
            "XDG_DATA_HOME": "share"
        }
        for name in places.values():
            (self.folder / name).mkdir(exist_ok=True, mode=0o700)
        return (
            kept
            | {name: str(self.folder / place) for name, place in places.items()}
            | {"QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        )

    def left_behind(self) -> list[str]:
        """Files outside the program's own folders."""
        files = [path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if not path.is_dir()]
        return sorted(file for file in files if not file.startswith((*OWN, FONTS)))


@pytest.fixture
def home(tmp_path):
    (tmp_path / "place" / "out").mkdir(parents=True)
    return Home(tmp_path / "place")


@pytest.fixture(scope="module")
def trap():
    reason = network_trap.why_not()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def run_quietly(trap, home):
    """Run a command, and see that it used no network and left no file."""

    def run(*command: object, timeout_s: float = 200) -> str:
        done, attempts = network_trap.run_trapped(
            [sys.executable, *map(str, command)], env=home.environment, cwd=home.folder / "home", timeout_s=timeout_s
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert attempts == []
        assert home.left_behind() == []
        return done.stdout

    return run


def samples() -> list[Path]:
    return sorted((ROOT / "resources" / "samples").glob("*.dcm"))[:2]


@pytest.mark.usefixtures("trap")
def test_the_trap_sees_a_look_up_and_a_connection(home):
    script = "import socket; socket.getaddrinfo('example.org', 80, flags=socket.AI_ADDRCONFIG)"
    done, attempts = network_trap.run_trapped(
        [sys.executable, "-c", script], env=home.environment, cwd=home.folder, timeout_s=60
    )
    assert done.returncode == 1
    assert any(attempt.startswith("a name look-up") for attempt in attempts)
    script = "import socket, subprocess, sys; subprocess.run([sys.executable, '-c', 'import socket; socket.socket()'])"
    _done, attempts = network_trap.run_trapped(
        [sys.executable, "-c", script], env=home.environment, cwd=home.folder, timeout_s=60
    )
    assert [attempt.split(",")[0] for attempt in attempts] == ["IPv4"], "in a process that it starts, too"


def test_predict(run_quietly, home):
    out = home.folder / "out"
    run_quietly(ROOT / "main.py", "predict", *samples(), "--json", out / "all.json", "--saliency", out / "maps")
    assert (out / "all.json").exists()


def test_the_engine_stays_silent_however_long_it_lives(run_quietly):
    """Its telemetry would look up a host some seconds after the start."""
    run_quietly(
        "-c",
        "import sys, time; from pathlib import Path; from inference.engine import OnnxEngine\n"
        "engine = OnnxEngine(Path(sys.argv[1])); time.sleep(8)",
        next((ROOT / "resources" / "models").rglob("*.onnx")),
    )


def test_analyse(run_quietly, home):
    scores = home.folder / "out" / "scores.csv"
    rows = [f"R{r},unaided,{c},{c % 2},{(c * 37 + r * 11) % 49 + 51 * (c % 3 == 1)}" for r in (1, 2) for c in range(20)]
    scores.write_text("\n".join(["reader,mode,case,truth,score", *rows]))
    out = home.folder / "out"
    run_quietly(
        ROOT / "main.py", "analyse", scores, "--html", out / "a.html", "--pdf", out / "a.pdf", "--json", out / "a"
    )
    assert (out / "a.pdf").stat().st_size > 1000


def test_the_window_and_a_study(run_quietly, home):
    printed = run_quietly(ROOT / "tests" / "e2e" / "quiet_window.py", home.folder / "out" / "study", timeout_s=300)
    assert printed.splitlines()[-1] == "quit", printed
    assert (home.folder / "share" / "Lucency" / "record.sqlite").exists()


@pytest.mark.parametrize("package", ["inference", "training"])
def test_every_library_is_forbidden_to_talk_before_it_is_imported(package):
    script = f"import sys, os, {package}; print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


def test_what_training_imports(run_quietly):
    pytest.importorskip("lightning", reason="the libraries of training are not installed here")
    run_quietly(
        "-c", "import training.cross_validate, training.report, training.bundle, training.fit, timm, onnxscript"
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="network namespaces are Linux's")
def test_without_any_network_interface_nothing_is_missing(home):
    unshare = shutil.which("unshare")
    alone = [unshare or "unshare", "--map-root-user", "--net"]
    if unshare is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("making a network namespace is not allowed here")
    picture = home.folder / "out" / "window.png"
    for arguments in (["predict", *samples()], ["--sample", "--screenshot", picture]):
        done = subprocess.run(
            [*alone, sys.executable, str(ROOT / "main.py"), *map(str, arguments)],
            env=home.environment,
            cwd=home.folder / "home",
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert picture.stat().st_size > 100_000
    assert home.left_behind() == []
