import numpy as np
import pytest
import torch
from conftest import GOLDEN

from music_interpret.errors import InputError
from music_interpret.files import read_json, write_json
from music_interpret.models.families.mmt import load as load_mmt
from music_interpret.models.hooks import record
from music_interpret.models.mmt import next_token_losses
from music_interpret.models.mmt_names import to_authors_names
from music_interpret.models.site import Site
from music_interpret.models.state_dict import read_state_dict

REPRS = ("ape", "rpe", "npe")
NOTES = GOLDEN / "data/base/sod/notes"


def load(data_repr):
    return load_mmt(GOLDEN / "models/sod" / data_repr, NOTES)


def golden(data_repr):
    arrays = np.load(GOLDEN / f"golden_sod_{data_repr}.npz")
    return arrays, torch.tensor(arrays["codes"].astype(np.int64)), torch.tensor(arrays["mask"])


@pytest.mark.parametrize("data_repr", REPRS)
def test_every_residual_site_and_logit_is_the_originals(data_repr):
    model = load(data_repr)
    arrays, codes, mask = golden(data_repr)
    real = mask[:, :-1].numpy()
    with record({layer: model.at(Site.of_layer(layer)) for layer in range(model.n_layers)}, stop=False) as outputs:
        logits = model.module(codes[:, :-1])
    assert len(outputs) == 4
    for layer, output in outputs.items():
        np.testing.assert_allclose(output.numpy()[real], arrays[f"resid_{layer:03d}"][real], atol=1e-4, rtol=0)
    for field in range(6):
        np.testing.assert_allclose(logits[field].numpy()[real], arrays[f"logits_{field}"][real], atol=1e-4, rtol=0)


@pytest.mark.parametrize("data_repr", REPRS)
def test_losses_are_the_originals_with_its_unmasked_padding(data_repr):
    arrays, codes, mask = golden(data_repr)
    losses = next_token_losses(load(data_repr).module(codes[:, :-1], mask[:, :-1]), codes)
    np.testing.assert_allclose(losses.numpy(), arrays["losses"], atol=1e-4)
    assert float(losses.sum()) == pytest.approx(float(arrays["loss"]), abs=1e-4)


def test_masked_losses_leave_padding_out():
    _, codes, mask = golden("ape")
    logits = load("ape").module(codes[:, :-1])
    short = int(mask[2].sum())
    alone = next_token_losses([field[2:3, : short - 1] for field in logits], codes[2:3, :short])
    masked = next_token_losses([field[2:3] for field in logits], codes[2:3], mask[2:3])
    torch.testing.assert_close(masked, alone)


@pytest.mark.parametrize("data_repr", REPRS)
def test_padding_changes_nothing_for_a_song(data_repr):
    model = load(data_repr)
    _, codes, mask = golden(data_repr)
    for row in range(4):
        length = int(mask[row].sum())
        alone = model.module(codes[row : row + 1, :length])
        for padded, single in zip(model.module(codes), alone, strict=True):
            torch.testing.assert_close(padded[row, :length], single[0], atol=1e-5, rtol=1e-5)


def test_later_tokens_change_nothing_before_them():
    model = load("rpe")
    _, codes, _ = golden("rpe")
    changed = codes.clone()
    changed[:, 40:, 3] = 5
    torch.testing.assert_close(model.module(codes)[3][:, :40], model.module(changed)[3][:, :40])


@pytest.mark.parametrize("data_repr", REPRS)
def test_authors_names_round_trip(data_repr):
    theirs = read_state_dict(GOLDEN / "models/sod" / data_repr / "checkpoints/best_model.pt", "a checkpoint")
    ours = to_authors_names(load(data_repr).module)
    assert set(ours) == set(theirs)
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor)


def test_half_precision_checkpoint_is_computed_in_float32(home):
    path = home / "models/sod/ape/checkpoints/best_model.pt"
    torch.save({k: v.half() for k, v in torch.load(path, weights_only=True).items()}, path)
    model = load_mmt(path.parents[1], NOTES)
    assert all(p.dtype == torch.float32 for p in model.module.parameters())
    _, codes, _ = golden("ape")
    torch.testing.assert_close(model.module(codes)[3], load("ape").module(codes)[3], atol=0.02, rtol=0)


@pytest.mark.parametrize("data_repr", REPRS)
def test_bfloat16_is_close_and_float32_comes_back(data_repr):
    model = load(data_repr)
    _, codes, _ = golden(data_repr)
    site = Site.of_layer(3)
    exact = model.recorded(codes, [site])[site]
    model.to_precision("bfloat16")
    rough = model.recorded(codes, [site])[site]
    assert rough.dtype == torch.float32
    difference = (rough - exact).norm() / exact.norm()
    assert 0 < difference < 0.02


def test_song_is_cut_as_the_model_was_trained():
    model = load("ape")
    notes = np.array([[beat, 0, 60, 12, 0] for beat in range(200)])
    codes = model.encode(notes)
    assert len(codes) == 64 + 4  # 64 beats, start, instrument, start of notes, end
    notes = np.repeat(notes[:40], 3, axis=0) + np.tile([[0, 0, 0, 0, 0], [0, 0, 3, 0, 0], [0, 0, 7, 0, 0]], (40, 1))
    codes = model.encode(notes)
    assert len(codes) == 96 and codes[-1, 0] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 32}, r"does not match train-args.json and the encoding of the notes: .*\(and \d+ more\)"),
        ({"layers": 3}, "lacks blocks.4"),
        ({"layers": 1}, "has unknown blocks.2"),
        ({"max_beat": 32}, r"embeddings.1.weight is \(65, 64\), expected \(33, 64\)"),
        ({"abs_pos_emb": False}, "has unknown positions.weight"),
        ({"heads": "2"}, "heads is '2'; expected a positive integer"),
        ({"dim": 0}, "dim is 0; expected a positive integer"),
        ({"rel_pos_emb": 1}, "rel_pos_emb is 1; expected true or false"),
    ],
)
def test_sizes_that_do_not_fit_the_weights_are_refused(home, change, message):
    path = home / "models/sod/ape/train-args.json"
    write_json(path, read_json(path) | change)
    with pytest.raises(InputError, match=message):
        load_mmt(path.parent, NOTES)


def test_rotary_buffer_is_not_needed_and_not_trusted(home):
    path = home / "models/sod/rpe/checkpoints/best_model.pt"
    state = torch.load(path, weights_only=True)
    assert state.pop("decoder.net.attn_layers.rotary_pos_emb.inv_freq") is not None
    torch.save(state, path)
    _, codes, _ = golden("rpe")
    torch.testing.assert_close(load_mmt(path.parents[1], NOTES).module(codes)[0], load("rpe").module(codes)[0])


@pytest.mark.parametrize("data_repr", REPRS)
def test_a_site_and_what_a_sublayer_adds_give_the_next_site(data_repr):
    model = load(data_repr)
    _, codes, _ = golden(data_repr)
    found = model.recorded(codes, list(model.sites))
    before = found[Site("resid_pre.0")]
    for block in range(2):
        for added, after in (("attn_out", "resid_mid"), ("mlp_out", "resid_post")):
            assert found[Site(f"{added}.{block}")].abs().mean() > 0
            assert torch.equal(before + found[Site(f"{added}.{block}")], found[Site(f"{after}.{block}")])
            before = found[Site(f"{after}.{block}")]
    for ours, theirs in zip(model.unembedding(before), model.module(codes), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("data_repr", REPRS)
@pytest.mark.parametrize("lengths", [(1, 1, 1), (40, 1, 1, 7), (95, 1), (3, 50, 43)])
def test_reading_on_with_a_cache_is_reading_all_at_once(data_repr, lengths):
    """Logits after each token are those of the whole sequence, whatever the steps; the cache given stays as it was."""
    model = load(data_repr)
    _, codes, _ = golden(data_repr)
    expected = model.module(codes[:, : sum(lengths)])
    with torch.no_grad():
        started = model.start(codes[:, : lengths[0]])
        parts, place = [started.logits], lengths[0]
        for length in lengths[1:]:
            new = codes[:, place : place + length]
            again = model.step(started.cache, new)
            started = model.step(started.cache, new)
            for one, other in zip(again.logits, started.logits, strict=True):
                assert torch.equal(one, other)
            parts.append(started.logits)
            place += length
    for field, whole in enumerate(expected):
        torch.testing.assert_close(torch.cat([part[field] for part in parts], dim=1), whole, atol=1e-4, rtol=1e-4)


def test_a_row_read_with_a_cache_does_not_depend_on_its_batch():
    model = load("rpe")
    _, codes, _ = golden("rpe")
    with torch.no_grad():
        together = model.step(model.start(codes[:, :30]).cache, codes[:, 30:31]).logits
        for row in range(len(codes)):
            own = codes[row : row + 1]
            alone = model.step(model.start(own[:, :30]).cache, own[:, 30:31]).logits
            for one, all_rows in zip(alone, together, strict=True):
                torch.testing.assert_close(one[0], all_rows[row], atol=1e-5, rtol=1e-5)


def test_reading_past_the_models_length_is_refused():
    model = load("ape")
    _, codes, _ = golden("ape")
    started = model.start(codes[:, :96])
    with pytest.raises(InputError, match="a sequence of 97 tokens is longer than the model reads; expected at most 96"):
        model.step(started.cache, codes[:, :1])
