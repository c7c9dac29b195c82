"""What sounds at each note's onset: the notes that start there and those that still sound from before.

A note sounds from its onset up to, not at, its end; at its own onset always, however short. In the model's order the
notes of an onset go from low to high, so the lowest sounding pitch is known at the first of them; what else sounds is
known only in part until the last ("so far").
"""

from typing import NamedTuple

import numpy as np

from music_interpret.music.songs import Songs

NO_PITCH = -1
"""Where nothing is held from before."""


class Sounding(NamedTuple):
    """What sounds at each note's onset, the note itself included; every field has a value for each note.

    Sets of pitch classes are sums of `1 << pitch class`. Notes of one pitch in two instruments count as two notes.
    """

    pitch_classes: np.ndarray
    """Set of the pitch classes that sound, int16."""
    lowest: np.ndarray
    """Lowest pitch that sounds, int16."""
    highest: np.ndarray
    """Highest pitch that sounds, int16."""
    count: np.ndarray  # type: ignore[assignment]  # hides tuple.count, which nothing needs here
    """Number of notes that sound, int32."""
    pitch_classes_so_far: np.ndarray
    """As `pitch_classes`, of this note and those before it in the model's order."""
    lowest_so_far: np.ndarray
    """As `lowest`, of this note and those before it: the same, for within an onset the lowest note comes first."""
    highest_so_far: np.ndarray
    """As `highest`, of this note and those before it."""
    count_so_far: np.ndarray
    """As `count`, of this note and those before it."""
    pitch_classes_before: np.ndarray
    """As `pitch_classes`, of the notes before it alone, 0 if none sounds."""
    held_pitch_classes: np.ndarray
    """As `pitch_classes`, of the notes that started at earlier onsets alone, 0 if none sounds."""
    held_lowest: np.ndarray
    """As `lowest`, of the notes that started at earlier onsets alone, -1 if none sounds."""
    held_highest: np.ndarray
    """As `highest`, of the notes that started at earlier onsets alone, -1 if none sounds."""
    held_count: np.ndarray
    """As `count`, of the notes that started at earlier onsets alone."""


def sounding(songs: Songs) -> Sounding:
    """What sounds at each note's onset; for `songs.once`."""
    group, first = songs.group, songs.group_first[:-1]
    after = after_last_group(songs)
    pitch = songs.pitch.astype(np.int16)
    classes = (1 << (songs.pitch % 12)).astype(np.int16)

    # What is held is found for onset groups, and then given to their notes.
    n_groups = len(first)
    above = np.int16(128)
    held_classes = spread(np.bitwise_or, classes, group + 1, after, n_groups, np.int16(0))[group]
    held_low = spread(np.minimum, pitch, group + 1, after, n_groups, above)[group]
    held_high = spread(np.maximum, pitch, group + 1, after, n_groups, np.int16(NO_PITCH))[group]
    starts = np.bincount(group, minlength=n_groups + 1)
    ends = np.bincount(after, minlength=n_groups + 1)
    held_count = (np.cumsum(starts - ends)[:-1] - starts[:-1])[group].astype(np.int32)

    last = songs.group_first[1:] - 1
    so_far = running_or(classes, group) | held_classes
    index = np.arange(len(songs))
    is_first = index == first[group]
    before = np.where(is_first, held_classes, np.concatenate([[0], so_far[:-1]])).astype(np.int16)[: len(songs)]
    nth = (index - first[group]).astype(np.int32)
    lowest = np.minimum(held_low, pitch[first][group])
    return Sounding(
        pitch_classes=so_far[last][group],
        lowest=lowest,
        highest=np.maximum(held_high, pitch[last][group]),
        count=held_count + np.diff(songs.group_first)[group].astype(np.int32),
        pitch_classes_so_far=so_far,
        lowest_so_far=lowest,
        highest_so_far=np.maximum(held_high, pitch),
        count_so_far=held_count + nth + 1,
        pitch_classes_before=before,
        held_pitch_classes=held_classes,
        held_lowest=np.where(held_low == above, np.int16(NO_PITCH), held_low),
        held_highest=held_high,
        held_count=held_count,
    )


def after_last_group(songs: Songs) -> np.ndarray:
    """Number of the first onset group at which each note no longer sounds, at least the one after its own, (n_notes,).

    It may be that of the next song's first group, never a later one.
    """
    times = songs.time[songs.group_first[:-1]]
    return np.maximum(np.searchsorted(times, songs.time + songs.duration), songs.group + 1)


def spread(
    combine: np.ufunc, values: np.ndarray, first: np.ndarray, after: np.ndarray, n: int, nothing: np.generic
) -> np.ndarray:
    """For each index below n, `combine` of the values of all stretches that cover it, (n,).

    A stretch is laid as two, perhaps overlapping, of a power of two entries; those are halved down to single entries.
    The work is n times the logarithm of the longest stretch, whatever the number of stretches.

    Args:
        combine: one that takes the same value twice as once: minimum, maximum, bitwise or, and.
        values: value of each stretch.
        first: first index of each stretch.
        after: the index after its last; stretches with none are left out.
        n: number of entries.
        nothing: what entries have that no stretch covers.
    """
    lengths = after - first
    kept = np.flatnonzero(lengths > 0)
    values, first, after = values[kept], first[kept], after[kept]
    # frexp gives the exponent of the power of two above.
    levels = np.frexp(lengths[kept])[1] - 1
    done = np.full(n, nothing, values.dtype)
    order = np.argsort(-levels.astype(np.int8), kind="stable")
    bounds = np.searchsorted(-levels[order], np.arange(-(levels.max() if len(levels) else 0), 2))
    for step, level in enumerate(range(len(bounds) - 2, -1, -1)):
        size = 1 << level
        if step:  # what covers 2 * size entries from i covers size from i and from i + size
            larger = done
            done = larger.copy()
            combine(done[size:], larger[:-size], out=done[size:])
        these = order[bounds[step] : bounds[step + 1]]
        combine.at(done, first[these], values[these])
        combine.at(done, after[these] - size, values[these])
    return done


def running_or(sets: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Union of each note's set and those of the notes before it in its onset group, (n_notes,)."""
    found = sets.copy()
    step = 1
    while step < len(sets):
        same = group[step:] == group[:-step]
        if not same.any():
            break
        found[step:] |= np.where(same, found[:-step], 0).astype(sets.dtype)
        step *= 2
    return found


def over(
    combine: np.ufunc, values: np.ndarray, first: np.ndarray, after: np.ndarray, nothing: np.generic
) -> np.ndarray:
    """`combine` of the values of indices first … after − 1, (n_queries,).

    Args:
        combine: one that takes the same value twice as once: minimum, maximum, bitwise or, and.
        values: what is combined.
        first: first index of each query.
        after: the index after its last.
        nothing: what queries of no index get.
    """
    lengths = after - first
    found = np.full(len(first), nothing, values.dtype)
    at_level = values
    levels = np.frexp(np.maximum(lengths, 0))[1] - 1
    top = int(levels.max()) if len(levels) else -1
    for level in range(top + 1):
        size = 1 << level
        these = np.flatnonzero(levels == level)
        found[these] = combine(at_level[first[these]], at_level[after[these] - size])
        if level < top:
            wider = at_level.copy()
            combine(wider[:-size], at_level[size:], out=wider[:-size])
            at_level = wider
    return found
