"""Concepts of form: where in the song a note stands, what comes back, and where phrases begin.

`music/motifs.py` follows the voices and finds what they repeat, `music/closure.py` finds cadences and phrases. "So
far" means with this note and those before it in the model's order.
"""

from typing import NamedTuple

import numpy as np

from music_interpret.music.closure import CADENCES, closure
from music_interpret.music.concepts.concept import NONE, concept
from music_interpret.music.concepts.metre import bars
from music_interpret.music.motifs import LONGEST, NO_INTERVAL, SHORTEST, motifs, occurrences
from music_interpret.music.songs import Songs

CAPLIN = "Caplin, Classical Form, 1998"
CONKLIN = "Conklin & Anagnostopoulou, Representation and discovery of multiple viewpoint patterns, ICMC 2001"
INDUCTION = "Olsson et al., In-context learning and induction heads, 2022"
GTTM = "Lerdahl & Jackendoff, A Generative Theory of Tonal Music, 1983, ch. 3"
CADENCE = "Caplin, The Classical Cadence, 2004; Bigo et al., Relevance of musical features for cadence detection, 2018"
LONG = 2
"""How many times as long as the mean a long note or wait is."""
DISTANCES = ("0", "1", "2", "3", "4-7", "8-15", "16-31", "32-63", "64 or more")
DISTANCE_EDGES = (1, 2, 3, 4, 8, 16, 32, 64)
MOTIONS = ("unison", "step up", "step down", "leap up", "leap down")
STEP_SEMITONES = 2
MAX_STEP = 2**24 - 1
"""The last step of a bar that is distinguished from later ones."""


class Repetition(NamedTuple):
    """Which bars repeat others, arrays (n_notes,)."""

    so_far: np.ndarray
    """Whether the bar up to the note equals an earlier bar up to there, bool."""
    whole: np.ndarray
    """Whether the bar equals an earlier one, bool."""


def repetition(songs: Songs) -> Repetition:
    """Bars that equal earlier bars of the song in the onsets and pitches of their notes.

    What a bar has up to a note is numbered by doubling: a number stands for the last 1, 2, 4, … notes, or for all of
    them if there are fewer, and for how many they are in all; equal numbers mean equal notes.
    """
    if not len(songs):
        return Repetition(np.zeros(0, bool), np.zeros(0, bool))
    place = songs.once(bars)
    new_bar = _begins(songs.song, place.number)
    # What several instruments play at one pitch counts once.
    counts = new_bar | _begins(songs.time, songs.pitch)
    kept = np.flatnonzero(counts)
    bar = np.cumsum(new_bar)[kept] - 1
    first = np.flatnonzero(_begins(bar))
    nth = np.arange(len(kept)) - first[bar]
    slot = np.minimum(place.step[kept], MAX_STEP) * 128 + songs.pitch[kept]
    number, earlier = occurrences((songs.song[kept] * (nth.max() + 1) + nth) * (MAX_STEP + 1) * 128 + slot, bar)
    came = earlier >= 0
    reach = 1
    longer = np.flatnonzero(nth >= reach)
    while len(longer):
        wider, earlier = occurrences(number[longer] * len(kept) + number[longer - reach], bar[longer])
        number[longer], came[longer] = wider, earlier >= 0
        reach *= 2
        longer = longer[nth[longer] >= reach]
    last = np.append(first[1:], len(kept)) - 1
    whole = occurrences(number[last] * (nth.max() + 1) + nth[last], bar[last]).earlier >= 0
    return Repetition(came[np.cumsum(counts) - 1], whole[np.cumsum(new_bar) - 1])


def _begins(*columns: np.ndarray) -> np.ndarray:
    """Where a run of equal rows begins."""
    new = np.zeros(len(columns[0]), bool)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new


def _sum_before(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Sum of the values before each one, from the index `first` on."""
    total = np.cumsum(values) - values
    return total - total[first]


@concept("distance from the start", group="form", leakage="past", values=DISTANCES, reference=CAPLIN, many=True)
def distance_from_start(songs: Songs) -> np.ndarray:
    """How many bars before this one the song has; 0 in the first bar and in an upbeat before it."""
    return np.searchsorted(DISTANCE_EDGES, songs.once(bars).number - 1, side="right")


@concept("distance from the end", group="form", leakage="future", values=DISTANCES, reference=CAPLIN, many=True)
def distance_from_end(songs: Songs) -> np.ndarray:
    """How many bars later the song's last onset is; none if the model does not read the song to its end."""
    number = songs.once(bars).number
    last = songs.first_note[1:][songs.song] - 1
    bins = np.searchsorted(DISTANCE_EDGES, number[last] - number, side="right")
    return np.where(songs.complete[songs.song], bins, NONE)


@concept("final chord", group="form", leakage="future", reference=CAPLIN, many=True)
def final_chord(songs: Songs) -> np.ndarray:
    """The note starts at the song's last onset; no note of a song that the model does not read to its end does."""
    last = songs.first_note[1:][songs.song] - 1
    return (songs.onset == songs.onset[last]) & songs.complete[songs.song]


@concept("long note", group="form", leakage="past", reference=GTTM, many=True)
def long_note(songs: Songs) -> np.ndarray:
    """The note is at least twice as long as the notes of the song before it are on average; not the song's first."""
    first = songs.first_note[:-1][songs.song]
    count = np.arange(len(songs)) - first
    enough = songs.duration * count >= LONG * _sum_before(songs.duration, first)
    return enough & (count > 0) & (songs.duration > 0)


@concept("longest note so far", group="form", leakage="past", reference=GTTM, many=True)
def longest_so_far(songs: Songs) -> np.ndarray:
    """The note is longer than every note of the song before it; not the song's first."""
    # Each song's durations are above those of the songs before it.
    raised = songs.song * (songs.duration.max(initial=0) + 1) + songs.duration
    longest = np.maximum.accumulate(raised)[:-1]
    return np.append(np.zeros(min(len(songs), 1), bool), (raised[1:] > longest) & (songs.song[1:] == songs.song[:-1]))


@concept("repeated bar so far", group="form", leakage="past", reference=CAPLIN, many=True)
def repeated_bar_so_far(songs: Songs) -> np.ndarray:
    """The bar up to this note has the same onsets and pitches as an earlier bar of the song up to there; instruments
    and durations may differ.
    """
    return songs.once(repetition).so_far


@concept("repeated bar", group="form", leakage="future", reference=CAPLIN, many=True)
def repeated_bar(songs: Songs) -> np.ndarray:
    """The bar has the same onsets and pitches as an earlier bar of the song; instruments and durations may differ."""
    return songs.once(repetition).whole


@concept(
    "motif copy",
    group="form",
    leakage="past",
    values=[f"{n} steps" for n in range(SHORTEST, LONGEST + 1)],
    reference=CONKLIN,
    many=True,
)
def motif_copy(songs: Songs) -> np.ndarray:
    """The last two, three or four steps of the note's voice (intervals in semitones, and times between onsets) ended at
    an earlier onset of the song, too, in whatever voice and at whatever pitch; the largest such number.
    """
    return np.maximum(songs.once(motifs).steps.astype(np.int64) - SHORTEST, NONE)


@concept(
    "kind of motif copy", group="form", leakage="past", values=("exact", "transposed"), reference=CONKLIN, many=True
)
def kind_of_motif_copy(songs: Songs) -> np.ndarray:
    """Whether the longest motif that the note ends and that came earlier came at the same pitch (exact), or only at
    others (transposed, as in a sequence or an answer).
    """
    found = songs.once(motifs)
    return np.where(found.steps > 0, np.where(found.exact, 0, 1), NONE)


@concept("continued copy", group="form", leakage="past", values=("continued", "broken"), reference=INDUCTION, many=True)
def continued_copy(songs: Songs) -> np.ndarray:
    """Where the two steps of the voice before this one came earlier: whether the step to this note is the one that came
    after them the last time, or another.
    """
    return np.array([NONE, 1, 0])[songs.once(motifs).continues.astype(np.int64) + 1]


@concept("predicted motion", group="form", leakage="past", values=MOTIONS, reference=INDUCTION, many=True)
def predicted_motion(songs: Songs) -> np.ndarray:
    """Where the last two steps of the voice came earlier: the interval that came after them the last time, as a guess
    at the voice's next note; a step has up to two semitones.
    """
    semitones = songs.once(motifs).next_interval
    leap = np.where(np.abs(semitones) > STEP_SEMITONES, 2, 0)
    return np.where(semitones == NO_INTERVAL, NONE, np.where(semitones == 0, 0, leap + np.where(semitones > 0, 1, 2)))


@concept("cadence", group="form", leakage="future", values=CADENCES, reference=CADENCE, many=True)
def cadence(songs: Songs) -> np.ndarray:
    """The kind of cadence whose last chord arrives at the note's onset: dominant to tonic with the tonic on top
    (perfect authentic) or not (imperfect authentic), or a stop on the dominant (half).
    """
    return songs.once(closure).cadence[songs.group]


@concept("phrase start", group="form", leakage="future", reference=CADENCE, many=True)
def phrase_start(songs: Songs) -> np.ndarray:
    """A phrase begins at the note's onset: the song's first, and where cadences, rests, long notes and leaps show that
    one has ended; of a single line only rests, long notes and leaps.
    """
    return songs.once(closure).phrase_start[songs.group]


@concept("phrase end", group="form", leakage="future", reference=CADENCE, many=True)
def phrase_end(songs: Songs) -> np.ndarray:
    """A phrase ends with the chord at the note's onset, or at it where the next phrase begins at once, as cadences,
    rests, long notes and leaps show; of a single line, with the note, as rests, long notes and leaps show.
    """
    return songs.once(closure).phrase_end[songs.group]


@concept("after a long wait", group="form", leakage="past", reference=GTTM, many=True)
def after_long_wait(songs: Songs) -> np.ndarray:
    """The time from the onset before is at least twice as long as the times between the song's earlier onsets are on
    average: a long note or a rest has come before.
    """
    first = songs.group_first[:-1]
    time, song = songs.time[first], songs.song[first]
    start = np.flatnonzero(_begins(song))[np.cumsum(_begins(song)) - 1]
    wait = np.where(_begins(song), 0, np.diff(time, prepend=0))
    count = np.arange(len(first)) - start - 1  # of waits before this one
    return ((count > 0) & (wait * count >= LONG * _sum_before(wait, start)))[songs.group]
