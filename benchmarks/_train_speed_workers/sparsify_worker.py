"""eai-sparsify: its own `Trainer.fit`, on a model whose only layer looks the cached rows up by number.

The data set holds row numbers as 32 sequences of 128 per batch, which is how the trainer counts batches; its hook on
the layer then does what it does on a language model. Checkpoints, which `fit` writes at its end, are left out of the
timing by not being written. The option `optimizer` is the trainer's; its default is signum (sign descent, schedule
free). On a GPU its forward pass casts to bfloat16 by itself; on a CPU it does not, and bfloat16 is torch's autocast
around `fit`.
"""

from contextlib import nullcontext

import sparsify
import torch
from _common import WARM_UP_STEPS, Data, Job, finish, start, timed
from sparsify import SparseCoderConfig, TrainConfig, Trainer
from torch import Tensor, nn

SEQUENCE = 128


class Cached(nn.Module):
    """In the place of a language model: rows by their numbers."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = nn.Embedding.from_pretrained(rows, freeze=True)
        self.dummy_inputs = {"input_ids": torch.zeros(1, 1, dtype=torch.int64)}

    @property
    def base_model(self) -> nn.Module:
        return self

    @property
    def device(self) -> torch.device:
        return self.rows.weight.device

    def forward(self, input_ids: Tensor) -> Tensor:
        # Else the context around `fit` would keep the first step's cast weights to the end; the library's own context,
        # around each forward pass, is left after each.
        torch.clear_autocast_cache()
        return self.rows(input_ids)


class Sequences(torch.utils.data.Dataset):
    """Row numbers in the order of the batches, 128 an item."""

    def __init__(self, order: Tensor) -> None:
        self.numbers = order.reshape(-1, SEQUENCE).cpu()

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        return {"input_ids": self.numbers[item]}


class Unsaved(Trainer):
    """The trainer without its checkpoints."""

    def save(self) -> None:
        pass


def new_trainer(job: Job, data: Data, steps: int) -> Trainer:
    optimizer = {"optimizer": job.options["optimizer"]} if "optimizer" in job.options else {}
    config = TrainConfig(
        SparseCoderConfig(num_latents=job.d_sae, k=job.k),
        batch_size=job.batch // SEQUENCE,
        lr=job.lr,
        hookpoints=["rows"],
        init_seeds=[job.seed],
        log_to_wandb=False,
        **({"lr_warmup_steps": job.warm_up} if job.lr else {}),
        **optimizer,
    )
    return Unsaved(config, Sequences(data.order[:steps]), Cached(data.rows))


def main() -> None:
    job, data = start()
    on_cpu = job.device == "cpu" and job.precision == "bfloat16"
    with torch.autocast("cpu", torch.bfloat16) if on_cpu else nullcontext():
        new_trainer(job, data, WARM_UP_STEPS).fit()
        trainer = new_trainer(job, data, job.steps)
        seconds = timed(job, trainer.fit)
    for optimizer in trainer.optimizers:
        if hasattr(optimizer, "eval"):
            optimizer.eval()  # schedule free: the averaged weights, which are what it saves
    (coder,) = trainer.saes.values()

    def reconstruct(rows: Tensor) -> tuple[Tensor, Tensor]:
        encoded = coder.encode(rows)
        fired = torch.zeros(job.d_sae, dtype=torch.bool, device=rows.device)
        fired[encoded.top_indices[encoded.top_acts > 0]] = True
        return coder.decode(encoded.top_acts, encoded.top_indices), fired

    lr = trainer.optimizers[0].param_groups[0].get("initial_lr", trainer.optimizers[0].param_groups[0]["lr"])
    finish(job, seconds, reconstruct, version=sparsify.__version__, lr=lr)


main()
