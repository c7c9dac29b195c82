"""From a config dataclass to a command line and back.

Each stage is one frozen, keyword-only dataclass with a docstring under every field, and one function that takes it.
This file reads the fields' types, defaults and docstrings and makes an argument parser of them, so that an option is
written down once.
"""

import argparse
import ast
import dataclasses
import inspect
import textwrap
import types
import typing
from typing import Any, Literal, NoReturn

from music_interpret.errors import InputError


def positional(**kwargs: Any) -> Any:
    """A dataclass field that is given by place and not by name on the command line."""
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


def _unwrap(annotation: Any) -> tuple[Any, bool]:
    """The type of one value, and whether the field holds several."""
    if isinstance(annotation, types.UnionType):
        annotation = next(a for a in typing.get_args(annotation) if a is not types.NoneType)
    if typing.get_origin(annotation) is tuple:
        return typing.get_args(annotation)[0], True
    return annotation, False


def _add_argument(parser: argparse.ArgumentParser, field: dataclasses.Field, annotation: Any, doc: str) -> None:
    options: dict[str, Any] = {"help": doc.replace("%", "%%")}
    value_type, several = _unwrap(annotation)
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    if typing.get_origin(value_type) is Literal:
        options["choices"] = typing.get_args(value_type)
        options["type"] = type(options["choices"][0])
    elif value_type is not bool:
        options["type"] = value_type
        options["metavar"] = field.name.upper()
    if several:
        options["nargs"] = "+"
    if not required and field.default is not None and value_type is not bool:
        options["help"] += f" (default: {field.default})"
    if field.metadata.get("positional"):
        options.pop("metavar", None)
        parser.add_argument(field.name, **options)
        return
    names = list(dict.fromkeys([f"--{field.name}", f"--{field.name.replace('_', '-')}"]))
    if "short" in field.metadata:
        names.insert(0, field.metadata["short"])
    if value_type is bool:
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
    hints = typing.get_type_hints(config)
    docs = field_docs(config)
    for field in dataclasses.fields(config):
        _add_argument(parser, field, hints[field.name], docs.get(field.name, ""))
    if presets := presets_of(config):
        parser.add_argument("--preset", choices=tuple(presets), help="other defaults; options given win over them")
    return parser


def presets_of(config: type) -> dict[str, dict[str, Any]]:
    """Named sets of other defaults, where a config has them."""
    return vars(config).get("PRESETS", {})


def parse(config: type, argv: list[str], prog: str) -> Any:
    """Make a config from command-line words; options come with `_` or with `-`, and `--preset` changes defaults.

    Raises InputError for words that do not fit, naming them.
    """
    values = vars(parser_of(config, prog).parse_args(argv))
    preset = values.pop("preset", None)
    defaults = presets_of(config)[preset] if preset else {}
    several = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return config(**defaults | several)


def as_dict(config: Any) -> dict[str, Any]:
    """The fields of a config as plain JSON values."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(config).items()}
