"""What of a song stays the same in another key, from another start, on other instruments, at another tempo.

A song is reduced to its *events*: distinct pairs of onset and pitch, sorted. Durations, programs and doublings in
unison do not count. A *shingle* is eight consecutive events, as seven intervals in semitones and seven onset-to-onset
times, these divided by their greatest common divisor. Shingles are taken of all events and of the highest and the
lowest event at each onset, so that some remain when a voice is missing. Shingles, containment and the sketch, which is
the least hashes of a song and so the same sample from the same shingles: Broder (1997), On the resemblance and
containment of documents.

Shared shingles say where one song lies on another; how much of it does is counted in notes, since eight notes in a row
are rarely left alone when every fourth is changed (docs/log.md has the figures).
"""

import hashlib
from typing import NamedTuple

import numpy as np

from music_interpret.music.notes import BEAT, PITCH, POSITION

LENGTH = 8
"""Events in a shingle."""
SKETCH = 64
"""Hashes kept of a song to find candidates."""
# Any odd numbers without pattern: a shingle's hash is their dot product with its differences, then mixed.
_FACTORS = np.random.default_rng(1997).integers(0, 2**64, 2 * (LENGTH - 1), np.uint64) | np.uint64(1)


class Events(NamedTuple):
    """A song's events, sorted by onset and then pitch, and its shingles."""

    onset: np.ndarray
    """Steps from the first event, int64 (n_events,)."""
    pitch: np.ndarray
    """Semitones above the lowest event, int64 (n_events,)."""
    shingle: np.ndarray
    """Hash of each shingle, of all three kinds, ascending, uint64 (n_shingles,)."""
    at: np.ndarray
    """Its first event, int64 (n_shingles,)."""
    unit: np.ndarray
    """Greatest common divisor of its onset-to-onset times, in steps, int64 (n_shingles,)."""

    @property
    def n_bytes(self) -> int:
        return sum(part.nbytes for part in self)

    def identity(self) -> int:
        """64-bit hash of onsets and pitches: equal for songs that are the same but for key and start."""
        return int.from_bytes(hashlib.blake2b((self.onset * 128 + self.pitch).tobytes(), digest_size=8).digest())

    def sketch(self) -> np.ndarray:
        """The least hashes of the song's distinct shingles, uint64, at most `SKETCH`."""
        return distinct(self.shingle)[:SKETCH]


def events_of(notes: np.ndarray, resolution: int) -> Events:
    """Events and shingles of notes, int64 (n_notes, 5) with at least one row."""
    steps = notes[:, BEAT] * resolution + notes[:, POSITION]
    keys = np.unique((steps - steps.min()) * 128 + notes[:, PITCH] - notes[:, PITCH].min())
    onset, pitch = keys // 128, keys % 128
    changes = np.flatnonzero(np.diff(onset))
    lines = [np.arange(len(keys))]
    if len(changes) < len(keys) - 1:  # else all events are highest and lowest
        lines += [np.append(changes, len(keys) - 1), np.insert(changes + 1, 0, 0)]
    parts = [_shingles(onset[line], pitch[line]) for line in lines]
    shingle, unit = (np.concatenate(part) for part in zip(*parts, strict=True))
    at = np.concatenate([line[: max(len(line) - LENGTH + 1, 0)] for line in lines])
    order = np.argsort(shingle, kind="stable")
    return Events(onset, pitch, shingle[order], at[order], unit[order])


def distinct(ascending: np.ndarray) -> np.ndarray:
    """Each value once."""
    return ascending[np.insert(ascending[1:] != ascending[:-1], 0, True)] if len(ascending) else ascending


def _shingles(onset: np.ndarray, pitch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hash and unit of every shingle of a line of events."""
    if len(onset) < LENGTH:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    times, intervals = (np.lib.stride_tricks.sliding_window_view(np.diff(x), LENGTH - 1) for x in (onset, pitch))
    unit = np.maximum(np.gcd.reduce(times, axis=1), 1)
    differences = np.concatenate([times // unit[:, None], intervals], axis=1)
    return mixed(differences.astype(np.uint64) @ _FACTORS), unit


def mixed(values: np.ndarray) -> np.ndarray:
    """Hash of uint64 values in which every bit depends on every bit: the finaliser of MurmurHash3."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        values = (values ^ (values >> np.uint64(33))) * np.uint64(factor)
    return values ^ (values >> np.uint64(33))


class Overlap(NamedTuple):
    """How much of the smaller of two songs is in the other."""

    notes: float
    """Fraction of its events that have a counterpart."""
    shingles: float
    """Fraction of its distinct shingles."""


PLACEMENTS = 4
"""Placements of one song on the other that are tried: more than one, for inserted bars and repeats written out."""
AROUND = 17
"""An event has a counterpart only where half of so many events around it have one, so that chance does not count."""
_REPEATS = 8
"""Occurrences of a shingle in the other song that vote for a placement."""


def overlap(one: Events, other: Events) -> Overlap:
    """Compare two songs: the one with fewer events is laid on the other where most shingles in common say."""
    if _order(one) > _order(other):
        one, other = other, one
    first, last = (np.searchsorted(other.shingle, one.shingle, side) for side in ("left", "right"))
    shared = len(distinct(one.shingle[last > first]))
    if not shared:
        return Overlap(0.0, 0.0)
    fewest = min(len(distinct(one.shingle)), len(distinct(other.shingle)))
    count = np.minimum(last - first, _REPEATS)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    mine, theirs = np.repeat(np.arange(len(count)), count), np.repeat(first, count) + within
    return Overlap(float(_matched(one, other, mine, theirs).mean()), shared / fewest)


def _order(song: Events) -> tuple[int, bytes, bytes]:
    """By number of events, and so that of two songs the same is laid on the other whichever is named first."""
    return len(song.onset), song.onset.tobytes(), song.pitch.tobytes()


def _matched(one: Events, other: Events, mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Whether each event of `one` has a counterpart under some placement, bool (n_events,).

    Args:
        one: the song that is laid on the other.
        other: the other.
        mine: shingles of `one`, indices.
        theirs: the same shingles in `other`.
    """
    divisor = np.gcd(one.unit[mine], other.unit[theirs])
    mine_longer, theirs_longer = other.unit[theirs] // divisor, one.unit[mine] // divisor
    tempos, which, votes = np.unique(mine_longer << 32 | theirs_longer, return_inverse=True, return_counts=True)
    best = votes.argmax()
    onset, other_onset = one.onset * (tempos[best] >> 32), other.onset * (tempos[best] & 0xFFFFFFFF)
    mine, theirs = mine[which == best], theirs[which == best]
    delay = onset[one.at[mine]] - other_onset[other.at[theirs]]
    placements, votes = np.unique(
        delay * 256 + one.pitch[one.at[mine]] - other.pitch[other.at[theirs]], return_counts=True
    )
    here, there = onset * 256 + one.pitch, other_onset * 256 + other.pitch
    matched = np.zeros(len(here), bool)
    around = np.ones(min(AROUND, len(here)), int)
    for placement in placements[np.argsort(-votes, kind="stable")[:PLACEMENTS]].tolist():
        moved = here - placement
        hits = there[np.minimum(np.searchsorted(there, moved), len(there) - 1)] == moved
        matched |= hits & (2 * np.convolve(hits, around, "same") >= len(around))
        if matched.all():
            break
    return matched
