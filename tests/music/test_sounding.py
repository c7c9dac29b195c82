"""What sounds at each onset, against a plain loop over all pairs of notes."""

from pathlib import Path

import numpy as np
import pytest

from music_interpret.music.songs import Songs
from music_interpret.music.sounding import after_last_group, over, running_or, sounding, spread

with np.load(Path(__file__).parents[1] / "fixtures" / "scores" / "corpus.npz") as archive:
    REAL = [notes.astype(np.int64) for notes in archive.values()]


def random_song(seed: int, n: int = 150) -> np.ndarray:
    """Notes with long overlaps, gaps, unisons in two instruments and durations of 0."""
    rng = np.random.default_rng(seed)
    rows = np.stack(
        [
            rng.integers(0, 40, n),
            rng.choice([0, 6], n),
            rng.integers(40, 80, n),
            rng.choice([0, 1, 6, 12, 24, 200, 3000], n),
            rng.choice([0, 40], n),
        ],
        axis=1,
    )
    return np.unique(rows, axis=0)


def by_pairs(notes: np.ndarray) -> list[tuple[int, ...]]:
    """The fields of `Sounding`, for the notes of one song at 12 steps per beat."""
    onset = notes[:, 0] * 12 + notes[:, 1]
    end, pitch, index = onset + notes[:, 3], notes[:, 2], np.arange(len(notes))

    def of(chosen: np.ndarray) -> tuple[int, int, int, int]:
        pitches = pitch[chosen].tolist()
        classes = sum(1 << c for c in {p % 12 for p in pitches})
        return classes, min(pitches, default=-1), max(pitches, default=-1), len(pitches)

    rows = []
    for i in range(len(notes)):
        sounds = (onset <= onset[i]) & ((end > onset[i]) | (onset == onset[i]))
        held, before = of(sounds & (onset < onset[i])), of(sounds & (index < i))
        rows.append((*of(sounds), *of(sounds & (index <= i)), before[0], *held))
    return rows


def test_equals_a_loop_over_pairs() -> None:
    songs = [*REAL, np.zeros((0, 5), np.int64), *(random_song(seed) for seed in range(3)), np.array([[3, 0, 60, 0, 0]])]
    found = sounding(Songs.of(songs, 12))
    expected = [row for notes in songs for row in by_pairs(notes)]
    assert np.array_equal(np.stack(found, axis=1), expected)


def test_songs_without_notes() -> None:
    for songs in ([], [np.zeros((0, 5), np.int64)]):
        assert all(len(field) == 0 for field in sounding(Songs.of(songs, 12)))


def test_a_note_sounds_up_to_its_end_and_a_unison_is_two_notes() -> None:
    notes = np.array([[0, 0, 48, 24, 0], [0, 0, 60, 12, 0], [0, 0, 60, 12, 40], [1, 0, 67, 12, 0], [5, 0, 72, 1, 0]])
    found = sounding(Songs.of([notes], 12))
    assert found.count.tolist() == [3, 3, 3, 2, 1]
    assert found.count_so_far.tolist() == [1, 2, 3, 2, 1]
    assert found.lowest.tolist() == [48, 48, 48, 48, 72]
    assert found.held_highest.tolist() == [-1, -1, -1, 48, -1]
    assert found.pitch_classes.tolist() == [1, 1, 1, 1 | 1 << 7, 1]
    assert found.pitch_classes_before.tolist() == [0, 1, 1, 1, 0]


def test_no_note_reaches_the_song_after() -> None:
    songs = Songs.of([np.array([[0, 0, 40, 10**6, 0]]), np.array([[0, 0, 60, 1, 0]])], 12)
    assert after_last_group(songs).tolist() == [1, 2]
    assert sounding(songs).lowest.tolist() == [40, 60]


@pytest.mark.parametrize("seed", range(4))
def test_spread_and_union_equal_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 37
    first = rng.integers(0, n, 60)
    after = np.minimum(first + rng.integers(-1, n, 60), n)
    values = rng.integers(0, 4096, 60)
    expected = np.zeros(n, int)
    for begin, stop, value in zip(first, after, values, strict=True):
        expected[begin:stop] |= value
    assert np.array_equal(spread(np.bitwise_or, values, first, after, n, np.int64(0)), expected)
    sets = rng.integers(0, 4096, n)
    unions = [np.bitwise_or.reduce(sets[i:j]) if j > i else 0 for i, j in zip(first, after, strict=True)]
    assert over(np.bitwise_or, sets, first, after, np.int64(0)).tolist() == unions


def test_running_or_stays_in_its_group() -> None:
    group = np.array([0, 0, 0, 0, 0, 1, 2, 2])
    assert running_or(np.array([1, 2, 4, 8, 16, 32, 64, 128]), group).tolist() == [1, 3, 7, 15, 31, 32, 64, 192]
