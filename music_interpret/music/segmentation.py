"""Segments of one chord or key: the best path through states over onsets, where each change has its price.

A state is a tonic (or root), one of twelve, and a type (mode, or quality). What an onset's context says for each state
is a small network's logit; a change costs by where it falls (the metre, the bass, how much is new), and staying costs
nothing. The network scores a state by the context as heard from its tonic, so a transposed song has the transposed
path. Segments by the best sum over all partitions: Pardo and Birmingham, Algorithms for Chordal Analysis, 2002; scores
of states by a network: Bourlard and Morgan, Connectionist Speech Recognition, 1994; the path: Viterbi 1967.

All weights and scores are whole numbers, small enough for float32 to add them exactly (see `chord_context.py`).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from music_interpret.music.chord_context import UNIT, Context, context, song_blocks
from music_interpret.music.songs import Songs

SCALE = 64
"""What stands for 1 in weights."""
SCORE = UNIT * SCALE
"""What stands for 1 nat in scores."""
BLOCK = 1024
"""Onsets that are scored at once, few enough to stay in the processor's cache."""


SOME_ONSETS = 1 << 16
"""Onsets of songs whose paths are found side by side."""


class Network(NamedTuple):
    """Weights of a network with one hidden layer, float32 arrays of whole numbers."""

    classes: np.ndarray
    """Of the context's pitch classes counted from the tonic, (BLOCKS, 12, n_hidden)."""
    scalars: np.ndarray
    """Of what transposition does not change, (n_scalars, n_hidden)."""
    types: np.ndarray
    """From hidden values to types, (n_hidden, n_types)."""
    bias: np.ndarray
    """Of types, in scores, (n_types,)."""
    change: np.ndarray
    """Of the context's scalars for a change before the onset, (SCALARS,); of none, where states do not follow on."""

    @property
    def n_types(self) -> int:
        return len(self.bias)


def read_network(name: str) -> Network:
    """Weights in `weights/`, which `benchmarks/_fit_harmony.py` wrote."""
    with np.load(Path(__file__).parent / "weights" / f"{name}.npz", allow_pickle=False) as archive:
        return Network(*(archive[field].astype(np.float32) for field in Network._fields))


def best_states(songs: Songs, network: Network) -> np.ndarray:
    """Number of the state at each onset, tonic * n_types + type, int64 (n_groups,)."""
    around = songs.once(context)
    first = songs.first_group
    found = np.empty(len(around.classes), np.int64)
    for groups in song_blocks(first, SOME_ONSETS):
        inside = first[np.searchsorted(first, groups.start) : np.searchsorted(first, groups.stop) + 1]
        found[groups] = path_of(around.rows(groups), np.diff(inside), network)
    return found


def path_of(around: Context, sizes: np.ndarray, network: Network) -> np.ndarray:
    """The same of the contexts of songs laid end to end, by the number of onsets of each."""
    change = around.scalars.astype(np.float32) @ network.change
    return best_path(all_scores(around, network), change, sizes)


def all_scores(around: Context, network: Network) -> np.ndarray:
    """Score of each state at each onset, float32 (n_groups, 12 * n_types)."""
    n_hidden = network.scalars.shape[1]
    # The weight of a pitch class for the tonic r is that of the interval from r.
    turned = np.stack([np.roll(network.classes, tonic, axis=1) for tonic in range(12)], axis=2)
    turned = turned.reshape(-1, 12 * n_hidden)
    scores = np.empty((len(around.classes), 12 * network.n_types), np.float32)
    for start in range(0, len(scores), BLOCK):
        rows = slice(start, start + BLOCK)
        classes, scalars = (part.astype(np.float32) for part in around.rows(rows))
        hidden = (classes.reshape(len(classes), -1) @ turned).reshape(-1, 12, n_hidden)
        hidden += (scalars @ network.scalars)[:, None]
        scores[rows] = _output(hidden.reshape(-1, n_hidden), network).reshape(-1, scores.shape[1])
    return scores


def scores_at(around: Context, tonic: np.ndarray, more: np.ndarray, network: Network) -> np.ndarray:
    """Score of each type at each onset, heard from one tonic, float32 (n_groups, n_types).

    Args:
        around: contexts of onsets.
        tonic: pitch class that each is heard from, (n_groups,).
        more: further scalars, (n_groups, n).
        network: its scalars are the context's and these.
    """
    scores = np.empty((len(tonic), network.n_types), np.float32)
    for start in range(0, len(tonic), BLOCK):
        rows = slice(start, start + BLOCK)
        heard = heard_from(around.classes[rows], tonic[rows]).astype(np.float32)
        hidden = heard.reshape(len(heard), -1) @ network.classes.reshape(-1, network.scalars.shape[1])
        hidden += np.concatenate([around.scalars[rows], more[rows]], axis=1).astype(np.float32) @ network.scalars
        scores[rows] = _output(hidden, network)
    return scores


def heard_from(classes: np.ndarray, tonic: np.ndarray) -> np.ndarray:
    """Blocks of pitch classes (n_groups, BLOCKS, 12), counted from a tonic each instead of from C."""
    return np.take_along_axis(classes, ((tonic[:, None] + np.arange(12)) % 12)[:, None], axis=2)


def _output(hidden: np.ndarray, network: Network) -> np.ndarray:
    np.maximum(hidden, 0, out=hidden)
    hidden *= np.float32(1 / SCALE)
    np.floor(hidden, out=hidden)
    return hidden @ network.types + network.bias


def best_path(scores: np.ndarray, change: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The states with the largest sum of scores and of the scores of changes between them, (n_groups,).

    All songs are gone through side by side, longest first, so that those that last longest are the first rows.

    Args:
        scores: of states at onsets, song after song, (n_groups, n_states); overwritten with those of the best path to
            each state, less the best of all.
        change: score of a change before each onset.
        sizes: onsets of each song.
    """
    order = np.argsort(-sizes, kind="stable")
    lengths, starts = sizes[order], (np.cumsum(sizes) - sizes)[order]
    longest = int(lengths.max(initial=0))
    live = np.searchsorted(-lengths, -np.arange(longest), side="left")
    firsts = starts[lengths > 0]
    scores[firsts] -= scores[firsts].max(axis=1, keepdims=True)
    changed, source = np.zeros(scores.shape, bool), np.zeros(len(scores), np.int64)
    for step in range(1, longest):
        rows = starts[: live[step]] + step
        before = scores[rows - 1]  # the best of which is 0
        source[rows] = before.argmax(axis=1)
        cost = change[rows, None]
        changed[rows] = before < cost
        best = np.maximum(before, cost)
        best += scores[rows]
        best -= best.max(axis=1, keepdims=True)
        scores[rows] = best
    found = np.empty(len(scores), np.int64)
    state = np.zeros(len(sizes), np.int64)
    for step in range(longest - 1, -1, -1):
        rows, now = starts[: live[step]] + step, state[: live[step]]
        ends = lengths[: live[step]] == step + 1
        if ends.any():
            now[ends] = scores[rows[ends]].argmax(axis=1)
        found[rows] = now
        now[:] = np.where(changed[rows, now], source[rows], now)
    return found
