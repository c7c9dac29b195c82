"""Concepts of voices: against the parts of real scores, by hand, and that none looks ahead."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from music.concepts.causality import assert_causal, assert_songs_apart
from music.test_voices import parts_of

from music_interpret.music.concepts import voice
from music_interpret.music.concepts.concept import Concept, concepts_of
from music_interpret.music.songs import Songs

CONCEPTS = concepts_of(voice)
with np.load(Path(__file__).parents[2] / "fixtures" / "scores" / "corpus.npz") as archive:
    REAL = list(archive.values())
# A tune over a bass that enters late: C5 D5 D5 G5 F5 | bass G3 from beat 2, C3 at beat 4.
TUNE = np.array(
    [
        [0, 0, 72, 12, 73],
        [1, 0, 74, 12, 73],
        [2, 0, 55, 24, 43],
        [2, 0, 74, 12, 73],
        [3, 0, 79, 12, 73],
        [4, 0, 48, 12, 43],
        [4, 0, 77, 12, 73],
    ]
)


def words(concept: Concept, notes: np.ndarray) -> list[str]:
    values = concept(Songs.of([notes], 12, metres={"0": [[0, 4, 4]]}))
    return [("yes" if not concept.values else concept.values[value]) if value >= 0 else "" for value in values]


def test_a_tune_by_hand():
    assert words(voice.role, TUNE) == ["alone", "alone", "bass", "top", "top", "bass", "top"]
    assert words(voice.melodic_motion, TUNE) == ["", "step up", "", "unison", "leap up", "leap down", "step down"]
    assert words(voice.melodic_interval, TUNE) == ["", "+2", "", "0", "+5", "-7", "-2"]
    assert words(voice.melodic_direction, TUNE) == ["", "up", "", "same pitch", "up", "down", "down"]
    assert words(voice.turn, TUNE) == ["", "", "", "", "", "", "yes"]
    assert words(voice.turn_after_leap, TUNE) == ["", "", "", "", "", "", "yes"]
    assert words(voice.extreme, TUNE) == ["", "", "", "", "peak", "", ""]
    assert words(voice.next_motion, TUNE) == ["step up", "unison", "leap down", "leap up", "step down", "", ""]
    assert words(voice.repeated, TUNE) == ["", "", "", "yes", "", "", ""]
    assert words(voice.first_of_instrument, TUNE) == ["yes", "", "yes", "", "", "", ""]
    assert words(voice.entry, TUNE) == ["yes", "", "yes", "", "", "", ""]
    assert words(voice.bass_motion, TUNE) == [
        "",
        "step up",
        "leap down",
        "leap down",
        "unison",
        "leap down",
        "leap down",
    ]
    assert words(voice.top_motion, TUNE) == ["", "step up", "unison", "unison", "leap up", "step down", "step down"]
    assert words(voice.outer_voices, TUNE)[2:] == ["oblique", "oblique", "oblique", *["parallel or similar"] * 2]


def test_only_what_says_so_looks_ahead_and_none_at_other_songs():
    none, one = np.zeros((0, 5), np.int64), TUNE[:1]
    assert_causal(CONCEPTS, [*REAL, TUNE, one])
    assert_songs_apart(CONCEPTS, [*REAL, none, one, TUNE, none])
    assert all(len(concept(Songs.of([], 12))) == 0 for concept in CONCEPTS)
    for concept in (concept for concept in CONCEPTS if concept.leakage == "future"):
        with pytest.raises(AssertionError, match="is not past"):
            assert_causal([dataclasses.replace(concept, leakage="past")], [*REAL, TUNE])


def test_melodic_intervals_are_those_of_the_parts():
    notes, part = parts_of("bwv269")
    songs = Songs.of([notes], 12, metres={"0": [[0, 4, 4]]})
    found = voice.melodic_interval(songs)
    expected = np.full(len(notes), -1)
    for number in range(4):
        mine = np.flatnonzero(part == number)
        steps = np.diff(notes[mine, 2])
        expected[mine[1:]] = np.where(np.abs(steps) <= 12, steps + 12, -1)
    assert (found == expected).mean() > 0.85
    assert (expected >= 0).mean() > 0.9
