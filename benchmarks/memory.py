"""Peak memory of extraction and training, against the size of the set: it must not grow with the activations.

Runs each stage as a process of its own on the demo's songs, once, four and twelve times over (copies under other
names), and samples the process's anonymous memory (`RssAnon`: what cannot be dropped; pages of memory-mapped shards
can). Training shuffles in a buffer smaller than each set. Takes about ten minutes.

    python3 benchmarks/memory.py [--quick]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from music_interpret import demo
from music_interpret.activations.store import open_set
from music_interpret.ingest import IngestConfig, ingest

BUFFER_TOKENS = 32_768


def repeat_songs(base: Path, times: int) -> None:
    """Make the data set `times` its size by copies of each song under other names, so that all are encoded and run."""
    notes = base / "notes"
    names = (base / "names.txt").read_text().split()
    for name in names:
        for copy in range(1, times):
            np.save(notes / f"{name}_{copy}.npy", np.load(notes / f"{name}.npy"))
    copies = [f"{name}_{copy}" for copy in range(1, times) for name in names]
    (base / "names.txt").write_text("\n".join(names + copies) + "\n")


def peak_anonymous_mb(home: Path, module: str, *words: object) -> float:
    """Run a stage and return the largest anonymous memory seen, in MB."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"music_interpret.{module}", *map(str, words)],
        env=os.environ | {"MUSIC_INTERPRET_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))])
        time.sleep(0.02)
    if process.wait():
        sys.exit(f"{module} failed with {process.returncode}")
    return peak / 1024


def measure(songs: int, times: int) -> dict[str, float]:
    """Peaks of extraction and training on the demo's first `songs` songs, `times` over."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        os.environ["MUSIC_INTERPRET_HOME"] = scratch
        demo.install_base_model()
        ingest(IngestConfig(source="music21:bach", dataset_name=demo.DATASET, limit=songs))
        repeat_songs(home / "data/base" / demo.DATASET, times)
        names = (demo.DATASET, demo.REPR, "--layers", 5)
        extraction = peak_anonymous_mb(home, "activation_extraction", *names, "--shard_tokens", 16384)
        peak_anonymous_mb(home, "preprocess", *names)
        run = ("--series_name", "s", "--experiment_name", "e", "--epochs", 1, "--buffer_tokens", BUFFER_TOKENS)
        training = peak_anonymous_mb(home, "train", *names, *run)
        index = peak_anonymous_mb(home, "index", "s/e")
        store = open_set(home / "data/activations" / f"{demo.DATASET}_{demo.REPR}_residual")
        return {
            "tokens": store.n_tokens,
            "activations_mb": store.n_tokens * store.d_model * 2 / 2**20,
            "extraction_mb": extraction,
            "training_mb": training,
            "index_mb": index,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer songs")
    songs = 60 if parser.parse_args().quick else 410
    rows = [measure(songs, times) for times in (1, 4, 12)]
    print(f"{'tokens':>10} {'on disk':>9} {'extract':>9} {'train':>9} {'index':>9}   (MB)")
    for row in rows:
        numbers = " ".join(f"{row[key]:9.0f}" for key in ("activations_mb", "extraction_mb", "training_mb", "index_mb"))
        print(f"{row['tokens']:10,} {numbers}")
    print(json.dumps({"benchmark": "memory", "buffer_tokens": BUFFER_TOKENS, "rows": rows}))


if __name__ == "__main__":
    main()
