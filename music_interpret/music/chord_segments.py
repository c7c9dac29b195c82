"""Chords as analysts name them: each holds for a segment of onsets, whatever passes through it.

`segmentation.py` finds the segments, over twelve roots and the nine kinds of triads and seventh chords, and a second
network which note of the chord is in the bass: that of an Alberti bass is its lowest note, that of a pedal point not
the held one. Where a segment has one pitch class alone there is no chord. In a single line the chord is the one that it
implies.

Fitted on 15 of the DCML corpora (github.com/DCMLab), 653,000 notes by Couperin to Tchaikovsky, of which nothing but the
weights is kept (`benchmarks/_fit_harmony.py`); on corpora that were not seen, `docs/concepts.md` has the agreement.
"""

import functools
from typing import NamedTuple

import numpy as np

from music_interpret.music.chord_context import UNIT, context
from music_interpret.music.chords import QUALITIES
from music_interpret.music.concepts.concept import NONE
from music_interpret.music.segmentation import SCORE, Network, best_path, best_states, read_network, scores_at
from music_interpret.music.songs import Songs
from music_interpret.music.sounding import sounding

SEGMENT_QUALITIES = QUALITIES[: QUALITIES.index("augmented") + 1]
TRIADS = tuple(QUALITIES.index(name) for name in ("major", "minor", "diminished", "augmented"))
INVERSIONS = ("root position", "first inversion", "second inversion", "third inversion")
NEVER = -(2**20)
CHANGE_OF_INVERSION = 2 * SCORE
THIRD_INVERSION = INVERSIONS.index("third inversion")


class ChordSegments(NamedTuple):
    """Chords by onset, arrays (n_groups,)."""

    root: np.ndarray
    """Pitch class, -1 where there is no chord, int8."""
    quality: np.ndarray
    """Number in `QUALITIES`, -1 where there is no chord, int8."""
    inversion: np.ndarray
    """Number in `INVERSIONS`, -1 where there is no chord, int8."""
    number: np.ndarray
    """Number of the segment, int64."""


def chord_segments(songs: Songs) -> ChordSegments:
    """The chord at each onset; for `songs.once`."""
    root, quality = np.divmod(best_states(songs, chord_network()), len(SEGMENT_QUALITIES))
    first = songs.group_first[:-1]
    song = songs.song[first]
    new = np.ones(len(root), bool)
    new[1:] = (song[1:] != song[:-1]) | (root[1:] != root[:-1]) | (quality[1:] != quality[:-1])
    sets = songs.once(sounding).pitch_classes[first]
    new_root = np.append(np.ones(min(len(root), 1), bool), (song[1:] != song[:-1]) | (root[1:] != root[:-1]))
    starts = np.flatnonzero(new_root)
    passage = np.bitwise_or.reduceat(sets, starts) if len(starts) else sets
    several = (np.bitwise_count(passage) > 1)[np.cumsum(new_root) - 1]
    inversion = _inversions(songs, root, quality, new)
    root, quality, inversion = (
        np.where(several, values, NONE).astype(np.int8) for values in (root, quality, inversion)
    )
    return ChordSegments(root, quality, inversion, np.cumsum(new) - 1)


def _inversions(songs: Songs, root: np.ndarray, quality: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The inversion at each onset; changing it within a segment has a price, so that broken chords have one."""
    scores = scores_at(songs.once(context), root, kinds(quality), inversion_network())
    scores[np.isin(quality, TRIADS), THIRD_INVERSION] = NEVER
    return best_path(scores, np.where(new, 0, -CHANGE_OF_INVERSION).astype(np.float32), np.diff(songs.first_group))


def kinds(quality: np.ndarray) -> np.ndarray:
    """Qualities as scalars of a network, (n, n_qualities)."""
    return ((quality[:, None] == np.arange(len(SEGMENT_QUALITIES))) * UNIT).astype(np.uint8)


@functools.cache
def chord_network() -> Network:
    return read_network("chords")


@functools.cache
def inversion_network() -> Network:
    return read_network("inversions")
