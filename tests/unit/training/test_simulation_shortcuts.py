"""Nothing but the hip itself may tell loose from fixed: nuisances and all pixels outside the hip region are blind."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.simulation import Label, SimulationOptions, simulate

SIDE = 16


def outside_of_hip(image):
    """(SIDE, SIDE) grey with the hip region blanked, lateral to the right; then what remains, as ranks would see it."""
    grey = image.pixels.astype(np.float32) / ((1 << image.bits) - 1)
    if image.truth.nuisance["inverted"]:
        grey = 1 - grey
    keep = np.ones(grey.shape, np.float32)
    for hip in image.truth.hips:
        if hip.replaced:
            # A subsided femur, a plug of cement and a line round the tip reach a little beyond the tight box.
            x, y, width, height = hip.region.box
            more = 0.1 * max(width, height)
            top, left = max(0, int(y - more)), max(0, int(x - more))
            keep[top : max(0, int(y + height + more) + 1), left : max(0, int(x + width + more) + 1)] = 0
    small, weight = (
        np.asarray(Image.fromarray(part).resize((SIDE, SIDE), Image.Resampling.BOX)) for part in (grey * keep, keep)
    )
    seen = np.where(weight > 0.05, small / np.maximum(weight, 0.05), 0.0)
    if image.truth.hips[0].side.value == "R":
        seen = seen[:, ::-1]
    outside = grey[keep > 0]
    histogram = np.histogram(outside, 16, (0, 1), density=True)[0] if outside.size else np.zeros(16)
    return np.concatenate([seen.ravel(), histogram])


def one_case(index, seed, options):
    image = simulate(seed, index, options)
    label = image.truth.hips[0].label
    if label is Label.BORDERLINE:
        return None
    names = sorted(image.truth.nuisance)
    return label is Label.LOOSE, np.array([image.truth.nuisance[name] for name in names]), outside_of_hip(image)


def collect(count, seed, workers=1):
    options = SimulationOptions(size_px=(160, 480), bilateral_share=0.0, work_spacing_mm=0.5)
    job = partial(one_case, seed=seed, options=options)
    if workers == 1:
        cases = [job(index) for index in range(count)]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            cases = list(pool.map(job, range(count), chunksize=16))
    kept = [case for case in cases if case is not None]
    loose, nuisances, pixels = (np.array([case[i] for case in kept]) for i in range(3))
    return loose, nuisances, pixels


def auc_of(features, loose):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(model, features, loose, cv=folds, method="predict_proba")[:, 1]
    return roc_auc_score(loose, scores)


def test_nuisances_and_surroundings_say_nothing_small():
    loose, nuisances, pixels = collect(120, 771)
    assert 0.3 < loose.mean() < 0.7
    # 120 images, the borderline left out: the standard error of an AUC of 0.5 is about 0.055.
    assert abs(auc_of(nuisances, loose) - 0.5) < 0.17
    assert abs(auc_of(pixels, loose) - 0.5) < 0.17


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_nuisances_and_surroundings_say_nothing():
    loose, nuisances, pixels = collect(4600, 772, workers=2)
    assert loose.size >= 4000
    assert abs(auc_of(nuisances, loose) - 0.5) <= 0.03
    assert abs(auc_of(pixels, loose) - 0.5) <= 0.03
