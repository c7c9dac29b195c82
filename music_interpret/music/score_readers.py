"""Read many scores at once, each in a child process that may crash, hang or be killed without harm to the others.

A child is `python -c "… serve()"`: one JSON request a line on its stdin, one JSON answer a line on its stdout. It is
started by name, not forked or spawned, so that no locks of the caller's threads and no `__main__` come along, and it
ends by itself when the caller is gone. A child imports music21 once, for all the files it is given.
"""

import base64
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from music_interpret.music.scores import BrokenScore, read_works

TIME_LIMIT_S = 1800.0
"""After so long a file counts as broken; the longest tune book in music21 takes about a minute."""


class Answer(NamedTuple):
    """What came of one file."""

    works: tuple[np.ndarray, ...]
    """Note array of each work in the file; none if it is broken."""
    broken: str | None
    """Why the file could not be read, in one line."""


def read_scores(
    paths: Sequence[Path], resolution: int, default_program: int | None, jobs: int, time_limit_s: float = TIME_LIMIT_S
) -> Generator[tuple[int, Answer], None, None]:
    """Yield (index of the path, its answer) as they come, roughly in order; closing the generator ends the children."""
    children: list[_Child] = []
    mine = threading.local()

    def read(path: Path) -> Answer:
        if not hasattr(mine, "child"):
            mine.child = _Child(time_limit_s)
            children.append(mine.child)
        return mine.child.read({"path": str(path), "resolution": resolution, "default_program": default_program})

    waiting = iter(enumerate(paths))
    running: dict[Future[Answer], int] = {}
    pool = ThreadPoolExecutor(jobs)
    try:
        while True:
            # A short queue keeps the children busy and the answers nearly in order.
            for index, path in waiting:
                running[pool.submit(read, path)] = index
                if len(running) >= 3 * jobs:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    finally:
        for child in children:
            child.stop()
        pool.shutdown(cancel_futures=True)
        for child in children:
            child.close()


class _Child:
    """One child process, started again after it died."""

    def __init__(self, time_limit_s: float) -> None:
        self.time_limit_s = time_limit_s
        self.closed = False
        self.late = False
        self.process: subprocess.Popen[bytes] | None = None

    def read(self, request: dict[str, Any]) -> Answer:
        if self.process is None and not self.closed:
            self.process = _start()
        process, self.late = self.process, False
        if process is None or self.closed:
            return Answer((), "stopped")
        timer = threading.Timer(self.time_limit_s, self._stop_late)
        timer.start()
        try:
            assert process.stdin is not None and process.stdout is not None
            with contextlib.suppress(BrokenPipeError):  # it died: then there is no answer either
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            line = process.stdout.readline()
        finally:
            timer.cancel()
        if line.endswith(b"\n"):
            return _decode(json.loads(line))
        self.close()
        if self.late:
            return Answer((), f"reading it took longer than {self.time_limit_s:g} s")
        return Answer((), f"the reader crashed on it ({_death(process.returncode)})")

    def _stop_late(self) -> None:
        self.late = True
        if self.process is not None:
            self.process.kill()

    def stop(self) -> None:
        """End the child, also in the middle of a file; a `read` under way in another thread then returns."""
        self.closed = True
        if self.process is not None:
            self.process.kill()

    def close(self) -> None:
        """End the child and free its pipes; the next `read` starts another, unless this one was stopped."""
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()


def _death(code: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit code {code}"


def _start() -> subprocess.Popen[bytes]:
    package = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-c", "from music_interpret.music.score_readers import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )


def serve() -> None:
    """A child's life: answer requests until stdin ends. Whatever a library prints goes nowhere."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    warnings.simplefilter("ignore")
    gc.set_threshold(
        20_000, 20, 100
    )  # a score is many small objects that all go at once; saves about a tenth of the time
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    for line in sys.stdin.buffer:
        answers.write(json.dumps(_answer(json.loads(line))).encode() + b"\n")
        answers.flush()


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        works = read_works(Path(request["path"]), request["resolution"], request["default_program"])
    except BrokenScore as error:
        return {"broken": str(error)}
    except Exception as error:  # music21 raises whatever its parsers run into
        return {"broken": _one_line(error)}
    return {"works": [base64.b64encode(work.astype("<i8").tobytes()).decode() for work in works]}


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__


def _decode(answer: dict[str, Any]) -> Answer:
    works = tuple(np.frombuffer(base64.b64decode(work), "<i8").reshape(-1, 5) for work in answer.get("works", ()))
    return Answer(works, answer.get("broken"))
