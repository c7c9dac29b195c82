"""Pieces: notes are those of the tokens, lines follow the voices, bar lines follow the metre."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.explorer.pieces import Notes, Piece, Pieces, line_numbers
from music_interpret.features.sequences import sequences_of
from music_interpret.music.concepts.metre import bars
from music_interpret.music.songs import Songs
from music_interpret.music.voices import Voices, voices
from music_interpret.runs.run import open_run
from music_interpret.tokens import sequences as sequences_module


@pytest.fixture
def pieces(labelled):
    activations = open_run("s/e").activations
    return Pieces.of(sequences_of(activations), activations.songs.splits)


def test_notes_are_those_of_the_tokens(pieces):
    encoding = pieces.sequences.scheme
    for song in (0, 7, 39):
        piece = pieces.piece(song)
        notes = encoding.decode(piece.tokens)
        np.testing.assert_array_equal(piece.notes.onset, notes[:, 0] * encoding.resolution + notes[:, 1])
        for column, name in ((2, "pitch"), (3, "duration"), (4, "program")):
            np.testing.assert_array_equal(getattr(piece.notes, name), notes[:, column])
        assert (piece.tokens[piece.notes.token, 0] == 3).all() and len(piece.notes.token) == len(notes)
        assert piece.end == (piece.notes.onset + piece.notes.duration).max()
        assert piece.name == pieces.sequences.names[song] and piece.key == str(song)


def test_lines_follow_the_voices(pieces):
    piece = pieces.piece(5)
    songs = Songs.of([pieces.sequences.scheme.decode(piece.tokens)], pieces.sequences.scheme.resolution)
    found = voices(songs)
    for note, before in enumerate(found.previous.tolist()):
        if before >= 0 and (found.previous[:note] == before).sum() == 0:
            assert piece.notes.voice[note] == piece.notes.voice[before]
    assert sorted(set(piece.notes.voice.tolist())) == list(range(piece.notes.voice.max() + 1))


@given(st.lists(st.integers(-1, 30), max_size=40), st.data())
def test_a_line_holds_each_note_once_and_never_two_that_follow_the_same(raw, data):
    n = len(raw)
    previous = np.array([min(p, i - 1) for i, p in enumerate(raw)], np.int64)
    cut = data.draw(st.integers(0, n))
    previous[cut:] = np.where(previous[cut:] >= cut, previous[cut:], -1)  # two songs
    lines = line_numbers(Voices(previous, previous), np.array([0, cut, n]))
    for start, stop in ((0, cut), (cut, n)):
        assert set(lines[start:stop].tolist()) == set(range(len(set(lines[start:stop].tolist()))))
    for note in range(n):
        if (before := previous[note]) >= 0:
            first = int(np.flatnonzero(previous == before)[0])
            assert (lines[note] == lines[before]) == (note == first)


def test_bar_lines_are_where_bars_begin(pieces):
    for song in range(0, 40, 7):
        piece = pieces.piece(song)
        notes = Songs.of(
            [pieces.sequences.scheme.decode(piece.tokens)],
            pieces.sequences.scheme.resolution,
            names=[piece.name],
            metres=pieces.sequences.metres,
        )
        found = bars(notes)
        lines, numbers = piece.bar_lines(0, piece.end)
        for start, number in set(zip((notes.onset - found.step).tolist(), found.number.tolist(), strict=True)):
            if start >= 0:
                assert lines[numbers == number].tolist() == [start]
        assert (np.diff(lines) > 0).all()


def nothing(stretches: list[tuple[int, int]], numbers: list[tuple[int, int]] = ()) -> Piece:
    empty = np.zeros(0, np.int32)
    notes = Notes(empty, empty, empty, empty, empty, empty, empty)
    return Piece("0", "", "train", np.zeros((2, 6), np.int16), notes, np.array(stretches), False, numbers)


@pytest.mark.parametrize(
    ("stretches", "start", "end", "lines", "numbers"),
    [
        ([(0, 48)], 0, 100, [0, 48, 96], [1, 2, 3]),
        ([(0, 48)], 50, 100, [96], [3]),
        ([(-36, 48)], 0, 70, [12, 60], [1, 2]),
        ([(12, 48)], 0, 70, [12, 60], [1, 2]),
        ([(0, 48), (96, 36)], 40, 140, [48, 96, 132], [2, 3, 4]),
        ([(0, 48), (60, 36)], 0, 100, [0, 48, 60, 96], [1, 2, 3, 4]),
        ([(0, 48)], 10, 20, [], []),
    ],
)
def test_bar_lines(stretches, start, end, lines, numbers):
    found, counted = nothing(stretches).bar_lines(start, end)
    assert (found.tolist(), counted.tolist()) == (lines, numbers)


@pytest.mark.parametrize(
    ("stretches", "stated", "start", "numbers"),
    [
        ([(0, 48)], [(0, 1)], 0, [1, 2, 3, 4, 5]),
        ([(-36, 48)], [(-36, 0)], 0, [1, 2, 3, 4]),
        ([(-36, 48)], [(-36, 1)], 0, [2, 3, 4, 5]),  # an edition that numbers its upbeat 1
        ([(0, 48)], [(0, 21)], 50, [23, 24, 25]),  # an excerpt
        ([(0, 48)], [(0, 1), (96, 2)], 0, [1, 2, 2, 3, 4]),  # a second ending with the first one's number
        ([(0, 48)], [(96, 10)], 0, [8, 9, 10, 11, 12]),  # bars without a number before
        ([(0, 48), (60, 36)], [(0, 5), (60, 9)], 0, [5, 6, 9, 10, 11, 12]),
    ],
)
def test_bar_numbers_are_the_editions(stretches, stated, start, numbers):
    assert nothing(stretches, stated).bar_lines(start, 200)[1].tolist() == numbers


def test_sets_in_parts_are_the_same_as_whole(pieces, monkeypatch):
    assert pieces.sequences.first_token[-1] < sequences_module.CHUNK_TOKENS
    monkeypatch.setattr(sequences_module, "CHUNK_TOKENS", 700)
    parts = Pieces.of(pieces.sequences, pieces.splits)
    for one, other in zip((*pieces.notes, *pieces[3:-1]), (*parts.notes, *parts[3:-1]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert parts.numbers == pieces.numbers
