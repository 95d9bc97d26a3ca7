"""The grey values of one frame of a DICOM image.

Everything that the header promises is checked against what the file holds before a decoder sees it.
DICOM PS3.3 C.7.6.3 (image pixel), C.11.1 (modality LUT), C.11.2 (VOI LUT).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments, get_frame
from pydicom.pixels.processing import apply_color_lut

from imaging.codecs import NATIVE, PLUGIN, Codestream, decoder_for, ends_early, families, read_codestream
from imaging.dicom_values import integer, items, numbers, text, value
from imaging.radiograph import Pixels, RadiographError, Window
from imaging.windowing import auto_window, full_window

# A 50 x 120 cm stitched long-leg radiograph at 0.1 mm has 60 million. Decoding this many stays under 2 GiB and 10 s.
MAX_SAMPLES = 64 * 1024**2

_TAG_LINES = [
    "SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns BitsAllocated BitsStored",
    "HighBit PixelRepresentation PixelData FloatPixelData DoubleFloatPixelData ModalityLUTSequence RescaleSlope",
    "RescaleIntercept VOILUTSequence WindowCenter WindowWidth WindowCenterWidthExplanation VOILUTFunction",
    "PresentationLUTShape LossyImageCompression RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData BluePaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData",
]
TAGS = " ".join(_TAG_LINES).split()

_GREY = ("MONOCHROME1", "MONOCHROME2")
_LUMA = ("YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420")
_TRANSFORMED = ("YBR_ICT", "YBR_RCT")
_ITEM = b"\xfe\xff\x00\xe0"  # starts every fragment of a compressed image
_LOSSY = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit)
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
    signed: bool
    planar: int
    keyword: str
    little_endian: bool
    notices: tuple[str, ...]


def checked_syntax(header: Dataset, named: uid.UID | None, little_endian: bool) -> tuple[uid.UID, tuple[str, ...]]:
    """The transfer syntax to decode with, and what to say about it. Raises RadiographError."""
    if "PixelData" not in header:
        return named if named in NATIVE else uid.ExplicitVRLittleEndian, ()
    element = header.get_item("PixelData")
    encapsulated = bool(element is not None and getattr(element, "is_undefined_length", False)) or (
        element is not None and getattr(element, "length", 0) == 0xFFFFFFFF
    )
    if named in PLUGIN:
        if not encapsulated and not _pixel_bytes(header, "PixelData").startswith(_ITEM):
            raise RadiographError(
                "This file is damaged: its header names a compression, but its pixel data are not compressed."
            )
        return named, ()
    if named in NATIVE or named is None or named not in uid.AllTransferSyntaxes:
        if not encapsulated:
            notice = () if named else ("The file does not name its transfer syntax; it was recognised from its data.",)
            if named is not None and named not in NATIVE:
                notice = ("The file names an unknown transfer syntax; its pixel data were read as uncompressed.",)
            return (uid.ExplicitVRLittleEndian if little_endian else uid.ExplicitVRBigEndian), notice
        guessed = _guess_syntax(_pixel_bytes(header, "PixelData")) if named is None else None
        if guessed is None:
            raise RadiographError("This file is damaged: its pixel data are compressed, but it does not say how.")
        return guessed, ("The file does not name its transfer syntax; it was recognised from its data.",)
    raise RadiographError(f"This DICOM file is compressed in a way that the program does not read ({named.name}).")


def decode(header: Dataset, syntax: uid.UID, little_endian: bool, frame: int) -> DecodedFrame:
    """Decode one frame to grey. Raises RadiographError; other exceptions mean a damaged file."""
    layout = _checked_layout(header, little_endian)
    if frame >= layout.frames:
        raise RadiographError(
            f"This file holds {layout.frames} frame{'s' if layout.frames > 1 else ''}; frame {frame + 1} does not exist."
        )
    data = _pixel_bytes(header, layout.keyword)
    notices = list(layout.notices)
    if syntax in PLUGIN:
        stored, photometric = _decode_compressed(data, syntax, layout, frame)
    else:
        notices += _check_native_length(len(data), layout)
        stored, photometric = _decode_native(data, header, syntax, layout, frame)
    if text(header, "LossyImageCompression") == "01" or syntax in _LOSSY:
        notices.append("The image was compressed with loss: fine detail may be missing.")
    if layout.photometric == "PALETTE COLOR":
        stored, photometric = apply_color_lut(stored, header), "RGB"
        notices.append("The file is in colour; it is shown in grey.")
        grey = grey_of(stored, photometric)
        top = float(np.iinfo(stored.dtype).max) if stored.dtype.kind in "ui" else 1.0
        return _finish(grey, (auto_window(grey), full_window(0, top)), layout, False, notices)
    if stored.ndim == 3:
        if not is_grey(stored, photometric):
            notices.append("The file is in colour; it is shown in grey.")
        grey = grey_of(stored, photometric)
        return _finish(grey, (full_window(0, float(2**layout.bits_stored - 1)),), layout, False, notices)
    return _grey_pipeline(stored, header, layout, notices)


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

    bits_allocated, bits_stored = _checked_depth(header, keyword, notices)
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
    if text(header, "PresentationLUTShape").upper() == {"MONOCHROME1": "IDENTITY", "MONOCHROME2": "INVERSE"}.get(
        photometric
    ):
        notices.append("The header contradicts itself about which end of the grey scale is white.")
    return _Layout(
        rows=rows,
        cols=cols,
        frames=frames,
        samples=samples,
        photometric=photometric,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        signed=representation == 1,
        planar=1 if integer(header, "PlanarConfiguration") == 1 else 0,
        keyword=keyword,
        little_endian=little_endian,
        notices=tuple(notices),
    )


def _checked_depth(header: Dataset, keyword: str, notices: list[str]) -> tuple[int, int]:
    if keyword != "PixelData":
        bits = 32 if keyword == "FloatPixelData" else 64
        return bits, bits
    allocated, stored = integer(header, "BitsAllocated"), integer(header, "BitsStored")
    if allocated is None:
        raise RadiographError("This file is damaged: its header does not say how many bits a pixel has.")
    if allocated not in (1, 8, 16, 32):
        raise RadiographError(f"This file is damaged: its header gives a pixel {allocated} bits.")
    if stored is None:
        stored = allocated
        notices.append(f"The header does not give the stored bits; {stored} was assumed.")
    if not 1 <= stored <= allocated:
        raise RadiographError(f"This file is damaged: its header stores {stored} bits in a pixel of {allocated}.")
    high_bit = integer(header, "HighBit")
    if high_bit is not None and high_bit != stored - 1:
        notices.append("The header contradicts itself about the bits of a pixel; the stored bits were believed.")
    return allocated, stored


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
    data: bytes, header: Dataset, syntax: uid.UID, layout: _Layout, frame: int
) -> tuple[npt.NDArray[Any], str]:
    options = _options(layout, layout.frames) | {"view_only": True, "pixel_vr": str(header[layout.keyword].VR)}
    array, properties = decoder_for(syntax).as_array(data, index=frame, **options)
    return array, str(properties["photometric_interpretation"])


def _decode_compressed(data: bytes, syntax: uid.UID, layout: _Layout, frame: int) -> tuple[npt.NDArray[Any], str]:
    encoded, frames = _encoded_frame(data, layout, frame)
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
    try:
        array, properties = decoder_for(syntax).as_array(
            data, index=frame, decoding_plugin=PLUGIN[syntax], **_options(layout, frames)
        )
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # every codec has its own
        raise RadiographError(
            "This file is damaged: its compressed image cannot be decoded.", f"{syntax.name}: {type(error).__name__}"
        ) from None
    if layout.signed:
        array = _sign_extended(array, layout.bits_stored)
    return array, str(properties["photometric_interpretation"])


def _sign_extended(array: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """The stored bits as two's complement. JPEG-LS and some HTJ2K streams do not know signs; others are unchanged."""
    signed = array.view(f"i{array.dtype.itemsize}")
    unused = 8 * signed.dtype.itemsize - bits
    return (signed << unused) >> unused if unused > 0 else signed


def _encoded_frame(data: bytes, layout: _Layout, frame: int) -> tuple[bytes, int]:
    """(the compressed bytes of one frame, the number of frames), checked against what there is."""
    # The first item is the offset table. A frame is at least one item of at least 8 bytes.
    if layout.frames > 1 and (
        layout.frames > len(data) // 8 or layout.frames > sum(1 for _ in generate_fragments(data))
    ):
        raise RadiographError("This file is damaged: it holds fewer frames than its header says.")
    try:
        encoded = get_frame(data, frame, number_of_frames=layout.frames)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # as the items are broken
        raise RadiographError(
            "This file is damaged: its compressed image is incomplete.", type(error).__name__
        ) from None
    if not encoded.strip(b"\0"):
        raise RadiographError("This file is damaged: its compressed image is empty.")
    return encoded, layout.frames


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


def _guess_syntax(data: bytes) -> uid.UID | None:
    try:
        encoded = get_frame(data, 0, number_of_frames=1)
    except Exception:
        return None
    stream = read_codestream(encoded)
    if stream is None:
        # RLE: a 64-byte table that starts with 1 to 15 segments, the first of them right behind it.
        is_rle = len(encoded) > 64 and 1 <= encoded[0] <= 15 and encoded[1:8] == b"\0\0\0\x40\0\0\0"
        return uid.RLELossless if is_rle else None
    return {
        "jpeg-2000": uid.JPEG2000,
        "jpeg-ls": uid.JPEGLSNearLossless,
        "jpeg-lossless": uid.JPEGLossless,
        "jpeg": uid.JPEGBaseline8Bit if stream.bits == 8 else uid.JPEGExtended12Bit,
    }[stream.family]


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


def _grey_pipeline(stored: npt.NDArray[Any], header: Dataset, layout: _Layout, notices: list[str]) -> DecodedFrame:
    """Modality LUT or rescale, then the first VOI LUT, then MONOCHROME1 turned over."""
    pixels, low, high = _modality(stored, header, layout, notices)
    del stored
    lookups = items(header, "VOILUTSequence")
    windows: list[Window] = []
    if lookups:
        table = _Lookup.read(lookups[0], low < 0, layout.little_endian)
        if table is None:
            notices.append("The file's VOI lookup table is damaged and was not applied.")
            lookups = []
        else:
            given = _header_windows(header)
            pixels = table.apply(pixels)
            name = text(lookups[0], "LUTExplanation") or "VOI LUT"
            low, high = 0.0, float(2**table.bits - 1)
            windows = [Window((low + high) / 2, high - low, name)]
            # Windows are given in the units before the table; what they span is looked up in it.
            for window in given:
                black, white = (float(level) for level in table.apply(np.asarray([window.levels], np.float32))[0])
                if white > black:
                    windows.append(Window((black + white) / 2, white - black, window.name))
            if len(lookups) > 1:
                notices.append(f"The file holds {len(lookups)} VOI lookup tables; the first was applied.")
    if not lookups:
        if text(header, "VOILUTFunction").upper() == "SIGMOID":
            notices.append("The header asks for a sigmoid grey scale; a linear one is shown.")
        windows = _plausible_windows(_header_windows(header), pixels, notices)
    inverted = layout.photometric == "MONOCHROME1"
    if inverted:
        np.subtract(np.float32(low + high), pixels, out=pixels)
        windows = [Window(low + high - window.center, window.width, window.name) for window in windows]
    if not windows:
        windows = [auto_window(pixels)]
    return _finish(pixels, tuple(windows), layout, inverted, notices)


def _finish(
    pixels: Pixels, windows: tuple[Window, ...], layout: _Layout, inverted: bool, notices: list[str]
) -> DecodedFrame:
    finite = np.isfinite(pixels) if layout.keyword != "PixelData" else None
    if finite is not None and not finite.all():
        notices.append("Some pixels hold no number; they are shown black.")
        floor = float(pixels[finite].min()) if finite.any() else 0.0
        pixels = np.where(finite, pixels, np.float32(floor))
        windows = (auto_window(pixels),)
    return DecodedFrame(
        pixels=np.ascontiguousarray(pixels, dtype=np.float32),
        windows=windows,
        bits=layout.bits_stored,
        frame_count=layout.frames,
        inverted=inverted,
        notices=tuple(notices),
    )


def _modality(
    stored: npt.NDArray[Any], header: Dataset, layout: _Layout, notices: list[str]
) -> tuple[Pixels, float, float]:
    """(values after the modality LUT, the smallest and the largest that they could be)"""
    if layout.keyword != "PixelData":
        pixels = stored.astype(np.float32)
        finite = pixels[np.isfinite(pixels)]
        return (
            pixels,
            float(finite.min(initial=np.inf)) if finite.size else 0.0,
            float(finite.max()) if finite.size else 1.0,
        )
    low, high = (
        (-(2.0 ** (layout.bits_stored - 1)), 2.0 ** (layout.bits_stored - 1) - 1)
        if layout.signed
        else (0.0, 2.0**layout.bits_stored - 1)
    )
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
    if slope == 0 or max(abs(slope), abs(intercept)) > 1e12:
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
    bits: int

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


def _header_windows(header: Dataset) -> list[Window]:
    centers, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    names = value(header, "WindowCenterWidthExplanation")
    if isinstance(names, str) or names is None:
        names = [names or ""]
    names = [str(name).strip()[:64] for name in names]
    return [
        Window(
            center, width, names[position] if position < len(names) and names[position] else f"window {position + 1}"
        )
        for position, (center, width) in enumerate(zip(centers, widths, strict=False))
    ]


def _plausible_windows(windows: list[Window], pixels: Pixels, notices: list[str]) -> list[Window]:
    """Those that show anything of the image."""
    low, high = float(pixels.min()), float(pixels.max())
    kept = [
        window for window in windows if 0 < window.width < 1e9 and window.levels[0] <= high and window.levels[1] >= low
    ]
    if len(kept) < len(windows):
        notices.append("A window of the header shows nothing of this image and was left out.")
    return kept
