"""Stage: train sparse autoencoders on the activations of one or several sites.

Several values of `--alpha` or `--k`, and several sites, are trained in one pass over the data, each in a run folder
of its own (see `sae/training_run.py` for what that holds).
"""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from music_interpret import __version__, files, paths
from music_interpret.activations.batches import ShuffledBatches
from music_interpret.activations.site_rows import SiteRows
from music_interpret.activations.store import ActivationSet, open_set
from music_interpret.config import (
    CheckedConfig,
    FolderName,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Seed,
    as_dict,
    positional,
    within,
)
from music_interpret.errors import InputError
from music_interpret.models.device import DeviceName, pick_device
from music_interpret.models.site import Site, chosen_sites
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
NOT_ARGUMENTS = ("resume", "overwrite", "layers", "sites", "tracker")
# Arguments that change no weight, in which a run that is resumed may differ.
CHANGE_NO_WEIGHT = ("log_every", "checkpoint_every")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(CheckedConfig):
    """Train sparse autoencoders on the activations of one or several sites."""

    dataset_name: FolderName = positional()
    """Folder of the data set under data/base/ (with or without _notes)."""
    data_repr: FolderName = positional()
    """Folder of the model under `models/<dataset_name>/`."""
    series_name: FolderName
    """First folder of the run under reports/: a series of experiments."""
    experiment_name: FolderName
    """Second folder of the run: one experiment. Several values of alpha or k are put behind it: name-k16, name-k32."""
    layers: tuple[NonNegativeInt, ...] | None = None
    """Layers to train on, one autoencoder each; they must have been extracted and preprocessed."""
    sites: tuple[str, ...] | None = None
    """Sites by name, such as mlp_out.2, alongside or in place of --layers."""
    architecture: ArchitectureName = "topk"
    """relu and gated are made sparse by a penalty (alpha), the others by how many latents may fire (k): topk on each
    token, batchtopk and matryoshka on average, jumprelu on average by a penalty.
    """
    token_baseline: Literal["none", "additive"] = "additive"
    """additive: subtract what a token's own fields say (one trained vector for each value), so that latents are left to
    say what the model made of the context.
    """
    d_sae: Annotated[int, within(1, 2**24)] = 2048
    """Number of latents."""
    k: tuple[PositiveFloat, ...] | None = None
    """Latents that fire on a token (topk, batchtopk, matryoshka), or the number aimed at (jumprelu): 32 if not given.
    Several values train several autoencoders.
    """
    alpha: tuple[NonNegativeFloat, ...] | None = None
    """Weight of the sparsity penalty against the squared error (averaged over dimensions): 0.01 for relu and gated, 1
    for jumprelu if not given. Several values train several autoencoders.
    """
    decoder_norm: Literal["unit", "free"] = "unit"
    """relu only: unit keeps decoder rows at norm 1; free leaves them, and weighs the penalty by them."""
    prefixes: tuple[PositiveInt, ...] | None = None
    """matryoshka only: numbers of latents that reconstruct on their own; 1/16, 1/8, 1/4, 1/2 and all if not given."""
    bandwidth: PositiveFloat = 0.5
    """jumprelu only: width of the window around a threshold from which its gradient comes."""
    lr: PositiveFloat = 3e-3
    """Learning rate of Adam after warm-up."""
    batch_size: PositiveInt = 1024
    """Tokens an optimiser step."""
    epochs: PositiveInt = 8
    """Passes over the train songs."""
    lr_warmup: Fraction = 0.05
    """Share of the steps over which the learning rate rises from 0."""
    lr_decay: Fraction = 0.2
    """Share of the steps over which the learning rate falls to 0 at the end."""
    sparsity_warmup: Fraction | None = None
    """Share of the steps over which the penalty rises from 0, or k falls from four times its value: 0.1 for relu and
    gated, 0.3 for jumprelu, 0 for the others if not given.
    """
    clip_norm: NonNegativeFloat = 0.0
    """Largest norm of a step's gradients together; 0 leaves them as they are."""
    aux_weight: NonNegativeFloat = 0.03125
    """Weight of the loss through which dead latents learn what the others leave over (AuxK); 0 leaves them dead."""
    encoder_bias: float = -1.0
    """Initial encoder bias of relu and gated (jumprelu: threshold) in normalised space: how many standard deviations a
    latent ignores at first.
    """
    encoder_scale: PositiveFloat = 1.0
    """Initial encoder, as a multiple of the transposed decoder."""
    decoder_bias: bool = True
    """Whether the decoder bias is trained; without it stays at the mean of the activations."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """dtype of the dense matrix products; parameters and sums stay float32."""
    seed: Seed = 0
    """Fixes the initial weights and the order of the tokens."""
    buffer_tokens: PositiveInt = 4_194_304
    """Tokens held in memory for shuffling, over all sites; a larger set is shuffled in buffers of this size."""
    window_tokens: PositiveInt = 50_000
    """Tokens without firing after which a latent counts as dead; overactive ones are counted over as many."""
    log_every: PositiveInt = 50
    """Steps between logged losses."""
    checkpoint_every: PositiveInt = 1000
    """Steps between checkpoints."""
    device: DeviceName = "auto"
    """Where to train; auto takes a GPU if there is one, cuda:1 the second GPU."""
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
        super().__post_init__()
        if self.resume and self.overwrite:
            raise InputError("--resume and --overwrite exclude each other")
        chosen_sites(self.layers, self.sites)
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
            named = [f"{value:g}" for value in values]  # as the runs' folders are
            if len(set(named)) < len(named):
                raise InputError(f"--{knob} names a value twice: {' '.join(named)}")
        for k in self.k or ():
            if k > self.d_sae:
                raise InputError(f"--k is {k:g}; expected at most d_sae, {self.d_sae}")
            if self.architecture == "topk" and k != round(k):
                raise InputError(f"--k is {k:g}; expected a whole number for topk")
        if self.decoder_norm == "free" and self.architecture != "relu":
            raise InputError(f"--decoder_norm free has no meaning for {self.architecture}; expected relu")
        if self.prefixes is not None:
            if self.architecture != "matryoshka":
                raise InputError(f"--prefixes has no meaning for {self.architecture}; expected matryoshka")
            if sorted(set(self.prefixes)) != list(self.prefixes):
                raise InputError(f"--prefixes is {self.prefixes}; expected rising numbers")
            if self.prefixes[-1] != self.d_sae:
                raise InputError(f"--prefixes ends with {self.prefixes[-1]}; expected d_sae, {self.d_sae}")


class _Plan(NamedTuple):
    """One autoencoder of a sweep: its site, its sparsity and its folder."""

    site: Site
    alpha: float
    k: float
    folder: Path


def train(config: TrainConfig) -> list[Path]:
    """Run the stage and return the run folders, site by site.

    Raises:
        InputError: something before this stage is missing or does not fit, a run folder exists, or a loss diverged.
    """
    activations = open_set(
        paths.activations_folder(config.dataset_name, config.data_repr), config.dataset_name, config.data_repr
    )
    device = pick_device(config.device)
    sites = chosen_sites(config.layers, config.sites)
    opened = {site: SiteRows.open(activations, site, device) for site in sites}
    plans = _plans(config, sites)
    _check_some_fire(config, activations, plans)
    for plan in plans:
        _check_run_folder(config, plan.folder, _training_args(config, opened[plan.site], plan))
    with contextlib.ExitStack() as held:
        for plan in plans:
            held.enter_context(files.locked(plan.folder, "this run"))
            if config.overwrite:
                files.clear_folder(plan.folder)
        unfinished = [plan for plan in plans if not (config.resume and _is_finished(plan.folder))]
        if unfinished:
            _train(config, _Preparation(config, activations, opened, unfinished).sweep(unfinished))
    return [plan.folder for plan in plans]


def _plans(config: TrainConfig, sites: Sequence[Site]) -> list[_Plan]:
    """Every site with every value of alpha and k."""
    knobs = ARCHITECTURES[config.architecture].knobs
    alphas = config.alpha or (ALPHAS.get(config.architecture, 0.0),)
    ks = config.k or ((float(min(32, config.d_sae)),) if "k" in knobs else (0.0,))
    plans = []
    for site in sites:
        for alpha in alphas:
            for k in ks:
                name = config.experiment_name
                name += f"-alpha{alpha:g}" if len(alphas) > 1 else ""
                name += f"-k{k:g}" if len(ks) > 1 else ""
                plans.append(_Plan(site, alpha, k, paths.run_folder(config.series_name, name, site.folder)))
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


def _training_args(config: TrainConfig, rows: SiteRows, plan: _Plan) -> dict[str, Any]:
    """What a run writes down of itself: arguments, data and version."""
    knobs = ARCHITECTURES[config.architecture].knobs
    own = replace(config, experiment_name=plan.folder.parent.name)
    arguments = {k: v for k, v in as_dict(own).items() if k not in NOT_ARGUMENTS}
    arguments |= {"alpha": plan.alpha if "alpha" in knobs else None, "k": plan.k if "k" in knobs else None}
    return {
        "music_interpret": __version__,
        "arguments": arguments | {"layer": plan.site.layer, "site": plan.site.name},
        "activations": rows.made_from,
        "activations_folder": rows.activations.folder.name,
    }


def config_of(arguments: dict[str, Any], **changes: Any) -> TrainConfig:
    """The config that trains a run again, from the arguments in its `training_args.json`, with changes.

    Raises:
        InputError: the run was trained by another version, with other arguments.
    """
    arguments = dict(arguments)
    try:
        layer, site = arguments.pop("layer"), arguments.pop("site", None)
        arguments |= {"sites": (site,)} if layer is None else {"layers": (layer,)}
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
        self, config: TrainConfig, activations: ActivationSet, opened: dict[Site, SiteRows], plans: list[_Plan]
    ) -> None:
        self.config, self.activations = config, activations
        self.sites = {plan.site: opened[plan.site] for plan in plans}
        self.batches = ShuffledBatches(
            {site: rows.site for site, rows in self.sites.items()},
            activations.songs.spans("train"),
            batch_size=config.batch_size,
            seed=config.seed,
            buffer_tokens=config.buffer_tokens // len(self.sites),
        )
        self.tokens = np.array(activations.tokens) if config.token_baseline != "none" else None
        self.tables: dict[Site, Tensor] = {}

    def sweep(self, plans: list[_Plan]) -> Sweep:
        """All the planned runs at their start."""
        normalizations = {site: rows.normalization for site, rows in self.sites.items()}
        device = next(iter(self.sites.values())).device
        return Sweep([self.run(plan) for plan in plans], self.batches, normalizations, self.tokens, device)

    def run(self, plan: _Plan) -> TrainingRun:
        """One planned run at its start."""
        config, rows = self.config, self.sites[plan.site]
        return TrainingRun(
            plan.folder,
            _training_args(config, rows, plan),
            self._trainer(plan),
            plan.site,
            rows.normalization,
            partial(self._quality, rows),
            batch_size=self.batches.batch_size,
            log_every=config.log_every,
            checkpoint_every=config.checkpoint_every,
        )

    def _trainer(self, plan: _Plan) -> Trainer:
        config, rows = self.config, self.sites[plan.site]
        parameters = ARCHITECTURES[config.architecture].initial(
            rows.site.width,
            config.d_sae,
            encoder_bias=config.encoder_bias,
            encoder_scale=config.encoder_scale,
            generator=torch.Generator().manual_seed(config.seed),
        )
        baseline = self._baseline(rows)
        if baseline is None:
            # The decoder's bias starts at the mean, and the encoder reads what deviates from it.
            normalization = rows.normalization
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
        on_device = {name: tensor.to(rows.device) for name, tensor in parameters.items()}
        return Trainer(config.architecture, on_device, objective, hyperparameters, baseline)

    def _baseline(self, rows: SiteRows) -> TokenBaseline | None:
        """The site's token baseline in normalised space, fitted once for all its runs."""
        if self.tokens is None:
            return None
        scheme, site = self.activations.scheme, rows.site.site
        if site not in self.tables:
            batches = rows.normalized(self.activations.songs.spans("train"), MEASURED_TOKENS)
            self.tables[site] = token_baseline.fit(batches, scheme.sizes)
        return TokenBaseline(self.tables[site].clone(), scheme.sizes, scheme.field_names).to(rows.device)

    def _quality(self, rows: SiteRows, autoencoder: SparseAutoencoder, split: Any) -> Quality | None:
        spans = self.activations.songs.spans(split)
        return quality(rows.rows(spans, MEASURED_TOKENS), autoencoder.to(rows.device))


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
                print(f"{run.site.title}: {summary} → {run.folder}")
                if warning:
                    print(f"warning: {run.folder}: {warning}", file=sys.stderr)
    if failures:
        raise InputError("; ".join(failures))


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("train")
