"""Concepts of metre: against music21 on real scores, on made cases, and that none looks ahead."""

from pathlib import Path

import music21
import numpy as np
import pytest
from music.concepts.causality import assert_causal, assert_songs_apart

from music_interpret.music.concepts import metre
from music_interpret.music.concepts.concept import Concept, concepts_of
from music_interpret.music.score_sources import find_scores
from music_interpret.music.scores import read_works
from music_interpret.music.songs import Songs

CONCEPTS = concepts_of(metre)
with np.load(Path(__file__).parents[2] / "fixtures" / "scores" / "corpus.npz") as archive:
    REAL = list(archive.values())
ONE = np.array([[0, 5, 60, 400, 0]])
NONE = np.zeros((0, 5), np.int64)


def song(notes: list[tuple[int, int]], stretches: list[list[int]], resolution: int = 12) -> Songs:
    """Notes (onset in steps, duration) in these metres."""
    rows = [[onset // resolution, onset % resolution, 60, duration, 0] for onset, duration in notes]
    return Songs.of([np.array(rows).reshape(-1, 5)], resolution, names=["a"], metres={"a": stretches})


def named(concept: Concept, songs: Songs) -> list[str]:
    return [concept.values[value] if value >= 0 else "" for value in concept(songs)]


def test_nothing_looks_ahead_or_at_other_songs() -> None:
    assert len(CONCEPTS) == 11
    assert {concept.leakage for concept in CONCEPTS} == {"past"}
    assert_causal(CONCEPTS, [*REAL, ONE])
    assert_songs_apart(CONCEPTS, [*REAL, ONE, NONE])
    assert all(len(concept(Songs.of([], 12))) == 0 for concept in CONCEPTS)


@pytest.mark.parametrize(
    ("name", "different"),
    {
        "bach-bwv1.6": 0,
        "bach-bwv11.6": 0,
        "bach-bwv103.6": 0,
        "trecento-Fava_Dicant_nunc_iudei": 0,
        "mozart:k545-movement1_exposition": 0,
        "palestrina-Agnus": 0,
        "ryansMammoth-AcaciaReel": 3,
    }.items(),
)
def test_beats_are_music21s(name: str, different: int) -> None:
    """Beat, downbeat, last beat, beat or offbeat and metre of every note, with upbeats, 6/8, 4/2 and a change of metre.

    Different is a bar that a double bar divides: for music21 its second half is a bar of its own or counts in the new
    metre, for us the bar goes on.
    """
    corpus, _, piece = name.partition(":")
    scores, program = find_scores(f"music21:{corpus if piece else name.partition('-')[0]}")
    file = next(score.path for score in scores if score.name == (piece or name))
    (work,) = read_works(file, 12, program)
    notes, metres = work.notes, work.metres
    songs = Songs.of([notes], 12, names=["a"], metres={"a": metres})
    score = music21.converter.parse(file)
    first = min(float(note.getOffsetInHierarchy(score)) for note in score.recurse().notes) // 1
    theirs = {}
    for note in score.recurse().notes:
        if note.duration.isGrace:
            continue
        onset = round((float(note.getOffsetInHierarchy(score)) - first) * 12)
        context = note.getContextByClass(music21.meter.TimeSignature)
        for pitch in note.pitches:
            theirs[onset, pitch.midi] = (
                int(note.beat) - 1,
                note.beat == int(note.beat),
                note.beat == 1,
                note.beat == context.beatCount,
                context.ratioString,
            )
    names = named(metre.metre, songs)
    ours = zip(
        metre.beat_of_the_bar(songs).tolist(),
        (metre.on_the_beat(songs) == 0).tolist(),
        (metre.downbeat(songs) == 0).tolist(),
        (metre.last_beat_of_the_bar(songs) == 0).tolist(),
        names,
        strict=True,
    )
    keys = zip(songs.onset.tolist(), songs.pitch.tolist(), strict=True)
    agree = [theirs[key] == mine for key, mine in zip(keys, ours, strict=True)]
    assert len(agree) > 100
    assert agree.count(False) == different


def test_strengths_in_the_metres() -> None:
    cases = {
        (4, 4): {0: 0, 24: 1, 12: 2, 36: 2, 6: 3, 3: 4, 45: 4, 4: 5, 8: 5, 1: 6, 2: 6, 10: 6},
        (3, 4): {0: 0, 12: 2, 24: 2, 6: 3, 18: 3, 3: 4},
        (2, 4): {0: 0, 12: 1, 6: 3},
        (2, 2): {0: 0, 24: 1, 12: 3, 6: 4, 8: 5, 3: 6},
        (6, 8): {0: 0, 18: 1, 6: 3, 24: 3, 3: 4, 9: 4, 12: 3, 4: 6},
        (12, 8): {0: 0, 36: 1, 18: 2, 54: 2, 6: 3},
        (9, 8): {0: 0, 18: 2, 36: 2, 6: 3},
        (3, 8): {0: 0, 6: 2, 12: 2, 3: 3, 2: 5, 1: 6},
        (3, 2): {0: 0, 24: 2, 48: 2, 12: 3, 36: 3, 6: 4},
        (5, 4): {0: 0, 12: 2, 48: 2, 30: 3},
        (7, 8): {0: 0, 6: 2, 36: 2},
    }
    for (upper, lower), strengths in cases.items():
        songs = song([(step, 1) for step in sorted(strengths)], [[0, upper, lower]])
        assert metre.metrical_strength(songs).tolist() == [strengths[s] for s in sorted(strengths)], (upper, lower)


def test_strength_where_a_sixteenth_is_no_whole_step() -> None:
    assert metre.metrical_strength(song([(0, 1), (1, 1), (3, 1)], [[0, 3, 8]], 6)).tolist() == [0, 5, 2]


@pytest.mark.parametrize(
    ("onset", "duration", "signature", "syncopated"),
    [
        (0, 400, (4, 4), False),  # starts on the strongest place
        (12, 12, (4, 4), False),
        (12, 13, (4, 4), True),  # through the half bar
        (24, 24, (4, 4), False),
        (36, 13, (4, 4), True),  # over the barline
        (6, 12, (4, 4), True),
        (3, 6, (4, 4), True),
        (3, 3, (4, 4), False),
        (4, 8, (4, 4), False),  # a triplet
        (8, 5, (4, 4), True),
        (2, 2, (4, 4), False),  # a sextuplet
        (12, 24, (3, 4), False),  # beats 2 and 3 are equal
        (12, 25, (3, 4), True),
        (6, 12, (6, 8), False),
        (12, 12, (6, 8), True),  # over the second dotted quarter
        (12, 24, (2, 2), True),
    ],
)
def test_syncopation(onset: int, duration: int, signature: tuple[int, int], syncopated: bool) -> None:
    songs = song([(onset, duration)], [[0, *signature]])
    assert (metre.syncopation(songs)[0] == 0) == syncopated


def test_an_upbeat_and_numbers_of_bars_through_a_change() -> None:
    # A quarter's upbeat, two bars of 4/4, one of 3/4 that is cut after a beat, and 3/4 again.
    songs = song([(0, 12), (12, 48), (60, 60), (108, 13), (120, 12)], [[-36, 4, 4], [108, 3, 4], [120, 3, 4]])
    assert metre.upbeat(songs).tolist() == [0, -1, -1, -1, -1]
    assert named(metre.bar_parity, songs) == ["even", "odd", "even", "odd", "even"]
    assert metre.held_over_the_barline(songs).tolist() == [-1, -1, 0, 0, -1]
    assert named(metre.beat_of_the_bar, songs) == ["4", "1", "1", "1", "1"]
    assert metre.last_beat_of_the_bar(songs).tolist() == [0, -1, -1, -1, -1]
    assert named(metre.kind_of_metre, songs) == ["simple quadruple"] * 3 + ["simple triple"] * 2


def test_a_short_rest_at_the_downbeat_is_no_upbeat_and_a_late_stretch_counts_back() -> None:
    assert metre.upbeat(song([(6, 6), (12, 6)], [[0, 4, 4]])).tolist() == [-1, -1]
    songs = song([(0, 6), (12, 6), (48, 6)], [[60, 4, 4]])  # bars begin at 12
    assert metre.downbeat(songs).tolist() == [-1, 0, -1]
    assert named(metre.bar_parity, songs) == ["even", "odd", "odd"]


def test_rare_metres() -> None:
    songs = song([(0, 6), (78, 6)], [[0, 14, 8]])
    assert named(metre.metre, songs) == ["other", "other"]
    assert named(metre.kind_of_metre, songs) == ["other", "other"]
    assert named(metre.beat_of_the_bar, songs) == ["1", ""]
    assert named(metre.kind_of_metre, song([(0, 6)], [[0, 6, 8]])) == ["compound duple"]
