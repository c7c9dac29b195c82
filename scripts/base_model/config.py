"""The options of training a base model, checked, and what follows from them: sizes and the learning rate."""

import math
from dataclasses import dataclass
from typing import Literal

from music_interpret.config import positional
from music_interpret.errors import InputError
from music_interpret.models.device import DeviceName
from music_interpret.models.mmt import MMTSizes


@dataclass(frozen=True, kw_only=True)
class BaseModelConfig:
    """Train a Multitrack Music Transformer on a data set and keep the weights with the best validation loss."""

    dataset_name: str = positional()
    """Folder of the data set under data/base/ (with or without _notes), and of the model under models/."""
    data_repr: str = positional()
    """Folder of the new model under `models/<dataset_name>/`."""
    dim: int = 256
    """Width of the residual stream."""
    blocks: int = 4
    """Blocks of attention and feed-forward; a block has two layers."""
    heads: int = 4
    """Attention heads, each 64 wide."""
    max_seq_len: int = 512
    """Longest sequence, in tokens."""
    max_beat: int = 128
    """Beats of a song that the model sees."""
    positions: Literal["absolute", "rotary", "none"] = "absolute"
    """Position embedding."""
    steps: int = 3700
    """Optimiser steps."""
    minutes: float | None = None
    """Train for this long instead of a number of steps."""
    batch_tokens: int = 4096
    """Tokens a batch may hold, padding included."""
    lr: float = 1.2e-3
    """Learning rate of AdamW after warm-up; it falls along a cosine to a twentieth."""
    warmup_steps: int = 150
    """Steps over which the learning rate rises from 0."""
    weight_decay: float = 0.01
    """Weight decay of AdamW."""
    gradient_norm: float = 1.0
    """Gradients with a larger norm are scaled down to it."""
    dropout: float = 0.1
    """Share of entries set to 0 in training, in embeddings, attention and feed-forward."""
    polyphonic_share: float = 0.8
    """Probability of drawing a polyphonic song, where there are both kinds."""
    crop_share: float = 0.5
    """Probability that a song is taken from a random beat on and not from its start."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """dtype of the matrix products (autocast); parameters stay float32."""
    half: bool = False
    """Save the model in float16: half the size; loading makes it float32 again."""
    valid_songs: int = 160
    """Validation songs to measure on, the first of the list."""
    valid_every: int = 200
    """Steps between measurements, after each of which the state is saved."""
    seed: int = 0
    """Fixes the initial weights, what each step sees, and dropout."""
    device: DeviceName = "auto"
    """Where to train; auto takes a GPU if there is one."""
    resume: bool = False
    """Go on with an interrupted training."""
    overwrite: bool = False
    """Train again where a model is; it stays until the first measurement replaces it."""

    def __post_init__(self) -> None:
        for name in ("dim", "blocks", "heads", "max_beat", "steps", "batch_tokens", "valid_songs", "valid_every"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} is {getattr(self, name)}; expected 1 or more")
        if self.max_seq_len < 4:
            raise InputError(f"--max_seq_len is {self.max_seq_len}; expected 4 or more")
        for name in ("warmup_steps", "weight_decay", "seed"):
            if not getattr(self, name) >= 0:
                raise InputError(f"--{name} is {getattr(self, name)}; expected 0 or more")
        for name in ("polyphonic_share", "crop_share", "dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"--{name} is {getattr(self, name)}; expected 0 to 1")
        for name in ("lr", "gradient_norm", "minutes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"--{name} is {value}; expected a number above 0")
        if self.resume and self.overwrite:
            raise InputError("--resume and --overwrite exclude each other")
        if not self.data_repr or self.data_repr.startswith(".") or "/" in self.data_repr:
            raise InputError(f"data_repr {self.data_repr!r} is not a folder name: use letters, digits, '-', '_', '.'")

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
        """Learning rate of a step: linear warm-up, times a cosine of the share `done` that falls from 1 to 0.05."""
        warm = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        return self.lr * warm * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)
