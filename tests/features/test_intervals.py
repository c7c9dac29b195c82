"""Bootstrap intervals against drawing the songs' tokens one after the other."""

import numpy as np
import pytest

from music_interpret.features import confusion
from music_interpret.features.intervals import SongCounts, drawn_songs, intervals

LENGTHS = np.array([30, 5, 60, 12, 41, 8, 25])


def test_songs_are_drawn_with_replacement():
    weights = drawn_songs(20, seed=0, draws=4000)
    assert (weights.sum(axis=1) == 20).all() and weights.shape == (4000, 20)
    assert weights.mean() == 1 and (weights == 0).mean() == pytest.approx((1 - 1 / 20) ** 20, abs=0.01)
    assert weights.var() == pytest.approx(1 - 1 / 20, rel=0.03)  # of a binomial of 20 tries
    assert not np.array_equal(weights[:500], drawn_songs(20, seed=1))


def test_intervals_are_the_percentiles_of_scores_of_drawn_songs():
    generator = np.random.default_rng(0)
    songs = [generator.random((2, length)) < 0.2 + 0.05 * number for number, length in enumerate(LENGTHS)]
    songs = [np.stack([has, np.where(generator.random(len(has)) < 0.3, other, has)]) for has, other in songs]
    of_songs = np.array([counted(has, says) for has, says in songs], np.float32)
    counts = SongCounts(*of_songs.T[:, None])
    weights = drawn_songs(len(songs), seed=3)
    found = intervals(counts, LENGTHS, weights)
    f1, mcc = [], []
    for times in weights.astype(int):
        has, says = np.concatenate([songs[song] for song in np.repeat(np.arange(len(songs)), times)], axis=1)
        f1.append(float(confusion.f1(*counted(has, says))))
        mcc.append(np.corrcoef(has, says)[0, 1])
    np.testing.assert_allclose(found.f1[0], np.percentile(f1, [2.5, 97.5]), rtol=1e-5)
    np.testing.assert_allclose(found.mcc[0], np.percentile(mcc, [2.5, 97.5]), rtol=1e-5)


def counted(has: np.ndarray, says: np.ndarray) -> tuple[int, int, int]:
    return (has & says).sum(), says.sum(), has.sum()
