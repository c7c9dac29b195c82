"""What chance gives: p values from songs that are circularly shifted, and false discovery rates.

Within each song the truth is shifted circularly by a random amount, which keeps how often and how clustered it
is, and breaks its tie to the latent. Some such shifts give a mean and a variance of each pair's hits; the standardised
hits of all pairs under all shifts, each against the other shifts, are the null distribution that a pair's own is looked
up in, among pairs with about as many hits to expect (a pooled permutation test, Efron 2010, chapter 6). Beyond the
fifty largest of these the tail is taken for exponential (after Knijnenburg et al. 2009, who fit a generalised Pareto
tail; that of shape 0 errs towards chance here, where tails are lighter). The p values become q values by Benjamini &
Hochberg (1995) over all pairs.
"""

import numpy as np

from music_interpret.features.hits import HitCounts
from music_interpret.features.truth import Truth

TURNS = 24
"""Circular shifts of each song."""
PRIOR_TURNS = 8
"""How many shifts the variance that independent tokens would have counts for, next to the shifts' own."""
Z_EDGES = np.arange(-8.0, 60.0, 0.05)
EXPECTED_EDGES = 2.0 ** np.arange(-4, 4)
"""Null distributions are kept apart by expected hits."""
TAIL = 50
"""Values of a null distribution's tail that its extrapolation is fitted to."""


def chance(
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
    """Chance of a value in each bin of `Z_EDGES` or above, from how many values of a null distribution are in each.

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
    """Hits less their mean over shifts, over their spread, where that of independent tokens counts as some shifts."""
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
