"""Reading the index piece by piece gives what the index holds."""

import numpy as np
import pytest

from music_interpret.explorer import firings_file
from music_interpret.explorer.firings_file import FiringsFile
from music_interpret.runs.run import open_run


@pytest.mark.parametrize("table_bytes", [1, 4 * 96 * 7, 2**20])
def test_latents_and_songs(labelled, monkeypatch, table_bytes):
    monkeypatch.setattr(firings_file, "TABLE_BYTES", table_bytes)
    index = open_run("s/e").index
    firings = FiringsFile(index)
    dense = np.zeros((index.d_sae, index.activations.n_tokens), np.float32)
    for latent in range(index.d_sae):
        for mine, theirs in zip(firings.latent(latent), index.latent(latent), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        dense[latent, index.latent(latent)[0]] = index.latent(latent)[1]
    songs = index.activations.songs
    for song in range(0, 40, 3):
        first = int(songs.first_token[song])
        stop = first + int(songs.n_tokens[song])
        found = firings.between(first, stop)
        again = np.zeros((index.d_sae, stop - first), np.float32)
        again[found.latents, found.tokens] = found.values
        np.testing.assert_array_equal(again, dense[:, first:stop])
        assert len(found.tokens) == (dense[:, first:stop] > 0).sum()
        order = np.lexsort((-found.values, found.tokens))
        np.testing.assert_array_equal(found.values[order], found.values)
        for latent in (0, 50):
            np.testing.assert_array_equal(found.of_latent(latent, stop - first), dense[latent, first:stop])
