"""What a training run saves does on raw activations what its trainer does on normalised ones."""

import numpy as np
import pytest
import sae_cases
import torch

from music_interpret.activations.normalization import Normalization
from music_interpret.models.site import Site
from music_interpret.sae.architectures import ARCHITECTURES
from music_interpret.sae.token_baseline import TokenBaseline
from music_interpret.sae.training import Trainer
from music_interpret.sae.training_run import TrainingRun

D_IN, D_SAE, SIZES = 12, 40, (3, 5)
ARGS = {"arguments": {"layer": 3}, "activations": {"model_sha256": "m", "codes_sha256": "c"}}


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize(
    ("name", "free"), [("relu", False), ("relu", True), ("gated", False), ("topk", False), ("jumprelu", False)]
)
def test_the_saved_autoencoder_reconstructs_as_the_trainer_does(tmp_path, name, free, baseline):
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    x = torch.randn(300, D_IN, generator=generator)
    codes = torch.stack([torch.randint(size, (300,), generator=generator) for size in SIZES], dim=1)
    table = TokenBaseline(torch.randn(sum(SIZES), D_IN, generator=generator), SIZES) if baseline else None
    start = ARCHITECTURES[name].initial(D_IN, D_SAE, encoder_bias=-0.5, encoder_scale=1.0, generator=generator)
    objective = sae_cases.objective(alpha=1e-2, k=6, by_decoder_norm=free)
    trainer = Trainer(name, start, objective, sae_cases.hyperparameters(lr=1e-2, n_steps=20), table)
    for _ in range(20):
        trainer.step(x, codes)
    left = x if table is None else x - table(codes)
    normalised = x + trainer.architecture.step(trainer.parameters, left, objective).error

    mean, std = rng.normal(0, 5, D_IN).astype(np.float32), rng.lognormal(0, 1, D_IN).astype(np.float32)
    normalization = Normalization("zscore", mean, 1 / std, mean)
    run = TrainingRun(
        tmp_path,
        ARGS,
        trainer,
        Site.of_layer(3),
        normalization,
        lambda *_: None,
        batch_size=300,
        log_every=1,
        checkpoint_every=1,
    )
    raw, expected = (rows * torch.from_numpy(std) + torch.from_numpy(mean) for rows in (x, normalised))
    found = run.autoencoder()(raw, codes)
    off = ((found - expected) / torch.from_numpy(std)).abs().amax(dim=1)
    assert (off < 1e-3).float().mean() > 0.98  # a latent may lie within rounding of where it fires
