"""JumpReLU with an L0 target (Rajamanoharan et al., "Jumping Ahead", arXiv 2407.14435).

    p = x W_enc + b_enc        z = p · 1[p > θ]        x̂ = z W_dec + b_dec
    loss = mean((x̂ − x)²) + alpha · (L0 / k − 1)²

with L0 the mean number of latents of the batch that fire on a token. The jump has no gradient towards θ; the paper's
straight-through estimator takes it from the values within half a bandwidth ε of the threshold:

    ∂z/∂θ = −θ/ε · 1[|p − θ| < ε/2]        ∂L0/∂θ = −1/ε · 1[|p − θ| < ε/2]

θ is trained as its logarithm, so that it stays positive and moves by the same fraction at any size. Decoder rows have
unit norm.
"""

import torch
from torch import Tensor

from music_interpret.sae.objective import Objective, Scratch, Step
from music_interpret.sae.parameters import Parameters, tied_start


def initial(
    d_in: int, d_sae: int, *, encoder_bias: float, encoder_scale: float, generator: torch.Generator
) -> Parameters:
    """The tied start, with a threshold where other architectures have a negative bias."""
    threshold = torch.full((d_sae,), max(-encoder_bias, 0.01))
    start = tied_start(d_in, d_sae, encoder_scale, generator)
    return start | {"b_enc": torch.zeros(d_sae), "log_threshold": threshold.log()}


def encode(parameters: Parameters, x: Tensor, _k: int = 0) -> Tensor:
    """Latents, (n, d_in) → (n, d_sae), for thresholds that are not negative."""
    before = torch.addmm(parameters["b_enc"], x, parameters["W_enc"])
    return before.mul_(before > parameters["threshold"]).relu_()


def trained_form(parameters: Parameters) -> Parameters:
    """Parameters as they are saved: the threshold itself."""
    saved = {name: tensor for name, tensor in parameters.items() if name != "log_threshold"}
    return saved | {"threshold": parameters["log_threshold"].exp()}


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
    threshold = low["log_threshold"].exp()
    before = torch.addmm(low["b_enc"], x_low, low["W_enc"])
    fires = before > threshold
    z = before * fires
    error = torch.addmm(low["b_dec"], z, low["W_dec"]).float().sub_(x)
    mse = error.square().mean()
    counts = fires.sum(dim=0, dtype=torch.int32)
    excess = counts.sum() / (batch * objective.k) - 1
    penalty = excess.square()
    grad_error = error * (2 / (batch * d_in))
    grad_low = grad_error.to(objective.dtype)
    grad_z = grad_low @ low["W_dec"].T
    near = before.sub_(threshold).abs_() < objective.bandwidth / 2
    through_values = (grad_z * near).sum(dim=0, dtype=torch.float32) * threshold.float()
    through_l0 = near.sum(dim=0, dtype=torch.int32) * (objective.alpha * 2 * excess / (batch * objective.k))
    grad_before = grad_z.mul_(fires)
    gradients = {
        "W_enc": (grad_before.T @ x_low).float().T,
        "b_enc": grad_before.sum(dim=0, dtype=torch.float32),
        "log_threshold": (through_values + through_l0) * (-threshold.float() / objective.bandwidth),
        "W_dec": (z.T @ grad_low).float(),
        "b_dec": grad_error.sum(dim=0),
    }
    return Step(
        mse + objective.alpha * penalty,
        {"mse": mse, "l0_penalty": penalty},
        error,
        counts,
        gradients,
        (grad_before @ low["W_enc"].T).float().sub_(grad_error) if input_gradient else None,
    )
