"""Concepts of texture: how many notes sound, how close together in time and in pitch, and in which instruments.

A note sounds from its onset up to, not including, its end, and for one step at least. "So far" counts the notes before
this one in the model's order, and this one: notes that started earlier, and of those that start with it the lower ones.
"""

from typing import NamedTuple

import numpy as np

from music_interpret.music.concepts.concept import NONE, concept
from music_interpret.music.songs import Songs
from music_interpret.music.sounding import sounding

HURON = "Huron, Voice denumerability in polyphonic music of homogeneous timbres, Music Perception 6, 1989"
PISTON = "Piston, Orchestration, 1955"
TEXTURE = "Benward & Saker, Music in Theory and Practice, 2003, ch. 7"
ATTACKS = "Temperley, The Cognition of Basic Musical Structures, 2001, ch. 2"
UP_TO_5 = ("1", "2", "3", "4", "5 or more")
UP_TO_8 = ("1", "2", "3", "4", "5", "6", "7", "8 or more")
INSTRUMENTS = ("1", "2", "3", "4", "5", "6-8", "9-12", "13 or more")
INSTRUMENT_EDGES = (2, 3, 4, 5, 6, 9, 13)
ATTACK_VALUES = ("1", "2", "3", "4", "5-6", "7-8", "9-12", "13 or more")
ATTACK_EDGES = (2, 3, 4, 5, 7, 9, 13)
ATTACK_BEATS = 2
# Upper edges in beats.
TIME_EDGES = (1 / 4, 1 / 3, 1 / 2, 3 / 4, 1, 3 / 2, 2, 3, 4)
TIME_VALUES = (
    "up to a 16th",
    "triplet eighth",
    "eighth",
    "dotted eighth",
    "quarter",
    "dotted quarter",
    "half",
    "dotted half",
    "whole",
    "longer than a whole",
)
REST_EDGES = (0, 1 / 4, 1 / 2, 1, 2, 4)
REST_VALUES = (
    "no rest",
    "up to a 16th",
    "up to an eighth",
    "up to a quarter",
    "up to a half",
    "up to a whole",
    "longer",
)
SPAN_EDGES = (1, 8, 13, 20, 25, 37, 49)
SPAN_VALUES = (
    "one pitch",
    "up to a fifth",
    "up to an octave",
    "up to a twelfth",
    "up to two octaves",
    "up to three octaves",
    "up to four octaves",
    "wider",
)


class Partners(NamedTuple):
    """How many other notes sound when each note starts, arrays (n_notes,)."""

    octaves_so_far: np.ndarray
    """Of its pitch class in other octaves, so far."""
    octaves: np.ndarray
    """The same in all."""
    unisons_so_far: np.ndarray
    """Of its pitch in other instruments, so far."""
    unisons: np.ndarray
    """The same in all."""


def partners(songs: Songs) -> Partners:
    """Count the notes that double each note."""
    until = songs.end_time
    by_end = np.argsort(until, kind="stable")
    keys = (songs.pitch % 12, songs.pitch, songs.pitch * 128 + songs.program)
    (classes_so_far, classes), (pitches_so_far, pitches), (own_so_far, own) = (
        _sounding_alike(songs, key.astype(np.uint16), until, by_end) for key in keys
    )
    return Partners(classes_so_far - pitches_so_far, classes - pitches, pitches_so_far - own_so_far, pitches - own)


def _sounding_alike(
    songs: Songs, key: np.ndarray, until: np.ndarray, by_end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Notes of the same key that sound at each onset, this note among them: so far, and in all."""
    line = int(until.max(initial=0)) + 1  # keys one after the other, each with the whole time line
    order = np.argsort(key, kind="stable")  # notes come by time already; for 16 bits a stable sort is a radix sort
    end_order = by_end[np.argsort(key[by_end], kind="stable")]
    onsets = key[order].astype(np.int64) * line + songs.time[order]
    stops = key[end_order].astype(np.int64) * line + until[end_order]
    ended = np.searchsorted(stops, onsets, side="right")
    so_far, in_all = np.empty(len(key), np.int64), np.empty(len(key), np.int64)
    so_far[order] = np.arange(1, len(key) + 1) - ended
    in_all[order] = np.searchsorted(onsets, onsets, side="right") - ended
    return so_far, in_all


class Gaps(NamedTuple):
    """Times before each note's onset in steps, arrays (n_notes,); -1 at a song's first onset."""

    since_onset: np.ndarray
    """From the onset before it."""
    rest: np.ndarray
    """In which nothing sounds."""


def gaps(songs: Songs) -> Gaps:
    """Times between onsets, and silences."""
    first = songs.group_first[:-1]
    song, time = songs.song[first], songs.time[first]
    new_song = np.append(np.ones(min(len(first), 1), bool), song[1:] != song[:-1])
    before = np.maximum(first - 1, 0)
    since = np.where(new_song, NONE, time - songs.time[before])
    # Notes of earlier songs have ended long before, so the latest end so far is this song's own.
    silent = np.maximum(time - np.maximum.accumulate(songs.end_time)[before], 0) if len(first) else time
    return Gaps(since[songs.group], np.where(new_song, NONE, silent)[songs.group])


def instrument_counts(songs: Songs) -> np.ndarray:
    """Programs that have started up to each note, (n_notes,)."""
    _, first = np.unique(songs.song * 128 + songs.program, return_index=True)
    new = np.zeros(len(songs) + 1, np.int64)
    new[first + 1] = 1
    total = np.cumsum(new)
    return total[1:] - total[songs.first_note[:-1]][songs.song]


def _binned(steps: np.ndarray, edges: tuple[float, ...], resolution: int) -> np.ndarray:
    """Bin of each time, the edges being upper ones in beats; -1 stays."""
    return np.where(steps < 0, NONE, np.searchsorted(np.array(edges) * resolution + 1e-6, steps))


@concept("notes starting together so far", group="texture", leakage="past", values=UP_TO_5, reference=HURON, many=True)
def starting_so_far(songs: Songs) -> np.ndarray:
    """How many notes start at this onset up to this one, which is the highest of them."""
    found = songs.once(sounding)
    return np.minimum(found.count_so_far - found.held_count, 5) - 1


@concept("notes starting together", group="texture", leakage="future", values=UP_TO_5, reference=HURON, many=True)
def starting(songs: Songs) -> np.ndarray:
    """How many notes start at this onset."""
    found = songs.once(sounding)
    return np.minimum(found.count - found.held_count, 5) - 1


@concept("polyphony so far", group="texture", leakage="past", values=UP_TO_8, reference=HURON, many=True)
def polyphony_so_far(songs: Songs) -> np.ndarray:
    """How many notes sound at the onset, of those that started earlier, with it but lower, and itself."""
    return np.minimum(songs.once(sounding).count_so_far, 8) - 1


@concept("polyphony", group="texture", leakage="future", values=UP_TO_8, reference=HURON, many=True)
def polyphony(songs: Songs) -> np.ndarray:
    """How many notes sound at the onset."""
    return np.minimum(songs.once(sounding).count, 8) - 1


@concept("nothing held", group="texture", leakage="past", reference=TEXTURE, many=True)
def nothing_held(songs: Songs) -> np.ndarray:
    """No note that started earlier still sounds at the onset."""
    return songs.once(sounding).held_count == 0


@concept("homophony", group="texture", leakage="future", reference=TEXTURE, many=True)
def homophony(songs: Songs) -> np.ndarray:
    """Two notes or more sound at the onset, and all of them start there."""
    found = songs.once(sounding)
    return (found.held_count == 0) & (found.count > 1)


@concept("span so far", group="texture", leakage="past", values=SPAN_VALUES, reference=HURON, many=True)
def span_so_far(songs: Songs) -> np.ndarray:
    """Interval from the lowest to the highest note that sounds at the onset, of those that started earlier, with it but
    lower, and itself.
    """
    found = songs.once(sounding)
    return np.searchsorted(SPAN_EDGES, found.highest_so_far - found.lowest_so_far, side="right")


@concept("span", group="texture", leakage="future", values=SPAN_VALUES, reference=HURON, many=True)
def span(songs: Songs) -> np.ndarray:
    """Interval from the lowest to the highest note that sounds at the onset."""
    found = songs.once(sounding)
    return np.searchsorted(SPAN_EDGES, found.highest - found.lowest, side="right")


@concept("attacks in two beats", group="texture", leakage="past", values=ATTACK_VALUES, reference=ATTACKS, many=True)
def attacks(songs: Songs) -> np.ndarray:
    """How many different onsets, this one among them, lie within the last two quarter notes."""
    times = songs.time[songs.group_first[:-1]]
    first = np.searchsorted(times, times - ATTACK_BEATS * songs.resolution, side="right")
    return np.searchsorted(ATTACK_EDGES, np.arange(len(times)) - first + 1, side="right")[songs.group]


@concept("time since the last onset", group="texture", leakage="past", values=TIME_VALUES, reference=ATTACKS, many=True)
def since_last_onset(songs: Songs) -> np.ndarray:
    """The shortest of these note values that is not shorter than the time since the onset before this one, in any
    instrument; none at a song's first onset.
    """
    return _binned(songs.once(gaps).since_onset, TIME_EDGES, songs.resolution)


@concept("rest before", group="texture", leakage="past", values=REST_VALUES, reference=ATTACKS, many=True)
def rest_before(songs: Songs) -> np.ndarray:
    """For how long nothing has sounded in any instrument when the note starts; none at a song's first onset."""
    return _binned(songs.once(gaps).rest, REST_EDGES, songs.resolution)


@concept("octave doubling so far", group="texture", leakage="past", reference=PISTON, many=True)
def octave_doubling_so_far(songs: Songs) -> np.ndarray:
    """When the note starts, another of its pitch class sounds in another octave, which started earlier or with it but
    lower.
    """
    return songs.once(partners).octaves_so_far > 0


@concept("octave doubling", group="texture", leakage="future", reference=PISTON, many=True)
def octave_doubling(songs: Songs) -> np.ndarray:
    """When the note starts, another of its pitch class sounds in another octave."""
    return songs.once(partners).octaves > 0


@concept("unison so far", group="texture", leakage="past", reference=PISTON, many=True)
def unison_so_far(songs: Songs) -> np.ndarray:
    """When the note starts, its pitch sounds in another instrument, too, in a note that comes before this one."""
    return songs.once(partners).unisons_so_far > 0


@concept("unison", group="texture", leakage="future", reference=PISTON, many=True)
def unison(songs: Songs) -> np.ndarray:
    """When the note starts, its pitch sounds in another instrument, too."""
    return songs.once(partners).unisons > 0


@concept("instruments so far", group="texture", leakage="past", values=INSTRUMENTS, reference=PISTON, many=True)
def instruments_so_far(songs: Songs) -> np.ndarray:
    """How many instruments (programs) have played in the song up to this note."""
    return np.searchsorted(INSTRUMENT_EDGES, songs.once(instrument_counts), side="right")


@concept("instruments in the song", group="texture", leakage="future", values=INSTRUMENTS, reference=PISTON, many=True)
def instruments_in_the_song(songs: Songs) -> np.ndarray:
    """How many instruments (programs) play in the song. The notes before this one do not say it, but the instrument
    tokens at the song's beginning do.
    """
    last = songs.first_note[1:][songs.song] - 1
    return np.searchsorted(INSTRUMENT_EDGES, songs.once(instrument_counts)[last], side="right")
