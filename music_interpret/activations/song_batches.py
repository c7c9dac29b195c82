"""Whole songs that go through the model together, bucketed by length and padded."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from music_interpret.activations.store import ActivationSet


class SongBatch(NamedTuple):
    """Songs of about one length that go through the model together."""

    songs: np.ndarray
    """Song numbers."""
    length: int
    """Length of the longest, to which the others are padded."""


def plan_batches(n_tokens: np.ndarray, batch_tokens: int) -> list[SongBatch]:
    """Bucket songs by length (longest first) into batches of at most `batch_tokens` tokens, padding included.

    A song that is longer than the budget makes a batch of its own.
    """
    order = np.argsort(-n_tokens, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        length = int(n_tokens[order[start]])
        count = max(1, batch_tokens // length)
        batches.append(SongBatch(order[start : start + count], length))
        start += count
    return batches


class PaddedTokens(NamedTuple):
    """The tokens of a batch of songs."""

    tokens: Tensor
    """int64 (n_songs, length, n_fields), right-padded with zeros."""
    mask: Tensor
    """bool (n_songs, length), true for real tokens."""

    def to(self, device: torch.device) -> "PaddedTokens":
        return PaddedTokens(self.tokens.to(device), self.mask.to(device))


def padded_tokens(activations: ActivationSet, batch: SongBatch) -> PaddedTokens:
    """The tokens of a batch's songs."""
    firsts, lengths = activations.songs.first_token[batch.songs], activations.songs.n_tokens[batch.songs]
    mask = np.arange(batch.length) < lengths[:, None]
    tokens = np.zeros((*mask.shape, activations.tokens.shape[1]), np.int64)
    pieces = [activations.tokens[first : first + length] for first, length in zip(firsts, lengths, strict=True)]
    tokens[mask] = np.concatenate(pieces)
    return PaddedTokens(torch.from_numpy(tokens), torch.from_numpy(mask))
