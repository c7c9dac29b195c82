"""Autoencoders trained side by side: one pass over the data, which is read and normalised once for all of them."""

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from music_interpret.activations.batches import Batch, ShuffledBatches
from music_interpret.activations.normalization import Normalization
from music_interpret.interrupts import held_back
from music_interpret.models.site import Site
from music_interpret.sae.training import DivergedError
from music_interpret.sae.training_run import TrainingRun


class Sweep:
    """Training runs on the same batches, in step with each other."""

    def __init__(
        self,
        runs: list[TrainingRun],
        batches: ShuffledBatches,
        normalizations: dict[Site, Normalization],
        tokens: np.ndarray | None,
        device: torch.device,
    ) -> None:
        """Args:
        runs: with as many steps to take, each on one of the sites; opened by `begin`.
        batches: the train songs' activations of all sites.
        normalizations: by site.
        tokens: all of them, integers (n_tokens, n_fields), if there are token baselines to train.
        device: where the runs' parameters are.
        """
        self.runs, self.batches, self.tokens, self.device = runs, batches, tokens, device
        self.affine = {
            site: (torch.from_numpy(n.shift).to(device), torch.from_numpy(n.scale).to(device))
            for site, n in normalizations.items()
        }

    def normalized(self, batch: Batch) -> dict[Site, Tensor]:
        """A batch's rows by site, normalised, float32."""
        return {
            site: batch.rows[site].to(self.device).float().sub_(shift).mul_(scale)
            for site, (shift, scale) in self.affine.items()
        }

    def tokens_of(self, batch: Batch) -> Tensor | None:
        """A batch's tokens."""
        return None if self.tokens is None else torch.from_numpy(self.tokens[batch.token_rows.numpy()]).to(self.device)

    def loop(self) -> list[str]:
        """Steps to the end, with logs and checkpoints; what went wrong in runs that diverged and stopped there.

        Runs taken up at different steps wait for each other. Ctrl-C is taken up between steps, with a whole state.
        """
        going, failures = list(self.runs), []
        per_epoch, total = len(self.batches), self.runs[0].n_steps
        what = f"train {', '.join(site.title for site in self.affine)}" + (
            f" ({len(going)} autoencoders)" if len(going) > len(self.affine) else ""
        )
        done = min(run.n_done for run in going)
        bar = tqdm(
            total=total * self.batches.batch_size,
            initial=done * self.batches.batch_size,
            desc=what,
            unit="token",
            unit_scale=True,
        )
        with bar, held_back() as interrupted:
            while going and done < total:
                epoch, first = divmod(done, per_epoch)
                for batch in self.batches.epoch(epoch, first):
                    rows, tokens = self.normalized(batch), self.tokens_of(batch)
                    done += 1
                    for run in [run for run in going if run.n_done == done - 1]:
                        try:
                            values = run.step(rows[run.site], tokens, ends_epoch=done % per_epoch == 0)
                        except DivergedError as error:
                            failures.append(str(error))
                            going.remove(run)
                            continue
                        if values:
                            shown = {"fvu": f"{values['quality/fvu']:.3f}", "l0": f"{values['sparsity/l0']:.1f}"}
                            bar.set_postfix(shown, refresh=False)
                    bar.update(self.batches.batch_size)
                    if interrupted():
                        for run in going:
                            run.save_checkpoint()
                        raise KeyboardInterrupt(f"saved step {done}; the same command with --resume goes on")
                    if not going:
                        break
        return failures
