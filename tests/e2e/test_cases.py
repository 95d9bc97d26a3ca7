"""Every input that was made after a public bug report: what its README says is right, is what happens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from imaging.orientation import ASSUMED_SIDES
from imaging.radiograph import Radiograph, RadiographError, Side, SpacingSource, View
from imaging.reader import read_radiograph
from imaging.sources import find_sources
from imaging.windowing import apply_window, full_window
from inference.classifier import Classifier
from inference.model_bundle import load_bundle
from inference.prediction import Decision
from tests import dcmtk

SHIPPED = Path(__file__).resolve().parents[2] / "resources" / "models" / "lucency-1"
WINDOW, TABLE, WHOLE = ("+Wi", "1"), ("+Wl", "1"), ("+Wm",)
CALIBRATED, DETECTOR, NONE = SpacingSource.CALIBRATED, SpacingSource.DETECTOR, SpacingSource.NONE
TURNED = "turned as its camera noted"
LOSS = "compressed with loss"


@dataclass(frozen=True)
class Right:
    """What is right for one file. `like` names a file of the same folder whose picture it shares within one grey level."""

    name: str
    like: str = ""
    within: float = 1.0  # grey levels, to `like`
    dcmtk: tuple[str, ...] = ()  # options with which dcmtk shows the same within one grey level
    mean: float | None = None  # of what is shown
    said: str = ""  # in a notice; "-" where there must be none
    error: str = ""  # in the sentence, where the file does not open
    spacing_mm: float | None = None
    source: SpacingSource | None = None
    shape: tuple[int, int] | None = None
    view: View | None = None
    side: Side | None = None
    frames: int = 1


def _all(folder: str, *rights: Right) -> list[tuple[str, Right]]:
    return [(folder, right) for right in rights]


CASES = [
    *_all(
        "01-presentation-lut-shape",
        Right("a-mono2-identity.dcm", dcmtk=WINDOW, said="-"),
        Right("b-mono1-inverse.dcm", like="a-mono2-identity.dcm", dcmtk=WINDOW, said="-"),
        Right("c-mono2-inverse.dcm", like="a-mono2-identity.dcm", dcmtk=WINDOW, said="which end of the grey scale"),
    ),
    *_all(
        "02-voi-sigmoid",
        Right("a-sigmoid.dcm", dcmtk=WINDOW, said="-"),
        Right("c-linear-exact.dcm", dcmtk=WINDOW, said="-"),
        Right("d-empty-function.dcm", dcmtk=WINDOW, said="-"),
    ),
    *_all(
        "03-voi-lut-depth",
        Right("a-12bit-said-12.dcm", mean=102, dcmtk=TABLE, said="-"),
        Right("b-agfa-12bit-data-said-16.dcm", like="a-12bit-said-12.dcm", said="its values have 12"),
        Right("d-16bit-said-16.dcm", like="a-12bit-said-12.dcm", dcmtk=TABLE, said="-"),
        Right("f-pr79-2065-736-16.dcm", mean=122, said="its values have 12"),
    ),
    *_all(
        "04-pixel-padding",
        *(
            Right(name, like="a-mono2-pad0.dcm", within=2, mean=61.5, said="-")
            for name in (
                "a-mono2-pad0.dcm", "b-mono1-pad4095.dcm", "c-mono1-pad0.dcm", "d-signed-range.dcm",
                "e-32bit-pad-min.dcm", "g-mono2-pad65535.dcm",
            )
        ),
    ),
    *_all(
        "05-intensity-sign-for-processing",
        Right("a-mono2-presentation.dcm", said="-"),
        Right("b-mono1-presentation.dcm", like="a-mono2-presentation.dcm", said="-"),
        Right("c-raw-lin-plus1-mono2.dcm", said="black and white were swapped"),
        Right("e-raw-log-minus1-mono2.dcm", like="a-mono2-presentation.dcm", said="-"),
        Right("f-mono2-inverse-data-inverted.dcm", like="a-mono2-presentation.dcm", said="which end of the grey scale"),
    ),
    *_all("06-mono1-window", *(Right(name, dcmtk=WINDOW, said="-") for name in (
        "a-mono2.dcm", "b-mono1.dcm", "d-mono2-negative-slope.dcm", "e-16bit-mono1-15bits.dcm"))),
    *_all(
        "07-window-values",
        Right("a-zero.dcm", mean=68.5, said="shows nothing"),
        Right("b-one.dcm", mean=69.7, said="-"),
        Right("d-two.dcm", mean=69.7, said="-"),
        Right("e-empty.dcm", mean=68.5, said="-"),
        Right("g-float.dcm", dcmtk=WINDOW, said="-"),
        Right("h-exp.dcm", dcmtk=WINDOW, said="-"),
        Right("j-multi-uneven.dcm", dcmtk=WINDOW, said="-"),
        Right("k-window-below-pixels.dcm", mean=68.5, said="shows nothing"),
        Right("m-window-touches.dcm", mean=68.5, said="shows nothing"),
        Right("o-bits1-in-8.dcm", mean=62.2, said="-"),
        Right("p-uniform.dcm", said="-"),
    ),
    *_all(
        "08-high-bit",
        Right("a-12of16-high11.dcm", dcmtk=WINDOW, mean=105, said="-"),
        Right("b-12of16-high15.dcm", like="a-12of16-high11.dcm", dcmtk=WINDOW, said="-"),
        Right("d-12of16-high12.dcm", like="a-12of16-high11.dcm", dcmtk=WINDOW, said="-"),
        # dcmtk shows this one black: the header is wrong, and the values show it.
        Right("f-high15-said-data-low.dcm", like="a-12of16-high11.dcm", said="stored bits were believed"),
    ),
    *_all(
        "09-signed",
        Right("a-signed12in16-signext.dcm", dcmtk=WINDOW, said="-"),
        Right("b-signed12in16-zerotop.dcm", like="a-signed12in16-signext.dcm", dcmtk=WINDOW, said="-"),
        Right("d-signed-mono1.dcm", dcmtk=WHOLE, said="-"),
        Right("e-signed7in8.dcm", dcmtk=WHOLE, said="-"),
        Right("g-signed-j2k-unsigned-stream.dcm", like="h-signed-ljpeg.dcm", said="-"),
        Right("h-signed-ljpeg.dcm", dcmtk=WHOLE, said="-"),
    ),
    *_all(
        "10-overlays",
        Right("a-6000.dcm", dcmtk=WINDOW, said="overlay"),
        Right("b-6002-only.dcm", dcmtk=WINDOW, said="overlay"),
        Right("d-embedded-bit12.dcm", dcmtk=WINDOW, said="overlay"),
        Right("f-embedded-no-group.dcm", dcmtk=WHOLE, said="-"),
        Right("g-signed-embedded.dcm", dcmtk=WINDOW, said="overlay"),
        Right("i-embedded-j2k16.dcm", like="a-6000.dcm", said="overlay"),
        Right("k-embedded-rle.dcm", dcmtk=WINDOW, said="overlay"),
    ),
    *_all(
        "11-lut-sign",
        Right("a-mlut-signed-ss.dcm", dcmtk=WHOLE, said="-"),
        Right("b-vlut-signed-ss.dcm", dcmtk=TABLE, said="-"),
        Right("d-vlut-65536-signed.dcm", dcmtk=TABLE, said="-"),
        Right("e-mlut-count-as-ss.dcm", dcmtk=WHOLE, said="-"),
        Right("g-mlut-12bits.dcm", dcmtk=WHOLE, said="-"),
        Right("h-vlut-falling.dcm", dcmtk=TABLE, said="-"),
    ),
    *_all(
        "12-bits-allocated",
        Right("a-j2k8-in-16-stored8.dcm", like="b-ljpeg8-in-16-stored8.dcm", said="-"),
        Right("b-ljpeg8-in-16-stored8.dcm", dcmtk=WHOLE, said="-"),
        Right("d-12bit-packed.dcm", error="packs its pixels into 12 bits"),
        Right("e-j2k-precision16-stored12.dcm", like="f-ljpeg-precision16-stored12.dcm", said="-"),
        Right("f-ljpeg-precision16-stored12.dcm", dcmtk=WHOLE, said="-"),
        Right("g-jpeg8-header-12.dcm", dcmtk=WHOLE, said="only 8"),
        Right("j-jpegext-8bit-stream.dcm", dcmtk=WHOLE, said=LOSS),
        Right("k-jls-near3.dcm", said=LOSS),
        Right("l-htj2k-lossless.dcm", like="f-ljpeg-precision16-stored12.dcm", said="-"),
        Right("o-ljpeg-padding.dcm", like="f-ljpeg-precision16-stored12.dcm", dcmtk=WHOLE, said="-"),
        Right("p-two-fragments.dcm", like="f-ljpeg-precision16-stored12.dcm", dcmtk=WHOLE, said="-"),
    ),
    *_all(
        "13-ge-private-ts",
        Right("a-16bit-big-endian-pixels.dcm", dcmtk=WINDOW, mean=105, said="-"),
        # dcmtk swaps the bytes of 8-bit pixels as well.
        Right("b-8bit.dcm", mean=105, said="-"),
    ),
    *_all(
        "14-new-syntaxes",
        Right("a-jxl-lossless.dcm", error="(JPEG XL Lossless)"),
        Right("d-encapsulated-uncompressed.dcm", mean=68.5, said="-"),
        Right("f-jpeg2000-part2.dcm", error="(JPEG 2000 Part 2"),
        Right("g-mpeg4.dcm", error="(MPEG-4"),
        Right("i-smpte-st2110.dcm", error="(SMPTE"),
        Right("j-papyrus-private.dcm", mean=68.5, said="1.2.840.10008.1.20"),
        Right("k-jpeg-progressive-57.dcm", dcmtk=WHOLE, said=LOSS),
    ),
    *_all("15-decimal-strings", *(
        Right(name, spacing_mm=0.143, source=CALIBRATED, said=said)
        for name, said in (
            ("_base.dcm", "-"), ("a-pixelspacing-comma.dcm", "-"), ("c-windowcenter-comma.dcm", "-"),
            ("e-pixelspacing-ut.dcm", "-"), ("f-pixelspacing-lo.dcm", "-"), ("g-long-ds.dcm", "-"),
            ("i-single.dcm", "lengths are in calibrated millimetres"), ("k-nul-padded.dcm", "-"), ("m-exp.dcm", "-"),
        )
    ), Right("o-frames-1.0.dcm", said="-"), Right("p-frames-padded.dcm", said="-")),
    *_all(
        "16-spacing",
        Right("a-imager-only.dcm", spacing_mm=0.15, source=DETECTOR, dcmtk=WHOLE),
        Right("b-imager-ermf.dcm", spacing_mm=0.15, source=DETECTOR, said="at the detector"),
        Right("d-equal-geometry.dcm", spacing_mm=0.15, source=DETECTOR, said="equals the detector's"),
        Right("e-fiducial.dcm", spacing_mm=0.125, source=CALIBRATED, said="-"),
        Right("g-nominal-scanned.dcm", spacing_mm=0.0846, source=DETECTOR, said="film scanner"),
        Right("h-nonsquare-imager.dcm", spacing_mm=0.1, source=DETECTOR, said="not square", shape=(192, 128)),
        Right("j-pixel-larger-than-imager.dcm", spacing_mm=0.15, source=DETECTOR, said="contradict"),
        Right("k-1mm-placeholder.dcm", source=NONE, said="lengths are in pixels"),
        Right("m-nominal+pixel-fiducial.dcm", spacing_mm=0.07, source=CALIBRATED),
        Right("n-imager-10um-in-cm.dcm", spacing_mm=0.015, source=DETECTOR, said="millimetres at the detector"),
    ),
    *_all(
        "17-pixel-aspect",
        Right("a-aspect-2-1.dcm", said="not square", shape=(200, 200)),
        Right("b-imager-0.2-0.1.dcm", like="a-aspect-2-1.dcm", said="not square", shape=(200, 200), spacing_mm=0.1),
        Right("d-aspect-1-1.dcm", said="-", shape=(200, 200), dcmtk=WHOLE),
    ),
    *_all("18-orientation", *(Right(name, dcmtk=WINDOW) for name in ("a-L-F-standard.dcm", "e-no-orientation.dcm"))),
    *_all(
        "19-laterality",
        Right("a-image-R-series-L.dcm", side=Side.UNKNOWN, said="contradict each other about the side"),
        Right("b-lateral-word.dcm"),
        Right("d-frame-laterality.dcm"),
        Right("e-anatomic-modifier-right.dcm"),
        Right("g-view-code-only-lateral.dcm", view=View.LATERAL),
        Right("h-view-frog.dcm", view=View.OTHER),
        Right("j-orientation-lateral-view.dcm"),
        Right("k-series-description-lateral.dcm"),
        Right("m-view-code-sct-272479007-PA.dcm", view=View.OTHER),
        Right("n-view-ap-lowercase.dcm", view=View.AP),
    ),
    *_all("22-charsets", *(Right(name, dcmtk=WHOLE, said="-") for name in (
        "a-utf8.dcm", "b-gb18030.dcm", "d-gbk-under-latin1.dcm", "e-jis-ir87.dcm", "g-korean-ir149.dcm",
        "h-korean-no-esc.dcm", "j-cyrillic.dcm", "k-greek.dcm", "m-hebrew.dcm", "n-thai.dcm", "p-latin5-turkish.dcm",
        "q-no-charset-latin1-bytes.dcm", "t-misspelt.dcm", "u-misspelt2.dcm", "w-gb2312-ir58.dcm"))),
    *_all(
        "23-jpeg-colour",
        Right("a-ybr-stream-ybr-header.dcm", dcmtk=("+Pc",), said=LOSS),
        *(
            Right(name, like="a-ybr-stream-ybr-header.dcm", within=2)
            for name in (
                "b-ybr-stream-rgb-header.dcm", "e-rgb-stream-no-app14.dcm", "f-rgb-stream-ybr-header.dcm", "g-ljpeg-rgb.dcm",
                "i-j2k-rct.dcm", "j-j2k-rct-header-rgb.dcm", "l-jls-rgb.dcm", "m-ybr-full-native.dcm", "o-ybr-420.dcm",
            )
        ),
        Right("p-argb.dcm", error="4 samples per pixel"),
    ),
    *_all(
        "24-fragments",
        *(Right(name, like="x-fffc-padding.dcm", dcmtk=WHOLE, frames=3, said="-") for name in (
            "a-one-fragment-each-empty-bot.dcm", "b-two-fragments-each-empty-bot.dcm", "d-two-fragments-bot.dcm",
            "h-extended-offset-table.dcm")),
        Right("e-frames-missing-tag-but-3.dcm", like="x-fffc-padding.dcm"),
        Right("g-bot-wrong.dcm", like="x-fffc-padding.dcm", frames=3),
        Right("i-rle-1k-fragments.dcm", like="x-fffc-padding.dcm", dcmtk=WHOLE),
        Right("l-single-no-delimiter.dcm", like="x-fffc-padding.dcm", said="may be incomplete"),
        Right("n-single-32-nulls.dcm", like="x-fffc-padding.dcm", said="may be incomplete"),
        Right("o-single-cut-in-half.dcm", error="incomplete"),
        Right("p-baseline-no-eoi.dcm", error="incomplete"),
        Right("q-ljpeg-no-eoi.dcm", error="incomplete"),
        Right("s-jls8-in-16-stored8.dcm", mean=68.1, said="-"),
        Right("t-item-ended-by-sequence-delimiter.dcm", error="its DICOM header cannot be read"),
        Right("u-only-icon.dcm", error="incomplete"),
        Right("w-native-trailing-garbage.dcm", like="x-fffc-padding.dcm", dcmtk=WHOLE),
        Right("x-fffc-padding.dcm", dcmtk=WHOLE, mean=68.5),
    ),
    *_all(
        "25-functional-groups",
        Right("a-shared-window.dcm", mean=22, said="-"),
        Right("c-shared-rescale-window.dcm", mean=104.6, said="-"),
        Right("d-root-wins.dcm", dcmtk=WINDOW, said="-"),
    ),
    *_all(
        "26-exif",
        Right("jpeg-1.jpg", mean=105, said="-"),
        *(Right(f"jpeg-{number}.jpg", like="jpeg-1.jpg", within=4, said=TURNED) for number in (2, 4, 5, 7, 8)),
        *(Right(name, like="jpeg-1.jpg", within=4, said=TURNED) for name in ("png8-3.png", "tiff8-3.tif", "tiff8-6.tif")),
        Right("png16-6.png", mean=68.5, said=TURNED),
        *(
            Right(name, like="png16-6.png", said=TURNED)
            for name in ("png16rgb-3.png", "tiff16-3.tif", "tiff16-whiteiszero-3.tif", "tiff16rgb-3.tif")
        ),
    ),
    *_all(
        "27-png",
        *(Right(name, mean=68.5, said="-") for name in (
            "a-16bit-12used.png", "b-16bit-full.png", "d-16bit-rgba.png", "k-16bit-sbit12.png")),
        Right("e-1bit.png", mean=62.2, said="-"),
        Right("g-4bit.png", mean=103.6, said="-"),
        *(Right(name, mean=105, said="-") for name in ("h-grey-trns.png", "m-broken-icc.png", "p-cgbi-ios.png")),
        Right("n-apng.png", mean=105, frames=2),
        Right("j-palette-alpha.png", mean=104.3, said="transparent"),
    ),
    *_all(
        "28-tiff",
        *(Right(name, mean=68.5, said="-") for name in (
            "a-int16-signed.tif", "b-int16-signed-be.tif", "c-int16-signed-whiteiszero.tif", "e-uint16-whiteiszero-be.tif",
            "f-float01.tif", "k-float64.tif", "m-int32-signed.tif", "v-16-lzw.tif", "w-16-zstd.tif", "z5-grey-alpha16.tif",
            "z7-rgb16-be.tif", "zz-half-float.tif")),
        Right("i-float-nan.tif", mean=65.6, said="hold no number"),
        *(Right(name, mean=105, said="-") for name in (
            "o-int8-signed.tif", "s-rgb8-lzw.tif", "t-rgb8-jpeg.tif", "z3-palette-inverted.tif")),
        *(Right(name, mean=62.2, said="-") for name in ("p-1bit-blackiszero.tif", "q-1bit-whiteiszero.tif")),
        Right("y-lab.tif", mean=105, said="in colour"),
        Right("z1-multipage.tif", mean=105, frames=3),
        Right("z8-4bit-whiteiszero.tif", mean=103.6, said="-"),
    ),
    *_all(
        "29-jpeg",
        *(Right(name, mean=105) for name in (
            "a-cmyk-pillow.jpg", "b-rgb.jpg", "d-rgb-adobe-transform0.jpg", "e-rgb-ids-no-adobe.jpg", "j-trailing-garbage.jpg",
            "k-cmyk-no-adobe.jpg", "v-24bit.bmp", "w-1bit.bmp", "y-jpeg-named.dcm")),
        Right("g-lossless-12.jpg", mean=68.5),
        Right("h-jpegls-12.jls", mean=68.5),
        Right("l-jp2.jp2", error="a JPEG 2000 picture"),
        Right("n.webp", error="a WebP picture"),
        Right("o.gif", error="a GIF picture"),
        Right("q.heic", error="a HEIC picture"),
        Right("s.mha", error="not an image that the program can read"),
        Right("t.nrrd", error="not an image that the program can read"),
    ),
    *_all(
        "39-public-samples",
        Right("b-jls-plain.dcm", mean=68.5, said="-"),
        Right("c-j2k-signed-stream-unsigned-header.dcm", like="d-j2k-signed-stream-signed-header.dcm", said="unsigned"),
        Right("d-j2k-signed-stream-signed-header.dcm", mean=105, said="-"),
        Right("e-two-transfer-syntaxes.dcm", dcmtk=WHOLE, said="their compression was recognised"),
    ),
]  # fmt: skip


def opened(path: Path) -> Radiograph:
    if not path.is_file():
        pytest.skip(f"{path.name} is absent")
    return read_radiograph(path)


def shown(radiograph: Radiograph) -> np.ndarray:
    return apply_window(radiograph.pixels, radiograph.windows[0]).astype(np.int16)


@pytest.mark.parametrize(("folder", "right"), CASES, ids=[f"{folder[:2]} {right.name}" for folder, right in CASES])
def test_case(cases, folder, right):
    path = cases / folder / right.name
    if right.error:
        with pytest.raises(RadiographError) as caught:
            opened(path)
        assert right.error in caught.value.sentence
        return
    radiograph = opened(path)
    picture = shown(radiograph)
    if right.like:
        assert np.abs(picture - shown(opened(cases / folder / right.like))).max() <= right.within
    if right.mean is not None:
        assert picture.mean() == pytest.approx(right.mean, abs=1)
    # Most of these files leave the orientation open; what is said of that has tests of its own.
    notices = tuple(notice for notice in radiograph.notices if notice != ASSUMED_SIDES)
    if right.said == "-":
        assert notices == ()
    else:
        assert right.said in " ".join(notices)
    if right.spacing_mm is not None:
        assert radiograph.spacing_mm == pytest.approx((right.spacing_mm, right.spacing_mm))
    assert right.source in (None, radiograph.spacing_source)
    assert right.shape in (None, radiograph.shape)
    assert right.view in (None, radiograph.view)
    assert right.side in (None, radiograph.side)
    assert radiograph.frame_count == right.frames


@pytest.mark.skipif(not dcmtk.is_installed(), reason="dcm2pnm of dcmtk is absent")
@pytest.mark.parametrize(
    ("folder", "right"),
    [(folder, right) for folder, right in CASES if right.dcmtk],
    ids=[f"{folder[:2]} {right.name}" for folder, right in CASES if right.dcmtk],
)
def test_case_looks_as_in_dcmtk(cases, folder, right):
    radiograph = opened(cases / folder / right.name)
    expected = dcmtk.picture(cases / folder / right.name, *right.dcmtk)
    if expected is None:
        pytest.skip("this dcmtk does not read it")
    window = radiograph.windows[0]
    if right.dcmtk == WHOLE:
        window = full_window(float(radiograph.pixels.min()), float(radiograph.pixels.max()))
    assert np.abs(apply_window(radiograph.pixels, window).astype(np.int16) - expected).max() <= 1


@pytest.mark.parametrize(
    "folder",
    [
        "a-plain",
        "b-with-dcm-extension",
        "d-iso9660-version",
        "f-renamed-dicomdir",
        "h-files-flat",
        "j-leading-dot-slash",
    ],
)
def test_dicomdir(cases, folder):
    disc = cases / "20-dicomdir" / folder
    if not disc.is_dir():
        pytest.skip(f"{folder} is absent")
    [directory] = [path for path in disc.iterdir() if path.name.upper().startswith("DICOMDIR")]
    for given in (directory, disc):
        found = list(find_sources([given]))
        assert len(found) == 2
        assert all(read_radiograph(source).shape == (64, 64) for source in found)


@pytest.mark.parametrize("name", ["a-aspect-2-1.dcm", "b-imager-0.2-0.1.dcm", "d-aspect-1-1.dcm"])
def test_a_disc_is_round(cases, name):
    disc = shown(opened(cases / "17-pixel-aspect" / name)) > 127
    rows, cols = np.flatnonzero(disc.any(axis=1)), np.flatnonzero(disc.any(axis=0))
    height, width = np.ptp(rows) + 1, np.ptp(cols) + 1
    assert height == pytest.approx(width, abs=2)
    assert disc.sum() == pytest.approx(np.pi / 4 * height * width, rel=0.02)


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("a-cp437.zip", ["Hüfte_rechts.dcm"]),
        ("b-utf8-flag.zip", ["股関節.dcm"]),
        ("c-utf8-no-flag-mac.zip", ["Hüfte.dcm"]),
        ("f-duplicate-names.zip", ["IM0001.dcm", "IM0001.dcm (2)"]),
        ("g-nested.zip", {"study.zip": "is a ZIP archive"}),
        ("h-deflate64.zip", {"IM0001.dcm": "This way of packing (Deflate64) is not known here"}),
        ("i-aes.zip", {"IM0001.dcm": "encrypted"}),
        ("k-only-text.zip", []),
        ("l-dicomdir-and-files.zip", ["PT0/IM0"]),
        ("n-folder-entries.zip", ["a/b/IM1"]),
        ("o-trailing-space-name.zip", ["IM 1 .dcm "]),
        ("r-stored-bad-crc.zip", {"IM1": "damaged"}),
    ],
)
def test_archive(cases, name, members):
    path = cases / "21-zip" / name
    if not path.is_file():
        pytest.skip(f"{name} is absent")
    found = list(find_sources([path]))
    assert [source.member for source in found] == list(members)
    for source in found:
        if isinstance(members, dict):
            with pytest.raises(RadiographError) as caught:
                read_radiograph(source)
            assert members[source.member] in caught.value.sentence
        else:
            assert read_radiograph(source).shape == (64, 64)


def test_a_chinese_name_without_its_escape_codes(cases):
    assert opened(cases / "22-charsets" / "w-gb2312-ir58.dcm").patient_name == "Zhang^XiaoDong=张^小东"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_bundle(SHIPPED), "cpu", cpu_threads=1)


@pytest.mark.parametrize("folder", ["05-intensity-sign-for-processing", "45-cnn-encoding-invariance"])
def test_the_cnn_gives_one_answer_whatever_the_encoding(cases, classifier, folder):
    """Pixels that are not there, or were resampled, may move it a little; nothing else may at all."""
    paths = sorted((cases / folder).glob("*"))
    if not paths:
        pytest.skip(f"{folder} is absent")
    expected = 0.9972 if folder.startswith("45") else 0.9971
    for path in paths:
        [prediction] = classifier.assess(read_radiograph(path))
        altered = any(word in path.name for word in ("padding", "aspect", "raw-lin"))
        assert prediction.decision is Decision.LOOSE, path.name
        assert prediction.probability == pytest.approx(expected, abs=2e-3 if altered else 1e-4), path.name
