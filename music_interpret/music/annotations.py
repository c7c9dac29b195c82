"""Annotation tables laid over songs: which row of a table is in force at each note, and how well it fits.

Where there is a table of notes, `alignment.py` says where each note of the song is in it. A note that is nowhere has no
row, and a table that has less than `LEAST_AGREEING` of a song's notes is left out: it is of another piece, or
transposed. Without a table of notes nothing can be checked: the song's first beat is taken for the table's beginning,
which is wrong for scores that begin with rests, and after a repeat that is played out.

A row is in force from its onset to that of the next row in the table. After a jump (a repeat, a bar left out), a row
from before the place jumped to is in force only if it was so before the jump as well; otherwise there is none until the
next row begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from music_interpret.errors import InputError
from music_interpret.music.alignment import NOWHERE, Alignment, Record, align
from music_interpret.music.dcml import Table, find_tables, read_table
from music_interpret.music.songs import Songs

NONE = -1
LEAST_AGREEING = 0.1
"""A table that has a smaller fraction of a song's notes is left out. In 617 of 618 pairs of different pieces of DCML's
Mozart, Corelli and quartets no note is placed (the other is a song of twelve notes); a song whose parts are out of step
for two thirds of its length keeps a quarter."""
REPORTED = 20
"""Songs that a report lists, besides those whose tables are left out."""


class Fit(NamedTuple):
    """How a table fits a song."""

    song: str
    table: Path
    agreeing: float | None
    """Fraction of the song's notes (onset and pitch) that are in the table of notes; None without one."""
    labelled: float
    """Fraction of the song's notes at which a row is in force."""

    @property
    def left_out(self) -> bool:
        """Whether the table is taken for another piece's."""
        return self.agreeing is not None and self.agreeing < LEAST_AGREEING


class Placement(NamedTuple):
    """Where annotations are in songs."""

    label: np.ndarray
    """Row, of all tables end to end, of the label in force at each note, -1 for none, int64 (n_notes,)."""
    row: np.ndarray
    """Rows that have a time, of each song's table, in the order of `key`, int64 (n_rows,)."""
    key: np.ndarray
    """Song and onset in the table of these rows as one number, ascending, int64 (n_rows,)."""
    note_key: np.ndarray
    """The same of each note, -1 for one that is nowhere in the table, int64 (n_notes,)."""


@dataclass(frozen=True, eq=False)
class Annotations:
    """The tables of some songs."""

    folder: Path
    tables: Sequence[Table]
    of_song: dict[str, int]
    """Number of the table of each song that has one."""
    labelled: np.ndarray
    """Whether each row, of all tables end to end, is one that holds until the next, bool (n_rows,)."""
    fits: dict[str, Fit] = field(default_factory=dict)
    """Of each song that was laid under its table so far, by name."""

    @classmethod
    def read(cls, folder: Path, names: Sequence[str], columns: Sequence[str]) -> "Annotations":
        """Read the tables of those songs that have one.

        Raises:
            InputError: no folder, no table for any song, or a table that is damaged or lacks a column.
        """
        files = find_tables(folder, names)
        number = {path: i for i, path in enumerate(dict.fromkeys(files.values()))}
        tables = [read_table(path, columns) for path in number]
        labelled = np.array([text != "" for table in tables for text in table.columns["numeral"]])
        return cls(folder, tables, {song: number[path] for song, path in files.items()}, labelled)

    def column(self, name: str) -> list[str]:
        """Text of all rows of all tables."""
        return [text for table in self.tables for text in table.columns[name]]

    def placed(self, songs: Songs) -> Placement:
        """Lay the tables over songs, and note how they fit."""
        first_row = np.cumsum([0, *(table.n_rows for table in self.tables)])
        label, note_key = np.full((2, len(songs)), NONE, np.int64)
        keys, rows = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for song, name in enumerate(songs.names):
            notes = slice(songs.first_note[song], songs.first_note[song + 1])
            if name not in self.of_song or notes.start == notes.stop:
                continue
            table, first = self.tables[self.of_song[name]], first_row[self.of_song[name]]
            onset = songs.onset[notes]
            found, time = _aligned(table, Record(onset, songs.pitch[notes]), songs.resolution)
            row = np.flatnonzero(~np.isnan(time))
            row = row[np.argsort(time[row], kind="stable")]
            time = time[row].astype(np.int64)
            holds = self.labelled[first + row]
            in_force = _in_force(onset, found.onset, time[holds])
            agreeing = float(found.agrees.mean()) if table.note_times else None
            fit = Fit(name, table.path, agreeing, float((in_force != NONE).mean()))
            self.fits[name] = fit._replace(labelled=0.0) if fit.left_out else fit
            if not fit.left_out:
                label[notes] = np.append(first + row[holds], NONE)[in_force]
                note_key[notes] = np.where(found.placed, (song << 40) + found.onset, NONE)
                keys.append((song << 40) + time)
                rows.append(first + row)
        return Placement(label, np.concatenate(rows), np.concatenate(keys), note_key)

    def check(self) -> None:
        """InputError if no table fits the song that it is named after."""
        if self.fits and all(fit.left_out for fit in self.fits.values()):
            fit = max(self.fits.values(), key=lambda fit: fit.agreeing or 0.0)
            raise InputError(
                f"no annotation table fits the song that it is named after: {fit.table} has {fit.agreeing:.0%} of the "
                f"notes of {fit.song!r}, others have less; expected {LEAST_AGREEING:.0%} or more"
            )

    def as_dicts(self) -> list[dict[str, Any]]:
        """How the tables fit, for JSON."""
        return [fit._asdict() | {"table": fit.table.name, "left_out": fit.left_out} for fit in self.fits.values()]

    def report(self) -> str:
        """How the tables fit, in words: a line for each that is left out, and for the `REPORTED` with fewest values."""
        fits = sorted(self.fits.values(), key=lambda fit: (not fit.left_out, fit.labelled))
        n_left_out = sum(fit.left_out for fit in fits)
        shown = n_left_out + REPORTED
        lines = [
            f"annotations: {len(fits) - n_left_out:,} of {len(fits):,} tables fit their songs",
            f"{'':32} notes agree  with a value",
            *map(_line, fits[:shown]),
        ]
        if len(fits) > shown:
            lines.append(f"{len(fits) - shown:,} more songs: {fits[shown].labelled:.1%} or more of each with a value")
        return "\n".join(lines)


def _line(fit: Fit) -> str:
    agreeing = "–" if fit.agreeing is None else f"{fit.agreeing:.1%}"
    remark = f"  {fit.table.name} is left out: not of this song" if fit.left_out else ""
    remark = "  not checked: no table of notes" if fit.agreeing is None else remark
    return f"{fit.song:<32} {agreeing:>11} {fit.labelled:>13.1%}{remark}"


def _aligned(table: Table, song: Record, resolution: int) -> tuple[Alignment, np.ndarray]:
    """Where the song's notes are in the table, and the times of the table's rows, of the kind that fits better."""
    if not table.note_times:
        everywhere = np.ones(len(song.onset), bool)
        return Alignment(song.onset, everywhere, 0.0), next(iter(table.times.values())).steps(resolution)
    found: dict[str, Alignment] = {}
    steps = {kind: times.steps(resolution) for kind, times in table.note_times.items() if kind in table.times}
    for kind, onset in steps.items():
        if not any(np.array_equal(onset, steps[other], equal_nan=True) for other in found):
            there = ~np.isnan(onset)
            if there.any():
                notes = Record(onset[there].astype(np.int64), table.pitch[there])
                found[kind] = align(song, notes, resolution)
    kind = max(found, key=lambda kind: found[kind].score)
    return found[kind], table.times[kind].steps(resolution)


def _in_force(song_onset: np.ndarray, onset: np.ndarray, label_onset: np.ndarray) -> np.ndarray:
    """The label in force at each note, -1 for none.

    Args:
        song_onset: of each note, in the song.
        onset: of each note, in the table, or `NOWHERE`.
        label_onset: ascending.
    """
    placed = np.flatnonzero(onset != NOWHERE)
    found = np.full(len(onset), NONE)
    if not len(placed):
        return found
    here, there = song_onset[placed], onset[placed]
    label = np.searchsorted(label_onset, there, side="right") - 1
    jump = np.flatnonzero(np.diff(there - here)) + 1
    stretch = np.searchsorted(jump, np.arange(len(placed)), side="right")
    # A label that begins in the gap before a stretch's first note may be of the stretch.
    known_from = np.append(NOWHERE, there[jump] - (here[jump] - here[jump - 1]))[stretch]
    before = np.append(NONE, label[jump - 1])[stretch]
    began = np.append(label_onset, NOWHERE)[label]
    found[placed] = np.where((began > known_from) | (label == before), label, NONE)
    return found
