"""AuxK: dead latents learn to reconstruct what the live ones leave over (Gao et al., arXiv 2406.04093, appendix A.2).

    r = x − x̂ (held constant)        p = x W_enc + b, for dead latents only
    loss = weight · ‖r − Σ over the k_aux largest p, p W_dec‖² / ‖r‖²

with k_aux half of d_in. Unlike the main loss it reaches latents that fire on nothing, through encoder and decoder
alike, whatever the architecture. The paper's ReLU on p is left out: the latents of a ReLU autoencoder die by a p below
0 on every token, and through a ReLU nothing would reach them. What is computed is sparse (`sparse.py`) but for the
encoder's product over the dead.
"""

import torch
from torch import Tensor

from music_interpret.sae.parameters import Parameters
from music_interpret.sae.sparse import rows_of
from music_interpret.sae.topk import top_k


def add_gradients(
    gradients: Parameters, parameters: Parameters, x: Tensor, error: Tensor, dead: Tensor, weight: float, bias: str
) -> Tensor:
    """Add the auxiliary loss's gradients for `W_enc`, `W_dec` and the bias in place; return the loss, scalar.

    Args:
        gradients: those of the main loss.
        parameters: float32.
        x: normalised activations, (batch, d_in).
        error: x̂ − x of the main loss, (batch, d_in).
        dead: numbers of the dead latents, int64 (n_dead,).
        weight: of the auxiliary loss.
        bias: name of the encoder's bias, `b_enc` or `b_gate`.
    """
    W_enc, W_dec = parameters["W_enc"].T[dead], parameters["W_dec"][dead]
    before = torch.addmm(parameters[bias][dead], x, W_enc.T)
    values, indices = top_k(before, min(x.shape[1] // 2, len(dead)))
    latents = rows_of(indices, values)
    difference = latents.times(W_dec).add_(error)  # error is −r
    scale = weight / error.square().sum().clamp_min(1e-12)
    loss = difference.square().sum() * scale
    grad = difference.mul_(2 * scale)
    grad_values = latents.value_gradients(W_dec, grad)
    order = latents.by_latent(len(dead))
    gradients["W_dec"].index_add_(0, dead, order.weight_gradient(latents.values, grad))
    gradients["W_enc"].T.index_add_(0, dead, order.weight_gradient(grad_values, x))
    gradients[bias].index_add_(
        0, dead, torch.zeros_like(dead, dtype=x.dtype).index_add_(0, latents.indices, grad_values)
    )
    return loss
