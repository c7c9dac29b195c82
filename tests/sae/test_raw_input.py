"""A context autoencoder for raw activations: exact where the baseline follows from x, measured where it does not."""

import pytest
import torch
from sae_cases import KINDS, assert_close, case

from music_interpret.errors import InputError
from music_interpret.sae.raw_input import agreement, estimated_baseline, folded
from music_interpret.sae.token_baseline import TokenBaseline


def batches(x, tokens, size=64):
    return ((x[i : i + size], tokens[i : i + size]) for i in range(0, len(x), size))


def known_by_x(kind):
    """A case whose baseline is a linear function of x: it stands in six dimensions of x by itself, and nothing else."""
    autoencoder, x, tokens = case(kind, context=True)
    sizes = autoencoder.baseline.sizes
    table = torch.zeros(sum(sizes), autoencoder.d_in)
    first = 0
    for field, size in enumerate(sizes):
        table[first : first + size, field] = torch.arange(size, dtype=torch.float32) - 0.3
        first += size
    x = x.clone()
    autoencoder.baseline = TokenBaseline(table, sizes)
    x[:, : len(sizes)] = autoencoder.baseline(tokens)[:, : len(sizes)]
    return autoencoder, x, tokens


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_exact_where_x_tells_the_baseline(kind):
    autoencoder, x, tokens = known_by_x(kind)
    estimate = estimated_baseline(autoencoder, batches(x, tokens))
    made = folded(autoencoder, estimate)
    assert made.baseline is None
    z = autoencoder.encode(x, tokens)
    assert_close(made.encode(x), z, 1e-4)
    # The decoder, which has the latents alone, gives the baseline's mean.
    mean = autoencoder.baseline(tokens).mean(dim=0)
    assert_close(made.decode(z), z @ autoencoder.W_dec + autoencoder.b_dec + mean)
    measured = agreement(autoencoder, made, batches(x, tokens))
    assert measured.firings_kept > 0.999 and measured.correlation > 0.99


def test_the_estimate_is_least_squares():
    autoencoder, x, tokens = case("topk", context=True)
    estimate = estimated_baseline(autoencoder, batches(x, tokens))
    ones = torch.cat([x, torch.ones(len(x), 1)], dim=1).double()
    wanted = autoencoder.baseline(tokens).double()
    expected = torch.linalg.lstsq(ones, wanted).solution
    assert_close(estimate.weight, expected[:-1], 1e-6)
    assert_close(estimate.bias, expected[-1], 1e-6)
    assert_close(estimate.mean, wanted.mean(dim=0), 1e-9)


def test_a_constant_dimension_does_no_harm():
    autoencoder, x, tokens = case("topk", context=True)
    x = x.clone()
    x[:, 5] = 3.0
    estimate = estimated_baseline(autoencoder, batches(x, tokens))
    assert estimate.weight.isfinite().all()
    assert estimate.weight[5].abs().max() < 1e-6


def test_the_agreement_is_that_of_all_tokens_at_once():
    autoencoder, x, tokens = case("jumprelu", context=True)
    made = folded(autoencoder, estimated_baseline(autoencoder, batches(x, tokens)))
    measured = agreement(autoencoder, made, batches(x, tokens, 50))
    z, y = autoencoder.encode(x, tokens), made.encode(x)
    assert measured.firings_kept == pytest.approx(float(((z > 0) & (y > 0)).sum() / (z > 0).sum()))
    assert measured.firings_kept < 1
    columns = [torch.corrcoef(torch.stack([z[:, i], y[:, i]]).double())[0, 1] for i in range(autoencoder.d_sae)]
    live = (z > 0).any(dim=0)
    assert measured.correlation == pytest.approx(float(torch.stack(columns).nan_to_num()[live].mean()), abs=1e-6)

    def fvu(rebuilt):
        return float((x - rebuilt).square().sum() / (x - x.mean(dim=0)).square().sum())

    raw = type(autoencoder)(autoencoder.kind, autoencoder.parameters_by_name)
    assert measured.fvu == pytest.approx(fvu(made(x)), rel=1e-4)
    assert measured.fvu_with_baseline == pytest.approx(fvu(autoencoder(x, tokens)), rel=1e-4)
    assert measured.fvu_unfolded == pytest.approx(fvu(raw(x)), rel=1e-4)


def test_without_songs_there_is_a_sentence():
    autoencoder, x, tokens = case("topk", context=True)
    with pytest.raises(InputError, match="no train songs"):
        estimated_baseline(autoencoder, ())
    made = folded(autoencoder, estimated_baseline(autoencoder, batches(x, tokens)))
    with pytest.raises(InputError, match="no test songs"):
        agreement(autoencoder, made, ())
