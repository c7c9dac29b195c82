"""Latents of which only the few that fire are kept, and the products with them, forward and backward.

All three products of a sparse step (x̂ = z W, ∂/∂z and ∂/∂W) read and write only rows that a latent or token needs:
2 · d_in FLOPs for each entry instead of for each of d_sae latents. Two are embedding bags, which PyTorch computes on
CPUs and GPUs alike: a token is a bag of latents, and for the weights' gradients a latent is a bag of tokens.
"""

import warnings
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class SparseLatents(NamedTuple):
    """The entries of a (n_tokens, d_sae) matrix that are kept, token by token (compressed sparse rows)."""

    indices: Tensor
    """Latent of each entry, int64 (n_entries,)."""
    values: Tensor
    """Value of each entry, float32 (n_entries,)."""
    tokens: Tensor
    """Token of each entry, int64 (n_entries,), not falling."""
    offsets: Tensor
    """Number of each token's first entry, int64 (n_tokens,)."""

    def kept(self, mask: Tensor) -> "SparseLatents":
        """Only the entries where `mask` (n_entries,) is true."""
        tokens = self.tokens[mask]
        return SparseLatents(self.indices[mask], self.values[mask], tokens, offsets_of(tokens, len(self.offsets)))

    def times(self, weights: Tensor) -> Tensor:
        """The product with a matrix (d_sae, d): (n_tokens, d)."""
        return F.embedding_bag(self.indices, weights, self.offsets, mode="sum", per_sample_weights=self.values)

    def value_gradients(self, weights: Tensor, gradient: Tensor) -> Tensor:
        """Gradient of each value, (n_entries,), given that of `times(weights)`, (n_tokens, d): the products of rows of
        two matrices at the entries' positions alone.
        """
        rows = torch.cat([self.offsets, torch.full_like(self.offsets[:1], len(self.indices))])
        shape = (len(self.offsets), len(weights))
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # that the format is in beta
            places = torch.sparse_csr_tensor(
                rows, self.indices, torch.zeros_like(self.values), shape, check_invariants=False
            )
        return torch.sparse.sampled_addmm(places, gradient, weights.T, beta=0.0).values()

    def by_latent(self, d_sae: int) -> "ByLatent":
        """The same entries sorted by latent."""
        order = torch.argsort(self.indices.int(), stable=True)  # half the bits sort twice as fast
        return ByLatent(order, self.tokens[order], offsets_of(self.indices[order], d_sae))

    def counts(self, d_sae: int) -> Tensor:
        """On how many tokens each latent is above 0, int64 (d_sae,)."""
        return torch.bincount(self.indices[self.values > 0], minlength=d_sae)

    def to_dense(self, d_sae: int) -> Tensor:
        """The whole matrix, (n_tokens, d_sae)."""
        dense = torch.zeros(len(self.offsets), d_sae, dtype=self.values.dtype, device=self.values.device)
        return dense.index_put_((self.tokens, self.indices), self.values)


class ByLatent(NamedTuple):
    """The order that sorts entries by latent, made once for all weights' gradients of a batch."""

    order: Tensor
    """Entry numbers in that order, int64 (n_entries,)."""
    tokens: Tensor
    """Token of each entry in that order, int64 (n_entries,)."""
    offsets: Tensor
    """Index of each latent's first entry in that order, int64 (d_sae,)."""

    def weight_gradient(self, values: Tensor, rows: Tensor) -> Tensor:
        """Σ over entries of value · row of its token, for each latent: (n_entries,), (n_tokens, d) → (d_sae, d)."""
        return F.embedding_bag(self.tokens, rows, self.offsets, mode="sum", per_sample_weights=values[self.order])


def offsets_of(sorted_groups: Tensor, n_groups: int) -> Tensor:
    """Index of the first entry of each group in a sorted list of group numbers, int64 (n_groups,)."""
    counts = torch.bincount(sorted_groups, minlength=n_groups)
    return torch.cumsum(counts, 0) - counts


def rows_of(indices: Tensor, values: Tensor) -> SparseLatents:
    """Latents from the same number of entries on each token, (n_tokens, k) each."""
    n_tokens, k = indices.shape
    tokens = torch.arange(n_tokens, device=indices.device)
    return SparseLatents(indices.reshape(-1), values.float().reshape(-1), tokens.repeat_interleave(k), tokens * k)
