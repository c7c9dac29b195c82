import numpy as np
import pytest
import torch
from torch.nn import functional as F

from music_interpret import paths
from music_interpret.activations.hooks import record, replaced
from music_interpret.activations.song_batches import PaddedCodes
from music_interpret.models.mmt import load_mmt
from music_interpret.music.dataset import open_dataset
from music_interpret.music.encoding import FIELDS
from music_interpret.sae.loss_recovered import patched_losses, recovered


@pytest.fixture
def model(home):
    return load_mmt(paths.model_folder("sod", "ape"), open_dataset(paths.dataset_folder("sod")).encoding)


@pytest.fixture
def songs(model, home):
    """The golden songs' codes, int64 (n_tokens, 6), cut to several lengths."""
    dataset = open_dataset(paths.dataset_folder("sod"))
    return [
        torch.from_numpy(model.encode(dataset.notes(n)).astype(np.int64))[: 20 + 9 * i]
        for i, n in enumerate(dataset.names)
    ]


def batch_of(songs):
    mask = torch.arange(max(map(len, songs))) < torch.tensor([[len(song)] for song in songs])
    codes = torch.zeros(*mask.shape, 6, dtype=torch.int64)
    codes[mask] = torch.cat(songs)
    return PaddedCodes(codes, mask)


def reference(model, songs, layer, function):
    """Song by song without padding, the function put in with a hook: summed cross-entropy and KL over tokens."""
    loss, kl, n = np.zeros(6), np.zeros(6), 0
    for codes in songs:
        with torch.no_grad():
            clean = model.module(codes[None])
            with replaced(model.layers[layer], lambda x, codes=codes: function(x, codes[None])):
                patched = model.module(codes[None])
        for i in range(6):
            p, q = (F.log_softmax(logits[i][0, :-1], dim=-1) for logits in (clean, patched))
            loss[i] += F.cross_entropy(patched[i][0, :-1], codes[1:, i], reduction="sum").item()
            kl[i] += F.kl_div(q, p, log_target=True, reduction="sum").item()
        n += len(codes) - 1
    return loss / n, kl / n


@pytest.mark.parametrize("layer", [0, 3])
def test_losses_are_those_of_the_hooked_model_whatever_the_batches(model, songs, layer):
    def shorter(x, codes):
        return 0.7 * x + 0.01 * codes[..., 3:4]

    mean = torch.linspace(-1, 1, 64)
    for batches in ([batch_of(songs)], [batch_of(songs[:1]), batch_of(songs[1:])]):
        measured = patched_losses(model, layer, batches, mean, {"shorter": shorter})
        for name, function in {
            "clean": lambda x, codes: x,
            "shorter": shorter,
            "mean_ablation": lambda x, codes: mean.expand_as(x),
            "zero_ablation": lambda x, codes: torch.zeros_like(x),
        }.items():
            loss, kl = reference(model, songs, layer, function)
            assert [measured[name].loss[field] for field in FIELDS] == pytest.approx(loss, rel=1e-4)
            assert [measured[name].kl[field] for field in FIELDS] == pytest.approx(kl, rel=1e-3, abs=1e-6)
            assert measured[name].loss["total"] == pytest.approx(loss.sum(), rel=1e-4)


def test_a_perfect_reconstruction_costs_nothing_and_recovers_all(model, songs):
    measured = patched_losses(model, 2, [batch_of(songs)], torch.zeros(64), {"perfect": lambda x, codes: x.clone()})
    perfect = measured["perfect"]
    assert set(perfect.over_clean.values()) == {0.0} and perfect.kl["total"] == 0
    assert perfect.recovered_mean["total"] == 1 and perfect.recovered_zero["total"] == 1
    assert measured["zero_ablation"].recovered_zero["total"] == 0
    assert measured["mean_ablation"] == measured["zero_ablation"]  # the mean given here is 0


def test_recovered_is_none_where_nothing_can_be():
    clean, ablated = {"pitch": 1.0, "type": 0.5}, {"pitch": 3.0, "type": 0.4}
    assert recovered({"pitch": 1.5, "type": 0.45}, clean, ablated) == {"pitch": 0.75, "type": None}


@pytest.mark.parametrize("layer", [-1, 0, 2, 3])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_continuing_from_a_layer_is_the_whole_forward_pass(model, songs, layer, precision):
    codes = songs[0][None]
    model.to_precision(precision)
    with torch.no_grad():
        expected = model.module(codes)
        if layer < 0:
            x = model.module.embed(codes)
        else:
            with record({layer: model.layers[layer]}) as outputs:
                model.module(codes)
            x = outputs[layer]
        for ours, theirs in zip(model.continue_from(layer, x), expected, strict=True):
            assert torch.equal(ours, theirs)
