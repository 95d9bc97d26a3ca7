"""Small DICOM files of every kind, made by encoders other than the decoders under test wherever there are two."""

from __future__ import annotations

import io
import warnings
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.pixels.encoders import RLELosslessEncoder

NATIVE = {
    "implicit little": uid.ImplicitVRLittleEndian,
    "explicit little": uid.ExplicitVRLittleEndian,
    "explicit big": uid.ExplicitVRBigEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
}
LOSSLESS = {
    "RLE": uid.RLELossless,
    "JPEG Lossless": uid.JPEGLossless,
    "JPEG Lossless SV1": uid.JPEGLosslessSV1,
    "JPEG-LS": uid.JPEGLSLossless,
    "JPEG-LS near": uid.JPEGLSNearLossless,
    "JPEG 2000 lossless": uid.JPEG2000Lossless,
    "JPEG 2000": uid.JPEG2000,
    "HTJ2K lossless": uid.HTJ2KLossless,
    "HTJ2K RPCL": uid.HTJ2KLosslessRPCL,
    "HTJ2K": uid.HTJ2K,
}
LOSSY = {"JPEG baseline": (uid.JPEGBaseline8Bit, 8), "JPEG Extended": (uid.JPEGExtended12Bit, 12)}


def gradient(rows: int = 48, cols: int = 64, bits: int = 12) -> np.ndarray:
    """A smooth picture with every bit in use, uint8 or uint16 (rows, cols)."""
    y, x = np.mgrid[0:rows, 0:cols]
    top = 2**bits - 1
    values = (x / (cols - 1) * 0.7 + y / (rows - 1) * 0.3) * top
    return np.rint(values).astype(np.uint8 if bits <= 8 else np.uint16)


def encode(pixels: np.ndarray, syntax: uid.UID, bits: int) -> bytes:
    """One frame as a codestream."""
    if syntax == uid.RLELossless:
        return RLELosslessEncoder.encode(
            pixels.tobytes(),
            rows=pixels.shape[0],
            columns=pixels.shape[1],
            samples_per_pixel=1 if pixels.ndim == 2 else 3,
            number_of_frames=1,
            bits_allocated=8 * pixels.dtype.itemsize,
            bits_stored=bits,
            pixel_representation=0,
            photometric_interpretation="MONOCHROME2" if pixels.ndim == 2 else "RGB",
            planar_configuration=0,
            encoding_plugin="pydicom",
        )
    if syntax == uid.JPEGBaseline8Bit:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=100, subsampling=0)
        return stream.getvalue()
    if syntax == uid.JPEGExtended12Bit:
        return imagecodecs.jpeg8_encode(pixels, level=100, bitspersample=12)
    if syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
        return imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=bits)
    if syntax in (uid.JPEGLSLossless, uid.JPEGLSNearLossless):
        return imagecodecs.jpegls_encode(pixels)
    if syntax in (uid.JPEG2000, uid.JPEG2000Lossless):
        return imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k", reversible=True, bitspersample=bits)
    return imagecodecs.htj2k_encode(pixels, reversible=True)


def dataset(pixels: np.ndarray, *, bits: int | None = None, **tags: Any) -> Dataset:
    """The data set of a DX image; `tags` override, None leaves a tag out."""
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    header = Dataset()
    values: dict[str, Any] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1",
        "SOPInstanceUID": "2.25.1",
        "Modality": "DX",
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "Rows": pixels.shape[-3] if colour else pixels.shape[-2],
        "Columns": pixels.shape[-2] if colour else pixels.shape[-1],
        "BitsAllocated": 8 * pixels.dtype.itemsize,
        "BitsStored": bits or 8 * pixels.dtype.itemsize,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
    }
    values["HighBit"] = values["BitsStored"] - 1
    if colour:
        values["PlanarConfiguration"] = 0
    if "HighBit" not in tags and tags.get("BitsStored"):
        values["HighBit"] = tags["BitsStored"] - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid values are what many tests are about
        for keyword, value in (values | tags).items():
            if value is not None:
                setattr(header, keyword, value)
    return header


def write(header: Dataset, syntax: uid.UID = uid.ExplicitVRLittleEndian, *, meta: bool = True) -> bytes:
    """The bytes of a file, with preamble and file meta information or without either."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if meta:
            information = FileMetaDataset()
            information.TransferSyntaxUID = syntax
            information.MediaStorageSOPClassUID = header.get("SOPClassUID", "1.2.3")
            information.MediaStorageSOPInstanceUID = header.get("SOPInstanceUID", "2.25.1")
            header.file_meta = information
            header.preamble = b"\0" * 128
            dcmwrite(stream, header, enforce_file_format=True)
        else:
            dcmwrite(
                stream,
                header,
                implicit_vr=syntax.is_implicit_VR,
                little_endian=syntax.is_little_endian,
                enforce_file_format=False,
            )
    return stream.getvalue()


def make(
    pixels: np.ndarray,
    syntax: uid.UID = uid.ExplicitVRLittleEndian,
    *,
    bits: int | None = None,
    meta: bool = True,
    frames: int = 1,
    **tags: Any,
) -> bytes:
    """A DICOM file of `pixels`, (rows, cols), (rows, cols, 3), or (frames, rows, cols) with `frames` > 1."""
    header = dataset(pixels, bits=bits, **({"NumberOfFrames": frames} if frames > 1 else {}) | tags)
    if "PixelData" not in tags:
        stored_bits = bits or 8 * pixels.dtype.itemsize
        if syntax.is_encapsulated:
            each = list(pixels) if frames > 1 else [pixels]
            header.PixelData = encapsulate([encode(frame, syntax, stored_bits) for frame in each])
            header["PixelData"].VR = "OB"
            header["PixelData"].is_undefined_length = True
        else:
            little = pixels.astype(pixels.dtype.newbyteorder("<" if syntax.is_little_endian else ">"))
            data = little.tobytes()
            header.PixelData = data + b"\0" * (len(data) % 2)
            header["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 and not syntax.is_implicit_VR else "OW"
            if pixels.dtype.itemsize == 1 and syntax == uid.ExplicitVRBigEndian:
                header["PixelData"].VR = "OB"
    return write(header, syntax, meta=meta)


def overwritten(data: bytes, tag: tuple[int, int], value: bytes) -> bytes:
    """An explicit little endian file with the value of one short element replaced by one of the same length."""
    start = data.index(tag[0].to_bytes(2, "little") + tag[1].to_bytes(2, "little"), 132)
    length = int.from_bytes(data[start + 6 : start + 8], "little")
    assert length == len(value)
    return data[: start + 8] + value + data[start + 8 + length :]


def wrapped(
    codestreams: list[bytes],
    syntax: str,
    pixels: np.ndarray,
    *,
    bits: int | None = None,
    has_bot: bool = True,
    **tags: Any,
) -> bytes:
    """A file of given codestreams, one a frame, under any syntax; the header is that of `pixels`."""
    header = dataset(pixels, bits=bits, **tags)
    header.PixelData = encapsulate(codestreams, has_bot=has_bot)
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    return renamed(write(header, uid.JPEGBaseline8Bit), syntax)


def renamed(data: bytes, syntax: str) -> bytes:
    """The file with another transfer syntax UID in its file meta information."""
    at = data.index(b"\x02\0\x10\0UI")
    length = int.from_bytes(data[at + 6 : at + 8], "little")
    name = syntax.encode() + b"\0" * (len(syntax) % 2)
    grown = int.from_bytes(data[140:144], "little") + len(name) - length
    data = data[: at + 6] + len(name).to_bytes(2, "little") + name + data[at + 8 + length :]
    return data[:140] + grown.to_bytes(4, "little") + data[144:]
