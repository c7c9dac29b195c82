"""The reference pipeline's extraction, run by `extraction.py` in a process of its own: x-transformers' own decoder.

One song per batch, the whole model with its six heads, a hook on one layer, and each song's activations saved twice as
float32 `.npy`: raw and z-scored. The original has its statistics from a second pass; here they are given, which favours
it. Needs torch, NumPy and x-transformers 0.25.9 alone.

    python _reference_pipeline.py <job.json>

reads one JSON request a line from stdin and answers each with one JSON line:
{"songs": [0, 4, …]} → {"tokens", "seconds", "cpu_seconds", "forward_seconds", "saving_seconds"}
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from x_transformers import Decoder
from x_transformers.x_transformers import AbsolutePositionalEmbedding, TokenEmbedding

PREFIX = "decoder.net."


class MusicTransformer(nn.Module):
    """MMT as its authors wire it: six token embeddings and positions, a pre-norm decoder, a norm, six heads."""

    def __init__(self, n_values: list[int], sizes: dict[str, Any]) -> None:
        super().__init__()
        dim = sizes["dim"]
        self.token_emb = nn.ModuleList(TokenEmbedding(dim, n) for n in n_values)
        self.pos_emb: nn.Module | None = None
        if sizes["abs_pos_emb"] and not sizes["rel_pos_emb"]:
            self.pos_emb = AbsolutePositionalEmbedding(dim, sizes["max_seq_len"])
        self.attn_layers = Decoder(
            dim=dim, depth=sizes["layers"], heads=sizes["heads"], rotary_pos_emb=sizes["rel_pos_emb"]
        )
        self.norm = nn.LayerNorm(dim)
        self.to_logits = nn.ModuleList(nn.Linear(dim, n) for n in n_values)

    def forward(self, tokens: Tensor) -> list[Tensor]:
        x = sum(embedding(tokens[..., field]) for field, embedding in enumerate(self.token_emb))
        if self.pos_emb is not None:
            x = x + self.pos_emb(tokens)
        x, _ = self.attn_layers(x, return_hiddens=True)
        x = self.norm(x)
        return [head(x) for head in self.to_logits]


class Pipeline:
    """The model with a hook on one layer, and where its output goes."""

    def __init__(self, job: dict[str, Any]) -> None:
        state = torch.load(job["checkpoint"], map_location="cpu", weights_only=True)
        state = {name.removeprefix(PREFIX): tensor.float() for name, tensor in state.items()}
        self.model = MusicTransformer(job["n_values"], job["sizes"])
        self.model.load_state_dict(state, strict=True)
        self.model.eval()
        # A sublayer is (norms, block, residual); the residual connection's output is the residual stream.
        self.model.attn_layers.layers[job["layer"]][2].register_forward_hook(self._keep)
        self.activations: Tensor | None = None
        self.tokens = np.load(job["tokens"], mmap_mode="r")
        self.first_token, self.n_tokens = job["first_token"], job["n_tokens"]
        self.mean, self.std = (np.array(job[key], np.float32) for key in ("mean", "std"))
        self.folder = Path(job["folder"])
        for kind in ("raw", "processed"):
            (self.folder / kind).mkdir(parents=True, exist_ok=True)

    def _keep(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        self.activations = output.detach()

    def run(self, songs: list[int]) -> dict[str, float]:
        """Extract songs, one at a time."""
        tokens, forward, saving = 0, 0.0, 0.0
        begun, used = time.perf_counter(), time.process_time()
        for song in songs:
            started = time.perf_counter()
            first, count = self.first_token[song], self.n_tokens[song]
            sequence = torch.from_numpy(self.tokens[first : first + count].astype(np.int64))[None]
            self.model(sequence)
            done = time.perf_counter()
            assert self.activations is not None
            raw = self.activations[0].cpu().numpy()
            np.save(self.folder / "raw" / f"{song}.npy", raw)
            np.save(self.folder / "processed" / f"{song}.npy", (raw - self.mean) / self.std)
            forward += done - started
            saving += time.perf_counter() - done
            tokens += count
        seconds = time.perf_counter() - begun
        used = time.process_time() - used
        parts = {"forward_seconds": forward, "saving_seconds": saving}
        return {"tokens": tokens, "seconds": seconds, "cpu_seconds": used} | parts


@torch.no_grad()
def main() -> None:
    """Answer requests until stdin ends."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    pipeline = Pipeline(job)
    versions = {"torch": torch.__version__, "x_transformers": version("x-transformers")}
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        print(json.dumps(pipeline.run(json.loads(line)["songs"])), flush=True)


if __name__ == "__main__":
    main()
