"""The names that parameters of the Multitrack Music Transformer have in its authors' checkpoints, and ours."""

import re

import torch
from torch import Tensor

from music_interpret.models.mmt import MMT, ROTARY_DIM

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
