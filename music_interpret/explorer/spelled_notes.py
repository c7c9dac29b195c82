"""How the notes that a model reads are spelled: as the data set knows it, else as is estimated."""

import numpy as np

from music_interpret.music.dataset import Dataset
from music_interpret.music.notes import BEAT, PITCH, POSITION
from music_interpret.music.songs import Songs
from music_interpret.music.spelling_estimation import spelled


def spelling_of(songs: Songs, dataset: Dataset | None) -> np.ndarray:
    """Line-of-fifths number of each note, int8 (n_notes,).

    The model may read fewer notes than a song has, and other durations and programs; a note is known by its onset and
    pitch.

    Args:
        songs: notes as the model reads them.
        dataset: where they are from; None for notes that are from no data set.
    """
    found = songs.once(spelled).copy()
    if dataset is None:
        return found
    for song, name in enumerate(songs.names):
        if (known := dataset.known_spelling(name)) is None:
            continue
        here = slice(songs.first_note[song], songs.first_note[song + 1])
        keys = _key(dataset.notes(name), songs.resolution)
        order = np.argsort(keys, kind="stable")
        wanted = _key(songs.notes[here], songs.resolution)
        place = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
        found[here] = np.where(keys[place] == wanted, known[place], found[here])
    return found


def _key(notes: np.ndarray, resolution: int) -> np.ndarray:
    """Onset and pitch as one number."""
    return (notes[:, BEAT] * resolution + notes[:, POSITION]) * 128 + notes[:, PITCH]
