import numpy as np
import pytest
import torch
from torch.nn import functional as F

from music_interpret import paths
from music_interpret.activations.song_batches import PaddedTokens
from music_interpret.interventions.loss_recovered import patched_losses, recovered
from music_interpret.models.families.find import load_model
from music_interpret.models.hooks import replaced
from music_interpret.models.site import Site
from music_interpret.music.dataset import open_dataset
from music_interpret.tokens.mmt import FIELDS


@pytest.fixture
def model(home):
    return load_model(paths.model_folder("sod", "ape"), paths.dataset_folder("sod") / "notes")


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
    return PaddedTokens(codes, mask)


def reference(model, songs, site, function):
    """Song by song without padding, the function put in with a hook: summed cross-entropy and KL over tokens."""
    loss, kl, n = np.zeros(6), np.zeros(6), 0
    for codes in songs:
        with torch.no_grad():
            clean = model.module(codes[None])
            with replaced({site: (model.at(site), lambda x, codes=codes: function(x, codes[None]))}):
                patched = model.module(codes[None])
        for i in range(6):
            p, q = (F.log_softmax(logits[i][0, :-1], dim=-1) for logits in (clean, patched))
            loss[i] += F.cross_entropy(patched[i][0, :-1], codes[1:, i], reduction="sum").item()
            kl[i] += F.kl_div(q, p, log_target=True, reduction="sum").item()
        n += len(codes) - 1
    return loss / n, kl / n


@pytest.mark.parametrize("name", ["resid_pre.0", "resid_mid.0", "resid_post.1", "attn_out.1", "mlp_out.0"])
def test_losses_are_those_of_the_hooked_model_whatever_the_batches(model, songs, name):
    site = Site(name)

    def shorter(x, codes):
        return 0.7 * x + 0.01 * codes[..., 3:4]

    mean = torch.linspace(-1, 1, 64)
    for batches in ([batch_of(songs)], [batch_of(songs[:1]), batch_of(songs[1:])]):
        measured = patched_losses(model, site, batches, mean, {"shorter": shorter})
        for what, function in {
            "clean": lambda x, codes: x,
            "shorter": shorter,
            "mean_ablation": lambda x, codes: mean.expand_as(x),
            "zero_ablation": lambda x, codes: torch.zeros_like(x),
        }.items():
            loss, kl = reference(model, songs, site, function)
            assert [measured[what].loss[field] for field in FIELDS] == pytest.approx(loss, rel=1e-4)
            assert [measured[what].kl[field] for field in FIELDS] == pytest.approx(kl, rel=1e-3, abs=1e-6)
            assert measured[what].loss["total"] == pytest.approx(loss.sum(), rel=1e-4)


def test_a_perfect_reconstruction_costs_nothing_and_recovers_all(model, songs):
    measured = patched_losses(
        model, Site.of_layer(2), [batch_of(songs)], torch.zeros(64), {"perfect": lambda x, codes: x.clone()}
    )
    perfect = measured["perfect"]
    assert set(perfect.over_clean.values()) == {0.0} and perfect.kl["total"] == 0
    assert perfect.recovered_mean["total"] == 1 and perfect.recovered_zero["total"] == 1
    assert measured["zero_ablation"].recovered_zero["total"] == 0
    assert measured["mean_ablation"] == measured["zero_ablation"]  # the mean given here is 0


def test_recovered_is_none_where_nothing_can_be():
    clean, ablated = {"pitch": 1.0, "type": 0.5}, {"pitch": 3.0, "type": 0.4}
    assert recovered({"pitch": 1.5, "type": 0.45}, clean, ablated) == {"pitch": 0.75, "type": None}


@pytest.mark.parametrize("name", ["resid_pre.0", "resid_mid.0", "resid_mid.1", "resid_post.1"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_continuing_from_a_site_is_the_whole_forward_pass(model, songs, name, precision):
    codes = songs[0][None]
    model.to_precision(precision)
    with torch.no_grad():
        expected = model.module(codes)
        x = model.recorded(codes, [Site(name)])[Site(name)]
        for ours, theirs in zip(model.continue_from(Site(name), x), expected, strict=True):
            assert torch.equal(ours, theirs)
