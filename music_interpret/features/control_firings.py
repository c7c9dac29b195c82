"""What labels have to beat: how other directions than a run's latents fire on the same activations.

- raw neurons: each coordinate of x − E x, above 0 and below 0 as two latents;
- context neurons: the same of what the token baseline leaves of x, for a run that has one;
- PCA: each principal component, above and below 0;
- untrained: the run's tied random start, with as many latents firing per token as the run's (`sae/controls.py`).

An autoencoder of the re-initialised model is one more; it is a run of its own (`reinitialised.py`).
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from music_interpret.activations.batches import sequential_batches
from music_interpret.activations.site_rows import SiteRows
from music_interpret.features.firings import Firings
from music_interpret.features.index import Chunk
from music_interpret.sae import controls
from music_interpret.sae.autoencoder import SparseAutoencoder

BATCH_TOKENS = 4096
Encode = Callable[[Tensor, Tensor], Tensor]
"""From activations (n, d) and tokens (n, n_fields) to latents (n, n_latents), 0 where they do not fire."""


@torch.inference_mode()
def firings_of(rows: SiteRows, encode: Encode, n_latents: int, spans: np.ndarray) -> Firings:
    """How latents fire on spans (start, stop) of token rows of a site's activations."""

    def chunks() -> Iterator[Chunk]:
        for first, last, x in sequential_batches(rows.site, spans, BATCH_TOKENS):
            tokens = torch.from_numpy(np.array(rows.activations.tokens[first:last])).to(rows.device)
            yield Chunk.of(first, encode(x.to(rows.device).float(), tokens).cpu().numpy())

    return Firings.of_chunks(chunks(), n_latents)


def both_signs(values: Tensor) -> Tensor:
    """What is above 0 and what is below, (n, d) → (n, 2 d)."""
    return torch.cat([values, -values], dim=1).relu_()


def control_encoders(
    rows: SiteRows, autoencoder: SparseAutoencoder, *, l0: float, seed: int
) -> Iterator[tuple[str, Encode, int]]:
    """Name, encoder and number of latents of each control, made as it is asked for.

    Args:
        rows: what the autoencoder was trained on.
        autoencoder: the run's.
        l0: its number of latents firing per token.
        seed: of the run.
    """
    mean, width = rows.mean, autoencoder.d_in
    yield "neurons", lambda x, _: both_signs(x - mean), 2 * width
    baseline = autoencoder.baseline
    if baseline is not None:
        yield "context_neurons", lambda x, tokens: both_signs(x - baseline(tokens)), 2 * width
    directions = controls.pca(rows.fitting_rows(), mean, width).directions
    yield "pca", lambda x, _: both_signs((x - mean) @ directions.T), 2 * width
    d_sae = autoencoder.d_sae
    k = controls.coefficients_for(l0, d_sae)
    start = controls.untrained(rows.fitting_rows(), mean, rows.scale, d_sae, k, seed)
    yield "untrained", start.encode, d_sae
