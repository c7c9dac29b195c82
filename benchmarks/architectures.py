"""Every architecture on layers 3, 5 and 7 at L0 of about 16, 32 and 64; TopK and BatchTopK with a token baseline too.

Trains with the stage's defaults (and `--d_sae`) on the demo's train songs and evaluates on its test songs, which
neither the model nor the autoencoders saw. Runs are stored below `<home>/reports/architectures/` and are kept: a second
call trains only what is missing. relu and gated have no k; their penalties were chosen for the L0 aimed at (`ALPHAS`).

    python3 benchmarks/architectures.py [--home FOLDER] [--layers 3 5 7] [--quick]
"""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from _measuring import ROOT, prepare, print_table, quiet, run_benchmark, train_config

from music_interpret import paths
from music_interpret.compare import CompareConfig, compare
from music_interpret.config import CheckedConfig, NonNegativeInt, PositiveInt
from music_interpret.evaluate import EvaluateConfig, evaluate
from music_interpret.models.site import Site
from music_interpret.runs.run import Run
from music_interpret.sae.architectures import ARCHITECTURES, ArchitectureName
from music_interpret.train import train

SERIES = "architectures"
TARGETS = (16.0, 32.0, 64.0)
# (architecture, context) → penalties that lead to about these L0 at layer 5.
ALPHAS: dict[tuple[str, str], tuple[float, ...]] = {
    ("relu", "none"): (0.0215, 0.0115, 0.006),
    ("relu", "additive"): (0.011, 0.006, 0.003),
    ("gated", "none"): (0.0225, 0.0128, 0.0072),
    ("gated", "additive"): (0.0145, 0.0092, 0.0055),
}


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Compare the architectures on held-out songs."""

    home: str = str(ROOT / "data" / "benchmarks")
    """Where the demo's data is stored, or made, and where the runs are kept."""
    layers: tuple[NonNegativeInt, ...] = (3, 5, 7)
    """Layers of the base model."""
    architectures: tuple[ArchitectureName, ...] = tuple(ARCHITECTURES)
    """Architectures to compare."""
    with_baseline: tuple[ArchitectureName, ...] = ("topk", "batchtopk")
    """Of these, the architectures that are trained with a token baseline too."""
    d_sae: PositiveInt = 2048
    """Number of latents."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """dtype of the dense products while training; evaluation is in float32."""
    quick: bool = False
    """One layer, two architectures, one epoch, nothing kept in results/; for tests."""


def run_all(config: Config, architecture: ArchitectureName, context: str) -> list[Run]:
    """Train one architecture at three sparsities on all layers, in one pass, unless that was done."""
    knob = ARCHITECTURES[architecture].knobs[0]
    values = TARGETS if knob == "k" else ALPHAS[architecture, context]
    name = architecture + ("" if context == "none" else "-context") + ("-quick" if config.quick else "")
    settings = {
        "series_name": SERIES,
        "experiment_name": name,
        "layers": config.layers,
        "architecture": architecture,
        "token_baseline": context,
        "d_sae": config.d_sae,
        "precision": config.precision,
        knob: values,
    } | ({"epochs": 1} if config.quick else {})
    folders = [
        paths.run_folder(SERIES, f"{name}-{knob}{value:g}", Site.of_layer(layer).folder)
        for layer in config.layers
        for value in values
    ]
    with quiet():
        if not all((folder / "sae" / "cfg.json").is_file() for folder in folders):
            train(train_config(**settings, overwrite=True))
        for folder in folders:
            if not (folder / "evaluation.json").is_file():
                # Controls depend on the layer and on L0 alone: once is enough.
                evaluate(EvaluateConfig(run=str(folder), controls=(architecture, context) == ("topk", "none")))
    return [Run(folder) for folder in folders]


def row_of(run: Run) -> dict[str, Any]:
    """What the table shows of a run."""
    settings, sae = run.settings, run.evaluation["rows"]["sae"]
    return {
        "layer": run.site.layer,
        "architecture": settings.architecture,
        "token_baseline": settings.token_baseline,
        "alpha": settings.arguments["alpha"],
        "k": settings.arguments["k"],
        "l0": round(sae["quality"]["l0"], 2),
        "fvu": round(sae["quality"]["fvu"], 4),
        "over_clean": round(sae["losses"]["over_clean"]["total"], 4),
        "recovered_mean": round(sae["losses"]["recovered_mean"]["total"], 4),
        "kl": round(sae["losses"]["kl"]["total"], 4),
        "dead_test": round(sae["quality"]["dead"], 4),
        "dead_in_training": last_dead(run.folder),
    }


def last_dead(folder: Path) -> float | None:
    """Fraction of latents that had not fired for the last window of train tokens at the end of training."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads(lines[-1]).get("sparsity/dead")


def controls_of(run: Run) -> dict[str, Any]:
    """The other rows of an evaluation: what is reached without a trained autoencoder."""
    return {
        name: {
            "l0": row["quality"] and row["quality"]["l0"],
            "fvu": row["quality"] and row["quality"]["fvu"],
            "over_clean": row["losses"]["over_clean"]["total"],
            "recovered_mean": row["losses"]["recovered_mean"]["total"],
        }
        for name, row in run.evaluation["rows"].items()
        if name != "sae"
    }


def benchmark(config: Config) -> dict[str, Any]:
    if config.quick:
        config = replace(config, layers=(5,), architectures=("relu", "topk"))
    prepare(config.home, config.layers)
    runs: list[Run] = []
    seconds = {}
    for architecture in config.architectures:
        for context in ("none", "additive") if architecture in config.with_baseline else ("none",):
            started = time.monotonic()
            runs += run_all(config, architecture, context)
            seconds[f"{architecture} {context}"] = round(time.monotonic() - started, 1)
            print(f"{architecture}, token baseline {context}: {seconds[f'{architecture} {context}']} s", flush=True)
    rows = sorted((row_of(run) for run in runs), key=lambda r: (r["layer"], r["token_baseline"] == "additive"))
    table: list[tuple[str, ...]] = [
        ("layer, architecture", "L0", "FVU", "nats over clean", "vs mean", "dead, test", "dead, training")
    ]
    for r in rows:
        context = " + token baseline" if r["token_baseline"] == "additive" else ""
        dead = "–" if r["dead_in_training"] is None else f"{r['dead_in_training']:.1%}"
        cells = (f"{r['l0']:.1f}", f"{r['fvu']:.3f}", f"{r['over_clean']:+.3f}", f"{r['recovered_mean']:.1%}")
        table.append((f"{r['layer']} {r['architecture']}{context}", *cells, f"{r['dead_test']:.1%}", dead))
    print_table(table)
    with quiet():
        for layer in config.layers:
            mine = [str(run.folder) for run in runs if run.site.layer == layer]
            compare(CompareConfig(runs=tuple(mine), output=str(paths.home() / "reports" / f"comparison-{layer}")))
    controls = {
        f"{run.site.folder} {run.settings.experiment_name}": controls_of(run)
        for run in runs
        if (run.settings.architecture, run.settings.token_baseline) == ("topk", "none")
    }
    return {"d_sae": config.d_sae, "precision": config.precision, "rows": rows, "controls": controls}


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
