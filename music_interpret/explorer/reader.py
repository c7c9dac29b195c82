"""Reading other people's files in a process of its own, which may crash, hang or eat memory without harm.

The process reads one line of JSON ({"path", "resolution"}) and answers with one ({"works", "notes", "metres"} or
{"broken"}), again and again. It is started once, so that the libraries are loaded when a file comes.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from music_interpret.errors import InputError

LIMIT_SECONDS = 20.0
LIMIT_BYTES = 4 * 2**30
"""Address space of the process, most of which libraries reserve and never use."""
LARGEST_UNPACKED = 32 * 2**20
LONGEST_REASON = 200


class ReadWork(NamedTuple):
    """The first piece in a file."""

    notes: np.ndarray
    """Rows (beat, position, pitch, duration, program), int64 (n, 5)."""
    metres: list[list[int]]
    """As in `metres.json`; empty if none is known."""
    n_works: int
    """Pieces in the file."""


class Reader:
    """The process; it starts at the first need, or at `warm`, and again after it ended."""

    def __init__(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        self.limit_seconds = limit_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def read(self, path: Path, resolution: int) -> ReadWork:
        """The piece in a file; InputError with a sentence for people if it cannot be read."""
        with self._lock:
            process = self._running()
            timer = threading.Timer(self.limit_seconds, process.kill)
            timer.start()
            try:
                line = _asked(process, {"path": str(path), "resolution": resolution})
            finally:
                timed_out = not timer.is_alive()
                timer.cancel()
        if not line:
            self.close()
            if timed_out:
                raise InputError(
                    f"this file takes longer than {self.limit_seconds:.0f} seconds to read; try a shorter one"
                )
            raise InputError("this file cannot be read: the program that reads scores gave up on it")
        answer = json.loads(line)
        if "broken" in answer:
            raise InputError(f"this file cannot be read as music: {answer['broken']}")
        notes = np.array(answer["notes"], np.int64).reshape(-1, 5)
        return ReadWork(notes, answer["metres"], answer["works"])

    def warm(self) -> None:
        """Start the process and have it load its libraries, in the background."""
        with self._lock:
            self._running()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.communicate()
                self._process = None

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "music_interpret.explorer.reader"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # Ctrl-C is for the server, which ends this process itself
            )
        return self._process


def _asked(process: "subprocess.Popen[str]", question: dict[str, Any]) -> str:
    """The process's answer; empty if it ended."""
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        return process.stdout.readline()
    return ""


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    from music_interpret.music.scores import BrokenScore, read_works

    try:
        if (size := _unpacked_bytes(Path(question["path"]))) > LARGEST_UNPACKED:
            return {"broken": f"it unpacks to {size:,} bytes; expected up to {LARGEST_UNPACKED:,}"}
        works = read_works(Path(question["path"]), question["resolution"])
        work = next((work for work in works if len(work.notes)), works[0] if works else None)
        if work is None:
            return {"broken": "it holds no piece"}
        return {
            "works": len(works),
            "notes": work.notes.tolist(),
            "metres": [list(map(int, row)) for row in work.metres],
        }
    except BrokenScore as error:
        return {"broken": " ".join(str(error).split())[:LONGEST_REASON]}
    except (Exception, RecursionError) as error:  # libraries have their own errors for damaged files
        return {"broken": f"it is damaged ({type(error).__name__})"}


def _unpacked_bytes(path: Path) -> int:
    """What an archive says it unpacks to; 0 for other files."""
    if path.suffix != ".mxl":
        return 0
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _serve(questions: IO[str], answers: IO[str]) -> None:
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    import music21  # noqa: F401  # takes seconds, which people should not wait for
    import symusic  # noqa: F401

    for line in questions:
        answers.write(json.dumps(_answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    # Libraries print what they like; answers have a stream of their own.
    private = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _serve(sys.stdin, private)
