"""A run opened for exploring: its feature index, names, songs and atlas, all in memory or mapped into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from music_interpret import paths
from music_interpret.errors import InputError
from music_interpret.explorer.firings_file import FiringsFile
from music_interpret.explorer.pieces import Piece, Pieces
from music_interpret.features.atlas import Atlas, atlas_of
from music_interpret.features.index import FeatureIndex, open_index
from music_interpret.features.labels import FOLDER, Labels, read_labels, read_rows
from music_interpret.features.run import open_activations, read_training_args
from music_interpret.features.sequences import sequences_of
from music_interpret.music.concepts.concept import NONE
from music_interpret.music.concepts.library import BUILT_IN
from music_interpret.music.concepts.table import Sequences, concept_table
from music_interpret.music.encoding import Encoding

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
        chosen = [concept for concept in BUILT_IN if concept.name in COUNTED]
        columns = concept_table(chosen, sequences).columns
        sizes = np.array([concept.n_values + 1 for concept in chosen])
        columns += (np.cumsum(sizes) - sizes - NONE).astype(np.int16)[:, None]
        counts = np.split(np.bincount(columns.ravel(), minlength=int(sizes.sum())), np.cumsum(sizes)[:-1])
        titles, words = tuple(COUNTED[concept.name] for concept in chosen), tuple(concept.values for concept in chosen)
        return cls(titles, words, np.ascontiguousarray(columns.T), tuple(counts))


@dataclass(frozen=True, eq=False, kw_only=True)
class Explored:
    """Everything that the pages of one run are made of."""

    run: Path
    """Its folder."""
    args: dict[str, Any]
    """Its `training_args.json`."""
    index: FeatureIndex
    firings: FiringsFile
    """Its firings, to be read a few at a time."""
    encoding: Encoding
    pieces: Pieces
    """All songs."""
    labels: Labels | None
    """None for a run that is not labelled."""
    names: Mapping[int, dict[str, Any]]
    """What is known of each live latent's name."""
    rows: Mapping[str, np.ndarray]
    """Columns of labels.parquet, sorted by latent and rank; empty if it is not labelled."""
    atlas: Atlas
    counted: Counted

    @classmethod
    def open(cls, run: str | Path) -> "Explored":
        """Open a run, given as on the command line; its atlas is made if there is none.

        Raises:
            InputError: no such run, no index, or something that it was made of is gone or damaged.
        """
        folder = paths.find_run(str(run))
        args = read_training_args(folder)
        activations = open_activations(folder, args)
        index = open_index(folder, activations)
        labels = read_labels(folder) if (folder / FOLDER).is_dir() else None
        sequences = sequences_of(activations, args)
        sequences = sequences._replace(codes=np.asarray(sequences.codes))  # the map without its class, which is slow
        return cls(
            run=folder,
            args=args,
            index=index,
            firings=FiringsFile(index),
            encoding=sequences.encoding,
            pieces=Pieces.of(sequences, activations.songs.splits),
            labels=labels,
            names={name["latent"]: name for name in labels.names} if labels else {},
            rows=_by_latent(read_rows(labels)) if labels else {},
            atlas=atlas_of(index),
            counted=Counted.of(sequences),
        )

    @property
    def title(self) -> str:
        """The run's folder without its root: demo/sae/layer_005."""
        return "/".join(self.run.resolve().parts[-3:])

    def piece(self, song: str) -> Piece:
        """A song of the set by its number; InputError if there is none."""
        if not (song.isascii() and song.isdigit()) or int(song) >= len(self.pieces.sequences.names):
            last = len(self.pieces.sequences.names) - 1
            raise InputError(f"there is no song {song!r}; expected 0 to {last}")
        return self.pieces.piece(int(song))

    def check_latent(self, latent: int) -> int:
        """The latent itself; InputError if there is none of this number."""
        if not 0 <= latent < self.index.d_sae:
            raise InputError(f"latent {latent} is out of range; expected 0 to {self.index.d_sae - 1}")
        return latent

    def name(self, latent: int) -> str | None:
        """The name that test songs support, if there is one."""
        return self.names[latent]["name"] if latent in self.names else None


def _by_latent(rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    mine = np.flatnonzero((rows["rank"] > 0) & (rows["rank"] <= RANKS))
    order = mine[np.lexsort((rows["rank"][mine], rows["latent"][mine]))]
    return {name: column[order] for name, column in rows.items()}
