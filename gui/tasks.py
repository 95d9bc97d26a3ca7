"""What runs inside the decode worker and has no function of its own elsewhere. No Qt here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imaging.sources import Source, find_sources


def list_sources(paths: Sequence[Path]) -> list[Source]:
    """Every radiograph that the files, folders, archives and DICOMDIRs in `paths` offer."""
    return list(find_sources(paths))
