"""Note arrays: one row per note, int64 columns (beat, position, pitch, duration, program).

`beat` counts quarter-note beats from 0, `position` steps within the beat (0 … resolution − 1), `pitch` is the MIDI
note number, `duration` is in steps, `program` is the General MIDI program (0 … 127). Rows are sorted. This is the
note format of the Multitrack Music Transformer (Dong et al., ICASSP 2023), stored as `.npy` or as `.csv` with these
names as its header.
"""

from pathlib import Path
from typing import Literal, get_args

import numpy as np

from music_interpret.errors import InputError
from music_interpret.files import read_array

COLUMNS = ("beat", "position", "pitch", "duration", "program")
BEAT, POSITION, PITCH, DURATION, PROGRAM = range(5)
Attribute = Literal["onset", "pitch", "duration", "program"]
ATTRIBUTES: frozenset[Attribute] = frozenset(get_args(Attribute))
"""What a note is made of; its onset is beat and position together."""


def validate_notes(notes: np.ndarray, name: str, resolution: int) -> np.ndarray:
    """Return `notes` as int64 (n_notes, 5), or raise InputError that names the song and the first wrong value.

    Args:
        notes: any array.
        name: the song or file, for the message.
        resolution: time steps per beat.
    """
    if notes.ndim != 2 or notes.shape[1] != len(COLUMNS):
        raise InputError(f"notes of {name} have shape {notes.shape}; expected (n_notes, 5): {', '.join(COLUMNS)}")
    if not np.issubdtype(notes.dtype, np.integer):
        raise InputError(f"notes of {name} have dtype {notes.dtype}; expected an integer type")
    if len(notes) == 0:
        raise InputError(f"song {name} is empty: it has no notes; remove it, or take it off the name lists")
    limits = (2**31 - 1, resolution - 1, 127, 2**31 - 1, 127)
    wrong = (notes < 0) | (notes > np.array(limits))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        value, top = notes[row, column], limits[column]
        right = f"0 to {top}" if top < 2**31 - 1 else "0 or more"
        raise InputError(f"notes of {name}, row {row}: {COLUMNS[column]} is {value}; expected {right}")
    return notes.astype(np.int64)


def sort_notes(notes: np.ndarray) -> np.ndarray:
    """Sorted and without duplicate rows, as the authors' conversion leaves them."""
    return np.unique(notes, axis=0)


def read_notes(path: Path, resolution: int) -> np.ndarray:
    """Read and validate one song's notes from `.npy` or `.csv`; shape (n_notes, 5), int64."""
    notes = _read_csv(path) if path.suffix == ".csv" else read_array(path, "note", "(n_notes, 5)")
    return validate_notes(notes, str(path), resolution)


def _read_csv(path: Path) -> np.ndarray:
    try:
        with open(path, encoding="utf-8") as file:
            header = file.readline().strip().split(",")
            if tuple(header) != COLUMNS:
                raise InputError(f"{path} starts with {','.join(header)!r}; expected {','.join(COLUMNS)!r}")
            return np.loadtxt(file, delimiter=",", dtype=np.int64, ndmin=2).reshape(-1, len(COLUMNS))
    except FileNotFoundError:
        raise InputError(f"missing note file {path}") from None
    except ValueError as error:
        raise InputError(f"{path} is not a readable note file ({error})") from None
