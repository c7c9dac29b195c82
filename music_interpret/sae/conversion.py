"""What passes between an autoencoder here and the format of another library."""

from pathlib import Path
from typing import Any, NamedTuple

from music_interpret.errors import InputError
from music_interpret.sae.architectures import TENSORS, SavedKind
from music_interpret.sae.autoencoder import shape_of
from music_interpret.sae.parameters import Parameters


class Read(NamedTuple):
    """An autoencoder read from another library's files."""

    kind: SavedKind
    """The kind here that computes the same."""
    parameters: Parameters
    """Its tensors under SAELens's names and in their orientation, float32."""
    k: int
    """Latents that may fire on a token, for `topk`."""
    takes_off_b_dec: bool
    """Whether it encodes x − b_dec."""
    unit_decoder: bool
    """Whether its library scales decoder rows to norm 1 on loading, and latents with them."""
    metadata: dict[str, Any]
    """What was known of it."""


class Made(NamedTuple):
    """An autoencoder in another library's terms."""

    reader: str
    """The class that reads it there."""
    weights: bytes
    """Content of the weights file."""
    config: dict[str, Any]
    """Content of the JSON next to it."""
    takes_off_b_dec: bool
    """Whether it encodes x − b_dec."""


def check(read: Read, path: Path) -> None:
    """InputError for tensors that are missing or do not fit each other, and for a k that cannot be."""
    names = TENSORS[read.kind]
    shape = read.parameters["W_enc"].shape
    if len(shape) != 2:
        raise InputError(f"{path}: the encoder's weights are {tuple(shape)}; expected two dimensions")
    for name in names:
        found, right = tuple(read.parameters[name].shape), shape_of(name, *shape)
        if found != right:
            raise InputError(f"{path}: {name} is {found}; expected {right}, as the encoder is {tuple(shape)}")
    if read.kind == "topk" and (type(read.k) is not int or not 1 <= read.k <= shape[1]):
        raise InputError(f"{path}: k is {read.k!r}; expected 1 to {shape[1]}, the number of latents")
