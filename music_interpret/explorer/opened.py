"""A run opened for exploring: its songs, labels and firings, in memory or read a few at a time."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from music_interpret.errors import InputError
from music_interpret.explorer.firings_file import FiringsFile
from music_interpret.explorer.notation import notations_of
from music_interpret.explorer.pieces import Piece, Pieces
from music_interpret.features.index import FeatureIndex
from music_interpret.features.labels import read_rows
from music_interpret.features.sequences import dataset_of, sequences_of
from music_interpret.music.concepts.concept import NONE
from music_interpret.runs.run import Run, open_run
from music_interpret.tokens.concept_table import concept_table
from music_interpret.tokens.concepts import library
from music_interpret.tokens.scheme import TokenScheme
from music_interpret.tokens.sequences import Sequences

RANKS = 10
"""Concept values that are shown of each latent."""
COUNTED = {
    "type": "kind of token",
    "beat of the bar": "beat of the bar",
    "metrical strength": "metrical strength",
    "pitch class": "pitch class",
    "octave": "octave",
    "duration": "duration",
    "instrument": "instrument",
}
"""Concepts by whose values firings are counted, and what the page calls them."""


class Counted(NamedTuple):
    """Concepts over all tokens of the set, for counting."""

    titles: tuple[str, ...]
    """What the page calls them."""
    words: tuple[tuple[str, ...], ...]
    """Name of each value of each."""
    values: np.ndarray
    """For each token a number of each concept, int16 (n_tokens, n_concepts): its value's among all values of all
    concepts, each of which begins with "none".
    """
    counts: tuple[np.ndarray, ...]
    """How many tokens have each value of each, "none" first, int64 (n_values + 1,)."""

    def of_tokens(self, token_rows: np.ndarray) -> list[np.ndarray]:
        """How many of the tokens have each value of each concept, "none" first."""
        edges = np.cumsum([len(counts) for counts in self.counts])
        return np.split(np.bincount(self.values[token_rows].ravel(), minlength=int(edges[-1])), edges[:-1])

    @classmethod
    def of(cls, sequences: Sequences) -> "Counted":
        """Compute them."""
        chosen = [concept for concept in library(sequences.scheme) if concept.name in COUNTED]
        columns = concept_table(chosen, sequences).columns
        sizes = np.array([concept.n_values + 1 for concept in chosen])
        columns += (np.cumsum(sizes) - sizes - NONE).astype(np.int16)[:, None]
        counts = np.split(np.bincount(columns.ravel(), minlength=int(sizes.sum())), np.cumsum(sizes)[:-1])
        titles, words = tuple(COUNTED[concept.name] for concept in chosen), tuple(concept.values for concept in chosen)
        return cls(titles, words, np.ascontiguousarray(columns.T), tuple(counts))


class Explored:
    """A run with what its pages need besides: its songs as pieces, and its firings a few at a time."""

    def __init__(self, run: Run) -> None:
        """Open what every page needs.

        Raises:
            InputError: the run has no index, or something that it was made of is gone or damaged.
        """
        self.run = run
        self.index: FeatureIndex = run.index
        sequences = sequences_of(run.activations)
        # The map without its class, which is slow.
        sequences = sequences._replace(tokens=np.asarray(sequences.tokens))
        self.scheme: TokenScheme = sequences.scheme
        self.firings = FiringsFile(self.index)
        """The run's firings, to be read a few at a time."""
        self.pieces = Pieces.of(sequences, run.activations.songs.splits, notations_of(dataset_of(run.activations)))
        """All songs."""
        self.rows: Mapping[str, np.ndarray] = _by_latent(read_rows(run.labels)) if run.labelled else {}
        """Columns of labels.parquet, sorted by latent and rank; empty if the run is not labelled."""
        self.counted = Counted.of(sequences)

    @classmethod
    def open(cls, run: str | Path) -> "Explored":
        """Open a run, given as on the command line, with all that its pages show; what is computed once is made if it
        is not there.

        Raises:
            InputError: no such run, no index, or something that it was made of is gone or damaged.
        """
        explored = cls(open_run(run))
        for part in ("names", "effects", "neighbours", "map"):
            getattr(explored.run, part)
        return explored

    @property
    def title(self) -> str:
        """The run's folder without its root: demo/sae/layer_005."""
        return self.run.title

    def piece(self, song: str) -> Piece:
        """A song of the set by its number; InputError if there is none."""
        if not (song.isascii() and song.isdigit()) or int(song) >= len(self.pieces.sequences.names):
            last = len(self.pieces.sequences.names) - 1
            raise InputError(f"there is no song {song!r}; expected 0 to {last}")
        return self.pieces.piece(int(song))


def _by_latent(rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    mine = np.flatnonzero((rows["rank"] > 0) & (rows["rank"] <= RANKS))
    order = mine[np.lexsort((rows["rank"][mine], rows["latent"][mine]))]
    return {name: column[order] for name, column in rows.items()}
