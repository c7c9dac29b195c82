"""The feature index: seconds to index all latents beside one training epoch, and the time of one latent's top tokens.

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
from _measuring import LAYER, ROOT, Rounds, prepare, print_table, quiet, run_benchmark, train_config, trained_run

from music_interpret import paths
from music_interpret import train as training
from music_interpret.activations.store import ActivationSet
from music_interpret.browse import open_run
from music_interpret.config import CheckedConfig, PositiveInt
from music_interpret.index import IndexConfig, build_index
from music_interpret.sae.autoencoder import SparseAutoencoder

TOP = 20


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Measure the feature index against a training epoch."""

    home: str = str(ROOT / "data" / "benchmarks")
    """Where the demo's data lies, or is made."""
    rounds: PositiveInt = 7
    """Alternating rounds."""
    quick: bool = False
    """Two rounds on a briefly trained run, nothing kept; for tests."""


def index_all(run: Path) -> int:
    """The whole stage."""
    with quiet():
        build_index(IndexConfig(run=str(run)))
    return open_run(str(run)).activations.n_tokens


@torch.no_grad()
def train_epoch(activations: ActivationSet) -> int:
    """One epoch with the demo's arguments."""
    config = train_config(experiment_name="benchmark-index", epochs=1, overwrite=True)
    folder = paths.run_folder("demo", "benchmark-index", LAYER)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    opened = {LAYER: training._open_layer(config, activations, LAYER)}
    sweep = training._prepare(config, activations, opened, training._plans(config))
    run = sweep.runs[0]
    with quiet():
        run.begin(resume=False)
        sweep.loop()
        run.close()
    shutil.rmtree(folder.parent)
    return run.n_done * config.batch_size


@torch.inference_mode()
def full_pass(run: Path, activations: ActivationSet, latent: int, batch_tokens: int = 4096) -> int:
    """Encode every activation and keep one latent's largest."""
    autoencoder, layer = SparseAutoencoder.load(run / "sae"), activations.layer(LAYER)
    firsts = range(0, activations.n_tokens, batch_tokens)
    rows = (layer.read(first, min(first + batch_tokens, activations.n_tokens)) for first in firsts)
    torch.cat([autoencoder.encode(torch.tensor(r).float())[:, latent] for r in rows]).topk(TOP)
    return activations.n_tokens


def query_seconds(run: Path, latents: list[int]) -> dict[str, float]:
    """Median seconds of one latent's top tokens: from the open index, and cold with opening it."""
    index = open_run(str(run))
    warm, cold = [], []
    for latent in latents:
        index.top(latent, TOP)
        begun = time.perf_counter()
        index.top(latent, TOP)
        warm.append(time.perf_counter() - begun)
    del index
    for latent in latents[:10]:
        for path in (run / "features").iterdir():
            _drop_from_cache(path)
        begun = time.perf_counter()
        open_run(str(run)).top(latent, TOP)
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
    index = open_run(str(run))
    live = (index.statistics.density > 0).nonzero()[0]
    latents = live[:: max(1, len(live) // 100)].tolist()
    n_firings, d_sae = len(index.values), index.d_sae
    del index
    rounds = Rounds(0 if config.quick else 60)
    for _ in range(2 if config.quick else config.rounds):
        rounds.time("index", lambda: index_all(run))
        rounds.time("epoch", lambda: train_epoch(activations))
        rounds.time("pass", lambda: full_pass(run, activations, latents[0]))
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
