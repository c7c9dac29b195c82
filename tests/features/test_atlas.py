"""The atlas holds what a plain computation gives, and is made again when it does not fit."""

import numpy as np
import pytest
import torch

from music_interpret.browse import open_run
from music_interpret.features import atlas as atlas_module
from music_interpret.features.atlas import NEIGHBOURS, atlas_of, flat_map, most_similar
from music_interpret.features.opened_run import OpenedRun
from music_interpret.paths import find_run


@pytest.fixture
def index(labelled):
    return open_run("s/e")


def dense(index):
    values = np.zeros((index.d_sae, index.activations.n_tokens), np.float32)
    for latent in range(index.d_sae):
        tokens, found = index.latent(latent)
        values[latent, tokens] = found
    return values


def test_neighbours_are_the_nearest(index):
    atlas = atlas_of(index)
    decoder = OpenedRun.open(find_run("s/e"), torch.device("cpu")).autoencoder.W_dec.detach().numpy()
    unit = decoder / np.linalg.norm(decoder, axis=1, keepdims=True)
    fires = (dense(index) > 0).astype(float)
    sizes = np.sqrt(np.maximum(fires.sum(axis=1), 1))
    live = fires.any(axis=1)
    both = fires @ fires.T / sizes[:, None] / sizes[None]
    for scores, found, kept, least in (
        (unit @ unit.T, atlas.similar, atlas.similarity, -1.1),
        (both, atlas.together, atlas.togetherness, 0),
    ):
        scores = np.where(live[None] & live[:, None], scores, -np.inf)
        np.fill_diagonal(scores, -np.inf)
        for latent in range(index.d_sae):
            best = np.sort(scores[latent])[::-1][:NEIGHBOURS]
            usable = found[latent] >= 0
            np.testing.assert_allclose(kept[latent][usable], best[: usable.sum()], atol=1e-5)
            np.testing.assert_allclose(scores[latent][found[latent][usable]], kept[latent][usable], atol=1e-5)
            assert usable.sum() == (best > least).sum()


def test_effects_are_what_the_direction_does_to_the_logits(index):
    """Adding a little of a decoder row to what the final norm reads changes the logits as the effect says, but for the
    change of the norm's scale, which adds the same multiple of the logits."""
    atlas = atlas_of(index)
    effects = atlas.effects.astype(np.float32)
    subject = OpenedRun.open(find_run("s/e"), torch.device("cpu"))
    module = subject.model("float32").module
    codes = torch.from_numpy(np.asarray(index.activations.codes[:60], np.int64))[None]
    read = []
    handle = module.norm.register_forward_pre_hook(lambda _norm, inputs: read.append(inputs[0]))
    with torch.inference_mode():
        module(codes)
        handle.remove()
        x, step, explained = read[0], 1e-2, []
        edges = np.cumsum(atlas.n_codes)[:-1]
        for latent in range(0, index.d_sae, 7):
            moved = x + step * subject.autoencoder.W_dec[latent]
            for part, head in zip(np.split(effects[latent], edges), module.heads, strict=True):
                logits, after = (head(module.norm(y))[0].mean(dim=0).numpy() for y in (x, moved))
                change = (after - logits) / step
                known = np.stack([part, logits - head.bias.numpy(), np.ones(len(part))], axis=1)
                left = change - known @ np.linalg.lstsq(known, change)[0]
                explained.append(1 - left.var() / change.var())
                assert abs(part.mean()) < 1e-2
    assert np.median(explained) > 0.95, np.quantile(explained, (0.1, 0.5))


def test_places_on_the_map(index):
    found = atlas_of(index)
    live = index.statistics.density > 0
    assert np.isfinite(found.map[live]).all() and np.isnan(found.map[~live]).all()
    assert np.nanmax(np.abs(found.map)) == pytest.approx(1)


def test_like_directions_lie_together_on_the_map():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((4, 32)) * 3
    groups = np.repeat(np.arange(4), 30)
    places = flat_map((centres[groups] + rng.standard_normal((120, 32)) * 0.3).astype(np.float32), np.ones(120, bool))
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (groups[distances.argmin(axis=1)] == groups).mean() == 1


@pytest.mark.parametrize("n_live", [0, 1, 3, 5])
def test_few_live_latents(n_live):
    decoder = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    live = np.arange(8) < n_live
    places = flat_map(decoder, live)
    assert np.isfinite(places[live]).all() and np.isnan(places[~live]).all()
    found, scores = most_similar(decoder, live)
    assert (found[~live] == -1).all() and ((found >= 0).sum(axis=1)[live] == max(n_live - 1, 0)).all()
    assert (scores[found < 0] == 0).all()


def test_it_is_kept_and_made_again_where_it_does_not_fit(index, monkeypatch):
    first = atlas_of(index)
    folder = index.folder.parent / "atlas"
    before = (folder / "atlas.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(atlas_module, "_made", lambda *_: pytest.fail("it was kept"))
        np.testing.assert_array_equal(atlas_of(index).similar, first.similar)
    for damage in (b"", before[:-5], b"nonsense"):
        (folder / "atlas.safetensors").write_bytes(damage)
        assert atlas_of(index).similar.tolist() == first.similar.tolist()
    (folder / "atlas.json").write_text('{"format": 0}')
    atlas_of(index)
    assert (folder / "atlas.safetensors").read_bytes() == before
