"""The Multitrack Music Transformer (Dong et al., ICASSP 2023).

A decoder-only, pre-norm transformer over tokens of six values; the token embedding is the sum of six tables, and six
heads predict the next token's fields. The weights were written by x-transformers 0.25.9, whose ways are part of the
model: learned positions are scaled by dim**-0.5; rotary embeddings (Su et al., arXiv 2104.09864) turn the first 32
dimensions of each head's query, key and value; a head is 64 wide whatever the model's width is; queries, keys and
values have no bias.

Layers are counted as MMT counts sublayers: 0 … 2·depth − 1, even = after attention, odd = after feed-forward.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from music_interpret.errors import InputError
from music_interpret.models.loaded import Started
from music_interpret.models.mmt_sizes import MMTSizes

HEAD_DIM = 64
ROTARY_DIM = 32
FEEDFORWARD_FACTOR = 4


class KeyValues(NamedTuple):
    """What attention keeps of the tokens that it has read."""

    keys: Tensor
    """(batch, heads, n_tokens, 64), rotated where the model rotates."""
    values: Tensor
    """(batch, heads, n_tokens, 64)."""


class Kept:
    """The place where one attention finds what it kept of earlier tokens and leaves what it keeps of all."""

    def __init__(self, before: KeyValues | None = None) -> None:
        self.all = before

    @property
    def n_tokens(self) -> int:
        return 0 if self.all is None else self.all.keys.shape[2]

    def extend(self, keys: Tensor, values: Tensor) -> KeyValues:
        """Earlier and new keys and values together; what came before stays as it is."""
        new = KeyValues(keys, values)
        if self.all is not None:
            new = KeyValues(*(torch.cat(pair, dim=2) for pair in zip(self.all, new, strict=True)))
        self.all = new
        return new


class Attention(nn.Module):
    """Causal multi-head attention with the residual connection around it: x + out(attention(norm(x)))."""

    def __init__(self, dim: int, heads: int, rotary: bool, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.rotary = rotary
        self.dropout = dropout
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * heads * HEAD_DIM, bias=False)
        self.out = nn.Linear(heads * HEAD_DIM, dim)

    def forward(self, x: Tensor, mask: Tensor | None = None, kept: Kept | None = None) -> Tensor:
        batch, length, _ = x.shape
        offset = 0 if kept is None else kept.n_tokens
        qkv = self.qkv(normed(self.norm, x, self.qkv.weight.dtype)).view(batch, length, 3, self.heads, HEAD_DIM)
        if self.rotary:
            qkv = rotate(qkv, offset)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        if kept is not None:
            k, v = kept.extend(k, v)
        dropout = self.dropout if self.training else 0.0
        if offset:
            seen = torch.ones(length, offset + length, dtype=torch.bool, device=x.device).tril(offset)
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        elif mask is None:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout)
        else:
            q, allowed = authors_padding(q, mask)
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=dropout)
        return x + self.out(mixed.transpose(1, 2).reshape(batch, length, self.heads * HEAD_DIM))


class FeedForward(nn.Module):
    """Two linear maps around a GELU with the residual connection: x + down(gelu(up(norm(x))))."""

    def __init__(self, dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, FEEDFORWARD_FACTOR * dim)
        self.down = nn.Linear(FEEDFORWARD_FACTOR * dim, dim)

    def forward(self, x: Tensor, mask: Tensor | None = None, kept: Kept | None = None) -> Tensor:
        hidden = F.gelu(self.up(normed(self.norm, x, self.up.weight.dtype)))
        return x + self.down(F.dropout(hidden, self.dropout, self.training))


def authors_padding(q: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Queries and the attention mask with which padded tokens come out as x-transformers 0.25.9 computes them.

    There every score of a padded query is set to the same number, so that it attends evenly to all positions, later
    ones too.
    """
    causal = torch.ones(mask.shape[1], mask.shape[1], dtype=torch.bool, device=mask.device).tril()
    allowed = (causal & mask[:, None, :]) | ~mask[:, :, None]
    return q * mask[:, None, :, None], allowed[:, None]


def normed(norm: nn.LayerNorm, x: Tensor, dtype: torch.dtype) -> Tensor:
    """Layer norm in the residual stream's float32, handed on in the weights' type."""
    return norm(x).to(dtype)


def rotate(qkv: Tensor, offset: int = 0) -> Tensor:
    """Turn the first ROTARY_DIM dimensions of query, key and value by their position, counted from `offset`; shape
    (batch, length, 3, heads, 64).
    """
    half = ROTARY_DIM // 2
    frequencies = 10000 ** (-torch.arange(half, device=qkv.device, dtype=torch.float32) * 2 / ROTARY_DIM)
    positions = torch.arange(offset, offset + qkv.shape[1], device=qkv.device, dtype=torch.float32)
    angles = positions[:, None] * frequencies
    cos, sin = (t.to(qkv.dtype)[None, :, None, None, :] for t in (angles.cos(), angles.sin()))
    first, second, rest = qkv.split([half, half, HEAD_DIM - ROTARY_DIM], dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin, rest], dim=-1)


class MMT(nn.Module):
    """The model. `blocks[i]` gives layer i of the residual stream.

    Right padding needs no mask: attention is causal, so a song's own tokens never see what follows them.
    """

    def __init__(self, sizes: MMTSizes, n_codes: tuple[int, ...], dropout: float = 0.0) -> None:
        super().__init__()
        self.sizes = sizes
        # The authors cut the beat table to the model's own number of beats.
        n_codes = (n_codes[0], sizes.max_beat + 1, *n_codes[2:])
        self.dropout = dropout
        self.precision = torch.float32
        self.embeddings = nn.ModuleList(nn.Embedding(n, sizes.dim) for n in n_codes)
        # As in x-transformers, a rotary model has no learned positions even where abs_pos_emb is set too.
        learned = sizes.abs_pos_emb and not sizes.rel_pos_emb
        self.positions = nn.Embedding(sizes.max_seq_len, sizes.dim) if learned else None
        self.embedded = nn.Identity()  # a module, so that the embeddings are a site
        self.blocks = nn.ModuleList()
        for _ in range(sizes.layers):
            self.blocks.append(Attention(sizes.dim, sizes.heads, sizes.rel_pos_emb, dropout))
            self.blocks.append(FeedForward(sizes.dim, dropout))
        self.norm = nn.LayerNorm(sizes.dim)
        self.heads = nn.ModuleList(nn.Linear(sizes.dim, n) for n in n_codes)

    def embed(self, tokens: Tensor, offset: int = 0) -> Tensor:
        """Token and position embeddings, (batch, length, dim) in float32; positions count from `offset`."""
        x = self.embeddings[0](tokens[..., 0])
        for field, embedding in enumerate(self.embeddings[1:], start=1):
            x = x + embedding(tokens[..., field])
        if self.positions is not None:
            x = x + self.positions.weight[offset : offset + tokens.shape[1]] * self.sizes.dim**-0.5
        return self.embedded(F.dropout(x, self.dropout, self.training))

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Logits of the six fields of each next token: six tensors (batch, length, n values of the field).

        Args:
            tokens: int64 (batch, length, 6), right-padded with anything that is a value.
            mask: bool (batch, length), true for real tokens. It changes nothing for them; with it, padded tokens also
                come out as in the authors' implementation, whose losses count them.
        """
        return self.continue_from(-1, self.embed(tokens), mask)

    def continue_from(self, layer: int, x: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Logits from the residual stream after `layer`, (batch, length, dim): what comes after it, and no more.

        Layer −1 stands for the embeddings.
        """
        for block in list(self.blocks)[layer + 1 :]:
            x = block(x, mask)
        return self.unembed(x)

    def unembed(self, x: Tensor) -> list[Tensor]:
        """Logits of the six fields from the residual stream after the last layer."""
        x = normed(self.norm, x, self.precision)
        return [head(x) for head in self.heads]

    def start(self, tokens: Tensor) -> Started:
        """Read the beginning of sequences, tokens int64 (batch, length, 6), all of the same length."""
        return self.step([None] * len(self.blocks), tokens)

    def step(self, cache: Sequence[KeyValues | None], tokens: Tensor) -> Started:
        """Read on where a cache ends: logits after each of the new tokens, int64 (batch, n_tokens, 6).

        Raises:
            InputError: the sequence becomes longer than the model reads.
        """
        places = [Kept(before) for before in cache]
        offset = max(place.n_tokens for place in places)
        if offset + tokens.shape[1] > self.sizes.max_seq_len:
            length, most = offset + tokens.shape[1], self.sizes.max_seq_len
            raise InputError(f"a sequence of {length} tokens is longer than the model reads; expected at most {most}")
        x = self.embed(tokens, offset)
        for block, place in zip(self.blocks, places, strict=True):
            x = block(x, None, place)
        return Started(self.unembed(x), [place.all for place in places])

    def to_precision(self, precision: str) -> "MMT":
        """Let linear maps and attention compute in float32 or bfloat16; the residual stream stays float32."""
        self.precision = getattr(torch, precision)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.to(self.precision)
        return self


def next_token_losses(logits: list[Tensor], tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of each field in nats, shape (6,).

    Args:
        logits: six tensors (batch, length − 1, n) from `tokens[:, :-1]`.
        tokens: int64 (batch, length, 6).
        mask: bool (batch, length), true for real tokens; without it padded targets count too, as in the authors'
        training.
    """
    targets = tokens[:, 1:]
    kept = torch.ones_like(targets[..., 0], dtype=torch.bool) if mask is None else mask[:, 1:]
    return torch.stack([F.cross_entropy(field[kept].float(), targets[..., i][kept]) for i, field in enumerate(logits)])
