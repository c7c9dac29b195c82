"""Sparse probing: how well k latents predict each column (Gurnee et al., "Finding Neurons in a Haystack", 2023).

For each column the k latents whose mean values with and without it are farthest apart, in standard deviations on train
songs, are taken; their values are joined by linear discriminant analysis fitted on train songs, the threshold on that
is chosen for F1 on valid songs, and F1 is reported on test songs.
"""

import numpy as np

from music_interpret.features import confusion
from music_interpret.features.firings import Firings
from music_interpret.features.scoring import Part
from music_interpret.features.sparse_matrix import SparseMatrix
from music_interpret.features.truth import Truth

SIZES = (1, 2, 5)
RIDGE = 1e-3


def _dense(firings: Firings, latents: np.ndarray, n: int) -> np.ndarray:
    """Values of a few latents on all tokens, float64 (n, n_latents)."""
    values = np.zeros((n, len(latents)))
    for column, latent in enumerate(latents.tolist()):
        tokens, found = firings.latent(latent)
        values[tokens, column] = found
    return values


def _moments(firings: Firings, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each latent over all tokens."""
    latents = firings.latents
    mean = np.bincount(latents, firings.values, firings.n_latents) / n
    square = np.bincount(latents, np.square(firings.values, dtype=np.float64), firings.n_latents) / n
    return mean, np.sqrt(np.maximum(square - mean**2, 1e-12))


def farthest(train: Part, columns: np.ndarray, k: int) -> np.ndarray:
    """The k latents that predict each column best, by standardised difference of means; int64 (n_columns, k)."""
    firings, truth = train.firings, train.truth
    mean, deviation = _moments(firings, truth.n)
    tokens, shape = firings.token_rows.astype(np.int32), (firings.n_latents, truth.n)
    matrix = SparseMatrix(firings.latents, tokens, firings.values.astype(np.float32), shape)
    chosen = np.zeros((len(truth.columns), k), np.int64)
    for first, last in truth.blocks():
        has = truth.dense(first, last)
        positives = has.sum(axis=0, dtype=np.float64)
        with_it = matrix @ has
        without = (mean[:, None] * truth.n - with_it) / np.maximum(truth.n - positives, 1)
        apart = np.abs(with_it / np.maximum(positives, 1) - without) / deviation[:, None]
        chosen[first:last] = np.argsort(-apart, axis=0, kind="stable")[:k].T
    return chosen[columns]


def discriminants(x: np.ndarray, has: np.ndarray, sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Directions of linear discriminant analysis (Fisher 1936) between the rows x (n, k) with and without.

    Args:
        x: values.
        has: which rows have it, (n,).
        sizes: how many of the first columns of x each direction may use.
    """
    inside, outside = x[has], x[~has]
    if not len(inside) or not len(outside):
        return [np.zeros(size) for size in sizes]
    apart = inside.mean(axis=0) - outside.mean(axis=0)
    within = sum(part.T @ part - len(part) * np.outer(m, m) for part in (inside, outside) for m in [part.mean(axis=0)])
    within = within / len(x)
    within += RIDGE * max(np.trace(within) / len(within), 1e-12) * np.eye(len(within))
    return [np.linalg.solve(within[:size, :size], apart[:size]) for size in sizes]


def best_threshold(scores: np.ndarray, has: np.ndarray) -> float:
    """The score from which on "yes" gives the largest F1."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.cumsum(has[order])[last]
    return float(scores[order[last[confusion.f1(hits, last + 1.0, np.float64(has.sum())).argmax()]]])


def probe(train: Part, valid: Part, test: Part, columns: np.ndarray) -> np.ndarray:
    """Test F1 of the probes of each column by number of latents, float64 (n_columns, len(SIZES))."""
    chosen = farthest(train, columns, min(max(SIZES), train.firings.n_latents))
    found = np.zeros((len(columns), len(SIZES)))
    for row, column in enumerate(columns.tolist()):
        parts = [(_dense(s.firings, chosen[row], s.truth.n), _has(s.truth, column)) for s in (train, valid, test)]
        for place, direction in enumerate(discriminants(*parts[0], SIZES)):
            on_valid, on_test = (x[:, : len(direction)] @ direction for x, _ in parts[1:])
            says, has = on_test >= best_threshold(on_valid, parts[1][1]), parts[2][1]
            found[row, place] = confusion.f1(np.array((says & has).sum()), np.array(says.sum()), np.array(has.sum()))
    return found


def _has(truth: Truth, column: int) -> np.ndarray:
    return truth.dense(column, column + 1, bool)[:, 0]
