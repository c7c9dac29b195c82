"""Motifs against plain dictionaries, phrases against the formula and against folk songs with phrase marks."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from music21 import corpus

from music_interpret.music.motifs import NO_INTERVAL, followers, motifs, occurrences
from music_interpret.music.phrases import boundary_strength, phrases
from music_interpret.music.songs import Songs
from music_interpret.music.voices import voices

SCORES = Path(__file__).parents[1] / "fixtures" / "scores"
with np.load(SCORES / "corpus.npz") as corpus_notes, np.load(SCORES / "golden.npz") as golden:
    names = ("music21/omr/k525short.mid", "music21/midi/testPrimitive/test09.mid", "random_480.mid")
    REAL = [*corpus_notes.values(), *(golden[name][:900] for name in names)]
METRE = {str(i): [[0, 4, 4]] for i in range(100)}
NONE = np.zeros((0, 5), np.int64)
ONE = np.array([[0, 5, 60, 12, 0]])


def line(*pitches_and_steps: tuple[int, int], program: int = 0) -> np.ndarray:
    """Notes of one voice, each (pitch, steps to the next)."""
    onset = np.cumsum([0, *(steps for _, steps in pitches_and_steps)])[:-1]
    return np.array([[at // 12, at % 12, p, s, program] for at, (p, s) in zip(onset, pitches_and_steps, strict=True)])


def grams_by_hand(songs: Songs, previous: np.ndarray, n: int) -> list[tuple[tuple[int, int], ...] | None]:
    found: list[tuple[tuple[int, int], ...] | None] = []
    for i in range(len(songs)):
        gram: list[tuple[int, int]] = []
        at = i
        while previous[at] >= 0 and len(gram) < n:
            before = previous[at]
            gram.append((int(songs.pitch[at] - songs.pitch[before]), int(songs.onset[at] - songs.onset[before])))
            at = before
        found.append(tuple(gram) if len(gram) == n else None)
    return found


@pytest.mark.parametrize("notes", REAL, ids=lambda notes: f"{len(notes)} notes")
def test_motifs_are_those_of_dictionaries(notes: np.ndarray) -> None:
    songs = Songs.of([notes], 12, metres=METRE)
    previous, found = songs.once(voices).previous, songs.once(motifs)
    onset, pitch = songs.onset.tolist(), songs.pitch.tolist()
    step = grams_by_hand(songs, previous, 1)
    follows: dict[int, int] = {}
    for i, before in enumerate(previous.tolist()):
        follows.setdefault(before, i)
    steps, exact = [0] * len(songs), [False] * len(songs)
    for n in (2, 3, 4):
        came: dict[object, list[int]] = {}
        for i, gram in enumerate(grams_by_hand(songs, previous, n)):
            earlier = [j for j in came.get(gram, []) if onset[j] < onset[i]] if gram else []
            if earlier:
                steps[i], exact[i] = n, any(pitch[j] == pitch[i] for j in earlier)
            came.setdefault(gram, []).append(i)
    assert found.steps.tolist() == steps
    assert found.exact.tolist() == exact

    two = grams_by_hand(songs, previous, 2)
    continues, predicted = [-1] * len(songs), [NO_INTERVAL] * len(songs)
    for i in range(len(songs)):
        p = previous[i]
        if p >= 0 and two[p]:
            copies = [j for j in range(i) if two[j] == two[p] and onset[j] < onset[p]]
            if copies and follows.get(copies[-1], i) < i:
                continues[i] = int(step[follows[copies[-1]]] == step[i])
        copies = [j for j in range(i) if two[i] and two[j] == two[i] and onset[j] < onset[i]]
        if copies and follows.get(copies[-1], i + 1) <= i:
            then = step[follows[copies[-1]]]
            assert then
            predicted[i] = then[0][0]
    assert found.continues.tolist() == continues
    assert found.next_interval.tolist() == predicted


def test_a_sequence_is_a_transposed_copy_and_goes_on_or_not() -> None:
    motif = [(0, 6), (2, 6), (4, 12)]
    notes = line(*[(60 + base + p, s) for base in (0, 5, 0) for p, s in motif], (70, 12))
    found = Songs.of([notes], 12, metres=METRE).once(motifs)
    assert found.steps.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 2, 0]
    assert found.exact.tolist() == [False] * 8 + [True, False]
    # After the motif came a step up by a semitone, then one down by nine, then one up by six.
    assert found.next_interval.tolist() == [NO_INTERVAL] * 5 + [1] + [NO_INTERVAL] * 2 + [-9, NO_INTERVAL]
    assert found.continues.tolist() == [-1] * 6 + [0] + [-1] * 2 + [0]
    again = Songs.of([line((60, 6), (62, 6), (64, 6), (65, 6), (50, 12), (52, 6))], 12, metres=METRE)
    assert again.once(motifs).steps.tolist() == [0] * 6
    repeated = Songs.of([line(*[(60, 12)] * 7)], 12, metres=METRE).once(motifs)
    assert repeated.steps.tolist() == [0, 0, 0, 2, 3, 4, 4]
    assert repeated.continues.tolist() == [-1, -1, -1, -1, 1, 1, 1]


def test_other_songs_and_parallel_voices_are_no_copies() -> None:
    tune = line((60, 6), (62, 6), (64, 6), (65, 12))
    songs = Songs.of([tune, NONE, ONE, tune], 12, metres=METRE)
    assert not songs.once(motifs).steps.any()
    doubled = np.concatenate([tune, line((72, 6), (74, 6), (76, 6), (77, 12), program=40)])
    both = Songs.of([np.unique(doubled, axis=0)], 12, metres=METRE)
    assert not both.once(motifs).steps.any()
    for songs in (Songs.of([], 12), Songs.of([NONE], 12, metres=METRE)):
        assert all(len(field) == 0 for field in songs.once(motifs))


def test_occurrences_and_followers() -> None:
    found = occurrences(np.array([7, 3, 7, -1, 7, 3, -1, 7]), np.array([0, 0, 1, 1, 2, 2, 2, 2]))
    assert found.number.tolist() == [1, 0, 1, -1, 1, 0, -1, 1]
    assert found.earlier.tolist() == [-1, -1, 0, -1, 2, 1, -1, 2]
    assert followers(np.array([-1, 0, 0, 1])).tolist() == [1, 3, -1, -1]


def strength_by_hand(pitch: list[int], onset: list[int], end: list[int]) -> list[float]:
    """Cambouropoulos's formula, note by note."""
    total = [0.0] * len(pitch)
    for weight, profile in (
        (0.25, [abs(b - a) for a, b in zip(pitch, pitch[1:], strict=False)]),
        (0.5, [b - a for a, b in zip(onset, onset[1:], strict=False)]),
        (0.25, [max(b - a, 0) for a, b in zip(end, onset[1:], strict=False)]),
    ):
        change = [abs(b - a) / (a + b) if a + b else 0.0 for a, b in zip(profile, profile[1:], strict=False)] + [0.0]
        strengths = [0.0] + [profile[k] * (change[k - 1] + change[k]) for k in range(1, len(profile))]
        for k in range(len(profile)):
            total[k + 1] += weight * strengths[k] / (max(strengths) or 1)
    return total


@pytest.mark.parametrize("notes", [*REAL, ONE, REAL[0][:2], REAL[0][:3]], ids=lambda notes: f"{len(notes)} notes")
def test_boundaries_are_those_of_the_formula(notes: np.ndarray) -> None:
    songs = Songs.of([ONE, notes, REAL[1]], 12, metres=METRE)
    found = songs.once(phrases)
    groups = slice(1, 1 + int(songs.group[len(notes)]))
    top = songs.group_first[1:][groups] - 1
    right = strength_by_hand(songs.pitch[top].tolist(), songs.onset[top].tolist(), songs.end[top].tolist())
    assert np.allclose(found.strength[groups], right)
    right = [0.0, *right, 0.0]
    peaks = [right[k] >= 0.35 and right[k - 1] < right[k] >= right[k + 1] for k in range(1, len(right) - 1)]
    assert found.start[groups].tolist() == [True, *peaks[1:]]
    assert found.end[groups].tolist() == [*peaks[1:], True]


def folk_songs(file: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pitch, onset and duration of the songs of a file of the Essen collection, and whether a phrase begins: each is
    a line of its own. Accidentals of the key are left out; they change no leap much.
    """
    naturals = dict(zip("CDEFGABcdefgab", (60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79, 81, 83), strict=True))
    songs = []
    for tune in re.split(r"\n(?=X:)", file.read_text(errors="ignore")):
        rows: list[tuple[int, ...]] = []
        starts, at = [], Fraction(0)
        for phrase in tune.split("\n"):
            if re.match(r"[A-Za-z]:|%", phrase):
                continue
            new = True
            for signs, letter, octaves, upper, lower in re.findall(r"([_^=]*)([A-Ga-gz])([,']*)(\d*)(/?\d*)", phrase):
                length = Fraction(int(upper or 1), int(lower[1:] or 2) if lower else 1)
                if letter != "z":
                    shift = signs.count("^") - signs.count("_") + 12 * (octaves.count("'") - octaves.count(","))
                    rows.append((naturals[letter] + shift, int(at * 24), int(length * 24)))
                    starts.append(new)
                    new = False
                at += length
        if sum(starts) > 1:
            songs.append((np.array(rows), np.array(starts)))
    return songs


def test_phrases_of_folk_songs_are_found_about_as_often_as_published() -> None:
    """With pitches, onsets and rests alone, the model finds about half of the marked phrases of the Essen collection,
    much more than chance does (the marks are also of text and metre).
    """
    (file,) = (Path(path) for path in corpus.getComposer("essenFolksong") if Path(path).name == "altdeu10.abc")
    songs = folk_songs(file)
    assert len(songs) > 200
    notes, marked = (np.concatenate(columns) for columns in zip(*songs, strict=True))
    rows = [
        np.stack([onset // 24, onset % 24, pitch, duration, 0 * pitch], axis=1)
        for pitch, onset, duration in (song.T for song, _ in songs)
    ]
    metres = {str(i): [[0, 4, 4]] for i in range(len(rows))}
    all_songs = Songs.of(rows, 24, metres=metres)
    found = all_songs.once(phrases).start
    first = np.zeros(len(notes), bool)
    first[all_songs.first_note[:-1]] = True
    strength = boundary_strength(notes[:, 0], notes[:, 1], notes[:, 2], first)
    assert np.array_equal(strength, all_songs.once(phrases).strength)
    found, marked = found[~first], marked[~first]
    precision, recall = (found & marked).sum() / found.sum(), (found & marked).sum() / marked.sum()
    assert precision > 0.5 > 3 * marked.mean()
    assert recall > 0.4
