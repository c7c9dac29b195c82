"""Where music closes: cadences and the ends of phrases.

A cadence is a close on the tonic or on the dominant at a phrase's end (Caplin, The Classical Cadence, 2004). What it is
read from is what Bigo, Feisthauer, Giraud and Levé (Relevance of musical features for cadence detection, 2018) found to
tell it: the chord and the two before it as degrees of the key, in which inversion, how the bass moved, which degree is
on top, where in the bar it is, how long it lasts, and whether a rest or a break of the melody (`phrases.py`) follows. A
small network weighs these, and of cadences within two beats the likeliest counts. It is fitted as chords are
(`chord_segments.py`).

Phrases begin and end where the same network says so. An end is where experts set it: at the onset of the last chord, or
of the next phrase where that begins at once. In songs of a single line
they are those of `phrases.py`, which on 1,500 folk songs of the Essen collection agree better with the phrases (MCC of
ends .51, the network's .34); on six DCML corpora it is the other way round.
"""

import functools
from typing import NamedTuple

import numpy as np

from music_interpret.music.chord_context import UNIT, context
from music_interpret.music.chord_segments import INVERSIONS, SEGMENT_QUALITIES, chord_segments
from music_interpret.music.concepts.concept import NONE
from music_interpret.music.key_segments import key_segments
from music_interpret.music.phrases import phrases
from music_interpret.music.segmentation import Network, read_network, scores_at
from music_interpret.music.songs import Songs
from music_interpret.music.sounding import over, sounding

CADENCES = ("perfect authentic", "imperfect authentic", "half")
OUTPUTS = (*CADENCES, "phrase end", "phrase start")
NEAR_BEATS = 2
TIME_EDGES_BEATS = (1 / 2, 1, 2, 4)
NEVER = np.iinfo(np.int64).max // 2
SEGMENTS_AROUND = (-3, -2, -1, 0, 1)
"""Chords before and after that are looked at; 0 is the one at the onset."""


class Closure(NamedTuple):
    """Closes by onset, arrays (n_groups,)."""

    cadence: np.ndarray
    """Number in `CADENCES` of the cadence that arrives here, -1 for none, int64."""
    phrase_end: np.ndarray
    """Whether a phrase ends here, bool."""
    phrase_start: np.ndarray
    """Whether a phrase begins here, bool."""


def closure(songs: Songs) -> Closure:
    """Cadences and phrases; for `songs.once`."""
    scores = closure_scores(songs, closure_network())
    first = songs.group_first[:-1]
    time, song = songs.time[first], songs.song[first]
    cadences, ends, starts = scores[:, : len(CADENCES)], scores[:, -2], scores[:, -1]
    kind = cadences.argmax(axis=1) if len(first) else np.zeros(0, np.int64)
    best = cadences.max(axis=1, initial=-np.inf)
    near = NEAR_BEATS * songs.resolution
    cadence = np.where((best > 0) & peaks(best, time, near), kind, NONE)
    begins = np.append(np.ones(min(len(first), 1), bool), song[1:] != song[:-1])
    single = np.bincount(songs.song, songs.once(sounding).count > 1, songs.n_songs)[song] == 0
    lines = songs.once(phrases)
    return Closure(
        cadence,
        np.where(single, lines.end, (ends > 0) & peaks(ends, time, near)),
        np.where(single, lines.start, begins | ((starts > 0) & peaks(starts, time, near))),
    )


def closure_scores(songs: Songs, network: Network) -> np.ndarray:
    """Score of each of `OUTPUTS` at each onset, (n_groups, 5); above 0 it is more likely than not to be counted."""
    return scores_at(songs.once(context), songs.once(key_segments) % 12, signs(songs), network)


def peaks(scores: np.ndarray, time: np.ndarray, near: int) -> np.ndarray:
    """Which scores no earlier one in reach equals, and no other passes."""
    if not len(scores):
        return np.zeros(0, bool)
    index = np.arange(len(scores))
    low = scores.dtype.type(-np.inf)
    before = over(np.maximum, scores, np.searchsorted(time, time - near), index, low)
    after = over(np.maximum, scores, index + 1, np.searchsorted(time, time + near, side="right"), low)
    return (scores > before) & (scores >= after)


def signs(songs: Songs) -> np.ndarray:
    """What cadences are told by, apart from the context, as scalars of the network, uint8 (n_groups, N_SIGNS)."""
    first = songs.group_first[:-1]
    if not len(first):
        return np.zeros((0, N_SIGNS), np.uint8)
    time, song = songs.time[first], songs.song[first]
    following = _following(time, song)
    strength = songs.once(phrases).strength
    after = np.where(following < NEVER, np.append(strength[1:], 0), 1)
    last = np.append(song[1:] != song[:-1], True) & songs.complete[song]
    yes = [
        songs.once(key_segments)[:, None] // 12 == 1,
        *_chords_around(songs),
        *_spans(songs, following),
        last[:, None],
    ]
    levels = np.rint(np.stack([strength, after], axis=1) * UNIT)
    return np.concatenate([np.concatenate(yes, axis=1) * UNIT, levels], axis=1).astype(np.uint8)


def _following(time: np.ndarray, song: np.ndarray) -> np.ndarray:
    """The time after each in its song."""
    return np.append(np.where(song[1:] == song[:-1], time[1:], NEVER), NEVER)


def _chords_around(songs: Songs) -> list[np.ndarray]:
    """Degree, kind and inversion of the chord at each onset, of those before it, as they gave way, and of the next."""
    found, key, song = songs.once(chord_segments), songs.once(key_segments), songs.song[songs.group_first[:-1]]
    start = np.flatnonzero(np.diff(found.number, prepend=-1))
    last = np.append(start[1:], len(song)) - 1
    signs = []
    for shift in SEGMENTS_AROUND:
        other = found.number + shift
        at = start if shift > 0 else last
        row = at[np.clip(other, 0, len(start) - 1)] if shift else np.arange(len(song))
        there = (other >= 0) & (other < len(start)) & (song[row] == song) & (found.root[row] != NONE)
        for values, n in (
            ((found.root[row] - key) % 12, 12),
            (found.quality[row], len(SEGMENT_QUALITIES)),
            (found.inversion[row], len(INVERSIONS)),
        ):
            signs.append(there[:, None] & (values[:, None] == np.arange(n)))
    return signs


def _spans(songs: Songs, following: np.ndarray) -> list[np.ndarray]:
    """How long the chord has held and will hold, how long a rest follows, and how long the longest note is."""
    first = songs.group_first[:-1]
    time, number = songs.time[first], songs.once(chord_segments).number
    start = np.flatnonzero(np.diff(number, prepend=-1))
    stop = _following(time[start], songs.song[first][start])
    end = np.maximum.accumulate(songs.time + songs.duration)[songs.group_first[1:] - 1]
    spans = (
        time - time[start][number],
        stop[number] - time,
        following - end,
        np.maximum.reduceat(songs.duration, first),
    )
    return [span[:, None] > np.array((0, *TIME_EDGES_BEATS)) * songs.resolution for span in spans]


N_SIGNS = 1 + len(SEGMENTS_AROUND) * (12 + len(SEGMENT_QUALITIES) + len(INVERSIONS)) + 4 * 5 + 1 + 2


@functools.cache
def closure_network() -> Network:
    return read_network("closure")
