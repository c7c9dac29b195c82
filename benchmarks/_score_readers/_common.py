"""What the workers of `score_readers.py` share. Needs the standard library alone, as each worker runs in its library's
own environment.

A worker answers lines of JSON with lines of JSON: first what it is, then for each path on stdin what it read. A piece
is a sorted list of [onset, pitch, duration] in steps of 1/12 quarter note, onsets from the first note's beat on.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

STEPS = 12
Time = int | float | Fraction
Piece = list[list[int]]
Read = Callable[[Path], Sequence[Piece | None]]
"""The pieces of a file, None for one that cannot be read."""


class Head(NamedTuple):
    """A note head, times in quarter notes."""

    onset: Time
    end: Time
    pitch: int
    part: int = 0
    tied_on: bool = False
    tied_back: bool = False


def exact(time: Time) -> Fraction:
    """A time that floating point has perhaps moved a little."""
    return Fraction(time).limit_denominator(10080)


def piece(heads: Iterable[Head], *, midi: bool = False) -> Piece:
    """Notes of note heads. Ties join the next note of part and pitch; of MIDI, ends are snapped, not durations."""
    sounding: list[list[Any]] = []
    waiting: dict[tuple[int, int, Fraction], list[list[Any]]] = {}
    for head in sorted(head._replace(onset=exact(head.onset), end=exact(head.end)) for head in heads):
        before = waiting.get((head.part, head.pitch, Fraction(head.onset)))
        if head.tied_back and before:
            note = before.pop()
            note[1] = head.end
        else:
            note = [head.onset, head.end, head.pitch]
            sounding.append(note)
        if head.tied_on:
            waiting.setdefault((head.part, head.pitch, Fraction(head.end)), []).append(note)
    rows = []
    for onset, end, pitch in sounding:
        step = round(onset * STEPS)
        duration = round(end * STEPS) - step if midi else round((end - onset) * STEPS)
        rows.append([step, pitch, max(duration, 1)])
    return from_first_beat(rows)


def from_first_beat(rows: Piece) -> Piece:
    """The same notes, counted from the beat of the first."""
    first = min((row[0] for row in rows), default=0) // STEPS * STEPS
    return sorted([onset - first, pitch, duration] for onset, pitch, duration in rows)


def cpu_seconds() -> float:
    """Processor time of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def serve(version: str, read: Read, more: Callable[[Path], dict[str, Any]] | None = None) -> None:
    """Answer for every path on stdin, until it ends.

    Args:
        version: of the library.
        read: what is timed.
        more: gives further entries of the answer, untimed.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print to stdout

    def answer(**said: Any) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    answer(version=version)
    for line in sys.stdin:
        path = Path(json.loads(line))
        started = cpu_seconds()
        said: dict[str, Any] = {"pieces": [], "error": None}
        try:
            said["pieces"] = read(path)
        except Exception as error:  # whatever a library raises costs it the file
            said["error"] = f"{type(error).__name__}: {error}"[:200]
        seconds = cpu_seconds() - started
        if more and not said["error"]:
            said |= more(path)
        answer(seconds=seconds, **said)
