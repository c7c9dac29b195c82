"""Scores to notes: what a file plays, as the note arrays of `notes.py`.

`formats/` reads what is written. Here it becomes notes: ties are joined, times snapped to `resolution` steps per
quarter note (the beat, whatever the metre), parts without a program get the one that their name suggests. Drums and
instruments that MMT does not know are left out, zero durations become one step, equal rows become one, and the first
note's beat becomes 0 (salu133445/mmt `convert_sod.py`, `representation.py:extract_notes`, `extract.py`). Pitches are
sounding; grace notes, cue notes and chord symbols are no notes; repeats are as written, or played out.

Snapping: of MIDI onsets and ends, as muspy's `adjust_resolution` does; of scores onsets and durations, as in the data
that the base model was trained on. Halves are rounded to even.

Two kinds of MIDI notes differ from the authors' conversion, which reads MIDI with muspy 0.5: a note that is never ended
is left out (muspy ends it with its track), and a note takes the program that its channel has when it starts (muspy:
when it ends). Of the 23 MIDI files inside music21, 22 give exactly the authors' rows, and one (test04) differs in 12 of
5,972, by the second; miditoolkit's example 1390.mid lacks 17 of 814, by the first.
"""

import importlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from music_interpret.music.formats.written import NO_SPELLING, BrokenPiece, BrokenScore, WrittenNote, WrittenScore
from music_interpret.music.instrument_names import guess_program
from music_interpret.music.instruments import PROGRAMS
from music_interpret.music.repeats import played_out
from music_interpret.music.score_metres import (
    Numbered,
    ScoreBar,
    Stretch,
    bar_metres,
    downbeats,
    edition_numbers,
    shifted,
    signature_metres,
)
from music_interpret.music.ties import join_ties

FORMATS = {
    ".mxl": "xml.musicxml",
    ".musicxml": "xml.musicxml",
    ".xml": "xml.musicxml",
    ".mscz": "xml.musescore",
    ".mscx": "xml.musescore",
    ".mei": "xml.mei",
    ".mid": "midi",
    ".midi": "midi",
    ".kar": "midi",
    ".rmi": "midi",
    ".krn": "kern.piece",
    ".abc": "abc.book",
}
"""Reader, in `formats/`, of each file suffix; where one piece is there in several, the first of these stands for it."""
Repeats = Literal["written", "played"]
ONSET, END, PITCH, SPELLING, PART, INSTRUMENT = range(6)
assert WrittenNote._fields[:6] == ("onset", "end", "pitch", "spelling", "part", "instrument")


class Work(NamedTuple):
    """A piece of music."""

    notes: np.ndarray
    """Note array (n_notes, 5), int64, perhaps empty."""
    metres: list[Stretch]
    """(First step, numerator, denominator) of each stretch of one metre, as in `metres.json`; empty if none is known.
    """
    numbers: Sequence[Numbered] = ()
    """(Downbeat's step, bar number) where the edition's numbers do not count on from the bar before."""
    spellings: np.ndarray | None = None
    """Of the notes, on the line of fifths, int8 (n_notes,); None if the source has none."""
    title: str = ""
    """As the file calls it."""
    left_out: Mapping[str, int] = MappingProxyType({})
    """Notes of the file that are not in `notes`, by kind."""
    miscounted: tuple[int, int] | None = None
    """Note heads in the file, and how many were read, if the two differ."""


def read_works(
    path: Path, resolution: int, default_program: int | None = None, repeats: Repeats = "written"
) -> list[Work | BrokenPiece]:
    """The works in a file: one, but for tune books.

    Args:
        path: a file with one of the suffixes in `FORMATS`.
        resolution: time steps per beat.
        default_program: of parts with neither a program nor the name of a bowed string; None guesses from the name.
        repeats: once, as they are written, or as often as they are played.

    Raises:
        BrokenScore: the file cannot be read as music.
    """
    if not path.stat().st_size:
        raise BrokenScore("the file is empty")
    read: Callable[[Path], list[WrittenScore | BrokenPiece]]
    read = importlib.import_module(f"music_interpret.music.formats.{FORMATS[path.suffix.lower()]}").read
    return [_work(piece, resolution, default_program, repeats) for piece in read(path)]


def _work(
    piece: WrittenScore | BrokenPiece, resolution: int, default_program: int | None, repeats: Repeats
) -> Work | BrokenPiece:
    if isinstance(piece, BrokenPiece):
        return piece
    try:
        score = played_out(piece) if repeats == "played" else piece
    except BrokenScore as error:
        return BrokenPiece(title=piece.title, reason=str(error))
    written = join_ties(np.array(score.notes, np.int64).reshape(-1, len(WrittenNote._fields)))
    programs, left_out = _programs(score, written, default_program)
    kept = programs >= 0
    onset, duration = _snapped(score, written[kept], resolution)
    found = downbeats(_bars(score, resolution), resolution)
    metres = (
        bar_metres(found, resolution) if score.bars else signature_metres(_signatures(score, resolution), resolution)
    )
    rows = np.stack([onset, written[kept, PITCH], duration, programs[kept], written[kept, SPELLING]], axis=1)
    notes, spellings, first = _note_array(rows, resolution)
    n_read = len(piece.notes) + sum(piece.left_out.values())
    return Work(
        notes,
        shifted(metres, first, resolution),
        edition_numbers(found, first),
        None if (spellings == NO_SPELLING).all() else spellings,
        piece.title,
        dict(piece.left_out + left_out),
        None if piece.note_tokens in (None, n_read) else (piece.note_tokens or 0, n_read),
    )


def _programs(score: WrittenScore, notes: np.ndarray, default: int | None) -> tuple[np.ndarray, Counter[str]]:
    """Program of each note, -1 for those that are left out, and how many are, by kind."""
    drums = np.array([instrument.drums for instrument in score.instruments], bool)
    stated = (
        guess_program(instrument.name, default) if instrument.program is None else instrument.program
        for instrument in score.instruments
    )
    programs = np.fromiter(stated, np.int64, len(drums))
    known = np.isin(programs, list(PROGRAMS))
    of_note = notes[:, INSTRUMENT]
    kinds = {"drums": drums, "instruments the model does not know": ~drums & ~known}
    left_out = Counter({kind: int(those[of_note].sum()) for kind, those in kinds.items() if those[of_note].any()})
    return np.where(known & ~drums, programs, -1)[of_note], left_out


def _snapped(score: WrittenScore, notes: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Onsets and durations in steps."""
    if score.bars:
        onset = _steps(notes[:, ONSET], score.ticks, resolution)
        return onset, _steps(notes[:, END] - notes[:, ONSET], score.ticks, resolution)
    # The same floating-point product and rounding as in muspy, so that ties between two steps fall the same way.
    onset, end = np.rint(notes[:, : END + 1].T * (resolution / score.ticks)).astype(np.int64)
    return onset, end - onset


def _steps(ticks: np.ndarray, per_quarter: int, resolution: int) -> np.ndarray:
    """Ticks in whole steps, exactly, halves rounded to even."""
    whole, rest = np.divmod(ticks * resolution, per_quarter)
    return whole + ((2 * rest > per_quarter) | ((2 * rest == per_quarter) & (whole % 2 == 1)))


def _bars(score: WrittenScore, resolution: int) -> list[ScoreBar]:
    times = np.array([[bar.start, bar.end] for bar in score.bars], np.int64).reshape(-1, 2)
    steps = _steps(times, score.ticks, resolution).tolist()
    return [ScoreBar(start, end, bar.number, bar.metre) for (start, end), bar in zip(steps, score.bars, strict=True)]


def _signatures(score: WrittenScore, resolution: int) -> Iterable[Stretch]:
    return [(round(at * (resolution / score.ticks)), n, d) for at, n, d in score.signatures]


def note_array(rows: np.ndarray, resolution: int) -> np.ndarray:
    """Note array of rows (onset in steps, pitch, duration in steps, program), integers, shape (n, 4), in any order."""
    rows = rows.reshape(-1, 4)
    rows = rows[np.isin(rows[:, 3], list(PROGRAMS))]
    return _note_array(np.column_stack([rows, np.full(len(rows), NO_SPELLING)]), resolution)[0]


def _note_array(rows: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray, int]:
    """The note array and spellings of rows (onset, pitch, duration, program, spelling), and the step that becomes 0."""
    onset, pitch, duration, program, spelling = rows.reshape(-1, 5).astype(np.int64).T
    columns = (onset // resolution, onset % resolution, pitch, np.maximum(duration, 1), program)
    notes, first = np.unique(np.stack(columns, axis=1), axis=0, return_index=True)
    first_beat = int(notes[0, 0]) if len(notes) else 0
    notes[:, 0] -= first_beat
    return notes, spelling[first].astype(np.int8), first_beat * resolution


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
