"""Edits: what is done to the activations at a site while the model runs.

An edit sees the activations of real tokens only; padding, which real tokens never see, stays as it is.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from music_interpret.activations.song_batches import PaddedTokens
from music_interpret.models.loaded import LoadedModel
from music_interpret.models.site import Site

Change = Callable[[Tensor, Tensor], Tensor]
"""From activations of some tokens, float32 (n, width), and the tokens, int64 (n, n_fields), to what is put in their
place, (n, width).
"""


class Edit(NamedTuple):
    """A change at one site."""

    site: Site
    """Where."""
    change: Change
    """What is put in the activations' place."""


def keep(x: Tensor, _tokens: Tensor) -> Tensor:
    """The change that changes nothing."""
    return x


def constant(value: Tensor) -> Change:
    """The change that puts the same vector (width,) in every token's place: a mean, or 0, for an ablation."""
    return lambda x, _tokens: value.to(x).expand_as(x)


def zero(x: Tensor, _tokens: Tensor) -> Tensor:
    """The change that puts 0 in every token's place."""
    return torch.zeros_like(x)


def applied(x: Tensor, batch: PaddedTokens, change: Change) -> Tensor:
    """The activations of a padded batch, (n_songs, length, width), with those of its real tokens changed."""
    result = x.clone()
    result[batch.mask] = change(x[batch.mask].float(), batch.tokens[batch.mask]).to(x.dtype)
    return result


@contextlib.contextmanager
def edited(model: LoadedModel, batch: PaddedTokens, edits: Sequence[Edit]) -> Iterator[None]:
    """While inside, every forward pass of the model on a batch runs with the edits, each at a site of its own."""
    changes = {edit.site: partial(_applied_to, batch=batch, change=edit.change) for edit in edits}
    with model.edited(changes):
        yield


def _applied_to(x: Tensor, *, batch: PaddedTokens, change: Change) -> Tensor:
    return applied(x, batch, change)


def logits_with(model: LoadedModel, batch: PaddedTokens, edit: Edit, recorded: Tensor) -> list[Tensor]:
    """The model's logits on a batch with an edit: one tensor (n_songs, length, n values) for each field.

    Args:
        model: on the device that everything else is on.
        batch: the songs.
        edit: the edit.
        recorded: what is at the edit's site without it, (n_songs, length, width). Where the model can go on from there,
            what comes before the site is not computed again.
    """
    if model.continue_from is not None and edit.site.layer is not None:
        return model.continue_from(edit.site, applied(recorded, batch, edit.change))
    with edited(model, batch, [edit]):
        return model.module(batch.tokens)
