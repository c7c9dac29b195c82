"""Concepts of voices: where a note lies among what sounds, and how its line moves.

Lines are found by `voices.py`, which is right for about nine notes in ten of a four-part chorale on one instrument, and
for eight in ten of a string quartet or motet; "entry after a rest" is least sure where voices share an instrument.
Intervals of a line's first note, or of a note after more than two bars of silence, have no value.
"""

from typing import NamedTuple

import numpy as np

from music_interpret.music.concepts.concept import NONE, concept
from music_interpret.music.songs import Songs
from music_interpret.music.sounding import sounding
from music_interpret.music.voices import voices

HURON = "Huron, Tone and Voice, Music Perception 19, 2001"
TEXTBOOK = "Aldwell & Schachter, Harmony and Voice Leading, 2003"
DRAWN = "von Hippel & Huron, Why Do Skips Precede Reversals?, Music Perception 18, 2000"
MOTIONS = (
    "unison",
    "step up",
    "step down",
    "third up",
    "third down",
    "leap up",
    "leap down",
    "octave up",
    "octave down",
)
DIRECTIONS = ("same pitch", "up", "down")
WIDEST = 12
INTERVALS = tuple(f"{'+' if i > 0 else ''}{i}" for i in range(-WIDEST, WIDEST + 1))
RELATIVE = ("parallel or similar", "contrary", "oblique", "neither moves")


class Lines(NamedTuple):
    """How lines move; every field has a value for each note."""

    interval: np.ndarray
    """Semitones from the note before in the voice, 0 where there is none, int64."""
    moved: np.ndarray
    """Whether there is a note before, bool."""
    following: np.ndarray
    """First note that follows this one in its voice, -1 if there is none, int64."""
    direction: np.ndarray
    """Sign of the last interval of the voice that was not 0, up to this note; 0 if there was none, int64."""


def lines(songs: Songs) -> Lines:
    """How the lines of all songs move; for `songs.once`."""
    previous = songs.once(voices).previous
    moved = previous >= 0
    interval = np.where(moved, songs.pitch - songs.pitch[previous], 0) if len(songs) else np.zeros(0, np.int64)
    following = np.full(len(songs), NONE)
    notes = np.flatnonzero(moved)[::-1]  # the first one wins
    following[previous[notes]] = notes
    # The note at which each line last moved: pointers over repeated notes are doubled until they get there.
    index = np.arange(len(songs))
    source = np.where((interval != 0) | ~moved, index, previous)
    while len(songs) and (source[source] != source).any():
        source = source[source]
    return Lines(interval, moved, following, np.sign(interval[source]))


def motion(interval: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Numbers in `MOTIONS` of intervals in semitones; octaves are whole ones, an octave or more."""
    size = np.abs(interval)
    kind = np.select([size == 0, size <= 2, size <= 4, size % 12 == 0], [-1, 0, 1, 3], default=2)
    return np.where(known, np.where(kind < 0, 0, 1 + 2 * kind + (interval < 0)), NONE)


@concept(
    "voice at the onset",
    group="voice",
    leakage="future",
    values=("top", "inner", "bass", "alone"),
    reference=TEXTBOOK,
    many=True,
)
def role(songs: Songs) -> np.ndarray:
    """Whether the note is the highest of all that sounds at its onset, the lowest, between others, or alone."""
    heard = songs.once(sounding)
    top, bottom = songs.pitch == heard.highest, songs.pitch == heard.lowest
    return np.select([heard.count == 1, top & ~bottom, bottom], [3, 0, 2], default=1)


@concept("lowest note", group="voice", leakage="past", reference=TEXTBOOK, many=True)
def lowest(songs: Songs) -> np.ndarray:
    """Nothing that sounds at the note's onset is lower; known at once, for the lowest note of an onset comes first."""
    return songs.pitch == songs.once(sounding).lowest


@concept("top so far", group="voice", leakage="past", reference=TEXTBOOK, many=True)
def top_so_far(songs: Songs) -> np.ndarray:
    """Nothing that is held, or that began before it at the same onset, is higher."""
    return songs.pitch == songs.once(sounding).highest_so_far


@concept("melodic motion", group="voice", leakage="past", values=MOTIONS, reference=HURON, many=True)
def melodic_motion(songs: Songs) -> np.ndarray:
    """The interval from the note before in the same voice: a step is a second, a third 3 or 4 semitones, an octave 12
    or 24, a leap any other.
    """
    line = songs.once(lines)
    return motion(line.interval, line.moved)


@concept("melodic interval", group="voice", leakage="past", values=INTERVALS, reference=HURON, many=True)
def melodic_interval(songs: Songs) -> np.ndarray:
    """Semitones from the note before in the same voice, up to an octave."""
    line = songs.once(lines)
    return np.where(line.moved & (np.abs(line.interval) <= WIDEST), line.interval + WIDEST, NONE)


@concept("melodic direction", group="voice", leakage="past", values=DIRECTIONS, reference=HURON, many=True)
def melodic_direction(songs: Songs) -> np.ndarray:
    """Whether the voice stays, rises or falls to this note."""
    line = songs.once(lines)
    return np.where(line.moved, np.where(line.interval > 0, 1, np.where(line.interval < 0, 2, 0)), NONE)


@concept("melodic turn", group="voice", leakage="past", reference=DRAWN, many=True)
def turn(songs: Songs) -> np.ndarray:
    """The voice moves against the direction in which it moved last."""
    line = songs.once(lines)
    if not len(songs):
        return np.zeros(0, bool)
    before = line.direction[songs.once(voices).previous]
    return line.moved & (line.interval != 0) & (before == -np.sign(line.interval))


@concept("turn after a leap", group="voice", leakage="past", reference=DRAWN, many=True)
def turn_after_leap(songs: Songs) -> np.ndarray:
    """The voice turns back by a step or a third after a leap of a fourth or more."""
    line, previous = songs.once(lines), songs.once(voices).previous
    if not len(songs):
        return np.zeros(0, bool)
    leap = line.moved & line.moved[previous] & (np.abs(line.interval[previous]) >= 5)
    return leap & (np.sign(line.interval) == -np.sign(line.interval[previous])) & (np.abs(line.interval) <= 4)


@concept("melodic extreme", group="voice", leakage="future", values=("peak", "trough"), reference=DRAWN, many=True)
def extreme(songs: Songs) -> np.ndarray:
    """The voice rises to this note and falls from it, or the other way round."""
    line = songs.once(lines)
    if not len(songs):
        return np.zeros(0, np.int64)
    after = np.where(line.following >= 0, line.interval[line.following], 0)
    return np.select([(line.interval > 0) & (after < 0), (line.interval < 0) & (after > 0)], [0, 1], default=NONE)


@concept("next melodic motion", group="voice", leakage="future", values=MOTIONS, reference=HURON, many=True)
def next_motion(songs: Songs) -> np.ndarray:
    """The interval to the next note of the same voice."""
    line = songs.once(lines)
    return motion(line.interval[line.following] if len(songs) else line.interval, line.following >= 0)


@concept("repeated pitch", group="voice", leakage="past", reference=HURON, many=True)
def repeated(songs: Songs) -> np.ndarray:
    """The note before in the same voice has the same pitch."""
    line = songs.once(lines)
    return line.moved & (line.interval == 0)


@concept("first note of an instrument", group="voice", leakage="past", reference=TEXTBOOK, many=True)
def first_of_instrument(songs: Songs) -> np.ndarray:
    """No note of the song before it has its program."""
    found = np.zeros(len(songs), bool)
    found[np.unique(songs.song * 128 + songs.program, return_index=True)[1]] = True
    return found


@concept("entry after a rest", group="voice", leakage="past", reference=TEXTBOOK, many=True)
def entry(songs: Songs) -> np.ndarray:
    """The voice was silent for a beat or more before this note, or has not sounded for two bars."""
    line = songs.once(voices)
    return (line.rest >= songs.resolution) | (line.previous < 0)


def _outer(songs: Songs, pitch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Step of an outer line (a pitch for each note, the same within an onset) from the onset before, and whether there
    is one in the same song.
    """
    if not len(songs):
        return np.zeros(0, np.int64), np.zeros(0, bool)
    first = songs.group_first[:-1]
    before = first[np.maximum(songs.group - 1, 0)]
    known = (songs.group > 0) & (songs.song[before] == songs.song)
    return np.where(known, pitch.astype(np.int64) - pitch[before], 0), known


@concept("bass motion", group="voice", leakage="past", values=MOTIONS, reference=TEXTBOOK, many=True)
def bass_motion(songs: Songs) -> np.ndarray:
    """The interval from the lowest sounding note of the onset before to the lowest of this one."""
    return motion(*_outer(songs, songs.once(sounding).lowest))


@concept("top line motion", group="voice", leakage="future", values=MOTIONS, reference=TEXTBOOK, many=True)
def top_motion(songs: Songs) -> np.ndarray:
    """The interval from the highest sounding note of the onset before to the highest of this one."""
    return motion(*_outer(songs, songs.once(sounding).highest))


@concept("outer voices", group="voice", leakage="future", values=RELATIVE, reference=TEXTBOOK, many=True)
def outer_voices(songs: Songs) -> np.ndarray:
    """How the lowest and the highest sounding line move against each other from the onset before to this one."""
    heard = songs.once(sounding)
    low, known = _outer(songs, heard.lowest)
    high, _ = _outer(songs, heard.highest)
    product = np.sign(low) * np.sign(high)
    kind = np.select([product > 0, product < 0, (low != 0) | (high != 0)], [0, 1, 2], default=3)
    return np.where(known & (heard.count > 1), kind, NONE)
