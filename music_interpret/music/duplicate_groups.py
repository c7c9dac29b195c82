"""Groups of near-duplicate songs: the table `duplicates.csv` of a data set, and splits that separate a group.

`ingest` writes the table; `duplicates.py` says what near-duplicates are. A data set may be without it.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from music_interpret import files
from music_interpret.errors import InputError

DUPLICATES = "duplicates.csv"


class Duplicate(NamedTuple):
    """A song that is nearly another one: a row of `duplicates.csv`."""

    group: str
    """The first name of its group."""
    song: str
    """Its name."""
    nearest: str
    """The song of the data set that it has most in common with."""
    notes: float
    """Fraction of the notes of the smaller of both that are in the other."""
    shingles: float
    """Fraction of the distinct shingles of the smaller of both that are in the other."""
    exact: bool
    """Whether both are the same but for key, start, durations and programs."""


def write_duplicates(folder: Path, duplicates: Iterable[Duplicate]) -> None:
    """Write `duplicates.csv` of a data set."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Duplicate._fields)
    writer.writerows((*row[:-1], "yes" if row.exact else "no") for row in duplicates)
    files.write_text(folder / DUPLICATES, text.getvalue())


def read_groups(folder: Path) -> dict[str, str]:
    """The group of each song that has near-duplicates, by name; empty if the data set has no `duplicates.csv`.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / DUPLICATES
    if not path.is_file():
        return {}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file, strict=True)) or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not readable as CSV ({error})") from None
    if header[:2] != ["group", "song"]:
        raise InputError(f"{path} starts with {','.join(header)!r}; expected {','.join(Duplicate._fields)!r}")
    groups: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header) or not row[0] or not row[1]:
            raise InputError(f"{path}, row {line}, is {','.join(row)!r}; expected {','.join(header)}")
        if groups.setdefault(row[1], row[0]) != row[0]:
            raise InputError(f"{path} has song {row[1]!r} in the groups {groups[row[1]]!r} and {row[0]!r}")
    return groups


def separated(groups: Mapping[str, str], names: Sequence[str], splits: Sequence[str]) -> str | None:
    """Which near-duplicates are in different splits, in one line; None if there are none.

    Args:
        groups: of the songs that have near-duplicates, as `read_groups` gives them.
        names: of songs.
        splits: of the same songs.
    """
    first: dict[str, int] = {}
    apart: dict[str, tuple[int, int]] = {}
    for number, name in enumerate(names):
        if name in groups:
            before = first.setdefault(groups[name], number)
            if splits[before] != splits[number]:
                apart.setdefault(groups[name], (before, number))
    if not apart:
        return None
    one, other = next(iter(apart.values()))
    which = f"{names[one]} ({splits[one]}) and {names[other]} ({splits[other]})"
    groups_are = "1 group of near-duplicates is" if len(apart) == 1 else f"{len(apart):,} groups of near-duplicates are"
    return (
        f"{groups_are} in more than one split, first {which}: what is measured on held-out songs is partly measured "
        f"on songs of another split; list the songs of a group in {DUPLICATES} in one split"
    )
