"""The feature index: seconds to index all latents against one training epoch, and the time of one latent's top tokens.

- index: the `index` stage, from opening the run to the finished folder: every latent, every token of every song;
- epoch: one epoch of `train` with the demo's arguments over the train songs of the same activations, its held-out
  quality and logs included;
- pass: encoding all activations once to read one latent, which is what a question costs without an index;
- query: one latent's top 20 tokens from the open index (warm), and from files that the system has dropped from its
  cache, opening included (cold).

    python3 benchmarks/feature_index.py [--home FOLDER] [--quick]
"""

import os
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from _measuring import (
    ROOT,
    Rounds,
    new_sweep,
    prepare,
    print_table,
    quiet,
    run_benchmark,
    run_through,
    train_config,
    trained_run,
)

from music_interpret.activations.store import ActivationSet
from music_interpret.config import CheckedConfig, PositiveInt
from music_interpret.index import IndexConfig, build_index
from music_interpret.runs.run import Run, open_run

TOP = 20


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Measure the feature index against a training epoch."""

    home: str = str(ROOT / "data" / "benchmarks")
    """Where the demo's data is stored, or made."""
    rounds: PositiveInt = 7
    """Alternating rounds."""
    quick: bool = False
    """Two rounds on a briefly trained run, nothing kept; for tests."""


def index_all(run: Run) -> int:
    """The whole stage."""
    with quiet():
        build_index(IndexConfig(run=str(run.folder)))
    return run.activations.n_tokens


def train_epoch(activations: ActivationSet) -> int:
    """One epoch with the demo's arguments."""
    config = train_config(experiment_name="benchmark-index", epochs=1, overwrite=True)
    sweep = new_sweep(config, activations)
    n_tokens = run_through(sweep)
    shutil.rmtree(sweep.runs[0].folder.parent)
    return n_tokens


@torch.inference_mode()
def full_pass(run: Run, latent: int, batch_tokens: int = 4096) -> int:
    """Encode every activation and keep one latent's largest."""
    rows = run.rows.rows(run.activations.songs.spans(None), batch_tokens)
    torch.cat([run.sae.encode(x, tokens)[:, latent] for x, tokens in rows]).topk(TOP)
    return run.activations.n_tokens


def query_seconds(run: Run, latents: list[int]) -> dict[str, float]:
    """Median seconds of one latent's top tokens: from the open index, and cold with opening it."""
    index = open_run(run.folder).index
    warm, cold = [], []
    for latent in latents:
        index.top(latent, TOP)
        begun = time.perf_counter()
        index.top(latent, TOP)
        warm.append(time.perf_counter() - begun)
    del index
    for latent in latents[:10]:
        for path in (run.folder / "features").iterdir():
            _drop_from_cache(path)
        begun = time.perf_counter()
        open_run(run.folder).index.top(latent, TOP)
        cold.append(time.perf_counter() - begun)
    return {"warm_seconds": statistics.median(warm), "cold_seconds": statistics.median(cold)}


def _drop_from_cache(path: Path) -> None:
    """Ask the system to forget a file's pages."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def benchmark(config: Config) -> dict[str, Any]:
    activations = prepare(config.home)
    run = trained_run(1 if config.quick else 8)
    index_all(run)  # warm up
    train_epoch(activations)
    index = open_run(run.folder).index
    live = (index.statistics.density > 0).nonzero()[0]
    latents = live[:: max(1, len(live) // 100)].tolist()
    n_firings, d_sae = len(index.values), index.d_sae
    del index
    rounds = Rounds(0 if config.quick else 60)
    for _ in range(2 if config.quick else config.rounds):
        rounds.time("index", lambda: index_all(run))
        rounds.time("epoch", lambda: train_epoch(activations))
        rounds.time("pass", lambda: full_pass(run, latents[0]))
    seconds = {
        name: {"median": round(statistics.median(values), 3), "best": round(min(values), 3)}
        for name, values in ((name, [s.seconds for (s,) in rounds.undisturbed(name)]) for name in rounds.sections)
    }
    shares = [mine.seconds / epoch.seconds for mine, epoch in rounds.undisturbed("index", "epoch")]
    query = query_seconds(run, latents)
    table: list[tuple[str, ...]] = [("", "seconds", "best", "tokens")]
    for name, meaning in (
        ("index", "index of all latents"),
        ("epoch", "one training epoch"),
        ("pass", "one full pass"),
    ):
        tokens = rounds.sections[name][0].tokens
        table.append((meaning, f"{seconds[name]['median']:.2f}", f"{seconds[name]['best']:.2f}", f"{tokens:,}"))
    table.append(("one latent's top 20, warm", f"{query['warm_seconds']:.6f}", "", ""))
    table.append(("one latent's top 20, cold", f"{query['cold_seconds']:.4f}", "", ""))
    print_table(table)
    share = statistics.median(shares)
    print(f"\nindex / epoch: {share:.2f} ({', '.join(f'{s:.2f}' for s in shares)})")
    return {
        "machine": rounds.print_machine(),
        "d_sae": d_sae,
        "n_firings": n_firings,
        "n_tokens": {name: sections[0].tokens for name, sections in rounds.sections.items()},
        "seconds": seconds,
        "index_over_epoch": {"median": round(share, 3), "rounds": [round(s, 3) for s in shares]},
        "query": query | {"top": TOP, "n_latents": len(latents)},
        "targets": {"index / epoch": {"value": round(share, 3), "below": 1.0, "met": share < 1}},
    }


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
