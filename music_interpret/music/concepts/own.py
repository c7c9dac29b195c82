"""Concepts of the user's own: read from a Python file, and computed so that their errors tell what to mend."""

import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from music_interpret.errors import InputError
from music_interpret.music.concepts.concept import Concept, Tokens
from music_interpret.music.songs import Songs

OURS = "music_interpret."
"""Modules whose names begin so are this package's: errors in them are not the user's."""


def load_concepts(path: Path, taken: set[str]) -> list[Concept]:
    """Run a Python file and return the concepts that it makes, in the order of its lines.

    Found are its variables and the members of its lists and tuples; concepts that it imports from this package to build
    on them do not count.

    Args:
        path: the file.
        taken: names that other concepts have.

    Raises:
        InputError: there is no such file, it cannot be run, it makes no concept, or a name is there twice or taken.
    """
    concepts = _concepts_in(_run(path))
    if not concepts:
        raise InputError(
            f"{path} makes no concept; expected functions decorated with @concept(...), see docs/concepts.md"
        )
    names: set[str] = set()
    for name in (concept.name for concept in concepts):
        if name in names:
            raise InputError(f"{path} makes two concepts of the name {name!r}; expected a name for each")
        if name in taken:
            raise InputError(f"{path}: there already is a concept of the name {name!r}; expected another name")
        names.add(name)
    return concepts


def computed(concept: Concept, subject: Songs | Tokens) -> np.ndarray:
    """The concept's value numbers, int16 (n,); one that takes a song at a time is called for each that is not empty.

    Raises:
        InputError: a function that is not this package's raised, or gave something else than a value for each note.
    """
    if concept.many:
        return _called(concept, subject, "")
    found = [_called(concept, part, told) for part, told in _apart(subject)]
    return np.concatenate([np.zeros(0, np.int16), *found])


def _run(path: Path) -> ModuleType:
    """Execute the file as a module; it is compiled here so that no `__pycache__` comes to lie beside it."""
    try:
        source = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"missing concept file {path}") from None
    except OSError as error:
        raise InputError(f"concept file {path} cannot be read ({error.strerror}); expected a Python file") from None
    module = ModuleType(f"own_concepts_{path.stem}")
    module.__file__ = str(path)
    # Where dataclasses and the like look up what a module is.
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except SyntaxError as error:
        raise InputError(f"{path}{_line(error.lineno)}: {type(error).__name__}: {_one_line(error.msg)}") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{path}{_line(_line_of(error, str(path)))}: {_told(error)}") from error
    return module


def _concepts_in(module: ModuleType) -> list[Concept]:
    found: dict[int, Concept] = {}
    for value in vars(module).values():
        for member in value if isinstance(value, list | tuple) else (value,):
            if isinstance(member, Concept) and not _is_ours(member):
                found.setdefault(id(member), member)
    return list(found.values())


def _apart(subject: Songs | Tokens) -> Iterator[tuple[Songs | Tokens, str]]:
    """Each song that has notes, or tokens, and how a message calls it."""
    if isinstance(subject, Songs):
        for song in np.flatnonzero(np.diff(subject.first_note)).tolist():
            yield subject.one(song), f" in song {subject.names[song]!r}"
    else:
        edges = [*np.flatnonzero(subject.place == 0).tolist(), len(subject.place)]
        for first, last in zip(edges, edges[1:], strict=False):
            yield Tokens(subject.codes[first:last], subject.place[first:last], subject.encoding), ""


def _called(concept: Concept, subject: Songs | Tokens, where: str) -> np.ndarray:
    try:
        return concept(subject)
    except InputError:
        raise
    except Exception as error:
        if _is_ours(concept):
            raise
        if isinstance(error, ValueError) and str(error).startswith(f"concept {concept.name!r} gave"):
            raise InputError(f"{error}{where}") from error
        file = getattr(getattr(concept.compute, "__code__", None), "co_filename", "")
        number = _line_of(error, file)
        place = f" ({file}{_line(number)})" if number else ""
        raise InputError(f"concept {concept.name!r} failed{where}{place}: {_told(error)}") from error


def _is_ours(concept: Concept) -> bool:
    return str(getattr(concept.compute, "__module__", "")).startswith(OURS)


def _line_of(error: BaseException, file: str) -> int | None:
    """The last line of the file that was on the way to the error."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None


def _line(number: int | None) -> str:
    return f", line {number}" if number else ""


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {_one_line(error)}".rstrip(": ")


def _one_line(message: object) -> str:
    text = " ".join(str(message).split())
    return text if len(text) <= 200 else f"{text[:197]}..."
