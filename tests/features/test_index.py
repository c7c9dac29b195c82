from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.activations.songs import SongTable
from music_interpret.errors import InputError
from music_interpret.features.index import HISTOGRAM_EDGES, QUANTILES, Chunk, build, open_index
from music_interpret.files import sha256

IDENTITY = {"model_sha256": "m", "codes_sha256": "c"}


def sparse_latents(n_tokens, d_sae, density, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.exponential(1, (n_tokens, d_sae)).astype(np.float32)
    z[rng.random((n_tokens, d_sae)) > density] = 0
    z[:, 0] = 0  # one dead latent
    return z


def with_autoencoder(run):
    """A run folder with an autoencoder, whose bytes do not matter here, and what the index notes down of it."""
    (run / "sae").mkdir(exist_ok=True)
    (run / "sae/sae_weights.safetensors").write_bytes(b"weights")
    return IDENTITY | {"sae_sha256": identity_of(run)}


def identity_of(run):
    return sha256(run / "sae/sae_weights.safetensors")


def activations_of(n_tokens, n_songs=5):
    lengths = np.full(n_songs, n_tokens // n_songs)
    lengths[-1] += n_tokens - lengths.sum()
    songs = SongTable(
        [f"s{i}" for i in range(n_songs)], np.cumsum(lengths) - lengths, lengths, np.array(["train"] * n_songs)
    )
    return SimpleNamespace(identity=IDENTITY, songs=songs, folder="x", n_tokens=n_tokens)


def indexed(run, z, chunk):
    chunks = (Chunk.of(first, z[first : first + chunk]) for first in range(0, len(z), chunk))
    build(run / "features", chunks, z.shape[1], len(z), with_autoencoder(run))
    return open_index(run, activations_of(len(z)), identity_of(run))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("index")


@given(st.integers(5, 60), st.integers(1, 9), st.sampled_from([0.0, 0.1, 1.0]), st.integers(1, 70), st.integers(0, 99))
def test_each_latents_firings_are_those_of_the_dense_latents(scratch, n_tokens, d_sae, density, chunk, seed):
    z = sparse_latents(n_tokens, d_sae, density, seed)
    index = indexed(scratch, z, chunk)
    for latent in range(d_sae):
        token_rows, values = index.latent(latent)
        np.testing.assert_array_equal(token_rows, np.flatnonzero(z[:, latent]))
        np.testing.assert_array_equal(values, z[token_rows, latent])


def test_statistics_are_those_of_the_dense_latents(tmp_path):
    z = sparse_latents(2000, 12, 0.2)
    statistics = indexed(tmp_path, z, 300).statistics
    np.testing.assert_allclose(statistics.density, (z > 0).mean(0))
    np.testing.assert_array_equal(statistics.max, z.max(0))
    for latent in range(1, 12):
        fired = z[z[:, latent] > 0, latent]
        assert statistics.mean[latent] == pytest.approx(fired.mean(), rel=1e-5)
        np.testing.assert_allclose(statistics.quantiles[latent], np.quantile(fired, QUANTILES), rtol=1e-5)
        assert statistics.histogram[latent].sum() == len(fired)
        bin_of_max = np.searchsorted(HISTOGRAM_EDGES, fired.max(), side="right") - 1
        assert statistics.histogram[latent, bin_of_max] > 0 and not statistics.histogram[latent, bin_of_max + 1 :].any()
    assert statistics.mean[0] == statistics.max[0] == 0 and not statistics.quantiles[0].any()


def test_values_beyond_the_bins_are_counted_at_the_ends(tmp_path):
    z = np.array([[1e-9, 1e9], [1e-9, 1e9]], np.float32)
    histogram = indexed(tmp_path, z, 2).statistics.histogram
    assert histogram[0, 0] == 2 and histogram[1, -1] == 2 and histogram.sum() == 4


def test_top_is_by_value_then_by_token_and_can_be_spread_over_songs(tmp_path):
    z = np.zeros((50, 1), np.float32)
    z[[3, 4, 17, 30, 49], 0] = [5, 7, 7, 1, 6]
    index = indexed(tmp_path, z, 50)
    assert index.top(0, 3)[0].tolist() == [4, 17, 49]
    assert index.top(0, 10)[1].tolist() == [7, 7, 6, 5, 1]
    assert index.top(0, 10, per_song=1)[0].tolist() == [4, 17, 49, 30]
    with pytest.raises(InputError, match="latent 1 is out of range; expected 0 to 0"):
        index.top(1, 1)


def test_a_failed_build_leaves_the_old_index(tmp_path):
    z = sparse_latents(100, 4, 0.3)
    indexed(tmp_path, z, 50)

    def broken():
        yield Chunk.of(0, z)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        build(tmp_path / "features", broken(), 4, 100, with_autoencoder(tmp_path))
    index = open_index(tmp_path, activations_of(100), identity_of(tmp_path))
    np.testing.assert_array_equal(index.latent(1)[0], np.flatnonzero(z[:, 1]))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["features", "sae"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "index.json").unlink(), "no feature index"),
        (lambda f: (f / "values.npy").write_bytes((f / "values.npy").read_bytes()[:-4]), "is damaged"),
        (lambda f: np.save(f / "token_ids.npy", np.zeros(1, np.uint32)), "differ in length"),
        (lambda f: (f / "statistics.safetensors").write_bytes(b"x"), "is damaged"),
        (lambda f: (f / "index.json").write_text('{"format": 7}'), "has format 7; expected format 1"),
    ],
)
def test_damage_is_named(tmp_path, damage, message):
    indexed(tmp_path, sparse_latents(100, 4, 0.3), 50)
    damage(tmp_path / "features")
    with pytest.raises(InputError, match=message + ".*music-interpret index"):
        open_index(tmp_path, activations_of(100), identity_of(tmp_path))


def test_an_index_of_another_autoencoder_is_refused(tmp_path):
    indexed(tmp_path, sparse_latents(100, 4, 0.3), 50)
    (tmp_path / "sae/sae_weights.safetensors").write_bytes(b"other weights")
    with pytest.raises(InputError, match="was made from another autoencoder .*music-interpret index"):
        open_index(tmp_path, activations_of(100), identity_of(tmp_path))


def test_other_activations_are_refused(tmp_path):
    indexed(tmp_path, sparse_latents(100, 4, 0.3), 50)
    other = activations_of(100)
    other.identity = IDENTITY | {"model_sha256": "other"}
    with pytest.raises(InputError, match="model_sha256 differs"):
        open_index(tmp_path, other, identity_of(tmp_path))
