"""What `given` and `past` mean, as a check: cutting a song off after a note must not change that note's value."""

from collections.abc import Sequence

import numpy as np

from music_interpret.music.concepts.concept import Concept
from music_interpret.music.songs import Songs

METRE = {str(i): [[0, 4, 4]] for i in range(1000)}


def values_of(concept: Concept, songs: Sequence[np.ndarray], resolution: int) -> np.ndarray:
    """Values of all notes of songs, in 4/4 from the first step on."""
    return concept(Songs.of(songs, resolution, metres=METRE))


def assert_causal(concepts: Sequence[Concept], songs: Sequence[np.ndarray], resolution: int = 12) -> None:
    """Every concept that says `given` or `past` has, at each song's note i, the value that notes[: i + 1] alone give.

    Cuts are taken at up to sixty notes of each song; all cut songs are computed in one batch.
    """
    checked = [concept for concept in concepts if concept.leakage != "future"]
    assert checked
    for notes in songs:
        cuts = np.unique(np.linspace(0, len(notes) - 1, 60).astype(int))
        beginnings = [notes[: cut + 1] for cut in cuts]
        last = np.cumsum([len(notes) for notes in beginnings]) - 1
        for concept in checked:
            whole, cut_off = values_of(concept, [notes], resolution), values_of(concept, beginnings, resolution)
            wrong = np.flatnonzero(whole[cuts] != cut_off[last])
            assert not len(wrong), f"{concept.name} is not {concept.leakage} at note {cuts[wrong[0]]}"


def assert_songs_apart(concepts: Sequence[Concept], songs: Sequence[np.ndarray], resolution: int = 12) -> None:
    """A song's values do not depend on the songs beside it."""
    for concept in concepts:
        together = values_of(concept, songs, resolution)
        alone = np.concatenate([concept(Songs.of([notes], resolution, metres=METRE)) for notes in songs])
        assert np.array_equal(together, alone), concept.name
