"""Stage: record the residual stream of every token of every song.

Songs are encoded once, which fixes each token's id; shards are laid out at full size; then length-bucketed batches run
through the model up to the deepest layer asked for and write their rows in place. A journal marks finished batches
after their rows are on disk, so a killed run goes on where it was and ends with the same bytes.
"""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

from music_interpret import __version__, files, paths
from music_interpret.activations import store
from music_interpret.activations.hooks import record
from music_interpret.activations.song_batches import SongBatch, padded_codes, plan_batches
from music_interpret.config import positional
from music_interpret.errors import InputError
from music_interpret.memory import return_free_memory
from music_interpret.models.device import DeviceName, pick_device
from music_interpret.models.loaded import LoadedModel
from music_interpret.models.mmt import load_mmt
from music_interpret.music.dataset import Dataset, open_dataset
from music_interpret.music.encoding import NOTE

TRIM_EVERY = 16
"""Batches between two returns of free memory; at this number their cost is lost in the noise."""


@dataclass(frozen=True, kw_only=True)
class ExtractionConfig:
    """Record what the model computes on every token of a data set."""

    dataset_name: str = positional()
    """Folder of the data set under data/base/ (with or without _notes) and of its models under models/."""
    data_repr: str = positional()
    """Folder of the model under `models/<dataset_name>/`: ape, rpe, npe or your own."""
    layers: tuple[int, ...]
    """Sublayers whose residual stream is recorded: even = after attention, odd = after feed-forward."""
    dtype: Literal["float16", "float32"] = "float16"
    """dtype on disk."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """dtype of the model's matrix products."""
    batch_tokens: int = 4096
    """Tokens a batch may hold, padding included; part of what fixes the bytes."""
    shard_tokens: int = 131072
    """Rows of one shard file."""
    device: DeviceName = "auto"
    """Where the model runs; auto takes a GPU if there is one."""
    overwrite: bool = False
    """Replace activations that were made otherwise."""

    def __post_init__(self) -> None:
        for name in ("batch_tokens", "shard_tokens"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} is {getattr(self, name)}; expected 1 or more")


def extract(config: ExtractionConfig) -> Path:
    """Run the stage and return the store's folder.

    Raises:
        InputError: unknown or broken input, activations made otherwise, overflow or NaN (naming the song).
    """
    dataset = open_dataset(paths.dataset_folder(config.dataset_name))
    model = load_mmt(paths.model_folder(config.dataset_name, config.data_repr), dataset.encoding)
    for layer in config.layers:
        if not 0 <= layer < len(model.layers):
            raise InputError(f"layer {layer} is out of range; expected 0 to {len(model.layers) - 1}")
    folder = paths.activations_folder(config.dataset_name, config.data_repr)
    with tqdm(dataset.names, "encode", unit="song", leave=False) as names:
        codes = [encode_song(dataset, model, name) for name in names]
    with files.locked(folder, "activations"):
        activations = _lay_out_set(config, folder, dataset, model, codes)
        layers = [layer for layer in sorted(set(config.layers)) if not _layer_is_done(config, activations, layer)]
        if layers:
            _extract_layers(config, activations, model, layers)
    done = ", ".join(str(layer) for layer in sorted(set(config.layers)))
    print(f"activations: {activations.n_tokens:,} tokens of {len(dataset.names):,} songs, layers {done} → {folder}")
    return folder


def encode_song(dataset: Dataset, model: LoadedModel, name: str) -> np.ndarray:
    """Codes of one song as the model sees it."""
    codes = model.encode(dataset.notes(name))
    if not (codes[:, 0] == NOTE).any():
        raise InputError(f"song {name} is empty for this model: none of its notes has an instrument and beat it knows")
    return codes


def _lay_out_set(
    config: ExtractionConfig, folder: Path, dataset: Dataset, model: LoadedModel, songs: list[np.ndarray]
) -> store.ActivationSet:
    """Write what all layers share, or check that what is there is the same."""
    lengths = np.array([len(codes) for codes in songs], np.int64)
    table = store.SongTable(dataset.names, np.cumsum(lengths) - lengths, lengths, np.array(dataset.splits))
    new = {
        "format": store.FORMAT,
        "music_interpret": __version__,
        "dataset_name": config.dataset_name,
        "data_repr": config.data_repr,
        "site": "residual",
        "model_sha256": model.sha256,
        "codes_sha256": _digest(songs),
        "n_tokens": int(lengths.sum()),
        "n_songs": len(songs),
        "n_layers": len(model.layers),
        "d_model": model.d_model,
        "shard_tokens": config.shard_tokens,
    }
    if (folder / "manifest.json").is_file():
        difference = _difference(folder, new, table)
        if not difference:
            return store.open_set(folder)
        if not config.overwrite:
            raise InputError(f"{folder} holds activations of {difference}; --overwrite replaces them")
        (folder / "manifest.json").unlink()
    for layer in folder.glob("layer_*"):
        shutil.rmtree(layer)
    files.write_array(folder / "codes.npy", np.concatenate(songs))
    files.write_text(folder / "songs.csv", table.to_csv())
    encoding = (dataset.folder / "notes" / "encoding.json").read_text(encoding="utf-8")
    files.write_text(folder / "encoding.json", encoding)
    files.write_json(folder / "manifest.json", new)
    return store.open_set(folder)


def _difference(folder: Path, new: dict[str, Any], table: store.SongTable) -> str:
    """In what the store that is there differs from the one asked for; empty if in nothing."""
    old = files.read_json(folder / "manifest.json")
    meanings = {
        "model_sha256": "another model",
        "codes_sha256": "other songs",
        "shard_tokens": "another --shard_tokens",
    }
    for key, meaning in meanings.items():
        if old.get(key) != new[key]:
            return meaning
    if (folder / "songs.csv").read_text(encoding="utf-8") != table.to_csv():
        return "songs with other names or splits"
    return ""


def _digest(songs: list[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for codes in songs:
        digest.update(codes.tobytes())
    return digest.hexdigest()


def _layer_meta(config: ExtractionConfig, layer: int) -> dict[str, Any]:
    """What fixes a layer's bytes, beside the model and the songs."""
    return {
        "layer": layer,
        "dtype": config.dtype,
        "precision": config.precision,
        "device": pick_device(config.device).type,
        "batch_tokens": config.batch_tokens,
    }


def _layer_is_done(config: ExtractionConfig, activations: store.ActivationSet, layer: int) -> bool:
    """Whether a layer is finished; one that was begun otherwise or is damaged is refused or, with --overwrite,
    removed. Only then the whole layer is read for damage.
    """
    folder = activations.folder / paths.layer_name(layer)
    meta = _layer_meta(config, layer)
    if (folder / "layer.json").is_file():
        old = files.read_json(folder / "layer.json")
        finished = old.pop("finished", False)
        old.pop("checksums", None)
        try:
            if old != meta:
                changed = ", ".join(f"{key} {old.get(key)!r}" for key in meta if old.get(key) != meta[key])
                raise InputError(f"{folder} was made with {changed}; use the same or --overwrite")
            if finished:
                opened = activations.layer(layer)  # a truncated shard is found here, not in a later stage
                if config.overwrite:
                    store.check_shards(opened)
            return finished
        except InputError:
            if not config.overwrite:
                raise
    shutil.rmtree(folder, ignore_errors=True)
    files.write_json(folder / "layer.json", meta | {"finished": False})
    return False


def _extract_layers(
    config: ExtractionConfig, activations: store.ActivationSet, model: LoadedModel, layers: list[int]
) -> None:
    folders = {layer: activations.folder / paths.layer_name(layer) for layer in layers}
    n_tokens, shard_tokens = activations.n_tokens, config.shard_tokens
    writers: dict[int, store.ShardWriter] = {}
    try:
        try:
            for layer, folder in folders.items():
                writers[layer] = store.ShardWriter(folder, n_tokens, shard_tokens, model.d_model, config.dtype)
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
    for layer, folder in folders.items():
        meta = _layer_meta(config, layer) | {"finished": True}
        shards = store.LayerActivations.open(folder, meta, activations).shards
        checksums = [store.shard_checksum(shard) for shard in shards]
        files.write_json(folder / "layer.json", meta | {"checksums": checksums})
        (folder / "progress").unlink()


def _run_batches(
    config: ExtractionConfig,
    activations: store.ActivationSet,
    model: LoadedModel,
    writers: dict[int, store.ShardWriter],
) -> None:
    """Run every batch that a layer still lacks. `progress` holds one byte for each finished batch of a layer."""
    device = pick_device(config.device)
    module = model.to_precision(config.precision).to(device)
    songs = activations.songs
    batches = plan_batches(songs.n_tokens, config.batch_tokens)
    journals = {layer: activations.folder / paths.layer_name(layer) / "progress" for layer in writers}
    done = {layer: _read_journal(path, len(batches)) for layer, path in journals.items()}
    left = int(
        sum(songs.n_tokens[b.songs].sum() for i, b in enumerate(batches) if not all(d[i] for d in done.values()))
    )
    resumed = activations.n_tokens - left
    bar = tqdm(total=activations.n_tokens, initial=resumed, desc="extract", unit="token", unit_scale=True)
    with bar, torch.inference_mode():
        for number, batch in enumerate(batches):
            lacking = [layer for layer in writers if not done[layer][number]]
            if not lacking:
                continue
            with record({layer: model.layers[layer] for layer in lacking}) as outputs:
                module(padded_codes(activations, batch).codes.to(device))
            for layer in lacking:
                _write_batch(config, songs, batch, layer, outputs[layer], writers[layer])
                writers[layer].sync()
                _mark(journals[layer], number)
            bar.update(int(songs.n_tokens[batch.songs].sum()))
            if number % TRIM_EVERY == 0:  # every length of songs makes blocks of its own size
                return_free_memory()


def _write_batch(
    config: ExtractionConfig,
    songs: store.SongTable,
    batch: SongBatch,
    layer: int,
    output: torch.Tensor,
    writer: store.ShardWriter,
) -> None:
    values = output.to(getattr(torch, config.dtype)).cpu().numpy()
    for row, song in enumerate(batch.songs):
        rows = values[row, : songs.n_tokens[song]]
        if not np.isfinite(rows).all():
            cause = "NaN or infinity" if not output[row, : len(rows)].isfinite().all() else "overflow of float16"
            advice = "; try --dtype float32" if cause.startswith("overflow") else ""
            raise InputError(f"{cause} in layer {layer} of song {songs.names[song]}{advice}")
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
