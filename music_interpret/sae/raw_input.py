"""A context autoencoder for programs that have activations but no tokens: an approximation that takes x alone.

A context autoencoder encodes x − b, where b is the token baseline's vector for the token. Without the token, b is
estimated from the activation: b̂ = x A + c, by least squares over the train songs. The estimate is folded into the
encoder, in float64:

    (x − b̂) W + bias = x W′ + bias′        with W′ = (I − A) W, bias′ = bias − c W

A decoder of latents alone cannot give b back. Its bias gets the mean of b, so a reconstruction holds what the latents
say of the context and the average token: judge it by its latents, not by its reconstructions.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from music_interpret.errors import InputError
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.metrics import Spread
from music_interpret.sae.pre_bias import shifted


class BaselineEstimate(NamedTuple):
    """The token baseline's vector as a function of the activation: b̂ = x A + c."""

    weight: Tensor
    """A, float64 (d_in, d_in)."""
    bias: Tensor
    """c, float64 (d_in,)."""
    mean: Tensor
    """Mean of b over the tokens that it was fitted on, float64 (d_in,)."""


class Agreement(NamedTuple):
    """How far an autoencoder that takes x alone computes what the one with the token baseline does, on some tokens."""

    firings_kept: float
    """Fraction of the firings (token, latent) with the baseline that are firings without it too."""
    correlation: float
    """Mean over the latents that fire with the baseline of the Pearson correlation of both activations."""
    fvu: float
    """Fraction of the activations' variance that the reconstruction from x alone leaves over."""
    fvu_with_baseline: float
    """The same for the autoencoder with the token baseline."""
    fvu_unfolded: float
    """The same for its weights as they are, given x instead of x − b."""


@torch.no_grad()
def estimated_baseline(autoencoder: SparseAutoencoder, batches: Iterable[tuple[Tensor, Tensor]]) -> BaselineEstimate:
    """Fit the token baseline's vectors by least squares on activations.

    Args:
        autoencoder: one with a token baseline.
        batches: raw activations, float32 (n, d_in), and the tokens, integers (n, n_fields), of the train songs.
    """
    assert autoencoder.baseline is not None
    d = autoencoder.d_in
    n, sum_x, sum_b = 0, np.zeros(d), np.zeros(d)
    gram, moment = np.zeros((d, d)), np.zeros((d, d))
    for x, tokens in batches:
        rows, wanted = x.double().cpu().numpy(), autoencoder.baseline(tokens).double().cpu().numpy()
        n, sum_x, sum_b = n + len(rows), sum_x + rows.sum(axis=0), sum_b + wanted.sum(axis=0)
        gram, moment = gram + rows.T @ rows, moment + rows.T @ wanted
    if not n:
        raise InputError("there are no train songs; expected some to estimate the token baseline on")
    mean_x, mean_b = sum_x / n, sum_b / n
    centred = gram - n * np.outer(mean_x, mean_x), moment - n * np.outer(mean_x, mean_b)
    weight = np.linalg.lstsq(*centred, rcond=1e-10)[0]  # no inverse: a dimension may be constant
    return BaselineEstimate(*map(torch.from_numpy, (weight, mean_b - mean_x @ weight, mean_b)))


def folded(autoencoder: SparseAutoencoder, estimate: BaselineEstimate) -> SparseAutoencoder:
    """The autoencoder with the estimate in place of its token baseline; it takes x alone."""
    parameters = shifted(autoencoder.parameters_by_name, -estimate.bias)
    parameters["W_enc"] = (autoencoder.W_enc.double() - estimate.weight @ autoencoder.W_enc.double()).float()
    parameters["b_dec"] = (autoencoder.b_dec.double() + estimate.mean).float()
    metadata = {key: value for key, value in autoencoder.metadata.items() if key not in autoencoder.baseline_note}
    return SparseAutoencoder(autoencoder.kind, parameters, k=autoencoder.k, metadata=metadata)


@torch.no_grad()
def agreement(
    autoencoder: SparseAutoencoder, approximation: SparseAutoencoder, batches: Iterable[tuple[Tensor, Tensor]]
) -> Agreement:
    """Compare an autoencoder that takes x alone with the one that has the token baseline.

    Args:
        autoencoder: one with a token baseline.
        approximation: what `folded` made of it.
        batches: raw activations and tokens as in `estimated_baseline`, of songs that neither was fitted on.
    """
    unfolded = SparseAutoencoder(autoencoder.kind, autoencoder.parameters_by_name, k=autoencoder.k)
    variance, kept, fired = Spread(), 0, 0
    errors, moments = torch.zeros(3, dtype=torch.float64), torch.zeros(5, autoencoder.d_sae, dtype=torch.float64)
    for x, tokens in batches:
        exact, approximate = autoencoder.encode(x, tokens), approximation.encode(x)
        rebuilt = (approximation.decode(approximate), autoencoder.decode(exact, tokens), unfolded(x))
        errors += torch.stack([(x - other).double().square().sum() for other in rebuilt])
        variance.add(x)
        fired, kept = fired + int((exact > 0).sum()), kept + int(((exact > 0) & (approximate > 0)).sum())
        z, y = exact.double(), approximate.double()
        moments += torch.stack([z.sum(0), y.sum(0), z.square().sum(0), y.square().sum(0), (z * y).sum(0)])
    if not variance.n:
        raise InputError("there are no test songs; expected some to measure the approximation on")
    mean_z, mean_y, square_z, square_y, product = moments / variance.n
    spread = ((square_z - mean_z**2).clamp_min(0) * (square_y - mean_y**2).clamp_min(0)).sqrt()
    correlation = torch.where(spread > 0, (product - mean_z * mean_y) / spread.clamp_min(1e-30), 0.0)
    live = square_z > 0
    return Agreement(kept / max(fired, 1), float(correlation[live].mean()), *(errors / variance.total).tolist())
