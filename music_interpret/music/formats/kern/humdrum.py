"""Humdrum files: the pieces in them, their records, and the paths that spines take through a piece.

A record is a line of fields between tabs, one for each path. `*^` divides a path in two, neighbouring `*v` make one
path of all, two `*x` change places, `*+` adds a spine, `*-` ends one, and `**kern` says what a spine holds. Comments
(`!`) and null tokens (`.`, `*`) are passed over. Where neighbouring `*v` may be one group or several, the number of
fields in the next record decides.

Source: David Huron, The Humdrum Toolkit: Reference Manual, 1995; Humdrum User Guide, chapter 5.
"""

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from music_interpret.music.formats.written import BrokenScore

SPLIT, MERGE, EXCHANGE, ADD, END = MANIPULATORS = ("*^", "*v", "*x", "*+", "*-")
NULLS = frozenset(("", ".", "*", "!"))


class SpinePath(NamedTuple):
    """A spine, or a part of one between two of its splits and merges."""

    number: int
    """Of the path, counting all of the piece's."""
    spine: int
    """Number of the spine that it comes from (a merge of several: the first)."""
    kind: str
    """Exclusive interpretation: "**kern", …, or "" after `*+`, where none is known yet."""
    parents: tuple[int, ...] = ()
    """Numbers of the paths that it continues; none for a spine's beginning."""


class Record(NamedTuple):
    """A line of a piece that is no comment."""

    line: int
    """Line number in the file, from 1."""
    tokens: list[tuple[int, str]]
    """(Number of the path, token) of each token that is not null, of spines of one kind."""
    paths: list[SpinePath] | None = None
    """All paths of that kind from here on, if they have changed; such a record may have no tokens."""


class Piece(NamedTuple):
    """A stretch of lines from exclusive interpretations to the end of all spines, with the comments around them."""

    first_line: int
    lines: list[str]


def read_text(path: Path) -> str:
    """A file as text whose lines end in a line feed: UTF-8 with or without its mark, UTF-16 with it, else Latin-1."""
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def pieces(text: str) -> list[Piece]:
    """The pieces of a file: a new one begins after a line that ends all spines, if spines begin again below."""
    lines = text.split("\n")
    starts, first, ended = [0], 0, False
    for index, line in enumerate(lines):
        if not line.startswith("*"):
            continue
        if line.startswith("**") and ended:
            starts.append(first)
        ended = not line.replace(END, "").strip()
        if ended:
            first = index + 1
    return [Piece(start + 1, lines[start:stop]) for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True)]


def reference(piece: Piece, *keys: str) -> str:
    """Value of the first of some reference records (`!!!OTL: …`) that the piece has, "" if it has none."""
    for key in keys:
        pattern = re.compile(rf"!!!!?{key}(?:@{{0,2}}\w*|\d*):\s*(.*\S)")
        found = next(filter(None, map(pattern.match, piece.lines)), None)
        if found:
            return found[1]
    return ""


def records(piece: Piece, kind: str) -> Iterator[Record]:
    """The records of a piece, with the tokens of spines of one kind."""
    spines = _Spines(kind)
    for index, line in enumerate(piece.lines):
        if line.startswith("!") or not line or line.isspace():
            continue
        number = piece.first_line + index
        fields = line.split("\t")
        if not spines.paths and not line.startswith("**"):
            raise BrokenScore(f'line {number} is "{line[:40]}"; expected spines to begin, as in "**kern"')
        if spines.paths and len(fields) != len(spines.paths):
            fields = _repaired(fields, len(spines.paths), number)
        columns = zip(spines.paths, fields, strict=False)
        tokens = [(path.number, field) for path, field in columns if path.kind == kind]
        changes = line.startswith("*") and spines.change(fields, piece.lines, index + 1)
        tokens = [(path, token) for path, token in tokens if token not in NULLS]
        if changes:
            yield Record(number, tokens, [path for path in spines.paths if path.kind == kind])
        elif tokens:
            yield Record(number, tokens)


def _repaired(fields: list[str], expected: int, line: int) -> list[str]:
    """Fields of a line with needless tabs."""
    filled = [field for field in fields if field.strip()]
    if len(filled) != expected:
        raise BrokenScore(f"line {line} has {len(filled)} fields; expected {expected}, one for each spine")
    return [field.strip() for field in filled]


class _Spines:
    """The paths side by side, from left to right."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.paths: list[SpinePath] = []
        self.n_paths = 0
        self.n_spines = 0

    def change(self, fields: list[str], lines: list[str], after: int) -> bool:
        """Do what an interpretation record says, the lines from `after` on being next; whether it said anything."""
        if any(field.startswith("**") for field in fields):
            self._begin(fields)
        elif set(MANIPULATORS).isdisjoint(fields):
            return False
        else:
            self.paths = self._manipulated(fields, lines, after)
        return True

    def _path(self, spine: int, kind: str, parents: tuple[int, ...] = ()) -> SpinePath:
        self.n_paths += 1
        return SpinePath(self.n_paths - 1, spine, kind, parents)

    def _new_spine(self, kind: str) -> SpinePath:
        self.n_spines += 1
        return self._path(self.n_spines - 1, kind)

    def _begin(self, fields: list[str]) -> None:
        if not self.paths:
            self.paths = [self._new_spine(field.strip()) for field in fields]
            return
        self.paths = [
            path if not field.startswith("**") or path.kind == field else path._replace(kind=field.strip())
            for path, field in zip(self.paths, fields, strict=True)
        ]

    def _manipulated(self, fields: list[str], lines: list[str], after: int) -> list[SpinePath]:
        columns = list(zip(self.paths, fields, strict=True))
        joined = self._after(columns, lambda path: path.kind)
        apart = self._after(columns, lambda path: path.spine)
        return apart if len(apart) == len(joined) or len(apart) == _n_fields(lines, after) else joined

    def _after(
        self, columns: list[tuple[SpinePath, str]], group_of: Callable[[SpinePath], str | int]
    ) -> list[SpinePath]:
        """The paths after a record, in which neighbouring `*v` of one group make one path."""
        exchanged = [path for path, field in columns if field == EXCHANGE]
        for left in range(0, len(exchanged) - 1, 2):
            exchanged[left], exchanged[left + 1] = exchanged[left + 1], exchanged[left]
        next_exchanged = iter(exchanged)
        paths: list[SpinePath] = []
        for merges, group in groupby(columns, lambda c: (group_of(c[0]),) if c[1] == MERGE else None):
            if merges:
                merged = [path for path, _ in group]
                paths.append(self._path(merged[0].spine, merged[0].kind, tuple(path.number for path in merged)))
                continue
            for path, field in group:
                if field == SPLIT:
                    paths += [self._path(path.spine, path.kind, (path.number,)) for _ in range(2)]
                elif field == ADD:
                    paths += [path, self._new_spine("")]
                elif field == EXCHANGE:
                    paths.append(next(next_exchanged))
                elif field != END:
                    paths.append(path)
        return paths


def _n_fields(lines: list[str], after: int) -> int:
    """Number of fields in the first record from a line on."""
    for index in range(after, len(lines)):
        line = lines[index]
        if not line.startswith("!") and line.strip():
            return len(line.rstrip("\t ").split("\t"))
    return 0
