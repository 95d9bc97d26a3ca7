"""PNG, JPEG, TIFF and BMP: exact grey values, and nothing guessed from what they do not say."""

from __future__ import annotations

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps, TiffImagePlugin

from imaging.radiograph import RadiographError, Side, SpacingSource, View
from tests.unit.imaging.dicom_maker import gradient
from tests.unit.imaging.test_dicom_syntaxes import read

GREY8, GREY16 = gradient(bits=8), gradient(bits=16)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_8_bit_grey_is_exact(tmp_path, kind):
    radiograph = read(tmp_path, saved(Image.fromarray(GREY8), kind), name="no_extension")
    np.testing.assert_array_equal(radiograph.pixels, GREY8)
    assert radiograph.bits == 8
    assert radiograph.windows[0].levels == (0, 255)
    assert radiograph.notices == ()
    assert not radiograph.pixels.flags.writeable


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_exact(tmp_path, kind):
    radiograph = read(tmp_path, saved(Image.fromarray(GREY16), kind))
    np.testing.assert_array_equal(radiograph.pixels, GREY16)
    assert radiograph.bits == 16


def tiff(pixels: np.ndarray, order: str, photometric: int = 1, bits: int = 16) -> bytes:
    """An uncompressed one-strip TIFF, written by hand: byte order and photometric interpretation at will."""
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    rows, cols = pixels.shape
    entries = [
        (256, 4, cols), (257, 4, rows), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8),
        (277, 3, 1), (278, 4, rows), (279, 4, len(data)),
    ]  # fmt: skip
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, value in entries:
        body = struct.pack(order + "I", value) if kind == 4 else struct.pack(order + "HH", value, 0)
        directory += struct.pack(order + "HHI", tag, kind, 1) + body
    start = 8 + len(data)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "I", start) + data + directory + b"\0" * 4


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_of_either_byte_order(tmp_path, order):
    np.testing.assert_array_equal(read(tmp_path, tiff(GREY16, order)).pixels, GREY16)
    np.testing.assert_array_equal(read(tmp_path, tiff(GREY16 + np.uint16(1), order)).pixels, GREY16 + np.uint16(1))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pixels", [GREY8, GREY16], ids=["8 bits", "16 bits"])
def test_tiff_with_white_as_zero_is_turned_over(tmp_path, order, pixels):
    data = tiff(pixels, order, photometric=0, bits=8 * pixels.dtype.itemsize)
    np.testing.assert_array_equal(read(tmp_path, data).pixels, np.iinfo(pixels.dtype).max - pixels)


def test_float_tiff_with_holes(tmp_path):
    values = GREY8.astype(np.float32) / 3
    values[2, 3] = np.nan
    radiograph = read(tmp_path, saved(Image.fromarray(values), "TIFF"))
    assert np.isfinite(radiograph.pixels).all()
    assert radiograph.pixels[0, 5] == values[0, 5]
    assert any("no number" in notice for notice in radiograph.notices)


def test_pages_of_a_tiff_are_frames(tmp_path):
    pages = [Image.fromarray(GREY8), Image.fromarray(255 - GREY8)]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    radiograph = read(tmp_path, data, 1)
    np.testing.assert_array_equal(radiograph.pixels, 255 - GREY8)
    assert (radiograph.frame, radiograph.frame_count) == (1, 2)
    with pytest.raises(RadiographError, match="image 3 does not exist"):
        read(tmp_path, data, 2)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_colour_becomes_grey_and_is_said(tmp_path, kind):
    colour = np.stack([GREY8, GREY8 // 2, 255 - GREY8], axis=-1)
    radiograph = read(tmp_path, saved(Image.fromarray(colour), kind))
    np.testing.assert_allclose(radiograph.pixels, colour @ np.array([0.299, 0.587, 0.114]), atol=0.01)
    assert radiograph.notices == ("The file is in colour; it is shown in grey.",)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_grey_stored_as_colour_is_exact(tmp_path, kind):
    radiograph = read(tmp_path, saved(Image.fromarray(np.stack([GREY8] * 3, axis=-1)), kind))
    np.testing.assert_array_equal(radiograph.pixels, GREY8)
    assert radiograph.notices == ()


def test_16_bit_colour_png_keeps_its_depth(tmp_path):
    data = imagecodecs.png_encode(np.ascontiguousarray(np.stack([GREY16] * 3, axis=-1)))
    radiograph = read(tmp_path, data)
    np.testing.assert_array_equal(radiograph.pixels, GREY16)
    assert radiograph.bits == 16


def test_16_bit_colour_tiff_keeps_its_depth(tmp_path):
    colour = np.ascontiguousarray(np.stack([GREY16, GREY16 // 2, 65535 - GREY16], axis=-1))
    radiograph = read(tmp_path, imagecodecs.tiff_encode(colour))
    np.testing.assert_allclose(radiograph.pixels, colour @ np.array([0.299, 0.587, 0.114]), rtol=1e-5)
    assert radiograph.bits == 16


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_opaque_alpha_is_dropped_and_transparency_said(tmp_path, mode):
    image = Image.fromarray(GREY8).convert(mode)
    np.testing.assert_array_equal(read(tmp_path, saved(image, "PNG")).pixels, GREY8)
    image.putalpha(Image.fromarray(np.where(np.arange(64) < 32, 0, 255).astype(np.uint8)[None].repeat(48, 0)))
    radiograph = read(tmp_path, saved(image, "PNG"))
    assert (radiograph.pixels[:, :32] == 0).all()
    np.testing.assert_array_equal(radiograph.pixels[:, 32:], GREY8[:, 32:])
    assert any("transparent" in notice for notice in radiograph.notices)


def test_16_bit_grey_with_alpha(tmp_path):
    data = imagecodecs.png_encode(np.ascontiguousarray(np.stack([GREY16, np.full_like(GREY16, 65535)], axis=-1)))
    np.testing.assert_array_equal(read(tmp_path, data).pixels, GREY16)


@pytest.mark.parametrize("mode", ["1", "P", "CMYK"])
def test_other_modes(tmp_path, mode):
    image = Image.fromarray(GREY8).convert(mode)
    expected = np.asarray(image.convert("RGB").convert("L"), np.float32)
    radiograph = read(tmp_path, saved(image, "TIFF" if mode == "CMYK" else "PNG"))
    np.testing.assert_allclose(radiograph.pixels, expected, atol=1)


def test_jpeg(tmp_path):
    radiograph = read(tmp_path, saved(Image.fromarray(GREY8), "JPEG", quality=95))
    np.testing.assert_allclose(radiograph.pixels, GREY8, atol=4)


@pytest.mark.parametrize(
    ("encode", "exact"),
    [
        (lambda pixels: imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=12), True),
        (lambda pixels: imagecodecs.jpeg8_encode(pixels, level=100, bitspersample=12), False),
        (imagecodecs.jpegls_encode, True),
    ],
    ids=["lossless", "12 bits", "JPEG-LS"],
)
def test_jpeg_that_pillow_does_not_read(tmp_path, encode, exact):
    pixels = gradient(bits=12)
    data = encode(pixels)
    np.testing.assert_allclose(read(tmp_path, data).pixels, pixels, atol=0 if exact else 16)
    with pytest.raises(RadiographError, match="incomplete"):
        read(tmp_path, data[: len(data) // 2])


def test_camera_orientation_is_followed_and_said(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    radiograph = read(tmp_path, saved(Image.fromarray(GREY8), "PNG", exif=exif))
    np.testing.assert_array_equal(radiograph.pixels, np.rot90(GREY8, -1))
    assert any("turned" in notice for notice in radiograph.notices)


def test_printing_resolution_is_not_taken_for_spacing(tmp_path):
    for data in (
        saved(Image.fromarray(GREY8), "PNG", dpi=(254, 254)),
        saved(Image.fromarray(GREY8), "TIFF", dpi=(254, 254)),
        saved(Image.fromarray(GREY8), "JPEG", dpi=(254, 254)),
    ):
        radiograph = read(tmp_path, data)
        assert radiograph.spacing_mm is None
        assert radiograph.spacing_source is SpacingSource.NONE
        assert (radiograph.side, radiograph.view, radiograph.modality) == (Side.UNKNOWN, View.UNKNOWN, "")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_cut_short(tmp_path, kind, share):
    noise = np.random.default_rng(1).integers(0, 255, (64, 64), dtype=np.uint8)
    data = saved(Image.fromarray(noise), kind)
    with pytest.raises(RadiographError) as caught:
        read(tmp_path, data[: int(len(data) * share)])
    assert caught.value.sentence.endswith(".")


def png_of_size(cols: int, rows: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", cols, rows, 16, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def test_enormous_sizes_are_refused_before_decoding(tmp_path):
    bmp = bytearray(saved(Image.fromarray(GREY8), "BMP"))
    bmp[18:26] = struct.pack("<ii", 60000, 60000)
    for data in (png_of_size(65535, 65535), png_of_size(12000, 9000), bytes(bmp)):
        with pytest.raises(RadiographError, match="million pixels"):
            read(tmp_path, data)


def test_a_tiff_that_points_to_itself(tmp_path):
    data = bytearray(tiff(GREY16, "<"))
    data[-4:] = struct.pack("<I", 8 + GREY16.nbytes)  # the next directory is this one
    assert read(tmp_path, bytes(data)).shape == GREY16.shape


def test_a_text_chunk_bomb_is_one_sentence_or_an_image(tmp_path):
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[270] = "x" * 100_000
    assert read(tmp_path, saved(Image.fromarray(GREY8), "TIFF", tiffinfo=info)).shape == GREY8.shape


DEEP = {
    "uint16": gradient(bits=16),
    "int8": (gradient(bits=8).astype(np.int16) - 128).astype(np.int8),
    "int16": (gradient(bits=16).astype(np.int32) - 2**15).astype(np.int16),
    "int32": gradient(bits=12).astype(np.int32) - 2000,
    "uint32": gradient(bits=12).astype(np.uint32),
    "float32": gradient(bits=12).astype(np.float32) / 4095,
    "float64": gradient(bits=12).astype(np.float64) / 4095,
}


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("compression", [None, "deflate", "lzw"])
def test_tiff_of_every_depth_and_polarity(tmp_path, kind, white_is_zero, compression):
    pixels = DEEP[kind]
    photometric = "miniswhite" if white_is_zero else "minisblack"
    data = imagecodecs.tiff_encode(pixels, photometric=photometric, compression=compression)
    radiograph = read(tmp_path, data)
    if not white_is_zero:
        expected = pixels.astype(np.float64)
    elif pixels.dtype.kind == "f":
        expected = pixels.min() + pixels.max() - pixels.astype(np.float64)
    else:
        limits = np.iinfo(pixels.dtype)
        expected = float(limits.min) + float(limits.max) - pixels.astype(np.float64)
    np.testing.assert_allclose(radiograph.pixels, expected, rtol=1e-6, atol=1e-6)
    low, high = radiograph.windows[-1].levels  # the full range
    assert low <= radiograph.pixels.min()
    assert high >= radiograph.pixels.max() * (1 - 1e-6)
    assert high - low <= max(2**16, 1.001 * np.ptp(expected))
    assert radiograph.notices == ()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "pixels", [GREY8, GREY16, np.stack([GREY16] * 3, axis=-1)], ids=["8 bits", "16 bits", "RGB 16"]
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_every_orientation_at_every_depth(tmp_path, orientation, pixels, kind):
    """What Pillow makes of the 8-bit picture is right; the deeper ones are turned the same way."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    if pixels.ndim == 2:
        data = saved(Image.fromarray(pixels), kind, exif=exif)
    elif kind == "PNG":
        marks = saved(Image.fromarray(GREY8), kind, exif=exif)
        start = marks.index(b"eXIf") - 4
        chunk = marks[start : start + 12 + int.from_bytes(marks[start : start + 4], "big")]
        plain = imagecodecs.png_encode(np.ascontiguousarray(pixels))
        data = plain[:33] + chunk + plain[33:]
    else:
        pytest.skip("no encoder here writes the tag beside 16-bit colour")
    expected = np.asarray(ImageOps.exif_transpose(_with_exif(GREY8, exif)), np.float32)
    radiograph = read(tmp_path, data)
    assert radiograph.shape == expected.shape
    top = float(pixels.max())
    np.testing.assert_allclose(radiograph.pixels / top, expected / 255, atol=0.005)
    assert radiograph.bits == 8 * pixels.dtype.itemsize
    assert any("turned" in notice for notice in radiograph.notices) == (orientation != 1)


def _with_exif(pixels: np.ndarray, exif: Image.Exif) -> Image.Image:
    return Image.open(io.BytesIO(saved(Image.fromarray(pixels), "PNG", exif=exif)))


def test_holes_in_a_float_picture_take_no_part(tmp_path):
    values = gradient(bits=12).astype(np.float32) / 4095
    values[:9] = np.nan
    values[9:12] = np.finfo(np.float32).min
    radiograph = read(tmp_path, imagecodecs.tiff_encode(values))
    assert radiograph.padding is not None
    assert radiograph.padding[:12].all()
    assert not radiograph.padding[12:].any()
    assert 0 <= radiograph.pixels.min() < radiograph.pixels.max() <= 1


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "JPEG 2000"),
        (imagecodecs.jpeg2k_encode(GREY8, codecformat="j2k"), "JPEG 2000"),
        (imagecodecs.jpeg2k_encode(GREY8, codecformat="jp2"), "JPEG 2000"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "a film"),
    ],
)
def test_other_pictures_are_named(tmp_path, data, name):
    with pytest.raises(RadiographError, match=name):
        read(tmp_path, data + b"\0" * 200)
