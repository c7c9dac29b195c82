"""Concepts of key: against music21's key finding, written analyses and signatures, on made cases, and causality."""

import functools
import warnings
from pathlib import Path

import numpy as np
import pytest
from music.concepts.causality import METRE, assert_causal, assert_songs_apart
from music.test_sounding import random_song
from music21 import converter, corpus, roman
from music21 import key as music21_key

from music_interpret.music.concepts import key
from music_interpret.music.concepts.concept import Concept, concepts_of
from music_interpret.music.keys import KEYS, PROFILES, best_keys, home_keys, local_keys
from music_interpret.music.songs import Songs

CONCEPTS = concepts_of(key)
CORPUS = Path(__file__).parents[2] / "fixtures" / "scores" / "corpus.npz"
with np.load(CORPUS) as archive:
    REAL = [notes.astype(np.int64) for notes in archive.values()]
ONE = np.array([[0, 5, 60, 400, 0]])
EMPTY = np.zeros((0, 5), np.int64)
# A spread over the collection, in major, minor and modes.
CHORALES = [
    "2.6",
    "3.6",
    "4.8",
    "5.7",
    "6.6",
    "7.7",
    "9.7",
    "10.7",
    "12.7",
    "14.5",
    "16.6",
    "17.7",
    "18.5-w",
    "20.7",
    "24.6",
    "25.6",
    "26.6",
    "28.6",
    "30.6",
    "32.6",
    "33.6",
    "36.8-2",
    "37.6",
    "39.7",
    "40.3",
    "42.7",
    "43.11",
    "44.7",
    "45.7",
    "47.5",
]
C_MAJOR = (60, 62, 64, 65, 67, 69, 71, 72)
A_MINOR = (57, 59, 60, 62, 64, 65, 68, 69)


def melody(*pitches: int) -> Songs:
    """Quarter notes one after the other."""
    return Songs.of([np.array([[beat, 0, pitch, 12, 0] for beat, pitch in enumerate(pitches)])], 12, metres=METRE)


def named(concept: Concept, songs: Songs) -> list[str]:
    return [concept.values[value] if value >= 0 else "" for value in concept(songs)]


def number(found: music21_key.Key) -> int:
    """Number in `KEYS`."""
    return found.tonic.pitchClass + 12 * (found.mode == "minor")


def rows_of(score) -> np.ndarray:  # type: ignore[no-untyped-def]
    flat = score.flatten().notes
    rows = {
        (*divmod(round(n.offset * 12), 12), n.pitch.midi, round(n.quarterLength * 12), 52) for n in flat if n.isNote
    }
    return np.array(sorted(rows), np.int64)


@functools.cache
def chorales() -> list:  # type: ignore[type-arg]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [corpus.parse(f"bach/bwv{name}") for name in CHORALES]


def test_nothing_looks_ahead_or_at_other_songs() -> None:
    assert len(CONCEPTS) == 20
    assert all(concept.definition and concept.reference for concept in CONCEPTS)
    assert_causal(CONCEPTS, [*REAL, random_song(5), ONE])
    assert_songs_apart(CONCEPTS, [*REAL, random_song(5), ONE, EMPTY])
    assert all(len(concept(Songs.of([], 12))) == 0 for concept in CONCEPTS)


@pytest.mark.parametrize(
    ("profile", "method"),
    [
        ("Krumhansl and Kessler 1982", "key.krumhanslkessler"),
        ("Temperley 2007", "key.temperleykostkapayne"),
    ],
)
def test_home_keys_are_those_of_music21(profile: str, method: str) -> None:
    songs = Songs.of([rows_of(score) for score in chorales()], 12)
    expected = [number(score.analyze(method)) for score in chorales()]
    assert np.mean(home_keys(songs, profile=profile) == expected) >= 0.96


def test_home_keys_are_those_of_signature_and_last_bass() -> None:
    """Where the last bass is the tonic of the signature's major or minor key; in modes it is neither."""
    songs = Songs.of([rows_of(score) for score in chorales()], 12)
    found = home_keys(songs)
    same = []
    for i, score in enumerate(chorales()):
        signature = next(iter(score.recurse().getElementsByClass(music21_key.KeySignature)))
        notes = songs.notes[songs.first_note[i] : songs.first_note[i + 1]]
        ends = notes[:, 0] * 12 + notes[:, 1] + notes[:, 3]
        bass = notes[ends == ends.max(), 2].min() % 12
        tonic = signature.sharps * 7 % 12
        if bass in (tonic, (tonic + 9) % 12):
            same.append(found[i] == (bass if bass == tonic else bass + 12))
    assert len(same) >= 20
    assert np.mean(same) >= 0.9


def test_local_keys_follow_written_analyses() -> None:
    """Key by key in three chorales' analyses by Andrew Jones, over 60 %; the choice of profile and windows matters."""
    right: dict[str, list[np.ndarray]] = {"ours": [], "Krumhansl": []}
    for analysis, name in (("001", "bach/bwv269"), ("004", "bach/bwv86.6"), ("012", "bach/bwv65.2")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = corpus.getWork(f"bach/choraleAnalyses/riemenschneider{analysis}.rntxt")
            figures = converter.parse(path, format="romantext").flatten().getElementsByClass(roman.RomanNumeral)
            songs = Songs.of([rows_of(corpus.parse(name))], 12)
        starts = [figure.offset * 12 for figure in figures]
        keys = np.array([number(figure.key) for figure in figures])
        written = keys[np.maximum(np.searchsorted(starts, songs.onset, side="right") - 1, 0)]
        right["ours"].append(key.local_key(songs) == written)
        one_window = local_keys(songs, profile="Krumhansl and Kessler 1982", windows={16: 1})
        right["Krumhansl"].append(one_window == written)
    ours, other = (np.concatenate(part).mean() for part in right.values())
    assert ours > 0.6
    assert ours > other + 0.1


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_fits_its_own_key_and_ties_go_to_the_first(profile: str) -> None:
    for mode in (0, 1):
        for tonic in range(12):
            own = np.roll(np.rint(np.array(PROFILES[profile][mode]) * 10**6), tonic)
            assert best_keys(own[None], profile)[0] == tonic + 12 * mode
    assert best_keys(np.ones((1, 12)), profile)[0] == 0
    # An augmented triad: three keys fit alike, at every scale of the durations.
    for scale in (1, 7, 1001):
        third = np.eye(12)[[0, 4, 8]].sum(0)[None] * scale
        assert best_keys(third, profile)[0] % 12 in range(4)


def test_keys_and_degrees_of_scales() -> None:
    songs = melody(*C_MAJOR)
    assert named(key.local_key, songs)[:2] == ["", ""]
    assert named(key.local_key, songs)[-1] == named(key.home_key, songs)[0] == "C major"
    assert named(key.home_mode, songs)[0] == named(key.mode, songs)[-1] == "major"
    degrees = ["1", "2", "3", "4", "5", "6", "7", "1"]
    assert named(key.home_degree, songs) == degrees
    in_c = key.local_key(songs) == KEYS.index("C major")
    assert [d for d, c in zip(named(key.diatonic_degree, songs), in_c, strict=True) if c] == [
        d for d, c in zip(degrees, in_c, strict=True) if c
    ]
    assert key.leading_tone(songs).tolist()[-2] == 0 or not in_c[-2]
    minor = melody(*A_MINOR, *A_MINOR[::-1])
    assert named(key.home_key, minor)[0] == named(key.local_key, minor)[-1] == "A minor"
    assert named(key.home_degree, minor)[:8] == ["1", "2", "♭3", "4", "5", "♭6", "7", "1"]


def test_both_forms_of_minor_are_diatonic_and_other_notes_chromatic() -> None:
    # Short notes over chords of A minor.
    tail = (66, 67, 68, 65, 70, 69)
    rows = [[beat, 0, pitch, 12, 52] for beat in range(len(tail)) for pitch in (45, 52, 57, 60)]
    rows += [[beat, 6, pitch, 1, 52] for beat, pitch in enumerate(tail)]
    songs = Songs.of([np.array(sorted(rows))], 12, metres=METRE)
    short = songs.position == 6

    def at_short(concept: Concept) -> list[str]:
        return [name for name, chosen in zip(named(concept, songs), short, strict=True) if chosen]

    assert set(at_short(key.local_key)) == {"A minor"}
    assert at_short(key.diatonic_degree) == ["6", "7", "7", "6", "", "1"]
    assert at_short(key.scale_degree) == ["6", "♭7", "7", "♭6", "♭2", "1"]
    assert key.chromatic_note(songs)[short].tolist() == [-1, -1, -1, -1, 0, -1]
    assert key.leading_tone(songs)[short].tolist() == [-1, -1, 0, -1, -1, -1]
    assert np.array_equal(key.raised_leading_tone(songs), key.leading_tone(songs))
    assert key.tonic_note(songs)[short].tolist() == [-1] * 5 + [0]
    assert set(at_short(key.bass_degree)) == {"1"}


def test_a_modulation_changes_the_key_and_the_distance() -> None:
    """C major, then D major: two fifths away."""
    rows = []
    for bar, tonic in enumerate([60] * 12 + [62] * 4):
        for beat, chord in enumerate(((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))):
            rows += [[4 * bar + beat, 0, tonic + pitch, 12, 0] for pitch in chord]
    songs = Songs.of([np.array(rows)], 12, metres=METRE)
    assert named(key.home_key, songs)[0] == "C major"
    assert named(key.local_key, songs)[-1] == "D major"
    assert named(key.home_distance, songs)[-1] == "2"
    assert named(key.home_distance, songs)[12 * 12 - 1] == "0"
    assert key.away_from_home_mode(songs)[-1] == -1
    changes = songs.beat[key.key_change(songs) == 0]
    assert np.any((changes >= 48) & (changes <= 56))
    assert named(key.scale_degree, songs)[-3:] == ["1", "3", "5"]
    assert named(key.home_degree, songs)[-3:] == ["2", "♯4", "6"]


def test_chord_degrees() -> None:
    chords = [(48, 64, 67, 72), (53, 65, 69, 72), (55, 62, 67, 71), (48, 64, 67, 72)] * 3
    rows = [[beat, 0, pitch, 12, 52] for beat, chord in enumerate(chords) for pitch in chord]
    songs = Songs.of([np.array(rows)], 12, metres=METRE)
    assert named(key.chord_degree, songs)[-16::4] == ["1", "4", "5", "1"]
    assert named(key.last_chord_degree, songs)[-12::4] == ["1", "4", "5"]
    assert named(key.last_chord_degree, songs)[:4] == [""] * 4
    assert np.all(key.dominant_note(songs)[songs.pitch % 12 == 7][-4:] == 0)


def test_silence_and_too_few_notes() -> None:
    notes = np.array([[beat, 0, pitch, 12, 0] for beat, pitch in ((0, 60), (1, 64), (2, 67), (300, 62), (301, 66))])
    songs = Songs.of([notes, ONE], 12, metres=METRE)
    # After the silence the window is empty again.
    assert named(key.local_key, songs) == ["", "", "C major", "", "", ""]
    assert named(key.home_key, songs)[-1] == ""
    assert named(key.home_distance, songs)[-1] == ""
    assert key.chromatic_note(songs).max() == key.key_change(songs).max() == -1


def test_a_very_long_note_counts_as_the_longest_window() -> None:
    def found(duration: int) -> list[str]:
        notes = np.array([[0, 0, 60, duration, 0], [1, 0, 64, 24, 0], [2, 0, 67, 24, 0], [90, 0, 67, 24, 0]])
        songs = Songs.of([notes], 12, metres=METRE)
        return named(key.local_key, songs) + named(key.bass_degree, songs)

    assert found(2**31 - 1)[:4] == found(32 * 12)[:4]
    assert "" not in found(2**31 - 1)[2:3]
