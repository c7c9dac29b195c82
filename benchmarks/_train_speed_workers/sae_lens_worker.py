"""sae-lens: its `SAETrainer.fit` on a `TopKTrainingSAE`, fed by an iterator over the cached rows.

Rows are normalised already, to about the norm that `expected_average_only_in` gives, so its own normalisation is off.
bfloat16 is its `autocast`. Its `use_sparse_activations` is left off, as by default: on a CPU it stops at an operator
that torch 2.13 does not have for sparse tensors.
"""

import sae_lens
import torch
from _common import WARM_UP_STEPS, Data, Job, finish, start, timed
from sae_lens.config import LoggingConfig, SAETrainerConfig
from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor


def new_trainer(job: Job, data: Data, steps: int) -> SAETrainer:
    torch.manual_seed(job.seed)
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=data.d_in, d_sae=job.d_sae, k=job.k, device=job.device))
    schedule = {"lr": job.lr, "lr_warm_up_steps": job.warm_up, "lr_decay_steps": job.decay} if job.lr else {}
    if steps <= job.warm_up + job.decay:
        schedule = {}  # warming up
    config = SAETrainerConfig(
        total_training_samples=steps * job.batch,
        train_batch_size_samples=job.batch,
        lr_end=1e-4,  # must be given; only the cosine schedules read it
        device=job.device,
        autocast=job.precision == "bfloat16",
        logger=LoggingConfig(log_to_wandb=False),
        **schedule,
    )
    return SAETrainer(config, sae, data.batches(steps))


def main() -> None:
    job, data = start()
    new_trainer(job, data, WARM_UP_STEPS).fit()
    trainer = new_trainer(job, data, job.steps)
    seconds = timed(job, trainer.fit)
    sae = trainer.sae.eval()

    def reconstruct(rows: Tensor) -> tuple[Tensor, Tensor]:
        latents = sae.encode(rows)
        return sae.decode(latents), (latents > 0).any(dim=0)

    finish(job, seconds, reconstruct, version=sae_lens.__version__, lr=trainer.cfg.lr)


main()
