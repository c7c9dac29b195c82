"""Metres: reading and writing the file, what scores say, and how often estimates are right."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from music_interpret.errors import InputError
from music_interpret.music.metres import Metres, read_metres, write_metres
from music_interpret.music.score_sources import find_scores
from music_interpret.music.scores import read_works

NONE = np.zeros((0, 5), np.int64)


def metres_of(songs: list[np.ndarray], resolution: int = 12, known: dict | None = None) -> Metres:
    names = [str(i) for i in range(len(songs))]
    return Metres.of(names, known or {}, np.concatenate(songs), np.cumsum([0, *map(len, songs)]), resolution)


def melody(steps: list[int], resolution: int = 12) -> np.ndarray:
    """Notes of these durations, one after the other."""
    onsets = np.cumsum([0, *steps[:-1]])
    columns = (onsets // resolution, onsets % resolution, np.full(len(steps), 60), steps, np.zeros(len(steps)))
    return np.stack(columns, axis=1).astype(np.int64)


def test_the_file_comes_back_and_its_absence_is_no_error(tmp_path: Path) -> None:
    assert read_metres(tmp_path) == {}
    metres = {"a": [[-36, 4, 4], [108, 3, 4]], "ü/b": [[0, 6, 8]]}
    write_metres(tmp_path, metres)
    assert read_metres(tmp_path) == metres
    assert (tmp_path / "metres.json").read_text() == '{\n"a": [[-36, 4, 4], [108, 3, 4]],\n"ü/b": [[0, 6, 8]]\n}\n'
    write_metres(tmp_path, {})
    assert read_metres(tmp_path) == {}


@pytest.mark.parametrize(
    "stretches",
    [[], [[0, 4]], [[0, 4, 0]], [[0, 0, 4]], [[0, 4, 4], [0, 3, 4]], [[0.0, 4, 4]], [[True, 4, 4]], "4/4", None, [3]],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, stretches: object) -> None:
    (tmp_path / "metres.json").write_text(json.dumps({"good": [[0, 4, 4]], "bad": stretches}))
    with pytest.raises(InputError, match=r"metres.json: metre of song 'bad' is .*; expected") as caught:
        read_metres(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "{", "\xff"])
def test_a_file_that_is_no_table_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "metres.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"metres.json"):
        read_metres(tmp_path)


def test_known_metres_are_taken_and_others_estimated() -> None:
    waltz = melody([24, 12] * 16)
    found = metres_of([waltz, waltz, NONE], known={"0": [[-12, 2, 4], [84, 6, 8]]})
    assert found.first.tolist() == [0, 2, 3, 4]
    assert found.start.tolist() == [-12, 84, 0, 0]
    assert found.bar_steps.tolist() == [24, 36, 36, 48]
    assert found.estimated.tolist() == [False, True, True]
    assert (found.numerator[2], found.denominator[2]) == (3, 4)


def test_an_estimate_may_have_several_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """They go to the right songs, also with known ones between them."""
    found = np.array([[-12, 3, 4], [96, 4, 4], [0, 6, 8]]), np.array([0, 2, 3])
    monkeypatch.setattr("music_interpret.music.metres.estimate_metres", lambda *_: found)
    song = melody([12] * 20)
    metres = metres_of([song, song, song], known={"1": [[0, 2, 4]]})
    assert metres.first.tolist() == [0, 2, 3, 4]
    assert metres.start.tolist() == [-12, 96, 0, 0]
    assert metres.bar_steps.tolist() == [36, 48, 24, 36]
    assert metres.estimated.tolist() == [True, False, True]


def test_estimates_against_scores_and_apart_from_other_songs() -> None:
    """Twenty songs that the weights were not fitted on, chorales and fiddle tunes; the floors are what is measured."""
    chorales, _ = find_scores("music21:bach")
    tunes, _ = find_scores("music21:ryansMammoth")
    files = chorales[5::40] + tunes[3::104]
    works = [read_works(score.path, 12, 52)[0] for score in files][:20]
    songs = [work.notes for work in works]
    found = metres_of(songs)
    true = np.array([work.metres[0] for work in works])
    bars = true[:, 1] * 48 // true[:, 2]
    first = found.first[:-1]
    length_right = found.bar_steps[first] == bars
    all_right = length_right & ((found.start[first] - true[:, 0]) % bars == 0) & (np.diff(found.first) == 1)
    assert len(songs) == 20
    assert length_right.sum() >= 15
    assert all_right.sum() >= 14
    alone = [metres_of([song]) for song in songs]
    assert [one.start.tolist() for one in alone] == [found.start[a:b].tolist() for a, b in pairwise(found.first)]
    assert np.concatenate([one.bar_steps for one in alone]).tolist() == found.bar_steps.tolist()
    late = [song + [64, 0, 0, 0, 0] for song in songs]  # by sixteen bars of 4/4, or 64/3 of 3/4
    assert ((metres_of(late).start - found.start - 64 * 12) % found.bar_steps == 0).all()
