"""What a reconstruction costs the model: its losses with x̂ in place of x at a layer.

The model runs up to the layer once for each batch of songs; what comes after the layer then runs for each thing that is
put there: x itself (clean), reconstructions, the train songs' mean activation (mean ablation) and 0 (zero ablation).
For each of the six fields and for their sum, over all real tokens that have one before them:

- loss: cross-entropy of the next token in nats;
- KL: Kullback–Leibler divergence from the clean model's prediction to that with x̂, in nats. Heads predict fields
  independently, so the sum over fields is the divergence of whole tokens;
- recovered: (L_ablated − L_x̂) / (L_ablated − L_clean), 1 if nothing is lost, 0 if no better than the ablation.

Loss recovered against zero ablation is from Bricken et al., "Towards Monosemanticity", 2023. A residual stream of 0 is
something that the model has never seen, on which it does worse than on a typical constant; so that share flatters, and
the one against the mean activation is the one to read first.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from music_interpret.activations.hooks import record
from music_interpret.activations.song_batches import PaddedCodes
from music_interpret.models.loaded import LoadedModel
from music_interpret.music.encoding import FIELDS

CLEAN, MEAN_ABLATION, ZERO_ABLATION = "clean", "mean_ablation", "zero_ablation"
TOTAL = "total"
Reconstruction = Callable[[Tensor, Tensor], Tensor]
"""Activations of some tokens, float32 (n, d_model), and their codes, int64 (n, 6), to what is put in their place."""


class PatchedLosses(NamedTuple):
    """Losses with something in place of a layer's output; for each field and `total`, in nats per token."""

    loss: dict[str, float]
    """Cross-entropy of the next token."""
    over_clean: dict[str, float]
    """How much more that is than the clean model's."""
    kl: dict[str, float]
    """Divergence from the clean model's predictions."""
    recovered_mean: dict[str, float | None]
    """Share of what mean ablation loses that is not lost; None where it loses nothing."""
    recovered_zero: dict[str, float | None]
    """The same against zero ablation."""


@torch.inference_mode()
def patched_losses(
    model: LoadedModel,
    layer: int,
    batches: Iterable[PaddedCodes],
    mean: Tensor,
    reconstructions: Mapping[str, Reconstruction],
) -> dict[str, PatchedLosses]:
    """Losses of the clean model, with each reconstruction, and with mean and zero ablation, by name.

    Args:
        model: on the device that everything else is on.
        layer: whose output is replaced.
        batches: the songs to measure on.
        mean: of the layer's activations over the train songs, float32 (d_model,).
        reconstructions: what is put in the layer's place, by name.
    """
    patches: dict[str, Reconstruction] = {
        CLEAN: lambda x, _: x,
        **reconstructions,
        MEAN_ABLATION: lambda x, _: mean.expand_as(x),
        ZERO_ABLATION: lambda x, _: torch.zeros_like(x),
    }
    n_tokens = 0
    losses = {name: torch.zeros(len(FIELDS), dtype=torch.float64) for name in patches}
    divergences = {name: torch.zeros(len(FIELDS), dtype=torch.float64) for name in patches}
    for batch in batches:
        with record({layer: model.layers[layer]}) as outputs:
            model.module(batch.codes)
        real = batch.mask[:, 1:]
        targets = batch.codes[:, 1:][real]
        n_tokens += len(targets)
        clean: list[Tensor] = []
        for name, patch in patches.items():
            logits = model.continue_from(layer, _patched(outputs[layer], batch, patch))
            predictions = [F.log_softmax(field[:, :-1][real].float(), dim=-1) for field in logits]
            clean = clean or predictions
            losses[name] += _cross_entropies(predictions, targets)
            divergences[name] += _divergences(clean, predictions)
    by_name = {name: _by_field(loss / n_tokens) for name, loss in losses.items()}
    kl_by_name = {name: _by_field(divergence / n_tokens) for name, divergence in divergences.items()}
    return {name: _compared(by_name[name], kl_by_name[name], by_name) for name in patches}


def _patched(x: Tensor, batch: PaddedCodes, patch: Reconstruction) -> Tensor:
    """The layer's output with the real tokens' activations replaced; padding, which they never see, stays."""
    result = x.clone()
    result[batch.mask] = patch(x[batch.mask], batch.codes[batch.mask]).to(x.dtype)
    return result


def _cross_entropies(predictions: list[Tensor], targets: Tensor) -> Tensor:
    """Summed negative log-probabilities of each field's targets, float64 (6,)."""
    columns = [-field.gather(1, targets[:, i, None]).sum(dtype=torch.float64) for i, field in enumerate(predictions)]
    return torch.stack(columns).cpu()


def _divergences(clean: list[Tensor], predictions: list[Tensor]) -> Tensor:
    """Summed KL divergences of each field, float64 (6,)."""
    pairs = zip(clean, predictions, strict=True)
    return torch.stack([(p.exp() * (p - q)).sum(dtype=torch.float64) for p, q in pairs]).cpu()


def _by_field(values: Tensor) -> dict[str, float]:
    return {TOTAL: float(values.sum())} | dict(zip(FIELDS, values.tolist(), strict=True))


def _compared(loss: dict[str, float], kl: dict[str, float], by_name: Mapping[str, dict[str, float]]) -> PatchedLosses:
    clean = by_name[CLEAN]
    return PatchedLosses(
        loss=loss,
        over_clean={field: loss[field] - clean[field] for field in loss},
        kl=kl,
        recovered_mean=recovered(loss, clean, by_name[MEAN_ABLATION]),
        recovered_zero=recovered(loss, clean, by_name[ZERO_ABLATION]),
    )


def recovered(
    loss: Mapping[str, float], clean: Mapping[str, float], ablated: Mapping[str, float]
) -> dict[str, float | None]:
    """(L_ablated − L) / (L_ablated − L_clean) of each field; None where the ablation does not raise the loss."""
    gaps = {field: ablated[field] - clean[field] for field in loss}
    return {field: (ablated[field] - loss[field]) / gap if gap > 0 else None for field, gap in gaps.items()}
