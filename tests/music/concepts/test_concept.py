"""What a concept is: what the decorator takes, and what a function may give."""

from types import ModuleType

import numpy as np
import pytest

from music_interpret.music.concepts.concept import Concept, Tokens, concept, concepts_of
from music_interpret.music.songs import Songs
from music_interpret.tokens.mmt import MMTScheme
from music_interpret.tokens.mmt_tables import mmt_encoding

SONGS = Songs.of([np.array([[0, 0, 60, 12, 0], [1, 0, 62, 12, 0], [1, 0, 64, 12, 0]])], 12)
NO_SONGS = Songs.of([], 12)


def giving(found: object, **options: object) -> Concept:
    return concept("x", **options)(lambda songs: found)  # type: ignore[arg-type]


def test_the_decorator_makes_a_concept_of_a_function() -> None:
    @concept("register", values=("low", "high"), group="texture", leakage="given", reference="Me 2024", many=True)
    def register(songs: Songs) -> np.ndarray:
        """Above or below
        middle C.
        """
        return (songs.pitch > 60).astype(int)

    assert register.definition == "Above or below middle C."
    assert (register.name, register.group, register.leakage) == ("register", "texture", "given")
    assert (register.reference, register.of, register.many) == ("Me 2024", "note", True)
    assert register.values == ("low", "high") and register.n_values == 2
    assert register.value_name(1) == "register: high"
    assert register(SONGS).tolist() == [0, 1, 1] and register(SONGS).dtype == np.int16


def test_what_is_not_said_is_cautious() -> None:
    """A concept that says nothing of itself is the user's own, may look ahead, and takes a song at a time."""
    bare = giving([True, False, True])
    assert (bare.group, bare.leakage, bare.of, bare.many) == ("own", "future", "note", False)
    assert bare.definition == "" and bare.n_values == 1 and bare.value_name(0) == "x"


@pytest.mark.parametrize("option", ["group", "leakage"])
def test_an_unknown_class_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"concept 'x' has {option} 'secret'; expected one of "):
        giving([], **{option: "secret"})


def test_booleans_are_one_value() -> None:
    assert giving([True, False, True])(SONGS).tolist() == [0, -1, 0]
    assert giving(np.zeros(0, bool))(NO_SONGS).tolist() == []
    assert giving(np.zeros(0, int), values=("a",))(NO_SONGS).tolist() == []


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8])
def test_numbers_are_values(dtype: type) -> None:
    found = giving(np.array([1, 0, 1], dtype), values=("a", "b"))(SONGS)
    assert found.tolist() == [1, 0, 1] and found.dtype == np.int16


@pytest.mark.parametrize(
    ("found", "values", "said"),
    [
        ([True, False], (), r"gave shape \(2,\); expected \(3,\)"),
        ([[1], [0], [1]], ("a", "b"), r"gave shape \(3, 1\)"),
        (True, (), r"gave shape \(\)"),
        ([True, False, True], ("a", "b"), "gave booleans but names values"),
        ([0.0, 1.0, 0.5], ("a", "b"), "gave float64; expected booleans or whole numbers"),
        (["a", "b", "a"], ("a", "b"), "gave <U1"),
        ([0, 2, 1], ("a", "b"), r"gave 2; expected -1 \(none\) to 1"),
        ([0, -2, 1], ("a", "b"), r"gave -2; expected -1 \(none\) to 1"),
        ([0, 1, 0], (), r"gave 1; expected -1 \(none\) to 0"),
    ],
)
def test_anything_else_is_refused(found: object, values: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValueError, match=f"concept 'x' {said}"):
        giving(found, values=values)(SONGS)


def test_of_tokens_there_is_a_value_for_each_token() -> None:
    encoding = MMTScheme.from_json(mmt_encoding(), "x")
    codes = encoding.encode(SONGS.notes)
    first = concept("first", of="token")(lambda tokens: tokens.place == 0)
    assert first(Tokens(codes, np.arange(len(codes)), encoding.kind(codes), encoding.programs(codes))).tolist() == [
        0
    ] + [-1] * (len(codes) - 1)


def test_a_modules_concepts_come_in_the_order_of_its_lines() -> None:
    module = ModuleType("some")
    vars(module).update(second=giving([]), other=3, first=concept("a")(lambda songs: []))
    assert [found.name for found in concepts_of(module)] == ["x", "a"]
