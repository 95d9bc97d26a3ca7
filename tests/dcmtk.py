"""dcmtk as an independent decoder: what a DICOM file looks like to somebody else."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image


def is_installed() -> bool:
    return shutil.which("dcm2pnm") is not None


def picture(path: Path, *options: str) -> np.ndarray | None:
    """The first frame as dcmtk shows it, uint8 (rows, cols); None where it reads no such file.

    `options` of dcm2pnm choose the grey scale: `+Wi 1` the first window, `+Wl 1` the first lookup table, `+Wm` all of it.
    """
    for program in ("dcm2pnm", "dcmj2pnm", "dcml2pnm"):
        if shutil.which(program) is None:
            continue
        done = subprocess.run([program, "-q", "-O", "-a", "+ob", *options, str(path)], capture_output=True, check=False)
        if done.returncode == 0 and done.stdout:
            return np.asarray(Image.open(io.BytesIO(done.stdout)).convert("L"))
    return None
