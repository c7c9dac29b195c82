"""Autoencoders of every saved kind with random weights, and raw activations as layers of a transformer have them: each
dimension with a mean and a scale of its own.
"""

from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from music_interpret.activations.normalization import Normalization
from music_interpret.sae.architectures import SavedKind
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.objective import Objective
from music_interpret.sae.parameters import fold_normalization
from music_interpret.sae.token_baseline import TokenBaseline
from music_interpret.sae.training import Hyperparameters

KINDS: tuple[SavedKind, ...] = get_args(SavedKind)
SIZES = (5, 9, 4, 7, 6, 3)
EDGE = 1e-4


class Case(NamedTuple):
    """An autoencoder and what it is tried on."""

    autoencoder: SparseAutoencoder
    x: Tensor
    """Raw activations, float32 (n, d_in), none so near to an edge that rounding decides which latents fire."""
    codes: Tensor
    """Codes of the tokens, int64 (n, 6)."""


def case(
    kind: SavedKind, *, d_in: int = 48, d_sae: int = 160, k: int = 8, n: int = 300, seed: int = 0, context: bool = False
) -> Case:
    """An autoencoder whose latents were random directions of normalised activations, with that folded in."""
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    mean, std = rng.normal(0, 1.5, d_in).astype(np.float32), rng.lognormal(0, 0.5, d_in).astype(np.float32)
    normalization = Normalization("zscore", mean, 1 / std, mean)
    W_dec = torch.nn.functional.normalize(normal(d_sae, d_in))
    parameters = {"W_enc": W_dec.T + 0.02 * normal(d_in, d_sae), "W_dec": W_dec, "b_dec": 0.1 * normal(d_in)}
    parameters |= {"b_enc": 0.2 * normal(d_sae) - 0.5, "threshold": 0.8 * torch.rand(d_sae, generator=generator)}
    if kind == "gated":
        parameters |= {"b_gate": parameters.pop("b_enc"), "b_mag": 0.1 * normal(d_sae), "r_mag": 0.3 * normal(d_sae)}
    if kind != "jumprelu":
        parameters.pop("threshold")
    shift, spread = torch.from_numpy(mean), torch.from_numpy(std)
    codes = torch.stack([torch.randint(size, (n,), generator=generator) for size in SIZES], dim=1)
    table = shift / len(SIZES) + spread * normal(sum(SIZES), d_in)
    baseline = TokenBaseline(table, SIZES) if context else None
    x = spread * normal(n, d_in) + (shift if baseline is None else baseline(codes))
    autoencoder = SparseAutoencoder(
        kind,
        fold_normalization(parameters, normalization, shifted=not context),
        k=k if kind == "topk" else 0,
        baseline=baseline,
        metadata={"layer": 3, "data_repr": "ape", "dataset_name": "sod"},
    )
    seen = x if baseline is None else x - baseline(codes)
    kept = _away_from_edges(autoencoder, seen)
    return Case(autoencoder, x[kept], codes[kept])


def objective(**given: Any) -> Objective:
    """An objective; what is not given plays no part."""
    unused = {"alpha": 0.0, "k": 0.0, "by_decoder_norm": False, "prefixes": (), "bandwidth": 0.0}
    return Objective(**(unused | {"dtype": torch.float32} | given))


def hyperparameters(**given: Any) -> Hyperparameters:
    """Hyperparameters; what is not given plays no part."""
    schedule = {"lr_warmup": 0.0, "lr_decay": 0.0, "sparsity_warmup": 0.0}
    unused = {"decoder_bias": True, "clip_norm": 0.0, "aux_weight": 0.0, "window_tokens": 10**9}
    return Hyperparameters(**(schedule | unused | given))


def _away_from_edges(autoencoder: SparseAutoencoder, x: Tensor) -> Tensor:
    parameters = {name: tensor.double() for name, tensor in autoencoder.parameters_by_name.items()}
    before = x.double() @ parameters["W_enc"] + parameters.get("b_enc", parameters.get("b_gate", torch.zeros(())))
    if autoencoder.kind == "topk" and autoencoder.k < autoencoder.d_sae:
        largest = before.topk(autoencoder.k + 1).values
        return largest[:, -2] - largest[:, -1] > EDGE
    return ((before - parameters.get("threshold", 0)).abs() > EDGE).all(dim=1)


def assert_close(found: Tensor, right: Tensor, tolerance: float = 1e-5) -> None:
    """No number off by more than `tolerance` times the root mean square of what is right and not 0."""
    scale = right[right != 0].double().square().mean().sqrt()
    error = float((found.double() - right.double()).abs().max() / scale)
    assert error <= tolerance, f"off by {error:.2e} of the root mean square {scale:.3g}"


def assert_same(first: SparseAutoencoder, second: SparseAutoencoder) -> None:
    """Bit for bit the same autoencoder."""
    assert (first.kind, first.k) == (second.kind, second.k)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    assert (first.baseline and first.baseline.sizes) == (second.baseline and second.baseline.sizes)
