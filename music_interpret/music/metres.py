"""Metres of songs: where bars begin and how long they are.

`metres.json`, alongside a data set's notes, holds for each song a list of (first step, numerator, denominator): from
that step on, which is a downbeat, bars have numerator/denominator whole notes, until the next entry. Steps count from
the song's first beat, as in its notes; the first entry may be negative, for a song that begins with an upbeat. `ingest`
writes it from the scores' time signatures. Of a song that is not listed the metre is estimated from all of its notes;
`metre_estimation.py` says how often that is right.
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


def write_metres(folder: Path, metres: Mapping[str, Sequence[Sequence[int]]]) -> None:
    """Write `metres.json` of a data set, a line for each song."""
    lines = [f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(rows)}" for name, rows in metres.items()]
    files.write_text(folder / METRES, "{\n" + ",\n".join(lines) + "\n}\n")


def read_metres(folder: Path) -> dict[str, list[list[int]]]:
    """The known metres of a data set's songs, by name; none if there is no `metres.json`.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / METRES
    if not path.is_file():
        return {}
    content = files.read_json(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path} holds no table of songs; expected {{song: [[first step, numerator, denominator], …]}}"
        )
    for name, stretches in content.items():
        if not _is_right(stretches):
            shown = json.dumps(stretches)
            shown = shown if len(shown) < 80 else f"{shown[:77]}..."
            raise InputError(
                f"{path}: metre of song {name!r} is {shown}; "
                "expected [[first step, numerator, denominator], …], whole numbers, steps ascending"
            )
    return content


def _is_right(stretches: Any) -> bool:
    if not isinstance(stretches, list) or not stretches:
        return False
    for stretch in stretches:
        if not isinstance(stretch, list) or len(stretch) != 3 or any(type(number) is not int for number in stretch):
            return False
        if max(map(abs, stretch)) > 2**31 or min(stretch[1:]) < 1:
            return False
    starts = [stretch[0] for stretch in stretches]
    return all(one < other for one, other in zip(starts, starts[1:], strict=False))
