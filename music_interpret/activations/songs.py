"""Which token rows belong to which song: the table `songs.csv` of a store."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from music_interpret.errors import InputError
from music_interpret.music.dataset import SPLITS, Split


class SongTable(NamedTuple):
    """Which token rows belong to which song; songs are stored one after the other."""

    names: list[str]
    """Name of each song."""
    first_token: np.ndarray
    """Token row of each song's first token, int64 (n_songs,)."""
    n_tokens: np.ndarray
    """Length of each song in tokens, int64 (n_songs,)."""
    splits: np.ndarray
    """Split of each song, strings (n_songs,)."""

    def song_of(self, token_rows: np.ndarray) -> np.ndarray:
        """Song number of each token row."""
        return np.searchsorted(self.first_token, token_rows, side="right") - 1

    def spans(self, split: Split | None) -> np.ndarray:
        """Spans (start, stop) of token rows of a split (None: all songs), neighbouring songs joined, int64 (n, 2)."""
        chosen = np.ones(len(self.names), bool) if split is None else self.splits == split
        edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]])))
        ends = np.append(self.first_token, self.first_token[-1] + self.n_tokens[-1])
        return ends[edges].reshape(-1, 2)

    def to_csv(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", "first_token", "n_tokens", "split"])
        writer.writerows(zip(self.names, self.first_token.tolist(), self.n_tokens.tolist(), self.splits, strict=True))
        return text.getvalue()

    @classmethod
    def read(cls, path: Path) -> "SongTable":
        try:
            with open(path, newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            table = cls(
                [row["name"] for row in rows],
                np.array([int(row["first_token"]) for row in rows], np.int64),
                np.array([int(row["n_tokens"]) for row in rows], np.int64),
                np.array([row["split"] for row in rows]),
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is not a table of songs ({type(error).__name__}: {error})") from None
        if (
            not rows
            or (table.first_token[1:] != np.cumsum(table.n_tokens)[:-1]).any()
            or set(table.splits) - set(SPLITS)
        ):
            raise InputError(f"{path} is damaged: songs do not follow each other; extract again with --overwrite")
        return table
