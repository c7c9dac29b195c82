"""Concepts of form: bars against plain sets, hand-made songs, and that none looks ahead that does not say so."""

from pathlib import Path

import numpy as np
import pytest
from music.concepts.causality import METRE, assert_causal, assert_songs_apart

from music_interpret.music.concepts import form
from music_interpret.music.concepts.concept import Concept, concepts_of
from music_interpret.music.concepts.metre import bars
from music_interpret.music.songs import Songs

CONCEPTS = concepts_of(form)
SCORES = Path(__file__).parents[2] / "fixtures" / "scores"
with np.load(SCORES / "corpus.npz") as corpus_notes, np.load(SCORES / "golden.npz") as golden:
    names = ("music21/omr/k525short.mid", "music21/midi/testPrimitive/test09.mid", "random_480.mid")
    REAL = [*corpus_notes.values(), *(golden[name][:700] for name in names)]
ONE = np.array([[0, 5, 60, 400, 0]])
NONE = np.zeros((0, 5), np.int64)
PAST = {
    "distance from the start",
    "long note",
    "longest note so far",
    "repeated bar so far",
    "motif copy",
    "kind of motif copy",
    "continued copy",
    "predicted motion",
    "after a long wait",
}


def at(*rows: tuple[int, int, int]) -> np.ndarray:
    """Notes (onset, pitch, duration) in steps, 12 a beat."""
    return np.array([(onset // 12, onset % 12, pitch, duration, 0) for onset, pitch, duration in rows])


def named(concept: Concept, songs: Songs) -> list[str]:
    return [concept.values[value] if value >= 0 else "" for value in concept(songs)]


def yes(concept: Concept, songs: Songs) -> list[int]:
    """Notes that have it."""
    return np.flatnonzero(concept(songs) == 0).tolist()


def varied(seed: int, n: int = 300) -> np.ndarray:
    """Notes at random of few pitches and onsets, so that bars repeat: unisons, silences and zero durations."""
    random = np.random.default_rng(seed)
    beat = np.sort(random.choice(np.r_[0:30, 50:60, 80], n))
    columns = (beat, random.choice([0, 6], n), random.choice([60, 64], n), random.choice([0, 3, 12, 90], n))
    return np.unique(np.stack([*columns, random.choice([0, 40], n)], axis=1), axis=0)


def test_only_what_says_so_looks_ahead_and_none_at_other_songs() -> None:
    assert {concept.name for concept in CONCEPTS if concept.leakage == "past"} == PAST
    assert len(CONCEPTS) == len(PAST) + 6
    songs = [*REAL, varied(1), varied(2, 40), ONE]
    assert_causal(CONCEPTS, songs)
    assert_songs_apart(CONCEPTS, [*songs, NONE, ONE, REAL[0]])
    for future in (form.repeated_bar, form.phrase_start, form.final_chord, form.distance_from_end, form.phrase_end):
        with pytest.raises(AssertionError, match="is not past"):
            assert_causal([Concept(**{**vars(future), "leakage": "past"})], songs)


def test_no_songs_and_songs_of_few_notes() -> None:
    for songs in (Songs.of([], 12), Songs.of([NONE, NONE], 12, metres=METRE)):
        assert all(len(concept(songs)) == 0 for concept in CONCEPTS)
    found = {concept.name: concept(Songs.of([NONE, ONE], 12, metres=METRE)).tolist() for concept in CONCEPTS}
    there = {name for name, values in found.items() if values == [0]}
    assert there == {"distance from the start", "distance from the end", "final chord", "phrase start", "phrase end"}
    assert all(values == [-1] for name, values in found.items() if name not in there)
    two = Songs.of([ONE[[0, 0]] + np.array([[0, 0, 0, 0, 0], [0, 0, 0, 0, 3]])], 12, metres=METRE)
    assert yes(form.final_chord, two) == yes(form.phrase_start, two) == [0, 1]
    assert yes(form.repeated_bar, two) == yes(form.repeated_bar_so_far, two) == []


@pytest.mark.parametrize("notes", [*REAL, varied(3), varied(4), ONE], ids=lambda notes: f"{len(notes)} notes")
@pytest.mark.parametrize("metre", [[[0, 4, 4]], [[-12, 2, 4], [48, 3, 4], [84, 1, 4]], [[0, 1, 8]]])
def test_bars_repeat_as_plain_sets_do(notes: np.ndarray, metre: list[list[int]]) -> None:
    songs = Songs.of([ONE, notes, notes], 12, metres={"0": metre, "1": metre, "2": metre})
    place, size = songs.once(bars), len(notes)
    so_far, whole = form.repeated_bar_so_far(songs) == 0, form.repeated_bar(songs) == 0
    assert np.array_equal(so_far[1 : 1 + size], so_far[1 + size :])
    number, step = place.number[1 : 1 + size].tolist(), place.step[1 : 1 + size].tolist()
    pitch = notes[:, 2].tolist()
    contents: dict[int, set[tuple[int, int]]] = {}
    for bar, *item in zip(number, step, pitch, strict=True):
        contents.setdefault(bar, set()).add((item[0], item[1]))
    for i, bar in enumerate(number):
        upto = {item for item in contents[bar] if item <= (step[i], pitch[i])}
        earlier = [content for other, content in contents.items() if other < bar]
        right = any({item for item in content if item <= (step[i], pitch[i])} == upto for content in earlier)
        assert so_far[1 + i] == right, i
        assert whole[1 + i] == (contents[bar] in earlier), i


def test_the_data_has_repeated_bars_and_motifs() -> None:
    songs = Songs.of(REAL, 12, metres=METRE)
    for concept in (form.repeated_bar_so_far, form.repeated_bar, form.motif_copy, form.continued_copy):
        assert np.bincount(concept(songs) + 1, minlength=concept.n_values + 1).min() > 50, concept.name


def test_distances_count_bars_from_the_first_to_the_last_onset() -> None:
    rows = at((36, 60, 12), (48, 60, 12), (60, 60, 400), (96, 60, 12), (48 * 5, 60, 12), (48 * 9, 60, 12))
    songs = Songs.of([rows, rows], 12, metres=METRE, complete=np.array([True, False]))
    # The first note is an upbeat.
    assert named(form.distance_from_start, songs) == ["0", "0", "0", "1", "4-7", "8-15"] * 2
    assert named(form.distance_from_end, songs) == ["8-15", "8-15", "8-15", "4-7", "4-7", "0"] + [""] * 6
    assert yes(form.final_chord, songs) == [5]
    far = at(*((48 * bar, 60, 12) for bar in range(80)))
    names = named(form.distance_from_start, Songs.of([far], 12, metres=METRE))
    assert (
        names
        == ["0", "1", "2", "3", *["4-7"] * 4, *["8-15"] * 8, *["16-31"] * 16, *["32-63"] * 32] + ["64 or more"] * 16
    )
    assert named(form.distance_from_end, Songs.of([far], 12, metres=METRE)) == names[::-1]


def test_long_notes_are_longer_than_those_before() -> None:
    durations = [6, 6, 12, 16, 40, 6, 40, 41, 0]
    rows = at(*((12 * i, 60, duration) for i, duration in enumerate(durations)))
    songs = Songs.of([rows, rows], 12, metres=METRE)
    means = [np.mean(durations[:i]) for i in range(1, len(durations))]
    long = [i for i, mean in enumerate(means, 1) if durations[i] >= 2 * mean]
    assert long == [2, 3, 4, 6, 7]
    assert yes(form.long_note, songs) == [*long, *(9 + i for i in long)]
    assert yes(form.longest_so_far, songs) == [2, 3, 4, 7, 11, 12, 13, 16]
    zeros = at((0, 60, 0), (12, 60, 0), (24, 60, 3))
    assert yes(form.long_note, Songs.of([zeros], 12, metres=METRE)) == [2]


def test_a_long_wait_is_measured_against_the_waits_before() -> None:
    onsets = [0, 6, 6, 12, 24, 30, 60, 66]
    rows = at(*((onset, 60 + i, 1) for i, onset in enumerate(onsets)))
    songs = Songs.of([rows, ONE, rows], 12, metres=METRE)
    assert yes(form.after_long_wait, songs) == [4, 6, 13, 15]


def test_a_repeated_tune_in_another_key() -> None:
    tune = [(0, 60, 12), (12, 62, 12), (24, 64, 12), (36, 60, 12), (48, 64, 12), (60, 66, 12), (72, 68, 12)]
    # The second bar is the first one four semitones higher.
    end = ((84, 64, 12), (96, 60, 12), (108, 62, 12), (120, 64, 12), (132, 65, 12))
    songs = Songs.of([at(*tune, *end)], 12, metres=METRE)
    assert named(form.motif_copy, songs)[6:] == ["2 steps", "3 steps", "", "", "2 steps", ""]
    assert named(form.kind_of_motif_copy, songs)[6:] == ["transposed", "transposed", "", "", "exact", ""]
    assert named(form.continued_copy, songs)[6:] == ["", "continued", "broken", "", "", "broken"]
    assert named(form.predicted_motion, songs)[6:] == ["leap down", "leap up", "", "", "leap down", ""]
    assert yes(form.repeated_bar_so_far, songs) == [8, 9, 10]
    assert yes(form.repeated_bar, songs) == []
    twice = Songs.of([at(*tune[:4], *((onset + 48, pitch, 9) for onset, pitch, _ in tune[:4]))], 12, metres=METRE)
    assert yes(form.repeated_bar, twice) == [4, 5, 6, 7]


def test_phrases_of_a_single_line_begin_after_long_notes_and_rests() -> None:
    rows = []
    for phrase in range(4):
        rows += [(96 * phrase + 12 * i, 60 + p, 12) for i, p in enumerate((0, 2, 4, 5, 4, 2))]
    line = at(*rows)
    songs = Songs.of([line], 12, metres=METRE)
    starts = [i for i, onset in enumerate(songs.onset.tolist()) if onset % 96 == 0]
    assert yes(form.phrase_start, songs) == starts
    assert yes(form.phrase_end, songs) == [i for i, onset in enumerate(songs.onset.tolist()) if onset % 96 == 60]
    # The last phrase of a song that is cut off may go on.
    cut = Songs.of([line], 12, metres=METRE, complete=np.array([False]))
    assert yes(form.phrase_end, cut) == yes(form.phrase_end, songs)[:-1]
