"""What a song's score says beyond its notes: how they are spelled, and how the edition numbers its bars."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from music_interpret.music.dataset import Dataset
from music_interpret.music.formats.written import NO_SPELLING
from music_interpret.music.metres import read_bar_numbers
from music_interpret.music.notes import BEAT, PITCH, POSITION
from music_interpret.music.songs import Songs
from music_interpret.music.spelling_estimation import spelled


class Notation(NamedTuple):
    """Of one song."""

    notes: np.ndarray
    """The song's note array (n_notes, 5)."""
    spellings: np.ndarray | None
    """Of these notes, line-of-fifths numbers, int8 (n_notes,); None if the source has none."""
    numbers: Sequence[Sequence[int]]
    """(Downbeat's step, bar number) where the edition's numbers begin or do not count on."""


Notations = Callable[[str], Notation | None]
"""The notation of a song by its name, None if nothing is known."""


def notations_of(dataset: Dataset | None) -> Notations:
    """What a data set knows of its songs."""
    if dataset is None:
        return lambda name: None
    numbers = read_bar_numbers(dataset.folder)

    def of(name: str) -> Notation | None:
        spellings = dataset.known_spelling(name)
        if spellings is None and name not in numbers:
            return None
        return Notation(dataset.notes(name), spellings, numbers.get(name, ()))

    return of


def spelling_of(songs: Songs, notations: Sequence[Notation | None]) -> np.ndarray:
    """Line-of-fifths number of each note, as its score has it or as is estimated, int8 (n_notes,).

    The model may read fewer notes than a song has, and other durations and programs; a note is known by its onset and
    pitch.

    Args:
        songs: notes as the model reads them.
        notations: of the songs.
    """
    found = np.full(len(songs), NO_SPELLING, np.int8)
    for song, notation in enumerate(notations):
        if notation is not None and notation.spellings is not None:
            here = slice(songs.first_note[song], songs.first_note[song + 1])
            found[here] = _matched(songs.notes[here], notation.notes, notation.spellings, songs.resolution)
    unknown = found == NO_SPELLING
    return np.where(unknown, songs.once(spelled), found) if unknown.any() else found


def _matched(read: np.ndarray, notes: np.ndarray, spellings: np.ndarray, resolution: int) -> np.ndarray:
    """The spelling of notes that a model reads, `NO_SPELLING` for those that the song does not have."""
    keys, wanted = _key(notes, resolution), _key(read, resolution)
    order = np.argsort(keys, kind="stable")
    place = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    return np.where(keys[place] == wanted, spellings[place], NO_SPELLING)


def _key(notes: np.ndarray, resolution: int) -> np.ndarray:
    """Onset and pitch as one number."""
    return (notes[:, BEAT] * resolution + notes[:, POSITION]) * 128 + notes[:, PITCH]
