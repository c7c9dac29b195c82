"""Shuffled batches of activations at memory speed, in an order that is a pure function of the seed.

A split's tokens are spans of neighbouring token rows. They are cut into chunks, and each epoch puts the chunks into a
new random order and fills a buffer with one group of them after the other; rows are shuffled within the buffer. When
the buffer holds the whole split (the usual case) that is a full shuffle of rows in memory; a larger set is read in
chunk-sized sequential pieces and never needs more memory than the buffer. Any batch can be reached without replaying
those before it, which is what makes resuming exact. Several sites are read in the same order, token by token.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from music_interpret.activations.store import ActivationSet, SiteActivations
from music_interpret.models.site import Site

CHUNK_TOKENS = 2048


class Batch(NamedTuple):
    """Some tokens and what is at each site on them."""

    token_rows: Tensor
    """Which tokens, int64 (n,)."""
    rows: dict[Site, Tensor]
    """Site → raw activations (n, width), in the store's own dtype."""


class ShuffledBatches:
    """Batches of the same tokens from one or several sites."""

    def __init__(
        self,
        sites: Mapping[Site, SiteActivations],
        spans: np.ndarray,
        *,
        batch_size: int,
        seed: int,
        buffer_tokens: int,
    ) -> None:
        """Args:
        sites: the activations by site.
        spans: token rows as (start, stop) pairs, (n_spans, 2), as `SongTable.spans` gives them.
        batch_size: rows per batch; a last, smaller batch of an epoch is left out. Cut to the number of rows there are.
        seed: fixes the order.
        buffer_tokens: tokens held in memory at a time.
        """
        self.sites = dict(sites)
        self.seed = seed
        self.buffer_tokens = max(buffer_tokens, CHUNK_TOKENS)
        pieces = [
            np.stack([starts, np.minimum(starts + CHUNK_TOKENS, stop)], axis=1)
            for start, stop in spans
            for starts in [np.arange(start, stop, CHUNK_TOKENS)]
        ]
        self.chunks = np.concatenate(pieces) if pieces else np.zeros((0, 2), np.int64)
        self.n_tokens = int((self.chunks[:, 1] - self.chunks[:, 0]).sum())
        self.batch_size = min(batch_size, self.n_tokens)
        self._whole: Batch | None = None

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self.n_tokens // self.batch_size

    def epoch(self, epoch: int, first_batch: int = 0) -> Iterator[Batch]:
        """Batches of one epoch from number `first_batch` on."""
        position = first_batch * self.batch_size
        end = len(self) * self.batch_size
        tail: Batch | None = None
        for start, buffer, order in self._groups(epoch, position):
            here = position - start
            while position < end and here + self.batch_size - _size(tail) <= len(order):
                take = self.batch_size - _size(tail)
                yield _joined(tail, _picked(buffer, order[here : here + take]))
                position, here, tail = position + take, here + take, None
            rest = _picked(buffer, order[here:])
            position += _size(rest)
            tail = _joined(tail, rest)

    def _groups(self, epoch: int, position: int) -> Iterator[tuple[int, Batch, Tensor]]:
        """(index of its first row in the epoch, tokens, their order) of each buffer that is past `position`."""
        rng = np.random.default_rng([self.seed, epoch])
        whole = self.n_tokens <= self.buffer_tokens
        chunks = self.chunks if whole else self.chunks[rng.permutation(len(self.chunks))]
        lengths = chunks[:, 1] - chunks[:, 0]
        group = (np.cumsum(lengths) - 1) // self.buffer_tokens
        start = 0
        for number in range(int(group[-1]) + 1):
            mine = chunks[group == number]
            size = int((mine[:, 1] - mine[:, 0]).sum())
            if start + size > position:
                order = torch.from_numpy(np.random.default_rng([self.seed, epoch, number]).permutation(size))
                yield start, self._load_whole(mine) if whole else self._load(mine), order
            start += size

    def _load_whole(self, chunks: np.ndarray) -> Batch:
        if self._whole is None:
            self._whole = self._load(chunks)
        return self._whole

    def _load(self, chunks: np.ndarray) -> Batch:
        ids = np.concatenate([np.arange(start, stop) for start, stop in chunks])
        rows = {site: torch.from_numpy(_read(activations, chunks)) for site, activations in self.sites.items()}
        return Batch(torch.from_numpy(ids), rows)


def _read(activations: SiteActivations, chunks: np.ndarray) -> np.ndarray:
    shard = activations.shards[0]
    buffer = np.empty((int((chunks[:, 1] - chunks[:, 0]).sum()), shard.shape[1]), shard.dtype)
    place = 0
    for start, stop in chunks:
        buffer[place : place + stop - start] = activations.read(start, stop)
        place += stop - start
    return buffer


def _size(batch: Batch | None) -> int:
    return 0 if batch is None else len(batch.token_rows)


def _picked(batch: Batch, order: Tensor) -> Batch:
    rows = {site: rows.index_select(0, order) for site, rows in batch.rows.items()}
    return Batch(batch.token_rows.index_select(0, order), rows)


def _joined(first: Batch | None, second: Batch) -> Batch:
    if first is None:
        return second
    rows = {site: torch.cat([rows, second.rows[site]]) for site, rows in first.rows.items()}
    return Batch(torch.cat([first.token_rows, second.token_rows]), rows)


def sequential_batches(
    activations: SiteActivations, spans: np.ndarray, batch_size: int
) -> Iterator[tuple[int, int, Tensor]]:
    """Every row of the spans once, in order, in batches of at most `batch_size`: (first token row, one past the last,
    rows in the store's own dtype).
    """
    for start, stop in spans:
        for first in range(start, stop, batch_size):
            last = min(first + batch_size, stop)
            yield first, last, torch.from_numpy(np.array(activations.read(first, last)))


def labelled_rows(
    site: SiteActivations, activations: ActivationSet, spans: np.ndarray, batch_size: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """The same rows, float32 (n, width), each with its token, (n, n_fields), on a device."""
    for first, last, rows in sequential_batches(site, spans, batch_size):
        tokens = torch.from_numpy(np.array(activations.tokens[first:last]))
        yield rows.to(device).float(), tokens.to(device)
