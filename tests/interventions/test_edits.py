"""Edits change real tokens and nothing else, and let go."""

import pytest
import torch

from music_interpret import paths
from music_interpret.activations.song_batches import PaddedTokens
from music_interpret.interventions.edits import Edit, applied, constant, edited, keep, logits_with, zero
from music_interpret.models.families.find import load_model
from music_interpret.models.site import Site
from music_interpret.music.dataset import open_dataset

SITES = ["resid_pre.0", "attn_out.0", "resid_mid.1", "mlp_out.1", "resid_post.1", "blocks.0.norm"]


@pytest.fixture
def model(home):
    return load_model(paths.model_folder("sod", "ape"), paths.dataset_folder("sod") / "notes")


@pytest.fixture
def batch(model, home):
    dataset = open_dataset(paths.dataset_folder("sod"))
    songs = [torch.from_numpy(model.encode(dataset.notes(name)).astype("int64")) for name in dataset.names]
    songs = [song[: 20 + 9 * i] for i, song in enumerate(songs)]
    mask = torch.arange(max(map(len, songs))) < torch.tensor([[len(song)] for song in songs])
    tokens = torch.zeros(*mask.shape, 6, dtype=torch.int64)
    tokens[mask] = torch.cat(songs)
    return PaddedTokens(tokens, mask)


def test_padding_stays(batch):
    x = torch.randn(*batch.mask.shape, 8)
    changed = applied(x, batch, lambda rows, tokens: rows + tokens[:, 3:4])
    assert torch.equal(changed[~batch.mask], x[~batch.mask])
    assert torch.equal(changed[batch.mask], x[batch.mask] + batch.tokens[batch.mask][:, 3:4])
    assert torch.equal(applied(x, batch, keep), x)
    assert not applied(x, batch, zero)[batch.mask].any()
    mean = torch.arange(8.0)
    assert (applied(x, batch, constant(mean))[batch.mask] == mean).all()


@pytest.mark.parametrize("name", SITES)
def test_logits_with_an_edit_are_those_of_the_edited_model(model, batch, name):
    """Whether the model goes on from the site or runs again."""
    site = Site(name)
    edit = Edit(site, lambda x, tokens: 0.5 * x + 0.01 * tokens[:, 3:4])
    recorded = model.recorded(batch.tokens, [site])[site]
    with torch.inference_mode():
        found = logits_with(model, batch, edit, recorded)
        with edited(model, batch, [edit]):
            expected = model.module(batch.tokens)
        clean = model.module(batch.tokens)
    for ours, theirs, before in zip(found, expected, clean, strict=True):
        assert torch.equal(ours[batch.mask], theirs[batch.mask])
        assert not torch.equal(ours[batch.mask], before[batch.mask])


def test_several_edits_at_several_sites(model, batch):
    """The later site sees what the earlier edit did."""
    seen = []

    def look(x, _tokens):
        seen.append(x.clone())
        return x

    last = Site("resid_post.1")
    with torch.inference_mode(), edited(model, batch, [Edit(Site("mlp_out.0"), zero), Edit(last, look)]):
        model.module(batch.tokens)
    clean = model.recorded(batch.tokens, [last])[last][batch.mask]
    assert len(seen) == 1 and not torch.equal(seen[0], clean)


def test_nothing_is_left_of_an_edit_after_an_error(model, batch):
    def broken(_x, _tokens):
        raise ZeroDivisionError

    clean = model.module(batch.tokens)
    with pytest.raises(ZeroDivisionError), edited(model, batch, [Edit(Site("mlp_out.0"), broken)]):
        model.module(batch.tokens)
    for before, after in zip(clean, model.module(batch.tokens), strict=True):
        assert torch.equal(before, after)
