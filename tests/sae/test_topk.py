import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from music_interpret.sae import topk


@settings(deadline=None)
@given(
    st.integers(0, 99), st.integers(1, 9), st.sampled_from([1, 5, 64, 1024, 2048]), st.integers(1, 40), st.booleans()
)
def test_the_search_by_groups_finds_the_largest(seed, n, length, k, ties):
    """Grouped and plain searches, with ties too: the same values, at places that hold them."""
    k = min(k, length)
    rows = torch.randn(n, length, generator=torch.Generator().manual_seed(seed))
    if ties:
        rows = (rows * 2).round()
    rows = rows - 2 * (seed % 3)  # mostly negative too
    values, places = topk.top_k(rows, k)
    assert torch.equal(values.sort(dim=1).values, rows.topk(k, dim=1).values.sort(dim=1).values)
    assert torch.equal(rows.gather(1, places), values)
    assert all(len(set(row)) == k for row in places.tolist())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shift", [0.0, -2.5, 3.0])
@pytest.mark.parametrize("k", [0.3, 4, 60, 128])
def test_a_batch_keeps_its_largest_positive_values(dtype, shift, k):
    before = (torch.randn(50, 128, generator=torch.Generator().manual_seed(0)) + shift).to(dtype)
    dense = topk.select_per_batch(before, k).to_dense(128)
    positive = before[before > 0].float()
    wanted = min(round(k * 50), len(positive))
    assert torch.equal(dense[dense > 0].sort().values, positive.topk(wanted).values.sort().values)
    assert torch.equal(dense[dense > 0], before.float()[dense > 0])


def test_a_batch_of_which_the_sample_tells_nothing():
    """All that is large lies where the sample does not look."""
    before = torch.zeros(64, 4096)
    before[:, 1] = torch.arange(1, 65)
    assert len(before.view(-1)[:: max(1, before.numel() // topk.SAMPLE)]) < before.numel()
    latents = topk.select_per_batch(before, 0.5)
    assert sorted(latents.values.tolist()) == list(range(33, 65)) and set(latents.indices.tolist()) == {1}


def test_no_value_above_zero():
    latents = topk.select_per_batch(-torch.ones(8, 32), 4)
    assert len(latents.values) == 0 and latents.times(torch.ones(32, 3)).tolist() == [[0.0] * 3] * 8


def test_encoding_keeps_at_most_k_and_nothing_negative():
    parameters = topk.initial(8, 64, encoder_bias=0, encoder_scale=1, generator=torch.Generator().manual_seed(0))
    z = topk.encode(parameters, torch.randn(30, 8), 5)
    assert ((z > 0).sum(1) == 5).all()
    z = topk.encode(parameters | {"b_enc": torch.full((64,), -math.inf)}, torch.randn(30, 8), 5)
    assert (z == 0).all()
