"""dictionary-learning: its `TopKTrainer.update`, batch after batch, as its `trainSAE` calls it.

`trainSAE` gives back no trainer, so its loop is written out here. Its automatic casting to bfloat16 is for GPUs only;
here the same two lines, the cast of the batch and the context around the update, work on a CPU too. Its warm-up of
1000 steps must be shorter than the run, which it checks, so the defaults are given a warm-up of 5 % as well.
"""

from contextlib import nullcontext
from importlib.metadata import version

import torch
from _common import WARM_UP_STEPS, Data, Job, finish, start, timed
from dictionary_learning.trainers.top_k import TopKTrainer
from torch import Tensor


def new_trainer(job: Job, data: Data) -> TopKTrainer:
    schedule = {"lr": job.lr, "decay_start": job.steps - job.decay} if job.lr else {}
    return TopKTrainer(
        steps=job.steps,
        activation_dim=data.d_in,
        dict_size=job.d_sae,
        k=job.k,
        layer=0,
        lm_name="cached",
        warmup_steps=job.warm_up,
        seed=job.seed,
        device=job.device,
        **schedule,
    )


def main() -> None:
    job, data = start()
    dtype = getattr(torch, job.precision)

    def train(trainer: TopKTrainer, steps: int) -> None:
        context = nullcontext() if dtype == torch.float32 else torch.autocast(job.device, dtype)
        for step, rows in enumerate(data.batches(steps)):
            with context:
                trainer.update(step, rows.to(dtype))

    train(new_trainer(job, data), WARM_UP_STEPS)
    trainer = new_trainer(job, data)
    seconds = timed(job, lambda: train(trainer, job.steps))

    def reconstruct(rows: Tensor) -> tuple[Tensor, Tensor]:
        reconstruction, latents = trainer.ae(rows, output_features=True)
        return reconstruction, (latents > 0).any(dim=0)

    finish(job, seconds, reconstruct, version=version("dictionary-learning"), lr=trainer.lr)


main()
