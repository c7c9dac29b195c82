"""Estimated spelling against scores that music21 carries; `benchmarks/spelling.py` has the figures of whole corpora."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from music21 import corpus

from music_interpret.music.songs import Songs
from music_interpret.music.spelling import name_fifths
from music_interpret.music.spelling_estimation import spell, spelled


def scored(name):
    """Notes of a score, and their own names."""
    rows = {}
    for element in corpus.parse(name).flatten().notes:
        for pitch in element.pitches:
            beat, position = divmod(round(element.offset * 12), 12)
            key = (beat, position, pitch.midi, max(round(element.quarterLength * 12), 1), 0)
            rows[key] = name_fifths(pitch.name.replace("-", "♭").replace("#", "♯"))
    return np.array(sorted(rows)), np.array([rows[key] for key in sorted(rows)])


@pytest.mark.parametrize("name", ["bach/bwv66.6", "bach/bwv227.11", "bach/bwv26.6", "monteverdi/madrigal.3.1"])
def test_scores_are_spelled_as_they_are(name):
    notes, own = scored(name)
    assert np.mean(spell(notes, 12) == own) > 0.98


@pytest.mark.parametrize(("tonic", "first"), [(0, 0), (1, -5), (3, -3), (4, 4), (8, -4), (9, 3), (10, -2), (11, 5)])
def test_major_scales_have_each_letter_once(tonic, first):
    pitches = 60 + tonic + np.array([0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0])
    notes = np.stack([np.arange(11), 0 * pitches, pitches, 0 * pitches + 12, 0 * pitches], 1)
    assert spell(notes, 12).tolist() == (first + np.array([0, 2, 4, -1, 1, 3, 5, 0, 1, 4, 0])).tolist()


rows = st.tuples(st.integers(0, 40), st.integers(0, 11), st.integers(0, 127), st.integers(1, 48), st.just(0))
arrays = st.lists(rows, max_size=40).map(lambda r: np.array(sorted(set(r)), np.int64).reshape(-1, 5))
songs = st.lists(arrays, max_size=4)


@given(songs)
def test_every_note_has_a_name_of_its_pitch_whatever_songs_are_beside_it(notes):
    metres = {str(i): [[0, 4, 4]] for i in range(len(notes))}
    found = spelled(Songs.of(notes, 12, metres=metres))
    assert found.dtype == np.int8 and len(found) == sum(map(len, notes))
    assert not ((found.astype(int) * 7 - np.concatenate([np.zeros((0, 5), int), *notes])[:, 2]) % 12).any()
    alone = [spell(song, 12) for song in notes]
    np.testing.assert_array_equal(found, np.concatenate([np.zeros(0, np.int8), *alone]))
