"""Stage: how good a trained autoencoder is, what it costs its model, and what is reached without it.

`evaluation.json` holds all that was measured; `compare` reads it. Definitions stand in `sae/metrics.py`,
`interventions/loss_recovered.py`, `sae/controls.py` and `sae/matching.py`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from music_interpret import __version__, files
from music_interpret.config import CheckedConfig, PositiveInt, positional
from music_interpret.errors import InputError
from music_interpret.features.evaluation import write_evaluation
from music_interpret.interventions.loss_recovered import (
    CLEAN,
    MEAN_ABLATION,
    TOTAL,
    ZERO_ABLATION,
    PatchedLosses,
    patched_losses,
    recovered,
)
from music_interpret.models.device import DeviceName
from music_interpret.music.dataset import Split
from music_interpret.reinitialised import train_reinitialised
from music_interpret.runs.run import Run, open_run
from music_interpret.sae import controls
from music_interpret.sae.matching import Likeness, likeness, unit_rows
from music_interpret.sae.metrics import Dictionary, Quality, mean_pairwise_cosine, nearest_cosines, quality_and_firing

COSINE_EDGES = np.linspace(-1, 1, 41).round(2)
COSINE_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SAE, BASELINE, REINITIALISED = "sae", "token_baseline", "reinitialised"
LABELS = {
    CLEAN: "the model itself",
    SAE: "this autoencoder",
    BASELINE: "token baseline alone",
    "pca": "PCA",
    "random": "random directions",
    "untrained": "untrained autoencoder",
    REINITIALISED: "re-initialised model",
    MEAN_ABLATION: "mean ablation",
    ZERO_ABLATION: "zero ablation",
}


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(CheckedConfig):
    """Measure a trained run on one split, compared with controls of as many coefficients per token."""

    run: str = positional()
    """Run folder `reports/<series>/<experiment>/layer_007`; `reports/` and an only layer may be left out."""
    split: Split = "test"
    """Songs to measure on."""
    controls: bool = True
    """Whether PCA, random directions and the untrained autoencoder are measured too."""
    reinitialised: bool = False
    """Also train the same autoencoder on the model with re-initialised weights, and measure it; what of it is there
    already is kept.
    """
    against: str | None = None
    """Another run, to whose decoder directions this one's are compared: of another seed, or another layer."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """dtype of the model's matrix products."""
    batch_tokens: PositiveInt = 4096
    """Tokens that go through the model at a time, padding included."""
    device: DeviceName = "auto"
    """Where to measure; auto takes a GPU if there is one, cuda:1 the second GPU."""


class Row(NamedTuple):
    """What was measured of one thing that can be put in the activations' place."""

    quality: Quality | None
    """How well it gives back the site's activations; None for the activations themselves."""
    losses: PatchedLosses
    """What it costs the model."""


def evaluate(config: EvaluateConfig) -> Path:
    """Run the stage and return the path of `evaluation.json`.

    Raises:
        InputError: no such run, an unfinished one, activations or a model that are not those it was trained on, a
            split without songs, or runs of different width.
    """
    subject = open_run(config.run, config.device)
    if not len(subject.rows.activations.songs.spans(config.split)):
        raise InputError(f"{subject.activations.folder} has no {config.split} songs; expected a split that has some")
    other = open_run(config.against, config.device) if config.against else None
    if other and other.sae.d_in != subject.sae.d_in:
        widths = f"{subject.sae.d_in} and {other.sae.d_in}"
        raise InputError(f"the runs' activations are {widths} wide; expected two runs of the same width")
    with files.locked(subject.folder, "this run"):
        rows, living = measure(subject, config, with_controls=config.controls)
        if config.reinitialised:
            rows = _with_reinitialised(rows, subject, config)
        stability = _stability(subject, other, living, config.split) if other else None
        path = write_evaluation(subject.folder, _result(subject, config, rows, stability))
    print(table(subject, config.split, rows))
    if stability:
        print(_stability_line(stability))
    print(f"evaluation → {path}")
    return path


@torch.no_grad()
def measure(subject: Run, config: EvaluateConfig, *, with_controls: bool) -> tuple[dict[str, Row], torch.Tensor]:
    """Rows of the table by name, and which latents fire on some token of the split, bool (d_sae,)."""
    spans = subject.activations.songs.spans(config.split)
    measured = quality_and_firing(subject.rows.rows(spans), subject.sae)
    assert measured is not None
    qualities: dict[str, Quality | None] = {CLEAN: None, SAE: measured[0]}
    others = _others(subject, measured[0].l0 if with_controls else None)
    mean = subject.rows.mean
    ablations = {MEAN_ABLATION: mean, ZERO_ABLATION: torch.zeros_like(mean)}
    constants = {name: controls.NoLatents(_constant(value)) for name, value in ablations.items()}
    for name, dictionary in (others | constants).items():
        found = quality_and_firing(subject.rows.rows(spans), dictionary)
        qualities[name] = found[0] if found else None
    losses = patched_losses(
        subject.load_model(config.precision),
        subject.site,
        subject.rows.songs(config.split, config.batch_tokens),
        mean,
        {SAE: subject.sae, **others},
    )
    return {name: Row(qualities[name], losses[name]) for name in losses}, measured[1].counts > 0


def _constant(value: torch.Tensor) -> Callable[[int, Any], torch.Tensor]:
    return lambda n, _tokens: value.expand(n, -1)


def _others(subject: Run, l0: float | None) -> dict[str, Dictionary]:
    """What is measured alongside the autoencoder: its token baseline, and controls if they have an L0 to match."""
    autoencoder, baseline, rows = subject.sae, subject.sae.baseline, subject.rows
    found: dict[str, Dictionary] = {}
    if baseline is not None:
        found[BASELINE] = controls.NoLatents(lambda _n, tokens: baseline(tokens))
    if l0 is not None:
        seed, mean, d_sae = subject.settings.seed, rows.mean, autoencoder.d_sae
        k = controls.coefficients_for(l0, d_sae)
        found["pca"] = controls.pca(rows.fitting_rows(), mean, k)
        found["random"] = controls.random_directions(mean, k, seed)
        found["untrained"] = controls.untrained(rows.fitting_rows(), mean, rows.scale, d_sae, k, seed)
    return found


def _with_reinitialised(rows: dict[str, Row], subject: Run, config: EvaluateConfig) -> dict[str, Row]:
    """The rows with that of the autoencoder trained on the re-initialised model, measured on that model."""
    measured, _ = measure(train_reinitialised(subject, config.device), config, with_controls=False)
    return rows | {REINITIALISED: measured[SAE]}


class Stability(NamedTuple):
    """How alike this run's directions are to another's."""

    run: str
    """The other run."""
    sae_sha256: str
    """Identity of its autoencoder."""
    all_latents: Likeness
    """Of all latents."""
    living: Likeness
    """Of the latents that fire on some token of the split, each run on its own activations."""
    random: Likeness
    """Of as many random directions as there are live latents: what chance gives."""


def _stability(subject: Run, other: Run, living: torch.Tensor, split: Split) -> Stability:
    measured = quality_and_firing(other.rows.rows(other.activations.songs.spans(split)), other.sae)
    if measured is None:
        raise InputError(f"{other.activations.folder} has no {split} songs; expected a split that has some")
    first, second = subject.sae.W_dec, other.sae.W_dec
    first_living, second_living = first[living].cpu(), second[measured[1].counts > 0].cpu()
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(living.shape, generator=generator) for living in (first_living, second_living)]
    return Stability(
        str(other.folder),
        other.sae_sha256,
        likeness(first.cpu(), second.cpu()),
        likeness(first_living, second_living),
        likeness(*drawn),
    )


def _result(
    subject: Run, config: EvaluateConfig, rows: Mapping[str, Row], stability: Stability | None
) -> dict[str, Any]:
    """The content of `evaluation.json`."""
    settings, songs = subject.settings, subject.activations.songs
    result = {
        "music_interpret": __version__,
        "torch": torch.__version__,
        "device": subject.device.type,
        "precision": config.precision,
        "split": config.split,
        "n_songs": int((songs.splits == config.split).sum()),
        "sae_sha256": subject.sae_sha256,
        "activations": settings.made_from,
        "dataset_name": settings.dataset_name,
        "data_repr": settings.data_repr,
        "layer": subject.site.layer,
        "site": subject.site.name,
        "architecture": settings.architecture,
        "token_baseline": subject.sae.baseline is not None,
        "d_sae": subject.sae.d_sae,
        "rows": rows,
        "decoder_cosines": _decoder_cosines(subject.sae.W_dec),
        "against": stability,
    }
    if subject.sae.baseline is not None:
        by_name = [rows[name].losses.loss for name in (SAE, CLEAN, BASELINE)]
        result["recovered_baseline"] = recovered(*by_name)
    return result


def _decoder_cosines(directions: torch.Tensor) -> dict[str, Any]:
    """How the cosine of each latent's direction to the most similar other one is distributed."""
    rows = unit_rows(directions)
    nearest = nearest_cosines(rows).cpu().numpy()
    return {
        "mean_pairwise": mean_pairwise_cosine(rows),
        "mean_nearest": float(nearest.mean()),
        "nearest_quantiles": {str(q): float(np.quantile(nearest, q)) for q in COSINE_QUANTILES},
        "edges": COSINE_EDGES.tolist(),
        "nearest_histogram": np.histogram(nearest.clip(-1, 1), COSINE_EDGES)[0].tolist(),
    }


def table(subject: Run, split: str, rows: Mapping[str, Row]) -> str:
    """The rows as text, nats and recovery against mean ablation first."""
    settings, quality = subject.settings, rows[SAE].quality
    assert quality is not None
    lines = [
        f"{subject.folder}: {subject.site.title} of {settings.dataset_name} {settings.data_repr}, "
        f"{subject.sae.d_sae:,} latents; {quality.n_tokens:,} tokens of {split} songs",
        f"{'':23}     L0     FVU  nats/token  over clean  vs mean  vs zero      KL    dead",
    ]
    for name in LABELS:
        if name in rows:
            lines.append(_line(name, rows[name]))
    lines.append("vs mean, vs zero: fraction recovered of what mean and zero ablation cost; KL in nats per token")
    if quality.remainder_fvu is not None:
        share = recovered(*(rows[name].losses.loss for name in (SAE, CLEAN, BASELINE)))[TOTAL]
        left = "nothing" if share is None else f"{share:.1%}"
        lines.append(
            f"of what the token baseline leaves: FVU {quality.remainder_fvu:.3f}, {left} of the loss recovered"
        )
    return "\n".join(lines)


def _line(name: str, row: Row) -> str:
    quality, losses = row
    # A model that predicts nothing loses nothing by an ablation: its fractions are noise.
    shares = (None, None) if name == REINITIALISED else (losses.recovered_mean[TOTAL], losses.recovered_zero[TOTAL])
    cells = [
        "–" if quality is None else f"{quality.l0:.1f}",
        "–" if quality is None else f"{quality.fvu:.3f}",
        f"{losses.loss[TOTAL]:.3f}",
        f"{losses.over_clean[TOTAL]:+.3f}",
        *("–" if share is None else f"{share:.1%}" for share in shares),
        f"{losses.kl[TOTAL]:.3f}",
        "–" if quality is None or math.isnan(quality.dead) else f"{quality.dead:.1%}",
    ]
    widths = (7, 8, 12, 12, 9, 9, 8, 8)
    return f"{LABELS[name]:<23}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _stability_line(stability: Stability) -> str:
    parts = (("all latents", stability.all_latents), ("live latents", stability.living), ("random", stability.random))
    figures = "; ".join(f"{name} {it.mmcs:.3f} / {it.mmcs_back:.3f} / {it.mcc:.3f}" for name, it in parts)
    return f"against {stability.run} (mean maximum cosine, the same back, MCC): {figures}"


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("evaluate")
