"""Where a score's bars begin: its time signatures and barlines as the stretches of `metres.py`.

A stretch is (first step, numerator, denominator): a downbeat, and the metre that holds from there on. A new one begins
where the signature changes, and where a bar is shorter or longer than its metre says so that the next downbeats shift.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

Stretch = tuple[int, int, int]
"""First step, numerator, denominator."""


def bar_steps(numerator: int, denominator: int, resolution: int) -> int:
    """Length of a bar in steps, rounded down."""
    return numerator * 4 * resolution // denominator


def stream_metres(parts: Iterable[Any], n_notes: Iterable[int], resolution: int) -> list[Stretch]:
    """Stretches of a music21 score, none if no part has a time signature.

    Parts may disagree, where one rests and its bars are filled in otherwise; those with most notes decide.

    Args:
        parts: of the score.
        n_notes: of each part.
        resolution: steps per beat.
    """
    from music21 import meter, stream

    votes: Counter[tuple[Stretch, ...]] = Counter()
    for part, weight in zip(parts, n_notes, strict=True):
        measures = [element for element in part.elements if isinstance(element, stream.Measure)]
        if measures:
            starts = [round(part.elementOffset(measure) * resolution) for measure in measures]
            starts.append(starts[-1] + round(measures[-1].highestTime * resolution))
            signatures = [[e for e in measure.elements if isinstance(e, meter.TimeSignature)] for measure in measures]
            found = _of_bars(starts, [_fraction(s[0]) if s else None for s in signatures], resolution)
        else:
            flat = part.flatten()
            there = [e for e in flat.elements if isinstance(e, meter.TimeSignature)]
            at = [(round(flat.elementOffset(s) * resolution), *_fraction(s)) for s in there]
            found = signature_metres(at, resolution)
        votes[tuple(found)] += weight
    votes.pop((), None)
    return list(votes.most_common(1)[0][0]) if votes else []


def signature_metres(signatures: Iterable[Stretch], resolution: int) -> list[Stretch]:
    """Stretches of time signatures that stand at downbeats, in order; of several at one step the last holds."""
    at: dict[int, Stretch] = {}
    for start, numerator, denominator in signatures:
        if min(numerator, denominator) > 0 and bar_steps(numerator, denominator, resolution) > 0:
            at[start] = (start, numerator, denominator)
    stretches: list[Stretch] = []
    for stretch in sorted(at.values()):
        _append(stretches, stretch, resolution)
    return stretches


def shifted(stretches: Sequence[Stretch], steps: int, resolution: int) -> list[Stretch]:
    """Stretches counted from `steps` on; the first begins with the last downbeat that is not after it."""
    moved = [(start - steps, numerator, denominator) for start, numerator, denominator in stretches]
    while len(moved) > 1 and moved[1][0] <= 0:
        del moved[0]
    if moved:
        start, numerator, denominator = moved[0]
        moved[0] = (-(-start % bar_steps(numerator, denominator, resolution)), numerator, denominator)
    return moved


def _fraction(signature: Any) -> tuple[int, int]:
    return int(signature.numerator or 0), int(signature.denominator or 0)


def _of_bars(starts: Sequence[int], signatures: Sequence[tuple[int, int] | None], resolution: int) -> list[Stretch]:
    """Stretches of written bars.

    Args:
        starts: first step of each bar, and the last bar's end.
        signatures: of each bar, if one stands there.
        resolution: steps per beat.
    """
    stretches: list[Stretch] = []
    metre: tuple[int, int] | None = None
    last_downbeat = starts[0]
    for number, (start, end, signature) in enumerate(zip(starts, starts[1:], signatures, strict=False)):
        before = metre
        # Of a bar that is too full, music21's ABC reader makes a bar and one of 1/4 or so: no metre but a short bar.
        if (
            signature
            and min(signature) > 0
            and bar_steps(*signature, resolution) > 0
            and (signature[0] > 1 or not metre)
        ):
            metre = signature
        if metre is None or end <= start:
            continue
        whole = bar_steps(*metre, resolution)
        if number == 0 and end - start < whole and len(signatures) > 1:
            start = end - whole  # an upbeat
        elif before and start < last_downbeat + bar_steps(*before, resolution) == end:
            continue  # the second half of a bar that a repeat or a double bar divides; a new metre begins after it
        last_downbeat = start
        _append(stretches, (start, *metre), resolution)
    return stretches


def _append(stretches: list[Stretch], new: Stretch, resolution: int) -> None:
    """Append a downbeat and its metre, if the last stretch does not have both already."""
    if stretches:
        start, numerator, denominator = stretches[-1]
        on_a_downbeat = (new[0] - start) % bar_steps(numerator, denominator, resolution) == 0
        if on_a_downbeat and (numerator, denominator) == new[1:]:
            return
    stretches.append(new)
