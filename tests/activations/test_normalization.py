import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.activations.normalization import Normalization, stream_statistics


@given(st.integers(0, 10_000), st.integers(1, 300), st.lists(st.integers(1, 299), max_size=5))
def test_streaming_equals_whole(seed, n, cuts):
    rows = (np.random.default_rng(seed).normal(1000, 1, (n, 3))).astype(np.float32)
    pieces = [piece for piece in np.split(rows, sorted(c for c in cuts if c < n)) if len(piece)]
    statistics = stream_statistics(pieces)
    whole = rows.astype(np.float64)
    assert statistics.n_tokens == n
    np.testing.assert_allclose(statistics.mean, whole.mean(0), rtol=1e-12)
    np.testing.assert_allclose(statistics.std, whole.std(0), rtol=1e-7, atol=1e-9)
    assert statistics.mean_norm == pytest.approx(np.linalg.norm(whole, axis=1).mean())


def test_no_rows_is_an_error():
    with pytest.raises(ValueError, match="no rows"):
        stream_statistics([])


@pytest.fixture
def rows():
    rows = np.random.default_rng(0).normal([5, -2, 0, 3], [1, 20, 0.1, 0], (5000, 4))
    return rows.astype(np.float16)


def test_zscore_has_zero_mean_and_unit_variance(rows):
    normalised = Normalization.of("zscore", stream_statistics([rows])).apply(rows)
    np.testing.assert_allclose(normalised.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(normalised[:, :3].std(0), 1, atol=1e-3)
    np.testing.assert_allclose(normalised[:, 3], 0, atol=1e-3)  # constant: centred, not blown up


def test_scalar_makes_the_mean_norm_the_root_of_d(rows):
    normalised = Normalization.of("scalar", stream_statistics([rows])).apply(rows)
    assert np.linalg.norm(normalised, axis=1).mean() == pytest.approx(2, rel=1e-3)
    assert np.ptp(normalised[:, 0] / rows[:, 0].astype(np.float32)) < 1e-4


def test_none_changes_nothing(rows):
    np.testing.assert_array_equal(Normalization.of("none", stream_statistics([rows])).apply(rows), rows)
