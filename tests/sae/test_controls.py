import pytest
import torch

from music_interpret.sae import controls
from music_interpret.sae.metrics import quality

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(2000, 16, generator=GENERATOR) @ torch.randn(16, 16, generator=GENERATOR) + 20
MEAN = X.mean(dim=0)


def measure(dictionary, x=X):
    return quality([(part, None) for part in torch.split(x, 700)], dictionary)


@pytest.mark.parametrize("make", [lambda k: controls.pca(torch.split(X, 700), MEAN, k), lambda k: random(k)])
def test_a_whole_basis_loses_nothing_and_a_part_keeps_the_largest(make):
    assert measure(make(16)).fvu == pytest.approx(0, abs=1e-6)
    part = measure(make(5))
    assert part.l0 == 5 and 0 < part.fvu < 1
    dictionary = make(5)
    full = (X - MEAN) @ dictionary.directions.T
    kept = dictionary.encode(X)
    assert torch.equal(kept != 0, full.abs() >= full.abs().sort(dim=1, descending=True).values[:, 4:5])
    torch.testing.assert_close(kept[kept != 0], full[kept != 0])
    torch.testing.assert_close(dictionary.directions @ dictionary.directions.T, torch.eye(16), atol=1e-5, rtol=0)


def random(k):
    return controls.random_directions(MEAN, k, seed=3)


def test_pca_explains_more_than_random_directions():
    assert measure(controls.pca([X], MEAN, 4)).fvu < measure(random(4)).fvu


def test_more_coefficients_than_directions_are_all():
    assert measure(controls.pca([X], MEAN, 99)).l0 == 16


def test_random_directions_follow_from_the_seed():
    assert torch.equal(random(3).directions, random(3).directions)
    assert not torch.equal(random(3).directions, controls.random_directions(MEAN, 3, seed=4).directions)


def test_the_untrained_autoencoder_is_the_best_scaled_random_start():
    scale = 1 / X.std(dim=0)
    untrained = controls.untrained(torch.split(X, 700), MEAN, scale, 64, 6, seed=0)
    measured = measure(untrained)
    assert measured.l0 <= 6 and 0 < measured.fvu < 1
    shift = untrained.weights["b_dec"]
    for factor in (0.9, 1.1):  # any other factor, with its own best offset, does worse
        y = (untrained(X) - shift) * factor
        y = y + (X - y).mean(dim=0)
        error = (X - y).square().sum() / (X - MEAN).square().sum()
        assert float(error) > measured.fvu
    torch.testing.assert_close(untrained(X).mean(dim=0), MEAN, atol=1e-3, rtol=0)


def test_a_constant_is_measured_like_an_autoencoder_without_latents():
    measured = measure(controls.NoLatents(lambda n, codes: MEAN.expand(n, -1)))
    assert measured.l0 == 0 and measured.fvu == pytest.approx(1, abs=1e-6)
    assert measured.dead != measured.dead  # a share of no latents is not a number


@pytest.mark.parametrize(("l0", "k"), [(37.7, 38), (0.2, 1), (5.0, 5), (99.0, 64)])
def test_coefficients_for_an_l0(l0, k):
    assert controls.coefficients_for(l0, 64) == k
