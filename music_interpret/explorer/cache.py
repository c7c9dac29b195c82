"""Bytes that were asked for lately, kept up to a size, for several threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class ByteCache:
    """Answers by key; what was not used for longest goes first."""

    def __init__(self, capacity: int) -> None:
        """Keep at most `capacity` bytes."""
        self.capacity, self.size = capacity, 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The bytes of a key, made if they are not there; two threads may make the same at once."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            if key not in self._kept and len(made) <= self.capacity:
                self._kept[key] = made
                self.size += len(made)
                while self.size > self.capacity:
                    _, gone = self._kept.popitem(last=False)
                    self.size -= len(gone)
        return made
