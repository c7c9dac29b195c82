"""What music theory finds in three layers: TopK with and without the token baseline, compared with every control.

Runs are those of `architectures.py` (k = 32, 2,048 latents; trained if they are not there), on the demo's songs: the
thresholds are chosen on its valid songs and all figures are of its test songs, which neither the model nor the
autoencoders saw. The same autoencoders are trained on a model with re-initialised weights and labelled too.

    python3 benchmarks/labels.py [--home FOLDER] [--layers 3 5 7] [--quick]
"""

import time
from dataclasses import dataclass
from typing import Any

import architectures
from _measuring import ROOT, indexed, prepare, print_table, quiet, run_benchmark

from music_interpret import files
from music_interpret.config import CheckedConfig, NonNegativeInt, as_dict
from music_interpret.label import REINITIALISED, SAE, LabelConfig, label
from music_interpret.runs.run import Run
from music_interpret.tokens.concepts import library

K = 32
CONTEXTS = {"none": "plain SAE", "additive": "context SAE"}
CONTROLS = {
    "neurons": "raw neurons",
    "context_neurons": "neurons less the token baseline",
    "pca": "PCA",
    "untrained": "untrained SAE",
}


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Label autoencoders and controls on several layers."""

    home: str = str(ROOT / "data" / "benchmarks")
    """Where the demo's data is stored, or made, and where the runs are kept."""
    layers: tuple[NonNegativeInt, ...] = (3, 5, 7)
    """Layers of the base model."""
    quick: bool = False
    """One layer, one epoch, nothing kept in results/; for tests."""


def labelled(run: Run, *, controls: bool) -> dict[str, Any]:
    """Set-level numbers of a run, indexed and labelled if that was not done, and of its controls."""
    config = LabelConfig(run=str(indexed(run).folder), controls=controls, reinitialised=True)
    path = run.folder / "labels" / "labels.json"
    concepts = [concept.name for concept in library(run.activations.scheme)]
    wanted = {"arguments": as_dict(config), "concepts": concepts}
    if path.is_file():
        meta = files.read_json(path)
        if wanted == {"arguments": meta["arguments"], "concepts": [concept["name"] for concept in meta["concepts"]]}:
            return meta["summaries"]
    label(config)
    return files.read_json(path)["summaries"]


def row(layer: int, title: str, numbers: dict[str, Any]) -> tuple[str, ...]:
    """A line of the table."""
    coverage, named = numbers["coverage"], numbers["named"]
    cells = [
        f"{numbers['n_live']:,}",
        f"{named['all']:.1%}",
        f"{named['all'] - named['given']:.1%}",
        f"{numbers['named_beyond_identity']:.1%}",
        f"{numbers['rule_f1']['all']:.1%}",
        "–" if numbers["named_base_rate"] is None else f"{numbers['named_base_rate']:.1%}",
        *(f"{coverage[name]['found']:.2f}" for name in ("given", "past", "future")),
        f"{coverage['context']['found_uncommon']:.3f}",
        f"{coverage['context']['beyond_identity']:.3f}",
        f"{coverage['context']['gain']:+.3f}",
        f"{coverage['context']['mcc']:.3f}",
        *(f"{numbers['probes']['context'][f'k={size}']:.2f}" for size in (1, 2, 5)),
        "–" if numbers["monosemanticity"] is None else f"{numbers['monosemanticity']:.2f}",
    ]
    return (f"{layer} {title}", *cells)


HEAD = (
    "layer",
    "live",
    "named",
    "by context",
    "beyond token",
    "F1>0.5",
    "base rate",
    "given",
    "past",
    "future",
    "context, uncommon",
    "context beyond token",
    "gain",
    "MCC",
    "k=1",
    "k=2",
    "k=5",
    "top 20",
)


def benchmark(config: Config) -> dict[str, Any]:
    layers = config.layers[:1] if config.quick else config.layers
    prepare(config.home, layers)
    runs = {
        context: architectures.run_all(architectures.Config(layers=layers, quick=config.quick), "topk", context)
        for context in CONTEXTS
    }
    table, found, seconds = [HEAD], {}, {}
    for layer in layers:
        numbers: dict[str, Any] = {}
        for context, title in CONTEXTS.items():
            run = next(r for r in runs[context] if r.site.layer == layer and r.settings.arguments["k"] == K)
            started = time.monotonic()
            with quiet():
                summaries = labelled(run, controls=context == "additive")
            seconds[f"{layer} {title}"] = round(time.monotonic() - started, 1)
            numbers[title] = summaries.pop(SAE)
            numbers[f"{title} of the re-initialised model"] = summaries.pop(REINITIALISED)
            numbers |= {CONTROLS[name]: summary for name, summary in summaries.items()}
        found[str(layer)] = numbers
        table += [row(layer, title, summary) for title, summary in numbers.items()]
        print_table(table)
    return {"k": K, "seconds": seconds, "layers": found}


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
