"""Write a simulated radiograph as a DICOM DX image: Digital X-Ray Image Storage - For Presentation."""

from __future__ import annotations

import hashlib
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless

from training.simulation.truth import SimulatedRadiograph

DX_FOR_PRESENTATION = UID("1.2.840.10008.5.1.4.1.1.1.1.1")
_SIDES = {"L": "L", "R": "R"}


def stable_uid(*words: object) -> UID:
    """A UID below 2.25 (ISO/IEC 9834-8) that the words alone decide, so that a file can be made again."""
    digest = hashlib.sha256("\0".join(map(str, words)).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def write_dicom(
    image: SimulatedRadiograph,
    path: Path,
    *,
    patient_id: str,
    patient_name: str = "Simulated^Radiograph",
    acquired_on: str = "20260101",
    description: str = "",
    compress: bool = True,
) -> None:
    """JPEG 2000 lossless, or Explicit VR Little Endian with compress=False."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DX_FOR_PRESENTATION
    meta.MediaStorageSOPInstanceUID = stable_uid("instance", patient_id, path.name)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = stable_uid("lucency")
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID = stable_uid("study", patient_id)
    ds.SeriesInstanceUID = stable_uid("series", patient_id, path.name)
    ds.ImageType = ["DERIVED", "PRIMARY", ""]
    ds.PatientName, ds.PatientID = patient_name, patient_id
    ds.PatientBirthDate, ds.PatientSex = "", ""
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = acquired_on
    ds.StudyTime = ds.ContentTime = ds.AcquisitionTime = "120000"
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "1", "", ""
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.Modality = "DX"
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.Manufacturer = "Lucency simulator"
    ds.StudyDescription = "SIMULATED radiograph of a hip"
    if description:
        ds.SeriesDescription = description[:64]
    ds.BurnedInAnnotation = "YES"
    hips = [hip for hip in image.truth.hips if hip.replaced] or list(image.truth.hips)
    ds.BodyPartExamined = "HIP" if image.truth.kind == "single" else "PELVIS" if image.truth.kind == "pelvis" else ""
    ds.ImageLaterality = "B" if len(image.truth.hips) > 1 else _SIDES.get(hips[0].side.value, "U") if hips else "U"
    lateral = str(image.truth.suitability) == "lateral"
    ds.ViewPosition = "LL" if lateral else "AP"
    ds.PatientOrientation = ["L", "F"]
    inverted = bool(image.truth.nuisance.get("inverted", 0.0))
    rows, cols = image.pixels.shape
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    ds.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1 if not inverted else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.Rows, ds.Columns = rows, cols
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, image.bits, image.bits - 1, 0
    full = (1 << image.bits) - 1
    ds.WindowCenter, ds.WindowWidth = str((full + 1) // 2), str(full + 1)
    magnification = 1.15  # of the hip at the detector; the pixels' own spacing is given in the plane of the hip
    ds.ImagerPixelSpacing = [f"{spacing * magnification:.5f}" for spacing in image.spacing_mm]
    ds.PixelSpacing = [f"{spacing:.5f}" for spacing in image.spacing_mm]
    ds.PixelSpacingCalibrationType = "FIDUCIAL"
    ds.PixelSpacingCalibrationDescription = "simulated: exact in the plane of the hip"
    ds.LossyImageCompression = "00"
    ds.KVP = f"{image.truth.nuisance.get('exposure_tube_kv', 75.0):.1f}"
    if compress:
        meta.TransferSyntaxUID = JPEG2000Lossless
        frame = imagecodecs.jpeg2k_encode(image.pixels, codecformat="j2k", reversible=True, bitspersample=image.bits)
        ds.PixelData = encapsulate([bytes(frame)])
        ds["PixelData"].is_undefined_length = True
        ds["PixelData"].VR = "OB"
    else:
        ds.PixelData = np.ascontiguousarray(image.pixels).tobytes()
        ds["PixelData"].VR = "OW"
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
