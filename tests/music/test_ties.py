"""Ties join written notes of one part and pitch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.music.formats.written import NO_SPELLING
from music_interpret.music.ties import join_ties


def joined(*notes: tuple[int, int, int, int, str]) -> list[tuple[int, int, int]]:
    """(onset, end, pitch) of notes (onset, end, pitch, part, "<", ">" or both for ties)."""
    rows = [(on, end, pitch, NO_SPELLING, part, 0, ">" in tie, "<" in tie) for on, end, pitch, part, tie in notes]
    found = join_ties(np.array(rows, np.int64).reshape(-1, 8))
    return [tuple(row) for row in found[:, :3].tolist()]


def test_a_chain_becomes_one_note() -> None:
    assert joined((0, 4, 60, 0, ">"), (4, 8, 60, 0, "<>"), (8, 9, 60, 0, "<"), (9, 10, 60, 0, "")) == [
        (0, 9, 60),
        (9, 10, 60),
    ]


def test_ties_keep_to_part_pitch_and_time() -> None:
    assert joined((0, 4, 60, 0, ">"), (4, 8, 61, 0, "<")) == [(0, 4, 60), (4, 8, 61)]
    assert joined((0, 4, 60, 0, ">"), (4, 8, 60, 1, "<")) == [(0, 4, 60), (4, 8, 60)]
    assert joined((0, 4, 60, 0, ">"), (5, 8, 60, 0, "<")) == [(0, 4, 60), (5, 8, 60)]
    assert joined((0, 4, 60, 0, ">"), (4, 8, 60, 0, "")) == [(0, 8, 60)]  # one of the two marks is enough
    assert joined((0, 4, 60, 0, ""), (4, 8, 60, 0, "<")) == [(0, 4, 60), (4, 8, 60)]


def test_of_two_notes_the_one_that_a_tie_leads_to_follows() -> None:
    assert joined((0, 4, 60, 0, ">"), (4, 6, 60, 0, ""), (4, 12, 60, 0, "<")) == [(0, 12, 60), (4, 6, 60)]
    both = [(0, 4, 60, 0, ">"), (0, 4, 60, 0, ">"), (4, 6, 60, 0, "<"), (4, 12, 60, 0, "<")]
    assert sorted(joined(*both)) == [(0, 6, 60), (0, 12, 60)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(60, 61), st.integers(0, 1)), max_size=12))
def test_sounding_time_stays(drawn: list[tuple[int, int, int, int]]) -> None:
    """Cutting notes in two and tying the halves changes nothing."""
    whole = [(2 * on, 2 * (on + size), pitch, part, "") for on, size, pitch, part in drawn]
    cut = [
        half
        for on, end, pitch, part, _ in whole
        for half in ((on, on + 1, pitch, part, ">"), (on + 1, end, pitch, part, "<"))
    ]
    assert sorted(joined(*cut)) == sorted(joined(*whole))
