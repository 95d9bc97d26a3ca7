"""Comparisons of positive with negative cases ("does this one score higher?"), and sums of their products.

The moments of an AUC's variance are sums, over all pairs of a positive and a negative case, of products of two readers'
comparisons. On a rating scale (0 to 100, five points) they come from counts per pair of ratings, in time that grows with
the number of cases; finer scores are compared pair by pair, a block at a time. Sums are multiples of a quarter, so exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from study.statistics.clusters import patients_of, summed

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_RATINGS = 128  # different scores of one reading up to which counting beats comparing pair by pair
BLOCK = 1 << 22  # comparisons in memory at a time


@dataclass(frozen=True)
class Comparisons:
    """Of k readings of m positive and n negative cases. A comparison is 1, ½ (a tie) or 0, and 0 where a case was not read.

    products (k, k): sums over all pairs of cases of the products of two readings' comparisons.
    by_positive (k, m), by_negative (k, n): each reading's comparisons summed over the other cases.
    read_positive (k, m), read_negative (k, n): 1 where the case was read.
    unshared (k, k): sums of products over the pairs of comparisons that share no case, or no patient where patients have
    several cases; unshared_count (k, k): how many such pairs there are.
    """

    products: FloatArray
    by_positive: FloatArray
    by_negative: FloatArray
    read_positive: FloatArray
    read_negative: FloatArray
    unshared: FloatArray
    unshared_count: FloatArray

    @property
    def total(self) -> FloatArray:
        """(k,)"""
        return np.asarray(self.by_positive.sum(axis=1))

    @property
    def count(self) -> FloatArray:
        """(k,): how many comparisons there are."""
        return np.asarray(self.read_positive.sum(axis=1) * self.read_negative.sum(axis=1))


def compare(truth: npt.NDArray[np.bool_], scores: FloatArray, cluster: npt.ArrayLike | None = None) -> Comparisons:
    """truth (n,), scores (k, n), NaN where not read; cluster (n,) names the patient of each case."""
    positive, negative = scores[:, truth], scores[:, ~truth]
    below, up_to = _counts(negative, positive)
    lower, not_higher = _counts(positive, negative)
    read_pos = np.isfinite(positive).astype(np.float64)
    read_neg = np.isfinite(negative).astype(np.float64)
    by_pos = (below + up_to) / 2
    by_neg = np.where(read_neg > 0, read_pos.sum(axis=1, keepdims=True) - (lower + not_higher) / 2, 0.0)
    products = _products(positive, negative)
    total = by_pos.sum(axis=1)
    count = read_pos.sum(axis=1) * read_neg.sum(axis=1)
    patient = patients_of(cluster)
    if patient is None:
        both = (read_pos @ read_pos.T) * (read_neg @ read_neg.T)
        of_pos = (read_pos @ read_pos.T) * np.outer(read_neg.sum(axis=1), read_neg.sum(axis=1))
        of_neg = (read_neg @ read_neg.T) * np.outer(read_pos.sum(axis=1), read_pos.sum(axis=1))
        unshared = np.outer(total, total) - by_pos @ by_pos.T - by_neg @ by_neg.T + products
        unshared_count = np.outer(count, count) - of_pos - of_neg + both
    else:
        patients = int(patient.max()) + 1

        pos, neg = summed(by_pos, patient[truth], patients), summed(by_neg, patient[~truth], patients)
        own, within, turned = _between_patients(positive, negative, patient[truth], patient[~truth], patients)
        involved = pos + neg - own
        unshared = np.outer(total, total) - involved @ involved.T + within + turned - 2 * own @ own.T
        m, n = summed(read_pos, patient[truth], patients), summed(read_neg, patient[~truth], patients)
        counted = m * n.sum(axis=1, keepdims=True) + n * m.sum(axis=1, keepdims=True) - m * n
        pairs = (m @ m.T) * (n @ n.T) + (m @ n.T) * (n @ m.T) - 2 * (m * n) @ (m * n).T
        unshared_count = np.outer(count, count) - counted @ counted.T + pairs
    return Comparisons(products, by_pos, by_neg, read_pos, read_neg, unshared, unshared_count)


def _between_patients(
    positive: FloatArray,
    negative: FloatArray,
    of_positive: npt.NDArray[np.intp],
    of_negative: npt.NDArray[np.intp],
    patients: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of S (k, patients, patients), the comparisons of one patient's positive with another's negative cases, summed:

    its diagonal (k, patients); (k, k) sums of products of S with S, and of S with its transpose.
    """
    k = positive.shape[0]
    own, within = np.zeros((k, patients)), np.zeros((k, k))
    mixed = np.intersect1d(of_positive, of_negative)
    place = np.full(patients, -1)
    place[mixed] = np.arange(mixed.size)
    both_ways = np.zeros((k, mixed.size, mixed.size))
    columns = np.argsort(of_negative, kind="stable")
    starts_n = np.unique(of_negative[columns], return_index=True)
    step = max(1, BLOCK // (k * max(negative.shape[1], 1)))
    order = np.argsort(of_positive, kind="stable")
    names, first = np.unique(of_positive[order], return_index=True)
    ends = np.append(first[1:], order.size)
    start = 0
    while start < names.size:
        stop = start + 1
        while stop < names.size and ends[stop] - first[start] <= step:
            stop += 1
        rows = order[first[start] : ends[stop - 1]]
        won = _won(positive[:, rows], negative[:, columns])
        block = np.add.reduceat(won, starts_n[1], axis=2)
        block = np.add.reduceat(
            block, first[start:stop] - first[start], axis=1
        )  # (k, patients here, patients with negatives)
        flat = block.reshape(k, -1)
        within += flat @ flat.T
        for row, name in enumerate(names[start:stop]):
            if place[name] >= 0:
                column = np.searchsorted(starts_n[0], mixed)
                both_ways[:, place[name]] = block[:, row, column]
                own[:, name] = both_ways[:, place[name], place[name]]
        start = stop
    turned = both_ways.reshape(k, -1) @ both_ways.transpose(0, 2, 1).reshape(k, -1).T
    return own, within, turned


def _won(positive: FloatArray, negative: FloatArray) -> FloatArray:
    """(k, a), (k, b) -> (k, a, b) comparisons."""
    one, two = positive[:, :, None], negative[:, None]
    return np.asarray((one > two) + 0.5 * (one == two), dtype=np.float64)  # NaN compares as false


def _counts(values: FloatArray, queries: FloatArray) -> tuple[IntArray, IntArray]:
    """How many values of the row lie below each query of the row, and how many do not lie above. NaN: 0 and not counted."""
    below, up_to = np.zeros(queries.shape, dtype=np.int64), np.zeros(queries.shape, dtype=np.int64)
    for row, query, low, high in zip(np.sort(values, axis=1), queries, below, up_to, strict=True):
        asked, known = np.isfinite(query), row[: np.isfinite(row).sum()]  # NaN is sorted to the end
        low[asked] = np.searchsorted(known, query[asked], side="left")
        high[asked] = np.searchsorted(known, query[asked], side="right")
    return below, up_to


def _products(positive: FloatArray, negative: FloatArray) -> FloatArray:
    """(k, m), (k, n) -> (k, k) sums of products."""
    m = positive.shape[1]
    both = np.hstack([positive, negative])
    codes = np.empty(both.shape, dtype=np.int64)
    for row, code in zip(both, codes, strict=True):
        code[:] = np.unique(row, return_inverse=True)[1]  # NaN, if any, is the highest
        code[np.isnan(row)] = -1
    if codes.max(initial=0) < MOST_RATINGS:
        return _products_by_rating(codes[:, :m], codes[:, m:])
    return _products_by_pair(codes[:, :m], codes[:, m:])


def _products_by_rating(positive: IntArray, negative: IntArray) -> FloatArray:
    """From how many cases have each pair of ratings. Codes count from 0; -1 where not read."""
    k, size = positive.shape[0], int(max(positive.max(), negative.max())) + 2

    def counts(codes: IntArray, a: int) -> FloatArray:
        """(k - a, size, size) cases by the rating in a and in each later reading; the last rating stands for none."""
        codes = np.where(codes < 0, size - 1, codes)
        cells = (np.arange(k - a)[:, None] * size + codes[a]) * size + codes[a:]
        table = np.bincount(cells.ravel(), minlength=(k - a) * size * size).reshape(k - a, size, size)
        return table[:, :-1, :-1].astype(np.float64)

    def compared(table: FloatArray, axis: int) -> FloatArray:
        """Counts of ratings below, and half of those at, each rating."""
        return np.asarray(np.cumsum(table, axis=axis) - table / 2)

    products = np.zeros((k, k))
    for a in range(k):
        beaten = compared(compared(counts(negative, a), 1), 2)
        products[a, a:] = np.einsum("bij,bij->b", counts(positive, a), beaten)
    return np.asarray(np.triu(products) + np.triu(products, 1).T)


def _products_by_pair(positive: IntArray, negative: IntArray) -> FloatArray:
    """Every positive with every negative, a block of positives at a time."""
    k, n = negative.shape
    products = np.zeros((k, k))
    step = max(1, BLOCK // (k * n))
    for start in range(0, positive.shape[1], step):
        block = positive[:, start : start + step, None]
        # Twice the comparisons, so that ties are whole numbers, which single precision adds without error up to 2 ** 24.
        twice = (np.sign(block - negative[:, None]) + 1).astype(np.float32)
        twice *= (block >= 0) & (negative[:, None] >= 0)
        rows = twice.reshape(k, -1)
        products += (rows @ rows.T).astype(np.float64) / 4
    return products
