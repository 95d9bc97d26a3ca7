"""From stored values to grey: larger is denser, whatever the file's tables and scales."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from imaging.radiograph import RadiographError, Window
from tests.unit.imaging.dicom_maker import dataset, gradient, make, write
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


def test_what_is_left_out_is_said(tmp_path):
    header = dataset(gradient(), VOILUTFunction="SIGMOID", WindowCenter="30000", WindowWidth="9000")
    header.PixelData = gradient().tobytes()
    header["PixelData"].VR = "OW"
    header.add_new(0x60000010, "US", 48)
    notices = read(tmp_path, write(header)).notices
    assert any("sigmoid" in notice for notice in notices)
    assert any("overlay" in notice for notice in notices)
