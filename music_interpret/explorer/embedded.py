"""The sound of excerpts in a file of one's own: as small as it can be listened to, and as an address that holds it."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from scipy.signal import resample_poly

from music_interpret.explorer.audio import sound_of
from music_interpret.explorer.opened import Explored
from music_interpret.music.sound import Sound, ogg_bytes

OGG = "audio/ogg"
SMALLER = 2
"""The rate is divided by this: half of 44,100 Hz keeps what is below 11 kHz, and saves a third of the bytes."""


def smaller(sound: Sound) -> Sound:
    """The sound at a lower rate."""
    return Sound(resample_poly(sound.samples, 1, SMALLER).astype("float32").clip(-1, 1), sound.rate // SMALLER)


def sounds(explored: Explored, excerpts: Iterable[Mapping[str, Any]], n_without: int) -> dict[str, str]:
    """Ogg sounds of excerpts, in base64 by the address that an excerpt gives.

    Args:
        explored: the opened run.
        excerpts: as `rolls.excerpt` makes them.
        n_without: of so many excerpts, the first ones, the sound without the firing note's line too.
    """
    found: dict[str, str] = {}
    for rank, excerpt in enumerate(excerpts):
        roll, token = excerpt["roll"], excerpt["token"]
        wanted = [(excerpt["sound"], None)]
        if rank < n_without and excerpt["sound_without"]:
            wanted.append((excerpt["sound_without"], token))
        piece = explored.piece(roll["song"])
        for address, without in wanted:
            made = sound_of(piece, explored.scheme.resolution, roll["start"], roll["end"], without)
            found[address] = base64.b64encode(ogg_bytes(smaller(made))).decode()
    return found
