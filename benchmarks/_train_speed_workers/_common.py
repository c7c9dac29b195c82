"""What the workers of `train_speed.py` share. Needs torch and NumPy alone, as each worker runs in its library's own
environment.

A worker is called with a job in JSON and prints its result as the last line of stdout, in JSON too. The trainings of
all libraries see the same rows in the same order: permutations of the train matrix by seed, epoch after epoch, rows
that fill no batch left out.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

os.environ |= {"WANDB_MODE": "disabled", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler is silent

import numpy as np
import torch
from torch import Tensor

WARM_UP_STEPS = 3
# Fractions of the steps; every library that offers a warm-up or a decay gets the same.
LR_WARM_UP, LR_DECAY = 0.05, 0.2


class Job(NamedTuple):
    """One training that a worker is asked for."""

    train: str
    """The train rows, float32 .npy (n, d_in), normalised."""
    held_out: str
    """Rows to measure quality on, likewise."""
    reconstruction: str
    """Where their reconstruction is written, float32 .npy."""
    steps: int
    """Optimiser steps."""
    batch: int
    """Rows per step."""
    d_sae: int
    """Number of latents."""
    k: int
    """Latents that fire on a row."""
    lr: float | None
    """Learning rate; None for the library's defaults, its schedule included."""
    precision: str
    """float32 or bfloat16."""
    options: dict[str, Any]
    """What the library is asked for besides."""
    device: str
    """cpu or cuda."""
    threads: int
    """Threads of torch on a CPU."""
    seed: int
    """Fixes the order of the rows and the initial weights."""

    @property
    def warm_up(self) -> int:
        """Steps over which the learning rate rises."""
        return max(1, round(LR_WARM_UP * self.steps))

    @property
    def decay(self) -> int:
        """Steps over which the learning rate falls to 0 at the end."""
        return max(1, round(LR_DECAY * self.steps))


class Data:
    """The train rows and the order in which batches take them."""

    def __init__(self, job: Job) -> None:
        rows = np.load(job.train)
        random = np.random.default_rng(job.seed)
        per_epoch = len(rows) // job.batch
        epochs = -(-job.steps // per_epoch)
        order = [random.permutation(len(rows))[: per_epoch * job.batch].reshape(per_epoch, -1) for _ in range(epochs)]
        self.rows = torch.from_numpy(rows).to(job.device)
        self.order = torch.from_numpy(np.concatenate(order)[: job.steps]).to(job.device)
        """Row numbers, (steps, batch)."""

    @property
    def d_in(self) -> int:
        return self.rows.shape[1]

    def batches(self, steps: int | None = None) -> Iterator[Tensor]:
        """Batches (batch, d_in) of the first steps, or of all."""
        for numbers in self.order[:steps]:
            yield self.rows.index_select(0, numbers)


def start() -> tuple[Job, Data]:
    """The job of the command line, its data in memory, torch set up."""
    job = Job(**json.loads(sys.argv[1]))
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    return job, Data(job)


def timed(job: Job, work: Callable[[], Any]) -> float:
    """Seconds that `work` takes, the device's queue included."""
    synchronize(job.device)
    begun = time.perf_counter()
    work()
    synchronize(job.device)
    return time.perf_counter() - begun


def synchronize(device: str) -> None:
    """Wait until the device has done all that it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


@torch.no_grad()
def finish(
    job: Job,
    seconds: float,
    reconstruct: Callable[[Tensor], tuple[Tensor, Tensor]],
    *,
    version: str,
    lr: float,
    **more: Any,
) -> None:
    """Reconstruct the held-out rows, and print the result.

    Args:
        job: what was asked for.
        seconds: of the training alone.
        reconstruct: x̂ of rows, and which latents fired on any of them, bool (d_sae,).
        version: of the library.
        lr: learning rate used.
        more: further numbers for the result.
    """
    rows = torch.from_numpy(np.load(job.held_out)).to(job.device)
    fired = torch.zeros(job.d_sae, dtype=torch.bool, device=job.device)
    reconstructions = []
    for chunk in rows.split(2048):
        reconstruction, firing = reconstruct(chunk)
        reconstructions.append(reconstruction.float().cpu())
        fired |= firing
    np.save(job.reconstruction, torch.cat(reconstructions).numpy())
    result = {
        "seconds": seconds,
        "cpu_seconds": time.process_time(),
        "fired": int(fired.sum()),
        "lr": lr,
        "version": version,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    print("\n" + json.dumps(result | more), flush=True)
