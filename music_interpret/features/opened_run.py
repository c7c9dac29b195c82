"""A finished run, opened together with what it was trained on, for measuring."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from music_interpret import paths
from music_interpret.activations.batches import labelled_rows
from music_interpret.activations.normalization import Normalization, load_normalization
from music_interpret.activations.song_batches import PaddedCodes, SongBatch, padded_codes, plan_batches
from music_interpret.activations.store import ActivationSet, LayerActivations, made_from
from music_interpret.errors import InputError
from music_interpret.features.run import open_activations, read_training_args
from music_interpret.models.loaded import LoadedModel
from music_interpret.models.mmt import load_mmt
from music_interpret.music.dataset import Split
from music_interpret.music.encoding import Encoding
from music_interpret.sae.autoencoder import SparseAutoencoder

BATCH_TOKENS = 8192
# PCA and the untrained autoencoder's factor are fitted on at most so many tokens, spread over the train songs.
FITTED_TOKENS = 524_288


@dataclass(frozen=True, kw_only=True)
class OpenedRun:
    """A finished run with everything that it is measured on."""

    run: Path
    args: dict[str, Any]
    autoencoder: SparseAutoencoder
    activations: ActivationSet
    layer: LayerActivations
    normalization: Normalization
    device: torch.device

    @classmethod
    def open(cls, run: Path, device: torch.device) -> "OpenedRun":
        """Open a run's folder; InputError where it is unfinished or its activations are not there any more."""
        args = read_training_args(run)
        autoencoder = SparseAutoencoder.load(run / "sae").to(device)
        activations = open_activations(run, args)
        names = args["arguments"]
        layer = activations.layer(int(names["layer"]))
        source = made_from(activations, layer)
        if source["songs_sha256"] != args["activations"]["songs_sha256"]:
            raise InputError(f"{activations.folder} has other splits than run {run} was trained on; train it again")
        command = f"preprocess {names['dataset_name']} {names['data_repr']} --layers {names['layer']}"
        normalization = load_normalization(layer.folder, source, f"python3 -m music_interpret.{command}")
        return cls(
            run=run,
            args=args,
            autoencoder=autoencoder,
            activations=activations,
            layer=layer,
            normalization=normalization,
            device=device,
        )

    @property
    def number(self) -> int:
        """The layer's number."""
        return int(self.args["arguments"]["layer"])

    @property
    def mean(self) -> Tensor:
        """Mean of the layer's activations over the train songs, float32 (d_in,)."""
        return torch.from_numpy(self.normalization.mean).to(self.device)

    def rows(self, spans: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        """Raw activations, float32 (n, d_in), and codes, (n, 6), of token rows as (start, stop) pairs."""
        return labelled_rows(self.layer, self.activations, spans, BATCH_TOKENS, self.device)

    def fitting_rows(self) -> Iterator[Tensor]:
        """Raw activations of the train songs, or of pieces of them that are spread evenly."""
        spans = self.activations.songs.spans("train")
        pieces = [[f, min(f + BATCH_TOKENS, stop)] for start, stop in spans for f in range(start, stop, BATCH_TOKENS)]
        every = math.ceil(len(pieces) * BATCH_TOKENS / FITTED_TOKENS)
        return (x for x, _ in self.rows(np.array(pieces[::every])))

    def songs(self, split: Split, batch_tokens: int) -> Iterator[PaddedCodes]:
        """A split's songs in padded batches, longest first."""
        table = self.activations.songs
        numbers = np.flatnonzero(table.splits == split)
        with tqdm(total=len(numbers), desc="run the model", unit="song", leave=False) as bar:
            for batch in plan_batches(table.n_tokens[numbers], batch_tokens):
                chosen = SongBatch(numbers[batch.songs], batch.length)
                yield padded_codes(self.activations, chosen).to(self.device)
                bar.update(len(chosen.songs))

    def model(self, precision: str) -> LoadedModel:
        """The model whose activations these are; InputError if another lies in its place."""
        model = model_of_run(self.run, self.args, self.activations.encoding())
        model.to_precision(precision).to(self.device)
        return model


def model_of_run(run: Path, args: dict[str, Any], encoding: Encoding) -> LoadedModel:
    """The model that a run was trained on; InputError if another lies in its place.

    Args:
        run: its folder.
        args: its `training_args.json`.
        encoding: of the model's tokens.
    """
    names = args["arguments"]
    folder = paths.model_folder(names["dataset_name"], names["data_repr"])
    model = load_mmt(folder, encoding)
    if model.sha256 != args["activations"]["model_sha256"]:
        raise InputError(f"{folder} holds another model than run {run} was trained on (model_sha256 differs)")
    return model
