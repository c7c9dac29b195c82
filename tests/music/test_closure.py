"""Cadences and phrases of made phrases, and that the likeliest of near ones counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.music.closure import CADENCES, N_SIGNS, closure, peaks, signs
from music_interpret.music.concepts import form
from music_interpret.music.songs import Songs

METRES = {str(i): [[0, 4, 4]] for i in range(9)}
# Four-part chords from the bass up.
TONIC, SIXTH, SUBDOMINANT = (48, 64, 67, 72), (52, 60, 67, 72), (53, 60, 69, 72)
SIX_FOUR, DOMINANT, SEVENTH = (55, 64, 67, 72), (55, 62, 67, 71), (55, 62, 65, 71)
CLOSE = (48, 60, 64, 72)
HALF = (*[TONIC, SIXTH, SUBDOMINANT, TONIC], SUBDOMINANT, SIXTH, DOMINANT)
PERFECT = (*[TONIC, SIXTH, SUBDOMINANT, TONIC], SUBDOMINANT, SEVENTH, CLOSE)
"""A chord on each beat, the last on the third beat of the second bar, held for two."""


def period(*phrases: tuple[tuple[int, ...], ...], up: int = 0) -> Songs:
    rows = [
        [8 * number + beat, 0, pitch + up, 24 if beat == 6 else 12, 52]
        for number, phrase in enumerate(phrases)
        for beat, chord in enumerate(phrase)
        for pitch in chord
    ]
    return Songs.of([np.array(rows)], 12, metres=METRES)


def on_beats(songs: Songs, values: np.ndarray) -> dict[int, str]:
    return {int(beat): CADENCES[value] for beat, value in zip(songs.beat, values, strict=True) if value >= 0}


@pytest.mark.parametrize("up", [0, 3, -5])
def test_a_period_has_a_half_cadence_and_a_perfect_one(up: int) -> None:
    songs = period(HALF, PERFECT, HALF, PERFECT, up=up)
    expected = {6: "half", 14: "perfect authentic", 22: "half", 30: "perfect authentic"}
    assert on_beats(songs, form.cadence(songs)) == expected
    ends = np.unique(songs.beat[form.phrase_end(songs) == 0])
    # Experts set an end where the last chord arrives, or where the next phrase begins at once.
    assert len(ends) == 4 and np.all(np.isin(ends - list(expected), (0, 2)))
    assert {0, 8, 16, 24} <= set(songs.beat[form.phrase_start(songs) == 0].tolist())


def test_chords_that_pass_are_no_cadences() -> None:
    songs = period((TONIC, SEVENTH, TONIC, SUBDOMINANT, TONIC, SEVENTH, SIXTH))
    inside = songs.beat < 6
    assert form.cadence(songs)[inside].max() == form.phrase_end(songs)[inside].max() == -1


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=30))
def test_of_near_scores_the_largest_or_the_first_counts(steps: list[tuple[int, int]]) -> None:
    time, scores = np.cumsum([step for step, _ in steps]), np.array([score for _, score in steps], np.float32)
    expected = [
        all(
            scores[j] < scores[i] or (j > i and scores[j] == scores[i])
            for j in range(len(scores))
            if j != i and abs(time[i] - time[j]) <= 5
        )
        for i in range(len(scores))
    ]
    assert peaks(scores, time.astype(np.int64), 5).tolist() == expected


def test_signs_have_their_number_also_without_notes() -> None:
    assert signs(period(HALF)).shape == (7, N_SIGNS)
    none = Songs.of([np.zeros((0, 5), np.int64)], 12, metres=METRES)
    assert signs(none).shape == (0, N_SIGNS)
    assert [len(part) for part in closure(none)] == [0, 0, 0]


def test_a_song_is_read_alike_alone_and_among_others() -> None:
    one, other = period(HALF, PERFECT).notes, period(PERFECT, up=2).notes
    together = Songs.of([one, other, one], 12, metres=METRES)
    alone = [signs(Songs.of([notes], 12, metres=METRES)) for notes in (one, other, one)]
    assert np.array_equal(signs(together), np.concatenate(alone))
