"""Gated sparse autoencoder (Rajamanoharan et al., "Improving Dictionary Learning with Gated Sparse Autoencoders",
arXiv 2404.16014).

    π = x W_enc + b_gate                     which latents fire
    m = ReLU(x (W_enc · exp(r_mag)) + b_mag)  how strongly
    z = 1[π > 0] · m                         x̂ = z W_dec + b_dec
    loss = mean((x̂ − x)²) + alpha · mean over tokens of ‖ReLU(π)‖₁ + mean((ReLU(π) W_dec* + b_dec* − x)²)

The star says that the auxiliary task, which teaches the gate, gives the decoder no gradient. Decoder rows have unit
norm. Since only π is penalised, values do not shrink.
"""

import torch
from torch import Tensor

from music_interpret.sae.objective import Objective, Scratch, Step
from music_interpret.sae.parameters import Parameters, tied_start


def initial(
    d_in: int, d_sae: int, *, encoder_bias: float, encoder_scale: float, generator: torch.Generator
) -> Parameters:
    """The tied start, with a gate and a magnitude that begin as the same ReLU unit."""
    bias = torch.full((d_sae,), encoder_bias)
    start = tied_start(d_in, d_sae, encoder_scale, generator)
    return start | {"b_gate": bias, "b_mag": bias.clone(), "r_mag": torch.zeros(d_sae)}


def encode(parameters: Parameters, x: Tensor, _k: int = 0) -> Tensor:
    """Latents, (n, d_in) → (n, d_sae)."""
    projected = x @ parameters["W_enc"]
    magnitude = torch.addcmul(parameters["b_mag"], projected, parameters["r_mag"].exp()).relu_()
    return magnitude.mul_(projected.add_(parameters["b_gate"]) > 0)


def step(
    parameters: Parameters,
    x: Tensor,
    objective: Objective,
    *,
    input_gradient: bool = False,
    scratch: Scratch | None = None,
) -> Step:
    """Loss and gradients of one batch of normalised activations, float32 (batch, d_in)."""
    batch, d_in = x.shape
    low = {name: tensor.to(objective.dtype) for name, tensor in parameters.items()}
    x_low = x.to(objective.dtype)
    projected = x_low @ low["W_enc"]
    stretch = low["r_mag"].exp()
    gate = (projected + low["b_gate"]).relu_()
    z = torch.addcmul(low["b_mag"], projected, stretch).relu_().mul_(gate > 0)
    error = torch.addmm(low["b_dec"], z, low["W_dec"]).float().sub_(x)
    gate_error = torch.addmm(low["b_dec"], gate, low["W_dec"]).float().sub_(x)
    mse, gate_mse = error.square().mean(), gate_error.square().mean()
    l1 = gate.sum(dtype=torch.float32) / batch
    grad_error = error * (2 / (batch * d_in))
    grad_gate_error = gate_error.mul_(2 / (batch * d_in))
    grad_low = grad_error.to(objective.dtype)
    grad_magnitude = (grad_low @ low["W_dec"].T).mul_(z > 0)
    cost = torch.full((1,), objective.alpha / batch, dtype=objective.dtype, device=x.device)
    grad_gate = torch.addmm(cost, grad_gate_error.to(objective.dtype), low["W_dec"].T).mul_(gate > 0)
    grad_projected = torch.addcmul(grad_gate, grad_magnitude, stretch)
    gradients = {
        "W_enc": (grad_projected.T @ x_low).float().T,
        "b_gate": grad_gate.sum(dim=0, dtype=torch.float32),
        "b_mag": grad_magnitude.sum(dim=0, dtype=torch.float32),
        "r_mag": grad_magnitude.mul_(projected).sum(dim=0, dtype=torch.float32) * stretch.float(),
        "W_dec": (z.T @ grad_low).float(),
        "b_dec": grad_error.sum(dim=0),
    }
    through_encoder = (grad_projected @ low["W_enc"].T).float() if input_gradient else None
    return Step(
        mse + objective.alpha * l1 + gate_mse,
        {"mse": mse, "l1": l1, "gate_mse": gate_mse},
        error,
        (z > 0).sum(dim=0, dtype=torch.int32),
        gradients,
        None if through_encoder is None else through_encoder - grad_error - grad_gate_error,
    )
