"""Annotation tables of the DCML corpora: finding them and reading them.

Times are `quarterbeats` (as played once through, with second endings only) or `quarterbeats_all_endings` (as written,
first endings before second ones), in quarter notes from the beginning of the first measure, an upbeat included; numbers
like 7/2, or nothing where there is no such time.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from music_interpret.errors import InputError
from music_interpret.music.pitches import N_PITCHES

HARMONIES, NOTES = ".harmonies.tsv", ".notes.tsv"
TIMES = ("quarterbeats_all_endings", "quarterbeats")


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
    pitch = np.array([_number(text, path, "midi", row) for row, text in enumerate(rows["midi"])])
    wrong = np.flatnonzero((pitch < 0) | (pitch >= N_PITCHES) | (pitch % 1 != 0))
    if len(wrong):
        text = rows["midi"][wrong[0]]
        raise InputError(f"{path}, row {wrong[0]}: midi is {text}; expected a whole number from 0 to {N_PITCHES - 1}")
    return table._replace(note_times=times, pitch=pitch.astype(np.int64)[struck])


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
