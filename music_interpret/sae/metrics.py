"""How good a sparse autoencoder is: all definitions, streaming, over every token of a split, in raw activation space.

With x an activation, x̂ its reconstruction and E the mean over the split's tokens:

- L0: mean number of latents per token that are not 0.
- FVU (fraction of variance unexplained): E‖x − x̂‖² / (E‖x‖² − ‖E x‖²); 0 is perfect, 1 is what predicting the mean
  gets. Explained variance is 1 − FVU. The variance is about the mean vector, and both expectations run over the whole
  split: a mean of per-batch ratios, or one with another mean in place of E x, are other numbers.
- cosine: E[x · x̂ / (‖x‖ ‖x̂‖)].
- shrinkage: E[‖x̂‖ / ‖x‖]; below 1 where reconstructions are too short.
- relative reconstruction bias: E‖x̂‖² / E[x · x̂], below 1 where a longer x̂ would be closer (Rajamanoharan et al.,
  "Improving Dictionary Learning with Gated Sparse Autoencoders", arXiv 2404.16014).
- density of a latent: fraction of tokens it fires on. Dead: fires on none; overactive: on more than a tenth. The
  histogram of log10 density is that of Bricken et al., "Towards Monosemanticity", 2023.
- remainder FVU, for an autoencoder with a token baseline b: E‖x − x̂‖² over the variance of x − b, what the latents
  leave unexplained of what the baseline left to them.
- decoder cosines: of each latent's direction to the most similar other one.

Cosine, shrinkage and bias are about the origin, as their sources have them: where activations have a large mean they
are near 1 for anything that has it.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

OVERACTIVE_DENSITY = 0.1
# Quarter decades; the first bin also holds rarer latents, dead ones are in none.
LOG_DENSITY_EDGES = np.arange(-6, 0.25, 0.25)


class Dictionary(Protocol):
    """What can be measured: a sparse autoencoder, or a control that codes and decodes as one does."""

    @property
    def baseline(self) -> nn.Module | None: ...
    def encode(self, x: Tensor, tokens: Tensor | None = None) -> Tensor: ...
    def decode(self, z: Tensor, tokens: Tensor | None = None) -> Tensor: ...
    def __call__(self, x: Tensor, tokens: Tensor | None = None) -> Tensor: ...


class Quality(NamedTuple):
    """Metrics over the tokens of one split; the definitions stand at the top of this file."""

    n_tokens: int
    """Number of tokens."""
    l0: float
    """Mean number of firing latents per token."""
    fvu: float
    """Fraction of variance unexplained; NaN where all tokens are the same."""
    explained_variance: float
    """1 − FVU."""
    cosine: float
    """Mean cosine between activation and reconstruction."""
    shrinkage: float
    """Mean ratio of the reconstruction's norm to the activation's."""
    relative_bias: float
    """E‖x̂‖² / E[x · x̂]."""
    dead: float
    """Fraction of latents that never fire; NaN where there are no latents."""
    overactive: float
    """Fraction of latents that fire on more than a tenth of the tokens."""
    density_edges: list[float]
    """Edges of the density histogram, in log10."""
    density_histogram: list[int]
    """Number of latents in each bin; dead ones are in none."""
    remainder_fvu: float | None
    """Error over the variance that the token baseline leaves; None without one."""


class FiringCounts:
    """On how many tokens each latent fired, over a window of tokens."""

    def __init__(self, d_sae: int, device: torch.device | str = "cpu") -> None:
        self.counts = torch.zeros(d_sae, dtype=torch.int64, device=device)
        self.n_tokens = 0

    def add(self, z: Tensor) -> None:
        """Count a batch of latents (n_tokens, d_sae)."""
        self.add_counts((z != 0).sum(dim=0, dtype=torch.int32), len(z))  # six times faster on a CPU than count_nonzero

    def add_counts(self, counts: Tensor, n_tokens: int) -> None:
        """Add a batch that is counted already: integers (d_sae,), over `n_tokens` tokens."""
        self.counts += counts
        self.n_tokens += n_tokens

    @property
    def dead(self) -> float:
        return float((self.counts == 0).double().mean())

    @property
    def overactive(self) -> float:
        return float((self.counts > OVERACTIVE_DENSITY * self.n_tokens).double().mean())

    @property
    def l0(self) -> float:
        return float(self.counts.sum()) / self.n_tokens

    def density_histogram(self) -> list[int]:
        """Number of latents in each bin of `LOG_DENSITY_EDGES`."""
        densities = self.counts[self.counts > 0].cpu().numpy() / self.n_tokens
        return np.histogram(np.log10(densities).clip(LOG_DENSITY_EDGES[0]), LOG_DENSITY_EDGES)[0].tolist()


class Spread:
    """Sum over tokens of ‖x − E x‖², in one pass (Chan, Golub & LeVeque, 1979): batches are centred on their own means
    and may be float32; a large mean costs no digits.
    """

    def __init__(self) -> None:
        self.n, self.total = 0, 0.0
        self.mean: Tensor | None = None

    def add(self, x: Tensor) -> None:
        """Take in a batch (n, d)."""
        n, mean = len(x), x.mean(dim=0, dtype=torch.float64)
        shift = mean if self.mean is None else mean - self.mean
        centred = x - mean.to(x.dtype)
        between = float(shift.square().sum()) * (self.n * n / (self.n + n))
        self.total += float(centred.square().sum(dim=1).sum(dtype=torch.float64)) + between
        self.n += n
        self.mean = mean if self.mean is None else self.mean + shift * (n / self.n)


class _Sums:
    """Sums over tokens from which the metrics of reconstructions follow."""

    def __init__(self) -> None:
        self.variance, self.remainder = Spread(), Spread()
        self.sums: Tensor | None = None

    def add(self, x: Tensor, reconstruction: Tensor) -> None:
        """Take in a batch of activations and reconstructions, (n, d) each."""
        self.variance.add(x)
        norm, its_norm = x.norm(dim=1), reconstruction.norm(dim=1)
        product = (x * reconstruction).sum(dim=1)
        columns = [
            (reconstruction - x).square().sum(dim=1),
            product / (norm * its_norm).clamp_min(1e-12),
            its_norm / norm.clamp_min(1e-12),
            its_norm.square(),
            product,
        ]
        sums = torch.stack(columns).sum(dim=1, dtype=torch.float64)
        self.sums = sums if self.sums is None else self.sums + sums

    def quality(self, firing: FiringCounts, has_baseline: bool) -> Quality:
        assert self.sums is not None
        error, cosine, ratio, squared_norm, product = self.sums.tolist()
        fvu = _ratio(error, self.variance.total)
        return Quality(
            n_tokens=firing.n_tokens,
            l0=firing.l0,
            fvu=fvu,
            explained_variance=1 - fvu,
            cosine=cosine / firing.n_tokens,
            shrinkage=ratio / firing.n_tokens,
            relative_bias=_ratio(squared_norm, product),
            dead=firing.dead,
            overactive=firing.overactive,
            density_edges=LOG_DENSITY_EDGES.tolist(),
            density_histogram=firing.density_histogram(),
            remainder_fvu=_ratio(error, self.remainder.total) if has_baseline else None,
        )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def quality(batches: Iterable[tuple[Tensor, Tensor | None]], dictionary: Dictionary) -> Quality | None:
    """Stream a split through an autoencoder; None if it has no tokens.

    Args:
        batches: raw activations, float32 (n, d_in), and the tokens, integers (n, n_fields), which only a token baseline
            needs.
        dictionary: the autoencoder.
    """
    measured = quality_and_firing(batches, dictionary)
    return measured[0] if measured else None


@torch.no_grad()
def quality_and_firing(
    batches: Iterable[tuple[Tensor, Tensor | None]], dictionary: Dictionary
) -> tuple[Quality, FiringCounts] | None:
    """`quality`, and on how many tokens each latent fired."""
    firing: FiringCounts | None = None
    sums = _Sums()
    for x, tokens in batches:
        z = dictionary.encode(x, tokens)
        firing = firing or FiringCounts(z.shape[1], z.device)
        firing.add(z)
        sums.add(x, dictionary.decode(z, tokens))
        if dictionary.baseline is not None:
            sums.remainder.add(x - dictionary.baseline(tokens))
    return (sums.quality(firing, dictionary.baseline is not None), firing) if firing else None


def mean_pairwise_cosine(directions: Tensor) -> float:
    """Mean cosine between two different unit rows of (n, d), in O(n d): (‖Σ dᵢ‖² − n) / (n (n − 1))."""
    n = len(directions)
    return float((directions.double().sum(dim=0).square().sum() - n) / (n * (n - 1))) if n > 1 else 0.0


def mean_nearest_cosine(directions: Tensor, chunk: int = 512) -> float:
    """Mean over unit rows of the cosine to the most similar other row; O(n² d), for rare use."""
    return float(nearest_cosines(directions, chunk).mean())


def nearest_cosines(directions: Tensor, chunk: int = 512) -> Tensor:
    """Cosine of each unit row of (n, d) to the most similar other row, (n,)."""
    nearest = []
    for first in range(0, len(directions), chunk):
        cosines = directions[first : first + chunk] @ directions.T
        cosines[torch.arange(len(cosines)), torch.arange(first, first + len(cosines))] = -1
        nearest.append(cosines.amax(dim=1))
    return torch.cat(nearest)
