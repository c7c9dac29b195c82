"""Concepts of harmony: against music21 on Bach chorales, on made cases, and that none looks ahead."""

import functools
import warnings
from pathlib import Path

import numpy as np
import pytest
from music.concepts.causality import METRE, assert_causal, assert_songs_apart
from music.test_sounding import random_song
from music21 import chord as music21_chord
from music21 import corpus

from music_interpret.music.chords import QUALITIES, chord_of, chord_tables, roles
from music_interpret.music.chords import chords as onset_chords
from music_interpret.music.concepts import harmony
from music_interpret.music.concepts.concept import Concept, concepts_of
from music_interpret.music.concepts.harmony import INVERSION
from music_interpret.music.pitches import PITCH_NAMES
from music_interpret.music.songs import Songs
from music_interpret.music.sounding import sounding

CONCEPTS = concepts_of(harmony)
with np.load(Path(__file__).parents[2] / "fixtures" / "scores" / "corpus.npz") as archive:
    REAL = [notes.astype(np.int64) for notes in archive.values()]
ONE = np.array([[0, 5, 60, 400, 0]])
EMPTY = np.zeros((0, 5), np.int64)
# What music21 calls the chords of which it finds the root as we do, by the order of thirds.
COMMON_NAMES = {
    "major triad": "major",
    "minor triad": "minor",
    "diminished triad": "diminished",
    "dominant seventh chord": "dominant seventh",
    "major seventh chord": "major seventh",
    "minor seventh chord": "minor seventh",
    "half-diminished seventh chord": "half-diminished seventh",
}


def song(*notes: tuple[int, int, int], program: int = 0) -> Songs:
    """Notes (beat, pitch, duration in beats)."""
    rows = sorted((beat, 0, pitch, beats * 12, program) for beat, pitch, beats in notes)
    return Songs.of([np.array(rows).reshape(-1, 5)], 12, metres=METRE)


def named(concept: Concept, songs: Songs) -> list[str]:
    return [concept.values[value] if value >= 0 else "" for value in concept(songs)]


def test_nothing_looks_ahead_or_at_other_songs() -> None:
    assert len(CONCEPTS) == 26
    assert all(concept.definition and concept.reference for concept in CONCEPTS)
    assert_causal(CONCEPTS, [*REAL, random_song(5), ONE])
    assert_songs_apart(CONCEPTS, [*REAL, random_song(5), ONE, EMPTY])
    assert all(len(concept(Songs.of([], 12))) == 0 for concept in CONCEPTS)


def test_what_is_said_to_be_future_is() -> None:
    """The notes of the top voice alone decide: without them some value of every `future` concept changes."""
    notes = REAL[0]
    last_of_onset = np.append(np.any(notes[1:, :2] != notes[:-1, :2], axis=1), True)
    whole, cut = Songs.of([notes], 12, metres=METRE), Songs.of([notes[~last_of_onset]], 12, metres=METRE)
    for concept in CONCEPTS:
        if concept.leakage == "future":
            assert np.any(concept(whole)[~last_of_onset] != concept(cut)), concept.name


@functools.cache
def chorales() -> list[tuple[Songs, list[tuple[int, music21_chord.Chord]]]]:
    """Chorales as notes, and music21's chord at each onset by its first note."""
    found = []
    for name in ("bach/bwv66.6", "bach/bwv269", "bach/bwv347"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score = corpus.parse(name)
            flat = score.stripTies().flatten().notes
            slices = score.chordify().flatten().getElementsByClass(music21_chord.Chord)
        rows = sorted(
            {(*divmod(round(n.offset * 12), 12), n.pitch.midi, round(n.quarterLength * 12), 52) for n in flat}
        )
        songs = Songs.of([np.array(rows, np.int64)], 12, metres=METRE)
        first = dict(zip(songs.onset[songs.group_first[:-1]].tolist(), songs.group_first[:-1].tolist(), strict=True))
        chords = [(first[round(c.offset * 12)], c) for c in slices if round(c.offset * 12) in first]
        found.append((songs, chords))
    return found


def test_chords_roots_and_inversions_are_those_of_music21() -> None:
    """Exact for triads and seventh chords; not where roots are all alike: music21 goes by spelling, we by the bass.

    An analyst's chords are not those of each onset, but where a chord of a chorale lasts a beat they mostly agree.
    """
    n, agree = 0, 0
    for songs, chords in chorales():
        at, heard = songs.once(onset_chords), songs.once(sounding)
        inversions = INVERSION[roles(heard.lowest, at.quality, at.root)]
        segment_roots = harmony.chord_root(songs)
        for note, chord in chords:
            if chord.commonName in COMMON_NAMES:
                expected = COMMON_NAMES[chord.commonName], chord.root().pitchClass, chord.inversion()
                assert (QUALITIES[at.quality[note]], at.root[note], inversions[note]) == expected, chord
                n += 1
                agree += segment_roots[note] == chord.root().pitchClass
    assert n > 150
    assert agree > 0.85 * n


def test_set_classes_sizes_and_basses_are_those_of_music21() -> None:
    n = 0
    for songs, chords in chorales():
        classes, basses = named(harmony.set_class, songs), harmony.bass(songs)
        sizes = named(harmony.sounding_pitch_classes, songs)
        for note, chord in chords:
            prime = "".join(map(str, chord.primeForm)) if 1 < chord.pitchClassCardinality < 5 else ""
            expected = prime, str(chord.pitchClassCardinality), chord.bass().pitchClass
            assert (classes[note], sizes[note], basses[note]) == expected
            n += 1
    assert n > 200


def test_all_set_classes_have_the_prime_forms_of_music21() -> None:
    names, table = harmony._set_classes()
    assert len(names) == 6 + 12 + 29
    for pitch_classes in range(1, 4096, 11):
        members = [p for p in range(12) if pitch_classes >> p & 1]
        expected = "".join(map(str, music21_chord.Chord(members).primeForm)) if 1 < len(members) < 5 else ""
        assert (names[table[pitch_classes]] if table[pitch_classes] >= 0 else "") == expected


def test_transposed_sets_have_transposed_chords() -> None:
    bass, sets = np.divmod(np.arange(12 * 4096), 4096)
    qualities, roots = chord_tables()
    up = ((sets << 1) | (sets >> 11)) & 4095
    other_qualities, other_roots = chord_of(up, (bass + 1) % 12)
    sounds = (sets >> bass) & 1 == 1
    assert np.array_equal(qualities[sounds], other_qualities[sounds])
    assert np.array_equal(np.where(roots < 0, -1, (roots + 1) % 12)[sounds], other_roots[sounds])


@pytest.mark.parametrize(
    ("pitches", "expected"),
    [
        ((60, 64, 67), "major C"),
        ((52, 60, 67), "major C"),
        ((60, 76), "major C"),  # a third alone
        ((64, 67), "minor E"),
        ((60, 67), "open fifth C"),
        ((67, 72), "open fifth C"),
        ((60, 64, 70), "dominant seventh C"),  # without its fifth
        ((60, 65, 67), "suspended fourth C"),
        ((60, 65, 67, 70), "suspended fourth C"),
        ((60, 62, 64, 67), "major C"),  # with one other note
        ((60, 63, 66, 69), "diminished seventh C"),  # all roots fit: the bass
        ((63, 66, 69, 72), "diminished seventh E♭"),
        ((64, 68, 72), "augmented E"),
        ((62, 66, 69, 72, 75), "dominant seventh D"),  # with its ninth
        ((57, 60, 64, 67), "minor seventh A"),
        ((60, 64, 67, 69), "minor seventh A"),  # never an added sixth
        ((60, 61, 62), "other "),
        ((60, 66), "other "),
        ((60, 72), " "),  # one pitch class is no chord
        ((60,), " "),
    ],
)
def test_chords_by_hand(pitches: tuple[int, ...], expected: str) -> None:
    at = song(*((0, pitch, 1) for pitch in pitches)).once(onset_chords)
    names = (*QUALITIES, ""), (*PITCH_NAMES, "")
    assert f"{names[0][at.quality[0]]} {names[1][at.root[0]]}" == expected
    assert len(set(at.quality.tolist())) == 1


def test_roles_inversions_and_the_last_chord() -> None:
    songs = song((0, 52, 1), (0, 60, 1), (0, 67, 1), (0, 74, 1), (3, 59, 1), (3, 62, 1), (3, 65, 1), (3, 67, 1))
    assert named(harmony.role, songs) == [
        "third",
        "root",
        "fifth",
        "not in the chord",
        "third",
        "fifth",
        "seventh",
        "root",
    ]
    assert named(harmony.inversion, songs) == ["first inversion"] * 8
    assert named(harmony.chord, songs) == ["C major"] * 4 + ["G dominant seventh"] * 4
    assert named(harmony.last_chord, songs) == [""] * 4 + ["C major"] * 4
    assert named(harmony.last_inversion, songs) == [""] * 4 + ["first inversion"] * 4
    assert named(harmony.role_in_last_chord, songs)[4:] == ["not in the chord"] * 3 + ["fifth"]
    assert named(harmony.chord_quality_so_far, songs) == [
        "", "major", "major", "major", "", "minor", "diminished", "dominant seventh"
    ]  # fmt: skip
    assert named(harmony.role_so_far, songs)[:3] == ["", "root", "fifth"]
    assert harmony.common_tone(songs).tolist() == [-1] * 5 + [0, -1, 0]
    assert harmony.chord_change(songs).tolist() == [-1] * 4 + [0] * 4
    assert harmony.non_chord_note(songs).tolist() == [-1] * 3 + [0] + [-1] * 4


def test_intervals_above_the_bass_and_doublings() -> None:
    songs = song((0, 48, 1), (0, 60, 1), (0, 65, 1), (0, 67, 1), (0, 76, 1))
    assert named(harmony.interval_above_bass, songs) == [
        "unison or octave", "unison or octave", "fourth", "fifth", "major third"
    ]  # fmt: skip
    assert named(harmony.consonance, songs) == [
        "", "perfect consonance", "dissonance", "perfect consonance", "imperfect consonance"
    ]  # fmt: skip
    assert harmony.doubled_so_far(songs).tolist() == [-1, 0, -1, -1, -1]


def test_a_suspension_is_consonant_and_then_held_into_a_dissonance() -> None:
    """A 4-3 suspension: C over A, held over G, resolved to B."""
    songs = song((0, 57, 1), (0, 72, 2), (1, 55, 2), (2, 71, 1))
    assert harmony.suspension(songs).tolist() == [-1, 0, -1, -1]
    assert harmony.held_dissonance(songs).tolist() == [-1, -1, 0, -1]
    # The same with the C struck again is none, and neither is a note that is dissonant from its start.
    again = song((0, 57, 1), (0, 72, 1), (1, 55, 2), (1, 72, 1), (2, 71, 1))
    assert harmony.suspension(again).max() == harmony.held_dissonance(again).max() == -1
    assert harmony.suspension(song((0, 55, 2), (0, 72, 2), (1, 46, 1))).tolist() == [-1, -1, -1]


def test_unisons_gaps_and_long_notes() -> None:
    unison = song((0, 60, 1), (0, 60, 2), (9, 64, 1))
    assert named(harmony.sounding_pitch_classes, unison) == ["1"] * 3
    assert harmony.doubled_so_far(unison).tolist() == [-1, 0, -1]
    assert named(harmony.consonance, unison) == [""] * 3
    pedal = song((0, 36, 500), (400, 64, 1), (400, 67, 1))
    assert QUALITIES[pedal.once(onset_chords).quality[2]] == "major"
