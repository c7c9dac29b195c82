"""Motifs that come back: short runs of steps along a voice that the song has had before.

A step is the interval in semitones and the time between a note of a voice and the one before it (see `voices.py`); a
motif is two to four steps that follow each other. It "came earlier" when it ended at an earlier onset of the song, in
whatever voice: two voices that move in parallel are not copies of each other. Copies may overlap.
"""

from typing import NamedTuple

import numpy as np

from music_interpret.music.songs import Songs
from music_interpret.music.voices import voices

NONE = -1
SHORTEST, LONGEST = 2, 4
"""Steps of a motif; n steps are n + 1 notes."""
NO_INTERVAL = 128
"""Where there is no prediction; no interval is so large."""


class Motifs(NamedTuple):
    """Which motifs end at each note, and what came after them earlier; every field has a value for each note."""

    steps: np.ndarray
    """Steps of the longest motif that ends at the note and came earlier, 0 if none did, int8."""
    exact: np.ndarray
    """Whether that motif came earlier at the same pitch, too, bool."""
    continues: np.ndarray
    """Where a motif of two steps that ended at the voice's note before came earlier: whether the step to this note is
    the one that came then, 1 or 0; elsewhere -1, int8.
    """
    next_interval: np.ndarray
    """Semitones of the step that came after the motif of two steps that ends at this note, when it came earlier;
    `NO_INTERVAL` if it did not, or if what followed then is not among the notes up to this one, int16.
    """


class Occurrences(NamedTuple):
    """Notes that have a key in common."""

    number: np.ndarray
    """The same for the same key, 0 and up, or -1 for no key, int64 (n_notes,)."""
    earlier: np.ndarray
    """The last note of the same key at an earlier onset, or -1, int64 (n_notes,)."""


def motifs(songs: Songs) -> Motifs:
    """Motifs that end at each note; for `songs.once`.

    The numbers of motifs are made step by step: a motif of n steps is the number of that of n - 1 steps that ended at
    the voice's note before, and the last step. The steps' numbers differ between songs, so the motifs' do, too.
    """
    index = np.arange(len(songs))
    previous = songs.once(voices).previous
    moved = previous >= 0
    before = np.where(moved, previous, index)
    interval = songs.pitch - songs.pitch[before]
    wait = np.minimum(songs.onset - songs.onset[before], 2**31 - 1)
    step = occurrences(np.where(moved, ((songs.song << 8) + interval + 128 << 31) + wait, NONE), songs.group).number

    longest, exact = np.zeros(len(songs), np.int8), np.zeros(len(songs), bool)
    n_steps = int(step.max(initial=0)) + 1
    number, of_two = step, np.full(len(songs), NONE)
    for size in range(SHORTEST, LONGEST + 1):
        shorter = np.where(moved, number[before], NONE)
        number, earlier = occurrences(np.where(shorter >= 0, shorter * n_steps + step, NONE), songs.group)
        of_two = earlier if size == SHORTEST else of_two
        came = earlier >= 0
        # What comes at the same pitch again is among what comes again.
        again = _with_number_of(number, came)
        at_pitch = occurrences(np.where(again, number * 128 + songs.pitch, NONE), songs.group).earlier >= 0
        longest[came] = size
        exact[came] = at_pitch[came]

    following = followers(previous)
    then = _at(following, _at(of_two, np.where(moved, previous, NONE)))
    known = (then >= 0) & (then < index)
    predicted = _at(following, of_two)
    return Motifs(
        longest,
        exact,
        np.where(known, step[then] == step, NONE).astype(np.int8),
        np.where((predicted >= 0) & (predicted <= index), interval[predicted], NO_INTERVAL).astype(np.int16),
    )


def occurrences(key: np.ndarray, group: np.ndarray) -> Occurrences:
    """Where keys come back.

    Args:
        key: one for each note, 0 or more, or -1 for none, int64 (n_notes,).
        group: numbers of the notes' onset groups, ascending, (n_notes,).
    """
    number, earlier = np.full(len(key), NONE), np.full(len(key), NONE)
    kept = np.flatnonzero(key >= 0)
    order = kept[np.argsort(key[kept], kind="stable")]
    if not len(order):
        return Occurrences(number, earlier)
    key, group = key[order], group[order]
    new_key = np.append(True, key[1:] != key[:-1])
    number[order] = np.cumsum(new_key) - 1
    # Notes of one key and onset are a run; the note before the run is the last one at an earlier onset.
    new_run = new_key | np.append(True, group[1:] != group[:-1])
    run = np.maximum.accumulate(np.where(new_run, np.arange(len(order)), 0))
    came = ~new_key[run]
    earlier[order[came]] = order[run[came] - 1]
    return Occurrences(number, earlier)


def followers(previous: np.ndarray) -> np.ndarray:
    """The first note that has each note as its `previous`, or -1, (n_notes,)."""
    following = np.full(len(previous), NONE)
    has = np.flatnonzero(previous >= 0)[::-1]  # the last one written stays
    following[previous[has]] = has
    return following


def _at(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Values at the index, -1 where that is -1."""
    return np.where(index >= 0, values[index], NONE)


def _with_number_of(number: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Which notes have the number of one of those; none without a number."""
    table = np.zeros(int(number.max(initial=0)) + 2, bool)
    table[number[which]] = True
    return table[number]
