"""The real SAELens loads what we save, unchanged, and we what it saves."""

import pytest
import torch
from sae_cases import KINDS, assert_close, case
from sae_lens import (
    SAE,
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    JumpReLUTrainingSAE,
    JumpReLUTrainingSAEConfig,
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
    TopKTrainingSAE,
    TopKTrainingSAEConfig,
)

from music_interpret import SparseAutoencoder
from music_interpret.sae import foreign
from music_interpret.sae.raw_input import estimated_baseline, folded


@pytest.mark.parametrize("kind", KINDS)
def test_it_loads_our_folder(kind, tmp_path):
    ours, x, _ = case(kind)
    ours.save(tmp_path)
    theirs = SAE.load_from_disk(tmp_path)
    assert theirs.cfg.architecture() == kind
    assert (theirs.cfg.d_in, theirs.cfg.d_sae) == (ours.d_in, ours.d_sae)
    with torch.no_grad():
        z = theirs.encode(x)
        assert_close(z, ours.encode(x))
        assert torch.equal(z > 0, ours.encode(x) > 0)
        assert_close(theirs.decode(z), ours.decode(ours.encode(x)))
        assert_close(theirs(x), ours(x))


@pytest.mark.parametrize("kind", KINDS)
def test_it_sees_a_context_autoencoder_as_one_of_the_remainder(kind, tmp_path):
    ours, x, codes = case(kind, context=True)
    ours.save(tmp_path)
    theirs = SAE.load_from_disk(tmp_path)
    remainder = x - ours.baseline(codes)
    with torch.no_grad():
        assert_close(theirs.encode(remainder), ours.encode(x, codes))
        assert_close(theirs(remainder) + ours.baseline(codes), ours(x, codes))
    assert "x - baseline(tokens)" in theirs.cfg.metadata.token_baseline_note


@pytest.mark.parametrize("kind", KINDS)
def test_it_takes_raw_activations_where_the_baseline_is_estimated(kind, tmp_path):
    ours, x, codes = case(kind, context=True)
    made = folded(ours, estimated_baseline(ours, [(x, codes)]))
    made.save(tmp_path)
    theirs = SAE.load_from_disk(tmp_path)
    with torch.no_grad():
        assert_close(theirs.encode(x), made.encode(x))
        assert_close(theirs(x), made(x))


def test_it_keeps_our_metadata(tmp_path):
    case("topk").autoencoder.save(tmp_path)
    metadata = SAE.load_from_disk(tmp_path).cfg.metadata
    assert (metadata.layer, metadata.data_repr, metadata.dataset_name) == (3, "ape", "sod")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("applied", [False, True])
def test_we_load_its_folder(kind, applied, tmp_path):
    """Also where it takes b_dec off its input, which is its default."""
    ours, x, _ = case(kind)
    ours.save(tmp_path / "ours")
    theirs = SAE.load_from_disk(tmp_path / "ours")
    theirs.cfg.apply_b_dec_to_input = applied
    theirs.save_model(tmp_path / "theirs")
    theirs = SAE.load_from_disk(tmp_path / "theirs")
    again = SparseAutoencoder.load(tmp_path / "theirs")
    with torch.no_grad():
        assert_close(again.encode(x), theirs.encode(x))
        assert_close(again(x), theirs(x))


TRAINED = {
    "topk": (TopKTrainingSAE, TopKTrainingSAEConfig, {"k": 5}),
    "batchtopk": (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, {"k": 5}),
    "matryoshka": (
        MatryoshkaBatchTopKTrainingSAE,
        MatryoshkaBatchTopKTrainingSAEConfig,
        {"k": 5, "matryoshka_widths": [20, 60]},
    ),
    "jumprelu": (JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig, {}),
}


@pytest.mark.parametrize("name", TRAINED)
def test_we_load_what_its_training_saves(name, tmp_path):
    """TopK is saved with decoder rows of norm 1 and a flag that says to rescale by them."""
    torch.manual_seed(0)
    architecture, config, settings = TRAINED[name]
    training = architecture(config(d_in=24, d_sae=60, **settings))
    with torch.no_grad():
        for parameter in training.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape).abs())
        if hasattr(training, "topk_threshold"):
            training.topk_threshold.fill_(0.4)
    training.save_inference_model(tmp_path)
    theirs, ours = SAE.load_from_disk(tmp_path), foreign.load(tmp_path)
    x = 3 * torch.randn(200, 24)
    with torch.no_grad():
        assert (theirs.encode(x) > 0).any()
        assert_close(ours.encode(x), theirs.encode(x))
        assert_close(ours(x), theirs(x))
