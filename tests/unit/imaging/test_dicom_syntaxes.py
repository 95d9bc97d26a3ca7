"""Every transfer syntax gives the pixels that went in, whatever wraps them."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import uid

from imaging.codecs import PLUGIN, decoder_for
from imaging.radiograph import Radiograph, RadiographError
from imaging.reader import read_radiograph
from tests.unit.imaging.dicom_maker import LOSSLESS, LOSSY, NATIVE, encode, gradient, make, renamed, wrapped


def read(folder: Path, data: bytes, frame: int = 0, name: str = "image.dcm") -> Radiograph:
    path = folder / name
    path.write_bytes(data)
    return read_radiograph(path, frame)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("syntax", NATIVE.values(), ids=NATIVE.keys())
def test_uncompressed_pixels_are_exact(tmp_path, syntax, bits):
    pixels = gradient(bits=bits)
    radiograph = read(tmp_path, make(pixels, syntax, bits=bits))
    np.testing.assert_array_equal(radiograph.pixels, pixels)
    assert radiograph.bits == bits
    assert radiograph.notices == ()


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("syntax", LOSSLESS.values(), ids=LOSSLESS.keys())
def test_lossless_pixels_are_exact(tmp_path, syntax, bits):
    pixels = gradient(bits=bits)
    radiograph = read(tmp_path, make(pixels, syntax, bits=bits))
    np.testing.assert_array_equal(radiograph.pixels, pixels)


@pytest.mark.parametrize("syntax", LOSSLESS.values(), ids=LOSSLESS.keys())
def test_signed_values_in_a_codestream_that_knows_no_sign(tmp_path, syntax):
    signed = (gradient(bits=12).astype(np.int32) - 2048).astype(np.int16)
    stored = (signed.view(np.uint16) & 0x0FFF).astype(np.uint16)
    radiograph = read(tmp_path, make(stored, syntax, bits=12, PixelRepresentation=1))
    np.testing.assert_array_equal(radiograph.pixels, signed)


@pytest.mark.parametrize("syntax", [s for s in LOSSLESS.values() if s != uid.RLELossless], ids=lambda s: s.name)
def test_8_bit_codestream_in_a_16_bit_cell(tmp_path, syntax):
    pixels = gradient(bits=8)
    data = make(pixels, syntax, bits=8, BitsAllocated=16)
    np.testing.assert_array_equal(read(tmp_path, data).pixels, pixels)


@pytest.mark.parametrize(("syntax", "bits"), LOSSY.values(), ids=LOSSY.keys())
def test_lossy_pixels_are_close_and_the_loss_is_said(tmp_path, syntax, bits):
    pixels = gradient(bits=bits)
    radiograph = read(tmp_path, make(pixels, syntax, bits=bits))
    assert np.abs(radiograph.pixels - pixels).max() <= 2**bits / 64
    assert any("loss" in notice for notice in radiograph.notices)


@pytest.mark.parametrize(
    "syntax",
    [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, *LOSSLESS.values()],
    ids=["explicit little", "explicit big", *LOSSLESS.keys()],
)
def test_colour_becomes_grey(tmp_path, syntax):
    grey = gradient(bits=8)
    colour = np.stack([grey, grey // 2, 255 - grey], axis=-1)
    expected = colour @ np.array([0.299, 0.587, 0.114])
    radiograph = read(tmp_path, make(colour, syntax))
    np.testing.assert_allclose(radiograph.pixels, expected, atol=0.01)
    assert "The file is in colour; it is shown in grey." in radiograph.notices


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEG2000Lossless, uid.RLELossless])
def test_grey_stored_as_colour_is_exact_and_needs_no_notice(tmp_path, syntax):
    grey = gradient(bits=8)
    radiograph = read(tmp_path, make(np.stack([grey] * 3, axis=-1), syntax))
    np.testing.assert_array_equal(radiograph.pixels, grey)
    assert radiograph.notices == ()


def test_jpeg_ybr_gives_its_luma(tmp_path):
    grey = gradient(bits=8)
    colour = np.stack([grey, grey // 2, 255 - grey], axis=-1)
    data = make(colour, uid.JPEGBaseline8Bit, PhotometricInterpretation="YBR_FULL_422")
    expected = colour @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(read(tmp_path, data).pixels, expected, atol=4)


def test_native_ybr_422_gives_its_luma(tmp_path):
    luma = gradient(4, 8, bits=8)
    blocks = np.full((4, 4, 4), 128, np.uint8)  # per pair of pixels: Y1 Y2 Cb Cr
    blocks[..., 0], blocks[..., 1] = luma[:, ::2], luma[:, 1::2]
    data = make(np.zeros((4, 8, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422", PixelData=blocks.tobytes())
    np.testing.assert_array_equal(read(tmp_path, data).pixels, luma)


@pytest.mark.parametrize("syntax", [*NATIVE.values(), *LOSSLESS.values()], ids=[*NATIVE.keys(), *LOSSLESS.keys()])
def test_each_frame_of_several_is_reached(tmp_path, syntax):
    stack = np.stack([gradient(bits=12), gradient(bits=12)[::-1], gradient(bits=12)[:, ::-1]])
    data = make(np.ascontiguousarray(stack), syntax, bits=12, frames=3)
    for frame in range(3):
        radiograph = read(tmp_path, data, frame)
        np.testing.assert_array_equal(radiograph.pixels, stack[frame])
        assert (radiograph.frame, radiograph.frame_count) == (frame, 3)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_without_file_meta_and_extension(tmp_path, syntax):
    pixels = gradient(bits=12)
    radiograph = read(tmp_path, make(pixels, syntax, bits=12, meta=False), name="IM0001")
    np.testing.assert_array_equal(radiograph.pixels, pixels)
    assert any("transfer syntax" in notice for notice in radiograph.notices)


@pytest.mark.parametrize("syntax", LOSSLESS.values(), ids=LOSSLESS.keys())
def test_compressed_without_file_meta_is_recognised(tmp_path, syntax):
    pixels = gradient(bits=12)
    data = make(pixels, syntax, bits=12)
    start = data.index(b"\x08\x00\x16\x00")  # the first element after the file meta information
    radiograph = read(tmp_path, data[start:])
    np.testing.assert_array_equal(radiograph.pixels, pixels)
    assert any("transfer syntax" in notice for notice in radiograph.notices)


def test_without_the_dicm_mark(tmp_path):
    data = make(gradient(bits=12), bits=12)
    np.testing.assert_array_equal(read(tmp_path, data[:128] + b"    " + data[132:]).pixels, gradient(bits=12))


def test_without_meta_group_length(tmp_path):
    pixels = gradient(bits=12)
    data = make(pixels, bits=12)
    assert data[132:140] == b"\x02\x00\x00\x00UL\x04\x00"
    radiograph = read(tmp_path, data[:132] + data[144:])
    np.testing.assert_array_equal(radiograph.pixels, pixels)


def test_pixels_are_read_only_float32_in_rows(tmp_path):
    radiograph = read(tmp_path, make(gradient()))
    assert radiograph.pixels.dtype == np.float32
    assert radiograph.pixels.flags.c_contiguous
    assert not radiograph.pixels.flags.writeable


def test_sha256_is_of_the_file(tmp_path):
    import hashlib

    data = make(gradient())
    assert read(tmp_path, data).sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("syntax", PLUGIN, ids=lambda syntax: syntax.name)
def test_the_named_decoder_is_there_and_is_none_of_those_to_avoid(syntax):
    decoder = decoder_for(syntax)
    assert PLUGIN[syntax] in decoder.available_plugins
    assert PLUGIN[syntax] not in ("gdcm", "pylibjpeg")


GREY8, GREY12 = gradient(bits=8), gradient(bits=12)


def jpeg_2000(pixels: np.ndarray, **options) -> bytes:
    return imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", **{"level": 0, "reversible": True} | options)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("says_signed", [False, True])
def test_jpeg_2000_knows_its_sign_better_than_the_header(tmp_path, bits, says_signed):
    signed = (gradient(bits=bits).astype(np.int32) - 2 ** (bits - 1)).astype(np.int8 if bits == 8 else np.int16)
    stream = jpeg_2000(signed, bitspersample=bits)
    data = wrapped([stream], uid.JPEG2000Lossless, signed, bits=bits, PixelRepresentation=int(says_signed))
    radiograph = read(tmp_path, data)
    np.testing.assert_array_equal(radiograph.pixels, signed)
    assert bool(radiograph.notices) != says_signed


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit])
@pytest.mark.parametrize("stored", [10, 12, 16])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_8_bit_jpeg_under_a_deeper_header(tmp_path, syntax, stored, photometric):
    window = {"WindowCenter": str(2 ** (stored - 1)), "WindowWidth": str(2**stored)} if stored > 10 else {}
    data = wrapped(
        [encode(GREY8, uid.JPEGBaseline8Bit, 8)], syntax, gradient(bits=stored), bits=stored,
        PhotometricInterpretation=photometric, **window,
    )  # fmt: skip
    radiograph = read(tmp_path, data)
    expected = 255.0 - GREY8 if photometric == "MONOCHROME1" else GREY8
    np.testing.assert_allclose(radiograph.pixels, expected, atol=4)
    assert radiograph.bits == 8
    assert any("only 8" in notice for notice in radiograph.notices)
    assert radiograph.windows[0].levels[1] < 300


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_ge_writes_big_endian_pixels_into_a_little_endian_file(tmp_path, bits):
    pixels = gradient(bits=bits)
    held = pixels if bits == 8 else pixels.byteswap()
    data = make(pixels, uid.ImplicitVRLittleEndian, bits=bits, PixelData=held.tobytes())
    radiograph = read(tmp_path, renamed(data, "1.2.840.113619.5.2"))
    np.testing.assert_array_equal(radiograph.pixels, pixels)
    assert radiograph.notices == ()


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("padding", [b"\0", b"\0" * 6, b"\xff", b"\xff" * 3])
def test_jpeg_ls_with_padding_before_its_end(tmp_path, bits, padding):
    pixels = gradient(bits=bits)
    stream = encode(pixels, uid.JPEGLSLossless, bits)
    assert stream.endswith(b"\xff\xd9")
    data = wrapped([stream[:-2] + padding + stream[-2:]], uid.JPEGLSLossless, pixels, bits=bits)
    np.testing.assert_array_equal(read(tmp_path, data).pixels, pixels)


@pytest.mark.parametrize("number", [52, 53, 54, 55, 56, 58, 59, 60, 61, 62, 63, 64, 65, 66])
def test_retired_jpeg(tmp_path, number):
    """Their codestreams are those of the syntaxes in use: baseline, progressive, lossless."""
    syntax = f"1.2.840.10008.1.2.4.{number}"
    lossless = wrapped([encode(GREY12, uid.JPEGLossless, 12)], syntax, GREY12, bits=12)
    np.testing.assert_array_equal(read(tmp_path, lossless).pixels, GREY12)
    lossy = wrapped([encode(GREY8, uid.JPEGBaseline8Bit, 8)], syntax, GREY8)
    np.testing.assert_allclose(read(tmp_path, lossy).pixels, GREY8, atol=4)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1.98", "1.2.840.10008.1.20", "1.2.826.0.1.3680043.8.498.99"])
@pytest.mark.parametrize("frames", [1, 2])
def test_plain_pixels_in_fragments(tmp_path, syntax, frames):
    stack = np.stack([GREY12, GREY12[::-1]][:frames])
    streams = [frame.tobytes() for frame in stack]
    data = wrapped(streams, syntax, GREY12, bits=12, NumberOfFrames=frames)
    for number in range(frames):
        radiograph = read(tmp_path, data, number)
        np.testing.assert_array_equal(radiograph.pixels, stack[number])
        assert any(syntax in notice for notice in radiograph.notices) == (not syntax.endswith(".98"))


@pytest.mark.parametrize("syntax", LOSSLESS.values(), ids=LOSSLESS.keys())
@pytest.mark.parametrize("named", ["1.2.826.0.1.3680043.8.498.99", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
def test_compression_under_a_wrong_name_is_recognised(tmp_path, syntax, named):
    if named.endswith("1.2"):
        data = renamed(make(GREY12, syntax, bits=12), "1.2.840.10008.1.2.1")
    else:
        data = renamed(make(GREY12, syntax, bits=12), named)
    radiograph = read(tmp_path, data)
    np.testing.assert_array_equal(radiograph.pixels, GREY12)
    assert any("recognised" in notice for notice in radiograph.notices)


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.110", "JPEG XL Lossless"),
        ("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression"),
        ("1.2.840.10008.1.2.4.112", "JPEG XL"),
        ("1.2.840.10008.1.2.4.94", "JPIP"),
        ("1.2.840.10008.1.2.8.1", "Deflated Image Frame"),
        ("1.2.840.10008.1.2.4.107", "HEVC"),
        ("1.2.826.0.1.3680043.8.498.99", "1.2.826.0.1.3680043.8.498.99"),
    ],
)
def test_a_syntax_that_is_not_read_is_named(tmp_path, syntax, name):
    with pytest.raises(RadiographError) as caught:
        read(tmp_path, wrapped([b"something new"], syntax, GREY8))
    assert name in caught.value.sentence
    assert "does not read" in caught.value.sentence


@pytest.mark.parametrize("header", ["RGB", "YBR_FULL_422", "YBR_FULL"])
@pytest.mark.parametrize("ids", [b"RGB", b"\1\2\3"])
def test_rgb_jpeg_without_markers(tmp_path, header, ids):
    """Neither JFIF nor Adobe: the components' names decide, and where these do not, the header."""
    colour = np.stack([GREY8, GREY8 // 2, 255 - GREY8], axis=-1)
    is_rgb = ids == b"RGB" or header == "RGB"
    stream = imagecodecs.jpeg8_encode(colour, level=100, subsampling="444", outcolorspace="RGB" if is_rgb else None)
    end = stream.index(b"\xff\xdb")  # the marker segments before the tables are what the test is about
    stream = bytearray(b"\xff\xd8" + stream[end:])
    frame, scan = stream.index(b"\xff\xc0"), stream.index(b"\xff\xda")
    for number, name in enumerate(ids):
        stream[frame + 10 + 3 * number] = stream[scan + 5 + 2 * number] = name
    radiograph = read(
        tmp_path, wrapped([bytes(stream)], uid.JPEGBaseline8Bit, colour, PhotometricInterpretation=header)
    )
    expected = colour @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(radiograph.pixels, expected, atol=4)


@pytest.mark.parametrize(
    ("syntax", "stream", "lossy"),
    [
        (uid.JPEGLSNearLossless, imagecodecs.jpegls_encode(GREY12, level=3), True),
        (uid.JPEGLSNearLossless, imagecodecs.jpegls_encode(GREY12, level=0), False),
        (uid.JPEGLSLossless, imagecodecs.jpegls_encode(GREY12, level=1), True),
        (uid.JPEG2000, jpeg_2000(GREY12, level=40, reversible=False), True),
        (uid.JPEG2000, jpeg_2000(GREY12), False),
        (uid.HTJ2K, imagecodecs.htj2k_encode(GREY12, reversible=False, level=0.001), True),
        (uid.HTJ2K, imagecodecs.htj2k_encode(GREY12, reversible=True), False),
        (uid.JPEGLossless, imagecodecs.jpeg8_encode(GREY12, lossless=True, bitspersample=12), False),
        (uid.JPEGExtended12Bit, imagecodecs.jpeg8_encode(GREY12, level=100, bitspersample=12), True),
    ],
)
def test_loss_inside_a_stream_is_said(tmp_path, syntax, stream, lossy):
    bits = 12 if syntax != uid.HTJ2K else 16
    radiograph = read(tmp_path, wrapped([stream], syntax, GREY12, bits=bits))
    assert any("with loss" in notice for notice in radiograph.notices) == lossy


@pytest.mark.parametrize("syntax", LOSSLESS.values(), ids=LOSSLESS.keys())
@pytest.mark.parametrize("tail", [b"", b"\0" * 32, b"\xff\xff"], ids=["none", "zeros", "ones"])
def test_without_the_last_delimiter(tmp_path, syntax, tail):
    data = make(GREY12, syntax, bits=12)
    assert data.endswith(b"\xfe\xff\xdd\xe0\0\0\0\0")
    radiograph = read(tmp_path, data[:-8] + tail)
    np.testing.assert_array_equal(radiograph.pixels, GREY12)
    assert any("may be incomplete" in notice for notice in radiograph.notices)


@pytest.mark.parametrize("syntax", LOSSLESS.values(), ids=LOSSLESS.keys())
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.99])
def test_a_cut_file_is_called_incomplete(tmp_path, syntax, share):
    data = make(GREY12, syntax, bits=12)
    start = data.index(b"\xe0\x7f\x10\0OB") + 30
    with pytest.raises(RadiographError, match="incomplete"):
        read(tmp_path, data[: start + int((len(data) - 8 - start) * share)])


@pytest.mark.parametrize("syntax", [uid.JPEGLossless, uid.JPEG2000Lossless, uid.JPEGLSLossless, uid.RLELossless])
@pytest.mark.parametrize("table", [b"", bytes(12), b"\0\0\0\0\7\0\0\0\x09\0\0\0", b"\xff" * 12, b"\0\0\0\0"])
def test_a_wrong_offset_table(tmp_path, syntax, table):
    stack = np.stack([GREY12, GREY12[::-1], GREY12[:, ::-1]])
    data = make(np.ascontiguousarray(stack), syntax, bits=12, frames=3)
    at = data.index(b"\xe0\x7f\x10\0OB") + 12
    length = int.from_bytes(data[at + 4 : at + 8], "little")
    data = data[: at + 4] + len(table).to_bytes(4, "little") + table + data[at + 8 + length :]
    for frame in range(3):
        np.testing.assert_array_equal(read(tmp_path, data, frame).pixels, stack[frame])
