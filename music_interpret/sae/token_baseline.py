"""What an activation says because of the token itself: one vector for each value of each field, added up.

A token is one or more known fields (six in MMT: type, beat, position, pitch, duration, instrument). A table row per
field value is fitted by ridge regression and then trained along with the autoencoder; its sum is subtracted from an
activation before encoding and added back after decoding, so that latents are left to say what the model made of the
*context* (after Dooms & Wilhelm, "Tokenized SAEs", arXiv 2502.17332, who have one row for each token of a vocabulary).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from scipy import linalg, sparse
from torch import Tensor, nn

from music_interpret.sae.sparse import SparseLatents

RIDGE = 1.0


class TokenBaseline(nn.Module):
    """Lookup from tokens, int64 (n_tokens, n_fields), to the sum of their values' rows, (n_tokens, d_in)."""

    def __init__(self, table: Tensor, sizes: Sequence[int], names: Sequence[str] = ()) -> None:
        """Args:
        table: rows of all fields, one field after the other, float32 (Σ sizes, d_in).
        sizes: number of values of each field.
        names: of the fields; numbers if none are given.
        """
        super().__init__()
        self.sizes = tuple(sizes)
        self.names = tuple(names) or tuple(f"field {i}" for i in range(len(self.sizes)))
        self.table = nn.Parameter(table, requires_grad=False)
        firsts = np.cumsum([0, *self.sizes[:-1]])
        self.register_buffer("firsts", torch.from_numpy(firsts), persistent=False)
        self.firsts: Tensor

    def entries(self, codes: Tensor) -> SparseLatents:
        """The rows that each token takes, as latents of value 1."""
        flat = codes.reshape(-1, len(self.sizes))
        rows = (flat.to(self.firsts.dtype) + self.firsts).reshape(-1)
        tokens = torch.arange(len(flat), device=rows.device)
        ones = torch.ones(len(rows), device=rows.device)
        fields = len(self.sizes)
        return SparseLatents(rows, ones, tokens.repeat_interleave(fields), tokens * fields)

    def forward(self, codes: Tensor) -> Tensor:
        entries = self.entries(codes)
        entries = entries._replace(values=entries.values.to(self.table.dtype))
        return entries.times(self.table).view(*codes.shape[:-1], self.table.shape[1])

    def gradient(self, codes: Tensor, gradient: Tensor) -> Tensor:
        """Gradient of the table given that of the output, (n_tokens, d_in)."""
        entries = self.entries(codes)
        return entries.by_latent(len(self.table)).weight_gradient(entries.values, gradient)


def fit(batches: Iterable[tuple[np.ndarray, np.ndarray]], sizes: Sequence[int]) -> Tensor:
    """The table that predicts activations best by least squares with a ridge of one pseudo-token a row.

    Args:
        batches: (codes, rows) of some tokens: integers (n, n_fields), floats (n, d_in).
        sizes: number of codes of each field.
    """
    firsts = np.cumsum([0, *sizes[:-1]])
    n_rows, gram, moment = sum(sizes), 0.0, 0.0
    for codes, rows in batches:
        places = (codes.astype(np.int64) + firsts).reshape(-1)
        starts = np.arange(len(codes) + 1) * len(sizes)
        taken = sparse.csr_array((np.ones(len(places)), places, starts), shape=(len(codes), n_rows))
        gram = gram + (taken.T @ taken).toarray()
        moment = moment + taken.T @ rows.astype(np.float64)
    table = linalg.solve(gram + RIDGE * np.eye(n_rows), moment, assume_a="pos")
    return torch.from_numpy(table.astype(np.float32))
