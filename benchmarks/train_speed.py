"""Training a TopK autoencoder, 256 → 4096, k 32, batch 4096: ours against sae-lens, dictionary-learning and sparsify.

Each library trains with its own trainer, in its own virtual environment and process, on the same normalised rows of
the demo's layer 5 in the same order. Rounds go through all of them in turn; the seconds are those of the training loop
alone, after a few steps of warming up. Quality is measured here, for all by the same formula, on songs of the test
split: FVU = E‖x − x̂‖² / (E‖x‖² − ‖E x‖²), and the fraction of latents that fire on none of its tokens.

Learning rates are tuned for each library and number of steps on songs of the valid split, under the same warm-up and
decay where the library offers them. `--tune` does that: it takes hours, goes on where it was stopped, and keeps what it
finds in `_train_speed_workers/learning_rates.json`; a number of steps that is not tuned takes the nearest that is.
`--defaults` also reports what each library reaches with its own defaults.

Our own fraction of the encoder product is the time of the one dense product of a step, x W_enc, which a TopK step
cannot do without, over the time of the step.

    python3 benchmarks/train_speed.py [--home FOLDER] [--environments FOLDER] [--tune] [--quick]
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from _environments import Environment, last_line
from _measuring import ROOT, Own, Rounds, prepare, print_table, run_benchmark, target, write_normalized

from music_interpret import files, paths
from music_interpret.activations.store import ActivationSet
from music_interpret.config import CheckedConfig, PositiveFloat, PositiveInt
from music_interpret.errors import InputError
from music_interpret.models.device import DeviceName, pick_device
from music_interpret.music.dataset import SPLITS, Split

TORCH = "torch==2.13.0"
D_SAE, K, BATCH = 4096, 32, 4096
WORKERS = ROOT / "benchmarks" / "_train_speed_workers"
RATES = WORKERS / "learning_rates.json"
OURS = "ours"
# Where tuning begins, each twice the one before; it goes on at an end that is best.
GRID = {
    "sae-lens": (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2),
    "dictionary-learning": (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2),
    "eai-sparsify": (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2),
    "eai-sparsify adam": (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2),
    OURS: (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2),
}


# What ours is given besides `train`'s defaults; changing it asks for tuning again. So short a training does better with
# a first reconstruction of the right length and with gradients brought to one norm, which is also what clipping at 1
# comes to in sae-lens and dictionary-learning; and no latent is called dead, as in the libraries within these steps.
# Found by trying about fifteen settings on the valid split; the libraries had their learning rates tuned, no more.
OURS_OPTIONS: dict[str, Any] = {"clip_norm": 1e-3, "encoder_scale": 0.58, "window_tokens": 10_000_000}


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Measure TopK training against three libraries."""

    home: str = str(ROOT / "data" / "benchmarks")
    """Where the demo's data is stored, or made."""
    environments: str = str(ROOT / "data" / "benchmarks" / "environments")
    """Where the libraries' virtual environments are stored, or made."""
    steps: tuple[PositiveInt, ...] = (75, 400)
    """Optimiser steps of a training; each number is a table of its own."""
    rounds: PositiveInt = 5
    """Alternating rounds of the shortest training; longer ones get fewer, in proportion, but 1 at least."""
    limit_s: PositiveFloat = 200.0
    """A longer training that would take more seconds than this, by the rate of the shortest, is left out."""
    defaults: bool = False
    """Also train once with each library's default learning rate and schedule."""
    device: DeviceName = "auto"
    """Where to train; auto takes a GPU if there is one, cuda:1 the second GPU."""
    tune: bool = False
    """Tune the learning rates that are not known yet and stop; nothing is timed."""
    quick: bool = False
    """One round of few steps, only libraries whose environment is there, nothing kept; for tests."""


class Subject(NamedTuple):
    """A row of the table: one way to train."""

    library: str
    """Name on the package index, or `ours`."""
    precision: str
    """float32 or bfloat16."""
    variant: str = ""
    """What sets it apart from the library's default; the optimiser for sparsify."""

    @property
    def name(self) -> str:
        return f"{self.tuning} {self.precision}"

    @property
    def tuning(self) -> str:
        """Under what name its learning rate is tuned: precisions share it."""
        return f"{self.library} {self.variant}".strip()

    @property
    def options(self) -> dict[str, Any]:
        if self.library == OURS:
            return OURS_OPTIONS
        return {"optimizer": self.variant} if self.variant else {}


SUBJECTS = (
    Subject("sae-lens", "float32"),
    Subject("dictionary-learning", "bfloat16"),
    Subject("eai-sparsify", "float32"),
    Subject("eai-sparsify", "bfloat16"),
    Subject("eai-sparsify", "float32", "adam"),
    Subject(OURS, "float32"),
    Subject(OURS, "bfloat16"),
)
SCRIPTS = {
    "sae-lens": "sae_lens_worker.py",
    "dictionary-learning": "dictionary_learning_worker.py",
    "eai-sparsify": "sparsify_worker.py",
    OURS: "ours_worker.py",
}


def environment_of(library: str, folder: str) -> Environment | None:
    """A library's virtual environment, torch first, the library without its say on torch; None for this one."""
    if library == OURS:
        return None
    return Environment(Path(folder) / library, WORKERS / "requirements" / f"{library}.txt", TORCH)


class Result(NamedTuple):
    """What one training gave."""

    seconds: float
    """Of the training loop."""
    cpu_seconds: float
    """Processor time of its whole process."""
    fvu: float
    """On the held-out rows."""
    dead: float
    """Fraction of latents that fire on none of them."""
    said: dict[str, Any]
    """The worker's own words: versions, learning rate, and for ours the encoder product's seconds."""


class Bench:
    """The cached rows, and trainings on them."""

    def __init__(self, config: Config, activations: ActivationSet) -> None:
        self.config = config
        self.folder = paths.home() / "data" / "train_speed"
        self.rows = {split: write_normalized(self.folder / f"{split}.npy", activations, split) for split in SPLITS}
        self.device = str(pick_device(config.device))
        self.rates: dict[str, dict[str, dict[str, float]]] = files.read_json(RATES) if RATES.is_file() else {}

    def train(self, subject: Subject, steps: int, lr: float | None, held_out: Split = "test", **options: Any) -> Result:
        """Train once in the library's environment; InputError if its worker fails."""
        reconstruction = self.folder / "reconstruction.npy"
        job = {
            "train": str(self.rows["train"]),
            "held_out": str(self.rows[held_out]),
            "reconstruction": str(reconstruction),
            "steps": steps,
            "batch": BATCH,
            "d_sae": D_SAE,
            "k": K,
            "lr": lr,
            "precision": subject.precision,
            "options": subject.options | options,
            "device": self.device,
            "threads": torch.get_num_threads(),
            "seed": 0,
        }
        environment = environment_of(subject.library, self.config.environments)
        python = str(environment.python) if environment else sys.executable
        command = [python, str(WORKERS / SCRIPTS[subject.library]), json.dumps(job)]
        path = {"PYTHONPATH": str(ROOT)} if subject.library == OURS else {}
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | path)
        if done.returncode:
            raise InputError(f"{subject.name} failed: {last_line(done.stderr)}")
        said = json.loads(done.stdout.strip().splitlines()[-1])
        fvu = variance_unexplained(np.load(self.rows[held_out]), np.load(reconstruction))
        seconds, cpu_seconds = said.pop("seconds"), said.pop("cpu_seconds")
        return Result(seconds, cpu_seconds, fvu, 1 - said.pop("fired") / D_SAE, said)

    def tuned(self, subject: Subject, steps: int) -> float:
        """The best learning rate known for these steps, or for the nearest number that is known."""
        known = self.rates.get(subject.tuning, {})
        if not known:
            return 2e-3
        tried = known[min(known, key=lambda other: abs(np.log(int(other) / steps)))]
        return float(min(tried, key=lambda lr: tried[lr]))

    def tune(self, subject: Subject, steps: int) -> None:
        """Try the grid, and beyond it while an end is best; what was tried before is not tried again."""
        tried = self.rates.setdefault(subject.tuning, {}).setdefault(str(steps), {})
        grid = list(GRID[subject.tuning])
        while True:
            for lr in grid:
                if f"{lr:g}" not in tried:
                    tried[f"{lr:g}"] = round(self.train(subject, steps, lr, "valid").fvu, 5)
                    files.write_json(RATES, self.rates)
                    print(f"{subject.tuning}, {steps} steps, lr {lr:g}: FVU {tried[f'{lr:g}']}", flush=True)
            rates = sorted(tried, key=float)
            best = min(rates, key=lambda lr: tried[lr])
            if best not in (rates[0], rates[-1]):
                return
            grid = [float(best) * (0.5 if best == rates[0] else 2.0)]


def variance_unexplained(rows: np.ndarray, reconstruction: np.ndarray) -> float:
    """E‖x − x̂‖² / (E‖x‖² − ‖E x‖²), in float64; infinite where x̂ is NaN."""
    x, x_hat = rows.astype(np.float64), reconstruction.astype(np.float64)
    variance = np.square(x).sum(axis=1).mean() - np.square(x.mean(axis=0)).sum()
    fvu = float(np.square(x - x_hat).sum(axis=1).mean() / variance)
    return fvu if np.isfinite(fvu) else float("inf")


def measure(bench: Bench, subjects: list[Subject], steps: int, count: int, patience: float) -> dict[str, Any]:
    """One table: `count` alternating rounds of trainings of `steps` steps."""
    rounds = Rounds(patience)
    results: dict[Subject, list[Result]] = {subject: [] for subject in subjects}
    for _ in range(count):
        for subject in subjects:
            taken = results[subject]

            def work(subject: Subject = subject, taken: list[Result] = taken) -> int:
                taken.append(bench.train(subject, steps, bench.tuned(subject, steps)))
                return steps * BATCH

            rounds.time(subject.name, work, own=lambda t=taken: Own(t[-1].seconds, t[-1].cpu_seconds))
    libraries = [subject for subject in subjects if subject.library != OURS]
    ours = [subject for subject in subjects if subject.library == OURS]
    fastest = max(libraries, key=lambda s: rounds.rate(s.name)["median"], default=None)
    table: list[tuple[str, ...]] = [
        (f"TopK, {steps} steps", "tokens/s", "best", "times the fastest", "lr", "FVU", "dead", "encoder product")
    ]
    measured: dict[str, Any] = {}
    for subject in subjects:
        last = results[subject][-1]
        rate = rounds.rate(subject.name)
        row: dict[str, Any] = {
            "tokens_per_second": rate,
            "seconds": [round(result.seconds, 2) for result in results[subject]],
            "fvu": round(last.fvu, 5),
            "dead": round(last.dead, 4),
        } | last.said
        if fastest:
            row["times_fastest_library"] = rounds.ratio(subject.name, fastest.name)
        share = "-"
        if "encoder_product_seconds" in last.said:
            shares = [
                r.said["encoder_product_seconds"][subject.precision] * steps / r.seconds for r in results[subject]
            ]
            row["share_of_encoder_product"] = round(float(np.median(shares)), 3)
            share = f"{row['share_of_encoder_product']:.0%}"
        measured[subject.name] = row
        times = f"{row['times_fastest_library']['median']:.2f}" if fastest else "-"
        speed = (f"{rate['median']:,.0f}", f"{rate['best']:,.0f}")
        table.append(
            (subject.name, *speed, times, f"{last.said['lr']:.2g}", f"{last.fvu:.4f}", f"{last.dead:.1%}", share)
        )
    print_table(table)
    targets: dict[str, Any] = {}
    if fastest and ours:
        # Only a row of ours that is as good as the fastest library counts.
        good = [s for s in ours if measured[s.name]["fvu"] <= measured[fastest.name]["fvu"]]
        times = max((measured[s.name]["times_fastest_library"]["median"] for s in good), default=0.0)
        best = min(measured[s.name]["fvu"] for s in libraries)
        least = min(measured[s.name]["fvu"] for s in ours)
        targets[f"{steps} steps: ours, times the fastest library, at equal or better FVU"] = target(times, 2.5)
        targets[f"{steps} steps: the best library's FVU over ours"] = target(round(best / least, 3), 1.0)
    return {
        "machine": rounds.print_machine(),
        "fastest_library": fastest.name if fastest else None,
        "measured": measured,
        "targets": targets,
    }


def with_defaults(bench: Bench, subjects: list[Subject], steps: int) -> dict[str, Any]:
    """What each library reaches with the learning rate and schedule that it has by default, one training each."""
    reached = {}
    for subject in subjects:
        if subject.precision == "float32" and not subject.variant:
            result = bench.train(subject, steps, None)
            reached[subject.library] = {"lr": result.said["lr"], "fvu": round(result.fvu, 5), "dead": result.dead}
    table = [(f"defaults, {steps} steps", "lr", "FVU", "dead")]
    table += [(name, f"{r['lr']:.2g}", f"{r['fvu']:.4f}", f"{r['dead']:.1%}") for name, r in reached.items()]
    print_table(table)
    return reached


def _seconds(trainings: dict[str, Any], subject: Subject, steps: int) -> float:
    """How long a training will take, by the first table's rate; 0 before there is one."""
    if not trainings:
        return 0.0
    return steps * BATCH / next(iter(trainings.values()))["measured"][subject.name]["tokens_per_second"]["median"]


def benchmark(config: Config) -> dict[str, Any]:
    bench = Bench(config, prepare(config.home))
    subjects = []
    for subject in SUBJECTS:
        environment = environment_of(subject.library, config.environments)
        if environment and not environment.ready and not config.quick:
            environment.make()
        # On a GPU sparsify casts to bfloat16 whatever it is asked for.
        own_casts = subject.library == "eai-sparsify" and bench.device != "cpu" and subject.precision == "float32"
        if (environment is None or environment.ready) and not own_casts:
            subjects.append(subject)
    if config.tune:
        for steps in config.steps:
            for subject in {subject.tuning: subject for subject in reversed(subjects)}.values():
                bench.tune(subject, steps)
        print(json.dumps({"learning_rates": bench.rates}))
        sys.exit(0)
    all_steps = (3,) if config.quick else tuple(sorted(set(config.steps)))
    trainings: dict[str, Any] = {}
    targets: dict[str, Any] = {}
    for steps in all_steps:
        count = 1 if config.quick else max(1, round(config.rounds * all_steps[0] / steps))
        chosen = [subject for subject in subjects if _seconds(trainings, subject, steps) <= config.limit_s]
        trainings[str(steps)] = measure(bench, chosen, steps, count, 0 if config.quick else 60)
        trainings[str(steps)]["left_out"] = [subject.name for subject in subjects if subject not in chosen]
        targets |= trainings[str(steps)].pop("targets")
        if config.defaults:
            trainings[str(steps)]["defaults"] = with_defaults(bench, subjects, steps)
    profiles = {}
    for subject in subjects:
        if subject.library == OURS:
            said = bench.train(subject, all_steps[0], bench.tuned(subject, all_steps[0]), profile=True).said
            profiles[subject.precision] = said["profile"]
            shares = ", ".join(f"{op} {share:.0%}" for op, share in said["profile"].items())
            print(f"\nwhere our {subject.precision} step's time goes: {shares}")
    return {
        "device": torch.cuda.get_device_name() if bench.device != "cpu" else "cpu",
        "shape": {"d_in": 256, "d_sae": D_SAE, "k": K, "batch": BATCH},
        "flops_of_encoder_product": 2 * 256 * D_SAE * BATCH,
        "learning_rates": bench.rates,
        "trainings": trainings,
        "profile_of_step": profiles,
        "targets": targets,
    }


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
