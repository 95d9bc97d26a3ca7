"""The grey values of one frame of a DICOM image.

Everything that the header promises is checked against what the file holds before a decoder sees it.
DICOM PS3.3 C.7.6.3 (image pixel), C.11.1 (modality LUT), C.11.2 (VOI LUT).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_color_lut

from imaging.codecs import (
    ENCAPSULATED_PLAIN,
    GE_BIG_ENDIAN_PIXELS,
    NATIVE,
    PLUGIN,
    RETIRED_JPEG,
    Codestream,
    decoder_for,
    ends_early,
    families,
    is_known,
    name_of,
    read_codestream,
)
from imaging.dicom_values import integer, is_given, items, numbers, text, value
from imaging.radiograph import Mask, Pixels, RadiographError, Window
from imaging.windowing import auto_window, full_window, shows_anything

# A 50 x 120 cm stitched long-leg radiograph at 0.1 mm has 60 million. Decoding this many stays under 2 GiB and 10 s.
MAX_SAMPLES = 64 * 1024**2

_TAG_LINES = [
    "SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns BitsAllocated BitsStored",
    "HighBit PixelRepresentation PixelData FloatPixelData DoubleFloatPixelData ModalityLUTSequence RescaleSlope",
    "RescaleIntercept VOILUTSequence WindowCenter WindowWidth WindowCenterWidthExplanation VOILUTFunction",
    "PresentationLUTShape PresentationIntentType PixelIntensityRelationshipSign LossyImageCompression",
    "PixelPaddingValue PixelPaddingRangeLimit FloatPixelPaddingValue FloatPixelPaddingRangeLimit",
    "DoubleFloatPixelPaddingValue DoubleFloatPixelPaddingRangeLimit RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData BluePaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData",
]
TAGS = " ".join(_TAG_LINES).split()

_GREY = ("MONOCHROME1", "MONOCHROME2")
_LUMA = ("YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420")
_TRANSFORMED = ("YBR_ICT", "YBR_RCT")
_ITEM = b"\xfe\xff\x00\xe0"  # starts every fragment of a compressed image
_BELIEVED = "The header contradicts itself about the bits of a pixel; the stored bits were believed."
_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@dataclass(frozen=True, eq=False)
class DecodedFrame:
    """One frame, larger = denser, with its windows in the same units."""

    pixels: Pixels
    windows: tuple[Window, ...]
    bits: int
    frame_count: int
    inverted: bool
    notices: tuple[str, ...]
    padding: Mask | None = None
    polarity_doubtful: bool = False


@dataclass(frozen=True)
class _Layout:
    """The image pixel module, checked."""

    rows: int
    cols: int
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: int
    keyword: str
    little_endian: bool
    notices: tuple[str, ...]

    @property
    def stored_range(self) -> tuple[float, float]:
        """(smallest, largest) value that the stored bits can hold."""
        half = 2.0 ** (self.bits_stored - 1)
        return (-half, half - 1) if self.signed else (0.0, 2 * half - 1)


def checked_syntax(header: Dataset, named: uid.UID | None, little_endian: bool) -> tuple[uid.UID, tuple[str, ...]]:
    """The transfer syntax to decode with, and what to say about it. Raises RadiographError."""
    native = uid.ExplicitVRLittleEndian if little_endian else uid.ExplicitVRBigEndian
    is_ours = named is None or named in PLUGIN or named in NATIVE or named in (ENCAPSULATED_PLAIN, GE_BIG_ENDIAN_PIXELS)
    if "PixelData" not in header:
        if named is not None and not is_ours:
            raise _not_read(named)
        return native, ()
    element = header.get_item("PixelData")
    encapsulated = bool(element is not None and getattr(element, "is_undefined_length", False)) or (
        element is not None and getattr(element, "length", 0) == 0xFFFFFFFF
    )
    if named is not None and (named in PLUGIN or named == ENCAPSULATED_PLAIN):
        if not encapsulated and not _pixel_bytes(header, "PixelData").startswith(_ITEM):
            raise RadiographError(
                "This file is damaged: its header names a compression, but its pixel data are not compressed."
            )
        return named, ()
    if named is not None and not is_ours and is_known(named):
        raise _not_read(named)
    if encapsulated:
        return _recognised(header, named)
    if named is None:
        return native, ("The file does not name its transfer syntax; it was recognised from its data.",)
    if named == GE_BIG_ENDIAN_PIXELS:
        return (uid.ExplicitVRBigEndian if integer(header, "BitsAllocated") == 16 else native), ()
    if named not in NATIVE:
        return native, (f"The transfer syntax {named} is unknown; the pixel data were read as uncompressed.",)
    return native, ()


def _recognised(header: Dataset, named: uid.UID | None) -> tuple[uid.UID, tuple[str, ...]]:
    """The syntax of encapsulated pixel data whose header names none, an unknown one, or one that is not compressed."""
    guessed = _guess_syntax(header, _pixel_bytes(header, "PixelData"))
    if guessed is not None and named is None:
        return guessed, ("The file does not name its transfer syntax; it was recognised from its data.",)
    if guessed is not None and named in NATIVE:
        return guessed, ("The header calls the pixel data uncompressed; their compression was recognised.",)
    if guessed is not None and named in RETIRED_JPEG:
        return guessed, ()
    if guessed is not None:
        return guessed, (f"The transfer syntax {named} is unknown; what the pixel data are was recognised from them.",)
    if named is not None and named not in NATIVE:
        raise _not_read(named)
    raise RadiographError("This file is damaged: its pixel data are compressed, but it does not say how.")


def _not_read(named: uid.UID) -> RadiographError:
    return RadiographError(
        f"This DICOM file is compressed in a way that the program does not read ({name_of(named)[:80]})."
    )


def decode(header: Dataset, syntax: uid.UID, little_endian: bool, frame: int) -> DecodedFrame:
    """Decode one frame to grey. Raises RadiographError; other exceptions mean a damaged file."""
    layout = _checked_layout(header, little_endian)
    if frame >= layout.frames:
        raise RadiographError(
            f"This file holds {layout.frames} frame{'s' if layout.frames > 1 else ''}; frame {frame + 1} does not exist."
        )
    data = _pixel_bytes(header, layout.keyword)
    notices = list(layout.notices)
    lossy = text(header, "LossyImageCompression") == "01"
    if syntax in PLUGIN:
        raw, photometric, layout, is_stream_lossy = _decode_compressed(data, syntax, layout, frame, notices)
        lossy = lossy or is_stream_lossy
    elif syntax == ENCAPSULATED_PLAIN:
        one = replace(layout, frames=1)
        raw, photometric = _decode_native(
            _encoded_frame(data, layout, frame), header, uid.ExplicitVRLittleEndian, one, 0, notices
        )
    else:
        raw, photometric = _decode_native(data, header, syntax, layout, frame, notices)
    if lossy:
        notices.append("The image was compressed with loss: fine detail may be missing.")
    stored = _stored_bits(raw, layout, notices)
    if layout.photometric == "PALETTE COLOR":
        stored, photometric = apply_color_lut(stored, header), "RGB"
        notices.append("The file is in colour; it is shown in grey.")
        grey = grey_of(stored, photometric)
        top = float(np.iinfo(stored.dtype).max) if stored.dtype.kind in "ui" else 1.0
        return _finish(grey, (auto_window(grey), full_window(0, top)), layout, notices)
    if stored.ndim == 3:
        if not is_grey(stored, photometric):
            notices.append("The file is in colour; it is shown in grey.")
        grey = grey_of(stored, photometric)
        return _finish(grey, (full_window(0, float(2**layout.bits_stored - 1)),), layout, notices)
    return _grey_pipeline(raw, stored, header, layout, notices)


# --- header -----------------------------------------------------------------------------------------------------------


def _checked_layout(header: Dataset, little_endian: bool) -> _Layout:
    notices: list[str] = []
    keyword = next((name for name in _PIXEL_KEYWORDS if name in header), "")
    rows, cols = integer(header, "Rows"), integer(header, "Columns")
    if not keyword:
        raise RadiographError("This file is incomplete: its header describes an image, but the pixel data are missing.")
    if rows is None or cols is None:
        raise RadiographError("This file is damaged: its header does not say how large the image is.")
    if rows < 1 or cols < 1:
        raise RadiographError(f"This file is damaged: its header gives the image a size of {cols} x {rows} pixels.")

    photometric = text(header, "PhotometricInterpretation").upper()
    samples = integer(header, "SamplesPerPixel")
    if samples is None:
        samples = 1 if not photometric or photometric in (*_GREY, "PALETTE COLOR") else 3
        notices.append(f"The header does not give the samples per pixel; {samples} was assumed.")
    if samples not in (1, 3):
        raise RadiographError(f"This file is damaged: its header gives {samples} samples per pixel.")
    known = (*_GREY, "PALETTE COLOR", "RGB", *_LUMA, *_TRANSFORMED)
    if photometric not in known:
        if samples == 1:
            notices.append("The header does not say whether bright or dark is dense; bright was assumed.")
            photometric = "MONOCHROME2"
        elif not photometric:
            photometric = "RGB"
            notices.append("The header does not name its colours; red, green and blue were assumed.")
        else:
            raise RadiographError("This file stores its colours in a way that the program does not read.")
    if (photometric in (*_GREY, "PALETTE COLOR")) != (samples == 1):
        raise RadiographError(
            "This file is damaged: its header contradicts itself about whether the image is grey or coloured."
        )

    bits_allocated, bits_stored, high_bit = _checked_depth(header, keyword, notices)
    frames_given = value(header, "NumberOfFrames")
    frames = integer(header, "NumberOfFrames")
    if frames_given is not None and (frames is None or frames < 1):
        notices.append("The header gives no valid number of frames; one was assumed.")
        frames = 1
    frames = frames or 1
    if rows * cols * samples > MAX_SAMPLES:
        raise RadiographError(
            f"The header gives this image a size of {cols:,} x {rows:,} pixels, more than the program opens."
        )
    representation = integer(header, "PixelRepresentation")
    if representation not in (0, 1) and keyword == "PixelData":
        notices.append("The header does not say whether values are signed; unsigned was assumed.")
    return _Layout(
        rows=rows,
        cols=cols,
        frames=frames,
        samples=samples,
        photometric=photometric,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=high_bit,
        signed=representation == 1,
        planar=1 if integer(header, "PlanarConfiguration") == 1 else 0,
        keyword=keyword,
        little_endian=little_endian,
        notices=tuple(notices),
    )


def _checked_depth(header: Dataset, keyword: str, notices: list[str]) -> tuple[int, int, int]:
    """(bits allocated, bits stored, high bit)"""
    if keyword != "PixelData":
        bits = 32 if keyword == "FloatPixelData" else 64
        return bits, bits, bits - 1
    allocated, stored = integer(header, "BitsAllocated"), integer(header, "BitsStored")
    if allocated is None:
        raise RadiographError("This file is damaged: its header does not say how many bits a pixel has.")
    if allocated == 12:
        raise RadiographError("This file packs its pixels into 12 bits each, which the program does not read.")
    if allocated not in (1, 8, 16, 32):
        raise RadiographError(f"This file is damaged: its header gives a pixel {allocated} bits.")
    if stored is None:
        stored = allocated
        notices.append(f"The header does not give the stored bits; {stored} was assumed.")
    if not 1 <= stored <= allocated:
        raise RadiographError(f"This file is damaged: its header stores {stored} bits in a pixel of {allocated}.")
    high_bit = integer(header, "HighBit")
    if high_bit is None or not stored - 1 <= high_bit < allocated:
        if high_bit is not None:
            notices.append(_BELIEVED)
        high_bit = stored - 1
    return allocated, stored, high_bit


def _pixel_bytes(header: Dataset, keyword: str) -> bytes:
    found = value(header, keyword)
    if not isinstance(found, bytes | bytearray):
        raise RadiographError("This file is damaged: it holds no pixel data.")
    return bytes(found)


# --- decoding ---------------------------------------------------------------------------------------------------------


def _options(layout: _Layout, frames: int) -> dict[str, Any]:
    return {
        "rows": layout.rows,
        "columns": layout.cols,
        "number_of_frames": frames,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "planar_configuration": layout.planar,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.signed),
        "pixel_keyword": layout.keyword,
        "correct_unused_bits": False,  # see _stored_bits
        "raw": True,
    }


def _check_native_length(length: int, layout: _Layout) -> list[str]:
    per_pixel = 2.0 if layout.photometric == "YBR_FULL_422" else float(layout.samples)
    expected = math.ceil(layout.rows * layout.cols * layout.frames * per_pixel * layout.bits_allocated / 8)
    if length < expected:
        raise RadiographError("This file is damaged: its pixel data are shorter than the header says.")
    if length > expected + 1:
        return ["The file holds more pixel data than its header says; the rest was left out."]
    return []


def _decode_native(
    data: bytes, header: Dataset, syntax: uid.UID, layout: _Layout, frame: int, notices: list[str]
) -> tuple[npt.NDArray[Any], str]:
    notices += _check_native_length(len(data), layout)
    options = _options(layout, layout.frames) | {"view_only": True, "pixel_vr": str(header[layout.keyword].VR)}
    array, properties = decoder_for(syntax).as_array(data, index=frame, **options)
    return array, str(properties["photometric_interpretation"])


def _decode_compressed(
    data: bytes, syntax: uid.UID, layout: _Layout, frame: int, notices: list[str]
) -> tuple[npt.NDArray[Any], str, _Layout, bool]:
    """(values, photometric interpretation, the layout as the compressed image has it, whether that was lossy)"""
    encoded = _encoded_frame(data, layout, frame)
    stream = read_codestream(encoded)
    expected = families(syntax)
    if expected and (stream is None or stream.family not in expected):
        raise RadiographError(
            "This file is damaged: its pixel data are not compressed in the way that its header names."
        )
    if stream is not None and expected:
        _check_codestream(stream, layout)
        if ends_early(encoded, stream):
            raise RadiographError("This file is damaged: its compressed image is incomplete.")
        layout = _as_in_the_stream(layout, stream, notices)
    try:
        array, properties = decoder_for(syntax).as_array(
            encapsulate([encoded], has_bot=False), index=0, decoding_plugin=PLUGIN[syntax], **_options(layout, 1)
        )
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # every codec has its own
        raise RadiographError(
            "This file is damaged: its compressed image cannot be decoded.", f"{syntax.name}: {type(error).__name__}"
        ) from None
    return array, str(properties["photometric_interpretation"]), layout, stream is not None and stream.lossy


def _as_in_the_stream(layout: _Layout, stream: Codestream, notices: list[str]) -> _Layout:
    """Sign and depth of the compressed image, where the header contradicts it."""
    if stream.signed and not layout.signed:
        notices.append("The header calls the values unsigned, its compressed image signed; the image was believed.")
        layout = replace(layout, signed=True)
    if stream.family == "jpeg" and stream.bits < layout.bits_stored:
        notices.append(
            f"The header stores {layout.bits_stored} bits in a pixel, its compressed image only {stream.bits}."
        )
        layout = replace(layout, bits_stored=stream.bits, high_bit=stream.bits - 1)
    return layout


def _stored_bits(array: npt.NDArray[Any], layout: _Layout, notices: list[str]) -> npt.NDArray[Any]:
    """The stored bits alone, as two's complement where they are signed: what is beside them may be a drawing.

    Whatever the codec: JPEG-LS and some HTJ2K streams do not know signs, and every one can hold bits above the stored.
    """
    if array.dtype.kind == "f":
        return array
    raw = array.astype(f"u{array.dtype.itemsize}", copy=False)  # also from big endian
    unused = 8 * raw.dtype.itemsize - layout.bits_stored
    if unused > 0:
        raw = raw << np.uint8(unused - _lowest_bit(raw, layout, notices))
    values = raw.view(f"i{raw.dtype.itemsize}") if layout.signed else raw
    return values >> np.uint8(unused) if unused > 0 else values


def _lowest_bit(raw: npt.NDArray[Any], layout: _Layout, notices: list[str]) -> int:
    """Where the stored bits begin: below High Bit as it says, unless the values show that they lie at the bottom."""
    lowest = layout.high_bit - layout.bits_stored + 1
    if lowest and int(raw.max(initial=0)) >> layout.bits_stored == 0 and (raw & ((1 << lowest) - 1)).any():
        notices.append(_BELIEVED)
        return 0
    return min(lowest, 8 * raw.dtype.itemsize - layout.bits_stored)


def _encoded_frame(data: bytes, layout: _Layout, frame: int) -> bytes:
    """The encapsulated bytes of one frame (PS3.5 A.4). Where the offset table is wrong, the fragments are believed."""
    table, *fragments = _fragments(data) or [b""]
    if layout.frames > max(1, len(fragments)):
        raise RadiographError("This file is damaged: it holds fewer frames than its header says.")
    if layout.frames == 1:
        encoded = b"".join(fragments)
    elif len(fragments) == layout.frames:
        encoded = fragments[frame]
    else:
        starts = _frame_starts(table, fragments, layout.frames)
        encoded = b"".join(fragments[starts[frame] : starts[frame + 1]])
    if not encoded.strip(b"\0"):
        raise RadiographError("This file is damaged: its compressed image is empty.")
    return encoded


def _fragments(data: bytes) -> list[bytes]:
    """The items of encapsulated pixel data, the offset table first; what follows the last one is left out."""
    found, at = [], 0
    while data[at : at + 4] == _ITEM:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > len(data):
            raise RadiographError("This file is incomplete: its compressed image ends too early.")
        found.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    return found


def _frame_starts(table: bytes, fragments: list[bytes], frames: int) -> list[int]:
    """The fragment with which each frame starts, and the number of fragments: by the offset table, else by what they are."""
    places, at = {}, 0
    for number, fragment in enumerate(fragments):
        places[at] = number
        at += 8 + len(fragment)
    offsets = [int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table), 4)]
    starts = [places[offset] for offset in offsets if offset in places]
    if len(starts) != frames or starts != sorted(set(starts)):
        starts = [number for number, fragment in enumerate(fragments) if read_codestream(fragment) is not None]
    if len(starts) != frames or starts[0] != 0:
        raise RadiographError("This file is damaged: where its frames start cannot be told.")
    return [*starts, len(fragments)]


def _check_codestream(stream: Codestream, layout: _Layout) -> None:
    if (stream.rows, stream.cols) != (layout.rows, layout.cols):
        raise RadiographError(
            "This file is damaged: its header and its compressed image disagree about the size of the image.",
            f"header {layout.cols} x {layout.rows}, image {stream.cols} x {stream.rows}",
        )
    if stream.samples != layout.samples:
        raise RadiographError(
            "This file is damaged: its header and its compressed image disagree about whether it is in colour."
        )
    if stream.bits > layout.bits_allocated:
        raise RadiographError(
            "This file is damaged: its header and its compressed image disagree about the bits of a pixel."
        )


def _guess_syntax(header: Dataset, data: bytes) -> uid.UID | None:
    try:
        fragments = _fragments(data)[1:]
    except RadiographError:
        return None
    encoded = fragments[0] if fragments else b""
    stream = read_codestream(encoded)
    if stream is not None:
        return {
            "jpeg-2000": uid.JPEG2000,
            "jpeg-ls": uid.JPEGLSNearLossless,
            "jpeg-lossless": uid.JPEGLossless,
            "jpeg": uid.JPEGBaseline8Bit if stream.bits == 8 else uid.JPEGExtended12Bit,
        }[stream.family]
    # RLE: a 64-byte table that starts with 1 to 15 segments, the first of them right behind it.
    if len(encoded) > 64 and 1 <= encoded[0] <= 15 and encoded[1:8] == b"\0\0\0\x40\0\0\0":
        return uid.RLELossless
    sizes = [integer(header, name) or 1 for name in ("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames")]
    plain = math.prod(sizes) * (integer(header, "BitsAllocated") or 0) // 8
    return ENCAPSULATED_PLAIN if plain and 0 <= sum(map(len, fragments)) - plain <= 1 else None


# --- to grey ----------------------------------------------------------------------------------------------------------


def is_grey(array: npt.NDArray[Any], photometric: str) -> bool:
    """True when a colour image holds no colour."""
    if photometric in _LUMA:
        return False
    return bool(np.array_equal(array[..., 0], array[..., 1]) and np.array_equal(array[..., 0], array[..., 2]))


def grey_of(array: npt.NDArray[Any], photometric: str) -> Pixels:
    """Colour (rows, cols, 3) to grey; ITU-R BT.601 weights, as in DICOM's own YBR (PS3.3 C.7.6.3.1.2)."""
    if photometric in _LUMA or is_grey(array, photometric):
        return np.ascontiguousarray(array[..., 0], dtype=np.float32)
    grey: Pixels = np.multiply(array[..., 0], np.float32(0.299), dtype=np.float32)
    for channel, weight in ((1, 0.587), (2, 0.114)):
        grey += np.multiply(array[..., channel], np.float32(weight), dtype=np.float32)
    return np.ascontiguousarray(grey)


def _grey_pipeline(
    raw: npt.NDArray[Any], stored: npt.NDArray[Any], header: Dataset, layout: _Layout, notices: list[str]
) -> DecodedFrame:
    """Modality LUT or rescale, then the first VOI LUT, then turned over where large values are dark, then padding."""
    padding = _padding(raw, stored, header, layout, notices)
    pixels, low, high = _modality(stored, padding, header, layout, notices)
    del raw, stored
    windows = _header_windows(header, notices)
    table_window = None
    if lookups := items(header, "VOILUTSequence"):
        table = _Lookup.read(lookups[0], low < 0, layout.little_endian)
        if table is None:
            notices.append("The file's VOI lookup table is damaged and was not applied.")
        else:
            pixels = table.apply(pixels)
            low, high = 0.0, float(2**table.bits_used - 1)
            if table.bits_used != table.bits:
                notices.append(
                    f"The file's VOI lookup table says that it has {table.bits} bits, but its values have {table.bits_used}."
                )
            name = text(lookups[0], "LUTExplanation") or "VOI LUT"
            table_window = Window((low + high) / 2, high - low, name)
            # Windows are given in the units before the table; what they span is looked up in it.
            looked_up = [(window, table.apply(np.asarray(window.levels, np.float32))) for window in windows]
            windows = [
                Window(float(black + white) / 2, float(white - black), window.name, window.sigmoid)
                for window, (black, white) in looked_up
                if white > black
            ]
            if len(lookups) > 1:
                notices.append(f"The file holds {len(lookups)} VOI lookup tables; the first was applied.")
    inverted, is_doubtful = _polarity(header, layout, notices)
    if inverted:
        np.subtract(np.float32(low + high), pixels, out=pixels)
        windows = [replace(window, center=low + high - window.center) for window in windows]
    if padding is not None:
        pixels[padding] = pixels[~padding].min()
    if table_window is not None:
        windows = [table_window, *windows]
    else:
        windows = _plausible_windows(windows, pixels, notices) or [auto_window(pixels)]
    return replace(
        _finish(pixels, tuple(windows), layout, notices),
        inverted=inverted,
        padding=padding,
        polarity_doubtful=is_doubtful,
    )


def _polarity(header: Dataset, layout: _Layout, notices: list[str]) -> tuple[bool, bool]:
    """(whether large values are dark, whether that is doubtful).

    The presentation LUT's shape (PS3.3 C.11.6) is believed before the photometric interpretation, and for raw detector
    data the sign of their relation to the X-ray beam (C.8.11.3.1.2) before both.
    """
    inverted = layout.photometric == "MONOCHROME1"
    shape = {"IDENTITY": False, "INVERSE": True}.get(text(header, "PresentationLUTShape").upper(), inverted)
    sign = integer(header, "PixelIntensityRelationshipSign")
    is_raw = text(header, "PresentationIntentType").upper() == "FOR PROCESSING" and sign in (-1, 1)
    if shape != inverted:
        notices.append(
            "The header contradicts itself about which end of the grey scale is white; its presentation LUT was believed."
        )
    if is_raw and (sign == 1) != shape:
        notices.append("These are a detector's raw data, in which dense parts are dark: black and white were swapped.")
    found = sign == 1 if is_raw else shape
    return found, found != inverted or shape != inverted


def _padding(
    raw: npt.NDArray[Any], stored: npt.NDArray[Any], header: Dataset, layout: _Layout, notices: list[str]
) -> Mask | None:
    """Where there is no image, by the header's padding value or range (PS3.3 C.7.5.1.1.2); None where there is one everywhere.

    Of whole numbers of at most 16 bits, only what reaches the edge of the image: within it, metal may have the same value.
    """
    kind = {"FloatPixelData": "Float", "DoubleFloatPixelData": "DoubleFloat"}.get(layout.keyword, "")
    given = numbers(header, f"{kind}PixelPaddingValue")[:1]
    limit = numbers(header, f"{kind}PixelPaddingRangeLimit")[:1]
    padding = np.zeros(stored.shape, np.bool_)
    if given:
        ends = (*given, *(limit or given))
        values = stored
        if not kind and stored.dtype.itemsize <= 2:
            # Some headers give the value with the other sign, or with bits above the stored ones.
            ends = tuple((end + 2**15) % 2**16 - 2**15 if layout.signed else end % 2**16 for end in ends)
            if max(ends) > layout.stored_range[1] or min(ends) < layout.stored_range[0]:
                values = raw.astype(stored.dtype, copy=False)
        padding = (values >= min(ends)) & (values <= max(ends))
        if stored.dtype.itemsize <= 2 and padding.any():
            padding = _reaching_the_edge(padding)
    if stored.dtype.itemsize > 2:
        limits = np.finfo(stored.dtype) if kind else np.iinfo(stored.dtype)
        is_number = np.isfinite(stored) & (stored != limits.max) & ((stored != limits.min) | (limits.min == 0))
        if kind and not is_number.all():
            notices.append("Some pixels hold no number; they are shown black.")
        padding |= ~is_number
    return padding if padding.any() else None


def _reaching_the_edge(mask: Mask) -> Mask:
    """Those of its connected parts that touch the border."""
    from scipy import ndimage

    labels, count = ndimage.label(mask)
    touches = np.zeros(count + 1, np.bool_)
    touches[labels[[0, -1]]] = touches[labels[:, [0, -1]]] = True
    touches[0] = False
    kept: Mask = touches[labels]
    return kept


def _finish(pixels: Pixels, windows: tuple[Window, ...], layout: _Layout, notices: list[str]) -> DecodedFrame:
    return DecodedFrame(
        pixels=np.ascontiguousarray(pixels, dtype=np.float32),
        windows=windows,
        bits=layout.bits_stored,
        frame_count=layout.frames,
        inverted=False,
        notices=tuple(notices),
    )


def _modality(
    stored: npt.NDArray[Any], padding: Mask | None, header: Dataset, layout: _Layout, notices: list[str]
) -> tuple[Pixels, float, float]:
    """(values after the modality LUT, the smallest and the largest that they could be)"""
    if layout.keyword != "PixelData":
        pixels = stored.astype(np.float32)
        inside = pixels if padding is None else pixels[~padding]
        return pixels, float(inside.min(initial=np.inf)) if inside.size else 0.0, float(inside.max(initial=0.0))
    low, high = layout.stored_range
    tables = items(header, "ModalityLUTSequence")
    slopes, intercepts = numbers(header, "RescaleSlope"), numbers(header, "RescaleIntercept")
    if tables:
        table = _Lookup.read(tables[0], layout.signed, layout.little_endian)
        if table is not None:
            if slopes and (slopes[0] != 1 or (intercepts and intercepts[0] != 0)):
                notices.append("The file holds both a modality lookup table and a rescale; the table was applied.")
            return table.apply(stored), float(table.entries.min()), float(table.entries.max())
        notices.append("The file's modality lookup table is damaged and was not applied.")
    pixels = stored.astype(np.float32)
    slope = slopes[0] if slopes else 1.0
    intercept = intercepts[0] if intercepts else 0.0
    is_number = all(
        numbers(header, name) or not is_given(header, name) for name in ("RescaleSlope", "RescaleIntercept")
    )
    if slope == 0 or max(abs(slope), abs(intercept)) > 1e12 or not is_number:
        notices.append("The header's rescale makes no sense and was not applied.")
        slope, intercept = 1.0, 0.0
    if slope != 1:
        pixels *= np.float32(slope)
    if intercept != 0:
        pixels += np.float32(intercept)
    ends = sorted((low * slope + intercept, high * slope + intercept))
    return pixels, ends[0], ends[1]


@dataclass(frozen=True, eq=False)
class _Lookup:
    """A modality or VOI lookup table (PS3.3 C.11.1.1.1, C.11.2.1.1)."""

    entries: npt.NDArray[np.float32]
    first: int  # the input value that the first entry is for
    bits: int  # as the file says

    @property
    def bits_used(self) -> int:
        """What its largest entry needs: some makers say 16 of tables whose entries have 12."""
        return max(1, int(self.entries.max()).bit_length())

    @classmethod
    def read(cls, item: Dataset, signed_input: bool, little_endian: bool) -> _Lookup | None:
        descriptor = numbers(item, "LUTDescriptor")
        data = value(item, "LUTData")
        if len(descriptor) != 3 or data is None:
            return None
        count, first, bits = (int(entry) for entry in descriptor)
        count = count or 65536  # 65,536 does not fit the tag and is written as 0
        if not 1 <= count <= 65536 or not 1 <= bits <= 16:
            return None
        if signed_input and first >= 32768:
            first -= 65536  # read as unsigned, meant as signed
        if isinstance(data, bytes | bytearray):
            # Written in the byte order of the file; pydicom keeps OW as it lies. Eight-bit tables may be packed.
            kind = np.uint8 if len(data) < 2 * count else np.dtype("<u2" if little_endian else ">u2")
            raw = np.frombuffer(bytes(data[: len(data) - len(data) % np.dtype(kind).itemsize]), kind)
        else:
            try:
                raw = np.asarray(list(data) if not isinstance(data, int) else [data], np.int64) & 0xFFFF
            except (TypeError, ValueError, OverflowError):
                return None
        if raw.size < count:
            return None
        return cls(raw[:count].astype(np.float32), first, bits)

    def apply(self, values: npt.NDArray[Any]) -> Pixels:
        """The table's entry for every value; those below its first or beyond its last take these."""
        index = np.rint(values).astype(np.int32) if values.dtype.kind == "f" else values.astype(np.int32)
        index -= self.first
        np.clip(index, 0, len(self.entries) - 1, out=index)
        found: Pixels = np.take(self.entries, index)
        return found


def _header_windows(header: Dataset, notices: list[str]) -> list[Window]:
    centers, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    if any(is_given(header, name) and not numbers(header, name) for name in ("WindowCenter", "WindowWidth")):
        notices.append("The window of the header is not a number and was left out.")
    names = value(header, "WindowCenterWidthExplanation")
    if isinstance(names, str) or names is None:
        names = [names or ""]
    names = [str(name).strip()[:64] for name in names]
    sigmoid = text(header, "VOILUTFunction").upper() == "SIGMOID"
    return [
        Window(
            center,
            width,
            names[position] if position < len(names) and names[position] else f"window {position + 1}",
            sigmoid,
        )
        for position, (center, width) in enumerate(zip(centers, widths, strict=False))
    ]


def _plausible_windows(windows: list[Window], pixels: Pixels, notices: list[str]) -> list[Window]:
    """Those that show anything of the image."""
    kept = [window for window in windows if shows_anything(pixels, window)]
    if len(kept) < len(windows):
        notices.append("A window of the header shows nothing of this image and was left out.")
    return kept
