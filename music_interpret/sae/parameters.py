"""The tensors of a sparse autoencoder and what every architecture does with them.

Parameters are a dict from name to float32 tensor, under the names of SAELens: `W_enc` (d_in, d_sae), `W_dec`
(d_sae, d_in), whose row i is latent i's direction, `b_dec` (d_in,), and by architecture `b_enc`, `b_gate`, `b_mag`,
`r_mag` and `threshold`, all (d_sae,).
"""

import torch
from torch import Tensor, from_numpy

from music_interpret.activations.normalization import Normalization

Parameters = dict[str, Tensor]


def tied_start(d_in: int, d_sae: int, encoder_scale: float, generator: torch.Generator) -> Parameters:
    """Random unit decoder rows, an encoder that is their transpose times `encoder_scale`, and no decoder bias.

    The tied start is that of Conerly et al., "Circuits Updates, April 2024": a latent begins by reading the direction
    that it writes. With inputs of unit variance a latent's pre-activation then has standard deviation
    `encoder_scale`. The encoder's memory is laid out as (d_sae, d_in), which sparse gradients and Adam walk in order.
    """
    W_dec = torch.randn(d_sae, d_in, generator=generator)
    W_dec /= W_dec.norm(dim=1, keepdim=True)
    return {"W_enc": (encoder_scale * W_dec).T, "W_dec": W_dec, "b_dec": torch.zeros(d_in)}


def remove_parallel(gradient: Tensor, directions: Tensor) -> None:
    """Take out, in place, the part of the decoder's gradient that would only change its rows' norms (Bricken et al.,
    "Towards Monosemanticity", 2023).
    """
    gradient -= (gradient * directions).sum(dim=1, keepdim=True) * directions


def normalize_rows(directions: Tensor) -> None:
    """Bring decoder rows back to unit norm, in place."""
    directions /= directions.norm(dim=1, keepdim=True).clamp_min_(1e-8)


def with_unit_decoder(parameters: Parameters) -> Parameters:
    """The same autoencoder with decoder rows of norm 1: each latent takes its row's norm into its own value.

    For encoders that are positively homogeneous in their weights: ReLU, gated and JumpReLU.
    """
    norms = parameters["W_dec"].norm(dim=1).clamp_min(1e-8)
    scaled = {n: parameters[n] * norms for n in ("b_enc", "b_gate", "b_mag", "threshold") if n in parameters}
    return parameters | scaled | {"W_enc": parameters["W_enc"] * norms, "W_dec": parameters["W_dec"] / norms[:, None]}


def fold_normalization(parameters: Parameters, normalization: Normalization, *, shifted: bool = True) -> Parameters:
    """Weights on raw activations that give the same latents, and reconstructions taken back to raw space.

    With n = (x − shift) · scale: n W_enc + b = x (scale W_enc) + (b − (shift · scale) W_enc), and
    x̂ = n̂ / scale + shift. Computed in float64. Without `shifted`, x is what a token baseline has left over, from which
    the shift is already gone.
    """
    exact = {name: tensor.detach().cpu().double() for name, tensor in parameters.items()}
    scale = from_numpy(normalization.scale).double()
    shift = from_numpy(normalization.shift).double() if shifted else torch.zeros_like(scale)
    offset = (shift * scale) @ exact["W_enc"]
    folded = exact | {
        "W_enc": scale[:, None] * exact["W_enc"],
        "W_dec": exact["W_dec"] / scale,
        "b_dec": exact["b_dec"] / scale + shift,
    }
    if "b_enc" in exact:
        folded["b_enc"] = exact["b_enc"] - offset
    if "b_gate" in exact:
        folded["b_gate"] = exact["b_gate"] - offset
        folded["b_mag"] = exact["b_mag"] - offset * exact["r_mag"].exp()
    return {name: tensor.float().contiguous() for name, tensor in folded.items()}
