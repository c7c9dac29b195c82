"""Alignment with a table: chorales one after the other as a piece, edited as editions and readers differ."""

import functools
from pathlib import Path

import music21
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_interpret.music.alignment import CHANGE_COST, NOWHERE, Alignment, Record, align
from music_interpret.music.scores import read_works

BACH = Path(music21.__file__).parent / "corpus" / "bach"
RESOLUTION = 12
BEATS = 32
"""Of each chorale."""
FOREIGN = -1
"""The truth of a note that is of another piece."""


@functools.cache
def chorales(*names: str) -> Record:
    """The first beats of chorales one after the other, without the doubled notes of voices in unison."""
    found = []
    for i, name in enumerate(names):
        notes = read_works(BACH / f"{name}.mxl", RESOLUTION, 52)[0].notes
        notes = notes[notes[:, 0] < BEATS]
        found.append(((notes[:, 0] + BEATS * i) * RESOLUTION + notes[:, 1], notes[:, 2]))
    onset, pitch = np.unique(np.concatenate(found, axis=1), axis=1)
    return Record(onset, pitch)


def table() -> Record:
    return chorales("bwv269", "bwv347", "bwv66.6", "bwv104.6")


def played(piece: Record, parts: list[tuple[int, int, int]]) -> tuple[Record, np.ndarray]:
    """Parts of a piece, (first step, last step, silence before it), one after the other, and the truth of each note."""
    onset, pitch, truth, now = [], [], [], 0
    for start, stop, silence in parts:
        now += silence
        here = (piece.onset >= start) & (piece.onset < stop)
        onset.append(piece.onset[here] - start + now)
        pitch.append(piece.pitch[here])
        truth.append(piece.onset[here])
        now += stop - start
    return Record(np.concatenate(onset), np.concatenate(pitch)), np.concatenate(truth)


def beats(*parts: tuple[float, ...]) -> list[tuple[int, int, int]]:
    return [tuple(int(RESOLUTION * beat) for beat in (*part, 0)[:3]) for part in parts]  # type: ignore[misc]


def misplaced(found: Alignment, truth: np.ndarray) -> np.ndarray:
    return found.placed & (found.onset != truth)


EDITS = {
    "as written": beats((0, 128)),
    "begins later": beats((40, 128)),
    "begins with rests": beats((0, 128, 11)),
    "a repeat played out": beats((0, 48), (16, 128)),
    "all played twice": beats((0, 128), (0, 128)),
    "a first ending left out": beats((0, 56), (64, 128)),
    "a half bar too much": beats((0, 62.5), (62.5, 128, 2)),
    "three beats drift and come back": beats((0, 30), (30, 70, 3), (73, 128)),
    "bars missing": beats((0, 20), (24, 60), (64, 100), (108, 128)),
    "sections swapped": beats((64, 128), (0, 64)),
}


@pytest.mark.parametrize("edit", EDITS)
def test_every_note_is_at_its_place(edit: str) -> None:
    song, truth = played(table(), EDITS[edit])
    found = align(song, table(), RESOLUTION)
    # At an edit, a note that the table has on both sides of it may go with either.
    assert misplaced(found, truth).sum() <= 4 * (len(EDITS[edit]) - 1)
    assert found.agrees.mean() >= 0.98 and found.placed.mean() >= 0.98


def test_the_order_of_the_table_does_not_matter() -> None:
    song, _ = played(table(), EDITS["a repeat played out"])
    order = np.random.default_rng(0).permutation(len(table().onset))
    shuffled = Record(table().onset[order], table().pitch[order])
    assert np.array_equal(align(song, shuffled, RESOLUTION).onset, align(song, table(), RESOLUTION).onset)


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 255), min_size=2, max_size=5, unique=True).map(sorted),
    order=st.randoms(use_true_random=False),
    silences=st.lists(st.integers(0, 16), min_size=6, max_size=6),
    spoiled=st.sampled_from([0, 0.1]),
)
def test_edits_put_no_note_where_it_is_not(cuts: list[int], order, silences: list[int], spoiled: float) -> None:
    """Whatever parts, of half beats, are left out, moved or played again, and with wrong notes in between."""
    edges = [0, *cuts, 256]
    parts = [(a * 6, b * 6, 6 * s) for a, b, s in zip(edges, edges[1:], silences, strict=False)]
    parts = [order.choice(parts) if order.random() < 0.3 else part for part in parts]
    song, truth = played(table(), parts)
    if not len(song.onset):
        return
    random = np.random.default_rng(len(truth))
    wrong = random.random(len(truth)) < spoiled
    song = Record(song.onset, np.where(wrong, song.pitch + random.integers(1, 3, len(truth)), song.pitch))
    found = align(song, table(), RESOLUTION)
    assert misplaced(found, truth).sum() <= CHANGE_COST * len(parts)
    # A stretch is placed if its notes outweigh the two changes around it.
    assert (~found.placed).sum() <= 4 * CHANGE_COST * len(parts) + wrong.sum()
    assert not (found.agrees & ~found.placed).any()


def test_a_section_of_another_piece_is_nowhere() -> None:
    other = chorales("bwv248.46-5", "bwv40.8")
    before, truth = played(table(), beats((0, 50)))
    after, truth_after = played(table(), beats((90, 128)))
    foreign, _ = played(other, beats((0, 40)))
    song = Record(
        np.concatenate([before.onset, foreign.onset + 50 * RESOLUTION, after.onset + 90 * RESOLUTION]),
        np.concatenate([before.pitch, foreign.pitch, after.pitch]),
    )
    truth = np.concatenate([truth, np.full(len(foreign.onset), FOREIGN), truth_after])
    found = align(song, table(), RESOLUTION)
    assert (truth == FOREIGN).sum() > 100
    assert misplaced(found, truth).sum() <= 5 and found.placed[truth != FOREIGN].mean() >= 0.98


@pytest.mark.parametrize("semitones", [0, 1])
def test_another_piece_is_nowhere(semitones: int) -> None:
    other = table() if semitones else chorales("bwv248.46-5", "bwv40.8")
    found = align(Record(other.onset, other.pitch + semitones), table(), RESOLUTION)
    assert found.placed.mean() < 0.05


def test_parts_out_of_step_have_no_place() -> None:
    """From a beat on, the upper voices are three beats late: what sounds together is not together in the table."""
    late = (table().pitch >= 62) & (table().onset >= 48 * RESOLUTION)
    onset = table().onset + 3 * RESOLUTION * late
    order = np.argsort(onset, kind="stable")
    found = align(Record(onset[order], table().pitch[order]), table(), RESOLUTION)
    assert 0.2 < late.mean() < 0.6
    assert misplaced(found, table().onset[order]).mean() < 0.03
    early = onset[order] < 40 * RESOLUTION
    assert found.placed[early].all() and found.placed[~early].mean() < 0.15


def test_few_notes() -> None:
    one = Record(np.array([5]), np.array([60]))
    assert align(one, one, RESOLUTION).onset.tolist() == [5]
    assert align(one, Record(np.array([29, 40]), np.array([60, 62])), RESOLUTION).onset.tolist() == [29]
    found = align(one, Record(np.array([5]), np.array([61])), RESOLUTION)
    assert found.onset.tolist() == [NOWHERE] and not found.placed.any() and not found.agrees.any()
