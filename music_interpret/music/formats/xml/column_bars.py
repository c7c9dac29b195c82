"""The bars of a score from the measures of its parts, with the signs that say in which order they are played."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any

from music_interpret.music.formats.written import Bar
from music_interpret.music.formats.xml.columns import Column
from music_interpret.music.formats.xml.measures import Part


def written_bars(columns: list[Column], parts: Sequence[Part]) -> list[Bar]:
    """The bars of a score; the signs of all its parts count, and the fullest part says where bars are divided."""
    order = sorted(range(len(parts)), key=lambda p: -parts[p].weight())
    bars: list[dict[str, Any]] = []
    for c, (start, end, measures, metre) in enumerate(columns):
        if start == end:
            continue
        written = [measure for p in order if (measure := measures[p])]
        cuts = next((measure.cuts for measure in written if measure.cuts), [])
        inside = {start + position: number for position, number in cuts if 0 < position < end - start}
        number = bar_number(written[0].number)
        number = None if c and number and written[0].implicit else number  # but 0 is an upbeat, of a later movement too
        bars.append({"start": start, "end": min(inside, default=end), "number": number, "metre": metre})
        bars += [{"start": a, "end": b, "number": bar_number(inside[a])} for a, b in pairwise([*sorted(inside), end])]
    if len(bars) > 1 and bars[0]["number"] is None and bars[1]["number"]:
        bars[0]["number"] = bars[1]["number"] - 1  # an upbeat
    _set_signs(bars, _signs(columns))
    return [Bar(**bar) for bar in bars]


def bar_number(text: str) -> int | None:
    """The number that a measure's begins with: 12 of "12a", none of "X1"."""
    digits = re.match(r"\d{1,9}", text)
    return int(digits[0]) if digits else None


def _signs(columns: list[Column]) -> list[tuple[int, str, Any]]:
    """(tick, kind, value) of every sign, in order of time; one that several parts have only once."""
    found: dict[tuple[int, str, Any], None] = {}
    for start, end, measures, _ in columns:
        for measure in filter(None, measures):
            for position, kind, value in measure.signs:
                found[end if position is None else start + position, kind, value] = None
    signs = sorted(found, key=itemgetter(0))
    # A coda's sign stands where one leaves for the coda, and where the coda begins.
    coda_signs = sorted({tick for tick, kind, _ in signs if kind == "coda_sign"})
    leaves = len(coda_signs) > 1 and not any(kind == "to_coda" for _, kind, _ in signs)
    kinds = {tick: "to_coda" if leaves and tick == coda_signs[0] else "coda" for tick in coda_signs}
    return [(tick, kinds[tick] if kind == "coda_sign" else kind, value) for tick, kind, value in signs]


def _set_signs(bars: list[dict[str, Any]], signs: list[tuple[int, str, Any]]) -> None:
    """Write signs into the bars that they stand in: at a bar's end, or at its beginning."""
    starts = [bar["start"] for bar in bars]
    for tick, kind, value in signs:
        at_end = kind in ("repeat_times", "to_coda", "fine", "jump", "ending_stop")
        index = bisect_left(starts, tick) - 1 if at_end else bisect_right(starts, tick) - 1
        if index >= 0 and (at_end or tick < bars[-1]["end"]):  # neither before the first bar nor after the last
            bars[index]["endings" if kind == "ending" else kind] = value
    passes: frozenset[int] = frozenset()
    for bar in bars:
        if bar.get("repeat_from"):
            passes = frozenset()
        bar["endings"] = passes = bar.get("endings", passes)
        if bar.pop("ending_stop", False) or bar.get("repeat_times"):
            passes = frozenset()
