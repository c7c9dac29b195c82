import json
import warnings

import numpy as np
import pytest
import torch
from random_parameters import D_IN, D_SAE, trained
from safetensors.torch import load_file, save_file

from music_interpret.errors import InputError
from music_interpret.sae.architectures import ARCHITECTURES, TENSORS
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.token_baseline import TokenBaseline

SIZES = (5, 4, 3, 6, 2, 7)
NAMES = ("type", "beat", "position", "pitch", "duration", "instrument")


def make(name, context=False, **kwargs):
    kind = ARCHITECTURES[name].saved_as
    if context:
        table = torch.randn(sum(SIZES), D_IN, generator=torch.Generator().manual_seed(2))
        kwargs["baseline"] = TokenBaseline(table, SIZES, NAMES)
    return SparseAutoencoder(kind, trained(name), k=5 if kind == "topk" else 0, **kwargs)


def some(n=20):
    generator = torch.Generator().manual_seed(3)
    codes = torch.stack([torch.randint(0, size, (n,), generator=generator) for size in SIZES], dim=1)
    return torch.randn(n, D_IN, generator=generator), codes


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_saved_and_loaded_it_is_the_same(name, context, tmp_path):
    before = make(name, context, metadata={"layer": 5})
    before.save(tmp_path / "sae")
    for folder in (tmp_path / "sae", tmp_path):  # the run's folder stands for its autoencoder
        after = SparseAutoencoder.load(folder)
        x, codes = some()
        assert torch.equal(before.encode(x, codes), after.encode(x, codes))
        assert torch.equal(before(x, codes), after(x, codes))
        assert after.metadata["layer"] == 5 and after.kind == before.kind and after.k == before.k
        assert after.encode(x.half(), codes).dtype == torch.float32


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_it_is_the_saelens_layout(name, tmp_path):
    make(name).save(tmp_path)
    cfg = json.loads((tmp_path / "cfg.json").read_text())
    assert cfg["architecture"] == ARCHITECTURES[name].saved_as and (cfg["d_in"], cfg["d_sae"]) == (D_IN, D_SAE)
    assert cfg["apply_b_dec_to_input"] is False and cfg["normalize_activations"] == "none"
    tensors = load_file(tmp_path / "sae_weights.safetensors")
    assert tensors.keys() == set(TENSORS[cfg["architecture"]])
    assert tensors["W_enc"].shape == (D_IN, D_SAE) and tensors["W_dec"].shape == (D_SAE, D_IN)


def test_shapes_beyond_two_dimensions():
    x, codes = some(12)
    for name in ARCHITECTURES:
        autoencoder = make(name, context=True)
        z = autoencoder.encode(x.view(3, 4, D_IN), codes.view(3, 4, 6))
        assert z.shape == (3, 4, D_SAE)
        torch.testing.assert_close(z.view(12, D_SAE), autoencoder.encode(x, codes))
        torch.testing.assert_close(
            autoencoder(x.view(3, 4, D_IN), codes.view(3, 4, 6)).view(12, D_IN), autoencoder(x, codes)
        )


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_tokens_have_no_latents(name, context):
    autoencoder = make(name, context)
    for shape in ((0,), (3, 0)):
        x, codes = torch.zeros(*shape, D_IN), torch.zeros(*shape, 6, dtype=torch.int64)
        assert autoencoder.encode(x, codes).shape == (*shape, D_SAE)
        assert autoencoder(x, codes).shape == (*shape, D_IN)


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_arrays_and_other_float_types_give_the_same(name, context):
    autoencoder = make(name, context)
    x, codes = some()
    z = autoencoder.encode(x, codes)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        low, low_z = x.to(dtype), z.to(dtype)
        assert torch.equal(autoencoder.encode(low, codes.short()), autoencoder.encode(low.float(), codes))
        assert torch.equal(autoencoder.decode(low_z, codes), autoencoder.decode(low_z.float(), codes))
    array = x.numpy().astype(np.float16)
    array.flags.writeable = False  # as the store gives rows
    with warnings.catch_warnings(action="error"):
        assert torch.equal(
            autoencoder.encode(array, codes.numpy().astype(np.int16)), autoencoder.encode(x.half(), codes)
        )
        assert torch.equal(autoencoder.decode(z.numpy(), codes.numpy()), autoencoder.decode(z, codes))
        assert torch.equal(autoencoder(x.numpy(), codes.numpy().astype(np.uint16)), autoencoder(x, codes))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_autoencoder_can_be_of_bfloat16(name):
    x, codes = some()
    exact = make(name, context=True)(x, codes)
    low = make(name, context=True).to(torch.bfloat16)(x, codes)
    assert low.dtype == torch.bfloat16
    assert float((low.float() - exact).norm() / exact.norm()) < 0.1


def field(place, value):
    """Codes of which the last token's field is a value."""
    codes = some()[1]
    codes[-1, place] = value
    return codes


X, CODES = some()


@pytest.mark.parametrize(
    ("x", "codes", "message"),
    [
        (X[:, :9], CODES, r"^x has shape \(20, 9\); expected \(…, 10\)$"),
        (torch.tensor(1.0), CODES, r"^x has shape \(\); expected \(…, 10\)$"),
        (X.long(), CODES, "^x holds int64; expected floats$"),
        (X.numpy().astype(str), CODES, "^x holds <U32; expected numbers that PyTorch has too$"),
        (X.tolist(), CODES, "^x is a list; expected a PyTorch tensor or a NumPy array$"),
        (X, field(0, 5), "^tokens holds 5 in the field type; expected 0 to 4$"),
        (X, field(3, -1), "^tokens holds -1 in the field pitch; expected 0 to 5$"),
        (X, field(5, 7).numpy(), "^tokens holds 7 in the field instrument; expected 0 to 6$"),
        (X, CODES[:, :5], r"^tokens has shape \(20, 5\); expected \(20, 6\), a row for each token$"),
        (X, CODES[:1], r"^tokens has shape \(1, 6\); expected \(20, 6\), a row for each token$"),
        (X, CODES.float(), "^tokens holds float32; expected integers$"),
        (X, None, "has a token baseline; expected encode"),
    ],
)
def test_input_that_does_not_fit_is_refused(x, codes, message):
    autoencoder = make("relu", context=True)
    with pytest.raises(InputError, match=message):
        autoencoder.encode(x, codes)
    if x is X:
        with pytest.raises(InputError, match=message):
            autoencoder.decode(torch.zeros(20, D_SAE), codes)
    with pytest.raises(InputError, match=r"^z has shape \(20, 10\); expected \(…, 30\)$"):
        autoencoder.decode(X, CODES)


@pytest.mark.parametrize(
    ("kind", "changes", "k", "message"),
    [
        ("topk", {}, 0, "^k is 0; expected a whole number from 1 to d_sae, 30, for topk$"),
        ("topk", {}, 31, "^k is 31; expected"),
        ("topk", {}, 2.5, "^k is 2.5; expected"),
        ("transcoder", {}, 0, "unknown kind of autoencoder 'transcoder'; there are: standard, gated, topk, jumprelu"),
        ("gated", {}, 0, "^b_gate, b_mag, r_mag missing; expected W_enc, b_gate"),
        ("standard", {"W_enc": torch.zeros(10)}, 0, r"^W_enc has shape \(10,\); expected \(d_in, d_sae\)"),
        (
            "standard",
            {"W_dec": torch.zeros(10, 30)},
            0,
            r"^W_dec has shape \(10, 30\); expected \(30, 10\), since W_enc",
        ),
        ("standard", {"b_enc": torch.zeros(1)}, 0, r"^b_enc has shape \(1,\); expected \(30,\)"),
        ("standard", {"b_dec": torch.zeros(9)}, 0, r"^b_dec has shape \(9,\); expected \(10,\)"),
    ],
)
def test_parts_that_make_no_autoencoder_are_refused(kind, changes, k, message):
    with pytest.raises(InputError, match=message):
        SparseAutoencoder(kind, trained("topk") | changes, k=k)


def test_a_token_baseline_of_another_width_is_refused():
    with pytest.raises(InputError, match="^the token baseline's rows are 3 wide; expected d_in, 10$"):
        SparseAutoencoder("topk", trained("topk"), k=5, baseline=TokenBaseline(torch.zeros(sum(SIZES), 3), SIZES))


def test_a_context_autoencoder_works_on_what_the_token_does_not_say(tmp_path):
    x, codes = some()
    context, plain = make("relu", context=True), make("relu")
    rest = x - context.baseline(codes)
    torch.testing.assert_close(context.encode(x, codes), plain.encode(rest))
    torch.testing.assert_close(context(x, codes), plain(rest) + context.baseline(codes))
    with pytest.raises(InputError, match="has a token baseline; expected encode"):
        context.encode(x)
    context.save(tmp_path)
    metadata = json.loads((tmp_path / "cfg.json").read_text())["metadata"]
    assert metadata["token_baseline"] == "additive" and "x - baseline(tokens)" in metadata["token_baseline_note"]
    assert [tuple(t.shape) for t in load_file(tmp_path / "token_baseline.safetensors").values()] == [
        (size, D_IN) for _, size in sorted(zip(NAMES, SIZES, strict=True))
    ]
    plain.save(tmp_path)
    assert not (tmp_path / "token_baseline.safetensors").exists()


def test_an_autoencoder_that_takes_its_bias_off_the_input(tmp_path):
    """SAELens's `apply_b_dec_to_input`: z = f((x − b_dec) W_enc + b_enc)."""
    x, _ = some()
    for name in ("relu", "gated", "jumprelu", "topk"):
        autoencoder = make(name)
        autoencoder.save(tmp_path)
        cfg = json.loads((tmp_path / "cfg.json").read_text())
        (tmp_path / "cfg.json").write_text(json.dumps(cfg | {"apply_b_dec_to_input": True}))
        wanted = autoencoder.encode(x - autoencoder.b_dec)
        torch.testing.assert_close(SparseAutoencoder.load(tmp_path).encode(x), wanted, atol=1e-5, rtol=1e-4)


def change(**entries):
    def damage(folder):
        cfg = json.loads((folder / "cfg.json").read_text())
        (folder / "cfg.json").write_text(json.dumps(cfg | entries))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "cfg.json").unlink(), "missing file"),
        (lambda f: (f / "sae_weights.safetensors").unlink(), "missing file"),
        (lambda f: (f / "sae_weights.safetensors").write_bytes(b"\x08" * 20), "is damaged"),
        (lambda f: save_file({"W_enc": torch.zeros(2, 2)}, f / "sae_weights.safetensors"), "has no b_enc, W_dec"),
        (lambda f: (f / "cfg.json").write_text("[]"), "holds no JSON object"),
        (change(architecture="transcoder"), "architecture is 'transcoder'; this version reads standard, gated"),
        (change(architecture="gated"), "has no b_gate, b_mag, r_mag; expected"),
        (change(d_in=9), r"W_enc is \(10, 30\); cfg.json says \(9, 30\)"),
        (change(d_sae=None), "d_sae is None; expected a positive integer"),
        (change(architecture="topk", k=31), "k is 31; expected at most d_sae, 30"),
        (change(normalize_activations="layer_norm"), "normalize_activations is 'layer_norm'; this version reads"),
        (change(metadata={"token_baseline": "additive"}), "missing file .*token_baseline.safetensors"),
    ],
)
def test_damage_is_named(tmp_path, damage, message):
    make("relu").save(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=message):
        SparseAutoencoder.load(tmp_path)
