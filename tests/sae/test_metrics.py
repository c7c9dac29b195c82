import numpy as np
import pytest
import torch

from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.controls import NoLatents
from music_interpret.sae.metrics import (
    FiringCounts,
    Spread,
    mean_nearest_cosine,
    mean_pairwise_cosine,
    nearest_cosines,
    quality,
)
from music_interpret.sae.token_baseline import TokenBaseline

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(1000, 6, generator=GENERATOR) + 50  # far from the origin, where a wrong definition of variance shows


class Fixed:
    """Gives prepared latents and reconstructions, batch by batch."""

    baseline = None

    def __init__(self, reconstruction, z, sizes):
        self.reconstructions, self.zs = (iter(torch.split(t, list(sizes))) for t in (reconstruction, z))

    def encode(self, x, codes=None):
        return next(self.zs)

    def decode(self, z, codes=None):
        return next(self.reconstructions)

    def __call__(self, x, codes=None):
        return self.decode(self.encode(x))


def measure(reconstruction, z=None, sizes=(300, 300, 400), x=X):
    z = torch.ones(len(x), 3) if z is None else z
    return quality(((part, None) for part in torch.split(x, list(sizes))), Fixed(reconstruction, z, sizes))


def test_predicting_the_mean_explains_nothing():
    measured = measure(X.double().mean(0).float().expand(1000, 6))
    assert measured.fvu == pytest.approx(1, abs=1e-6) and measured.explained_variance == pytest.approx(0, abs=1e-6)
    assert measured.cosine > 0.999  # about the origin, a mean of 50 is nearly all there is


def test_a_perfect_copy_leaves_nothing():
    measured = measure(X)
    assert measured.fvu == 0 and measured.n_tokens == 1000 and measured.remainder_fvu is None
    assert (
        measured.cosine == pytest.approx(1) and measured.shrinkage == 1 and measured.relative_bias == pytest.approx(1)
    )


@pytest.mark.parametrize("sizes", [(10, 990), (1000,), (1, 499, 500)])
def test_every_number_is_that_of_the_whole_split_not_a_mean_of_batches(sizes):
    noisy = 0.9 * X + torch.linspace(0, 3, 1000)[:, None]
    x, y = X.double().numpy(), noisy.double().numpy()
    measured = measure(noisy, sizes=sizes)
    variance = (x**2).sum(1).mean() - (x.mean(0) ** 2).sum()
    assert measured.fvu == pytest.approx(((x - y) ** 2).sum(1).mean() / variance, rel=1e-5)
    norms = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    assert measured.cosine == pytest.approx(((x * y).sum(1) / norms[0] / norms[1]).mean(), rel=1e-6)
    assert measured.shrinkage == pytest.approx((norms[1] / norms[0]).mean(), rel=1e-6)
    assert measured.relative_bias == pytest.approx((y**2).sum() / (x * y).sum(), rel=1e-6)


def test_a_mean_that_is_large_costs_no_digits():
    x = torch.randn(5000, 4, generator=GENERATOR) + torch.tensor([0.0, 1e3, 3e4, -3e4])
    spread = Spread()
    for part in torch.split(x, 700):
        spread.add(part)
    exact = (x.double() - x.double().mean(0)).square().sum()
    assert spread.total == pytest.approx(float(exact), rel=1e-5)


def test_shrinkage_and_bias_tell_that_reconstructions_are_too_short():
    centred = X - 50
    measured = measure(0.8 * centred, x=centred)
    assert measured.shrinkage == pytest.approx(0.8) and measured.relative_bias == pytest.approx(0.8)
    assert measured.cosine == pytest.approx(1)


def test_firing_counts():
    z = torch.zeros(1000, 4)
    z[:, 1] = 1  # always: overactive
    z[:50, 2] = 0.5
    z[:100, 3] = 2  # exactly a tenth: not overactive
    measured = measure(X, z)
    assert measured.dead == 0.25 and measured.overactive == 0.25
    assert measured.l0 == pytest.approx(1.15)
    histogram = dict(zip(measured.density_edges, measured.density_histogram, strict=False))
    assert {edge: n for edge, n in histogram.items() if n} == {-1.5: 1, -1.0: 1, -0.25: 1}
    counts = FiringCounts(4)
    counts.add(z.bfloat16())
    counts.add_counts(torch.tensor([0, 0, 1, 1]), 10)
    assert counts.counts.tolist() == [0, 1000, 51, 101] and counts.n_tokens == 1010


def test_latents_rarer_than_the_first_bin_are_in_it():
    counts = FiringCounts(2)
    counts.add_counts(torch.tensor([0, 1]), 10**8)
    assert counts.density_histogram()[0] == 1 and sum(counts.density_histogram()) == 1


def test_with_a_token_baseline_the_remainder_is_measured_too():
    codes = torch.randint(0, 3, (1000, 2), generator=GENERATOR)
    baseline = TokenBaseline(10 * torch.randn(6, 6, generator=GENERATOR), (3, 3))
    x = baseline(codes) + torch.randn(1000, 6, generator=GENERATOR)
    weights = {"W_enc": torch.zeros(6, 3), "b_enc": torch.zeros(3), "W_dec": torch.zeros(3, 6), "b_dec": torch.zeros(6)}
    autoencoder = SparseAutoencoder("standard", weights, baseline=baseline)
    measured = quality([(x[:400], codes[:400]), (x[400:], codes[400:])], autoencoder)
    assert measured.l0 == 0 and measured.fvu < 0.05  # the baseline alone
    assert measured.remainder_fvu == pytest.approx(1, abs=0.01)  # and nothing of the rest


def test_no_batches_no_quality():
    assert quality([], NoLatents(lambda n, codes: torch.zeros(n, 6))) is None


def test_tokens_that_are_all_the_same_have_no_fvu():
    measured = measure(torch.zeros(4, 6), torch.zeros(4, 2), (4,), torch.ones(4, 6))
    assert np.isnan(measured.fvu)


def test_cosines_of_known_directions():
    directions = torch.tensor([[1.0, 0], [0, 1], [-1, 0]])
    assert mean_pairwise_cosine(directions) == pytest.approx(-1 / 3)
    assert mean_nearest_cosine(directions, chunk=2) == pytest.approx(0)
    random = torch.nn.functional.normalize(torch.randn(30, 5, generator=GENERATOR), dim=1)
    cosines = random @ random.T
    off = cosines[~torch.eye(30, dtype=torch.bool)].reshape(30, 29)
    assert mean_pairwise_cosine(random) == pytest.approx(float(off.mean()), abs=1e-5)
    torch.testing.assert_close(nearest_cosines(random, chunk=7), off.amax(1))
