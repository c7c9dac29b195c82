"""Predictions of latents and how often they are right: thresholds, and counts as sparse products.

A latent predicts a column where its value reaches a threshold: 0 (it fires at all), or a quantile of its values.
"""

import numpy as np

from music_interpret.features.firings import Firings
from music_interpret.features.sparse_matrix import SparseMatrix

QUANTILES = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99)
N_LEVELS = len(QUANTILES) + 1


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
        self.matrix = SparseMatrix(rows, firings.token_rows.astype(np.int32), ones, shape)
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
