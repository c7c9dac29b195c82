"""The measures of all parts that begin together, and so when they begin.

Each is as long as what its fullest part has in it, whatever its metre; but where parts disagree, rests count only as
far as the metre goes.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from music_interpret.music.formats.measures import Measure, Part

SLACK_QUARTERS = 1 / 32
"""A measure that differs less from its metre has rounded durations, of tuplets mostly."""


class Column(NamedTuple):
    """The measures that begin together."""

    start: int
    """In ticks."""
    end: int
    measures: list[Measure | None]
    """One of each part, or None if a part has none there."""
    metre: tuple[int, int] | None
    """Time signature that stands there."""


def columns(parts: Sequence[Part], ticks: int) -> list[Column]:
    """The columns of a score of `ticks` per quarter note, from its beginning on."""
    together = _together(parts)
    weights = [part.weight() for part in parts]
    start = 0
    found = []
    for measures, (metre, stated) in zip(together, _metres(together, weights), strict=True):
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


def _metres(together: list[list[Measure | None]], weights: list[int]) -> list[tuple[tuple[int, int] | None, bool]]:
    """The metre of each column, and whether a time signature stands there; the parts with most note heads decide."""
    current: list[tuple[int, int] | None] = [None] * len(weights)
    found: list[tuple[tuple[int, int] | None, bool]] = []
    metre = None
    late: dict[int, tuple[int, int]] = {}
    for measures in together:
        stated = late | {p: measure.metre for p, measure in enumerate(measures) if measure and measure.metre}
        late = {p: measure.next_metre for p, measure in enumerate(measures) if measure and measure.next_metre}
        if stated:
            votes: Counter[tuple[int, int]] = Counter()
            for p, weight in enumerate(weights):
                current[p] = held = stated.get(p, current[p])
                if held:
                    votes[held] += weight
            metre = votes.most_common(1)[0][0]
        found.append((metre, bool(stated)))
    return found


def _length(measures: list[Measure], metre: tuple[int, int] | None, ticks: int) -> int:
    if any(m.implicit for m in measures):  # an upbeat, or a bar that is divided: parts that only rest may be filled up
        measures = [m for m in measures if m.heads] or measures
    lengths = {m.length for m in measures if m.length}
    length = max(lengths, default=0) or max((m.rest_length for m in measures), default=0)
    if metre:
        whole = round(metre[0] * 4 * ticks / metre[1])
        if len(lengths) > 1 and length > whole:  # some part has a rest too many
            length = max([whole, *(head.end for m in measures for head in m.heads)])
        if not length or abs(length - whole) < SLACK_QUARTERS * ticks:
            return whole
    return length
