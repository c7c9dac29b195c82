"""Stage: train sparse autoencoders on the activations of one or several layers.

Several values of `--alpha` or `--k`, and several layers, are trained in one pass over the data, each in a run folder
of its own (see `sae/training_run.py` for what that holds).
"""

import contextlib
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from music_interpret import __version__, files, paths
from music_interpret.activations.batches import ShuffledBatches, labelled_rows, sequential_batches
from music_interpret.activations.normalization import Normalization, load_normalization
from music_interpret.activations.store import ActivationSet, LayerActivations, made_from, open_set
from music_interpret.config import as_dict, positional
from music_interpret.errors import InputError
from music_interpret.models.device import DeviceName, pick_device
from music_interpret.sae import token_baseline
from music_interpret.sae.architectures import ARCHITECTURES, ArchitectureName
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.metrics import Quality, quality
from music_interpret.sae.objective import Objective
from music_interpret.sae.sweep import Sweep
from music_interpret.sae.token_baseline import TokenBaseline
from music_interpret.sae.tracking import TrackerName, tracked
from music_interpret.sae.training import Hyperparameters, Trainer
from music_interpret.sae.training_run import TrainingRun

MEASURED_TOKENS = 8192
# What is taken where nothing is given.
ALPHAS: dict[str, float] = {"relu": 1e-2, "gated": 1e-2, "jumprelu": 1.0}
SPARSITY_WARMUPS: dict[str, float] = {"relu": 0.1, "gated": 0.1, "jumprelu": 0.3}
# Values that do not belong to the run: how it is gone about, and what a sweep shares.
NOT_ARGUMENTS = ("resume", "overwrite", "layers", "tracker")
# Arguments that change no weight, in which a run that is resumed may differ.
CHANGE_NO_WEIGHT = ("log_every", "checkpoint_every")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Train sparse autoencoders on the activations of one or several layers."""

    dataset_name: str = positional()
    """Folder of the data set under data/base/ (with or without _notes)."""
    data_repr: str = positional()
    """Folder of the model under `models/<dataset_name>/`."""
    series_name: str
    """First folder of the run under reports/: a series of experiments."""
    experiment_name: str
    """Second folder of the run: one experiment. Several values of alpha or k are put behind it: name-k16, name-k32."""
    layers: tuple[int, ...]
    """Layers to train on, one autoencoder each; they must have been extracted and preprocessed."""
    architecture: ArchitectureName = "topk"
    """relu and gated are made sparse by a penalty (alpha), the others by how many latents may fire (k): topk on each
    token, batchtopk and matryoshka on average, jumprelu on average by a penalty.
    """
    token_baseline: Literal["none", "additive"] = "additive"
    """additive: take off what a token's own six fields say (one trained vector for each value), so that latents are
    left to say what the model made of the context.
    """
    d_sae: int = 2048
    """Number of latents."""
    k: tuple[float, ...] | None = None
    """Latents that fire on a token (topk, batchtopk, matryoshka), or the number aimed at (jumprelu): 32 if not given.
    Several values train several autoencoders.
    """
    alpha: tuple[float, ...] | None = None
    """Weight of the sparsity penalty against the squared error (averaged over dimensions): 0.01 for relu and gated, 1
    for jumprelu if not given. Several values train several autoencoders.
    """
    decoder_norm: Literal["unit", "free"] = "unit"
    """relu only: unit keeps decoder rows at norm 1; free leaves them, and weighs the penalty by them."""
    prefixes: tuple[int, ...] | None = None
    """matryoshka only: numbers of latents that reconstruct on their own; 1/16, 1/8, 1/4, 1/2 and all if not given."""
    bandwidth: float = 0.5
    """jumprelu only: width of the window around a threshold from which its gradient comes."""
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
    sparsity_warmup: float | None = None
    """Share of the steps over which the penalty rises from 0, or k falls from four times its value: 0.1 for relu and
    gated, 0.3 for jumprelu, 0 for the others if not given.
    """
    clip_norm: float = 0.0
    """Largest norm of a step's gradients together; 0 leaves them as they are."""
    aux_weight: float = 0.03125
    """Weight of the loss through which dead latents learn what the others leave over (AuxK); 0 leaves them dead."""
    encoder_bias: float = -1.0
    """Initial encoder bias of relu and gated (jumprelu: threshold) in normalised space: how many standard deviations a
    latent ignores at first.
    """
    encoder_scale: float = 1.0
    """Initial encoder, as a multiple of the transposed decoder."""
    decoder_bias: bool = True
    """Whether the decoder bias is trained; without it stays at the mean of the activations."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """dtype of the dense matrix products; parameters and sums stay float32."""
    seed: int = 0
    """Fixes the initial weights and the order of the tokens."""
    buffer_tokens: int = 4_194_304
    """Tokens held in memory for shuffling, over all layers; a larger set is shuffled in buffers of this size."""
    window_tokens: int = 50_000
    """Tokens without firing after which a latent counts as dead; overactive ones are counted over as many."""
    log_every: int = 50
    """Steps between logged losses."""
    checkpoint_every: int = 1000
    """Steps between checkpoints."""
    device: DeviceName = "auto"
    """Where to train; auto takes a GPU if there is one."""
    tracker: TrackerName = "none"
    """Also send the curves to Weights & Biases or to Trackio, if that is installed."""
    resume: bool = False
    """Go on with an interrupted run, bit for bit."""
    overwrite: bool = False
    """Replace a run that is there."""

    # The pipeline that this project replaces; docs/log.md tells what its small encoder does.
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "reference": {
            "architecture": "relu",
            "token_baseline": "none",
            "alpha": (1e-3,),
            "lr": 3e-4,
            "batch_size": 2048,
            "lr_warmup": 0.0,
            "lr_decay": 0.0,
            "sparsity_warmup": 0.0,
            "aux_weight": 0.0,
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
                raise InputError(f"--{name} is {getattr(self, name)}; expected 1 or more")
        for name in ("lr_warmup", "lr_decay", "sparsity_warmup", "clip_norm", "aux_weight", "seed"):
            if getattr(self, name) is not None and not getattr(self, name) >= 0:
                raise InputError(f"--{name} is {getattr(self, name)}; expected 0 or more")
        for name in ("lr", "bandwidth"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"--{name} is {getattr(self, name)}; expected a number above 0")
        if self.resume and self.overwrite:
            raise InputError("--resume and --overwrite exclude each other")
        self._check_sparsity()

    def _check_sparsity(self) -> None:
        """Refuse knobs that the architecture does not have, and values that it cannot have."""
        knobs = ARCHITECTURES[self.architecture].knobs
        for knob in ("alpha", "k"):
            values = getattr(self, knob)
            if values is None:
                continue
            if knob not in knobs:
                raise InputError(f"--{knob} has no meaning for {self.architecture}; expected --{' and --'.join(knobs)}")
            if len(set(values)) < len(values):
                raise InputError(f"--{knob} names a value twice: {' '.join(f'{v:g}' for v in values)}")
        for alpha in self.alpha or ():
            if not 0 <= alpha < float("inf"):
                raise InputError(f"--alpha is {alpha:g}; expected 0 or more")
        for k in self.k or ():
            if not 0 < k <= self.d_sae:
                raise InputError(f"--k is {k:g}; expected above 0 and at most d_sae, {self.d_sae}")
            if self.architecture == "topk" and k != round(k):
                raise InputError(f"--k is {k:g}; expected a whole number for topk")
        if self.decoder_norm == "free" and self.architecture != "relu":
            raise InputError(f"--decoder_norm free has no meaning for {self.architecture}; expected relu")
        if self.prefixes is not None:
            if self.architecture != "matryoshka":
                raise InputError(f"--prefixes has no meaning for {self.architecture}; expected matryoshka")
            if sorted(set(self.prefixes)) != list(self.prefixes) or self.prefixes[0] < 1:
                raise InputError(f"--prefixes is {self.prefixes}; expected rising whole numbers above 0")
            if self.prefixes[-1] != self.d_sae:
                raise InputError(f"--prefixes ends with {self.prefixes[-1]}; expected d_sae, {self.d_sae}")


class _Plan(NamedTuple):
    """One autoencoder of a sweep: its layer, its sparsity and its folder."""

    layer: int
    alpha: float
    k: float
    folder: Path


def train(config: TrainConfig) -> list[Path]:
    """Run the stage and return the run folders, layer by layer.

    Raises:
        InputError: something before this stage is missing or does not fit, a run folder exists, or a loss diverged.
    """
    activations = open_set(
        paths.activations_folder(config.dataset_name, config.data_repr), config.dataset_name, config.data_repr
    )
    opened = {layer: _open_layer(config, activations, layer) for layer in sorted(set(config.layers))}
    pick_device(config.device)
    plans = _plans(config)
    _check_some_fire(config, activations, plans)
    for plan in plans:
        _check_run_folder(config, plan.folder, _training_args(config, activations, opened[plan.layer][0], plan))
    with contextlib.ExitStack() as held:
        for plan in plans:
            held.enter_context(files.locked(plan.folder, "this run"))
            if config.overwrite:
                files.clear_folder(plan.folder)
        unfinished = [plan for plan in plans if not (config.resume and _is_finished(plan.folder))]
        if unfinished:
            _train(config, _prepare(config, activations, opened, unfinished))
    return [plan.folder for plan in plans]


def _plans(config: TrainConfig) -> list[_Plan]:
    """Every layer with every value of alpha and k."""
    knobs = ARCHITECTURES[config.architecture].knobs
    alphas = config.alpha or (ALPHAS.get(config.architecture, 0.0),)
    ks = config.k or ((float(min(32, config.d_sae)),) if "k" in knobs else (0.0,))
    plans = []
    for layer in sorted(set(config.layers)):
        for alpha in alphas:
            for k in ks:
                name = config.experiment_name
                name += f"-alpha{alpha:g}" if len(alphas) > 1 else ""
                name += f"-k{k:g}" if len(ks) > 1 else ""
                plans.append(_Plan(layer, alpha, k, paths.run_folder(config.series_name, name, layer)))
    return plans


def _check_some_fire(config: TrainConfig, activations: ActivationSet, plans: list[_Plan]) -> None:
    """Refuse a k of which nothing is left in a batch (batchtopk, matryoshka)."""
    n_tokens = int(np.diff(activations.songs.spans("train")).sum())
    batch_size = min(config.batch_size, n_tokens)
    for plan in plans if config.architecture in ("batchtopk", "matryoshka") else ():
        if round(plan.k * batch_size) < 1:
            raise InputError(
                f"--k is {plan.k:g}, no latent in a batch of {batch_size:,} tokens; expected {1 / batch_size:g} or more"
            )


def _sparsity_warmup(config: TrainConfig) -> float:
    given = config.sparsity_warmup
    return SPARSITY_WARMUPS.get(config.architecture, 0.0) if given is None else given


def _is_finished(folder: Path) -> bool:
    if finished := (folder / "sae" / "cfg.json").is_file():
        print(f"run {folder} is finished")
    return finished


def _open_layer(config: TrainConfig, activations: ActivationSet, layer: int) -> tuple[LayerActivations, Normalization]:
    opened = activations.layer(layer)
    names = f"{config.dataset_name} {config.data_repr} --layers {layer}"
    command = f"python3 -m music_interpret.preprocess {names}"
    return opened, load_normalization(opened.folder, made_from(activations, opened), command)


def _training_args(
    config: TrainConfig, activations: ActivationSet, layer: LayerActivations, plan: _Plan
) -> dict[str, Any]:
    """What a run writes down of itself: arguments, data and version."""
    knobs = ARCHITECTURES[config.architecture].knobs
    own = replace(config, experiment_name=plan.folder.parent.name)
    arguments = {k: v for k, v in as_dict(own).items() if k not in NOT_ARGUMENTS}
    arguments |= {"alpha": plan.alpha if "alpha" in knobs else None, "k": plan.k if "k" in knobs else None}
    return {
        "music_interpret": __version__,
        "arguments": arguments | {"layer": plan.layer},
        "activations": made_from(activations, layer),
        "activations_folder": paths.activations_folder(config.dataset_name, config.data_repr).name,
    }


def config_of(args: dict[str, Any], **changes: Any) -> TrainConfig:
    """The config that trains the run of a `training_args.json` again, with changes.

    Raises:
        InputError: the run was trained by another version, with other arguments.
    """
    arguments = dict(args["arguments"])
    try:
        arguments["layers"] = (arguments.pop("layer"),)
        for name in ("alpha", "k"):
            arguments[name] = None if arguments[name] is None else (arguments[name],)
        arguments["prefixes"] = None if arguments["prefixes"] is None else tuple(arguments["prefixes"])
        return TrainConfig(**(arguments | changes))
    except (KeyError, TypeError) as error:
        raise InputError(f"the run was not trained by this version ({error}); train it again") from None


def _check_run_folder(config: TrainConfig, folder: Path, args: dict[str, Any]) -> None:
    """Refuse to write over a run; on resuming, refuse other activations or arguments that give other weights."""
    path = folder / "training_args.json"
    if config.resume:
        if not path.is_file():
            raise InputError(f"no run to resume in {folder}")
        old = files.read_json(path)
        for key in ("arguments", "activations"):
            changed = [k for k, v in args[key].items() if old.get(key, {}).get(k) != v and k not in CHANGE_NO_WEIGHT]
            if changed:
                what = f"{changed[0]} {old.get(key, {}).get(changed[0])!r}"
                raise InputError(f"{folder} was begun with {what}; --resume needs the same")
    elif path.is_file() and not config.overwrite:
        raise InputError(
            f"run {folder} exists; --resume goes on with it, --overwrite replaces it, or take another name"
        )


class _Preparation:
    """What the runs of one call start from: batches, normalisation, token baselines, and how they are measured."""

    def __init__(
        self,
        config: TrainConfig,
        activations: ActivationSet,
        opened: dict[int, tuple[LayerActivations, Normalization]],
        plans: list[_Plan],
    ) -> None:
        self.config, self.activations = config, activations
        self.device = pick_device(config.device)
        self.layers = {plan.layer: opened[plan.layer][0] for plan in plans}
        self.normalizations = {plan.layer: opened[plan.layer][1] for plan in plans}
        self.batches = ShuffledBatches(
            self.layers,
            activations.songs.spans("train"),
            batch_size=config.batch_size,
            seed=config.seed,
            buffer_tokens=config.buffer_tokens // len(self.layers),
        )
        self.codes = np.array(activations.codes) if config.token_baseline != "none" else None
        self.tables: dict[int, Tensor] = {}

    def run(self, plan: _Plan) -> TrainingRun:
        """One planned run at its start."""
        config = self.config
        return TrainingRun(
            plan.folder,
            _training_args(config, self.activations, self.layers[plan.layer], plan),
            self._trainer(plan),
            self.normalizations[plan.layer],
            partial(self._quality, plan.layer),
            batch_size=self.batches.batch_size,
            log_every=config.log_every,
            checkpoint_every=config.checkpoint_every,
        )

    def _trainer(self, plan: _Plan) -> Trainer:
        config = self.config
        parameters = ARCHITECTURES[config.architecture].initial(
            self.activations.d_model,
            config.d_sae,
            encoder_bias=config.encoder_bias,
            encoder_scale=config.encoder_scale,
            generator=torch.Generator().manual_seed(config.seed),
        )
        baseline = self._baseline(plan.layer)
        if baseline is None:
            # The decoder's bias starts at the mean, and the encoder reads what deviates from it.
            normalization = self.normalizations[plan.layer]
            parameters["b_dec"] = torch.from_numpy((normalization.mean - normalization.shift) * normalization.scale)
            for name in {"b_enc", "b_gate", "b_mag"} & parameters.keys():
                parameters[name] -= parameters["b_dec"] @ parameters["W_enc"]
        prefixes: tuple[int, ...] = ()
        if config.architecture == "matryoshka":
            halvings = [max(1, config.d_sae >> power) for power in (4, 3, 2, 1, 0)]
            prefixes = config.prefixes or tuple(sorted(set(halvings)))
        objective = Objective(
            alpha=plan.alpha,
            k=plan.k,
            by_decoder_norm=config.decoder_norm == "free",
            prefixes=prefixes,
            bandwidth=config.bandwidth,
            dtype=getattr(torch, config.precision),
        )
        hyperparameters = Hyperparameters(
            lr=config.lr,
            n_steps=len(self.batches) * config.epochs,
            lr_warmup=config.lr_warmup,
            lr_decay=config.lr_decay,
            sparsity_warmup=_sparsity_warmup(config),
            decoder_bias=config.decoder_bias,
            clip_norm=config.clip_norm,
            aux_weight=config.aux_weight,
            window_tokens=config.window_tokens,
        )
        on_device = {name: tensor.to(self.device) for name, tensor in parameters.items()}
        return Trainer(config.architecture, on_device, objective, hyperparameters, baseline)

    def _baseline(self, layer: int) -> TokenBaseline | None:
        """The layer's token baseline in normalised space, fitted once for all its runs."""
        if self.codes is None:
            return None
        sizes = self.activations.encoding().n_codes
        if layer not in self.tables:
            spans, normalization = self.activations.songs.spans("train"), self.normalizations[layer]
            batches = sequential_batches(self.layers[layer], spans, MEASURED_TOKENS)
            codes = self.codes
            self.tables[layer] = token_baseline.fit(
                ((codes[first:last], normalization.apply(rows.numpy())) for first, last, rows in batches), sizes
            )
        return TokenBaseline(self.tables[layer].clone(), sizes).to(self.device)

    def _quality(self, layer: int, autoencoder: SparseAutoencoder, split: Any) -> Quality | None:
        spans = self.activations.songs.spans(split)
        rows = labelled_rows(self.layers[layer], self.activations, spans, MEASURED_TOKENS, self.device)
        return quality(rows, autoencoder.to(self.device))


def _prepare(
    config: TrainConfig,
    activations: ActivationSet,
    opened: dict[int, tuple[LayerActivations, Normalization]],
    plans: list[_Plan],
) -> Sweep:
    """All the planned runs at their start."""
    made = _Preparation(config, activations, opened, plans)
    return Sweep([made.run(plan) for plan in plans], made.batches, made.normalizations, made.codes, made.device)


@torch.no_grad()
def _train(config: TrainConfig, sweep: Sweep) -> None:
    """Train every run to its end (or go on), evaluate on held-out songs, save the autoencoders.

    A run that diverges stops where it is; the others go on, and it is told at the end.
    """
    arguments = {run.folder: run.args["arguments"] for run in sweep.runs}
    with tracked(config.tracker, config.series_name, config.experiment_name, arguments):
        with contextlib.ExitStack() as open_logs:
            for run in sweep.runs:
                run.begin(config.resume)
                open_logs.callback(run.close)
            failures = sweep.loop()
        for run in sweep.runs:
            if run.n_done == run.n_steps:
                summary, warning = run.finish()
                print(f"layer {run.layer}: {summary} → {run.folder}")
                if warning:
                    print(f"warning: {run.folder}: {warning}", file=sys.stderr)
    if failures:
        raise InputError("; ".join(failures))


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("train")
