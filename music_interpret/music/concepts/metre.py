"""Concepts of a note's place in the bar: everything here is `past`, for the metre is taken as known.

A bar has beats: as many as the signature's upper number says, or, in compound metres (6, 9, 12, … above), a third of
it, each worth three of the lower note values. A simple beat has two divisions and a compound one three; a division has
two subdivisions (Laitz, The Complete Musician, 2003, ch. 1). Bars with an even number of beats have a half bar. Where
the metre of a song is not known, it is an estimate (see `metres.py`) that looks at the whole song.
"""

from typing import NamedTuple

import numpy as np

from music_interpret.music.concepts.concept import NONE, concept
from music_interpret.music.songs import Songs

GTTM = "Lerdahl & Jackendoff, A Generative Theory of Tonal Music, 1983, ch. 4"
SYNCOPATION = "Longuet-Higgins & Lee, The rhythmic interpretation of monophonic music, 1984"
TEMPERLEY = "Temperley, The Cognition of Basic Musical Structures, 2001, ch. 2"
STRENGTHS = ("downbeat", "half bar", "beat", "division", "subdivision", "triplet", "finer")
DOWNBEAT, HALF_BAR, BEAT, DIVISION, SUBDIVISION, TRIPLET, FINER = range(7)
METRE_NAMES = ("2/4", "3/4", "4/4", "2/2", "3/2", "4/2", "3/8", "6/8", "9/8", "12/8", "6/4", "other")
KINDS = (
    "simple duple",
    "simple triple",
    "simple quadruple",
    "compound duple",
    "compound triple",
    "compound quadruple",
    "other",
)
MAX_BEATS = 12


class Bars(NamedTuple):
    """Where each note starts in its bar, arrays (n_notes,)."""

    step: np.ndarray
    """Steps from the bar's downbeat to the onset."""
    length: np.ndarray
    """Of the bar, in steps."""
    written_left: np.ndarray
    """Steps from the onset to the next downbeat; before a change of metre a bar may be cut short."""
    beats: np.ndarray
    """Beats in the bar."""
    compound: np.ndarray
    """Whether a beat has three divisions."""
    metre: np.ndarray
    """Number of the metre's name in `METRE_NAMES`."""
    number: np.ndarray
    """Of the bar in the song: 1 is the first that is not an upbeat."""
    strength: np.ndarray
    """Number of the onset's metrical strength in `STRENGTHS`."""


def bars(songs: Songs) -> Bars:
    """Position of all notes in their bars; what is before a song's first stretch of metre is counted back from it."""
    metres = songs.metres
    song_of_stretch = np.repeat(np.arange(songs.n_songs), np.diff(metres.first))
    at = metres.start + songs.song_time[song_of_stretch]
    stretch = np.searchsorted(at, songs.time, side="right") - 1
    stretch = np.maximum(stretch, metres.first[songs.song])
    length, numerator, denominator = (a[stretch] for a in (metres.bar_steps, metres.numerator, metres.denominator))
    since = songs.onset - metres.start[stretch]
    step = since % length
    compound = (numerator % 3 == 0) & (numerator > 3)
    beats = np.where(compound, numerator // 3, numerator)
    last = np.append(song_of_stretch[1:] != song_of_stretch[:-1], np.ones(min(len(at), 1), bool))
    until_change = np.where(last, np.iinfo(np.int64).max, np.append(metres.start[1:], 0))[stretch] - songs.onset
    return Bars(
        step,
        length,
        np.where(until_change > 0, np.minimum(length - step, until_change), length - step),
        beats,
        compound,
        _metre_numbers(numerator, denominator),
        _bar_numbers(songs, stretch, song_of_stretch, since // length, step, length),
        _strengths(step, length, beats, compound),
    )


def _metre_numbers(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    numbers = np.full(len(numerator), len(METRE_NAMES) - 1)
    for number, name in enumerate(METRE_NAMES[:-1]):
        upper, lower = map(int, name.split("/"))
        numbers[(numerator == upper) & (denominator == lower)] = number
    return numbers


def _bar_numbers(
    songs: Songs,
    stretch: np.ndarray,
    song_of_stretch: np.ndarray,
    bar_of_stretch: np.ndarray,
    step: np.ndarray,
    length: np.ndarray,
) -> np.ndarray:
    """Numbers of bars. A first bar that begins to sound when more than a quarter of it is over is an upbeat, number 0.

    Up to a quarter is a rest at the downbeat rather than an incomplete bar.
    """
    metres = songs.metres
    following = np.append(metres.start[1:], 0)
    same = np.append(song_of_stretch[1:] == song_of_stretch[:-1], np.zeros(min(len(following), 1), bool))
    in_stretch = np.where(same, -((metres.start - following) // metres.bar_steps), 0)
    before = np.cumsum(in_stretch) - in_stretch  # from the first song on: differences within a song are what counts
    bar = bar_of_stretch + before[stretch]
    first = songs.first_note[:-1][songs.song]
    upbeat = 4 * step[first] > length[first]
    return bar - bar[first] + np.where(upbeat, 0, 1)


def _strengths(step: np.ndarray, length: np.ndarray, beats: np.ndarray, compound: np.ndarray) -> np.ndarray:
    """Exact in whole numbers also where a beat or its parts are no whole number of steps."""
    place = step * beats  # in units of which a beat has `length`
    strength = np.full(len(step), FINER)
    parts = np.where(compound, 3, 2)
    strength[place * 3 % length == 0] = TRIPLET
    strength[place * parts * 2 % length == 0] = SUBDIVISION
    strength[place * parts % length == 0] = DIVISION
    strength[place % length == 0] = BEAT
    strength[(2 * step == length) & (beats % 2 == 0)] = HALF_BAR
    strength[step == 0] = DOWNBEAT
    return strength


@concept("metrical strength", group="metre", leakage="past", values=STRENGTHS, reference=GTTM, many=True)
def metrical_strength(songs: Songs) -> np.ndarray:
    """The strongest metrical place that the onset falls on: the downbeat, the middle of a bar with an even number of
    beats, another beat, a division of a beat (half of a simple beat, third of a compound one), half of a division, a
    third of a simple beat, or none of these.
    """
    return songs.once(bars).strength


@concept("downbeat", group="metre", leakage="past", reference=GTTM, many=True)
def downbeat(songs: Songs) -> np.ndarray:
    """The note starts at the beginning of a bar."""
    return songs.once(bars).strength == DOWNBEAT


@concept(
    "beat or offbeat",
    group="metre",
    leakage="past",
    values=("on the beat", "off the beat"),
    reference=TEMPERLEY,
    many=True,
)
def on_the_beat(songs: Songs) -> np.ndarray:
    """Whether the note starts on a beat of its metre: of 6/8 a dotted quarter, of 2/2 a half note."""
    return (songs.once(bars).strength > BEAT).astype(np.int64)


@concept(
    "beat of the bar",
    group="metre",
    leakage="past",
    values=[str(beat) for beat in range(1, MAX_BEATS + 1)],
    reference=GTTM,
    many=True,
)
def beat_of_the_bar(songs: Songs) -> np.ndarray:
    """The beat of the metre on which or after which the note starts, the first being 1; none from the 13th on."""
    place = songs.once(bars)
    beat = place.step * place.beats // place.length
    return np.where(beat < MAX_BEATS, beat, NONE)


@concept("last beat of the bar", group="metre", leakage="past", reference=TEMPERLEY, many=True)
def last_beat_of_the_bar(songs: Songs) -> np.ndarray:
    """The note starts on the last beat of a bar of two beats or more: exactly on it, not after it."""
    place = songs.once(bars)
    return (place.step * place.beats == (place.beats - 1) * place.length) & (place.beats > 1)


@concept("syncopation", group="metre", leakage="past", reference=SYNCOPATION, many=True)
def syncopation(songs: Songs) -> np.ndarray:
    """The note starts at one metrical place and sounds on through a stronger one. Triplets are measured against the
    beats, and places finer than a subdivision against the divisions.
    """
    place = songs.once(bars)
    half = np.where(place.beats % 2 == 0, 2, 1)
    divisions = place.beats * np.where(place.compound, 3, 2)
    # Parts of the bar whose beginnings are stronger than the note's own place, by its strength; a downbeat has none.
    parts = np.choose(
        place.strength, (np.ones_like(half), np.ones_like(half), half, place.beats, divisions, place.beats, divisions)
    )
    to_next = (place.step * parts // place.length + 1) * place.length - place.step * parts
    crosses = songs.duration * parts > to_next
    return (place.strength != DOWNBEAT) & (crosses | (songs.duration > place.written_left))


@concept("held over the barline", group="metre", leakage="past", reference=TEMPERLEY, many=True)
def held_over_the_barline(songs: Songs) -> np.ndarray:
    """The note sounds on when the next bar begins."""
    return songs.duration > songs.once(bars).written_left


@concept("bar parity", group="metre", leakage="past", values=("odd", "even"), reference=GTTM, many=True)
def bar_parity(songs: Songs) -> np.ndarray:
    """Whether the bar's number is odd or even. The first bar is number 1, or 0 if the song begins when more than a
    quarter of it is over, as an upbeat.
    """
    return (songs.once(bars).number + 1) % 2


@concept("upbeat", group="metre", leakage="past", reference=GTTM, many=True)
def upbeat(songs: Songs) -> np.ndarray:
    """The note starts before the first barline of a song that begins when more than a quarter of a bar is over."""
    return songs.once(bars).number < 1


@concept("metre", group="metre", leakage="past", values=METRE_NAMES, reference=GTTM, many=True)
def metre(songs: Songs) -> np.ndarray:
    """The time signature at the note."""
    return songs.once(bars).metre


@concept(
    "kind of metre",
    group="metre",
    leakage="past",
    values=KINDS,
    reference="Laitz, The Complete Musician, 2003, ch. 1",
    many=True,
)
def kind_of_metre(songs: Songs) -> np.ndarray:
    """How many beats a bar has, two, three or four, and whether a beat has two parts (simple) or three (compound)."""
    place = songs.once(bars)
    known = (place.beats >= 2) & (place.beats <= 4)
    return np.where(known, place.beats - 2 + 3 * place.compound, len(KINDS) - 1)
