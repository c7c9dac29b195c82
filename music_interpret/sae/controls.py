"""What a sparse autoencoder has to beat, with as many coefficients per token as it has latents firing.

- PCA: the directions that explain most variance of the train songs;
- random directions: an orthonormal basis drawn at random;
- untrained: the random tied start that every architecture begins from.

Of the first two a token keeps the coefficients, of either sign, of x − E x that are largest in magnitude: for an
orthonormal basis, the best choice of that many. The untrained autoencoder keeps its largest latents and is given the
best single factor and offset, fitted on train songs, since the random start's reconstructions have no right length.
A control codes x itself, also where the autoencoder has a token baseline.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.parameters import tied_start
from music_interpret.sae.topk import top_k


class Directions:
    """Orthonormal directions around a mean, of which each token keeps its largest coefficients; codes and decodes as an
    autoencoder does.
    """

    baseline: nn.Module | None = None

    def __init__(self, directions: Tensor, mean: Tensor, k: int) -> None:
        """Args:
        directions: orthonormal rows, float32 (n, d).
        mean: subtracted before and added back after, float32 (d,).
        k: coefficients that a token keeps.
        """
        self.directions, self.mean, self.k = directions, mean, min(k, len(directions))

    def encode(self, x: Tensor, _tokens: Tensor | None = None) -> Tensor:
        """Coefficients, (n_tokens, d) → (n_tokens, n), all but k of them 0."""
        coefficients = (x - self.mean) @ self.directions.T
        _, kept = top_k(coefficients.abs(), self.k)
        return torch.zeros_like(coefficients).scatter_(1, kept, coefficients.gather(1, kept))

    def decode(self, z: Tensor, _tokens: Tensor | None = None) -> Tensor:
        """Activations from coefficients, (n_tokens, n) → (n_tokens, d)."""
        return z @ self.directions + self.mean

    def __call__(self, x: Tensor, tokens: Tensor | None = None) -> Tensor:
        return self.decode(self.encode(x, tokens), tokens)


def coefficients_for(l0: float, most: int) -> int:
    """The whole number of coefficients that stands for an L0, from 1 to `most`."""
    return min(max(round(l0), 1), most)


class NoLatents:
    """What needs no latents: the token itself, or nothing at all; to be measured as an autoencoder is."""

    baseline: nn.Module | None = None

    def __init__(self, reconstruct: Callable[[int, Tensor | None], Tensor]) -> None:
        """Args:
        reconstruct: from a number of tokens n and the tokens themselves, integers (n, n_fields), to activations (n, d).
        """
        self.reconstruct = reconstruct

    def encode(self, x: Tensor, _tokens: Tensor | None = None) -> Tensor:
        """No latents: (n_tokens, 0)."""
        return x.new_zeros(len(x), 0)

    def decode(self, z: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Activations, (n_tokens, d)."""
        return self.reconstruct(len(z), tokens)

    def __call__(self, x: Tensor, tokens: Tensor | None = None) -> Tensor:
        return self.reconstruct(len(x), tokens)


def pca(batches: Iterable[Tensor], mean: Tensor, k: int) -> Directions:
    """All principal components of activations, of which a token keeps k.

    Args:
        batches: raw activations of train songs, float32 (n, d).
        mean: their mean, float32 (d,).
        k: coefficients that a token keeps.
    """
    scatter = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=mean.device)
    for x in batches:
        centred = x - mean
        scatter += (centred.T @ centred).double()
    _, vectors = torch.linalg.eigh(scatter)
    return Directions(vectors.T.flip(0).float().contiguous(), mean, k)


def random_directions(mean: Tensor, k: int, seed: int) -> Directions:
    """An orthonormal basis drawn uniformly (Q of a Gaussian matrix's QR), of which a token keeps k."""
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(len(mean), len(mean), generator=generator, dtype=torch.float64))
    return Directions(basis.T.float().contiguous().to(mean.device), mean, k)


def untrained(
    batches: Iterable[Tensor], mean: Tensor, scale: Tensor, d_sae: int, k: int, seed: int
) -> SparseAutoencoder:
    """The tied start of a run, on raw activations, of which a token keeps the k largest latents.

    Args:
        batches: raw activations of train songs, float32 (n, d), on which factor and offset are fitted.
        mean: their mean, from which the start's encoder reads deviations, float32 (d,).
        scale: of the run's normalisation, float32 (d,).
        d_sae: number of latents.
        k: latents that a token keeps.
        seed: of the run.
    """
    start = tied_start(len(mean), d_sae, 1.0, torch.Generator().manual_seed(seed))
    W_enc = scale[:, None] * start["W_enc"].to(mean.device)
    W_dec = start["W_dec"].to(mean.device) / scale
    weights = {"W_enc": W_enc, "b_enc": -mean @ W_enc, "W_dec": W_dec, "b_dec": torch.zeros_like(mean)}
    autoencoder = SparseAutoencoder("topk", weights, k=k)
    factor, offset = _best_affine((x, autoencoder(x)) for x in batches)
    return SparseAutoencoder("topk", weights | {"W_dec": factor * W_dec, "b_dec": offset}, k=k)


def _best_affine(pairs: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, Tensor]:
    """Factor a, scalar, and offset b, float32 (d,), with the least Σ‖x − (a y + b)‖² over pairs x, y (n, d) each."""
    n, product, square = 0, 0.0, 0.0
    x_sum: Tensor | None = None
    y_sum: Tensor | None = None
    for x, y in pairs:
        x, y = x.double(), y.double()
        n += len(x)
        product, square = product + float((x * y).sum()), square + float(y.square().sum())
        x_sum = x.sum(dim=0) if x_sum is None else x_sum + x.sum(dim=0)
        y_sum = y.sum(dim=0) if y_sum is None else y_sum + y.sum(dim=0)
    assert x_sum is not None and y_sum is not None
    spread = square - float(y_sum.square().sum()) / n
    factor = (product - float((x_sum * y_sum).sum()) / n) / spread if spread > 0 else 0.0
    return factor, ((x_sum - factor * y_sum) / n).float()
