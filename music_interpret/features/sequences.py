"""The songs of an activation store as concepts take them: what the model read, whether whole, and in which metre."""

from typing import Any

import numpy as np

from music_interpret import paths
from music_interpret.activations.store import ActivationSet
from music_interpret.errors import InputError
from music_interpret.music.concepts.table import Sequences
from music_interpret.music.encoding import FIELDS
from music_interpret.music.metres import read_metres

NEAR_THE_LIMIT_BEATS = 4
"""A song whose last note lies so close to the model's last beat may have been cut there."""


def sequences_of(activations: ActivationSet, args: dict[str, Any]) -> Sequences:
    """All songs of the store that a run was trained on.

    Args:
        activations: the store.
        args: the run's `training_args.json`.

    Raises:
        InputError: the data set's metres or the model's sizes are damaged or gone.
    """
    names = args["arguments"]
    return Sequences(
        activations.codes,
        np.append(activations.songs.first_token, activations.n_tokens),
        activations.songs.names,
        _complete(activations, names["dataset_name"], names["data_repr"]),
        activations.encoding(),
        _known_metres(names["dataset_name"]),
    )


def _known_metres(dataset_name: str) -> dict[str, Any]:
    """The metres of the data set, none if it is not there any more; InputError if they are damaged."""
    try:
        folder = paths.dataset_folder(dataset_name)
    except InputError:
        return {}
    return read_metres(folder)


def _complete(activations: ActivationSet, dataset_name: str, data_repr: str) -> np.ndarray:
    """Which songs the model reads to their end, bool (n_songs,)."""
    from music_interpret.models.mmt import MMTSizes

    sizes = MMTSizes.load(paths.model_folder(dataset_name, data_repr) / "train-args.json")
    songs = activations.songs
    last = np.maximum.reduceat(np.asarray(activations.codes[:, FIELDS.index("beat")]), songs.first_token)
    last_beat = activations.encoding().code_values[0][last]
    return (songs.n_tokens < sizes.max_seq_len) & (last_beat < sizes.max_beat - NEAR_THE_LIMIT_BEATS)
