"""The hand-written and sparse gradients of every architecture against autograd on a dense reference."""

from dataclasses import replace

import pytest
import sae_cases
import torch

from music_interpret.sae import auxk
from music_interpret.sae.architectures import ARCHITECTURES

D_IN, D_SAE, BATCH = 16, 128, 64
OBJECTIVE = sae_cases.objective(alpha=0.03, k=6, prefixes=(), bandwidth=0.4)
CASES = {
    "relu": OBJECTIVE,
    "relu by decoder norm": sae_cases.objective(alpha=0.03, by_decoder_norm=True),
    "gated": OBJECTIVE,
    "topk": OBJECTIVE,
    "topk, grouped search": sae_cases.objective(k=2),
    "batchtopk": OBJECTIVE,
    "matryoshka": sae_cases.objective(k=6, prefixes=(16, 48, 128)),
}


class Threshold(torch.autograd.Function):
    """The straight-through estimators of arXiv 2407.14435, equations 11 and 12, by its pseudocode."""

    @staticmethod
    def forward(ctx, before, threshold, width):
        ctx.save_for_backward(before, threshold)
        ctx.width = width
        fires = (before > threshold).to(before.dtype)
        return before * fires, fires

    @staticmethod
    def backward(ctx, grad_z, grad_fires):
        before, threshold = ctx.saved_tensors
        window = ((before - threshold) / ctx.width).abs() < 0.5
        grad_threshold = -(threshold / ctx.width) * window * grad_z - window * grad_fires / ctx.width
        return grad_z * (before > threshold), grad_threshold.sum(0), None


def dense_loss(name, p, x, objective):
    """The formula of each architecture's docstring, on dense latents."""
    before = x @ p["W_enc"] + p.get("b_enc", 0)
    if name == "relu":
        z = before.relu()
        cost = p["W_dec"].norm(dim=1) if objective.by_decoder_norm else 1.0
        penalty = objective.alpha * (z * cost).sum(1).mean()
        return (z @ p["W_dec"] + p["b_dec"] - x).square().mean() + penalty
    if name == "gated":
        gate = (before + p["b_gate"]).relu()
        z = (gate > 0) * (before * p["r_mag"].exp() + p["b_mag"]).relu()
        frozen = gate @ p["W_dec"].detach() + p["b_dec"].detach()
        main = (z @ p["W_dec"] + p["b_dec"] - x).square().mean()
        return main + objective.alpha * gate.sum(1).mean() + (frozen - x).square().mean()
    if name == "jumprelu":
        z, fires = Threshold.apply(before, p["log_threshold"].exp(), objective.bandwidth)
        l0 = fires.sum(1).mean()
        penalty = objective.alpha * (l0 / objective.k - 1).square()
        return (z @ p["W_dec"] + p["b_dec"] - x).square().mean() + penalty
    if name == "topk":
        kept = torch.zeros_like(before).scatter(1, before.topk(int(objective.k), dim=1).indices, 1.0)
    else:
        smallest = before.detach().flatten().topk(int(objective.k * len(x))).values[-1]
        kept = (before >= smallest).float()
    z = before.relu() * kept
    losses = [
        (z[:, :width] @ p["W_dec"][:width] + p["b_dec"] - x).square().mean() for width in objective.prefixes or (D_SAE,)
    ]
    return torch.stack(losses).mean()


def start(name, seed=0):
    generator = torch.Generator().manual_seed(seed)
    parameters = ARCHITECTURES[name].initial(D_IN, D_SAE, encoder_bias=-0.5, encoder_scale=1.0, generator=generator)
    # Away from the symmetric start, so that no gradient is right by accident.
    for key, tensor in parameters.items():
        if key != "threshold":
            tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
    return parameters, torch.randn(BATCH, D_IN, generator=generator)


@pytest.mark.parametrize("case", [*CASES, "jumprelu"])
def test_gradients_are_those_of_the_formula(case):
    name = case.split()[0].rstrip(",")
    objective = CASES.get(case, OBJECTIVE)
    parameters, x = start(name)
    trained = {k: v.clone().requires_grad_() for k, v in parameters.items() if k != "threshold"}
    leaf = x.clone().requires_grad_()
    loss = dense_loss(name, trained, leaf, objective)
    wanted = dict(zip(trained, torch.autograd.grad(loss, list(trained.values()), retain_graph=True), strict=True))
    step = ARCHITECTURES[name].step(parameters, x, objective, input_gradient=True)
    torch.testing.assert_close(step.loss, loss.detach(), rtol=1e-5, atol=1e-6)
    assert step.gradients.keys() == wanted.keys()
    for key, gradient in wanted.items():
        torch.testing.assert_close(step.gradients[key], gradient, rtol=1e-5, atol=1e-5 * float(gradient.abs().max()))
    (towards_x,) = torch.autograd.grad(loss, leaf)
    torch.testing.assert_close(step.input_gradient, towards_x, rtol=1e-5, atol=1e-5 * float(towards_x.abs().max()))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_auxiliary_loss_reaches_dead_latents_through_encoder_and_decoder(name):
    bias = ARCHITECTURES[name].bias
    parameters, x = start(name)
    dead = torch.tensor([3, 40, 41, 90, 127])
    step = ARCHITECTURES[name].step(parameters, x, OBJECTIVE)
    gradients = {key: tensor.clone() for key, tensor in step.gradients.items()}
    loss = auxk.add_gradients(gradients, parameters, x, step.error, dead, 0.1, bias)

    trained = {k: parameters[k].clone().requires_grad_() for k in ("W_enc", "W_dec", bias)}
    before = x @ trained["W_enc"][:, dead] + trained[bias][dead]
    kept = torch.zeros_like(before).scatter(1, before.topk(min(D_IN // 2, len(dead)), dim=1).indices, 1.0)
    rest = -step.error
    wanted_loss = 0.1 * (rest - (before * kept) @ trained["W_dec"][dead]).square().sum() / rest.square().sum()
    torch.testing.assert_close(loss, wanted_loss.detach(), rtol=1e-5, atol=0)
    for key, gradient in zip(trained, torch.autograd.grad(wanted_loss, list(trained.values())), strict=True):
        added = gradients[key] - step.gradients[key]
        torch.testing.assert_close(added, gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max()))
        assert (added.T if key == "W_enc" else added)[dead].abs().reshape(len(dead), -1).sum(1).min() > 0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_bfloat16_gradients_point_the_same_way(name):
    parameters, x = start(name)
    exact = ARCHITECTURES[name].step(parameters, x, OBJECTIVE, input_gradient=True)
    low = ARCHITECTURES[name].step(parameters, x, replace(OBJECTIVE, dtype=torch.bfloat16), input_gradient=True)
    pairs = [(low.gradients[key], exact.gradients[key]) for key in exact.gradients]
    for ours, theirs in [*pairs, (low.input_gradient, exact.input_gradient)]:
        assert ours.dtype == torch.float32
        assert torch.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) > 0.98
