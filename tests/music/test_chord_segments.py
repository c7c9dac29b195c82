"""Chords of passages, made by hand: what passes, is held over, broken or below does not change the chord."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_interpret.music.chord_segments import INVERSIONS, SEGMENT_QUALITIES, chord_segments
from music_interpret.music.concepts import harmony, key
from music_interpret.music.concepts.concept import Concept
from music_interpret.music.key_segments import key_segments
from music_interpret.music.keys import KEYS
from music_interpret.music.pitches import PITCH_NAMES
from music_interpret.music.songs import Songs

METRES = {str(i): [[0, 4, 4]] for i in range(9)}
Note = tuple[float, int, float]
C, D, E, F, G, A, B = (PITCH_NAMES[pitch] for pitch in (0, 2, 4, 5, 7, 9, 11))


def song(*notes: Note) -> Songs:
    """Notes (beat, pitch, beats)."""
    rows = sorted((*divmod(round(beat * 12), 12), pitch, round(beats * 12), 0) for beat, pitch, beats in notes)
    return Songs.of([np.array(rows)], 12, metres=METRES)


def struck(*chords: tuple[int, ...], beats: float = 4) -> list[Note]:
    return [(beats * i, pitch, beats) for i, chord in enumerate(chords) for pitch in chord]


def heard(songs: Songs) -> dict[float, str]:
    """Root and kind of each segment by the beat on which it begins."""
    found = songs.once(chord_segments)
    beats = (songs.onset[songs.group_first[:-1]] / 12).tolist()
    names = [
        f"{PITCH_NAMES[root]} {SEGMENT_QUALITIES[kind]}" for root, kind in zip(found.root, found.quality, strict=True)
    ]
    begins = np.flatnonzero(np.diff(found.number, prepend=-1))
    return {beats[i]: names[i] for i in begins}


def named(concept: Concept, songs: Songs) -> list[str]:
    return [concept.values[value] if value >= 0 else "" for value in concept(songs)]


@pytest.mark.parametrize(
    ("pitches", "kind"),
    [
        ((60, 64, 67), "major"),
        ((60, 63, 67), "minor"),
        ((60, 64, 67, 70), "dominant seventh"),
        ((60, 63, 67, 70), "minor seventh"),
        ((60, 63, 66, 69), "diminished seventh"),
        ((60, 63, 66, 70), "half-diminished seventh"),
        ((60, 64, 68), "augmented"),
        ((52, 60, 67), "major"),
    ],
)
def test_a_chord_alone(pitches: tuple[int, ...], kind: str) -> None:
    assert heard(song(*struck(pitches))) == {0: f"{C} {kind}"}


def test_one_pitch_class_is_no_chord() -> None:
    songs = song((0, 48, 1), (0, 60, 1), (1, 72, 1))
    assert songs.once(chord_segments).root.tolist() == [-1, -1]
    assert named(harmony.inversion, songs) == named(harmony.role, songs) == named(harmony.chord, songs) == [""] * 3
    assert harmony.non_chord_note(songs).max() == harmony.chord_change(songs).max() == -1


CADENCE = ((48, 60, 64, 67), (53, 60, 65, 69), (55, 59, 62, 67), (48, 60, 64, 67))
I_IV_V_I = {0: f"{C} major", 4: f"{F} major", 8: f"{G} major", 12: f"{C} major"}


def test_struck_chords() -> None:
    songs = song(*struck(*CADENCE))
    assert heard(songs) == I_IV_V_I
    assert np.unique(songs.onset[harmony.chord_change(songs) == 0]).tolist() == [48, 96, 144]
    assert set(named(key.passage_key, songs)) == {KEYS[0]}
    assert named(key.chord_degree, songs)[::4] == ["1", "4", "5", "1"]


def test_an_alberti_bass_is_one_chord_in_one_inversion() -> None:
    bars = ((60, 67, 64, 67), (59, 67, 62, 67), (60, 67, 64, 67), (57, 65, 60, 65))
    left = [(4 * i + j / 2, pitch, 0.5) for i, bar in enumerate(bars) for j, pitch in enumerate(bar * 2)]
    songs = song(*left, (0, 76, 4), (4, 74, 4), (8, 72, 4), (12, 77, 4))
    assert heard(songs) == {0: f"{C} major", 4: f"{G} major", 8: f"{C} major", 12: f"{F} major"}
    inversions = np.array(named(harmony.inversion, songs))
    expected = ["root position", "first inversion", "root position", "first inversion"]
    assert [set(inversions[songs.beat // 4 == bar].tolist()) for bar in range(4)] == [{name} for name in expected]
    assert harmony.non_chord_note(songs).max() == -1


def test_an_arpeggio_is_one_chord() -> None:
    bars = ((48, 52, 55, 60), (53, 57, 60, 65), (55, 59, 62, 67), (48, 52, 55, 60))
    songs = song(*((4 * i + j, pitch, 1) for i, bar in enumerate(bars) for j, pitch in enumerate(bar)))
    assert heard(songs) == I_IV_V_I
    assert set(named(harmony.inversion, songs)) == {"root position"}


def test_chords_over_a_pedal_point_are_theirs() -> None:
    songs = song((0, 36, 16), *struck(*(chord[1:] for chord in CADENCE)))
    assert heard(songs) == I_IV_V_I


def test_passing_and_neighbour_notes_are_none_of_the_chord() -> None:
    """C E F G over C, then G F E over C: the F passes; B C B above: a neighbour."""
    chords = struck((48, 60, 67), (48, 60, 64), (43, 59, 62), (48, 60, 64), beats=4)
    tune = [(0, 76, 1), (1, 77, 1), (2, 79, 2), (4, 79, 1), (5, 77, 1), (6, 76, 2), (8, 79, 1), (9, 81, 1), (10, 79, 2)]
    songs = song(*chords, *tune, (12, 76, 4))
    assert heard(songs) == {0: f"{C} major", 8: f"{G} major", 12: f"{C} major"}
    top = songs.pitch >= 70
    expected = ["", "passing note", "", "", "passing note", "", "", "neighbour", "", ""]
    assert np.array(named(harmony.kind_of_non_chord_note, songs))[top].tolist() == expected
    assert (
        np.flatnonzero(harmony.non_chord_note(songs) == 0).tolist()
        == np.flatnonzero(np.isin(songs.pitch, (77, 81))).tolist()
    )


def test_a_suspension_does_not_delay_the_chord() -> None:
    """C is struck again over G major and falls to B two beats later."""
    songs = song(
        *struck((48, 64, 67, 72), (43, 62, 67), (48, 64, 67, 72)), (4, 72, 2), (6, 71, 2)
    )  # fmt: skip
    assert heard(songs) == {0: f"{C} major", 4: f"{G} major", 8: f"{C} major"}
    fourth = (songs.pitch == 72) & (songs.beat == 4)
    assert np.array(named(harmony.kind_of_non_chord_note, songs))[fourth].tolist() == ["suspension"]


def test_a_cadential_six_four_belongs_to_the_dominant() -> None:
    """As the DCML standard has it: V(64)."""
    chords = ((48, 60, 64, 67), (53, 60, 65, 69), (55, 60, 64, 67), (55, 59, 62, 67), (48, 60, 64, 67))
    songs = song(*struck(*chords, beats=2))
    assert heard(songs) == {0: f"{C} major", 2: f"{F} major", 4: f"{G} major", 8: f"{C} major"}
    assert set(np.array(named(harmony.inversion, songs))[songs.beat == 4]) == {"root position"}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(40, 88), st.integers(1, 30)), min_size=1, max_size=40),
    st.integers(1, 11),
)
def test_a_transposed_song_has_the_transposed_chords_and_keys(notes: list[Note], up: int) -> None:
    def found(by: int) -> tuple[Songs, np.ndarray]:
        rows = sorted({(beat // 4, beat % 4 * 3, pitch + by, steps, 0) for beat, pitch, steps in notes})
        songs = Songs.of([np.array(rows)], 12, metres=METRES)
        return songs, songs.once(key_segments)

    (here, keys), (there, other_keys) = found(0), found(up)
    ours, theirs = here.once(chord_segments), there.once(chord_segments)
    assert np.array_equal(np.where(ours.root < 0, -1, (ours.root + up) % 12), theirs.root)
    assert np.array_equal(ours.quality, theirs.quality) and np.array_equal(ours.inversion, theirs.inversion)
    assert np.array_equal(ours.number, theirs.number)
    assert np.array_equal(keys // 12 * 12 + (keys + up) % 12, other_keys)


def test_inversions_name_the_bass() -> None:
    songs = song(*struck((48, 60, 64, 67), (52, 60, 67, 72), (55, 59, 62, 65), (53, 59, 62, 67)))
    assert named(harmony.inversion, songs)[::4] == [INVERSIONS[i] for i in (0, 1, 0, 3)]
