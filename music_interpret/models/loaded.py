"""What a loaded model offers to every stage.

A model family is a loader that returns one of these (`mmt.load_mmt` is the first), not a class hierarchy.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from music_interpret.music.encoding import Encoding


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A trained music transformer with the means to feed it and to watch it."""

    module: nn.Module
    """Takes codes, int64 (batch, length, 6), right-padded, and gives logits."""
    layers: list[nn.Module]
    """Modules whose output is the residual stream after each sublayer, shape (batch, length, d_model); `layers[i]` is
    layer i.
    """
    continue_from: Callable[[int, Tensor], list[Tensor]]
    """Logits from the residual stream after a layer, (layer, (batch, length, d_model)), by running only what follows:
    one tensor (batch, length, n_codes) for each field.
    """
    encode: Callable[[np.ndarray], np.ndarray]
    """Notes of a song, (n_notes, 5), to the codes the model sees, (n_tokens, 6), cut as the model was trained."""
    encoding: Encoding
    """The tables behind `encode`, for text."""
    d_model: int
    """Width of the residual stream."""
    max_length: int
    """Longest sequence, in tokens."""
    to_precision: Callable[[str], nn.Module]
    """Make the module's matrix products compute in `float32` or `bfloat16`, and return it."""
    sha256: str
    """Identity: SHA-256 of the checkpoint file."""
