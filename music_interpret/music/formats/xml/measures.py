"""Parts of a score and what is in their measures, before it is known how long the measures are."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Head(NamedTuple):
    """A written note head."""

    onset: int
    """In ticks from the measure's beginning."""
    end: int
    pitch: int
    """As written, before transposition; of percussion -1, since its instrument knows it."""
    spelling: int
    staff: str
    instrument: str
    """Identifier of a `<score-instrument>`, empty if the note names none."""
    tied_on: bool
    tied_back: bool


class Sign(NamedTuple):
    """A sign that says in which order bars are played."""

    position: int | None
    """In ticks from the measure's beginning; None at its end."""
    kind: str
    """A field of `Bar`, or "ending" and "ending_stop"."""
    value: object = True


@dataclass(slots=True)
class Measure:
    """A measure of one part."""

    number: str = ""
    implicit: bool = False
    heads: list[Head] = field(default_factory=list)
    length: int = 0
    """Where its notes, rests and gaps end, in ticks; without rests that stand for whatever the bar is."""
    rest_length: int = 0
    """Where such rests end."""
    metre: tuple[int, int] | None = None
    next_metre: tuple[int, int] | None = None
    """Time signature that stands after its beginning, so at the next one's."""
    signs: list[Sign] = field(default_factory=list)
    cuts: list[tuple[int, str]] = field(default_factory=list)
    """Barlines inside it, and the number of what follows."""
    transpositions: list[tuple[int, str, tuple[int, int]]] = field(default_factory=list)
    """(position, staff or "", (semitones, fifths)) from there on."""
    programs: list[tuple[int, str, int]] = field(default_factory=list)
    """(position, instrument, program) from there on."""
    left_out: list[str] = field(default_factory=list)
    """Kind of each note head that is not in `heads`."""

    def append(self, other: "Measure") -> None:
        """Go on with a measure that begins apart from the other parts' barlines."""
        at = self.length = max(self.length, self.rest_length)
        self.cuts += [(at, other.number), *((at + position, number) for position, number in other.cuts)]
        self.heads += [head._replace(onset=at + head.onset, end=at + head.end) for head in other.heads]
        self.signs += [s._replace(position=None if s.position is None else at + s.position) for s in other.signs]
        self.transpositions += [(at + position, staff, shift) for position, staff, shift in other.transpositions]
        self.programs += [(at + position, name, program) for position, name, program in other.programs]
        self.left_out += other.left_out
        self.length = at + max(other.length, other.rest_length)

    def stretch(self, length: int) -> None:
        """Make it as long as those of the other parts, whose metre differs."""

        def at(position: int) -> int:
            return round(position * length / self.length)

        self.heads = [head._replace(onset=at(head.onset), end=at(head.end)) for head in self.heads]
        self.signs = [s._replace(position=None if s.position is None else at(s.position)) for s in self.signs]
        self.transpositions = [(at(position), staff, shift) for position, staff, shift in self.transpositions]
        self.programs = [(at(position), name, program) for position, name, program in self.programs]
        self.cuts = [(at(position), number) for position, number in self.cuts]
        self.length = length


@dataclass(slots=True)
class ScoreInstrument:
    """A `<score-instrument>` with its `<midi-instrument>`."""

    name: str = ""
    program: int | None = None
    drums: bool = False
    unpitched: int | None = None
    """MIDI note number of its unpitched notes."""


@dataclass(slots=True)
class Part:
    """A part and its measures."""

    name: str = ""
    instruments: dict[str, ScoreInstrument] = field(default_factory=dict)
    measures: list[Measure] = field(default_factory=list)

    def weight(self) -> int:
        """How much it counts where parts disagree: by its note heads."""
        return 1 + sum(len(measure.heads) for measure in self.measures)
