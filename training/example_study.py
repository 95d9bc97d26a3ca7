"""`python -m training example-study`: the worked example of a reader study that the program ships.

Forty simulated radiographs, the bundled network's real answers on them, and five readers who are the model of
study/example.py, taken through the study by the program's own rules: packages, locked answers, reveals, signatures, returns.
Radiographs and answers follow from the seed; keys, case names and the draw of flipped outputs are random each time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imaging.radiograph import Radiograph
from imaging.reader import read_radiograph
from imaging.sources import Source
from inference.classifier import Classifier
from inference.model_bundle import choose_bundle, load_bundle
from inference.prediction import Prediction
from study import example
from study.aids import as_aid
from study.cases import Candidate, StudyCase, read_case_csv, source_sha256
from study.coordinator import Coordinator, draft_study, new_study_id
from study.model import Annotation, AnnotationKind, Call, CaseKey, Reader, Reading, ReadingMode, ViewingRecord
from study.package import open_package
from study.protocol import AnalysisPlan, Multiplicity, Protocol, ReaderGroup, TrainingData
from study.returned import write_return
from study.session import Session, SlotState, Step
from study.store import StudyStore
from study.study_events import KIND_OF, StudyPayload
from training.simulation.dicom import write_dicom
from training.simulation.options import SimulationOptions
from training.simulation.radiograph import simulate
from training.simulation.samples import burn_simulated
from training.simulation.truth import Label, SimulatedRadiograph

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "resources" / example.FOLDER
CASES_FILE = "cases.csv"
PLACES_FILE = "places.json"  # by image: points (x, y) on its lucent lines, or on the interface where it has none
EXPERIENCE = "simulated reader"
PRACTICE, REPEATS, SHAM_SHARE = 3, 4, 0.1
PLACES = 6
MARK_RADIUS_PX, MARK_ERROR_PX = 22.0, 9.0  # of the ellipse; the error is that of a reader with noise 1
MOST_BITS, FEWEST_BITS = 10, 7
LARGEST_BYTES, LARGEST_FOLDER_BYTES = 150_000, 8_000_000
SIMULATION_SEED = 20_260_817
_OPTIONS = SimulationOptions(
    prevalence=example.LOOSE / example.CASES, borderline_share=0.0, pelvis_share=0.0, size_px=(540, 540), overlays=False
)
README = f"""# The worked example: {example.TITLE}

Nobody read anything. The radiographs come from the simulator, the CNN's answers are the bundled network's, and the readers
are the model of study/example.py. The study file is a real one: `{example.FILE_NAME}`, whose coordinator's passphrase is
published here because it is an example: `{example.PASSPHRASE}`. `{CASES_FILE}` lists the radiographs as the study wizard
takes them; `{PLACES_FILE}` holds the points round which the simulated readers draw their marks.

    python main.py verify resources/{example.FOLDER}/{example.FILE_NAME}
    python main.py analyse resources/{example.FOLDER}/{example.FILE_NAME} \\
        --passphrase-file resources/{example.FOLDER}/passphrase.txt --html docs/{example.FOLDER}/report.html

Made by `python -m training example-study`; with `--simulate` the radiographs too.
"""


@dataclass(frozen=True)
class Hip:
    """One radiograph of the example, with what the network says."""

    path: Path
    loose: bool
    practice: bool
    prediction: Prediction
    places: list[tuple[float, float]]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("example-study", help="make the worked example of a reader study anew")
    parser.add_argument("--out", type=Path, default=TARGET, help="folder to write (default: the program's resources)")
    parser.add_argument("--models", type=Path, default=ROOT / "resources" / "models", help="where the bundle lies")
    parser.add_argument("--model", default="", help="which bundle (default: the first)")
    parser.add_argument("--simulate", action="store_true", help="draw the radiographs anew too, not only the study")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    bundle = load_bundle(choose_bundle(options.models, options.model))
    classifier = Classifier(bundle, "cpu", cpu_threads=1)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        made = work / "made"
        if options.simulate or not (options.out / CASES_FILE).exists():
            draw_radiographs(made)
        else:  # only the network is another one
            shutil.copytree(options.out / "images", made / "images")
            for name in (CASES_FILE, PLACES_FILE):
                shutil.copy(options.out / name, made / name)
        hips = answered(made, classifier)
        threshold = 100 * bundle.card.operating_point.threshold
        protocol = make_protocol(bundle.card.id, bundle.sha256, bundle.card.training_data)
        conduct(work, made, protocol, hips, threshold, bundle.training_hashes)
        (made / "README.md").write_text(README, "utf-8")
        (made / "passphrase.txt").write_text(f"{example.PASSPHRASE}\n", "utf-8")
        size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
        if size > LARGEST_FOLDER_BYTES:
            raise ValueError(f"The example takes {size} bytes, more than {LARGEST_FOLDER_BYTES}.")
        if options.out.exists():
            shutil.rmtree(options.out)
        shutil.copytree(made, options.out)
    sys.stdout.write(f"{options.out}: {len(hips)} radiographs, {size / 1e6:.1f} MB\n")
    return 0


# --- the radiographs


def draw_radiographs(folder: Path) -> None:
    """The radiographs and their list: practice cases first, then the counted ones, loose and not loose in random order."""
    order = np.random.default_rng(example.SEED).permutation(example.CASES) < example.LOOSE
    wanted = [True, False, True][:PRACTICE] + [bool(loose) for loose in order]
    waiting: dict[bool, list[SimulatedRadiograph]] = {True: [], False: []}
    index = 0
    lines = ["path,truth,patient,practice"]
    places: dict[str, list[tuple[float, float]]] = {}
    for number, loose in enumerate(wanted, start=1):
        while not waiting[loose]:
            image = simulate(SIMULATION_SEED, index, _OPTIONS)
            label = image.truth.hips[0].label
            index += 1
            if label in (Label.LOOSE, Label.FIXED):
                waiting[label is Label.LOOSE].append(image)
        name = f"images/hip-{number:02}.dcm"
        image = waiting[loose].pop(0)
        write_small(burn_simulated(image), folder / name)
        places[Path(name).name] = _places(image, number)
        lines.append(f"{name},{int(loose)},simulated {number},{int(number <= PRACTICE)}")
    (folder / CASES_FILE).write_text("\n".join(lines) + "\n", "utf-8")
    (folder / PLACES_FILE).write_text(json.dumps(places, indent=0) + "\n", "utf-8")


def _places(image: SimulatedRadiograph, number: int) -> list[tuple[float, float]]:
    hip = image.truth.hips[0]
    rows, cols = np.nonzero(hip.lucency_mask if hip.lucency_mask.any() else hip.interface_mask)
    chosen = np.random.default_rng([example.SEED, number]).integers(0, rows.size, PLACES)
    return [(float(cols[n]), float(rows[n])) for n in chosen]


def answered(folder: Path, classifier: Classifier) -> list[Hip]:
    """The listed radiographs with what the network says about each."""
    hips = []
    places = json.loads((folder / PLACES_FILE).read_text("utf-8"))
    for case in read_case_csv(folder / CASES_FILE).candidates:
        radiograph = read_radiograph(case.source, 0)
        prediction = classifier.predict(radiograph, classifier.propose_regions(radiograph)[0])
        path = case.source.path
        hips.append(Hip(path, case.truth == 1, case.practice, prediction, places[path.name]))
    return hips


def write_small(image: SimulatedRadiograph, path: Path) -> None:
    """As DICOM, lossless, with as many of the grey values' leading bits as the limit allows."""
    for bits in range(min(image.bits, MOST_BITS), FEWEST_BITS - 1, -1):
        pixels = (image.pixels >> (image.bits - bits)).astype(np.uint16)
        write_dicom(replace(image, pixels=pixels, bits=bits), path, patient_id=path.stem)
        if path.stat().st_size <= LARGEST_BYTES:
            return
    raise ValueError(f"{path.name} cannot be made small enough.")


# --- the study


def make_protocol(bundle_id: str, bundle_sha256: str, training_data: str) -> Protocol:
    plan = AnalysisPlan(
        secondary=("sensitivity", "specificity"), multiplicity=Multiplicity.HOLM, effect=0.06, power=0.8
    )
    return Protocol(
        new_study_id(),
        example.TITLE,
        "SIMULATED READERS: do these models of readers separate loose from well-fixed hips better with the CNN?",
        "the simulator's label rule (docs/simulation.md)",
        "the simulator wrote it when it drew the radiograph",
        (ReaderGroup(EXPERIENCE, len(example.READERS)),),
        example.CASES,
        marks_asked=True,
        repeats=REPEATS,
        sham_share=SHAM_SHARE,
        seed=example.SEED,
        bundle_id=bundle_id,
        bundle_sha256=bundle_sha256,
        bundle_training=TrainingData(training_data),
        plan=plan,
    )


def conduct(
    work: Path, target: Path, protocol: Protocol, hips: list[Hip], threshold: float, training_hashes: frozenset[str]
) -> None:
    """From registration to the opened truth; leaves the study file and its head in `target`."""
    candidates = [_candidate(number, hip) for number, hip in enumerate(hips, start=1)]
    home = work / "coordinator"
    with StudyStore(home / example.FILE_NAME, "example", study=protocol.study_id, keep_backups=0) as store:
        coordinator = Coordinator(store, "example")
        draft = draft_study(protocol, candidates, training_hashes)
        row_of = {case_id: case.row for case_id, case in draft.named.items()}
        answers = [as_aid(hips[row - 1].prediction, case_id) for case_id, row in row_of.items()]
        coordinator.register(draft, example.PASSPHRASE, answers, threshold)

        def read(case: StudyCase) -> Radiograph:
            return read_radiograph(draft.named[case.id].source, case.frame)

        images = coordinator.prepare(read, work / "prepared")
        for model in example.READERS:
            coordinator.enrol(model.id, example.PASSPHRASE, EXPERIENCE)
            package = work / f"{model.id}.lucency-reader"
            coordinator.hand_out(model.id, package, images, example.PASSPHRASE, burned_in_checked=True)
            coordinator.take_in(_Machine(work, package, model, hips, row_of).read_everything())
        coordinator.close(example.PASSPHRASE)
        coordinator.unseal(example.PASSPHRASE)
        head_file = store.head_file
    for path in (home / example.FILE_NAME, head_file):
        shutil.copy(path, target / path.name)


def _candidate(number: int, hip: Hip) -> Candidate:
    source = Source(hip.path)
    truth = None if hip.practice else int(hip.loose)
    region = hip.prediction.region
    return Candidate(
        number, source, source_sha256(source), 0, region.side, region.box, truth, f"simulated {number}", hip.practice
    )


class _Machine:
    """A simulated reader at a workstation of their own."""

    def __init__(
        self, work: Path, package: Path, model: example.SimulatedReader, hips: list[Hip], row_of: dict[str, int]
    ) -> None:
        opened = open_package(package)
        self.work, self.model, self.row_of, self.hips = work, model, row_of, hips
        self.account = opened.manifest.account
        self.session = Session(opened.protocol, opened.plan, opened.reader_id, opened.manifest_sha256, opened.open_aid)
        number = example.READERS.index(model)
        strength = example.strengths(np.random.default_rng(example.SEED), np.array([hip.loose for hip in hips]))
        self.rng = np.random.default_rng([example.SEED, number])
        # Half of the variance of what a reader sees belongs to the case, half to the occasion: a second reading differs.
        half = replace(model, noise=model.noise / np.sqrt(2))
        self.of_case = half.unaided(self.rng, strength)
        self.seen = [half.unaided(self.rng, self.of_case) for _ in range(2)]
        counts = (2, len(hips))
        self.times = {
            Step.ANSWER: example.seconds(self.rng, example.UNAIDED_S, counts[0] * counts[1]).reshape(counts),
            Step.ANSWER_AIDED: example.seconds(self.rng, example.AIDED_S, counts[0] * counts[1]).reshape(counts),
        }

    def read_everything(self) -> Path:
        """Every case under the protocol's rules, signed; the path of what is sent back."""
        study = self.session.protocol.study_id
        with StudyStore(self.work / self.model.id / "reading.sqlite", "example", study=study, keep_backups=0) as store:

            def do(payload: StudyPayload) -> None:
                self.session.apply(store.append(KIND_OF[type(payload)], self.model.id, payload).result())

            do(self.session.start("example"))
            while (state := self.session.current) is not None:
                do(self.session.reveal() if state.step is Step.REVEAL else self.session.answer(self._reading(state)))
            do(self.session.sign(self.account, example.PASSPHRASE, store.head()))
            path = self.work / f"{self.model.id}.lucency-return"
            write_return(path, study, self.model.id, store.events(), store.device())
        if self.session.violations:
            raise ValueError(self.session.violations[0].sentence)
        return path

    def _reading(self, state: SlotState) -> Reading:
        case = self.session.case(state.slot)
        place = self.row_of[case.id] - 1
        occasion = state.slot.occasion - 1
        evidence: npt.NDArray[np.float64] = self.seen[occasion][place : place + 1]
        shown: float | None = None
        if state.step is Step.ANSWER_AIDED:
            shown = self.session.aid().score
            if shown is not None:
                evidence = self.model.aided(evidence, np.array([example.evidence_of(shown)]))
        score = float(self.model.scores(evidence)[0])
        active_s = float(self.times[state.step][occasion, place])
        mode = self.session.mode()
        aided = mode is ReadingMode.REVISED
        assert case.box is not None
        return Reading(
            f"{self.model.id}-{state.slot.index}-{mode.value}",
            CaseKey(case.image_sha256, 0, case.box, case.side),
            Reader(self.model.id, experience=EXPERIENCE),
            mode,
            Call.LOOSE if score > 50 else Call.NOT_LOOSE,
            score,
            annotations=(self._mark(place, f"{state.slot.index}-{mode.value}"),) if score > 50 else (),
            viewing=ViewingRecord(active_s=active_s, overlay_visible_s=round(active_s / 2, 1) if aided else 0.0),
            revises=state.unaided.id if aided and state.unaided is not None else "",
            app_version="example",
            cnn_score=shown,
        )

    def _mark(self, place: int, name: str) -> Annotation:
        """Round a lucent line (the interface, where there is none), off by the reader's own noise."""
        places = self.hips[place].places
        x, y = np.array(places[self.rng.integers(len(places))]) + self.rng.normal(
            0, MARK_ERROR_PX * self.model.noise, 2
        )
        corners = ((x - MARK_RADIUS_PX, y - MARK_RADIUS_PX), (x + MARK_RADIUS_PX, y + MARK_RADIUS_PX))
        points = tuple((round(float(a), 1), round(float(b), 1)) for a, b in corners)
        return Annotation(f"{self.model.id}-{name}", AnnotationKind.ELLIPSE, points)
