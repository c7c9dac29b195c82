from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pytest

from music_interpret import config
from music_interpret.config import CheckedConfig, Fraction, option, positional
from music_interpret.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Example(CheckedConfig):
    """An example.

    With a second paragraph.
    """

    name: str = positional()
    """A name, 100 % needed."""
    layers: tuple[int, ...]
    """Layers."""
    rate: Fraction = 0.5
    """A rate
    over two lines."""
    limit: int | None = None
    """A limit."""
    kind: Literal["a", "b"] = "a"
    """A kind."""
    bias: bool = True
    """On by default."""
    big_one: bool = False
    """Off by default."""
    output: str = option(short="-o", default="here")
    """Has a short form."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"low": {"rate": 0.1, "kind": "b"}}


def parse(*words):
    return config.parse(Example, list(words), "example")


def test_defaults():
    assert parse("x", "--layers", "1") == Example(name="x", layers=(1,))


def test_every_kind_of_field():
    given = parse(
        *["x", "--layers", "1", "2", "3", "--rate", "2e-3", "--limit", "7", "--kind", "b", "--no-bias", "--big-one"]
    )
    assert given == Example(name="x", layers=(1, 2, 3), rate=0.002, limit=7, kind="b", bias=False, big_one=True)
    assert parse(*["x", "--layers", "1", "--big_one"]).big_one


def test_a_short_form_is_the_same_option():
    for words in (["-o", "there"], ["--output", "there"]):
        assert parse("x", "--layers", "1", *words) == Example(name="x", layers=(1,), output="there")
    assert parse("x", "--layers", "1").output == "here"
    assert "-o, --output" in " ".join(config.parser_of(Example, "example").format_help().replace(" OUTPUT", "").split())


def test_presets_change_defaults_and_options_win():
    assert parse(*["x", "--layers", "1", "--preset", "low"]) == Example(name="x", layers=(1,), rate=0.1, kind="b")
    assert parse(*["x", "--layers", "1", "--preset", "low", "--rate", "0.9"]).rate == 0.9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("x", "required: --layers"),
        ("--layers 1", "required: name|--layers"),
        ("x --layers 1 --rate fast", "--rate: invalid float value: 'fast'"),
        ("x --layers 1 --kind c", "invalid choice: 'c'"),
        ("x --layers 1 --rat 1", "unrecognized arguments: --rat"),  # no guessing
        ("x --layers 1 --preset high", "invalid choice: 'high'"),
    ],
)
def test_wrong_words_are_named(words, message):
    with pytest.raises(InputError, match=message):
        parse(*words.split())


def test_help_is_made_of_the_docstrings(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    out = " ".join(capsys.readouterr().out.split())
    assert "With a second paragraph." in out and "A name, 100 % needed." in out
    assert "A rate over two lines. (0 to 1; default: 0.5)" in out and "--layers LAYERS [LAYERS ...]" in out


def test_as_dict_is_plain():
    assert config.as_dict(Example(name="x", layers=(1, 2)))["layers"] == [1, 2]
