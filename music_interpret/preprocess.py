"""Stage: statistics of a site's activations, from which normalisation follows.

One streaming pass in float64 over the train songs. Activations are not copied: later stages normalise on the fly, and
a saved sparse autoencoder has it folded into its weights.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from music_interpret import files, paths
from music_interpret.activations.normalization import (
    Normalization,
    NormalizationKind,
    save_normalization,
    stream_statistics,
)
from music_interpret.activations.store import SiteActivations, check_shards, made_from, open_set, shard_path
from music_interpret.config import CheckedConfig, FolderName, NonNegativeInt, positional
from music_interpret.errors import InputError
from music_interpret.models.site import chosen_sites

CHUNK_TOKENS = 16384


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig(CheckedConfig):
    """Take the statistics that normalise a site's activations."""

    dataset_name: FolderName = positional()
    """Folder of the data set under data/base/ (with or without _notes)."""
    data_repr: FolderName = positional()
    """Folder of the model under `models/<dataset_name>/`."""
    layers: tuple[NonNegativeInt, ...] | None = None
    """Layers to take statistics of; they must have been extracted."""
    sites: tuple[str, ...] | None = None
    """Sites by name, such as mlp_out.2, alongside or in place of --layers."""
    normalization: NormalizationKind = "zscore"
    """zscore: zero mean and unit variance in each dimension; scalar: one factor that makes the mean norm √d_model;
    none.
    """
    materialize: bool = False
    """Also write the normalised activations as processed/shard_*.npy in each site's folder, for other tools; no stage
    here reads them.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        chosen_sites(self.layers, self.sites)


def preprocess(config: PreprocessConfig) -> None:
    """Run the stage.

    Raises:
        InputError: activations missing, unfinished or damaged, or no train songs.
    """
    folder = paths.activations_folder(config.dataset_name, config.data_repr)
    activations = open_set(folder, config.dataset_name, config.data_repr)
    sites = [activations.site(site) for site in chosen_sites(config.layers, config.sites)]
    spans = activations.songs.spans("train")
    if not len(spans):
        raise InputError(f"{folder} has no train songs to take statistics of; add songs or change the name lists")
    for site in sites:
        what = f"statistics of {site.site.title}"
        with tqdm(total=int(np.diff(spans).sum()), desc=what, unit="token", unit_scale=True) as bar:
            statistics = stream_statistics(_chunks(site, spans, bar))
        check_shards(site)  # right after, when most of it is still in memory
        save_normalization(site.folder, config.normalization, statistics, made_from(activations, site))
        if config.materialize:
            _materialize(site, Normalization.of(config.normalization, statistics))
        print(
            f"{site.site.title}: {config.normalization} from {statistics.n_tokens:,} train tokens, "
            f"mean norm {statistics.mean_norm:.3f} → {site.folder / 'normalization.json'}"
        )


def _chunks(site: SiteActivations, spans: np.ndarray, bar: tqdm) -> Iterator[np.ndarray]:
    for start, stop in spans:
        for first in range(start, stop, CHUNK_TOKENS):
            chunk = site.read(first, min(first + CHUNK_TOKENS, stop))
            yield chunk
            bar.update(len(chunk))


def _materialize(site: SiteActivations, normalization: Normalization) -> None:
    """Write every shard normalised, in the site's own dtype."""
    shutil.rmtree(site.folder / "processed", ignore_errors=True)
    try:
        with tqdm(site.shards, "materialize", unit="shard") as shards:
            for number, shard in enumerate(shards):
                _write_shard(shard_path(site.folder, number, "processed"), shard, normalization)
    except BaseException:
        shutil.rmtree(site.folder / "processed", ignore_errors=True)
        raise


def _write_shard(path: Path, shard: np.ndarray, normalization: Normalization) -> None:
    with files.atomic_write(path) as file:
        header = {"descr": shard.dtype.str, "fortran_order": False, "shape": shard.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for first in range(0, len(shard), CHUNK_TOKENS):
            rows = normalization.apply(shard[first : first + CHUNK_TOKENS])
            file.write(rows.astype(shard.dtype).tobytes())


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("preprocess")
