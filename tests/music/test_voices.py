"""Voices against the parts of real scores, against their own rules, and on made cases."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from music21 import corpus

from music_interpret.music.songs import Songs
from music_interpret.music.voices import voices


def parts_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Notes of a chorale as if one instrument had them all, and the part of each."""
    rows = set()
    for number, part in enumerate(corpus.parse(f"bach/{name}").parts):
        for note in part.stripTies().flatten().notes:
            onset, duration = round(float(note.offset) * 12), max(round(float(note.quarterLength) * 12), 1)
            rows |= {(onset // 12, onset % 12, pitch.midi, duration, number) for pitch in note.pitches}
    table = np.array(sorted(rows))
    return np.column_stack([table[:, :4], np.full(len(table), 52)]), table[:, 4]


def of_one(notes: np.ndarray) -> Songs:
    return Songs.of([notes], 12, metres={"0": [[0, 4, 4]]})


def test_most_notes_follow_their_own_part():
    right, links = 0, 0
    for name in ("bwv66.6", "bwv269", "bwv26.6", "bwv254", "bwv255", "bwv256"):
        notes, part = parts_of(name)
        previous = voices(of_one(notes)).previous
        linked = previous >= 0
        assert linked.mean() > 0.95
        own_before = np.full(len(notes), -1)
        for number in range(part.max() + 1):
            mine = np.flatnonzero(part == number)
            own_before[mine[1:]] = mine[:-1]
        right, links = right + (previous == own_before)[linked].sum(), links + linked.sum()
        apart = notes.copy()
        apart[:, 4] = 40 + part  # an instrument each: nothing to find out
        order = np.lexsort((apart[:, 4], apart[:, 3], apart[:, 2], apart[:, 1], apart[:, 0]))
        of_parts = voices(of_one(apart[order])).previous
        own = of_parts >= 0
        assert (part[order][of_parts[own]] == part[order][own]).all()
    assert right / links > 0.9


@given(st.lists(st.tuples(*(st.integers(0, m) for m in (12, 2, 12, 3, 1))), min_size=1, max_size=40))
def test_a_note_follows_an_earlier_one_of_its_instrument_and_shares_it_with_none_of_its_onset(rows):
    table = np.unique(np.array(rows) * [1, 4, 1, 6, 1] + [0, 0, 60, 0, 40], axis=0)
    songs = of_one(table)
    found = voices(songs)
    linked = np.flatnonzero(found.previous >= 0)
    before = found.previous[linked]
    assert (songs.onset[before] < songs.onset[linked]).all() and (songs.program[before] == songs.program[linked]).all()
    ends = songs.onset + np.maximum(songs.duration, 1)
    assert (ends[before] <= songs.onset[linked]).all()
    assert np.array_equal(found.rest[linked], songs.onset[linked] - ends[before])
    pairs = np.stack([songs.group[linked], before], axis=1)
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert (found.rest[found.previous < 0] == -1).all()


def test_made_cases():
    assert len(voices(of_one(np.zeros((0, 5), int))).previous) == 0
    assert voices(of_one(np.array([[0, 0, 60, 12, 0]]))).previous.tolist() == [-1]
    # Two voices, the upper one rests for a beat; then four bars of silence end both.
    notes = np.array([[0, 0, 50, 12, 0], [0, 0, 70, 12, 0], [1, 0, 52, 12, 0], [2, 0, 53, 12, 0], [2, 0, 72, 12, 0]])
    later = np.array([[20, 0, 60, 12, 0]])
    found = voices(of_one(np.concatenate([notes, later])))
    assert found.previous.tolist() == [-1, -1, 0, 2, -1, -1]  # what ended last stands before what ended earlier
