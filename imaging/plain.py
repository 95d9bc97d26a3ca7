"""PNG, JPEG, TIFF and BMP pictures of radiographs: grey values, and nothing else, for they say nothing else.

The resolution that such a file may hold (PNG pHYs, TIFF XResolution, JPEG density) is that of a printer or a
screen. It is not the spacing of pixels in the patient, and is left out.
"""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from imaging.dicom_pixels import MAX_SAMPLES
from imaging.radiograph import Pixels, Radiograph, RadiographError
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
)
_TIFF_COLS, _TIFF_ROWS, _TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLES = 256, 257, 258, 262, 277
_WHITE_IS_ZERO, _TIFF_RGB = 0, 2


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
    if not np.isfinite(pixels).all():
        notices.append("Some pixels hold no number; they are shown black.")
        finite = pixels[np.isfinite(pixels)]
        pixels = np.nan_to_num(pixels, nan=float(finite.min()) if finite.size else 0.0, posinf=0.0, neginf=0.0)
    full = full_window(0.0, float(2**bits - 1))
    # Eight bits were made for a screen. More are a detector's, of which a picture rarely uses all.
    windows = (full,) if array.dtype == np.uint8 else (auto_window(pixels), full)
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
            return _decode_rare_jpeg(data), 16, 1, notices
        if kind == "TIFF" and frame == 0:
            return *_decode_rare_tiff(data), 1, notices
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
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    if kind == "PNG" and data[24] == 16 and data[25] in (2, 4, 6):
        import imagecodecs  # Pillow would cut 16-bit colour, and grey with alpha, to 8 bits

        return np.asarray(imagecodecs.png_decode(data)), 16
    if orientation in range(2, 9):
        turned = ImageOps.exif_transpose(image)
        if turned is not None:
            image = turned
            notices.append("The picture was turned as its camera noted.")
    bits = 8
    tags = getattr(image, "tag_v2", {}) if kind == "TIFF" else {}
    given_bits = tags.get(_TIFF_BITS)
    stored_bits = int(given_bits[0]) if isinstance(given_bits, tuple) and given_bits else 8
    if stored_bits == 16 and image.mode in ("RGB", "RGBA") and tags.get(_TIFF_PHOTOMETRIC) == _TIFF_RGB:
        return _libtiff(data, image.tell()), 16  # Pillow would cut it to 8 bits
    if image.mode == "1":
        array = np.asarray(image.convert("L"))
    elif image.mode in ("P", "PA"):
        array = np.asarray(image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB"))
    elif image.mode in ("CMYK", "YCbCr", "HSV", "LAB", "RGBX", "RGBa", "La"):
        array = np.asarray(image.convert("RGB"))
    elif image.mode.startswith("I;16"):
        array, bits = np.asarray(image).astype(np.uint16), 16
    elif image.mode in ("I", "F"):
        array, bits = np.asarray(image).astype(np.float32), 16 if kind == "PNG" else 32
    else:
        array = np.asarray(image)
    if image.mode.startswith("I;16") and kind == "TIFF":
        bits = min(stored_bits, 16)
        if tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO:
            # Pillow turns WhiteIsZero over at 8 bits, not at 16.
            array = (np.uint16(2**bits - 1) - array).astype(np.uint16)
    return array, bits


def _decode_rare_tiff(data: bytes) -> tuple[npt.NDArray[Any], int]:
    """What Pillow does not know, such as WhiteIsZero at 16 bits in big-endian order: (array, bits)."""
    damaged = RadiographError("This TIFF file is damaged or of a kind that the program does not read.")
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(ifh=data[:16] if data[2] == 43 else data[:8])
        stream = BytesIO(data)
        stream.seek(directory.next)
        directory.load(stream)
        cols, rows = int(directory[_TIFF_COLS]), int(directory[_TIFF_ROWS])
        samples = int(directory.get(_TIFF_SAMPLES, 1))
        photometric = directory.get(_TIFF_PHOTOMETRIC)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # as the directory is broken
        raise damaged from None
    if rows * cols * samples > MAX_SAMPLES:
        raise _too_many_pixels()
    try:
        array = _libtiff(data, 0)
    except MemoryError:
        raise
    except Exception:
        raise damaged from None
    if array.shape[:2] != (rows, cols) or array.ndim > 3 or array.dtype.kind not in "uif":
        raise damaged
    if array.dtype.kind != "u" or array.dtype.itemsize > 2:
        return array.astype(np.float32), 32
    if photometric == _WHITE_IS_ZERO and array.ndim == 2:
        array = np.iinfo(array.dtype).max - array
    return array, 8 * array.dtype.itemsize


def _libtiff(data: bytes, page: int) -> npt.NDArray[Any]:
    import imagecodecs

    return np.asarray(imagecodecs.tiff_decode(data, index=page))


def _decode_rare_jpeg(data: bytes) -> npt.NDArray[Any]:
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
        return np.asarray(
            imagecodecs.jpegls_decode(data) if stream.family == "jpeg-ls" else imagecodecs.jpeg8_decode(data)
        )
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
    if channels in (2, 4):
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
