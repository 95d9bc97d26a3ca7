"""Public DICOM samples beside an independent decoder: no difference, or a reason. `pytest -s` prints the comparison."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest

from imaging.radiograph import RadiographError
from imaging.reader import read_radiograph
from imaging.windowing import apply_window, full_window
from tests import dcmtk

# Where ours is right, and why.
REASONS = {
    "SC_ybr_full_422_uncompressed.dcm": "our grey is the luma that is stored; dcmtk goes through RGB and rounds twice",
    "rtdose_expb.dcm": "the values are those of rtdose.dcm; dcmtk swaps the halves of big-endian 32-bit values",
    "rtdose_expb_1frame.dcm": "the values are those of rtdose_1frame.dcm; dcmtk swaps the halves of 32-bit values",
    "color-pl.dcm": "its pixels are 4 : 3 and become square; dcmtk was asked to leave them",
}


def compared(path: Path) -> str:
    """One line; it begins with "differs" where the two decoders disagree by more than a grey level."""
    try:
        radiograph = read_radiograph(path)
    except RadiographError as error:
        return f"{'differs: not opened' if dcmtk.picture(path, '+Wm') is not None else 'neither opens it'}: {error}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    window, options = radiograph.windows[0], ("+Wi", "1")
    if header.get("SamplesPerPixel") == 3 or header.get("PhotometricInterpretation") == "PALETTE COLOR":
        window, options = radiograph.windows[-1], ()
    elif header.get("VOILUTSequence"):
        options = ("+Wl", "1")
    elif window.name == "auto":
        window, options = full_window(float(radiograph.pixels.min()), float(radiograph.pixels.max())), ("+Wm",)
    expected = dcmtk.picture(path, *options)
    if expected is None:
        return "dcmtk does not read it"
    if expected.shape != radiograph.shape:
        return f"differs: {radiograph.shape} against {expected.shape}"
    difference = int(np.abs(apply_window(radiograph.pixels, window).astype(int) - expected).max())
    return f"{'equal' if difference <= 1 else 'differs'}: at most {difference} of 255"


@pytest.mark.skipif(not dcmtk.is_installed(), reason="dcm2pnm of dcmtk is absent")
def test_an_independent_decoder_sees_the_same(corpus):
    shipped = Path(pydicom.__file__).parent / "data" / "test_files"
    paths = [path for folder in (corpus / "radiographs", corpus / "varied", shipped) for path in folder.rglob("*.dcm")]
    lines = {path: compared(path) for path in sorted(paths)}
    for path, line in lines.items():
        print(f"{path.name:45} {line} {REASONS.get(path.name, '')}")
    assert sum(line.startswith("equal") for line in lines.values()) >= 10
    assert {path.name for path, line in lines.items() if line.startswith("differs")} <= set(REASONS)
