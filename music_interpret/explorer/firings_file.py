"""Reading a feature index piece by piece, so that a server's memory does not grow to the size of the index.

A memory map of the index would do, but every page that was ever touched counts as the server's, and a song touches a
few bytes of each latent, all over the file. So what is wanted is read into memory of its own: one latent's firings are
stored together; for a song, a table says for every latent where the firings of each stretch of tokens begin.
"""

import os
from typing import NamedTuple

import numpy as np

from music_interpret.features.firings import Firings
from music_interpret.features.index import FeatureIndex

TABLE_BYTES = 16 * 2**20
"""Size of the table, at most."""


class TokenFirings(NamedTuple):
    """Firings sorted by token, then from strong to weak; every field has a value for each."""

    tokens: np.ndarray
    """Indices in the song."""
    latents: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, tokens: np.ndarray, latents: np.ndarray, values: np.ndarray) -> "TokenFirings":
        """From firings in any order."""
        order = np.lexsort((-values, tokens))
        return cls(tokens[order], latents[order], values[order])

    def of_latent(self, latent: int, n_tokens: int) -> np.ndarray:
        """One latent's activation on each token, float32 (n_tokens,)."""
        found = np.zeros(n_tokens, np.float32)
        mine = self.latents == latent
        found[self.tokens[mine]] = self.values[mine]
        return found


class _Column:
    """An array in a .npy file, read by index; open as long as it is used."""

    def __init__(self, array: np.ndarray) -> None:
        """Of a memory map; an array that is none is in memory and stays there."""
        self.array = array
        self.file = -1
        if isinstance(array, np.memmap):
            assert array.filename is not None
            self.file, self.start = os.open(array.filename, os.O_RDONLY), int(array.offset)

    def read(self, first: int, stop: int) -> np.ndarray:
        """The entries first … stop − 1."""
        if self.file < 0:
            return self.array[first:stop]
        size = self.array.itemsize
        return np.frombuffer(os.pread(self.file, (stop - first) * size, self.start + first * size), self.array.dtype)

    def __del__(self) -> None:
        if self.file >= 0:
            os.close(self.file)


def firings_within(index: FeatureIndex, spans: np.ndarray) -> Firings:
    """All firings on the tokens of spans, as `Firings.within` gives them, read a latent at a time."""
    column_ids, column_values = _Column(index.token_rows), _Column(index.values)
    numbers = np.full(index.activations.n_tokens, -1, np.int32)
    place = 0
    for start, stop in spans.tolist():
        numbers[start:stop] = np.arange(place, place + stop - start, dtype=np.int32)
        place += stop - start
    token_rows, values = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    for start, stop in zip(index.offsets[:-1].tolist(), index.offsets[1:].tolist(), strict=True):
        renumbered = numbers[column_ids.read(start, stop)]
        token_rows.append(renumbered[renumbered >= 0])
        values.append(column_values.read(start, stop)[renumbered >= 0])
    offsets = np.cumsum([len(part) for part in token_rows])
    return Firings(offsets, np.concatenate(token_rows), np.concatenate(values))


class FiringsFile:
    """A feature index, read by latent or by song."""

    def __init__(self, index: FeatureIndex) -> None:
        self.offsets = np.array(index.offsets)
        self._token_ids, self._values = _Column(index.token_rows), _Column(index.values)
        n_tokens, n_latents = index.activations.n_tokens, index.d_sae
        n_stretches = max(min(TABLE_BYTES // (4 * max(n_latents, 1)), n_tokens) - 1, 1)
        self.edges = np.linspace(0, n_tokens, n_stretches + 1).astype(index.token_rows.dtype)
        self._table = np.zeros((len(self.edges), n_latents), np.uint32)
        for latent in range(n_latents):
            token_rows = self._token_ids.read(*self.offsets[latent : latent + 2].tolist())
            self._table[:, latent] = np.searchsorted(token_rows, self.edges)

    def latent(self, latent: int) -> tuple[np.ndarray, np.ndarray]:
        """Token rows (ascending) and values of one latent's firings."""
        here = self.offsets[latent : latent + 2].tolist()
        return self._token_ids.read(*here), self._values.read(*here)

    def between(self, first: int, stop: int) -> TokenFirings:
        """All firings on the tokens first … stop − 1, which become 0 … stop − first − 1."""
        begin = int(np.searchsorted(self.edges, first, side="right")) - 1
        end = int(np.searchsorted(self.edges, stop))
        starts = self.offsets[:-1] + self._table[begin]
        stops = self.offsets[:-1] + self._table[end]
        parts = [(i, a, b) for i, (a, b) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)) if b > a]
        nothing = np.zeros(0, self.edges.dtype)
        tokens = np.concatenate([nothing, *(self._token_ids.read(a, b) for _, a, b in parts)]).astype(np.int64)
        inside = (tokens >= first) & (tokens < stop)
        values = np.concatenate([np.zeros(0, np.float32), *(self._values.read(a, b) for _, a, b in parts)])
        latents = np.repeat([i for i, _, _ in parts], [b - a for _, a, b in parts]).astype(np.int64)
        return TokenFirings.of(tokens[inside] - first, latents[inside], values[inside])
