"""What readers of scores make of the same files, side by side: this project's, its own before, and libraries.

Corpora are folders; a sample of each is read by every reader in turn, file by file. Notes are multisets of (onset,
pitch, duration) in steps of 1/12 quarter note, tied notes one, from the first note's beat on; with a reader that cannot
tell equal notes apart (before; abc2midi), sets. Tune books are split into tunes first.

Nobody knows what is right in a corpus. A file counts as right for a reader if its notes equal those of at least half of
the other readers that can read it, of which there must be two; this project's readers before count for nobody but
themselves. So a reader can be "right" with a fault that others share, and "wrong" alone in being right; `ours_differs`
in the results lists our files to look at. Hand-made cases have expected notes.

Before and after: files whose notes changed (programs aside), and those that only one can read. MIDI scores with
annotations beside them (ASAP) also say where downbeats are.

    python3 benchmarks/score_readers.py --corpora NAME=FOLDER[:FILES] … [--cases FOLDER] [--minutes 3] [--quick]
"""

import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _downbeats import annotated, f_score, has_upbeat_of_its_own, stated
from _measuring import ROOT, print_table, run_benchmark
from _reading import ABC, BEFORE, LIBRARIES, OURS, Answer, Reader, counted, same
from _score_readers._abc_text import tunes

from music_interpret import files
from music_interpret.config import CheckedConfig, PositiveFloat
from music_interpret.errors import InputError

CASES = ROOT / "tests" / "fixtures" / "score_cases"
LISTED = 40
"""Files that differ, at most so many of a corpus in the results."""
FEWEST = 2
"""Other readers that must have read a file, for it to be compared."""
EVERY = 5
"""Of so many files a slow reader reads one."""
Answers = dict[str, Answer]


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Compare readers of scores on corpora."""

    corpora: tuple[str, ...] | None = None
    """`NAME=FOLDER`: scores in a folder and its subfolders; `NAME=FOLDER/*.mid` those of a pattern, `NAME=FOLDER:20` a
    sample of 20."""
    cases: str = str(CASES)
    """Hand-made scores with expected notes, in `expected*.json` beside them."""
    readers: tuple[str, ...] = tuple(LIBRARIES)
    """Which readers are compared."""
    minutes: PositiveFloat = 3.0
    """After so long a corpus' sample ends, wherever it is; files come in random order."""
    slow_s: PositiveFloat = 1.0
    """A reader that takes more seconds per file of a corpus reads only every fifth of its files."""
    limit_s: PositiveFloat = 240.0
    """Seconds that a reader has for one file."""
    environments: str = str(ROOT / "data" / "benchmarks" / "environments")
    """Where the libraries' virtual environments are stored, or made."""
    quick: bool = False
    """Cases alone, and only readers whose environment is there; nothing kept; for tests."""


def expected_cases(folder: Path) -> dict[str, list[Any]]:
    """Expected notes of the songs of each case that is one of reading alone."""
    found: dict[str, list[Any]] = {}
    for path in sorted(folder.glob("expected*.json")):
        for name, expected in files.read_json(path).items():
            songs = expected if isinstance(expected, list) else expected.get("songs", [])
            if songs:
                found[name] = [song["notes"] for song in songs]
    return found


def run_cases(readers: list[Reader], folder: Path) -> dict[str, Any]:
    """Cases right of each reader, by format. Equal notes count once; lost tunes are no songs."""
    right: dict[str, Counter[str]] = {}
    of_format: Counter[str] = Counter()
    wrong: dict[str, list[str]] = {}
    for name, songs in expected_cases(folder).items():
        kind = Path(name).suffix.lower()
        of_format[kind] += 1
        for reader in readers:
            if kind in reader.library.suffixes:
                pieces = [piece for piece in reader.answer(folder / name).pieces if piece]
                fits = [counted(piece, False) for piece in pieces] == [counted(song, False) for song in songs]
                right.setdefault(reader.name, Counter())[kind] += fits
                if not fits:
                    wrong.setdefault(reader.name, []).append(name)
    kinds = list(of_format)
    table: list[tuple[str, ...]] = [("hand-made cases right", *kinds)]
    for name, count in right.items():
        tried = LIBRARIES[name].suffixes
        table.append((name, *(f"{count[kind]} of {of_format[kind]}" if kind in tried else "-" for kind in kinds)))
    print_table(table)
    return {"cases": dict(of_format), "right": {n: dict(c) for n, c in right.items()}, "wrong": wrong}


def sample(corpus: str, temporary: Path) -> list[Path]:
    """Files of a corpus in random order, the same every time; the tunes of its tune books."""
    place, colon, number = corpus.partition("=")[2].rpartition(":")
    if not (colon and number.isdigit()):
        place, number = corpus.partition("=")[2], ""
    folder, pattern = (Path(place), "*") if Path(place).is_dir() else (Path(place).parent, Path(place).name)
    suffixes = {suffix for library in LIBRARIES.values() for suffix in library.suffixes}
    every = [path for path in sorted(folder.rglob(pattern)) if path.suffix.lower() in suffixes]
    if not every:
        raise InputError(f"corpora: no scores in {corpus}; expected NAME=FOLDER, NAME=FOLDER/*.mid or NAME=FOLDER:20")
    every = [piece for path in every for piece in (_split(path, temporary) if path.suffix in ABC else [path])]
    random.Random(0).shuffle(every)
    return every[: int(number)] if number else every


def _split(book: Path, temporary: Path) -> list[Path]:
    found = []
    for index, tune in enumerate(tunes(book)):
        found.append(temporary / f"{book.stem}-{index}.abc")
        found[-1].write_bytes(tune.encode("latin-1"))
    return found


def read_all(readers: list[Reader], paths: list[Path], config: Config) -> dict[Path, Answers]:
    """What every reader makes of each file, in turn, until the time is up."""
    begun = time.monotonic()
    answers: dict[Path, Answers] = {}
    taken: dict[str, list[float]] = {reader.name: [] for reader in readers}
    for number, path in enumerate(paths):
        if time.monotonic() - begun > 60 * config.minutes:
            break
        answers[path] = {}
        for reader in readers:
            slow = bool(taken[reader.name]) and np.mean(taken[reader.name]) > config.slow_s
            if path.suffix.lower() in reader.library.suffixes and (number % EVERY == 0 or not slow):
                answers[path][reader.name] = reader.answer(path)
                taken[reader.name].append(answers[path][reader.name].seconds)
    return answers


def others(name: str, found: Answers) -> list[bool]:
    """Whether each other reader that counts and can read the file has the notes of this one."""
    mine = LIBRARIES[name]
    return [
        same(found[name], answer, mine.unisons and LIBRARIES[other].unisons)
        for other, answer in found.items()
        if other not in (name, BEFORE) and answer.read
    ]


def right(name: str, found: Answers) -> bool:
    """Whether at least half of the others agree."""
    agree = others(name, found)
    return found[name].read and 2 * sum(agree) >= len(agree)


def compare(answers: dict[Path, Answers]) -> dict[str, Any]:
    """The figures of one corpus."""
    names = list(dict.fromkeys(name for found in answers.values() for name in found))
    figures: dict[str, Any] = {"files": len(answers), "readers": {}}
    for name in names:
        tried = [found for found in answers.values() if name in found]
        voted = [found for found in tried if len(others(name, found)) >= FEWEST]
        figures["readers"][name] = {
            "files": len(tried),
            "refused": sum(not found[name].read for found in tried),
            "compared": len(voted),
            "right": sum(right(name, found) for found in voted),
            "as_one_other": sum(found[name].read and any(others(name, found)) for found in voted),
            "as_all_others": sum(found[name].read and all(others(name, found)) for found in voted),
            "seconds_per_file": round(sum(found[name].seconds for found in tried) / max(len(tried), 1), 4),
        }
    if OURS in names:
        odd = [path for path, found in answers.items() if len(others(OURS, found)) >= FEWEST and not right(OURS, found)]
        figures["ours_differs"] = [f"{path.parent.name}/{path.name}" for path in odd[:LISTED]]
        figures["ours_miscounted"] = sum(found[OURS].miscounted for found in answers.values())
    if {OURS, BEFORE} <= set(names):
        figures["before_and_after"] = before_and_after(answers)
    return figures


def before_and_after(answers: dict[Path, Answers]) -> dict[str, Any]:
    """Files whose notes changed, as sets of (onset, pitch, duration), and files that only one can read."""
    tried = [found for found in answers.values() if {OURS, BEFORE} <= found.keys()]
    both = [found for found in tried if found[OURS].read and found[BEFORE].read]
    judged = [found for found in both if len(others(OURS, found)) >= FEWEST]
    return {
        "read_by_both": len(both),
        "only_before": sum(found[BEFORE].read and not found[OURS].read for found in tried),
        "only_after": sum(found[OURS].read and not found[BEFORE].read for found in tried),
        "changed": sum(not same(found[OURS], found[BEFORE], False) for found in both),
        "right_after_only": sum(right(OURS, found) and not right(BEFORE, found) for found in judged),
        "right_before_only": sum(right(BEFORE, found) and not right(OURS, found) for found in judged),
    }


def downbeat_figures(answers: dict[Path, Answers]) -> dict[str, Any]:
    """How well metres of annotated MIDI scores fit their downbeats: mean F, and scores where all fit."""
    scored: dict[str, list[float]] = {OURS: [], BEFORE: []}
    upbeats = 0
    for path, found in answers.items():
        if path.suffix.lower() != ".mid" or not all(name in found and found[name].read for name in scored):
            continue
        expected = annotated(path)
        if expected is None:
            continue
        upbeats += has_upbeat_of_its_own(path)
        for name, values in scored.items():
            values.append(f_score(stated(found[name].works[0]), expected))
    n = len(scored[OURS])
    summary = {
        name: {"mean_f": round(float(np.mean(values)), 4), "all_right": sum(value > 0.999 for value in values)}
        for name, values in scored.items()
        if values
    }
    return {"scores": n, "upbeats_with_a_metre_of_their_own": upbeats, **summary} if n else {}


def print_corpus(name: str, figures: dict[str, Any]) -> None:
    print()
    head = (
        f"{name}: {figures['files']} files",
        "files",
        "refused",
        "right",
        "as one other",
        "as all others",
        "s per file",
    )
    table: list[tuple[str, ...]] = [head]
    for reader, row in figures["readers"].items():
        of = row["compared"]
        numbers = (f"{row['right']} of {of}", f"{row['as_one_other']} of {of}", f"{row['as_all_others']} of {of}")
        table.append((reader, f"{row['files']}", f"{row['refused']}", *numbers, f"{row['seconds_per_file']:.4f}"))
    print_table(table)
    for key in ("before_and_after", "downbeats"):
        if figures.get(key):
            print(key.replace("_", " ") + ":", ", ".join(f"{k} {v}" for k, v in figures[key].items()))
    if figures.get("ours_differs"):
        print("ours differs:", ", ".join(figures["ours_differs"][:10]), flush=True)


def benchmark(config: Config) -> dict[str, Any]:
    readers = []
    for name in config.readers:
        if name not in LIBRARIES:
            raise InputError(f"readers: {name!r}; expected {', '.join(LIBRARIES)}")
        reader = Reader(name, Path(config.environments), config.limit_s)
        if not reader.ready and not config.quick and reader.environment:
            reader.environment.make()
        if reader.ready:
            reader.start()
            readers.append(reader)
    result: dict[str, Any] = {"versions": {reader.name: reader.version for reader in readers}}
    try:
        result["cases"] = run_cases(readers, Path(config.cases))
        result["corpora"] = {}
        with tempfile.TemporaryDirectory() as temporary:
            for number, corpus in enumerate(() if config.quick else config.corpora or ()):
                place = Path(temporary, str(number))
                place.mkdir()
                answers = read_all(readers, sample(corpus, place), config)
                figures = compare(answers)
                figures["downbeats"] = downbeat_figures(answers)
                name = corpus.partition("=")[0]
                print_corpus(name, figures)
                result["corpora"][name] = figures
    finally:
        for reader in readers:
            reader.stop()
    return result


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
