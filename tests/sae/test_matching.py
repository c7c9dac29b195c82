import pytest
import torch

from music_interpret.errors import InputError
from music_interpret.sae.matching import likeness

GENERATOR = torch.Generator().manual_seed(0)
A = torch.randn(40, 12, generator=GENERATOR)


def test_the_same_directions_in_another_order_and_length_are_the_same():
    permuted = A[torch.randperm(40, generator=GENERATOR)] * torch.rand(40, 1, generator=GENERATOR).add(0.5)
    measured = likeness(A, permuted)
    assert measured.mcc == pytest.approx(1) and measured.mmcs == pytest.approx(1) and measured.n_pairs == 40


def test_signs_count():
    assert likeness(A, -A).mcc < 0.9


def test_a_partner_can_be_taken_only_once():
    """Two latents that both look like the only one of the other run: the maximum counts it twice, the pairing once."""
    first, second = torch.eye(3)[[0, 0]], torch.eye(3)[[0, 1]]
    measured = likeness(first, second)
    assert measured.mmcs == pytest.approx(1) and measured.mmcs_back == pytest.approx(0.5)
    assert measured.mcc == pytest.approx(0.5)


def test_sizes_may_differ():
    measured = likeness(A, A[:10])
    assert measured.n_pairs == 10 and measured.mcc == pytest.approx(1) and measured.mmcs_back == pytest.approx(1)
    assert measured.mmcs < 1


def test_the_pairing_is_the_best_one():
    """Taking the largest cosine first would leave a worse rest: 0.9 and −0.5 instead of 0.8 and 0.8."""
    second = torch.eye(2)
    first = torch.tensor([[0.9, 0.8], [0.8, -0.5]])
    norms = first.norm(dim=1)
    expected = (0.8 / norms[0] + 0.8 / norms[1]) / 2
    assert likeness(first, second).mcc == pytest.approx(float(expected))


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="12 and 11 wide"):
        likeness(A, A[:, :11])
    with pytest.raises(InputError, match="no live latents"):
        likeness(A, A[:0])
