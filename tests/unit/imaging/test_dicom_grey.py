"""From stored values to grey: larger is denser, whatever the file's tables and scales."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from imaging.radiograph import RadiographError, Window
from imaging.windowing import apply_window
from study.package import deidentified
from tests.unit.imaging.dicom_maker import LOSSLESS, dataset, gradient, make, write
from tests.unit.imaging.test_dicom_syntaxes import read


def lookup(entries: np.ndarray, first: int, bits: int, kind: str = "OW", big_endian: bool = False) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) % 65536, first, bits])
    if kind == "US":
        item.add_new("LUTData", "US", [int(entry) for entry in entries])
    else:
        item.add_new("LUTData", "OW", entries.astype(">u2" if big_endian else "<u2").tobytes())
    item.LUTExplanation = "BONE"
    return item


def test_monochrome1_is_turned_over_with_its_windows(tmp_path):
    pixels = gradient(bits=12)
    data = make(pixels, bits=12, PhotometricInterpretation="MONOCHROME1", WindowCenter="1000", WindowWidth="500")
    radiograph = read(tmp_path, data)
    np.testing.assert_array_equal(radiograph.pixels, 4095 - pixels.astype(np.float32))
    assert radiograph.inverted
    assert radiograph.windows[0].levels == (4095 - 1250, 4095 - 750)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_signed_values(tmp_path, bits):
    unsigned = gradient(bits=bits).astype(np.int32)
    pixels = (unsigned - 2 ** (bits - 1)).astype(np.int8 if bits == 8 else np.int16)
    radiograph = read(tmp_path, make(pixels, bits=bits))
    np.testing.assert_array_equal(radiograph.pixels, pixels)


def test_signed_monochrome1_stays_in_its_range(tmp_path):
    pixels = (gradient(bits=12).astype(np.int32) - 2048).astype(np.int16)
    radiograph = read(tmp_path, make(pixels, bits=12, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(radiograph.pixels, -1 - pixels.astype(np.float32))


def test_bits_beyond_the_stored_ones_are_ignored(tmp_path):
    pixels = gradient(bits=12)
    radiograph = read(tmp_path, make(pixels | np.uint16(0xF000), bits=12))
    np.testing.assert_array_equal(radiograph.pixels, pixels)


def test_rescale(tmp_path):
    pixels = gradient(bits=12)
    radiograph = read(tmp_path, make(pixels, bits=12, RescaleSlope="0.5", RescaleIntercept="-100"))
    np.testing.assert_allclose(radiograph.pixels, pixels * 0.5 - 100)


def test_monochrome1_after_rescale_spans_the_rescaled_range(tmp_path):
    pixels = gradient(bits=12)
    data = make(pixels, bits=12, RescaleSlope="2", RescaleIntercept="-100", PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(read(tmp_path, data).pixels, (4095 - pixels.astype(np.float32)) * 2 - 100)


@pytest.mark.parametrize(("slope", "said"), [("0", True), ("1e30", True), ("1", False)])
def test_impossible_rescale_is_said_and_left_out(tmp_path, slope, said):
    pixels = gradient(bits=12)
    radiograph = read(tmp_path, make(pixels, bits=12, RescaleSlope=slope, RescaleIntercept="0"))
    np.testing.assert_array_equal(radiograph.pixels, pixels)
    assert any("rescale" in notice for notice in radiograph.notices) == said


@pytest.mark.parametrize("kind", ["OW", "US"])
@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_modality_lut(tmp_path, syntax, kind):
    pixels = gradient(bits=12)
    entries = (np.arange(4096) ** 2 // 256).astype(np.uint16)
    table = lookup(entries, 0, 16, kind, big_endian=syntax == uid.ExplicitVRBigEndian)
    radiograph = read(tmp_path, make(pixels, syntax, bits=12, ModalityLUTSequence=[table]))
    np.testing.assert_array_equal(radiograph.pixels, entries[pixels])


def test_values_outside_a_table_take_its_ends(tmp_path):
    pixels = gradient(bits=12)
    entries = np.arange(1000, 1100, dtype=np.uint16)
    radiograph = read(tmp_path, make(pixels, bits=12, ModalityLUTSequence=[lookup(entries, 500, 16)]))
    np.testing.assert_array_equal(radiograph.pixels, entries[np.clip(pixels.astype(int) - 500, 0, 99)])


def test_table_for_signed_values(tmp_path):
    pixels = (gradient(bits=12).astype(np.int32) - 2048).astype(np.int16)
    entries = np.arange(4096, dtype=np.uint16)[::-1].copy()
    radiograph = read(tmp_path, make(pixels, bits=12, ModalityLUTSequence=[lookup(entries, -2048, 12)]))
    np.testing.assert_array_equal(radiograph.pixels, entries[pixels.astype(int) + 2048])


def test_voi_lut_is_applied_and_its_range_is_the_window(tmp_path):
    pixels = gradient(bits=12)
    entries = (np.sqrt(np.arange(4096) / 4095) * 1023).astype(np.uint16)
    radiograph = read(tmp_path, make(pixels, bits=12, VOILUTSequence=[lookup(entries, 0, 10)]))
    np.testing.assert_array_equal(radiograph.pixels, entries[pixels])
    assert radiograph.windows[0] == Window(511.5, 1023, "BONE")


def test_voi_lut_with_windows_and_monochrome1(tmp_path):
    pixels = gradient(bits=12)
    entries = (np.arange(4096) // 4).astype(np.uint16)
    data = make(
        pixels,
        bits=12,
        PhotometricInterpretation="MONOCHROME1",
        VOILUTSequence=[lookup(entries, 0, 10), lookup(entries, 0, 10)],
        WindowCenter="2000",
        WindowWidth="800",
    )
    radiograph = read(tmp_path, data)
    np.testing.assert_array_equal(radiograph.pixels, 1023 - entries[pixels].astype(np.float32))
    assert radiograph.windows[1].levels == (1023 - 600, 1023 - 400)
    assert any("2 VOI lookup tables" in notice for notice in radiograph.notices)


def test_packed_8_bit_table(tmp_path):
    pixels = gradient(bits=8)
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [256, 0, 8])
    item.add_new("LUTData", "OW", np.arange(255, -1, -1, dtype=np.uint8).tobytes())
    radiograph = read(tmp_path, make(pixels, VOILUTSequence=[item]))
    np.testing.assert_array_equal(radiograph.pixels, 255 - pixels)


@pytest.mark.parametrize("tag", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("fault", ["short", "no data", "no descriptor", "depth"])
def test_damaged_table_is_said_and_left_out(tmp_path, tag, fault):
    pixels = gradient(bits=12)
    item = lookup(np.arange(4096, dtype=np.uint16), 0, 16)
    if fault == "short":
        item.LUTData = item.LUTData[:100]
    elif fault == "no data":
        del item.LUTData
    elif fault == "no descriptor":
        del item.LUTDescriptor
    else:
        item.LUTDescriptor = [4096, 0, 200]
    radiograph = read(tmp_path, make(pixels, bits=12, **{tag: [item]}))
    np.testing.assert_array_equal(radiograph.pixels, pixels)
    assert any("table is damaged" in notice for notice in radiograph.notices)


def test_several_windows_keep_their_order_and_names(tmp_path):
    data = make(
        gradient(bits=12),
        bits=12,
        WindowCenter=["2000", "1000"],
        WindowWidth=["4000", "500"],
        WindowCenterWidthExplanation=["NORMAL", "SOFT"],
    )
    assert read(tmp_path, data).windows == (Window(2000, 4000, "NORMAL"), Window(1000, 500, "SOFT"))


@pytest.mark.parametrize(
    ("center", "width"), [("100000", "10"), ("2000", "0"), ("2000", "-5"), ("-9000", "100")], ids=str
)
def test_window_that_shows_nothing_is_said_and_left_out(tmp_path, center, width):
    radiograph = read(tmp_path, make(gradient(bits=12), bits=12, WindowCenter=center, WindowWidth=width))
    assert [window.name for window in radiograph.windows] == ["auto"]
    assert any("window of the header" in notice for notice in radiograph.notices)


def test_palette(tmp_path):
    indices = gradient(bits=8)
    ramps = {"Red": np.arange(256), "Green": np.arange(256) // 2, "Blue": 255 - np.arange(256)}
    tags = {}
    for name, ramp in ramps.items():
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tags[f"{name}PaletteColorLookupTableData"] = (ramp * 257).astype("<u2").tobytes()
    radiograph = read(tmp_path, make(indices, PhotometricInterpretation="PALETTE COLOR", **tags))
    expected = 257 * (0.299 * ramps["Red"] + 0.587 * ramps["Green"] + 0.114 * ramps["Blue"])[indices]
    np.testing.assert_allclose(radiograph.pixels, expected, rtol=1e-4, atol=0.1)
    assert "The file is in colour; it is shown in grey." in radiograph.notices


def test_palette_without_tables_is_one_sentence(tmp_path):
    with pytest.raises(RadiographError, match="damaged"):
        read(tmp_path, make(gradient(bits=8), PhotometricInterpretation="PALETTE COLOR"))


def test_colour_by_plane(tmp_path):
    grey = gradient(bits=8)
    colour = np.stack([grey, grey // 2, 255 - grey], axis=-1)
    planes = np.ascontiguousarray(np.moveaxis(colour, -1, 0))
    data = make(colour, PlanarConfiguration=1, PixelData=planes.tobytes())
    np.testing.assert_allclose(read(tmp_path, data).pixels, colour @ np.array([0.299, 0.587, 0.114]), atol=0.01)


def test_one_bit_image(tmp_path):
    mask = gradient(16, 16, bits=8) > 100
    packed = np.packbits(mask.ravel(), bitorder="little").tobytes()
    data = make(mask.astype(np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=packed)
    np.testing.assert_array_equal(read(tmp_path, data).pixels, mask)


def test_float_pixels_with_holes(tmp_path):
    values = gradient(bits=12).astype(np.float32) / 7
    holed = values.copy()
    holed[3, 4], holed[5, 6] = np.nan, np.inf
    header_tags = {"FloatPixelData": holed.tobytes(), "PixelData": None, "BitsAllocated": 32, "BitsStored": None}
    radiograph = read(tmp_path, write(dataset(values.astype(np.uint16), **header_tags)))
    assert np.isfinite(radiograph.pixels).all()
    assert radiograph.pixels[0, 1] == values[0, 1]
    assert any("hold no number" in notice for notice in radiograph.notices)


@pytest.mark.parametrize(("photometric", "shape"), [("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")])
def test_contradictory_grey_scale_is_said(tmp_path, photometric, shape):
    data = make(gradient(), PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    assert any("white" in notice for notice in read(tmp_path, data).notices)


@pytest.mark.parametrize("group", [0x6000, 0x6002, 0x6010, 0x601E])
def test_an_overlay_is_said_whatever_its_group(tmp_path, group):
    header = dataset(gradient())
    header.PixelData = gradient().tobytes()
    header["PixelData"].VR = "OW"
    header.add_new((group << 16) + 0x10, "US", 48)
    assert any("overlay" in notice for notice in read(tmp_path, write(header)).notices)


@pytest.mark.parametrize(("given", "said"), [("YES", True), ("NO", False), (None, False)])
def test_writing_in_the_picture_is_said(tmp_path, given, said):
    notices = read(tmp_path, make(gradient(), BurnedInAnnotation=given)).notices
    assert any("writing is part of the picture" in notice for notice in notices) == said


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_sigmoid_window_is_the_one_of_the_standard(tmp_path, photometric):
    pixels = gradient(bits=12)
    data = make(
        pixels, bits=12, WindowCenter="2000", WindowWidth="900", VOILUTFunction="SIGMOID",
        PhotometricInterpretation=photometric,
    )  # fmt: skip
    radiograph = read(tmp_path, data)
    expected = 255 / (1 + np.exp(-4 * (pixels.astype(float) - 2000) / 900))  # PS3.3 C.11.2.1.3.1
    expected = 255 - expected if photometric == "MONOCHROME1" else expected
    assert np.abs(apply_window(radiograph.pixels, radiograph.windows[0]) - expected).max() <= 1
    assert radiograph.notices == ()


@pytest.mark.parametrize("said", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("used", [8, 10, 12, 14, 16])
def test_the_depth_of_a_voi_lut_is_that_of_its_entries(tmp_path, said, used):
    """Agfa says 16 of tables whose entries have 12: the whole picture came out black."""
    pixels = gradient(bits=12)
    entries = (np.arange(4096) * (2**used - 1) // 4095).astype(np.uint16)
    radiograph = read(tmp_path, make(pixels, bits=12, VOILUTSequence=[lookup(entries, 0, said)]))
    assert radiograph.windows[0].levels == (0, 2**used - 1)
    assert any("its values have" in notice for notice in radiograph.notices) == (said != used)


@pytest.mark.parametrize("bits_used", [12, 16])
def test_monochrome1_with_a_voi_lut_of_another_depth_than_it_says(tmp_path, bits_used):
    pixels = gradient(bits=12)
    entries = (np.arange(4096) * (2**bits_used - 1) // 4095).astype(np.uint16)
    data = make(pixels, bits=12, VOILUTSequence=[lookup(entries, 0, 14)], PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read(tmp_path, data).pixels, 2**bits_used - 1 - entries[pixels].astype(np.float32))


SYNTAXES = [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, *LOSSLESS.values()]


def drawn_above(pixels: np.ndarray, bits: int) -> np.ndarray:
    """The pixels with a drawing in every bit above the stored ones, as old modalities embed their overlays."""
    drawing = np.zeros_like(pixels)
    drawing[10:30, 10:40] = 2**16 - 2**bits
    return pixels | drawing


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [10, 12, 15])
def test_nothing_above_the_stored_bits_is_seen_whatever_the_codec(tmp_path, syntax, signed, bits):
    pixels = gradient(bits=bits)
    held = drawn_above(pixels, bits)
    tags = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": int(signed)}
    radiograph = read(tmp_path, make(held, syntax, bits=16, **tags))
    expected = pixels.astype(np.int32)
    expected = np.where(expected >= 2 ** (bits - 1), expected - 2**bits, expected) if signed else expected
    np.testing.assert_array_equal(radiograph.pixels, expected)
    written, _lossless = deidentified(radiograph)
    np.testing.assert_array_equal(read(tmp_path, written, name="copy.dcm").pixels, expected)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("high_bit", [11, 12, 13, 15])
@pytest.mark.parametrize("below", [0, 1], ids=["empty below", "drawing below"])
def test_the_stored_bits_begin_where_high_bit_says(tmp_path, syntax, high_bit, below):
    pixels = gradient(bits=12)
    lowest = high_bit - 11
    held = (pixels << np.uint16(lowest)) | np.uint16(below * (2**lowest - 1))
    radiograph = read(tmp_path, make(held, syntax, bits=16, BitsStored=12, HighBit=high_bit))
    np.testing.assert_array_equal(radiograph.pixels, pixels)
    assert radiograph.notices == ()


@pytest.mark.parametrize("signed", [False, True])
def test_high_bit_that_the_values_contradict(tmp_path, signed):
    pixels = gradient(bits=12)
    radiograph = read(tmp_path, make(pixels, bits=12, BitsStored=12, HighBit=15, PixelRepresentation=int(signed)))
    np.testing.assert_array_equal(radiograph.pixels.astype(int) & 0xFFF, pixels)
    assert any("stored bits were believed" in notice for notice in radiograph.notices)


def ringed(pixels: np.ndarray, value: int) -> tuple[np.ndarray, np.ndarray]:
    """(the pixels with `value` around them and in one place within, where it is around them)"""
    around = np.ones(pixels.shape, bool)
    around[6:-6, 8:-8] = False
    framed = pixels.copy()
    framed[around] = value
    framed[20:24, 30:36] = value
    return framed, around


@pytest.mark.parametrize(
    "syntax", [*SYNTAXES[:3], uid.RLELossless, uid.JPEG2000Lossless], ids=lambda syntax: syntax.name
)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("bits", "signed", "value", "limit"),
    [
        (12, False, 0, None), (12, False, 4095, None), (16, False, 65535, None), (8, False, 255, None),
        (12, True, -2048, None), (16, True, -2000, -1000), (16, True, -1000, -2000), (12, False, 65535, None),
    ],
)  # fmt: skip
def test_padding_is_dark_and_takes_no_part(tmp_path, syntax, photometric, bits, signed, value, limit):
    inside = gradient(bits=7).astype(np.int32) + 60
    pixels, around = ringed(inside, value)
    kind = {(8, False): np.uint8, (8, True): np.int8, (16, False): np.uint16, (16, True): np.int16}[
        max(8, 8 * -(-bits // 8)), signed
    ]
    tags = {"PixelPaddingValue": value, "PixelPaddingRangeLimit": limit, "PhotometricInterpretation": photometric}
    held = (pixels & 0xFFFF).astype(np.uint16).view(kind) if kind != np.uint8 else pixels.astype(kind)
    if syntax.is_encapsulated and signed:
        held = (pixels & (2**bits - 1)).astype(np.uint16)
    if syntax.is_encapsulated and value == 65535 and bits == 12:
        pytest.skip("the encoders hold no more than the stored bits")
    data = make(held, syntax, bits=bits, PixelRepresentation=int(signed), **tags)
    radiograph = read(tmp_path, data)
    assert radiograph.padding is not None
    np.testing.assert_array_equal(radiograph.padding, around)
    image = radiograph.pixels[~around]
    assert (radiograph.pixels[around] == image.min()).all()
    assert (apply_window(radiograph.pixels, radiograph.windows[0])[around] == 0).all()
    # what has the value within the image stays: it may be metal that saturates the detector
    metal = radiograph.pixels[20:24, 30:36]
    assert metal.min() == metal.max()
    assert metal[0, 0] in (image.min(), image.max())
    low, high = radiograph.windows[0].levels
    assert high - low <= 130


def test_a_padding_value_that_no_pixel_has_changes_nothing(tmp_path):
    plain, padded = (
        read(tmp_path, make(gradient(bits=12) // 2 + 9, bits=12, PixelPaddingValue=given)) for given in (None, 0)
    )
    assert padded.padding is None
    np.testing.assert_array_equal(plain.pixels, padded.pixels)


@pytest.mark.parametrize("signed", [False, True])
def test_the_largest_32_bit_number_stands_for_none(tmp_path, signed):
    inside = gradient(bits=12).astype(np.int64)
    value = -(2**31) if signed else 2**32 - 1
    pixels, around = ringed(inside, value)
    pixels = pixels.astype(np.int32 if signed else np.uint32)
    radiograph = read(tmp_path, make(pixels, PixelPaddingValue=-32768 if signed else 65535))
    assert radiograph.padding is not None
    assert radiograph.padding[around].all()
    assert radiograph.windows[0].levels[1] <= 4095
    assert radiograph.pixels.min() >= 0


@pytest.mark.parametrize("keyword", ["Float", "DoubleFloat"])
@pytest.mark.parametrize("hole", [-9999.0, np.nan, np.inf, -np.inf, "most"])
def test_float_padding(tmp_path, keyword, hole):
    kind = np.float32 if keyword == "Float" else np.float64
    value = -np.finfo(kind).max if hole == "most" else hole
    pixels = gradient(bits=12).astype(kind) / 7
    pixels[:9] = value
    bits = 8 * pixels.dtype.itemsize
    tags = {
        f"{keyword}PixelData": pixels.tobytes(),
        "PixelData": None,
        "BitsAllocated": bits,
        "BitsStored": None,
        "HighBit": None,
    }
    if hole == -9999:
        tags[f"{keyword}PixelPaddingValue"] = value
    radiograph = read(tmp_path, write(dataset(gradient(), **tags)))
    assert radiograph.padding is not None
    assert radiograph.padding[:9].all()
    assert not radiograph.padding[9:].any()
    assert np.isfinite(radiograph.pixels).all()
    low, high = radiograph.windows[0].levels
    assert 0 <= low < high <= 4095 / 7 + 1


@pytest.mark.parametrize(
    ("tags", "inverted", "doubtful"),
    [
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, True, False),
        ({"PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "IDENTITY"}, False, False),
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"}, False, True),
        ({"PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "INVERSE"}, True, True),
        ({"PresentationIntentType": "FOR PROCESSING", "PixelIntensityRelationshipSign": 1}, True, True),
        ({"PresentationIntentType": "FOR PROCESSING", "PixelIntensityRelationshipSign": -1}, False, False),
        ({"PresentationIntentType": "FOR PRESENTATION", "PixelIntensityRelationshipSign": 1}, False, False),
        (
            {
                "PhotometricInterpretation": "MONOCHROME1",
                "PresentationIntentType": "FOR PROCESSING",
                "PixelIntensityRelationshipSign": 1,
            },
            True,
            False,
        ),
        (
            {
                "PhotometricInterpretation": "MONOCHROME1",
                "PresentationIntentType": "FOR PROCESSING",
                "PixelIntensityRelationshipSign": -1,
            },
            False,
            True,
        ),
    ],
)
@pytest.mark.parametrize("syntax", [uid.ExplicitVRBigEndian, uid.JPEGLossless])
def test_polarity_and_its_doubts(tmp_path, syntax, tags, inverted, doubtful):
    pixels = gradient(bits=12)
    radiograph = read(tmp_path, make(pixels, syntax, bits=12, **tags))
    assert (radiograph.inverted, radiograph.polarity_doubtful) == (inverted, doubtful)
    np.testing.assert_array_equal(radiograph.pixels, 4095.0 - pixels if inverted else pixels)
    assert bool(radiograph.notices) == doubtful


@pytest.mark.parametrize(("bottom", "shows"), [(4000, True), (1300, True), (1001, False), (1050, False)])
def test_a_window_that_touches_the_image_by_a_hair_is_left_out(tmp_path, bottom, shows):
    pixels = np.maximum(gradient(bits=12), 1000)
    data = make(pixels, bits=12, WindowCenter=str(bottom / 2), WindowWidth=str(bottom))
    radiograph = read(tmp_path, data)
    assert (radiograph.windows[0].name == "window 1") == shows
