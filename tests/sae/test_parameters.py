import numpy as np
import pytest
import torch
from random_parameters import D_IN, D_SAE, trained

from music_interpret.activations.normalization import Normalization
from music_interpret.sae import parameters as functions
from music_interpret.sae.architectures import ARCHITECTURES, ENCODERS, TENSORS


def encode(name, parameters, x):
    return ENCODERS[ARCHITECTURES[name].saved_as](parameters, x, 5)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("kind", ["zscore", "scalar", "none"])
def test_folded_weights_take_raw_activations(name, kind):
    rng = np.random.default_rng(0)
    mean = rng.normal(0, 30, D_IN).astype(np.float32)
    shift = mean if kind == "zscore" else np.zeros(D_IN, np.float32)
    scale = {"zscore": rng.uniform(0.01, 5, D_IN), "scalar": np.full(D_IN, 0.3), "none": np.ones(D_IN)}[kind]
    normalization = Normalization(kind, shift, scale.astype(np.float32), mean)
    raw = torch.from_numpy(rng.normal(0, 1, (200, D_IN)) / scale + shift).float()
    parameters = trained(name)
    z = encode(name, parameters, torch.from_numpy(normalization.apply(raw.numpy())))
    folded = functions.fold_normalization(parameters, normalization)
    assert set(TENSORS[ARCHITECTURES[name].saved_as]) <= folded.keys()
    same = (encode(name, folded, raw) > 0) == (z > 0)
    assert same.float().mean() > 0.999  # a value may lie within rounding of a threshold
    torch.testing.assert_close(encode(name, folded, raw) * same, z * same, atol=2e-3, rtol=1e-3)
    back = (z @ parameters["W_dec"] + parameters["b_dec"]) / torch.from_numpy(normalization.scale)
    torch.testing.assert_close(
        z @ folded["W_dec"] + folded["b_dec"], back + torch.from_numpy(normalization.shift), atol=2e-2, rtol=1e-3
    )


@pytest.mark.parametrize("name", ["relu", "gated", "jumprelu", "batchtopk"])
def test_a_unit_decoder_computes_the_same(name):
    parameters, x = trained(name), torch.randn(100, D_IN, generator=torch.Generator().manual_seed(1))
    unit = functions.with_unit_decoder(parameters)
    torch.testing.assert_close(unit["W_dec"].norm(dim=1), torch.ones(D_SAE))
    z, z_unit = encode(name, parameters, x), encode(name, unit, x)
    torch.testing.assert_close(z_unit, z * parameters["W_dec"].norm(dim=1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(z_unit @ unit["W_dec"], z @ parameters["W_dec"], atol=1e-5, rtol=1e-5)


def test_parallel_part_of_the_decoders_gradient_goes():
    generator = torch.Generator().manual_seed(0)
    directions, gradient = torch.randn(40, 12, generator=generator), torch.randn(40, 12, generator=generator)
    functions.normalize_rows(directions)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(40))
    before = gradient.clone()
    functions.remove_parallel(gradient, directions)
    torch.testing.assert_close((gradient * directions).sum(dim=1), torch.zeros(40), atol=1e-6, rtol=0)
    assert not torch.allclose(before, gradient)


def test_the_start_is_tied():
    start = functions.tied_start(8, 16, 0.5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(start["W_dec"].norm(dim=1), torch.ones(16))
    torch.testing.assert_close(start["W_enc"], 0.5 * start["W_dec"].T)
    assert start["b_dec"].tolist() == [0.0] * 8
