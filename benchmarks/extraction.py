"""Extraction: tokens per second at layer 5 of the built-in model, next to this machine's matmul rate and the reference.

- stage: what `activation_extraction` does once model and tokens are in memory: forward up to the layer, conversion to
  float16, writing in place, syncing and journal;
- forward: the same batches through the model alone;
- reference: one song per batch through x-transformers 0.25.9 (`_reference_pipeline.py`), the whole model, raw and
  z-scored float32 activations saved for each song. Its activations are first held against ours (1e-4).

The fraction of the float32 matmul peak counts what the layer needs: its linear maps, and attention scores and sums over
the tokens that each token sees (causal), without norms, GELU, softmax, embeddings and padding. Also: what
`--precision bfloat16` costs in accuracy.

    python3 benchmarks/extraction.py [--reference_python PYTHON] [--home FOLDER] [--quick]
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _measuring import LAYER, ROOT, SITE, Own, Rounds, prepare, print_table, quiet, run_benchmark, target, trained_run

from music_interpret import activation_extraction as stage
from music_interpret import demo, files, paths
from music_interpret.activations import store
from music_interpret.activations.site_rows import SiteRows
from music_interpret.activations.song_batches import padded_tokens, plan_batches
from music_interpret.config import CheckedConfig, PositiveInt
from music_interpret.errors import InputError
from music_interpret.models import hooks
from music_interpret.models.families.find import load_model
from music_interpret.models.mmt import FEEDFORWARD_FACTOR, HEAD_DIM, next_token_losses
from music_interpret.models.mmt_sizes import MMTSizes
from music_interpret.models.site import Site
from music_interpret.music.dataset import open_dataset
from music_interpret.runs.run import Run
from music_interpret.sae.metrics import quality

REFERENCE_PACKAGES = ("x-transformers==0.25.9", "einops==0.8.2", "entmax==1.3")
AGREEMENT = 1e-4


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Measure extraction against the matmul peak and against the reference pipeline."""

    reference_python: str | None = os.environ.get("REFERENCE_PYTHON") or None
    """A Python with torch, NumPy and x-transformers 0.25.9; without it this one, and the package in .venv-bench."""
    home: str = str(ROOT / "data" / "benchmarks")
    """Where the demo's data is stored, or made."""
    rounds: PositiveInt = 7
    """Alternating rounds."""
    batch_tokens: PositiveInt = stage.ExtractionConfig.batch_tokens
    """Tokens that a batch of the stage may hold."""
    quick: bool = False
    """Two rounds on few songs, nothing kept; for tests."""


def flops_per_token(sizes: MMTSizes, layer: int, n_tokens: np.ndarray) -> float:
    """Mean FLOPs per token that layer `layer` needs, over songs of these lengths."""
    inner = sizes.heads * HEAD_DIM
    attended = float((n_tokens * (n_tokens + 1.0) / 2).sum() / n_tokens.sum())
    attention = 2 * sizes.dim * 4 * inner + 2 * 2 * inner * attended
    feedforward = 2 * 2 * sizes.dim * FEEDFORWARD_FACTOR * sizes.dim
    return (layer // 2 + 1) * attention + (layer + 1) // 2 * feedforward


class Ours:
    """The stage and its parts, on one set of songs."""

    def __init__(self, config: Config, activations: store.ActivationSet) -> None:
        begun = time.perf_counter()
        self.dataset = open_dataset(paths.dataset_folder(demo.DATASET))
        self.model = load_model(activations.model_folder, self.dataset.folder / "notes")
        self.load_seconds = time.perf_counter() - begun
        begun = time.perf_counter()
        for name in self.dataset.names:
            stage.encode_song(self.dataset, self.model, name)
        self.encode_seconds = time.perf_counter() - begun
        self.activations, self.config = activations, config

    def run_stage(self, precision: str) -> int:
        """All that the stage does after encoding. The site is laid out again each time."""
        arguments = stage.ExtractionConfig(
            dataset_name=demo.DATASET,
            data_repr=demo.REPR,
            layers=(LAYER,),
            precision=precision,  # type: ignore[arg-type]
            batch_tokens=self.config.batch_tokens,
            overwrite=True,
        )
        width = self.activations.d_model
        files.write_json(self.activations.folder / SITE.folder / store.SITE, {"finished": False})
        with quiet():
            stage._is_done(arguments, self.activations, SITE, width)
            stage._extract_sites(arguments, self.activations, self.model, {SITE: width})
        return self.activations.n_tokens

    @torch.inference_mode()
    def run_forward(self, precision: str) -> int:
        """The same batches through the model up to the layer, nothing kept."""
        self.model.to_precision(precision)
        for batch in plan_batches(self.activations.songs.n_tokens, self.config.batch_tokens):
            self.model.recorded(padded_tokens(self.activations, batch).tokens, [SITE])
        return self.activations.n_tokens

    def tokens(self, song: int) -> torch.Tensor:
        first, count = self.activations.songs.first_token[song], self.activations.songs.n_tokens[song]
        return torch.from_numpy(np.array(self.activations.tokens[first : first + count], np.int64))[None]

    @torch.inference_mode()
    def all_layers(self, song: int, precision: str) -> tuple[np.ndarray, float]:
        """Residual stream after every layer, (n_layers, n_tokens, d_model), and the next-token loss in nats."""
        module, tokens = self.model.to_precision(precision), self.tokens(song)
        layers = {layer: self.model.at(Site.of_layer(layer)) for layer in range(self.model.n_layers)}
        with hooks.record(layers, stop=False) as outputs:
            logits = module(tokens)
        loss = next_token_losses([field[:, :-1] for field in logits], tokens).sum()
        return np.stack([output[0].float().numpy() for output in outputs.values()]), float(loss)


class Reference:
    """The reference pipeline in a process of its own, which waits while others are timed."""

    def __init__(self, config: Config, ours: Ours, folder: Path) -> None:
        model, songs = ours.activations.model_folder, ours.activations.songs
        normalization = SiteRows.open(ours.activations, SITE, torch.device("cpu")).normalization
        self.folder, self.own, self.parts = folder, Own(0.0, 0.0), {"forward_seconds": 0.0, "saving_seconds": 0.0}
        job = {
            "checkpoint": str(model / "checkpoints" / "best_model.pt"),
            "sizes": files.read_json(model / "train-args.json"),
            "n_values": [head.out_features for head in ours.model.unembedding.heads],
            "tokens": str(ours.activations.folder / store.TOKENS),
            "first_token": songs.first_token.tolist(),
            "n_tokens": songs.n_tokens.tolist(),
            "mean": normalization.shift.tolist(),
            "std": (1 / normalization.scale).tolist(),
            "layer": LAYER,
            "folder": str(folder),
            "threads": torch.get_num_threads(),
        }
        files.write_json(folder / "job.json", job)
        python, environment = _reference_environment(config.reference_python)
        script = str(Path(__file__).with_name("_reference_pipeline.py"))
        command = [python, script, str(folder / "job.json")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.versions = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise InputError(
                "the reference did not start; expected --reference_python PYTHON with x-transformers 0.25.9"
            )
        return json.loads(line)

    def run(self, songs: list[int]) -> int:
        """Extract songs; the seconds it took, by its own clocks, are in `own`."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"songs": songs}) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        self.own = Own(answer["seconds"], answer["cpu_seconds"])
        for part in self.parts:
            self.parts[part] += answer[part]
        return answer["tokens"]

    def difference(self, ours: Ours, songs: list[int]) -> float:
        """Largest absolute difference between its activations and ours."""
        self.run(songs)
        theirs = {song: np.load(self.folder / "raw" / f"{song}.npy") for song in songs}
        return max(float(np.abs(ours.all_layers(song, "float32")[0][LAYER] - theirs[song]).max()) for song in songs)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def _reference_environment(python: str | None) -> tuple[str, dict[str, str]]:
    """Interpreter and environment variables of the reference; its package is put into .venv-bench once.

    That folder holds x-transformers and the two small packages it needs; torch and NumPy are this environment's own, so
    that both sides compute with the same build.
    """
    if python:
        return python, dict(os.environ)
    folder = ROOT / ".venv-bench"
    if not (folder / "x_transformers").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        if subprocess.run([*pip, *REFERENCE_PACKAGES], check=False).returncode:
            raise InputError(f"cannot install {', '.join(REFERENCE_PACKAGES)}; expected --reference_python PYTHON")
    return sys.executable, os.environ | {"PYTHONPATH": str(folder)}


def accuracy(ours: Ours, songs: list[int], run: Run) -> dict[str, Any]:
    """What bfloat16 changes on these songs: activations of every layer, next-token loss, and an SAE's quality."""
    errors, cosines, losses = [], [], {"float32": [], "bfloat16": []}
    rows: dict[str, list[torch.Tensor]] = {"float32": [], "bfloat16": []}
    weights = []
    for song in songs:
        outputs = {}
        for precision in rows:
            outputs[precision], loss = ours.all_layers(song, precision)
            losses[precision].append(loss)
            rows[precision].append(torch.from_numpy(outputs[precision][LAYER]))
        a, b = outputs["float32"].astype(np.float64), outputs["bfloat16"].astype(np.float64)
        norms = np.linalg.norm(a, axis=2)
        errors.append(np.linalg.norm(a - b, axis=2) / norms)
        cosines.append((a * b).sum(axis=2) / norms / np.linalg.norm(b, axis=2))
        weights.append(a.shape[1] - 1)
    error, cosine = np.concatenate(errors, axis=1), np.concatenate(cosines, axis=1)
    nats = {precision: float(np.average(values, weights=weights)) for precision, values in losses.items()}
    tokens = [ours.tokens(song)[0] for song in songs]
    sae_quality = {}
    for precision, outputs_of in rows.items():
        measured = quality(zip(outputs_of, tokens, strict=True), run.sae)
        assert measured is not None
        sae_quality[precision] = {"fvu": round(measured.fvu, 5), "l0": round(measured.l0, 3)}
    return {
        "n_songs": len(songs),
        "n_tokens": error.shape[1],
        "relative_error_mean": [round(float(e), 5) for e in error.mean(axis=1)],
        "relative_error_max": [round(float(e), 5) for e in error.max(axis=1)],
        "cosine_mean": [round(float(c), 7) for c in cosine.mean(axis=1)],
        "cosine_min": [round(float(c), 6) for c in cosine.min(axis=1)],
        "next_token_loss_nats": {key: round(value, 5) for key, value in nats.items()},
        "loss_difference_nats": round(nats["bfloat16"] - nats["float32"], 5),
        "sae": sae_quality,
    }


def profile(ours: Ours, precision: str) -> dict[str, float]:
    """Fraction of the forward's time by operation, over a few batches spread over the lengths."""
    ours.model.to_precision(precision)
    batches = plan_batches(ours.activations.songs.n_tokens, ours.config.batch_tokens)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as recorded:
        for batch in batches[:: max(1, len(batches) // 4)]:
            ours.model.recorded(padded_tokens(ours.activations, batch).tokens, [SITE])
    seconds = {event.key.removeprefix("aten::"): event.self_cpu_time_total for event in recorded.key_averages()}
    total = sum(seconds.values())
    shares = sorted(((name, value / total) for name, value in seconds.items()), key=lambda item: -item[1])
    return {name.strip("_"): round(share, 3) for name, share in shares if share > 0.01}


def benchmark(config: Config) -> dict[str, Any]:
    activations = prepare(config.home)
    run = trained_run(1 if config.quick else 8)
    ours = Ours(config, activations)
    reference = Reference(config, ours, paths.home() / "data" / "reference")
    difference = reference.difference(ours, list(range(0, len(activations.songs.names), 40)))
    if not difference < AGREEMENT:
        raise InputError(
            f"the reference's activations differ from ours by {difference:.2e}; expected below {AGREEMENT}"
        )
    reference.parts = dict.fromkeys(reference.parts, 0.0)
    held_out = np.flatnonzero(activations.songs.splits != "train").tolist()
    costs = accuracy(ours, held_out[:4] if config.quick else held_out, run)
    profiles = {precision: profile(ours, precision) for precision in ("float32", "bfloat16")}
    rounds = Rounds(0 if config.quick else 90)
    count, parts = (2, 40) if config.quick else (config.rounds, 6)
    scratch = Ours(config, _copy_of(activations))
    for precision in ("float32", "bfloat16"):
        scratch.run_stage(precision)  # warm up
    for number in range(count):
        for precision in ("float32", "bfloat16"):
            rounds.time(f"stage {precision}", lambda p=precision: scratch.run_stage(p))
            rounds.time(f"forward {precision}", lambda p=precision: scratch.run_forward(p))
        songs = list(range(number % parts, len(activations.songs.names), parts))
        rounds.time("reference", lambda s=songs: reference.run(s), own=lambda: reference.own)
    reference.close()
    sizes = MMTSizes.load(activations.model_folder / "train-args.json")
    flops = flops_per_token(sizes, LAYER, activations.songs.n_tokens)
    saving = reference.parts["saving_seconds"] / sum(reference.parts.values())
    return _report(rounds, flops, saving, ours, reference, difference, costs, profiles)


def _copy_of(activations: store.ActivationSet) -> store.ActivationSet:
    """The same songs in a folder of their own, with no sites."""
    folder = paths.home() / "data" / "extraction-benchmark"
    activations.scheme.save(folder)
    for name in (store.TOKENS, "songs.csv", store.MANIFEST):
        with files.atomic_write(folder / name) as file:
            file.write((activations.folder / name).read_bytes())
    return store.open_set(folder)


def _report(
    rounds: Rounds,
    flops: float,
    saving: float,
    ours: Ours,
    reference: Reference,
    difference: float,
    costs: dict[str, Any],
    profiles: dict[str, dict[str, float]],
) -> dict[str, Any]:
    names = ("stage float32", "forward float32", "stage bfloat16", "forward bfloat16", "reference")
    table = [("layer 5 of the built-in model", "tokens/s", "best", "fraction of float32 peak", "times the reference")]
    measured = {}
    for name in names:
        rate, share, ratio = rounds.rate(name), rounds.share(name, flops), rounds.ratio(name, "reference")
        measured[name] = {"tokens_per_second": rate, "share_of_float32_peak": share, "times_reference": ratio}
        table.append(
            (name, f"{rate['median']:,.0f}", f"{rate['best']:,.0f}", f"{share['median']:.0%}", f"{ratio['median']:.2f}")
        )
    print_table(table)
    machine = rounds.print_machine()
    print(
        f"bfloat16: relative error {costs['relative_error_mean'][LAYER]:.2%} (mean) at layer {LAYER}, next-token loss "
        f"{costs['loss_difference_nats']:+.4f} nats, SAE {costs['sae']}\n"
    )
    return {
        "machine": machine,
        "flops_per_token": round(flops),
        "n_songs": len(ours.activations.songs.names),
        "n_tokens": ours.activations.n_tokens,
        "batch_tokens": ours.config.batch_tokens,
        "not_in_the_stage": {
            "model_load_seconds": round(ours.load_seconds, 3),
            "encode_seconds": round(ours.encode_seconds, 3),
        },
        "measured": measured,
        "reference": reference.versions
        | {"largest_difference_from_ours": difference, "share_of_time_saving": round(saving, 3)},
        "bfloat16_accuracy": costs,
        "profile_of_forward": profiles,
        "targets": {
            "stage float32, share of float32 peak": target(rounds.share("stage float32", flops)["median"], 0.6),
            "stage bfloat16, times the reference": target(rounds.ratio("stage bfloat16", "reference")["median"], 4.0),
        },
    }


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
