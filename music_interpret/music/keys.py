"""Keys: which of the 24 major and minor keys the pitch classes of a passage fit best.

The durations of the notes in a window, summed for each pitch class, are correlated with a profile of each key, that of
the tonic C rotated to all twelve tonics (Krumhansl and Schmuckler, in Krumhansl 1990).

Profiles and windows were chosen on Bach chorales. Local keys, against the analyses of 17 that come with music21: one
window of 16 beats finds the key of 42 % of the notes (Krumhansl and Kessler), 52 % (Albrecht and Shanahan) or 54 %
(Temperley); the windows below, chosen among more than two hundred combinations, 65 %, with a change at 12 % of the
notes where the analyses have one at 9 %. Shorter windows reach 67 %, but change at 20 %. On nine madrigals by
Monteverdi, which the choice did not see, these are 41 %, 53 %, 53 %, 56 % and 51 %. A key found from what came before
lags behind one that is written with the phrase's end in sight. Home keys, against key signature and final bass of 333
chorales: Krumhansl and Kessler 78 %, Albrecht and Shanahan 94 % (the best of six profiles), Temperley 91 %.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from music_interpret.music.chords import last_onset
from music_interpret.music.concepts.concept import NONE
from music_interpret.music.pitches import MAJOR_TONICS, MINOR_TONICS
from music_interpret.music.songs import Songs

KEYS = (*(f"{name} major" for name in MAJOR_TONICS), *(f"{name} minor" for name in MINOR_TONICS))
MODES = ("major", "minor")
# Weight of each pitch class from the tonic up, in major and in minor.
PROFILES = {
    "Krumhansl and Kessler 1982": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    "Temperley 2007": (
        (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
        (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
    ),
    "Albrecht and Shanahan 2013": (
        (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
        (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
    ),
}
LOCAL_PROFILE = "Temperley 2007"
HOME_PROFILE = "Albrecht and Shanahan 2013"
WINDOWS: Mapping[int, int] = MappingProxyType({4: 8, 8: 4, 16: 2, 32: 1})
"""How much notes of the last so many beats add to their weight: what is further back counts ever less."""
FEWEST_PITCH_CLASSES = 3
"""Different pitch classes a passage needs to have a key."""
BLOCK = 1 << 14
"""Notes that are compared with the profiles at once, few enough to stay in the processor's cache."""


class Keys(NamedTuple):
    """Keys by note, int16 (n_notes,), -1 where there is none."""

    local: np.ndarray
    """Number in `KEYS` of the key around the note, found from notes up to it in the model's order."""
    last: np.ndarray
    """`local` of the last note of the song's onset before; -1 at its first."""
    home: np.ndarray
    """Number in `KEYS` of the key of the whole song."""


def keys(songs: Songs) -> Keys:
    """Local keys and the home key at each note; for `songs.once`."""
    local = local_keys(songs)
    before = last_onset(songs)
    last = np.where(before == NONE, NONE, local[np.maximum(before, 0)])
    return Keys(local, last, home_keys(songs)[songs.song])


def local_keys(songs: Songs, *, profile: str = LOCAL_PROFILE, windows: Mapping[int, int] = WINDOWS) -> np.ndarray:
    """Key of the notes that began in the last beats before each note, or with it but before it in the model's order,
    and of itself, int16 (n_notes,).

    A note counts with its duration, at most that of the longest window.

    Args:
        songs: what to find keys of.
        profile: one of `PROFILES`.
        windows: weight that notes of the last so many beats have in each window; they add up.
    """
    weights = np.minimum(songs.duration, max(windows) * songs.resolution)
    begins = {
        beats: np.searchsorted(songs.time, songs.time - beats * songs.resolution, side="right") for beats in windows
    }
    longest = begins[max(windows)]
    pitch_class = songs.pitch % 12
    found = np.empty(len(songs), np.int16)
    # In blocks, each with the notes that its first windows reach back to.
    for start in range(0, len(songs), BLOCK):
        stop = min(start + BLOCK, len(songs))
        reach = longest[start]
        sums = np.zeros((stop - reach + 1, 12))
        sums[np.arange(1, len(sums)), pitch_class[reach:stop]] = weights[reach:stop]
        np.cumsum(sums, axis=0, out=sums)
        total = sums[start - reach + 1 :] * sum(windows.values())
        for beats, weight in windows.items():
            total -= weight * sums[begins[beats][start:stop] - reach]
        found[start:stop] = best_keys(total, profile)
    return found


def home_keys(songs: Songs, *, profile: str = HOME_PROFILE) -> np.ndarray:
    """Key of each whole song, by its notes' durations, int16 (n_songs,)."""
    place = songs.song * 12 + songs.pitch % 12
    sums = np.bincount(place, weights=songs.duration, minlength=songs.n_songs * 12)
    return best_keys(sums.reshape(songs.n_songs, 12), profile)


def best_keys(sums: np.ndarray, profile: str) -> np.ndarray:
    """The key whose profile correlates most with the weights of the pitch classes, (n, 12) → int16 (n,).

    Of keys that fit equally, the first in `KEYS`; none for fewer than three pitch classes.
    """
    fits = sums @ _weights(profile)
    best = fits.argmax(axis=1)
    return np.where(np.count_nonzero(sums, axis=1) < FEWEST_PITCH_CLASSES, NONE, best).astype(np.int16)


@functools.cache
def _weights(profile: str) -> np.ndarray:
    """Profiles of the 24 keys, (12, 24): centred and of equal length, so that their product with weights orders keys as
    their correlation does.

    They are whole numbers, so that sums are exact, in whatever order a processor adds: equal fits stay equal.
    """
    columns = []
    for of_c in PROFILES[profile]:
        centred = np.array(of_c) - np.mean(of_c)
        columns += [np.roll(centred / np.linalg.norm(centred), tonic) for tonic in range(12)]
    return np.rint(np.stack(columns, axis=1) * 2**16)
