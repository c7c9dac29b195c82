"""Memory that a process has freed and the system has not got back."""

import contextlib
import ctypes

M_ARENA_MAX = -8


def share_free_memory() -> None:
    """Have all threads use one or two heaps, where the allocator is glibc's: by default each keeps freed memory of its
    own, eight heaps a core.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, 2)


def return_free_memory() -> None:
    """Give the allocator's free pages back to the system, where it is glibc's.

    Before 2.38 glibc seldom reuses freed blocks of another size (its bug 14581): without this, work on blocks of many
    sizes takes ever more memory, to gigabytes.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
