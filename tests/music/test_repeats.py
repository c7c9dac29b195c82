"""Repeats: bars written as letters, and the order in which they are played."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.music.formats.written import NO_SPELLING, Bar, BrokenScore, Instrument, WrittenNote, WrittenScore
from music_interpret.music.repeats import played_out, played_sections


def bars_of(text: str) -> list[Bar]:
    """Bars of four ticks from words: a letter, with marks around it such as |:A or B:| or 1B:|3x or A<coda."""
    bars = []
    for i, word in enumerate(text.split()):
        body, _, marks = word.partition("<")
        letters = [c for c in body if c.isalpha()]
        endings = body[: body.index(letters[0])].lstrip("|:")
        bars.append(
            Bar(
                start=4 * i,
                end=4 * i + 4,
                repeat_from=body.startswith("|:"),
                repeat_times=int(body.partition(":|")[2] or 2) if ":|" in body[1:] else 0,
                endings=frozenset(int(n) for n in endings.split(",") if n),
                segno="segno" in marks,
                coda=marks.endswith("coda") and "to" not in marks,
                to_coda="tocoda" in marks,
                fine="fine" in marks,
                jump={"dc": "da capo", "ds": "dal segno"}.get(marks, ""),
            )
        )
    return bars


def played(text: str) -> str:
    words = [next(c for c in word.partition("<")[0] if c.isalpha()) for word in text.split()]
    order = ""
    for first, last in played_sections(bars_of(text)):
        order += "".join(words[first // 4 : last // 4])
    return order


@pytest.mark.parametrize(
    ("written", "order"),
    [
        ("A B C", "ABC"),
        ("A B:|", "ABAB"),
        ("A |:B C:| D", "ABCBCD"),
        ("|:A B:| |:C D:|", "ABABCDCD"),
        ("A B:| C D:|", "ABABCDCD"),  # the second section begins where the first ended
        ("|:A B:|3 C", "ABABABC"),
        ("|:A 1B:| 2C D", "ABACD"),
        ("|:A 1B:| 2C:| D", "ABACD"),  # a sign at the last ending's end says no more
        ("|:A 1B 1C:| 2D E", "ABCADE"),
        ("|:A 1,2B:| 3C D", "ABABACD"),
        ("|:A 1B:| 2C:| 3D E", "ABACADE"),
        ("|:A 1B:| C", "ABAC"),  # a single bracket: the second time goes on without one
        ("|:A 1B:| 2C |:D 1E:| 2F", "ABACDEDF"),
        ("A B<fine C D<dc", "ABCDAB"),
        ("A B<segno C<fine D<ds", "ABCDBC"),
        ("|:A B:|<fine C<dc", "ABABCAB"),
        ("A |:B:| C<dc", "ABBCABC"),  # repeats are not played again after a jump
        ("|:A 1B:| 2C<fine D<dc", "ABACDAC"),
        ("A B<tocoda C D<dc E<coda F", "ABCDABEF"),
        ("A<segno B<tocoda C D<ds E<coda", "ABCDABE"),
        ("A B<tocoda C D<dc", "ABCDABCD"),  # a coda that is nowhere
    ],
)
def test_the_order_of_playing(written: str, order: str) -> None:
    assert played(written) == order


def note(onset: int, end: int, pitch: int = 60, tied_on: bool = False, tied_back: bool = False) -> WrittenNote:
    return WrittenNote(onset, end, pitch, NO_SPELLING, 0, 0, tied_on, tied_back)


def test_notes_and_metres_come_again() -> None:
    bars = [
        dataclasses.replace(bar, metre=metre, number=i + 1)
        for i, (bar, metre) in enumerate(zip(bars_of("A |:B C:| D"), [(4, 4), None, (3, 4), None], strict=True))
    ]
    notes = [note(0, 4), note(5, 6, 62), note(10, 16, 64, tied_on=True), note(12, 16, 65)]
    score = played_out(WrittenScore(ticks=1, notes=notes, instruments=[Instrument()], bars=bars))
    rows = np.asarray(score.notes)[:, :3].tolist()
    assert rows == [[0, 4, 60], [5, 6, 62], [10, 12, 64], [13, 14, 62], [18, 24, 64], [20, 24, 65]]
    assert [(bar.start, bar.end, bar.number, bar.metre) for bar in score.bars] == [
        (0, 4, 1, (4, 4)),
        (4, 8, 2, (4, 4)),
        (8, 12, 3, (3, 4)),
        (12, 16, 2, (4, 4)),
        (16, 20, 3, (3, 4)),
        (20, 24, 4, (3, 4)),
    ]


def test_a_listed_order_comes_before_signs() -> None:
    score = WrittenScore(
        ticks=1, notes=[note(0, 1), note(4, 5, 61)], instruments=[Instrument()], bars=bars_of("A B:|"),
        played=[(4, 8), (0, 4), (4, 8)],
    )  # fmt: skip
    assert np.asarray(played_out(score).notes)[:, :3].tolist() == [[0, 1, 61], [4, 5, 60], [8, 9, 61]]


def test_repeats_that_blow_up_are_refused() -> None:
    score = WrittenScore(ticks=1, notes=[], instruments=[], bars=bars_of("|:A B:|1000000"))
    with pytest.raises(BrokenScore, match="repeats never end"):
        played_out(score)
    score = WrittenScore(ticks=1, notes=[note(0, 1)], instruments=[Instrument()], played=[(0, 8)] * 100)
    with pytest.raises(BrokenScore, match="more than 64 times"):
        played_out(score)


marks = st.tuples(
    st.booleans(), st.sampled_from([0, 0, 0, 2, 3]), st.sampled_from([(), (), (), (1,), (2,), (1, 2), (3,)]),
    st.sampled_from([""] * 6 + ["da capo", "dal segno"]), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip


@given(st.lists(marks, max_size=12))
def test_any_signs_come_to_an_end_or_are_refused(drawn: list) -> None:
    bars = [
        Bar(start=4 * i, end=4 * i + 4, repeat_from=f, repeat_times=t, endings=frozenset(e), jump=j, segno=s, coda=c,
            to_coda=o, fine=n)
        for i, (f, t, e, j, s, c, o, n) in enumerate(drawn)
    ]  # fmt: skip
    try:
        sections = played_sections(bars)
    except BrokenScore:
        return
    assert all(0 <= first < last <= 4 * len(bars) for first, last in sections)
