"""Readers of scores, each in a process of its own that stays, and what they read of a file."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

from _environments import Environment, last_line
from _measuring import ROOT

from music_interpret.errors import InputError

WORKERS = ROOT / "benchmarks" / "_score_readers"
OURS, BEFORE = "ours", "before"
BEFORE_COMMIT = "8453cd6"
"""The last commit at which music21 read all but MIDI."""
XML, MEI, KERN, ABC, MIDI = (".mxl", ".musicxml", ".xml"), (".mei",), (".krn",), (".abc",), (".mid", ".midi")
Piece = list[list[int]]


class Library(NamedTuple):
    """What reads, and how its notes are compared."""

    suffixes: tuple[str, ...]
    """Of the formats it is tried on."""
    environment: str = ""
    """The name of its requirements; empty for this environment."""
    unisons: bool = True
    """Whether two equal notes remain two."""


LIBRARIES = {
    OURS: Library(XML + MEI + KERN + ABC + MIDI),
    BEFORE: Library(XML + KERN + ABC + MIDI, unisons=False),
    "music21": Library(XML + MEI + KERN + ABC, "music21"),
    "converter21": Library(KERN, "converter21"),
    "partitura": Library(XML + MEI + KERN, "partitura"),
    "verovio": Library(XML + MEI + KERN + ABC, "verovio"),
    "abc2midi": Library(ABC, "symusic", unisons=False),
    "mido": Library(MIDI, "pretty_midi"),
    "pretty_midi": Library(MIDI, "pretty_midi"),
}
SCRIPTS = {BEFORE: "ours_worker.py", "abc2midi": "symusic_worker.py"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a reader made of a file."""

    seconds: float = 0.0
    """Processor time."""
    pieces: list[Piece | None] = field(default_factory=list)
    """Rows [onset, pitch, duration] in steps of 1/12 quarter note, from the first note's beat on; None for a piece
    that cannot be read."""
    error: str | None = None
    """Why the file cannot be read."""
    works: list[dict[str, Any]] = field(default_factory=list)
    """Ours and before: songs as `ingest` has them, with `notes` and `metres`."""
    miscounted: int = 0
    """Ours: songs of which not all note heads were read, by the plain count."""

    @property
    def read(self) -> bool:
        return self.error is None and any(piece is not None for piece in self.pieces)


class Reader:
    """A reader's process, which is started again after a file that ends it or takes too long."""

    def __init__(self, name: str, environments: Path, limit_s: float) -> None:
        self.name, self.limit_s = name, limit_s
        self.library = LIBRARIES[name]
        wanted = self.library.environment
        self.environment = (
            Environment(environments / wanted, WORKERS / "requirements" / f"{wanted}.txt") if wanted else None
        )
        self.path = ROOT
        if name == BEFORE:
            self.path = checkout(environments / BEFORE, BEFORE_COMMIT)
        self.version = ""
        self.process: subprocess.Popen[str] | None = None

    @property
    def ready(self) -> bool:
        return self.environment is None or self.environment.ready

    def answer(self, path: Path) -> Answer:
        """What it makes of a file."""
        if self.process is None:
            self.start()
        assert self.process and self.process.stdin and self.process.stdout
        timer = Timer(self.limit_s, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(json.dumps(str(path)) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        timer.cancel()
        if not line:
            self.stop()
            return Answer(seconds=self.limit_s, error=f"its process ended, or took over {self.limit_s:g} s")
        return Answer(**json.loads(line))

    def start(self) -> None:
        """Start the process and wait until its library is loaded."""
        python = self.environment.python if self.environment else Path(sys.executable)
        script = WORKERS / SCRIPTS.get(self.name, f"{self.name}_worker.py")
        paths = {} if self.environment else {"PYTHONPATH": str(self.path)}
        with tempfile.TemporaryFile("w+") as errors:
            self.process = subprocess.Popen(
                [str(python), str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | paths,
                cwd=tempfile.gettempdir(),
            )
            assert self.process.stdout
            line = self.process.stdout.readline()
            if not line:
                errors.seek(0)
                raise InputError(f"the reader {self.name} did not start: {last_line(errors.read())}")
        self.version = json.loads(line)["version"]

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def checkout(folder: Path, commit: str) -> Path:
    """The package at a commit, unpacked once."""
    if not (folder / "music_interpret").is_dir():
        done = subprocess.run(["git", "-C", str(ROOT), "archive", commit, "music_interpret"], capture_output=True)
        if done.returncode:
            raise InputError(f"no commit {commit} in {ROOT}: {last_line(done.stderr.decode())}")
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
            archive.extractall(folder, filter="data")
    return folder


def same(one: Answer, other: Answer, unisons: bool) -> bool:
    """Whether two readers have the same pieces with the same notes."""
    if len(one.pieces) != len(other.pieces):
        return False
    return all(
        mine is not None and theirs is not None and counted(mine, unisons) == counted(theirs, unisons)
        for mine, theirs in zip(one.pieces, other.pieces, strict=True)
    )


def counted(piece: Piece, unisons: bool) -> Counter[tuple[int, ...]]:
    """How often each note is there; once if equal notes cannot be told apart. From the first beat, also of an earlier
    reader that counts otherwise.
    """
    notes = Counter(map(tuple, piece))
    return notes if unisons else Counter(dict.fromkeys(notes, 1))
