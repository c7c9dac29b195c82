"""MusicXML (.musicxml, .xml, .mxl) up to 4.0, by parts or by measures.

Measures of the same index begin together in all parts. Each is as long as what its fullest part has in it, whatever its
metre: a rest that fills a measure (`measure="yes"`, or a whole rest alone in its voice) is as long as the measure is,
and its own duration counts only where every part rests. An empty measure has the length of its metre.
"""

import math
import re
from pathlib import Path
from xml.etree.ElementTree import Element

from music_interpret.music.formats.written import BrokenPiece, BrokenScore, WrittenScore
from music_interpret.music.formats.xml.file import elements, score_text
from music_interpret.music.formats.xml.measures import Measure, Part, ScoreInstrument
from music_interpret.music.formats.xml.musicxml_measures import PartReader, divisions_of
from music_interpret.music.formats.xml.parts import written_score
from music_interpret.music.instrument_names import program_of_name

DIVISIONS = re.compile(r"<divisions>([^<]*)<")
HEADS = re.compile(r"<(?:pitch|unpitched)[\s/>]")
TICKS_OF_TYPES = 6720
"""Ticks in which values down to the 256th are whole, with tuplets of 3, 5 and 7."""
MOST_TICKS = 2**31
KEYBOARDS = range(8)
"""Programs of pianos, harpsichords and the like."""
NAMELESS = re.compile(r"\s*$|(musicxml )?(part|staff|instrument)?[ _-]*p?\d*$", re.IGNORECASE)
"""Part names that programs write where there is none."""
DRUM_CHANNEL = 10


def read(path: Path) -> list[WrittenScore | BrokenPiece]:
    """The score in a file."""
    return [read_text(score_text(path))]


def read_text(text: str) -> WrittenScore:
    """The score of a MusicXML document."""
    ticks = _ticks(text)
    parts, title = _parts(text, ticks)
    return written_score(parts, ticks, title, note_tokens=sum(1 for _ in HEADS.finditer(text)))


def _ticks(text: str) -> int:
    """Ticks of a quarter note in which all durations are whole: the least common multiple of all divisions."""
    found = filter(None, map(divisions_of, set(DIVISIONS.findall(text))))
    ticks = math.lcm(*(numerator for numerator, _ in found))
    lengths = text.count("<duration>") + text.count("<grace") - text.count("<backup") - text.count("<forward")
    if lengths < text.count("<note>") + text.count("<note "):  # some notes have only a type
        ticks = math.lcm(ticks, TICKS_OF_TYPES)
    if ticks > MOST_TICKS:
        raise BrokenScore(f"its divisions have {ticks:,} as least common multiple; expected up to {MOST_TICKS:,}")
    return ticks


def _parts(text: str, ticks: int) -> tuple[list[Part], str]:
    """The parts of a document, and its title."""
    listed: dict[str, Part] = {}
    parts: list[Part] = []
    measures: list[Measure] = []
    reader = PartReader(ticks)
    readers: dict[str, PartReader] = {}
    titles: dict[str, str] = {}
    tag = ""
    for element in elements(text):
        tag = element.tag
        if tag == "measure":
            if element.find("part") is None:
                _append(measures, reader.read(element), element)
            else:
                _read_across(element, listed, readers, ticks)
            element.clear()
        elif tag == "part" and measures:
            described = listed.get(element.get("id", ""), Part())
            parts.append(Part(described.name, described.instruments, measures))
            measures, reader = [], PartReader(ticks)
        elif tag == "score-part":
            listed[element.get("id", "")] = _listed_part(element)
        elif tag in ("work-title", "movement-title"):
            titles[tag] = " ".join((element.text or "").split())
    if tag not in ("score-partwise", "score-timewise"):
        raise BrokenScore(f"its root element is <{tag[:40]}>; expected <score-partwise> or <score-timewise>")
    return parts or list(listed.values()), titles.get("movement-title") or titles.get("work-title", "")


def _append(measures: list[Measure], measure: Measure, element: Element) -> None:
    if measures and element.get("non-controlling") == "yes":
        measures[-1].append(measure)
    else:
        measures.append(measure)


def _read_across(element: Element, listed: dict[str, Part], readers: dict[str, PartReader], ticks: int) -> None:
    """Read a measure of all parts, in a score that is written by measures."""
    number, implicit = element.get("number", "").strip(), element.get("implicit") == "yes"
    before = max((len(part.measures) for part in listed.values()), default=0)
    for child in element.iterfind("part"):
        name = child.get("id", "")
        part = listed.setdefault(name, Part())
        part.measures += [Measure() for _ in range(before - len(part.measures))]  # those that it is not in
        measure = readers.setdefault(name, PartReader(ticks)).read(child)
        measure.number, measure.implicit = number, implicit
        part.measures.append(measure)


def _listed_part(score_part: Element) -> Part:
    name = " ".join(score_part.findtext("part-name", "").split())
    part = Part(name)
    declared = score_part.findall("score-instrument")
    for element in declared:
        own = " ".join(element.findtext("instrument-name", "").split())
        sound = element.findtext("instrument-sound", "").rpartition(".")[2].replace("-", " ")
        choices = (own, sound, name) if len(declared) > 1 else (name, own, sound)
        best = next((choice for choice in choices if not NAMELESS.match(choice)), name)
        part.instruments[element.get("id", "")] = ScoreInstrument(best)
    for midi in score_part.iterfind("midi-instrument"):
        instrument = part.instruments.setdefault(midi.get("id", ""), ScoreInstrument(name))
        instrument.program = _midi_number(midi, "midi-program", instrument.program)
        instrument.unpitched = _midi_number(midi, "midi-unpitched", instrument.unpitched)
        instrument.drums |= _midi_number(midi, "midi-channel", None) == DRUM_CHANNEL - 1
        # Programs write 1, a piano, of parts to which nobody gave a sound: a name says more.
        if instrument.program == 0 and program_of_name(instrument.name) not in (None, *KEYBOARDS):
            instrument.program = None
    return part


def _midi_number(midi: Element, name: str, default: int | None) -> int | None:
    """A number that MusicXML counts from 1, from 0 on."""
    text = midi.findtext(name, "").strip()
    return int(text) - 1 if re.fullmatch(r"\d{1,3}", text) and 1 <= int(text) <= 128 else default
