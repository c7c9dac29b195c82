"""Neighbours are what a plain computation gives."""

import numpy as np
import pytest

from music_interpret.features.neighbours import NEIGHBOURS, most_similar
from music_interpret.runs.run import open_run


@pytest.fixture
def run(labelled):
    return open_run("s/e")


def dense(index):
    values = np.zeros((index.d_sae, index.activations.n_tokens), np.float32)
    for latent in range(index.d_sae):
        tokens, found = index.latent(latent)
        values[latent, tokens] = found
    return values


def test_neighbours_are_the_nearest(run):
    index, near = run.index, run.neighbours
    decoder = run.sae.W_dec.detach().numpy()
    unit = decoder / np.linalg.norm(decoder, axis=1, keepdims=True)
    fires = (dense(index) > 0).astype(float)
    sizes = np.sqrt(np.maximum(fires.sum(axis=1), 1))
    live = fires.any(axis=1)
    both = fires @ fires.T / sizes[:, None] / sizes[None]
    for scores, found, kept, least in (
        (unit @ unit.T, near.similar, near.similarity, -1.1),
        (both, near.together, near.togetherness, 0),
    ):
        scores = np.where(live[None] & live[:, None], scores, -np.inf)
        np.fill_diagonal(scores, -np.inf)
        for latent in range(index.d_sae):
            best = np.sort(scores[latent])[::-1][:NEIGHBOURS]
            usable = found[latent] >= 0
            np.testing.assert_allclose(kept[latent][usable], best[: usable.sum()], atol=1e-5)
            np.testing.assert_allclose(scores[latent][found[latent][usable]], kept[latent][usable], atol=1e-5)
            assert usable.sum() == (best > least).sum()


@pytest.mark.parametrize("n_live", [0, 1, 3, 5])
def test_few_live_latents(n_live):
    decoder = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    live = np.arange(8) < n_live
    found, scores = most_similar(decoder, live)
    assert (found[~live] == -1).all() and ((found >= 0).sum(axis=1)[live] == max(n_live - 1, 0)).all()
    assert (scores[found < 0] == 0).all()
