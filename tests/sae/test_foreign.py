"""Formats of other libraries, without the libraries; with them: tests/interop."""

import json
import os
import shutil

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sae_cases import KINDS, assert_close, assert_same, case
from safetensors.torch import load_file, save_file

from music_interpret.errors import InputError
from music_interpret.sae import foreign
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.pre_bias import BIASES

FORMATS = ("sae_lens", "dictionary_learning", "sparsify")
POSSIBLE = [(kind, wanted) for kind in KINDS for wanted in FORMATS if wanted != "sparsify" or kind == "topk"]


def change_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=st.sampled_from(POSSIBLE),
    d_in=st.integers(1, 9),
    d_sae=st.integers(1, 12),
    k=st.integers(1, 12),
    context=st.booleans(),
    seed=st.integers(0, 999),
)
def test_a_round_trip_is_the_same_bit_for_bit(tmp_path_factory, chosen, d_in, d_sae, k, context, seed):
    kind, wanted = chosen
    folder = tmp_path_factory.mktemp("made")
    before = case(kind, d_in=d_in, d_sae=d_sae, k=min(k, d_sae), n=3, seed=seed, context=context).autoencoder
    foreign.export(before, wanted, folder)
    after = foreign.load(folder)
    assert_same(before, after)
    assert before.metadata.items() <= after.metadata.items()
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("kind", "wanted"), [(k, w) for k, w in POSSIBLE if k in ("gated", "topk") and w != "sae_lens"]
)
def test_without_the_raw_biases_it_is_the_same_up_to_rounding(kind, wanted, tmp_path):
    before, x, _ = case(kind)
    foreign.export(before, wanted, tmp_path)
    (tmp_path / "raw_biases.safetensors").unlink()
    after = foreign.load(tmp_path)
    assert_close(after.encode(x), before.encode(x))
    assert_close(after(x), before(x))


def test_raw_biases_of_other_weights_are_not_taken(tmp_path):
    """As when the weights were trained on, in the other library."""
    before, x, _ = case("topk")
    foreign.export(before, "sparsify", tmp_path)
    tensors = load_file(tmp_path / "sae.safetensors")
    tensors["encoder.bias"] += 0.5
    save_file(tensors, tmp_path / "sae.safetensors")
    after = foreign.load(tmp_path)
    torch.testing.assert_close(after.weights["b_enc"], before.weights["b_enc"] + 0.5)


def test_what_an_earlier_export_left_is_taken_away(tmp_path):
    foreign.export(case("topk", context=True).autoencoder, "dictionary_learning", tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    foreign.export(case("topk").autoencoder, "sparsify", tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["cfg.json", "notes.txt", "raw_biases.safetensors", "sae.safetensors"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "topk"])
def test_sparsify_has_topk_only(kind, tmp_path):
    with pytest.raises(InputError, match=f"sparsify has TopK autoencoders only, this one is {kind}"):
        foreign.export(case(kind).autoencoder, "sparsify", tmp_path)
    assert not any(tmp_path.iterdir())


def test_the_formats_are_told_by_their_files(tmp_path):
    for wanted in FORMATS:
        foreign.export(case("topk").autoencoder, wanted, tmp_path / wanted)
        found, weights = foreign.find(tmp_path / wanted)
        assert found == wanted and foreign.find(weights) == (wanted, weights)
    assert foreign.find(tmp_path / "sae_lens", "sae_lens")[0] == "sae_lens"
    with pytest.raises(
        InputError, match=r"holds no saved autoencoder; expected a folder with ae.pt \(dictionary_learning\)$"
    ):
        foreign.find(tmp_path / "sae_lens", "dictionary_learning")
    with pytest.raises(InputError, match="missing .*nowhere; expected the folder of a saved autoencoder"):
        foreign.find(tmp_path / "nowhere")
    (tmp_path / "run").mkdir()
    shutil.copytree(tmp_path / "sae_lens", tmp_path / "run" / "sae")
    assert foreign.find(tmp_path / "run")[1] == tmp_path / "run" / "sae" / "sae_weights.safetensors"


def test_a_checkpoint_finds_its_config_above(tmp_path):
    before = case("jumprelu").autoencoder
    foreign.export(before, "dictionary_learning", tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "ae.pt").rename(tmp_path / "checkpoints" / "ae_1000.pt")
    assert_same(foreign.load(tmp_path / "checkpoints" / "ae_1000.pt"), before)


STATES = {
    "AutoEncoder": ("bias", "encoder.weight", "encoder.bias", "decoder.weight"),
    "BatchTopKSAE": ("b_dec", "k", "threshold", "encoder.weight", "encoder.bias", "decoder.weight"),
    "MatryoshkaBatchTopKSAE": ("W_enc", "b_enc", "W_dec", "b_dec", "k", "threshold", "group_sizes"),
}


def state_of(name):
    """What the class's state dict holds, d_in 6 and 10 latents."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"encoder.weight": (10, 6), "decoder.weight": (6, 10), "W_enc": (6, 10), "W_dec": (10, 6)}
    shapes |= {"bias": (6,), "b_dec": (6,)}
    state = {key: torch.randn(shapes.get(key, (10,)), generator=generator) for key in STATES[name]}
    known = {
        "k": torch.tensor(3, dtype=torch.int32),
        "threshold": torch.tensor(0.2),
        "group_sizes": torch.tensor([4, 6]),
    }
    return state | {key: value for key, value in known.items() if key in state}


def save_theirs(folder, name, state, **trainer):
    torch.save(state, folder / "ae.pt")
    (folder / "config.json").write_text(json.dumps({"trainer": {"dict_class": name} | trainer}))


def test_an_autoencoder_is_read_as_its_library_does(tmp_path):
    """It takes the bias off first, and latents come with their decoder rows' norms."""
    state = state_of("AutoEncoder")
    save_theirs(tmp_path, "AutoEncoder", state)
    ours, x = foreign.load(tmp_path), torch.randn(50, 6)
    z = torch.relu((x - state["bias"]) @ state["encoder.weight"].T + state["encoder.bias"])
    assert_close(ours.encode(x), z * state["decoder.weight"].norm(dim=0))
    assert_close(ours(x), z @ state["decoder.weight"].T + state["bias"])
    assert ours.metadata == {"imported_from": "dictionary_learning AutoEncoder"}


@pytest.mark.parametrize("name", ["BatchTopKSAE", "MatryoshkaBatchTopKSAE"])
@pytest.mark.parametrize("threshold", [0.7, -1.0])
def test_batch_topk_is_read_as_a_jumprelu(name, threshold, tmp_path):
    """A threshold of -1 is that of an autoencoder which has not learnt one yet; its latents are those of a ReLU."""
    state = state_of(name) | {"threshold": torch.tensor(threshold)}
    save_theirs(tmp_path, name, state, k=3)
    ours, x = foreign.load(tmp_path), torch.randn(50, 6)
    W_enc, b_enc = state.get("W_enc"), state.get("b_enc", state.get("encoder.bias"))
    W_enc = state["encoder.weight"].T if W_enc is None else W_enc
    z = torch.relu((x - state["b_dec"]) @ W_enc + b_enc)
    assert ours.kind == "jumprelu"
    assert_close(ours.encode(x), z * (z > threshold))


def test_an_older_topk_has_its_k_in_the_config_only(tmp_path):
    before, x, _ = case("topk")
    foreign.export(before, "dictionary_learning", tmp_path)
    state = torch.load(tmp_path / "ae.pt", weights_only=True)
    torch.save({key: value for key, value in state.items() if key not in ("k", "threshold")}, tmp_path / "ae.pt")
    assert foreign.load(tmp_path).k == before.k


def without(*names):
    def spoil(folder):
        state = torch.load(folder / "ae.pt", weights_only=True)
        torch.save({key: value for key, value in state.items() if key not in names}, folder / "ae.pt")

    return spoil


def with_tensors(**changes):
    def spoil(folder):
        path = folder / "ae.pt"
        torch.save(torch.load(path, weights_only=True) | changes, path)

    return spoil


def with_trainer(**changes):
    def spoil(folder):
        path = folder / "config.json"
        change_json(path, trainer=json.loads(path.read_text())["trainer"] | changes)

    return spoil


DICTIONARY_LEARNING = {
    "a missing tensor": (
        without("encoder.bias"),
        "ae.pt has no encoder.bias; config.json says that its class is AutoEncoderTopK",
    ),
    "a tensor too many": (
        with_tensors(W_skip=torch.zeros(2)),
        "ae.pt has unknown W_skip; config.json says that its class",
    ),
    "another class": (
        with_trainer(dict_class="GatedAutoEncoder"),
        "has no gate_bias, .*says that its class is GatedAutoEncoder",
    ),
    "a similar class": (
        with_trainer(dict_class="AutoEncoder"),
        "ae.pt has no bias; config.json says that its class is AutoEncoder",
    ),
    "an unknown class": (
        with_trainer(dict_class="CrossCoder"),
        "dict_class is 'CrossCoder'; this version reads AutoEnc",
    ),
    "no class": (lambda f: (f / "config.json").write_text("{}"), "dict_class is None; this version reads"),
    "a list": (lambda f: (f / "config.json").write_text("[]"), "dict_class is None; this version reads"),
    "no config": (lambda f: (f / "config.json").unlink(), "missing file .*config.json"),
    "a broken config": (lambda f: (f / "config.json").write_text("{"), "config.json is not valid JSON"),
    "two numbers k": (with_trainer(k=9), "k is 8 and 9; expected one number in the state dict or in config.json"),
    "k that is too large": (
        lambda f: [with_trainer(k=900)(f), with_tensors(k=torch.tensor(900))(f)],
        "k is 900; expected 1 to 160, the number of latents",
    ),
    "k that is NaN": (
        lambda f: [with_trainer(k="8")(f), without("k")(f)],
        "k is '8'; expected 1 to 160",
    ),
    "no k": (
        lambda f: [change_json(f / "config.json", trainer={"dict_class": "AutoEncoderTopK"}), without("k")(f)],
        "k is missing; expected one number",
    ),
    "a wrong shape": (
        with_tensors(**{"encoder.bias": torch.zeros(9)}),
        r"b_enc is \(9,\); expected \(160,\), as the enc",
    ),
    "a vector": (
        with_tensors(**{"encoder.weight": torch.zeros(9)}),
        r"encoder's weights are \(9,\); expected two dimen",
    ),
    "values that are none": (with_tensors(b_dec=torch.full((48,), torch.nan)), "b_.* has values that are not finite"),
    "a damaged file": (
        lambda f: (f / "ae.pt").write_bytes((f / "ae.pt").read_bytes()[:999]),
        "is not a readable state di",
    ),
    "something else": (lambda f: torch.save([1, 2], f / "ae.pt"), "is not a state dict of tensors; expected the ae.pt"),
    "broken notes": (
        lambda f: change_json(f / "config.json", music_interpret=[]),
        "noted alongside the settings is no JSON",
    ),
    "no baseline": (
        lambda f: change_json(f / "config.json", music_interpret={"token_baseline": "additive"}),
        "missing file .*token_baseline.safetensors",
    ),
}


@pytest.mark.parametrize("name", DICTIONARY_LEARNING)
def test_a_bad_dictionary_is_named(name, tmp_path):
    spoil, message = DICTIONARY_LEARNING[name]
    foreign.export(case("topk").autoencoder, "dictionary_learning", tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError, match=message):
        foreign.load(tmp_path)


class Payload:
    """Code that a pickle would run on loading."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_code_in_a_dictionary_is_refused_and_not_run(tmp_path):
    foreign.export(case("jumprelu").autoencoder, "dictionary_learning", tmp_path)
    marker = tmp_path / "the code ran"
    with_tensors(extra=Payload(marker))(tmp_path)
    with pytest.raises(InputError, match="carries more than tensors, which could be code, and was not run"):
        foreign.load(tmp_path)
    assert not marker.exists()
    torch.load(tmp_path / "ae.pt", weights_only=False)  # the trap is a real one
    assert marker.exists()


SPARSIFY = {
    "a transcoder": (
        lambda f: change_json(f / "cfg.json", transcode=True),
        "transcode is True; this version reads False",
    ),
    "a skip": (
        lambda f: change_json(f / "cfg.json", skip_connection=True),
        "skip_connection is True; this version reads",
    ),
    "groups": (
        lambda f: change_json(f / "cfg.json", activation="groupmax"),
        "activation is 'groupmax'; this version rea",
    ),
    "k too large": (lambda f: change_json(f / "cfg.json", k=161), "k is 161; expected 1 to 160"),
    "no k": (lambda f: change_json(f / "cfg.json", k=None), "k is None; expected 1 to 160"),
    "a list": (
        lambda f: (f / "cfg.json").write_text("[]"),
        "holds no JSON object; expected the cfg.json that sparsify",
    ),
    "no config": (lambda f: (f / "cfg.json").unlink(), "missing file .*cfg.json"),
    "a missing tensor": (
        lambda f: save_file({"W_dec": torch.zeros(2, 2)}, f / "sae.safetensors"),
        "has no encoder.weight, encoder.bias, b_dec; expected",
    ),
    "damage": (lambda f: (f / "sae.safetensors").write_bytes(b"\x08" * 20), "sae.safetensors is damaged"),
    "damaged raw biases": (
        lambda f: (f / "raw_biases.safetensors").write_bytes(b""),
        "raw_biases.safetensors is damaged",
    ),
    "other raw biases": (
        lambda f: save_file({"b_enc": torch.zeros(3)}, f / "raw_biases.safetensors"),
        r"raw_biases.safetensors: b_enc is \(3,\); expected \(160,\)",
    ),
}


@pytest.mark.parametrize("name", SPARSIFY)
def test_a_bad_sparse_coder_is_named(name, tmp_path):
    spoil, message = SPARSIFY[name]
    foreign.export(case("topk").autoencoder, "sparsify", tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError, match=message):
        foreign.load(tmp_path)


SAELENS = {
    "nan": (lambda f: save_changed(f, b_enc=torch.full((160,), torch.nan)), "b_enc has values that are not finite"),
    "another architecture": (
        lambda f: change_json(f / "cfg.json", architecture="temporal"),
        "architecture is 'temporal'",
    ),
    "a gated one": (
        lambda f: change_json(f / "cfg.json", architecture="gated"),
        "has no b_gate, b_mag, r_mag; expected",
    ),
    "an old TopK": (
        lambda f: change_json(f / "cfg.json", activation_fn_str="topk"),
        "activation_fn_str is 'topk'; this ve",
    ),
    "a norm of its own": (
        lambda f: change_json(f / "cfg.json", normalize_activations="layer_norm"),
        "normalize_activations is 'layer_norm'; this version reads 'none'",
    ),
    "k too large": (lambda f: change_json(f / "cfg.json", k=161), "k is 161; expected at most d_sae, 160"),
    "odd metadata": (lambda f: change_json(f / "cfg.json", metadata=[1]), "holds no JSON object of settings"),
}


def save_changed(folder, **changes):
    path = folder / "sae_weights.safetensors"
    save_file(load_file(path) | changes, path)


@pytest.mark.parametrize("name", SAELENS)
def test_a_bad_saelens_folder_is_named(name, tmp_path):
    spoil, message = SAELENS[name]
    foreign.export(case("topk").autoencoder, "sae_lens", tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError, match=message):
        foreign.load(tmp_path)


def test_saelens_conventions_are_folded_in(tmp_path):
    """x − b_dec is SAELens's default; what its training saves of TopK says to rescale by the decoder rows' norms."""
    before, x, _ = case("topk")
    before.save(tmp_path)
    cfg = json.loads((tmp_path / "cfg.json").read_text())
    del cfg["apply_b_dec_to_input"]
    (tmp_path / "cfg.json").write_text(json.dumps(cfg | {"rescale_acts_by_decoder_norm": True}))
    after, norms = SparseAutoencoder.load(tmp_path), before.W_dec.norm(dim=1)
    values, places = (((x - before.b_dec) @ before.W_enc + before.weights["b_enc"]) * norms).topk(before.k)
    z = torch.zeros(len(x), before.d_sae).scatter_(1, places, values.relu())
    assert_close(after.encode(x), z)
    assert_close(after(x), (z / norms) @ before.W_dec + before.b_dec)


def test_every_bias_is_moved():
    assert set(BIASES) == {name for kind in KINDS for name in case(kind).autoencoder.weights} - {
        "W_enc",
        "W_dec",
        "b_dec",
        "r_mag",
        "threshold",
    }
