"""Downbeats of MIDI scores, held against annotations in seconds, as the ASAP data set has them.

`<name>_annotations.txt` alongside `<name>.mid` has seconds, seconds and a label in each line; those with `db` are
downbeats. F is the harmonic mean of precision and recall; a downbeat is right within an eighth of a quarter note.
Downbeats count from the first note to the last onset.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

STEPS = 12
TOLERANCE = STEPS / 8


def annotated(path: Path) -> np.ndarray | None:
    """Downbeats of the score's annotations in steps from its first note's beat; None if there are none."""
    import symusic

    annotations = path.with_name(f"{path.stem}_annotations.txt")
    if not annotations.is_file():
        return None
    rows = [line.split("\t") for line in annotations.read_text(encoding="utf-8").splitlines()]
    seconds = np.array([float(row[0]) for row in rows if row[2].startswith("db")])
    score: Any = symusic.Score(path)
    timed = score.to("second")
    ticks = np.concatenate([[note.time for note in track.notes] for track in score.tracks])
    times = np.concatenate([[note.time for note in track.notes] for track in timed.tracks])
    order = np.argsort(ticks)
    steps, times = ticks[order] * STEPS / score.ticks_per_quarter, times[order]
    inside = seconds[(seconds >= times[0] - 1e-3) & (seconds <= times[-1] + 1e-3)]
    return np.interp(inside, times, steps) - np.rint(steps[0]) // STEPS * STEPS


def stated(work: dict[str, Any]) -> np.ndarray:
    """Downbeats of a song's metres in steps, from its first note to its last onset."""
    notes = np.array(work["notes"]).reshape(-1, 5)
    onsets = notes[:, 0] * STEPS + notes[:, 1]
    metres = work["metres"]
    ends = [start for start, _, _ in metres[1:]] + [int(onsets.max()) + 1]
    found = [np.arange(start, end, n * 4 * STEPS // d) for (start, n, d), end in zip(metres, ends, strict=True)]
    steps = np.unique(np.concatenate([np.zeros(0), *found]))
    return steps[(steps >= onsets.min()) & (steps <= onsets.max())]


def f_score(found: np.ndarray, expected: np.ndarray) -> float:
    """Of downbeats against annotated ones."""
    if not len(found) or not len(expected):
        return float(len(found) == len(expected))
    near = np.abs(found[:, None] - expected) < TOLERANCE
    precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def has_upbeat_of_its_own(path: Path) -> bool:
    """Whether the first signature holds for no more than its own first bar, which is shorter than the next's."""
    import symusic

    score: Any = symusic.Score(path)
    signatures = sorted({(s.time, s.numerator, s.denominator) for s in score.time_signatures})
    for (start, n, d), (end, next_n, next_d) in list(pairwise(signatures))[:1]:
        bar = n * 4 * score.ticks_per_quarter / d
        return end - start <= bar and n / d < next_n / next_d
    return False
