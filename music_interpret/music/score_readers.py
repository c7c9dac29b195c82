"""Read scores in child processes: many files at once, or one after another as people bring them.

Not a `ProcessPoolExecutor`: a child that dies takes all files under way with it, and one that hangs cannot be stopped.
Here `multiprocessing.connection.wait` says which child is ready, gone or late, and each costs one file.
"""

import threading
import time
from collections.abc import Generator, Sequence
from multiprocessing.connection import wait
from pathlib import Path

from music_interpret.music.reader_process import Answer, Limits, ReaderProcess
from music_interpret.music.scores import Repeats


def read_scores(
    paths: Sequence[Path],
    resolution: int,
    default_program: int | None,
    jobs: int,
    limits: Limits,
    repeats: Repeats = "written",
) -> Generator[tuple[int, Answer], None, None]:
    """Yield (index of the path, its answer) as they come, roughly in order; closing the generator ends the children."""
    waiting = iter(enumerate(paths))
    busy: dict[ReaderProcess, int] = {}

    def give_next(reader: ReaderProcess | None) -> None:
        """Let a reader, or a new one, read the next file, if there is one."""
        index, path = next(waiting, (-1, None))
        if path is not None:
            reader = reader if reader is not None and reader.alive() else ReaderProcess(limits)
            busy[reader] = index
            reader.ask(path, resolution, default_program, repeats)
        elif reader is not None:
            reader.end()

    try:
        for _ in range(jobs):
            give_next(None)
        while busy:
            first_deadline = min(reader.deadline for reader in busy)
            ready = wait([reader.pipe for reader in busy], max(0.0, first_deadline - time.monotonic()))
            for reader in [r for r in busy if r.pipe in ready or r.deadline <= time.monotonic()]:
                answer = reader.answer()
                index = busy.pop(reader)
                give_next(reader)
                yield index, answer
    finally:
        for reader in busy:
            reader.end()


class ScoreReader:
    """Reads one file at a time, from any thread, with a reader that is kept warm and replaced after its death."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._reader: ReaderProcess | None = None

    def read(self, path: Path, resolution: int) -> Answer:
        """What came of a file."""
        with self._lock:
            reader = self._running()
            reader.ask(path, resolution)
            reader.pipe.poll(self.limits.seconds)
            return reader.answer()

    def warm(self) -> None:
        """Start the reader, which loads the parsers in the background."""
        with self._lock:
            self._running()

    def close(self) -> None:
        """End the reader."""
        with self._lock:
            if self._reader is not None:
                self._reader.end()

    def _running(self) -> ReaderProcess:
        if self._reader is None or not self._reader.alive():
            self._reader = ReaderProcess(self.limits, warm=True)
        return self._reader
