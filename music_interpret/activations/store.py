"""The activation store: one row for each token, the same row number (token row) at every site.

    data/activations/<dataset>_<data_repr>_residual/
        manifest.json   what made it: model, data, sizes           encoding.json   the token scheme's tables (of MMT's)
        codes.npy       tokens, integers (n_tokens, n_fields)      songs.csv       name, first_token, n_tokens, split
        layer_007/      layer.json, raw/shard_0000.npy …           each shard (shard_tokens, width), the last shorter

A site of the residual stream has a folder by its layer's number, another one by its name (`mlp_out.3/`). Lengths are
known once songs are encoded, so shards have their full size before the first row is written, and batches may come in
any order. A site is whole when its `layer.json` says `finished`.
"""

import errno
import functools
import io
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from music_interpret import files, paths
from music_interpret.activations.songs import SongTable
from music_interpret.errors import InputError
from music_interpret.models.mmt_sizes import MMTSizes
from music_interpret.models.site import Site
from music_interpret.tokens.scheme import Limits, TokenScheme
from music_interpret.tokens.schemes import load_scheme

FORMAT = 1
READ_BYTES = 2**22
MANIFEST, TOKENS, SITE = "manifest.json", "codes.npy", "layer.json"


@dataclass(frozen=True, kw_only=True)
class ActivationSet:
    """An opened store: what is the same for all sites."""

    folder: Path
    manifest: dict[str, Any]
    songs: SongTable
    tokens: np.ndarray
    """Every token, integers (n_tokens, n_fields), memory-mapped; the manifest names the dtype."""

    @property
    def n_tokens(self) -> int:
        return int(self.manifest["n_tokens"])

    @property
    def d_model(self) -> int:
        return int(self.manifest["d_model"])

    @property
    def identity(self) -> dict[str, str]:
        """What later stages note down and compare: the model and the tokens."""
        return {key: self.manifest[key] for key in ("model_sha256", "codes_sha256")}

    @functools.cached_property
    def scheme(self) -> TokenScheme:
        """What the tokens mean; InputError if the scheme's tables are missing or damaged."""
        if loader := self.manifest.get("loader"):
            from music_interpret.models.families.find import Loader

            return Loader.noted(loader, self.folder).load(self.model_folder, self.folder).scheme
        return load_scheme(self.manifest.get("scheme", "mmt"), self.folder)  # version 0.1.0 had no other

    @property
    def model_folder(self) -> Path:
        """`models/<dataset>/<data_repr>` of the model; InputError if it is not there any more."""
        return paths.model_folder(self.manifest["dataset_name"], self.manifest["data_repr"])

    @property
    def limits(self) -> Limits:
        """Where the model stops reading."""
        noted = self.manifest.get("limits")
        if noted is None:  # written by version 0.1.0
            return MMTSizes.load(self.model_folder / "train-args.json").limits
        return Limits(**noted)

    def extracted_sites(self) -> list[Site]:
        """The finished sites, in the order of the forward pass."""
        found = [path for path in self.folder.glob(f"*/{SITE}") if files.read_json(path).get("finished")]
        return sorted((site_of_folder(path.parent.name) for path in found), key=lambda site: site.order)

    def site(self, site: Site) -> "SiteActivations":
        """Open one site; InputError if it is missing, unfinished or damaged."""
        path = self.folder / site.folder / SITE
        if not path.is_file() or not files.read_json(path).get("finished"):
            state = "was not finished" if path.is_file() else "is not there"
            have = ", ".join(known.title for known in self.extracted_sites()) or "none"
            name = f"{self.manifest['dataset_name']} {self.manifest['data_repr']} {site.option}"
            raise InputError(
                f"{site.title} {state} in {self.folder} (finished: {have}); "
                f"run: python3 -m music_interpret.activation_extraction {name}"
            )
        return SiteActivations.open(site, path.parent, files.read_json(path), self)

    def layer(self, layer: int) -> "SiteActivations":
        """Open the site that `--layers` has this number for."""
        return self.site(Site.of_layer(layer))


def site_of_folder(name: str) -> Site:
    """The site whose folder has a name: `layer_005` or `mlp_out.2`."""
    number = name.removeprefix("layer_")
    return Site.of_layer(int(number)) if number != name and number.isdecimal() else Site(name)


def open_set(folder: Path, dataset_name: str = "", data_repr: str = "") -> ActivationSet:
    """Open a store; InputError if it is missing or its parts do not fit together.

    Examples:
        >>> activations = open_set(Path("data/activations/sod_ape_residual"))
        >>> activations.n_tokens, [site.name for site in activations.extracted_sites()]
        (3080, ['resid_post.1'])
    """
    if not (folder / MANIFEST).is_file():
        command = f"python3 -m music_interpret.activation_extraction {dataset_name} {data_repr} --layers 0"
        raise InputError(f"no activations in {folder}; run first: {' '.join(command.split())} (or the layer you want)")
    manifest = files.read_json(folder / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise InputError(f"{folder} has store format {manifest.get('format')}; this version reads format {FORMAT}")
    songs = SongTable.read(folder / "songs.csv")
    try:
        tokens = np.load(folder / TOKENS, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{folder / TOKENS} is damaged ({error}); extract again with --overwrite") from None
    if (
        len(tokens) != manifest["n_tokens"]
        or tokens.dtype != manifest.get("token_dtype", "int16")
        or songs.n_tokens.sum() != manifest["n_tokens"]
    ):
        raise InputError(
            f"{folder} is damaged: manifest, tokens and songs do not fit together; extract again with --overwrite"
        )
    return ActivationSet(folder=folder, manifest=manifest, songs=songs, tokens=tokens)


def shard_path(site_folder: Path, number: int, kind: str = "raw") -> Path:
    return site_folder / kind / f"shard_{number:04d}.npy"


def shard_rows(n_tokens: int, shard_tokens: int) -> list[int]:
    """Number of rows of each shard."""
    return [min(shard_tokens, n_tokens - first) for first in range(0, n_tokens, shard_tokens)]


@dataclass(frozen=True, kw_only=True)
class SiteActivations:
    """One site's rows over all shards, memory-mapped; nothing is read before it is asked for."""

    site: Site
    folder: Path
    shards: list[np.memmap]
    shard_tokens: int
    meta: dict[str, Any]
    songs: SongTable

    @classmethod
    def open(cls, site: Site, folder: Path, meta: dict[str, Any], owner: ActivationSet) -> "SiteActivations":
        shards = []
        width = int(meta.get("width", owner.d_model))
        shard_tokens = int(owner.manifest["shard_tokens"])
        for number, rows in enumerate(shard_rows(owner.n_tokens, shard_tokens)):
            path = shard_path(folder, number)
            right = f"expected {meta['dtype']} ({rows}, {width}); extract {site.title} again with --overwrite"
            try:
                shard = np.load(path, mmap_mode="r", allow_pickle=False)
            except FileNotFoundError:
                raise InputError(f"missing shard {path}; {right}") from None
            except (OSError, ValueError, EOFError) as error:
                raise InputError(f"shard {path} is truncated or damaged ({error}); {right}") from None
            if shard.shape != (rows, width) or shard.dtype != meta["dtype"]:
                raise InputError(f"shard {path} is {shard.dtype} {shard.shape}; {right}")
            shards.append(shard)
        return cls(site=site, folder=folder, shards=shards, shard_tokens=shard_tokens, meta=meta, songs=owner.songs)

    def __len__(self) -> int:
        return sum(len(shard) for shard in self.shards)

    @property
    def width(self) -> int:
        """Dimensions of a row."""
        return self.shards[0].shape[1]

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows start … stop − 1, (stop − start, width); a view where one shard holds them all.

        Raises:
            InputError: one of them holds NaN or infinity.

        Examples:
            >>> activations = open_set(Path("data/activations/sod_ape_residual"))
            >>> activations.layer(3).read(0, 4).shape
            (4, 64)
        """
        rows = self._stored(start, stop)
        if not is_finite(rows):
            token_row = start + int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
            song = int(self.songs.song_of(np.array([token_row]))[0])
            number = token_row - int(self.songs.first_token[song])
            raise InputError(
                f"NaN or infinity in {self.folder} at token {number} of song {self.songs.names[song]} "
                f"(token row {token_row}); extract {self.site.title} again with --overwrite"
            )
        return rows

    def _stored(self, start: int, stop: int) -> np.ndarray:
        first, last = start // self.shard_tokens, (stop - 1) // self.shard_tokens
        if first == last:
            base = first * self.shard_tokens
            return self.shards[first][start - base : stop - base]
        pieces = []
        for number in range(first, last + 1):
            base = number * self.shard_tokens
            pieces.append(self.shards[number][max(start - base, 0) : stop - base])
        return np.concatenate(pieces)


def is_finite(rows: np.ndarray) -> bool:
    """Whether no value is NaN or infinity; at the speed of memory, so that every read can afford it."""
    if rows.dtype == np.float16:  # NumPy's isfinite takes fifteen times as long on this type
        return bool((rows.view(np.uint16) & 0x7FFF).max(initial=0) < 0x7C00)
    return bool(np.isfinite(rows).all())


def made_from(activations: ActivationSet, site: SiteActivations) -> dict[str, Any]:
    """What is made of a site writes down and compares: model, tokens, splits, and how the site was computed."""
    songs = files.sha256(activations.folder / "songs.csv")
    which = "site" if site.site.layer is None else "layer"
    return activations.identity | {"songs_sha256": songs} | {k: site.meta[k] for k in (which, "dtype", "precision")}


def shard_checksum(shard: np.memmap) -> str:
    """CRC-32 of a shard's rows, at some 3 GB/s. It finds what went wrong by itself, such as rows in another order or a
    damaged disk; it is no protection against somebody who wants to deceive.
    """
    assert shard.filename is not None
    value = 0
    with open(shard.filename, "rb") as file:  # read in blocks: a map that was touched counts as memory
        file.seek(shard.offset)
        while block := file.read(READ_BYTES):
            value = zlib.crc32(block, value)
    return f"crc32:{value:08x}"


def check_shards(site: SiteActivations) -> None:
    """Read a whole site and check what opening it does not.

    Raises:
        InputError: a value is NaN or infinity, or a shard's checksum is not the one that extraction wrote down (version
            0.1.0 wrote none).
    """
    checksums = site.meta.get("checksums", [None] * len(site.shards))
    for number, (shard, checksum) in enumerate(zip(site.shards, checksums, strict=True)):
        base, step = number * site.shard_tokens, max(READ_BYTES // (site.width * shard.itemsize), 1)
        for first in range(0, len(shard), step):
            site.read(base + first, base + min(first + step, len(shard)))
        if checksum is not None and shard_checksum(shard) != checksum:
            raise InputError(
                f"shard {shard_path(site.folder, number)} is not as it was extracted (its checksum differs); "
                f"extract {site.site.title} again with --overwrite"
            )


class ShardWriter:
    """Writes rows of one site in place, by token row."""

    def __init__(self, folder: Path, n_tokens: int, shard_tokens: int, width: int, dtype: str) -> None:
        self.shard_tokens = shard_tokens
        self.row_bytes = width * np.dtype(dtype).itemsize
        self.files: list[Any] = []
        self.starts: list[int] = []
        for number, rows in enumerate(shard_rows(n_tokens, shard_tokens)):
            path = shard_path(folder, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                header, {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (rows, width)}
            )
            self._lay_out(path, header.getvalue(), rows)

    def _lay_out(self, path: Path, header: bytes, rows: int) -> None:
        """Open a shard at its full size, made new or as an interrupted run left it."""
        size = len(header) + rows * self.row_bytes
        file = open(path, "r+b" if path.exists() else "w+b", buffering=0)  # noqa: SIM115 - closed in close()
        self.files.append(file)
        self.starts.append(len(header))
        if os.fstat(file.fileno()).st_size != size:
            try:
                # Reserving the blocks now reports a full disk before hours of work, not after.
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from None
        os.pwrite(file.fileno(), header, 0)

    def write(self, first_token: int, rows: np.ndarray) -> None:
        """Write consecutive rows, starting at a token row."""
        rows = np.ascontiguousarray(rows)
        while len(rows):
            number, place = divmod(first_token, self.shard_tokens)
            here = rows[: self.shard_tokens - place]
            written = os.pwrite(self.files[number].fileno(), here.data, self.starts[number] + place * self.row_bytes)
            if written != here.nbytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.files[number].name)
            first_token, rows = first_token + len(here), rows[len(here) :]

    def sync(self) -> None:
        for file in self.files:
            os.fdatasync(file.fileno())

    def close(self) -> None:
        for file in self.files:
            file.close()
