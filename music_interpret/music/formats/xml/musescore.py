"""MuseScore 3 and 4 (.mscz, .mscx), without the program.

Pitches and their spellings (`<tpc>`, 14 is C) are stored as they sound. Each measure has the length of its time
signature, or that of its own `len`; times within it follow from note values, tuplets and gaps (`<location>`). A staff
with a time signature of its own is stretched to the measures of the others. Repeat signs for whole measures (%) are
rests here, as nothing is written in them. Format: no description but the program, github.com/musescore/MuseScore
(`src/engraving/rw`).
"""

import math
import re
from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate, islice
from pathlib import Path
from xml.etree.ElementTree import Element

from music_interpret.music.formats.written import BrokenPiece, BrokenScore, WrittenScore
from music_interpret.music.formats.xml.file import elements, score_text
from music_interpret.music.formats.xml.measures import Head, Measure, Part, ScoreInstrument, Sign
from music_interpret.music.formats.xml.parts import written_score

WHOLES = {
    **{"long": Fraction(4), "breve": Fraction(2), "whole": Fraction(1), "half": Fraction(1, 2)},
    **{"quarter": Fraction(1, 4), "eighth": Fraction(1, 8), "32nd": Fraction(1, 32)},
    **{f"{n}th": Fraction(1, n) for n in (16, 64, 128, 256, 512)},
    "1024th": Fraction(1, 1024),
}
SPELLING_OF_C = 14
BASE_TICKS, MOST_TICKS = 3840, 2**31
LONGEST_WHOLES = 10**5
MARKERS = {"segno": "segno", "varsegno": "segno", "codab": "coda", "varcoda": "coda", "coda": "to_coda", "fine": "fine"}
OCTAVE_LINES = {"8va": 12, "8vb": -12, "15ma": 24, "15mb": -24, "22ma": 36, "22mb": -36}
GRACE = re.compile(r"grace\d|acciaccatura|appoggiatura")


def read(path: Path) -> list[WrittenScore | BrokenPiece]:
    """The score in a file."""
    return [read_text(score_text(path, ".mscx"))]


def read_text(text: str) -> WrittenScore:
    """The score of a .mscx document."""
    score, titles = _score(text)
    actual = {int(n) for n in re.findall(r"<actualNotes>(\d{1,3})<", text)} - {0}
    ticks = BASE_TICKS * math.lcm(*actual)
    ticks = ticks if ticks <= MOST_TICKS else BASE_TICKS * 27720
    staves = [StaffReader(ticks).read(staff) for staff in score.findall("Staff")]
    for staff in staves[1:]:
        for measure, first in zip(staff, staves[0], strict=False):  # which alone says how bars are counted
            measure.number, measure.implicit = first.number, first.implicit
    parts = []
    unclaimed = iter(staves)
    for described in score.findall("Part"):
        mine = list(islice(unclaimed, len(described.findall("Staff"))))
        parts += [_part(described, measures) for measures in mine[:1]]
        for measures in mine[1:]:
            parts[-1].measures = [_together(*pair) for pair in zip(parts[-1].measures, measures, strict=False)]
    excerpts = [found.start() for found in re.finditer(r"<Score[\s>]", text)][1:2]
    heads = sum(1 for _ in re.finditer(r"<Note[\s>]", text[: excerpts[0] if excerpts else None]))
    return written_score(parts, ticks, titles.get("movementTitle") or titles.get("workTitle", ""), heads)


def _score(text: str) -> tuple[Element, dict[str, str]]:
    """The score, without the parts made from it, and its titles."""
    *_, root = elements(text)
    if root.tag != "museScore":
        raise BrokenScore(f"its root element is <{root.tag[:40]}>; expected <museScore>")
    version = root.get("version", "")
    score = root.find("Score")
    if not re.match(r"[34]\.", version) or score is None:
        raise BrokenScore(f"it is of MuseScore {version[:10]}; expected 3 or 4 (open it there and save it)")
    tags = {tag.get("name", ""): " ".join((tag.text or "").split()) for tag in score.findall("metaTag")}
    return score, tags


def _part(described: Element, measures: list[Measure]) -> Part:
    instrument = described.find("Instrument")
    name = described.findtext("trackName", "")
    if instrument is None:
        return Part(name, {"": ScoreInstrument(name)}, measures)
    own = instrument.findtext("longName") or instrument.findtext("trackName") or name
    drums = instrument.findtext("useDrumset", "0") == "1"
    return Part(name, {"": ScoreInstrument(" ".join(own.split()), _program(instrument), drums)}, measures)


def _program(instrument: Element) -> int | None:
    program = instrument.find("Channel/program")
    value = program.get("value", "") if program is not None else ""
    return int(value) if re.fullmatch(r"\d{1,3}", value) and int(value) < 128 else None


def _together(one: Measure, other: Measure) -> Measure:
    """A measure of two staves of one part."""
    one.heads += other.heads
    one.left_out += other.left_out
    one.programs += other.programs
    one.signs += other.signs
    one.length = max(one.length, other.length)
    return one


class StaffReader:
    """Reads a staff's measures one after another."""

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks
        self._index = 0
        self._metre = (4, 4)
        self._stretch = Fraction(1)
        self._measure = Measure()
        self._position = Fraction(0)
        self._tuplets: list[Fraction] = []
        self._octave_lines: list[tuple[int, int, int, Fraction, int]] = []
        """(index of the measure where it begins, position, measures and whole notes to its end, semitones)"""

    def read(self, staff: Element) -> list[Measure]:
        """All its measures."""
        measures = []
        number = 0
        # A rest of several measures, as it is shown, stands beside the measures themselves.
        written = (element for element in staff.findall("Measure") if element.find("multiMeasureRest") is None)
        for index, element in enumerate(written):
            self._index = index
            measure = self._measure = Measure()
            self._tuplets = []
            for child in element:
                if child.tag == "voice":
                    self._position = Fraction(0)
                    for event in child:
                        self._event(event)
                else:
                    self._sign(child)
            measure.implicit = element.findtext("irregular", "0") in ("", "1")
            number += _whole(element.findtext("noOffset")) + (not measure.implicit)
            measure.number = "" if measure.implicit else str(number)
            length = _fraction(element.get("len")) or Fraction(*self._metre)
            measure.length = self._at(length)
            measures.append(measure)
            for found in element.findall("LayoutBreak"):
                if found.findtext("subtype") == "section" and found.findtext("startWithMeasureOne") != "0":
                    number = 0
        self._shift_octaves(measures)
        return measures

    def _shift_octaves(self, measures: list[Measure]) -> None:
        """Sound what stands under octave lines as it sounds."""
        starts = list(accumulate((measure.length for measure in measures), initial=0))
        changes: list[tuple[int, int]] = []
        for index, at, n_measures, wholes, semitones in self._octave_lines:
            end = starts[min(max(index + n_measures, 0), len(measures))] + at + round(wholes * 4 * self._ticks)
            changes += [(starts[index] + at, semitones), (end, -semitones)]
        changes.sort()
        ticks = [tick for tick, _ in changes]
        shifts = list(accumulate((semitones for _, semitones in changes), initial=0))
        for start, measure in zip(starts, measures, strict=False) if changes else ():
            for h, head in enumerate(measure.heads):
                shift = shifts[bisect_right(ticks, start + head.onset)]
                measure.heads[h] = head._replace(pitch=head.pitch + shift)

    def _at(self, wholes: Fraction) -> int:
        if not 0 <= wholes <= LONGEST_WHOLES:
            raise BrokenScore(f"a duration is {float(wholes):g} whole notes; expected 0 … {LONGEST_WHOLES:,}")
        return round(wholes * 4 * self._ticks)

    def _event(self, event: Element) -> None:
        if event.tag == "Chord":
            self._chord(event)
        elif event.tag == "Rest":
            self._position += self._length(event)
        elif event.tag in ("RepeatMeasure", "MeasureRepeat"):
            self._position += _fraction(event.findtext("duration")) or Fraction(0)
        elif event.tag == "location":
            self._position += (_fraction(event.findtext("fractions")) or Fraction(0)) / self._stretch
        elif event.tag == "Tuplet":
            ratio = Fraction(_whole(event.findtext("normalNotes")) or 1, _whole(event.findtext("actualNotes")) or 1)
            self._tuplets.append(ratio * (self._tuplets[-1] if self._tuplets else 1))
        elif event.tag == "endTuplet" and self._tuplets:
            self._tuplets.pop()
        elif event.tag == "TimeSig":
            self._time_signature(event)
        elif event.tag == "InstrumentChange" and (instrument := event.find("Instrument")) is not None:
            program = _program(instrument)
            if program is not None:
                self._measure.programs.append((self._at(self._position), "", program))
        elif event.tag == "Spanner" and event.get("type") == "Volta":
            self._volta(event)
        elif event.tag == "Spanner" and event.get("type") == "Ottava" and (after := event.find("next")) is not None:
            semitones = OCTAVE_LINES.get(event.findtext("Ottava/subtype", ""), 0)
            n_measures = _whole(after.findtext("location/measures"))
            wholes = _fraction(after.findtext("location/fractions")) or Fraction(0)
            self._octave_lines.append((self._index, self._at(self._position), n_measures, wholes, semitones))

    def _chord(self, chord: Element) -> None:
        notes = chord.findall("Note")
        if any(GRACE.match(child.tag) for child in chord):
            self._measure.left_out += ["grace notes"] * len(notes)
            return
        start = self._at(self._position)
        self._position += self._length(chord)
        end = self._at(self._position)
        for note in notes:
            if note.findtext("play") == "0" and (note.find("small") is not None or chord.find("small") is not None):
                self._measure.left_out.append("cue notes")
                continue
            pitch, spelling = _whole(note.findtext("pitch"), -99), _whole(note.findtext("tpc"), -99) - SPELLING_OF_C
            if not (0 <= pitch <= 127 and -30 < spelling < 40 and end > start):
                raise BrokenScore(
                    f"a note has pitch {pitch} and tpc {spelling + SPELLING_OF_C}; expected 0 … 127, -8 … 40"
                )
            ties = [spanner for spanner in note.findall("Spanner") if spanner.get("type") == "Tie"]
            tied_on = any(tie.find("next") is not None for tie in ties)
            tied_back = any(tie.find("prev") is not None for tie in ties)
            self._measure.heads.append(Head(start, end, pitch, spelling, "", "", tied_on, tied_back))

    def _length(self, event: Element) -> Fraction:
        """Length of a chord or rest in whole notes."""
        kind = event.findtext("durationType", "")
        ratio = self._tuplets[-1] if self._tuplets else Fraction(1)
        stated = _fraction(event.findtext("duration"))
        if stated is not None and (kind == "measure" or event.tag == "Chord"):
            return stated * ratio / self._stretch
        if kind not in WHOLES:
            raise BrokenScore(f"a note's duration is {kind[:40]!r}; expected one of: measure {' '.join(WHOLES)}")
        dots = min(_whole(event.findtext("dots")), 8)
        return WHOLES[kind] * (2 - Fraction(1, 2**dots)) * ratio / self._stretch

    def _time_signature(self, event: Element) -> None:
        metre = _whole(event.findtext("sigN")), _whole(event.findtext("sigD"))
        if not (0 < metre[0] < 1000 and 0 < metre[1] <= 1024):
            raise BrokenScore(f"a time signature is {metre[0]}/{metre[1]}; expected two positive numbers")
        stretch = Fraction(_whole(event.findtext("stretchN")) or 1, _whole(event.findtext("stretchD")) or 1)
        self._stretch = stretch if stretch > 0 else Fraction(1)
        self._metre = metre
        if stretch == 1:
            self._measure.metre = metre
        else:  # of this staff alone, whose measures are as long as those of the others
            whole = Fraction(*metre) / stretch
            self._metre = (whole.numerator, whole.denominator)

    def _volta(self, spanner: Element) -> None:
        at = self._at(self._position)
        if spanner.find("next") is not None:
            passes = frozenset(int(n) for n in re.findall(r"\d{1,2}", spanner.findtext("Volta/endings", "")))
            self._measure.signs.append(Sign(at, "ending", passes))
        elif spanner.find("prev") is not None:
            self._measure.signs.append(Sign(at, "ending_stop"))

    def _sign(self, element: Element) -> None:
        signs = self._measure.signs
        if element.tag == "startRepeat":
            signs.append(Sign(0, "repeat_from"))
        elif element.tag == "endRepeat":
            signs.append(Sign(None, "repeat_times", min(max(_whole(element.text, 2), 1), 99)))
        elif element.tag == "Jump":
            to_start = element.findtext("jumpTo", "start") == "start"
            signs.append(Sign(None, "jump", "da capo" if to_start else "dal segno"))
        elif element.tag == "Marker" and (kind := MARKERS.get(element.findtext("label", ""))):
            signs.append(Sign(0 if kind in ("segno", "coda") else None, kind))


def _fraction(text: str | None) -> Fraction | None:
    found = re.fullmatch(r"\s*(-?\d{1,6})/(\d{1,6})\s*", text or "")
    return Fraction(int(found[1]), int(found[2])) if found and int(found[2]) else None


def _whole(text: str | None, default: int = 0) -> int:
    """A whole number, or the default if there is none."""
    return int(text) if text and re.fullmatch(r"\s*-?\d{1,9}\s*", text) else default
