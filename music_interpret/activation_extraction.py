"""Stage: record what a model computes at some of its sites on every token of every song.

Songs are encoded once, which fixes each token's row; shards are laid out at full size; then length-bucketed batches run
through the model up to the deepest site asked for and write their rows in place. A journal marks finished batches after
their rows are on disk, so a killed run goes on where it was and ends with the same bytes.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

from music_interpret import files, paths
from music_interpret.activations import store
from music_interpret.activations.layout import lay_out, new_manifest
from music_interpret.activations.song_batches import SongBatch, padded_tokens, plan_batches
from music_interpret.activations.songs import SongTable
from music_interpret.config import CheckedConfig, FolderName, NonNegativeInt, PositiveInt, positional
from music_interpret.errors import InputError
from music_interpret.memory import return_free_memory
from music_interpret.models.device import DeviceName, pick_device
from music_interpret.models.families.find import Loader, load_model
from music_interpret.models.loaded import LoadedModel
from music_interpret.models.site import Site, chosen_sites
from music_interpret.music.dataset import Dataset, open_dataset
from music_interpret.music.duplicate_groups import read_groups, separated

TRIM_EVERY = 16
"""Batches between two returns of free memory; at this number their cost is lost in the noise."""


@dataclass(frozen=True, kw_only=True)
class ExtractionConfig(CheckedConfig):
    """Record what the model computes on every token of a data set."""

    dataset_name: FolderName = positional()
    """Folder of the data set under data/base/ (with or without _notes) and of its models under models/."""
    data_repr: FolderName = positional()
    """Folder of the model under `models/<dataset_name>/`: ape, rpe, npe or your own."""
    layers: tuple[NonNegativeInt, ...] | None = None
    """Sublayers whose residual stream is recorded: even = after attention, odd = after feed-forward."""
    sites: tuple[str, ...] | None = None
    """Sites by name, alongside or in place of --layers: resid_mid.3, resid_post.3, attn_out.3, mlp_out.3, or the dotted
    path of any module of the model.
    """
    dtype: Literal["float16", "float32"] = "float16"
    """dtype on disk."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """dtype of the model's matrix products."""
    batch_tokens: PositiveInt = 4096
    """Tokens that a batch may hold, padding included; part of what fixes the bytes."""
    shard_tokens: PositiveInt = 131072
    """Rows of one shard file."""
    device: DeviceName = "auto"
    """Where the model runs; auto takes a GPU if there is one, cuda:1 the second GPU."""
    loader: str | None = None
    """A model of your own: a Python file, which is run, and the function in it that loads the model, as in
    my_model.py:load; see docs/own-model.md. Without it, the folder's files determine which family it is.
    """
    overwrite: bool = False
    """Replace activations that were made otherwise."""

    def __post_init__(self) -> None:
        super().__post_init__()
        chosen_sites(self.layers, self.sites)


def extract(config: ExtractionConfig) -> Path:
    """Run the stage and return the store's folder.

    Raises:
        InputError: unknown or broken input, activations made otherwise, overflow or NaN (naming the song).
    """
    pick_device(config.device)
    sites = chosen_sites(config.layers, config.sites)
    dataset = open_dataset(paths.dataset_folder(config.dataset_name))
    if apart := separated(read_groups(dataset.folder), dataset.names, dataset.splits):
        print(f"warning: {dataset.folder}: {apart}", file=sys.stderr)
    loader = Loader.of(config.loader) if config.loader else None
    model_folder = paths.model_folder(config.dataset_name, config.data_repr)
    model = load_model(model_folder, dataset.folder / "notes", loader)
    widths = {site: model.d_model if site.layer is not None and model.at(site) else model.width(site) for site in sites}
    folder = paths.activations_folder(config.dataset_name, config.data_repr)
    with tqdm(dataset.names, "encode", unit="song", leave=False) as names:
        songs = [encode_song(dataset, model, name) for name in names]
    with files.locked(folder, "activations"):
        activations = _lay_out_set(config, folder, dataset, model, songs, loader)
        left = {site: width for site, width in widths.items() if not _is_done(config, activations, site, width)}
        if left:
            _extract_sites(config, activations, model, left)
    what = f"{activations.n_tokens:,} tokens of {len(dataset.names):,} songs"
    print(f"activations: {what}, {', '.join(site.title for site in sites)} → {folder}")
    return folder


def encode_song(dataset: Dataset, model: LoadedModel, name: str) -> np.ndarray:
    """Tokens of one song as the model sees it, (n_tokens, n_fields) in the scheme's dtype."""
    tokens = model.encode(dataset.notes(name))
    if not len(model.scheme.decode(tokens)):
        raise InputError(f"song {name} is empty for this model: none of its notes has an instrument and beat it knows")
    return tokens.astype(model.scheme.dtype, copy=False)


def _lay_out_set(
    config: ExtractionConfig,
    folder: Path,
    dataset: Dataset,
    model: LoadedModel,
    songs: list[np.ndarray],
    loader: Loader | None,
) -> store.ActivationSet:
    """The store with what all sites share."""
    lengths = np.array([len(tokens) for tokens in songs], np.int64)
    table = SongTable(dataset.names, np.cumsum(lengths) - lengths, lengths, np.array(dataset.splits))
    names = {key: getattr(config, key) for key in ("dataset_name", "data_repr", "shard_tokens")}
    manifest = new_manifest(model, songs, loader.note() if loader else None, names)
    return lay_out(folder, manifest, model, songs, table, overwrite=config.overwrite)


def _site_meta(config: ExtractionConfig, site: Site, width: int) -> dict[str, Any]:
    """What fixes a site's bytes, besides the model and the songs."""
    which = {"layer": site.layer} if site.layer is not None else {"site": site.name, "width": width}
    return which | {
        "dtype": config.dtype,
        "precision": config.precision,
        "device": pick_device(config.device).type,
        "batch_tokens": config.batch_tokens,
    }


def _is_done(config: ExtractionConfig, activations: store.ActivationSet, site: Site, width: int) -> bool:
    """Whether a site is finished; one that was begun otherwise or is damaged is refused or, with --overwrite, removed.
    Only then the whole site is read for damage.
    """
    folder = activations.folder / site.folder
    meta = _site_meta(config, site, width)
    if (folder / store.SITE).is_file():
        old = files.read_json(folder / store.SITE)
        finished = old.pop("finished", False)
        try:
            changed = ", ".join(f"{key} {old.get(key)!r}" for key in meta if old.get(key) != meta[key])
            if changed:
                raise InputError(f"{folder} was made with {changed}; use the same or --overwrite")
            if finished:
                opened = activations.site(site)  # a truncated shard is found here, not in a later stage
                if config.overwrite:
                    store.check_shards(opened)
            return finished
        except InputError:
            if not config.overwrite:
                raise
    shutil.rmtree(folder, ignore_errors=True)
    files.write_json(folder / store.SITE, meta | {"finished": False})
    return False


def _extract_sites(
    config: ExtractionConfig, activations: store.ActivationSet, model: LoadedModel, widths: dict[Site, int]
) -> None:
    """Record sites, given the widths of their vectors."""
    folders = {site: activations.folder / site.folder for site in widths}
    n_tokens, shard_tokens = activations.n_tokens, int(activations.manifest["shard_tokens"])
    writers: dict[Site, store.ShardWriter] = {}
    try:
        try:
            for site, folder in folders.items():
                writers[site] = store.ShardWriter(folder, n_tokens, shard_tokens, widths[site], config.dtype)
        except OSError as error:
            raise InputError(f"{error.strerror} for {n_tokens:,} tokens: {error.filename}") from None
        _run_batches(config, activations, model, writers)
    except InputError:
        # A full disk, overflow or NaN would come again: leave nothing half-written.
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt("run the same command again to go on") from None
    finally:
        for writer in writers.values():
            writer.close()
    for site, folder in folders.items():
        meta = _site_meta(config, site, widths[site]) | {"finished": True}
        shards = store.SiteActivations.open(site, folder, meta, activations).shards
        checksums = [store.shard_checksum(shard) for shard in shards]
        files.write_json(folder / store.SITE, meta | {"checksums": checksums})
        (folder / "progress").unlink()


def _run_batches(
    config: ExtractionConfig,
    activations: store.ActivationSet,
    model: LoadedModel,
    writers: dict[Site, store.ShardWriter],
) -> None:
    """Run every batch that a site still lacks. `progress` holds one byte for each finished batch of a site."""
    device = pick_device(config.device)
    model.to_precision(config.precision).to(device)
    songs = activations.songs
    batches = plan_batches(songs.n_tokens, config.batch_tokens)
    journals = {site: activations.folder / site.folder / "progress" for site in writers}
    done = {site: _read_journal(path, len(batches)) for site, path in journals.items()}
    left = int(
        sum(songs.n_tokens[b.songs].sum() for i, b in enumerate(batches) if not all(d[i] for d in done.values()))
    )
    resumed = activations.n_tokens - left
    bar = tqdm(total=activations.n_tokens, initial=resumed, desc="extract", unit="token", unit_scale=True)
    with bar, torch.inference_mode():
        for number, batch in enumerate(batches):
            lacking = [site for site in writers if not done[site][number]]
            if not lacking:
                continue
            outputs = model.recorded(padded_tokens(activations, batch).tokens.to(device), lacking)
            for site in lacking:
                _write_batch(config, songs, batch, site, outputs[site], writers[site])
                writers[site].sync()
                _mark(journals[site], number)
            bar.update(int(songs.n_tokens[batch.songs].sum()))
            if number % TRIM_EVERY == 0:  # every length of songs makes blocks of its own size
                return_free_memory()


def _write_batch(
    config: ExtractionConfig,
    songs: SongTable,
    batch: SongBatch,
    site: Site,
    output: torch.Tensor,
    writer: store.ShardWriter,
) -> None:
    values = output.to(getattr(torch, config.dtype)).cpu().numpy()
    for row, song in enumerate(batch.songs):
        rows = values[row, : songs.n_tokens[song]]
        if not np.isfinite(rows).all():
            cause = "NaN or infinity" if not output[row, : len(rows)].isfinite().all() else "overflow of float16"
            advice = "; try --dtype float32" if cause.startswith("overflow") else ""
            raise InputError(f"{cause} in {site.title} of song {songs.names[song]}{advice}")
        writer.write(int(songs.first_token[song]), rows)


def _read_journal(path: Path, n_batches: int) -> np.ndarray:
    done = np.zeros(n_batches, bool)
    if path.is_file():
        marks = np.frombuffer(path.read_bytes()[:n_batches], np.uint8) == 1
        done[: len(marks)] = marks
    else:
        path.touch()
    return done


def _mark(path: Path, number: int) -> None:
    with open(path, "r+b") as file:
        file.seek(number)
        file.write(b"\x01")


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("extract")
