"""Who reads which case when: orders, arms, blocks, repeats and shams, all drawn from the protocol's seed.

Random numbers are SHA-256 hashes of what they are for, not a library's generator: the same seed gives the same order
on every machine and in every later version, and anybody can check it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from study.protocol import Arm, Arms, Endpoint, Protocol, StudyDesign

if TYPE_CHECKING:
    from study.analysis.grid import Grid
    from study.scores import ScoreTable
    from study.statistics.covariance import Merit
    from study.statistics.obuchowski_rockette import Components
    from study.statistics.sizing import Pilot

T = TypeVar("T")

PRACTICE = 0  # the period of practice cases


class Slot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One case to be read by one reader at one time."""

    index: int  # place in the reader's order, from 0
    case_id: str
    arm: Arm
    period: int  # PRACTICE, 1, or 2 (after the washout of a crossover)
    occasion: int = 1  # 2: the case is read again in the same arm

    @property
    def practice(self) -> bool:
        return self.period == PRACTICE


class PlannedCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A case as its reader gets it."""

    id: str
    image_sha256: str  # of the de-identified image in the package, whose frame is 0
    side: str
    box: tuple[float, float, float, float] | None = None
    lossless: bool = True  # False where grey values had to be rounded to 16 bits


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that one reader is to read, in order."""

    slots: tuple[Slot, ...]
    cases: tuple[PlannedCase, ...]  # by id
    aids: dict[str, str]  # case id -> commitment of what is shown of the CNN; empty where nothing is

    def case(self, case_id: str) -> PlannedCase:
        return next(case for case in self.cases if case.id == case_id)


def shuffled(items: Sequence[T], seed: int | str, *purpose: object) -> list[T]:
    """The items in an order that depends on seed, purpose and their number alone."""
    text = "/".join(map(str, (seed, *purpose)))
    keys = [hashlib.sha256(f"{text}/{position}".encode()).digest() for position in range(len(items))]
    return [items[position] for position in sorted(range(len(items)), key=keys.__getitem__)]


def reading_order(
    protocol: Protocol, reader: int, cases: Sequence[str], practice: Sequence[str] = (), *, block: Sequence[str] = ()
) -> tuple[Slot, ...]:
    """What reader number `reader` (from 0, by enrolment) reads, in order.

    cases: ids of all counted cases in the order of the case list; practice: ids of the practice cases.
    block: of a split-plot study, the cases of this reader's block (`split_plot_blocks`).
    Readers who enrol later change nothing for those before them.
    """
    if protocol.design is StudyDesign.SPLIT_PLOT and not block:
        raise ValueError("A reader of a split-plot study needs a block of cases.")
    own = list(block) if protocol.design is StudyDesign.SPLIT_PLOT else list(cases)
    arms = arm_order(protocol, reader)
    rows: list[tuple[str, Arm, int, int]] = [
        (case, arms[0], PRACTICE, 1) for case in shuffled(practice, protocol.seed, "practice", reader)
    ]
    for period, arm in enumerate(arms, start=1):
        order = _with_repeats(own, min(protocol.repeats, len(own) // 2), protocol.seed, reader, period)
        rows += [(case, arm, period, occasion) for case, occasion in order]
    return tuple(Slot(index, *row) for index, row in enumerate(rows))


def arm_order(protocol: Protocol, reader: int) -> tuple[Arm, ...]:
    """The arm of each period. Of every two readers of a crossover who enrol one after the other, one starts aided.

    In a split-plot study the pairs are within a block, so that arms are balanced in each.
    """
    if protocol.arms is Arms.SEQUENTIAL:
        return (Arm.SEQUENTIAL,)
    if protocol.arms is Arms.UNAIDED:
        return (Arm.UNAIDED,)
    place, group = (reader // protocol.blocks, reader % protocol.blocks) if protocol.blocks > 1 else (reader, 0)
    pair = shuffled((Arm.UNAIDED, Arm.AIDED), protocol.seed, "arms", group, place // 2)
    first = pair[place % 2]
    return (first, Arm.AIDED if first is Arm.UNAIDED else Arm.UNAIDED)


def _with_repeats(cases: list[str], repeats: int, seed: int, reader: int, period: int) -> list[tuple[str, int]]:
    """A random order of the cases in which `repeats` of them come a second time, at least n // 4 places later.

    First readings of repeated cases lie in the first half, second ones in the last quarter, in the same order.
    """
    order = shuffled(cases, seed, "order", reader, period)
    n = len(order)
    half, tail = (n + 1) // 2, n - n // 4
    again = sorted(shuffled(range(half), seed, "repeats", reader, period)[:repeats])
    first = [(case, 1) for case in order]
    places = shuffled(range(n - tail + repeats), seed, "places", reader, period)[:repeats]
    end = iter(first[tail:])
    second = iter([(order[position], 2) for position in again])
    chosen = set(places)
    return first[:tail] + [next(second) if place in chosen else next(end) for place in range(n - tail + repeats)]


def split_plot_blocks(
    protocol: Protocol, cases: Sequence[str], patients: Mapping[str, str], strata: Mapping[str, str] | None = None
) -> list[list[str]]:
    """The cases dealt into the protocol's blocks; all cases of a patient lie in one block.

    strata: what shall be alike in all blocks, by case (its truth). Block sizes differ by at most one where every
    patient has one case.
    """
    of_patient: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        of_patient[patients.get(case, case)].append(case)
    clusters = shuffled(list(of_patient.values()), protocol.seed, "blocks")
    # By stratum, in random order within it; dealing these in turn spreads each stratum over the blocks.
    clusters.sort(key=lambda cluster: (-len(cluster), sorted((strata or {}).get(case, "") for case in cluster)))
    blocks: list[list[str]] = [[] for _ in range(protocol.blocks)]
    for position, cluster in enumerate(clusters):
        blocks[position % protocol.blocks].extend(cluster)
    place = {case: position for position, case in enumerate(cases)}
    return [sorted(block, key=place.__getitem__) for block in blocks]


def block_of(protocol: Protocol, reader: int) -> int:
    """The block that reader number `reader` reads: readers are dealt in turn as they enrol."""
    return reader % protocol.blocks


def choose_shams(secret: str, eligible: Sequence[str], planned: int, share: float) -> frozenset[str]:
    """The cases whose CNN output is shown flipped: `share` of the planned cases, the same for every reader.

    eligible: cases on which the CNN decided loose or not loose. secret: not the protocol's seed, which readers know.
    """
    wanted = min(round(share * planned), len(eligible))
    return frozenset(shuffled(eligible, secret, "sham")[:wanted])


def flipped_score(score: float, threshold: float) -> float:
    """A score on the other side of the operating point, as far from it in proportion. Both on 0-100."""
    if not 0 < threshold < 100:
        raise ValueError("The operating point lies above 0 and below 100.")
    if score >= threshold:
        # A score at the threshold itself counts as loose; its flip must lie below.
        return min(threshold * (100 - score) / (100 - threshold), threshold - 0.01 * threshold)
    return 100 - (100 - threshold) * score / threshold


def pilot_from_scores(pilot: ScoreTable, endpoint: Endpoint = Endpoint.AUC) -> Pilot:
    """Variance components for study.statistics.sizing, from a fully crossed pilot of two modes, of the endpoint itself.

    Jackknife covariances; by patient where patients have several cases. Raises NotEstimableError with a sentence where the
    pilot does not determine them.
    """
    from study.statistics.sizing import Pilot

    people, merit = _crossed_pilot(pilot, endpoint)
    return Pilot.from_components(_components(people, merit), len(people.cases))


def pilot_draws(pilot: ScoreTable, endpoint: Endpoint = Endpoint.AUC, draws: int = 200, seed: int = 1) -> list[Pilot]:
    """Pilots as they might have come out: what the variances of this one are worth.

    Cases (patients, where these have several) are drawn anew within each class; the mean square of reader by mode, which
    rests on few readers, from its chi-square distribution. Raises NotEstimableError as `pilot_from_scores`.
    """
    import numpy as np

    from study.statistics.roc import NotEstimableError
    from study.statistics.sizing import Pilot

    people, merit = _crossed_pilot(pilot, endpoint)
    whole = _components(people, merit)
    df = (len(people.modes) - 1) * (len(people.readers) - 1)
    rng = np.random.default_rng(seed)
    names, patient = np.unique(people.patients, return_inverse=True)
    loose = np.zeros(names.size, dtype=bool)
    loose[patient[people.truth]] = True
    of_class = [np.flatnonzero(loose), np.flatnonzero(~loose)]
    found = []
    for _ in range(draws):
        chosen = np.concatenate([rng.choice(group, group.size) for group in of_class if group.size])
        rows = [np.flatnonzero(patient == one) for one in chosen]
        cases = np.concatenate(rows)
        clusters = np.repeat(np.arange(len(rows)), [row.size for row in rows]).astype(str)
        try:
            parts = _components(people.at_cases(cases, clusters), merit)
        except NotEstimableError:
            continue  # a class is missing
        spread = whole.ms_interaction * df / float(rng.chisquare(df)) - parts.var + parts.cov1
        spread += max(parts.cov2 - parts.cov3, 0.0)
        if parts.var > 0:
            held = Pilot(max(spread, 0.0), parts.var, parts.cov1, parts.cov2, parts.cov3, len(people.cases))
            found.append(held)
    return found


def _crossed_pilot(pilot: ScoreTable, endpoint: Endpoint) -> tuple[Grid, Merit]:
    from study.analysis.grid import make_grid
    from study.analysis.planned import MERITS
    from study.analysis.results import Design
    from study.statistics.covariance import Merit
    from study.statistics.roc import NotEstimableError

    merit = MERITS[endpoint]
    grid = make_grid(pilot.where(pilot.truth >= 0))
    if len(grid.modes) != 2 or len(grid.readers) < 2 or grid.design_of(merit) is not Design.CROSSED:
        raise NotEstimableError(
            "Sizing from a pilot needs one in which at least two readers read all of its cases in both arms, and the "
            f"{'scores' if merit is Merit.AUC else 'calls'} of which are complete."
        )
    return grid, merit


def _components(people: Grid, merit: Merit) -> Components:
    from study.analysis.several import crossed_result

    return crossed_result(people, merit, people.covariance(merit)).analysis.components
