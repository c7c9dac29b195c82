"""Concepts of the token itself, of notes and of all tokens: by hand on a chorale, and on what is odd."""

import dataclasses
from pathlib import Path

import music21
import numpy as np
from music.concepts.causality import assert_causal, assert_songs_apart

from music_interpret.music.concepts import token
from music_interpret.music.concepts.concept import Concept, Tokens, concepts_of
from music_interpret.music.scores import read_works
from music_interpret.music.songs import Songs
from music_interpret.tokens import concepts as of_tokens
from music_interpret.tokens.mmt import MMTScheme
from music_interpret.tokens.mmt_tables import mmt_encoding

ENCODING = MMTScheme.from_json(mmt_encoding(), "x")
OF_NOTES = concepts_of(token)
TYPE = of_tokens.token_type(ENCODING.kinds)
CONCEPTS = [TYPE, of_tokens.instrument, of_tokens.family, of_tokens.place, *OF_NOTES]
CHORALE = Path(music21.__file__).parent / "corpus" / "bach" / "bwv66.6.mxl"
NOTES = read_works(CHORALE, 12, 52)[0].notes
with np.load(Path(__file__).parents[1] / "fixtures" / "scores" / "corpus.npz") as archive:
    REAL = list(archive.values())


def tokens_of(notes: np.ndarray) -> Tokens:
    codes = ENCODING.encode(notes)
    return Tokens(codes, np.arange(len(codes)), ENCODING.kind(codes), ENCODING.programs(codes))


def named(concept: Concept, subject: Songs | Tokens) -> list[str]:
    return [concept.values[value] if value >= 0 else "" for value in concept(subject)]


def notes_of(*rows: tuple[int, int, int, int, int]) -> Songs:
    return Songs.of([np.array(rows)], 12)


def test_they_are_what_the_token_states() -> None:
    assert [concept.name for concept in CONCEPTS] == [
        "type",
        "instrument",
        "instrument family",
        "place in the sequence",
        "pitch",
        "pitch class",
        "octave",
        "duration",
        "position in the beat",
        "beat",
    ]
    assert {concept.leakage for concept in CONCEPTS} == {"given"} and {concept.group for concept in CONCEPTS} == {
        "token"
    }
    assert all(concept.many and concept.definition and concept.reference for concept in CONCEPTS)
    assert_causal(OF_NOTES, [*REAL, NOTES])
    assert_songs_apart(OF_NOTES, [*REAL, np.zeros((0, 5), np.int64)])


def test_the_beginning_of_a_chorale() -> None:
    """bwv66.6: C#5 B4 over E4, A3 B3 and A3 G#3, the A3 of both being one note; then F#3 C#4 F#4 A4."""
    songs = Songs.of([NOTES], 12)
    first = slice(0, 10)
    assert named(token.pitch, songs)[first] == ["A3", "E4", "C♯5", "A♭3", "B3", "B4", "F♯3", "C♯4", "F♯4", "A4"]
    assert named(token.pitch_class, songs)[first] == ["A", "E", "C♯", "A♭", "B", "B", "F♯", "C♯", "F♯", "A"]
    assert named(token.octave, songs)[first] == ["3", "4", "5", "3", "3", "4", "3", "4", "4", "4"]
    assert named(token.beat, songs)[first] == ["0"] * 6 + ["1"] * 4
    assert named(token.position, songs)[first] == ["0"] * 3 + ["6"] * 3 + ["0"] * 4
    assert named(token.duration, songs)[first] == ["eighth", "quarter", *["eighth"] * 4, *["quarter"] * 4]


def test_the_tokens_of_a_chorale() -> None:
    tokens = tokens_of(NOTES)
    n = len(NOTES)
    assert named(TYPE, tokens) == [
        "start-of-song",
        "instrument",
        "start-of-notes",
        *["note"] * n,
        "end-of-song",
    ]
    assert named(of_tokens.instrument, tokens) == ["", "voices", "", *["voices"] * n, ""]
    assert named(of_tokens.family, tokens) == ["", "ensemble", "", *["ensemble"] * n, ""]
    places = named(of_tokens.place, tokens)
    assert places[:9] == ["0", "1", "2", "3", "4-5", "4-5", "6-7", "6-7", "8-11"]
    assert places[11:17] == ["8-11", "12-15", "12-15", "12-15", "12-15", "16-31"]
    assert places[63:65] == ["32-63", "64-127"] and places[127:129] == ["64-127", "128-255"]


def test_pitches_are_those_that_music21_reads_from_their_names() -> None:
    """Octave 4 from middle C on, whatever the spelling."""
    every = notes_of(*((0, 0, number, 12, 0) for number in range(128)))
    read = [
        music21.pitch.Pitch(name.replace("♯", "#").replace("♭", "-")) for name in token.pitch.values if "-" not in name
    ]
    assert [pitch.midi for pitch in read] == list(range(12, 128))
    classes = [
        music21.pitch.Pitch(name.replace("♯", "#").replace("♭", "-")).pitchClass for name in token.pitch_class.values
    ]
    assert [classes[token.pitch_class.values.index(name)] for name in named(token.pitch_class, every)] == [
        number % 12 for number in range(128)
    ]
    assert [int(name) for name in named(token.octave, every)] == [number // 12 - 1 for number in range(128)]


def test_families_and_instruments_are_general_midis() -> None:
    """Eight programs make a family; what MMT does not know (here a blown bottle) is no token."""
    songs = {
        0: ("piano", "piano"),
        47: ("timpani", "strings"),
        76: ("", ""),
        40: ("violin", "strings"),
        56: ("trumpet", "brass"),
        73: ("flute", "pipe"),
    }
    assert (
        of_tokens.FAMILIES[56 // 8] == "brass"
        and of_tokens.FAMILIES[-1] == "sound effects"
        and len(of_tokens.FAMILIES) == 16
    )
    for program, (instrument, family) in songs.items():
        tokens = tokens_of(np.array([[0, 0, 60, 12, program]]))
        known = ENCODING.program_codes[program] > 0
        assert set(named(of_tokens.instrument, tokens)) == {"", *([instrument] if known else [])}, program
        assert set(named(of_tokens.family, tokens)) == {"", *([family] if known else [])}, program


def test_durations_go_to_the_next_note_value() -> None:
    """12 steps are a quarter; a note value holds all that is longer than the one before it."""
    steps = {1: "up to a 32nd", 2: "16th", 3: "16th", 4: "dotted 16th", 5: "eighth", 6: "eighth", 8: "dotted eighth"}
    steps |= {
        9: "dotted eighth",
        12: "quarter",
        13: "dotted quarter",
        18: "dotted quarter",
        24: "half",
        36: "dotted half",
    }
    steps |= {48: "whole", 49: "longer than a whole", 10**6: "longer than a whole"}
    assert named(token.duration, notes_of(*((0, 0, 60, n, 0) for n in steps))) == list(steps.values())
    lengths = {"16th": 0.25, "eighth": 0.5, "quarter": 1, "half": 2, "whole": 4}
    assert all(music21.duration.Duration(name).quarterLength == length for name, length in lengths.items())
    for name, length in lengths.items():
        assert named(token.duration, notes_of((0, 0, 60, int(12 * length), 0))) == [name]


def test_what_is_out_of_range_has_no_value() -> None:
    odd = Songs.of([np.array([[255, 23, 60, 1, 0], [256, 24, 60, 1, 0]])], 48)
    assert named(token.beat, odd) == ["255", ""] and named(token.position, odd) == ["23", ""]
    for concept in CONCEPTS:
        empty = tokens_of(np.zeros((0, 5), np.int64)) if concept.of == "token" else Songs.of([], 12)
        assert len(concept(empty)) == (3 if concept.of == "token" else 0)


def test_songs_may_lie_end_to_end() -> None:
    one, other = tokens_of(NOTES), tokens_of(REAL[0])
    both = Tokens(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))
    for concept in CONCEPTS:
        if concept.of == "token":
            assert np.array_equal(concept(both), np.concatenate([concept(one), concept(other)])), concept.name


def test_the_library_begins_with_what_tokens_state() -> None:
    library = of_tokens.library(ENCODING)
    assert [concept.name for concept in library[:10]] == [concept.name for concept in CONCEPTS]
    assert len(library) == 115 and len({concept.name for concept in library}) == 115


def test_what_a_token_does_not_state_of_its_note_is_past() -> None:
    """A scheme whose last token of a note is its duration: pitch is then known from an earlier token."""

    class Split(MMTScheme):
        states = frozenset({"duration"})

    split = Split(**{field.name: getattr(ENCODING, field.name) for field in dataclasses.fields(ENCODING)})
    leakage = {concept.name: concept.leakage for concept in of_tokens.library(split)}
    given = {name for name, value in leakage.items() if value == "given"}
    assert given == {"type", "instrument", "instrument family", "place in the sequence", "duration"}
    assert leakage["pitch"] == leakage["pitch class"] == leakage["beat"] == leakage["position in the beat"] == "past"
    before = {concept.name: concept.leakage for concept in of_tokens.library(ENCODING)}
    assert {name for name in leakage if leakage[name] != before[name]} == {
        "pitch",
        "pitch class",
        "octave",
        "position in the beat",
        "beat",
    }
