"""The table of architectures: how each starts, what a step computes, and as what it is saved."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

from torch import Tensor

from music_interpret.sae import gated, jumprelu, relu, topk
from music_interpret.sae.objective import Step
from music_interpret.sae.parameters import Parameters

ArchitectureName = Literal["relu", "gated", "topk", "batchtopk", "jumprelu", "matryoshka"]
SavedKind = Literal["standard", "gated", "topk", "jumprelu"]


class Architecture(NamedTuple):
    """An encoder function and a loss."""

    initial: Callable[..., Parameters]
    """Initial parameters from d_in, d_sae, encoder_bias, encoder_scale and a generator."""
    step: Callable[..., Step]
    """Loss and gradients of a batch: parameters, x, objective, input_gradient, and scratch memory, which only sparse
    steps use."""
    saved_as: SavedKind
    """The kind, by SAELens's names, that computes the same once it is trained."""
    knobs: tuple[Literal["alpha", "k"], ...]
    """What sets its sparsity; the first is what a sweep varies."""
    bias: str = "b_enc"
    """The bias that decides whether a latent fires."""


ARCHITECTURES: dict[ArchitectureName, Architecture] = {
    "relu": Architecture(relu.initial, relu.step, "standard", ("alpha",)),
    "gated": Architecture(gated.initial, gated.step, "gated", ("alpha",), "b_gate"),
    "topk": Architecture(topk.initial, topk.step, "topk", ("k",)),
    "batchtopk": Architecture(topk.initial_batch, topk.step, "jumprelu", ("k",)),
    "jumprelu": Architecture(jumprelu.initial, jumprelu.step, "jumprelu", ("k", "alpha")),
    "matryoshka": Architecture(topk.initial_batch, topk.step, "jumprelu", ("k",)),
}
assert tuple(ARCHITECTURES) == get_args(ArchitectureName)

# Latents (n, d_sae) of activations (n, d_in); the last argument is TopK's k.
ENCODERS: dict[SavedKind, Callable[[Parameters, Tensor, int], Tensor]] = {
    "standard": relu.encode,
    "gated": gated.encode,
    "topk": topk.encode,
    "jumprelu": jumprelu.encode,
}
TENSORS: dict[SavedKind, tuple[str, ...]] = {
    "standard": ("W_enc", "b_enc", "W_dec", "b_dec"),
    "gated": ("W_enc", "b_gate", "b_mag", "r_mag", "W_dec", "b_dec"),
    "topk": ("W_enc", "b_enc", "W_dec", "b_dec"),
    "jumprelu": ("W_enc", "b_enc", "threshold", "W_dec", "b_dec"),
}
