"""The tokens of the Multitrack Music Transformer: six values each, one token for each note.

A song becomes a start-of-song token, one for each instrument, a start-of-notes token, one for each note, and an
end-of-song token. Value 0 stands for "none" in every field but the first. The tables come from the `encoding.json` that
is stored with the notes, never from here: resolutions and duration tables differ between data sets. Source: Dong et
al., "Multitrack Music Transformer", ICASSP 2023, section 3.1.
"""

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from music_interpret import files
from music_interpret.errors import InputError
from music_interpret.music.notes import BEAT, DURATION, PITCH, POSITION, PROGRAM
from music_interpret.music.pitches import PITCH_NAMES, SHARP_NAMES, pitch_name
from music_interpret.tokens.scheme import NO_NOTE, Aligned, Field, Limits, TokenScheme

FIELDS = ("type", "beat", "position", "pitch", "duration", "instrument")
TYPES = ("start-of-song", "instrument", "start-of-notes", "note", "end-of-song")
START_OF_SONG, INSTRUMENT, START_OF_NOTES, NOTE, END_OF_SONG = range(5)
TABLES = "encoding.json"
NEAR_THE_LIMIT_BEATS = 4
"""A song whose last note is so close to the model's last beat may have been cut there."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MMTScheme(TokenScheme):
    """Lookup tables made from an `encoding.json`; −1 (or an empty name) marks "none"."""

    name: ClassVar[str] = "mmt"
    kinds = TYPES

    fields: tuple[Field, ...]
    resolution: int
    max_beat: int
    """Last beat that has a value."""
    max_duration: int
    """Longest duration in steps; longer notes are cut to it."""
    beat_codes: np.ndarray
    """Value of each beat, shape (max_beat + 1,)."""
    position_codes: np.ndarray
    """Value of each position, shape (resolution,)."""
    pitch_codes: np.ndarray
    """Value of each pitch, shape (128,)."""
    duration_codes: np.ndarray
    """Value of each duration, shape (max_duration + 1,)."""
    program_codes: np.ndarray
    """Instrument value of each program, 0 for programs that MMT does not know, shape (128,)."""
    code_values: tuple[np.ndarray, ...]
    """For each field but the first: the beat, position, pitch, duration or program a value stands for; index 0 (none)
    is −1.
    """
    instrument_names: tuple[str, ...]
    """Name of each instrument value."""
    text: str = field(repr=False)
    """The content of the `encoding.json`."""

    @classmethod
    def from_json(cls, table: dict[str, Any], source: str, text: str = "") -> "MMTScheme":
        """Make the tables from the content of an `encoding.json`; InputError if something is missing or wrong.

        Args:
            table: the content.
            source: where it is from, for messages.
            text: the content as text, for `save`; without it, `table` as JSON.
        """
        try:
            return _from_table(cls, table, text or json.dumps(table))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InputError(f"{source} is not an MMT encoding ({type(error).__name__}: {error})") from None

    def save(self, folder: Path) -> None:
        files.write_text(folder / TABLES, self.text)

    def encode(self, notes: np.ndarray, limits: Limits | None = None) -> np.ndarray:
        """Encode a valid note array, shape (n_notes, 5), as tokens, int16, shape (n_tokens, 6).

        Args:
            notes: rows (beat, position, pitch, duration, program), sorted.
            limits: keep only notes before its `max_beat`, as the model's own training did, and at most `max_length`
                tokens: the first ones and the end-of-song token.

        Examples:
            >>> scheme = load(Path("data/base/sod/notes"))
            >>> scheme.lines(scheme.encode(np.array([[0, 0, 60, 12, 0], [1, 0, 64, 12, 0]]))).tolist()[2:5]
            ['Start of notes', 'Note: beat=0, position=0, pitch=C4, duration=12, instrument=piano',
             'Note: beat=1, position=0, pitch=E4, duration=12, instrument=piano']
        """
        # The instruments listed up front are those of all kept beats, also where the sequence is then cut short.
        if limits is not None and limits.max_beat is not None:
            notes = notes[notes[:, BEAT] < limits.max_beat]
        instruments = self.program_codes[notes[:, PROGRAM]]
        instrument_rows = np.unique(instruments[instruments > 0])
        kept = (notes[:, BEAT] <= self.max_beat) & (instruments > 0)
        notes, instruments = notes[kept], instruments[kept]
        first_note = 2 + len(instrument_rows)
        tokens = np.zeros((first_note + len(notes) + 1, len(FIELDS)), np.int16)
        tokens[0, 0] = START_OF_SONG
        tokens[1 : first_note - 1, 0] = INSTRUMENT
        tokens[1 : first_note - 1, 5] = instrument_rows
        tokens[first_note - 1, 0] = START_OF_NOTES
        rows = tokens[first_note:-1]
        rows[:, 0] = NOTE
        rows[:, 1] = self.beat_codes[notes[:, BEAT]]
        rows[:, 2] = self.position_codes[notes[:, POSITION]]
        rows[:, 3] = self.pitch_codes[notes[:, PITCH]]
        rows[:, 4] = self.duration_codes[np.minimum(notes[:, DURATION], self.max_duration)]
        rows[:, 5] = instruments
        tokens[-1, 0] = END_OF_SONG
        if limits is not None and len(tokens) > limits.max_length:
            tokens = np.concatenate([tokens[: limits.max_length - 1], tokens[-1:]])
        return tokens

    def aligned(self, tokens: np.ndarray, first_token: np.ndarray) -> Aligned:
        """Every note is one token. Durations come back as the nearest one the table knows, programs as the instrument's
        first program.
        """
        rows = np.flatnonzero(tokens[:, 0] == NOTE)
        values = [table[tokens[rows, column]] for column, table in enumerate(self.code_values, start=1)]
        note = np.full(len(tokens), NO_NOTE)
        note[rows] = np.arange(len(rows))
        return Aligned(
            np.stack(values, axis=1).astype(np.int64).reshape(-1, 5), np.searchsorted(rows, first_token), note, rows
        )

    def decode(self, tokens: np.ndarray) -> np.ndarray:
        """The notes of one song's tokens up to its end-of-song token, (n_notes, 5); ValueError for a note token that
        lacks a value.
        """
        self.check(tokens)
        ends = np.flatnonzero(tokens[:, 0] == END_OF_SONG)
        decoded = super().decode(tokens[: ends[0]] if len(ends) else tokens)
        if (decoded < 0).any():
            raise ValueError(f"note {int(np.argwhere(decoded < 0)[0][0])} has a field with no value (code 0)")
        return decoded

    def kind(self, tokens: np.ndarray) -> np.ndarray:
        return tokens[:, 0]

    def programs(self, tokens: np.ndarray) -> np.ndarray:
        return self.code_values[4][tokens[:, 5]]

    def complete(self, tokens: np.ndarray, first_token: np.ndarray, limits: Limits) -> np.ndarray:
        whole = super().complete(tokens, first_token, limits)
        if limits.max_beat is None:
            return whole
        last_beat = self.code_values[0][np.maximum.reduceat(np.asarray(tokens[:, 1]), first_token[:-1])]
        return whole & (last_beat < limits.max_beat - NEAR_THE_LIMIT_BEATS)

    def lines(self, tokens: np.ndarray) -> np.ndarray:
        """One line of text for each token, strings (n_tokens,)."""
        return self._lines(tokens, self._words)

    def _lines(self, tokens: np.ndarray, words: list[np.ndarray]) -> np.ndarray:
        self.check(tokens)
        parts: list[Any] = ["Note: beat=", words[1][tokens[:, 1]], ", position=", words[2][tokens[:, 2]]]
        parts += [", pitch=", words[3][tokens[:, 3]], ", duration=", words[4][tokens[:, 4]]]
        note = functools.reduce(np.strings.add, [*parts, ", instrument=", words[5][tokens[:, 5]]])
        instrument = np.strings.add("Instrument: ", words[5][tokens[:, 5]])
        other = np.array(["Start of song", "", "Start of notes", "", "End of song"])[tokens[:, 0]]
        return np.where(tokens[:, 0] == NOTE, note, np.where(tokens[:, 0] == INSTRUMENT, instrument, other))

    def line(self, token: np.ndarray) -> str:
        """The same text for one token, (6,), in a fraction of the time."""
        kind, beat, position, pitch, duration, instrument = token.tolist()
        if kind == NOTE:
            _, beats, positions, pitches, durations, instruments = self._word_lists
            return (
                f"Note: beat={beats[beat]}, position={positions[position]}, pitch={pitches[pitch]}, "
                f"duration={durations[duration]}, instrument={instruments[instrument]}"
            )
        if kind == INSTRUMENT:
            return f"Instrument: {self._word_lists[5][instrument]}"
        return {START_OF_SONG: "Start of song", START_OF_NOTES: "Start of notes", END_OF_SONG: "End of song"}[kind]

    def short(self, tokens: np.ndarray) -> list[str]:
        """Notes as pitch@beat.position, other tokens as their text in small letters."""
        _, beats, positions, pitches, _, _ = self._word_lists
        return [
            f"{pitches[row[3]]}@{beats[row[1]]}.{positions[row[2]]}" if row[0] == NOTE else line.lower()
            for row, line in zip(tokens.tolist(), self.lines(tokens).tolist(), strict=True)
        ]

    def compact(self, tokens: np.ndarray) -> np.ndarray:
        """Notes as pitch@beat.position,duration,instrument."""
        kind, beat, position, pitch, duration, instrument = (
            np.array(words, object)[tokens[:, i]] for i, words in enumerate(self._word_lists)
        )
        notes = " " + pitch + "@" + beat + "." + position + "," + duration + "," + instrument
        others = np.where(tokens[:, 0] == INSTRUMENT, " instrument=" + instrument, " " + kind)
        return np.where(tokens[:, 0] == NOTE, notes, others)

    def properties(self, tokens: np.ndarray) -> dict[str, tuple[np.ndarray, list[str]]]:
        """The fields, and the pitch class; 0 is "none" for all but the type."""
        pitches = self.code_values[2][tokens[:, 3]]
        pitch_class = (np.where(pitches < 0, 0, pitches % 12 + 1), ["none", *PITCH_NAMES])
        return super().properties(tokens) | {"pitch class": pitch_class}

    def words(self, field: str) -> list[str]:
        return self._word_lists[FIELDS.index(field)]

    def dump(self, tokens: np.ndarray) -> str:
        """A song's tokens as text, a line for each, as the original implementation dumps it: with sharps only."""
        pitches = [f"{SHARP_NAMES[v % 12]}{v // 12 - 1}" if v >= 0 else "None" for v in self.code_values[2]]
        return "\n".join(self._lines(tokens, [*self._words[:3], np.array(pitches), *self._words[4:]]))

    @functools.cached_property
    def _words(self) -> list[np.ndarray]:
        numbers = [[str(v) if v >= 0 else "None" for v in table] for table in self.code_values]
        numbers[2] = [pitch_name(v) if v >= 0 else "None" for v in self.code_values[2]]
        numbers[4] = [name or "None" for name in self.instrument_names]
        return [np.array(TYPES), *[np.array(column) for column in numbers]]

    @functools.cached_property
    def _word_lists(self) -> list[list[str]]:
        return [column.tolist() for column in self._words]


def load(folder: Path) -> MMTScheme:
    """The scheme of the `encoding.json` in a folder; InputError if it is missing or no MMT encoding."""
    path = folder / TABLES
    return MMTScheme.from_json(files.read_json(path), str(path), path.read_text(encoding="utf-8"))


def _lookup(table: dict[str, int], size: int) -> np.ndarray:
    """A map from the numbers 0 … size − 1 to codes as an array."""
    return np.array([table[str(i)] for i in range(size)], np.int16)


def _from_table(cls: type[MMTScheme], table: dict[str, Any], text: str) -> MMTScheme:
    if tuple(table["dimensions"]) != FIELDS:
        raise ValueError(f"dimensions are {table['dimensions']}, expected {list(FIELDS)}")
    if [table["type_code_map"][name] for name in TYPES] != list(range(5)):
        raise ValueError("type codes are not those of MMT")
    sizes = tuple(int(n) for n in table["n_tokens"])
    instruments = table["instrument_code_map"]
    programs = [table["program_instrument_map"].get(str(p)) for p in range(128)]
    names = [""] * sizes[5]
    for name, code in instruments.items():
        if name != "null":
            names[code] = name
    values = []
    for field_name, size in zip(FIELDS[1:5], sizes[1:5], strict=True):
        column = np.full(size, -1, np.int32)
        for code, value in table[f"code_{field_name}_map"].items():
            column[int(code)] = -1 if value is None else value
        values.append(column)
    values.append(np.array([table["instrument_program_map"][n] if n else -1 for n in names], np.int32))
    return cls(
        fields=tuple(map(Field, FIELDS, sizes)),
        resolution=int(table["resolution"]),
        max_beat=int(table["max_beat"]),
        max_duration=int(table["max_duration"]),
        beat_codes=_lookup(table["beat_code_map"], int(table["max_beat"]) + 1),
        position_codes=_lookup(table["position_code_map"], int(table["resolution"])),
        pitch_codes=_lookup(table["pitch_code_map"], 128),
        duration_codes=_lookup(table["duration_code_map"], int(table["max_duration"]) + 1),
        program_codes=np.array([instruments[p] if p else 0 for p in programs], np.int16),
        code_values=tuple(values),
        instrument_names=tuple(names),
        text=text,
    )
