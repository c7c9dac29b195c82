"""What a training step is asked for and what it gives back, the same for every architecture."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from music_interpret.sae.parameters import Parameters


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a loss is made of, besides the squared error; the defaults are those of `TrainConfig`."""

    alpha: float
    """Weight of the sparsity penalty against the squared error (averaged over dimensions)."""
    k: float
    """Latents that fire on a token: exactly (topk), on average (batchtopk, matryoshka), as a target (jumprelu)."""
    by_decoder_norm: bool
    """Whether the penalty weighs each latent by the norm of its decoder row."""
    prefixes: tuple[int, ...]
    """Numbers of latents that reconstruct on their own (matryoshka), growing to d_sae."""
    bandwidth: float
    """Width of the window around a threshold from which its gradient comes (jumprelu)."""
    dtype: torch.dtype
    """Precision of the dense matrix products; parameters, errors and sums stay float32."""

    def at(self, sparsity: float) -> "Objective":
        """The objective while the sparsity warms up: `sparsity` rises from 0 to 1.

        A penalty grows with it; a number of latents, which is the other way about, falls to k from four times as many.
        """
        return replace(self, alpha=self.alpha * sparsity, k=self.k * (4 - 3 * sparsity))


class Scratch:
    """Memory that a trainer's steps write pre-activations to, over and over: fresh memory of that size costs a CPU a
    fifth of the product's time. One for each trainer, since steps of two threads must not share it.
    """

    def __init__(self) -> None:
        self._memory = torch.empty(0)

    def take(self, shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Memory of undefined content, valid until the next call."""
        if (self._memory.shape, self._memory.dtype, self._memory.device) != (shape, dtype, device):
            self._memory = torch.empty(shape, dtype=dtype, device=device)
        return self._memory


class Step(NamedTuple):
    """What one batch gives."""

    loss: Tensor
    """What is minimised, scalar."""
    parts: dict[str, Tensor]
    """Its parts by name, scalars: `mse`, the mean over tokens and dimensions of (x̂ − x)², and what else there is."""
    error: Tensor
    """x̂ − x, float32 (batch, d_in)."""
    counts: Tensor
    """On how many tokens of the batch each latent fired, integers (d_sae,)."""
    gradients: Parameters
    """Gradients of the loss for each trained parameter, float32."""
    input_gradient: Tensor | None = None
    """Gradient of the loss with respect to x, (batch, d_in), where asked for."""
    threshold: Tensor | None = None
    """The smallest value that was let through, scalar (batchtopk, matryoshka)."""
