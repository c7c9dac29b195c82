"""A data set as its authors publish it: `notes/` (arrays and `encoding.json`) and name lists alongside.

Songs are those of `names.txt`, else of the split lists (`train-names.txt`, `valid-names.txt`, `test-names.txt`), else
every note file. Where split lists exist, a song on none of them is in the train split; without them, songs are split
80/10/10 by a stable hash of their names, near-duplicates (`duplicates.csv`) by that of the first name of their group.
"""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from music_interpret.errors import InputError
from music_interpret.files import read_json
from music_interpret.music.duplicate_groups import read_groups
from music_interpret.music.notes import read_notes
from music_interpret.music.spelling import SPELLINGS, read_spelling
from music_interpret.music.spelling_estimation import spell

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
MANIFEST, JOURNAL = "ingest.json", "ingest.jsonl"
"""Alongside notes that ingest makes: what made them, when they are all there; what is done of them, until then."""


class Dataset(NamedTuple):
    """Songs, their splits, and where their notes are stored."""

    folder: Path
    """Holds `notes/` and the name lists."""
    resolution: int
    """Time steps per beat of the notes, as `notes/encoding.json` says."""
    names: list[str]
    """Song names, in the order of the lists (or sorted)."""
    splits: list[Split]
    """Split of each song."""

    def notes(self, name: str) -> np.ndarray:
        """Validated notes of one song, shape (n_notes, 5)."""
        stem = self.folder / "notes" / name
        path = stem.with_name(stem.name + ".npy")
        csv = stem.with_name(stem.name + ".csv")
        return read_notes(csv if csv.is_file() and not path.is_file() else path, self.resolution)

    def known_spelling(self, name: str) -> np.ndarray | None:
        """How a song's source spells its notes, int8 (n_notes,), see `spelling.py`; None where it does not say."""
        stem = self.folder / SPELLINGS / name
        path = stem.with_name(stem.name + ".npy")
        return read_spelling(path, self.notes(name)) if path.is_file() else None

    def spelling(self, name: str) -> np.ndarray:
        """The same, estimated where the source does not say."""
        known = self.known_spelling(name)
        return spell(self.notes(name), self.resolution) if known is None else known


def hash_split(name: str) -> Split:
    """Split of a song by the SHA-256 of its name: 80 % train, 10 % valid, 10 % test, the same on every machine."""
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
    return "train" if share < 0.8 else "valid" if share < 0.9 else "test"


def open_dataset(folder: Path) -> Dataset:
    """Read the resolution and the name lists of a data set; notes are read song by song."""
    if (folder / JOURNAL).is_file() and not (folder / MANIFEST).is_file():
        raise InputError(f"the ingest of {folder} has not finished; run the same ingest command again, and it goes on")
    resolution = _resolution(folder / "notes" / "encoding.json")
    split_of: dict[str, Split] = {}
    for split in SPLITS:
        for name in _read_names(folder / f"{split}-names.txt"):
            if split_of.setdefault(name, split) != split:
                raise InputError(f"song {name} is on both {split_of[name]}-names.txt and {split}-names.txt in {folder}")
    names = _read_names(folder / "names.txt") or list(split_of) or _note_files(folder / "notes")
    if not names:
        raise InputError(f"{folder / 'notes'} holds no songs; expected one .npy or .csv of notes for each song")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"song {twice[0]} is listed twice in {folder / 'names.txt'}")
    if split_of:
        return Dataset(folder, resolution, names, [split_of.get(name, "train") for name in names])
    groups = read_groups(folder)
    return Dataset(folder, resolution, names, [hash_split(groups.get(name, name)) for name in names])


def _resolution(path: Path) -> int:
    table = read_json(path)
    resolution = table.get("resolution") if isinstance(table, dict) else None
    if type(resolution) is not int or resolution < 1:
        raise InputError(f"{path}: resolution is {resolution!r}; expected the time steps per beat, a whole number")
    return resolution


def _read_names(path: Path) -> list[str]:
    if not path.is_file():
        return []
    names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for name in names:
        if name.startswith(("/", "\\")) or ".." in name.split("/"):
            raise InputError(f"{path} names {name!r}, which is outside the notes folder")
    return names


def _note_files(notes: Path) -> list[str]:
    paths = (p for p in notes.rglob("*") if p.suffix in (".npy", ".csv") and not p.name.startswith("."))
    return sorted({p.relative_to(notes).as_posix()[: -len(p.suffix)] for p in paths})
