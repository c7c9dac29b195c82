"""Metres of songs: where bars begin and how long they are.

`metres.json`, alongside a data set's notes, holds for each song a list of (first step, numerator, denominator): from
that step on, which is a downbeat, bars have numerator/denominator whole notes, until the next entry. Steps count from
the song's first beat, as in its notes; the first entry may be negative, for a song that begins with an upbeat. `ingest`
writes it from the scores' time signatures. Under "/numbers" it has, of songs whose edition numbers its bars,
(downbeat's step, number of the bar that begins there) wherever that does not count on from the bar before. Of a song
that is not listed the metre is estimated from all of its notes; `metre_estimation.py` says how often that is right.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from music_interpret import files
from music_interpret.errors import InputError
from music_interpret.music.metre_estimation import estimate_metres

METRES = "metres.json"
NUMBERS = "/numbers"
"""Key of the bars' numbers in `metres.json`, which no song can have: no name begins so."""


class Metres(NamedTuple):
    """Stretches of one metre, song after song, each song's in order; every song has one or more."""

    first: np.ndarray
    """First stretch of each song, and the number of stretches at the end, int64 (n_songs + 1,)."""
    start: np.ndarray
    """A downbeat from which on the metre holds, in steps from the song's first beat, int64 (n_stretches,)."""
    bar_steps: np.ndarray
    """Length of a bar in steps, int64 (n_stretches,)."""
    numerator: np.ndarray
    """Of the time signature, int64 (n_stretches,)."""
    denominator: np.ndarray
    """Of the time signature, int64 (n_stretches,)."""
    estimated: np.ndarray
    """Whether a song's metre is an estimate, bool (n_songs,)."""

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        known: Mapping[str, Sequence[Sequence[int]]],
        notes: np.ndarray,
        first_note: np.ndarray,
        resolution: int,
    ) -> "Metres":
        """The known metres of songs, and estimates for the others.

        Args:
            names: of the songs.
            known: content of `metres.json`.
            notes: of all songs, int64 (n_notes, 5).
            first_note: row of each song's first note, and the number of rows, (n_songs + 1,).
            resolution: steps per beat.
        """
        estimated = np.array([not known.get(name) for name in names], bool)
        rows = [known.get(name) or [] for name in names]
        if estimated.any():
            of_note = np.repeat(estimated, np.diff(first_note))
            sizes = np.diff(first_note)[estimated]
            guesses, first = estimate_metres(notes[of_note], np.concatenate([[0], np.cumsum(sizes)]), resolution)
            for song, (start, stop) in zip(np.flatnonzero(estimated), itertools.pairwise(first), strict=True):
                rows[song] = guesses[start:stop].tolist()
        flat = np.array([row for song in rows for row in song], np.int64).reshape(-1, 3)
        return cls(
            np.cumsum([0, *map(len, rows)]),
            flat[:, 0],
            np.maximum(flat[:, 1] * 4 * resolution // flat[:, 2], 1),
            flat[:, 1],
            flat[:, 2],
            estimated,
        )


def write_metres(
    folder: Path,
    metres: Mapping[str, Sequence[Sequence[int]]],
    numbers: Mapping[str, Sequence[Sequence[int]]] | None = None,
) -> None:
    """Write `metres.json` of a data set, a line for each song.

    Args:
        folder: of the data set.
        metres: of songs, by name.
        numbers: of bars, by song: (downbeat's step, number of the bar that begins there) where the edition's numbers
            do not count on from the bar before.
    """
    lines = [_line(name, rows) for name, rows in metres.items()]
    if numbers:
        rows = ",\n  ".join(_line(name, of_song) for name, of_song in numbers.items())
        lines.append(f"{json.dumps(NUMBERS)}: {{\n  {rows}\n}}")
    files.write_text(folder / METRES, "{\n" + ",\n".join(lines) + "\n}\n")


def _line(name: str, rows: Sequence[Sequence[int]]) -> str:
    return f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(rows)}"


def read_metres(folder: Path) -> dict[str, list[list[int]]]:
    """The known metres of a data set's songs, by name; none if there is no `metres.json`.

    Raises:
        InputError: the file is damaged.
    """
    expected = "[[first step, numerator, denominator], …], whole numbers, steps ascending"
    table = _read(folder)
    table.pop(NUMBERS, None)
    for name, stretches in table.items():
        if not _is_right(stretches, 3) or any(min(stretch[1:]) < 1 for stretch in stretches):
            raise InputError(f"{folder / METRES}: metre of song {name!r} is {_shown(stretches)}; expected {expected}")
    return table


def read_bar_numbers(folder: Path) -> dict[str, list[list[int]]]:
    """Where editions' bar numbers do not count on, by song: (downbeat's step, number); none if nothing says so.

    Raises:
        InputError: the file is damaged.
    """
    expected = "[[step, bar number], …], whole numbers, steps ascending"
    table = _read(folder).get(NUMBERS, {})
    for name, numbers in table.items() if isinstance(table, dict) else [(NUMBERS, table)]:
        if not _is_right(numbers, 2):
            raise InputError(f"{folder / METRES}: bars of song {name!r} are {_shown(numbers)}; expected {expected}")
    return table


def _read(folder: Path) -> dict[str, Any]:
    path = folder / METRES
    content = files.read_json(path) if path.is_file() else {}
    if not isinstance(content, dict):
        raise InputError(
            f"{path} holds no table of songs; expected {{song: [[first step, numerator, denominator], …]}}"
        )
    return content


def _shown(value: Any) -> str:
    shown = json.dumps(value)
    return shown if len(shown) < 80 else f"{shown[:77]}..."


def _is_right(rows: Any, width: int) -> bool:
    """Whether it is a list of rows of whole numbers, one or more, in the order of their steps."""
    if not isinstance(rows, list) or not rows:
        return False
    for row in rows:
        if not isinstance(row, list) or len(row) != width or any(type(number) is not int for number in row):
            return False
        if max(map(abs, row)) > 2**31:
            return False
    starts = [row[0] for row in rows]
    return all(one < other for one, other in zip(starts, starts[1:], strict=False))
