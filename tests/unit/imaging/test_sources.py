"""Files, folders, archives and DICOMDIRs become images; nothing leads out of where the user pointed."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from imaging import sources
from imaging.radiograph import RadiographError
from imaging.reader import read_radiograph, thumbnail
from imaging.sources import Source, find_sources, natural_key, readable
from tests.unit.imaging.dicom_maker import gradient, make, write

IMAGE = make(gradient(bits=12), bits=12)


def labels(*paths: Path) -> list[str]:
    return [source.label for source in find_sources(paths)]


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return path


def test_files_keep_the_order_given(tmp_path):
    for name in ("b.dcm", "a.png", "IM0001"):
        (tmp_path / name).write_bytes(IMAGE)
    assert labels(tmp_path / "b.dcm", tmp_path / "IM0001", tmp_path / "a.png") == ["b.dcm", "IM0001", "a.png"]


def test_folder_is_read_in_natural_order_without_what_is_no_image(tmp_path):
    for name in (
        "image10.dcm",
        "image2.dcm",
        "Image1.dcm",
        "sub/3",
        "notes.txt",
        ".DS_Store",
        "Thumbs.db",
        "sub/x.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(IMAGE)
    assert labels(tmp_path) == ["Image1.dcm", "image2.dcm", "image10.dcm", "3"]


def test_a_file_named_outright_is_given_whatever_its_name(tmp_path):
    (tmp_path / "scan.txt").write_bytes(IMAGE)
    (source,) = find_sources([tmp_path / "scan.txt"])
    assert read_radiograph(source).shape == (48, 64)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_inside_a_folder_are_not_followed(tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.dcm").write_bytes(IMAGE)
    (inside / "own.dcm").write_bytes(IMAGE)
    (inside / "file_link.dcm").symlink_to(outside / "secret.dcm")
    (inside / "folder_link").symlink_to(outside)
    (inside / "circle").symlink_to(inside)
    assert labels(inside) == ["own.dcm"]


def test_absent_path_and_special_file(tmp_path):
    with pytest.raises(RadiographError, match="“gone” does not exist"):
        list(find_sources([tmp_path / "gone"]))
    with pytest.raises(RadiographError):
        list(find_sources(["a\0b"]))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(RadiographError, match="not a file"):
            list(find_sources([tmp_path / "pipe"]))
        assert labels(tmp_path) == []
        with pytest.raises(RadiographError):
            read_radiograph(tmp_path / "pipe")


def test_archive_members_are_read_in_memory(tmp_path):
    path = archive(
        tmp_path / "images.zip",
        {"s/10.dcm": IMAGE, "s/2.dcm": IMAGE, "readme.txt": b"x", "__MACOSX/s/2.dcm": b"x", "s/": b""},
    )
    found = list(find_sources([path]))
    assert [source.member for source in found] == ["s/2.dcm", "s/10.dcm"]
    before = sorted(tmp_path.rglob("*"))
    radiograph = read_radiograph(found[0])
    np.testing.assert_array_equal(radiograph.pixels, gradient(bits=12))
    assert (radiograph.path, radiograph.member) == (path, "s/2.dcm")
    import hashlib

    assert radiograph.sha256 == hashlib.sha256(IMAGE).hexdigest()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["../../evil.dcm", "/etc/evil.dcm", "C:\\evil.dcm", "a/../../evil.dcm"])
def test_member_names_lead_nowhere(tmp_path, name):
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    (source,) = find_sources([archive(folder / "images.zip", {name: IMAGE})])
    assert read_radiograph(source).shape == (48, 64)
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "er", "images.zip"]


def test_zip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 1_000_000)
    path = archive(tmp_path / "bomb.zip", {"bomb.dcm": b"\0" * 5_000_000})
    with pytest.raises(RadiographError, match="larger than"):
        read_radiograph(Source(path, "bomb.dcm"))


def test_zip_bomb_that_lies_about_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 1_000_000)
    path = archive(tmp_path / "bomb.zip", {"bomb.dcm": b"\0" * 5_000_000})
    data = path.read_bytes().replace(struct.pack("<I", 5_000_000), struct.pack("<I", 1000))
    path.write_bytes(data)
    with pytest.raises(RadiographError):
        read_radiograph(Source(path, "bomb.dcm"))


def test_archive_with_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_MEMBERS", 3)
    with pytest.raises(RadiographError, match="more than 3 files"):
        labels(archive(tmp_path / "many.zip", {f"{number}.dcm": b"x" for number in range(4)}))


def test_damaged_and_encrypted_archives(tmp_path):
    whole = archive(tmp_path / "images.zip", {"1.dcm": IMAGE})
    data = whole.read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(RadiographError, match="damaged"):
        labels(tmp_path / "cut.zip")
    at = data.index(b"1.dcm") + 40
    (tmp_path / "flipped.zip").write_bytes(data[:at] + b"\xff" * 20 + data[at + 20 :])
    with pytest.raises(RadiographError, match="damaged"):
        read_radiograph(Source(tmp_path / "flipped.zip", "1.dcm"))
    encrypted = bytearray(data)
    encrypted[6] |= 1
    encrypted[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(encrypted)
    with pytest.raises(RadiographError, match="encrypted"):
        read_radiograph(Source(tmp_path / "locked.zip", "1.dcm"))
    with pytest.raises(RadiographError, match="not hold"):
        read_radiograph(Source(whole, "other.dcm"))


def test_one_bad_archive_does_not_hide_the_folder(tmp_path):
    (tmp_path / "1.zip").write_bytes(b"PK\x03\x04 broken")
    (tmp_path / "2.dcm").write_bytes(IMAGE)
    assert labels(tmp_path) == ["2.dcm"]


def dicomdir(folder: Path, file_ids: list[list[str] | str]) -> Path:
    header = Dataset()
    header.SOPClassUID = "1.2.840.10008.1.3.10"
    header.DirectoryRecordSequence = []
    for file_id in file_ids:
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.add(DataElement("ReferencedFileID", "CS", file_id, validation_mode=config.IGNORE))
        header.DirectoryRecordSequence.append(record)
    (folder / "DICOMDIR").write_bytes(write(header))
    return folder / "DICOMDIR"


def test_dicomdir_lists_its_files_even_in_lower_case(tmp_path):
    (tmp_path / "dicom").mkdir()
    for name in ("im1", "im2", "unlisted"):
        (tmp_path / "dicom" / name).write_bytes(IMAGE)
    path = dicomdir(tmp_path, [["DICOM", "IM2"], ["DICOM", "IM1"], ["DICOM", "GONE"]])
    found = list(find_sources([path]))
    assert [source.label for source in found] == ["im2", "im1"]
    assert read_radiograph(found[0]).shape == (48, 64)
    assert labels(tmp_path) == ["im1", "im2", "unlisted"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_dicomdir_never_leads_out_of_its_folder(tmp_path):
    disc = tmp_path / "disc"
    disc.mkdir()
    secret = tmp_path / "secret"
    secret.write_bytes(IMAGE)
    (disc / "LINK").symlink_to(tmp_path)
    (disc / "LINKED").symlink_to(secret)
    path = dicomdir(
        disc,
        [
            ["..", "secret"],
            [str(secret)],
            "../secret",
            ["LINK", "secret"],
            "LINKED",
            ["/", "etc", "passwd"],
            ["."],
            [""],
        ],
    )
    with pytest.raises(RadiographError, match="lists are missing"):
        labels(path)


@pytest.mark.parametrize("how", ["endings", "flat", "version", "slashes", "renamed", "another list"])
def test_dicomdir_of_a_disc_that_was_copied(tmp_path, how):
    ids = [["DICOM", "SERIES", f"IM{number}"] for number in (1, 2)]
    folder = tmp_path if how == "flat" else tmp_path / "DICOM" / "SERIES"
    folder.mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        ending = {"endings": ".dcm", "version": ";1"}.get(how, "")
        (folder / f"IM{number}{ending}").write_bytes(IMAGE)
    if how == "another list":
        ids = [["OTHER", "IM7"]]
    path = dicomdir(tmp_path, ["./DICOM/SERIES/IM1", "DICOM\\SERIES\\IM2"] if how == "slashes" else ids)
    if how in ("version", "renamed"):
        path = path.rename(tmp_path / ("DICOMDIR;1" if how == "version" else "index.dcm"))
    assert [label[:3] for label in labels(path)] == ["IM1", "IM2"]


def test_dicomdir_that_is_none(tmp_path):
    (tmp_path / "DICOMDIR").write_bytes(b"nothing of the kind")
    with pytest.raises(RadiographError, match="DICOMDIR"):
        labels(tmp_path / "DICOMDIR")


def test_thumbnail(tmp_path):
    path = tmp_path / "image.dcm"
    path.write_bytes(make(gradient(400, 300, bits=12), bits=12))
    radiograph = read_radiograph(path)
    small = thumbnail(radiograph, 100)
    assert small.dtype == np.uint8
    assert small.shape == (100, 75)
    assert small[0, 0] < 10
    assert small[-1, -1] > 245
    assert thumbnail(radiograph, 800).shape == (800, 600)


@given(st.lists(st.text(max_size=20)))
def test_natural_order_is_an_order(names):
    ordered = sorted(names, key=natural_key)
    assert sorted(ordered, key=natural_key) == ordered
    assert sorted(["10", "9", "1a", "a2", "a10"], key=natural_key) == ["1a", "9", "10", "a2", "a10"]


@given(st.binary(max_size=400))
def test_any_bytes_as_an_archive(tmp_path_factory, data):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zipped:
        zipped.writestr("1.dcm", IMAGE[:300])
    whole = bytearray(stream.getvalue())
    for position, byte in enumerate(data):
        whole[(position * 37 + byte) % len(whole)] = byte
    path = tmp_path_factory.mktemp("zip") / "x.zip"
    path.write_bytes(bytes(whole))
    with contextlib.suppress(RadiographError):  # anything else is a bug
        for source in find_sources([path]):
            source.read_bytes()


def zipped_as(names: list[str], path, *, utf8_flag: bool) -> None:
    """An archive whose members are in UTF-8, with the flag that says so or without it."""
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for number, name in enumerate(names):
            info = zipfile.ZipInfo(name if utf8_flag else name.encode().decode("cp437"))
            archive.writestr(info, make(gradient(bits=8) // (number + 1)))
    if not utf8_flag:
        data = path.read_bytes()
        for name in names:  # zipfile writes UTF-8 of the MS-DOS characters, and the flag
            meant, written = name.encode(), name.encode().decode("cp437").encode()
            assert written in data
            data = data.replace(written, meant.ljust(len(written), b"_"))
        for head, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            parts = data.split(head)
            data = head.join([parts[0], *(part[: at - 4] + b"\0\0" + part[at - 2 :] for part in parts[1:])])
        path.write_bytes(data)


@pytest.mark.parametrize("utf8_flag", [True, False])
def test_names_in_an_archive_can_be_read(tmp_path, utf8_flag):
    path = tmp_path / "a.zip"
    zipped_as(["Hüfte", "股関節"], path, utf8_flag=utf8_flag)
    found = list(find_sources([path]))
    assert sorted(source.member.rstrip("_") for source in found) == ["Hüfte", "股関節"]
    assert all(read_radiograph(source).shape == (48, 64) for source in found)


def test_members_of_one_name_are_all_there(tmp_path):
    path = tmp_path / "a.zip"
    zipped_as(["IM1", "IM1", "IM1 (2)", "IM1"], path, utf8_flag=True)
    found = list(find_sources([path]))
    assert len({source.member for source in found}) == 4
    assert len({read_radiograph(source).sha256 for source in found}) == 4


@pytest.mark.parametrize("method", [1, 6, 9, 10, 19, 93, 95, 98])
def test_a_way_of_packing_that_is_not_known_is_said(tmp_path, method):
    path = tmp_path / "a.zip"
    zipped_as(["IM1"], path, utf8_flag=True)
    data = bytearray(path.read_bytes())
    for head, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(head) + at] = method
    path.write_bytes(data)
    [source] = find_sources([path])
    with pytest.raises(RadiographError, match="way of packing"):
        read_radiograph(source)


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="there, every name is Unicode")
def test_a_name_that_is_no_utf8(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/latin1-\xfcber.dcm"))
    path.write_bytes(IMAGE)
    for place in (path, tmp_path):
        [source] = find_sources([place])
        assert source.label == r"latin1-\xfcber.dcm"
        assert read_radiograph(source).shape == (48, 64)
    with pytest.raises(RadiographError) as caught:
        list(find_sources([path.with_name("missing-" + path.name)]))
    assert caught.value.sentence.encode()


@given(st.text(st.characters(), max_size=30))
def test_any_name_can_be_written(name):
    readable(name).encode()
    if not any(0xD800 <= ord(sign) < 0xE000 for sign in name):
        assert readable(name) == name
