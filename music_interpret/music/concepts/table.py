"""Concepts of a whole set of songs: one value of each concept for each token of the model's sequences.

Values of notes are computed from the notes as the model is given them, and go to the notes' tokens; other tokens have
none. Songs are taken some at a time, so that memory does not grow with the set.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from music_interpret.music.concepts.concept import NONE, Concept, Tokens
from music_interpret.music.concepts.own import computed
from music_interpret.music.encoding import Encoding
from music_interpret.music.songs import Songs, decode_notes, note_rows

CHUNK_TOKENS = 2**18


class Sequences(NamedTuple):
    """Songs as the model reads them, one after the other."""

    codes: np.ndarray
    """Integers (n_tokens, 6)."""
    first_token: np.ndarray
    """First token of each song, and the number of tokens at the end, int64 (n_songs + 1,)."""
    names: Sequence[str]
    """Name of each song."""
    complete: np.ndarray
    """Whether the song's last note is among its tokens, bool (n_songs,)."""
    encoding: Encoding
    """What the codes mean."""
    metres: Mapping[str, Sequence[Sequence[int]]]
    """Known metres by song name, see `metres.py`."""


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
    first = songs.first_token
    columns = np.full((len(concepts), int(first[-1])), NONE, np.int16)
    start = 0
    while start < len(songs.names):
        stop = max(int(np.searchsorted(first, first[start] + CHUNK_TOKENS, side="right")) - 1, start + 1)
        here = slice(int(first[start]), int(first[stop]))
        _fill(columns[:, here], concepts, songs, start, stop)
        if progress:
            progress(here.stop - here.start)
        start = stop
    return ConceptTable(tuple(concepts), columns)


def _fill(columns: np.ndarray, concepts: Sequence[Concept], songs: Sequences, start: int, stop: int) -> None:
    """Write the values of the songs start … stop − 1 in place."""
    edges = songs.first_token[start : stop + 1] - songs.first_token[start]
    codes = np.asarray(songs.codes[songs.first_token[start] : songs.first_token[stop]])
    rows = note_rows(codes)
    first_note = np.searchsorted(rows, edges)
    pieces = np.split(decode_notes(codes[rows], songs.encoding), first_note[1:-1])
    notes = Songs.of(
        pieces,
        songs.encoding.resolution,
        names=songs.names[start:stop],
        metres=songs.metres,
        complete=songs.complete[start:stop],
    )
    tokens = Tokens(codes, np.arange(len(codes)) - np.repeat(edges[:-1], np.diff(edges)), songs.encoding)
    for row, concept in enumerate(concepts):
        if concept.of == "token":
            columns[row] = computed(concept, tokens)
        else:
            columns[row, rows] = computed(concept, notes)
