"""Firings of latents, latent-major: what the feature index holds on disk, of any set of directions and any tokens."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from music_interpret.features.index import Chunk


class Firings(NamedTuple):
    """Latent i fires on `token_rows[offsets[i]:offsets[i + 1]]`, ascending, with `values` at the same indices."""

    offsets: np.ndarray
    """int64 (n_latents + 1,)."""
    token_rows: np.ndarray
    """Integers (n_firings,)."""
    values: np.ndarray
    """Above 0, float32 (n_firings,)."""

    @property
    def n_latents(self) -> int:
        return len(self.offsets) - 1

    @property
    def latents(self) -> np.ndarray:
        """Latent of each firing, int32 (n_firings,)."""
        return np.repeat(np.arange(self.n_latents, dtype=np.int32), np.diff(self.offsets))

    def latent(self, latent: int) -> tuple[np.ndarray, np.ndarray]:
        """Token rows and values of one latent."""
        here = slice(int(self.offsets[latent]), int(self.offsets[latent + 1]))
        return self.token_rows[here], self.values[here]

    def within(self, spans: np.ndarray, n_tokens: int) -> "Firings":
        """The firings on tokens of spans (start, stop), (n_spans, 2), renumbered from 0 in their order.

        Args:
            spans: ascending and apart.
            n_tokens: number of all tokens.
        """
        numbers = np.full(n_tokens, -1, np.int32)
        place = 0
        for start, stop in spans.tolist():
            numbers[start:stop] = np.arange(place, place + stop - start, dtype=np.int32)
            place += stop - start
        renumbered = numbers[self.token_rows]
        kept = renumbered >= 0
        offsets = np.concatenate([[0], np.cumsum(kept)])[self.offsets]
        return Firings(offsets, renumbered[kept], np.asarray(self.values)[kept])

    @classmethod
    def of_chunks(cls, chunks: Iterable[Chunk], n_latents: int) -> "Firings":
        """Collect chunks of tokens, in their order, in memory."""
        kept = list(chunks)
        latents = [np.repeat(np.arange(n_latents, dtype=np.int32), chunk.counts) for chunk in kept]
        order = np.argsort(np.concatenate([np.zeros(0, np.int32), *latents]), kind="stable")
        counts = sum((chunk.counts for chunk in kept), np.zeros(n_latents, np.int64))
        token_rows = np.concatenate([np.zeros(0, np.uint32), *(chunk.token_rows for chunk in kept)])
        values = np.concatenate([np.zeros(0, np.float32), *(chunk.values for chunk in kept)])
        return cls(np.concatenate([[0], np.cumsum(counts)]), token_rows[order], values[order])
