"""Whatever bytes arrive, a Radiograph or a RadiographError comes out, and nothing else."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid

from imaging.radiograph import Radiograph, RadiographError
from imaging.reader import read_radiograph
from tests.unit.imaging.dicom_maker import gradient, make


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(gradient(16, 16, bits=8)).save(stream, kind)
    return stream.getvalue()


SYNTAXES = [
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
    uid.JPEGLosslessSV1,
    uid.JPEGBaseline8Bit,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
]
TAGS = {
    "PatientName": "Sample^Petra",
    "PixelSpacing": [0.2, 0.2],
    "WindowCenter": "100",
    "WindowWidth": "200",
    "Laterality": "R",
    "StudyDate": "20240131",
    "RescaleSlope": "1",
    "RescaleIntercept": "0",
}
FILES = {syntax.name: make(gradient(16, 16, bits=8), syntax, **TAGS) for syntax in SYNTAXES} | {
    kind: picture(kind) for kind in ("PNG", "JPEG", "TIFF", "BMP")
}


def check(path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        radiograph = read_radiograph(path)
    except RadiographError as error:
        told = (error.sentence, error.details)
    else:
        assert isinstance(radiograph, Radiograph)
        assert radiograph.pixels.dtype == np.float32
        assert np.isfinite(radiograph.pixels).all()
        assert radiograph.windows
        assert all(np.isfinite(window.levels).all() and window.width > 0 for window in radiograph.windows)
        told = radiograph.notices
    assert all("Petra" not in text for text in told)
    assert told[0].endswith(".") if told else True


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("mutations") / "image"


edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255), st.sampled_from(["set", "flip", "cut", "insert", "swell"])), min_size=1, max_size=6)  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=edits)
def test_mutated_files(path, kind, edits):
    data = bytearray(FILES[kind])
    for where, value, how in edits:
        at = min(int(where * len(data)), len(data) - 1)
        if how == "set":
            data[at] = value
        elif how == "flip":
            data[at] ^= 1 << value % 8
        elif how == "cut":
            del data[at : at + value]
        elif how == "insert":
            data[at:at] = bytes([value]) * (value % 16)
        else:
            data[at : at + 4] = b"\xff\xff\xff\x7f"
        if not data:
            return
    check(path, bytes(data))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=3000))
@example(data=b"BM" + b"\0" * 30)
@example(data=b"\xff\xd8\xff\xe0" + b"\0" * 30)
@example(data=b"II*\0" + b"\xff" * 30)
def test_random_bytes(path, data):
    check(path, data)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=600), prefix=st.sampled_from([b"", b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"]))
def test_random_bytes_that_call_themselves_dicom(path, body, prefix):
    check(path, b"\0" * 128 + b"DICM" + prefix + body)
