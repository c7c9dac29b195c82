"""Neighbours: the latents nearest to each one, by decoder direction and by firing on the same tokens.

*Togetherness* is nᵢⱼ / √(nᵢ nⱼ), the cosine of two latents' firings as 0 and 1, over whole songs spread evenly, at most
`SAMPLED_TOKENS` tokens.
"""

from typing import NamedTuple

import numpy as np

from music_interpret.features.firings import Firings
from music_interpret.features.index import FeatureIndex

NEIGHBOURS = 10
SAMPLED_TOKENS = 131_072
BLOCK = 1024


class Neighbours(NamedTuple):
    """The nearest latents of each, (d_sae, 10) each, best first."""

    similar: np.ndarray
    """Nearest by decoder direction, int32; −1 where there are too few."""
    similarity: np.ndarray
    """Their cosines, float32."""
    together: np.ndarray
    """Those that fire most on the same tokens, int32; −1 where there are none."""
    togetherness: np.ndarray
    """Their togetherness, float32."""


def neighbours_of(decoder: np.ndarray, index: FeatureIndex) -> Neighbours:
    """Neighbours of all live latents.

    Args:
        decoder: decoder rows, float32 (d_sae, width).
        index: the run's.
    """
    live = index.statistics.density > 0
    return Neighbours(*most_similar(decoder, live), *most_together(index, live))


def sampled_spans(index: FeatureIndex) -> tuple[np.ndarray, int]:
    """Spans (n, 2) of whole songs spread evenly, about `SAMPLED_TOKENS` tokens at most, and their number of tokens."""
    table = index.activations.songs
    songs = np.arange(0, len(table.names), max(-(-index.activations.n_tokens // SAMPLED_TOKENS), 1))
    spans = np.stack([table.first_token[songs], table.first_token[songs] + table.n_tokens[songs]], axis=1)
    return spans, int(table.n_tokens[songs].sum())


def most_similar(decoder: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each live latent the live latents whose decoder rows have the largest cosines to its own.

    Returns:
        Latents, int32 (d_sae, 10), −1 where there are too few, and cosines, float32.
    """
    unit = decoder / np.maximum(np.linalg.norm(decoder, axis=1, keepdims=True), 1e-12)
    found, scores = _nothing(len(decoder))
    for start in range(0, len(decoder), BLOCK):
        block = slice(start, min(start + BLOCK, len(decoder)))
        _take_best(unit[block] @ unit.T, block, live, found, scores)
    return found, scores


def most_together(index: FeatureIndex, live: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each live latent the latents that fire most on the same tokens, as `most_similar` gives them."""
    from scipy import sparse

    spans, n_tokens = sampled_spans(index)
    firings = Firings(index.offsets, index.token_rows, index.values).within(spans, index.activations.n_tokens)
    ones = np.ones(len(firings.token_rows), np.float32)
    shape = (firings.n_latents, n_tokens)
    matrix = sparse.csr_matrix((ones, firings.token_rows, firings.offsets), shape=shape)
    sizes = np.sqrt(np.maximum(np.diff(firings.offsets), 1)).astype(np.float32)
    found, scores = _nothing(firings.n_latents)
    for start in range(0, firings.n_latents, BLOCK):
        block = slice(start, min(start + BLOCK, firings.n_latents))
        both = (matrix[block] @ matrix.T).toarray()
        _take_best(both / sizes[block, None] / sizes[None], block, live, found, scores)
    alone = scores <= 0
    found[alone], scores[alone] = -1, 0
    return found, scores


def _nothing(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((n, NEIGHBOURS), -1, np.int32), np.zeros((n, NEIGHBOURS), np.float32)


def _take_best(scores: np.ndarray, block: slice, live: np.ndarray, found: np.ndarray, best: np.ndarray) -> None:
    """Write the latents with the largest scores of a block of latents, leaving out themselves and dead ones."""
    rows = np.arange(block.start, block.stop)
    scores[:, ~live] = -np.inf
    scores[np.arange(len(rows)), rows] = -np.inf
    k = min(NEIGHBOURS, scores.shape[1])
    order = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    values = np.take_along_axis(scores, order, 1)
    ranked = np.argsort(-values, axis=1, kind="stable")
    order, values = np.take_along_axis(order, ranked, 1), np.take_along_axis(values, ranked, 1)
    usable = np.isfinite(values) & live[rows][:, None]
    found[rows, :k] = np.where(usable, order, -1)
    best[rows, :k] = np.where(usable, values, 0)
