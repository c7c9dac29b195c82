"""Configs: their values checked, from Python and from the command line alike, and an argument parser of their fields.

Each stage is one frozen, keyword-only dataclass with a docstring under every field, and one function that takes it.
This file reads the fields' types, defaults and docstrings, so that an option is written down once. An annotation is
bool, int, float, str or a Literal, in `tuple[…, ...]` for one value or more, and with `| None` where it is optional. It
holds the range too: `Annotated[int, within(0, 7)]`, or one of the names below such as `PositiveInt`.
"""

import argparse
import ast
import dataclasses
import inspect
import math
import numbers
import os
import re
import reprlib
import textwrap
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, NoReturn

from music_interpret import paths
from music_interpret.errors import InputError

LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127


class Rule(NamedTuple):
    """What a value must be besides its type; it stands in an annotation: `Annotated[str, Rule(…)]`."""

    holds: Callable[[Any], bool]
    """Whether a value is accepted."""
    words: str
    """What is accepted, as it is said after "expected"."""


def within(least: float, most: float = math.inf) -> Rule:
    """A range of numbers with both its ends."""
    return Rule(lambda value: least <= value <= most, f"{least} or more" if most == math.inf else f"{least} to {most}")


def above(limit: float) -> Rule:
    """All numbers larger than one."""
    return Rule(lambda value: value > limit, f"a number above {limit}")


def matching(pattern: str, words: str) -> Rule:
    """Text that a regular expression matches as a whole."""
    return Rule(lambda value: re.fullmatch(pattern, value) is not None, words)


PositiveInt = Annotated[int, within(1)]
NonNegativeInt = Annotated[int, within(0)]
PositiveFloat = Annotated[float, above(0)]
NonNegativeFloat = Annotated[float, within(0)]
Fraction = Annotated[float, within(0, 1)]
# NumPy takes any seed from 0 on and PyTorch any of 64 bits; a config's integers stay below 2^63 anyway.
Seed = NonNegativeInt
FolderName = Annotated[str, Rule(paths.is_folder_name, paths.FOLDER_NAME)]


@dataclass(frozen=True, kw_only=True)
class CheckedConfig:
    """What every config derives from: its values are checked when it is made.

    They are made plain, too: NumPy's numbers become Python's, a whole float becomes an integer where one is wanted,
    an integer a float, a list or range a tuple, and a path text. A subclass with rules between its fields begins its
    own `__post_init__` with this one.

    Raises:
        InputError: a value is not what the field's annotation says, is NaN or beyond float32, or is an
            empty tuple.
    """

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self), include_extras=True)
        for field in dataclasses.fields(self):
            name = field.name if field.metadata.get("positional") else f"--{field.name}"
            plain = _checked(getattr(self, field.name), _Kind.of(hints[field.name]), name)
            object.__setattr__(self, field.name, plain)


def positional(**kwargs: Any) -> Any:
    """A dataclass field that is given by position and not by name on the command line."""
    return dataclasses.field(metadata={"positional": True}, **kwargs)


def option(*, short: str, **kwargs: Any) -> Any:
    """A dataclass field whose option has a second, short form such as `-o`."""
    return dataclasses.field(metadata={"short": short}, **kwargs)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{self.prog}: {message} (see {self.prog} --help)")


def field_docs(config: type) -> dict[str, str]:
    """The string literal that follows each annotated field in the class's source (and its parents')."""
    docs: dict[str, str] = {}
    for cls in reversed(config.__mro__):
        if not dataclasses.is_dataclass(cls):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
        assert isinstance(body, ast.ClassDef)
        for node, after in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                assert isinstance(node.target, ast.Name)
                docs[node.target.id] = inspect.cleandoc(str(after.value.value))
    return docs


class _Kind(NamedTuple):
    """What an annotation says."""

    type: type
    """bool, int, float or str."""
    choices: tuple[Any, ...]
    """Of a Literal."""
    rules: tuple[Rule, ...]
    """What each value must be besides its type."""
    several: bool
    """Whether the field holds a tuple."""
    optional: bool
    """Whether None is accepted."""

    @classmethod
    def of(cls, annotation: Any) -> "_Kind":
        rules: tuple[Rule, ...] = ()
        several = optional = False
        while (origin := typing.get_origin(annotation)) not in (None, Literal):
            if origin is Annotated:
                rules += annotation.__metadata__
            elif origin is tuple:
                several = True
            else:
                optional = True  # a union with None
            annotation = next(part for part in typing.get_args(annotation) if part is not types.NoneType)
        choices = typing.get_args(annotation)
        return cls(type(choices[0]) if choices else annotation, choices, rules, several, optional)


def _whole(value: Any) -> int | None:
    if _finite(value) is None or int(value) != value or not -(2**63) <= value < 2**63:
        return None
    return int(value)


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 300 digits
        return None
    return number if abs(number) <= LARGEST_FLOAT32 else None


def _text(value: Any) -> str | None:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or not text or "\0" in text:
        return None
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    return str.__str__(text)  # not a subclass's: str() of an Enum's member says its name


# Of each type: a value made plain, or None if it is not of the type, and what is expected.
_PLAIN: dict[type, tuple[Callable[[Any], Any], str]] = {
    bool: (lambda value: value if isinstance(value, bool) else None, "True or False"),
    int: (_whole, "a whole number below 2^63"),
    float: (_finite, "a finite number (float32)"),
    str: (_text, "text (Unicode, not empty, without NUL)"),
}


def _checked(value: Any, kind: _Kind, name: str) -> Any:
    """A field's value made plain; InputError if it does not fit."""
    if value is None and kind.optional:
        return None
    if not kind.several:
        return _checked_one(value, kind, name)
    if not isinstance(value, tuple | list | range) or not value:
        raise _refused(name, value, "a tuple of one value or more")
    return tuple(_checked_one(one, kind, name) for one in value)


def _checked_one(value: Any, kind: _Kind, name: str) -> Any:
    make_plain, expected = _PLAIN[kind.type]
    plain = make_plain(value)
    if kind.choices and plain not in kind.choices:
        raise _refused(name, value, f"one of {', '.join(map(str, kind.choices))}")
    if plain is None:
        raise _refused(name, value, expected)
    for rule in kind.rules:
        if not rule.holds(plain):
            raise _refused(name, plain, rule.words)
    return plain


def _refused(name: str, value: Any, expected: str) -> InputError:
    short = reprlib.Repr()
    short.maxstring = short.maxother = 100
    try:
        shown = " ".join(short.repr(value).split())
    except ValueError:  # Python shows no integer of more than 4,300 digits
        shown = f"a value of type {type(value).__name__}"
    return InputError(f"{name} is {shown}; expected {expected}")


def _is_required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _add_argument(parser: argparse.ArgumentParser, field: dataclasses.Field, annotation: Any, doc: str) -> None:
    options: dict[str, Any] = {"help": doc.replace("%", "%%")}
    kind = _Kind.of(annotation)
    required = _is_required(field)
    if kind.choices:
        options["choices"] = kind.choices
    elif kind.type is not bool:
        options["metavar"] = field.name.upper()
    if kind.type is not bool:
        options["type"] = kind.type
    if kind.several:
        options["nargs"] = "+"
    notes = [rule.words for rule in kind.rules]
    if not required and field.default is not None and kind.type is not bool:
        notes.append(f"default: {field.default}")
    if notes:
        options["help"] += f" ({'; '.join(notes)})"
    if field.metadata.get("positional"):
        options.pop("metavar", None)
        parser.add_argument(field.name, **options)
        return
    names = list(dict.fromkeys([f"--{field.name}", f"--{field.name.replace('_', '-')}"]))
    if "short" in field.metadata:
        names.insert(0, field.metadata["short"])
    if kind.type is bool:
        options["action"] = argparse.BooleanOptionalAction if field.default else "store_true"
    parser.add_argument(*names, dest=field.name, required=required, **options)


def parser_of(config: type, prog: str) -> argparse.ArgumentParser:
    """An argument parser with one argument for each field of a config dataclass."""
    parser = _Parser(
        prog=prog,
        description=inspect.cleandoc(config.__doc__ or ""),
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    hints = typing.get_type_hints(config, include_extras=True)
    docs = field_docs(config)
    # What must be given comes first, also where a config derives from one of options.
    for field in sorted(dataclasses.fields(config), key=lambda field: not _is_required(field)):
        _add_argument(parser, field, hints[field.name], docs.get(field.name, ""))
    if presets := presets_of(config):
        parser.add_argument("--preset", choices=tuple(presets), help="other defaults; options given win over them")
    return parser


def presets_of(config: type) -> dict[str, dict[str, Any]]:
    """Named sets of other defaults, where a config has them."""
    return vars(config).get("PRESETS", {})


def parse(config: type, argv: list[str], prog: str) -> Any:
    """Make a config from command-line words; options come with `_` or with `-`, and `--preset` changes defaults.

    Raises InputError for words and values that do not fit, naming them.
    """
    values = vars(parser_of(config, prog).parse_args(argv))
    preset = values.pop("preset", None)
    defaults = presets_of(config)[preset] if preset else {}
    return config(**defaults | values)


def as_dict(config: Any) -> dict[str, Any]:
    """The fields of a config as plain JSON values."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(config).items()}
