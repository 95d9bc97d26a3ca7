"""The top of the stem's axis, from points that are seen more surely: tip, head and shoulder of the stem.

Where the axis ends at the top is a matter of definition, nothing that can be seen: of all landmarks it was found least
exactly. Tip, head and shoulder place it better. They are taken in the stem's own frame, a complex plane in which the tip
is 0, the head 1 and the shoulder lies above the real line, so that side, scale and tilt do not matter; there its place
is an affine function of the network's own point and of the shoulder. The coefficients belong to a bundle, because every
network errs in its own way: they are fitted on its calibration cohort (training/calibrate.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from inference.model_bundle import StemAxisFit

FloatArray = npt.NDArray[np.float32]
ComplexArray = npt.NDArray[np.complex128]

TIP, HEAD, SHOULDER, AXIS_TOP = "stem_tip", "head_center", "shoulder", "stem_axis_top"
ANCHORS = (TIP, HEAD, SHOULDER)


def refined(landmarks: FloatArray, names: Sequence[str], fit: StemAxisFit | None) -> FloatArray:
    """(K, 3) x, y, confidence in the order of `names` -> the same with `stem_axis_top` where tip, head and shoulder
    put it. Its confidence stays. Without a fit, or where one of the three is unsure, nothing changes."""
    if fit is None or not {*ANCHORS, AXIS_TOP} <= set(names):
        return landmarks
    if not usable(landmarks[None], names, fit.confidence)[0]:
        return landmarks
    frame = StemFrame(landmarks[None, :, :2], names)
    real, imaginary = np.asarray(fit.real), np.asarray(fit.imaginary)
    predictors = frame.predictors()
    (place,) = frame.to_image(predictors @ real + 1j * (predictors @ imaginary))
    moved = landmarks.copy()
    moved[names.index(AXIS_TOP), :2] = place
    return moved


def usable(landmarks: npt.ArrayLike, names: Sequence[str], confidence: float) -> npt.NDArray[np.bool_]:
    """Which of N stems (N, K, 3) have a frame: tip, head and shoulder at least so sure, and the head not on the tip."""
    placed = np.asarray(landmarks)
    anchors = placed[:, [names.index(name) for name in ANCHORS]]
    there = np.isfinite(placed[:, [names.index(name) for name in (*ANCHORS, AXIS_TOP)], :2]).all(axis=(1, 2))
    apart = (anchors[:, ANCHORS.index(TIP), :2] != anchors[:, ANCHORS.index(HEAD), :2]).any(axis=1)
    return np.asarray(there & apart & (anchors[..., 2] >= confidence).all(axis=1))


class StemFrame:
    """The frames of N `usable` stems: `points` (N, K, 2) as x, y in the order of `names`, and the way there and back."""

    def __init__(self, points: npt.ArrayLike, names: Sequence[str]) -> None:
        flat = np.asarray(points, np.float64)
        place = dict(zip(names, (flat[..., 0] + 1j * flat[..., 1]).T, strict=True))
        self._tip = place[TIP]
        self._length = place[HEAD] - place[TIP]
        self._mirrored = ((place[SHOULDER] - self._tip) / self._length).imag < 0
        self._axis_top, self._shoulder = self._into(place[AXIS_TOP]), self._into(place[SHOULDER])

    def predictors(self) -> npt.NDArray[np.float64]:
        """(N, 5): 1, the network's own top of the axis and the shoulder, each as real and imaginary part."""
        own, shoulder = self._axis_top, self._shoulder
        return np.stack([np.ones(len(own)), own.real, own.imag, shoulder.real, shoulder.imag], axis=1)

    def from_image(self, points: npt.ArrayLike) -> ComplexArray:
        """(N, 2) in the same pixels -> (N,)."""
        flat = np.asarray(points, np.float64)
        return self._into(flat[:, 0] + 1j * flat[:, 1])

    def to_image(self, coordinates: ComplexArray) -> npt.NDArray[np.float64]:
        """(N,) -> (N, 2) in pixels."""
        place = self._tip + self._length * np.where(self._mirrored, coordinates.conj(), coordinates)
        return np.stack([place.real, place.imag], axis=1)

    def _into(self, place: ComplexArray) -> ComplexArray:
        coordinates = (place - self._tip) / self._length
        return np.asarray(np.where(self._mirrored, coordinates.conj(), coordinates))
