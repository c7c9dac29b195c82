"""The base sparse autoencoder: ReLU with an L1 penalty, its loss and its gradients.

    z = ReLU(x W_enc + b_enc)        x̂ = z W_dec + b_dec
    loss = mean((x̂ − x)²) + alpha · mean over tokens of ‖z‖₁

after Bricken et al., "Towards Monosemanticity" (2023), with x already normalised. The squared error is averaged over
tokens and dimensions; decoder rows are kept at unit norm, without which the penalty could be escaped by shrinking z
and growing W_dec.

Gradients are written out here rather than left to autograd: a step is five matrix products of 2 · d_in · d_sae FLOPs a
token, and what is left over is memory traffic on z, (batch, d_sae), which autograd passes over about twice as often.
A test holds them against autograd.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Parameters(NamedTuple):
    """The four tensors of a sparse autoencoder, float32."""

    W_enc: Tensor
    """Encoder, (d_in, d_sae)."""
    b_enc: Tensor
    """Encoder bias, (d_sae,)."""
    W_dec: Tensor
    """Decoder, (d_sae, d_in); row i is latent i's direction, of unit norm."""
    b_dec: Tensor
    """Decoder bias, (d_in,)."""


class Step(NamedTuple):
    """What one batch gives."""

    squared_error: Tensor
    """Mean over tokens and dimensions of (x̂ − x)², scalar."""
    l1: Tensor
    """Mean over tokens of ‖z‖₁, scalar."""
    z: Tensor
    """Latents, (batch, d_sae), in the precision of the matrix products."""
    gradients: Parameters
    """Gradients of the loss, float32."""


def initial_parameters(
    d_in: int, d_sae: int, *, encoder_bias: float, encoder_scale: float, generator: torch.Generator
) -> Parameters:
    """Random unit decoder rows, an encoder that is their transpose times `encoder_scale`, and no decoder bias.

    The tied start is that of Conerly et al., "Circuits Updates, April 2024": a latent begins by reading the direction
    that it writes. With inputs of unit variance a latent's pre-activation then has standard deviation
    `encoder_scale`, and `encoder_bias` / `encoder_scale` says how rarely it fires at first; a latent that never fires
    gets no gradient and stays dead.
    """
    W_dec = torch.randn(d_sae, d_in, generator=generator)
    W_dec /= W_dec.norm(dim=1, keepdim=True)
    return Parameters(
        (encoder_scale * W_dec.T).contiguous(), torch.full((d_sae,), encoder_bias), W_dec, torch.zeros(d_in)
    )


def encode(parameters: Parameters, x: Tensor) -> Tensor:
    """Latents of normalised activations, (batch, d_in) → (batch, d_sae)."""
    return torch.addmm(parameters.b_enc, x, parameters.W_enc).relu_()


def decode(parameters: Parameters, z: Tensor) -> Tensor:
    """Reconstruction from latents, (batch, d_sae) → (batch, d_in)."""
    return torch.addmm(parameters.b_dec, z, parameters.W_dec)


def step(parameters: Parameters, x: Tensor, alpha: float, *, dtype: torch.dtype = torch.float32) -> Step:
    """Loss and gradients of one batch of normalised activations (batch, d_in), float32.

    Args:
        parameters: float32, on the device of `x`.
        x: normalised activations.
        alpha: weight of the L1 penalty.
        dtype: precision of the matrix products; sums, the error and the parameters stay float32.
    """
    batch, d_in = x.shape
    low = Parameters(*(p.to(dtype) for p in parameters))
    x_low = x.to(dtype)
    z = encode(low, x_low)
    error = decode(low, z).float().sub_(x)
    squared_error = error.square().mean()
    l1 = z.sum(dtype=torch.float32) / batch
    # From here on `error` is the loss's gradient with respect to x̂.
    error *= 2 / (batch * d_in)
    error_low = error.to(dtype)
    penalty = torch.full((1,), alpha / batch, dtype=dtype, device=x.device)
    grad_z = torch.addmm(penalty, error_low, low.W_dec.T)
    torch.ops.aten.threshold_backward.grad_input(grad_z, z, 0, grad_input=grad_z)
    gradients = Parameters(
        W_enc=(x_low.T @ grad_z).float(),
        b_enc=grad_z.sum(dim=0, dtype=torch.float32),
        W_dec=(z.T @ error_low).float(),
        b_dec=error.sum(dim=0),
    )
    return Step(squared_error, l1, z, gradients)


def remove_parallel(gradient: Tensor, directions: Tensor) -> None:
    """Take out, in place, the part of the decoder's gradient that would only change its rows' norms (Bricken et al.
    2023).
    """
    gradient -= (gradient * directions).sum(dim=1, keepdim=True) * directions


def normalize_rows(directions: Tensor) -> None:
    """Bring decoder rows back to unit norm, in place."""
    directions /= directions.norm(dim=1, keepdim=True).clamp_min_(1e-8)
