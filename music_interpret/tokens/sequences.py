"""Songs as a model reads them, one after the other: what concepts are computed of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from music_interpret.music.songs import Songs
from music_interpret.tokens.scheme import Aligned, TokenScheme

CHUNK_TOKENS = 2**18
"""Tokens of the songs that are taken together, so that memory does not grow with the set."""


class Sequences(NamedTuple):
    """Songs as the model reads them."""

    tokens: np.ndarray
    """Integers (n_tokens, n_fields)."""
    first_token: np.ndarray
    """First token of each song, and the number of tokens at the end, int64 (n_songs + 1,)."""
    names: Sequence[str]
    """Name of each song."""
    complete: np.ndarray
    """Whether the song's last note is among its tokens, bool (n_songs,)."""
    scheme: TokenScheme
    """What the tokens mean."""
    metres: Mapping[str, Sequence[Sequence[int]]]
    """Known metres by song name, see `metres.py`."""

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Spans of songs (start, stop), each of about `CHUNK_TOKENS` tokens, or one longer song."""
        first, start = self.first_token, 0
        while start < len(self.names):
            stop = max(int(np.searchsorted(first, first[start] + CHUNK_TOKENS, side="right")) - 1, start + 1)
            yield start, stop
            start = stop

    def part(self, start: int, stop: int) -> "Part":
        """The songs start … stop − 1 with their notes."""
        first, last = self.first_token[start], self.first_token[stop]
        tokens, edges = np.asarray(self.tokens[first:last]), self.first_token[start : stop + 1] - first
        aligned = self.scheme.aligned(tokens, edges)
        notes = np.split(aligned.notes, aligned.first_note[1:-1])
        songs = Songs.of(
            notes,
            self.scheme.resolution,
            names=self.names[start:stop],
            metres=self.metres,
            complete=self.complete[start:stop],
        )
        return Part(tokens, edges, aligned, songs)


class Part(NamedTuple):
    """Some songs of a set, as tokens and as notes."""

    tokens: np.ndarray
    """Integers (n_tokens, n_fields)."""
    first_token: np.ndarray
    """First token of each song among these, and their number at the end."""
    aligned: Aligned
    """Which token belongs to which note."""
    songs: Songs
    """The notes."""
