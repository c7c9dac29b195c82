"""Ctrl-C that waits for a good moment, and SIGTERM that is taken as Ctrl-C."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def held_back() -> Iterator[Callable[[], bool]]:
    """Hold back Ctrl-C in a block; yields a function that says whether it was pressed. A second press acts at once.

    Outside the main thread, where signals cannot be handled, it holds nothing back.
    """
    pressed = False

    def note(_number: int, _frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:
        yield lambda: False
        return
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def terminable() -> Iterator[Callable[[], bool]]:
    """Take SIGTERM, by which job schedulers and containers stop a process, as Ctrl-C in a block; yields a function that
    says whether it came.

    It does what SIGINT would do at that moment, also where SIGINT itself is ignored, as in the background of a script.
    Outside the main thread, where signals cannot be handled, nothing changes.
    """
    came = False

    def interrupt(_number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        of_ctrl_c = signal.getsignal(signal.SIGINT)
        if not callable(of_ctrl_c):
            raise KeyboardInterrupt
        of_ctrl_c(signal.SIGINT, frame)

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:
        yield lambda: False
        return
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGTERM, before)
