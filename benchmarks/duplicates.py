"""What finding near-duplicates takes: songs per second, memory, and whether the right ones are found.

Songs are random tunes and basses in C major. Every tenth has a variation: transposed, with a note in ten changed,
without its bass, or with notes twice as long. Found are the pairs that were made so; any other is false.
`find_duplicates` runs on one core; its peak memory is what the process grows by.

    python3 benchmarks/duplicates.py [--home FOLDER] [--n_songs N] [--memory_mib N] [--quick]
"""

import resource
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _measuring import ROOT, print_table, quiet, run_benchmark, target

from music_interpret.config import CheckedConfig, PositiveInt
from music_interpret.music.duplicates import find_duplicates
from music_interpret.music.notes import sort_notes
from music_interpret.music.shingles import events_of

RESOLUTION = 12
DEGREES = np.array([0, 2, 4, 5, 7, 9, 11])
VARIED = 10
"""Every so many songs, one has a variation."""


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Measure how fast near-duplicates are found."""

    home: str = str(ROOT / "data" / "benchmarks")
    """Where the songs are written; they are removed at the end."""
    n_songs: PositiveInt = 20_000
    """Songs, variations included."""
    memory_mib: PositiveInt = 64
    """Memory that the search is given."""
    quick: bool = False
    """A thousand songs, nothing kept; for tests."""


def voice(rng: np.random.Generator, lowest: int, note_values: list[int], n_notes: int) -> np.ndarray:
    """A line of steps and leaps in C major."""
    degree = np.abs(np.cumsum(rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 4], n_notes)) % 28 - 14)
    pitch = lowest + 12 * (degree // 7) + DEGREES[degree % 7]
    return notes_of(np.cumsum(rng.choice(note_values, n_notes)), pitch)


def song(rng: np.random.Generator) -> np.ndarray:
    """A tune and a slower bass."""
    return sort_notes(np.concatenate([voice(rng, 60, [3, 6, 6, 9, 12], 100), voice(rng, 36, [6, 12, 12, 24], 50)]))


def notes_of(onset: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    ones = np.ones(len(onset), np.int64)
    return sort_notes(np.stack([onset // RESOLUTION, onset % RESOLUTION, pitch, 6 * ones, 0 * ones], axis=1))


def variation(notes: np.ndarray, kind: int, rng: np.random.Generator) -> np.ndarray:
    """One of four changes of a song."""
    onset, pitch = notes[:, 0] * RESOLUTION + notes[:, 1], notes[:, 2]
    if kind == 0:
        return notes_of(onset, pitch + 5)
    if kind == 1:
        return notes_of(onset, pitch + rng.choice([-1, 1], len(pitch)) * (rng.random(len(pitch)) < 0.1))
    if kind == 2:
        return notes[pitch >= 60]
    return notes_of(2 * onset, pitch)


def write_songs(folder: Path, n_songs: int) -> tuple[list[str], set[tuple[str, str]], float]:
    """Write the songs; their names, the pairs that are near-duplicates, and the mean size of a sketch in bytes."""
    rng = np.random.default_rng(0)
    (folder / "notes").mkdir(parents=True)
    names: list[str] = []
    pairs, sketches = set(), []
    while len(names) < n_songs:
        name, notes = f"{len(names):07d}", song(rng)
        names.append(name)
        np.save(folder / "notes" / f"{name}.npy", notes)
        if len(names) % VARIED == 0 and len(names) < n_songs:
            varied = f"{name}-varied"
            pairs.add((name, varied))
            names.append(varied)
            np.save(folder / "notes" / f"{varied}.npy", variation(notes, len(pairs) % 4, rng))
            sketches.append(events_of(notes, RESOLUTION).sketch().nbytes)
    return names, pairs, float(np.mean(sketches))


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def benchmark(config: Config) -> dict[str, Any]:
    n_songs = 1000 if config.quick else config.n_songs
    folder = Path(config.home) / "duplicates"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        names, pairs, sketch_bytes = write_songs(folder, n_songs)
        before, started = peak_mib(), time.perf_counter()
        with quiet():
            rows = find_duplicates(folder, names, RESOLUTION, config.memory_mib * 2**20)
        seconds, grown = time.perf_counter() - started, peak_mib() - before
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = {(row.group, row.song) for row in rows if row.group != row.song}
    rate = len(names) / seconds
    print_table(
        [
            ("near-duplicates", f"{len(names):,} songs"),
            ("songs per second", f"{rate:,.0f}"),
            ("minutes for a million songs, at this rate", f"{1e6 / rate / 60:.0f}"),
            ("memory it may take, MiB", f"{config.memory_mib}"),
            ("memory the process grew by, MiB", f"{grown:.0f}"),
            ("sketch, bytes per song", f"{sketch_bytes:.0f}"),
            ("variations found", f"{len(found & pairs) / len(pairs):.1%}"),
            ("false pairs", f"{len(found - pairs):,}"),
        ]
    )
    return {
        "n_songs": len(names),
        "seconds": round(seconds, 1),
        "songs_per_second": round(rate),
        "memory_mib": {"given": config.memory_mib, "grown": round(grown)},
        "sketch_bytes_per_song": round(sketch_bytes),
        "variations": {"made": len(pairs), "found": len(found & pairs), "false": len(found - pairs)},
        "targets": {"variations found": target(round(len(found & pairs) / len(pairs), 4), 0.9)},
    }


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
