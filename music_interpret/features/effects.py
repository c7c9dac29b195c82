"""Effects: what a latent's decoder direction adds to the logits of the next token directly.

Direct logit attribution (Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021): the decoder row,
less its mean where the final norm subtracts the mean, times the norm's weight over its typical scale, times a field's
head, less the mean over the field's values, for softmax does not see it. For one unit of activation; layers in between
are passed over. The typical scale is the root mean variance (without a mean: mean square) of what the norm reads, over
some songs.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from music_interpret.activations.store import ActivationSet
from music_interpret.models.loaded import LoadedModel, Unembedding

SCALE_SONGS = 8
"""Songs that give the final norm's typical scale."""


class Effects(NamedTuple):
    """What latents do to the model's output."""

    values: np.ndarray
    """Effect of one unit of each latent on the logit of each value of each field, float16 (d_sae, Σ sizes)."""
    fields: tuple[str, ...]
    """Names of the token's fields, whose values follow each other."""
    sizes: tuple[int, ...]
    """How many values of each field the model knows."""

    def by_field(self, latent: int) -> dict[str, np.ndarray]:
        """One latent's effects on the values of each field, float32."""
        edges = np.cumsum(self.sizes)[:-1]
        parts = np.split(self.values[latent].astype(np.float32), edges)
        return dict(zip(self.fields, parts, strict=True))


@torch.inference_mode()
def effects_of(decoder: Tensor, model: LoadedModel, activations: ActivationSet) -> Effects:
    """Effects of all latents.

    Args:
        decoder: decoder rows, float32 (d_sae, d_model).
        model: that the autoencoder is of.
        activations: whose songs give the final norm's scale.
    """
    blocks = direct_effects(decoder, model.unembedding, typical_scale(model, activations))
    values = torch.cat(blocks, dim=1).cpu().numpy().astype(np.float16)
    return Effects(values, model.scheme.field_names, tuple(block.shape[1] for block in blocks))


def direct_effects(directions: Tensor, unembedding: Unembedding, scale: float) -> list[Tensor]:
    """What directions in the residual stream add to logits, with the final norm's scale held at a value.

    Args:
        directions: float32 (n, d_model).
        unembedding: the model's.
        scale: what the norm divides by.

    Returns:
        For each field, float32 (n, n values), of mean 0 over the values.
    """
    gain = unembedding.weight.float() / scale
    seen = directions - directions.mean(dim=1, keepdim=True) if unembedding.takes_mean else directions
    blocks = [(seen * gain) @ head.weight.float().T for head in unembedding.heads]
    return [block - block.mean(dim=1, keepdim=True) for block in blocks]


def typical_scale(model: LoadedModel, activations: ActivationSet) -> float:
    """Root mean variance (or mean square) of what the final norm reads, over some songs."""
    table, found = activations.songs, []
    device = next(model.module.parameters()).device
    for song in np.unique(np.linspace(0, len(table.names) - 1, SCALE_SONGS).astype(int)).tolist():
        first, n = int(table.first_token[song]), int(table.n_tokens[song])
        tokens = torch.from_numpy(np.asarray(activations.tokens[first : first + n], np.int64))[None].to(device)
        x = model.recorded(tokens, [model.unembedding.site])[model.unembedding.site].float()
        squares = x.var(dim=-1, unbiased=False) if model.unembedding.takes_mean else x.square().mean(dim=-1)
        found.append(float(squares.mean()))
    return float(np.sqrt(np.mean(found)))
