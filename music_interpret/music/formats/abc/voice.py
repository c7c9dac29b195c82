"""One voice of an ABC tune: its time, pitches, ties, tuplets and overlays, note by note.

Numbers after "§" are sections of the ABC standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1). An accidental holds for
its letter in all octaves to the end of the bar (§11.3, `propagate-accidentals pitch`) unless a directive says
otherwise; that of a grace note holds for itself alone, as the few tunes in music21's corpora mean it where it matters.
A tie to another pitch is none. Microtones (^/c, _3/2c) are rounded to semitones, halves towards the natural.
"""

import functools
import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from music_interpret.music.formats.abc.bars import Barlines, sign_of
from music_interpret.music.formats.abc.fields import (
    ALTERATIONS,
    FIFTHS,
    LETTERS,
    NO_SIGNATURE,
    SEMITONES,
    Midi,
    Sounding,
    fifths,
)
from music_interpret.music.formats.written import BrokenScore

MOST_REST_BARS, MOST_DIGITS = 1000, 6
ENDING, TIED_ON = 1, 6
"""Columns of a note's row."""


class TooCoarse(Exception):
    """A length is no whole number of ticks; `factor` times as many per quarter note would do."""

    def __init__(self, factor: int) -> None:
        super().__init__(factor)
        self.factor = factor


class Head(NamedTuple):
    """A note as it is written."""

    alteration: int | None
    """Of its accidental, if it has one."""
    letter: int
    """Index into `LETTERS`."""
    place: int
    """Steps of the scale above the C of `C`, middle C."""
    pitch: int
    """MIDI note number without alteration."""
    numerator: int
    """Of the factor of the unit length."""
    denominator: int


@dataclass(slots=True)
class Settings:
    """What fields have set, for one voice."""

    signature: tuple[int, ...] = NO_SIGNATURE
    unit: Fraction | None = None
    metre: tuple[int, int] | None = None
    sounding: Sounding = field(default_factory=Sounding)
    midi: Midi = field(default_factory=Midi)
    accidentals: str = "pitch"
    """How far they hold: "not", "octave" or "pitch"."""
    first_bar: int | None = None
    """Number of the first bar, if a directive gives it one."""

    def of_voice(self, number: int) -> "Settings":
        """As a new voice takes them over."""
        return replace(self, midi=self.midi.of_voice(number))


class Tie(NamedTuple):
    """A tie that waits for its second note."""

    row: list[int]
    """Of its first note."""
    tick: int | None = None
    """Where the second note begins, if not where the first one ends."""

    @property
    def due(self) -> int:
        """Where the second note begins."""
        return self.row[ENDING] if self.tick is None else self.tick


@functools.lru_cache(2**16)
def head(accidental: str | None, letter: str, octaves: str, length: str) -> Head:
    """A note from its letters."""
    index = LETTERS.index(letter.upper())
    octave = letter.islower() + octaves.count("'") - octaves.count(",")
    alteration = None
    if accidental:
        alteration = ALTERATIONS[accidental] if accidental in ALTERATIONS else _microtone(accidental)
    return Head(alteration, index, 7 * octave + index, 60 + 12 * octave + SEMITONES[index], *factor(length))


def _microtone(accidental: str) -> int:
    """Semitones of ^/ (a half), ^3/2, _1/4, …."""
    numerator, slash, denominator = accidental[1:].partition("/")
    size = Fraction(int(numerator[:MOST_DIGITS] or 1), int(denominator[:MOST_DIGITS] or 2 if slash else 1) or 1)
    return (1 if accidental[0] == "^" else -1) * math.ceil(size - Fraction(1, 2))


@functools.lru_cache(2**12)
def factor(length: str) -> tuple[int, int]:
    """Numerator and denominator of a length such as 3, /, //, 3/2 (§4.3)."""
    upper, slash, lower = length.partition("/")
    if len(upper) > MOST_DIGITS or len(lower) > MOST_DIGITS:
        raise BrokenScore(f"a note has the length {length[:20]}; expected at most {MOST_DIGITS} digits")
    numerator = int(upper or 1)
    denominator = (2 ** (1 + len(lower)) if not lower.strip("/") else int(lower)) if slash else 1
    if not numerator or not denominator:
        raise BrokenScore(f"a note has the length {length}; expected more than 0")
    return numerator, denominator


class Voice:
    """Where a voice is, and the rows of its notes (as `WrittenNote`s) so far."""

    def __init__(self, part: int, settings: Settings, whole: int, name: str = "") -> None:
        self.part, self.name, self.whole = part, name, whole
        self.settings = settings
        self.instrument = 0
        self.time = 0
        self.rows: list[list[int]] = []
        self.barlines = Barlines()
        self.barlines.metre(0, settings.metre)
        if settings.first_bar is not None:
            self.barlines.numbers[0] = settings.first_bar
        self._bar_starts = [0]
        self._held: dict[int, int] = {}
        """Alterations that accidentals of this bar set, by letter or place."""
        self._ties: dict[int, Tie] = {}
        """By place."""
        self._ties_before_endings: dict[int, Tie] = {}
        self._event: tuple[int, int, list[tuple[list[int], int]]] | None = None
        """Start, length, and (row, place) of the notes of the last event, for ties and broken rhythm."""
        self._broken: tuple[int, int] | None = None
        self._tuplet = (1, 1)
        self._tuplet_left = 0
        self._overlay: tuple[int, int] | None = None
        """(Barlines that remain, tick where the music goes on) of an overlay."""
        self._signs: list[str] = []
        self.refresh()

    def refresh(self) -> None:
        """Take notice of changed settings."""
        unit = self.settings.unit or Fraction(1, 8)
        self._unit = (unit.numerator * self.whole, unit.denominator)
        self._shift = self.settings.sounding.semitones
        self._shift_fifths = fifths(self._shift)

    def forget_accidentals(self) -> None:
        """As a barline or a new key does."""
        self._held.clear()

    def note(self, written: Head) -> None:
        """A note of its own."""
        unit = self._scale()
        length = _ticks(written.numerator, written.denominator, unit)
        row = self._sound(written, length)
        self._pass(length, [(row, written.place)])

    def chord(self, heads: list[Head | tuple[int, int]], tied: set[int], length: tuple[int, int]) -> None:
        """Notes at once, all as long as the first one, perhaps a rest, of which only the length is given (§4.17)."""
        upper, lower = self._scale()
        duration = _ticks(*heads[0][-2:], (upper * length[0], lower * length[1]))
        rows = [(self._sound(written, duration), written.place) for written in heads if isinstance(written, Head)]
        self._pass(duration, rows)
        self._tie([rows[index] for index in sorted(tied)])

    def rest(self, numerator: int, denominator: int) -> None:
        """A rest."""
        self._pass(_ticks(numerator, denominator, self._scale()), [])

    def bar_rests(self, count: int) -> None:
        """Bars of rest (§4.5); in free metre as in 4/4."""
        if count > MOST_REST_BARS:
            raise BrokenScore(f"it rests for {count} bars; expected at most {MOST_REST_BARS}")
        upper, lower = self.settings.metre or (4, 4)
        length = _ticks(upper, lower, (self.whole, 1))
        for index in range(count):
            if index:
                self.bar(0, 0, False)
            self._pass(length, [])

    def _scale(self) -> tuple[int, int]:
        """Ticks of a unit length at the next event, as a fraction: with its tuplet and broken rhythm."""
        if not self._tuplet_left and self._broken is None:
            return self._unit
        upper, lower = self._unit
        if self._tuplet_left:
            self._tuplet_left -= 1
            upper, lower = upper * self._tuplet[1], lower * self._tuplet[0]
        if self._broken is not None:
            upper, lower = upper * self._broken[0], lower * self._broken[1]
            self._broken = None
        return upper, lower

    def _sound(self, written: Head, length: int) -> list[int]:
        """The row of a note that begins now."""
        key = written.letter if self.settings.accidentals == "pitch" else written.place
        alteration = written.alteration
        if alteration is None:
            alteration = self._held.get(key, self.settings.signature[written.letter])
            tie = self._ties.get(written.place)
            if tie is not None and tie.due == self.time:  # it carries the accidental over the barline
                alteration = tie.row[2] - self._shift - written.pitch
        elif self.settings.accidentals != "not":
            self._held[key] = alteration
        pitch = written.pitch + alteration + self._shift
        if not 0 <= pitch <= 127:
            raise BrokenScore(f"a note has the pitch {pitch}; expected 0 to 127")
        tied_back = bool(self._ties) and self._ends_tie(pitch)
        spelling = FIFTHS[written.letter] + 7 * alteration + self._shift_fifths
        row = [self.time, self.time + length, pitch, spelling, self.part, self.instrument, 0, int(tied_back)]
        self.rows.append(row)
        return row

    def _ends_tie(self, pitch: int) -> bool:
        """Whether a tie leads to a note of a pitch that begins now, however it is spelled; mark its first note."""
        for place, tie in self._ties.items():
            if tie.due == self.time and tie.row[2] == pitch:
                tie.row[TIED_ON] = 1
                del self._ties[place]
                return True
        return False

    def _pass(self, length: int, rows: list[tuple[list[int], int]]) -> None:
        for sign in self._signs:
            self.barlines.sign(self.time, sign, on_barline=False)
        self._signs.clear()
        self._event = (self.time, length, rows)
        self.time += length

    def tie(self) -> None:
        """A tie from the last note or chord."""
        if self._event is not None:
            self._tie(self._event[2])

    def _tie(self, rows: list[tuple[list[int], int]]) -> None:
        self._ties.update((place, Tie(row)) for row, place in rows)

    def broken_rhythm(self, mark: str) -> None:
        """`>`: the last event is dotted, the next one halved; `<` the other way; more of them dot doubly, … (§4.4)."""
        if self._event is None or len(mark) > MOST_DIGITS:
            return
        start, length, rows = self._event
        short = (1, 2 ** len(mark))
        dotted = (2 * short[1] - 1, short[1])
        here, self._broken = (dotted, short) if mark[0] == ">" else (short, dotted)
        for row, _ in rows:
            row[ENDING] = row[0] + _ticks(row[ENDING] - row[0], 1, here)
        changed = _ticks(length, 1, here)
        self._event = (start, changed, rows)
        self.time = start + changed

    def tuplet(self, notes: int, time: int, count: int) -> None:
        """(p:q:r, 0 where a number is not given (§4.13)."""
        compound = self.settings.metre is not None and self.settings.metre[0] in (6, 9, 12)
        defaults = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
        if notes > 1:
            self._tuplet = (notes, time or defaults.get(notes, 3 if compound else 2))
            self._tuplet_left = count or notes

    def bar(self, dots_before: int, dots_after: int, ends_section: bool) -> None:
        """A barline; it ends accidentals, and an overlay."""
        self._held.clear()
        self._event = None
        if self._overlay is not None:
            left, target = self._overlay
            if left > 1:
                self._overlay = (left - 1, target)
                return
            self.time = max(self.time, target)
            self._overlay = None
        for sign in self._signs:
            self.barlines.sign(self.time, sign, on_barline=True)
        self._signs.clear()
        self.barlines.line(self.time, dots_before, dots_after, ends_section)
        if self._bar_starts[-1] < self.time:
            self._bar_starts.append(self.time)
        self._ties = {place: tie for place, tie in self._ties.items() if tie.due >= self.time}

    def overlay(self, bars: int) -> None:
        """`&`: back to the barline before, or the one before that, … (§7.4)."""
        target = max(self.time, self._overlay[1]) if self._overlay else self.time
        starts = [start for start in self._bar_starts[-bars - 1 :] if start < target]
        self.time = starts[-bars] if len(starts) >= bars else 0
        self._overlay = (bars, target)
        self._held.clear()
        self._event = self._broken = None

    def ending(self, passes: frozenset[int]) -> None:
        """A variant ending begins: ties into the first one lead into the others, too."""
        self.barlines.ending(self.time, passes)
        if 1 in passes:
            self._ties_before_endings = {place: tie for place, tie in self._ties.items() if tie.due == self.time}
        else:
            self._ties = {place: Tie(tie.row, self.time) for place, tie in self._ties_before_endings.items()}

    def decorate(self, text: str) -> None:
        """A decoration or annotation, which may be a segno, a coda, …."""
        if sign := sign_of(text):
            self._signs.append(sign)

    def finish(self) -> None:
        """End the voice, after its last barline or without one."""
        if self._overlay is not None:
            self.time = max(self.time, self._overlay[1])
        for sign in self._signs:
            self.barlines.sign(self.time, sign, on_barline=True)


def _ticks(numerator: int, denominator: int, unit: tuple[int, int]) -> int:
    """A length of so many units, which last so many ticks."""
    upper, lower = numerator * unit[0], denominator * unit[1]
    whole, rest = divmod(upper, lower)
    if rest:
        raise TooCoarse(lower // math.gcd(upper, lower))
    return whole
