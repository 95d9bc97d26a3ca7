"""`predict` through real decode processes, as a user runs it."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from inference.batch import parse_region
from inference.model_bundle import ModelBundle
from inference.saliency_files import OVERLAY_PX
from tests.unit.inference import bundles

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (
    "import argparse, sys; from pathlib import Path; from inference import batch\n"
    "parser = argparse.ArgumentParser(); batch.add_arguments(parser)\n"
    "sys.exit(batch.run(parser.parse_args(sys.argv[2:]), Path(sys.argv[1])))"
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    return bundles.make_bundle(tmp_path_factory.mktemp("models") / "tiny")


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray((pixels * 65535).astype(np.uint16)).save(path)
    return path


def command(bundle: ModelBundle, *arguments: object) -> list[str]:
    return [sys.executable, "-c", COMMAND, str(bundle.folder.parent), *map(str, arguments)]


def predict(bundle: ModelBundle, *arguments: object, expect: int = 0) -> tuple[list[dict], str]:
    done = subprocess.run(command(bundle, *arguments), cwd=ROOT, capture_output=True, timeout=120, check=False)
    messages = done.stderr.decode()
    assert "Traceback" not in messages
    assert done.returncode == expect, messages
    return [json.loads(line) for line in done.stdout.splitlines()], messages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Loose, fixed, indeterminate, without an implant; a file that is no image; a text file."""
    images = tmp_path / "images"
    images.mkdir()
    save(images / "1-loose.png", bundles.hip())
    save(images / "2-fixed.png", bundles.hip(None))
    save(images / "3-unsure.png", bundles.hip(grey=0.5))
    bare = np.zeros((64, 64), np.float32)
    bare[:8, 40:48] = 1.0
    save(images / "4-native.png", bare)
    (images / "5-broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 500)
    return images


def test_every_file_gets_a_line(bundle: ModelBundle, folder: Path) -> None:
    records, messages = predict(bundle, folder, expect=1)
    assert [Path(record["path"]).name for record in records] == sorted(path.name for path in folder.iterdir())
    assert [record["status"] for record in records] == ["assessed"] * 3 + ["not_assessable", "error"]
    assert [record["regions"][0]["decision"] for record in records[:4]] == [
        "loose", "not_loose", "indeterminate", "not_assessable"
    ]  # fmt: skip
    loose, fixed, unsure, native, broken = records
    assert loose["regions"][0]["probability"] > 0.95
    assert fixed["regions"][0]["probability"] < 0.4
    assert loose["regions"][0]["box"] == [0, 0, 64, 64]
    assert set(loose["regions"][0]["zones"]) >= {"1", "7", "I", "III"}
    assert 0 < sum(loose["regions"][0]["zones"].values()) <= 1
    assert unsure["regions"][0]["reason"]
    assert native["reason"] == bundles.SENTENCES["implant"]
    assert native["regions"][0]["probability"] is None
    assert broken["reason"].endswith(".")
    assert broken["regions"] == []
    for record in records:
        assert record["model"] == "tiny 0.1.0"
        assert record["engine"] == "cpu"
        assert record["seconds"] >= 0
    assert "5 files: 3 assessed, 1 not assessable, 1 could not be read." in messages


def test_all_readable_is_success_and_json_goes_to_a_file(bundle: ModelBundle, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    records, _ = predict(bundle, folder / "1-loose.png", folder / "4-native.png", "--json", out)
    assert records == []
    assert [json.loads(line)["status"] for line in out.read_text().splitlines()] == ["assessed", "not_assessable"]


def test_missing_path_and_empty_folder_do_not_stop_the_rest(bundle: ModelBundle, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    records, _ = predict(bundle, tmp_path / "absent.png", tmp_path / "empty", folder / "1-loose.png", expect=1)
    assert [record["status"] for record in records] == ["error", "error", "assessed"]
    assert "does not exist" in records[0]["reason"]
    assert "no image" in records[1]["reason"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there, every name is Unicode")
def test_names_that_are_no_utf8_or_very_long_do_not_end_the_batch(
    bundle: ModelBundle, folder: Path, tmp_path: Path
) -> None:
    image = (folder / "1-loose.png").read_bytes()
    for name in (b"latin1-\xfcber.png", b"\xff\xfe", "股".encode() * 80 + b".png", b"x" * 250):
        (folder / os.fsdecode(name)).write_bytes(image)
    records, _ = predict(
        bundle, folder, tmp_path / os.fsdecode(b"gone-\xfc.png"), "--saliency", tmp_path / "m", expect=1
    )
    assert len(records) == 10
    assert [record["status"] for record in records].count("assessed") == 7
    assert {r"latin1-\xfcber.png", r"\xff\xfe"} <= {Path(record["path"]).name for record in records}
    maps = [region["saliency"] for record in records for region in record["regions"] if region["saliency"]]
    assert len(maps) >= 5
    assert all(Path(name).is_file() for name in maps)
    assert "does not exist" in records[-1]["reason"]


def test_archive_members_are_named(bundle: ModelBundle, folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(folder / "1-loose.png", "a/hip.png")
    (record,), _ = predict(bundle, tmp_path / "images.zip")
    assert (Path(record["path"]).name, record["member"], record["status"]) == ("images.zip", "a/hip.png", "assessed")


def test_saliency_files_hold_the_raw_map(bundle: ModelBundle, folder: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps" / "deep"
    records, _ = predict(bundle, folder / "1-loose.png", folder / "4-native.png", "--saliency", maps)
    region = records[0]["regions"][0]
    with Image.open(region["saliency"]) as image:
        raw = np.asarray(image)
    assert raw.dtype == np.float32
    assert raw.shape == (8, 8)
    assert np.unravel_index(raw.argmax(), raw.shape) == (6, 5)  # the cell of the spot at row 48, column 40
    assert raw.max() == pytest.approx(1 / (1 + np.exp(-10)), abs=1e-4)
    with Image.open(region["overlay"]) as image:
        picture = np.asarray(image.convert("RGB")).astype(int)
    assert picture.shape == (OVERLAY_PX, OVERLAY_PX, 3)
    colored = np.ptp(picture, axis=2) > 30
    rows, cols = np.nonzero(colored)
    assert (rows.mean() / OVERLAY_PX, cols.mean() / OVERLAY_PX) == pytest.approx((52 / 64, 44 / 64), abs=0.03)
    assert records[1]["regions"][0]["saliency"] is None
    assert len(list(maps.iterdir())) == 2


@pytest.mark.parametrize(("region", "box"), [("full", [-8, 0, 80, 80]), ("10,0,40,64", [10, 0, 40, 64])])
def test_region_is_what_was_asked_for(bundle: ModelBundle, tmp_path: Path, region: str, box: list[float]) -> None:
    path = save(tmp_path / "tall.png", np.pad(bundles.hip(), ((0, 16), (0, 0))))
    (record,), _ = predict(bundle, path, "--region", region)
    assert record["regions"][0]["box"] == box


@pytest.mark.parametrize("region", ["10,0,40", "a,b,c,d", "0,0,0,5", "nan,0,5,5", "0,0,inf,5", "everything"])
def test_what_is_no_region(region: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no region"):
        parse_region(region)


def test_bad_region_is_said(bundle: ModelBundle, folder: Path) -> None:
    _, messages = predict(bundle, folder, "--region=10,0,40", expect=2)
    assert "is no region" in messages


def test_unknown_model_absent_device_and_unwritable_output(bundle: ModelBundle, folder: Path, tmp_path: Path) -> None:
    image = folder / "1-loose.png"
    _, messages = predict(bundle, image, "--model", "other", expect=2)
    assert messages.strip() == "No model is called “other”: installed are tiny."
    _, messages = predict(bundle, image, "--json", tmp_path / "absent" / "out.jsonl", expect=2)
    assert "cannot be written" in messages
    if sys.platform != "darwin":
        _, messages = predict(bundle, image, "--device", "mps", expect=2)
        assert messages.strip() == "No MPS (Apple silicon) device was found on this computer: choose the CPU, or auto."


def test_never_imports_torch_on_the_cpu(bundle: ModelBundle, folder: Path) -> None:
    checked = (
        COMMAND.replace("sys.exit(", "code = (") + "\nprint([m for m in sys.modules if m in ('torch', 'PySide6')])"
    )
    arguments = [
        sys.executable,
        "-c",
        checked,
        str(bundle.folder.parent),
        str(folder / "1-loose.png"),
        "--device",
        "cpu",
    ]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == b"[]"


def test_output_that_is_closed_early_ends_quietly(bundle: ModelBundle, folder: Path) -> None:
    paths = [folder / "1-loose.png"] * 300
    process = subprocess.Popen(command(bundle, *paths), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    messages = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 1
    assert "Traceback" not in messages
    assert "Exception ignored" not in messages


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_interrupt_leaves_whole_lines_and_no_process(bundle: ModelBundle, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    paths = [folder / "1-loose.png"] * 3000
    process = subprocess.Popen(
        command(bundle, *paths, "--json", out),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A runner in the background may have been told to ignore Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not (out.exists() and out.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    _, messages = process.communicate(timeout=30)
    assert process.returncode == 130
    assert messages.decode().strip().splitlines() == ["Stopped. What was written so far is complete."]
    lines = out.read_bytes().splitlines(keepends=True)
    assert 0 < len(lines) < 3000
    assert all(line.endswith(b"\n") and json.loads(line)["status"] == "assessed" for line in lines)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_a_decoder_that_dies_costs_one_line(bundle: ModelBundle, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that reads is killed by a file; the files after it are assessed."""
    from inference import batch
    from inference.classifier import Classifier

    monkeypatch.setattr(batch, "read_radiograph", read_or_die)
    with batch._Batch(Classifier(bundle, "cpu"), batch.decode_worker(), "auto", None) as running:
        sources = list(batch._sources([str(folder / name) for name in ("1-loose.png", "5-broken.dcm", "2-fixed.png")]))
        records = list(running.records(sources))
    assert [record.status for record in records] == ["assessed", "error", "assessed"]
    assert "stopped unexpectedly" in records[1].reason


def test_another_decoder_joins_when_images_are_waited_for(
    bundle: ModelBundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inference import batch
    from inference.classifier import Classifier

    monkeypatch.setattr(batch, "read_radiograph", read_slowly)
    monkeypatch.setattr(batch, "STARVED_S", 0.3)
    monkeypatch.setattr(batch, "physical_cores", lambda: 2)
    with batch._Batch(Classifier(bundle, "cpu"), batch.decode_worker(), "auto", None) as running:
        records = list(running.records([batch.Source(folder / "1-loose.png")] * 12))
        assert len(running._decoders) == 2
    assert [record.status for record in records] == ["assessed"] * 12


def read_slowly(source):
    from imaging.reader import read_radiograph

    time.sleep(0.2)
    return read_radiograph(source)


def read_or_die(source):
    from imaging.reader import read_radiograph

    if source.path.suffix == ".dcm":
        os._exit(3)
    return read_radiograph(source)


def test_memory_stays_bounded(bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files wait, only a few radiographs exist at once."""
    from inference import batch
    from inference.classifier import Classifier

    path = save(tmp_path / "hip.png", bundles.hip())
    begun: list[int] = []
    with batch._Batch(Classifier(bundle, "cpu"), batch.decode_worker(), "auto", None) as running:
        original = running._decode
        monkeypatch.setattr(running, "_decode", lambda source: (begun.append(1), original(source))[1])
        limit = running._threads * (batch.QUEUE_PER_THREAD + 1) + 1
        for finished, record in enumerate(running.records([batch.Source(path)] * 60)):
            assert record.status == "assessed"
            assert len(begun) - finished <= limit
    assert len(begun) == 60
