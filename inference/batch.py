"""`main.py predict`: a diagnosis for every radiograph given, as JSON Lines. No window.

Files are decoded in worker processes with their limits (a bad file ends there, in a sentence) while others are being
assessed in threads of this process; a few radiographs at most are in memory at a time, and results come in the order
of the files. On the CPU each thread assesses an image of its own on one core: for throughput that beats one image on
all cores, and batches of several (benchmarks/RESULTS.md).
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Any

import msgspec

from imaging.geometry import HipRegion
from imaging.orientation import tagged_side
from imaging.radiograph import Radiograph, RadiographError
from imaging.reader import read_radiograph
from imaging.sources import Source, find_sources, readable
from imaging.worker import SupervisedWorker, decode_worker
from inference import saliency_files
from inference.classifier import Classifier
from inference.engine import DEVICES, physical_cores
from inference.model_bundle import choose_bundle, load_bundle
from inference.prediction import Decision, Engine, InferenceError, Prediction
from inference.regions import full_region

log = logging.getLogger(__name__)

MAX_DECODERS = 4
STARVED_S = 2.0  # assessing threads that waited so long in all for decoded images get another decoder
QUEUE_PER_THREAD = 2  # radiographs that are decoded ahead of each thread
REPORT_EVERY_S = 10.0  # where stderr is no terminal
EXIT_ALL_READ, EXIT_SOME_FAILED, EXIT_UNUSABLE, EXIT_INTERRUPTED = 0, 1, 2, 130

ASSESSED, NOT_ASSESSABLE, ERROR = "assessed", "not_assessable", "error"


class PartRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Stem or cup of one hip; `missing_zones` are off the film."""

    decision: str
    reason: str
    probability: float | None
    complete: float
    missing_zones: tuple[str, ...]


class RegionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One hip. `box` is x, y, width, height in pixels of the upright picture; `zones` the share of the map in each zone."""

    side: str
    side_source: str  # imaging.radiograph.SideSource value
    lateral: str  # edge of the picture that the implant's lateral side faces: left, right or ""
    box: tuple[float, float, float, float]
    probability: float | None
    decision: str
    reason: str
    stem_probability: float | None
    cup_probability: float | None
    zones: dict[str, float]
    saliency: str | None  # file of the raw map, where maps were asked for and there is one
    overlay: str | None  # picture of the same
    suitability: dict[str, float]
    parts: dict[str, PartRecord] = {}  # "stem" and "cup", from bundles that judge them one by one
    fixation: str = ""  # of the stem: "cemented", "cementless" or ""


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the output."""

    path: str
    status: str
    reason: str
    regions: tuple[RegionRecord, ...]
    model: str
    model_sha256: str
    engine: str
    seconds: float
    member: str = ""  # within the archive at `path`
    sha256: str = ""  # of the image file
    seen_in_training: bool = False
    notices: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, ZIP archives or DICOMDIRs")
    parser.add_argument("--json", metavar="OUT", default="-", help="where the JSON Lines go (default: standard output)")
    parser.add_argument("--saliency", metavar="DIR", help="write each raw map (32-bit TIFF) and a picture of it here")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="what computes (default: %(default)s)")
    parser.add_argument(
        "--region",
        type=parse_region,
        default="auto",
        metavar="auto|full|X,Y,W,H",
        help="where the hip is, in image pixels (default: proposed automatically)",
    )
    parser.add_argument("--model", metavar="ID", default="", help="which of the installed models (default: the first)")


def parse_region(text: str) -> HipRegion | str:
    """`auto`, `full`, or four numbers."""
    if text in ("auto", "full"):
        return text
    try:
        x, y, width, height = (float(part) for part in text.split(","))
        if not all(abs(value) < 1e6 for value in (x, y, width, height)):  # refuses NaN and infinity too
            raise ValueError
        return HipRegion(x, y, width, height)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"“{text}” is no region: give auto, full, or X,Y,W,H in pixels with a width and height above zero"
        ) from None


def run(arguments: argparse.Namespace, models_folder: Path) -> int:
    """Assess everything; 0 when every file could be read, 1 when some could not, 2 when nothing could begin."""
    try:
        folder = choose_bundle(models_folder, arguments.model)
        maps_folder = Path(arguments.saliency) if arguments.saliency else None
        if maps_folder is not None:
            maps_folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(_open_output(arguments.json))
            decoder = stack.enter_context(decode_worker())
            decoder.warm_up()  # beside the engine
            classifier = Classifier(load_bundle(folder), arguments.device, cpu_threads=1)
            batch = stack.enter_context(_Batch(classifier, decoder, arguments.region, maps_folder))
            return _write_all(batch, arguments.paths, output)
    except InferenceError as error:
        print(error.sentence, file=sys.stderr)  # noqa: T201 - a command's messages
        return EXIT_UNUSABLE
    except BrokenPipeError:  # the reader of the output has gone, as `| head` does
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at exit
        return EXIT_SOME_FAILED
    except OSError as error:
        where = error.filename or "the output"
        print(f"“{where}” cannot be written: {error.strerror or 'unknown error'}.", file=sys.stderr)  # noqa: T201
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        print("Stopped. What was written so far is complete.", file=sys.stderr)  # noqa: T201
        return EXIT_INTERRUPTED


def _write_all(batch: _Batch, paths: Sequence[str], output: IO[bytes]) -> int:
    sources = list(_sources(paths))
    counts = {ASSESSED: 0, NOT_ASSESSABLE: 0, ERROR: 0}
    with _Progress(len(sources)) as progress:
        for record in batch.records(sources):
            output.write(msgspec.json.encode(record) + b"\n")
            output.flush()
            counts[record.status] += 1
            progress.step()
    sentence = f"{len(sources)} files: {counts[ASSESSED]} assessed, {counts[NOT_ASSESSABLE]} not assessable, "
    print(sentence + f"{counts[ERROR]} could not be read.", file=sys.stderr)  # noqa: T201
    return EXIT_SOME_FAILED if counts[ERROR] or not sources else EXIT_ALL_READ


@dataclass(frozen=True)
class _Unreadable:
    """A path that gives no source at all."""

    path: str
    reason: str


def _sources(paths: Sequence[str]) -> Iterator[Source | _Unreadable]:
    for path in paths:
        found = False
        try:
            for source in find_sources([Path(path)]):
                found = True
                yield source
        except RadiographError as error:
            yield _Unreadable(path, error.sentence)
            continue
        if not found:
            yield _Unreadable(path, f"“{readable(Path(path).name)}” holds no image.")


class _Batch:
    """The decoders and the threads; a context, so that no process outlives it."""

    def __init__(
        self, classifier: Classifier, decoder: SupervisedWorker, region: HipRegion | str, maps_folder: Path | None
    ) -> None:
        self._classifier = classifier
        self._region = region
        self._maps_folder = maps_folder
        self._cpu = classifier.engine is Engine.CPU
        # A GPU is kept busy by one thread; on the CPU, one thread on each core.
        self._threads = physical_cores() if self._cpu else 1
        self._assessing = ThreadPoolExecutor(self._threads, thread_name_prefix="assess")
        # One decoder to begin with: for most files it is enough, and another would cost its start and a core.
        self._max_decoders = min(MAX_DECODERS, physical_cores())
        self._decoders = [decoder]
        self._idle: SimpleQueue[SupervisedWorker] = SimpleQueue()
        self._idle.put(decoder)
        self._decoding = ThreadPoolExecutor(self._max_decoders, thread_name_prefix="decode")
        self._starving = threading.Lock()
        self._starved_s = 0.0
        self._flowing = False  # the first image has arrived: waiting is no longer the decoder's start

    def __enter__(self) -> _Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for executor in (self._decoding, self._assessing):
            executor.shutdown(wait=False, cancel_futures=True)
        for decoder in self._decoders:
            decoder.shutdown()
        for executor in (self._decoding, self._assessing):
            executor.shutdown(wait=True)

    def records(self, sources: Sequence[Source | _Unreadable]) -> Iterator[FileRecord]:
        """In the order of the sources. At most QUEUE_PER_THREAD + 1 radiographs a thread are in memory."""
        waiting: deque[Future[FileRecord]] = deque()
        for index, source in enumerate(sources):
            if len(waiting) >= self._threads * (QUEUE_PER_THREAD + 1):
                yield waiting.popleft().result()
            decoded = self._decoding.submit(self._decode, source) if isinstance(source, Source) else None
            waiting.append(self._assessing.submit(self._record, index, source, decoded))
        while waiting:
            yield waiting.popleft().result()

    def _decode(self, source: Source) -> Radiograph:
        decoder = self._idle.get()
        try:
            return decoder.submit(read_radiograph, source).result()
        finally:
            self._idle.put(decoder)

    def _await(self, decoded: Future[Radiograph]) -> Radiograph:
        """The decoded image. Where threads wait for images, another decoder is started."""
        start_s = time.monotonic()
        try:
            return decoded.result()
        finally:
            with self._starving:
                self._starved_s += time.monotonic() - start_s if self._flowing else 0.0
                self._flowing = True
                if self._starved_s > STARVED_S and len(self._decoders) < self._max_decoders:
                    self._starved_s = 0.0
                    self._decoders.append(decode_worker())
                    self._idle.put(self._decoders[-1])

    def _record(self, index: int, source: Source | _Unreadable, decoded: Future[Radiograph] | None) -> FileRecord:
        """Never raises for what a file can cause."""
        path, member = str(source.path), source.member if isinstance(source, Source) else ""
        if isinstance(source, _Unreadable) or decoded is None:
            return self._failed(path, member, source.reason if isinstance(source, _Unreadable) else "")
        try:
            radiograph = self._await(decoded)
        except RadiographError as error:
            return self._failed(path, member, error.sentence)
        except CancelledError:
            raise  # the command is ending
        except Exception as error:
            log.debug("reading failed", exc_info=True)
            return self._failed(path, member, f"This file could not be read ({type(error).__name__}).")
        start_s = time.perf_counter()
        try:
            predictions = self._assess(radiograph)
            regions = tuple(
                self._region_record(f"{index + 1:05d}-{source.label}-{number}", radiograph, prediction)
                for number, prediction in enumerate(predictions, start=1)
            )
        except OSError:
            raise  # the maps cannot be written: the whole command ends, in words
        except (InferenceError, MemoryError) as error:
            return self._failed(path, member, str(error) or "This image needs more memory than there is.")
        except Exception as error:
            log.debug("assessing failed", exc_info=True)
            return self._failed(path, member, f"This image could not be assessed ({type(error).__name__}).")
        assessed = any(prediction.decision is not Decision.NOT_ASSESSABLE for prediction in predictions)
        reasons = dict.fromkeys(prediction.reason for prediction in predictions)
        return self._file_record(
            path,
            member,
            status=ASSESSED if assessed else NOT_ASSESSABLE,
            reason="" if assessed else " ".join(reasons),
            regions=regions,
            seconds=round(time.perf_counter() - start_s, 4),
            sha256=radiograph.sha256,
            seen_in_training=any(prediction.seen_in_training for prediction in predictions),
            notices=(*radiograph.notices, *dict.fromkeys(one.notice for one in predictions if one.notice)),
        )

    def _assess(self, radiograph: Radiograph) -> list[Prediction]:
        if isinstance(self._region, HipRegion):
            side, source = tagged_side(radiograph)
            return self._classifier.assess(radiograph, HipRegion(*self._region.box, side, side_source=source))
        return self._classifier.assess(radiograph, full_region(radiograph) if self._region == "full" else None)

    def _region_record(self, name: str, radiograph: Radiograph, prediction: Prediction) -> RegionRecord:
        saliency = prediction.saliency
        written: tuple[Path, Path] | None = None
        if self._maps_folder is not None and saliency is not None and not saliency.is_empty:
            written = saliency_files.write(self._maps_folder, name, radiograph, saliency)
        return RegionRecord(
            side=prediction.region.side.value,
            side_source=prediction.region.side_source.value,
            lateral=prediction.lateral or "",
            box=_rounded_box(prediction.region),
            probability=_rounded(prediction.probability),
            decision=prediction.decision.value,
            reason=prediction.reason,
            stem_probability=_rounded(prediction.stem_probability),
            cup_probability=_rounded(prediction.cup_probability),
            zones={zone: round(share, 4) for zone, share in prediction.zone_shares.items()},
            saliency=readable(str(written[0])) if written else None,
            overlay=readable(str(written[1])) if written else None,
            suitability={name: round(score, 4) for name, score in prediction.suitability.scores.items()},
            parts={
                part.name: PartRecord(
                    decision=part.decision.value,
                    reason=part.reason,
                    probability=_rounded(part.probability),
                    complete=round(part.complete, 4),
                    missing_zones=part.missing_zones,
                )
                for part in prediction.parts.values()
            },
            fixation=prediction.fixation,
        )

    def _failed(self, path: str, member: str, reason: str) -> FileRecord:
        return self._file_record(path, member, status=ERROR, reason=reason, regions=(), seconds=0.0)

    def _file_record(self, path: str, member: str, **values: Any) -> FileRecord:
        card = self._classifier.bundle.card
        return FileRecord(
            path=readable(path),
            member=readable(member),
            model=f"{card.id} {card.version}",
            model_sha256=self._classifier.bundle.sha256,
            engine=self._classifier.engine.value,
            **values,
        )


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(probability, 6)


def _rounded_box(region: HipRegion) -> tuple[float, float, float, float]:
    x, y, width, height = region.box
    return round(x, 2), round(y, 2), round(width, 2), round(height, 2)


@contextlib.contextmanager
def _open_output(target: str) -> Iterator[IO[bytes]]:
    if target == "-":
        yield sys.stdout.buffer
    else:
        with Path(target).open("wb") as stream:
            yield stream


class _Progress:
    """A bar on a terminal; elsewhere a line now and then."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._reported_s = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="file", file=sys.stderr)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self) -> None:
        self._done += 1
        if self._bar is not None:
            self._bar.update()
        elif time.monotonic() - self._reported_s >= REPORT_EVERY_S:
            self._reported_s = time.monotonic()
            print(f"{self._done} of {self._total} files", file=sys.stderr)  # noqa: T201
