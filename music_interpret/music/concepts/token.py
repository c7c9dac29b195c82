"""Concepts that a note states itself: everything here is `given`.

They are what a latent may merely restate, so every other concept's score is reported alongside the best of these. What
tokens other than notes have too is in `tokens/concepts.py`.
"""

import numpy as np

from music_interpret.music.concepts.concept import NONE, concept
from music_interpret.music.pitches import PITCH_NAMES, pitch_name
from music_interpret.music.songs import Songs

MMT = "Dong et al., Multitrack Music Transformer, ICASSP 2023"
MAX_BEAT = 255
"""The last beat that is a value of its own; data sets for this model have 256 beats at most (64 in the paper)."""
# Upper edges of note values in beats, and their names.
DURATION_EDGES = (1 / 8, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1, 3 / 2, 2, 3, 4)
DURATION_NAMES = (
    "up to a 32nd",
    "16th",
    "dotted 16th",
    "eighth",
    "dotted eighth",
    "quarter",
    "dotted quarter",
    "half",
    "dotted half",
    "whole",
    "longer than a whole",
)


@concept(
    "pitch",
    group="token",
    leakage="given",
    values=[pitch_name(p) for p in range(128)],
    reference=MMT,
    reads=["pitch"],
    many=True,
)
def pitch(songs: Songs) -> np.ndarray:
    """The note's pitch, middle C being C4."""
    return songs.pitch


@concept("pitch class", group="token", leakage="given", values=PITCH_NAMES, reference=MMT, reads=["pitch"], many=True)
def pitch_class(songs: Songs) -> np.ndarray:
    """The note's pitch without its octave."""
    return songs.pitch % 12


@concept(
    "octave",
    group="token",
    leakage="given",
    values=[str(o) for o in range(-1, 10)],
    reference=MMT,
    reads=["pitch"],
    many=True,
)
def octave(songs: Songs) -> np.ndarray:
    """The octave of the note's pitch; octave 4 begins with middle C."""
    return songs.pitch // 12


@concept(
    "duration", group="token", leakage="given", values=DURATION_NAMES, reference=MMT, reads=["duration"], many=True
)
def duration(songs: Songs) -> np.ndarray:
    """The shortest of these note values that is not shorter than the note."""
    return np.searchsorted(DURATION_EDGES, songs.duration / songs.resolution, side="left")


@concept(
    "position in the beat",
    group="token",
    leakage="given",
    values=[str(p) for p in range(24)],
    reference=MMT,
    reads=["onset"],
    many=True,
)
def position(songs: Songs) -> np.ndarray:
    """Steps from the beat to the note's onset."""
    return np.where(songs.position < 24, songs.position, NONE)


@concept(
    "beat",
    group="token",
    leakage="given",
    values=[str(b) for b in range(MAX_BEAT + 1)],
    reference=MMT,
    reads=["onset"],
    many=True,
)
def beat(songs: Songs) -> np.ndarray:
    """Number of the note's beat in the song, from 0."""
    return np.where(songs.beat <= MAX_BEAT, songs.beat, NONE)
