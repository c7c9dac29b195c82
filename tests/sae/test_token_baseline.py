import numpy as np
import pytest
import torch

from music_interpret.sae import token_baseline
from music_interpret.sae.token_baseline import TokenBaseline, fit

SIZES = (3, 4, 6)


def random_codes(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, size, n) for size in SIZES], axis=1).astype(np.int16)


def test_the_lookup_is_the_sum_of_the_fields_rows():
    table = torch.randn(sum(SIZES), 5)
    codes = torch.from_numpy(random_codes(20))
    wanted = table[codes[:, 0].int()] + table[3 + codes[:, 1].int()] + table[7 + codes[:, 2].int()]
    torch.testing.assert_close(TokenBaseline(table, SIZES)(codes), wanted)
    torch.testing.assert_close(TokenBaseline(table, SIZES)(codes.view(4, 5, 3)), wanted.view(4, 5, 5))


@pytest.mark.parametrize("dense_rows", [token_baseline.DENSE_ROWS, 0], ids=["dense", "of a large vocabulary"])
def test_the_fit_is_ridge_regression(dense_rows, monkeypatch):
    """Against the textbook's formula on the whole one-hot matrix, from chunks."""
    monkeypatch.setattr(token_baseline, "DENSE_ROWS", dense_rows)
    codes, rng = random_codes(500), np.random.default_rng(1)
    rows = rng.normal(size=(500, 5)).astype(np.float32)
    design = np.concatenate([np.eye(size)[codes[:, field]] for field, size in enumerate(SIZES)], axis=1)
    wanted = np.linalg.solve(design.T @ design + np.eye(sum(SIZES)), design.T @ rows)
    table = fit(((codes[i : i + 90], rows[i : i + 90]) for i in range(0, 500, 90)), SIZES)
    np.testing.assert_allclose(table.numpy(), wanted, atol=1e-5)


def test_a_vocabulary_of_one_large_field_is_no_matter():
    codes, rng = np.array([[7], [99_999], [7]]), np.random.default_rng(1)
    rows = rng.normal(size=(3, 5)).astype(np.float32)
    table = fit([(codes, rows)], (100_000,)).numpy()
    np.testing.assert_allclose(table[7], (rows[0] + rows[2]) / 3, rtol=1e-6)
    np.testing.assert_allclose(table[99_999], rows[1] / 2, rtol=1e-6)
    assert not np.delete(table, [7, 99_999], axis=0).any()


def test_what_is_additive_is_explained():
    codes = random_codes(2000)
    truth = TokenBaseline(torch.randn(sum(SIZES), 5), SIZES)
    rows = truth(torch.from_numpy(codes)).numpy()
    fitted = TokenBaseline(fit([(codes, rows)], SIZES), SIZES)
    assert np.abs(fitted(torch.from_numpy(codes)).numpy() - rows).max() < 0.05


def test_the_gradient_is_autograds():
    codes = torch.from_numpy(random_codes(50))
    baseline = TokenBaseline(torch.randn(sum(SIZES), 5), SIZES)
    baseline.table.requires_grad_()
    out, towards = baseline(codes), torch.randn(50, 5)
    (wanted,) = torch.autograd.grad(out, baseline.table, towards)
    baseline.table.requires_grad_(False)
    torch.testing.assert_close(baseline.gradient(codes, towards), wanted, atol=1e-5, rtol=1e-5)
