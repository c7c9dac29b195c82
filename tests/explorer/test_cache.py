"""The cache keeps what was used lately, within its size."""

from hypothesis import given
from hypothesis import strategies as st

from music_interpret.explorer.cache import ByteCache


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(0, 60))
def test_size_and_order(keys, capacity):
    cache, kept = ByteCache(capacity), []
    for key in keys:
        made = []
        assert cache.get(key, lambda key=key, made=made: made.append(1) or bytes([key]) * key) == bytes([key]) * key
        assert bool(made) == (key not in kept)
        kept = [other for other in kept if other != key]
        if key <= capacity:
            kept.append(key)
        while sum(kept) > capacity:
            kept.pop(0)
        assert cache.size == sum(kept) <= capacity
