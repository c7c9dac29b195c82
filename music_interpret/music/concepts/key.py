"""Concepts of key: the local key as it can be known at a note, that of the passage as the whole song shows it, the
song's home key, and scale degrees.

`music/keys.py` and `music/key_segments.py` say how keys are found. There is no local or home key, and so no scale
degree, where there are fewer than three pitch classes to find it from.
"""

import numpy as np

from music_interpret.music.chord_segments import chord_segments
from music_interpret.music.chords import chords
from music_interpret.music.concepts.concept import NONE, concept
from music_interpret.music.key_segments import key_segments
from music_interpret.music.keys import KEYS, MODES, keys
from music_interpret.music.songs import Songs
from music_interpret.music.sounding import sounding

KRUMHANSL = "Krumhansl, Cognitive Foundations of Musical Pitch, 1990; Temperley, Music and Probability, 2007"
ALBRECHT = "Albrecht and Shanahan, The use of large corpora to train a new type of key-finding algorithm, 2013"
ALDWELL = "Aldwell and Schachter, Harmony and Voice Leading, 1989"
RAPHAEL = "Raphael and Stoddard, Functional harmonic analysis using probabilistic models, 2004"
SCHOENBERG = "Schoenberg, Structural Functions of Harmony, 1954"
SCALE_DEGREES = ("1", "♭2", "2", "♭3", "3", "4", "♯4", "5", "♭6", "6", "♭7", "7")
# Number of the degree of each semitone above the tonic, -1 for those outside of the scale; minor has both forms of its
# sixth and seventh degrees.
DIATONIC = np.array(
    [[0, NONE, 1, NONE, 2, 3, NONE, 4, NONE, 5, NONE, 6], [0, NONE, 1, 2, NONE, 3, NONE, 4, 5, 5, 6, 6]], np.int8
)


def _degree(pitch: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Semitones from a key's tonic up to a pitch class, 0 … 11; -1 where there is no key or the pitch is negative."""
    return np.where((key == NONE) | (pitch < 0), NONE, (pitch - key) % 12)


def _diatonic(songs: Songs) -> np.ndarray:
    local = songs.once(keys).local
    return np.where(local == NONE, NONE, DIATONIC[local // 12, (songs.pitch - local) % 12])


@concept("local key", group="key", leakage="past", values=KEYS, reference=KRUMHANSL, many=True)
def local_key(songs: Songs) -> np.ndarray:
    """The key that fits best to the notes of the last 32 beats up to this note, the later ones counting more."""
    return songs.once(keys).local


@concept("mode", group="key", leakage="past", values=MODES, reference=KRUMHANSL, many=True)
def mode(songs: Songs) -> np.ndarray:
    """Whether the local key is major or minor."""
    local = songs.once(keys).local
    return np.where(local == NONE, NONE, local // 12)


@concept("scale degree", group="key", leakage="past", values=SCALE_DEGREES, reference=KRUMHANSL, many=True)
def scale_degree(songs: Songs) -> np.ndarray:
    """Semitones from the tonic of the local key up to the note, named as degrees of the major scale and their
    alterations.
    """
    return _degree(songs.pitch, songs.once(keys).local)


@concept(
    "diatonic degree",
    group="key",
    leakage="past",
    values=[str(d) for d in range(1, 8)],
    reference=ALDWELL,
    many=True,
)
def diatonic_degree(songs: Songs) -> np.ndarray:
    """The degree of the local key's scale that the note is, in minor with both forms of the sixth and the seventh; none
    for a chromatic note.
    """
    return _diatonic(songs)


@concept("chromatic note", group="key", leakage="past", reference=ALDWELL, many=True)
def chromatic_note(songs: Songs) -> np.ndarray:
    """The note is not in the scale of the local key, which in minor has both forms of the sixth and the seventh."""
    return (_diatonic(songs) == NONE) & (songs.once(keys).local != NONE)


@concept("tonic note", group="key", leakage="past", reference=ALDWELL, many=True)
def tonic_note(songs: Songs) -> np.ndarray:
    """The note is the tonic of the local key."""
    return _degree(songs.pitch, songs.once(keys).local) == 0


@concept("dominant note", group="key", leakage="past", reference=ALDWELL, many=True)
def dominant_note(songs: Songs) -> np.ndarray:
    """The note is the fifth degree of the local key."""
    return _degree(songs.pitch, songs.once(keys).local) == 7


@concept("leading tone", group="key", leakage="past", reference=ALDWELL, many=True)
def leading_tone(songs: Songs) -> np.ndarray:
    """The note lies a semitone below the tonic of the local key."""
    return _degree(songs.pitch, songs.once(keys).local) == 11


@concept("raised leading tone", group="key", leakage="past", reference=ALDWELL, many=True)
def raised_leading_tone(songs: Songs) -> np.ndarray:
    """The note is the raised seventh degree of a local key that is minor."""
    local = songs.once(keys).local
    return (_degree(songs.pitch, local) == 11) & (local >= 12)


@concept("scale degree of the bass", group="key", leakage="past", values=SCALE_DEGREES, reference=ALDWELL, many=True)
def bass_degree(songs: Songs) -> np.ndarray:
    """The scale degree of the lowest note that sounds, in the local key."""
    return _degree(songs.once(sounding).lowest, songs.once(keys).local)


@concept("key of the passage", group="key", leakage="future", values=KEYS, reference=RAPHAEL, many=True)
def passage_key(songs: Songs) -> np.ndarray:
    """The key around the note, found with what follows in sight; it changes at one place, where the next begins."""
    return songs.once(key_segments)[songs.group]


@concept("mode of the passage", group="key", leakage="future", values=MODES, reference=RAPHAEL, many=True)
def passage_mode(songs: Songs) -> np.ndarray:
    """Whether the key of the passage is major or minor."""
    return songs.once(key_segments)[songs.group] // 12


@concept("chord degree", group="key", leakage="future", values=SCALE_DEGREES, reference=ALDWELL, many=True)
def chord_degree(songs: Songs) -> np.ndarray:
    """The scale degree of the root of the chord that holds at the note, in the key of the passage."""
    found = songs.once(chord_segments).root
    return np.where(found == NONE, NONE, (found - songs.once(key_segments)) % 12)[songs.group]


@concept("last chord degree", group="key", leakage="past", values=SCALE_DEGREES, reference=ALDWELL, many=True)
def last_chord_degree(songs: Songs) -> np.ndarray:
    """The scale degree of the root of the chord that what sounded at the onset before this makes by itself, in the
    local key there.
    """
    return _degree(songs.once(chords).last_root, songs.once(keys).last)


@concept("key change", group="key", leakage="past", reference=KRUMHANSL, many=True)
def key_change(songs: Songs) -> np.ndarray:
    """The local key is another than at the last note of the onset before; not where either has none."""
    found = songs.once(keys)
    return (found.local != found.last) & (found.local != NONE) & (found.last != NONE)


@concept("home key", group="key", leakage="future", values=KEYS, reference=ALBRECHT, many=True)
def home_key(songs: Songs) -> np.ndarray:
    """The key that fits best to all notes of the song, which may be cut where the model stops reading."""
    return songs.once(keys).home


@concept("home mode", group="key", leakage="future", values=MODES, reference=ALBRECHT, many=True)
def home_mode(songs: Songs) -> np.ndarray:
    """Whether the home key is major or minor."""
    home = songs.once(keys).home
    return np.where(home == NONE, NONE, home // 12)


@concept(
    "scale degree in the home key", group="key", leakage="future", values=SCALE_DEGREES, reference=ALBRECHT, many=True
)
def home_degree(songs: Songs) -> np.ndarray:
    """Semitones from the tonic of the home key up to the note, named as degrees of the major scale and their
    alterations.
    """
    return _degree(songs.pitch, songs.once(keys).home)


@concept(
    "distance from the home key",
    group="key",
    leakage="future",
    values=[str(d) for d in range(7)],
    reference=SCHOENBERG,
    many=True,
)
def home_distance(songs: Songs) -> np.ndarray:
    """Steps on the circle of fifths between the signatures of the local key and the home key; a key and its relative
    have the same signature.
    """
    found = songs.once(keys)
    apart = (_fifths(found.local) - _fifths(found.home)) % 12
    return np.where((found.local == NONE) | (found.home == NONE), NONE, np.minimum(apart, 12 - apart))


@concept("away from the home mode", group="key", leakage="future", reference=SCHOENBERG, many=True)
def away_from_home_mode(songs: Songs) -> np.ndarray:
    """The local key is minor and the home key major, or the other way round."""
    found = songs.once(keys)
    return (found.local != NONE) & (found.home != NONE) & (found.local // 12 != found.home // 12)


def _fifths(key: np.ndarray) -> np.ndarray:
    """Place of a key's signature on the circle of fifths, 0 … 11; a minor key has that of its relative major."""
    return (np.where(key >= 12, key + 3, key) % 12 * 7) % 12
