"""What a reader is shown of the CNN, fixed before the first reading: its outputs, some of them flipped on purpose.

A study's aids are computed once, on the coordinator's machine: every reader then sees the same, whatever their machine
computes, and what was shown can be proven later (`study.truth.commitment` of each aid).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from imaging.geometry import HipRegion
from study.cases import Box
from study.design import choose_shams, flipped_score
from study.model import Call
from study.truth import from_base64, to_base64

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NOT_LOOSE, LOOSE = Call.NOT_LOOSE.value, Call.LOOSE.value


class AidMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The saliency map as inference.prediction.SaliencyMap holds it."""

    rows: int
    cols: int
    values: str  # base64 of float32, little endian, row by row
    box: Box
    levels: tuple[float, float]
    method: str

    @classmethod
    def of(cls, values: npt.NDArray[np.float32], box: Box, levels: tuple[float, float], method: str) -> AidMap:
        """values: (rows, cols)."""
        rows, cols = values.shape
        return cls(int(rows), int(cols), to_base64(values.astype("<f4").tobytes()), box, levels, method)

    def array(self) -> npt.NDArray[np.float32]:
        """(rows, cols). Raises ValueError where the data do not fit."""
        import numpy as np

        data = np.frombuffer(from_base64(self.values), dtype="<f4").astype(np.float32)
        return data.reshape(self.rows, self.cols)


class Aid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The CNN's answer on one case. Whether it is a sham cannot be told from it."""

    case_id: str
    decision: str  # inference.prediction.Decision value
    score: float | None  # 0-100; None where the case is not assessable
    box: Box
    model_id: str
    model_sha256: str
    reason: str = ""
    map: AidMap | None = None
    salt: str = ""  # makes its commitment tell nothing


class OutputMap(Protocol):
    """The map of a CNN's output: inference.prediction.SaliencyMap has it all, which this package must not see."""

    @property
    def values(self) -> npt.NDArray[np.float32]: ...

    @property
    def region(self) -> HipRegion: ...

    @property
    def levels(self) -> tuple[float, float]: ...

    @property
    def method(self) -> str: ...

    @property
    def is_empty(self) -> bool: ...


class Output(Protocol):
    """What a CNN said about one hip, as inference.prediction.Prediction holds it."""

    @property
    def decision(self) -> str: ...

    @property
    def score(self) -> float | None: ...

    @property
    def region(self) -> HipRegion: ...

    @property
    def model_id(self) -> str: ...

    @property
    def model_sha256(self) -> str: ...

    @property
    def reason(self) -> str: ...

    @property
    def saliency(self) -> OutputMap | None: ...


def as_aid(output: Output, case_id: str = "") -> Aid:
    """The CNN's own answer as a study keeps it; a map that shows nothing is none."""
    held = output.saliency
    saliency = AidMap.of(held.values, held.region.box, held.levels, held.method) if held and not held.is_empty else None
    return Aid(
        case_id,
        str(output.decision),
        output.score,
        output.region.box,
        output.model_id,
        output.model_sha256,
        output.reason,
        saliency,
    )


class Aids(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The CNN's own answers, and which of them are shown flipped. Sealed until the reading phase is closed."""

    threshold: float  # the bundle's operating point, 0-100
    entries: tuple[Aid, ...]
    shams: tuple[str, ...]
    salt: str

    def own(self, case_id: str) -> Aid | None:
        """What the CNN said: all that ever counts for its own accuracy."""
        return next((aid for aid in self.entries if aid.case_id == case_id), None)

    def shown(self, case_id: str, *, overlay: bool = True) -> Aid | None:
        """What readers see."""
        aid = self.own(case_id)
        if aid is None:
            return None
        shown = aid if overlay else msgspec.structs.replace(aid, map=None)
        if case_id not in self.shams or aid.score is None:
            return shown
        return msgspec.structs.replace(
            shown,
            decision=NOT_LOOSE if aid.decision == LOOSE else LOOSE,
            score=flipped_score(aid.score, self.threshold),
        )


def make_aids(
    answers: Iterable[Aid], threshold: float, planned: int, sham_share: float, *, practice: Sequence[str] = ()
) -> Aids:
    """With fresh salts and a secret draw of shams among the counted cases that the CNN decided.

    Raises ValueError where too few cases were decided for the share that the protocol declares.
    """
    salt = secrets.token_hex(32)
    entries = tuple(
        msgspec.structs.replace(aid, salt=secrets.token_hex(32)) for aid in sorted(answers, key=lambda a: a.case_id)
    )
    eligible = [
        aid.case_id
        for aid in entries
        if aid.decision in (LOOSE, NOT_LOOSE) and aid.score is not None and aid.case_id not in practice
    ]
    shams = choose_shams(salt, eligible, planned, sham_share)
    if len(shams) != round(sham_share * planned):
        raise ValueError("The CNN decided too few cases for the declared share of sham outputs.")
    return Aids(threshold, entries, tuple(sorted(shams)), salt)
