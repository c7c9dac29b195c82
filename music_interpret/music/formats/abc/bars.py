"""Bars of an ABC voice: its barlines, repeats, endings, segnos and codas, and the parts that `P:` puts in order.

Numbers after "§" are sections of the ABC standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1).
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence

from music_interpret.music import repeats
from music_interpret.music.formats.written import Bar, BrokenScore

MOST_BARS, MOST_SECTIONS = 100_000, 100_000
AL = r"\.?(\s*al\s*(fine|coda|segno))?\.?"
SIGNS = [
    (re.compile(pattern, re.IGNORECASE), sign)
    for pattern, sign in [
        (r"segno", "segno"),
        (r"coda", "coda"),
        (r"(to|da)\s*coda", "to coda"),
        (r"fine\.?", "fine"),
        (rf"(d\.\s*c|da\s*capo){AL}", "da capo"),
        (rf"(d\.\s*s|da[l ]?\s*segno){AL}", "dal segno"),
    ]
]


def sign_of(text: str) -> str:
    """The sign that a decoration (§4.14) or an annotation (§4.19) stands for: "fine", "da capo", …; or nothing."""
    text = text.strip().lstrip("^_<>@").strip()
    return next((sign for pattern, sign in SIGNS if pattern.fullmatch(text)), "")


class Barlines:
    """What divides a voice's time."""

    def __init__(self) -> None:
        self.cuts: set[int] = set()
        """Ticks where bars begin or end."""
        self.metres: dict[int, tuple[int, int]] = {}
        self.numbers: dict[int, int] = {}
        """Numbers that a directive gives to bars, by first tick."""
        self._repeats_end: dict[int, int] = {}
        self._repeats_begin: dict[int, int] = {}
        self._endings: dict[int, frozenset[int]] = {}
        self._signs: list[tuple[int, str, bool]] = []

    def line(self, tick: int, dots_before: int = 0, dots_after: int = 0, ends_section: bool = False) -> None:
        """A barline, with so many colons on either side; some end the bracket of a variant ending (§4.10)."""
        self.cuts.add(tick)
        if len(self.cuts) > MOST_BARS:
            raise BrokenScore(f"it has more than {MOST_BARS:,} bars")
        if dots_before:
            self._repeats_end[tick] = max(dots_before, self._repeats_end.get(tick, 0))
        if dots_after:
            self._repeats_begin[tick] = max(dots_after, self._repeats_begin.get(tick, 0))
        if ends_section:
            self._endings.setdefault(tick, frozenset())

    def ending(self, tick: int, passes: frozenset[int]) -> None:
        """The bracket of a variant ending begins."""
        self.cuts.add(tick)
        self._endings[tick] = passes

    def metre(self, tick: int, metre: tuple[int, int] | None) -> None:
        """A time signature; free metre is none."""
        if metre:
            self.cuts.add(tick)
            self.metres[tick] = metre
        else:
            self.metres.pop(tick, None)

    def sign(self, tick: int, sign: str, on_barline: bool) -> None:
        """A sign over the note that begins at a tick, or over a barline."""
        self._signs.append((tick, sign, on_barline))

    def bars(self, end: int) -> list[Bar]:
        """The bars up to a tick."""
        ticks = sorted(tick for tick in self.cuts | {0, end} if tick <= end)
        signs = self._signs_by_bar(ticks)
        bars = []
        passes: frozenset[int] = frozenset()
        dots = 0
        for start, stop in zip(ticks, ticks[1:], strict=False):
            passes = self._endings.get(start, passes)
            dots = self._repeats_begin.get(start, dots)
            times = self._repeats_end.get(stop, 0)
            found = signs.get(start, set())
            bars.append(
                Bar(
                    start=start,
                    end=stop,
                    number=self.numbers.get(start),
                    metre=self.metres.get(start),
                    repeat_from=start in self._repeats_begin,
                    repeat_times=1 + max(times, dots) if times else 0,
                    endings=passes,
                    segno="segno" in found,
                    coda="coda" in found,
                    to_coda="to coda" in found,
                    fine="fine" in found,
                    jump=next((jump for jump in ("da capo", "dal segno") if jump in found), ""),
                )
            )
            if times:
                dots = 0
        return bars

    def _signs_by_bar(self, ticks: Sequence[int]) -> dict[int, set[str]]:
        """Signs of each bar, by its first tick. Of several codas without a "to coda", the first says where to leave."""
        names = Counter(sign for _, sign, _ in self._signs)
        leave = names["coda"] > 1 and not names["to coda"]
        found: dict[int, set[str]] = {}
        for tick, sign, on_barline in sorted(self._signs):
            if sign == "coda" and leave:
                sign, leave = "to coda", False
            before = on_barline and sign not in ("segno", "coda")
            index = bisect_left(ticks, tick) if before else bisect_right(ticks, tick)
            found.setdefault(ticks[max(index - 1, 0)], set()).add(sign)
        return found


def played_sections(order: Sequence[str], labels: Sequence[tuple[int, str]], bars: list[Bar]) -> list[tuple[int, int]]:
    """Sections in the order of playing that a header's `P:` says (§3.1.9), the parts' own repeats played out.

    What stands before the first part is played first. The nth ending is that of the nth time that a part is played if
    it has as many endings as the order has times (§4.10), else of its own repeats.

    Args:
        order: the parts, each as often as it is played.
        labels: first tick and name of each part.
        bars: of the tune.
    """
    if not bars or not labels:
        return []
    firsts = [tick for tick, _ in labels]
    spans: dict[str, list[Bar]] = {}
    for (start, name), end in zip(labels, [*firsts[1:], bars[-1].end], strict=True):
        spans.setdefault(name, [bar for bar in bars if start <= bar.start < end])
    sections = [(bar.start, bar.end) for bar in bars if bar.start < firsts[0]]
    times = Counter(order)
    passes: Counter[str] = Counter()
    for name in order:
        inside = spans.get(name, [])
        passes[name] += 1
        by_part = max((max(bar.endings) for bar in inside if bar.endings), default=0) == times[name]
        sections += _of_pass(inside, passes[name]) if by_part else repeats.played_sections(inside)
        if len(sections) > MOST_SECTIONS:
            raise BrokenScore(f"P: makes more than {MOST_SECTIONS:,} sections")
    return _joined(sections)


def _of_pass(bars: list[Bar], number: int) -> list[tuple[int, int]]:
    return [(bar.start, bar.end) for bar in bars if not bar.endings or number in bar.endings]


def _joined(sections: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sections, each that follows the one before it joined with it."""
    joined: list[tuple[int, int]] = []
    for start, end in sections:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
