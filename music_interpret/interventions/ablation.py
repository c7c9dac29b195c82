"""Ablation: what the model loses when some latents are set to 0."""

from collections.abc import Sequence

import torch
from torch import Tensor

from music_interpret.activations.site_rows import SiteRows
from music_interpret.interventions.edits import Change
from music_interpret.interventions.loss_recovered import PatchedLosses, patched_losses
from music_interpret.models.loaded import LoadedModel
from music_interpret.models.site import Site
from music_interpret.music.dataset import Split
from music_interpret.sae.autoencoder import SparseAutoencoder

ABLATED = "ablated"


def without(autoencoder: SparseAutoencoder, latents: Sequence[int]) -> Change:
    """The change that subtracts what some latents add: x − Σ zᵢ W_dec,i. What the autoencoder leaves over stays."""
    chosen = torch.tensor(list(latents), dtype=torch.int64, device=autoencoder.W_dec.device)

    def change(x: Tensor, tokens: Tensor) -> Tensor:
        return x - autoencoder.encode(x, tokens)[:, chosen] @ autoencoder.W_dec[chosen]

    return change


def ablated_losses(
    model: LoadedModel,
    autoencoder: SparseAutoencoder,
    site: Site,
    rows: SiteRows,
    latents: Sequence[int],
    split: Split,
    batch_tokens: int,
) -> PatchedLosses:
    """Losses of the model on a split's songs with some latents set to 0, alongside the clean model's.

    Args:
        model: on the device of the rows.
        autoencoder: of the site, on the same device.
        site: where it reads and writes.
        rows: the site's activations.
        latents: their numbers.
        split: of the songs to measure on.
        batch_tokens: tokens that go through the model at a time.
    """
    changes = {ABLATED: without(autoencoder, latents)}
    return patched_losses(model, site, rows.songs(split, batch_tokens), rows.mean, changes)[ABLATED]
