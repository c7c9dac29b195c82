"""One autoencoder's training in its folder: steps, logs, checkpoints, and the finished autoencoder at the end.

training_args.json   arguments and what it was trained on     metrics.jsonl   one line for each logged step
tensorboard/         the same as curves                       checkpoints/    state.safetensors, to go on from
held_out.json        quality on the valid and test songs      sae/            cfg.json, sae_weights.safetensors
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from music_interpret import files
from music_interpret.activations.normalization import Normalization
from music_interpret.errors import InputError
from music_interpret.models.site import Site
from music_interpret.sae import jumprelu
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.metrics import Quality, mean_nearest_cosine, mean_pairwise_cosine
from music_interpret.sae.parameters import fold_normalization, with_unit_decoder
from music_interpret.sae.run_log import RunLog
from music_interpret.sae.token_baseline import TokenBaseline
from music_interpret.sae.training import DivergedError, Trainer

STATE = "state.safetensors"
# An L0 that is off by a larger factor than this has missed its target.
MISSED = 1.5


class Finished(NamedTuple):
    """What there is to say of a run at its end."""

    summary: str
    """Its quality on held-out songs, in a line."""
    warning: str | None
    """What has gone wrong, and what may help."""


class TrainingRun:
    """A trainer and its folder. `n_done` says how far it is."""

    def __init__(
        self,
        folder: Path,
        args: dict[str, Any],
        trainer: Trainer,
        site: Site,
        normalization: Normalization,
        measure: Callable[[SparseAutoencoder, str], Quality | None],
        *,
        batch_size: int,
        log_every: int,
        checkpoint_every: int,
    ) -> None:
        """Args:
        folder: the run's folder.
        args: content of `training_args.json`.
        trainer: at its start.
        site: what it is trained on.
        normalization: what the trainer's activations were normalised with.
        measure: quality of an autoencoder on a split's raw activations; None where the split is empty.
        batch_size: tokens per step.
        log_every: steps between logged values.
        checkpoint_every: steps between checkpoints.
        """
        self.folder, self.args, self.trainer = folder, args, trainer
        self.normalization, self.measure = normalization, measure
        self.log_every, self.checkpoint_every = log_every, checkpoint_every
        self.batch_size = batch_size
        self.site = site
        self.state_path = folder / "checkpoints" / STATE
        self.checkpointed = 0
        self.log: RunLog | None = None

    @property
    def n_done(self) -> int:
        return self.trainer.n_done

    @property
    def n_steps(self) -> int:
        return self.trainer.hyperparameters.n_steps

    def begin(self, resume: bool) -> None:
        """Take up a checkpoint if there is one, write the arguments down and open the logs."""
        if resume and self.state_path.is_file():
            self._load_checkpoint()
        files.write_json(self.folder / "training_args.json", self.args)
        self.log = RunLog(self.folder, self.n_done, self.batch_size)

    def step(self, x: Tensor, tokens: Tensor | None, *, ends_epoch: bool) -> dict[str, float]:
        """Take a step on normalised activations; log and save where it is time to. Returns what was logged, if so.

        Raises:
            DivergedError: names the folder and the last good checkpoint.
        """
        assert self.log is not None
        values: dict[str, float] = {}
        try:
            result = self.trainer.step(x, tokens)
            if self.n_done % self.log_every == 0 or ends_epoch:
                values = self.trainer.scalars(result, x if tokens is None else x - self._baseline(tokens))
                if ends_epoch:
                    values |= self._epoch_values()
                self.log.write(self.n_done, values)
            if self.n_done % self.checkpoint_every == 0 and self.n_done < self.n_steps:
                self.save_checkpoint()
        except DivergedError as error:
            kept = f"of step {self.checkpointed} is in {self.state_path}" if self.checkpointed else "was not reached"
            raise DivergedError(f"{self.folder}: {error}; the last good checkpoint {kept}") from None
        return values

    def _baseline(self, tokens: Tensor) -> Tensor:
        assert self.trainer.baseline is not None
        return self.trainer.baseline(tokens)

    def autoencoder(self) -> SparseAutoencoder:
        """The autoencoder as it is now, on raw activations."""
        parameters = self.trainer.parameters
        if "log_threshold" in parameters:
            parameters = jumprelu.trained_form(parameters)
        elif "threshold" in parameters:  # below 0 where nothing has fired yet: any value above 0 passes
            parameters = parameters | {"threshold": parameters["threshold"].clamp_min(0)}
        if self.trainer.objective.by_decoder_norm:
            parameters = with_unit_decoder(parameters)
        baseline, kept = None, self.trainer.baseline
        if kept is not None:
            # The mean goes with the first field, of which every token has exactly one value.
            table = kept.table.detach().cpu() / torch.from_numpy(self.normalization.scale)
            table[: kept.sizes[0]] += torch.from_numpy(self.normalization.shift)
            baseline = TokenBaseline(table, kept.sizes, kept.names)
        folded = fold_normalization(parameters, self.normalization, shifted=baseline is None)
        metadata = {name: value for name, value in self.args["arguments"].items() if name != "token_baseline"}
        metadata |= {key: self.args["activations"][key] for key in ("model_sha256", "codes_sha256")}
        return SparseAutoencoder(
            self.trainer.architecture.saved_as,
            folded,
            k=round(self.trainer.objective.k) if self.trainer.architecture.saved_as == "topk" else 0,
            baseline=baseline,
            metadata=metadata,
        )

    def _epoch_values(self) -> dict[str, float]:
        """What is too dear for every step: held-out quality and the decoder's cosines."""
        decoder = self.trainer.parameters["W_dec"]
        directions = decoder / decoder.norm(dim=1, keepdim=True)
        values = {
            "decoder/mean_cosine": mean_pairwise_cosine(directions),
            "decoder/nearest_cosine": mean_nearest_cosine(directions),
        }
        held_out = self.measure(self.autoencoder(), "valid")
        if held_out:
            wanted = ("fvu", "explained_variance", "cosine", "shrinkage", "relative_bias", "l0", "dead", "overactive")
            values |= {f"valid/{name}": getattr(held_out, name) for name in wanted}
        return values

    def finish(self) -> Finished:
        """Measure on held-out songs, save, and say the result. `cfg.json` comes last: it marks the run as finished."""
        autoencoder = self.autoencoder()
        measured = {split: self.measure(autoencoder, split) for split in ("valid", "test")}
        held_out = {split: result for split, result in measured.items() if result}
        files.write_json(self.folder / "held_out.json", held_out)
        warning = self._missed_target(autoencoder, held_out)
        autoencoder.save(self.folder / "sae")
        self.state_path.unlink(missing_ok=True)
        summary = "; ".join(
            f"on {q.n_tokens:,} {split} tokens L0 {q.l0:.1f}, FVU {q.fvu:.3f}, "
            f"dead {q.dead:.1%}, overactive {q.overactive:.1%}"
            for split, q in held_out.items()
        )
        return Finished(summary or "no held-out songs to measure on", warning)

    def _missed_target(self, autoencoder: SparseAutoencoder, held_out: Mapping[str, Quality | None]) -> str | None:
        """What to say where a penalty (jumprelu) has not brought L0 near to its target; None where it has."""
        if not {"alpha", "k"} <= set(self.trainer.architecture.knobs):
            return None
        target = self.trainer.objective.k
        missed = [
            f"{q.l0:.1f} on {split} songs"
            for split, q in (held_out or {"train": self.measure(autoencoder, "train")}).items()
            if q and not target / MISSED <= q.l0 <= target * MISSED
        ]
        if not missed:
            return None
        advice = "more --epochs, a higher --lr, or a larger --alpha or --bandwidth may help"
        return f"L0 is {' and '.join(missed)}, --k asked for {target:g}; {advice}"

    def save_checkpoint(self) -> None:
        """Write the state, if it is sound, in the place of the last one."""
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self.trainer.state().items()}
        broken = [name for name, t in tensors.items() if t.is_floating_point() and not bool(t.isfinite().all())]
        if broken:
            raise DivergedError(f"{broken[0]} holds values that are NaN at step {self.n_done}")
        files.write_bytes(self.state_path, save(tensors))
        self.checkpointed = self.n_done

    def _load_checkpoint(self) -> None:
        try:
            self.trainer.load_state(load_file(self.state_path))
        except (SafetensorError, KeyError, RuntimeError) as error:
            raise InputError(f"checkpoint {self.state_path} is damaged ({error}); --overwrite starts again") from None
        self.checkpointed = self.n_done

    def close(self) -> None:
        if self.log is not None:
            self.log.close()
            self.log = None
