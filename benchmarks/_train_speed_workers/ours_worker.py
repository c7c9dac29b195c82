"""Ours: `Trainer.step` with what `train --architecture topk` has by default, AuxK for dead latents included.

It also times the product that no TopK step can do without, x W_enc, before and after the training; with the option
`profile`, it says where a step's time goes. Other options replace the defaults of `TrainingOptions`.
"""

import statistics

import torch
from _common import WARM_UP_STEPS, Data, Job, finish, start, synchronize, timed
from torch import Tensor

import music_interpret
from music_interpret.sae import topk
from music_interpret.sae.options import TrainingOptions
from music_interpret.sae.preparation import initial_parameters, new_trainer
from music_interpret.sae.training import Trainer

PROFILED_STEPS = 6


def options_of(job: Job) -> TrainingOptions:
    """The stage's defaults, and what the job has in their place."""
    given = {name: value for name, value in job.options.items() if name != "profile"}
    given |= {"d_sae": job.d_sae, "seed": job.seed, "precision": job.precision} | ({"lr": job.lr} if job.lr else {})
    return TrainingOptions(**given)


def trainer_of(job: Job, data: Data) -> Trainer:
    options = options_of(job)
    parameters = initial_parameters(options, data.d_in)
    return new_trainer(options, parameters, alpha=0.0, k=job.k, n_steps=job.steps, device=torch.device(job.device))


def encoder_product_seconds(job: Job, data: Data, weights: Tensor, repeats: int = 9) -> dict[str, float]:
    """Median time of x W_enc on one batch, by precision."""
    rows, seconds = next(data.batches(1)), {}
    for precision in ("float32", "bfloat16"):
        x, w = (tensor.to(getattr(torch, precision)) for tensor in (rows, weights))
        out = x @ w
        taken = [timed(job, lambda x=x, w=w, out=out: torch.mm(x, w, out=out)) for _ in range(repeats)]
        seconds[precision] = statistics.median(taken)
    return seconds


def profile(job: Job, data: Data, trainer: Trainer) -> dict[str, float]:
    """Fraction of a trained state's step by operation, in time of the device that does the work."""
    on_gpu = job.device == "cuda"
    activities = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * on_gpu
    with torch.profiler.profile(activities=activities) as recorded:
        for rows in data.batches(PROFILED_STEPS):
            trainer.step(rows)
        synchronize(job.device)
    seconds: dict[str, float] = {}
    for event in recorded.key_averages():
        name = event.key.removeprefix("aten::").strip("_")
        spent = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        seconds[name] = seconds.get(name, 0.0) + spent
    total = sum(seconds.values())
    shares = sorted(((name, value / total) for name, value in seconds.items()), key=lambda item: -item[1])
    return {name: round(share, 3) for name, share in shares if share > 0.01}


def main() -> None:
    job, data = start()

    def train(trainer: Trainer, steps: int) -> None:
        for rows in data.batches(steps):
            trainer.step(rows)

    with torch.no_grad():
        train(trainer_of(job, data), WARM_UP_STEPS)
        trainer = trainer_of(job, data)
        parameters = trainer.parameters
        before = encoder_product_seconds(job, data, parameters["W_enc"])
        seconds = timed(job, lambda: train(trainer, job.steps))
        after = encoder_product_seconds(job, data, parameters["W_enc"])

        def reconstruct(rows: Tensor) -> tuple[Tensor, Tensor]:
            latents = topk.encode(parameters, rows, job.k)
            return latents @ parameters["W_dec"] + parameters["b_dec"], (latents > 0).any(dim=0)

        finish(
            job,
            seconds,
            reconstruct,
            version=music_interpret.__version__,
            lr=trainer.hyperparameters.lr,
            encoder_product_seconds={name: (before[name] + after[name]) / 2 for name in before},
            **({"profile": profile(job, data, trainer)} if job.options.get("profile") else {}),
        )


main()
