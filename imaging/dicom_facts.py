"""What a DICOM header says about a radiograph: scale, side, view, date. What contradicts itself is said.

Spacing follows DICOM PS3.3 10.7.1.3 (Pixel Spacing Calibration Macro) and C.8.11.7 (Imager Pixel Spacing).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from imaging.dicom_values import is_given, items, numbers, text, value
from imaging.orientation import ASSUMED_SIDES, is_lateral, parsed, usual
from imaging.radiograph import Orientation, Side, SpacingSource, View
from imaging.square_pixels import MOST, SQUARE

TAGS = " ".join(
    [
        "Modality PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing PixelSpacingCalibrationType",
        "EstimatedRadiographicMagnificationFactor PixelAspectRatio Rows Columns",
        "Laterality ImageLaterality ViewPosition ViewCodeSequence BodyPartExamined PatientOrientation",
        "AnatomicalOrientationType AnatomicRegionSequence",
        "AcquisitionDate AcquisitionDateTime ContentDate SeriesDate StudyDate PatientName PatientID Manufacturer",
    ]
).split()

_IN_PATIENT = frozenset({"CT", "MR", "PT", "NM"})  # pixel spacing is in the patient by definition
# Detector elements measure 0.05 to 0.4 mm; images made smaller for display may reach 0.6 mm.
_PLAUSIBLE_MM = (0.02, 0.6)
_SAME = 0.005  # relative
_UNIT_IN_THE_END = {
    SpacingSource.CALIBRATED: "lengths are in calibrated millimetres",
    SpacingSource.DETECTOR: "lengths are in millimetres at the detector",
    SpacingSource.NONE: "lengths are in pixels",
}

_SIDES = {
    **dict.fromkeys(("R", "RIGHT"), Side.RIGHT),
    **dict.fromkeys(("L", "LEFT"), Side.LEFT),
    **dict.fromkeys(("B", "BOTH"), Side.BOTH),
    # SNOMED CT and SNOMED RT codes of DICOM CID 244
    **dict.fromkeys(("24028007", "G-A100"), Side.RIGHT),
    **dict.fromkeys(("7771000", "G-A101"), Side.LEFT),
    **dict.fromkeys(("51440002", "G-A102"), Side.BOTH),
}
_VIEW_CODES = {
    # SNOMED CT and SNOMED RT codes of DICOM CID 4010
    "399348003": View.AP,
    "R-10206": View.AP,
    "272479007": View.OTHER,  # postero-anterior
    "R-10214": View.OTHER,
    "399067008": View.LATERAL,
    "R-10228": View.LATERAL,
    "399173006": View.LATERAL,
    "R-10236": View.LATERAL,
    "399198007": View.LATERAL,
    "R-10232": View.LATERAL,
}
_VIEW_POSITIONS = {
    "AP": View.AP,
    "PA": View.OTHER,
    "LL": View.LATERAL,
    "RL": View.LATERAL,
    "LLD": View.OTHER,
    "RLD": View.OTHER,
    "LAT": View.LATERAL,
    "LATERAL": View.LATERAL,
    "ML": View.LATERAL,
    "LM": View.LATERAL,
    "OBL": View.OTHER,
    "OBLIQUE": View.OTHER,
    "RLO": View.OTHER,
    "LLO": View.OTHER,
}


@dataclass(frozen=True)
class Facts:
    """See `imaging.radiograph.Radiograph` for the meaning of each."""

    spacing_mm: tuple[float, float] | None
    spacing_source: SpacingSource
    pixel_ratio: float  # height of a pixel over its width, 1 where it is square
    side: Side
    view: View
    orientation: Orientation
    body_part: str
    modality: str
    acquired_on: str
    patient_name: str
    patient_id: str
    manufacturer: str
    notices: tuple[str, ...]


def read_facts(header: Dataset) -> Facts:
    """Never raises: what cannot be read is unknown."""
    notices: list[str] = []
    faults: list[str] = []
    spacing_mm, source = _spacing(header, faults, notices)
    notices += [f"{fault}: {_UNIT_IN_THE_END[source]}." for fault in faults]
    sides = _sides(header)
    if len(sides) > 1:
        notices.append("The header's tags contradict each other about the side of the body: they are left out.")
    view, orientation = _view_and_orientation(header, sides, notices)
    return Facts(
        spacing_mm=spacing_mm,
        spacing_source=source,
        pixel_ratio=_pixel_ratio(header, spacing_mm, notices),
        side=next(iter(sides)) if len(sides) == 1 else Side.UNKNOWN,
        view=view,
        orientation=orientation,
        body_part=text(header, "BodyPartExamined"),
        modality=text(header, "Modality").upper(),
        acquired_on=_acquired_on(header, notices),
        patient_name=text(header, "PatientName"),
        patient_id=text(header, "PatientID"),
        manufacturer=text(header, "Manufacturer"),
        notices=tuple(notices),
    )


# --- spacing ----------------------------------------------------------------------------------------------------------


def _spacing(
    header: Dataset, faults: list[str], notices: list[str]
) -> tuple[tuple[float, float] | None, SpacingSource]:
    """The best spacing that the header gives. `faults` are sentences that end with the unit used in the end."""
    in_patient = text(header, "Modality").upper() in _IN_PATIENT
    pixel = _given(header, "PixelSpacing", "Pixel Spacing", not in_patient, faults)
    imager = _given(header, "ImagerPixelSpacing", "Imager Pixel Spacing", True, faults)
    scanned = _given(header, "NominalScannedPixelSpacing", "the scanner's pixel spacing", True, faults)
    calibration = text(header, "PixelSpacingCalibrationType").upper()
    magnification = (numbers(header, "EstimatedRadiographicMagnificationFactor") or (0.0,))[0]
    if magnification and not 1.0 <= magnification <= 3.0:
        notices.append("The header gives an estimated magnification that is not possible; it was left out.")
        magnification = 0.0

    if pixel is None and imager is None and scanned is not None:
        notices.append("The pixel spacing is that of the film scanner: lengths are as on the film.")
        return scanned, SpacingSource.DETECTOR
    if pixel is None and imager is None:
        return None, SpacingSource.NONE
    if pixel is None:
        if magnification > 1 + _SAME:
            notices.append(
                f"The header estimates a magnification of {magnification:.3g}; lengths are as at the detector, "
                "not corrected for it."
            )
        return imager, SpacingSource.DETECTOR
    if in_patient:
        return pixel, SpacingSource.CALIBRATED
    if imager is None:
        return _without_imager(pixel, calibration, notices)
    return _pixel_against_imager(pixel, imager, calibration, magnification, notices)


def _without_imager(
    pixel: tuple[float, float], calibration: str, notices: list[str]
) -> tuple[tuple[float, float], SpacingSource]:
    if calibration in ("GEOMETRY", "FIDUCIAL"):
        return pixel, SpacingSource.CALIBRATED
    notices.append("The header does not say that its pixel spacing is calibrated: lengths are as at the detector.")
    return pixel, SpacingSource.DETECTOR


def _pixel_against_imager(
    pixel: tuple[float, float],
    imager: tuple[float, float],
    calibration: str,
    magnification: float,
    notices: list[str],
) -> tuple[tuple[float, float], SpacingSource]:
    """Both are given: equal means detector, smaller in the patient means corrected for magnification."""
    if _alike(pixel, imager):
        if calibration in ("GEOMETRY", "FIDUCIAL"):
            notices.append(
                "The header calls its pixel spacing calibrated, but it equals the detector's: lengths are as at the "
                "detector."
            )
        elif magnification > 1 + _SAME:
            notices.append(
                f"The header estimates a magnification of {magnification:.3g}, but its pixel spacing is not corrected "
                "for it: lengths are as at the detector."
            )
        return imager, SpacingSource.DETECTOR
    ratio = imager[0] / pixel[0]
    if ratio < 1 or not _alike((imager[0] / ratio, imager[1] / ratio), pixel):
        notices.append("The header's two pixel spacings contradict each other: lengths are as at the detector.")
        return imager, SpacingSource.DETECTOR
    if calibration not in ("GEOMETRY", "FIDUCIAL"):
        notices.append(
            f"The header corrects its pixel spacing for a magnification of {ratio:.3g} without saying how it was found."
        )
    if magnification > 1 + _SAME and abs(ratio / magnification - 1) > 0.02:
        notices.append(
            f"The header estimates a magnification of {magnification:.3g}, but its pixel spacing is corrected for "
            f"{ratio:.3g}."
        )
    return pixel, SpacingSource.CALIBRATED


def _given(
    header: Dataset, keyword: str, name: str, is_projection: bool, faults: list[str]
) -> tuple[float, float] | None:
    """(between rows, between columns) in mm; None where it is absent or cannot be true, which is said."""
    if not is_given(header, keyword):
        return None
    found = numbers(header, keyword)
    bare_name = name.removeprefix("the ")
    if not found or min(found[:2]) <= 0 or max(found[:2]) > 100:
        faults.append(f"The header's {bare_name} is not a length")
        return None
    if len(found) != 2:
        taken = "which was taken for both directions" if len(found) == 1 else "of which the first two were taken"
        faults.append(f"The header's {bare_name} has {len(found)} value{'s' if len(found) > 1 else ''}, {taken}")
        found = (*found, found[0])[:2]
    if is_projection and found == (1.0, 1.0):
        faults.append(f"The header gives {name} as exactly 1 mm, which no detector has")
        return None
    low, high = _PLAUSIBLE_MM
    if is_projection and not (low <= min(found) and max(found) <= high):
        faults.append(f"The header gives {name} as {max(found):.3g} mm, which is unusual")
    elif max(found) / min(found) > 1.5:
        faults.append(f"The header gives very different {name} along rows and columns")
    return found[0], found[1]


def _pixel_ratio(header: Dataset, spacing_mm: tuple[float, float] | None, notices: list[str]) -> float:
    """Height of a pixel over its width: from the spacing that is used, else from the aspect ratio (PS3.3 C.7.6.3.1.7)."""
    given = numbers(header, "PixelAspectRatio")
    by_aspect = given[0] / given[1] if len(given) == 2 and min(given) > 0 else 1.0
    ratio = spacing_mm[0] / spacing_mm[1] if spacing_mm is not None else by_aspect
    if spacing_mm is not None and abs(ratio / by_aspect - 1) > SQUARE and by_aspect != 1:
        notices.append("The header's pixel spacing and aspect ratio contradict each other; the spacing was believed.")
    if not 1 / MOST <= ratio <= MOST:
        notices.append("The header gives pixels of a shape that no detector has; they were taken as square.")
        return 1.0
    return ratio if abs(ratio - 1) > SQUARE else 1.0


def _alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(abs(a - b) <= _SAME * max(a, b) for a, b in zip(one, other, strict=True))


# --- side, view, date -------------------------------------------------------------------------------------------------


def _sides(header: Dataset) -> set[Side]:
    """What the laterality tags say: one side, none, or several that contradict each other."""
    return {_SIDES[given.upper()] for given in _lateralities(header) if given.upper() in _SIDES}


def _lateralities(header: Dataset) -> Iterator[str]:
    """All that a header says of the side: tags of image and series, of an enhanced frame, and coded modifiers."""
    yield text(header, "ImageLaterality")
    yield text(header, "Laterality")
    regions = items(header, "AnatomicRegionSequence")
    for group in items(header, "SharedFunctionalGroupsSequence"):
        for anatomy in items(group, "FrameAnatomySequence"):
            yield text(anatomy, "FrameLaterality")
            regions += items(anatomy, "AnatomicRegionSequence")
    for region in regions:
        for modifier in items(region, "AnatomicRegionModifierSequence"):
            yield text(modifier, "CodeValue")


def _view_and_orientation(header: Dataset, sides: set[Side], notices: list[str]) -> tuple[View, Orientation]:
    """The two are about the same thing: an AP view shows right and left, a lateral one front and back."""
    view, orientation = _view(header, notices), _orientation(header, notices)
    if is_lateral(orientation):
        if view is View.UNKNOWN:
            return View.LATERAL, orientation
        if view is View.AP:
            notices.append(
                "The header calls this an AP view, but its patient orientation is that of a lateral one: the view is "
                "left open."
            )
            return View.UNKNOWN, orientation
    if orientation == Orientation() and view is View.AP and len(sides) < 2:
        if not sides & {Side.RIGHT, Side.LEFT}:
            notices.append(ASSUMED_SIDES)
        return view, usual()
    return view, orientation


def _orientation(header: Dataset, notices: list[str]) -> Orientation:
    """Of the picture as it is stored; unknown where it is absent or makes no sense, which is said."""
    found = value(header, "PatientOrientation")
    values = [found] if isinstance(found, str) else list(found) if isinstance(found, MultiValue | list | tuple) else []
    if not any(str(entry).strip() for entry in values):
        return Orientation()
    if text(header, "AnatomicalOrientationType").upper() == "QUADRUPED":
        notices.append("The header gives the orientation of an animal, not of a person: it was left out.")
        return Orientation()
    orientation = parsed([str(entry) for entry in values])
    if orientation is None:
        notices.append("The header's patient orientation makes no sense: it was left out.")
        return Orientation()
    return orientation


def _view(header: Dataset, notices: list[str]) -> View:
    position = _VIEW_POSITIONS.get(text(header, "ViewPosition").upper())
    coded = None
    for item in items(header, "ViewCodeSequence")[:1]:
        coded = _VIEW_CODES.get(text(item, "CodeValue")) or _view_named(text(item, "CodeMeaning"))
    if position is None and text(header, "ViewPosition"):
        position = View.OTHER
    if position is not None and coded is not None and position != coded:
        notices.append("The header contradicts itself about the view: the view is left open.")
        return View.UNKNOWN
    return position or coded or View.UNKNOWN


def _view_named(meaning: str) -> View | None:
    lower = re.sub(r"[^a-z]", "", meaning.lower())
    if not lower:
        return None
    if "oblique" in lower:
        return View.OTHER
    if lower.startswith(("anteroposterior", "frontal")):
        return View.AP
    return View.LATERAL if "lateral" in lower else View.OTHER


def _acquired_on(header: Dataset, notices: list[str]) -> str:
    """ISO date of the exposure, or the nearest that the header has."""
    malformed = False
    for keyword in ("AcquisitionDate", "AcquisitionDateTime", "ContentDate", "SeriesDate", "StudyDate"):
        given = text(header, keyword)
        found = re.match(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})", given)
        if found:
            try:
                day = date(*(int(part) for part in found.groups()))
            except ValueError:
                malformed = True
                continue
            if 1895 <= day.year <= 2200:
                return day.isoformat()
        malformed = malformed or bool(given)
    if malformed:
        notices.append("The header's date is not a date.")
    return ""
