"""Stage: one pass over a layer's activations that ties every latent of a run to the tokens that fire it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from music_interpret import __version__, files, paths
from music_interpret.activations.store import ActivationSet, LayerActivations
from music_interpret.config import CheckedConfig, PositiveInt, positional
from music_interpret.features import index as feature_index
from music_interpret.features.run import open_activations, read_training_args
from music_interpret.models.device import DeviceName, pick_device
from music_interpret.sae.autoencoder import SparseAutoencoder


@dataclass(frozen=True, kw_only=True)
class IndexConfig(CheckedConfig):
    """Index which tokens fire which latents of a trained run, for all latents and all songs."""

    run: str = positional()
    """Run folder `reports/<series>/<experiment>/layer_007`; `reports/` and an only layer may be left out."""
    batch_tokens: PositiveInt = 4096
    """Tokens encoded at a time."""
    device: DeviceName = "auto"
    """Where latents are computed; auto takes a GPU if there is one, cuda:1 the second GPU."""


def build_index(config: IndexConfig) -> Path:
    """Run the stage and return the index folder.

    Raises:
        InputError: no such run, an unfinished one, or activations that are not those it was trained on.
    """
    run = paths.find_run(config.run)
    args = read_training_args(run)
    autoencoder = SparseAutoencoder.load(run / "sae")
    activations = open_activations(run, args)
    layer = activations.layer(int(args["arguments"]["layer"]))
    folder = run / "features"
    meta = {
        "music_interpret": __version__,
        "sae_sha256": files.sha256(run / "sae" / "sae_weights.safetensors"),
        "layer": layer.meta["layer"],
    } | activations.identity
    with files.locked(run, "this run"):
        chunks = _chunks(config, activations, layer, autoencoder)
        feature_index.build(folder, chunks, autoencoder.d_sae, activations.n_tokens, meta)
    index = feature_index.open_index(run, activations)
    live = int((index.statistics.density > 0).sum())
    print(
        f"index: {len(index.values):,} firings of {live:,} live latents ({index.d_sae:,} in all) "
        f"on {activations.n_tokens:,} tokens → {folder}"
    )
    return folder


def _chunks(
    config: IndexConfig, activations: ActivationSet, layer: LayerActivations, autoencoder: SparseAutoencoder
) -> Iterator[feature_index.Chunk]:
    device = pick_device(config.device)
    autoencoder.to(device)
    bar = tqdm(total=activations.n_tokens, desc="index", unit="token", unit_scale=True)
    with bar, torch.inference_mode():
        for first in range(0, activations.n_tokens, config.batch_tokens):
            last = min(first + config.batch_tokens, activations.n_tokens)
            rows = layer.read(first, last)
            codes = None if autoencoder.baseline is None else torch.tensor(activations.codes[first:last], device=device)
            z = autoencoder.encode(torch.tensor(rows, device=device).float(), codes)
            yield feature_index.Chunk.of(first, z.cpu().numpy())
            bar.update(len(rows))


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("index")
