"""A person's own labels, notes and stars of latents, in `own_labels.sqlite` in the run's folder.

They are the one thing that the explorer keeps of what people type, so they live in a database that a crash does not
harm, and leave and enter as JSON lines: {"latent": 3, "label": "…", "note": "…", "star": true}.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from music_interpret.errors import InputError

NAME = "own_labels.sqlite"
LONGEST_LABEL, LONGEST_NOTE = 200, 10_000
TABLE = """
CREATE TABLE IF NOT EXISTS own_labels (
    latent INTEGER PRIMARY KEY, label TEXT NOT NULL, note TEXT NOT NULL, star INTEGER NOT NULL
)"""
PUT = """
INSERT INTO own_labels VALUES (:latent, :label, :note, :star)
ON CONFLICT (latent) DO UPDATE SET label = :label, note = :note, star = :star"""


class OwnLabel(NamedTuple):
    """What a person says of a latent."""

    latent: int
    label: str = ""
    note: str = ""
    star: bool = False


class OwnLabels:
    """The labels of one run; every call opens the file again, so several servers and threads can share it."""

    def __init__(self, run: Path, d_sae: int) -> None:
        self.path, self.d_sae = run / NAME, d_sae

    def all(self) -> list[OwnLabel]:
        """All that are kept, by latent."""
        if not self.path.is_file():
            return []
        with self._open() as connection:
            rows = connection.execute("SELECT latent, label, note, star FROM own_labels ORDER BY latent").fetchall()
        return [OwnLabel(latent, label, note, bool(star)) for latent, label, note, star in rows]

    def get(self, latent: int) -> OwnLabel:
        """Of one latent; empty if there is nothing."""
        if not self.path.is_file():
            return OwnLabel(latent)
        with self._open() as connection:
            row = connection.execute("SELECT label, note, star FROM own_labels WHERE latent = ?", (latent,)).fetchone()
        return OwnLabel(latent, row[0], row[1], bool(row[2])) if row else OwnLabel(latent)

    def put(self, labels: Iterable[OwnLabel]) -> None:
        """Keep labels, all or none; an empty one is forgotten."""
        with self._open() as connection:
            connection.execute(TABLE)
            for label in labels:
                connection.execute(PUT, label._asdict())
            connection.execute("DELETE FROM own_labels WHERE label = '' AND note = '' AND star = 0")

    def checked(self, content: Any, where: str) -> OwnLabel:
        """A label from JSON; InputError if it is none."""
        right = '{"latent": 3, "label": "…", "note": "…", "star": true}'
        if not isinstance(content, dict) or not set(content) <= set(OwnLabel._fields):
            raise InputError(f"{where} is no label; expected {right}")
        filled: dict[str, Any] = {"latent": -1, "label": "", "note": "", "star": False} | content
        label = OwnLabel(*(filled[field] for field in OwnLabel._fields))
        kinds = (int, str, str, bool)
        for name, value, kind in zip(OwnLabel._fields, label, kinds, strict=True):
            if type(value) is not kind:
                raise InputError(f"{where}: {name} is {value!r}; expected {right}")
        if not 0 <= label.latent < self.d_sae:
            raise InputError(f"{where}: latent {label.latent} is out of range; expected 0 to {self.d_sae - 1}")
        for name, longest in (("label", LONGEST_LABEL), ("note", LONGEST_NOTE)):
            if len(getattr(label, name)) > longest:
                raise InputError(f"{where}: the {name} is longer than {longest:,} characters")
            if "\x00" in (text := getattr(label, name)) or any(0xD800 <= ord(c) < 0xE000 for c in text):
                raise InputError(f"{where}: the {name} holds characters that are no text")
        return label

    def to_jsonl(self) -> str:
        """All labels, a line each."""
        return "".join(json.dumps(label._asdict(), ensure_ascii=False) + "\n" for label in self.all())

    def from_jsonl(self, text: str) -> int:
        """Take labels, which replace those of the same latents; all lines or, with an InputError, none."""
        labels = []
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                content = json.loads(line)
            except (ValueError, RecursionError):
                raise InputError(f"line {number} is not JSON") from None
            labels.append(self.checked(content, f"line {number}"))
        self.put(labels)
        return len(labels)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection; what is done with it is kept, or on an error undone. InputError if the file is damaged."""
        connection = sqlite3.connect(self.path, timeout=10)
        try:
            with connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path.name} cannot be used ({error}); your own labels were not changed") from None
        finally:
            connection.close()
