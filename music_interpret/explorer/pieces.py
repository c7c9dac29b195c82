"""Pieces of music as the explorer draws them: notes with their lines, tokens and bars, of a whole set or of one file.

Times are whole steps from the song's first beat. The notes are those the model is given, so a piece that is longer than
the model reads ends where its tokens end.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from music_interpret.explorer.notation import Notation, Notations, spelling_of
from music_interpret.music.songs import Songs
from music_interpret.music.voices import Voices, voices
from music_interpret.tokens.scheme import TokenScheme
from music_interpret.tokens.sequences import Sequences


class Notes(NamedTuple):
    """Notes in the order of their tokens; every field has a value for each."""

    onset: np.ndarray
    """First step, int32."""
    duration: np.ndarray
    """In steps, int16."""
    pitch: np.ndarray
    """MIDI note number, uint8."""
    program: np.ndarray
    """General MIDI program, uint8."""
    voice: np.ndarray
    """Number of the melodic line in its song, int16; see `music/voices.py`."""
    token: np.ndarray
    """Index in its song of the token that completes the note, int32."""
    spelling: np.ndarray
    """Number on the line of fifths, int8; see `music/spelling.py`."""

    def taken(self, here: slice | np.ndarray) -> "Notes":
        """Some of them."""
        return Notes(*(column[here] for column in self))


class Piece(NamedTuple):
    """One piece of music."""

    key: str
    """What the page calls it: the number of a song, or u1, u2, … for an uploaded file."""
    name: str
    """Its name."""
    split: str
    """train, valid or test; yours for an uploaded file."""
    tokens: np.ndarray
    """Its tokens, integers (n_tokens, n_fields)."""
    notes: Notes
    """Its notes."""
    stretches: np.ndarray
    """(Downbeat from which on, steps of a bar) of each stretch of one metre, int64 (n, 2)."""
    estimated: bool
    """Whether its metre is an estimate."""
    numbers: Sequence[Sequence[int]] = ()
    """(Downbeat's step, bar number) where the edition's numbers begin or do not count on."""

    @property
    def end(self) -> int:
        """Step at which its last note ends."""
        return int((self.notes.onset + self.notes.duration).max(initial=0))

    def bar_lines(self, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Bar lines within [start, end], and the number of the bar that each of them opens.

        Numbers are the edition's where it has some. Else bar 1 is the first that is not an upbeat.
        """
        lines = []
        for i, (begin, bar) in enumerate(self.stretches.tolist()):
            stop = int(self.stretches[i + 1, 0]) if i + 1 < len(self.stretches) else max(end, begin) + 1
            if i == 0:
                begin -= max(-(-begin // bar), 0) * bar  # bars before the first stretch are counted back from it
            lines.append(np.arange(begin, stop, bar))
        all_lines = np.concatenate([np.zeros(0, np.int64), *lines])
        counted = np.arange(len(all_lines)) + (1 if len(all_lines) and all_lines[0] == 0 else 0)
        if self.numbers and len(all_lines):
            steps, numbers = np.array(self.numbers, np.int64).T
            stated = np.maximum(np.searchsorted(all_lines, steps, side="right") - 1, 0)
            last = np.maximum(np.searchsorted(steps, all_lines, side="right") - 1, 0)
            counted = numbers[last] + counted - counted[stated[last]]
        inside = (all_lines >= start) & (all_lines <= end)
        return all_lines[inside], counted[inside]


class Pieces(NamedTuple):
    """All songs of a set, in a few bytes per note."""

    sequences: Sequences
    """What the model reads."""
    splits: np.ndarray
    """Split of each song."""
    notes: Notes
    """Of all songs, one after the other."""
    first_note: np.ndarray
    """First note of each song, and the number of notes, int64 (n_songs + 1,)."""
    stretches: np.ndarray
    """Of all songs, int64 (n_stretches, 2), see `Piece`."""
    first_stretch: np.ndarray
    """First stretch of each song, and the number of stretches, (n_songs + 1,)."""
    estimated: np.ndarray
    """Whether a song's metre is an estimate, bool (n_songs,)."""
    numbers: Mapping[int, Sequence[Sequence[int]]]
    """Of songs whose edition numbers its bars, see `Piece`."""

    @classmethod
    def of(cls, sequences: Sequences, splits: np.ndarray, known: Notations | None = None) -> "Pieces":
        """Find the notes, lines and bars of all songs, some at a time, so that memory stays small.

        Args:
            sequences: what the model reads.
            splits: split of each song.
            known: what scores say of songs beyond their notes.
        """
        parts, stretches = [], []
        numbers: dict[int, Sequence[Sequence[int]]] = {}
        for start, stop in sequences.chunks():
            part = sequences.part(start, stop)
            metres, sizes = part.songs.metres, np.diff(part.songs.first_note)
            token = part.aligned.completing - np.repeat(part.first_token[:-1], sizes)
            notations = [known(name) if known else None for name in part.songs.names]
            parts.append((_compact(part.songs, token, notations), sizes))
            numbers |= {start + i: notation.numbers for i, notation in enumerate(notations) if notation}
            stretches.append((np.stack([metres.start, metres.bar_steps], 1), np.diff(metres.first), metres.estimated))
        return cls(
            sequences=sequences,
            splits=splits,
            notes=Notes(*(np.concatenate(columns) for columns in zip(*(notes for notes, _ in parts), strict=True))),
            first_note=np.concatenate([[0], np.cumsum(np.concatenate([sizes for _, sizes in parts]))]),
            stretches=np.concatenate([rows for rows, _, _ in stretches]),
            first_stretch=np.concatenate([[0], np.cumsum(np.concatenate([sizes for _, sizes, _ in stretches]))]),
            estimated=np.concatenate([estimated for _, _, estimated in stretches]),
            numbers=numbers,
        )

    def piece(self, song: int) -> Piece:
        """One song by its number."""
        first, stop = self.sequences.first_token[song : song + 2]
        return Piece(
            key=str(song),
            name=self.sequences.names[song],
            split=str(self.splits[song]),
            tokens=self.sequences.tokens[first:stop],
            notes=self.notes.taken(slice(*self.first_note[song : song + 2])),
            stretches=self.stretches[slice(*self.first_stretch[song : song + 2])],
            estimated=bool(self.estimated[song]),
            numbers=self.numbers.get(song, ()),
        )


def one_piece(
    key: str,
    name: str,
    tokens: np.ndarray,
    scheme: TokenScheme,
    metres: Mapping[str, Any],
    complete: bool,
    notation: Notation | None = None,
) -> tuple[Piece, Sequences]:
    """A piece that belongs to no set, with what concepts take."""
    sequences = Sequences(tokens, np.array([0, len(tokens)]), [name], np.array([complete]), scheme, metres)
    return Pieces.of(sequences, np.array(["yours"]), lambda _: notation).piece(0)._replace(key=key), sequences


def _compact(songs: Songs, token: np.ndarray, notations: Sequence[Notation | None]) -> Notes:
    lines = line_numbers(songs.once(voices), songs.first_note)
    columns = (songs.onset, songs.duration, songs.pitch, songs.program, lines, token, spelling_of(songs, notations))
    kinds = (np.int32, np.int16, np.uint8, np.uint8, np.int16, np.int32, np.int8)
    return Notes(*(column.astype(kind) for column, kind in zip(columns, kinds, strict=True)))


def line_numbers(found: Voices, first_note: np.ndarray) -> np.ndarray:
    """Number of each note's line in its song, in the order in which lines begin: a note has that of the note it
    follows, unless another note followed that one before it.
    """
    n = len(found.previous)
    follows = found.previous.copy()
    order = np.arange(n)
    # Where a line divides, the first to follow goes on with it and the others begin lines of their own.
    has = np.flatnonzero(follows >= 0)
    _, kept = np.unique(follows[has], return_index=True)
    later = np.ones(len(has), bool)
    later[kept] = False
    follows[has[later]] = -1
    roots = np.where(follows >= 0, follows, order)
    while True:  # pointer jumping: log₂ of the longest line's length
        further = roots[roots]
        if np.array_equal(further, roots):
            break
        roots = further
    begins = np.cumsum(roots == order)
    song = np.repeat(np.arange(len(first_note) - 1), np.diff(first_note))
    before = np.concatenate([[0], begins])[first_note[:-1]]
    return begins[roots] - 1 - before[song]
