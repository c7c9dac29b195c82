"""Which songs are near-duplicates: on real chorales, on copies that were changed in one way each, and on figures."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from music21 import corpus

from music_interpret.music.duplicate_groups import Duplicate
from music_interpret.music.duplicates import LEAST_NOTES, find_duplicates
from music_interpret.music.notes import DURATION, PITCH, PROGRAM, sort_notes
from music_interpret.music.reader_process import Limits
from music_interpret.music.score_readers import read_scores
from music_interpret.music.shingles import events_of, overlap

RESOLUTION = 12
MEMORY = 2**28
DEGREES = np.array([0, 2, 4, 5, 7, 9, 11])


def notes_of(onset: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Notes of a song that starts anywhere, quavers on the piano."""
    ones = np.ones(len(onset), np.int64)
    return sort_notes(np.stack([onset // RESOLUTION, onset % RESOLUTION, pitch, 6 * ones, 0 * ones], axis=1))


def onsets(notes: np.ndarray) -> np.ndarray:
    return notes[:, 0] * RESOLUTION + notes[:, 1]


def melody(seed: int, n_notes: int = 120) -> np.ndarray:
    """A tune of steps and leaps in C major, in crotchets, quavers and dotted quavers."""
    rng = np.random.default_rng(seed)
    degree = np.clip(np.cumsum(rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 4], n_notes)), -7, 14)
    onset = np.cumsum(rng.choice([3, 6, 6, 9, 12], n_notes))
    return notes_of(onset, 60 + 12 * (degree // 7) + DEGREES[degree % 7])


def four_voices(seed: int) -> np.ndarray:
    """Four tunes at once, an octave or so apart."""
    voices = [melody(10 * seed + voice) + [0, 0, 12 * voice - 24, 0, 0] for voice in range(4)]
    return sort_notes(np.concatenate(voices))


def found(folder: Path, songs: dict[str, np.ndarray], memory: int = MEMORY) -> list[Duplicate]:
    (folder / "notes").mkdir(exist_ok=True)
    for name, notes in songs.items():
        np.save(folder / "notes" / f"{name}.npy", notes)
    rows = find_duplicates(folder, list(songs), RESOLUTION, memory)
    assert {path.name for path in folder.iterdir()} == {"notes"}  # temporary files are gone
    return rows


def transposed(notes: np.ndarray) -> np.ndarray:
    return notes + [0, 0, 5, 0, 0]


def later(notes: np.ndarray) -> np.ndarray:
    return notes_of(onsets(notes) + 42, notes[:, PITCH])


def on_other_instruments(notes: np.ndarray) -> np.ndarray:
    changed = notes.copy()
    changed[:, PROGRAM] = 40 + notes[:, PITCH] % 3
    changed[:, DURATION] = 1
    return changed


def doubled_by_a_flute(notes: np.ndarray) -> np.ndarray:
    return sort_notes(np.concatenate([notes, notes * [1, 1, 1, 1, 0] + [0, 0, 0, 0, 73]]))


def in_longer_notes(notes: np.ndarray) -> np.ndarray:
    return notes_of(2 * onsets(notes), notes[:, PITCH])


def with_notes_changed(notes: np.ndarray, count: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    changed = notes.copy()
    changed[rng.permutation(len(notes))[:count], PITCH] += rng.choice([-2, -1, 1, 2], count)
    return sort_notes(changed)


def with_a_quarter_changed(notes: np.ndarray) -> np.ndarray:
    return with_notes_changed(notes, len(notes) // 4)


def with_a_bar_more(notes: np.ndarray) -> np.ndarray:
    onset = onsets(notes)
    return notes_of(onset + 48 * (onset > np.median(onset)), notes[:, PITCH])


def with_its_repeats_written_out(notes: np.ndarray) -> np.ndarray:
    onset = onsets(notes)
    half, length = 48 * (int(onset.max()) // 96), 48 * (int(onset.max()) // 48 + 1)
    starts = [
        onset[onset < half],
        onset[onset < half] + half,
        onset[onset >= half] + half,
        onset[onset >= half] + length,
    ]
    parts = [notes[onset < half, PITCH]] * 2 + [notes[onset >= half, PITCH]] * 2
    return notes_of(np.concatenate(starts), np.concatenate(parts))


def its_first_half(notes: np.ndarray) -> np.ndarray:
    return notes[: len(notes) // 2]


CHANGES = [
    transposed,
    later,
    on_other_instruments,
    doubled_by_a_flute,
    in_longer_notes,
    with_a_quarter_changed,
    with_a_bar_more,
    with_its_repeats_written_out,
    its_first_half,
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("song", [melody, four_voices])
def test_a_changed_copy_is_a_near_duplicate(
    tmp_path: Path, song: Callable[[int], np.ndarray], change: Callable[[np.ndarray], np.ndarray]
) -> None:
    songs = {f"other {seed}": song(seed) for seed in range(2, 8)} | {"b": change(song(1)), "a": song(1)}
    rows = found(tmp_path, songs)
    assert [(row.group, row.song, row.nearest) for row in rows] == [("a", "a", "b"), ("a", "b", "a")]
    same = change in (transposed, later, on_other_instruments, doubled_by_a_flute)
    assert rows[0].exact == rows[1].exact == same
    quarter = change is with_a_quarter_changed
    assert 0.65 <= rows[0].notes <= 0.75 if quarter else rows[0].notes >= 0.95
    assert rows[0].shingles == 1 if same else rows[0].shingles > (0.05 if quarter else 0.8)


@pytest.mark.parametrize("voice", range(4))
def test_a_voice_may_be_missing(tmp_path: Path, voice: int) -> None:
    """Also of voices that share their rhythm, of which no eight notes in a row are left."""
    tunes = [melody(seed) for seed in range(4)]
    chords = [notes_of(onsets(tunes[0]), tune[:, PITCH] + 12 * i - 24) for i, tune in enumerate(tunes)]
    fewer = sort_notes(np.concatenate(chords[:voice] + chords[voice + 1 :]))
    rows = found(tmp_path, {"four": sort_notes(np.concatenate(chords)), "three": fewer, "other": four_voices(9)})
    assert [row.song for row in rows] == ["four", "three"] and rows[0].notes == 1


def figures(kind: str, seed: int) -> np.ndarray:
    """Thirty-two bars of eight quavers in C major, each a figure that music is full of, on any degree."""
    rng = np.random.default_rng(seed)
    up, alberti = np.arange(8), np.array([0, 4, 2, 4, 0, 4, 2, 4])
    bars = {
        "scales": [up, -up],
        "Alberti basses": [alberti],
        "repeated notes": [np.zeros(8, int)],
        "all": [up, -up, alberti, np.zeros(8, int), np.array([0, 1] * 4), np.array([0, 2, 4, 7, 4, 2, 0, 2])],
    }[kind]
    degree = np.concatenate([bars[rng.integers(len(bars))] + rng.integers(-3, 6) for _ in range(32)])
    return notes_of(6 * np.arange(len(degree)), 60 + 12 * (degree // 7) + DEGREES[degree % 7])


@pytest.mark.parametrize("kind", ["scales", "Alberti basses", "repeated notes", "all"])
def test_common_figures_do_not_make_near_duplicates(tmp_path: Path, kind: str) -> None:
    songs = {str(seed): figures(kind, seed) for seed in range(30)}
    shingles = [overlap(*(events_of(songs[name], RESOLUTION) for name in pair)).shingles for pair in pairwise(songs)]
    assert np.median(shingles) > 0.05  # where songs usually have nothing in common
    assert found(tmp_path, songs) == []


def test_chorales_that_bach_used_twice(tmp_path: Path) -> None:
    names = ["bwv117.4", "bwv177.4", "bwv398", "bwv197.7-a", "bwv66.6", "bwv4.8"]
    paths = [Path(corpus.getWork(f"bach/{name}")) for name in names]
    answers = dict(read_scores(paths, RESOLUTION, None, 1, Limits(600, 2**33, 2**29)))
    songs = {name: answers[i].works[0][0] for i, name in enumerate(names)}
    rows = found(tmp_path, songs)
    assert [(row.group, row.song) for row in rows] == [
        ("bwv117.4", "bwv117.4"),
        ("bwv117.4", "bwv177.4"),
        ("bwv197.7-a", "bwv197.7-a"),
        ("bwv197.7-a", "bwv398"),
    ]
    assert rows[0].notes == pytest.approx(0.9, abs=0.02) and not rows[0].exact
    assert rows[2].notes == 1


def test_what_is_near_a_near_duplicate_is_in_its_group(tmp_path: Path) -> None:
    """And each song is beside the one that it has most in common with."""
    song = melody(1, 200)
    changed = with_notes_changed(song, 40, seed=1)
    further = with_notes_changed(changed, 60, seed=2)
    one, other = events_of(song, RESOLUTION), events_of(further, RESOLUTION)
    assert overlap(one, other).notes < LEAST_NOTES
    songs = {"a": further, "b": changed, "c": song, "d": melody(2), "e": transposed(melody(2))}
    rows = found(tmp_path, songs)
    assert [(row.group, row.song, row.nearest) for row in rows] == [
        ("a", "a", "b"),
        ("a", "b", "c"),
        ("a", "c", "b"),
        ("d", "d", "e"),
        ("d", "e", "d"),
    ]


def test_a_piece_with_many_copies_is_one_group(tmp_path: Path) -> None:
    """More than a hash may have before it counts as a common figure."""
    songs = {f"other {seed}": melody(seed) for seed in range(1, 20)}
    songs |= {f"copy {number:02d}": with_notes_changed(melody(0), 8, seed=number) for number in range(60)}
    rows = found(tmp_path, songs)
    assert [row.song for row in rows] == sorted(name for name in songs if name.startswith("copy"))
    assert {row.group for row in rows} == {"copy 00"}


def test_little_memory_and_another_order_change_nothing(tmp_path: Path) -> None:
    songs = {f"{seed}": melody(seed) for seed in range(60)}
    songs |= {f"{seed} again": CHANGES[seed % len(CHANGES)](melody(seed)) for seed in range(0, 60, 3)}
    rows = found(tmp_path, songs)
    assert len(rows) >= 38
    assert found(tmp_path, songs, memory=1) == rows
    assert find_duplicates(tmp_path, sorted(songs, reverse=True), RESOLUTION, MEMORY) == rows


@pytest.mark.parametrize("n_notes", [1, 7, 8])
def test_the_shortest_songs(tmp_path: Path, n_notes: int) -> None:
    """Songs without a shingle, or with one, are near-duplicates if they are the same."""
    songs = {"a": melody(1, n_notes), "b": transposed(melody(1, n_notes)), "c": melody(2, n_notes + 1)}
    assert [(row.song, row.exact) for row in found(tmp_path, songs)] == [("a", True), ("b", True)]
    assert found(tmp_path, {"a": songs["a"]}) == []
    assert find_duplicates(tmp_path, [], RESOLUTION, MEMORY) == []


SONGS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 100)), min_size=9, max_size=60).map(
    lambda rows: notes_of(*np.array(rows).T)
)


@settings(max_examples=60)
@given(SONGS, st.integers(0, 27), st.integers(0, 500), st.integers(1, 3))
def test_key_start_and_tempo_do_not_count(song: np.ndarray, up: int, delay: int, times: int) -> None:
    moved = notes_of(times * onsets(song) + delay, song[:, PITCH] + up)
    one, other = events_of(song, RESOLUTION), events_of(moved, RESOLUTION)
    assert np.array_equal(one.sketch(), other.sketch())
    assert (one.identity() == other.identity()) == (times == 1 or one.onset.max() == 0)
    if len(one.shingle):
        assert overlap(one, other) == (1, 1)


@settings(max_examples=60)
@given(SONGS, SONGS)
def test_neither_song_comes_first(one: np.ndarray, other: np.ndarray) -> None:
    both = np.concatenate([one, other + [300, 0, 0, 0, 0]])
    for pair in ((one, other), (one, both), (other, both)):
        first, second = (events_of(notes, RESOLUTION) for notes in pair)
        assert overlap(first, second) == overlap(second, first)
        assert 0 <= overlap(first, second).notes <= 1 and 0 <= overlap(first, second).shingles <= 1
