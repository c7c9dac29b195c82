"""Concepts of harmony: what sounds together, the chord that it belongs to, and a note's place in it.

`music/chord_segments.py` says which chord holds at an onset, as an analyst would with the whole score in sight. What
can be known at a note is less: `music/sounding.py` says what sounds at one onset, `music/chords.py` which chord that
alone is. Within an onset notes come from low to high, so the bass is known at every note, but the chord only at the
last; "so far" means of what sounds with this note and those before it, "last" of all that sounded at the song's onset
before this one, however long ago.
"""

import functools

import numpy as np

from music_interpret.music.chord_segments import INVERSIONS, SEGMENT_QUALITIES, chord_segments
from music_interpret.music.chords import NOT_IN_CHORD, QUALITIES, ROLES, chords, roles
from music_interpret.music.concepts.concept import NONE, concept
from music_interpret.music.concepts.voice import lines
from music_interpret.music.pitches import MAJOR_TONICS, MINOR_TONICS, PITCH_NAMES
from music_interpret.music.songs import Songs
from music_interpret.music.sounding import after_last_group, over, sounding

FORTE = "Forte, The Structure of Atonal Music, 1973"
MASADA = "Pardo and Birmingham 2002; Masada and Bunescu, Chord Recognition in Symbolic Music, TISMIR 2019"
PARDO = "Pardo and Birmingham, Algorithms for Chordal Analysis, 2002"
ALDWELL = "Aldwell and Schachter, Harmony and Voice Leading, 1989"
FUX = "Fux, Gradus ad Parnassum, 1725"
SIZES = ("1", "2", "3", "4", "5", "6 or more")
LARGEST_SET_CLASS = 4
INTERVALS = (
    "unison or octave",
    "minor second",
    "major second",
    "minor third",
    "major third",
    "fourth",
    "tritone",
    "fifth",
    "minor sixth",
    "major sixth",
    "minor seventh",
    "major seventh",
)
CONSONANCES = ("perfect consonance", "imperfect consonance", "dissonance")
# By semitones above the bass; the fourth above the bass is a dissonance in counterpoint.
CONSONANCE = np.array([0, 2, 2, 1, 1, 2, 2, 0, 1, 1, 2, 2], np.int8)
DISSONANT = sum(1 << int(i) for i in np.flatnonzero(CONSONANCE == 2))
# A segment's chord is a triad or a seventh chord.
SEGMENT_ROLES = tuple(role for role in ROLES if role != "fourth")
SEGMENT_ROLE = np.array([SEGMENT_ROLES.index(role) if role in SEGMENT_ROLES else NONE for role in (*ROLES, "")])
# By role of the bass.
INVERSION = np.array([{"root": 0, "third": 1, "fifth": 2, "seventh": 3}.get(role, NONE) for role in (*ROLES, "")])
NAMED = ("major", "minor", "dominant seventh")
STEP = 2
NON_CHORD_NOTES = ("passing note", "neighbour", "suspension", "anticipation", "appoggiatura", "escape note", "other")
NAMED_ROOTS = {"major": MAJOR_TONICS, "minor": MINOR_TONICS, "dominant seventh": PITCH_NAMES}
CHORD_NAMES = [f"{root} {quality}" for quality in NAMED for root in NAMED_ROOTS[quality]]
# Where the qualities stand in `NAMED`, -1 for others; the last is for no chord.
NAMED_QUALITY = np.array([NAMED.index(quality) if quality in NAMED else NONE for quality in (*QUALITIES, "")])


def _prime(pitch_classes: int) -> tuple[int, ...]:
    """Prime form of a set of pitch classes: of its transpositions and inversions the one packed most to the left."""
    members = [p for p in range(12) if pitch_classes >> p & 1]
    forms = [sorted(((sign * (p - q)) % 12 for p in members), reverse=True) for q in members for sign in (1, -1)]
    return tuple(min(forms)[::-1])


@functools.cache
def _set_classes() -> tuple[list[str], np.ndarray]:
    """Prime forms of two to four pitch classes, as text, and the number of that of every set, -1 for others."""
    primes = {s: _prime(s) for s in range(1, 4096) if 1 < s.bit_count() <= LARGEST_SET_CLASS}
    names = sorted(set(primes.values()), key=lambda prime: (len(prime), prime))
    table = np.full(4096, NONE, np.int8)
    table[list(primes)] = [names.index(prime) for prime in primes.values()]
    return ["".join(map(str, prime)) for prime in names], table


@concept("sounding pitch classes", group="harmony", leakage="future", values=SIZES, reference=FORTE, many=True)
def sounding_pitch_classes(songs: Songs) -> np.ndarray:
    """How many different pitch classes sound at the note's onset."""
    return np.minimum(np.bitwise_count(songs.once(sounding).pitch_classes).astype(np.int8), len(SIZES)) - 1


@concept("sounding pitch classes so far", group="harmony", leakage="past", values=SIZES, reference=FORTE, many=True)
def sounding_pitch_classes_so_far(songs: Songs) -> np.ndarray:
    """How many different pitch classes sound at the note's onset, of this note and those before it."""
    return np.minimum(np.bitwise_count(songs.once(sounding).pitch_classes_so_far).astype(np.int8), len(SIZES)) - 1


@concept("set class", group="harmony", leakage="future", values=_set_classes()[0], reference=FORTE, many=True)
def set_class(songs: Songs) -> np.ndarray:
    """Prime form of the pitch classes that sound at the note's onset, where they are two to four: what they have in
    common with their transpositions and inversions (037: major and minor triads).
    """
    return _set_classes()[1][songs.once(sounding).pitch_classes]


@concept("chord quality", group="harmony", leakage="future", values=SEGMENT_QUALITIES, reference=MASADA, many=True)
def chord_quality(songs: Songs) -> np.ndarray:
    """Kind of the chord that holds at the note, whatever passes through it; none where one pitch class alone sounds."""
    return songs.once(chord_segments).quality[songs.group]


@concept("chord root", group="harmony", leakage="future", values=PITCH_NAMES, reference=MASADA, many=True)
def chord_root(songs: Songs) -> np.ndarray:
    """Root of the chord that holds at the note."""
    return songs.once(chord_segments).root[songs.group]


@concept("chord", group="harmony", leakage="future", values=CHORD_NAMES, reference=MASADA, many=True)
def chord(songs: Songs) -> np.ndarray:
    """The chord that holds at the note, root and kind, where it is major, minor or a dominant seventh."""
    found = songs.once(chord_segments)
    return _named(found.quality, found.root)[songs.group]


@concept("inversion", group="harmony", leakage="future", values=INVERSIONS, reference=ALDWELL, many=True)
def inversion(songs: Songs) -> np.ndarray:
    """Which note of the chord that holds is its bass, in a broken chord too: root, third, fifth or seventh."""
    return songs.once(chord_segments).inversion[songs.group]


@concept("role in the chord", group="harmony", leakage="future", values=SEGMENT_ROLES, reference=ALDWELL, many=True)
def role(songs: Songs) -> np.ndarray:
    """Which note of the chord that holds the note is."""
    return SEGMENT_ROLE[_role_in_segment(songs)]


@concept("non-chord note", group="harmony", leakage="future", reference=ALDWELL, many=True)
def non_chord_note(songs: Songs) -> np.ndarray:
    """The note is not one of the chord that holds."""
    return _role_in_segment(songs) == NOT_IN_CHORD


@concept(
    "kind of non-chord note", group="harmony", leakage="future", values=NON_CHORD_NOTES, reference=ALDWELL, many=True
)
def kind_of_non_chord_note(songs: Songs) -> np.ndarray:
    """How the voice comes to a note that is not one of the chord that holds, and leaves it: by step and on (passing
    note), by step and back (neighbour), from the same pitch and down by step (suspension), to the same pitch when the
    chord changes (anticipation), by leap and then by step (appoggiatura), by step and then by leap (escape note).
    """
    line = songs.once(lines)
    there = line.following >= 0
    number = songs.once(chord_segments).number[songs.group]
    into, out = line.interval, np.zeros(len(songs), np.int64)
    out[there] = line.interval[line.following[there]]
    next_chord = there.copy()
    next_chord[there] = number[line.following[there]] != number[there]
    step_in, step_out = ((np.abs(move) <= STEP) & (move != 0) for move in (into, out))
    known = line.moved & there
    kind = np.select(
        [
            known & step_in & step_out & (into * out > 0),
            known & step_in & step_out,
            known & (into == 0) & step_out & (out < 0),
            there & (out == 0) & next_chord,
            known & ~step_in & (into != 0) & step_out,
            known & step_in & (np.abs(out) > STEP),
        ],
        range(6),
        default=6,
    )
    return np.where(_role_in_segment(songs) == NOT_IN_CHORD, kind, NONE)


@concept("chord quality so far", group="harmony", leakage="past", values=QUALITIES, reference=PARDO, many=True)
def chord_quality_so_far(songs: Songs) -> np.ndarray:
    """Kind of the chord that what sounds at the note's onset makes by itself, of this note and those before it; its
    fifth is optional, and one other note may sound with it. None for a single pitch class.
    """
    return songs.once(chords).quality_so_far


@concept("chord root so far", group="harmony", leakage="past", values=PITCH_NAMES, reference=PARDO, many=True)
def chord_root_so_far(songs: Songs) -> np.ndarray:
    """Root of the chord that what sounds at the note's onset makes by itself, of this note and those before it."""
    return songs.once(chords).root_so_far


@concept("role in the chord so far", group="harmony", leakage="past", values=ROLES, reference=ALDWELL, many=True)
def role_so_far(songs: Songs) -> np.ndarray:
    """Which note the note is of the chord that it makes with those before it."""
    found = songs.once(chords)
    return roles(songs.pitch, found.quality_so_far, found.root_so_far)


@concept("last chord quality", group="harmony", leakage="past", values=QUALITIES, reference=PARDO, many=True)
def last_chord_quality(songs: Songs) -> np.ndarray:
    """Kind of the chord that what sounded at the onset before this one makes by itself."""
    return songs.once(chords).last_quality


@concept("last chord root", group="harmony", leakage="past", values=PITCH_NAMES, reference=PARDO, many=True)
def last_chord_root(songs: Songs) -> np.ndarray:
    """Root of the chord that what sounded at the onset before this one makes by itself."""
    return songs.once(chords).last_root


@concept("last chord", group="harmony", leakage="past", values=CHORD_NAMES, reference=PARDO, many=True)
def last_chord(songs: Songs) -> np.ndarray:
    """The chord that what sounded at the onset before this one makes by itself, root and kind, where it is major, minor
    or a dominant seventh.
    """
    found = songs.once(chords)
    return _named(found.last_quality, found.last_root)


@concept(
    "inversion of the last chord", group="harmony", leakage="past", values=INVERSIONS, reference=ALDWELL, many=True
)
def last_inversion(songs: Songs) -> np.ndarray:
    """Which note of the chord that what sounded at the onset before this one makes by itself was in the bass."""
    found = songs.once(chords)
    return INVERSION[roles(found.last_bass, found.last_quality, found.last_root)]


@concept("role in the last chord", group="harmony", leakage="past", values=ROLES, reference=ALDWELL, many=True)
def role_in_last_chord(songs: Songs) -> np.ndarray:
    """Which note the note is of the chord that what sounded at the onset before this one makes by itself."""
    found = songs.once(chords)
    return roles(songs.pitch, found.last_quality, found.last_root)


@concept("common tone", group="harmony", leakage="past", reference=ALDWELL, many=True)
def common_tone(songs: Songs) -> np.ndarray:
    """The note's pitch class sounded at the onset before this one."""
    return _contains(songs.once(chords).last_pitch_classes, songs.pitch)


@concept("chord change", group="harmony", leakage="future", reference=MASADA, many=True)
def chord_change(songs: Songs) -> np.ndarray:
    """Another chord begins to hold at this onset; not at the song's first, nor after or before none."""
    found = songs.once(chord_segments)
    new = np.zeros(len(found.root), bool)
    new[1:] = (found.number[1:] != found.number[:-1]) & (found.root[1:] != NONE) & (found.root[:-1] != NONE)
    return new[songs.group] & (songs.group != songs.group[songs.first_note[songs.song]])


@concept("bass", group="harmony", leakage="past", values=PITCH_NAMES, reference=ALDWELL, many=True)
def bass(songs: Songs) -> np.ndarray:
    """Pitch class of the lowest note that sounds at the note's onset, whatever its instrument or register."""
    return songs.once(sounding).lowest % 12


@concept("interval above the bass", group="harmony", leakage="past", values=INTERVALS, reference=ALDWELL, many=True)
def interval_above_bass(songs: Songs) -> np.ndarray:
    """Semitones from the lowest note that sounds up to this one, less whole octaves; 0 for the lowest itself."""
    return (songs.pitch - songs.once(sounding).lowest) % 12


@concept("consonance with the bass", group="harmony", leakage="past", values=CONSONANCES, reference=FUX, many=True)
def consonance(songs: Songs) -> np.ndarray:
    """Whether the note is a perfect or imperfect consonance above the lowest note that sounds, or a dissonance, as is
    the fourth; none for a note of the lowest pitch itself.
    """
    above = songs.pitch - songs.once(sounding).lowest
    return np.where(above == 0, NONE, CONSONANCE[above % 12])


@concept("doubled pitch class so far", group="harmony", leakage="past", reference=ALDWELL, many=True)
def doubled_so_far(songs: Songs) -> np.ndarray:
    """The note's pitch class sounds already, in a note before it, in whatever octave or instrument."""
    return _contains(songs.once(sounding).pitch_classes_before, songs.pitch)


@concept("held dissonance", group="harmony", leakage="past", reference=FUX, many=True)
def held_dissonance(songs: Songs) -> np.ndarray:
    """A note that started before this onset sounds on, and is a dissonance above the lowest note that sounds."""
    sounds = songs.once(sounding)
    above = _turned(sounds.held_pitch_classes.astype(np.int32), sounds.lowest % 12)
    return (above & DISSONANT) > 0


@concept("suspension", group="harmony", leakage="future", reference=FUX, many=True)
def suspension(songs: Songs) -> np.ndarray:
    """The note is consonant with the bass, and is held until over a later bass it is a dissonance."""
    sounds = songs.once(sounding)
    first = songs.group_first[:-1]
    # As the bass sees it: the pitch classes that some bass under the held note has.
    bass_set = (1 << (sounds.lowest[first] % 12)).astype(np.int32)
    basses = over(np.bitwise_or, bass_set, songs.group + 1, after_last_group(songs), np.int32(0))
    # The interval above bass b is (pitch - b) mod 12; a set of basses is dissonant where one lies so far below.
    below = sum(1 << (12 - i) % 12 for i in range(12) if DISSONANT >> i & 1)
    dissonant_later = (_turned(basses, songs.pitch % 12) & below) > 0
    return dissonant_later & (CONSONANCE[(songs.pitch - sounds.lowest) % 12] != CONSONANCES.index("dissonance"))


def _role_in_segment(songs: Songs) -> np.ndarray:
    found = songs.once(chord_segments)
    return roles(songs.pitch, found.quality[songs.group], found.root[songs.group])


def _named(quality: np.ndarray, root: np.ndarray) -> np.ndarray:
    number = NAMED_QUALITY[quality]
    return np.where(number == NONE, NONE, number * 12 + root)


def _contains(pitch_classes: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    return (pitch_classes >> (pitch % 12)) & 1 == 1


def _turned(pitch_classes: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """Sets of pitch classes counted from a pitch class as 0."""
    return ((pitch_classes >> zero) | (pitch_classes << (12 - zero))) & 4095
