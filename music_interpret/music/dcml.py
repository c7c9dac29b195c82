"""Annotation tables of the DCML corpora: finding them, reading them, and laying them over a song's notes.

Times are `quarterbeats` (as played once through, with second endings only) or `quarterbeats_all_endings` (as written,
first endings before second ones), in quarter notes from the beginning of the first measure, an upbeat included; numbers
like 7/2, or nothing where there is no such time.

A song's first beat need not be the table's: the table may begin with rests, or the song lack an instrument. Where there
is a `notes` table, that kind of time and that shift by whole beats are taken with which most of the song's notes
(onset and pitch) are in it, and a table that has less than half of them is refused. Without it nothing can be checked,
and the song's first beat is taken for the table's beginning, which is right but for scores that begin with rests.
Tables say each measure once, so a song that plays repeats out agrees only up to the first of them.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from music_interpret.errors import InputError

HARMONIES, NOTES = ".harmonies.tsv", ".notes.tsv"
TIMES = ("quarterbeats_all_endings", "quarterbeats")
EARLIER_BEATS, LATER_BEATS = 16, 64
"""Shifts are tried around the one by which the table's first note is in the song's first beat."""
LEAST_AGREEMENT = 0.5
PITCHES = 128


class Times(NamedTuple):
    """Times in quarter notes, as fractions so that snapping them to steps is exact; NaN where there is none."""

    numerator: np.ndarray
    denominator: np.ndarray

    def steps(self, resolution: int) -> np.ndarray:
        """Rounded to whole steps, half to even as scores are, float64 with NaN."""
        return np.rint(self.numerator * resolution / self.denominator)


class Table(NamedTuple):
    """One piece's annotations."""

    path: Path
    columns: dict[str, Sequence[str]]
    """Text of each row."""
    times: dict[str, Times]
    """Of each row, by kind."""
    note_times: dict[str, Times]
    """Of each struck note, by kind; empty if there is no table of notes."""
    pitch: np.ndarray
    """MIDI note number of each struck note."""

    @property
    def n_rows(self) -> int:
        return len(next(iter(self.times.values())).numerator)


def find_tables(folder: Path, songs: Sequence[str]) -> dict[str, Path]:
    """The harmony table of each song that has one, by the song's name or what follows its last slash.

    Raises:
        InputError: no such folder, no table in it, none for any song, or two for one.
    """
    if not folder.is_dir():
        raise InputError(f"missing annotation folder {folder}; expected a folder with <piece>{HARMONIES} files")
    by_piece: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob(f"*{HARMONIES}")):
        by_piece.setdefault(path.name.removesuffix(HARMONIES), []).append(path)
    if not by_piece:
        raise InputError(f"{folder} has no annotation tables; expected files named <piece>{HARMONIES}")
    found: dict[str, Path] = {}
    for song in songs:
        paths = by_piece.get(song) or by_piece.get(song.rsplit("/", 1)[-1]) or []
        if len(paths) > 1:
            raise InputError(f"song {song!r} has two annotation tables, {paths[0]} and {paths[1]}; expected one")
        if paths:
            found[song] = paths[0]
    if not found:
        example = f", such as {songs[0].rsplit('/', 1)[-1]}{HARMONIES}" if len(songs) else ""
        raise InputError(
            f"none of the {sum(map(len, by_piece.values()))} annotation tables in {folder} has a song's name; "
            f"expected names of songs{example}"
        )
    return found


def read_table(path: Path, columns: Sequence[str]) -> Table:
    """Read a harmony table and, where there is one in `../notes` or next to it, its table of notes.

    Args:
        path: the harmony table.
        columns: what it must have besides a time.

    Raises:
        InputError: a table is damaged, or lacks a column.
    """
    rows = _read(path, columns)
    table = Table(path, {name: rows[name] for name in columns}, _times(path, rows), {}, np.zeros(0, np.int64))
    name = path.name.removesuffix(HARMONIES) + NOTES
    for notes_path in (path.parent.parent / "notes" / name, path.parent / name):
        if notes_path.is_file():
            return _with_notes(table, notes_path)
    return table


def placed(
    table: Table, onset: np.ndarray, pitch: np.ndarray, resolution: int, song: str
) -> tuple[np.ndarray, np.ndarray]:
    """Where the table's rows are in a song.

    Args:
        table: the song's annotations.
        onset: of the song's notes, in steps, (n_notes,), one or more.
        pitch: MIDI note numbers, (n_notes,).
        resolution: steps per beat.
        song: its name, for the message.

    Returns:
        Which rows have a time, (n,), and their steps from the song's first beat, which may be negative, int64 (n,).

    Raises:
        InputError: less than half of the song's notes are in the table of notes.
    """
    kind, beats = next(iter(table.times)), 0
    if table.note_times:
        agreement, kind, beats = max(
            (_best_shift(table, kind, onset, pitch, resolution) for kind in table.times if kind in table.note_times),
            key=lambda found: found[0],
        )
        if agreement < LEAST_AGREEMENT:
            raise InputError(
                f"{table.path} is not of song {song!r}: {agreement:.0%} of the song's notes are in its table of notes; "
                f"expected {LEAST_AGREEMENT:.0%} or more"
            )
    steps = table.times[kind].steps(resolution) - beats * resolution
    there = np.flatnonzero(~np.isnan(steps))
    return there, steps[there].astype(np.int64)


def _best_shift(
    table: Table, kind: str, onset: np.ndarray, pitch: np.ndarray, resolution: int
) -> tuple[float, str, int]:
    """The largest fraction of the song's notes that are in the table at one shift, the kind, and the shift in beats."""
    steps = table.note_times[kind].steps(resolution)
    there = ~np.isnan(steps)
    if not there.any():
        return 0.0, kind, 0
    theirs = np.unique(steps[there].astype(np.int64) * PITCHES + table.pitch[there])
    ours = onset * PITCHES + pitch
    usual = int(theirs[0] // PITCHES // resolution)
    best = (-1.0, kind, 0)
    # Of shifts that agree equally well, the one nearest to the usual one.
    for beats in sorted(range(usual - EARLIER_BEATS, usual + LATER_BEATS + 1), key=lambda beats: abs(beats - usual)):
        moved = ours + beats * resolution * PITCHES
        place = np.minimum(np.searchsorted(theirs, moved), len(theirs) - 1)
        best = max(best, (float((theirs[place] == moved).mean()), kind, beats), key=lambda found: found[0])
    return best


def _with_notes(table: Table, path: Path) -> Table:
    rows = _read(path, ["midi"])
    n_rows = len(rows["midi"])
    # Tied-on and grace notes are not in the notes of scores.
    tied, grace = rows.get("tied", [""] * n_rows), rows.get("gracenote", [""] * n_rows)
    struck = np.array([tie in ("", "1", "1.0") for tie in tied]) & np.array([text == "" for text in grace])
    times = {
        kind: Times(found.numerator[struck], found.denominator[struck]) for kind, found in _times(path, rows).items()
    }
    if not set(times) & set(table.times):
        raise InputError(f"{path} and {table.path} have no column of times in common; expected {' or '.join(TIMES)}")
    pitch = [_number(text, path, "midi", row) for row, text in enumerate(rows["midi"])]
    return table._replace(note_times=times, pitch=np.array(pitch, np.float64).astype(np.int64)[struck])


def _read(path: Path, columns: Sequence[str]) -> dict[str, Sequence[str]]:
    """The columns of a tab separated table."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            header, *rows = [row for row in csv.reader(file, delimiter="\t") if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a readable table ({error})") from None
    missing = [name for name in columns if name not in header]
    if not set(TIMES) & set(header):
        missing.insert(0, "quarterbeats")
    if missing:
        raise InputError(f"{path} has no column {', '.join(missing)}; expected a DCML table as ms3 2 writes it")
    if not rows:
        raise InputError(f"{path} has no rows; expected one or more")
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise InputError(f"{path}, row {number}: {len(row)} fields; expected {len(header)}, as in its first line")
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def _times(path: Path, rows: dict[str, Sequence[str]]) -> dict[str, Times]:
    found = {}
    for kind in TIMES:
        if kind in rows:
            parts = [text.partition("/") for text in rows[kind]]
            numerator = [_number(text, path, kind, row) if text else np.nan for row, (text, _, _) in enumerate(parts)]
            denominator = [
                _number(text, path, kind, row) if slash else 1.0 for row, (_, slash, text) in enumerate(parts)
            ]
            if 0.0 in denominator:
                raise InputError(
                    f"{path}, row {denominator.index(0.0)}: {kind} divides by 0; expected a number like 7/2"
                )
            found[kind] = Times(np.array(numerator), np.array(denominator))
    return found


def _number(text: str, path: Path, column: str, row: int) -> float:
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not abs(number) < 1e6:
        raise InputError(f"{path}, row {row}: {column} is {text!r}; expected a number")
    return number
