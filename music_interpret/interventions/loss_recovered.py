"""What a reconstruction costs the model: its losses with x̂ in place of x at a site.

For each batch of songs the model runs with each thing that is put there: x itself (clean), reconstructions, the train
songs' mean activation (mean ablation) and 0 (zero ablation). For each of the token's fields and for their sum, over
all real tokens that have one before them:

- loss: cross-entropy of the next token in nats;
- KL: Kullback–Leibler divergence from the clean model's prediction to that with x̂, in nats. Heads predict fields
  independently, so the sum over fields is the divergence of whole tokens;
- recovered: (L_ablated − L_x̂) / (L_ablated − L_clean), 1 if nothing is lost, 0 if no better than the ablation.

Loss recovered against zero ablation is from Bricken et al., "Towards Monosemanticity", 2023. A residual stream of 0 is
something that the model has never seen, on which it does worse than on a typical constant; so that fraction flatters,
and the one against the mean activation is the one to read first.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from music_interpret.activations.song_batches import PaddedTokens
from music_interpret.interventions.edits import Change, Edit, constant, keep, logits_with, zero
from music_interpret.models.loaded import LoadedModel
from music_interpret.models.site import Site

CLEAN, MEAN_ABLATION, ZERO_ABLATION = "clean", "mean_ablation", "zero_ablation"
TOTAL = "total"


class PatchedLosses(NamedTuple):
    """Losses with something in place of what is at a site; for each field and `total`, in nats per token."""

    loss: dict[str, float]
    """Cross-entropy of the next token."""
    over_clean: dict[str, float]
    """How much more that is than the clean model's."""
    kl: dict[str, float]
    """Divergence from the clean model's predictions."""
    recovered_mean: dict[str, float | None]
    """Fraction of what mean ablation loses that is not lost; None where it loses nothing."""
    recovered_zero: dict[str, float | None]
    """The same against zero ablation."""


@torch.inference_mode()
def patched_losses(
    model: LoadedModel,
    site: Site,
    batches: Iterable[PaddedTokens],
    mean: Tensor,
    reconstructions: Mapping[str, Change],
) -> dict[str, PatchedLosses]:
    """Losses of the clean model, with each reconstruction, and with mean and zero ablation, by name.

    Args:
        model: on the device that everything else is on.
        site: whose activations are replaced.
        batches: the songs to measure on.
        mean: of the site's activations over the train songs, float32 (width,).
        reconstructions: what is put in the activations' place, by name.
    """
    changes = {CLEAN: keep, **reconstructions, MEAN_ABLATION: constant(mean), ZERO_ABLATION: zero}
    n_tokens, fields = 0, model.scheme.field_names
    losses = {name: torch.zeros(len(fields), dtype=torch.float64) for name in changes}
    divergences = {name: torch.zeros(len(fields), dtype=torch.float64) for name in changes}
    for batch in batches:
        recorded = model.recorded(batch.tokens, [site])[site]
        real = batch.mask[:, 1:]
        targets = batch.tokens[:, 1:][real]
        n_tokens += len(targets)
        clean: list[Tensor] = []
        for name, change in changes.items():
            logits = logits_with(model, batch, Edit(site, change), recorded)
            predictions = [F.log_softmax(field[:, :-1][real].float(), dim=-1) for field in logits]
            clean = clean or predictions
            losses[name] += _cross_entropies(predictions, targets)
            divergences[name] += _divergences(clean, predictions)
    by_name = {name: _by_field(loss / n_tokens, fields) for name, loss in losses.items()}
    kl_by_name = {name: _by_field(divergence / n_tokens, fields) for name, divergence in divergences.items()}
    return {name: _compared(by_name[name], kl_by_name[name], by_name) for name in changes}


def _cross_entropies(predictions: list[Tensor], targets: Tensor) -> Tensor:
    """Summed negative log-probabilities of each field's targets, float64 (n_fields,)."""
    columns = [-field.gather(1, targets[:, i, None]).sum(dtype=torch.float64) for i, field in enumerate(predictions)]
    return torch.stack(columns).cpu()


def _divergences(clean: list[Tensor], predictions: list[Tensor]) -> Tensor:
    """Summed KL divergences of each field, float64 (n_fields,)."""
    pairs = zip(clean, predictions, strict=True)
    return torch.stack([(p.exp() * (p - q)).sum(dtype=torch.float64) for p, q in pairs]).cpu()


def _by_field(values: Tensor, fields: Sequence[str]) -> dict[str, float]:
    return {TOTAL: float(values.sum())} | dict(zip(fields, values.tolist(), strict=True))


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
