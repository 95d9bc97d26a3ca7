"""Malformed and hostile files: each opens or gives one sentence, and says nothing of the patient."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from imaging import dicom, sources
from imaging.radiograph import RadiographError
from tests.unit.imaging.dicom_maker import LOSSLESS, dataset, encode, gradient, make, overwritten, write
from tests.unit.imaging.test_dicom_syntaxes import read

ROWS, COLUMNS, FRAMES = (0x28, 0x10), (0x28, 0x11), (0x28, 0x08)


def sentence_of(folder, data: bytes, frame: int = 0) -> str:
    with pytest.raises(RadiographError) as caught:
        read(folder, data, frame)
    error = caught.value
    assert type(error) is RadiographError
    assert error.sentence == str(error)
    assert error.sentence.endswith(".")
    assert "\n" not in error.sentence
    assert len(error.sentence) < 160
    for secret in ("Petra", "12345"):
        assert secret not in error.sentence + error.details
    return error.sentence


def named(pixels: np.ndarray, syntax: uid.UID = uid.ExplicitVRLittleEndian, **tags) -> bytes:
    return make(pixels, syntax, PatientName="Sample^Petra", PatientID="12345", **tags)


def test_pixel_data_cut_short(tmp_path):
    assert sentence_of(tmp_path, named(gradient())[:-100]) == (
        "This file is damaged: its pixel data are shorter than the header says."
    )


@pytest.mark.parametrize("syntax", LOSSLESS.values(), ids=LOSSLESS.keys())
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_compressed_file_cut_short(tmp_path, syntax, share):
    noise = np.random.default_rng(1).integers(0, 4096, (64, 64)).astype(np.uint16)
    data = named(noise, syntax, bits=12)
    sentence_of(tmp_path, data[: int(len(data) * share)])


@pytest.mark.parametrize("syntax", LOSSLESS.values(), ids=LOSSLESS.keys())
def test_codestream_cut_short_inside_whole_items(tmp_path, syntax):
    """The items are complete, the image in them is not: no half-grey picture passes for a radiograph."""
    noise = np.random.default_rng(1).integers(0, 4096, (64, 64)).astype(np.uint16)
    whole = encode(noise, syntax, 12)
    header = dataset(noise, bits=12)
    header.PixelData = encapsulate([whole[: len(whole) // 2]])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    assert "compressed image" in sentence_of(tmp_path, write(header, syntax))


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEG2000Lossless, uid.RLELossless])
@pytest.mark.parametrize("size", [65535, 40000])
def test_enormous_header_size(tmp_path, syntax, size):
    data = named(gradient(bits=12), syntax, bits=12)
    for tag in (ROWS, COLUMNS):
        data = overwritten(data, tag, struct.pack("<H", size))
    assert "more than the program opens" in sentence_of(tmp_path, data)


@pytest.mark.parametrize(
    "syntax", [uid.ExplicitVRLittleEndian, uid.JPEG2000Lossless, uid.RLELossless, uid.JPEGLossless]
)
def test_two_billion_frames(tmp_path, syntax):
    sentence = sentence_of(tmp_path, named(gradient(bits=12), syntax, bits=12, NumberOfFrames=str(2**31 - 1)))
    assert "header says" in sentence


def test_frame_beyond_the_last(tmp_path):
    assert sentence_of(tmp_path, named(gradient()), frame=1) == ("This file holds 1 frame; frame 2 does not exist.")
    sentence_of(tmp_path, named(gradient()), frame=-1)


@pytest.mark.parametrize("frames", ["0", "-3"])
def test_impossible_frame_count_is_said(tmp_path, frames):
    radiograph = read(tmp_path, named(gradient(), NumberOfFrames=frames))
    assert radiograph.frame_count == 1
    assert any("number of frames" in notice for notice in radiograph.notices)


def codestream_with_size(syntax: uid.UID, rows: int, cols: int) -> bytes:
    stream = bytearray(encode(gradient(bits=8), syntax, 8))
    if syntax == uid.JPEG2000Lossless:
        at = stream.index(b"\xff\x51")
        stream[at + 6 : at + 14] = struct.pack(">II", cols, rows)
    else:
        marker = {uid.JPEGLossless: b"\xff\xc3", uid.JPEGBaseline8Bit: b"\xff\xc0", uid.JPEGLSLossless: b"\xff\xf7"}
        at = stream.index(marker[syntax])
        stream[at + 5 : at + 9] = struct.pack(">HH", rows, cols)
    return bytes(stream)


@pytest.mark.parametrize(
    "syntax", [uid.JPEG2000Lossless, uid.JPEGLossless, uid.JPEGBaseline8Bit, uid.JPEGLSLossless], ids=lambda s: s.name
)
def test_codestream_larger_than_the_header_is_not_decoded(tmp_path, syntax, monkeypatch):
    monkeypatch.setattr("imaging.dicom_pixels.decoder_for", lambda _syntax: pytest.fail("a decoder saw the file"))
    header = dataset(gradient(bits=8), PatientName="Sample^Petra")
    header.PixelData = encapsulate([codestream_with_size(syntax, 60000, 60000)])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    assert "disagree about the size" in sentence_of(tmp_path, write(header, syntax))


def test_rle_bomb(tmp_path):
    """25 MB for an image of 3 KB: what does not belong to the image is not kept."""
    segment = b"\x81\x00" * 200_000
    header = dataset(gradient(bits=8))
    header.PixelData = encapsulate([struct.pack("<16L", 1, 64, *[0] * 14) + segment])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    np.testing.assert_array_equal(read(tmp_path, write(header, uid.RLELossless)).pixels, np.zeros((48, 64)))


def test_deflate_bomb_is_not_inflated(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom, "MAX_INFLATED_BYTES", 4 * 1024**2)
    whole = make(np.zeros((4096, 4096), np.uint8), uid.DeflatedExplicitVRLittleEndian)
    assert len(whole) < 40_000
    assert "unpacks to more than 4 MB" in sentence_of(tmp_path, whole)


@pytest.mark.parametrize("fault", ["cut", "garbage"])
def test_damaged_deflate(tmp_path, fault):
    data = named(gradient(bits=16), uid.DeflatedExplicitVRLittleEndian)
    start = data.index(b"1.2.840.10008.1.2.1.99")
    cut = start + (len(data) - start) // 2
    assert "deflated" in sentence_of(tmp_path, data[:cut] + (b"\xff" * 50 if fault == "garbage" else b""))


def nested(depth: int) -> Dataset:
    inner = Dataset()
    inner.PatientComments = "deep"
    for _ in range(depth):
        outer = Dataset()
        outer.add_new(0x00400440, "SQ", [inner])
        inner = outer
    return inner


@pytest.mark.parametrize("tag", [0x00540220, 0x00089215])  # one that is read, one that is not
def test_deep_nesting(tmp_path, tag):
    """600 levels, as raw bytes: no writer goes so deep."""
    body = b""
    for _ in range(600):
        item = b"\xfe\xff\x00\xe0" + b"\xff" * 4 + body + b"\xfe\xff\x0d\xe0" + b"\0" * 4
        body = (
            struct.pack("<HH", tag >> 16, tag & 0xFFFF)
            + b"SQ\0\0"
            + b"\xff" * 4
            + item
            + b"\xfe\xff\xdd\xe0"
            + b"\0" * 4
        )
    data = named(gradient())
    at = data.index(b"\xe0\x7f\x10\x00OW")
    data = data[:at] + body + data[at:]
    assert "nested too deeply" in sentence_of(tmp_path, data)


def test_many_items(tmp_path):
    sequence = [Dataset() for _ in range(5000)]
    assert read(tmp_path, named(gradient(), ViewCodeSequence=sequence)).shape == (48, 64)


@pytest.mark.parametrize("vr", [b"UL", b"SS", b"DS", b"UN", b"OB", b"ZZ", b"\0\0", b"\xff\xff"])
def test_wrong_vr_of_rows(tmp_path, vr):
    data = named(gradient())
    at = data.index(b"\x28\x00\x10\x00US")
    try:
        radiograph = read(tmp_path, data[: at + 4] + vr + data[at + 6 :])
    except RadiographError:
        return
    assert radiograph.shape == (48, 64)


@pytest.mark.parametrize("vr", [b"OB", b"OW", b"UN", b"UL", b"ZZ", b"SQ", b"LT"])
def test_wrong_vr_of_pixel_data(tmp_path, vr):
    data = named(gradient(bits=12), bits=12)
    at = data.index(b"\xe0\x7f\x10\x00OW")
    try:
        radiograph = read(tmp_path, data[: at + 4] + vr + data[at + 6 :])
    except RadiographError:
        return
    assert radiograph.shape == (48, 64)


@pytest.mark.parametrize(
    "declared", [*LOSSLESS.values(), uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit], ids=lambda s: s.name
)
def test_uncompressed_data_under_a_compressed_syntax(tmp_path, declared):
    header = dataset(gradient(bits=12), bits=12)
    header.PixelData = gradient(bits=12).tobytes()
    header["PixelData"].VR = "OW"
    data = write(header).replace(b"1.2.840.10008.1.2.1\0", declared.encode().ljust(20, b"\0")[:20])
    if len(declared) > 20:
        data = write(header)
        at = data.index(b"1.2.840.10008.1.2.1\0")
        padded = declared.encode() + b"\0" * (len(declared) % 2)
        data = data[: at - 2] + struct.pack("<H", len(padded)) + padded + data[at + 20 :]
    assert "not compressed" in sentence_of(tmp_path, data)


@pytest.mark.parametrize(
    ("declared", "real"),
    [
        (uid.JPEG2000Lossless, uid.JPEGLossless),
        (uid.JPEGLossless, uid.JPEG2000Lossless),
        (uid.JPEGLSLossless, uid.JPEGBaseline8Bit),
        (uid.JPEGBaseline8Bit, uid.RLELossless),
        (uid.HTJ2K, uid.JPEGLSLossless),
        (uid.RLELossless, uid.JPEG2000Lossless),
    ],
)
def test_another_compression_than_named(tmp_path, declared, real):
    header = dataset(gradient(bits=8))
    header.PixelData = encapsulate([encode(gradient(bits=8), real, 8)])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    assert sentence_of(tmp_path, write(header, declared)).startswith("This file is damaged: its ")


def test_compressed_data_under_an_uncompressed_syntax(tmp_path):
    header = dataset(gradient(bits=8))
    header.PixelData = encapsulate([encode(gradient(bits=8), uid.JPEG2000Lossless, 8)])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    data = write(header, uid.JPEG2000Lossless)
    at = data.index(b"1.2.840.10008.1.2.4.90")
    data = data[: at - 2] + b"\x14\0" + b"1.2.840.10008.1.2.1\0" + data[at + 22 :]
    radiograph = read(tmp_path, data)
    np.testing.assert_array_equal(radiograph.pixels, gradient(bits=8))
    assert any("compression was recognised" in notice for notice in radiograph.notices)


@pytest.mark.parametrize("syntax", [uid.MPEG2MPML, uid.JPEG2000MC])
def test_syntax_that_is_not_read_is_named(tmp_path, syntax):
    header = dataset(gradient(bits=8))
    header.PixelData = encapsulate([b"video"])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    assert "compressed in a way" in sentence_of(tmp_path, write(header, syntax))


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("Rows", "how large"),
        ("Columns", "how large"),
        ("BitsAllocated", "how many bits"),
        ("PixelData", "pixel data are missing"),
    ],
)
def test_missing_tag_that_is_needed(tmp_path, missing, words):
    header = dataset(gradient(), PatientName="Sample^Petra")
    header.PixelData = gradient().tobytes()
    header["PixelData"].VR = "OW"
    delattr(header, missing)
    assert words in sentence_of(tmp_path, write(header))


@pytest.mark.parametrize(
    "missing", ["SamplesPerPixel", "PhotometricInterpretation", "BitsStored", "PixelRepresentation", "HighBit"]
)
def test_missing_tag_that_can_be_done_without_is_said(tmp_path, missing):
    radiograph = read(tmp_path, named(gradient(bits=16), **{missing: None}))
    np.testing.assert_array_equal(radiograph.pixels, gradient(bits=16))
    assert missing == "HighBit" or radiograph.notices


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Rows": 0}, "64 x 0 pixels"),
        ({"Columns": 0}, "0 x 48 pixels"),
        ({"BitsAllocated": 0}, "0 bits"),
        ({"BitsAllocated": 24}, "24 bits"),
        ({"BitsAllocated": 12}, "12 bits"),
        ({"BitsStored": 17}, "17 bits"),
        ({"BitsStored": 0}, "0 bits"),
        ({"SamplesPerPixel": 3}, "grey or coloured"),
        ({"SamplesPerPixel": 4}, "4 samples"),
        ({"SamplesPerPixel": 0}, "0 samples"),
        ({"PhotometricInterpretation": "RGB"}, "grey or coloured"),
        ({"PhotometricInterpretation": "HSV", "SamplesPerPixel": 3}, "colours"),
    ],
)
def test_contradictory_header(tmp_path, tags, words):
    assert words in sentence_of(tmp_path, named(gradient(), **tags))


@pytest.mark.parametrize("high_bit", [0, 11, 200])
def test_contradictory_high_bit_is_said(tmp_path, high_bit):
    radiograph = read(tmp_path, named(gradient(bits=16), HighBit=high_bit))
    assert any("bits of a pixel" in notice for notice in radiograph.notices)


def test_codestream_deeper_than_the_header(tmp_path):
    header = dataset(gradient(bits=8))
    header.PixelData = encapsulate([encode(gradient(bits=16), uid.JPEG2000Lossless, 16)])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    assert "bits of a pixel" in sentence_of(tmp_path, write(header, uid.JPEG2000Lossless))


def test_colour_codestream_under_a_grey_header(tmp_path):
    header = dataset(gradient(bits=8))
    header.PixelData = encapsulate([encode(np.stack([gradient(bits=8)] * 3, axis=-1), uid.JPEG2000Lossless, 8)])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    assert "in colour" in sentence_of(tmp_path, write(header, uid.JPEG2000Lossless))


def test_more_pixel_data_than_the_header_says(tmp_path):
    radiograph = read(tmp_path, named(gradient(), PixelData=gradient().tobytes() * 2))
    np.testing.assert_array_equal(radiograph.pixels, gradient())
    assert any("more pixel data" in notice for notice in radiograph.notices)


@pytest.mark.parametrize(
    ("modality", "words"),
    [("RTPLAN", "a treatment plan, no image"), ("SR", "a report"), ("PR", "display settings"), ("", "no image")],
)
def test_dicom_without_an_image(tmp_path, modality, words):
    header = Dataset()
    header.SOPClassUID, header.Modality, header.PatientName = "1.2.840.10008.5.1.4.1.1.481.5", modality, "Sample^Petra"
    assert words in sentence_of(tmp_path, write(header))


def test_dicomdir_is_named(tmp_path):
    header = Dataset()
    header.SOPClassUID = "1.2.840.10008.1.3.10"
    header.DirectoryRecordSequence = []
    assert "DICOMDIR" in sentence_of(tmp_path, write(header))


@pytest.mark.parametrize(
    "data",
    [b"hello", b"\0" * 1000, b"\xff" * 5000, b"DICM" * 50, b"\0" * 128 + b"DICM", b"\x08\0", bytes(range(256)) * 40],
    ids=["text", "zeros", "ones", "DICM", "preamble only", "two bytes", "ramp"],
)
def test_garbage(tmp_path, data):
    sentence_of(tmp_path, data)


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "empty"), (b"%PDF-1.7 ...", "PDF"), (b"GIF89a" + b"\0" * 50, "GIF"), (b"PK\x05\x06" + b"\0" * 18, "ZIP")],
)
def test_what_it_is_instead(tmp_path, data, words):
    assert words in sentence_of(tmp_path, data)


def test_file_that_vanished_and_folder(tmp_path):
    from imaging.reader import read_radiograph

    with pytest.raises(RadiographError, match="does not exist"):
        read_radiograph(tmp_path / "gone.dcm")
    with pytest.raises(RadiographError, match="folder"):
        read_radiograph(tmp_path)


def test_file_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 1000)
    assert "larger than" in sentence_of(tmp_path, b"\0" * 1001)


def test_character_sets_that_do_not_exist(tmp_path):
    data = named(gradient(), SpecificCharacterSet="ISO_IR 9999")
    assert read(tmp_path, data).shape == (48, 64)


def test_control_characters_stay_out_of_texts(tmp_path):
    radiograph = read(tmp_path, make(gradient(), Manufacturer="AC\x00ME\x1b[31m", BodyPartExamined="HIP\n\t"))
    assert radiograph.manufacturer.isprintable()
    assert radiograph.body_part == "HIP"


def test_a_bug_in_a_library_is_one_sentence_without_its_message(tmp_path, monkeypatch):
    def broken(_header):
        raise KeyError("Sample^Petra 12345")

    monkeypatch.setattr("imaging.dicom_facts.read_facts", broken)
    assert sentence_of(tmp_path, named(gradient())) == "This file is damaged and cannot be read."


def test_deflated_size_is_not_taken_from_the_file():
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = bomb.compress(b"\0" * 50_000_000) + bomb.flush()
    limit, dicom.MAX_INFLATED_BYTES = dicom.MAX_INFLATED_BYTES, 1_000_000
    try:
        with pytest.raises(RadiographError):
            dicom._inflate(data)
    finally:
        dicom.MAX_INFLATED_BYTES = limit
