"""How well the metre of songs without time signatures is estimated, held against corpora whose metre is known.

Each folder below `--corpora` is a corpus by its kind: a data set that `ingest` made (every second song, those that
`scripts/fit_metre_estimation.py` holds out), a DCML corpus (`notes/` and `measures/`, in written order), or ASAP
(`midi_score.mid` and `midi_score_annotations.txt`, as played). The metre is hidden, estimated and compared: Matthews
correlation of the concept "downbeat", over all notes and by song; bars of the right length and, of these, of the wrong
phase; songs in which every note's downbeat is right; the same by the score's signature.

    python3 benchmarks/metre_estimation.py --corpora FOLDER [--quick]
"""

import csv
import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _measuring import print_table, run_benchmark, target

from music_interpret.config import CheckedConfig
from music_interpret.errors import InputError
from music_interpret.music.concepts.metre import METRE_NAMES, bars
from music_interpret.music.dataset import open_dataset
from music_interpret.music.metres import read_metres
from music_interpret.music.score_metres import Stretch, shifted, signature_metres
from music_interpret.music.scores import note_array
from music_interpret.music.songs import Songs

RESOLUTION = 12
PIANO = 0


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Hold the estimates of metres against scores."""

    corpora: str | None = None
    """folder of corpora, each a folder (default: nothing is measured)"""
    quick: bool = False
    """take a tenth of the songs; keep nothing"""


class Song(NamedTuple):
    """A song whose metre is known."""

    name: str
    notes: np.ndarray
    metres: list[Stretch]


def read_corpus(folder: Path) -> list[Song]:
    """All songs of a corpus of any kind that have notes and a metre."""
    if (folder / "metres.json").is_file():
        songs = _data_set(folder)
    elif (folder / "measures").is_dir():
        songs = _dcml(folder)
    else:
        songs = _asap(folder)
    return [song for song in songs if len(song.notes) > 1 and song.metres]


def _data_set(folder: Path) -> Iterator[Song]:
    data, metres = open_dataset(folder), read_metres(folder)
    for name in sorted(name for name in data.names if metres.get(name))[1::2]:
        yield Song(name, data.notes(name), [(row[0], row[1], row[2]) for row in metres[name]])


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _steps(text: str) -> int:
    return round(Fraction(text) * RESOLUTION)


def _dcml(folder: Path) -> Iterator[Song]:
    """Notes as written: grace notes left out, ties joined, both endings."""
    for path in sorted((folder / "notes").glob("*.notes.tsv")):
        rows = [row for row in _rows(path) if not row.get("gracenote")]
        kind = "quarterbeats_all_endings" if "quarterbeats_all_endings" in rows[0] else "quarterbeats"
        rows = [row for row in rows if row[kind]]
        first_of: dict[tuple[int, str], list[int]] = {}
        notes: list[list[int]] = []
        for row in sorted(rows, key=lambda row: Fraction(row[kind])):
            start, pitch = _steps(row[kind]), int(float(row["midi"]))
            length = round(Fraction(row["duration_qb"]) * RESOLUTION)
            before = first_of.get((pitch, row["staff"]))
            if row["tied"].strip() in ("0", "-1", "0.0", "-1.0") and before and before[0] + before[2] == start:
                before[2] += length
                continue
            notes.append([start, pitch, length, PIANO])
            first_of[pitch, row["staff"]] = notes[-1]
        measures = _rows(folder / "measures" / path.name.replace(".notes.", ".measures."))
        kind = kind if kind in measures[0] else "quarterbeats"
        at = [
            (_steps(row[kind]), *map(int, row["timesig"].split("/")))
            for row in measures
            if row[kind] and Fraction(row["mc_offset"] or 0) == 0 and not _is_upbeat(row)
        ]
        yield _song(path.name.removesuffix(".notes.tsv"), notes, at)


def _is_upbeat(row: dict[str, str]) -> bool:
    return row["mn"] == "0" and Fraction(row["act_dur"]) < Fraction(row["timesig"])


def _song(name: str, notes: list[list[int]], downbeats: list[Stretch]) -> Song:
    rows = np.array(notes, np.int64).reshape(-1, 4)
    first_beat = int(rows[:, 0].min()) // RESOLUTION
    return Song(
        name,
        note_array(rows, RESOLUTION),
        shifted(signature_metres(downbeats, RESOLUTION), first_beat * RESOLUTION, RESOLUTION),
    )


def _asap(folder: Path) -> Iterator[Song]:
    """Downbeats of the annotations; their seconds become beats by the MIDI file's own tempi."""
    import symusic

    for path in sorted(folder.rglob("midi_score.mid")):
        score: Any = symusic.Score(path)
        tempi = sorted((t.time, t.qpm) for t in score.tempos) or [(0, 120.0)]
        ticks = np.array([0, *(t for t, _ in tempi[1:])], float)
        beats = ticks / score.ticks_per_quarter
        seconds = np.cumsum([0.0, *(np.diff(beats) * 60 / np.array([q for _, q in tempi[:-1]]))])
        signature, downbeats = (4, 4), []
        for line in path.with_name("midi_score_annotations.txt").read_text(encoding="utf-8").splitlines():
            at, _, mark = line.split("\t")
            kind, *details = mark.split(",")
            if details and "/" in details[0]:
                numerator, denominator = map(int, details[0].split("/"))
                signature = numerator, denominator
            if kind == "db":
                section = np.searchsorted(seconds, float(at) + 1e-6, side="right") - 1
                beat = beats[section] + (float(at) - seconds[section]) * tempi[section][1] / 60
                downbeats.append((round(beat * RESOLUTION), *signature))
        tracks = [track.notes.numpy() for track in score.tracks if not track.is_drum]
        columns = [(n["time"], n["pitch"], n["time"] + n["duration"]) for n in tracks]
        onset, pitch, end = np.concatenate([np.stack(column) for column in columns], axis=1)
        onset, end = (np.rint(a * RESOLUTION / score.ticks_per_quarter).astype(int) for a in (onset, end))
        rows = np.stack([onset, pitch, end - onset, np.full_like(onset, PIANO)], axis=1)
        name = path.parent.relative_to(folder).as_posix()
        yield _song(name, rows.tolist(), downbeats)


class Agreement(NamedTuple):
    """Of one corpus."""

    songs: int
    notes: int
    downbeat_mcc: float
    """Over all notes."""
    song_mcc: float
    """Mean over songs; 1 where all agree, 0 where one side does not vary."""
    bar_length: float
    """Fraction of notes in bars of the right length."""
    phase_wrong: float
    """Fraction of notes in bars of the right length that begin elsewhere."""
    songs_right: float
    """Fraction of songs whose notes' downbeats are all right."""
    notes_a_second: float


def mcc(truth: np.ndarray, found: np.ndarray) -> float:
    """Matthews correlation of two boolean arrays."""
    if (truth == found).all():
        return 1.0
    if truth.min() == truth.max() or found.min() == found.max():
        return 0.0
    return float(np.corrcoef(truth, found)[0, 1])


def compare(songs: list[Song]) -> tuple[Agreement, dict[str, dict[str, float]]]:
    """Agreement of estimates with scores, in all and by the score's signature."""
    notes = [song.notes for song in songs]
    names = [str(number) for number in range(len(songs))]
    begun = time.process_time()
    hidden = Songs.of(notes, RESOLUTION, names=names)
    seconds = time.process_time() - begun
    known = Songs.of(notes, RESOLUTION, names=names, metres={n: s.metres for n, s in zip(names, songs, strict=True)})
    truth, found = known.once(bars), hidden.once(bars)
    at, guessed = truth.step == 0, found.step == 0
    as_long = truth.length == found.length
    shifted_bars = as_long & (truth.step != found.step)
    spans = list(itertools.pairwise(known.first_note))
    agreement = Agreement(
        len(songs),
        len(known),
        round(mcc(at, guessed), 3),
        round(float(np.mean([mcc(at[a:b], guessed[a:b]) for a, b in spans])), 3),
        round(float(as_long.mean()), 3),
        round(float(shifted_bars.mean()), 3),
        round(float(np.mean([(at[a:b] == guessed[a:b]).all() for a, b in spans])), 3),
        round(len(known) / seconds),
    )
    by_metre = {}
    for number, name in enumerate(METRE_NAMES):
        here = truth.metre == number
        if here.any():
            by_metre[name] = {
                "notes": int(here.sum()),
                "downbeat_mcc": round(mcc(at[here], guessed[here]), 3),
                "bar_length": round(float(as_long[here].mean()), 3),
                "phase_wrong": round(float(shifted_bars[here].mean()), 3),
            }
    return agreement, by_metre


def benchmark(arguments: Config) -> dict[str, Any]:
    if not arguments.corpora:
        print("no corpora: nothing is measured; give their folder with --corpora")
        sys.exit(0)
    folders = sorted(path for path in Path(arguments.corpora).glob("*") if path.is_dir())
    if not folders:
        raise InputError(f"{arguments.corpora} holds no folders; expected one for each corpus")
    table: list[tuple[str, ...]] = [("corpus", *Agreement._fields)]
    found = {}
    for folder in folders:
        songs = read_corpus(folder)[:: 10 if arguments.quick else 1]
        agreement, by_metre = compare(songs)
        of_mcc = target(agreement.downbeat_mcc, 0.8)
        found[folder.name] = agreement._asdict() | {"downbeat_mcc": of_mcc, "by_metre": by_metre}
        table.append((folder.name, *(f"{value:,}" for value in agreement)))
    print_table(table)
    return {"corpora": found}


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
