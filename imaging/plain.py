"""PNG, JPEG, TIFF and BMP pictures of radiographs: grey values, and nothing else, for they say nothing else.

The resolution that such a file may hold (PNG pHYs, TIFF XResolution, JPEG density) is that of a printer or a
screen. It is not the spacing of pixels in the patient, and is left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from imaging.dicom_pixels import MAX_SAMPLES
from imaging.radiograph import Pixels, Radiograph, RadiographError, Window
from imaging.sources import Source
from imaging.windowing import auto_window, full_window

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"GIF8", "a GIF picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<?xml", "an XML document"),
    (b"<!DOC", "a web page"),
    (b"<html", "a web page"),
    (b"{\\rtf", "a text document"),
    (b"SQLite format 3", "a database"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
)
_ISO_MEDIA: tuple[tuple[bytes, str], ...] = (  # kinds of the format that begins with "ftyp", by a brand they list
    (b"avi", "an AVIF picture"),
    (b"hei", "a HEIC picture"),
    (b"hev", "a HEIC picture"),
    (b"mif1", "a HEIC picture"),
)
_TIFF_COLS, _TIFF_ROWS, _TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLES, _TIFF_PLANAR = 256, 257, 258, 262, 277, 284
_TIFF_FORMAT = 339  # of samples: 1 unsigned, 2 signed, 3 float
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _TIFF_RGB = 0, 1, 2
# From the picture as stored to the picture upright, by what its camera noted (TIFF 6.0, Orientation).
_UPRIGHT = {
    2: lambda array: array[:, ::-1],
    3: lambda array: array[::-1, ::-1],
    4: lambda array: array[::-1],
    5: lambda array: array.swapaxes(0, 1),
    6: lambda array: np.rot90(array, -1),
    7: lambda array: array[::-1, ::-1].swapaxes(0, 1),
    8: lambda array: np.rot90(array),
}


def is_plain(data: bytes) -> bool:
    """True when `read_plain` is the one to ask: pictures, and files of known kinds that are no images."""
    if data[128:132] == b"DICM":
        return False
    return _format(data) is not None or _foreign(data) is not None


def read_plain(data: bytes, source: Source, sha256: str, frame: int) -> Radiograph:
    """Decode a picture to grey. Raises RadiographError; other exceptions mean a damaged file."""
    kind = _format(data)
    if kind is None:
        raise RadiographError(f"This file is {_foreign(data)}, not an image that the program can read.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array, bits, frames, notices = _decode(data, kind, frame)
    pixels = _to_grey(array, notices)
    holes = None
    if array.dtype.kind == "f":
        limits = np.finfo(array.dtype)
        holes = ~np.isfinite(pixels) | (pixels <= limits.min) | (pixels >= limits.max)
    if holes is not None and holes.any():
        notices.append("Some pixels hold no number; they are shown black.")
        pixels[holes] = pixels[~holes].min() if not holes.all() else 0.0
    # Eight bits were made for a screen. More are a detector's, of which a picture rarely uses all.
    windows: tuple[Window, ...] = (full_window(*_limits(array)),)
    if array.dtype.itemsize > 1:
        full = (0.0, float(2**bits - 1)) if array.dtype == np.uint16 else (float(pixels.min()), float(pixels.max()))
        windows = (auto_window(pixels), full_window(*full))
    pixels = np.ascontiguousarray(pixels, dtype=np.float32)
    pixels.flags.writeable = False
    return Radiograph(
        pixels=pixels,
        windows=windows,
        sha256=sha256,
        path=source.path,
        member=source.member,
        frame=frame,
        frame_count=frames,
        bits=bits,
        padding=holes if holes is not None and holes.any() else None,
        notices=tuple(notices),
    )


def load_decoders() -> None:
    """Import what the first file would otherwise wait for."""
    Image.init()


def _format(data: bytes) -> str | None:
    for magic, kind in _MAGIC:
        if data.startswith(magic) and (kind != "BMP" or len(data) > 26):
            return kind
    return None


def _foreign(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "a WebP picture"
    if data[4:8] == b"ftyp":
        return next((name for brand, name in _ISO_MEDIA if brand in data[8:32]), "a film")
    return next((name for magic, name in _FOREIGN if data.startswith(magic)), None)


def _decode(data: bytes, kind: str, frame: int) -> tuple[npt.NDArray[Any], int, int, list[str]]:
    """(array (rows, cols) or (rows, cols, channels), bits, frames, notices)"""
    notices: list[str] = []
    try:
        image: Image.Image = Image.open(BytesIO(data), formats=[kind])
    except Image.DecompressionBombError:
        raise _too_many_pixels() from None
    except UnidentifiedImageError:
        if kind == "JPEG":  # 12-bit and lossless JPEG, which Pillow does not know
            return *_decode_rare_jpeg(data), 1, notices
        if kind == "TIFF" and frame == 0:
            return *_decode_rare_tiff(data, notices), 1, notices
        raise RadiographError(f"This {kind} file is damaged or of a kind that the program does not read.") from None
    frames = int(getattr(image, "n_frames", 1))
    if frame >= frames:
        raise RadiographError(
            f"This file holds {frames} image{'s' if frames > 1 else ''}; image {frame + 1} does not exist."
        )
    try:
        if frame:
            image.seek(frame)
        cols, rows = image.size
        if rows * cols * len(image.getbands()) > MAX_SAMPLES:
            raise _too_many_pixels()
        array, bits = _pixels_of(image, data, kind, notices)
    except (MemoryError, RecursionError, RadiographError):
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels() from None
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        sentence = f"This {kind} file is damaged: its image is incomplete or cannot be decoded."
        raise RadiographError(sentence, type(error).__name__) from None
    return array, bits, frames, notices


def _pixels_of(image: Image.Image, data: bytes, kind: str, notices: list[str]) -> tuple[npt.NDArray[Any], int]:
    """(array upright, bits)"""
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    tags = getattr(image, "tag_v2", {}) if kind == "TIFF" else {}
    if kind == "PNG" and data[24] == 16 and data[25] in (2, 4, 6):
        import imagecodecs  # Pillow would cut 16-bit colour, and grey with alpha, to 8 bits

        array, bits = np.asarray(imagecodecs.png_decode(data)), 16
    elif _is_deep(tags):
        array, bits = _tiff_values(data, image.tell(), tags)
    else:
        image.load()  # which turns some TIFF files by itself
        array, bits = _pillow_values(image, kind)
        return _upright(array, image.getexif().get(ExifTags.Base.Orientation, 1), orientation, notices), bits
    return _upright(array, orientation, orientation, notices), bits


def _upright(array: npt.NDArray[Any], turn: int, noted: int, notices: list[str]) -> npt.NDArray[Any]:
    """The picture turned by `turn`, which may be done already, of what its camera noted."""
    if noted in _UPRIGHT:
        notices.append("The picture was turned as its camera noted.")
    return _UPRIGHT[turn](array) if turn in _UPRIGHT else array


def _pillow_values(image: Image.Image, kind: str) -> tuple[npt.NDArray[Any], int]:
    if image.mode == "1":
        return np.asarray(image.convert("L")), 8
    if image.mode in ("P", "PA"):
        return np.asarray(image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")), 8
    if image.mode in ("CMYK", "YCbCr", "HSV", "LAB", "RGBX", "RGBa", "La"):
        return np.asarray(image.convert("RGB")), 8
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16), 16
    if image.mode in ("I", "F"):
        return np.asarray(image).astype(np.uint16 if kind == "PNG" else np.float32), 16 if kind == "PNG" else 32
    return np.asarray(image), 8


def _is_deep(tags: Mapping[int, Any]) -> bool:
    """True for grey and RGB TIFF files of more than 8 bits, or of signed or floating point samples.

    Pillow turns some of them over and others not, wraps signed bytes, and cuts colour to 8 bits.
    """
    deepest = max(_all_of(tags.get(_TIFF_BITS, 1)))
    is_unsigned = set(_all_of(tags.get(_TIFF_FORMAT, 1))) == {1}
    is_plain = tags.get(_TIFF_PHOTOMETRIC) in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _TIFF_RGB)
    return is_plain and (deepest > 8 or not is_unsigned)


def _all_of(value: Any) -> tuple[int, ...]:
    return tuple(int(one) for one in value) if isinstance(value, tuple) else (int(value),)


def _tiff_values(data: bytes, page: int, tags: Mapping[int, Any]) -> tuple[npt.NDArray[Any], int]:
    """A page's samples as they are stored, WhiteIsZero turned over."""
    import imagecodecs

    array = np.asarray(imagecodecs.tiff_decode(data, index=page))
    if array.ndim == 3 and tags.get(_TIFF_PLANAR) == 2:
        array = np.moveaxis(array, 0, -1)
    if array.dtype.kind not in "uif" or array.ndim > 3:
        raise ValueError("no picture")
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    bits = min(max(_all_of(tags.get(_TIFF_BITS, 8))), 8 * array.dtype.itemsize)
    if tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO and array.ndim == 2:
        low, high = _limits(array, bits)
        array = (array.dtype.type(low + high) - array).astype(array.dtype)
    return array, bits


def _limits(array: npt.NDArray[Any], bits: int | None = None) -> tuple[float, float]:
    """The smallest and the largest value: of the type, or of its lowest `bits`, for whole numbers; else of the array."""
    if array.dtype.kind == "f":
        finite = array[np.isfinite(array)]
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if array.dtype.kind == "u":
        return 0.0, float(2 ** (bits or 8 * array.dtype.itemsize) - 1)
    return float(np.iinfo(array.dtype).min), float(np.iinfo(array.dtype).max)


def _decode_rare_tiff(data: bytes, notices: list[str]) -> tuple[npt.NDArray[Any], int]:
    """What Pillow does not know, such as WhiteIsZero at 16 bits in big-endian order: (array upright, bits)."""
    damaged = RadiographError("This TIFF file is damaged or of a kind that the program does not read.")
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(ifh=data[:16] if data[2] == 43 else data[:8])
        stream = BytesIO(data)
        stream.seek(directory.next)
        directory.load(stream)
        cols, rows = int(directory[_TIFF_COLS]), int(directory[_TIFF_ROWS])
        samples = int(directory.get(_TIFF_SAMPLES, 1))
        orientation = int(directory.get(ExifTags.Base.Orientation, 1))
    except (MemoryError, RecursionError):
        raise
    except Exception:  # as the directory is broken
        raise damaged from None
    if rows * cols * samples > MAX_SAMPLES:
        raise _too_many_pixels()
    try:
        array, bits = _tiff_values(data, 0, directory)
    except MemoryError:
        raise
    except Exception:
        raise damaged from None
    if array.shape[:2] != (rows, cols):
        raise damaged
    return _upright(array, orientation, orientation, notices), bits


def _decode_rare_jpeg(data: bytes) -> tuple[npt.NDArray[Any], int]:
    """(array, bits)"""
    import imagecodecs

    from imaging.codecs import ends_early, read_codestream

    stream = read_codestream(data)
    if stream is None or stream.rows < 1 or stream.cols < 1:
        raise RadiographError("This JPEG file is damaged or of a kind that the program does not read.")
    if stream.rows * stream.cols * stream.samples > MAX_SAMPLES:
        raise _too_many_pixels()
    if ends_early(data, stream):
        raise RadiographError("This JPEG file is damaged: its image is incomplete.")
    try:
        decode = imagecodecs.jpegls_decode if stream.family == "jpeg-ls" else imagecodecs.jpeg8_decode
        return np.asarray(decode(data)), stream.bits
    except MemoryError:
        raise
    except Exception as error:
        raise RadiographError("This JPEG file is damaged: its image cannot be decoded.", type(error).__name__) from None


def _to_grey(array: npt.NDArray[Any], notices: list[str]) -> Pixels:
    """ITU-R BT.601 luma; what is transparent is blended with black."""
    from imaging.dicom_pixels import grey_of, is_grey

    if array.ndim == 2:
        return array.astype(np.float32)
    channels = array.shape[2]
    alpha = None
    if channels in (2, 4) and array.dtype.kind == "u":
        opaque = np.iinfo(array.dtype).max
        if int(array[..., -1].min()) < opaque:
            alpha = array[..., -1].astype(np.float32) / np.float32(opaque)
            notices.append("The picture is partly transparent; what is transparent is shown black.")
    if channels <= 2:
        grey = array[..., 0].astype(np.float32)
    else:
        if not is_grey(array, "RGB"):
            notices.append("The file is in colour; it is shown in grey.")
        grey = grey_of(array, "RGB")
    return grey if alpha is None else grey * alpha


def _too_many_pixels() -> RadiographError:
    return RadiographError(
        f"This picture has more than {MAX_SAMPLES // 1024**2} million pixels, more than the program opens."
    )
