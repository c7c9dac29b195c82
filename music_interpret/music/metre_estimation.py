"""Estimates of the metres of songs for which no score says them: where bars begin and how long they are, with changes.

Networks (`metre_network.py`) say of each sixteenth how much speaks for bars of each length, and for a downbeat. The
estimate is the sequence of bars that the most speaks for (Viterbi). Its states are hypotheses, a bar's length and the
sixteenth on which its bars begin; in each quarter note a song stays with its hypothesis, or changes at a cost to one
that has a downbeat there (so do Krebs, Böck & Widmer, An efficient state-space model for joint tempo and meter
tracking, ISMIR 2015, with tempi). Thus a short bar, or a new metre, begins a new stretch.

The networks saw every second song of some corpora. Downbeats note by note (Matthews correlation, MCC), fraction of
notes in bars of the right length, and of these shifted ones, and songs in which every downbeat is right, in percent;
"one": the first network alone. Nothing was fitted on the first five, and on others not on these songs, but for the
first network on some (docs/benchmarks.md):

| corpus | songs | MCC one | MCC | length | phase wrong | songs one | songs |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| ABC: Beethoven quartets | 70 | .87 | .89 | 91 | 5 | 57 | 64 |
| Corelli trio sonatas | 149 | .72 | .74 | 62 | 8 | 56 | 58 |
| Mozart piano sonatas | 54 | .93 | .93 | 83 | 0 | 74 | 74 |
| ASAP: piano music, MIDI of scores | 235 | .76 | .78 | 69 | 8 | 37 | 40 |
| essenFolksong | 3,657 | .67 | .73 | 76 | 10 | 56 | 64 |
| Lieder | 698 | .89 | .90 | 85 | 2 | 68 | 71 |
| quartets | 47 | .82 | .84 | 74 | 3 | 4 | 8 |
| Bach chorales | 205 | .95 | .96 | 92 | 1 | 95 | 95 |
| ryansMammoth | 529 | .88 | .92 | 98 | 6 | 81 | 85 |
| airdsAirs | 589 | .91 | .90 | 87 | 2 | 81 | 82 |
| oneills1850 | 1,004 | .87 | .93 | 97 | 4 | 77 | 83 |
| monteverdi | 24 | .99 | .99 | 98 | 0 | 92 | 88 |
| palestrina | 200 | .92 | .96 | 99 | 2 | 89 | 96 |

Performed MIDI that is not on the grid gets nothing sensible: MCC .01 on 53 performances of ASAP, read at their nominal
tempo. Where downbeats matter, time signatures are better.
"""

import itertools
from typing import NamedTuple

import numpy as np

from music_interpret.music.metre_evidence import GAP, HEARD, Frames, evidence, lay_out
from music_interpret.music.metre_network import BAR_OF_SIGNATURE, LENGTHS, SIGNATURES, Opinion, judge
from music_interpret.music.notes import BEAT

CHANGE = 8.0
"""Cost of a change, in nats."""
QUARTER = 4
"""Frames in which a song changes at most once."""
FRAMES_AT_ONCE = 2**17
"""Songs are done in groups of about so many frames, for memory's sake."""
LENGTH_OF = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
"""Number of each hypothesis's bar length in LENGTHS."""
BAR_OF = np.array(LENGTHS)[LENGTH_OF]
"""Length of each hypothesis's bar, in frames."""
PLACE_OF = np.concatenate([np.arange(length) for length in LENGTHS])
"""First frame of a song on which each hypothesis has a downbeat."""


class Course(NamedTuple):
    """The most likely hypothesis of songs at each quarter note; of shorter songs the last rows say nothing."""

    hypothesis: np.ndarray
    """(n_quarters, n_songs)."""
    begins: np.ndarray
    """Whether the hypothesis begins to hold in this quarter note, bool (n_quarters, n_songs)."""


def estimate_metres(notes: np.ndarray, first_note: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Stretches of one metre as `metres.py` has them, the first of each song at step 0 or before.

    A song with fewer than two different onsets is in 4/4 from its first beat on.

    Args:
        notes: of all songs, sorted, int64 (n_notes, 5).
        first_note: row of each song's first note, and the number of rows, (n_songs + 1,).
        resolution: steps per beat; a multiple of 4.

    Returns:
        (first step, numerator, denominator) of each stretch, int64 (n_stretches, 3), and each song's first stretch and
        the number of stretches at the end, (n_songs + 1,).
    """
    rows, counts = [np.zeros((0, 3), np.int64)], [np.zeros(1, np.int64)]
    beat = np.append(notes[:, BEAT], 0)
    beats = np.where(np.diff(first_note) > 0, beat[first_note[1:] - 1] - beat[first_note[:-1]], 0)
    group = np.cumsum(np.minimum(beats * QUARTER, HEARD) + GAP) // FRAMES_AT_ONCE
    edges = np.flatnonzero(np.append(group[1:] != group[:-1], np.ones(min(len(group), 1), bool))) + 1
    for start, stop in itertools.pairwise([0, *edges.tolist()]):
        first, last = first_note[start], first_note[stop]
        found, count = _estimate(notes[first:last], first_note[start : stop + 1] - first, resolution)
        rows.append(found)
        counts.append(count)
    return np.concatenate(rows), np.cumsum(np.concatenate(counts))


def _estimate(notes: np.ndarray, first_note: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Stretches of a group of songs, and the number of each song's."""
    frames, onsets = lay_out(notes, first_note, resolution)
    opinion = judge(evidence(frames, onsets), frames)
    song, frame, metre = stretches(opinion, frames)
    start = frames.origin[song] + frame
    is_first = np.append(True, song[1:] != song[:-1])[: len(song)]
    start = np.where(is_first, -(-start % BAR_OF_SIGNATURE[metre]), start)
    rows = np.column_stack([start * resolution // 4, np.array(SIGNATURES)[metre]])
    several = frames.length > 1
    single = np.flatnonzero(~several)
    rows = np.concatenate([rows[several[song]], np.tile([0, 4, 4], (len(single), 1))])
    song = np.append(song[several[song]], single)
    return rows[np.argsort(song, kind="stable")], np.bincount(song, minlength=len(several))


def stretches(opinion: Opinion, frames: Frames) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Song, a downbeat as a frame from the song's first, and number of the signature of each stretch of one metre.

    Of the signatures whose bars are as long the one that the networks say most for wins.
    """
    course = _most_likely(opinion, frames)
    song, quarter = np.nonzero(course.begins.T & (frames.length > 0)[:, None])
    hypothesis = course.hypothesis[quarter, song]
    frame = quarter * QUARTER + (PLACE_OF[hypothesis] - quarter * QUARTER) % BAR_OF[hypothesis]
    start = np.where(quarter > 0, frame, 0)
    is_last = np.append(song[1:] != song[:-1], True)[: len(song)]
    stop = np.where(is_last, frames.length[song], np.append(start[1:], 0)[: len(song)])
    sums = np.concatenate([np.zeros((1, len(SIGNATURES))), np.cumsum(opinion.signature, axis=0, dtype=np.float64)])
    said = sums[frames.first[song] + np.maximum(stop, start)] - sums[frames.first[song] + start]
    as_long = BAR_OF[hypothesis, None] == BAR_OF_SIGNATURE
    return song, frame, np.argmax(np.where(as_long, np.round(said, 3), -np.inf), axis=1)


def _most_likely(opinion: Opinion, frames: Frames) -> Course:
    """Viterbi over quarter notes, all songs at once.

    Opinions are rounded, so that of equals the first wins whatever songs are alongside.
    """
    order = np.argsort(-frames.length, kind="stable")  # so that songs that still sound come first
    n_quarters = -(-frames.length[order] // QUARTER)
    total, n_songs = int(n_quarters.max(initial=0)), len(order)
    sounding = np.searchsorted(-n_quarters, -np.arange(total))
    score = np.zeros((n_songs, len(BAR_OF)), np.float32)
    begins = np.zeros((total, n_songs, len(BAR_OF)), bool)
    came_from = np.zeros((total, n_songs), np.int64)
    length, downbeat = (np.round(said, 3) for said in (opinion.length, opinion.downbeat))
    for quarter, n in enumerate(sounding):
        at = frames.first[order[:n], None] + quarter * QUARTER + np.arange(QUARTER)
        until = (PLACE_OF - quarter * QUARTER) % BAR_OF
        here = np.flatnonzero(until < QUARTER)  # hypotheses with a downbeat in this quarter note
        now = score[:n]
        if quarter:
            best = np.argmax(now, axis=1)
            came_from[quarter, :n] = best
            changed = now[np.arange(n), best, None] - CHANGE
            better = changed > now[:, here]
            begins[quarter, :n, here] = better.T
            now[:, here] = np.where(better, changed, now[:, here])
        now += length[at].sum(1)[:, LENGTH_OF]
        now[:, here] += downbeat[at].reshape(n, -1)[:, until[here] * len(LENGTHS) + LENGTH_OF[here]]
    course = _back(np.argmax(score, axis=1), begins, came_from, sounding)
    course.begins[:1] = True
    in_order = np.argsort(order)
    return Course(course.hypothesis[:, in_order], course.begins[:, in_order])


def _back(last: np.ndarray, begins: np.ndarray, came_from: np.ndarray, sounding: np.ndarray) -> Course:
    """The way back from the last hypotheses; arguments as in `_most_likely`, of songs in its order."""
    total, n_songs = came_from.shape
    course = Course(np.zeros((total, n_songs), np.int64), np.zeros((total, n_songs), bool))
    state = last.copy()
    for quarter in reversed(range(total)):
        now = state[: sounding[quarter]]
        course.hypothesis[quarter] = state
        begun = begins[quarter, np.arange(len(now)), now]
        course.begins[quarter, : len(now)] = begun
        now[:] = np.where(begun, came_from[quarter, : len(now)], now)
    return course
