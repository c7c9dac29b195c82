"""The Multitrack Music Transformer (Dong et al., ICASSP 2023), loading the authors' own checkpoints.

A decoder-only, pre-norm transformer over tokens of six codes; the token embedding is the sum of six tables, and six
heads predict the next token's fields. The weights were written by x-transformers 0.25.9, whose ways are part of the
model: learned positions are scaled by dim**-0.5; rotary embeddings (Su et al., arXiv 2104.09864) turn the first 32
dimensions of each head's query, key and value; a head is 64 wide whatever the model's width is; queries, keys and
values have no bias.

Layers are counted as MMT counts sublayers: 0 … 2·depth − 1, even = after attention, odd = after feed-forward.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from music_interpret.errors import InputError
from music_interpret.files import read_json, sha256
from music_interpret.models.loaded import LoadedModel
from music_interpret.models.state_dict import read_state_dict
from music_interpret.music.encoding import Encoding

HEAD_DIM = 64
ROTARY_DIM = 32
FEEDFORWARD_FACTOR = 4


@dataclass(frozen=True, kw_only=True)
class MMTSizes:
    """The entries of `train-args.json` that shape the model."""

    dim: int
    layers: int
    heads: int
    max_seq_len: int
    max_beat: int
    abs_pos_emb: bool
    rel_pos_emb: bool

    @classmethod
    def load(cls, path: Path) -> "MMTSizes":
        args = read_json(path)
        if not isinstance(args, dict):
            raise InputError(f"{path} holds no JSON object; expected the train-args.json of MMT")
        values: dict[str, Any] = {}
        for name, kind in cls.__annotations__.items():
            value: Any = args.get(name)
            right = "true or false" if kind is bool else "a positive integer"
            if type(value) is not kind or (kind is int and value < 1):
                raise InputError(f"{path}: {name} is {value!r}; expected {right}")
            values[name] = value
        return cls(**values)


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

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        batch, length, _ = x.shape
        qkv = self.qkv(normed(self.norm, x, self.qkv.weight.dtype)).view(batch, length, 3, self.heads, HEAD_DIM)
        if self.rotary:
            qkv = rotate(qkv)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        if mask is None:
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

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
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


def rotate(qkv: Tensor) -> Tensor:
    """Turn the first ROTARY_DIM dimensions of query, key and value by their position; shape (batch, length, 3, heads,
    64).
    """
    half = ROTARY_DIM // 2
    frequencies = 10000 ** (-torch.arange(half, device=qkv.device, dtype=torch.float32) * 2 / ROTARY_DIM)
    angles = torch.arange(qkv.shape[1], device=qkv.device, dtype=torch.float32)[:, None] * frequencies
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
        self.blocks = nn.ModuleList()
        for _ in range(sizes.layers):
            self.blocks.append(Attention(sizes.dim, sizes.heads, sizes.rel_pos_emb, dropout))
            self.blocks.append(FeedForward(sizes.dim, dropout))
        self.norm = nn.LayerNorm(sizes.dim)
        self.heads = nn.ModuleList(nn.Linear(sizes.dim, n) for n in n_codes)

    def embed(self, codes: Tensor) -> Tensor:
        """Token and position embeddings, (batch, length, dim) in float32."""
        x = self.embeddings[0](codes[..., 0])
        for field, embedding in enumerate(self.embeddings[1:], start=1):
            x = x + embedding(codes[..., field])
        if self.positions is not None:
            x = x + self.positions.weight[: codes.shape[1]] * self.sizes.dim**-0.5
        return F.dropout(x, self.dropout, self.training)

    def forward(self, codes: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Logits of the six fields of each next token: six tensors (batch, length, n_codes of the field).

        Args:
            codes: int64 (batch, length, 6), right-padded with anything that is a code.
            mask: bool (batch, length), true for real tokens. It changes nothing for them; with it, padded tokens also
            come out as in
                the authors' implementation, whose losses count them.
        """
        return self.continue_from(-1, self.embed(codes), mask)

    def continue_from(self, layer: int, x: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Logits from the residual stream after `layer`, (batch, length, dim): what comes after it, and no more.

        Layer −1 stands for the embeddings.
        """
        for block in list(self.blocks)[layer + 1 :]:
            x = block(x, mask)
        x = normed(self.norm, x, self.precision)
        return [head(x) for head in self.heads]

    def to_precision(self, precision: str) -> "MMT":
        """Let linear maps and attention compute in float32 or bfloat16; the residual stream stays float32."""
        self.precision = getattr(torch, precision)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.to(self.precision)
        return self


def next_token_losses(logits: list[Tensor], codes: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of each field in nats, shape (6,).

    Args:
        logits: six tensors (batch, length − 1, n) from `codes[:, :-1]`.
        codes: int64 (batch, length, 6).
        mask: bool (batch, length), true for real tokens; without it padded targets count too, as in the authors'
        training.
    """
    targets = codes[:, 1:]
    kept = torch.ones_like(targets[..., 0], dtype=torch.bool) if mask is None else mask[:, 1:]
    return torch.stack([F.cross_entropy(field[kept].float(), targets[..., i][kept]) for i, field in enumerate(logits)])


# The authors' parameter names and ours; `{i}` counts sublayers.
_PLAIN_NAMES = (
    (r"decoder\.net\.token_emb\.(\d+)\.emb\.weight", r"embeddings.\1.weight"),
    (r"decoder\.net\.pos_emb\.emb\.weight", r"positions.weight"),
    (r"decoder\.net\.attn_layers\.layers\.(\d+)\.0\.0\.(weight|bias)", r"blocks.\1.norm.\2"),
    (r"decoder\.net\.attn_layers\.layers\.(\d+)\.1\.to_out\.(weight|bias)", r"blocks.\1.out.\2"),
    (r"decoder\.net\.attn_layers\.layers\.(\d+)\.1\.net\.0\.0\.(weight|bias)", r"blocks.\1.up.\2"),
    (r"decoder\.net\.attn_layers\.layers\.(\d+)\.1\.net\.3\.(weight|bias)", r"blocks.\1.down.\2"),
    (r"decoder\.net\.norm\.(weight|bias)", r"norm.\1"),
    (r"decoder\.net\.to_logits\.(\d+)\.(weight|bias)", r"heads.\1.\2"),
)
_QKV_NAME = re.compile(r"decoder\.net\.attn_layers\.layers\.(\d+)\.1\.to_([qkv])\.weight")
# A buffer that rotary checkpoints carry; its values follow from the definition.
_ROTARY_NAME = "decoder.net.attn_layers.rotary_pos_emb.inv_freq"


def from_authors_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename an MMT checkpoint's tensors to ours and join queries, keys and values; unknown names stay as they are."""
    ours: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if match := _QKV_NAME.fullmatch(name):
            parts.setdefault(f"blocks.{match[1]}.qkv.weight", {})[match[2]] = tensor
        elif name != _ROTARY_NAME:
            for theirs, replacement in _PLAIN_NAMES:
                if match := re.fullmatch(theirs, name):
                    name = match.expand(replacement)
                    break
            ours[name] = tensor
    for name, part in parts.items():
        if sorted(part) == ["k", "q", "v"]:
            ours[name] = torch.cat([part["q"], part["k"], part["v"]])
    return ours


def to_authors_names(model: MMT) -> dict[str, Tensor]:
    """The state of a model under the authors' names, so that the authors' code loads what we trained."""
    theirs: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        kind, _, rest = name.partition(".")
        if kind == "embeddings":
            theirs[f"decoder.net.token_emb.{rest.replace('.weight', '.emb.weight')}"] = tensor
        elif kind == "positions":
            theirs["decoder.net.pos_emb.emb.weight"] = tensor
        elif kind == "norm":
            theirs[f"decoder.net.norm.{rest}"] = tensor
        elif kind == "heads":
            theirs[f"decoder.net.to_logits.{rest}"] = tensor
        else:
            layer, part, what = rest.split(".")
            prefix = f"decoder.net.attn_layers.layers.{layer}"
            if part == "qkv":
                for letter, piece in zip("qkv", tensor.chunk(3), strict=True):
                    theirs[f"{prefix}.1.to_{letter}.weight"] = piece.clone()
            else:
                place = {"norm": "0.0", "out": "1.to_out", "up": "1.net.0.0", "down": "1.net.3"}[part]
                theirs[f"{prefix}.{place}.{what}"] = tensor
    if model.sizes.rel_pos_emb:
        theirs[_ROTARY_NAME] = 10000 ** (-torch.arange(0, ROTARY_DIM, 2, dtype=torch.float32) / ROTARY_DIM)
    return theirs


def load_mmt(folder: Path, encoding: Encoding) -> LoadedModel:
    """Load `train-args.json` and `checkpoints/best_model.pt` from `models/<dataset>/<data_repr>`, strictly.

    Raises InputError when a file is missing or broken, or when sizes, weights and encoding do not belong together.
    """
    sizes = MMTSizes.load(folder / "train-args.json")
    path = folder / "checkpoints" / "best_model.pt"
    state = from_authors_names(read_state_dict(path, "the authors' checkpoints/best_model.pt"))
    model = MMT(sizes, encoding.n_codes)
    expected = model.state_dict()
    wrong = [f"lacks {n}" for n in expected if n not in state] + [
        f"has unknown {n}" for n in state if n not in expected
    ]
    wrong += [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise InputError(f"{path} does not match train-args.json and the encoding beside the notes: {wrong[0]}{more}")
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    model.eval().requires_grad_(False)

    def encode(notes: np.ndarray) -> np.ndarray:
        return encoding.encode(notes, max_beat=sizes.max_beat, max_length=sizes.max_seq_len)

    return LoadedModel(
        module=model,
        layers=list(model.blocks),
        continue_from=model.continue_from,
        encode=encode,
        encoding=encoding,
        d_model=sizes.dim,
        max_length=sizes.max_seq_len,
        to_precision=model.to_precision,
        sha256=sha256(path),
    )
