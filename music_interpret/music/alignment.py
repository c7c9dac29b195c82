"""Where the notes of a song are in another record of the same piece, such as a table of annotated notes.

Two records of a piece have the same notes (onset and pitch) over long stretches, and between these one is shifted
against the other: a repeat is played out or not, a first ending left out, a bar missing or written twice, an upbeat
counted as a whole bar, the beginning cut. Within a stretch the difference between the two onsets, the *shift*, is
constant. So an alignment is a shift for each onset of the song, or none where nothing in the table sounds like it.

The sequence of shifts is taken that maximises

    notes that are in the table at their shift - LEAST_AGREEMENT * notes that have a shift - CHANGE_COST * changes

by dynamic programming (Viterbi 1967), as alignments of performances that jump and repeat are found (Nakamura et al.,
Real-Time Audio-to-Score Alignment, IEEE/ACM TASLP 2016). A shift may become smaller as well as larger, so that a part
of the table can be used twice. Where shifts are in doubt notes have none: where most notes nearby are not in the
table, and where those that are not would be at another shift, because parts of the song are out of step.

Onsets are whole steps, pitches MIDI note numbers. Costs were chosen on DCML's Mozart and Corelli tables.
"""

from typing import NamedTuple

import numpy as np

from music_interpret.music.pitches import N_PITCHES

NOWHERE = np.iinfo(np.int64).min
"""The onset in the table of a note that has none."""
LEAST_AGREEMENT = 0.5
"""A stretch of which a smaller fraction of notes is in the table is not placed."""
CHANGE_COST = 8.0
"""Notes that must speak for a change of the shift."""
WINDOW_NOTES, WINDOW_SHIFTS, MOST_SHIFTS = 32, 2, 512
"""Tried are, of as many notes at a time, the shifts at which most of them are in the table; at most so many in all."""
AROUND_BEATS, AROUND_AGREEMENT = 2, 0.5
"""Of a stretch's notes so many beats before and after a note, at least this fraction must be in the table."""
DISPUTE_BEATS, DISPUTE_NOTES, DISPUTE_AGREEMENT = 6, 5, 0.7
"""Parts are out of step where, of the notes so many beats around that are not in the table, so many and this fraction
would be at another shift.
"""


class Record(NamedTuple):
    """Notes with their onsets."""

    onset: np.ndarray
    """In steps, int64 (n_notes,)."""
    pitch: np.ndarray
    """MIDI note numbers, int64 (n_notes,)."""


class Alignment(NamedTuple):
    """Where a song's notes are in a table."""

    onset: np.ndarray
    """Of each note of the song, its onset in the table, or `NOWHERE`, int64 (n_notes,)."""
    agrees: np.ndarray
    """Whether the table has the note there, bool (n_notes,)."""
    score: float
    """The maximum; larger for a table that fits better."""

    @property
    def placed(self) -> np.ndarray:
        """Which notes are somewhere in the table, bool (n_notes,)."""
        return self.onset != NOWHERE


def align(song: Record, table: Record, resolution: int) -> Alignment:
    """Place the notes of a song in a table.

    Args:
        song: one or more notes, sorted by onset.
        table: one or more notes, in any order.
        resolution: steps per beat.
    """
    event_onset, event = np.unique(song.onset, return_inverse=True)
    first_note = np.searchsorted(event, np.arange(len(event_onset)))
    shifts = _shifts(song, table)
    hits = _hits(song, table, shifts)
    # Of shifts that fit equally well, the one that fits more of the song.
    order = np.argsort(-hits.sum(axis=1), kind="stable")
    shifts, hits = shifts[order], hits[order]
    score = np.add.reduceat(hits, first_note, axis=1, dtype=np.float32)
    score -= LEAST_AGREEMENT * np.diff(np.append(first_note, len(song.onset)))
    tried = _largest_sum(score) > CHANGE_COST
    tried[:1] = True
    state, best = _best_states(score[tried].T)
    state = np.append(np.flatnonzero(tried), len(shifts))[state][event]
    found = state < len(shifts)
    agrees = np.vstack([hits, np.zeros(len(event), bool)])[state, np.arange(len(event))]
    found &= _fit_around(song.onset, state, agrees, resolution) & ~_disputed(song.onset, hits, agrees, resolution)
    onset = np.where(found, song.onset + np.append(shifts, 0)[state], NOWHERE)
    return Alignment(onset, agrees & found, best)


def _shifts(song: Record, table: Record) -> np.ndarray:
    """Shifts worth trying, int64 (n_shifts,); none where the two have no pitch in common."""
    order = np.argsort(table.pitch, kind="stable")
    onset, first = table.onset[order], np.searchsorted(table.pitch[order], np.arange(N_PITCHES + 1))
    shifts, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, len(song.onset), WINDOW_NOTES):
        notes = slice(start, start + WINDOW_NOTES)
        begin, n = first[song.pitch[notes]], first[song.pitch[notes] + 1] - first[song.pitch[notes]]
        # Of each note of the window, all notes of the table that have its pitch.
        same = np.repeat(begin - np.cumsum(n) + n, n) + np.arange(n.sum())
        shift, count = np.unique(onset[same] - np.repeat(song.onset[notes], n), return_counts=True)
        best = np.argsort(-count, kind="stable")[:WINDOW_SHIFTS]
        shifts.append(shift[best])
        counts.append(count[best])
    found, place = np.unique(np.concatenate(shifts), return_inverse=True)
    return found[np.argsort(-np.bincount(place, np.concatenate(counts)), kind="stable")[:MOST_SHIFTS]]


def _hits(song: Record, table: Record, shifts: np.ndarray) -> np.ndarray:
    """Whether the table has each note of the song at each shift, bool (n_shifts, n_notes)."""
    times, time = np.unique(table.onset, return_inverse=True)
    there = np.zeros((len(times), N_PITCHES), bool)
    there[time, table.pitch] = True
    wanted = song.onset + shifts[:, None]
    found = np.minimum(np.searchsorted(times, wanted), len(times) - 1)
    return there[found, song.pitch] & (times[found] == wanted)


def _largest_sum(score: np.ndarray) -> np.ndarray:
    """The largest sum of scores that follow each other, of each row."""
    total = np.cumsum(score, axis=1)
    before = np.minimum.accumulate(np.pad(total[:, :-1], ((0, 0), (1, 0))), axis=1)
    largest: np.ndarray = (total - before).max(axis=1)
    return largest


def _best_states(score: np.ndarray) -> tuple[np.ndarray, float]:
    """The sequence of states with the largest sum of scores less `CHANGE_COST` for each change, and that sum.

    Args:
        score: of each event in each state, (n_events, n_states).

    Returns:
        The state of each event, `n_states` for none, which scores 0, int64 (n_events,); the sum.
    """
    n_events = len(score)
    score = np.pad(score, ((0, 0), (0, 1)))
    sums, before, changed = score[0].copy(), np.zeros(n_events, np.int64), np.zeros(score.shape, bool)
    for i in range(1, n_events):
        before[i] = sums.argmax()
        other = sums[before[i]] - CHANGE_COST
        changed[i] = sums < other
        np.maximum(sums, other, out=sums)
        sums += score[i]
    states = np.full(n_events, sums.argmax())
    for i in range(n_events - 1, 0, -1):
        states[i - 1] = before[i] if changed[i, states[i]] else states[i]
    return states, float(sums.max())


def _fit_around(onset: np.ndarray, state: np.ndarray, agrees: np.ndarray, resolution: int) -> np.ndarray:
    """Whether enough notes of a note's stretch that begin shortly before or after it agree, bool (n_notes,)."""
    edge = np.flatnonzero(np.diff(state)) + 1
    stretch = np.searchsorted(edge, np.arange(len(onset)), side="right")
    begin, end = _window(onset, AROUND_BEATS * resolution)
    begin = np.maximum(begin, np.concatenate([[0], edge])[stretch])
    end = np.minimum(end, np.append(edge, len(onset))[stretch])
    total = np.concatenate([[0], np.cumsum(agrees)])
    fits: np.ndarray = total[end] - total[begin] >= AROUND_AGREEMENT * (end - begin)
    return fits


def _disputed(onset: np.ndarray, hits: np.ndarray, agrees: np.ndarray, resolution: int) -> np.ndarray:
    """Whether the notes near a note that do not agree would at another shift: parts out of step, bool (n_notes,)."""
    begin, end = _window(onset, DISPUTE_BEATS * resolution)
    total = np.cumsum(np.pad(hits & ~agrees, ((0, 0), (1, 0))), axis=1, dtype=np.int32)
    odd = np.concatenate([[0], np.cumsum(~agrees)])
    others = (total[:, end] - total[:, begin]).max(axis=0, initial=0)
    disputed: np.ndarray = others >= np.maximum(DISPUTE_NOTES, DISPUTE_AGREEMENT * (odd[end] - odd[begin]))
    return disputed


def _window(onset: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last (exclusive) of the notes that begin so many steps before or after each note."""
    return np.searchsorted(onset, onset - steps), np.searchsorted(onset, onset + steps, side="right")
