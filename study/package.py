"""The reader package: one file with all that one reader needs, and nothing that they must not know.

A ZIP of de-identified images, sealed answers of the CNN, and a manifest (protocol, order, hashes) that the coordinator
has signed. docs/adr/0010 says what the seal on the CNN's answers can and cannot do.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import secrets
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from imaging.radiograph import Radiograph, RadiographError, Side, SideSource, SpacingSource, View
from imaging.sources import Source
from study.accounts import Account, PublicAccount, bytes_signed_by, public, sign_bytes
from study.aids import Aid, Aids
from study.cases import StudyCase
from study.chain import canonical_json
from study.design import Plan, PlannedCase, Slot
from study.files import replace_file, sync_folder
from study.protocol import PROTOCOL_VERSION, Protocol, protocol_sha256
from study.truth import commitment, from_base64, to_base64

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FORMAT = "lucency-reader-package"
VERSION = 1
SUFFIX = ".lucency-reader"
_MANIFEST, _SIGNATURE = "manifest.json", "manifest.sig"
_MAX_MANIFEST_BYTES = 64 * 1024**2
_MAX_MEMBER_BYTES = 512 * 1024**2
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the time of writing is nobody's business
_DAMAGED_AID = "The CNN's answer in this package is damaged; ask for the package again."
_DX_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"


class PackageError(ValueError):
    """A package cannot be written or read. `str(error)` is a sentence."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    version: int
    protocol: Protocol
    protocol_sha256: str
    account: Account  # the reader's own; its key opens with their passphrase only
    coordinator: PublicAccount
    plan: Plan
    secret: str  # base64; opens what is sealed in `aids/`
    app_version: str = ""


@dataclass(frozen=True)
class Images:
    """The de-identified images of a study, in a folder of their own: the same files in every reader's package."""

    folder: Path
    of_case: Mapping[str, PlannedCase]

    def path(self, digest: str) -> Path:
        return self.folder / _file_name(digest)


# --- images


def deidentified(radiograph: Radiograph) -> tuple[bytes, bool]:
    """A new DICOM file with the pixels, how to show them and their scale, and nothing else of the old one.

    Built from nothing: what is not set here cannot be in it. The same pixels give the same file. Returns the bytes and
    whether every grey value survived (False where they had to be rounded to 16 bits).
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    stored, slope, intercept, lossless = _as_stored(radiograph.pixels)
    low, high = int(stored.min()), int(stored.max())
    data = stored.astype("<u2").tobytes()
    rows, cols = stored.shape
    # A new identity, from the pixels alone: the old UIDs are not even an ingredient.
    seed = hashlib.sha256(f"{rows}x{cols}".encode() + data).digest()
    window = radiograph.windows[0]
    out: Any = Dataset()
    out.SOPClassUID = _DX_FOR_PRESENTATION
    out.SOPInstanceUID = _uid(seed, "instance")
    out.StudyInstanceUID = _uid(seed, "study")
    out.SeriesInstanceUID = _uid(seed, "series")
    out.Modality = "DX"
    out.PatientName = out.PatientID = ""
    out.PatientIdentityRemoved = "YES"
    out.DeidentificationMethod = "New object from pixels"
    out.SamplesPerPixel = 1
    out.PhotometricInterpretation = "MONOCHROME2"
    out.Rows, out.Columns = rows, cols
    out.BitsAllocated, out.BitsStored, out.HighBit = 16, 16, 15
    out.PixelRepresentation = 0
    out.SmallestImagePixelValue, out.LargestImagePixelValue = low, high
    out.RescaleSlope, out.RescaleIntercept, out.RescaleType = _decimal(slope), _decimal(intercept), "US"
    out.WindowCenter, out.WindowWidth = _decimal(window.center), _decimal(window.width)
    if window.sigmoid:
        out.VOILUTFunction = "SIGMOID"
    if radiograph.side in (Side.RIGHT, Side.LEFT, Side.BOTH):
        out.ImageLaterality = radiograph.side.value
    if radiograph.view is View.AP:
        out.ViewPosition = "AP"
    if radiograph.orientation.source is SideSource.ORIENTATION:  # what is assumed here is assumed there
        out.PatientOrientation = [radiograph.orientation.row, radiograph.orientation.column]
    if radiograph.spacing_mm is not None:
        spacing = [_decimal(value) for value in radiograph.spacing_mm]
        if radiograph.spacing_source is SpacingSource.CALIBRATED:
            out.PixelSpacing, out.PixelSpacingCalibrationType = spacing, "GEOMETRY"
        elif radiograph.spacing_source is SpacingSource.DETECTOR:
            out.ImagerPixelSpacing = spacing
    out.PixelData = data
    out["PixelData"].VR = "OW"
    out.file_meta = FileMetaDataset()
    out.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out.file_meta.MediaStorageSOPClassUID = _DX_FOR_PRESENTATION
    out.file_meta.MediaStorageSOPInstanceUID = out.SOPInstanceUID
    out.preamble = b"\0" * 128
    buffer = io.BytesIO()
    out.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue(), lossless


def _as_stored(pixels: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint16], float, float, bool]:
    """Grey values (rows, cols) as uint16, slope and intercept back to them, and whether that is exact."""
    import numpy as np

    if not np.isfinite(pixels).all():
        raise PackageError("An image holds grey values that are no numbers.")
    low, high = float(pixels.min()), float(pixels.max())
    if high - low <= 65_535 and float(np.abs(pixels - np.rint(pixels)).max()) == 0.0:
        return (pixels - np.float32(low)).astype(np.uint16), 1.0, low, True
    slope = (high - low) / 65_535
    return np.rint((pixels.astype(np.float64) - low) / slope).astype(np.uint16), slope, low, False


def _decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    return next(text for digits in range(15, 3, -1) if len(text := f"{value:.{digits}g}") <= 16)


def _uid(seed: bytes, purpose: str) -> str:
    number = int.from_bytes(hashlib.sha256(seed + purpose.encode()).digest()[:16], "big")
    return f"2.25.{number}"


def prepare_images(
    cases: Sequence[StudyCase],
    read: Callable[[StudyCase], Radiograph],
    folder: Path,
    keep_going: Callable[[int], bool] = lambda _: True,
) -> Images:
    """De-identify every case's image into `folder`, once for all readers. Waits for the disk. Raises PackageError.

    read: gives the decoded frame of a case; may raise RadiographError. keep_going is asked before each case with the
    number that are done.
    """
    of_case: dict[str, PlannedCase] = {}
    done: dict[tuple[str, int], tuple[str, bool]] = {}
    for number, case in enumerate(cases):
        if not keep_going(number):
            raise PackageError("Stopped. Nothing was written.")
        place = (case.image_sha256, case.frame)
        if place not in done:
            try:
                radiograph = read(case)
            except RadiographError as error:
                raise PackageError(f"The image of case {case.id} cannot be read: {error.sentence}") from error
            if radiograph.sha256 != case.image_sha256:
                raise PackageError(f"The image of case {case.id} is not the one that was registered.")
            image, lossless = deidentified(radiograph)
            digest = hashlib.sha256(image).hexdigest()
            try:
                folder.mkdir(parents=True, exist_ok=True)
                replace_file(folder / _file_name(digest), image, durable=False)
            except OSError as error:
                raise PackageError(f"{folder.name} could not be written: {error.strerror}.") from error
            done[place] = digest, lossless
        digest, lossless = done[place]
        of_case[case.id] = PlannedCase(case.id, digest, case.side, case.box, lossless)
    return Images(folder, of_case)


# --- writing


def make_plan(protocol: Protocol, slots: Sequence[Slot], images: Images, aids: Aids | None) -> Plan:
    """What one reader gets. Raises PackageError where the CNN's answer on a case is missing."""
    ids = sorted({slot.case_id for slot in slots})
    commitments: dict[str, str] = {}
    if protocol.shows_cnn:
        for case_id in ids:
            aid = aids.shown(case_id, overlay=protocol.overlay_allowed) if aids is not None else None
            if aid is None:
                raise PackageError(f"The CNN's answer on case {case_id} is missing.")
            commitments[case_id] = commitment(aid)
    return Plan(tuple(slots), tuple(images.of_case[case_id] for case_id in ids), commitments)


def write_package(
    path: Path,
    protocol: Protocol,
    account: Account,
    plan: Plan,
    images: Images,
    aids: Aids | None,
    coordinator: Account,
    passphrase: str,
    app_version: str = "",
) -> str:
    """Write one reader's package; returns the SHA-256 of its manifest. Raises PackageError, AccountError."""
    secret = secrets.token_bytes(32)
    manifest = Manifest(
        FORMAT,
        VERSION,
        protocol,
        protocol_sha256(protocol),
        account,
        public(coordinator),
        plan,
        to_base64(secret),
        app_version,
    )
    text = canonical_json(manifest).encode("utf-8")
    signature = sign_bytes(coordinator, passphrase, text)
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
            _put(archive, _MANIFEST, text)
            _put(archive, _SIGNATURE, signature.encode("ascii"))
            for digest in sorted({case.image_sha256 for case in plan.cases}):
                image = images.path(digest).read_bytes()
                if hashlib.sha256(image).hexdigest() != digest:
                    raise PackageError("A prepared image was changed meanwhile. Prepare the images again.")
                _put(archive, _image_name(digest), image)
            for case_id in plan.aids:
                assert aids is not None
                aid = aids.shown(case_id, overlay=protocol.overlay_allowed)
                assert aid is not None
                _put(archive, _aid_name(case_id), _seal_aid(aid, secret, protocol.study_id, account.id))
        unfinished.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise PackageError(f"{path.name} could not be written: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return hashlib.sha256(text).hexdigest()


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _ZIP_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data)


def _file_name(digest: str) -> str:
    return f"{digest[:32]}.dcm"


def _image_name(digest: str) -> str:
    return f"images/{_file_name(digest)}"


def _aid_name(case_id: str) -> str:
    return f"aids/{case_id}.bin"


def _aid_key(secret: bytes, case_id: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt=None, info=f"lucency aid {case_id}".encode()).derive(secret)


def _seal_aid(aid: Aid, secret: bytes, study_id: str, reader_id: str) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(12)
    # Padded to whole blocks of 4 KiB, so that the size does not tell whether there is a map or a reason.
    text = canonical_json(aid).encode("utf-8")
    text += b" " * (-len(text) % 4096)
    context = f"{study_id} {reader_id} {aid.case_id}".encode()
    return nonce + AESGCM(_aid_key(secret, aid.case_id)).encrypt(nonce, text, context)


# --- reading


class ReaderPackage:
    """An opened package, every part of which was checked against the signed manifest."""

    def __init__(self, path: Path, manifest: Manifest, manifest_sha256: str) -> None:
        self.path = path
        self.manifest = manifest
        self.manifest_sha256 = manifest_sha256

    @property
    def protocol(self) -> Protocol:
        return self.manifest.protocol

    @property
    def plan(self) -> Plan:
        return self.manifest.plan

    @property
    def reader_id(self) -> str:
        return self.manifest.account.id

    def image(self, case_id: str) -> Source:
        """Where a case's image lies: to be read like any other. Its name tells nothing."""
        return Source(self.path, _image_name(self.plan.case(case_id).image_sha256))

    def open_aid(self, case_id: str) -> Aid:
        """What is to be shown of the CNN. For `study.session.Session`, which asks only when it may be known.

        Raises PackageError.
        """
        if case_id not in self.plan.aids:
            raise PackageError("The CNN is not part of this package.")
        try:
            with zipfile.ZipFile(self.path) as archive:
                return self._open_aid(archive, case_id)
        except (OSError, zipfile.BadZipFile) as error:
            raise PackageError(_DAMAGED_AID) from error

    def check_aids(self, archive: zipfile.ZipFile, keep_going: Callable[[str], None]) -> None:
        """Open every one, out of the package's opened file. Raises PackageError."""
        for case_id in self.plan.aids:
            keep_going(_aid_name(case_id))
            self._open_aid(archive, case_id)

    def _open_aid(self, archive: zipfile.ZipFile, case_id: str) -> Aid:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        context = f"{self.protocol.study_id} {self.reader_id} {case_id}".encode()
        try:
            data = _member(archive, _aid_name(case_id), _MAX_MEMBER_BYTES)
            key = _aid_key(from_base64(self.manifest.secret), case_id)
            aid = msgspec.json.decode(AESGCM(key).decrypt(data[:12], data[12:], context), type=Aid)
            if aid.map is not None:
                aid.map.array()
        except (OSError, zipfile.BadZipFile, InvalidTag, ValueError) as error:
            raise PackageError(_DAMAGED_AID) from error
        if aid.case_id != case_id or commitment(aid) != self.plan.aids[case_id]:
            raise PackageError("The CNN's answer in this package is not the one that was fixed for this case.")
        return aid


def open_package(path: Path, keep_going: Callable[[int, int], bool] = lambda _done, _total: True) -> ReaderPackage:
    """Check a package from end to end, which reads all of it. Raises PackageError with a sentence.

    keep_going is told how many bytes of how many are checked, and answers whether to go on.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            text = _member(archive, _MANIFEST, _MAX_MANIFEST_BYTES)
            manifest = _manifest(path, text)
            signature = _member(archive, _SIGNATURE, 1024).decode("ascii", "replace")
            if not bytes_signed_by(signature, text, manifest.coordinator.public_key):
                raise _damaged(path)
            if protocol_sha256(manifest.protocol) != manifest.protocol_sha256:
                raise _damaged(path)
            _check_plan(path, manifest)
            wanted = {_image_name(case.image_sha256): case.image_sha256 for case in manifest.plan.cases}
            names = {_MANIFEST, _SIGNATURE, *wanted, *(_aid_name(case_id) for case_id in manifest.plan.aids)}
            if sorted(names) != sorted(info.filename for info in archive.infolist()):
                raise _damaged(path)
            tell = _Teller(archive, keep_going)
            for name, digest in wanted.items():
                tell(name)
                if hashlib.sha256(_member(archive, name, _MAX_MEMBER_BYTES)).hexdigest() != digest:
                    raise _damaged(path)
            package = ReaderPackage(path, manifest, hashlib.sha256(text).hexdigest())
            package.check_aids(archive, tell)  # found now, not in the middle of the study
    except FileNotFoundError:
        raise PackageError(f"{path.name} does not exist.") from None
    except zipfile.BadZipFile:
        raise PackageError(f"{path.name} is no reader package, or only a part of one.") from None
    except OSError as error:
        raise PackageError(f"{path.name} cannot be read.") from error
    return package


class _Teller:
    """Says how far the checking is; called with the name of what is checked next."""

    def __init__(self, archive: zipfile.ZipFile, keep_going: Callable[[int, int], bool]) -> None:
        self._sizes = {info.filename: info.file_size for info in archive.infolist()}
        self._keep_going = keep_going
        self._done = 0

    def __call__(self, name: str) -> None:
        if not self._keep_going(self._done, sum(self._sizes.values())):
            raise PackageError("Stopped.")
        self._done += self._sizes[name]


def _check_plan(path: Path, manifest: Manifest) -> None:
    plan = manifest.plan
    ids = [case.id for case in plan.cases]
    sound = (
        len(ids) == len(set(ids))
        and {slot.case_id for slot in plan.slots} == set(ids)
        and [slot.index for slot in plan.slots] == list(range(len(plan.slots)))
        and set(plan.aids) == (set(ids) if manifest.protocol.shows_cnn else set())
    )
    if not sound:
        raise _damaged(path)


def _manifest(path: Path, text: bytes) -> Manifest:
    with contextlib.suppress(msgspec.DecodeError):
        told = msgspec.json.decode(text, type=_Told)
        if told.format == FORMAT and (told.version > VERSION or told.protocol.schema > PROTOCOL_VERSION):
            raise PackageError(
                f"{path.name} was written by a newer version of the program. Install that one to read it."
            )
        if told.format == FORMAT:
            return msgspec.json.decode(text, type=Manifest)
    raise PackageError(f"{path.name} is no reader package, or is damaged.")


class _ToldProtocol(msgspec.Struct, frozen=True):
    schema: int = PROTOCOL_VERSION


class _Told(msgspec.Struct):
    format: str
    version: int
    protocol: _ToldProtocol = _ToldProtocol()


def _damaged(path: Path) -> PackageError:
    return PackageError(f"{path.name} was damaged or changed after it was made. Ask the coordinator for it again.")


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Raises BadZipFile, OSError."""
    try:
        info = archive.getinfo(name)
        if info.file_size > most:
            raise zipfile.BadZipFile
        with archive.open(info) as file:
            data = file.read(most + 1)
    except (KeyError, NotImplementedError, RuntimeError, EOFError) as error:
        raise zipfile.BadZipFile from error
    except Exception as error:
        if isinstance(error, (OSError, zipfile.BadZipFile)):
            raise
        raise zipfile.BadZipFile from error  # zlib has errors of its own
    if len(data) > most:
        raise zipfile.BadZipFile
    return data
