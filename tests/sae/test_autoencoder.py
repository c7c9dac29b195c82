import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from music_interpret.activations.normalization import Normalization
from music_interpret.errors import InputError
from music_interpret.sae import relu
from music_interpret.sae.autoencoder import SparseAutoencoder, fold_normalization
from music_interpret.sae.relu import Parameters

GENERATOR = torch.Generator().manual_seed(0)


@pytest.fixture
def parameters():
    start = relu.initial_parameters(10, 30, encoder_bias=-0.3, encoder_scale=1, generator=GENERATOR)
    return Parameters(*(p + 0.1 * torch.randn(p.shape, generator=GENERATOR) for p in start))


@pytest.mark.parametrize("kind", ["zscore", "scalar", "none"])
def test_folded_weights_take_raw_activations(parameters, kind):
    rng = np.random.default_rng(0)
    shift = rng.normal(0, 30, 10) if kind == "zscore" else np.zeros(10)
    scale = {"zscore": rng.uniform(0.01, 5, 10), "scalar": np.full(10, 0.3), "none": np.ones(10)}[kind]
    normalization = Normalization(kind, shift.astype(np.float32), scale.astype(np.float32))
    raw = torch.from_numpy(rng.normal(0, 1, (200, 10)) / scale + shift).float()
    normalised = torch.from_numpy(normalization.apply(raw.numpy()))
    folded = SparseAutoencoder(fold_normalization(parameters, normalization))
    z = relu.encode(parameters, normalised)
    torch.testing.assert_close(folded.encode(raw), z, atol=2e-3, rtol=1e-3)
    back = relu.decode(parameters, z) / torch.from_numpy(normalization.scale) + torch.from_numpy(normalization.shift)
    torch.testing.assert_close(folded(raw), back, atol=2e-2, rtol=1e-3)


def test_saved_and_loaded_it_is_the_same(parameters, tmp_path):
    before = SparseAutoencoder(parameters, {"layer": 5})
    before.save(tmp_path / "sae")
    after = SparseAutoencoder.load(tmp_path / "sae")
    x = torch.randn(20, 10, generator=GENERATOR)
    assert torch.equal(before.encode(x), after.encode(x)) and torch.equal(before(x), after(x))
    assert after.metadata["layer"] == 5
    assert after.encode(x.half()).dtype == torch.float32


def test_it_is_the_saelens_layout(parameters, tmp_path):
    """What SAELens 6's `StandardSAE` reads: these keys, shapes and settings, and z = ReLU(x W_enc + b_enc)."""
    SparseAutoencoder(parameters).save(tmp_path)
    cfg = json.loads((tmp_path / "cfg.json").read_text())
    assert cfg["architecture"] == "standard" and (cfg["d_in"], cfg["d_sae"]) == (10, 30)
    assert cfg["apply_b_dec_to_input"] is False and cfg["normalize_activations"] == "none"
    tensors = load_file(tmp_path / "sae_weights.safetensors")
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert shapes == {"W_enc": (10, 30), "b_enc": (30,), "W_dec": (30, 10), "b_dec": (10,)}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "cfg.json").unlink(), "missing file"),
        (lambda folder: (folder / "sae_weights.safetensors").unlink(), "missing file"),
        (lambda folder: (folder / "sae_weights.safetensors").write_bytes(b"\x08" * 20), "is damaged"),
        (lambda folder: save_file({"W_enc": torch.zeros(2, 2)}, folder / "sae_weights.safetensors"), "damaged.*b_enc"),
        (lambda folder: (folder / "cfg.json").write_text('{"architecture": "topk"}'), "has architecture 'topk'"),
    ],
)
def test_damage_is_named(parameters, tmp_path, damage, message):
    SparseAutoencoder(parameters).save(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=message):
        SparseAutoencoder.load(tmp_path)
