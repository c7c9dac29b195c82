"""A child process that reads other people's scores, and may crash, hang or run out of memory without harm to others.

Not `multiprocessing.Process`: forked, it inherits the locks of the caller's threads; spawned, it runs the caller's
`__main__` again, which may import torch or have no `if __name__ == "__main__":`. So a child is `python -c "… serve(…)"`
at the other end of a `multiprocessing` pipe. Messages are JSON: a file to read, its works or what is wrong with it.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import zipfile
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from music_interpret.music.formats.written import BrokenPiece, BrokenScore
from music_interpret.music.scores import FORMATS, Repeats, Work, read_works

SERVE = "from music_interpret.music.reader_process import serve; serve(*{})"
"""What a child runs, with the arguments of `serve`."""
SECONDS_TO_END = 5.0
OUT_OF_MEMORY = 77
"""Exit code of a child that could not get the memory it asked for."""
LONGEST_REASON = 200


class Limits(NamedTuple):
    """What reading one file may take; a file that takes more counts as broken."""

    seconds: float
    """Wall-clock time, for a child's first file with its start."""
    address_bytes: int
    """Address space of the child, of which Python and the libraries take about 160 MiB; no limit where the operating
    system has none."""
    unpacked_bytes: int
    """Size of what is in a compressed file, checked before it is unpacked."""


Fault = Literal["broken", "damaged", "slow", "memory", "crashed"]
"""Not music by our own rules, unreadable to the library that parses it, too much of a limit, or the reader's end."""


class LostWork(NamedTuple):
    """A work that could not be read, of a file with others."""

    number: int
    """Which of the file's works it is, from 0."""
    title: str
    """As the file calls it."""
    reason: str
    """In one line."""


class Answer(NamedTuple):
    """What came of one file."""

    works: tuple[Work, ...]
    """The works in the file that could be read; none if it is broken."""
    broken: str | None = None
    """Why the file could not be read, in one line."""
    fault: Fault | None = None
    """The kind of reason."""
    lost: tuple[LostWork, ...] = ()
    """Works in the file that could not be read."""


class ReaderProcess:
    """One child, from its start to its end. It reads one file at a time: `ask`, wait for `pipe`, `answer`.

    Ctrl-C does not reach it (it has a process group of its own), and it ends by itself when the caller is gone.
    """

    def __init__(self, limits: Limits, *, warm: bool = False) -> None:
        """Start it; a warm one loads the parsers at once, another when a file needs them."""
        self.limits, self.deadline = limits, 0.0
        self.pipe, theirs = Pipe()
        with theirs:
            arguments = (theirs.fileno(), limits.address_bytes, limits.unpacked_bytes, warm)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-c", SERVE.format(arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
            )

    def ask(
        self, path: Path, resolution: int, default_program: int | None = None, repeats: Repeats = "written"
    ) -> None:
        """Have a file read, as `read_works` does; its time begins."""
        self.deadline = time.monotonic() + self.limits.seconds
        request = {"path": str(path), "arguments": [resolution, default_program, repeats]}
        with contextlib.suppress(BrokenPipeError):  # it died: then the answer says so
            self.pipe.send_bytes(json.dumps(request).encode())

    def answer(self) -> Answer:
        """What came of the file, once `pipe` is ready or the deadline is over; ends a child that crashed or is late."""
        try:
            reply = json.loads(self.pipe.recv_bytes()) if self.pipe.poll() else None
        except (EOFError, OSError):
            # The pipe closes before Python's own end, which says what it died of.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(SECONDS_TO_END)
            self.end()
            return self._died()
        if reply is None:
            self.end()
            return Answer((), f"reading it took longer than {self.limits.seconds:g} s", "slow")
        works = tuple(map(_of_json, reply["works"]))
        return Answer(works, reply["broken"], reply["fault"], tuple(LostWork(*lost) for lost in reply["lost"]))

    def alive(self) -> bool:
        """Whether it can read another file."""
        return self._process.poll() is None

    def end(self) -> None:
        """Kill it; nothing happens to one that has ended."""
        self._process.kill()
        self._process.wait()
        self.pipe.close()

    def _died(self) -> Answer:
        code = self._process.returncode
        if code == OUT_OF_MEMORY:
            gib = self.limits.address_bytes / 2**30
            return Answer((), f"reading it took more than {gib:.3g} GiB of memory", "memory")
        if code == -signal.SIGKILL:
            return Answer((), "its reader was killed (SIGKILL), as happens when the memory is full", "memory")
        cause = f"exit code {code}"
        with contextlib.suppress(ValueError):
            cause = signal.Signals(-code).name
        return Answer((), f"the reader crashed on it ({cause})", "crashed")


def _to_json(work: Work) -> dict[str, Any]:
    spellings = None if work.spellings is None else work.spellings.tolist()
    return work._replace(notes=work.notes.tolist(), spellings=spellings, left_out=dict(work.left_out))._asdict()


def _of_json(fields: dict[str, Any]) -> Work:
    work = Work(**fields)
    return work._replace(
        notes=np.array(work.notes, np.int64).reshape(-1, 5),
        metres=[(first, numerator, denominator) for first, numerator, denominator in work.metres],
        numbers=[(step, number) for step, number in work.numbers],
        spellings=None if work.spellings is None else np.array(work.spellings, np.int8),
        miscounted=None if work.miscounted is None else (work.miscounted[0], work.miscounted[1]),
    )


# In the child


def serve(pipe_number: int, address_bytes: int, unpacked_bytes: int, warm: bool) -> None:
    """A child's life: answer requests until the caller is gone or the memory is used up."""
    threading.Thread(target=_end_with_caller, args=[pipe_number], daemon=True).start()
    try:
        _limit_address_space(address_bytes)
        if warm:
            for name in sorted(set(FORMATS.values())):
                importlib.import_module(f"music_interpret.music.formats.{name}")
        _serve(Connection(pipe_number), unpacked_bytes)
    except MemoryError:  # what the libraries were about to do is half done, so this child reads nothing more
        os._exit(OUT_OF_MEMORY)


def _serve(pipe: Connection, unpacked_bytes: int) -> None:
    gc.disable()  # a score is many small objects that all go at once: collecting between files saves a twentieth
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            request = json.loads(pipe.recv_bytes())
            pipe.send_bytes(json.dumps(_reply(**request, unpacked_bytes=unpacked_bytes)).encode())
            gc.collect()
            gc.freeze()


def _end_with_caller(pipe_number: int) -> None:
    """End this process when the other end of the pipe is closed, also in the middle of a file that never ends."""
    hang_up = select.poll()
    hang_up.register(pipe_number, 0)
    hang_up.poll()
    os._exit(0)


def _limit_address_space(size: int) -> None:
    import resource

    with contextlib.suppress(OSError, ValueError, OverflowError):  # some systems have none; a lower limit stays
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _reply(path: str, arguments: list[Any], unpacked_bytes: int) -> dict[str, Any]:
    try:
        if (size := _unpacked_size(Path(path))) > unpacked_bytes:
            raise BrokenScore(f"it unpacks to {size:,} bytes; expected up to {unpacked_bytes:,}")
        pieces = read_works(Path(path), *arguments)
    except BrokenScore as error:
        return {"works": [], "broken": _one_line(str(error)), "fault": "broken", "lost": []}
    except (MemoryError, SystemError):  # the latter is Python's own failure, often where memory ran out unnoticed
        raise
    except Exception as error:  # what a parser ran into that its author did not foresee
        return {"works": [], "broken": _one_line(f"{type(error).__name__}: {error}"), "fault": "damaged", "lost": []}
    works = [_to_json(piece) for piece in pieces if isinstance(piece, Work)]
    lost = [(i, p.title, _one_line(p.reason)) for i, p in enumerate(pieces) if isinstance(p, BrokenPiece)]
    return {"works": works, "broken": None, "fault": None, "lost": lost}


def _one_line(reason: str) -> str:
    return " ".join(reason.split()).rstrip(": ")[:LONGEST_REASON]


def _unpacked_size(path: Path) -> int:
    """The bytes that an archive says it unpacks to, which `zipfile` then holds it to; 0 for other files."""
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            return 0
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())
    return 0
