"""Tables laid over songs: what is in force after a jump, what is left out, and what is said of it."""

from pathlib import Path

import numpy as np
import pytest
from music.concepts.test_expert import CHORALE, CORPUS, Rows, chorale_tables, write_piece

from music_interpret.errors import InputError
from music_interpret.music.annotations import NONE, REPORTED, Annotations
from music_interpret.music.scores import read_works
from music_interpret.music.songs import Songs

OTHER = read_works(CORPUS / "bach" / "bwv66.6.mxl", 12, 52)[0].notes


def read(folder: Path, *names: str) -> Annotations:
    return Annotations.read(folder, names, ["numeral"])


def scale(pitches: range) -> np.ndarray:
    return np.array([[beat, 0, pitch, 12, 0] for beat, pitch in enumerate(pitches)])


def test_a_table_of_another_piece_is_left_out_by_name(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_piece(tmp_path, name, *chorale_tables())
    write_piece(tmp_path, "d", chorale_tables()[0])
    annotations = read(tmp_path, "a", "b", "c", "d")
    half = CHORALE.copy()
    half[half[:, 0] >= 30, 2] += 1
    placed = annotations.placed(Songs.of([CHORALE, OTHER, half, OTHER], 12, names=["a", "b", "c", "d"]))
    annotations.check()
    song = np.repeat(range(4), [len(CHORALE), len(OTHER), len(half), len(OTHER)])
    labelled = [float((placed.label[song == number] != NONE).mean()) for number in range(4)]
    assert labelled[0] == 1 and labelled[1] == 0 and 0.4 < labelled[2] < 0.6 and labelled[3] > 0.9
    assert (placed.note_key[song == 1] == NONE).all() and not (placed.key >> 40 == 1).any()
    rows = annotations.report().splitlines()
    assert rows[0] == "annotations: 3 of 4 tables fit their songs" and len(rows) == 6
    assert rows[2].split(maxsplit=3)[:3] == ["b", "0.0%", "0.0%"]
    assert rows[2].endswith("b.harmonies.tsv is left out: not of this song")
    assert rows[3].split() == ["c", f"{annotations.fits['c'].agreeing:.1%}", f"{labelled[2]:.1%}"]
    assert rows[5].split(maxsplit=3)[:2] == ["d", "–"] and rows[5].endswith("not checked: no table of notes")
    assert rows[4].split() == ["a", "100.0%", "100.0%"]
    assert annotations.as_dicts()[1] == {
        "song": "b",
        "table": "b.harmonies.tsv",
        "agreeing": 0.0,
        "labelled": 0.0,
        "left_out": True,
    }


def test_no_table_that_fits_is_an_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_piece(tmp_path, name, *chorale_tables())
    annotations = read(tmp_path, "a", "b")
    annotations.check()
    annotations.placed(Songs.of([OTHER, OTHER + [0, 0, 2, 0, 0]], 12, names=["a", "b"]))
    with pytest.raises(
        InputError, match=r"no annotation table fits .*\.harmonies\.tsv has 0% of .*; expected 10%"
    ) as said:
        annotations.check()
    assert "\n" not in str(said.value)


def test_many_songs_are_told_in_few_lines(tmp_path: Path) -> None:
    names = [f"{i:02}" for i in range(REPORTED + 5)]
    for name in names:
        write_piece(tmp_path, name, *chorale_tables())
    annotations = read(tmp_path, *names)
    annotations.placed(Songs.of([OTHER, *[CHORALE] * (len(names) - 1)], 12, names=names))
    rows = annotations.report().splitlines()
    assert len(rows) == 2 + 1 + REPORTED + 1 and "00.harmonies.tsv is left out" in rows[2]
    assert rows[-1] == "4 more songs: 100.0% or more of each with a value"


def test_what_was_in_force_before_a_jump_is_not_carried_over_it(tmp_path: Path) -> None:
    """A scale of sixty notes; the song leaves bars out, or plays some twice, in the middle of a label."""
    pitches = range(40, 100)
    notes: Rows = [{"quarterbeats": str(beat), "midi": str(pitch)} for beat, pitch in enumerate(pitches)]
    labels: Rows = [{"quarterbeats": str(beat), "numeral": "I"} for beat in (0, 30, 45)]
    annotations = read(write_piece(tmp_path, "a", labels, notes), "a")

    def label(notes: np.ndarray) -> list[int]:
        return annotations.placed(Songs.of([notes], 12, names=["a"])).label.tolist()

    whole = scale(pitches)
    assert label(whole) == [0] * 30 + [1] * 15 + [2] * 15
    # Beats 20 to 34 are left out: what began in them is not known to hold from beat 35 on.
    without = np.concatenate([whole[:20], whole[35:] - [15, 0, 0, 0, 0]])
    assert label(without) == [0] * 20 + [NONE] * 10 + [2] * 15
    # Left out within one label, which holds on both sides; and with silence in their place.
    without = np.concatenate([whole[:20], whole[25:] - [5, 0, 0, 0, 0]])
    assert label(without) == [0] * 25 + [1] * 15 + [2] * 15
    without = np.concatenate([whole[:20], whole[35:] + [2, 0, 0, 0, 0]])
    assert label(without) == [0] * 20 + [1] * 10 + [2] * 15
    # Beats 10 to 34 are played twice; the second time begins in the middle of the first label.
    twice = np.concatenate([whole[:35], whole[10:] + [25, 0, 0, 0, 0]])
    assert label(twice) == [0] * 30 + [1] * 5 + [NONE] * 20 + [1] * 15 + [2] * 15
