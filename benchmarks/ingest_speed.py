"""Seconds that the whole `ingest` takes, as a command, with one job and two: this checkout and the one before.

Before is the last commit at which music21 read all but MIDI. Every corpus is copied to a folder of its own; runs
alternate, each into a new home. Wall time says what a user waits on this machine as busy as it is; processor seconds,
of all processes of a run, are what the targets are held against, with one job, start of Python and near-duplicates
included.

    python3 benchmarks/ingest_speed.py --corpora NAME=FOLDER[:FILES] … [--before_files 5] [--quick]
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from _environments import last_line
from _measuring import ROOT, print_table, run_benchmark
from _reading import BEFORE, BEFORE_COMMIT, OURS, checkout
from score_readers import sample

from music_interpret.config import CheckedConfig, PositiveInt
from music_interpret.errors import InputError

TARGETS = {"pop909": 1.5 * 3.4 / 909, "lieder": 0.2, "quartets": 1.7, "sonatas": 1.0}
"""Processor seconds per file with one job, at most, by the corpus' name."""


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Time `ingest` on corpora."""

    corpora: tuple[str, ...] = (f"cases={ROOT / 'tests' / 'fixtures' / 'score_cases'}",)
    """`NAME=FOLDER` or `NAME=FOLDER:20`, as in `score_readers.py`; targets are known of pop909, lieder, quartets and
    sonatas."""
    jobs: tuple[PositiveInt, ...] = (1, 2)
    """Numbers of jobs that are timed."""
    before_files: PositiveInt | None = None
    """So many files of a corpus are enough for the checkout before (default: all)."""
    environments: str = str(ROOT / "data" / "benchmarks" / "environments")
    """Where the checkout before is stored, or made."""
    quick: bool = False
    """One job, nothing kept; for tests."""


class Taken(NamedTuple):
    """What one run took."""

    files: int
    """Of the corpus."""
    seconds: float
    """Wall time."""
    cpu_seconds: float
    """Of all its processes."""
    said: str
    """Its last line, without the folder."""


def ingest(tree: Path, folder: Path, jobs: int) -> Taken:
    """Run the command once."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "music_interpret.ingest", str(folder), "songs"]
        command += ["--jobs", str(jobs), "--min_notes", "1"]
        variables = os.environ | {"PYTHONPATH": str(tree), "MUSIC_INTERPRET_HOME": home}
        begun, before = time.perf_counter(), os.times()
        done = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=home)
        seconds, after = time.perf_counter() - begun, os.times()
    if done.returncode:
        raise InputError(f"ingest of {folder.name} failed: {last_line(done.stderr)}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    said = last_line(done.stdout).partition(" →")[0]
    return Taken(len(list(folder.iterdir())), round(seconds, 2), round(used, 2), said)


def copied(paths: list[Path], folder: Path) -> Path:
    """A folder of copies."""
    folder.mkdir(parents=True)
    for number, path in enumerate(paths):
        shutil.copy(path, folder / f"{number:04d}{path.suffix}")
    return folder


def benchmark(config: Config) -> dict[str, Any]:
    trees = {OURS: ROOT, BEFORE: checkout(Path(config.environments) / BEFORE, BEFORE_COMMIT)}
    table: list[tuple[str, ...]] = [("ingest", "files", "jobs", "seconds", "s per file", "cpu s per file", "target")]
    result: dict[str, Any] = {"corpora": {}, "targets": {}}
    for corpus in config.corpora:
        name = corpus.partition("=")[0]
        rows: dict[str, Any] = result["corpora"].setdefault(name, {})
        with tempfile.TemporaryDirectory() as temporary:
            paths = sample(corpus, Path(temporary))
            folders = {OURS: copied(paths, Path(temporary, "all"))}
            folders[BEFORE] = copied(paths[: config.before_files], Path(temporary, "some"))
            for jobs in config.jobs[:1] if config.quick else config.jobs:
                for tree, folder in folders.items():
                    taken = ingest(trees[tree], folder, jobs)
                    per_file, cpu = taken.seconds / taken.files, taken.cpu_seconds / taken.files
                    rows[f"{tree}, {jobs} jobs"] = taken._asdict() | {"cpu_seconds_per_file": round(cpu, 4)}
                    at_most = TARGETS.get(name) if tree == OURS and jobs == 1 else None
                    if at_most:
                        result["targets"][name] = {
                            "value": round(cpu, 4),
                            "at_most": round(at_most, 4),
                            "met": cpu <= at_most,
                        }
                    numbers = (f"{taken.files}", f"{jobs}", f"{taken.seconds:.1f}", f"{per_file:.4f}", f"{cpu:.4f}")
                    table.append((f"{name}, {tree}", *numbers, f"{at_most:.4f}" if at_most else "-"))
    print_table(table)
    return result


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
