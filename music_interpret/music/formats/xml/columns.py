"""The measures of all parts that begin together, and so when they begin.

Each is as long as what its fullest part has in it, whatever its metre; but where parts disagree, rests count only as
far as the metre goes. Full bars of two metres at once, 6/8 against 2/4, last equally long, since their barlines meet.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from music_interpret.music.formats.xml.measures import Measure, Part

Metre = tuple[int, int]
"""Numerator and denominator."""
SLACK_QUARTERS = 1 / 32
"""A measure that differs less from its metre has rounded durations, of tuplets mostly."""


class Column(NamedTuple):
    """The measures that begin together."""

    start: int
    """In ticks."""
    end: int
    measures: list[Measure | None]
    """One of each part, or None if a part has none there."""
    metre: Metre | None
    """Time signature that stands there."""


def columns(parts: Sequence[Part], ticks: int) -> list[Column]:
    """The columns of a score of `ticks` per quarter note, from its beginning on."""
    together = _together(parts)
    weights = [part.weight() for part in parts]
    start = 0
    found = []
    for measures, (metre, stated, own) in zip(together, _metres(together, weights), strict=True):
        _stretch(measures, own, metre, ticks)
        end = start + _length([measure for measure in measures if measure], metre, ticks)
        found.append(Column(start, end, measures, metre if stated else None))
        start = end
    return found


def _together(parts: Sequence[Part]) -> list[list[Measure | None]]:
    """The measures of each column, by their index.

    Where a part has fewer measures than others their numbers say which, if they can.
    """
    longest = max((part.measures for part in parts), key=len)
    at = {measure.number: index for index, measure in enumerate(longest)}
    together: list[list[Measure | None]] = [[None] * len(parts) for _ in longest]
    for p, part in enumerate(parts):
        numbers = [measure.number for measure in part.measures]
        fewer = len(numbers) < len(longest) == len(at) and len(set(numbers)) == len(numbers)
        by_number = fewer and at.keys() >= set(numbers)
        for index, measure in enumerate(part.measures):
            together[at[measure.number] if by_number else index][p] = measure
    return together


def _metres(
    together: list[list[Measure | None]], weights: list[int]
) -> list[tuple[Metre | None, bool, list[Metre | None]]]:
    """The metre of each column, whether a time signature stands there, and the metre of each part.

    The parts with most note heads decide.
    """
    current: list[Metre | None] = [None] * len(weights)
    found: list[tuple[Metre | None, bool, list[Metre | None]]] = []
    metre = None
    late: dict[int, Metre] = {}
    for measures in together:
        stated = late | {p: measure.metre for p, measure in enumerate(measures) if measure and measure.metre}
        late = {p: measure.next_metre for p, measure in enumerate(measures) if measure and measure.next_metre}
        if stated:
            votes: Counter[Metre] = Counter()
            current = current.copy()
            for p, weight in enumerate(weights):
                current[p] = held = stated.get(p, current[p])
                if held:
                    votes[held] += weight
            metre = votes.most_common(1)[0][0]
        found.append((metre, bool(stated), current))
    return found


def _stretch(measures: list[Measure | None], own: list[Metre | None], metre: Metre | None, ticks: int) -> None:
    """Let a full bar of 6/8 last as long as the full bar of 2/4 that other parts have."""
    whole = _whole(metre, ticks)
    if any(measure and measure.length == whole for measure in measures):
        for measure, held in zip(measures, own, strict=True):
            if measure and held != metre and whole != measure.length == _whole(held, ticks) > 0:
                measure.stretch(whole)


def _whole(metre: Metre | None, ticks: int) -> int:
    """Length of a bar in a metre, 0 without one."""
    return round(metre[0] * 4 * ticks / metre[1]) if metre else 0


def _length(measures: list[Measure], metre: Metre | None, ticks: int) -> int:
    if any(m.implicit for m in measures):  # an upbeat, or a bar that is divided: parts that only rest may be filled up
        measures = [m for m in measures if m.heads] or measures
    lengths = {m.length for m in measures if m.length}
    length = max(lengths, default=0) or max((m.rest_length for m in measures), default=0)
    if whole := _whole(metre, ticks):
        if len(lengths) > 1 and length > whole:  # some part has a rest too many
            length = max([whole, *(head.end for m in measures for head in m.heads)])
        if not length or abs(length - whole) < SLACK_QUARTERS * ticks:
            return whole
    return length
