"""Concepts of a whole set of songs: one value of each concept for each token of the model's sequences.

Values of notes are computed from the notes as the model is given them, and go to the tokens that complete the notes;
other tokens have none. Songs are taken some at a time, so that memory does not grow with the set.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from music_interpret.music.concepts.concept import NONE, Concept, Tokens
from music_interpret.music.concepts.own import computed
from music_interpret.tokens.concepts import as_stated
from music_interpret.tokens.sequences import Sequences


class ConceptTable(NamedTuple):
    """Values of concepts."""

    concepts: tuple[Concept, ...]
    """What the rows are."""
    columns: np.ndarray
    """Value number of each concept at each token, -1 for none, int16 (n_concepts, n_tokens)."""

    def column(self, name: str) -> np.ndarray:
        """Values of one concept, (n_tokens,)."""
        return self.columns[[concept.name for concept in self.concepts].index(name)]


def concept_table(
    concepts: Sequence[Concept], songs: Sequences, *, progress: Callable[[int], object] | None = None
) -> ConceptTable:
    """Compute all concepts of all songs.

    Args:
        concepts: which ones; names are unique.
        songs: the set.
        progress: called with the number of tokens done since the last call.

    Raises:
        InputError: a concept of the user's own failed.
    """
    columns = np.full((len(concepts), int(songs.first_token[-1])), NONE, np.int16)
    for start, stop in songs.chunks():
        here = slice(int(songs.first_token[start]), int(songs.first_token[stop]))
        _fill(columns[:, here], concepts, songs, start, stop)
        if progress:
            progress(here.stop - here.start)
    return ConceptTable(tuple(as_stated(concept, songs.scheme) for concept in concepts), columns)


def _fill(columns: np.ndarray, concepts: Sequence[Concept], songs: Sequences, start: int, stop: int) -> None:
    """Write the values of the songs start … stop − 1 in place."""
    part, scheme = songs.part(start, stop), songs.scheme
    place = np.arange(len(part.tokens)) - np.repeat(part.first_token[:-1], np.diff(part.first_token))
    tokens = Tokens(part.tokens, place, scheme.kind(part.tokens), scheme.programs(part.tokens))
    for row, concept in enumerate(concepts):
        if concept.of == "token":
            columns[row] = computed(concept, tokens)
        else:
            columns[row, part.aligned.completing] = computed(concept, part.songs)
