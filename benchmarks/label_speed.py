"""How fast concepts are computed and latents are scored.

Concepts: all built-in ones over the demo's songs, on one core. Scoring: the demo's indexed run and its concept values,
repeated until there are a million tokens (songs stay whole; a tenth each are valid and test songs), 2,048 latents
against 300 concept values at both lags: counts, thresholds, AUROC, average precision and the null distribution.

    python3 benchmarks/label_speed.py [--home FOLDER] [--tokens 1000000] [--values 300] [--quick]
"""

import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _measuring import ROOT, indexed, prepare, run_benchmark, target, trained_run

from music_interpret.config import CheckedConfig, PositiveInt
from music_interpret.features.firings import Firings
from music_interpret.features.labelling import Corpus
from music_interpret.features.scoring import score
from music_interpret.features.sequences import sequences_of
from music_interpret.features.truth import Columns, scored_columns
from music_interpret.tokens.concept_table import ConceptTable, concept_table
from music_interpret.tokens.concepts import library


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Time the concepts and the scoring."""

    home: str = str(ROOT / "data" / "benchmarks")
    """Where the demo's data and its run are stored, or made."""
    tokens: PositiveInt = 1_000_000
    """Tokens that are scored."""
    values: PositiveInt = 300
    """Concept values, each at both lags."""
    rounds: PositiveInt = 3
    """How often concepts are timed; the median counts."""
    quick: bool = False
    """50,000 tokens, one round, nothing kept in results/; for tests."""


def repeated(
    table: ConceptTable, firings: Firings, first: np.ndarray, times: int
) -> tuple[ConceptTable, Firings, np.ndarray]:
    """The same songs several times over."""
    n = int(first[-1])
    latents = np.tile(firings.latents, times)
    tokens = np.concatenate([np.asarray(firings.token_rows, np.int64) + n * i for i in range(times)])
    order = np.argsort(latents, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.diff(firings.offsets) * times)])
    many = Firings(offsets, tokens[order].astype(np.uint32), np.tile(firings.values, times)[order])
    edges = np.concatenate([first[:-1] + n * i for i in range(times)] + [[n * times]])
    return ConceptTable(table.concepts, np.tile(table.columns, (1, times))), many, edges


def some_columns(columns: Columns, values: int) -> Columns:
    """As many values as asked for, spread evenly, at both lags."""
    now = np.flatnonzero(columns.lag == 0)
    chosen = now[np.linspace(0, len(now) - 1, min(values, len(now))).astype(int)]
    both = np.concatenate([chosen, chosen + len(now)])
    return Columns(columns.concepts, columns.concept[both], columns.value[both], columns.lag[both])


def benchmark(config: Config) -> dict[str, Any]:
    activations = prepare(config.home)
    index = indexed(trained_run(1 if config.quick else 8)).index
    songs = sequences_of(activations)
    concepts = library(songs.scheme)
    n_notes = len(songs.scheme.aligned(songs.tokens, songs.first_token).notes)
    torch.set_num_threads(1)
    rates = []
    for _ in range(1 if config.quick else config.rounds):
        started = time.perf_counter()
        table = concept_table(concepts, songs)
        rates.append(n_notes / (time.perf_counter() - started))
    n_values = sum(concept.n_values for concept in concepts)
    print(
        f"{len(concepts)} concepts, {n_values} values: {np.median(rates):,.0f} notes per second on one core", flush=True
    )

    torch.set_num_threads(os.cpu_count() or 1)
    times = max(round((50_000 if config.quick else config.tokens) / activations.n_tokens), 1)
    firings = Firings(index.offsets, index.token_rows, index.values)
    table, firings, first = repeated(table, firings, songs.first_token, times)
    spans = np.stack([first[:-1], first[1:]], axis=1)
    tenth = np.arange(len(spans)) % 10
    by_split = {"train": spans[tenth < 8], "valid": spans[tenth == 8], "test": spans[tenth == 9]}
    columns = some_columns(
        scored_columns(table, np.concatenate([by_split["train"], by_split["valid"]]), first), config.values
    )
    corpus = Corpus(table, columns, by_split, first)
    started = time.perf_counter()
    score(*(corpus.part(firings, split) for split in ("train", "valid", "test")))
    seconds = time.perf_counter() - started
    print(f"{int(first[-1]):,} tokens x {firings.n_latents:,} latents x {len(columns)} columns: {seconds:.1f} s")
    return {
        "concepts": len(concepts),
        "concept_values": n_values,
        "notes": n_notes,
        "notes_a_second": target(round(float(np.median(rates))), 50_000),
        "tokens": int(first[-1]),
        "firings": len(firings.values),
        "latents": firings.n_latents,
        "columns": len(columns),
        "scoring_seconds": {"value": round(seconds, 1), "at_most": 120, "met": seconds <= 120},
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
