"""What chords are read from: what sounds at each onset and around it, by pitch class, as whole numbers.

All windows are of the metre: the beat and the bar around the onset, beats before and after it. What a window holds of
each pitch class is the time for which it sounds there, so that a broken chord and a struck one look alike. Every
measure is a whole number of `UNIT`ths, so that sums of products are exact in whatever order a processor adds, and a
song's chords are the same alone, among others, and on every machine.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from music_interpret.music.concepts.metre import STRENGTHS, bars
from music_interpret.music.songs import Songs
from music_interpret.music.sounding import over, sounding

UNIT = 32
"""What stands for 1: a pitch class that sounds, or that alone fills a window."""
NO_PITCH = np.int16(128)
ONE_HOT = np.eye(13, 12, dtype=np.uint8) * UNIT
"""By pitch class; the last is for none."""
WINDOWS_BEATS = ((0, 1), (-1, 0), (1, 2), (-2, -1), (2, 4), (-4, -2), (-8, 8), (-32, 32))
"""Windows from and to so many beats after the onset, apart from the onset's own beat and bar."""
BASS_BEATS = ((0, 1), (-1, 0), (1, 2))
"""Those of which the lowest pitch counts by itself."""
BLOCKS = 5 + 2 * 2 + len(WINDOWS_BEATS) + len(BASS_BEATS)
WAIT_EDGES_BEATS = (1 / 4, 1 / 2, 1, 2)
"""Between kinds of time from onset to onset."""
SCALARS = len(STRENGTHS) + 2 * (len(WAIT_EDGES_BEATS) + 1) + 6


SOME_NOTES = 1 << 14
"""Notes of songs whose windows are summed at once, few enough to stay in the processor's cache."""


class Context(NamedTuple):
    """Of each onset, uint8 arrays of numbers from 0 to `UNIT`."""

    classes: np.ndarray
    """Blocks of twelve pitch classes from C, (n_groups, BLOCKS, 12)."""
    scalars: np.ndarray
    """What transposition does not change, (n_groups, SCALARS)."""

    def rows(self, chosen: np.ndarray | slice) -> "Context":
        """Some of the onsets."""
        return Context(self.classes[chosen], self.scalars[chosen])


def context(songs: Songs) -> Context:
    """The context of each onset of the songs; for `songs.once`."""
    first = songs.group_first[:-1]
    if not len(first):
        return Context(np.zeros((0, BLOCKS, 12), np.uint8), np.zeros((0, SCALARS), np.uint8))
    sounds, place = songs.once(sounding), songs.once(bars)
    time, step, length, beats = songs.time[first], place.step[first], place.length[first], place.beats[first]
    beat = np.maximum(length // beats, 1)
    nth = step * beats // length
    bar = time - step
    around = [(bar + nth * length // beats, bar + (nth + 1) * length // beats), (bar, bar + length)]
    low_windows = around + [(time + a * beat, time + b * beat) for a, b in BASS_BEATS]
    lowest = sounds.lowest[first]
    begins = np.append(True, songs.song[first][1:] != songs.song[first][:-1])
    before = np.where(begins, NO_PITCH, np.roll(lowest, 1))
    classes = np.empty((len(first), BLOCKS, 12), np.uint8)
    classes[:, 0] = _members(sounds.pitch_classes[first])
    classes[:, 1] = _members(np.bitwise_or.reduceat(1 << (songs.pitch % 12), first))
    pitches = (lowest, sounds.highest[first], before, *(_lowest_in(lowest, time, *window) for window in low_windows))
    for block, pitch in enumerate(pitches, 2):
        classes[:, block] = ONE_HOT[np.where(pitch == NO_PITCH, 12, pitch % 12)]
    edges = np.unique(WINDOWS_BEATS)
    at = np.stack([*(edge for window in around for edge in window), *(time + edge * beat for edge in edges)])
    pairs = [(0, 1), (2, 3), *((4 + i, 4 + j) for i, j in np.searchsorted(edges, WINDOWS_BEATS))]
    for notes in song_blocks(songs.first_note, SOME_NOTES):
        groups = slice(songs.group[notes.start], songs.group[notes.stop - 1] + 1)
        _fractions(songs, notes, at[:, groups], pairs, classes[groups, 2 + len(pitches) :])
    return Context(classes, _scalars(time, begins, beat, place.strength[first], classes, lowest != before))


def song_blocks(first: np.ndarray, at_most: int) -> Iterator[slice]:
    """Ranges of rows, of whole songs with so many rows in all; a song that has more is alone.

    Args:
        first: first row of each song, and the number of rows, (n_songs + 1,).
        at_most: rows of a range.
    """
    song = 0
    while song < len(first) - 1:
        after = max(int(np.searchsorted(first, first[song] + at_most, side="right")) - 1, song + 1)
        if first[after] > first[song]:
            yield slice(int(first[song]), int(first[after]))
        song = after


def _members(sets: np.ndarray) -> np.ndarray:
    return ((sets[:, None] >> np.arange(12, dtype=sets.dtype)) & 1) * np.uint8(UNIT)


def _lowest_in(lowest: np.ndarray, time: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    first, after = np.searchsorted(time, start), np.searchsorted(time, stop)
    return over(np.minimum, lowest, first, after, NO_PITCH)


def _fractions(songs: Songs, notes: slice, at: np.ndarray, pairs: list[tuple[int, int]], out: np.ndarray) -> None:
    """Of the time that notes sound in each window, the fraction of each pitch class.

    Args:
        songs: what sounds.
        notes: those of whole songs.
        at: times at which windows begin or end, (n_times, n_groups).
        pairs: where each window begins and ends among these.
        out: for the fractions in `UNIT`ths, (n_groups, n_windows, 12).
    """
    start = songs.time[notes]
    edges = np.concatenate([start, start + songs.duration[notes]]) - start[0]
    order = np.argsort(edges, kind="stable")
    n = len(start)
    sign = np.where(order < n, 1.0, -1.0)
    # Before any time t a pitch class has sounded for the sum of t - start of the notes that began, less that of t - end
    # of those that ended.
    sums = np.zeros((2 * n + 1, 24))
    row = np.arange(1, 2 * n + 1)
    pitch_class = (songs.pitch[notes] % 12)[order % n]
    sums[row, pitch_class] = sign
    sums[row, 12 + pitch_class] = sign * edges[order]
    np.cumsum(sums, axis=0, out=sums)
    edges, at = edges[order], at - start[0]
    sounded = []
    for times in at:
        known = sums[np.searchsorted(edges, times)]
        sounded.append(known[:, :12] * times[:, None] - known[:, 12:])
    for window, (begin, end) in enumerate(pairs):
        times = sounded[end] - sounded[begin]
        total = times.sum(axis=1, keepdims=True)
        out[:, window] = np.rint(times * UNIT / np.where(total > 0, total, 1))


def _scalars(
    time: np.ndarray, begins: np.ndarray, beat: np.ndarray, strength: np.ndarray, classes: np.ndarray, moved: np.ndarray
) -> np.ndarray:
    wait = np.where(begins, np.iinfo(np.int32).max, np.diff(time, prepend=time[:1]))
    following = np.append(wait[1:], np.iinfo(np.int32).max)
    edges = np.array(WAIT_EDGES_BEATS) * beat[:, None]
    kinds = [
        np.count_nonzero(gap[:, None] > edges, axis=1)[:, None] == np.arange(len(WAIT_EDGES_BEATS) + 1)
        for gap in (wait, following)
    ]
    n_sounding = np.count_nonzero(classes[:, 0], axis=1)
    now, last = (classes[:, BLOCKS - len(WINDOWS_BEATS) + window].astype(np.int16) for window in (0, 1))
    novelty = np.abs(now - last).sum(axis=1) // 2
    new = np.count_nonzero((classes[:, 0] > 0) & (last == 0), axis=1)
    return np.concatenate(
        [
            (strength[:, None] == np.arange(len(STRENGTHS))) * UNIT,
            *(kind * UNIT for kind in kinds),
            (n_sounding[:, None] <= np.array([1, 2])) * UNIT,
            moved[:, None] * UNIT,
            np.minimum(novelty, UNIT)[:, None],
            np.minimum(new, 4)[:, None] * (UNIT // 4),
            np.full((len(time), 1), UNIT),
        ],
        axis=1,
    ).astype(np.uint8)
