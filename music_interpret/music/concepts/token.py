"""Concepts that a token states itself: everything here is `given`.

They are what a latent may merely restate, so every other concept's score is reported beside the best of these.
"""

import numpy as np

from music_interpret.music.concepts.concept import NONE, Tokens, concept
from music_interpret.music.encoding import FIELDS, INSTRUMENTS, PITCH_NAMES, TYPES, pitch_name
from music_interpret.music.songs import Songs

MMT = "Dong et al., Multitrack Music Transformer, ICASSP 2023"
MIDI = "General MIDI, RP-003, 1991"
FAMILIES = (
    "piano",
    "chromatic percussion",
    "organ",
    "guitar",
    "bass",
    "strings",
    "ensemble",
    "brass",
    "reed",
    "pipe",
    "synth lead",
    "synth pad",
    "synth effects",
    "ethnic",
    "percussive",
    "sound effects",
)
INSTRUMENT_NAMES = tuple(name for name, _ in INSTRUMENTS)
INSTRUMENT_OF_PROGRAM = np.full(128, NONE)
for _number, (_, _programs) in enumerate(INSTRUMENTS):
    INSTRUMENT_OF_PROGRAM[list(_programs)] = _number
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
PLACE_EDGES = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256, 512)


@concept("type", group="token", leakage="given", values=TYPES, reference=MMT, of="token", many=True)
def token_type(tokens: Tokens) -> np.ndarray:
    """Whether the token is a note, an instrument, or one of the three signs of start and end."""
    return tokens.codes[:, 0]


@concept("instrument", group="token", leakage="given", values=INSTRUMENT_NAMES, reference=MMT, of="token", many=True)
def instrument(tokens: Tokens) -> np.ndarray:
    """The model's instrument of a note or of an instrument token."""
    return INSTRUMENT_OF_PROGRAM[_programs_of(tokens)]


@concept("instrument family", group="token", leakage="given", values=FAMILIES, reference=MIDI, of="token", many=True)
def family(tokens: Tokens) -> np.ndarray:
    """The General MIDI family of the instrument: eight programs each."""
    programs = _programs_of(tokens)
    return np.where(programs == NONE, NONE, programs // 8)


def _programs_of(tokens: Tokens) -> np.ndarray:
    return tokens.encoding.code_values[4][tokens.codes[:, FIELDS.index("instrument")]]


@concept(
    "place in the sequence",
    group="token",
    leakage="given",
    values=(
        "0",
        "1",
        "2",
        "3",
        "4-5",
        "6-7",
        "8-11",
        "12-15",
        "16-31",
        "32-63",
        "64-127",
        "128-255",
        "256-511",
        "512 on",
    ),
    reference=MMT,
    of="token",
    many=True,
)
def place(tokens: Tokens) -> np.ndarray:
    """How many tokens come before it."""
    return np.searchsorted(PLACE_EDGES, tokens.place, side="right")


@concept("pitch", group="token", leakage="given", values=[pitch_name(p) for p in range(128)], reference=MMT, many=True)
def pitch(songs: Songs) -> np.ndarray:
    """The note's pitch, middle C being C4."""
    return songs.pitch


@concept("pitch class", group="token", leakage="given", values=PITCH_NAMES, reference=MMT, many=True)
def pitch_class(songs: Songs) -> np.ndarray:
    """The note's pitch without its octave."""
    return songs.pitch % 12


@concept("octave", group="token", leakage="given", values=[str(o) for o in range(-1, 10)], reference=MMT, many=True)
def octave(songs: Songs) -> np.ndarray:
    """The octave of the note's pitch; octave 4 begins with middle C."""
    return songs.pitch // 12


@concept("duration", group="token", leakage="given", values=DURATION_NAMES, reference=MMT, many=True)
def duration(songs: Songs) -> np.ndarray:
    """The shortest of these note values that is not shorter than the note."""
    return np.searchsorted(DURATION_EDGES, songs.duration / songs.resolution, side="left")


@concept(
    "position in the beat", group="token", leakage="given", values=[str(p) for p in range(24)], reference=MMT, many=True
)
def position(songs: Songs) -> np.ndarray:
    """Steps from the beat to the note's onset."""
    return np.where(songs.position < 24, songs.position, NONE)


@concept("beat", group="token", leakage="given", values=[str(b) for b in range(MAX_BEAT + 1)], reference=MMT, many=True)
def beat(songs: Songs) -> np.ndarray:
    """Number of the note's beat in the song, from 0."""
    return np.where(songs.beat <= MAX_BEAT, songs.beat, NONE)
