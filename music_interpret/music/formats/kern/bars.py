"""Barlines, metres and sections of a Humdrum piece.

A barline is "=12:|!|:": the number of the bar that begins, and its look; a colon before the lines ends a repeated
section, one behind them begins one. `*>A` begins the section A and `*>[A,A,B]` lists the sections as they are played; a
section A1 where there is a section A, or a "1st ending", is played in that pass. Labelled lists (`*>norep[A,B]`) are
other versions. `*M3/4` is a metre, in which a 0 below is a breve, and 3%2 two thirds of a whole note.

Source: Humdrum Reference Manual, "barlines"; Humdrum User Guide, chapter 20.
"""

import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction

from music_interpret.music.formats.written import Bar

BARLINE = re.compile(r"=+(\d{1,6})?[a-z]?(.*)")
METRE = re.compile(r"\*M(N/N(?:%N)?(?:\+N/N)*|N(?:\+N)+/N)$".replace("N", r"\d{1,3}"))
SECTIONS = re.compile(r"\*> *\[([^\]]*)\]")
LABEL = re.compile(r"\*> *([^>\[\]]*[^>\[\] ]) *$")
ENDING = re.compile(r"(.*?)([1-9])(?:(?:st|nd|rd|th)\W+ending)?$", re.IGNORECASE)


@dataclass
class Division:
    """What stands between two bars, or within one, at one time."""

    barline: bool = False
    number: int | None = None
    ends_repeat: bool = False
    begins_repeat: bool = False
    metre: tuple[int, int] | None = None


class Layout:
    """Bars and sections, gathered as they come; a token's time is known only at the next note."""

    def __init__(self, ticks: int) -> None:
        self.ticks = ticks
        self.divisions: dict[int, Division] = {}
        self.labels: dict[str, int] = {}
        self.listed: list[str] = []
        self._waiting: list[str] = []
        self._last = -1
        self._bar_ticks = 0

    def add(self, token: str) -> None:
        """A barline, or an interpretation of any kind."""
        self._waiting.append(token)

    def settle(self, time: int) -> None:
        """Give all tokens since the last time this one; of several numbered bars in one long note, the last."""
        numbered = [token for token in self._waiting if (found := BARLINE.match(token)) and found[1]]
        later, passed = max(len(numbered) - 1, 0), False
        for token in self._waiting:
            if later and token in numbered:
                later, passed = later - passed, True
            at = time - later * self._bar_ticks
            self._place(token, at if at > self._last else time)
        self._waiting.clear()
        self._last = time

    def _place(self, token: str, time: int) -> None:
        if token[0] == "=":
            self._barline(self.divisions.setdefault(time, Division()), token)
        elif token.startswith("*M"):
            metre = _metre(token)
            if metre:
                self.divisions.setdefault(time, Division()).metre = metre
                self._bar_ticks = 4 * metre[0] * self.ticks // metre[1]
        elif found := SECTIONS.match(token):
            self.listed = self.listed or [label.strip() for label in found[1].split(",")]
        elif found := LABEL.match(token):
            self.labels.setdefault(found[1], time)

    def bars(self, end: int) -> list[Bar]:
        """The bars of a piece that ends at a time; none if it has no barlines."""
        if end <= 0 or not any(division.barline for division in self.divisions.values()):
            return []
        divisions = {0: Division()} | self.divisions
        endings = self._endings(end)
        times = sorted({time for time in divisions if time < end} | {end})
        bars = [
            Bar(
                start=start,
                end=stop,
                number=divisions[start].number,
                metre=divisions[start].metre,
                repeat_from=divisions[start].begins_repeat,
                repeat_times=2 * (stop in divisions and divisions[stop].ends_repeat),
                endings=next((passes for first, last, passes in endings if first <= start < last), frozenset()),
            )
            for start, stop in zip(times, times[1:], strict=False)
        ]
        return _first_numbered(bars)

    def signatures(self) -> list[tuple[int, int, int]]:
        """(Time, numerator, denominator) of the metres."""
        return [(time, *division.metre) for time, division in sorted(self.divisions.items()) if division.metre]

    def played(self, end: int) -> list[tuple[int, int]] | None:
        """The sections in the order of the list; None if there is no list, or one that names others."""
        spans = {label: (start, stop) for label, start, stop in self._sections(end)}
        if not self.listed or not set(self.listed) <= set(spans):
            return None
        before = min(start for start, _ in spans.values())
        order = [(0, before), *(spans[label] for label in self.listed)]
        return [(start, stop) for start, stop in order if start < stop]

    def _sections(self, end: int) -> list[tuple[str, int, int]]:
        starts = sorted((start, label) for label, start in self.labels.items())
        stops = [start for start, _ in starts[1:]] + [end]
        return [(label, start, stop) for (start, label), stop in zip(starts, stops, strict=False)]

    def _endings(self, end: int) -> list[tuple[int, int, frozenset[int]]]:
        """(Start, end, passes) of the sections that are played in some passes only."""
        endings = []
        for label, start, stop in self._sections(end):
            found = ENDING.match(label)
            if found and (found[1] in self.labels or not found[0].endswith(found[2])):
                endings.append((start, stop, frozenset((int(found[2]),))))
        return endings

    @staticmethod
    def _barline(division: Division, token: str) -> None:
        found = BARLINE.match(token)
        number, look = (found[1], found[2]) if found else (None, "")
        lines = "".join(sign for sign in look if sign in ":|!")
        division.barline = True
        division.number = int(number) if number else division.number
        division.ends_repeat |= lines.startswith(":")
        division.begins_repeat |= len(lines) > 1 and lines.endswith(":")


def _metre(token: str) -> tuple[int, int] | None:
    """Numerator and denominator of a metre; None if it is none that notes can have, as in "*MX"."""
    found = METRE.match(token)
    if not found:
        return None
    above, below = found[1].rsplit("/", 1)
    if "/" not in above and "%" not in below and set(below) != {"0"}:
        return sum(map(int, above.split("+"))), int(below)
    terms = [term.split("/") for term in found[1].split("+")]
    whole_notes = sum((_whole_notes(count, unit) for count, unit in terms), Fraction(0))
    denominator = math.lcm(whole_notes.denominator, *(int(unit) for _, unit in terms if unit.strip("0").isdecimal()))
    power_of_two = denominator & (denominator - 1) == 0
    return (int(whole_notes * denominator), denominator) if power_of_two and whole_notes else None


def _whole_notes(count: str, unit: str) -> Fraction:
    divisor, _, dividend = unit.partition("%")
    if set(divisor) == {"0"}:
        return int(count) * Fraction(2 ** len(divisor))
    return Fraction(int(count) * int(dividend or 1), int(divisor))


def _first_numbered(bars: list[Bar]) -> list[Bar]:
    """Bars of which the first, if it has no barline of its own, has the number before the second's."""
    if len(bars) > 1 and bars[0].number is None and bars[1].number:
        bars[0] = replace(bars[0], number=bars[1].number - 1)
    return bars
