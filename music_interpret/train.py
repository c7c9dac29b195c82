"""Stage: train sparse autoencoders on the activations of one or several sites.

Several values of `--alpha` or `--k`, and several sites, are trained in one pass over the data, each in a run folder
of its own (see `sae/training_run.py` for what that holds).
"""

import contextlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from music_interpret import __version__, files, paths
from music_interpret.activations.site_rows import SiteRows
from music_interpret.activations.store import ActivationSet, open_set
from music_interpret.config import FolderName, NonNegativeInt, as_dict, positional
from music_interpret.errors import InputError
from music_interpret.models.device import DeviceName, pick_device
from music_interpret.models.site import Site, chosen_sites
from music_interpret.sae.architectures import ARCHITECTURES
from music_interpret.sae.options import TrainingOptions
from music_interpret.sae.preparation import Plan, Preparation
from music_interpret.sae.sweep import Sweep
from music_interpret.sae.tracking import TrackerName, tracked

# Values that do not belong to the run: how it is gone about, and what a sweep shares.
NOT_ARGUMENTS = ("resume", "overwrite", "layers", "sites", "tracker")
# Arguments that change no weight, in which a run that is resumed may differ.
CHANGE_NO_WEIGHT = ("log_every", "checkpoint_every")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(TrainingOptions):
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
    device: DeviceName = "auto"
    """Where to train; auto takes a GPU if there is one, cuda:1 the second GPU."""
    tracker: TrackerName = "none"
    """Also send the curves to Weights & Biases or to Trackio, if that is installed."""
    resume: bool = False
    """Go on with an interrupted run, bit for bit."""
    overwrite: bool = False
    """Replace a run that is there."""

    # The pipeline that this project replaces; docs/log.md says what its small encoder does.
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
    plans = _plans(config, opened)
    _check_some_fire(config, activations, plans)
    for plan in plans:
        _check_run_folder(config, plan)
    with contextlib.ExitStack() as held:
        for plan in plans:
            held.enter_context(files.locked(plan.folder, "this run"))
            if config.overwrite:
                files.clear_folder(plan.folder)
        unfinished = [plan for plan in plans if not (config.resume and _is_finished(plan.folder))]
        if unfinished:
            _train(config, Preparation(config, activations, opened, unfinished).sweep(unfinished))
    return [plan.folder for plan in plans]


def _plans(config: TrainConfig, opened: dict[Site, SiteRows]) -> list[Plan]:
    """Every site with every value of alpha and k."""
    plans = []
    for site, rows in opened.items():
        for alpha in config.alphas:
            for k in config.ks:
                name = config.experiment_name
                name += f"-alpha{alpha:g}" if len(config.alphas) > 1 else ""
                name += f"-k{k:g}" if len(config.ks) > 1 else ""
                folder = paths.run_folder(config.series_name, name, site.folder)
                plans.append(Plan(site, alpha, k, folder, _training_args(config, rows, name, alpha, k)))
    return plans


def _check_some_fire(config: TrainConfig, activations: ActivationSet, plans: list[Plan]) -> None:
    """Refuse a k of which nothing is left in a batch (batchtopk, matryoshka)."""
    n_tokens = int(np.diff(activations.songs.spans("train")).sum())
    batch_size = min(config.batch_size, n_tokens)
    for plan in plans if config.architecture in ("batchtopk", "matryoshka") else ():
        if round(plan.k * batch_size) < 1:
            raise InputError(
                f"--k is {plan.k:g}, no latent in a batch of {batch_size:,} tokens; expected {1 / batch_size:g} or more"
            )


def _is_finished(folder: Path) -> bool:
    if finished := (folder / "sae" / "cfg.json").is_file():
        print(f"run {folder} is finished")
    return finished


def _training_args(config: TrainConfig, rows: SiteRows, name: str, alpha: float, k: float) -> dict[str, Any]:
    """What a run writes down of itself: arguments, data and version."""
    knobs = ARCHITECTURES[config.architecture].knobs
    own = replace(config, experiment_name=name)
    arguments = {key: value for key, value in as_dict(own).items() if key not in NOT_ARGUMENTS}
    arguments |= {"alpha": alpha if "alpha" in knobs else None, "k": k if "k" in knobs else None}
    site = rows.site.site
    return {
        "music_interpret": __version__,
        "arguments": arguments | {"layer": site.layer, "site": site.name},
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


def _check_run_folder(config: TrainConfig, plan: Plan) -> None:
    """Refuse to write over a run; on resuming, refuse other activations or arguments that give other weights."""
    folder, args = plan.folder, plan.args
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


@torch.no_grad()
def _train(config: TrainConfig, sweep: Sweep) -> None:
    """Train every run to its end (or go on), evaluate on held-out songs, save the autoencoders.

    A run that diverges stops where it is; the others go on, and it is reported at the end.
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
