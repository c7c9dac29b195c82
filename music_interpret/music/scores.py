"""Scores to notes: what a MIDI, MusicXML, Humdrum kern or ABC file plays, as the note arrays of `notes.py`.

A beat is a quarter note, whatever the metre, and times are snapped to `resolution` steps per beat. Drums and
instruments that MMT does not know are dropped, zero durations become one step, equal rows become one, and the first
note's beat becomes 0 (salu133445/mmt `convert_sod.py`, `representation.py:extract_notes`, `extract.py`).

MIDI: symusic reads it; onsets and ends are snapped (round half to even), as muspy's `adjust_resolution` does. Two kinds
of notes differ from the authors' conversion, which reads MIDI with muspy 0.5: a note that is never ended is left out
(muspy ends it with its track), and a note takes the program that its channel has when it starts (muspy: when it ends).
Of the 23 MIDI files inside music21, 22 give exactly the authors' rows, and one (test04) differs in 12 of 5,972, by the
second; miditoolkit's example 1390.mid lacks 17 of 814, by the first.
Others: music21 reads them. Pitches are sounding, ties are joined, grace notes and chord symbols left out, repeats not
written out; onsets and durations are snapped, as in the data that the base model was trained on. A part without a
program gets the one its name suggests, else the default.

A work's metres, `score_metres.py`, are in the frame of its notes: from the first note's beat on. A MIDI file without a
time signature has none: 4/4, which MIDI then presumes, is no statement.
"""

import functools
import re
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from music_interpret.music.instruments import PROGRAMS
from music_interpret.music.notes import sort_notes
from music_interpret.music.score_metres import Stretch, shifted, signature_metres, stream_metres

FORMATS = {
    ".mxl": "musicxml",
    ".musicxml": "musicxml",
    ".xml": "musicxml",
    ".mid": "midi",
    ".midi": "midi",
    ".krn": "humdrum",
    ".abc": "abc",
}
"""Format of each file suffix that is read; where one piece is there in several, the first of these stands for it."""

VOICE_PROGRAM, DRUM_CHANNEL = 52, 9
BOWED_STRINGS = (40, 41, 42, 43)
# Part names of singers, but not "tenor saxophone" or "bass clarinet".
VOICE_NAME = re.compile(
    r"^\W*(soprano|sopran|treble|alto|alt|contralto|tenore?|baritone|bass|basso|basse|[satb]|cantus|canto|quintus|quinto|"
    r"sextus|superius|contratenor|altus|bassus|triplum|motetus|voices?|vocals?|choir|chorus|gesang|singstimme|voix|voce)\b"
    r"(?!.*\b(sax|saxophone|flute|clarinet|trombone|guitar|drum|drums|recorder|horn|tuba|viol)\b)",
    re.IGNORECASE,
)


class BrokenScore(Exception):
    """Why a file cannot be read as music."""


class Work(NamedTuple):
    """A piece of music."""

    notes: np.ndarray
    """Note array (n_notes, 5), int64, perhaps empty."""
    metres: list[Stretch]
    """(First step, numerator, denominator) of each stretch of one metre, as in `metres.json`; empty if none is known.
    """


def read_works(path: Path, resolution: int, default_program: int | None = None) -> list[Work]:
    """The works in a file: one, but for tune books.

    Args:
        path: a file with one of the suffixes in `FORMATS`.
        resolution: time steps per beat.
        default_program: of parts with neither a program nor the name of a bowed string; None guesses from the name.
    """
    file_format = FORMATS[path.suffix.lower()]
    if file_format == "midi":
        return [_midi_work(path, resolution)]
    return [_stream_work(work, resolution, default_program) for work in _parse(path, file_format)]


def note_array(rows: np.ndarray, resolution: int) -> np.ndarray:
    """Note array of rows (onset in steps, pitch, duration in steps, program), integers, shape (n, 4), in any order."""
    return _work(rows, [], resolution).notes


def _work(rows: np.ndarray, metres: list[Stretch], resolution: int) -> Work:
    """The work of such rows, and of metres that count from the same step."""
    onsets, pitches, durations, programs = rows.reshape(-1, 4).T
    columns = (onsets // resolution, onsets % resolution, pitches, np.maximum(durations, 1), programs)
    notes = np.stack(columns, axis=1).astype(np.int64)
    notes = sort_notes(notes[np.isin(programs, list(PROGRAMS))])
    first_beat = int(notes[0, 0]) if len(notes) else 0
    notes[:, 0] -= first_beat
    return Work(notes, shifted(metres, first_beat * resolution, resolution))


def polyphony(notes: np.ndarray, resolution: int) -> float:
    """Fraction of a song's sounding time in which at least two notes sound, 0 to 1."""
    if not len(notes):
        return 0.0
    starts = notes[:, 0] * resolution + notes[:, 1]
    changes = np.concatenate(
        [np.stack([starts, np.ones_like(starts)]), np.stack([starts + notes[:, 3], -np.ones_like(starts)])], 1
    )
    times, first = np.unique(np.sort(changes[0]), return_index=True)
    order = np.argsort(changes[0], kind="stable")
    sounding = np.cumsum(np.add.reduceat(changes[1][order], first))[:-1]
    spans = np.diff(times)
    return float(spans[sounding > 1].sum() / max(spans[sounding > 0].sum(), 1))


def _midi_work(path: Path, resolution: int) -> Work:
    import symusic

    with open(path, "rb") as file:
        head = file.read(14)
    if head[:4] != b"MThd":
        raise BrokenScore("not a MIDI file (it does not start with MThd)" if head else "the file is empty")
    if head[8:10] == b"\0\2":
        raise BrokenScore("MIDI of type 2, whose tracks are separate pieces")
    try:
        score: Any = symusic.Score(path)
    except RuntimeError as error:
        raise BrokenScore(str(error).removesuffix(": iostream error")) from None
    if score.ticks_per_quarter < 1:
        raise BrokenScore("it has 0 ticks a beat")
    tracks = [(track.program, track.notes.numpy()) for track in score.tracks if not track.is_drum]
    columns = [(n["time"], n["time"] + n["duration"], n["pitch"], np.full_like(n["time"], p)) for p, n in tracks]
    notes = np.concatenate([np.zeros((4, 0), np.int64), *map(np.stack, columns)], axis=1)
    # The same floating-point product and rounding as in muspy, so that ties between two steps fall the same way.
    steps_a_tick = resolution / score.ticks_per_quarter
    onsets, ends = np.rint(notes[:2] * steps_a_tick).astype(np.int64)
    signatures = [(round(s.time * steps_a_tick), s.numerator, s.denominator) for s in score.time_signatures]
    rows = np.stack([onsets, notes[2], ends - onsets, notes[3]], axis=1)
    return _work(rows, signature_metres(signatures, resolution), resolution)


def _parse(path: Path, file_format: str) -> list[Any]:
    """The music21 scores in a file. music21's own cache of pickled scores is neither read nor written."""
    from music21 import converter, stream

    if path.stat().st_size == 0:
        raise BrokenScore("the file is empty")
    reader = converter.Converter()
    reader.parseFileNoPickle(path.resolve(), format=file_format)
    if isinstance(reader.stream, stream.Opus):
        return list(reader.stream.scores)
    return [reader.stream]


def _stream_work(score: Any, resolution: int, default_program: int | None) -> Work:
    parts = list(score.parts) or [score]
    flats = [part.flatten() for part in parts]
    _to_sounding_pitch(score, flats)
    rows: list[tuple[int, int, int, int]] = []
    n_notes: list[int] = []
    for part, flat in zip(parts, flats, strict=True):
        programs = _programs(part, flat, default_program)
        for onset, end, pitch in _join_ties(_events(flat)):
            program = next(p for start, p in reversed(programs) if start <= onset or start == programs[0][0])
            if program is not None:
                rows.append((round(onset * resolution), pitch, round((end - onset) * resolution), program))
        n_notes.append(len(rows) - sum(n_notes))
    return _work(np.array(rows, np.int64), stream_metres(parts, n_notes, resolution), resolution)


def _of_class(stream: Any, kind: type) -> list[Any]:
    """A stream's own elements of a class; music21's iterators say the same in ten times the time."""
    return [element for element in stream.elements if isinstance(element, kind)]


def _to_sounding_pitch(score: Any, flats: list[Any]) -> None:
    """Transpose clarinets, horns, … in place to what is heard, if there are any."""
    from music21 import clef, instrument, spanner

    transposes = any(_of_class(stream, spanner.Ottava) for stream in (score, *flats))
    for flat in flats:
        octaves = [12 * getattr(found, "octaveChange", 0) for found in _of_class(flat, clef.Clef)[:1]]
        for found in _of_class(flat, instrument.Instrument):
            # Under a treble clef with a little 8 the pitches are already an octave down; Sibelius states it once more.
            if (
                found.transposition is not None
                and found.transposition.semitones
                and [found.transposition.semitones] == octaves
            ):
                found.transposition = None
            transposes |= found.transposition is not None
    if transposes:
        score.toSoundingPitch(inPlace=True)


@functools.lru_cache(2**16)
def _exact(quarter_notes: float | Fraction) -> Fraction:
    """music21 mixes floats and fractions; ends must meet onsets exactly where they are meant to."""
    return Fraction(quarter_notes).limit_denominator(10080)


def _events(flat: Any) -> list[tuple[Fraction, Fraction, int, str | None]]:
    """(onset, end, pitch, tie) of every written note of a flat stream, in quarter notes, sorted; tie: start, stop, …"""
    from music21 import harmony, note

    events = []
    for element in _of_class(flat, note.NotRest):
        if element.duration.isGrace or isinstance(element, harmony.ChordSymbol):
            continue
        onset = _exact(flat.elementOffset(element))
        end = onset + _exact(element.quarterLength)
        for sounding in element.notes if element.isChord else (element,):
            if hasattr(sounding, "pitch"):  # unpitched percussion has none
                events.append((onset, end, sounding.pitch.midi, sounding.tie.type if sounding.tie else None))
    return sorted(events, key=lambda event: event[:3])


def _join_ties(events: list[tuple[Fraction, Fraction, int, str | None]]) -> list[tuple[Fraction, Fraction, int]]:
    """Join tied notes: a tie goes to the note of the same pitch that starts where it ends, in any voice or chord.

    music21's own `stripTies` loses ties where voices overlap or only some notes of a chord are tied.
    """
    notes: list[tuple[Fraction, Fraction, int]] = []
    tied: dict[tuple[int, Fraction], int] = {}
    for onset, end, pitch, tie in events:
        index = tied.pop((pitch, onset), None)
        if index is None:
            index = len(notes)
            notes.append((onset, end, pitch))
        else:
            notes[index] = (notes[index][0], end, pitch)
        if tie in ("start", "continue"):
            tied[pitch, end] = index
    return notes


def _programs(part: Any, flat: Any, default: int | None) -> list[tuple[float, int | None]]:
    """(offset in quarter notes, program from there on) of a part; the program of drums is None."""
    from music21 import instrument

    programs: dict[float, int | None] = {}
    for found in _of_class(flat, instrument.Instrument):
        programs.setdefault(flat.elementOffset(found), _program(found, part.partName, default))
    return sorted(programs.items()) or [(0.0, _guess_program(part.partName or "", default))]


def _program(instrument: Any, part_name: str | None, default: int | None) -> int | None:
    if instrument.midiChannel == DRUM_CHANNEL:
        return None
    if instrument.midiProgram is not None:
        return instrument.midiProgram
    return _guess_program(instrument.partName or part_name or instrument.instrumentName or "", default)


@functools.cache
def _guess_program(name: str, default: int | None) -> int:
    """Program of a part with only a name: bowed strings, else the default, else voices or what music21 makes of it."""
    from music21 import instrument

    if VOICE_NAME.match(name):
        return VOICE_PROGRAM if default is None else default
    try:
        program = instrument.fromString(name).midiProgram
    except instrument.InstrumentException:
        program = None
    if program is not None and (default is None or program in BOWED_STRINGS):
        return program
    return 0 if default is None else default
