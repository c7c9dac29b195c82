"""Concepts of texture: against counting note by note, on made cases, and that none looks ahead."""

from pathlib import Path
from typing import Any

import music21
import numpy as np
import pytest
from music.concepts.causality import assert_causal, assert_songs_apart

from music_interpret.music.concepts import texture
from music_interpret.music.concepts.concept import Concept, concepts_of
from music_interpret.music.score_sources import find_scores
from music_interpret.music.scores import read_works
from music_interpret.music.songs import Songs
from music_interpret.music.sounding import sounding

CONCEPTS = concepts_of(texture)
with np.load(Path(__file__).parents[2] / "fixtures" / "scores" / "corpus.npz") as archive:
    REAL = list(archive.values())
ONE = np.array([[0, 5, 60, 400, 0]])
NONE = np.zeros((0, 5), np.int64)


def busy(seed: int, n: int = 300) -> np.ndarray:
    """Notes at random, with unisons, octaves, long notes, silences and zero durations."""
    random = np.random.default_rng(seed)
    beat = np.sort(random.choice(np.r_[0:30, 50:60, 80], n))
    columns = (beat, random.choice([0, 4, 6], n), random.integers(48, 75, n), random.choice([0, 3, 12, 90], n))
    return np.unique(np.stack([*columns, random.choice([0, 40, 41, 73], n)], axis=1), axis=0)


def named(concept: Concept, songs: Songs) -> list[str]:
    return [concept.values[value] if value >= 0 else "" for value in concept(songs)]


def test_only_what_says_so_looks_ahead_and_none_at_other_songs() -> None:
    assert len(CONCEPTS) == 17
    songs = [*REAL, busy(1), ONE]
    assert_causal(CONCEPTS, songs)
    assert_songs_apart(CONCEPTS, [*songs, NONE, ONE])
    assert all(len(concept(Songs.of([], 12))) == 0 for concept in CONCEPTS)
    with pytest.raises(AssertionError, match="is not past"):
        assert_causal([Concept(**{**vars(texture.polyphony), "leakage": "past"})], songs)


def by_counting(notes: np.ndarray, i: int) -> dict[str, Any]:
    """Everything of one note, from the definitions."""
    rows = [(beat * 12 + step, pitch, max(duration, 1), program) for beat, step, pitch, duration, program in notes]
    onset, pitch, _, program = rows[i]
    sounds = [k for k, (start, _, duration, _) in enumerate(rows) if start <= onset < start + duration]
    so_far = [k for k in sounds if k <= i]
    held = [k for k in sounds if rows[k][0] < onset]
    earlier = [row for row in rows if row[0] < onset]
    found: dict[str, Any] = {"held": len(held), "starting": len(sounds) - len(held)}
    found["started"] = len(so_far) - len(held)
    for name, which in (("so far", so_far), ("all", sounds)):
        pitches = [rows[k][1] for k in which]
        found[f"span {name}"] = max(pitches) - min(pitches)
        found[f"octave {name}"] = any(p % 12 == pitch % 12 and p != pitch for p in pitches)
        found[f"unison {name}"] = any(rows[k][1] == pitch and rows[k][3] != program for k in which)
    found["since"] = onset - max(row[0] for row in earlier) if earlier else -1
    found["rest"] = max(onset - max(row[0] + row[2] for row in earlier), 0) if earlier else -1
    found["instruments"] = len({row[3] for row in rows[: i + 1]})
    found["attacks"] = len({row[0] for row in rows if onset - 24 < row[0] <= onset})
    return found


@pytest.mark.parametrize("notes", [*REAL, busy(2), busy(3, 40), ONE], ids=lambda notes: f"{len(notes)} notes")
def test_counts_are_those_of_counting(notes: np.ndarray) -> None:
    songs = Songs.of([ONE, notes, NONE], 12)
    heard, partners = songs.once(sounding), songs.once(texture.partners)
    gaps, instruments = songs.once(texture.gaps), songs.once(texture.instrument_counts)
    for i in range(len(notes)):
        at = i + 1
        assert by_counting(notes, i) == {
            "held": heard.held_count[at],
            "starting": (heard.count - heard.held_count)[at],
            "started": (heard.count_so_far - heard.held_count)[at],
            "span so far": (heard.highest_so_far - heard.lowest_so_far)[at],
            "span all": (heard.highest - heard.lowest)[at],
            "octave so far": partners.octaves_so_far[at] > 0,
            "octave all": partners.octaves[at] > 0,
            "unison so far": partners.unisons_so_far[at] > 0,
            "unison all": partners.unisons[at] > 0,
            "since": gaps.since_onset[at],
            "rest": gaps.rest[at],
            "instruments": instruments[at],
            "attacks": by_counting(notes, i)["attacks"],
        }, i
    attacks = texture.attacks(songs)[1 : 1 + len(notes)].tolist()
    counted = [by_counting(notes, i)["attacks"] for i in range(len(notes))]
    assert attacks == np.searchsorted(texture.ATTACK_EDGES, counted, side="right").tolist()


@pytest.mark.parametrize("name", ["bach-bwv353", "bach-bwv281"])
def test_polyphony_and_span_are_those_of_music21s_chords(name: str) -> None:
    """`chordify` cuts a score at every onset into what sounds there; of a chorale all notes must agree with it."""
    file = next(score.path for score in find_scores("music21:bach")[0] if score.name == name)
    (work,) = read_works(file, 12, 52)
    songs = Songs.of([work.notes], 12, names=["a"], metres={"a": work.metres})
    score = music21.converter.parse(file)
    chords = {
        round(float(chord.activeSite.offset + chord.offset) * 12): {pitch.midi for pitch in chord.pitches}
        for chord in score.chordify().recurse().getElementsByClass(music21.chord.Chord)
    }
    first = min(chords) // 12 * 12
    heard = songs.once(sounding)
    span = heard.highest - heard.lowest
    for i, onset in enumerate(songs.onset.tolist()):
        pitches = chords[onset + first]
        assert span[i] == max(pitches) - min(pitches)
        assert work.notes[i, 2] in pitches


def test_values_have_the_right_names() -> None:
    notes = np.array(
        [
            [0, 0, 60, 12, 0],
            [0, 0, 72, 12, 40],
            [0, 0, 72, 24, 41],
            [1, 0, 64, 12, 0],
            [2, 6, 65, 12, 0],
            [9, 0, 40, 12, 0],
            [9, 0, 99, 12, 0],
        ]
    )
    songs = Songs.of([notes], 12)
    assert named(texture.starting_so_far, songs) == ["1", "2", "3", "1", "1", "1", "2"]
    assert named(texture.starting, songs) == ["3", "3", "3", "1", "1", "2", "2"]
    assert named(texture.polyphony_so_far, songs) == ["1", "2", "3", "2", "1", "1", "2"]
    assert texture.nothing_held(songs).tolist() == [0, 0, 0, -1, 0, 0, 0]
    assert texture.homophony(songs).tolist() == [0, 0, 0, -1, -1, 0, 0]
    assert texture.octave_doubling_so_far(songs).tolist() == [-1, 0, 0, -1, -1, -1, -1]
    assert texture.octave_doubling(songs).tolist() == [0, 0, 0, -1, -1, -1, -1]
    assert texture.unison_so_far(songs).tolist() == [-1, -1, 0, -1, -1, -1, -1]
    assert texture.unison(songs).tolist() == [-1, 0, 0, -1, -1, -1, -1]
    assert named(texture.rest_before, songs) == ["", "", "", "no rest", "up to an eighth", "longer", "longer"]
    assert named(texture.since_last_onset, songs)[3:6] == ["quarter", "dotted quarter", "longer than a whole"]
    assert named(texture.instruments_so_far, songs) == ["1", "2", "3", "3", "3", "3", "3"]
    assert named(texture.instruments_in_the_song, songs) == ["3"] * 7
    assert named(texture.span_so_far, songs)[:4] == [
        "one pitch",
        "up to an octave",
        "up to an octave",
        "up to an octave",
    ]
    assert named(texture.span, songs)[-1] == "wider"
    assert named(texture.attacks, songs) == ["1", "1", "1", "2", "2", "1", "1"]
