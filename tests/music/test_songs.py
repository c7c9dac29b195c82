"""Songs laid end to end: every view against a plain loop, one song cut out again, and analyses kept."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.music.notes import sort_notes
from music_interpret.music.songs import APART_BEATS, Songs

with np.load(Path(__file__).parents[1] / "fixtures" / "scores" / "corpus.npz") as archive:
    REAL = list(archive.values())
EMPTY = np.zeros((0, 5), np.int64)
ROW = st.tuples(
    st.integers(0, 40), st.integers(0, 11), st.integers(0, 127), st.integers(1, 100), st.sampled_from([0, 40, 52])
)
SONG = st.lists(ROW, max_size=12).map(lambda rows: sort_notes(np.array(rows, np.int64).reshape(-1, 5)))


@given(st.lists(SONG, max_size=5))
def test_views_are_those_of_each_song(pieces: list[np.ndarray]) -> None:
    songs = Songs.of(pieces, 12)
    assert len(songs) == sum(map(len, pieces)) and songs.n_songs == len(pieces)
    assert songs.song.tolist() == [i for i, piece in enumerate(pieces) for _ in piece]
    assert songs.onset.tolist() == [beat * 12 + step for piece in pieces for beat, step, *_ in piece.tolist()]
    assert songs.end.tolist() == (songs.onset + songs.duration).tolist()
    assert songs.length.tolist() == [int((p[:, 0] * 12 + p[:, 1] + p[:, 3]).max(initial=0)) for p in pieces]
    # A group is a song and an onset; the first of each is its lowest note.
    labels = list(zip(songs.song.tolist(), songs.onset.tolist(), strict=True))
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    assert songs.group.tolist() == [numbers[label] for label in labels]
    assert songs.group_first.tolist() == [labels.index(label) for label in numbers] + [len(labels)]
    lowest = [
        min(p for p, other in zip(songs.pitch.tolist(), labels, strict=True) if other == label) for label in numbers
    ]
    assert songs.pitch[songs.group_first[:-1]].tolist() == lowest


@given(st.lists(SONG, max_size=5))
def test_songs_lie_apart_on_the_time_line(pieces: list[np.ndarray]) -> None:
    songs = Songs.of(pieces, 12)
    assert (np.diff(songs.time) >= 0).all()
    ends = songs.time + songs.duration
    for i in range(songs.n_songs):
        mine, later = songs.song == i, songs.song > i
        if mine.any() and later.any():
            assert songs.time[later].min() - ends[mine].max() >= APART_BEATS * 12
        assert (songs.time[mine] - songs.song_time[i]).tolist() == songs.onset[mine].tolist()


@given(st.lists(SONG, min_size=1, max_size=5), st.data())
def test_one_song_is_as_if_laid_alone(pieces: list[np.ndarray], data: st.DataObject) -> None:
    i = data.draw(st.integers(0, len(pieces) - 1))
    known = {"0": [[0, 3, 4], [36, 4, 4]], "2": [[-12, 6, 8]]}
    complete = np.arange(len(pieces)) % 2 == 0
    songs = Songs.of(pieces, 12, metres=known, complete=complete)
    songs.once(len)
    one, alone = songs.one(i), Songs.of([pieces[i]], 12, names=[str(i)], metres=known)
    assert one.names == (str(i),) and one.complete.tolist() == [i % 2 == 0] and not one._kept
    assert np.array_equal(one.notes, pieces[i]) and one.first_note.tolist() == [0, len(pieces[i])]
    for name in ("song", "onset", "end", "length", "song_time", "time", "group", "group_first"):
        assert np.array_equal(getattr(one, name), getattr(alone, name)), name
    for ours, theirs in zip(one.metres, alone.metres, strict=True):
        assert np.array_equal(ours, theirs)


def test_real_songs_together_and_apart() -> None:
    songs = Songs.of([*REAL, EMPTY], 12)
    assert songs.one(songs.n_songs - 1).group_first.tolist() == [0]
    for i, notes in enumerate(REAL):
        assert np.array_equal(songs.one(i).notes, notes)
        groups = songs.group[songs.song == i]
        assert groups[-1] - groups[0] + 1 == len(np.unique(notes[:, :2], axis=0))


def test_no_songs_and_no_notes() -> None:
    for songs in (Songs.of([], 12), Songs.of([EMPTY, EMPTY], 12)):
        assert len(songs) == 0 and songs.group_first.tolist() == [0]
        assert len(songs.time) == len(songs.group) == len(songs.song) == 0
        assert songs.length.tolist() == [0] * songs.n_songs
    assert Songs.of([EMPTY], 12).names == ("0",) and Songs.of([EMPTY], 12).complete.tolist() == [True]


def test_an_analysis_runs_once() -> None:
    calls = []

    def analysis(songs: Songs) -> int:
        calls.append(songs)
        return len(calls)

    songs, others = Songs.of(REAL[:1], 12), Songs.of(REAL[:1], 12)
    assert [songs.once(analysis), songs.once(analysis), others.once(analysis)] == [1, 1, 2]
    assert calls == [songs, others]


def test_pieces_are_not_changed() -> None:
    piece = REAL[0].copy()
    piece.setflags(write=False)
    songs = Songs.of([piece], 12)
    assert songs.notes is not piece and np.array_equal(songs.notes, piece)
    with pytest.raises(AttributeError):
        songs.resolution = 24  # type: ignore[misc]
