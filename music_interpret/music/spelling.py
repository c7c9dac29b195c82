"""Spelling: which of its names a pitch has, as a whole number on the line of fifths.

C is 0, each fifth up is 1 more: G = 1, D = 2, … B = 5, F♯ = 6, C♯ = 7; each fifth down is 1 less: F = −1, B♭ = −2, …
C♭ = −7, F♭♭ = −15. Seven fifths are one sharp, so B♯ = 12. Twelve fifths are an enharmonic change: C♯ = 7 and D♭ = −5
are one key of the piano. Source: Temperley, The Cognition of Basic Musical Structures, 2001, chapter 5.

    notes/<song>.npy        rows of notes, see `notes.py`
    spellings/<song>.npy    the number of each of these rows, int8 (n_notes,), where the source says how it is spelled
"""

import re
from pathlib import Path

import numpy as np

from music_interpret.errors import InputError
from music_interpret.files import read_array
from music_interpret.music.notes import PITCH

LETTERS = ("F", "C", "G", "D", "A", "E", "B")
"""Naturals along the line of fifths, from −1 on."""
LOWEST, HIGHEST = -22, 26
"""F♭♭♭ to B♯♯♯: no score needs more."""
SPELLINGS = "spellings"
_NATURAL_PITCH = np.array([5, 0, 7, 2, 9, 4, 11])
_NAME = re.compile(r"([A-G])(♯*|♭*|#*|b*|[x𝄪]|𝄫)")
_SIGNS = {"♯": 1, "#": 1, "♭": -1, "b": -1, "x": 2, "𝄪": 2, "𝄫": -2}


def fifths_name(fifths: int) -> str:
    """Name of a number on the line of fifths.

    Examples:
        >>> [fifths_name(n) for n in (0, -2, 6, -9, 13)]
        ['C', 'B♭', 'F♯', 'B♭♭', 'F♯♯']
    """
    accidentals, letter = divmod(fifths + 1, 7)
    return LETTERS[letter] + ("♯" * accidentals if accidentals > 0 else "♭" * -accidentals)


def name_fifths(name: str) -> int:
    """Number on the line of fifths of a name, with signs as ♯ ♭ 𝄪 𝄫, ♯♯ ♭♭ or as # b x; InputError for anything else.

    Examples:
        >>> [name_fifths(name) for name in ("C", "B♭", "Bb", "F#", "F𝄪", "Cbb")]
        [0, -2, -2, 6, 13, -14]
    """
    found = _NAME.fullmatch(name)
    if not found:
        raise InputError(f"the name of a note is {name!r}; expected a letter and its accidentals, such as B♭ or F#")
    letter, signs = found.groups()
    return LETTERS.index(letter) - 1 + 7 * sum(_SIGNS[sign] for sign in signs)


def spelled_name(pitch: int, fifths: int) -> str:
    """Name of a MIDI note number as it is spelled, in the octave of its letter.

    Examples:
        >>> spelled_name(70, -2), spelled_name(60, 12), spelled_name(59, -7)
        ('B♭4', 'B♯3', 'C♭4')
    """
    accidentals, letter = divmod(fifths + 1, 7)
    octave = (pitch - accidentals - int(_NATURAL_PITCH[letter])) // 12 - 1
    return f"{fifths_name(fifths)}{octave}"


def read_spelling(path: Path, notes: np.ndarray) -> np.ndarray:
    """Spelling of one song's notes, int8 (n_notes,).

    Args:
        path: of the `.npy`.
        notes: rows of the song, (n_notes, 5).

    Raises:
        InputError: the file is damaged, or does not fit the notes.
    """
    return validate_spelling(read_array(path, "spelling", "(n_notes,)"), notes, str(path))


def validate_spelling(spelling: np.ndarray, notes: np.ndarray, name: str) -> np.ndarray:
    """Return `spelling` as it is, or raise InputError that names the song and the first wrong value."""
    if spelling.shape != (len(notes),):
        raise InputError(f"spelling of {name} has shape {spelling.shape}; expected ({len(notes)},), one for each note")
    if spelling.dtype != np.int8:
        raise InputError(f"spelling of {name} has dtype {spelling.dtype}; expected int8")
    far = np.flatnonzero((spelling < LOWEST) | (spelling > HIGHEST))
    if len(far):
        raise InputError(f"spelling of {name}, row {far[0]} is {spelling[far[0]]}; expected {LOWEST} to {HIGHEST}")
    pitch = notes[:, PITCH]
    wrong = np.flatnonzero((spelling.astype(np.int64) * 7 - pitch) % 12)
    if len(wrong):
        row = wrong[0]
        raise InputError(
            f"spelling of {name}, row {row} is {spelling[row]} ({fifths_name(int(spelling[row]))}); expected a name of "
            f"MIDI pitch {pitch[row]}"
        )
    return spelling
