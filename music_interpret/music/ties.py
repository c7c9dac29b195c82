"""Ties: the written notes that are one note for the ear.

A tie goes to the note of the same part and pitch that starts where it ends, whatever voice, staff or chord that is in;
of several to one that a tie leads to.
"""

import numpy as np

from music_interpret.music.formats.written import WrittenNote

FIELDS = WrittenNote._fields
ONSET, END, PITCH, PART = (FIELDS.index(name) for name in ("onset", "end", "pitch", "part"))
TIED_ON, TIED_BACK = (FIELDS.index(name) for name in ("tied_on", "tied_back"))


def join_ties(notes: np.ndarray) -> np.ndarray:
    """Rows as `WrittenNote` says, int64 (n_notes, 8), of which tied ones have become one, sorted by onset."""
    notes = notes[np.argsort(notes[:, ONSET], kind="stable")]
    if not notes[:, TIED_ON].any():
        return notes
    starts: dict[tuple[int, int, int], list[int]] = {}
    for row, key in enumerate(notes[:, (PART, PITCH, ONSET)].tolist()):
        starts.setdefault(tuple(key), []).append(row)
    ends = notes[:, END].tolist()
    first_of: dict[int, int] = {}  # the note that a joined row belongs to
    for row in np.flatnonzero(notes[:, TIED_ON]).tolist():  # in the order of onsets, so a chain is followed to its end
        part, pitch = notes[row, PART], notes[row, PITCH]
        there = starts.get((int(part), int(pitch), ends[row]), [])
        free = [other for other in there if other not in first_of and other != row]
        if free:
            following = max(free, key=lambda other: notes[other, TIED_BACK])
            first_of[following] = first_of.get(row, row)
    joined = notes.copy()
    for row, first in first_of.items():
        joined[first, END] = max(joined[first, END], ends[row])
    return np.delete(joined, list(first_of), axis=0)
