"""Ctrl-C that waits for a good moment."""

import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def held_back() -> Iterator[Callable[[], bool]]:
    """Hold back Ctrl-C in a block; yields a function that tells whether it was pressed. A second press acts at once.

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
