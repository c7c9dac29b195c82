"""What a loaded model offers to every stage.

A model family is a loader that returns one of these (`families/mmt.py` is the first), not a class hierarchy.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from music_interpret.errors import InputError
from music_interpret.models import hooks
from music_interpret.models.hooks import Change
from music_interpret.models.site import Site
from music_interpret.tokens.scheme import Limits, TokenScheme


class Unembedding(NamedTuple):
    """From the last site of the residual stream to the logits of the next token's fields: a norm and linear heads."""

    site: Site
    """The last site of the residual stream, which the norm reads."""
    norm: nn.Module
    """The final norm: `nn.LayerNorm`, or one without a mean (RMSNorm), with a `weight` (d_model,)."""
    heads: Sequence[nn.Linear]
    """One for each field of the tokens."""

    @property
    def weight(self) -> Tensor:
        """The norm's weight, (d_model,)."""
        weight = self.norm.weight
        assert isinstance(weight, Tensor)
        return weight

    @property
    def takes_mean(self) -> bool:
        """Whether the norm subtracts the mean over dimensions."""
        return isinstance(self.norm, nn.LayerNorm)

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Logits of the residual stream (…, d_model): one tensor (…, n values) for each field."""
        x = self.norm(x).to(self.heads[0].weight.dtype)
        return [head(x) for head in self.heads]


class Started(NamedTuple):
    """A model that has read the beginning of some sequences and can read on."""

    logits: list[Tensor]
    """Of each field after each token just read, (batch, n_tokens, n values) each."""
    cache: Any
    """What the model keeps of the tokens so far; a step extends it and does not change the one it is given."""


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A trained music transformer with the means to feed it, to watch it and to change what it computes."""

    module: nn.Module
    """Takes tokens, int64 (batch, length, n_fields), right-padded, and gives logits of the next token: one tensor
    (batch, length, n values) for each field.
    """
    sites: Mapping[Site, str]
    """Named sites, in the order of the forward pass, and the path of the module whose output each is."""
    scheme: TokenScheme
    """What the tokens mean."""
    limits: Limits
    """Where the model stops reading."""
    d_model: int
    """Width of the residual stream."""
    unembedding: Unembedding
    """From the residual stream to logits."""
    start: Callable[[Tensor], Started]
    """Read the beginning of sequences, tokens int64 (batch, length, n_fields)."""
    step: Callable[[Any, Tensor], Started]
    """Read on: a cache and the next tokens, int64 (batch, n_tokens, n_fields). Positions go on from the cache."""
    continue_from: Callable[[Site, Tensor], list[Tensor]] | None
    """Logits from what is at a site of the residual stream, (batch, length, d_model), by running only what follows;
    None for a model that cannot.
    """
    to_precision: Callable[[str], nn.Module]
    """Make the module's matrix products compute in `float32` or `bfloat16`, and return it."""
    sha256: str
    """Identity: SHA-256 of the checkpoint file."""

    def encode(self, notes: np.ndarray) -> np.ndarray:
        """Tokens of one song's notes (n_notes, 5), (n_tokens, n_fields), cut where the model stops reading."""
        return self.scheme.encode(notes, self.limits)

    @property
    def n_layers(self) -> int:
        """Number of layers that `--layers` counts."""
        return 1 + max((site.layer for site in self.sites if site.layer is not None), default=-1)

    def at(self, site: Site) -> nn.Module:
        """The module whose output a site is; InputError for a site that the model has not."""
        if site.kind_and_block is None or site in self.sites:
            with contextlib.suppress(AttributeError):
                return self.module.get_submodule(self.sites.get(site, site.name))
        layers = sorted(known.layer for known in self.sites if known.layer is not None)
        if site.layer is not None and layers:
            all_there = layers == list(range(len(layers)))
            expected = f"0 to {layers[-1]}" if all_there else f"one of {', '.join(map(str, layers))}"
            raise InputError(f"layer {site.layer} is out of range; expected {expected}")
        names = ", ".join(known.name for known in self.sites)
        raise InputError(f"unknown site {site.name!r}; expected one of {names}, or the path of a module")

    def width(self, site: Site) -> int:
        """Dimensions of a site's vectors; InputError for a module that gives no vector per token."""
        tokens = torch.zeros(
            1, 2, len(self.scheme.fields), dtype=torch.int64, device=next(self.module.parameters()).device
        )
        try:
            output = self.recorded(tokens, [site])[site]
            right = isinstance(output, Tensor) and output.shape[:2] == (1, 2) and output.dim() == 3
        except RuntimeError as error:
            raise InputError(f"site {site.name} cannot be recorded: {error}") from None
        if not right:
            raise InputError(f"site {site.name} gives no vector per token; expected an output (batch, length, width)")
        return int(output.shape[2])

    @torch.inference_mode()
    def recorded(self, tokens: Tensor, sites: Sequence[Site]) -> dict[Site, Tensor]:
        """What is at some sites, (batch, length, width) each, by running the model no further than it has to.

        Args:
            tokens: int64 (batch, length, n_fields), right-padded.
            sites: which ones.

        Examples:
            >>> model = music_interpret.open_run("demo/sae").model
            >>> tokens = torch.from_numpy(model.encode(np.array([[0, 0, 60, 12, 0], [1, 0, 64, 12, 0]])))
            >>> model.recorded(tokens.long()[None], [Site("mlp_out.1")])[Site("mlp_out.1")].shape
            torch.Size([1, 6, 64])
        """
        with hooks.record({site: self.at(site) for site in sites}) as outputs:
            self.module(tokens)
        return outputs

    @contextlib.contextmanager
    def edited(self, changes: Mapping[Site, Change]) -> Iterator[None]:
        """While inside, every forward pass of the module has what is at some sites replaced by a function of it.

        Examples:
            >>> model = music_interpret.open_run("demo/sae").model
            >>> tokens = torch.zeros(1, 1, 6, dtype=torch.int64)
            >>> with torch.inference_mode(), model.edited({Site("resid_post.1"): torch.zeros_like}):
            ...     logits = model.module(tokens)
            >>> bool((logits[0] == model.module(tokens)[0]).any())
            False
        """
        with hooks.replaced({site: (self.at(site), change) for site, change in changes.items()}):
            yield
