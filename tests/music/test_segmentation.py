"""Paths over onsets: the best of all, exact whatever the order of sums, and the same in every key."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from music.test_sounding import random_song

from music_interpret.music.chord_context import BLOCKS, SCALARS, SOME_NOTES, UNIT, WINDOWS_BEATS, context, song_blocks
from music_interpret.music.chord_segments import INVERSIONS, SEGMENT_QUALITIES
from music_interpret.music.closure import N_SIGNS, OUTPUTS
from music_interpret.music.keys import MODES
from music_interpret.music.segmentation import SCALE, all_scores, best_path, read_network, scores_at
from music_interpret.music.songs import Songs

METRES = {str(i): [[0, 4, 4]] for i in range(100)}
NETWORKS = {
    "chords": (SCALARS, len(SEGMENT_QUALITIES), SCALARS),
    "keys": (SCALARS, len(MODES), SCALARS),
    "inversions": (SCALARS + len(SEGMENT_QUALITIES), len(INVERSIONS), 0),
    "closure": (SCALARS + N_SIGNS, len(OUTPUTS), 0),
}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 5), max_size=4), st.integers(0, 2**32 - 1))
def test_the_path_is_the_best_of_all(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, n_states = sum(sizes), 3
    scores, change = rng.integers(-9, 9, (n, n_states)).astype(np.float32), rng.integers(-6, 3, n).astype(np.float32)
    found = best_path(scores.copy(), change, np.array(sizes, np.int64))
    start = 0
    for size in sizes:
        rows = range(start, start + size)

        def total(path: tuple[int, ...], rows: range = rows) -> float:
            moves = [change[row] for i, row in enumerate(rows) if i and path[i] != path[i - 1]]
            return float(sum(scores[row, state] for row, state in zip(rows, path, strict=True)) + sum(moves))

        # A change to where one is would be no change; it costs nothing to forbid, as long as changes cost something.
        if all(change[row] <= 0 for row in rows):
            best = max(total(path) for path in itertools.product(range(n_states), repeat=size))
            assert total(tuple(found[start : start + size].tolist())) == pytest.approx(best)
        start += size


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_have_their_shapes_and_sums_are_exact(name: str) -> None:
    network = read_network(name)
    scalars, types, change = NETWORKS[name]
    n_hidden = network.classes.shape[2]
    assert [part.shape for part in network] == [
        (BLOCKS, 12, n_hidden), (scalars, n_hidden), (n_hidden, types), (types,), (change,)
    ]  # fmt: skip
    # The largest sum that float32 can meet in any order stays a whole number.
    largest = UNIT * (np.abs(network.classes).sum(axis=(0, 1)) + np.abs(network.scalars).sum(axis=0))
    assert largest.max() < 2**24
    assert (largest // SCALE @ np.abs(network.types) + np.abs(network.bias)).max() < 2**31
    songs = Songs.of([random_song(3), random_song(4)], 12, metres=METRES)
    around = songs.once(context)
    more = np.zeros((len(around.classes), scalars - SCALARS), np.uint8)
    tonic = np.arange(len(more)) % 12
    exact = network._replace(**{field: part.astype(np.float64) for field, part in network._asdict().items()})
    assert np.array_equal(scores_at(around, tonic, more, network), scores_at(around, tonic, more, exact))
    if change:
        everywhere = all_scores(around, network).reshape(len(more), 12, types)
        assert np.array_equal(everywhere[np.arange(len(more)), tonic], scores_at(around, tonic, more, network))


def test_windows_hold_the_time_for_which_pitch_classes_sound() -> None:
    songs = Songs.of([random_song(1), random_song(2)], 12, metres=METRES)
    around = songs.once(context)
    assert around.classes.shape[1:] == (BLOCKS, 12) and around.scalars.shape[1] == SCALARS
    times = songs.time[songs.group_first[:-1]]
    for group in range(0, len(times), 7):
        for window, (begin, end) in enumerate(WINDOWS_BEATS):
            left, right = times[group] + 12 * begin, times[group] + 12 * end
            sounds = np.minimum(songs.time + songs.duration, right) - np.maximum(songs.time, left)
            total = np.bincount(songs.pitch % 12, weights=np.maximum(sounds, 0), minlength=12)
            expected = np.rint(total * UNIT / max(total.sum(), 1))
            assert around.classes[group, BLOCKS - len(WINDOWS_BEATS) + window].tolist() == expected.tolist()


def test_blocks_are_of_whole_songs() -> None:
    first = np.array([0, 3, 3, 10, 12, 40])
    assert [(rows.start, rows.stop) for rows in song_blocks(first, 12)] == [(0, 12), (12, 40)]
    assert [(rows.start, rows.stop) for rows in song_blocks(first, 1)] == [(0, 3), (3, 10), (10, 12), (12, 40)]
    assert list(song_blocks(np.array([0]), SOME_NOTES)) == list(song_blocks(np.array([0, 0]), SOME_NOTES)) == []


@pytest.mark.parametrize("metre", [[[0, 1, 64]], [[-12, 2, 4], [48, 3, 4], [84, 1, 4]], [[5, 7, 8]], [[0, 12, 16]]])
@pytest.mark.parametrize("resolution", [1, 12, 480])
def test_any_metre_and_resolution_has_a_context(metre: list[list[int]], resolution: int) -> None:
    notes = random_song(6)
    notes[:, 1] %= resolution
    songs = Songs.of([np.unique(notes, axis=0)] * 2, resolution, metres={"0": metre, "1": metre})
    around = songs.once(context)
    half = len(around.classes) // 2
    assert max(around.classes.max(), around.scalars.max()) == UNIT
    assert np.array_equal(around.classes[:half], around.classes[half:])
    assert np.array_equal(around.scalars[:half], around.scalars[half:])
