"""How good a sparse autoencoder is: definitions, streaming and in float64, over all tokens of a split.

- L0: mean number of latents above 0 a token.
- FVU (fraction of variance unexplained): E‖x − x̂‖² / (E‖x‖² − ‖E x‖²); 0 is perfect, 1 is what predicting the mean
  gets.
- dead: share of latents that fire on no token of the split; overactive: share that fires on more than a tenth of them.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

OVERACTIVE_DENSITY = 0.1


class Quality(NamedTuple):
    """Metrics over the tokens of one split."""

    n_tokens: int
    """Number of tokens."""
    l0: float
    """Mean number of firing latents a token."""
    fvu: float
    """Fraction of variance unexplained."""
    dead: float
    """Share of latents that never fire."""
    overactive: float
    """Share of latents that fire on more than a tenth of the tokens."""


class FiringCounts:
    """On how many tokens each latent fired, over a window of tokens."""

    def __init__(self, d_sae: int, device: torch.device | str = "cpu") -> None:
        self.counts = torch.zeros(d_sae, dtype=torch.int64, device=device)
        self.n_tokens = 0

    def add(self, z: Tensor) -> None:
        """Count a batch of latents (n_tokens, d_sae)."""
        self.counts += (z > 0).sum(dim=0, dtype=torch.int32)  # six times faster on a CPU than count_nonzero
        self.n_tokens += len(z)

    @property
    def dead(self) -> float:
        return float((self.counts == 0).double().mean())

    @property
    def overactive(self) -> float:
        return float((self.counts > OVERACTIVE_DENSITY * self.n_tokens).double().mean())

    @property
    def l0(self) -> float:
        return float(self.counts.sum()) / self.n_tokens


def quality(
    batches: Iterable[Tensor], encode: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor]
) -> Quality | None:
    """Stream batches of activations (n, d_in) through an autoencoder; None if there are none.

    FVU is measured in the space of the batches: normalised if they are.
    """
    firing: FiringCounts | None = None
    squared_error = squared_norm = 0.0
    total: Tensor | None = None
    for x in batches:
        z = encode(x)
        if firing is None or total is None:
            firing = FiringCounts(z.shape[1], z.device)
            total = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
        firing.add(z)
        squared_error += float((decode(z) - x).double().square().sum())
        squared_norm += float(x.double().square().sum())
        total += x.double().sum(dim=0)
    if firing is None or total is None:
        return None
    n = firing.n_tokens
    variance = squared_norm / n - float((total / n).square().sum())
    return Quality(n, firing.l0, squared_error / n / variance if variance > 0 else 0.0, firing.dead, firing.overactive)


def mean_pairwise_cosine(directions: Tensor) -> float:
    """Mean cosine between two different unit rows of (n, d), in O(n d): (‖Σ dᵢ‖² − n) / (n (n − 1))."""
    n = len(directions)
    return float((directions.double().sum(dim=0).square().sum() - n) / (n * (n - 1))) if n > 1 else 0.0


def mean_nearest_cosine(directions: Tensor, chunk: int = 512) -> float:
    """Mean over unit rows of the cosine to the most similar other row; O(n² d), for rare use."""
    nearest = []
    for first in range(0, len(directions), chunk):
        cosines = directions[first : first + chunk] @ directions.T
        cosines[torch.arange(len(cosines)), torch.arange(first, first + len(cosines))] = -1
        nearest.append(cosines.amax(dim=1))
    return float(torch.cat(nearest).mean())
