"""Chords: which one a set of sounding pitch classes is, looked up in a table made once.

A set is compared with chords on all twelve roots, in this order; the first that fits is its chord:

1. the set is the whole chord: a triad, a seventh chord, a suspended fourth (with or without a seventh), a bare fifth;
2. the set is a major or minor third alone, or a major, minor or dominant seventh chord without its fifth;
3. the set is a triad or seventh chord and one other pitch class (a passing or changing note): the larger chord, then
   the one with its root in the bass, then the one named first in `QUALITIES`, then the one whose root is next above the
   bass.

Where several roots fit the same way (augmented triad, diminished seventh), the bass is therefore the root. What fits
nothing is "other"; one pitch class alone is no chord. Templates in which notes are optional and others may sound as
well: Pardo and Birmingham 2002; the lower note of a bare fifth or third as its root: Parncutt 1988.
"""

import functools
from typing import NamedTuple

import numpy as np

from music_interpret.music.concepts.concept import NONE
from music_interpret.music.songs import Songs
from music_interpret.music.sounding import sounding

# Semitones above the root. A third alone, and seventh chords without fifth, count as the chord without its fifth.
TEMPLATES: dict[str, tuple[tuple[int, ...], ...]] = {
    "major": ((0, 4, 7),),
    "minor": ((0, 3, 7),),
    "dominant seventh": ((0, 4, 7, 10),),
    "minor seventh": ((0, 3, 7, 10),),
    "major seventh": ((0, 4, 7, 11),),
    "diminished": ((0, 3, 6),),
    "half-diminished seventh": ((0, 3, 6, 10),),
    "diminished seventh": ((0, 3, 6, 9),),
    "augmented": ((0, 4, 8),),
    "suspended fourth": ((0, 5, 7), (0, 5, 7, 10)),
    "open fifth": ((0, 7),),
}
WITHOUT_FIFTH = {
    "major": (0, 4),
    "minor": (0, 3),
    "dominant seventh": (0, 4, 10),
    "minor seventh": (0, 3, 10),
    "major seventh": (0, 4, 11),
}
QUALITIES = (*TEMPLATES, "other")
OTHER = QUALITIES.index("other")
ALONE = frozenset({"suspended fourth", "open fifth"})
"""Chords that are only read where nothing else sounds: with one more note they are mostly another chord's part."""
ROLES = ("root", "third", "fourth", "fifth", "seventh", "not in the chord")
ROLE_OF_INTERVAL = {0: "root", 5: "fourth"} | dict.fromkeys((3, 4), "third")
ROLE_OF_INTERVAL |= dict.fromkeys((6, 7, 8), "fifth") | dict.fromkeys((9, 10, 11), "seventh")
NOT_IN_CHORD = ROLES.index("not in the chord")


class Chords(NamedTuple):
    """The chords at each note's onset; -1 where there is none. All fields (n_notes,), int8."""

    quality: np.ndarray
    """Number of the quality in `QUALITIES`, of all that sounds at the onset."""
    root: np.ndarray
    """Pitch class of the root, -1 also for "other"."""
    quality_so_far: np.ndarray
    """As `quality`, of what sounds of this note and those before it."""
    root_so_far: np.ndarray
    """As `root`, of what sounds of this note and those before it."""
    last_quality: np.ndarray
    """As `quality`, at the song's onset before this; -1 at its first."""
    last_root: np.ndarray
    """As `root`, at the song's onset before this; -1 at its first."""
    last_bass: np.ndarray
    """Lowest pitch class that sounded at the song's onset before this; -1 at its first."""
    last_pitch_classes: np.ndarray
    """Set of the pitch classes that sounded at the song's onset before this, 0 at its first, int16."""


def chords(songs: Songs) -> Chords:
    """The chords at each note's onset; for `songs.once`."""
    sounds = songs.once(sounding)
    bass = sounds.lowest % 12
    quality, root = chord_of(sounds.pitch_classes, bass)
    quality_so_far, root_so_far = chord_of(sounds.pitch_classes_so_far, bass)
    before = last_onset(songs)
    none, kept = before == NONE, np.maximum(before, 0)
    return Chords(
        quality,
        root,
        quality_so_far,
        root_so_far,
        *(
            np.where(none, lacking, values[kept]).astype(values.dtype)
            for values, lacking in ((quality, NONE), (root, NONE), (bass, NONE), (sounds.pitch_classes, 0))
        ),
    )


def last_onset(songs: Songs) -> np.ndarray:
    """The last note of the song's onset before each note's, -1 at its first onset, (n_notes,)."""
    before = songs.group_first[songs.group] - 1
    first = songs.first_note[songs.song]
    return np.where(before >= first, before, NONE)


def chord_of(pitch_classes: np.ndarray, bass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quality and root of sets of pitch classes, int8, (n,) each.

    Args:
        pitch_classes: sums of `1 << pitch class`, (n,).
        bass: the lowest pitch class of each, (n,).
    """
    qualities, roots = chord_tables()
    place = bass.astype(np.int32) * 4096 + pitch_classes
    return qualities[place], roots[place]


@functools.cache
def chord_tables() -> tuple[np.ndarray, np.ndarray]:
    """Quality and root of every set of pitch classes over every bass, at bass * 4096 + set, int8, (49,152,) each."""
    sets = np.tile(np.arange(4096), 12)
    bass = np.repeat(np.arange(12), 4096)
    size = np.bitwise_count(sets)
    best = np.zeros(len(sets), int)
    qualities = np.where(size > 1, OTHER, NONE)
    roots = np.full(len(sets), NONE)
    for number, (name, whole) in enumerate(TEMPLATES.items()):
        for root in range(12):
            for template in (*whole, *((WITHOUT_FIFTH[name],) if name in WITHOUT_FIFTH else ())):
                notes = sum(1 << (root + interval) % 12 for interval in template)
                fit = np.where(sets == notes, 9 if template in whole else 8, 0)
                if template in whole and name not in ALONE:
                    one_more = ((sets & notes) == notes) & (size == len(template) + 1)
                    fit = np.where(one_more, len(template), fit)
                # The better fit, then the bass as root, then the earlier quality, then the root next above the bass,
                # so that a transposed set has the transposed chord.
                above = (root - bass) % 12
                rank = np.where(fit, ((fit * 2 + (above == 0)) * 16 + 15 - number) * 12 + 11 - above, 0)
                better = rank > best
                best = np.where(better, rank, best)
                qualities = np.where(better, number, qualities)
                roots = np.where(better, root, roots)
    return qualities.astype(np.int8), roots.astype(np.int8)


def roles(pitch_class: np.ndarray, quality: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Role of a pitch class in a chord, its number in `ROLES`, -1 where there is no chord, (n,)."""
    return _role_table()[quality, (pitch_class - root) % 12]


@functools.cache
def _role_table() -> np.ndarray:
    """Role by quality and semitones above the root, (n_qualities + 1, 12); the last row is for no chord, int8."""
    table = np.full((len(QUALITIES) + 1, 12), NONE, np.int8)
    for number, whole in enumerate(TEMPLATES.values()):
        table[number] = NOT_IN_CHORD
        for interval in whole[-1]:
            table[number, interval] = ROLES.index(ROLE_OF_INTERVAL[interval])
    return table
