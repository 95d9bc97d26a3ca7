"""Every transfer syntax gives the pixels that went in, whatever wraps them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from imaging.codecs import PLUGIN, decoder_for
from imaging.radiograph import Radiograph
from imaging.reader import read_radiograph
from tests.unit.imaging.dicom_maker import LOSSLESS, LOSSY, NATIVE, gradient, make


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
