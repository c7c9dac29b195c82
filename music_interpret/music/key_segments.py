"""Keys of passages, as analysts name them: with what follows in sight, and changing at one place.

`keys.py` finds the key that can be known at a note; this one is the best path through the 24 keys over the whole song
(`segmentation.py`), fitted as chords are (`chord_segments.py`).
"""

import functools

import numpy as np

from music_interpret.music.keys import MODES
from music_interpret.music.segmentation import Network, best_states, read_network
from music_interpret.music.songs import Songs


def key_segments(songs: Songs) -> np.ndarray:
    """Number in `keys.KEYS` of the key at each onset, int64 (n_groups,); for `songs.once`."""
    tonic, mode = np.divmod(best_states(songs, key_network()), len(MODES))
    return mode * 12 + tonic


@functools.cache
def key_network() -> Network:
    return read_network("keys")
