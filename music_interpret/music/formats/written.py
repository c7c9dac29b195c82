"""A score as it is written: what each format's reader makes of a file, before it becomes a note array.

Times are whole ticks from the score's beginning, `ticks` of them per quarter note, so that they are exact. Spellings
are numbers on the line of fifths: C is 0, G 1, F -1, B♭ -2, F♯ 6.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

NO_SPELLING = 127


class BrokenScore(Exception):
    """Why a file, or one piece of it, cannot be read as music."""


class Instrument(NamedTuple):
    """What plays notes."""

    name: str = ""
    """As the score calls it; a program is guessed from it if the score states none."""
    program: int | None = None
    """General MIDI program, 0 … 127, if the score states one."""
    drums: bool = False
    """Whether pitches stand for percussion instruments."""


class WrittenNote(NamedTuple):
    """A note head that sounds; a tied note is several of them. Grace notes, cue notes and chord symbols are none."""

    onset: int
    """In ticks."""
    end: int
    """In ticks, after the onset."""
    pitch: int
    """MIDI note number, as it sounds."""
    spelling: int
    """Of the sounding pitch, on the line of fifths; `NO_SPELLING` if the format has none."""
    part: int
    """Number of the part. A tie may cross voices and staves, but not parts."""
    instrument: int
    """Index into the score's instruments."""
    tied_on: bool = False
    """Whether a tie leads from it to the next note of its pitch."""
    tied_back: bool = False
    """Whether a tie leads to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar, or the part of one between two barlines: a repeat or double bar within a bar divides it into two of these.

    Bars follow one another without gaps.
    """

    start: int
    """In ticks."""
    end: int
    """In ticks."""
    number: int | None = None
    """As the edition numbers it, an upbeat often 0; None if it has no number of its own."""
    metre: tuple[int, int] | None = None
    """Numerator and denominator of a time signature that stands here."""
    repeat_from: bool = False
    """Whether a repeated section begins here (|:)."""
    repeat_times: int = 0
    """How often the section that ends here is played if a repeat sign ends it (:|), mostly 2; 0 for no sign."""
    endings: frozenset[int] = frozenset()
    """Passes in which it is played, if it stands under a bracket (volta)."""
    segno: bool = False
    """Whether a segno stands at its beginning."""
    coda: bool = False
    """Whether the coda begins here."""
    to_coda: bool = False
    """Whether the last pass leaves for the coda at its end."""
    fine: bool = False
    """Whether the last pass ends at its end."""
    jump: str = ""
    """"da capo" or "dal segno" if one is written at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenScore:
    """A piece of music as a file has it."""

    ticks: int
    """Per quarter note."""
    notes: list[WrittenNote] | np.ndarray
    """In any order; or an array of such rows, int64 (n_notes, 8)."""
    instruments: list[Instrument]
    title: str = ""
    """As the file calls it, also "X:2" or the like, to name it in messages."""
    bars: list[Bar] = field(default_factory=list)
    """From the beginning on; none where the format has no barlines."""
    signatures: list[tuple[int, int, int]] = field(default_factory=list)
    """(tick, numerator, denominator) of time signatures where there are no bars."""
    played: list[tuple[int, int]] | None = None
    """Sections (first tick, last tick) in the order of playing, if the format lists it instead of repeat signs."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Note heads that are not in `notes`, by kind: "grace notes", "cue notes", "percussion" (without a pitch), …"""
    note_tokens: int | None = None
    """Note heads of the source, counted without the parser (by a search for tokens), to hold against what was read:
    the length of `notes` and all of `left_out`. None if nobody can count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPiece:
    """One piece of a book of several that cannot be read."""

    title: str
    """As in `WrittenScore`."""
    reason: str
    """In one line."""
