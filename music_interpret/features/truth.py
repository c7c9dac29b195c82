"""What latents are scored against: the values of concepts, at the token itself and at the next one.

A column is one value of one concept at a lag: at lag 0 the token has the value, at lag 1 the token after it does (of
the same song). Columns are laid out densely for some of them at a time, as 0 and 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from music_interpret.music.concepts.concept import LEAKAGES, NONE, Concept
from music_interpret.tokens.concept_table import ConceptTable

LAGS = (0, 1)
NEEDS = (*LEAKAGES, "next")
"""What a column can be computed from: its concept's leakage class at the token itself, or the token after it."""
MIN_TOKENS, MIN_SONGS = 20, 3
"""A value is scored if so many tokens of so many songs have it, outside the test songs."""
BLOCK_CELLS = 2**26
"""Tokens times columns that are laid out at a time: 256 MB in float32."""


@dataclass(frozen=True, eq=False)
class Columns:
    """What is scored, one entry for each column."""

    concepts: tuple[Concept, ...]
    """The table's concepts."""
    concept: np.ndarray
    """Number of the concept, (n_columns,)."""
    value: np.ndarray
    """Number of the value, (n_columns,)."""
    lag: np.ndarray
    """0 or 1, (n_columns,)."""

    def __len__(self) -> int:
        return len(self.concept)

    def name(self, column: int) -> str:
        """In words: the concept, the value, and whether the next token is meant."""
        words = self.concepts[self.concept[column]].value_name(int(self.value[column]))
        return f"next token: {words}" if self.lag[column] else words

    @property
    def leakage(self) -> np.ndarray:
        """Number of the leakage class of each column's concept in `LEAKAGES`, whatever the lag."""
        return np.array([LEAKAGES.index(concept.leakage) for concept in self.concepts], np.int64)[self.concept]

    @property
    def needs(self) -> np.ndarray:
        """Number in `NEEDS` of what each column can be computed from: what holds of the next token needs that."""
        return np.where(self.lag == 1, NEEDS.index("next"), self.leakage)


class Truth:
    """The columns of some tokens."""

    def __init__(self, table: ConceptTable, columns: Columns, spans: np.ndarray, song_first: np.ndarray) -> None:
        """Args:
        table: values at all tokens.
        columns: what is scored.
        spans: (start, stop) of the tokens meant, (n_spans, 2).
        song_first: first token of each song of the table, and the number of tokens at the end.
        """
        self.columns = columns
        tokens = np.concatenate([np.zeros(0, np.int64), *(np.arange(start, stop) for start, stop in spans.tolist())])
        songs = np.searchsorted(song_first, tokens, side="right") - 1
        self.song_first = np.flatnonzero(np.diff(songs, prepend=-1))
        """First of these tokens in each song, (n_songs,)."""
        self.n = len(tokens)
        ends = np.zeros(self.n, bool)
        ends[np.append(self.song_first[1:], self.n)[: len(self.song_first)] - 1] = True
        here = table.columns[:, tokens]
        following = table.columns[:, np.minimum(tokens + 1, table.columns.shape[1] - 1)]
        following[:, ends] = NONE
        self._values = (here, following)
        self._number: dict[tuple[int, int], np.ndarray] = {}
        for concept, lag in {(int(c), int(g)) for c, g in zip(columns.concept, columns.lag, strict=True)}:
            numbers = np.full(columns.concepts[concept].n_values + 1, NONE)
            mine = np.flatnonzero((columns.concept == concept) & (columns.lag == lag))
            numbers[columns.value[mine]] = mine
            self._number[concept, lag] = numbers  # its last entry, which -1 points to, stays "none"

    @property
    def n_songs(self) -> int:
        return len(self.song_first)

    @property
    def song_lengths(self) -> np.ndarray:
        """Tokens of each song, (n_songs,)."""
        return np.diff(np.append(self.song_first, self.n))

    def dense(self, first: int, last: int, dtype: type = np.float32, rows: np.ndarray | None = None) -> np.ndarray:
        """The columns first … last − 1 of these tokens, or of some rows of them in their order, 0 and 1."""
        n = self.n if rows is None else len(rows)
        laid_out: np.ndarray = np.zeros((n, last - first), dtype)
        for (concept, lag), numbers in self._number.items():
            if not ((numbers >= first) & (numbers < last)).any():
                continue
            values = self._values[lag][concept]
            found = numbers[values if rows is None else values[rows]]
            has = np.flatnonzero((found >= first) & (found < last))
            laid_out[has, found[has] - first] = 1
        return laid_out

    def blocks(self) -> Iterator[tuple[int, int]]:
        """(first, one past the last) of as many columns as are laid out at a time."""
        step = max(BLOCK_CELLS // max(self.n, 1), 16)
        for first in range(0, len(self.columns), step):
            yield first, min(first + step, len(self.columns))

    def positives(self) -> np.ndarray:
        """Number of tokens that have each column, int64 (n_columns,)."""
        return np.concatenate(
            [np.zeros(0, np.int64), *(self.dense(*b, np.uint8).sum(axis=0, dtype=np.int64) for b in self.blocks())]
        )

    def circular_shift(self, rng: np.random.Generator) -> np.ndarray:
        """For each token, the token of its song whose truth it gets when each is circularly shifted at random."""
        lengths = self.song_lengths
        turned = rng.integers(0, lengths)
        song = np.repeat(np.arange(self.n_songs), lengths)
        first = self.song_first[song]
        return first + (np.arange(self.n) - first + turned[song]) % lengths[song]


def scored_columns(table: ConceptTable, fitting: np.ndarray, song_first: np.ndarray) -> Columns:
    """All values that enough tokens of enough songs have, at both lags.

    Args:
        table: values at all tokens.
        fitting: (start, stop) of the tokens that may be looked at: train and valid songs', (n_spans, 2).
        song_first: first token of each song of the table, and the number of tokens at the end.
    """
    tokens = np.concatenate([np.zeros(0, np.int64), *(np.arange(start, stop) for start, stop in fitting.tolist())])
    songs = np.searchsorted(song_first, tokens, side="right") - 1
    chosen: list[tuple[int, int]] = []
    for number, concept in enumerate(table.concepts):
        values = table.columns[number, tokens]
        has = values != NONE
        n_tokens = np.bincount(values[has], minlength=concept.n_values)
        pairs = np.unique(songs[has] * concept.n_values + values[has])
        n_songs = np.bincount(pairs % concept.n_values, minlength=concept.n_values)
        common = np.flatnonzero((n_tokens >= MIN_TOKENS) & (n_songs >= min(MIN_SONGS, len(np.unique(songs)))))
        chosen += [(number, int(value)) for value in common]
    flat = np.array(chosen, np.int64).reshape(-1, 2)
    return Columns(
        table.concepts,
        np.tile(flat[:, 0], len(LAGS)),
        np.tile(flat[:, 1], len(LAGS)),
        np.repeat(np.array(LAGS), len(flat)),
    )
