"""Which decoder reads which DICOM transfer syntax, and what a compressed image says about its own size.

Every decoder is named, so that one that happens to be installed is never picked: python-gdcm and pylibjpeg-rle
end the process on malformed input, and pylibjpeg-libjpeg is GPL.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pydicom import uid
from pydicom.pixels.decoders.base import Decoder, DecodeRunner, get_decoder

_JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)

OURS = "lucency"  # the name under which the functions of this module are registered with pydicom
PLUGIN: dict[uid.UID, str] = {
    uid.RLELossless: "pydicom",
    **dict.fromkeys((*_JPEG_2000, *_JPEG_LS, *_JPEG), OURS),
}
NATIVE = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    }
)
GE_BIG_ENDIAN_PIXELS = uid.UID("1.2.840.113619.5.2")  # implicit little endian, but for the pixel data
ENCAPSULATED_PLAIN = uid.UID("1.2.840.10008.1.2.1.98")
# DICOM's other syntaxes, which pydicom does not know: retired JPEG, and newer ones (PS3.6 A).
RETIRED_JPEG = frozenset(uid.UID(f"1.2.840.10008.1.2.4.{number}") for number in (*range(52, 57), *range(58, 67)))
_NEWER = {
    "1.2.840.10008.1.2.4.94": "JPIP Referenced",
    "1.2.840.10008.1.2.4.95": "JPIP Referenced Deflate",
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.6.1": "RFC 2557 MIME Encapsulation",
    "1.2.840.10008.1.2.6.2": "XML Encoding",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
# pydicom asks a plugin for these two names.
DECODER_DEPENDENCIES: dict[uid.UID, tuple[str, ...]] = {
    **dict.fromkeys(_JPEG_2000, ("pylibjpeg-openjpeg",)),
    **dict.fromkeys(_JPEG_LS, ("pyjpegls",)),
    **dict.fromkeys(_JPEG, ("imagecodecs",)),
}


def is_known(syntax: uid.UID) -> bool:
    """True for DICOM's own syntaxes that are still in use, whether the program reads them or not."""
    return syntax in uid.AllTransferSyntaxes or syntax in _NEWER or syntax == ENCAPSULATED_PLAIN


def name_of(syntax: uid.UID) -> str:
    """For people: "JPEG XL Lossless"; the UID where it has no name."""
    return _NEWER.get(syntax, syntax.name)


def is_available(_syntax: str) -> bool:
    """Asked by pydicom when the plugin is registered; both libraries are dependencies of the program."""
    return True


@cache
def decoder_for(syntax: uid.UID) -> Decoder:
    """pydicom's decoder for `syntax`, with ours registered where PLUGIN names it."""
    decoder = get_decoder(syntax)
    if PLUGIN.get(syntax) == OURS and OURS not in decoder.available_plugins:
        function = (
            "_decode_jpeg_2000" if syntax in _JPEG_2000 else "_decode_jpeg_ls" if syntax in _JPEG_LS else "_decode_jpeg"
        )
        decoder.add_plugin(OURS, (__name__, function))
    return decoder


def _decode_jpeg_2000(src: bytes, runner: DecodeRunner) -> bytearray:
    """A pydicom decoding plugin: JPEG 2000 and HTJ2K through OpenJPEG."""
    from openjpeg.utils import decode_pixel_data

    frame: Any = decode_pixel_data(src, version=2)
    if runner.photometric_interpretation in ("YBR_ICT", "YBR_RCT"):
        runner.set_option("photometric_interpretation", "RGB")  # OpenJPEG has undone the transform
    _set_bits(runner, int(runner.get_option("j2k_precision", runner.bits_stored)))
    return bytearray(frame) if not isinstance(frame, bytearray) else frame


def _decode_jpeg_ls(src: bytes, runner: DecodeRunner) -> bytearray:
    """A pydicom decoding plugin: JPEG-LS through CharLS, which refuses zeros between the image and its end marker."""
    from pydicom.pixels.decoders import pyjpegls

    try:
        return pyjpegls._decode_frame(src, runner)
    except RuntimeError:
        end = src.rfind(b"\xff\xd9")
        if src[end - 1 : end] != b"\0":
            raise
    image = src[:end].rstrip(b"\0")
    try:
        return pyjpegls._decode_frame(image + b"\xff\xd9", runner)
    except RuntimeError:  # the last zero may belong to the image
        return pyjpegls._decode_frame(image + b"\0\xff\xd9", runner)


def _decode_jpeg(src: bytes, runner: DecodeRunner) -> bytes:
    """A pydicom decoding plugin: every JPEG, 8 to 16 bits, through libjpeg-turbo."""
    import imagecodecs

    # Where neither JFIF nor Adobe say which colours these are, libjpeg takes YCbCr; then the header knows better.
    unmarked = not any(mark in src[: src.find(b"\xff\xda")] for mark in (b"JFIF\0", b"Adobe"))
    is_rgb = unmarked and runner.samples_per_pixel == 3 and runner.photometric_interpretation == "RGB"
    array: Any = imagecodecs.jpeg8_decode(src, colorspace="RGB" if is_rgb else None)
    if runner.samples_per_pixel > 1:
        # libjpeg-turbo returns RGB, colour by pixel, whatever was stored.
        runner.set_option("planar_configuration", 0)
        runner.set_option("photometric_interpretation", "RGB")
    _set_bits(runner, 8 * array.dtype.itemsize)
    data: bytes = array.tobytes()
    return data


def _set_bits(runner: DecodeRunner, precision: int) -> None:
    runner.set_option("bits_allocated", 8 if precision <= 8 else 16 if precision <= 16 else 32)


@dataclass(frozen=True)
class Codestream:
    """What a compressed image says of itself."""

    family: str  # "jpeg-2000", "jpeg", "jpeg-lossless", "jpeg-ls"
    rows: int
    cols: int
    samples: int
    bits: int
    signed: bool = False  # JPEG 2000 alone can say so
    lossy: bool = False


def families(syntax: uid.UID) -> frozenset[str]:
    """The kinds of codestream that a transfer syntax may hold; empty where there is none (RLE)."""
    if syntax in _JPEG_2000:
        return frozenset({"jpeg-2000"})
    if syntax in _JPEG_LS:
        return frozenset({"jpeg-ls"})
    if syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
        return frozenset({"jpeg-lossless"})
    if syntax in _JPEG:
        return frozenset({"jpeg"})
    return frozenset()


def read_codestream(data: bytes) -> Codestream | None:
    """Size and depth from the head of a JPEG, JPEG-LS or JPEG 2000 image; None where there is no such head.

    JPEG: ITU-T T.81 B.2.2; JPEG-LS: T.87 C.2.2; JPEG 2000: T.800 A.5.1.
    """
    if data[:2] == b"\xff\xd8":
        return _read_jpeg(data)
    # A JP2 file wraps the codestream in boxes; its head then lies within the first few hundred bytes.
    start = data.find(b"\xff\x4f\xff\x51", 0, 64 * 1024)
    if start == 0 or (start > 0 and data[4:8] == b"jP  "):
        return _read_jpeg_2000(data[start:])
    return None


def ends_early(data: bytes, stream: Codestream) -> bool:
    """True when a JPEG or JPEG-LS image lacks its end marker (T.81 B.2.1), which nothing else in a scan can look like.

    libjpeg-turbo fills what is missing of a lossless image with grey and says nothing; CharLS takes seconds to find
    out. OpenJPEG reports it itself.
    """
    return stream.family != "jpeg-2000" and data.rfind(b"\xff\xd9") < data.find(b"\xff\xda")


def _read_jpeg_2000(data: bytes) -> Codestream | None:
    if len(data) < 43:
        return None
    right, bottom, left, top = (int.from_bytes(data[at : at + 4], "big") for at in (8, 12, 16, 20))
    samples = int.from_bytes(data[40:42], "big")
    # Coding style default (T.800 A.6.1) ends with the wavelet: 0 is irreversible.
    style = data.find(b"\xff\x52", 43, 4096)
    lossy = style > 0 and data[style + 13 : style + 14] == b"\0"
    depth = data[42]
    return Codestream("jpeg-2000", bottom - top, right - left, samples, (depth & 0x7F) + 1, depth > 0x7F, lossy)


def _read_jpeg(data: bytes) -> Codestream | None:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            if at + 10 > len(data):
                return None
            family = "jpeg-ls" if marker == 0xF7 else "jpeg-lossless" if marker in (0xC3, 0xC7, 0xCB, 0xCF) else "jpeg"
            rows, cols = int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
            lossy = family == "jpeg" or (family == "jpeg-ls" and _near(data, at + 2 + length) > 0)
            return Codestream(family, rows, cols, data[at + 9], data[at + 4], lossy=lossy)
        if marker in (0xD9, 0xDA) or length < 2:
            return None
        at += 2 + length
    return None


def _near(data: bytes, at: int) -> int:
    """How far a JPEG-LS image may be from the original: NEAR of its first scan (T.87 C.2.3)."""
    scan = data.find(b"\xff\xda", at)
    components = data[scan + 4] if 0 <= scan < len(data) - 4 else 0
    return int.from_bytes(data[scan + 5 + 2 * components : scan + 6 + 2 * components], "big")
