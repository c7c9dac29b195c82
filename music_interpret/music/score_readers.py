"""Read many scores at once, each in a child process that may crash, hang or be killed without harm to the others.

Not a `ProcessPoolExecutor`: a child that dies takes all files under way with it, and one that hangs cannot be stopped.
Not `multiprocessing.Process`: forked, it inherits the locks of the caller's threads; spawned, it runs the caller's
`__main__` again, which may import torch or have no `if __name__ == "__main__":`. So a child is `python -c "… serve(…)"`
at the other end of a `multiprocessing` pipe, and `multiprocessing.connection.wait` tells who is ready, gone or late.
Messages are JSON; a child ends by itself when the caller is gone.
"""

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from music_interpret.music.scores import BrokenScore, Work, read_works

TIME_LIMIT_S = 1800.0
"""After so long a file counts as broken; the longest tune book in music21 takes about a minute."""
SERVE = "from music_interpret.music.score_readers import serve; serve({})"
"""What a child runs, with the number of its pipe."""


class Answer(NamedTuple):
    """What came of one file."""

    works: tuple[Work, ...]
    """The works in the file; none if it is broken."""
    broken: str | None
    """Why the file could not be read, in one line."""


def read_scores(
    paths: Sequence[Path], resolution: int, default_program: int | None, jobs: int, time_limit_s: float = TIME_LIMIT_S
) -> Generator[tuple[int, Answer], None, None]:
    """Yield (index of the path, its answer) as they come, roughly in order; closing the generator ends the children."""
    waiting = iter(enumerate(paths))
    busy: dict[_Child, int] = {}

    def give_next(child: "_Child | None") -> None:
        """Let a child, or a new one, read the next file, if there is one."""
        index, path = next(waiting, (-1, None))
        if path is not None:
            child = child or _Child()
            busy[child] = index
            child.ask({"path": str(path), "resolution": resolution, "default_program": default_program}, time_limit_s)
        elif child is not None:
            child.end()

    try:
        for _ in range(jobs):
            give_next(None)
        while busy:
            first_deadline = min(child.deadline for child in busy)
            ready = wait([child.pipe for child in busy], max(0.0, first_deadline - time.monotonic()))
            for child in [c for c in busy if c.pipe in ready or c.deadline <= time.monotonic()]:
                answer = child.answer() or Answer((), f"reading it took longer than {time_limit_s:g} s")
                index = busy.pop(child)
                give_next(None if child.pipe.closed else child)
                yield index, answer
    finally:
        for child in busy:
            child.end()


class _Child:
    """A child process and the file it reads. Ctrl-C does not reach it: it has a process group of its own."""

    def __init__(self) -> None:
        self.deadline = 0.0
        self.pipe, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-c", SERVE.format(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
            )

    def ask(self, request: dict[str, Any], time_limit_s: float) -> None:
        self.deadline = time.monotonic() + time_limit_s
        with contextlib.suppress(BrokenPipeError):  # it died: then the answer says so
            self.pipe.send_bytes(json.dumps(request).encode())

    def answer(self) -> Answer | None:
        """What became of the file, None if there is no answer yet; a child without an answer is ended."""
        try:
            reply = json.loads(self.pipe.recv_bytes()) if self.pipe.poll() else None
        except (EOFError, OSError):
            self.end()
            return Answer((), f"the reader crashed on it ({_death(self.process.returncode)})")
        if reply is None:
            self.end()
            return None
        return Answer(tuple(_work(**work) for work in reply["works"]), reply["broken"])

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.pipe.close()


def _work(notes: list[list[int]], metres: list[list[int]]) -> Work:
    """A work from JSON."""
    stretches = [(first, numerator, denominator) for first, numerator, denominator in metres]
    return Work(np.array(notes, np.int64).reshape(-1, 5), stretches)


def _death(code: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit code {code}"


def serve(pipe_number: int) -> None:
    """A child's life: answer requests until the caller is gone."""
    pipe = Connection(pipe_number)
    gc.disable()  # a score is many small objects that all go at once: collecting between files saves a twentieth
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send_bytes(json.dumps(_answer(**json.loads(pipe.recv_bytes()))).encode())
            gc.collect()
            gc.freeze()


def _answer(path: str, resolution: int, default_program: int | None) -> dict[str, Any]:
    try:
        works = read_works(Path(path), resolution, default_program)
    except BrokenScore as error:
        return {"works": [], "broken": str(error)}
    except Exception as error:  # music21 raises whatever its parsers run into
        return {"works": [], "broken": f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")[:200]}
    return {"works": [{"notes": w.notes.tolist(), "metres": w.metres} for w in works], "broken": None}
