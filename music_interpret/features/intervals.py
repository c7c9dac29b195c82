"""Bootstrap intervals over songs: scores of predictions when whole songs are drawn again with replacement.

Tokens of one song are correlated, so songs are what is drawn (the cluster bootstrap; Davison & Hinkley 1997, chapter
3); intervals are the percentiles.
"""

from typing import NamedTuple

import numpy as np

from music_interpret.features import confusion

DRAWS = 500
COVERAGE = 0.95
CELLS = 2**24


class SongCounts(NamedTuple):
    """Counts of some predictions in each song, float32 (n_predictions, n_songs)."""

    hits: np.ndarray
    """Tokens predicted rightly."""
    predicted: np.ndarray
    """Tokens predicted."""
    positives: np.ndarray
    """Tokens to be predicted."""

    @property
    def totals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The counts over all songs, (n_predictions,) each."""
        hits, predicted, positives = (count.sum(axis=1, dtype=np.float64) for count in self)
        return hits, predicted, positives


class Intervals(NamedTuple):
    """Lower and upper ends, float32 (n_predictions, 2)."""

    f1: np.ndarray
    """Of F1."""
    mcc: np.ndarray
    """Of MCC."""


def drawn_songs(n_songs: int, seed: int, draws: int = DRAWS) -> np.ndarray:
    """How often each song comes up in each draw of as many songs, float32 (draws, n_songs)."""
    return np.random.default_rng(seed).multinomial(n_songs, np.full(n_songs, 1 / n_songs), draws).astype(np.float32)


def resampled_mcc(counts: SongCounts, lengths: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """MCC of each prediction in each draw, (draws, n_predictions)."""
    hits, predicted, positives = (weights @ count.T for count in counts)
    return confusion.mcc(hits, predicted, positives, (weights @ lengths.astype(np.float32))[:, None])


def intervals(counts: SongCounts, lengths: np.ndarray, weights: np.ndarray) -> Intervals:
    """Percentile intervals of F1 and MCC.

    Args:
        counts: of the predictions by song.
        lengths: tokens of each song, (n_songs,).
        weights: how often each song comes up in each draw, see `drawn_songs`.
    """
    ends = np.zeros((2, len(counts.hits), 2), np.float32)
    step = max(CELLS // len(weights), 1)
    for first in range(0, len(counts.hits), step):
        part = SongCounts(*(count[first : first + step] for count in counts))
        f1 = confusion.f1(*(weights @ count.T for count in part))
        ends[0, first : first + step] = percentile_ends(f1)
        ends[1, first : first + step] = percentile_ends(resampled_mcc(part, lengths, weights))
    return Intervals(*ends)


def percentile_ends(draws: np.ndarray) -> np.ndarray:
    """Lower and upper percentile of draws (n_draws, n), (n, 2)."""
    tail = (1 - COVERAGE) / 2
    return np.quantile(draws, [tail, 1 - tail], axis=0).T
