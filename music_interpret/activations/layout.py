"""What all sites of an activation store share, written once: tokens, songs, manifest and the scheme's tables."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from music_interpret import __version__, files
from music_interpret.activations import store
from music_interpret.activations.songs import SongTable
from music_interpret.errors import InputError
from music_interpret.models.loaded import LoadedModel

COMPARED = {
    "model_sha256": "another model",
    "codes_sha256": "other songs",
    "shard_tokens": "another --shard_tokens",
}
"""Entries of the manifest in which a store that is there must agree, and what it means that they differ."""


def new_manifest(
    model: LoadedModel, songs: Sequence[np.ndarray], loader: Mapping[str, str] | None, names: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of a store's `manifest.json`.

    Args:
        model: whose activations these are.
        songs: tokens of each song, (n_tokens, n_fields), in the scheme's dtype.
        loader: what is noted of the user's own loader, if there is one.
        names: data set, model and shard size.
    """
    return {
        "format": store.FORMAT,
        "music_interpret": __version__,
        **names,
        "model_sha256": model.sha256,
        "codes_sha256": _digest(songs),
        "scheme": model.scheme.name,
        "token_dtype": model.scheme.dtype.name,
        "limits": model.limits._asdict(),
        "n_tokens": sum(map(len, songs)),
        "n_songs": len(songs),
        "n_layers": model.n_layers,
        "d_model": model.d_model,
    } | ({"loader": dict(loader)} if loader else {})


def lay_out(
    folder: Path,
    manifest: dict[str, Any],
    model: LoadedModel,
    songs: Sequence[np.ndarray],
    table: SongTable,
    *,
    overwrite: bool,
) -> store.ActivationSet:
    """Write what all sites share, or check that what is there is the same; InputError if it is not.

    Args:
        folder: the store's, locked by the caller.
        manifest: see `new_manifest`.
        model: whose scheme's tables are written.
        songs: tokens of each song.
        table: of the same songs.
        overwrite: whether a store that was made otherwise is replaced.
    """
    if (folder / store.MANIFEST).is_file():
        difference = _difference(folder, manifest, table)
        if not difference:
            return store.open_set(folder)
        if not overwrite:
            raise InputError(f"{folder} holds activations of {difference}; --overwrite replaces them")
        (folder / store.MANIFEST).unlink()
    for path in folder.glob(f"*/{store.SITE}"):
        shutil.rmtree(path.parent)
    files.write_array(folder / store.TOKENS, np.concatenate(songs))
    files.write_text(folder / "songs.csv", table.to_csv())
    model.scheme.save(folder)
    files.write_json(folder / store.MANIFEST, manifest)
    return store.open_set(folder)


def _difference(folder: Path, new: dict[str, Any], table: SongTable) -> str:
    """In what the store that is there differs from the one asked for; empty if in nothing."""
    old = files.read_json(folder / store.MANIFEST)
    for key, meaning in COMPARED.items():
        if old.get(key) != new[key]:
            return meaning
    if (folder / "songs.csv").read_text(encoding="utf-8") != table.to_csv():
        return "songs with other names or splits"
    return ""


def _digest(songs: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for tokens in songs:
        digest.update(tokens.tobytes())
    return digest.hexdigest()
