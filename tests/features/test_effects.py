"""Effects, in value, against autograd through the model's own final norm and heads.

A latent's effect is what its decoder row adds to the logits while the norm divides by its typical scale; of a field's
logits only what softmax sees is kept, so they are taken less their mean.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from conftest import make_home
from torch import Tensor

from music_interpret import cli
from music_interpret.runs.run import open_run

LAST = 3
"""The layer whose output the final norm reads."""


def effects_of(run: str) -> np.ndarray:
    """What is tested: effects of a run's latents, (d_sae, codes of all fields)."""
    effects = open_run(run).effects
    assert effects is not None
    return effects.values.astype(np.float32)


class Subject(NamedTuple):
    """A run, and what its effects are computed from."""

    effects: np.ndarray
    decoder: Tensor
    """(d_sae, 64)."""
    model: Any
    """With a norm whose weights are far from 1, some of them below 0."""
    scale: float
    """Root of the mean over songs of the variance of what the final norm reads."""


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """All four golden songs are among those that the norm's scale is taken over."""
    root = make_home(tmp_path_factory.mktemp("effects") / "home")
    randomise_norm(root / "models/sod/ape/checkpoints/best_model.pt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUSIC_INTERPRET_HOME", str(root))
        for words in (
            "extract --layers 1 3 --dtype float32",
            "preprocess --layers 1",
            "train --layers 1 --series_name s --experiment_name e --d_sae 24 --k 4 --batch_size 64 --epochs 2",
        ):
            name, *options = words.split()
            assert cli.run(name, ["sod", "ape", *options], f"music-interpret {name}") == 0
        assert cli.run("index", ["s/e"], "music-interpret index") == 0
        run = open_run("s/e")
        songs, rows = run.activations.songs, run.activations.layer(LAST).read(0, run.activations.n_tokens)
        ends = zip(songs.first_token, songs.first_token + songs.n_tokens, strict=True)
        variances = [rows[start:stop].astype(np.float64).var(axis=1).mean() for start, stop in ends]
        scale = float(np.sqrt(np.mean(variances)))
        return Subject(effects_of("s/e"), run.sae.W_dec.detach(), run.model.module, scale)


def randomise_norm(checkpoint: Path) -> None:
    """Draw the final norm's weights again."""
    state = torch.load(checkpoint, weights_only=True)
    generator = torch.Generator().manual_seed(0)
    state["decoder.net.norm.weight"] = 1.5 * torch.randn(64, generator=generator)
    torch.save(state, checkpoint)


def unembedded(model: Any, x: Tensor, scale: float) -> Tensor:
    """Logits of all fields with the norm's standard deviation held at `scale`, (n, 64) → (n, codes of all fields)."""
    normed = (x - x.mean(dim=-1, keepdim=True)) / scale * model.norm.weight + model.norm.bias
    return torch.cat([head(normed) for head in model.heads], dim=-1)


def test_the_reference_is_the_model_where_the_norm_has_its_typical_scale(subject):
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(1))
    x = 0.3 + x * subject.scale / x.std(dim=-1, correction=0, keepdim=True)
    logits = torch.cat(subject.model.continue_from(LAST, x[None]), dim=-1)[0]
    torch.testing.assert_close(unembedded(subject.model, x, subject.scale), logits, atol=1e-4, rtol=1e-4)


def test_effects_are_autograds_derivatives_of_the_logits(subject):
    assert subject.decoder.mean(dim=1).abs().max() > 0.01  # there is a mean for the norm to take away
    sizes = [head.out_features for head in subject.model.heads]

    def logits(x: Tensor) -> Tensor:
        return unembedded(subject.model, x, subject.scale)

    x = torch.randn(len(subject.decoder), 64, generator=torch.Generator().manual_seed(2))
    _, derivatives = torch.autograd.functional.jvp(logits, x, subject.decoder)
    fields = derivatives.split(sizes, dim=1)
    expected = torch.cat([field - field.mean(dim=1, keepdim=True) for field in fields], dim=1).numpy()
    assert expected.shape == subject.effects.shape and np.abs(expected).max() < 1e3
    np.testing.assert_allclose(subject.effects, expected, atol=2e-3 * np.abs(expected).max(), rtol=2e-3)
