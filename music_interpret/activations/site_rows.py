"""One site of a store opened for measuring: its rows and normalisation, the songs' tokens, on a device."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from music_interpret.activations.batches import labelled_rows, sequential_batches
from music_interpret.activations.normalization import Normalization, load_normalization
from music_interpret.activations.song_batches import PaddedTokens, SongBatch, padded_tokens, plan_batches
from music_interpret.activations.store import ActivationSet, SiteActivations, made_from
from music_interpret.models.site import Site
from music_interpret.music.dataset import Split

BATCH_TOKENS = 8192
FITTED_TOKENS = 524_288
"""PCA and the untrained autoencoder's factor are fitted on at most so many tokens, spread over the train songs."""


@dataclass(frozen=True, kw_only=True)
class SiteRows:
    """What is at one site on every token, with what is needed to measure on it."""

    activations: ActivationSet
    """The store."""
    site: SiteActivations
    """Of it, the site."""
    normalization: Normalization
    """From the train songs."""
    device: torch.device
    """Where rows and tokens are put."""

    @classmethod
    def open(cls, activations: ActivationSet, site: Site, device: torch.device) -> "SiteRows":
        """Open a site; InputError if it was not extracted or preprocessed."""
        opened = activations.site(site)
        names = f"{activations.manifest['dataset_name']} {activations.manifest['data_repr']} {site.option}"
        command = f"python3 -m music_interpret.preprocess {names}"
        normalization = load_normalization(opened.folder, made_from(activations, opened), command)
        return cls(activations=activations, site=opened, normalization=normalization, device=device)

    @property
    def made_from(self) -> dict[str, Any]:
        """What is made of the site notes down, see `store.made_from`."""
        return made_from(self.activations, self.site)

    @property
    def mean(self) -> Tensor:
        """Mean of the site's activations over the train songs, float32 (width,)."""
        return torch.from_numpy(self.normalization.mean).to(self.device)

    @property
    def scale(self) -> Tensor:
        """Of the normalisation, float32 (width,)."""
        return torch.from_numpy(self.normalization.scale).to(self.device)

    def rows(self, spans: np.ndarray, batch_tokens: int = BATCH_TOKENS) -> Iterator[tuple[Tensor, Tensor]]:
        """Raw activations, float32 (n, width), and tokens, (n, n_fields), of spans (start, stop) of token rows."""
        return labelled_rows(self.site, self.activations, spans, batch_tokens, self.device)

    def normalized(self, spans: np.ndarray, batch_tokens: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Tokens, (n, n_fields), and normalised activations, float32 (n, width), of spans of token rows."""
        for first, last, rows in sequential_batches(self.site, spans, batch_tokens):
            yield self.activations.tokens[first:last], self.normalization.apply(rows.numpy())

    def fitting_rows(self) -> Iterator[Tensor]:
        """Raw activations of the train songs, or of pieces of them that are spread evenly."""
        spans = self.activations.songs.spans("train")
        pieces = [[f, min(f + BATCH_TOKENS, stop)] for start, stop in spans for f in range(start, stop, BATCH_TOKENS)]
        every = math.ceil(len(pieces) * BATCH_TOKENS / FITTED_TOKENS)
        return (x for x, _ in self.rows(np.array(pieces[::every])))

    def songs(self, split: Split, batch_tokens: int) -> Iterator[PaddedTokens]:
        """A split's songs in padded batches, longest first."""
        table = self.activations.songs
        numbers = np.flatnonzero(table.splits == split)
        with tqdm(total=len(numbers), desc="run the model", unit="song", leave=False) as bar:
            for batch in plan_batches(table.n_tokens[numbers], batch_tokens):
                chosen = SongBatch(numbers[batch.songs], batch.length)
                yield padded_tokens(self.activations, chosen).to(self.device)
                bar.update(len(chosen.songs))
