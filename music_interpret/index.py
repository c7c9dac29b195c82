"""Stage: one pass over a site's activations that ties every latent of a run to the tokens that fire it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from music_interpret import __version__, files
from music_interpret.config import CheckedConfig, PositiveInt, positional
from music_interpret.features import index as feature_index
from music_interpret.models.device import DeviceName
from music_interpret.runs.run import Run, open_run


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
    run = open_run(config.run, config.device)
    autoencoder, activations = run.sae, run.activations
    which = {"layer": run.site.layer} if run.site.layer is not None else {"site": run.site.name}
    meta = {"music_interpret": __version__, "sae_sha256": run.sae_sha256} | which | activations.identity
    folder = run.folder / feature_index.FOLDER
    with files.locked(run.folder, "this run"):
        feature_index.build(folder, _chunks(run, config.batch_tokens), autoencoder.d_sae, activations.n_tokens, meta)
    index = run.index
    live = int((index.statistics.density > 0).sum())
    print(
        f"index: {len(index.values):,} firings of {live:,} live latents ({index.d_sae:,} in all) "
        f"on {activations.n_tokens:,} tokens → {folder}"
    )
    return folder


def _chunks(run: Run, batch_tokens: int) -> Iterator[feature_index.Chunk]:
    activations, autoencoder, site = run.activations, run.sae, run.activations.site(run.site)
    bar = tqdm(total=activations.n_tokens, desc="index", unit="token", unit_scale=True)
    with bar, torch.inference_mode():
        for first in range(0, activations.n_tokens, batch_tokens):
            last = min(first + batch_tokens, activations.n_tokens)
            rows = torch.tensor(site.read(first, last), device=run.device).float()
            tokens = None
            if autoencoder.baseline is not None:
                tokens = torch.tensor(activations.tokens[first:last], device=run.device)
            yield feature_index.Chunk.of(first, autoencoder.encode(rows, tokens).cpu().numpy())
            bar.update(len(rows))


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("index")
