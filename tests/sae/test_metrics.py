import pytest
import torch

from music_interpret.sae.metrics import FiringCounts, mean_nearest_cosine, mean_pairwise_cosine, quality

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(1000, 6, generator=GENERATOR) + 50  # far from the origin, where a wrong definition of variance shows


def measure(decode, z=None, sizes=(300, 300, 400)):
    z = torch.ones(1000, 3) if z is None else z
    position = iter(torch.split(z, list(sizes)))
    return quality(torch.split(X, list(sizes)), lambda _: next(position), decode)


def test_predicting_the_mean_explains_nothing():
    assert measure(lambda z: X.mean(0).expand(len(z), 6)).fvu == pytest.approx(1, abs=1e-6)


def test_a_perfect_copy_leaves_nothing():
    copies = iter(torch.split(X, [300, 300, 400]))
    assert measure(lambda z: next(copies)).fvu == 0


def test_fvu_is_that_of_the_whole_split_not_a_mean_of_batches():
    sizes = (10, 990)
    noisy = X + torch.linspace(0, 3, 1000)[:, None]
    expected = (noisy - X).double().square().sum() / (X - X.mean(0)).double().square().sum()
    copies = iter(torch.split(noisy, list(sizes)))
    assert measure(lambda z: next(copies), sizes=sizes).fvu == pytest.approx(float(expected), rel=1e-6)


def test_firing_counts():
    z = torch.zeros(1000, 4)
    z[:, 1] = 1  # always: overactive
    z[:50, 2] = 0.5
    z[:100, 3] = 2  # exactly a tenth: not overactive
    result = measure(lambda z: X[: len(z)], z)
    assert result.dead == 0.25 and result.overactive == 0.25
    assert result.l0 == pytest.approx(1.15)
    counts = FiringCounts(4)
    counts.add(z.bfloat16())
    assert counts.counts.tolist() == [0, 1000, 50, 100]


def test_no_batches_no_quality():
    assert quality([], lambda x: x, lambda z: z) is None


def test_cosines_of_known_directions():
    directions = torch.tensor([[1.0, 0], [0, 1], [-1, 0]])
    assert mean_pairwise_cosine(directions) == pytest.approx(-1 / 3)
    assert mean_nearest_cosine(directions, chunk=2) == pytest.approx(0)
    random = torch.nn.functional.normalize(torch.randn(30, 5, generator=GENERATOR), dim=1)
    cosines = random @ random.T
    off = cosines[~torch.eye(30, dtype=torch.bool)].reshape(30, 29)
    assert mean_pairwise_cosine(random) == pytest.approx(float(off.mean()), abs=1e-5)
    assert mean_nearest_cosine(random, chunk=7) == pytest.approx(float(off.amax(1).mean()), abs=1e-5)
