"""The feature index: every latent's tokens and values, latent-major, so that a latent's evidence is one read.

    <run>/features/
        index.json      what made it                    offsets.npy     int64 (d_sae + 1,)
        token_ids.npy   uint32 (n_nonzero,), ascending within a latent         values.npy   float32 (n_nonzero,)
        statistics.safetensors                          density, max, mean, quantiles, histogram of each latent

Latent i fires on `token_rows[offsets[i]:offsets[i + 1]]` with `values` at the same indices (compressed sparse columns).
The index is built in one pass over the activations: each chunk of tokens is sorted by latent and spooled, then the
spool is dealt out to its places. Reading needs NumPy alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from safetensors.numpy import load_file, save

from music_interpret import files, provenance
from music_interpret.activations.songs import SongTable
from music_interpret.activations.store import ActivationSet
from music_interpret.errors import InputError

FOLDER, FORMAT = "features", 1
WIDER = 8
"""The strongest firings are looked for among so many times as many as are wanted, then among as many times more."""
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
# Quarter octaves from 2⁻¹⁰ to 2⁸; the first and the last bin also hold what is beyond.
HISTOGRAM_EDGES = 2.0 ** np.arange(-10, 8.25, 0.25)


class LatentStatistics(NamedTuple):
    """How each latent fires; the first axis is the latent."""

    density: np.ndarray
    """Fraction of all tokens it fires on."""
    max: np.ndarray
    """Its largest value, 0 if it never fires."""
    mean: np.ndarray
    """Mean value over the tokens it fires on, 0 if it never fires."""
    quantiles: np.ndarray
    """Quantiles (`QUANTILES`) of its values over those tokens, (d_sae, 6)."""
    histogram: np.ndarray
    """Numbers of tokens in each value bin (`HISTOGRAM_EDGES`), (d_sae, n_bins)."""


@dataclass(frozen=True, kw_only=True)
class FeatureIndex:
    """An opened index; arrays are memory-mapped."""

    folder: Path
    meta: dict[str, Any]
    offsets: np.ndarray
    token_rows: np.ndarray
    values: np.ndarray
    statistics: LatentStatistics
    activations: ActivationSet
    """The songs and tokens that token rows point to."""

    @property
    def d_sae(self) -> int:
        return len(self.offsets) - 1

    def latent(self, latent: int) -> tuple[np.ndarray, np.ndarray]:
        """Token rows (ascending) and values of one latent's firings.

        Examples:
            >>> token_rows, values = music_interpret.open_run("demo/sae").index.latent(7)
            >>> token_rows[:5].tolist()
            [9, 10, 12, 14, 15]
        """
        if not 0 <= latent < self.d_sae:
            raise InputError(f"latent {latent} is out of range; expected 0 to {self.d_sae - 1}")
        start, stop = self.offsets[latent], self.offsets[latent + 1]
        return self.token_rows[start:stop], self.values[start:stop]

    def top(self, latent: int, k: int, *, per_song: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The k firings with the largest values, largest first (ties: earlier token first).

        Args:
            latent: its number.
            k: how many.
            per_song: at most this many of one song.

        Examples:
            >>> token_rows, values = music_interpret.open_run("demo/sae").index.top(7, 2)
            >>> token_rows.tolist(), values.round().tolist()
            ([2017, 2197], [6.0, 6.0])
        """
        token_rows, values = self.latent(latent)
        order = strongest(token_rows, values, self.activations.songs, k, per_song)
        return token_rows[order].astype(np.int64), values[order]


def strongest(token_rows: np.ndarray, values: np.ndarray, songs: SongTable, k: int, per_song: int | None) -> np.ndarray:
    """Indices of the k firings with the largest values, as `FeatureIndex.top` says, int64."""
    n, looked_at = len(values), WIDER * k
    while True:
        # Ties with the last of them come too, so that the earlier of them can go first.
        least = np.partition(values, n - looked_at)[n - looked_at] if looked_at < n else -np.inf
        found = np.flatnonzero(values >= least)
        order = found[np.lexsort((token_rows[found], -values[found]))]
        if per_song is not None:
            order = order[_rank_within(songs.song_of(token_rows[order])) < per_song]
        if len(order) >= k or looked_at >= n:
            return order[:k]
        looked_at *= WIDER


def _rank_within(groups: np.ndarray) -> np.ndarray:
    """For each entry, how many earlier entries belong to the same group."""
    order = np.argsort(groups, kind="stable")
    sorted_groups = groups[order]
    first = np.searchsorted(sorted_groups, sorted_groups, side="left")
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - first
    return ranks


class Chunk(NamedTuple):
    """The firings of one stretch of tokens, sorted by latent, then by token."""

    counts: np.ndarray
    """Firings of each latent, int64 (d_sae,)."""
    token_rows: np.ndarray
    """uint32 (n,)."""
    values: np.ndarray
    """float32 (n,)."""

    @classmethod
    def of(cls, first_token: int, z: np.ndarray) -> "Chunk":
        """Collect what is above 0 in dense latents (n_tokens, d_sae) of the tokens from `first_token` on."""
        flat = np.flatnonzero(z > 0)
        tokens, latents = np.divmod(flat.astype(np.uint32 if z.size < 2**32 else np.uint64), z.shape[1])
        # A stable sort of 16-bit keys is a radix sort, which takes a fraction of the time.
        order = np.argsort(latents.astype(np.uint16) if z.shape[1] <= 2**16 else latents, kind="stable")
        values = z.reshape(-1)[flat[order]].astype(np.float32)
        return cls(np.bincount(latents, minlength=z.shape[1]), (tokens[order] + first_token).astype(np.uint32), values)


def build(folder: Path, chunks: Iterable[Chunk], d_sae: int, n_tokens: int, meta: dict[str, Any]) -> None:
    """Write the index into `folder`, which appears whole or not at all.

    Args:
        folder: `<run>/features`; replaced if it is there.
        chunks: all firings, in the order of their tokens.
        d_sae: number of latents.
        n_tokens: number of tokens that the chunks cover; below 2³².
        meta: what made it, for `index.json`.
    """
    if n_tokens >= 2**32:
        raise InputError(f"{n_tokens:,} tokens are more than an index can number; expected below {2**32:,}")
    with files.atomic_folder(folder) as beside:
        counts = _spool(beside / "spool", chunks)
        offsets = np.concatenate([[0], np.cumsum(sum(counts, np.zeros(d_sae, np.int64)))])
        files.write_array(beside / "offsets.npy", offsets)
        _deal(beside, counts, offsets)
        (beside / "spool").unlink()
        statistics = _statistics(beside, offsets, n_tokens)
        files.write_bytes(beside / "statistics.safetensors", save(statistics._asdict()))
        sizes = {"format": FORMAT, "d_sae": d_sae, "n_tokens": n_tokens, "n_nonzero": int(offsets[-1])}
        files.write_json(beside / "index.json", sizes | meta)


def _spool(path: Path, chunks: Iterable[Chunk]) -> list[np.ndarray]:
    """Write the chunks' token rows and values one after the other, and return their counts."""
    counts = []
    with open(path, "wb") as file:
        for chunk in chunks:
            counts.append(chunk.counts)
            file.write(chunk.token_rows.tobytes())
            file.write(chunk.values.tobytes())
    return counts


def _new_array(path: Path, dtype: str, size: int) -> np.ndarray:
    if size == 0:
        np.save(path, np.zeros(0, dtype))
        return np.zeros(0, dtype)
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(size,))


def _deal(folder: Path, counts: list[np.ndarray], offsets: np.ndarray) -> None:
    """Move the spooled firings to their latents' places."""
    token_rows = _new_array(folder / "token_ids.npy", "uint32", int(offsets[-1]))
    values = _new_array(folder / "values.npy", "float32", int(offsets[-1]))
    places = offsets[:-1].copy()
    with open(folder / "spool", "rb") as spool:
        for chunk_counts in counts:
            size = int(chunk_counts.sum())
            starts = np.cumsum(chunk_counts) - chunk_counts
            goal = np.repeat(places - starts, chunk_counts) + np.arange(size)
            token_rows[goal] = _read(spool, "uint32", size)
            values[goal] = _read(spool, "float32", size)
            places += chunk_counts
    for array in (token_rows, values):
        if isinstance(array, np.memmap):
            array.flush()


def _read(file: BinaryIO, dtype: str, size: int) -> np.ndarray:
    return np.frombuffer(file.read(size * np.dtype(dtype).itemsize), dtype)


def _statistics(folder: Path, offsets: np.ndarray, n_tokens: int) -> LatentStatistics:
    values = np.load(folder / "values.npy", mmap_mode="r")
    d_sae, n_bins = len(offsets) - 1, len(HISTOGRAM_EDGES) - 1
    maxima, means = np.zeros(d_sae, np.float32), np.zeros(d_sae, np.float32)
    quantiles, histogram = np.zeros((d_sae, len(QUANTILES)), np.float32), np.zeros((d_sae, n_bins), np.int64)
    for latent in range(d_sae):
        mine = np.sort(values[offsets[latent] : offsets[latent + 1]])
        if len(mine):
            maxima[latent], means[latent] = mine[-1], mine.mean(dtype=np.float64)
            quantiles[latent] = np.quantile(mine, QUANTILES)
            histogram[latent] = np.histogram(np.clip(mine, HISTOGRAM_EDGES[0], HISTOGRAM_EDGES[-1]), HISTOGRAM_EDGES)[0]
    density = np.diff(offsets) / max(n_tokens, 1)
    return LatentStatistics(density, maxima, means, quantiles, histogram)


def open_index(run: Path, activations: ActivationSet, sae_sha256: str) -> FeatureIndex:
    """Open a run's index over the activations it was made of; InputError if it is missing, damaged or was made from
    something else.

    Args:
        run: the run's folder.
        activations: the store that its token rows point to.
        sae_sha256: identity of the run's autoencoder.
    """
    folder, command = run / FOLDER, f"music-interpret index {run}"
    made_from = {"sae_sha256": sae_sha256} | activations.identity
    meta = provenance.read(folder / "index.json", "feature index", command, made_from=made_from, format_number=FORMAT)
    again = f"run again: {command}"
    try:
        offsets = np.load(folder / "offsets.npy", allow_pickle=False)
        token_rows, values = (_map(folder / name) for name in ("token_ids.npy", "values.npy"))
        statistics = LatentStatistics(**load_file(folder / "statistics.safetensors"))
    except Exception as error:  # each library has its own errors for a damaged file
        raise InputError(f"{folder} is damaged ({error}); {again}") from None
    if len(token_rows) != offsets[-1] or len(values) != offsets[-1]:
        raise InputError(f"{folder} is damaged: token rows, values and offsets differ in length; {again}")
    return FeatureIndex(
        folder=folder,
        meta=meta,
        offsets=offsets,
        token_rows=token_rows,
        values=values,
        statistics=statistics,
        activations=activations,
    )


def _map(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:  # an empty array cannot be mapped
        return np.load(path, allow_pickle=False)
