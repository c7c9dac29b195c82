"""All latents against all columns at once: thresholds from valid songs, scores on test songs, and what chance gives.

A latent predicts a column where its value reaches a threshold. Thresholds are 0 (it fires at all) and quantiles of the
values that it has on valid songs; for each pair of latent and column the one with the largest MCC on valid songs is
taken. How columns rank for a latent is decided by the MCC of that prediction on train and valid songs together; test
songs only report.

Counts come from sparse products: the firings as a matrix (latent and threshold level × tokens) by the truth (tokens ×
columns), so nothing loops over pairs.

Chance: within each song the truth is turned in a circle by a random amount, which keeps how often and how clustered it
is, and breaks its tie to the latent. Some such turns give a mean and a variance of each pair's hits; the standardised
hits of all pairs under all turns, each against the other turns, are the null distribution that a pair's own is looked
up in, among pairs with about as many hits to expect (a pooled permutation test, Efron 2010, chapter 6). Beyond the
fifty largest of these the tail is taken for exponential (after Knijnenburg et al. 2009, who fit a generalised Pareto
tail; that of shape 0 errs towards chance here, where tails are lighter). The p values become q values by Benjamini &
Hochberg (1995) over all pairs.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch

from music_interpret.features import confusion
from music_interpret.features.firings import Firings
from music_interpret.features.sparse_matrix import SparseMatrix
from music_interpret.features.truth import Truth

QUANTILES = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99)
N_LEVELS = len(QUANTILES) + 1
TURNS = 24
"""Circular shifts of each song."""
PRIOR_TURNS = 8
"""How many turns the variance that independent tokens would have counts for beside the turns' own."""
Z_EDGES = np.arange(-8.0, 60.0, 0.05)
EXPECTED_EDGES = 2.0 ** np.arange(-4, 4)
"""Null distributions are kept apart by expected hits."""
TAIL = 50
"""Values of a null distribution's tail that its extrapolation is fitted to."""


class Part(NamedTuple):
    """Some songs: how latents fire on them, and what is true of them."""

    firings: Firings
    """With token ids that count from the first of these tokens."""
    truth: Truth
    """Of the same tokens."""


class Scored(NamedTuple):
    """Every latent against every column; arrays are (n_latents, n_columns) where nothing else is said."""

    thresholds: np.ndarray
    """Of each latent by level, the first being 0, float32 (n_latents, n_levels)."""
    level: np.ndarray
    """The level that was taken, int8."""
    fit_mcc: np.ndarray
    """MCC on train and valid songs together, float32; what ranks columns."""
    hits: np.ndarray
    """Test tokens on which the latent predicts the column and is right, int32."""
    predicted: np.ndarray
    """Test tokens on which it predicts it, int32."""
    positives: np.ndarray
    """Test tokens that have the column, int64 (n_columns,)."""
    n: int
    """Test tokens."""
    auroc: np.ndarray
    """Area under the ROC curve on test songs, float32."""
    average_precision: np.ndarray
    """Average precision on test songs, float32."""
    p: np.ndarray
    """Chance of so many hits on test songs, float32; 1 where there is nothing to test."""
    q: np.ndarray
    """The false discovery rate at which the pair is significant, float32."""

    @property
    def f1(self) -> np.ndarray:
        """F1 on test songs."""
        return confusion.f1(self.hits, self.predicted, self.positives[None])

    @property
    def mcc(self) -> np.ndarray:
        """MCC on test songs."""
        return confusion.mcc(self.hits, self.predicted, self.positives[None], self.n)

    def threshold(self, latents: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Thresholds that were taken for pairs."""
        return self.thresholds[latents, self.level[latents, columns]]


def thresholds_of(valid: Firings) -> np.ndarray:
    """0 and the quantiles of each latent's values, float32 (n_latents, n_levels); infinite for one that never fires."""
    order = np.lexsort((valid.values, valid.latents))
    values, counts = valid.values[order], np.diff(valid.offsets)
    found = np.full((valid.n_latents, N_LEVELS), np.inf, np.float32)
    found[:, 0] = 0.0
    fires = counts > 0
    for level, quantile in enumerate(QUANTILES, start=1):
        place = valid.offsets[:-1] + np.floor(quantile * (counts - 1)).astype(np.int64)
        found[fires, level] = values[place[fires]]
    return found


class HitCounts:
    """Firings as a sparse matrix (latent and level × token), to be multiplied by truths."""

    def __init__(self, firings: Firings, thresholds: np.ndarray, n_tokens: int) -> None:
        latents, self.n_latents = firings.latents, firings.n_latents
        level = np.zeros(len(latents), np.int32)
        for number in range(1, N_LEVELS):
            level += firings.values >= thresholds[latents, number]
        rows, shape = latents * N_LEVELS + level, (self.n_latents * N_LEVELS, n_tokens)
        ones = np.ones(len(rows), np.float32)
        self.matrix = SparseMatrix(rows, firings.token_ids.astype(np.int32), ones, shape)
        self.predicted = _at_least(np.bincount(rows, minlength=shape[0]).reshape(-1, N_LEVELS, 1))[..., 0]
        """Tokens on which each latent reaches each level, (n_latents, n_levels)."""

    def hits(self, truth: np.ndarray) -> np.ndarray:
        """Tokens that have a column among those on which a latent reaches a level.

        Args:
            truth: 0 and 1, float32 (n_tokens, n_columns).

        Returns:
            float32 (n_latents, n_levels, n_columns), whole numbers.
        """
        return _at_least(self._at(truth))

    def hits_at(self, truth: np.ndarray, level: np.ndarray) -> np.ndarray:
        """The same for one level of each pair, (n_latents, n_columns) → float32 (n_latents, n_columns)."""
        counts = self._at(truth)
        hits = counts[:, -1].copy()
        for number in range(N_LEVELS - 1):
            np.add(hits, counts[:, number], out=hits, where=level <= number)
        return hits

    def _at(self, truth: np.ndarray) -> np.ndarray:
        """Tokens that have a column among those on which a latent is at a level and not above."""
        return (self.matrix @ truth).reshape(self.n_latents, N_LEVELS, truth.shape[1])


def _at_least(counts: np.ndarray) -> np.ndarray:
    """From counts at exactly each level, axis 1, to counts at that level or above."""
    return np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]


def score(train: Part, valid: Part, test: Part, *, turns: int = TURNS, seed: int = 0) -> Scored:
    """Score every latent against every column.

    Args:
        train: songs that help to rank columns.
        valid: songs that thresholds are chosen on.
        test: songs that are reported on.
        turns: circular shifts; more make the null distributions finer.
        seed: of the shifts.
    """
    shape = (test.firings.n_latents, len(test.truth.columns))
    thresholds = thresholds_of(valid.firings)
    counts = [HitCounts(split.firings, thresholds, split.truth.n) for split in (train, valid, test)]
    positives = [split.truth.positives() for split in (train, valid, test)]
    level, fit_mcc = np.zeros(shape, np.int8), np.zeros(shape, np.float32)
    hits, predicted = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for first, last in valid.truth.blocks():
        here = slice(first, last)
        by_level = counts[1].hits(valid.truth.dense(first, last))
        mcc = confusion.mcc(by_level, counts[1].predicted[..., None], positives[1][here], valid.truth.n)
        level[:, here] = mcc.argmax(axis=1)
        fit_hits = _taken(by_level, level[:, here])
        fit_predicted = _taken(counts[1].predicted[..., None], level[:, here])
        for start, stop in _within(train.truth, first, last):
            part = slice(start - first, stop - first)
            fit_hits[:, part] += counts[0].hits_at(train.truth.dense(start, stop), level[:, start:stop])
        fit_predicted = fit_predicted + _taken(counts[0].predicted[..., None], level[:, here])
        fit_positives, n = positives[0][here] + positives[1][here], train.truth.n + valid.truth.n
        fit_mcc[:, here] = confusion.mcc(fit_hits, fit_predicted, fit_positives, n)
        predicted[:, here] = _taken(counts[2].predicted[..., None], level[:, here])
        for start, stop in _within(test.truth, first, last):
            hits[:, start:stop] = counts[2].hits_at(test.truth.dense(start, stop), level[:, start:stop])
    auroc, average_precision = _ranked(test, positives[2])
    p = _chance(test.truth, counts[2], level, hits, predicted, positives[2], turns, seed)
    return Scored(
        thresholds,
        level,
        fit_mcc,
        hits,
        predicted,
        positives[2],
        test.truth.n,
        auroc,
        average_precision,
        p,
        false_discovery_rates(p),
    )


def _taken(by_level: np.ndarray, level: np.ndarray) -> np.ndarray:
    """What stands at the levels taken: (n_latents, n_levels, n_columns or 1) → (n_latents, n_columns)."""
    return np.take_along_axis(np.broadcast_to(by_level, (*by_level.shape[:2], level.shape[1])), level[:, None], 1)[:, 0]


def _within(truth: Truth, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Pieces of the columns first … last − 1 that are small enough for this truth."""
    step = max((b - a for a, b in truth.blocks()), default=1)
    for start in range(first, last, step):
        yield start, min(start + step, last)


def _ranked(test: Part, positives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and average precision of all pairs, float32."""
    found = np.full((2, test.firings.n_latents, len(test.truth.columns)), np.nan, np.float32)

    def one(latent: int) -> None:
        tokens, values = test.firings.latent(latent)
        found[:, latent, first:last] = confusion.ranking(values, truth[tokens], positives[first:last], test.truth.n)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for first, last in test.truth.blocks():
            truth = test.truth.dense(first, last, bool)
            list(pool.map(one, range(test.firings.n_latents), chunksize=64))
    return found[0], found[1]


def _chance(
    truth: Truth,
    counts: HitCounts,
    level: np.ndarray,
    hits: np.ndarray,
    predicted: np.ndarray,
    positives: np.ndarray,
    turns: int,
    seed: int,
) -> np.ndarray:
    """p value of each pair's hits on the test songs, float32 (n_latents, n_columns)."""
    generator = np.random.default_rng(seed)
    shifts = [truth.circular_shift(generator) for _ in range(turns)]
    null = np.zeros((len(EXPECTED_EDGES) + 1, len(Z_EDGES) + 1), np.int64)
    z, stratum = np.zeros(hits.shape, np.float32), np.zeros(hits.shape, np.int8)
    for first, last in truth.blocks():
        here = slice(first, last)
        turned = np.stack([counts.hits_at(truth.dense(first, last, rows=rows), level[:, here]) for rows in shifts])
        independent = _variance(predicted[:, here], positives[here], truth.n)
        mean, square = turned.sum(axis=0), np.square(turned).sum(axis=0)
        testable = (predicted[:, here] > 0) & (positives[here] > 0)
        stratum[:, here] = np.searchsorted(EXPECTED_EDGES, mean / turns)
        z[:, here] = _standardised(hits[:, here], mean, square, turns, independent)
        for one in turned:  # each against the others
            others = _standardised(one, mean - one, square - np.square(one), turns - 1, independent)
            cells = stratum[:, here][testable].astype(np.int64) * null.shape[1]
            cells += np.searchsorted(Z_EDGES, others[testable], side="right")
            null += np.bincount(cells, minlength=null.size).reshape(null.shape)
    tail = np.stack([tail_of(counts) for counts in null])
    p = tail[stratum, np.searchsorted(Z_EDGES, z, side="right")]
    return np.where((predicted > 0) & (positives > 0), p, 1.0).astype(np.float32)


def tail_of(counts: np.ndarray) -> np.ndarray:
    """Chance of a value in each bin of `Z_EDGES` or above, from how many values of a null distribution lie in each.

    Args:
        counts: of the bins below the first edge, between edges, and above the last, (n_edges + 1,).
    """
    above = np.cumsum(counts[::-1])[::-1]
    tail = (1.0 + above) / (1.0 + above[0])
    enough = np.flatnonzero(above[1:] >= TAIL)  # of bin i + 1, which begins at edge i
    if len(enough) and above[0] > TAIL:
        start = int(enough[-1])
        width = Z_EDGES[1] - Z_EDGES[0]
        beyond = (Z_EDGES[start:] - Z_EDGES[start] + width / 2) * counts[start + 1 :]
        tail[start + 1 :] = tail[start + 1] * np.exp(
            -(Z_EDGES[start:] - Z_EDGES[start]) * above[start + 1] / beyond.sum()
        )
    return tail


def _variance(predicted: np.ndarray, positives: np.ndarray, n: int) -> np.ndarray:
    """Variance of the hits if tokens were independent: that of the hypergeometric distribution."""
    share = predicted * (positives / n)
    return share * ((n - positives) / n) * ((n - predicted) / max(n - 1, 1))


def _standardised(
    hits: np.ndarray, total: np.ndarray, squares: np.ndarray, turns: int, independent: np.ndarray
) -> np.ndarray:
    """Hits less their mean over turns, over their spread, where that of independent tokens counts as some turns."""
    mean = total / turns
    own = np.maximum(squares - turns * np.square(mean), 0.0)
    variance = (own + PRIOR_TURNS * independent) / (turns - 1 + PRIOR_TURNS)
    return (hits - mean) / np.sqrt(np.maximum(variance, 1e-6) * (1 + 1 / turns))


def false_discovery_rates(p: np.ndarray) -> np.ndarray:
    """q values of p values of any shape by Benjamini & Hochberg (1995), float32."""
    flat = p.ravel().astype(np.float64)
    order = np.argsort(flat)
    scaled = flat[order] * len(flat) / np.arange(1, len(flat) + 1)
    q = np.empty(len(flat), np.float32)
    q[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1.0)
    return q.reshape(p.shape)
