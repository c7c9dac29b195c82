"""Memory that a process has freed and the system has not got back."""

import contextlib
import ctypes

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE_BYTES = 2**20


def keep_little_free_memory() -> None:
    """Trade some speed for memory, for a server, where the allocator is glibc's: all threads share two heaps (by
    default there are eight a core, and each keeps what it freed), and large blocks go back to the system at once.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_ARENA_MAX, 2)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def return_free_memory() -> None:
    """Give the allocator's free pages back to the system, where it is glibc's.

    Before 2.38 glibc seldom reuses freed blocks of another size (its bug 14581): without this, work on blocks of many
    sizes takes ever more memory, to gigabytes.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
