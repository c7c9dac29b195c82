"""What a model reads, apart from notes: fields and their sizes, notes to tokens and back, and tokens as text.

A token is one position of the model's sequence, a row of one or more integers; the tokens of songs that follow each
other are one array (n_tokens, n_fields). A scheme says how tokens stand for notes. Concepts are computed over notes and
reach tokens through `aligned`: the values of a note go to the token that completes it, the first from whose row on all
of the note is known.

A scheme is one module of this folder with a subclass of `TokenScheme` and a function `load(folder)`, which reads the
tables that `save` wrote; see `schemes.py`.
"""

import abc
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from music_interpret.music.notes import ATTRIBUTES, Attribute

NO_NOTE = -1


class Field(NamedTuple):
    """One column of the tokens."""

    name: str
    """Its name, unique among the scheme's fields."""
    size: int
    """Values are 0 … size − 1."""


class Limits(NamedTuple):
    """Where a model stops reading."""

    max_length: int
    """Longest sequence, in tokens."""
    max_beat: int | None = None
    """Notes from this beat on are left out; None keeps all."""


class Aligned(NamedTuple):
    """The notes of songs and their tokens; tokens and notes are numbered over all the songs."""

    notes: np.ndarray
    """Rows (beat, position, pitch, duration, program), song after song, each song's sorted by onset, int64 (n_notes,
    5).
    """
    first_note: np.ndarray
    """First note of each song, and the number of notes at the end, int64 (n_songs + 1,)."""
    note: np.ndarray
    """For each token the note that it belongs to, −1 for none, int64 (n_tokens,)."""
    completing: np.ndarray
    """For each note the token that completes it, int64 (n_notes,)."""


class TokenScheme(abc.ABC):
    """How tokens stand for notes. Subclasses set the attributes below and fill in what is abstract."""

    name: ClassVar[str]
    """Name of the scheme's module in this folder, noted in every store."""
    fields: tuple[Field, ...]
    """The columns of the tokens."""
    resolution: int
    """Time steps per beat (a quarter note) of the notes."""
    kinds: tuple[str, ...]
    """Kinds of tokens, such as note, instrument, end of song."""
    states: frozenset[Attribute] = ATTRIBUTES
    """What of its note a completing token itself says. A concept that reads anything else of the note needs earlier
    tokens.
    """

    @abc.abstractmethod
    def encode(self, notes: np.ndarray, limits: Limits | None = None) -> np.ndarray:
        """Tokens (n_tokens, n_fields) of one song's notes (n_notes, 5), cut where the model stops reading."""

    @abc.abstractmethod
    def aligned(self, tokens: np.ndarray, first_token: np.ndarray) -> Aligned:
        """The notes of songs' tokens (n_tokens, n_fields), and which token belongs to which note.

        Args:
            tokens: of one or many songs.
            first_token: first token of each song, and the number of tokens at the end, (n_songs + 1,).
        """

    @abc.abstractmethod
    def words(self, field: str) -> list[str]:
        """Text of each value of a field."""

    @abc.abstractmethod
    def kind(self, tokens: np.ndarray) -> np.ndarray:
        """Number of each token's kind in `kinds`, integers (n_tokens,)."""

    @abc.abstractmethod
    def save(self, folder: Path) -> None:
        """Write the tables that `load` makes the scheme of into a folder."""

    def programs(self, tokens: np.ndarray) -> np.ndarray:
        """The General MIDI program that each token itself names, −1 for none, integers (n_tokens,)."""
        return np.full(len(tokens), NO_NOTE)

    def complete(self, tokens: np.ndarray, first_token: np.ndarray, limits: Limits) -> np.ndarray:
        """Which songs the model reads to their end, bool (n_songs,)."""
        return np.diff(first_token) < limits.max_length

    def lines(self, tokens: np.ndarray) -> np.ndarray:
        """A line of text for each token, strings (n_tokens,)."""
        self.check(tokens)
        columns = [np.array(self.words(field.name))[tokens[:, i]] for i, field in enumerate(self.fields)]
        return functools.reduce(lambda left, right: np.strings.add(np.strings.add(left, ", "), right), columns)

    def line(self, token: np.ndarray) -> str:
        """The same text for one token, (n_fields,).

        Examples:
            >>> activations = music_interpret.open_run("demo/sae").activations
            >>> activations.scheme.line(activations.tokens[1])
            'Instrument: voices'
        """
        return str(self.lines(token[None])[0])

    def short(self, tokens: np.ndarray) -> list[str]:
        """Each token in a few characters, for lists."""
        return self.lines(tokens).tolist()

    def compact(self, tokens: np.ndarray) -> np.ndarray:
        """Each token as one word with a space before it, as text of other tools has it, objects (n_tokens,)."""
        return np.array([f" {line.replace(' ', '')}" for line in self.lines(tokens).tolist()], object)

    def properties(self, tokens: np.ndarray) -> dict[str, tuple[np.ndarray, list[str]]]:
        """What can be said of each token by itself: for each property a number per token, int64 (n_tokens,), and the
        words for the numbers.
        """
        return {
            field.name: (tokens[:, i].astype(np.int64), self.words(field.name)) for i, field in enumerate(self.fields)
        }

    def decode(self, tokens: np.ndarray) -> np.ndarray:
        """The notes of one song's tokens, (n_notes, 5).

        Examples:
            >>> activations = music_interpret.open_run("demo/sae").activations
            >>> activations.scheme.decode(activations.tokens[:60])[:2]
            array([[ 0,  0, 50,  6, 52],
                   [ 0,  0, 53,  6, 52]])
        """
        return self.aligned(tokens, np.array([0, len(tokens)])).notes

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each field."""
        return tuple(field.size for field in self.fields)

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def dtype(self) -> np.dtype:
        """The smallest of int16 and int32 that holds every value: what a store keeps tokens in."""
        return np.dtype(np.int16 if max(self.sizes) <= 2**15 else np.int32)

    def check(self, tokens: np.ndarray) -> None:
        """ValueError if tokens have another shape than (n_tokens, n_fields), or a value that its field has not."""
        if tokens.ndim != 2 or tokens.shape[1] != len(self.fields):
            raise ValueError(f"tokens have shape {tokens.shape}; expected (n_tokens, {len(self.fields)})")
        wrong = (tokens < 0) | (tokens >= np.array(self.sizes))
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            name, size = self.fields[column]
            raise ValueError(f"token {row}: {name} {tokens[row, column]} is out of range; expected 0 to {size - 1}")


def songs_of(tokens: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Songs' tokens as one array, and the first token of each song with the number of tokens at the end."""
    return np.concatenate(tokens), np.cumsum([0, *map(len, tokens)])
