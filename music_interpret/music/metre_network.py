"""The network that says, of each sixteenth of songs, what speaks for bars of each length and for a downbeat of such.

A residual network of dilated convolutions over `metre_evidence.py` (after van den Oord et al., WaveNet, 2016; Davies &
Böck, Temporal convolutional networks for musical audio beat tracking, EUSIPCO 2019), of three taps each, to which
half-way the mean over the song is added: h ← h + relu(W * h + b). It sees 127 sixteenths before and after. Its weights,
`metre_weights.safetensors`, are fitted by `scripts/fit_metre_estimation.py`, which says how.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load_file

from music_interpret.music.metre_evidence import Frames

WEIGHTS = Path(__file__).with_name("metre_weights.safetensors")
LENGTHS = (6, 8, 12, 16, 18, 20, 24, 32)
"""Of bars, in sixteenths."""
SIGNATURES = ((3, 8), (2, 4), (3, 4), (6, 8), (4, 4), (2, 2), (9, 8), (5, 4), (3, 2), (6, 4), (12, 8), (4, 2))
"""Numerator and denominator of the metres that are told apart."""
BAR_OF_SIGNATURE = np.array([16 * numerator // denominator for numerator, denominator in SIGNATURES])
"""Length of their bars, in sixteenths."""
DILATIONS = (1, 2, 4, 8, 16, 32, 64)
MEAN_AFTER = 3
"""Number of the dilated layer after which the mean over the song is added."""


class Opinion(NamedTuple):
    """What the network says of each frame, float32; in nats, to be added up over frames."""

    length: np.ndarray
    """For a bar of each length, (n_frames, n_lengths)."""
    downbeat: np.ndarray
    """For a downbeat here, if bars have that length, (n_frames, n_lengths)."""
    signature: np.ndarray
    """For each signature, (n_frames, n_signatures)."""


def judge(evidence: np.ndarray, frames: Frames) -> Opinion:
    """Opinion on each frame, 0 outside songs.

    Args:
        evidence: of each frame, float32 (n_frames, N_EVIDENCE).
        frames: where songs are.
    """
    weights = _weights()
    inside = frames.inside()[:, None].astype(np.float32)
    hidden = _layer(evidence, weights, "in", 1) * inside
    for number, dilation in enumerate(DILATIONS):
        hidden += _layer(hidden, weights, f"conv{number}", dilation) * inside
        if number == MEAN_AFTER:
            there = np.flatnonzero(frames.length)
            edges = np.stack([frames.first, frames.first + frames.length], axis=1)[there].ravel()
            means = np.add.reduceat(hidden, edges, axis=0)[::2] / frames.length[there, None]
            more = np.maximum(means @ weights["mean.weight"] + weights["mean.bias"], 0).astype(np.float32)
            hidden[inside[:, 0] > 0] += np.repeat(more, frames.length[there], axis=0)
    said = (hidden @ weights["out.weight"] + weights["out.bias"]) * inside
    n = len(LENGTHS)
    return Opinion(said[:, :n], said[:, n : 2 * n], said[:, 2 * n :])


def _layer(values: np.ndarray, weights: dict[str, np.ndarray], name: str, dilation: int) -> np.ndarray:
    """relu of a convolution of three taps, `dilation` frames apart, zeros beyond both ends."""
    before, here, after = weights[f"{name}.weight"]
    out = values @ here + weights[f"{name}.bias"]
    out[dilation:] += values[:-dilation] @ before
    out[:-dilation] += values[dilation:] @ after
    return np.maximum(out, 0, out=out)


@functools.cache
def _weights() -> dict[str, np.ndarray]:
    return {name: value.astype(np.float32) for name, value in load_file(WEIGHTS).items()}
