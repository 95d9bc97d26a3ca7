"""A bundle: a folder that holds one network, its card, and all that is needed to trust and repeat it.

    model.json              the card, and the SHA-256 of every other file
    model.onnx              for ONNX Runtime; external data, if any, in files of the same folder
    model.safetensors       the same weights for torch
    locator.onnx            finds the hips (optional, with locator.safetensors)
    MODEL_CARD.md           the card for people
    reference_input.png     16-bit grey; what the network said about it is in
    reference_outputs.json  and is compared before the bundle is enabled (inference/replay.py)
    training_hashes.txt     SHA-256 of every image file that it learnt from, one a line (optional)

A bundle is data, never code: nothing here unpickles, and a pickle offered as a model is refused. Loading checks, in
this order: the manifest can be read and has a schema we know, every file lies inside the folder and has its hash, the
architecture is on the allow-list, the card agrees with itself. Any failure is a BundleError: one sentence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from inference.onnx_files import external_files
from inference.prediction import InferenceError

if TYPE_CHECKING:
    from inference.preprocess import InputSpec

SCHEMA = 2  # 2: parts and fixation; bundles of schema 1 still load
OLDEST_SCHEMA = 1
MANIFEST = "model.json"
ONNX_FILE = "model.onnx"
WEIGHTS_FILE = "model.safetensors"
LOCATOR_ONNX_FILE = "locator.onnx"
LOCATOR_WEIGHTS_FILE = "locator.safetensors"
CARD_FILE = "MODEL_CARD.md"
REFERENCE_INPUT_FILE = "reference_input.png"
REFERENCE_OUTPUTS_FILE = "reference_outputs.json"
TRAINING_HASHES_FILE = "training_hashes.txt"

LUCENCY_NET = "lucency-net"
PUBLISHED_ARCHITECTURES = (
    "vgg19",
    "resnet50",
    "inception_v3",
    "inception_resnet_v2",
    "legacy_xception",
    "densenet201",
    "squeezenet1_1",
    "vgg16",
)
ARCHITECTURES = frozenset({LUCENCY_NET, *PUBLISHED_ARCHITECTURES})

PICKLE_SUFFIXES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".bin", ".npy", ".npz"})
MAX_MANIFEST_BYTES = 4 * 2**20
_HASH_BLOCK_BYTES = 2**20
_DEVICE_NAMES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # never files on Windows

Positive = Annotated[float, msgspec.Meta(gt=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Coefficients = tuple[float, float, float, float, float]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class BundleError(InferenceError):
    """A bundle cannot be used."""


class _Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class InputCard(_Card, frozen=True, kw_only=True):
    """What the network is given: see inference.preprocess."""

    size: Annotated[int, msgspec.Meta(ge=16, le=4096)]
    channels: Literal[1, 3] = 1
    mean: tuple[float, ...] = (0.5,)
    std: tuple[Positive, ...] = (0.25,)


class OperatingPoint(_Card, frozen=True, kw_only=True):
    """The calibrated probability from which a hip is called loose, and how it was chosen."""

    threshold: Fraction
    chosen_on: str
    sensitivity: Fraction | None = None
    specificity: Fraction | None = None
    n: int = 0


class IndeterminateBand(_Card, frozen=True, kw_only=True):
    """Calibrated probabilities from `low` to `high` are indeterminate (class-conditional conformal quantiles).

    `n` hips set the band; at most `alpha` of each class should fall beyond the band on the wrong side.
    """

    low: Fraction
    high: Fraction
    n: int = 0
    alpha: Fraction = 0.0


class SaliencyCard(_Card, frozen=True, kw_only=True):
    """`levels` are the fixed display levels (low, high), set once on the calibration cohort."""

    method: str
    levels: tuple[float, float]
    layer: str = ""


class SuitabilityRule(_Card, frozen=True, kw_only=True):
    """The output of this name must reach `threshold` (0-1, after the sigmoid); else `sentence` says what is wrong."""

    threshold: Fraction
    sentence: str


class PartRule(_Card, frozen=True, kw_only=True):
    """Stem or cup: assessed where the output `complete` reaches `threshold` (0-1, after the sigmoid)."""

    complete: str
    threshold: Fraction


class FixationRule(_Card, frozen=True, kw_only=True):
    """The stem is called cemented from `cemented_from` of this output, cementless up to `cementless_to`."""

    output: str
    cemented_from: Fraction
    cementless_to: Fraction


class FeatureStatistics(_Card, frozen=True, kw_only=True):
    """How far pooled features lie from those of the suitable calibration hips: (features - mean) on whitened axes.

    `mean` (C,) and `projection` (axes, C) are little-endian float32, base64 in JSON. `limit` is the root mean square
    over the axes beyond which an image counts as unlike what the network learnt from; `n` hips set all of it.
    """

    mean: bytes
    projection: bytes
    limit: Positive
    n: int = 0


class StemAxisFit(_Card, frozen=True, kw_only=True):
    """How tip, head and shoulder correct the top of the stem's axis: coefficients of inference.stem_axis.

    Applied where the network is at least `confidence` sure of these three; fitted on `n` hips.
    """

    real: Coefficients
    imaginary: Coefficients
    confidence: Fraction
    n: int = 0


class LocatorCard(_Card, frozen=True, kw_only=True):
    """`size` is the input square in pixels, `threshold` the least peak (0-1) that counts as a hip.

    Its input is grey (one channel), (x - mean) / std.
    """

    size: Annotated[int, msgspec.Meta(ge=16, le=2048)]
    threshold: Fraction
    mean: float = 0.5
    std: Positive = 0.25


class CohortCard(_Card, frozen=True, kw_only=True):
    """What the network learnt from."""

    manifest_sha256: str = ""
    n: int = 0
    prevalence: Fraction | None = None
    seeds: tuple[int, ...] = ()


class Metric(_Card, frozen=True, kw_only=True):
    """One measured figure: `ci` is its 95 % confidence interval, `set` the images it was measured on."""

    name: str
    value: float
    n: int
    set: str
    ci: tuple[float, float] | None = None


class ModelCard(_Card, frozen=True, kw_only=True):
    """model.json. All names of outputs are listed in the order of the network's logits.

    `temperature` and `bias` calibrate: probability = sigmoid(logit / temperature + bias); 1 and 0 where absent.
    """

    schema: int
    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    version: Annotated[str, msgspec.Meta(pattern=r"^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$")]
    title: str
    architecture: str
    input: InputCard
    outputs: tuple[str, ...]
    operating_point: OperatingPoint
    saliency: SaliencyCard
    training_data: Literal["simulated", "inserted", "clinical"]
    intended_use: str
    landmarks: tuple[str, ...] = ()
    temperature: dict[str, Positive] = {}
    bias: dict[str, float] = {}
    indeterminate: IndeterminateBand | None = None
    suitability: dict[str, SuitabilityRule] = {}
    parts: dict[str, PartRule] = {}  # "stem", "cup"
    fixation: FixationRule | None = None
    feature_statistics: FeatureStatistics | None = None
    stem_axis: StemAxisFit | None = None
    locator: LocatorCard | None = None
    cohort: CohortCard = CohortCard()
    commit: str = ""
    metrics: tuple[Metric, ...] = ()
    files: dict[str, Sha256] = {}

    @property
    def input_spec(self) -> InputSpec:
        from inference.preprocess import InputSpec  # brings Pillow, which a process that shows cards can do without

        return InputSpec(self.input.size, self.input.channels, self.input.mean, self.input.std)


class _SchemaOnly(msgspec.Struct):
    schema: int


class _FilesOnly(msgspec.Struct):
    files: dict[str, Sha256]


@dataclass(frozen=True)
class ModelBundle:
    """A bundle whose files, hashes and card have been checked. Its reference is replayed where an engine starts."""

    folder: Path
    card: ModelCard
    sha256: str  # of model.json, which holds the hashes of all other files: the identity of this network

    def file(self, name: str) -> Path:
        """A file of the bundle; BundleError when the manifest does not name it."""
        if name not in self.card.files:
            raise BundleError(f"The model “{self.card.title}” has no {name}.")
        return self.folder / name

    def has(self, name: str) -> bool:
        return name in self.card.files

    @cached_property
    def training_hashes(self) -> frozenset[str]:
        """SHA-256 of the image files that the network learnt from; empty when the bundle does not list them."""
        if not self.has(TRAINING_HASHES_FILE):
            return frozenset()
        lines = (self.folder / TRAINING_HASHES_FILE).read_text("ascii", errors="ignore").split()
        return frozenset(line.lower() for line in lines)

    def seen_in_training(self, image_sha256: str) -> bool:
        return bool(image_sha256) and image_sha256.lower() in self.training_hashes


def find_bundles(models_folder: Path) -> list[Path]:
    """Folders directly below `models_folder` that hold a model.json, by name. Nothing is checked yet.

    A name that begins with a dot is a bundle that is still being written.
    """
    if not models_folder.is_dir():
        return []
    return sorted(
        child for child in models_folder.iterdir() if not child.name.startswith(".") and (child / MANIFEST).is_file()
    )


def choose_bundle(models_folder: Path, model_id: str = "") -> Path:
    """The folder of the bundle called `model_id`, or of the last by name. BundleError when there is none."""
    folders = find_bundles(models_folder)
    if not model_id:
        if not folders:
            raise BundleError("No model is installed.")
        return folders[-1]
    for folder in folders:
        if folder.name == model_id:
            return folder
    refuse_pickle(Path(model_id))
    installed = ", ".join(folder.name for folder in folders) or "none"
    raise BundleError(f"No model is called “{model_id}”: installed are {installed}.")


def load_bundle(folder: Path, *, verify: bool = True) -> ModelBundle:
    """Read and check a bundle; BundleError with one sentence when anything is wrong.

    `verify=False` skips the hashes only: for a process that merely shows the card of a bundle that another process
    has verified or will.
    """
    folder = Path(folder)
    refuse_pickle(folder)
    if not folder.is_dir():
        raise BundleError(f"There is no model folder “{folder.name}”.")
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise BundleError(f"The folder “{folder.name}” holds no model: {MANIFEST} is missing.")
    _check_inside(folder, MANIFEST)
    raw = _read_manifest(manifest)
    files = _manifest_files(raw, folder)
    for name in files:
        _check_inside(folder, name)
    if verify:
        for name, expected in files.items():
            if sha256_of(folder / name) != expected:
                raise BundleError(
                    f"The model “{folder.name}” is damaged or was changed: {name} does not match its hash."
                )
    card = _decode(raw, folder)
    _check_card(card, folder)
    if verify:
        for name in (ONNX_FILE, LOCATOR_ONNX_FILE):
            if name in files:
                _check_external_data(folder, name, files)
    return ModelBundle(folder, card, hashlib.sha256(raw).hexdigest())


def seal_bundle(folder: Path, card: ModelCard) -> ModelBundle:
    """Write model.json with the hash of every file that belongs to a bundle, then load it as a user would.

    All other files, the reference among them (inference.replay.record_reference), must already be there.
    """
    known = {
        ONNX_FILE, WEIGHTS_FILE, LOCATOR_ONNX_FILE, LOCATOR_WEIGHTS_FILE, CARD_FILE, REFERENCE_INPUT_FILE,
        REFERENCE_OUTPUTS_FILE, TRAINING_HASHES_FILE,
    }  # fmt: skip
    names = {name for name in known if (folder / name).is_file()}
    for name in (ONNX_FILE, LOCATOR_ONNX_FILE):
        if name in names:
            names |= external_files(folder / name)
    for name in names:
        _check_inside(folder, name)
    sealed = msgspec.structs.replace(card, files={name: sha256_of(folder / name) for name in sorted(names)})
    text = msgspec.json.format(msgspec.json.encode(sealed), indent=2) + b"\n"
    (folder / MANIFEST).write_bytes(text)
    return load_bundle(folder)


def refuse_pickle(path: Path) -> None:
    """BundleError when `path` is a pickle, or a container of pickles, by its name or its first bytes."""
    sentence = (
        f"“{path.name}” may hold program code (a pickle), which is never loaded as a model: "
        "ask for a bundle with safetensors and ONNX files."
    )
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise BundleError(sentence)
    if path.is_file():
        with path.open("rb") as stream:
            start = stream.read(4)
        # A zip (torch.save), or a pickle of protocol 2 to 5, whatever it is called.
        if start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")):
            raise BundleError(sentence)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_HASH_BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        raise BundleError(f"The model's file {path.name} cannot be read.", str(error)) from error
    return digest.hexdigest()


def _read_manifest(manifest: Path) -> bytes:
    try:
        if manifest.stat().st_size > MAX_MANIFEST_BYTES:
            raise BundleError(f"The model “{manifest.parent.name}” has a {MANIFEST} that is far too large.")
        return manifest.read_bytes()
    except OSError as error:
        raise BundleError(f"The model “{manifest.parent.name}” cannot be read.", str(error)) from error


def _manifest_files(raw: bytes, folder: Path) -> Mapping[str, str]:
    """The manifest's hashes, before anything else in it is believed."""
    try:
        files = msgspec.json.decode(raw, type=_FilesOnly).files
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(
            f"The model “{folder.name}” has a {MANIFEST} that cannot be understood.", str(error)
        ) from error
    if not files.keys() & {ONNX_FILE, WEIGHTS_FILE}:
        raise BundleError(f"The model “{folder.name}” names no weights: neither {ONNX_FILE} nor {WEIGHTS_FILE}.")
    return files


def _decode(raw: bytes, folder: Path) -> ModelCard:
    try:
        schema = msgspec.json.decode(raw, type=_SchemaOnly).schema
        if schema > SCHEMA:
            raise BundleError(f"The model “{folder.name}” was made for a newer version of this program.")
        if schema < OLDEST_SCHEMA:
            raise BundleError(f"The model “{folder.name}” has an unknown schema ({schema}).")
        return msgspec.json.decode(raw, type=ModelCard)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"The model “{folder.name}” has a card that is incomplete or wrong.", str(error)) from error


def _contradictions(card: ModelCard) -> Iterator[str]:
    if len(set(card.outputs)) != len(card.outputs) or "loose" not in card.outputs:
        yield "its outputs must have different names, one of them “loose”"
    if not set(card.suitability) <= set(card.outputs):
        yield "it judges suitability by an output that it does not have"
    if not card.parts.keys() <= {"stem", "cup"}:
        yield "it judges a part that is neither stem nor cup"
    if not {name for part, rule in card.parts.items() for name in (part, rule.complete)} <= set(card.outputs):
        yield "it judges a part by an output that it does not have"
    if card.fixation and card.fixation.output not in card.outputs:
        yield "it judges the fixation by an output that it does not have"
    if not (set(card.temperature) | set(card.bias)) <= set(card.outputs):
        yield "it calibrates an output that it does not have"
    for values in (card.input.mean, card.input.std):
        if len(values) not in (1, card.input.channels):
            yield "its mean and standard deviation do not fit its channels"
            break
    if not card.saliency.levels[0] < card.saliency.levels[1]:
        yield "the display levels of its map do not rise"
    if card.indeterminate and card.indeterminate.low > card.indeterminate.high:
        yield "its indeterminate band ends before it begins"
    features = card.feature_statistics
    if features and (not features.mean or len(features.mean) % 4 or len(features.projection) % len(features.mean)):
        yield "its feature statistics have different lengths"
    if card.locator and LOCATOR_ONNX_FILE not in card.files and LOCATOR_WEIGHTS_FILE not in card.files:
        yield "its locator has no weights"
    if not {REFERENCE_INPUT_FILE, REFERENCE_OUTPUTS_FILE} <= card.files.keys():
        yield "it has no reference to replay"


def _check_card(card: ModelCard, folder: Path) -> None:
    if card.architecture not in ARCHITECTURES:
        raise BundleError(
            f"The model “{folder.name}” has the architecture “{card.architecture[:40]}”, "
            "which this program does not know."
        )
    for contradiction in _contradictions(card):
        raise BundleError(f"The model “{folder.name}” contradicts itself: {contradiction}.")


def _check_inside(folder: Path, name: str) -> None:
    """BundleError unless `name` is a plain file directly in `folder`: no path, no link, no pickle."""
    plain = (
        name not in ("", ".", "..")
        and not re.search(r"[/\\:\x00-\x1f]", name)
        and not _DEVICE_NAMES.fullmatch(name)
        and not name.endswith((".", " "))
    )
    path = folder / name if plain else folder
    if not plain or path.is_symlink() or (path.exists() and path.resolve().parent != folder.resolve()):
        raise BundleError(f"The model “{folder.name}” names a file outside its own folder and is refused.", name)
    if not path.is_file():
        raise BundleError(f"The model “{folder.name}” is incomplete: {name} is missing.")
    refuse_pickle(path)


def _check_external_data(folder: Path, name: str, files: Mapping[str, str]) -> None:
    try:
        externals = external_files(folder / name)
    except (ValueError, OSError) as error:
        raise BundleError(f"The model “{folder.name}” is damaged: {name} is no ONNX file.", str(error)) from error
    for external in sorted(externals):
        _check_inside(folder, external)
        if external not in files:
            raise BundleError(f"The model “{folder.name}” uses a file without a hash: {external}.")
