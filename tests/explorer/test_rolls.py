"""Rolls show what sounds; excerpts hold their token; a line can be left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.errors import InputError
from music_interpret.explorer.audio import rows_of, sound_of
from music_interpret.explorer.pieces import Notes, Piece, Pieces
from music_interpret.explorer.rolls import SongValues, excerpt, roll, window, without_line
from music_interpret.music.notes import sort_notes
from music_interpret.tokens.mmt import MMTScheme
from music_interpret.tokens.mmt_tables import mmt_encoding
from music_interpret.tokens.sequences import Sequences

ENCODING = MMTScheme.from_json(mmt_encoding(), "")


def piece_of(notes: np.ndarray) -> Piece:
    codes = ENCODING.encode(sort_notes(np.asarray(notes, np.int64).reshape(-1, 5)))
    sequences = Sequences(codes, np.array([0, len(codes)]), ["a"], np.array([True]), ENCODING, {"a": [[0, 4, 4]]})
    return Pieces.of(sequences, np.array(["test"])).piece(0)


notes_arrays = st.lists(
    st.tuples(
        st.integers(0, 20), st.integers(0, 11), st.integers(20, 100), st.integers(1, 48), st.sampled_from([0, 40, 52])
    ),
    min_size=1,
    max_size=30,
    unique=True,
).map(np.array)


@given(notes_arrays, st.data())
def test_any_token_has_an_excerpt_that_holds_it(notes, data):
    piece = piece_of(notes)
    token = data.draw(st.integers(0, len(piece.tokens) - 1))
    shown = excerpt(piece, ENCODING, SongValues(np.array([token]), np.array([2.5], np.float32)), token)
    drawn = shown["roll"]
    assert 0 <= drawn["start"] < drawn["end"]
    assert shown["value"] == 2.5 and drawn["tokens"] == len(piece.tokens)
    if shown["note"] is None:
        assert piece.tokens[token, 0] != 3 and [other["token"] for other in shown["others"]] == [token]
        assert shown["sound_without"] is None
    else:
        assert drawn["notes"]["token"][shown["note"]] == token and shown["values"][shown["note"]] == 2.5
        assert drawn["start"] <= drawn["notes"]["onset"][shown["note"]] < drawn["end"]
    assert (np.diff(drawn["bars"]) > 0).all()
    programs = {lane["program"] for lane in drawn["lanes"]}
    assert programs == {drawn["lanes"][lane]["program"] for lane in drawn["notes"]["lane"].tolist()}


@given(notes_arrays, st.integers(0, 200), st.integers(1, 200))
def test_a_roll_has_every_note_that_sounds_in_it(notes, start, length):
    piece = piece_of(notes)
    drawn, inside = roll(piece, ENCODING, start, start + length)
    onset, end = piece.notes.onset, piece.notes.onset + piece.notes.duration
    expected = [i for i in range(len(onset)) if onset[i] < start + length and end[i] > start]
    assert inside.tolist() == expected
    assert drawn["notes"]["pitch"].tolist() == piece.notes.pitch[expected].tolist()


def test_windows_end_at_bar_lines():
    piece = piece_of([[beat, 0, 60, 12, 0] for beat in range(40)])
    assert window(piece, 20 * 12, 12) == (16 * 12, 24 * 12)
    assert window(piece, 0, 12) == (0, 4 * 12)
    assert window(piece, 39 * 12, 12) == (32 * 12, 40 * 12)


def test_a_line_is_left_out():
    piece = piece_of([[beat, 0, pitch, 12, 52] for beat in range(8) for pitch in (48, 60, 72)])
    token = int(piece.notes.token[4])
    left = without_line(piece.notes, token)
    assert sorted(set(left.pitch.tolist())) == [48, 72] and len(left.pitch) == 16
    assert without_line(piece.notes, 0) is piece.notes  # start of song


def test_the_sound_is_that_of_the_steps():
    piece = piece_of([[0, 0, 69, 12, 0], [4, 0, 69, 12, 0]])
    np.testing.assert_array_equal(rows_of(piece.notes, 12)[:, :4], [[0, 0, 69, 12], [4, 0, 69, 12]])
    silent = sound_of(piece, 12, 24, 48).samples
    assert np.abs(silent).max() == 0 and np.abs(sound_of(piece, 12, 48, 60).samples).max() > 0.01
    assert len(sound_of(piece, 12, 48, 9999).samples) == len(sound_of(piece, 12, 48, 60).samples)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (6, 5), (999, 1000)])
def test_steps_that_are_not_there(start, end):
    with pytest.raises(InputError, match="not in this piece"):
        sound_of(piece_of([[0, 0, 69, 12, 0]]), 12, start, end)


def test_a_piece_without_notes_is_a_roll_too():
    piece = piece_of(np.zeros((0, 5), int))
    drawn, _ = roll(piece, ENCODING)
    assert drawn["end"] == 0 and len(drawn["notes"]["pitch"]) == 0
    shown = excerpt(piece, ENCODING, SongValues(np.array([0]), np.array([1.0], np.float32)), 0)
    assert shown["note"] is None and shown["roll"]["end"] == 1
    assert isinstance(piece.notes, Notes)
