"""The encoding of the Multitrack Music Transformer: notes to codes and back, and codes as text.

A song becomes rows of six codes (type, beat, position, pitch, duration, instrument): a start-of-song row, one row for
each instrument, a start-of-notes row, one row for each note, an end-of-song row. Code 0 stands for "none" in every
field but the first. The tables come from the `encoding.json` that lies beside the notes, never from here: resolutions
and duration tables differ between data sets. Source: Dong et al., "Multitrack Music Transformer", ICASSP 2023,
section 3.1.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from music_interpret.errors import InputError
from music_interpret.files import read_json
from music_interpret.music.notes import BEAT, DURATION, PITCH, POSITION, PROGRAM

FIELDS = ("type", "beat", "position", "pitch", "duration", "instrument")
TYPES = ("start-of-song", "instrument", "start-of-notes", "note", "end-of-song")
START_OF_SONG, INSTRUMENT, START_OF_NOTES, NOTE, END_OF_SONG = range(5)
PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def pitch_name(pitch: int) -> str:
    """Name of a MIDI note number, middle C (60) being C4."""
    return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"


@dataclass(frozen=True, eq=False)
class Encoding:
    """Lookup tables made from an `encoding.json`; -1 (or an empty name) marks "none"."""

    resolution: int
    """Time steps per beat."""
    max_beat: int
    """Last beat that has a code."""
    max_duration: int
    """Longest duration in steps; longer notes are cut to it."""
    n_codes: tuple[int, ...]
    """Number of codes of each of the six fields."""
    beat_codes: np.ndarray
    """Code of each beat, shape (max_beat + 1,)."""
    position_codes: np.ndarray
    """Code of each position, shape (resolution,)."""
    pitch_codes: np.ndarray
    """Code of each pitch, shape (128,)."""
    duration_codes: np.ndarray
    """Code of each duration, shape (max_duration + 1,)."""
    program_codes: np.ndarray
    """Instrument code of each program, 0 for programs that MMT does not know, shape (128,)."""
    code_values: tuple[np.ndarray, ...]
    """For each field but the first: the beat, position, pitch, duration or program a code stands for; index 0 (none) is
    -1.
    """
    instrument_names: tuple[str, ...]
    """Name of each instrument code."""

    @classmethod
    def from_json(cls, table: dict[str, Any], source: str) -> "Encoding":
        """Make the tables from the content of an `encoding.json`; InputError if something is missing or wrong."""
        try:
            return _from_table(cls, table)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InputError(f"{source} is not an MMT encoding ({type(error).__name__}: {error})") from None

    @classmethod
    def load(cls, path: Path) -> "Encoding":
        return cls.from_json(read_json(path), str(path))

    def encode(self, notes: np.ndarray, *, max_beat: int | None = None, max_length: int | None = None) -> np.ndarray:
        """Encode a valid note array, shape (n_notes, 5), as codes, int16, shape (n_tokens, 6).

        Args:
            notes: rows (beat, position, pitch, duration, program), sorted.
            max_beat: keep only notes before this beat, as the model's own training did.
            max_length: keep at most this many tokens: the first ones and the end-of-song row.
        """
        # The instruments listed up front are those of all kept beats, also where the sequence is then cut short.
        if max_beat is not None:
            notes = notes[notes[:, BEAT] < max_beat]
        instruments = self.program_codes[notes[:, PROGRAM]]
        instrument_rows = np.unique(instruments[instruments > 0])
        kept = (notes[:, BEAT] <= self.max_beat) & (instruments > 0)
        notes, instruments = notes[kept], instruments[kept]
        first_note = 2 + len(instrument_rows)
        codes = np.zeros((first_note + len(notes) + 1, len(FIELDS)), np.int16)
        codes[0, 0] = START_OF_SONG
        codes[1 : first_note - 1, 0] = INSTRUMENT
        codes[1 : first_note - 1, 5] = instrument_rows
        codes[first_note - 1, 0] = START_OF_NOTES
        rows = codes[first_note:-1]
        rows[:, 0] = NOTE
        rows[:, 1] = self.beat_codes[notes[:, BEAT]]
        rows[:, 2] = self.position_codes[notes[:, POSITION]]
        rows[:, 3] = self.pitch_codes[notes[:, PITCH]]
        rows[:, 4] = self.duration_codes[np.minimum(notes[:, DURATION], self.max_duration)]
        rows[:, 5] = instruments
        codes[-1, 0] = END_OF_SONG
        if max_length is not None and len(codes) > max_length:
            codes = np.concatenate([codes[: max_length - 1], codes[-1:]])
        return codes

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The notes of a code array (n_tokens, 6) up to its end-of-song row, shape (n_notes, 5), int64.

        Durations come back as the nearest one the table knows, programs as the instrument's first program.
        """
        self._check(codes)
        ends = np.flatnonzero(codes[:, 0] == END_OF_SONG)
        codes = codes[: ends[0]] if len(ends) else codes
        notes = codes[codes[:, 0] == NOTE]
        values = [table[notes[:, field]] for field, table in enumerate(self.code_values, start=1)]
        decoded = np.stack(values, axis=1).astype(np.int64).reshape(-1, 5)
        if (decoded < 0).any():
            raise ValueError(f"note {int(np.argwhere(decoded < 0)[0][0])} has a field with no value (code 0)")
        return decoded

    def lines(self, codes: np.ndarray) -> np.ndarray:
        """One line of text for each token, as the original implementation dumps it; strings, (n_tokens,)."""
        self._check(codes)
        words = self._words
        note = functools.reduce(
            np.strings.add,
            [
                "Note: beat=",
                words[1][codes[:, 1]],
                ", position=",
                words[2][codes[:, 2]],
                ", pitch=",
                words[3][codes[:, 3]],
            ]
            + [", duration=", words[4][codes[:, 4]], ", instrument=", words[5][codes[:, 5]]],
        )
        instrument = np.strings.add("Instrument: ", words[5][codes[:, 5]])
        other = np.array(["Start of song", "", "Start of notes", "", "End of song"])[codes[:, 0]]
        return np.where(codes[:, 0] == NOTE, note, np.where(codes[:, 0] == INSTRUMENT, instrument, other))

    def line(self, codes: np.ndarray) -> str:
        """The same text for one token, (6,), in a fraction of the time."""
        kind, beat, position, pitch, duration, instrument = codes.tolist()
        if kind == NOTE:
            _, beats, positions, pitches, durations, instruments = self._word_lists
            return (
                f"Note: beat={beats[beat]}, position={positions[position]}, pitch={pitches[pitch]}, "
                f"duration={durations[duration]}, instrument={instruments[instrument]}"
            )
        if kind == INSTRUMENT:
            return f"Instrument: {self._word_lists[5][instrument]}"
        return {START_OF_SONG: "Start of song", START_OF_NOTES: "Start of notes", END_OF_SONG: "End of song"}[kind]

    def words(self, field: str) -> list[str]:
        """Text of each code of a field."""
        return self._words[FIELDS.index(field)].tolist()

    def dump(self, codes: np.ndarray) -> str:
        """A song's codes as text, a line for each token."""
        return "\n".join(self.lines(codes))

    @functools.cached_property
    def _words(self) -> list[np.ndarray]:
        numbers = [[str(v) if v >= 0 else "None" for v in table] for table in self.code_values]
        numbers[2] = [pitch_name(v) if v >= 0 else "None" for v in self.code_values[2]]
        numbers[4] = [name or "None" for name in self.instrument_names]
        return [np.array(TYPES), *[np.array(column) for column in numbers]]

    @functools.cached_property
    def _word_lists(self) -> list[list[str]]:
        return [column.tolist() for column in self._words]

    def _check(self, codes: np.ndarray) -> None:
        if codes.ndim != 2 or codes.shape[1] != len(FIELDS):
            raise ValueError(f"codes have shape {codes.shape}; expected (n_tokens, 6)")
        if len(codes) and ((codes < 0) | (codes >= np.array(self.n_codes))).any():
            raise ValueError(f"a code is out of range; the fields have {self.n_codes} codes")


def _lookup(table: dict[str, int], size: int) -> np.ndarray:
    """A map from the numbers 0 … size − 1 to codes as an array."""
    return np.array([table[str(i)] for i in range(size)], np.int16)


def _from_table(cls: type[Encoding], table: dict[str, Any]) -> Encoding:
    if tuple(table["dimensions"]) != FIELDS:
        raise ValueError(f"dimensions are {table['dimensions']}, expected {list(FIELDS)}")
    if [table["type_code_map"][name] for name in TYPES] != list(range(5)):
        raise ValueError("type codes are not those of MMT")
    n_codes = tuple(int(n) for n in table["n_tokens"])
    instruments = table["instrument_code_map"]
    programs = [table["program_instrument_map"].get(str(p)) for p in range(128)]
    names = [""] * n_codes[5]
    for name, code in instruments.items():
        if name != "null":
            names[code] = name
    values = []
    for field, size in zip(FIELDS[1:5], n_codes[1:5], strict=True):
        column = np.full(size, -1, np.int32)
        for code, value in table[f"code_{field}_map"].items():
            column[int(code)] = -1 if value is None else value
        values.append(column)
    values.append(np.array([table["instrument_program_map"][n] if n else -1 for n in names], np.int32))
    return cls(
        resolution=int(table["resolution"]),
        max_beat=int(table["max_beat"]),
        max_duration=int(table["max_duration"]),
        n_codes=n_codes,
        beat_codes=_lookup(table["beat_code_map"], int(table["max_beat"]) + 1),
        position_codes=_lookup(table["position_code_map"], int(table["resolution"])),
        pitch_codes=_lookup(table["pitch_code_map"], 128),
        duration_codes=_lookup(table["duration_code_map"], int(table["max_duration"]) + 1),
        program_codes=np.array([instruments[p] if p else 0 for p in programs], np.int16),
        code_values=tuple(values),
        instrument_names=tuple(names),
    )


# What follows is the authors' table as facts, for data sets that we make ourselves (`ingest`).

# Durations that have a code, in steps, for the two resolutions that the authors published.
KNOWN_DURATIONS = {
    12: (*range(1, 13), 15, 16, 18, 20, 21, 24, 30, 36, 40, 42, 48, 60, 72, 84, 96, 120, 144, 168, 192, 384),
    24: (1, 2, 3, 12, 15, 16, 18, 20, 21, 24, 30, 36, 40, 42, 48, 60, 72, 84, 96, 120, 144, 168, 192, 384),
}
# (instrument, its programs), the first program being the one it decodes to, in the order of their codes.
INSTRUMENTS = tuple(
    (name, tuple(int(p) for p in programs.split()))
    for name, _, programs in (
        line.strip().partition(": ")
        for line in """piano: 0 1 2 3
        electric-piano: 4 5
        harpsichord: 6
        clavinet: 7
        celesta: 8
        glockenspiel: 9
        music-box: 10
        vibraphone: 11
        marimba: 12
        xylophone: 13
        tubular-bells: 14
        dulcimer: 15
        organ: 16 17 18 20
        church-organ: 19
        accordion: 21
        harmonica: 22
        bandoneon: 23
        nylon-string-guitar: 24
        steel-string-guitar: 25
        electric-guitar: 26 27 28 29 30 31
        bass: 32
        electric-bass: 33 34 35
        slap-bass: 36 37
        synth-bass: 38 39
        violin: 40 110
        viola: 41
        cello: 42
        contrabass: 43
        harp: 46
        timpani: 47
        strings: 49 44 45 48
        synth-strings: 50 51
        voices: 52 53 54
        orchestra-hit: 55
        trumpet: 56 59
        trombone: 57
        tuba: 58
        horn: 60
        brasses: 61
        synth-brasses: 62 63
        soprano-saxophone: 64
        alto-saxophone: 65
        tenor-saxophone: 66
        baritone-saxophone: 67
        oboe: 68
        english-horn: 69
        bassoon: 70
        clarinet: 71
        piccolo: 72
        flute: 73
        recorder: 74
        pan-flute: 75
        ocarina: 79
        lead: 80 81 82 83 84 85 86 87
        pad: 88 89 90 91 92 93 94 95
        sitar: 104
        banjo: 105
        shamisen: 106
        koto: 107
        kalimba: 108
        bag-pipe: 109
        shehnai: 111
        melodic-tom: 117
        synth-drums: 118 119""".splitlines()
    )
)
PROGRAMS = frozenset(p for _, programs in INSTRUMENTS for p in programs)
MAX_BEAT, MAX_DURATION = 1024, 384


def mmt_encoding(resolution: int = 12) -> dict[str, Any]:
    """The content of the authors' `encoding.json` at 12 steps per beat, and their published table for 24.

    Other resolutions have no published duration table: InputError.
    """
    if resolution not in KNOWN_DURATIONS:
        raise InputError(f"resolution {resolution} has no MMT duration table; expected 12 or 24")
    durations = np.array(KNOWN_DURATIONS[resolution])
    nearest = np.abs(durations[None, :] - np.arange(MAX_DURATION + 1)[:, None]).argmin(axis=1) + 1
    program_names: dict[int, str | None] = {p: n for n, programs in INSTRUMENTS for p in programs}
    maps: dict[str, dict[Any, int]] = {
        "type": {name: code for code, name in enumerate(TYPES)},
        "beat": {i: i + 1 for i in range(MAX_BEAT + 1)} | {None: 0},
        "position": {i: i + 1 for i in range(resolution)} | {None: 0},
        "pitch": {i: i + 1 for i in range(128)} | {None: 0},
        "duration": {i: int(code) for i, code in enumerate(nearest)} | {None: 0},
        "instrument": {name: code for code, (name, _) in enumerate(INSTRUMENTS, start=1)} | {None: 0},
    }
    inverse = {field: {code: value for value, code in table.items()} for field, table in maps.items()}
    inverse["duration"] = {code: int(d) for code, d in enumerate(durations, start=1)}
    table = {
        "resolution": resolution,
        "max_beat": MAX_BEAT,
        "max_duration": MAX_DURATION,
        "dimensions": list(FIELDS),
        "n_tokens": [max(table.values()) + 1 for table in maps.values()],
        **{f"{field}_code_map": table for field, table in maps.items()},
        **{f"code_{field}_map": table for field, table in inverse.items()},
        "program_instrument_map": {p: program_names.get(p) for p in range(128)},
        "instrument_program_map": {name: programs[0] for name, programs in INSTRUMENTS},
    }
    return json.loads(json.dumps(table))
