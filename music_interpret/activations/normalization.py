"""Normalisation of activations: statistics, applied on the fly and folded into saved weights, never a second copy.

Every kind is one affine map, normalised = (x − shift) · scale:

- `zscore`: shift = mean, scale = 1 / standard deviation, each dimension by itself;
- `scalar`: shift = 0, scale = √d_model / mean norm, so that the mean norm becomes √d_model (Conerly et al., "Circuits
  Updates, April 2024");
- `none`: the identity.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from safetensors.numpy import load_file, save

from music_interpret import files, provenance
from music_interpret.errors import InputError

NormalizationKind = Literal["zscore", "scalar", "none"]
# A dimension whose standard deviation is below this fraction of the largest is constant in practice and left unscaled.
CONSTANT_SHARE = 1e-6


class Statistics(NamedTuple):
    """Moments of one site's activations over the tokens of a split, float64."""

    n_tokens: int
    """Number of tokens."""
    mean: np.ndarray
    """Mean of each dimension, (d_model,)."""
    std: np.ndarray
    """Population standard deviation of each dimension, (d_model,)."""
    mean_norm: float
    """Mean Euclidean norm of a token's activation."""


def stream_statistics(chunks: Iterable[np.ndarray]) -> Statistics:
    """Statistics of rows that come in chunks (n, d_model), in float64 and one pass (Chan, Golub & LeVeque, 1979)."""
    count, norms = 0, 0.0
    mean: Any = 0.0
    spread: Any = 0.0
    for chunk in chunks:
        rows = chunk.astype(np.float64)
        n = len(rows)
        chunk_mean = rows.mean(axis=0)
        norms += float(np.sqrt(np.einsum("ij,ij->i", rows, rows)).sum())
        rows -= chunk_mean
        shift = chunk_mean - mean
        spread = spread + np.einsum("ij,ij->j", rows, rows) + shift**2 * (count * n / (count + n))
        count += n
        mean = mean + shift * (n / count)
    if not count:
        raise ValueError("no rows to take statistics of")
    return Statistics(count, mean, np.sqrt(spread / count), norms / count)


class Normalization(NamedTuple):
    """The affine map (x − shift) · scale, float32."""

    kind: NormalizationKind
    """Which rule made it."""
    shift: np.ndarray
    """Subtracted first, (d_model,)."""
    scale: np.ndarray
    """Multiplied then, (d_model,)."""
    mean: np.ndarray
    """Mean of the raw activations that it was made from, (d_model,)."""

    @classmethod
    def of(cls, kind: NormalizationKind, statistics: Statistics) -> "Normalization":
        d_model = len(statistics.mean)
        shift, scale = np.zeros(d_model), np.ones(d_model)
        if kind == "zscore":
            varies = statistics.std > CONSTANT_SHARE * statistics.std.max()
            shift = statistics.mean
            scale[varies] = 1 / statistics.std[varies]
        elif kind == "scalar" and statistics.mean_norm > 0:
            scale = np.full(d_model, np.sqrt(d_model) / statistics.mean_norm)
        return cls(kind, shift.astype(np.float32), scale.astype(np.float32), statistics.mean.astype(np.float32))

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Normalise rows (n, d_model) of any float type; float32."""
        return (rows.astype(np.float32) - self.shift) * self.scale


def save_normalization(
    folder: Path, kind: NormalizationKind, statistics: Statistics, made_from: dict[str, Any]
) -> None:
    """Write `normalization.safetensors` (mean, std, shift, scale) and `normalization.json` into a site's folder."""
    normalization = Normalization.of(kind, statistics)
    arrays = {
        "mean": statistics.mean,
        "std": statistics.std,
        "shift": normalization.shift,
        "scale": normalization.scale,
    }
    files.write_bytes(folder / "normalization.safetensors", save(arrays))
    numbers = {"normalization": kind, "n_tokens": statistics.n_tokens, "mean_norm": statistics.mean_norm}
    files.write_json(folder / "normalization.json", numbers | made_from)


def load_normalization(folder: Path, made_from: dict[str, Any], command: str) -> Normalization:
    """Read a site's normalisation; InputError if it is missing or was made from something else.

    Args:
        folder: the site's folder in the activation store.
        made_from: what it must have been made from; every entry is compared.
        command: what makes it.
    """
    noted = provenance.read(folder / "normalization.json", "normalisation", command, made_from=made_from)
    try:
        arrays = load_file(folder / "normalization.safetensors")
        mean = arrays["mean"].astype(np.float32)
        return Normalization(noted["normalization"], arrays["shift"], arrays["scale"], mean)
    except Exception as error:  # safetensors has its own error type, raised for every kind of damage
        raise InputError(f"{folder / 'normalization.safetensors'} is damaged ({error}); run again: {command}") from None
