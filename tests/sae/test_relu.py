import pytest
import torch

from music_interpret.sae import relu
from music_interpret.sae.relu import Parameters


def random_case(seed=0, batch=50, d_in=12, d_sae=40, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    start = relu.initial_parameters(d_in, d_sae, encoder_bias=-0.1, encoder_scale=1.0, generator=generator)
    noise = [torch.randn(p.shape, generator=generator) * 0.1 for p in start]
    parameters = Parameters(*((p + n).to(dtype) for p, n in zip(start, noise, strict=True)))
    return parameters, torch.randn(batch, d_in, generator=generator).to(dtype)


def autograd(parameters, x, alpha):
    leaves = [p.clone().requires_grad_() for p in parameters]
    W_enc, b_enc, W_dec, b_dec = leaves
    z = torch.relu(x @ W_enc + b_enc)
    error = (z @ W_dec + b_dec - x).square().mean()
    l1 = z.abs().sum(dim=1).mean()
    (error + alpha * l1).backward()
    return error, l1, [leaf.grad for leaf in leaves]


@pytest.mark.parametrize("alpha", [0.0, 1e-2, 3.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_are_autograds(alpha, seed):
    parameters, x = random_case(seed, dtype=torch.float32)
    error, l1, gradients = autograd(parameters, x, alpha)
    step = relu.step(parameters, x, alpha)
    torch.testing.assert_close(step.squared_error, error.detach())
    torch.testing.assert_close(step.l1, l1.detach())
    for ours, theirs in zip(step.gradients, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_bfloat16_gradients_point_the_same_way():
    parameters, x = random_case(dtype=torch.float32, batch=400)
    exact = relu.step(parameters, x, 1e-2).gradients
    rough = relu.step(parameters, x, 1e-2, dtype=torch.bfloat16).gradients
    for name, ours, theirs in zip(Parameters._fields, rough, exact, strict=True):
        assert ours.dtype == torch.float32
        assert torch.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) > 0.995, name


def test_parallel_part_of_the_decoders_gradient_goes():
    parameters, x = random_case(dtype=torch.float32)
    directions = parameters.W_dec.clone()
    relu.normalize_rows(directions)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(40))
    gradient = relu.step(parameters, x, 0.1).gradients.W_dec
    before = gradient.clone()
    relu.remove_parallel(gradient, directions)
    torch.testing.assert_close((gradient * directions).sum(dim=1), torch.zeros(40), atol=1e-6, rtol=0)
    assert not torch.allclose(before, gradient)


def test_initial_parameters():
    generator = torch.Generator().manual_seed(0)
    start = relu.initial_parameters(8, 16, encoder_bias=-1, encoder_scale=0.5, generator=generator)
    torch.testing.assert_close(start.W_dec.norm(dim=1), torch.ones(16))
    torch.testing.assert_close(start.W_enc, 0.5 * start.W_dec.T)
    assert start.b_enc.tolist() == [-1.0] * 16 and start.b_dec.tolist() == [0.0] * 8
