"""Spelling where the source has none: what a musician would most likely write for each note of a song.

Two stages, both over the line of fifths of `spelling.py`.

1. Keys. In each beat the song is in one of 42 keys: 21 signatures, from ten flats to ten sharps, of two kinds each,
   which came out as major and minor. `PROFILES` says how likely each spelled note is in a key. Keys rarely change, to
   near ones rather than far, to few accidentals rather than many; an enharmonic key is a small step away. Forward and
   backward sums over this hidden Markov model give the keys of every beat, and with them how likely each name of a note
   is. After Temperley, The Cognition of Basic Musical Structures, 2001 (names by the line of fifths), and Raphael and
   Stoddard, Functional Harmonic Analysis Using Probabilistic Models, 2004 (the model over keys).
2. Neighbours. A note likes names that are near those of the twelve notes before and after it, by a weight for each
   distance (`NEAR`), and semitones and whole tones in its line that lead from letter to letter (`STEP`), the rule of
   the second stage of ps13 (Meredith, The ps13 Pitch Spelling Algorithm, JNMR 2006). Twice, as the neighbours change.

The tables were fitted to scores that have spelling; `docs/benchmarks.md` says which, and how often the names are right
on others.
"""

import numpy as np

from music_interpret.music.songs import Songs
from music_interpret.music.voices import voices

SIGNATURES = np.arange(-10, 11)
PROFILE_FIRST = -6
PROFILES = np.array(
    [
        [1, 4, 61, 31, 89, 1134, 1940, 2199, 1124, 738, 1478, 862, 167, 70, 35, 42, 9, 1, 1, 1],
        [1, 1, 3, 9, 47, 734, 1367, 242, 1071, 1853, 2051, 1245, 213, 101, 800, 203, 32, 4, 4, 7],
    ]
)
"""Of 10,000 notes in a key of each kind, how many have each name, from six fifths below the signature's first note (C,
where there is no accidental) to 13 above.
"""
TRUST = 0.8
"""Weight of a note's likelihood, less than 1 since notes of a beat say partly the same."""
CHANGE, FIFTH, ENHARMONIC, KIND, ACCIDENTAL = 4.0, 1.0, 1.0, 2.0, 0.3
"""Log-odds against another signature, against each fifth that it is away (of which twelve count as one), against the
other kind of key, and against each accidental of the new signature.
"""
NEIGHBOURS = 12
"""Notes before, and after, whose names count."""
NEAR_FIFTHS = 12
NEAR = np.array(
    [
        0.17, 1.21, 0.02, 0.14, -1.12, -1.70, 3.64, 4.54, 1.38, 2.64, 1.98, 0.88, 0.56,
        1.70, 2.09, 2.59, 2.03, 2.82, 5.09, -2.72, 0.03, 0.88, 0.38, -1.41, -1.04,
    ],
    np.float32,
)  # fmt: skip
"""Log-odds by how many fifths the neighbours are above a name, from -12 to 12."""
STEP, KEY = 0.55, 0.74
"""Log-odds of a step from letter to letter, and weight of the first stage's log-probability."""
UNLIKELY = 1e-4
SONGS_AT_ONCE = 64
# Of each pitch class: its name from D♭ to F♯, and those twelve fifths above and below.
USUAL = (np.arange(12) * 7 + 5) % 12 - 5
CHOICES = np.array([0, 12, -12])
LOWEST, HIGHEST = -17, 18
# Fifths from a note to one so many semitones above, where it has the next letter.
LETTER_STEPS = {-2: -2, -1: 5, 1: -5, 2: 2}


def spell(notes: np.ndarray, resolution: int) -> np.ndarray:
    """Line-of-fifths number of each note of one song, int8 (n_notes,).

    Args:
        notes: rows (beat, position, pitch, duration, program), sorted, (n_notes, 5).
        resolution: steps per beat.

    Examples:
        >>> scale = [[beat, 0, pitch, 12, 0] for beat, pitch in enumerate((61, 63, 65, 66, 68, 70, 72, 73))]
        >>> spell(np.array(scale), 12).tolist()
        [-5, -3, -1, -6, -4, -2, 0, -5]
    """
    # Its metre is of no account here, and takes time to estimate.
    return spelled(Songs.of([notes], resolution, names=["song"], metres={"song": [[0, 4, 4]]}))


def spelled(songs: Songs) -> np.ndarray:
    """Line-of-fifths number of each note of many songs, int8 (n_notes,); for `songs.once`."""
    if not len(songs):
        return np.zeros(0, np.int8)
    rows = np.arange(len(songs))
    names = USUAL[songs.pitch % 12][:, None] + CHOICES
    # Rounded, so that of equals the first wins whatever songs are computed together.
    by_key = np.round(np.log(np.maximum(_by_key(songs), UNLIKELY)), 6)
    found = names[rows, by_key.argmax(axis=1)]
    for _ in range(2):
        odds = KEY * by_key + _near(songs, found, names) + STEP * _steps(songs, found, names)
        found = names[rows, np.round(odds, 6).argmax(axis=1)]
    return found.astype(np.int8)


def _by_key(songs: Songs) -> np.ndarray:
    """How likely each name of a note is by the keys of its beat, (n_notes, 3)."""
    beats, first, beat = np.unique((songs.song << 32) + songs.beat, return_index=True, return_inverse=True)
    counts = np.bincount(beat * 12 + songs.pitch % 12, minlength=len(beats) * 12).reshape(-1, 12)
    above = USUAL[:, None, None] + CHOICES[:, None] - SIGNATURES - PROFILE_FIRST
    there = (above >= 0) & (above < PROFILES.shape[1])
    # (kinds, 12 pitch classes, 3 names, signatures)
    likely = PROFILES[:, np.where(there, above, 0)] / 1e4 * there + 1e-7
    of_pitch = likely.sum(axis=2)
    likelihood = TRUST * counts @ np.log(of_pitch).transpose(1, 0, 2).reshape(12, -1)
    keys = _keys(likelihood, np.searchsorted(songs.song[first], np.arange(songs.n_songs + 1)))
    of_name = (likely / of_pitch[:, :, None]).transpose(0, 3, 1, 2).reshape(-1, 36)
    return (keys @ of_name).reshape(-1, 12, 3)[beat, songs.pitch % 12]


def _transitions() -> tuple[np.ndarray, np.ndarray]:
    """How likely each key is at a song's beginning, and after each other key: (42,), (42, 42), not normalised."""
    apart = np.abs(SIGNATURES[:, None] - SIGNATURES)
    apart = np.minimum(apart, ENHARMONIC + np.abs(apart - 12))
    against = np.where(apart == 0, 0, CHANGE + FIFTH * apart + ACCIDENTAL * np.abs(SIGNATURES))
    kinds = KIND * (1 - np.eye(len(PROFILES)))
    both = kinds[:, None, :, None] + against[None, :, None, :]
    start = np.tile(np.exp(-ACCIDENTAL * np.abs(SIGNATURES)), len(PROFILES))
    return start, np.exp(-both.reshape(len(start), -1))


def _keys(likelihood: np.ndarray, first: np.ndarray) -> np.ndarray:
    """How likely each key is in each beat, given all beats of its song.

    Args:
        likelihood: log-likelihood of the beat's notes in each key, (n_beats, n_keys).
        first: first beat of each song, and their number, (n_songs + 1,).
    """
    here = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    start, after = _transitions()
    keys = np.empty_like(here)
    lengths = np.diff(first)
    # Songs go step by step together, the longest first, so that those that are still going are a slice.
    order = np.argsort(-lengths, kind="stable")
    for songs in np.split(order, range(SONGS_AT_ONCE, len(order), SONGS_AT_ONCE)):
        going = np.searchsorted(-lengths[songs], -np.arange(lengths[songs[0]]), side="left")
        now = np.tile(start, (len(songs), 1))
        for i, n in enumerate(going.tolist()):
            rows = first[songs[:n]] + i
            now = (now[:n] @ after if i else now[:n]) * here[rows]
            now /= now.sum(axis=1, keepdims=True)
            keys[rows] = now
        later = np.ones((len(songs), here.shape[1]))
        for i, n in reversed(list(enumerate(going.tolist()))):
            rows = first[songs[:n]] + i
            keys[rows] *= later[:n]
            keys[rows] /= keys[rows].sum(axis=1, keepdims=True)
            later[:n] = (here[rows] * later[:n]) @ after.T
            later[:n] /= later[:n].sum(axis=1, keepdims=True)
    return keys


def _near(songs: Songs, found: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Log-odds of each name by the names of the notes around, (n_notes, 3)."""
    n, low = len(songs), LOWEST - NEAR_FIFTHS
    up_to = np.zeros((n + 1, HIGHEST + NEAR_FIFTHS - low + 1), np.int32)
    up_to[np.arange(n) + 1, found - low] = 1
    np.cumsum(up_to, axis=0, out=up_to)
    rows = np.arange(n)
    begin = np.maximum(rows - NEIGHBOURS, songs.first_note[songs.song])
    end = np.minimum(rows + NEIGHBOURS + 1, songs.first_note[songs.song + 1])
    around = up_to[end] - up_to[begin]
    around[rows, found - low] -= 1
    share = around / np.maximum(end - begin - 1, 1)[:, None]
    there = (names - low)[:, :, None] + np.arange(-NEAR_FIFTHS, NEAR_FIFTHS + 1)
    return share[rows[:, None, None], there] @ NEAR


def _steps(songs: Songs, found: np.ndarray, names: np.ndarray) -> np.ndarray:
    """How many of a note's two neighbours in its line are a step from letter to letter away, by name, (n_notes, 3)."""
    previous = songs.once(voices).previous
    later = np.flatnonzero(previous >= 0)[::-1]
    following = np.full(len(songs), -1)
    following[previous[later]] = later
    counts = np.zeros(names.shape, np.int8)
    for other in (previous, following):
        semitones = np.where(other >= 0, songs.pitch[other] - songs.pitch, 0)
        for step, fifths in LETTER_STEPS.items():
            counts += (semitones == step)[:, None] & (found[other][:, None] - names == fifths)
    return counts
