"""What a concept is: a value for each note (or token) that music theory defines and a program computes.

    @concept("leading tone", group="key", leakage="past", reference="Krumhansl 1990")
    def leading_tone(songs: Songs) -> np.ndarray:
        \"""The note lies a semitone below the tonic of the local key.\"""
        return (songs.pitch + 1) % 12 == songs.once(local_key).tonic

A concept of one value gives booleans; one of several gives the number of the value that a note has in `values`, or -1
where it has none. The leakage class says what the value can be computed from, and so what a latent that follows it may
merely restate:

- `given`: the note itself and its place in the sequence. Where a model's token does not state all that the concept
  `reads` of the note, it counts as `past` for that model;
- `past`: that and the tokens before it, in the model's order (within an onset, from low to high);
- `future`: tokens after it as well.

The metre is taken as known, though the tokens do not say it: a concept that needs only the metre and the token is
`past`.
"""

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from music_interpret.music.notes import ATTRIBUTES, Attribute
from music_interpret.music.songs import Songs

Leakage = Literal["given", "past", "future"]
LEAKAGES: tuple[Leakage, ...] = ("given", "past", "future")
GROUPS = ("token", "metre", "voice", "harmony", "key", "texture", "form", "expert", "own")
NONE = -1
"""The number of "no value"."""


class Tokens(NamedTuple):
    """Tokens of songs that follow each other, for concepts that tokens other than notes have too."""

    tokens: np.ndarray
    """Integers (n_tokens, n_fields)."""
    place: np.ndarray
    """Index of each token in its song, from 0, (n_tokens,)."""
    kind: np.ndarray
    """Number of each token's kind, see the model's token scheme, (n_tokens,)."""
    program: np.ndarray
    """General MIDI program that each token itself names, -1 for none, (n_tokens,)."""


@dataclass(frozen=True, kw_only=True)
class Concept:
    """A named category over notes, or tokens."""

    name: str
    """In words, unique."""
    group: str
    """One of `GROUPS`."""
    leakage: Leakage
    """What its values can be computed from."""
    definition: str
    """What it says, in a sentence or two."""
    reference: str
    """Where the definition comes from."""
    values: tuple[str, ...]
    """Name of each value; empty for a concept that a note has or has not."""
    compute: Callable[[Any], np.ndarray]
    """From `Songs` to a value for each note, or from `Tokens` to one for each token."""
    of: Literal["note", "token"] = "note"
    """What it is a value of."""
    reads: frozenset[Attribute] = ATTRIBUTES
    """What of the note a `given` concept is computed from."""
    many: bool = True
    """Whether `compute` takes many songs at once, or one at a time."""

    @property
    def n_values(self) -> int:
        return max(len(self.values), 1)

    def value_name(self, value: int) -> str:
        """The concept and one of its values, in words."""
        return f"{self.name}: {self.values[value]}" if self.values else self.name

    def __call__(self, subject: Songs | Tokens) -> np.ndarray:
        """The value numbers, int16 (n,), -1 where there is none.

        Raises:
            ValueError: the function gave something else than one value in range for each note.
        """
        n = len(subject.tokens) if isinstance(subject, Tokens) else len(subject)
        found = np.asarray(self.compute(subject))
        if found.shape != (n,):
            raise ValueError(
                f"concept {self.name!r} gave shape {found.shape}; expected ({n},), one value for each note"
            )
        if found.dtype == bool:
            if self.values:
                raise ValueError(f"concept {self.name!r} gave booleans but names values; expected their numbers")
            return np.where(found, 0, NONE).astype(np.int16)
        if not np.issubdtype(found.dtype, np.integer):
            raise ValueError(f"concept {self.name!r} gave {found.dtype}; expected booleans or whole numbers")
        if n and (found.min() < NONE or found.max() >= self.n_values):
            wrong = found[(found < NONE) | (found >= self.n_values)][0]
            raise ValueError(f"concept {self.name!r} gave {wrong}; expected -1 (none) to {self.n_values - 1}")
        return found.astype(np.int16)


def concept(
    name: str,
    *,
    values: tuple[str, ...] | list[str] = (),
    group: str = "own",
    leakage: Leakage = "future",
    reference: str = "",
    of: Literal["note", "token"] = "note",
    reads: Collection[Attribute] = ATTRIBUTES,
    many: bool = False,
) -> Callable[[Callable[[Any], np.ndarray]], Concept]:
    """Make a concept of a function; its docstring is the definition.

    Args:
        name: in words, unique.
        values: a name for each value; none for a concept that a note has or has not (booleans).
        group: what it is listed under.
        leakage: what its values can be computed from.
        reference: where the definition comes from.
        of: whether the function takes `Songs` and gives a value for each note, or `Tokens` and one for each token.
        reads: what of the note itself a `given` concept is computed from: onset, pitch, duration, program.
        many: whether the function takes many songs at once; otherwise it is called song by song.
    """
    for what, value, right in (("group", group, GROUPS), ("leakage", leakage, LEAKAGES)):
        if value not in right:
            raise ValueError(f"concept {name!r} has {what} {value!r}; expected one of {', '.join(right)}")

    def make(compute: Callable[[Any], np.ndarray]) -> Concept:
        definition = " ".join((inspect.getdoc(compute) or "").split())
        return Concept(
            name=name,
            group=group,
            leakage=leakage,
            definition=definition,
            reference=reference,
            values=tuple(values),
            compute=compute,
            of=of,
            reads=frozenset(reads),
            many=many,
        )

    return make


def concepts_of(module: ModuleType) -> list[Concept]:
    """The concepts that a module defines, in the order of its lines."""
    return [value for value in vars(module).values() if isinstance(value, Concept)]
