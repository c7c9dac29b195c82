"""The songs of an activation store as concepts take them: what the model read, whether whole, and in which metre."""

from pathlib import Path

import numpy as np

from music_interpret import paths
from music_interpret.activations.store import ActivationSet
from music_interpret.errors import InputError
from music_interpret.music.dataset import Dataset
from music_interpret.music.metres import read_metres
from music_interpret.tokens.sequences import Sequences


def sequences_of(activations: ActivationSet) -> Sequences:
    """All songs of a store.

    Raises:
        InputError: the data set's metres or the scheme's tables are damaged, or the model's sizes are gone.
    """
    first_token = np.append(activations.songs.first_token, activations.n_tokens)
    scheme = activations.scheme
    folder = dataset_folder_of(activations)
    return Sequences(
        activations.tokens,
        first_token,
        activations.songs.names,
        scheme.complete(activations.tokens, first_token, activations.limits),
        scheme,
        read_metres(folder) if folder else {},
    )


def songs_without_metre(activations: ActivationSet) -> list[str]:
    """Names of the songs whose metre is an estimate, since the data set does not know it."""
    folder = dataset_folder_of(activations)
    known = read_metres(folder) if folder else {}
    return [name for name in activations.songs.names if not known.get(name)]


def dataset_of(activations: ActivationSet) -> Dataset | None:
    """The data set that a store was made of, with the store's songs; None if it is not there any more."""
    folder = dataset_folder_of(activations)
    if folder is None:
        return None
    return Dataset(
        folder, activations.scheme.resolution, list(activations.songs.names), activations.songs.splits.tolist()
    )


def dataset_folder_of(activations: ActivationSet) -> Path | None:
    """The data set that a store was made from; None if it is not there any more."""
    try:
        return paths.dataset_folder(activations.manifest["dataset_name"])
    except InputError:
        return None
