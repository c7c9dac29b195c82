"""Where a score's bars begin: its time signatures and barlines as the stretches of `metres.py`, and their numbers.

A stretch is (first step, numerator, denominator): a downbeat, and the metre that holds from there on. A new one begins
where the signature changes, and where a bar is shorter or longer than its metre says so that the next downbeats shift.
Bars that a repeat or a double bar divides are one bar if their parts make a whole one.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

Stretch = tuple[int, int, int]
"""First step, numerator, denominator."""
Numbered = tuple[int, int]
"""A downbeat's step, and the number of the bar that begins there."""


class ScoreBar(NamedTuple):
    """A bar as the score has it, or a part of one, in steps."""

    start: int
    end: int
    number: int | None
    """As the edition numbers it."""
    metre: tuple[int, int] | None
    """Of a time signature that stands here."""


class Downbeat(NamedTuple):
    """Where a whole bar begins."""

    step: int
    """Of an upbeat, where its whole bar would begin."""
    number: int | None
    metre: tuple[int, int]


def bar_steps(numerator: int, denominator: int, resolution: int) -> int:
    """Length of a bar in steps, rounded down."""
    return numerator * 4 * resolution // denominator


def signature_metres(signatures: Iterable[Stretch], resolution: int) -> list[Stretch]:
    """Stretches of time signatures that stand at downbeats, in order; of several at one step the last holds."""
    at = {stretch[0]: stretch for stretch in signatures if _is_metre(stretch[1:], resolution)}
    return _stretches(sorted(at.values()), resolution)


def downbeats(bars: Sequence[ScoreBar], resolution: int) -> list[Downbeat]:
    """The bars that have a metre, the parts of a divided one together."""
    bars = list(_with_metre(bars, resolution))
    found: list[Downbeat] = []
    for metre, parts in _whole_bars(bars, resolution):
        start = parts[0].start
        if not found and len(bars) > 1:
            start = min(start, parts[-1].end - bar_steps(*metre, resolution))  # an upbeat
        found.append(Downbeat(start, next((bar.number for bar in parts if bar.number is not None), None), metre))
    return found


def bar_metres(found: Sequence[Downbeat], resolution: int) -> list[Stretch]:
    """Stretches of downbeats."""
    return _stretches(((downbeat.step, *downbeat.metre) for downbeat in found), resolution)


def edition_numbers(found: Sequence[Downbeat], first: int) -> list[Numbered]:
    """The first number that an edition states, and where its numbers do not count on from the bar before.

    Args:
        found: bars.
        first: step of a song's first beat; steps count from it, and bars that are over by then are not listed.
    """
    numbered: list[Numbered] = []
    expected: int | None = None
    sounds = max((i for i, downbeat in enumerate(found) if downbeat.step <= first), default=0)
    for i, downbeat in enumerate(found):
        number = expected if downbeat.number is None else downbeat.number
        if number is not None and i >= sounds and (number != expected or not numbered):
            numbered.append((downbeat.step - first, number))
        expected = None if number is None else number + 1
    return numbered


def shifted(stretches: Sequence[Stretch], steps: int, resolution: int) -> list[Stretch]:
    """Stretches counted from `steps` on; the first begins with the last downbeat that is not after it."""
    moved = [(start - steps, numerator, denominator) for start, numerator, denominator in stretches]
    while len(moved) > 1 and moved[1][0] <= 0:
        del moved[0]
    if moved:
        start, numerator, denominator = moved[0]
        moved[0] = (-(-start % bar_steps(numerator, denominator, resolution)), numerator, denominator)
    return moved


def _is_metre(metre: Sequence[int], resolution: int) -> bool:
    numerator, denominator = metre
    return min(numerator, denominator) > 0 and bar_steps(numerator, denominator, resolution) > 0


def _with_metre(bars: Sequence[ScoreBar], resolution: int) -> Iterator[ScoreBar]:
    """The bars that last, each with the metre that holds in it, from the first that has one."""
    metre = None
    for bar in bars:
        if bar.metre and _is_metre(bar.metre, resolution):
            metre = bar.metre
        if metre and bar.end > bar.start:
            yield bar._replace(metre=metre)


def _whole_bars(bars: Sequence[ScoreBar], resolution: int) -> Iterator[tuple[tuple[int, int], Sequence[ScoreBar]]]:
    """Bars with the metre of each; parts that together last as long as the first one's metre says are one bar."""
    at = 0
    while at < len(bars):
        metre = bars[at].metre
        assert metre is not None
        whole = bars[at].start + bar_steps(*metre, resolution)
        end = at + 1
        if at:  # a first bar that is short is an upbeat
            while end < len(bars) and bars[end - 1].end < whole and bars[end].end <= whole:
                end += 1
            if bars[end - 1].end != whole:
                end = at + 1
        yield metre, bars[at:end]
        at = end


def _stretches(found: Iterable[Stretch], resolution: int) -> list[Stretch]:
    """The downbeats, and the metres from there on, that the one before does not have already."""
    stretches: list[Stretch] = []
    for new in found:
        if stretches:
            start, numerator, denominator = stretches[-1]
            on_a_downbeat = (new[0] - start) % bar_steps(numerator, denominator, resolution) == 0
            if on_a_downbeat and (numerator, denominator) == new[1:]:
                continue
        stretches.append(new)
    return stretches
