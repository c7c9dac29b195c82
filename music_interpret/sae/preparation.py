"""What the training runs of one call start from: batches, normalisation, token baselines, first parameters."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from music_interpret.activations.batches import ShuffledBatches
from music_interpret.activations.site_rows import SiteRows
from music_interpret.activations.store import ActivationSet
from music_interpret.models.site import Site
from music_interpret.sae import token_baseline
from music_interpret.sae.architectures import ARCHITECTURES
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.metrics import Quality, quality
from music_interpret.sae.objective import Objective
from music_interpret.sae.options import TrainingOptions
from music_interpret.sae.parameters import Parameters
from music_interpret.sae.sweep import Sweep
from music_interpret.sae.token_baseline import TokenBaseline
from music_interpret.sae.training import Hyperparameters, Trainer
from music_interpret.sae.training_run import TrainingRun

MEASURED_TOKENS = 8192


class Plan(NamedTuple):
    """One autoencoder of a sweep, before it is trained."""

    site: Site
    alpha: float
    k: float
    folder: Path
    args: dict[str, Any]
    """Content of its `training_args.json`."""


def initial_parameters(options: TrainingOptions, d_in: int) -> Parameters:
    """Parameters before the first step, for activations of d_in dimensions, on the CPU."""
    return ARCHITECTURES[options.architecture].initial(
        d_in,
        options.d_sae,
        encoder_bias=options.encoder_bias,
        encoder_scale=options.encoder_scale,
        generator=torch.Generator().manual_seed(options.seed),
    )


def new_trainer(
    options: TrainingOptions,
    parameters: Parameters,
    alpha: float,
    k: float,
    n_steps: int,
    device: torch.device,
    baseline: TokenBaseline | None = None,
) -> Trainer:
    """A trainer at its start.

    Args:
        options: how it trains; several values of alpha and k are not looked at.
        parameters: what it starts from.
        alpha: its one weight of the penalty.
        k: its one number of firing latents.
        n_steps: steps it takes in all.
        device: where its parameters are put.
        baseline: a token baseline on that device.
    """
    objective = Objective(
        alpha=alpha,
        k=k,
        by_decoder_norm=options.decoder_norm == "free",
        prefixes=options.nested,
        bandwidth=options.bandwidth,
        dtype=getattr(torch, options.precision),
    )
    hyperparameters = Hyperparameters(
        lr=options.lr,
        n_steps=n_steps,
        lr_warmup=options.lr_warmup,
        lr_decay=options.lr_decay,
        sparsity_warmup=options.sparsity_warmup_fraction,
        decoder_bias=options.decoder_bias,
        clip_norm=options.clip_norm,
        aux_weight=options.aux_weight,
        window_tokens=options.window_tokens,
    )
    on_device = {name: tensor.to(device) for name, tensor in parameters.items()}
    return Trainer(options.architecture, on_device, objective, hyperparameters, baseline)


class Preparation:
    """What the runs of one call start from: batches, normalisation, token baselines, and how they are measured."""

    def __init__(
        self, options: TrainingOptions, activations: ActivationSet, opened: dict[Site, SiteRows], plans: list[Plan]
    ) -> None:
        self.options, self.activations = options, activations
        self.sites = {plan.site: opened[plan.site] for plan in plans}
        self.batches = ShuffledBatches(
            {site: rows.site for site, rows in self.sites.items()},
            activations.songs.spans("train"),
            batch_size=options.batch_size,
            seed=options.seed,
            buffer_tokens=options.buffer_tokens // len(self.sites),
        )
        self.tokens = np.array(activations.tokens) if options.token_baseline != "none" else None
        self.tables: dict[Site, Tensor] = {}

    def sweep(self, plans: list[Plan]) -> Sweep:
        """All the planned runs at their start."""
        normalizations = {site: rows.normalization for site, rows in self.sites.items()}
        device = next(iter(self.sites.values())).device
        return Sweep([self.run(plan) for plan in plans], self.batches, normalizations, self.tokens, device)

    def run(self, plan: Plan) -> TrainingRun:
        """One planned run at its start."""
        options, rows = self.options, self.sites[plan.site]
        return TrainingRun(
            plan.folder,
            plan.args,
            self._trainer(plan),
            plan.site,
            rows.normalization,
            partial(self._quality, rows),
            batch_size=self.batches.batch_size,
            log_every=options.log_every,
            checkpoint_every=options.checkpoint_every,
        )

    def _trainer(self, plan: Plan) -> Trainer:
        options, rows = self.options, self.sites[plan.site]
        parameters = initial_parameters(options, rows.site.width)
        baseline = self._baseline(rows)
        if baseline is None:
            # The decoder's bias starts at the mean, and the encoder reads what deviates from it.
            normalization = rows.normalization
            parameters["b_dec"] = torch.from_numpy((normalization.mean - normalization.shift) * normalization.scale)
            for name in {"b_enc", "b_gate", "b_mag"} & parameters.keys():
                parameters[name] -= parameters["b_dec"] @ parameters["W_enc"]
        n_steps = len(self.batches) * options.epochs
        return new_trainer(options, parameters, plan.alpha, plan.k, n_steps, rows.device, baseline)

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
