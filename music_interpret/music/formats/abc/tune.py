"""One tune of an ABC book: its fields, line by line.

Numbers after "§" are sections of the ABC standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1). In the body, `K:`,
`L:`, `M:` and directives hold for the voice that they stand in; before the first `V:` they hold for all. In the header,
a directive after a `V:` is that voice's. Music before the first `V:` belongs to the first voice.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from music_interpret.music.formats.abc.bars import played_sections
from music_interpret.music.formats.abc.fields import (
    Macros,
    default_unit,
    key_signature,
    metre,
    part_order,
    unit_length,
    voice_name,
)
from music_interpret.music.formats.abc.music import MusicReader, note_letters
from music_interpret.music.formats.abc.voice import Settings, TooCoarse, Voice
from music_interpret.music.formats.written import NO_SPELLING, Bar, BrokenScore, Instrument, WrittenScore

TICKS, MOST_TICKS, LAST_TICK = 80_640, 10**10, 2**53
"""Per quarter note at first (2^8 · 3^2 · 5 · 7), at most, and in all."""
FIELD = re.compile(r"\s*([A-Za-z+]):")
OPEN_CHORD = re.compile(r"\[[^\]\[|\"]*$")
BODY_FIELD = re.compile(r"\s*([H-Wh-w]):|([A-GX-Z]):(?![|:\[\]])")
"""Letters of notes and rests begin no field of a body (§3), but people write `Z:` or `C:` there: no barline follows."""


@dataclass(frozen=True, slots=True)
class Tune:
    """A tune's lines, without line ends."""

    name: str
    """For messages: X: and the title."""
    file_header: list[str]
    header: list[str]
    """Up to the first `K:`."""
    body: list[str]


def read_tune(tune: Tune) -> WrittenScore:
    """What is written in a tune, with as many ticks per quarter note as its lengths need."""
    ticks = TICKS
    while ticks <= MOST_TICKS:
        try:
            return _TuneReader(tune, ticks).score()
        except TooCoarse as error:
            ticks *= error.factor
    raise BrokenScore(f"its note lengths divide a quarter note into more than {MOST_TICKS:,} parts")


def without_comment(line: str) -> str:
    """A line up to its comment (§2.2.5)."""
    if "%" not in line:
        return line
    return re.split(r"(?<!\\)%", line, maxsplit=1)[0]


def _music_lines(body: list[str]) -> Iterator[tuple[str, str]]:
    """(Letter of a field, its value), ("%", directive) or ("", line of music) for each line.

    Lines that end in a backslash or inside a chord go on in the next line of music.
    """
    begun: list[str] = []
    for line in body:
        field = BODY_FIELD.match(line)
        if line.startswith("%") and not line.startswith("%%"):
            continue
        if field is None and not line.startswith("%%"):
            music = without_comment(line).rstrip()
            begun.append(music.removesuffix("\\"))
            if music.endswith("\\") or OPEN_CHORD.search(music):
                continue
        if begun:
            yield "", "".join(begun)
            begun = []
        if field is not None:
            yield field[1] or field[2], without_comment(line[field.end() :]).strip()
        elif line.startswith("%%"):
            yield "%", without_comment(line[2:]).strip()
    if begun:
        yield "", "".join(begun)


def _voice_of(directive: str) -> str:
    """The voice that a directive names, if it does."""
    match = re.match(r"MIDI\s+voice\s+([^\s=]+)\s+\S*=", directive)
    return match[1] if match else ""


class _TuneReader:
    """Reads a tune once."""

    def __init__(self, tune: Tune, ticks: int) -> None:
        self._tune, self._ticks = tune, ticks
        self._defaults = Settings()
        self._voices: dict[str, Voice] = {}
        self._voice: Voice | None = None
        self._voice_named = False
        self._instruments: dict[tuple[int, int | None, bool], int] = {}
        """Index of each (part, program, drums)."""
        self._macros = Macros()
        self._order = ""
        self._labels: dict[str, int] = {}
        """First tick of each part that `P:` names."""
        self._letters = {"S": "segno", "O": "coda"}
        self._music = MusicReader(self._current, self._field, self._letters)

    def score(self) -> WrittenScore:
        """The tune."""
        self._read_header()
        letters = 0
        for letter, text in _music_lines(self._tune.body):
            if letter == "%":
                self._directive(text, self._voice)
            elif letter:
                self._field(letter, text)
            else:
                letters += note_letters(text)
                self._music.read(self._macros.expand(text))
        for voice in self._voices.values():
            voice.finish()
        return self._score(None if self._macros else letters)

    def _score(self, note_tokens: int | None) -> WrittenScore:
        voices = list(self._voices.values())
        end = max((voice.time for voice in voices), default=0)
        if end > LAST_TICK:
            raise BrokenScore(f"it lasts {end // self._ticks:,} quarter notes; expected fewer")
        rows = np.array([row for voice in voices for row in voice.rows], np.int64).reshape(-1, 8)
        bars: list[Bar] = []
        if len(rows):
            bars = voices[int(np.bincount(rows[:, 4]).argmax())].barlines.bars(end)
        labels = sorted((tick, name) for name, tick in self._labels.items())
        played = played_sections(part_order(self._order), labels, bars)
        times = [self._ticks, *rows[:, :2].ravel(), *(bar.end for bar in bars)]
        step = int(np.gcd.reduce(np.array(times, np.int64)))
        rows[:, :2] //= step
        drums = [number for number, (_, _, is_drums) in enumerate(self._instruments) if is_drums]
        rows[np.isin(rows[:, 5], drums), 3] = NO_SPELLING
        grace_notes = self._music.grace_notes
        return WrittenScore(
            ticks=self._ticks // step,
            notes=rows,
            instruments=[
                Instrument(voices[part].name, program, is_drums) for part, program, is_drums in self._instruments
            ],
            title=self._tune.name,
            bars=[replace(bar, start=bar.start // step, end=bar.end // step) for bar in bars],
            played=[(start // step, stop // step) for start, stop in played] or None,
            left_out=Counter({"grace notes": grace_notes} if grace_notes else {}),
            note_tokens=note_tokens,
        )

    def _read_header(self) -> None:
        """Fields before the music."""
        key = ""
        declared: dict[str, list[str]] = {}
        name = ""
        for line in [*self._tune.file_header, *self._tune.header]:
            match = FIELD.match(line)
            value = without_comment(line[match.end() if match else 2 :]).strip()
            letter = "%" if line.startswith("%%") else match[1] if match else ""
            if letter == "V" and value:
                name = value.split()[0]
                declared.setdefault(name, []).append(value)
            elif letter == "K":
                key = value
            elif letter in ("%", "I") and (to := _voice_of(value) or name):
                declared.setdefault(to, []).append("%" + value)
            elif letter == "%":
                self._directive(value, None)
            elif letter == "P":
                self._order = value
            elif letter:
                self._field(letter, value)
        self._defaults.unit = self._defaults.unit or default_unit(self._defaults.metre)
        self._field("K", key)
        for name, lines in declared.items():
            self._declare(self._named(name), lines)

    def _declare(self, voice: Voice, lines: list[str]) -> None:
        """Give a voice what `V:` and directives after it say in the header."""
        for line in lines:
            if line.startswith("%"):
                self._directive(line[1:], voice)
            else:
                self._parameters(voice, line)

    def _current(self) -> Voice:
        """The voice that is written now."""
        if self._voice is None:
            self._voice = self._named(next(iter(self._voices), "1"))
        return self._voice

    def _named(self, name: str) -> Voice:
        """The voice of a name, which begins with what the header says."""
        if name not in self._voices:
            part = len(self._voices)
            self._voices[name] = Voice(part, self._defaults.of_voice(part + 1), 4 * self._ticks)
            self._refresh(self._voices[name])
        return self._voices[name]

    def _refresh(self, voice: Voice | None) -> None:
        """Let a voice take notice of its changed settings."""
        if voice is None:
            return
        voice.refresh()
        midi = voice.settings.midi
        instrument = (voice.part, midi.stated_program, midi.drums or voice.settings.sounding.percussion)
        voice.instrument = self._instruments.setdefault(instrument, len(self._instruments))

    def _scope(self, voice: Voice | None) -> list[Settings]:
        """What a field changes: a voice, or all that follow, or both where no voice has been named."""
        named = voice is not None and (self._voice_named or voice is not self._voice)
        return ([] if named else [self._defaults]) + ([voice.settings] if voice is not None else [])

    def _parameters(self, voice: Voice, text: str) -> None:
        parameters = text[len(text.split()[0]) :]
        voice.name = voice_name(parameters) or voice.name
        voice.settings.sounding = voice.settings.sounding.after(parameters)
        self._refresh(voice)

    def _field(self, letter: str, value: str) -> None:
        """A field of header or body; those that say nothing about notes are skipped."""
        voice = self._voice
        if letter == "V" and value:
            self._voice = self._named(value.split()[0])
            self._voice_named = True
            self._parameters(self._voice, value)
        elif letter == "K":
            self._key(value, voice)
        elif letter == "M":
            for settings in self._scope(voice):
                settings.metre = metre(value)
            if voice is not None:
                voice.barlines.metre(voice.time, metre(value))
        elif letter == "L":
            for settings in self._scope(voice):
                settings.unit = unit_length(value)
            self._refresh(voice)
        elif letter == "P":
            self._label(value)
        elif letter == "m":
            self._macros.define(value)
        elif letter == "U":
            symbol, _, decoration = value.partition("=")
            self._letters[symbol.strip()] = decoration.strip().strip("!+")
        elif letter == "I":
            self._directive(value, voice)

    def _key(self, value: str, voice: Voice | None) -> None:
        signature = key_signature(value)
        for settings in self._scope(voice):
            settings.signature = signature or settings.signature
            settings.sounding = settings.sounding.after(value)
        if voice is not None:
            voice.forget_accidentals()
        self._refresh(voice)

    def _label(self, name: str) -> None:
        """A part begins."""
        voice = self._current()
        voice.barlines.line(voice.time, ends_section=True)
        self._labels.setdefault(name[:1], voice.time)

    def _directive(self, text: str, voice: Voice | None) -> None:
        """`%%…` or `I:…` (§11)."""
        words = text.replace("=", " = ", 1).split() if text.upper().startswith("MIDI=") else text.split()
        words = [word for word in words if word != "="]
        if len(words) < 2:
            return
        if name := _voice_of(text):
            voice = self._named(name)
        if words[0] == "setbarnb" and re.fullmatch("[0-9]{1,6}", words[1]):
            if voice is None:
                self._defaults.first_bar = int(words[1])
            else:
                voice.barlines.numbers[voice.time] = int(words[1])
        for settings in self._scope(voice):
            if words[0].lower() == "propagate-accidentals" and words[1] in ("not", "octave", "pitch"):
                settings.accidentals = words[1]
            elif words[0].upper() == "MIDI" and words[1] == "nobarlines":
                settings.accidentals = "not"
            elif words[0].upper() == "MIDI" and words[1] == "transpose" and len(words) > 2:
                settings.sounding = settings.sounding.after("midi_transpose=" + words[2])
            elif words[0].upper() == "MIDI":
                settings.midi.obey(words[1:])
        self._refresh(voice)
