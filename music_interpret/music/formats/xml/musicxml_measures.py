"""The measures of one part of a MusicXML score: from elements to note heads and signs.

By the W3C's MusicXML 4.0 reference. `<pitch>` is written pitch, to which `<transpose>` is added; `<octave-shift>` and
clefs change only how it looks, and `<for-part>` speaks of parts that could be made from a score in concert pitch.
`<duration>` is the time that a note takes; its type stands in only where there is none. Ties are `<tie>` or `<tied>`,
either of which may be missing. A `<double>` octave is not written out: a note head is one note.

Microtones are rounded to the nearest semitone, quarter tones towards the note without an accidental.
"""

import functools
import math
import re
from collections import Counter
from xml.etree.ElementTree import Element

from music_interpret.music.formats.written import NO_SPELLING, BrokenScore
from music_interpret.music.formats.xml.measures import Head, Measure, Sign

FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SIMPLEST_STEPS = (0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6)
"""Diatonic steps of an interval of 0 … 11 semitones where a transposition does not say."""
QUARTERS = {
    **{"maxima": 32.0, "long": 16.0, "breve": 8.0, "whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5},
    **{f"{n}th": 4 / n for n in (16, 64, 128, 256, 512)},
    **{"32nd": 4 / 32, "1024th": 4 / 1024},
}
ACCIDENTALS = {
    **{"sharp": "1", "natural-sharp": "1", "flat": "-1", "natural-flat": "-1"},
    **{"double-sharp": "2", "sharp-sharp": "2", "flat-flat": "-2"},
}
"""Semitones of a printed accidental, which counts where a pitch does not say its alteration."""
LONGEST_QUARTERS = 10**6
"""A duration beyond this is a mistake, not music."""
JUMP_WORDS = (
    ("da capo", re.compile(r"\s*(d\.?\s*c\b|da\s+capo)", re.IGNORECASE)),
    ("dal segno", re.compile(r"\s*(d\.?\s*s\b|dal\s+segno)", re.IGNORECASE)),
    ("fine", re.compile(r"\W*fine\W*$", re.IGNORECASE)),
    ("to_coda", re.compile(r"\s*to\s+coda", re.IGNORECASE)),
)
"""Texts that say where to go on, in scores that do not say it for playback."""


class PartReader:
    """Reads a part's measures one after another, and keeps what holds on from one to the next: divisions and clefs."""

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks
        self._scale: float = ticks
        self._clef_octaves: dict[str, int] = {}
        self._measure = Measure()
        self._position = self._chord_onset = 0
        self._whole_rests: list[tuple[tuple[str, str], int]] = []

    def read(self, element: Element) -> Measure:
        """The measure of an element: `<measure>`, or `<part>` of a score written by measures."""
        measure = self._measure = Measure(element.get("number", "").strip(), element.get("implicit") == "yes")
        self._position = self._chord_onset = 0
        self._whole_rests = []
        for child in element:
            tag = child.tag
            if tag == "note":
                self._note(child)
            elif tag == "backup":
                self._position = max(0, self._position - self._ticks_of(child.findtext("duration", "0")))
            elif tag == "forward":
                self._position += self._ticks_of(child.findtext("duration", "0"))
                measure.length = max(measure.length, self._position)
            elif tag == "attributes":
                self._attributes(child)
            elif tag == "barline":
                self._barline(child)
            elif tag in ("direction", "sound"):
                self._direction(child)
        if self._whole_rests:
            voices = Counter(map(_voice, element.iterfind("note")))
            for voice, end in self._whole_rests:
                if voices[voice] == 1:
                    measure.rest_length = max(measure.rest_length, end)
                else:
                    measure.length = max(measure.length, end)
        return measure

    def _note(self, note: Element) -> None:
        parts = {part.tag: part for part in note}
        length = 0 if "grace" in parts else self._length(note, parts)
        if "chord" not in parts:
            self._chord_onset = self._position
            self._position += length
        onset, measure = self._chord_onset, self._measure
        end = onset + length
        if "rest" in parts:
            if parts["rest"].get("measure") == "yes" or not length:
                measure.rest_length = max(measure.rest_length, end)
                return
            if onset == 0 and note.findtext("type") == "whole":
                self._whole_rests.append((_voice(note), end))
                return
        measure.length = max(measure.length, end)
        written = parts.get("pitch", parts.get("unpitched"))
        if written is None:
            return
        if "grace" in parts or "cue" in parts or not length:
            kind = "grace notes" if "grace" in parts else "cue notes" if "cue" in parts else "notes without a length"
            measure.left_out.append(kind)
            return
        pitch, spelling = -1, NO_SPELLING
        if "pitch" in parts:
            alter = written.findtext("alter")
            if alter is None and "accidental" in parts:
                alter = ACCIDENTALS.get(parts["accidental"].text or "")
            pitch, spelling = midi_pitch(written.findtext("step"), alter, written.findtext("octave"))
        staff = parts["staff"].text or "" if "staff" in parts else ""
        instrument = parts["instrument"].get("id", "") if "instrument" in parts else ""
        measure.heads.append(Head(onset, end, pitch, spelling, staff, instrument, *_ties(note, parts)))

    def _length(self, note: Element, parts: dict[str, Element]) -> int:
        if "duration" in parts:
            return self._ticks_of(parts["duration"].text)
        quarters = QUARTERS.get(note.findtext("type", "").strip(), 0.0)
        quarters *= 2 - 0.5 ** min(len(note.findall("dot")), 8)
        if "time-modification" in parts:
            modification = parts["time-modification"]
            actual = _whole(modification.findtext("actual-notes"), 1)
            quarters *= _whole(modification.findtext("normal-notes"), 1) / max(actual, 1)
        return round(quarters * self._ticks)

    def _ticks_of(self, duration: str | None) -> int:
        try:
            ticks = int(duration or 0) * self._scale
        except ValueError:
            ticks = _number(duration) * self._scale
        if not 0 <= ticks <= LONGEST_QUARTERS * self._ticks:
            raise BrokenScore(f"a duration is {str(duration)[:40]}; expected 0 … {LONGEST_QUARTERS:,} quarter notes")
        return round(ticks)

    def _attributes(self, attributes: Element) -> None:
        measure = self._measure
        for child in attributes:
            if child.tag == "divisions":
                divisions = divisions_of(child.text or "")
                if divisions is None:
                    raise BrokenScore(f"divisions are {str(child.text)[:40]!r}; expected a positive number")
                exact = self._ticks * divisions[1] / divisions[0]
                self._scale = int(exact) if exact == int(exact) else exact
            elif child.tag == "time":
                metre = _metre(child)
                if metre and self._position:
                    measure.next_metre = metre
                elif metre and not measure.metre:  # the first staff's, if staves differ
                    measure.metre = metre
            elif child.tag == "clef":
                self._clef_octaves[child.get("number", "")] = _whole(child.findtext("clef-octave-change"), 0)
            elif child.tag == "transpose":
                self._transpose(child)

    def _transpose(self, transpose: Element) -> None:
        staff = transpose.get("number", "")
        semitones, fifths = _transposition(transpose)
        # Under a clef with a little 8 pitches are an octave down already; some programs state it once more.
        clef_octave = self._clef_octaves.get(staff or "1", self._clef_octaves.get("", 0))
        if semitones == 12 * clef_octave:
            semitones = fifths = 0
        self._measure.transpositions.append((self._position, staff, (semitones, fifths)))

    def _barline(self, barline: Element) -> None:
        measure, location = self._measure, barline.get("location", "right")
        position = {"left": 0, "right": None}.get(location, self._position)
        found = {child.tag: child for child in barline}
        style = barline.findtext("bar-style", "")
        if location == "middle" and ("repeat" in found or style.startswith(("light-", "heavy"))):
            measure.cuts.append((self._position, ""))
        if "repeat" in found:
            forward = found["repeat"].get("direction") == "forward"
            times = min(max(_whole(found["repeat"].get("times"), 2), 1), 99)
            measure.signs.append(Sign(position, *(("repeat_from", True) if forward else ("repeat_times", times))))
        if "ending" in found:
            ending = found["ending"]
            if ending.get("type") == "start":
                measure.signs.append(Sign(position, "ending", _passes(ending)))
            else:
                measure.signs.append(Sign(position, "ending_stop"))
        for kind in ("segno", "coda"):
            if kind in found or barline.get(kind):
                measure.signs.append(Sign(position, kind))

    def _direction(self, direction: Element) -> None:
        """Signs of the order of playing, and changes of programs, of a `<direction>` or a `<sound>` of its own."""
        measure, at = self._measure, self._position
        sound = direction if direction.tag == "sound" else direction.find("sound")
        told: list[Sign] = []
        if sound is not None:
            for change in sound.iterfind("midi-instrument"):
                program = _whole(change.findtext("midi-program"), 0) - 1
                if 0 <= program < 128:
                    measure.programs.append((at, change.get("id", ""), program))
            told = _sound_signs(sound, at)
        measure.signs += told or _written_signs(direction, at)


def _voice(note: Element) -> tuple[str, str]:
    return note.findtext("voice", ""), note.findtext("staff", "")


def divisions_of(text: str) -> tuple[int, int] | None:
    """Divisions of a quarter note as a fraction (numerator, denominator), None if they are no sensible number."""
    number = _number(text)
    if not 0 < number <= 10**6:
        return None
    return number.as_integer_ratio() if number == round(number, 3) else None


def _sound_signs(sound: Element, at: int) -> list[Sign]:
    told = []
    for name, kind in (("segno", "segno"), ("coda", "coda"), ("forward-repeat", "repeat_from")):
        if sound.get(name):
            told.append(Sign(at, kind))
    for name, kind in (("tocoda", "to_coda"), ("fine", "fine")):
        if sound.get(name):
            told.append(Sign(at or None, kind))
    if sound.get("dacapo") == "yes":
        told.append(Sign(at or None, "jump", "da capo"))
    elif sound.get("dalsegno"):
        told.append(Sign(at or None, "jump", "dal segno"))
    return told


def _written_signs(direction: Element, at: int) -> list[Sign]:
    """Signs of a direction that does not say for playback what it means."""
    signs = []
    for words in direction.iterfind("direction-type/words"):
        kind = next((kind for kind, pattern in JUMP_WORDS if pattern.match(words.text or "")), None)
        if kind in ("da capo", "dal segno"):
            signs.append(Sign(at or None, "jump", kind))
        elif kind:
            signs.append(Sign(at or None, kind))
    if not signs and direction.find("direction-type/segno") is not None:
        signs.append(Sign(at, "segno"))
    if not signs and direction.find("direction-type/coda") is not None:
        signs.append(Sign(at, "coda_sign"))
    return signs


def _ties(note: Element, parts: dict[str, Element]) -> tuple[bool, bool]:
    """Whether a tie leads from a note, and whether one leads to it."""
    types = {tie.get("type") for tie in note.findall("tie")} if "tie" in parts else set()
    if "notations" in parts:
        for notations in note.findall("notations"):
            types.update(tied.get("type") for tied in notations.findall("tied"))
    return "start" in types or "continue" in types, "stop" in types or "continue" in types


@functools.lru_cache(4096)
def midi_pitch(step: str | None, alter: str | None, octave: str | None) -> tuple[int, int]:
    """MIDI note number and spelling of a written pitch."""
    step = (step or "").strip().upper()
    if step not in FIFTHS:
        raise BrokenScore(f"a step is {step[:20]!r}; expected A … G")
    bend = _number(alter) if (alter or "").strip() else 0.0
    number = _number(octave)
    if abs(bend) > 4 or not -1 <= number <= 10:
        raise BrokenScore(f"a pitch is {step} altered by {bend:g} in octave {number:g}; expected up to 4, -1 … 10")
    semitones = int(math.copysign(math.ceil(abs(bend) - 0.5), bend))
    return 12 * (int(number) + 1) + SEMITONES[step] + semitones, FIFTHS[step] + 7 * semitones


def _transposition(transpose: Element) -> tuple[int, int]:
    """Semitones, and steps on the line of fifths, from written to sounding pitch."""
    chromatic = round(_number(transpose.findtext("chromatic", "0")))
    diatonic = transpose.findtext("diatonic")
    fifths = fifths_between(chromatic, None if diatonic is None else round(_number(diatonic)))
    return chromatic + 12 * _whole(transpose.findtext("octave-change"), 0), fifths


def fifths_between(semitones: int, steps: int | None) -> int:
    """Steps on the line of fifths of an interval of semitones and diatonic steps, the simplest if these are unknown."""
    if steps is not None and abs(fifths := 7 * semitones - 12 * steps) <= 7:  # 0 beside a whole tone is no statement
        return fifths
    size = abs(semitones)
    fifths = 7 * size - 12 * (SIMPLEST_STEPS[size % 12] + 7 * (size // 12))
    return fifths if semitones >= 0 else -fifths


def _metre(time: Element) -> tuple[int, int] | None:
    """Numerator and denominator of a time signature: 3+2 over 8 is 5/8, 2/4 with 3/8 is 7/8."""
    numerator, denominator = 0, 1
    for beats, beat_type in zip(time.findall("beats"), time.findall("beat-type"), strict=False):
        upper = sum(_whole(n, 0) for n in re.findall(r"\d{1,4}", beats.text or ""))
        lower = _whole(beat_type.text, 0)
        if not (0 < upper < 1000 and 0 < lower <= 1024):
            return None
        common = math.lcm(denominator, lower)
        numerator = numerator * (common // denominator) + upper * (common // lower)
        denominator = common
    return (numerator, denominator) if numerator else None


def _passes(ending: Element) -> frozenset[int]:
    """Passes of a bracket: "1, 2", "1-3"; a 0, as some programs write, is none."""
    passes: set[int] = set()
    for first, last in re.findall(r"(\d{1,2})(?:\s*-\s*(\d{1,2}))?", ending.get("number") or ending.text or ""):
        passes.update(range(int(first), int(last or first) + 1))
    return frozenset(passes - {0})


def _number(text: str | None) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BrokenScore(f"{str(text)[:40]!r} stands where a number is expected")
    return number


def _whole(text: str | None, default: int) -> int:
    """A whole number, or the default if there is none."""
    try:
        return int(text or "")
    except ValueError:
        return default
