"""The options of training a base model, checked, and what follows from them: sizes and the learning rate."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from music_interpret.config import (
    CheckedConfig,
    FolderName,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Seed,
    positional,
    within,
)
from music_interpret.errors import InputError
from music_interpret.models.device import DeviceName
from music_interpret.models.mmt_sizes import MMTSizes


@dataclass(frozen=True, kw_only=True)
class BaseModelConfig(CheckedConfig):
    """Train a Multitrack Music Transformer on a data set and keep the weights with the best validation loss."""

    dataset_name: FolderName = positional()
    """Folder of the data set under data/base/ (with or without _notes), and of the model under models/."""
    data_repr: FolderName = positional()
    """Folder of the new model under `models/<dataset_name>/`."""
    dim: Annotated[int, within(1, 2**16)] = 256
    """Width of the residual stream."""
    blocks: Annotated[int, within(1, 1024)] = 4
    """Blocks of attention and feed-forward; a block has two layers."""
    heads: Annotated[int, within(1, 1024)] = 4
    """Attention heads, each 64 wide."""
    max_seq_len: Annotated[int, within(4, 2**20)] = 512
    """Longest sequence, in tokens."""
    max_beat: Annotated[int, within(1, 2**20)] = 128
    """Beats of a song that the model sees."""
    positions: Literal["absolute", "rotary", "none"] = "absolute"
    """Position embedding."""
    steps: PositiveInt = 3700
    """Optimiser steps."""
    minutes: PositiveFloat | None = None
    """Train for this long instead of a number of steps."""
    batch_tokens: Annotated[int, within(1, 2**24)] = 4096
    """Tokens that a batch may hold, padding included."""
    lr: PositiveFloat = 1.2e-3
    """Learning rate of AdamW after warm-up; it falls along a cosine to a twentieth."""
    warmup_steps: NonNegativeInt = 150
    """Steps over which the learning rate rises from 0."""
    weight_decay: NonNegativeFloat = 0.01
    """Weight decay of AdamW."""
    gradient_norm: PositiveFloat = 1.0
    """Gradients with a larger norm are scaled down to it."""
    dropout: Fraction = 0.1
    """Fraction of entries set to 0 in training, in embeddings, attention and feed-forward."""
    polyphonic_share: Fraction = 0.8
    """Probability of drawing a polyphonic song, where there are both kinds."""
    crop_share: Fraction = 0.5
    """Probability that a song is taken from a random beat on and not from its start."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """dtype of the matrix products (autocast); parameters stay float32."""
    half: bool = False
    """Save the model in float16: half the size; loading makes it float32 again."""
    valid_songs: PositiveInt = 160
    """Validation songs to measure on, the first of the list."""
    valid_every: PositiveInt = 200
    """Steps between measurements, after each of which the state is saved."""
    seed: Seed = 0
    """Fixes the initial weights, what each step sees, and dropout."""
    device: DeviceName = "auto"
    """Where to train; auto takes a GPU if there is one, cuda:1 the second GPU."""
    resume: bool = False
    """Go on with an interrupted training."""
    overwrite: bool = False
    """Train again where a model is; it stays until the first measurement replaces it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resume and self.overwrite:
            raise InputError("--resume and --overwrite exclude each other")

    def sizes(self) -> MMTSizes:
        return MMTSizes(
            dim=self.dim,
            layers=self.blocks,
            heads=self.heads,
            max_seq_len=self.max_seq_len,
            max_beat=self.max_beat,
            abs_pos_emb=self.positions == "absolute",
            rel_pos_emb=self.positions == "rotary",
        )

    def lr_at(self, step: int, done: float) -> float:
        """Learning rate of a step: linear warm-up, times a cosine of the fraction `done` that falls from 1 to 0.05."""
        warm = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        return self.lr * warm * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)
