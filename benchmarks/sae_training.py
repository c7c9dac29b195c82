"""Training a ReLU + L1 autoencoder, 256 → 2048: tokens per second against the matmul rate and plain autograd.

- stage: an epoch as `train` does it: shuffled batches from the store, normalisation, step, Adam, unit-norm decoder,
  firing counts, logs, and the held-out quality at the end of the epoch;
- step: `Trainer.step` alone, on one batch in memory;
- reference: `nn.Linear`s and autograd in float32, torch's Adam, a `DataLoader` over z-scored float32 activations in a
  `.npy` on disk, as the reference pipeline trains.

Batches hold 2048 tokens on all sides. The fraction of the float32 matmul peak counts 12 · d_model · d_sae FLOPs per
token, which is more than a step needs: encoder and decoder, each one product forward and two back, of which the
encoder's gradient towards x is not computed. A step does 10 · d_model · d_sae.

    python3 benchmarks/sae_training.py [--home FOLDER] [--quick]
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _measuring import (
    ROOT,
    SITE,
    Rounds,
    new_sweep,
    prepare,
    print_table,
    run_benchmark,
    run_through,
    target,
    train_config,
    write_normalized,
)
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from music_interpret import paths
from music_interpret.activations.store import ActivationSet
from music_interpret.config import CheckedConfig, PositiveInt
from music_interpret.sae.sweep import Sweep

BATCH, D_SAE = 2048, 2048
ALPHA, LR = 1e-3, 3e-4


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Measure training against the matmul peak and against plain autograd."""

    home: str = str(ROOT / "data" / "benchmarks")
    """Where the demo's data is stored, or made."""
    rounds: PositiveInt = 7
    """Alternating rounds."""
    reference_steps: PositiveInt = 16
    """Steps of the reference a round."""
    quick: bool = False
    """Two rounds of few steps, nothing kept; for tests."""


class Rows(Dataset):
    """One z-scored activation an item, from a memory-mapped array."""

    def __init__(self, path: Path) -> None:
        self.rows = np.load(path, mmap_mode="r")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(np.array(self.rows[index]))


class PlainAutoencoder(nn.Module):
    """z = ReLU(x W + b), x̂ = z D, as one writes it first."""

    def __init__(self, d_in: int, d_sae: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(d_in, d_sae)
        self.decoder = nn.Linear(d_sae, d_in, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = F.relu(self.encoder(x))
        return z, self.decoder(z)


class PlainTraining:
    """The reference's loop, going on from round to round."""

    def __init__(self, path: Path, d_in: int) -> None:
        torch.manual_seed(0)
        self.model = PlainAutoencoder(d_in, D_SAE)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LR)
        self.loader = DataLoader(Rows(path), batch_size=BATCH, shuffle=True, drop_last=True)
        self.batches: Iterator[Tensor] = iter(())

    def run(self, steps: int) -> int:
        for _ in range(steps):
            batch = next(self.batches, None)
            if batch is None:
                self.batches = iter(self.loader)
                batch = next(self.batches)
            z, reconstruction = self.model(batch)
            loss = F.mse_loss(reconstruction, batch) + ALPHA * z.abs().sum(dim=1).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                self.model.decoder.weight /= self.model.decoder.weight.norm(dim=0, keepdim=True)
            loss.item()
        return steps * BATCH


class Stage:
    """The stage's own run of one epoch, in one precision."""

    def __init__(self, activations: ActivationSet, precision: str) -> None:
        self.config = train_config(
            experiment_name="benchmark",
            architecture="relu",
            token_baseline="none",
            d_sae=D_SAE,
            batch_size=BATCH,
            epochs=1,
            alpha=(ALPHA,),
            aux_weight=0.0,
            lr=LR,
            precision=precision,
            overwrite=True,
        )
        self.activations = activations
        self.folder = paths.run_folder("demo", "benchmark", SITE.folder)

    def new_run(self) -> Sweep:
        return new_sweep(self.config, self.activations)

    @torch.no_grad()
    def steps(self, sweep: Sweep, steps: int) -> int:
        rows = sweep.normalized(next(sweep.batches.epoch(0)))[SITE]
        for _ in range(steps):
            sweep.runs[0].trainer.step(rows)
        return steps * BATCH


def profile(one: Stage, steps: int = 4) -> dict[str, float]:
    """Fraction of a step's time by operation."""
    run = one.new_run()
    one.steps(run, 1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as recorded:
        one.steps(run, steps)
    seconds = {event.key.removeprefix("aten::"): event.self_cpu_time_total for event in recorded.key_averages()}
    total = sum(seconds.values())
    shares = sorted(((name, value / total) for name, value in seconds.items()), key=lambda item: -item[1])
    return {name.strip("_"): round(share, 3) for name, share in shares if share > 0.01}


def benchmark(config: Config) -> dict[str, Any]:
    activations = prepare(config.home)
    stages = {precision: Stage(activations, precision) for precision in ("float32", "bfloat16")}
    processed = paths.home() / "data" / "reference" / "processed.npy"
    reference = PlainTraining(write_normalized(processed, activations, "train"), activations.d_model)
    count, steps = (2, 4) if config.quick else (config.rounds, config.reference_steps)
    profiles = {precision: profile(one) for precision, one in stages.items()}
    for one in stages.values():
        run_through(one.new_run())  # warm up; the first run imports TensorBoard
    reference.run(2)
    rounds = Rounds(0 if config.quick else 60)
    for _ in range(count):
        for precision, one in stages.items():
            run = one.new_run()
            rounds.time(f"stage {precision}", lambda r=run: run_through(r))
            rounds.time(f"step {precision}", lambda o=one, r=run: o.steps(r, steps))
        rounds.time("reference", lambda: reference.run(steps))
    for one in stages.values():
        shutil.rmtree(one.folder, ignore_errors=True)
    flops = 12 * activations.d_model * D_SAE
    names = ("stage float32", "step float32", "stage bfloat16", "step bfloat16", "reference")
    table: list[tuple[str, ...]] = [
        ("ReLU + L1, 256 → 2048, batch 2048", "tokens/s", "best", "fraction of float32 peak", "times the reference")
    ]
    measured = {}
    for name in names:
        rate, share, ratio = rounds.rate(name), rounds.share(name, flops), rounds.ratio(name, "reference")
        measured[name] = {"tokens_per_second": rate, "share_of_float32_peak": share, "times_reference": ratio}
        table.append(
            (name, f"{rate['median']:,.0f}", f"{rate['best']:,.0f}", f"{share['median']:.0%}", f"{ratio['median']:.2f}")
        )
    print_table(table)
    return {
        "machine": rounds.print_machine(),
        "flops_per_token": flops,
        "flops_per_token_computed": 10 * activations.d_model * D_SAE,
        "n_tokens_per_epoch": rounds.sections["stage float32"][0].tokens,
        "measured": measured,
        "profile_of_step": profiles,
        "targets": {
            "stage float32, share of float32 peak": target(rounds.share("stage float32", flops)["median"], 0.75),
            "stage bfloat16, times the reference": target(rounds.ratio("stage bfloat16", "reference")["median"], 3.0),
        },
    }


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
