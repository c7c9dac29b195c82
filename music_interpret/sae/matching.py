"""How alike the directions of two autoencoders are, whichever latent has which number.

With cᵢⱼ the cosine between decoder row i of one and row j of the other, signs counted, since latents only add:

- mean maximum cosine similarity: the mean over i of maxⱼ cᵢⱼ (Sharkey, Braun & Millidge, "Taking features out of
  superposition with sparse autoencoders", 2022). It is not symmetric, and several latents may share a partner;
- MCC: the mean of cᵢⱼ over the one-to-one pairing with the largest sum (Hungarian algorithm). The mean correlation
  coefficient of independent component analysis (Hyvärinen & Morioka, arXiv 1605.06336) is so matched; with decoder
  directions it measures how far two trainings found the same features (Paulo & Belrose, "Sparse Autoencoders Trained on
  the Same Data Learn Different Features", arXiv 2501.16615).

Two random sets of directions do not score 0: a maximum over many cosines is positive. The same figures of a random
dictionary are therefore reported alongside them.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from music_interpret.errors import InputError


class Likeness(NamedTuple):
    """How alike two sets of directions are."""

    mmcs: float
    """Mean over the first's latents of the cosine to the most similar of the second's."""
    mmcs_back: float
    """Mean over the second's latents of the cosine to the most similar of the first's."""
    mcc: float
    """Mean cosine of the best one-to-one pairs."""
    n_pairs: int
    """Number of pairs: of the smaller set's latents."""


def likeness(first: Tensor, second: Tensor) -> Likeness:
    """Compare two sets of directions, of any length, (n, d) and (m, d).

    Takes O(n m) memory and, for the pairing, O(n³) time at worst: 4096 × 4096 take about two seconds.

    Raises:
        InputError: they are of different spaces, or one of them is empty.
    """
    if first.shape[1] != second.shape[1]:
        raise InputError(f"directions are {first.shape[1]} and {second.shape[1]} wide; expected runs of the same width")
    if not len(first) or not len(second):
        raise InputError("one of the autoencoders has no live latents; expected two that have some")
    from scipy.optimize import linear_sum_assignment

    cosines = unit_rows(first) @ unit_rows(second).T
    rows, columns = linear_sum_assignment(cosines.cpu().numpy(), maximize=True)
    paired = cosines[torch.from_numpy(rows), torch.from_numpy(columns)]
    return Likeness(
        mmcs=float(cosines.amax(dim=1).mean()),
        mmcs_back=float(cosines.amax(dim=0).mean()),
        mcc=float(paired.mean()),
        n_pairs=len(rows),
    )


def unit_rows(directions: Tensor) -> Tensor:
    """Rows brought to unit norm, float32; a row of 0 stays."""
    return directions.float() / directions.float().norm(dim=1, keepdim=True).clamp_min(1e-12)
