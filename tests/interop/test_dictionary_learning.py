"""The real dictionary-learning loads what we export, and we what it saves."""

import json

import pytest
import torch
from dictionary_learning.dictionary import AutoEncoder, AutoEncoderNew, GatedAutoEncoder, JumpReluAutoEncoder
from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
from dictionary_learning.trainers.top_k import AutoEncoderTopK
from dictionary_learning.utils import load_dictionary
from sae_cases import KINDS, assert_close, assert_same, case

from music_interpret.sae import foreign

D_IN, D_SAE, K = 24, 60, 5
CLASSES = {
    "AutoEncoder": lambda: AutoEncoder(D_IN, D_SAE),
    "AutoEncoderNew": lambda: AutoEncoderNew(D_IN, D_SAE),
    "GatedAutoEncoder": lambda: GatedAutoEncoder(D_IN, D_SAE),
    "JumpReluAutoEncoder": lambda: JumpReluAutoEncoder(D_IN, D_SAE),
    "AutoEncoderTopK": lambda: AutoEncoderTopK(D_IN, D_SAE, K),
    "BatchTopKSAE": lambda: BatchTopKSAE(D_IN, D_SAE, K),
    "MatryoshkaBatchTopKSAE": lambda: MatryoshkaBatchTopKSAE(D_IN, D_SAE, K, [20, 40]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_loads_our_export(kind, tmp_path):
    ours, x, _ = case(kind)
    foreign.export(ours, "dictionary_learning", tmp_path)
    theirs, config = load_dictionary(str(tmp_path), "cpu")
    assert config["trainer"]["dict_size"] == theirs.dict_size == ours.d_sae
    with torch.no_grad():
        z = theirs.encode(x)
        assert_close(z, ours.encode(x))
        assert torch.equal(z > 0, ours.encode(x) > 0)
        assert_close(theirs.decode(z), ours(x))
        assert_close(theirs(x), ours(x))
    assert_same(foreign.load(tmp_path), ours)


def test_it_sees_a_context_autoencoder_as_one_of_the_remainder(tmp_path):
    ours, x, codes = case("gated", context=True)
    foreign.export(ours, "dictionary_learning", tmp_path)
    theirs, _ = load_dictionary(str(tmp_path), "cpu")
    with torch.no_grad():
        assert_close(theirs.encode(x - ours.baseline(codes)), ours.encode(x, codes))
    assert_same(foreign.load(tmp_path), ours)


def saved(name, folder, *, unit=True):
    """A random autoencoder of a class of theirs, saved as their `trainSAE` saves."""
    torch.manual_seed(0)
    theirs = CLASSES[name]()
    with torch.no_grad():
        for key, parameter in theirs.named_parameters():
            if "decoder.weight" not in key and key != "W_dec":
                parameter.add_(0.3 * torch.randn(parameter.shape))
            elif key == "decoder.weight":
                parameter.div_(parameter.norm(dim=0))
                parameter.mul_(1 if unit else torch.rand(parameter.shape[1]) + 0.5)
        for key, buffer in theirs.named_buffers():
            if key == "threshold" and name != "AutoEncoderTopK":
                buffer.fill_(0.4)
    trainer = {"dict_class": name, "activation_dim": D_IN, "dict_size": D_SAE}
    trainer |= {"k": K} if hasattr(theirs, "k") else {}
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"ctx_len": 128}}, indent=4))
    torch.save({key: value.cpu() for key, value in theirs.state_dict().items()}, folder / "ae.pt")


@pytest.mark.parametrize(("name", "unit"), [*((name, True) for name in CLASSES), ("AutoEncoder", False)])
def test_we_load_what_it_saves(name, unit, tmp_path):
    """As its own loader does, which scales the decoder rows of an AutoEncoder to norm 1, and latents with them."""
    saved(name, tmp_path, unit=unit)
    theirs, _ = load_dictionary(str(tmp_path), "cpu")
    ours = foreign.load(tmp_path)
    x = 2 + 3 * torch.randn(300, D_IN)
    with torch.no_grad():
        z = theirs.encode(x)
        assert (z > 0).any() and (z == 0).any()
        assert_close(ours.encode(x), z)
        assert_close(ours(x), theirs(x))
        foreign.export(ours, "dictionary_learning", tmp_path / "again")
        again, _ = load_dictionary(str(tmp_path / "again"), "cpu")
        assert_close(again.encode(x), z)
