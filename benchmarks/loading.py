"""Streaming a set larger than memory is wanted for: tokens per second that the loader gives and that a trainer takes.

A float16 set of 10 M tokens is written to disk (random rows; 5 GB at d_model 256) and read as `train` reads it:

- stream: shuffled buffers of `--buffer_tokens`, filled from chunks in random order, to normalised float32 batches;
- step: one optimiser step of a TopK autoencoder (256 → 4096, k 32) in bfloat16 on the same batches, in memory.

    python3 benchmarks/loading.py [--home FOLDER] [--n_tokens N] [--quick]
"""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _measuring import ROOT, SITE, print_table, run_benchmark, target

from music_interpret.activations.batches import ShuffledBatches
from music_interpret.activations.songs import SongTable
from music_interpret.activations.store import ShardWriter, SiteActivations, shard_path, shard_rows
from music_interpret.config import CheckedConfig, PositiveInt
from music_interpret.sae.architectures import ARCHITECTURES
from music_interpret.sae.objective import Objective
from music_interpret.sae.training import Hyperparameters, Trainer

D_MODEL, D_SAE, K, BATCH, SHARD_TOKENS = 256, 4096, 32, 4096, 1_000_000


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Measure how fast activations stream from disk."""

    home: str = str(ROOT / "data" / "benchmarks")
    """Where the set is written; it is removed at the end."""
    n_tokens: PositiveInt = 10_000_000
    """Size of the set."""
    buffer_tokens: PositiveInt = 1_048_576
    """Tokens held in memory."""
    steps: PositiveInt = 40
    """Trainer steps that are timed."""
    quick: bool = False
    """A small set, nothing kept; for tests."""


def write_set(folder: Path, n_tokens: int) -> SiteActivations:
    """A site of random float16 rows as extraction lays it out, and then opened with its pages dropped from memory."""
    writer = ShardWriter(folder, n_tokens, SHARD_TOKENS, D_MODEL, "float16")
    rng = np.random.default_rng(0)
    for first in range(0, n_tokens, 65_536):
        rows = rng.standard_normal((min(65_536, n_tokens - first), D_MODEL), dtype=np.float32)
        writer.write(first, rows.astype(np.float16))
    writer.sync()
    for file in writer.files:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    writer.close()
    numbers = range(len(shard_rows(n_tokens, SHARD_TOKENS)))
    return SiteActivations(
        site=SITE,
        folder=folder,
        shards=[np.load(shard_path(folder, number), mmap_mode="r") for number in numbers],
        shard_tokens=SHARD_TOKENS,
        meta={},
        songs=SongTable(["random"], np.array([0]), np.array([n_tokens]), np.array(["train"])),
    )


def stream(activations: SiteActivations, buffer_tokens: int) -> float:
    """Tokens per second through one epoch, normalised."""
    spans = activations.songs.spans("train")
    batches = ShuffledBatches({SITE: activations}, spans, batch_size=BATCH, seed=0, buffer_tokens=buffer_tokens)
    shift, scale = torch.zeros(D_MODEL), torch.ones(D_MODEL)
    started, total = time.perf_counter(), 0
    for batch in batches.epoch(0):
        total += len(batch.rows[SITE].float().sub_(shift).mul_(scale))
    return total / (time.perf_counter() - started)


def step_rate(steps: int) -> float:
    """Tokens per second of the trainer alone."""
    start = ARCHITECTURES["topk"].initial(
        D_MODEL, D_SAE, encoder_bias=0.0, encoder_scale=1.0, generator=torch.Generator().manual_seed(0)
    )
    settings = Hyperparameters(
        lr=1e-3,
        n_steps=steps,
        lr_warmup=0.0,
        lr_decay=0.0,
        sparsity_warmup=0.0,
        decoder_bias=True,
        clip_norm=0.0,
        aux_weight=0.0,
        window_tokens=100_000,
    )
    objective = Objective(alpha=0.0, k=K, by_decoder_norm=False, prefixes=(), bandwidth=0.5, dtype=torch.bfloat16)
    trainer = Trainer("topk", start, objective, settings)
    x = torch.randn(BATCH, D_MODEL)
    trainer.step(x)
    started = time.perf_counter()
    for _ in range(steps):
        trainer.step(x)
    return steps * BATCH / (time.perf_counter() - started)


def benchmark(config: Config) -> dict[str, Any]:
    n_tokens = 200_000 if config.quick else config.n_tokens
    buffer_tokens = 50_000 if config.quick else config.buffer_tokens
    folder = Path(config.home) / "loading"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        activations = write_set(folder, n_tokens)
        first, again = (stream(activations, buffer_tokens) for _ in range(2))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    step = step_rate(4 if config.quick else config.steps)
    print_table(
        [
            (f"{n_tokens:,} tokens, buffer {buffer_tokens:,}", "tokens/s", "times the step"),
            ("stream, first epoch", f"{first:,.0f}", f"{first / step:.1f}"),
            ("stream, second epoch", f"{again:,.0f}", f"{again / step:.1f}"),
            ("step (topk, bfloat16)", f"{step:,.0f}", "1.0"),
        ]
    )
    return {
        "n_tokens": n_tokens,
        "buffer_tokens": buffer_tokens,
        "tokens_per_second": {"first epoch": round(first), "second epoch": round(again), "step": round(step)},
        "targets": {"stream, times the step": target(round(min(first, again) / step, 2), 1.0)},
    }


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
