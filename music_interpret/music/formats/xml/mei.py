"""MEI (.mei), common music notation, by the guidelines of versions 3 to 5 (music-encoding.org).

Notes take their values from `@dur`, `@dots` and tuplets; their sounding pitch from `@accid.ges`, else the written
accidental, and `@oct.ges`, else `@oct`, moved by a staff's `@trans.semi`. Of several readings of a text the lemma, the
correction or the regularised one counts. Every `<mdiv>` is a piece of its own. Staves that share a brace are one part.
"""

import math
import re
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from music_interpret.music.formats.written import BrokenPiece, BrokenScore, WrittenScore
from music_interpret.music.formats.xml.column_bars import bar_number
from music_interpret.music.formats.xml.file import elements, score_text
from music_interpret.music.formats.xml.measures import Head, Measure, Part, ScoreInstrument, Sign
from music_interpret.music.formats.xml.musicxml_measures import JUMP_WORDS, fifths_between, midi_pitch
from music_interpret.music.formats.xml.parts import written_score

ALTERS = {
    **{"n": "0", "s": "1", "ns": "1", "ss": "2", "x": "2", "xs": "3", "sx": "3", "ts": "3"},
    **{"f": "-1", "nf": "-1", "ff": "-2", "tf": "-3"},
    **{"su": "1.5", "3qs": "1.5", "sd": "0.5", "1qs": "0.5", "nu": "0.5", "ks": "0.5"},
    **{"fd": "-1.5", "3qf": "-1.5", "fu": "-0.5", "1qf": "-0.5", "nd": "-0.5", "kf": "-0.5"},
}
"""Semitones of accidentals, as MusicXML writes them."""
NOTES = re.compile(r"<(?:\w+:)?note[\s/>]")
BASE_TICKS, MOST_TICKS = 3840, 2**31
OTHER_READINGS = ("rdg", "sic", "orig", "del")
LONG_VALUES = {"breve": Fraction(2), "long": Fraction(4), "maxima": Fraction(8)}
MARKS = {"segno": "segno", "coda": "coda", "fine": "fine", "dalSegno": "dal segno", "daCapo": "da capo"}
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
DRUM_CHANNELS = ("9", "10o")
"""Numbers count from 0, or from 1 with an o (`data.MIDICHANNEL`)."""


class Context(NamedTuple):
    """What holds for the notes inside an element."""

    ratio: Fraction = Fraction(1)
    """Of tuplets and tremolos."""
    grace: bool = False


def read(path: Path) -> list[WrittenScore | BrokenPiece]:
    """The pieces of a file."""
    return read_text(score_text(path))


def read_text(text: str) -> list[WrittenScore | BrokenPiece]:
    """The pieces of an MEI document."""
    *_, root = _without_namespaces(text)
    if root.tag not in ("mei", "music"):
        raise BrokenScore(f"its root element is <{root.tag[:40]}>; expected <mei>")
    scores = [
        (division.get("label", ""), score)
        for division in root.iter("mdiv")
        if (score := division.find("score")) is not None
    ]
    if not scores:
        raise BrokenScore("it holds no score; expected an <mdiv> with a <score>")
    title = " ".join((root.findtext("meiHead/fileDesc/titleStmt/title") or "").split())
    numbers = {int(n) for n in re.findall(r'\bnum="(\d{1,3})"', text)} - {0}
    ticks = BASE_TICKS * math.lcm(*numbers)
    ticks = ticks if ticks <= MOST_TICKS else BASE_TICKS * 27720
    one = len(scores) == 1
    return [
        ScoreReader(score, ticks).read(title if one else label, sum(1 for _ in NOTES.finditer(text)) if one else None)
        for label, score in scores
    ]


def _without_namespaces(text: str) -> list[Element]:
    """The last element of a document, its root, with plain tags throughout."""
    found = []
    for element in elements(text):
        element.tag = element.tag.rpartition("}")[2]
        found = [element]
    return found


class StaffPart(NamedTuple):
    """A part and the staves that it is written on."""

    part: Part
    staves: frozenset[str]


class ScoreReader:
    """Reads the measures of a `<score>` one after another, keeping metres and transpositions."""

    def __init__(self, score: Element, ticks: int) -> None:
        self._score, self._ticks = score, ticks
        self._parts: list[StaffPart] = []
        self._metre = (4, 4)
        self._changes: dict[str, tuple[int, int]] = {}
        self._transpositions: dict[str, tuple[int, int]] = {}
        ties = list(score.iter("tie"))
        self._tied_on = {tie.get("startid", "").lstrip("#") for tie in ties} - {""}
        self._tied_back = {tie.get("endid", "").lstrip("#") for tie in ties} - {""}
        self._endings: dict[Element, frozenset[int]] = {}
        self._ending_stops: set[Element] = set()
        for ending in score.iter("ending"):
            if measures := list(ending.iter("measure")):
                self._endings[measures[0]] = frozenset(int(n) for n in re.findall(r"\d{1,2}", ending.get("n", "")))
                self._ending_stops.add(measures[-1])

    def read(self, title: str, note_tokens: int | None) -> WrittenScore:
        """The score, with a title, and its number of note elements."""
        stack = list(reversed(self._score))
        while stack:
            element = stack.pop()
            if element.tag == "measure":
                self._read_measure(element)
            elif element.tag in ("scoreDef", "staffDef"):
                self._define(element)
            elif element.tag not in OTHER_READINGS:
                stack += reversed(element)
        return written_score([part for part, _ in self._parts], self._ticks, title, note_tokens)

    def _define(self, definition: Element) -> None:
        if definition.tag == "scoreDef" and not self._parts:
            self._parts = [_staff_part(staves) for staves in _groups(definition)]
        everywhere = "" if definition.tag == "scoreDef" else definition.get("n", "")
        if metre := _metre_of(definition):
            self._changes[everywhere] = self._metre = metre
        for staff in [definition] if definition.tag == "staffDef" else definition.iter("staffDef"):
            if staff is not definition and (metre := _metre_of(staff)):
                self._changes[staff.get("n", "")] = metre
                self._metre = metre
            if "trans.semi" in staff.attrib:
                semitones = _whole(staff.get("trans.semi"))
                diatonic = _whole(staff.get("trans.diat")) if "trans.diat" in staff.attrib else None
                self._transpositions[staff.get("n", "")] = semitones, fifths_between(semitones, diatonic)

    def _read_measure(self, element: Element) -> None:
        staves: dict[str, list[Element]] = {}
        for staff in element.iter("staff"):
            staves.setdefault(staff.get("n", ""), []).append(staff)
        for p, (part, names) in enumerate(self._parts):
            measure = Measure(element.get("n", ""))
            for name in sorted(names):
                measure.metre = self._changes.get(name, self._changes.get("", measure.metre))
                if name in self._transpositions:
                    measure.transpositions.append((0, name, self._transpositions[name]))
                for staff in staves.get(name, ()):
                    for layer in staff.iter("layer"):
                        LayerReader(measure, self, name).read(layer)
            if p == 0:
                self._signs(element, measure)
            part.measures.append(measure)
        self._changes.clear()
        self._transpositions.clear()

    def _signs(self, element: Element, measure: Measure) -> None:
        left, right = element.get("left", ""), element.get("right", "")
        for bar, at in ((left, 0), (right, None)):
            if bar in ("rptend", "rptboth"):
                measure.signs.append(Sign(at, "repeat_times", 2))
            if bar in ("rptstart", "rptboth"):
                measure.signs.append(Sign(at, "repeat_from"))
        if element in self._endings:
            measure.signs.append(Sign(0, "ending", self._endings[element]))
        if element in self._ending_stops:
            measure.signs.append(Sign(None, "ending_stop"))
        for mark in element.iter("repeatMark"):
            kind = MARKS.get(mark.get("func", ""), "")
            late = not re.fullmatch(r"(0|1)?(\.0*)?", mark.get("tstamp", ""))
            _add_mark(measure, "to_coda" if kind == "coda" and late else kind)
        for words in element.iter("dir"):
            text = "".join(words.itertext())
            _add_mark(measure, next((kind for kind, pattern in JUMP_WORDS if pattern.match(text)), ""))

    def whole_bar(self) -> int:
        """Length of a bar by its metre, in ticks."""
        return round(Fraction(*self._metre) * 4 * self._ticks)

    def at(self, wholes: Fraction) -> int:
        """Whole notes in ticks."""
        return round(wholes * 4 * self._ticks)

    def ties(self, note: Element, chord: Element) -> tuple[bool, bool]:
        """Whether a tie leads from a note, and whether one leads to it."""
        letters = note.get("tie", "") + (chord.get("tie", "") if chord is not note else "")
        name = note.get(XML_ID, "")
        tied_on = name in self._tied_on or "i" in letters or "m" in letters
        return tied_on, name in self._tied_back or "t" in letters or "m" in letters


class LayerReader:
    """Reads a layer into a measure."""

    def __init__(self, measure: Measure, score: ScoreReader, staff: str) -> None:
        self._measure, self._score, self._staff = measure, score, staff
        self._position = Fraction(0)

    def read(self, layer: Element) -> None:
        """Read all of it, in order."""
        stack = [(child, Context()) for child in reversed(layer)]
        while stack:
            element, context = stack.pop()
            tag = element.tag
            if tag in ("note", "chord"):
                self._sound(element, context)
            elif tag in ("rest", "space"):
                if not (context.grace or element.get("grace")):
                    self._position += _length(element) * context.ratio
            elif tag in ("mRest", "mSpace", "mRpt", "multiRest"):
                self._rest(min(max(_whole(element.get("num"), 1), 1), 9999) if tag == "multiRest" else 1)
            elif tag == "barLine":
                self._barline(element.get("form", ""))
            elif tag in OTHER_READINGS:
                notes = sum(1 for _ in element.iter("note"))
                self._measure.left_out += ["notes of other readings"] * notes
            else:
                children = list(element)
                if tag == "app" and children and element.find("lem") is None:
                    stack += ((child, context) for child in reversed(children[1:]))
                    children = list(children[0])
                stack += ((child, _inside(element, context)) for child in reversed(children))
        self._measure.length = max(self._measure.length, self._score.at(self._position))

    def _sound(self, element: Element, context: Context) -> None:
        notes = [element] if element.tag == "note" else list(element.iter("note"))
        if context.grace or element.get("grace"):
            self._measure.left_out += ["grace notes"] * len(notes)
            return
        start = self._score.at(self._position)
        self._position += _length(element) * context.ratio
        end = self._score.at(self._position)
        for note in notes:
            if "true" in (note.get("cue"), element.get("cue")):
                self._measure.left_out.append("cue notes")
            elif not note.get("pname"):
                self._measure.left_out.append("percussion")
            elif end <= start:
                self._measure.left_out.append("notes without a length")
            else:
                octave = note.get("oct.ges") or note.get("oct")
                pitch, spelling = midi_pitch(note.get("pname"), _alter(note), octave)
                ties = self._score.ties(note, element)
                self._measure.heads.append(Head(start, end, pitch, spelling, self._staff, "", *ties))

    def _rest(self, n_bars: int) -> None:
        measure, whole = self._measure, self._score.whole_bar()
        measure.rest_length = max(measure.rest_length, n_bars * whole)
        if n_bars > 1 and not measure.cuts:
            first = bar_number(measure.number)
            measure.cuts = [(k * whole, "" if first is None else str(first + k)) for k in range(1, n_bars)]

    def _barline(self, form: str) -> None:
        at = self._score.at(self._position)
        if form.startswith(("rpt", "dbl", "end")):
            self._measure.cuts.append((at, ""))
        if form in ("rptend", "rptboth"):
            self._measure.signs.append(Sign(at, "repeat_times", 2))
        if form in ("rptstart", "rptboth"):
            self._measure.signs.append(Sign(at, "repeat_from"))


def _inside(element: Element, context: Context) -> Context:
    if element.tag == "tuplet":
        actual, normal = _whole(element.get("num"), 1), _whole(element.get("numbase"), 1)
        return context._replace(ratio=context.ratio * Fraction(max(normal, 1), max(actual, 1)))
    if element.tag == "fTrem":  # both of its notes are written with the value of the whole
        return context._replace(ratio=context.ratio / 2)
    return context._replace(grace=True) if element.tag == "graceGrp" else context


def _length(element: Element) -> Fraction:
    """Whole notes that an element lasts, without tuplets."""
    value = element.get("dur", "")
    if value in LONG_VALUES:
        length = LONG_VALUES[value]
    elif re.fullmatch(r"\d{1,4}", value) and int(value):
        length = Fraction(1, int(value))
    elif not value:
        return Fraction(0)
    else:
        raise BrokenScore(f"a duration is {value[:40]!r}; expected breve, long, maxima, or a number")
    return length * (2 - Fraction(1, 2 ** min(max(_whole(element.get("dots")), len(element.findall("dot"))), 8)))


def _alter(note: Element) -> str:
    """Semitones by which a note sounds above or below its letter."""
    accidentals = list(note.iter("accid"))
    for name in ("accid.ges", "accid"):
        for element in (note, *accidentals):
            if element.get(name):
                return ALTERS.get(element.get(name, ""), "0")
    return "0"


def _groups(definition: Element) -> list[list[Element]]:
    """Elements that define the staves of each part: the brace's or staff's own first."""
    found: list[list[Element]] = []
    stack = list(reversed(definition))
    while stack:
        element = stack.pop()
        braced = "brace" in (element.get("symbol"), *(symbol.get("symbol") for symbol in element.findall("grpSym")))
        if element.tag == "staffDef":
            found.append([element])
        elif element.tag == "staffGrp" and (braced or element.find("instrDef") is not None):
            found.append([element, *element.iter("staffDef")])
        else:
            stack += reversed(element)
    return found


def _staff_part(described: list[Element]) -> StaffPart:
    instruments = [found for element in described for found in element.findall("instrDef")]
    labels = ["".join(found.itertext()) for element in described for found in element.findall("label")]
    labels += [element.get("label", "") for element in described]
    name = next((" ".join(label.split()) for label in labels if label.strip()), "")
    number = instruments[0].get("midi.instrnum", "") if instruments else ""
    program = int(number) if re.fullmatch(r"\d{1,3}", number) and int(number) < 128 else None
    drums = bool(instruments) and instruments[0].get("midi.channel") in DRUM_CHANNELS
    staves = frozenset(element.get("n", "") for element in described if element.tag == "staffDef")
    return StaffPart(Part(name, {"": ScoreInstrument(name, program, drums)}), staves)


def _metre_of(definition: Element) -> tuple[int, int] | None:
    """The time signature that a definition states: as attributes, or in elements, several of which add up."""
    pairs = [(definition.get("meter.count"), definition.get("meter.unit"), definition.get("meter.sym"))]
    pairs += [(found.get("count"), found.get("unit"), found.get("sym")) for found in definition.findall("meterSig")]
    pairs += [(f.get("count"), f.get("unit"), f.get("sym")) for f in definition.findall("meterSigGrp/meterSig")]
    total = Fraction(0)
    unit = 1
    for count, of, symbol in pairs:
        upper = sum(int(n) for n in re.findall(r"\d{1,3}", count or "")) or {"common": 4, "cut": 2}.get(symbol or "", 0)
        lower = _whole(of) or {"common": 4, "cut": 2}.get(symbol or "", 0)
        if upper and 0 < lower <= 1024:
            total += Fraction(upper, lower)
            unit = math.lcm(unit, lower)
    return (int(total * unit), unit) if total else None


def _add_mark(measure: Measure, kind: str) -> None:
    if kind in ("da capo", "dal segno"):
        measure.signs.append(Sign(None, "jump", kind))
    elif kind:
        measure.signs.append(Sign(0 if kind in ("segno", "coda") else None, kind))


def _whole(text: str | None, default: int = 0) -> int:
    """A whole number, or the default if there is none."""
    return int(text) if text and re.fullmatch(r"\s*-?\d{1,9}\s*", text) else default
