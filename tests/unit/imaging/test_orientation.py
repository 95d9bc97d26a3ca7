"""Directions: what Patient Orientation says, what is refused, and how pictures are turned upright."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.orientation import Edge, edge_of, is_lateral, parsed, side_at, turned, turns_to_upright, upright
from imaging.radiograph import Orientation, Side, SideSource, View
from imaging.zones import lateral_edge
from tests.unit.imaging.dicom_maker import gradient, make
from tests.unit.imaging.test_dicom_facts import view_code
from tests.unit.imaging.test_dicom_syntaxes import read

AXES = ("RL", "AP", "HF")
OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "H": "F", "F": "H"}


@st.composite
def direction(draw, main: str) -> str:
    """A main letter, and up to two letters of the other axes."""
    others = draw(st.permutations([axis for axis in AXES if main not in axis]))
    count = draw(st.integers(0, 2))
    return main + "".join(draw(st.sampled_from(axis)) for axis in others[:count])


@st.composite
def orientations(draw) -> Orientation:
    row_axis, column_axis = draw(st.permutations(AXES))[:2]
    row, column = (draw(direction(draw(st.sampled_from(axis)))) for axis in (row_axis, column_axis))
    found = parsed([row, column])
    assert found is not None
    return found


@given(orientations(), st.integers(-8, 8))
def test_four_quarter_turns_change_nothing_and_turns_add_up(orientation, turns):
    assert turned(orientation, 4) == orientation
    assert turned(turned(orientation, turns), -turns) == orientation


@given(orientations())
def test_an_upright_picture_has_the_head_at_the_top(orientation):
    upright = turned(orientation, turns_to_upright(orientation))
    if "H" in (orientation.row[0], orientation.column[0]) or "F" in (orientation.row[0], orientation.column[0]):
        assert upright.column[0] == "F"
        assert turns_to_upright(upright) == 0
        assert is_lateral(upright) == (upright.row[0] in "AP")


@given(orientations())
def test_right_and_left_are_at_opposite_edges_or_not_known(orientation):
    right, left = edge_of(orientation, Side.RIGHT), edge_of(orientation, Side.LEFT)
    if right is None:
        assert left is None
        assert side_at(orientation, Edge.LEFT) is side_at(orientation, Edge.RIGHT) is Side.UNKNOWN
    else:
        assert left is right.other
        assert (side_at(orientation, right), side_at(orientation, right.other)) == (Side.RIGHT, Side.LEFT)


@given(st.lists(st.text("RLAPHF rlaphfX\\^", max_size=5), max_size=4))
def test_other_values_are_refused(values):
    found = parsed(values)
    if found is not None:
        assert len(values) == 2
        assert set(found.row + found.column) <= set("RLAPHF")
        assert {found.row[0], OPPOSITE[found.row[0]]}.isdisjoint({found.column[0]})


@pytest.mark.parametrize(
    ("tags", "row", "source", "said"),
    [
        ({}, "", SideSource.NONE, ""),
        ({"PatientOrientation": ""}, "", SideSource.NONE, ""),
        ({"PatientOrientation": ["", ""]}, "", SideSource.NONE, ""),
        ({"PatientOrientation": ["L", "F"]}, "L", SideSource.ORIENTATION, ""),
        ({"PatientOrientation": ["l", " F "]}, "L", SideSource.ORIENTATION, ""),
        ({"PatientOrientation": ["R", "F"]}, "R", SideSource.ORIENTATION, "from behind"),
        ({"PatientOrientation": ["LA", "FP"]}, "LA", SideSource.ORIENTATION, ""),
        ({"PatientOrientation": ["L", "H"]}, "R", SideSource.ORIENTATION, "upside down"),
        ({"PatientOrientation": ["R", "H"]}, "L", SideSource.ORIENTATION, "upside down"),
        ({"PatientOrientation": ["H", "L"]}, "L", SideSource.ORIENTATION, "on its side"),
        ({"PatientOrientation": ["F", "R"]}, "L", SideSource.ORIENTATION, "on its side"),
        ({"PatientOrientation": ["H", "R"]}, "R", SideSource.ORIENTATION, "on its side"),
        ({"PatientOrientation": ["F", "L"]}, "R", SideSource.ORIENTATION, "on its side"),
        ({"PatientOrientation": ["L", "P"]}, "L", SideSource.ORIENTATION, ""),
        ({"PatientOrientation": ["A", "F"]}, "A", SideSource.ORIENTATION, ""),
        ({"PatientOrientation": ["L"]}, "", SideSource.NONE, "makes no sense"),
        ({"PatientOrientation": ["L", ""]}, "", SideSource.NONE, "makes no sense"),
        ({"PatientOrientation": ["L", "R"]}, "", SideSource.NONE, "makes no sense"),
        ({"PatientOrientation": ["LR", "F"]}, "", SideSource.NONE, "makes no sense"),
        ({"PatientOrientation": ["L", "F", "A"]}, "", SideSource.NONE, "makes no sense"),
        ({"PatientOrientation": ["1", "0"]}, "", SideSource.NONE, "makes no sense"),
        ({"PatientOrientation": ["LE", "CD"], "AnatomicalOrientationType": "QUADRUPED"}, "", SideSource.NONE, "animal"),
        ({"ViewPosition": "AP"}, "L", SideSource.ASSUMED, "assumed as usual"),
        ({"ViewPosition": "AP", "ImageLaterality": "R"}, "L", SideSource.ASSUMED, ""),
        ({"ViewPosition": "AP", "PatientOrientation": ["L", "R"]}, "L", SideSource.ASSUMED, "assumed as usual"),
        ({"ViewPosition": "AP", "ImageLaterality": "R", "Laterality": "L"}, "", SideSource.NONE, "contradict"),
        ({"ViewPosition": "PA"}, "", SideSource.NONE, ""),
        ({"ViewPosition": "LL"}, "", SideSource.NONE, ""),
    ],
)
def test_the_orientation_of_a_file(tmp_path, tags, row, source, said):
    radiograph = read(tmp_path, make(gradient(), **tags))
    assert (radiograph.orientation.row, radiograph.orientation.source) == (row, source)
    assert bool(radiograph.notices) == bool(said)
    assert said in " ".join(radiograph.notices)


@pytest.mark.parametrize(
    ("stored", "turns"), [("LF", 0), ("RF", 0), ("RH", 2), ("LH", 2), ("HL", 1), ("HR", 1), ("FR", 3), ("FL", 3)]
)
def test_a_picture_is_turned_with_its_spacing_and_padding_and_never_mirrored(tmp_path, stored, turns):
    plain = read(tmp_path, make(gradient()))
    orientation = parsed(list(stored))
    radiograph = upright(
        replace(plain, orientation=orientation, spacing_mm=(0.1, 0.2), padding=plain.pixels > np.median(plain.pixels))
    )
    np.testing.assert_array_equal(radiograph.pixels, np.rot90(plain.pixels, turns))
    np.testing.assert_array_equal(radiograph.padding, radiograph.pixels > np.median(plain.pixels))
    assert radiograph.pixels.flags.c_contiguous
    assert radiograph.spacing_mm == ((0.1, 0.2) if turns % 2 == 0 else (0.2, 0.1))
    assert (radiograph.orientation.column, radiograph.orientation.turns) == ("F", turns)
    decoded = read(tmp_path, make(gradient(), PatientOrientation=list(stored)))
    np.testing.assert_array_equal(decoded.pixels, radiograph.pixels)
    assert not decoded.pixels.flags.writeable


@pytest.mark.parametrize(
    ("tags", "view", "said"),
    [
        ({"PatientOrientation": ["A", "F"]}, View.LATERAL, ""),
        ({"PatientOrientation": ["F", "P"]}, View.LATERAL, ""),
        ({"PatientOrientation": ["A", "F"], "ViewPosition": "LL"}, View.LATERAL, ""),
        ({"PatientOrientation": ["A", "F"], "ViewPosition": "AP"}, View.UNKNOWN, "the view is left open"),
        ({"PatientOrientation": ["L", "F"]}, View.UNKNOWN, ""),
        ({"PatientOrientation": ["L", "F"], "ViewPosition": "LL"}, View.LATERAL, ""),  # as for a frog-leg view
    ],
)
def test_view_and_orientation_are_about_the_same_thing(tmp_path, tags, view, said):
    radiograph = read(tmp_path, make(gradient(), **tags))
    assert radiograph.view is view
    assert said in " ".join(radiograph.notices)


def frame_side(letter: str):
    anatomy, group = view_code("24136001", "hip joint")[0], view_code("", "")[0]
    anatomy.FrameLaterality = letter
    group.FrameAnatomySequence = [anatomy]
    return [group]


def modified_region(code: str):
    (region,) = view_code("24136001", "hip joint")
    region.AnatomicRegionModifierSequence = view_code(code, "a side")
    return [region]


@pytest.mark.parametrize(
    ("tags", "side"),
    [
        ({"Laterality": "right"}, Side.RIGHT),
        ({"SharedFunctionalGroupsSequence": frame_side("L")}, Side.LEFT),
        ({"AnatomicRegionSequence": modified_region("24028007")}, Side.RIGHT),
        ({"AnatomicRegionSequence": modified_region("7771000")}, Side.LEFT),
        ({"AnatomicRegionSequence": modified_region("1234")}, Side.UNKNOWN),
        ({"AnatomicRegionSequence": modified_region("7771000"), "ImageLaterality": "R"}, Side.UNKNOWN),
    ],
)
def test_every_laterality_tag_counts(tmp_path, tags, side):
    assert read(tmp_path, make(gradient(), **tags)).side is side


POINTS = {"stem_tip": (50.0, 200.0), "stem_axis_top": (50.0, 100.0), "head_center": (90.0, 60.0)}


@given(st.floats(0, 2 * np.pi), st.booleans())
def test_the_lateral_edge_turns_with_the_implant(angle, mirrored):
    """The head of this stem is on the right, so its lateral side faces left."""
    cos, sin = np.cos(angle), np.sin(angle)
    sign = -1 if mirrored else 1
    points = {name: (cos * sign * x - sin * y, sin * sign * x + cos * y) for name, (x, y) in POINTS.items()}
    facing = -sign * cos  # of the lateral direction, along the rows
    expected = Edge.RIGHT if facing > 0 else Edge.LEFT
    assert lateral_edge(points) is (expected if abs(facing) >= 0.5 else None) or abs(abs(facing) - 0.5) < 1e-6
    assert lateral_edge({"stem_tip": points["stem_tip"]}) is None
