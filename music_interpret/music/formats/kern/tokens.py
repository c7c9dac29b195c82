"""What a token of a kern spine says: notes, rests and their lengths.

"16.ff#" is a dotted sixteenth note F♯5, in any order of its signs. A length is the reciprocal of a whole note, 0 is a
breve, 00 a long, 000 a maxima, 3%2 two thirds of a whole note, and a dot adds half. `q` marks a grace note and `Q` a
groupetto, which take no time, `P` an appoggiatura, which takes its own, and `R` an unpitched note. Pitches are sounding
ones, with their accidental whatever the key (`*ITr` says only how to write them). Invisible notes (`y`) and small ones
(`*cue`) sound.

Source: Humdrum Reference Manual, 1995, `**kern` and `**recip`; Humdrum User Guide, chapters 2 and 6.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from music_interpret.music.formats.written import BrokenScore

PITCH = re.compile(r"(([a-gA-G])\2*)(#+|-+)?")
APART = re.compile(r"[a-gA-G][^#-]+(#+|-+)")
"""An accidental with other signs between it and its letter, as in "4bb]-"."""
LENGTH = re.compile(r"(\d{1,9})(?:%(\d{1,9}))?")
SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
FIFTHS = {letter: fifths - 1 for fifths, letter in enumerate("fcgdaeb")}
GRACE_NOTES, UNPITCHED, SECOND_PITCH = "grace notes", "percussion", "second pitches of a note (misspelt)"


class Head(NamedTuple):
    """A note head that sounds."""

    pitch: int
    """MIDI note number."""
    spelling: int
    """On the line of fifths."""
    tied_on: bool
    tied_back: bool


class Token(NamedTuple):
    """A note, a chord or a rest."""

    heads: list[Head]
    left_out: list[str]
    """Kinds of its other note heads."""
    quarters: Fraction | None
    """Its length, to the next token of its path; None if it takes no time."""


def parse(token: str) -> Token:
    """What a token says.

    All notes of a chord have the length of its first, as the standard demands that they be equal. Of a misspelt note
    ("16ddd-g") the first pitch counts, as for Humdrum's own tools.
    """
    pitches: list[tuple[str, tuple[str, str, str]]] = []
    left_out: list[str] = []
    quarters = None
    grace = False
    for part in token.split():
        written = LENGTH.search(part)
        if "q" in part or "Q" in part:
            grace = True
        elif written:
            grace = False
            quarters = quarters or _quarters(written, part)
        found = [] if "r" in part else PITCH.findall(part)
        left_out += [SECOND_PITCH] * (len(found) - 1)
        if found and (grace or "R" in part):
            left_out.append(GRACE_NOTES if grace else UNPITCHED)
        elif found:
            letters, letter, accidental = found[0]
            if not accidental and len(found) == 1 and (apart := APART.search(part)):
                accidental = apart[1]
            pitches.append((part, (letters, letter, accidental)))
    if pitches and quarters is None:
        raise BrokenScore(f'"{token[:40]}" is a note without a length; expected a number, as in "4c"')
    return Token([_head(part, pitch) for part, pitch in pitches], left_out, quarters)


def count_notes(lines: list[str]) -> int | None:
    """Note heads in the lines of a piece, counted by their letters; None if other spines have tokens like them.

    Of the letters that kern uses, a … g and A … G are pitches only, and rests have an r. Where spines of other kinds
    stand alongside, only fields that start as kern does are counted.
    """
    kinds = {kind for line in lines if line.startswith("**") for kind in line.split("\t")}
    if not kinds <= UNLIKE_KERN:
        return None
    body = "\n".join(line for line in lines if line and line[0] not in "!*=")
    if kinds != {"**kern"}:
        body = "\n".join(found[0] for found in KERN_FIELD.finditer(body))
    return sum(1 for _ in LETTERS.finditer(RESTS.sub("", body)))


UNLIKE_KERN = frozenset(("**kern", "**dynam", "**dyn", "**text", "**silbe", "**fing", "**lyrics", "**mxhm"))
LETTERS = re.compile(r"([a-gA-G])\1*")
RESTS = re.compile(r"(?<![^\t\n ])[^\t\n r]*r[^\t\n ]*")
# Signs that are no pitch, then a length, a pitch and a length or q, or a q and either: not "qui", "aqua" or "2. Und".
KERN_FIELD = re.compile(
    r"(?<![^\t\n])(?!\d+\.* )[^a-gA-GqQr\d\t\n ]*+"
    r"(?:\d|([a-gA-G])\1*+n?[^a-z\d\t\n ]*+(?:\d|q+(?![a-z]))|q+[\da-gA-G])[^\t\n]*"
)


def _quarters(written: re.Match[str], part: str) -> Fraction:
    digits, whole_notes, dots = written[1], int(written[2] or 1), part.count(".")
    breves = digits in ("0", "00", "000")
    if not (breves or 0 < int(digits) <= 9999) or not 0 < whole_notes <= 9999 or dots > 9:
        raise BrokenScore(f'"{part[:40]}" has the length {written[0]}; expected one between 9999 and 000')
    length = Fraction(4 * whole_notes * 2 ** len(digits)) if breves else Fraction(4 * whole_notes, int(digits))
    return length * (2 - Fraction(1, 2**dots))


def _head(part: str, pitch_name: tuple[str, str, str]) -> Head:
    letters, letter, accidental = pitch_name
    octave = 4 + len(letters) - 1 if letter.islower() else 4 - len(letters)
    alter = accidental.count("#") - accidental.count("-")
    name = letter.lower()
    pitch = 12 * (octave + 1) + SEMITONES[name] + alter
    if not 0 <= pitch <= 127 or abs(alter) > 4:
        raise BrokenScore(f'"{part}" is beyond the pitches of MIDI; expected C-1 to G9')
    tied_on, tied_back = "[" in part or "_" in part, "]" in part or "_" in part
    return Head(pitch, FIFTHS[name] + 7 * alter, tied_on, tied_back)
