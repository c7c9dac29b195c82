"""Concepts of the user's own: read from a Python file, and computed so that their errors say what to fix."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from music_interpret import own_code
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
    concepts = _concepts_in(own_code.run_file(path, "concept file"))
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
            yield Tokens(*(column[first:last] for column in subject)), ""


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
        number = own_code.line_of(error, file)
        place = f" ({file}{own_code.line(number)})" if number else ""
        raise InputError(f"concept {concept.name!r} failed{where}{place}: {own_code.in_words(error)}") from error


def _is_ours(concept: Concept) -> bool:
    return str(getattr(concept.compute, "__module__", "")).startswith(OURS)
