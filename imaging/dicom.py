"""DICOM files: from bytes to a Radiograph.

The header is read for the tags that are needed and no others: what is broken elsewhere in it does no harm.
Parsing, checking and decoding are apart: `dicom_pixels` decodes, `dicom_facts` says what the header means.
"""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import _read_file_meta_info, dcmread
from pydicom.tag import Tag

from imaging import dicom_facts as facts
from imaging import dicom_pixels
from imaging.codecs import NATIVE, PLUGIN, decoder_for
from imaging.dicom_values import is_given, items, text
from imaging.orientation import upright
from imaging.radiograph import Radiograph, RadiographError
from imaging.sources import Source
from imaging.square_pixels import resampled, square_shape

MAX_INFLATED_BYTES = 256 * 1024**2  # of a deflated file: the largest image that is opened, and room for a header
BURNED_IN = "The header says that writing is part of the picture: it may name the patient."

_MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
_FIRST_META_TAGS = (b"\x02\0\0\0", b"\x02\0\x01\0", b"\x02\0\x02\0")
_OVERLAY_ROWS = [0x60000010 + (group << 17) for group in range(16)]  # overlays have the groups 6000, 6002 … 601E
_GROUPS = ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")
# What an enhanced image says in its functional groups and others in the data set itself (PS3.3 C.7.6.16.2).
_GROUPED = {
    "PixelMeasuresSequence": ("PixelSpacing",),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FramePixelDataPropertiesSequence": ("PixelIntensityRelationshipSign", "ImagerPixelSpacing"),
}
_KEYWORDS = [*facts.TAGS, *dicom_pixels.TAGS, *_GROUPS, "SOPClassUID", "SpecificCharacterSet", "BurnedInAnnotation"]
_WANTED: list[int] = [*(int(Tag(keyword)) for keyword in _KEYWORDS), *_OVERLAY_ROWS]
_END_OF_SEQUENCE = b"\xfe\xff\xdd\xe0\0\0\0\0"
_NO_IMAGE = {
    "RTPLAN": "a treatment plan",
    "RTSTRUCT": "outlines for radiotherapy",
    "RTRECORD": "a treatment record",
    "SR": "a report",
    "PR": "display settings",
    "KO": "a list of key images",
    "REG": "an image registration",
    "DOC": "a document",
    "ECG": "an electrocardiogram",
    "AU": "a sound recording",
    "HD": "a waveform",
    "FID": "marks on another image",
    "PLAN": "a treatment plan",
}


@dataclass(frozen=True)
class _Parsed:
    header: Dataset
    syntax: uid.UID | None  # None where the file does not say
    little_endian: bool
    notices: tuple[str, ...] = ()


def read_dicom(data: bytes, source: Source, sha256: str, frame: int) -> Radiograph:
    """Decode one frame of a DICOM file. Raises RadiographError; other exceptions mean a damaged file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's quote the header
        parsed = _parse(data)
        header = parsed.header
        if "Rows" not in header and "PixelData" not in header:
            raise _no_image(header)
        _ungroup(header, frame)
        syntax, notices = dicom_pixels.checked_syntax(header, parsed.syntax, parsed.little_endian)
        image = dicom_pixels.decode(header, syntax, parsed.little_endian, frame)
        known = facts.read_facts(header)
    notices = (*parsed.notices, *notices)
    if any(tag in header for tag in _OVERLAY_ROWS):
        notices = (*notices, "The file holds an overlay drawing, which is not shown.")
    if text(header, "BurnedInAnnotation").upper() == "YES":
        notices = (*notices, BURNED_IN)
    pixels, padding, spacing_mm = image.pixels, image.padding, known.spacing_mm
    if known.pixel_ratio != 1:
        (rows, cols), shape = pixels.shape, square_shape(pixels.shape, known.pixel_ratio, dicom_pixels.MAX_SAMPLES)
        pixels, padding = resampled(pixels, padding, shape)
        if spacing_mm is not None:
            spacing_mm = round(spacing_mm[0] * rows / shape[0], 9), round(spacing_mm[1] * cols / shape[1], 9)
        notices = (*notices, f"The file's pixels are not square: {cols} x {rows} became {shape[1]} x {shape[0]}.")
    pixels = np.ascontiguousarray(pixels)
    pixels.flags.writeable = False
    radiograph = Radiograph(
        pixels=pixels,
        windows=image.windows,
        sha256=sha256,
        path=source.path,
        member=source.member,
        frame=frame,
        frame_count=image.frame_count,
        bits=image.bits,
        spacing_mm=spacing_mm,
        spacing_source=known.spacing_source,
        side=known.side,
        view=known.view,
        orientation=known.orientation,
        body_part=known.body_part,
        modality=known.modality,
        acquired_on=known.acquired_on,
        patient_name=known.patient_name,
        patient_id=known.patient_id,
        manufacturer=known.manufacturer,
        inverted=image.inverted,
        polarity_doubtful=image.polarity_doubtful,
        padding=padding,
        notices=(*notices, *image.notices, *known.notices),
    )
    return upright(radiograph)


def load_decoders() -> None:
    """Import every decoder, so that the first file does not wait for it."""
    import imagecodecs
    import jpeg_ls  # noqa: F401
    import openjpeg  # noqa: F401

    _ = imagecodecs.jpeg8_decode
    for syntax in (*PLUGIN, *NATIVE):
        decoder_for(syntax)


def dicomdir_file_ids(data: bytes) -> list[tuple[str, ...]]:
    """The components of every image file that a DICOMDIR refers to, as written there: not to be trusted as paths."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            directory = dcmread(BytesIO(data), force=True, specific_tags=["DirectoryRecordSequence"])
            records = list(directory.get("DirectoryRecordSequence") or [])
        except Exception as error:  # the parser's exceptions are many
            raise RadiographError("This DICOMDIR is damaged.", type(error).__name__) from None
        found = []
        for record in records:
            try:
                file_id = record.get("ReferencedFileID")
            except Exception:
                continue
            if file_id:
                parts = (file_id,) if isinstance(file_id, str) else tuple(str(part) for part in file_id)
                found.append(parts)
    if not found:
        raise RadiographError("This DICOMDIR lists no files.")
    return found


def _parse(data: bytes) -> _Parsed:
    if data[128:132] != b"DICM" and data[132:136] in _FIRST_META_TAGS:
        data = data[:128] + b"DICM" + data[132:]  # the mark is damaged, what follows it is there
    meta, start = _read_meta(data)
    named = text(meta, "TransferSyntaxUID")
    syntax = uid.UID(named) if named else None
    directory = text(meta, "MediaStorageSOPClassUID") == _MEDIA_STORAGE_DIRECTORY
    if directory:
        raise RadiographError("This is a DICOMDIR, a list of files: open the folder it lies in.")
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        # pydicom would inflate without bound: 2 MB have become 4 GB.
        return _Parsed(_read_header(_inflate(data[start:])), uid.ExplicitVRLittleEndian, True)
    header = _read_header(data)
    notices: tuple[str, ...] = ()
    if not len(header):
        # pydicom gives up where pixel data do not end; what they hold may be whole.
        header = _read_header(data + _END_OF_SEQUENCE)
        notices = ("The end of the image is not marked: the file may be incomplete.",)
    if not len(header):
        raise _unreadable(data)
    return _Parsed(header, syntax, header.original_encoding[1] is not False, notices)


def _ungroup(header: Dataset, frame: int) -> None:
    """Bring what the functional groups say of a frame up to the data set, where that does not say it itself."""
    for position, groups in zip((frame, 0), _GROUPS, strict=True):
        for group in items(header, groups)[position : position + 1]:
            for sequence, keywords in _GROUPED.items():
                for item in items(group, sequence)[:1]:
                    for keyword in keywords:
                        if keyword in item and not is_given(header, keyword):
                            header[keyword] = item[keyword]


def _read_meta(data: bytes) -> tuple[Dataset, int]:
    """(file meta information, where the data set starts); the former is empty where there is none."""
    stream = BytesIO(data)
    if data[128:132] == b"DICM":
        stream.seek(132)
    start = stream.tell()
    if data[start : start + 2] != b"\x02\x00":
        return Dataset(), start
    try:
        return _read_file_meta_info(stream), stream.tell()
    except (MemoryError, RecursionError):
        raise
    except Exception:  # reading the data set says what is wrong
        return Dataset(), start


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, MAX_INFLATED_BYTES)
    except zlib.error:
        raise RadiographError("This file is damaged: its deflated data cannot be unpacked.") from None
    if inflater.unconsumed_tail:
        raise RadiographError(f"This file unpacks to more than {MAX_INFLATED_BYTES // 1024**2} MB and was not opened.")
    if not inflater.eof:
        raise RadiographError("This file is damaged: its deflated data end too early.")
    return inflated


def _read_header(data: bytes) -> Dataset:
    try:
        return dcmread(BytesIO(data), force=True, specific_tags=_WANTED)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # the parser's exceptions are many
        raise RadiographError("This file is damaged: its DICOM header cannot be read.", type(error).__name__) from None


def _unreadable(data: bytes) -> RadiographError:
    """Why a file has none of the tags that an image needs."""
    is_dicom = data[128:132] == b"DICM"
    try:
        others = len(dcmread(BytesIO(data), force=True, stop_before_pixels=True))
    except Exception:
        others = 0
    if is_dicom and others > 1:
        return RadiographError("This DICOM file holds no image.")
    if is_dicom:
        return RadiographError("This file is damaged: its DICOM header cannot be read.")
    return RadiographError("This file is not an image that the program can read.")


def _no_image(header: Dataset) -> RadiographError:
    modality = text(header, "Modality").upper()
    if modality in _NO_IMAGE:
        return RadiographError(f"This DICOM file holds {_NO_IMAGE[modality]}, no image.")
    if text(header, "SOPClassUID") == uid.EncapsulatedPDFStorage:
        return RadiographError("This DICOM file holds a document, no image.")
    return RadiographError("This DICOM file holds no image.")
