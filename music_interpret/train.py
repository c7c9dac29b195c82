"""Stage: train a sparse autoencoder on a layer's activations.

reports/<series>/<experiment>/layer_007/
    training_args.json   arguments and what it was trained on     metrics.jsonl   one line for each logged step
    tensorboard/         the same as curves                       checkpoints/    state.safetensors, to go on from
    sae/                 cfg.json, sae_weights.safetensors: takes raw activations
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor
from tqdm import tqdm

from music_interpret import __version__, files, paths
from music_interpret.activations.batches import ShuffledBatches, sequential_batches
from music_interpret.activations.normalization import Normalization, load_normalization
from music_interpret.activations.store import ActivationSet, LayerActivations, open_set
from music_interpret.config import as_dict, positional
from music_interpret.errors import InputError
from music_interpret.interrupts import held_back
from music_interpret.models.device import DeviceName, pick_device
from music_interpret.music.dataset import Split
from music_interpret.preprocess import made_from
from music_interpret.sae import relu
from music_interpret.sae.autoencoder import SparseAutoencoder, fold_normalization
from music_interpret.sae.metrics import Quality, mean_nearest_cosine, mean_pairwise_cosine, quality
from music_interpret.sae.relu import Parameters
from music_interpret.sae.run_log import RunLog
from music_interpret.sae.training import Hyperparameters, Trainer


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Train a sparse autoencoder (ReLU with an L1 penalty) on the activations of one or several layers."""

    dataset_name: str = positional()
    """Folder of the data set under data/base/ (with or without _notes)."""
    data_repr: str = positional()
    """Folder of the model under `models/<dataset_name>/`."""
    series_name: str
    """First folder of the run under reports/: a series of experiments."""
    experiment_name: str
    """Second folder of the run: one experiment."""
    layers: tuple[int, ...]
    """Layers to train on, one autoencoder each; they must have been extracted and preprocessed."""
    d_sae: int = 2048
    """Number of latents."""
    alpha: float = 1e-2
    """Weight of the L1 penalty (summed over latents) against the squared error (averaged over dimensions)."""
    lr: float = 3e-3
    """Learning rate of Adam after warm-up."""
    batch_size: int = 1024
    """Tokens an optimiser step."""
    epochs: int = 8
    """Passes over the train songs."""
    lr_warmup: float = 0.05
    """Share of the steps over which the learning rate rises from 0."""
    lr_decay: float = 0.2
    """Share of the steps over which the learning rate falls to 0 at the end."""
    alpha_warmup: float = 0.1
    """Share of the steps over which the penalty rises from 0."""
    encoder_bias: float = -1.0
    """Initial encoder bias, in normalised space: how many standard deviations a latent ignores at first."""
    encoder_scale: float = 1.0
    """Initial encoder, as a multiple of the transposed decoder."""
    decoder_bias: bool = True
    """Whether the decoder bias is trained; without it stays 0 in normalised space."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Number type of the matrix products; parameters and sums stay float32."""
    seed: int = 0
    """Fixes the initial weights and the order of the tokens."""
    buffer_tokens: int = 4_194_304
    """Tokens held in memory for shuffling; a larger set is shuffled in buffers of this size."""
    window_tokens: int = 100_000
    """Tokens over which dead and overactive latents are counted while training."""
    log_every: int = 50
    """Steps between logged losses."""
    checkpoint_every: int = 1000
    """Steps between checkpoints."""
    device: DeviceName = "auto"
    """Where to train; auto takes a GPU if there is one."""
    resume: bool = False
    """Go on with an interrupted run, bit for bit."""
    overwrite: bool = False
    """Replace a run that is there."""

    # The pipeline that this project replaces; docs/log.md tells what its small encoder does.
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "reference": {
            "alpha": 1e-3,
            "lr": 3e-4,
            "batch_size": 2048,
            "lr_warmup": 0.0,
            "lr_decay": 0.0,
            "alpha_warmup": 0.0,
            "encoder_bias": -1.0,
            "encoder_scale": 0.14,
            "decoder_bias": False,
        }
    }

    def __post_init__(self) -> None:
        for name in (
            "d_sae",
            "batch_size",
            "epochs",
            "buffer_tokens",
            "window_tokens",
            "log_every",
            "checkpoint_every",
        ):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} is {getattr(self, name)}; right is 1 or more")
        for name in ("alpha", "lr_warmup", "lr_decay", "alpha_warmup", "seed"):
            if not getattr(self, name) >= 0:
                raise InputError(f"--{name} is {getattr(self, name)}; right is 0 or more")
        if not 0 < self.lr < float("inf"):
            raise InputError(f"--lr is {self.lr}; right is a number above 0")
        if self.resume and self.overwrite:
            raise InputError("--resume and --overwrite exclude each other")


def train(config: TrainConfig) -> list[Path]:
    """Run the stage and return the run folder of each layer.

    Raises:
        InputError: something before this stage is missing or does not fit, or the run folder exists.
    """
    activations = open_set(
        paths.activations_folder(config.dataset_name, config.data_repr), config.dataset_name, config.data_repr
    )
    layers = sorted(set(config.layers))
    opened = {layer: _open_layer(config, activations, layer) for layer in layers}
    folders = {layer: paths.run_folder(config.series_name, config.experiment_name, layer) for layer in layers}
    pick_device(config.device)
    for layer, folder in folders.items():
        _check_run_folder(config, folder, _training_args(config, activations, opened[layer][0]))
    for layer, folder in folders.items():
        with files.locked(folder, "this run"):
            if config.overwrite:
                files.clear_folder(folder)
            _Run(config, activations, *opened[layer], folder).train()
    return list(folders.values())


def _open_layer(config: TrainConfig, activations: ActivationSet, layer: int) -> tuple[LayerActivations, Normalization]:
    opened = activations.layer(layer)
    names = f"{config.dataset_name} {config.data_repr} --layers {layer}"
    command = f"python3 -m music_interpret.preprocess {names}"
    return opened, load_normalization(opened.folder, made_from(activations, opened), command)


def _training_args(config: TrainConfig, activations: ActivationSet, layer: LayerActivations) -> dict[str, Any]:
    """What a run writes down of itself: arguments, data and version."""
    arguments = {k: v for k, v in as_dict(config).items() if k not in ("resume", "overwrite", "layers")}
    return {
        "music_interpret": __version__,
        "arguments": arguments | {"layer": layer.meta["layer"]},
        "activations": made_from(activations, layer),
        "activations_folder": paths.activations_folder(config.dataset_name, config.data_repr).name,
    }


def _check_run_folder(config: TrainConfig, folder: Path, args: dict[str, Any]) -> None:
    """Refuse to write over a run; on resuming, refuse other arguments or other activations."""
    path = folder / "training_args.json"
    if config.resume:
        if not path.is_file():
            raise InputError(f"no run to resume in {folder}")
        old = files.read_json(path)
        for key in ("arguments", "activations"):
            changed = [k for k, v in args[key].items() if old.get(key, {}).get(k) != v]
            if changed:
                what = f"{changed[0]} {old.get(key, {}).get(changed[0])!r}"
                raise InputError(f"{folder} was begun with {what}; --resume needs the same")
    elif path.is_file() and not config.overwrite:
        raise InputError(
            f"run {folder} exists; --resume goes on with it, --overwrite replaces it, or take another name"
        )


class _Run:
    """One layer's training: loop, logging and checkpoints."""

    def __init__(
        self,
        config: TrainConfig,
        activations: ActivationSet,
        layer: LayerActivations,
        normalization: Normalization,
        folder: Path,
    ) -> None:
        self.config, self.activations, self.layer = config, activations, layer
        self.normalization, self.folder = normalization, folder
        self.device = pick_device(config.device)
        self.shift = torch.from_numpy(normalization.shift).to(self.device)
        self.scale = torch.from_numpy(normalization.scale).to(self.device)
        self.batches = ShuffledBatches(
            layer,
            activations.songs.runs("train"),
            batch_size=config.batch_size,
            seed=config.seed,
            buffer_tokens=config.buffer_tokens,
        )
        self.trainer = self._trainer()
        self.state_path = folder / "checkpoints" / "state.safetensors"

    def _trainer(self) -> Trainer:
        config = self.config
        generator = torch.Generator().manual_seed(config.seed)
        parameters = relu.initial_parameters(
            self.activations.d_model,
            config.d_sae,
            encoder_bias=config.encoder_bias,
            encoder_scale=config.encoder_scale,
            generator=generator,
        )
        hyperparameters = Hyperparameters(
            alpha=config.alpha,
            lr=config.lr,
            n_steps=len(self.batches) * config.epochs,
            lr_warmup=config.lr_warmup,
            lr_decay=config.lr_decay,
            alpha_warmup=config.alpha_warmup,
            decoder_bias=config.decoder_bias,
            dtype=getattr(torch, config.precision),
        )
        on_device = Parameters(*(p.to(self.device) for p in parameters))
        return Trainer(on_device, hyperparameters, config.window_tokens)

    def normalize(self, rows: Tensor) -> Tensor:
        return rows.to(self.device).float().sub_(self.shift).mul_(self.scale)

    @torch.no_grad()
    def train(self) -> None:
        """Train to the end (or go on), evaluate on held-out songs, save the autoencoder."""
        if self.config.resume and (self.folder / "sae" / "cfg.json").is_file():
            print(f"run {self.folder} is finished")
            return
        if self.config.resume and self.state_path.is_file():
            self._load_checkpoint()
        files.write_json(self.folder / "training_args.json", _training_args(self.config, self.activations, self.layer))
        self._loop()
        results = self._evaluate_and_save()
        print(f"layer {self.layer.meta['layer']}: {results} → {self.folder}")

    def _loop(self) -> None:
        """Steps to the end, with logs and checkpoints. Ctrl-C is taken up between steps, where the state is whole."""
        trainer, per_epoch, size = self.trainer, len(self.batches), self.batches.batch_size
        total = trainer.hyperparameters.n_steps
        bar = tqdm(
            total=total * size,
            initial=trainer.n_done * size,
            desc=f"train layer {self.layer.meta['layer']}",
            unit="token",
            unit_scale=True,
        )
        with bar, RunLog(self.folder, trainer.n_done, size) as log, held_back() as interrupted:
            while trainer.n_done < total:
                epoch, first = divmod(trainer.n_done, per_epoch)
                for rows in self.batches.epoch(epoch, first):
                    result = trainer.step(self.normalize(rows))
                    bar.update(size)
                    if trainer.n_done % self.config.log_every == 0:
                        values = trainer.scalars(result)
                        log.write(trainer.n_done, values)
                        bar.set_postfix(
                            loss=f"{values['loss/total']:.4f}", l0=f"{values['sparsity/l0']:.1f}", refresh=False
                        )
                    if interrupted():
                        self._save_checkpoint()
                        raise KeyboardInterrupt(f"saved step {trainer.n_done}; the same command with --resume goes on")
                    if trainer.n_done % self.config.checkpoint_every == 0:
                        self._save_checkpoint()
                log.write(trainer.n_done, trainer.scalars(result) | self._epoch_values())

    def _epoch_values(self) -> dict[str, float]:
        """What is too dear for every step: held-out quality and the decoder's cosines."""
        decoder = self.trainer.parameters.W_dec
        values = {
            "decoder/mean_cosine": mean_pairwise_cosine(decoder),
            "decoder/nearest_cosine": mean_nearest_cosine(decoder),
        }
        held_out = self._quality("valid")
        if held_out:
            values |= {"valid/fvu": held_out.fvu, "valid/l0": held_out.l0, "valid/dead": held_out.dead}
        return values

    def _quality(self, split: Split) -> Quality | None:
        runs = self.activations.songs.runs(split)
        batches = (self.normalize(rows) for rows in sequential_batches(self.layer, runs, 8192))
        parameters = self.trainer.parameters
        return quality(batches, lambda x: relu.encode(parameters, x), lambda z: relu.decode(parameters, z))

    def _evaluate_and_save(self) -> str:
        """Measure on held-out songs, save, and say the result in a line. `cfg.json` comes last: it marks the run as
        finished.
        """
        parameters = Parameters(*(p.cpu() for p in self.trainer.parameters))
        measured = {split: self._quality(split) for split in ("valid", "test")}
        held_out = {split: result._asdict() for split, result in measured.items() if result}
        args = _training_args(self.config, self.activations, self.layer)
        metadata = args["arguments"] | {key: args["activations"][key] for key in ("model_sha256", "codes_sha256")}
        files.write_json(self.folder / "held_out.json", held_out)
        SparseAutoencoder(fold_normalization(parameters, self.normalization), metadata).save(self.folder / "sae")
        self.state_path.unlink(missing_ok=True)
        if not held_out:
            return "no held-out songs to measure on"
        return "; ".join(
            f"on {q['n_tokens']:,} {split} tokens L0 {q['l0']:.1f}, FVU {q['fvu']:.3f}, "
            f"dead {q['dead']:.1%}, overactive {q['overactive']:.1%}"
            for split, q in held_out.items()
        )

    def _save_checkpoint(self) -> None:
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self.trainer.state().items()}
        files.write_bytes(self.state_path, save(tensors))

    def _load_checkpoint(self) -> None:
        try:
            self.trainer.load_state(load_file(self.state_path))
        except (SafetensorError, KeyError, RuntimeError) as error:
            raise InputError(f"checkpoint {self.state_path} is damaged ({error}); --overwrite starts anew") from None


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("train")
