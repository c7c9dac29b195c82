"""What the benchmarks share: this machine's matmul rates, timed rounds, the demo's data, and the JSON line at the end.

Rates are GFLOP/s with a multiplication and an addition counted as two. Shared machines are noisy, so nothing here is
compared across runs: rounds alternate between the things compared, each timed section is between two measurements of
the matmul rate, and ratios are taken within a round before their median over rounds. A section waits a while for the
processor to be idle, and what others took of it meanwhile is noted: medians are over undisturbed sections where there
are at least three.
"""

import json
import os
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the checkout that this file is in, installed or not

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler is silent

import torch  # noqa: E402

from music_interpret import __version__, config, demo, files, paths  # noqa: E402
from music_interpret import train as training  # noqa: E402
from music_interpret.activation_extraction import ExtractionConfig, extract  # noqa: E402
from music_interpret.activations.site_rows import SiteRows  # noqa: E402
from music_interpret.activations.store import ActivationSet, open_set  # noqa: E402
from music_interpret.errors import InputError  # noqa: E402
from music_interpret.index import IndexConfig, build_index  # noqa: E402
from music_interpret.ingest import IngestConfig, ingest  # noqa: E402
from music_interpret.models.device import pick_device  # noqa: E402
from music_interpret.models.site import Site  # noqa: E402
from music_interpret.music.dataset import Split  # noqa: E402
from music_interpret.preprocess import PreprocessConfig, preprocess  # noqa: E402
from music_interpret.runs.run import Run  # noqa: E402
from music_interpret.sae.preparation import Preparation  # noqa: E402
from music_interpret.sae.sweep import Sweep  # noqa: E402

LAYER = 5
SITE = Site.of_layer(LAYER)
# Square, and the model's own: one batch of 8192 tokens through a layer's up and down projection.
SHAPES = {"1024x1024x1024": (1024, 1024, 1024), "8192x256x1024": (8192, 256, 1024), "8192x1024x256": (8192, 1024, 256)}
PEAK_SHAPE = "1024x1024x1024"
# A section is disturbed when others take more than this fraction of all cores.
UNDISTURBED = 0.08


def matmul_rate(dtype: torch.dtype, shape: tuple[int, int, int], repeats: int = 7) -> float:
    """Median rate of (m, k) @ (k, n), GFLOP/s."""
    m, k, n = shape
    a, b = torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)
    out = torch.empty(m, n, dtype=dtype)
    seconds = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        torch.mm(a, b, out=out)
        seconds.append(time.perf_counter() - begun)
    return 2 * m * k * n / statistics.median(seconds[1:]) / 1e9


class Section(NamedTuple):
    """One timed piece of work of one round."""

    seconds: float
    """Wall time."""
    tokens: int
    """Tokens worked on, padding not counted."""
    others: float
    """Fraction of all cores' time that other processes took meanwhile."""
    peak: float
    """float32 rate of the square matmul just before and after, GFLOP/s (the mean of both medians)."""

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self.tokens / self.seconds


def cpu_seconds() -> float:
    """Processor time that all processes have taken since the machine started; 0 where the system does not say."""
    try:
        fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


class Own(NamedTuple):
    """What a process that times itself says."""

    seconds: float
    """Wall time."""
    cpu_seconds: float
    """Its processor time."""


class Rounds:
    """Sections by name, one of each a round, and the matmul rates around them."""

    def __init__(self, patience: float = 90.0) -> None:
        """Args:
        patience: seconds in all that sections may wait for other processes to leave the processor idle.
        """
        self.patience = patience
        self.sections: dict[str, list[Section]] = {}
        self.matmul: dict[str, list[float]] = {}
        self.load: list[float] = []

    def machine(self) -> float:
        """Measure every matmul rate once; gives the float32 peak of this moment."""
        for dtype in (torch.float32, torch.bfloat16):
            for name, shape in SHAPES.items():
                key = f"{str(dtype).removeprefix('torch.')} {name}"
                self.matmul.setdefault(key, []).append(matmul_rate(dtype, shape))
        self.load.append(os.getloadavg()[0])
        return self.matmul[f"float32 {PEAK_SHAPE}"][-1]

    def time(self, name: str, work: Callable[[], int], *, own: Callable[[], Own] | None = None) -> None:
        """Time `work`, which returns how many tokens it did; `own` gives the times where another process did it."""
        self._wait_for_idle()
        before = self.machine()
        everyone, mine, begun = cpu_seconds(), time.process_time(), time.perf_counter()
        tokens = work()
        seconds, used = time.perf_counter() - begun, time.process_time() - mine
        elapsed = seconds
        if own:
            seconds, used = own().seconds, used + own().cpu_seconds
        others = max(0.0, cpu_seconds() - everyone - used) / elapsed / (os.cpu_count() or 1)
        peak = (before + self.machine()) / 2
        self.sections.setdefault(name, []).append(Section(seconds, tokens, others, peak))

    def _wait_for_idle(self) -> None:
        while self.patience > 0:
            before = cpu_seconds()
            time.sleep(0.25)
            if cpu_seconds() - before < 0.25 * UNDISTURBED * (os.cpu_count() or 1):
                return
            self.patience -= 0.25

    def undisturbed(self, *names: str) -> list[tuple[Section, ...]]:
        """One tuple of sections for each round in which none of them was disturbed; all rounds if there are too few."""
        every = list(zip(*(self.sections[name] for name in names), strict=True))
        chosen = [sections for sections in every if all(s.others < UNDISTURBED for s in sections)]
        return chosen if len(chosen) >= 3 else every

    def rate(self, name: str) -> dict[str, float]:
        """Tokens per second: median and best."""
        rates = [section.rate for (section,) in self.undisturbed(name)]
        return {"median": round(statistics.median(rates), 1), "best": round(max(rates), 1)}

    def share(self, name: str, flops: float) -> dict[str, Any]:
        """Fraction of the float32 matmul peak at `flops` per token."""
        shares = [round(s.rate * flops / 1e9 / s.peak, 3) for (s,) in self.undisturbed(name)]
        return {"median": statistics.median(shares), "rounds": shares}

    def ratio(self, name: str, other: str) -> dict[str, Any]:
        """How many times as fast as another section of the same round."""
        ratios = [round(mine.rate / theirs.rate, 2) for mine, theirs in self.undisturbed(name, other)]
        return {"median": round(statistics.median(ratios), 2), "rounds": ratios}

    def describe(self) -> dict[str, Any]:
        """The machine, its matmul rates in this run (median and best, GFLOP/s) and how busy others kept it."""
        rates = {
            key: {"median": round(statistics.median(values), 1), "best": round(max(values), 1)}
            for key, values in self.matmul.items()
        }
        return {
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "load_average": {"min": round(min(self.load), 2), "max": round(max(self.load), 2)},
            "matmul_gflops": rates,
            "rounds": len(next(iter(self.sections.values()))),
            "undisturbed": {n: sum(s.others < UNDISTURBED for s in every) for n, every in self.sections.items()},
        }

    def print_machine(self) -> dict[str, Any]:
        """Print the machine's rates under a table, and give `describe`."""
        machine = self.describe()
        rates = [f"{name} {rate['median']:.0f}" for name, rate in machine["matmul_gflops"].items()]
        load = machine["load_average"]
        counts = ", ".join(f"{name} {count}" for name, count in machine["undisturbed"].items())
        print(f"\nmatmul GFLOP/s: {', '.join(rates)}")
        print(f"load average {load['min']} to {load['max']} on {machine['cores']} cores")
        print(f"undisturbed of {machine['rounds']} rounds: {counts}")
        return machine


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


@contextmanager
def quiet() -> Iterator[None]:
    """Let stages run without their last line and progress bars."""
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        stderr, sys.stderr = sys.stderr, nothing
        try:
            with redirect_stdout(nothing):
                yield
        finally:
            sys.stderr = stderr


def prepare(home: str, layers: tuple[int, ...] = (LAYER,)) -> ActivationSet:
    """Make the demo's data up to the statistics of some layers under `home`, what is missing of it, and open its
    activations.
    """
    os.environ["MUSIC_INTERPRET_HOME"] = str(Path(home).resolve())
    folder = paths.activations_folder(demo.DATASET, demo.REPR)
    missing = tuple(n for n in layers if not (folder / Site.of_layer(n).folder / "normalization.json").is_file())
    if missing:
        print(f"preparing the demo's data in {paths.home()}", flush=True)
        demo.install_base_model()
        if not (paths.home() / "data" / "base" / demo.DATASET / "names.txt").is_file():
            ingest(IngestConfig(source="music21:bach", dataset_name=demo.DATASET, polyphonic=True))
            demo.hold_out_songs()
        extract(ExtractionConfig(dataset_name=demo.DATASET, data_repr=demo.REPR, layers=missing))
        preprocess(PreprocessConfig(dataset_name=demo.DATASET, data_repr=demo.REPR, layers=missing))
    return open_set(folder)


def write_normalized(path: Path, activations: ActivationSet, split: Split) -> Path:
    """Write one split's normalised activations as one float32 array."""
    rows = SiteRows.open(activations, SITE, torch.device("cpu"))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.concatenate([x for _, x in rows.normalized(activations.songs.spans(split), 8192)]))
    return path


def trained_run(epochs: int = 8) -> Run:
    """The demo's run, trained if it is not there; with fewer epochs a run of its own."""
    name = "sae" if epochs == 8 else f"sae-{epochs}"
    folder = paths.run_folder("demo", name, SITE.folder)
    if not (folder / "sae" / "cfg.json").is_file():
        print(f"training the demo's autoencoder for {epochs} epochs", flush=True)
        training.train(train_config(experiment_name=name, epochs=epochs, overwrite=True))
    return Run(folder)


def indexed(run: Run) -> Run:
    """The same run, indexed if that was not done."""
    if not (run.folder / "features" / "index.json").is_file():
        build_index(IndexConfig(run=str(run.folder)))
    return run


def train_config(**changes: Any) -> training.TrainConfig:
    """The demo's training arguments with changes."""
    names = {"dataset_name": demo.DATASET, "data_repr": demo.REPR, "series_name": "demo", "experiment_name": "sae"}
    return training.TrainConfig(**(names | {"layers": (LAYER,)} | changes))


def new_sweep(options: training.TrainConfig, activations: ActivationSet) -> Sweep:
    """A training at its start, in an empty folder."""
    opened = {SITE: SiteRows.open(activations, SITE, pick_device(options.device))}
    plans = training._plans(options, opened)
    for plan in plans:
        shutil.rmtree(plan.folder, ignore_errors=True)
        plan.folder.mkdir(parents=True)
    return Preparation(options, activations, opened, plans).sweep(plans)


@torch.no_grad()
def run_through(sweep: Sweep) -> int:
    """All steps of a training as `train` takes them, before it measures and saves; gives the number of tokens."""
    (run,) = sweep.runs
    with quiet():
        run.begin(resume=False)
        sweep.loop()
        run.close()
    return run.n_done * run.batch_size


def target(value: float, at_least: float) -> dict[str, Any]:
    """A target and whether it was met."""
    return {"value": value, "at_least": at_least, "met": value >= at_least}


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Print rows in columns, the first row as their heads."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        numbers = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join([f"{row[0]:<{widths[0]}}", *numbers]))
        if number == 0:
            print("  ".join("-" * width for width in widths))


def run_benchmark(config_type: type, benchmark: Callable[[Any], dict[str, Any]]) -> None:
    """Entry point of a benchmark: parse, run, keep the result next to the script (unless --quick), print it as JSON."""
    name = Path(sys.argv[0]).stem
    try:
        arguments = config.parse(config_type, sys.argv[1:], f"python3 benchmarks/{name}.py")
        begun = time.monotonic()
        result = benchmark(arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    result = {
        "benchmark": name,
        "music_interpret": __version__,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "quick": arguments.quick,
        "run_seconds": round(time.monotonic() - begun, 1),
    } | result
    if not arguments.quick:
        files.write_json(ROOT / "benchmarks" / "results" / f"{name}.json", result)
    print(json.dumps(result))
