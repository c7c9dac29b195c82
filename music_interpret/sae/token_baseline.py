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
DENSE_ROWS = 4096
"""Up to so many rows the fit is one dense solve: 128 MiB."""


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

    def entries(self, tokens: Tensor) -> SparseLatents:
        """The rows that each token takes, as latents of value 1."""
        flat = tokens.reshape(-1, len(self.sizes))
        rows = (flat.to(self.firsts.dtype) + self.firsts).reshape(-1)
        places = torch.arange(len(flat), device=rows.device)
        ones = torch.ones(len(rows), device=rows.device)
        fields = len(self.sizes)
        return SparseLatents(rows, ones, places.repeat_interleave(fields), places * fields)

    def forward(self, tokens: Tensor) -> Tensor:
        entries = self.entries(tokens)
        entries = entries._replace(values=entries.values.to(self.table.dtype))
        return entries.times(self.table).view(*tokens.shape[:-1], self.table.shape[1])

    def gradient(self, tokens: Tensor, gradient: Tensor) -> Tensor:
        """Gradient of the table given that of the output, (n_tokens, d_in)."""
        entries = self.entries(tokens)
        return entries.by_latent(len(self.table)).weight_gradient(entries.values, gradient)


def fit(batches: Iterable[tuple[np.ndarray, np.ndarray]], sizes: Sequence[int]) -> Tensor:
    """The table that predicts activations best by least squares with a ridge of one pseudo-token a row.

    Args:
        batches: (tokens, rows): integers (n, n_fields), floats (n, d_in).
        sizes: number of values of each field.
    """
    firsts = np.cumsum([0, *sizes[:-1]])
    n_rows, moment = sum(sizes), np.zeros(())
    gram = sparse.csr_array((n_rows, n_rows))
    for tokens, rows in batches:
        places = (tokens.astype(np.int64) + firsts).reshape(-1)
        starts = np.arange(len(tokens) + 1) * len(sizes)
        taken = sparse.csr_array((np.ones(len(places)), places, starts), shape=(len(tokens), n_rows))
        gram = gram + taken.T @ taken
        moment = moment + taken.T @ rows.astype(np.float64)
    gram = gram + RIDGE * sparse.eye_array(n_rows, format="csr")
    if n_rows <= DENSE_ROWS:
        table = linalg.solve(gram.toarray(), moment, assume_a="pos")
    else:
        field = int(np.argmax(sizes))
        table = _solve_without(slice(firsts[field], firsts[field] + sizes[field]), gram, moment)
    return torch.from_numpy(table.astype(np.float32))


def _solve_without(eliminated: slice, gram: sparse.csr_array, moment: np.ndarray) -> np.ndarray:
    """Solve for a large vocabulary: its field's block of the Gram matrix is diagonal, since a token has one value of
    each field, so that it is eliminated at once and the other fields' rows, few, are left (Schur complement).
    """
    mine = np.zeros(len(moment), bool)
    mine[eliminated] = True
    diagonal, cross = gram.diagonal()[mine][:, None], gram[~mine][:, mine]
    table = np.empty_like(moment)
    weighed = cross.multiply(1 / diagonal.T).tocsr()
    left = (gram[~mine][:, ~mine] - weighed @ cross.T).toarray()
    table[~mine] = linalg.solve(left, moment[~mine] - weighed @ moment[mine], assume_a="pos")
    table[mine] = (moment[mine] - cross.T @ table[~mine]) / diagonal
    return table
