"""The map: live latents have places, like directions lie together."""

import numpy as np
import pytest

from music_interpret.features.map import flat_map
from music_interpret.runs.run import open_run


def test_places_on_the_map(labelled):
    run = open_run("s/e")
    live = run.index.statistics.density > 0
    assert np.isfinite(run.map[live]).all() and np.isnan(run.map[~live]).all()
    assert np.nanmax(np.abs(run.map)) == pytest.approx(1)


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
