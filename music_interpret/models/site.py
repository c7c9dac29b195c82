"""Sites: named places in a model where a vector per token can be read and changed.

| name | what is there, for block i |
| --- | --- |
| `resid_pre.0` | the embeddings, before the first block |
| `attn_out.i` | what attention adds to the residual stream |
| `resid_mid.i` | the residual stream after attention |
| `mlp_out.i` | what the feed-forward layer adds to it |
| `resid_post.i` | the residual stream after the block |
| any dotted path | the output of that module of the model, such as `blocks.3.norm` |

A model need not offer all of them. `--layers` counts the residual stream as the authors of MMT count sublayers: layer
2i is `resid_mid.i`, layer 2i + 1 is `resid_post.i`.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from music_interpret.errors import InputError
from music_interpret.paths import layer_name

NAMED = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
"""Kinds of sites with a block's number, in the order of the forward pass."""
_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*")


class Site(NamedTuple):
    """One site."""

    name: str
    """Its name, see the table above."""

    @classmethod
    def of(cls, name: str) -> "Site":
        """The site of a name; InputError for what cannot be one."""
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > 200:
            raise InputError(
                f"site {name!r} is no name; expected one such as resid_post.2, mlp_out.2 or a module's path"
            )
        return cls(name)

    @classmethod
    def of_layer(cls, layer: int) -> "Site":
        """The site of the residual stream after a sublayer.

        Examples:
            >>> Site.of_layer(5)
            Site(name='resid_post.2')
        """
        return cls(f"{'resid_post' if layer % 2 else 'resid_mid'}.{layer // 2}")

    @property
    def kind_and_block(self) -> tuple[str, int] | None:
        """The kind and the block's number of a named site, None for a module's path."""
        kind, _, block = self.name.partition(".")
        return (kind, int(block)) if kind in NAMED and block.isdecimal() else None

    @property
    def layer(self) -> int | None:
        """The number that `--layers` has for it, None for a site that is not on the residual stream.

        Examples:
            >>> Site("resid_mid.1").layer, Site("mlp_out.1").layer
            (2, None)
        """
        kind, block = self.kind_and_block or ("", 0)
        return {"resid_mid": 2 * block, "resid_post": 2 * block + 1}.get(kind)

    @property
    def folder(self) -> str:
        """Name of its folder in an activation store and of its run in an experiment.

        Examples:
            >>> Site.of_layer(5).folder, Site("mlp_out.2").folder
            ('layer_005', 'mlp_out.2')
        """
        return layer_name(self.layer) if self.layer is not None else self.name

    @property
    def title(self) -> str:
        """What people read: `layer 5` or `site mlp_out.2`."""
        return f"layer {self.layer}" if self.layer is not None else f"site {self.name}"

    @property
    def option(self) -> str:
        """The option of a command that names it: `--layers 5` or `--sites mlp_out.2`."""
        return f"--layers {self.layer}" if self.layer is not None else f"--sites {self.name}"

    @property
    def order(self) -> tuple[int, int, str]:
        """What sites are sorted by: the order of the forward pass, modules by path last."""
        if self.kind_and_block is None:
            return (1, 0, self.name)
        kind, block = self.kind_and_block
        return (0, block * len(NAMED) + NAMED.index(kind), "")


def chosen_sites(layers: Sequence[int] | None, sites: Sequence[str] | None) -> list[Site]:
    """The sites that a stage's options name, each once, in the order of the forward pass; InputError if there are
    none.
    """
    found = [Site.of_layer(layer) for layer in layers or ()] + [Site.of(name) for name in sites or ()]
    if not found:
        raise InputError("no layer or site is named; expected a layer such as 5, or a site such as mlp_out.2")
    return sorted(set(found), key=lambda site: site.order)
