"""How many notes of scores that have spelling get their own names from `spelling_estimation.py`, and how fast.

Compared with ps13s1 (Meredith 2006, context of 10 notes before and 42 after), written out here, and, with
`--partitura_python`, partitura's `estimate_spelling`, which is that algorithm too.

The tables of the estimate were fitted to pieces of `FITTED`; those corpora are listed apart. "plain" is the fraction of
notes with their own name; "shifted" is the same when each whole piece may be moved enharmonically, since nothing
but convention tells F♯ major from G♭ major.

    python3 benchmarks/spelling.py --scores FOLDER [--dcml FOLDER] [--partitura_python PYTHON] [--quick]

`--scores` holds `lieder/` and `quartets/` (OpenScore, .mxl); `--dcml` holds git directories `DCMLab+<corpus>/repo`.
music21's corpora come with the package.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _measuring import print_table, run_benchmark
from _spelled_scores import RESOLUTION, Piece, dcml, music21_score, musicxml

from music_interpret.config import CheckedConfig
from music_interpret.music.songs import Songs
from music_interpret.music.spelling import LETTERS
from music_interpret.music.spelling_estimation import spelled

FITTED = (
    "mozart_piano_sonatas",
    "chopin_mazurkas",
    "beethoven_piano_sonatas",
    "bach_en_fr_suites",
    "tchaikovsky_seasons",
    "grieg_lyric_pieces",
    "lieder, a tenth",
    "music21 bach",
)
"""Up to 36 pieces of each."""
OTHERS = (
    "corelli",
    "ABC",
    "liszt_pelerinage",
    "dvorak_silhouettes",
    "schumann_kinderszenen",
    "monteverdi_madrigals",
    "couperin_concerts",
    "cpe_bach_keyboard",
    "pergolesi_stabat_mater",
    "wf_bach_sonatas",
    "handel_keyboard",
    "kozeluh_sonatas",
    "jc_bach_sonatas",
    "bach_solo",
    "lieder, another tenth",
    "quartets",
    "music21 monteverdi",
    "music21 beethoven",
    "music21 haydn",
    "music21 mozart",
    "music21 palestrina",
    "music21 trecento",
)
FEWEST_NOTES = 20
PARTITURA = """
import json, sys, numpy as np, time
from partitura.musicanalysis import estimate_spelling
names = json.load(open(sys.argv[1])); seconds = 0
for name in names:
    notes = np.load(name)
    array = np.zeros(len(notes), [("onset_beat", "f4"), ("duration_beat", "f4"), ("pitch", "i4")])
    array["onset_beat"] = notes[:, 0] + notes[:, 1] / 12
    array["duration_beat"], array["pitch"] = notes[:, 3] / 12, notes[:, 2]
    begun = time.perf_counter(); found = estimate_spelling(array); seconds += time.perf_counter() - begun
    fifths = np.array(["FCGDAEB".index(step) - 1 for step in found["step"]]) + 7 * found["alter"]
    np.save(name, fifths)
print(seconds)
"""


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Spell scores and compare."""

    scores: str = ""
    """Holds `lieder/` and `quartets/`."""
    dcml: str = ""
    """Holds git directories of DCML corpora."""
    partitura_python: str = ""
    """An interpreter that has partitura."""
    quick: bool = False
    """A few pieces of each corpus, nothing kept in results/."""


def pieces_of(corpus: str, config: Config) -> list[Piece]:
    """The pieces of a corpus, [] where it is not there."""
    if corpus.startswith("music21 "):
        import music21

        folder = Path(music21.__file__).parent / "corpus" / corpus.removeprefix("music21 ")
        paths = sorted(p for p in folder.rglob("*") if p.suffix in (".mxl", ".xml", ".musicxml"))
        if not paths:
            paths = sorted(folder.rglob("*.krn"))[:25]
        return _read(paths, musicxml if paths and paths[0].suffix != ".krn" else music21_score, config)
    if corpus.startswith("lieder") or corpus == "quartets":
        paths = sorted((Path(config.scores) / corpus.split(",")[0]).glob("*.mxl")) if config.scores else []
        offset = {"lieder, a tenth": 0, "lieder, another tenth": 5}.get(corpus)
        return _read(paths if offset is None else paths[offset::10], musicxml, config)
    mirror = Path(config.dcml) / f"DCMLab+{corpus}" / "repo"
    found = list(dcml(mirror)) if config.dcml and mirror.is_dir() else []
    return [p for p in found[:: 10 if config.quick else 1] if len(p.notes) >= FEWEST_NOTES]


def _read(paths: list[Path], reader: Callable[[Path], Piece], config: Config) -> list[Piece]:
    found = []
    for path in paths[:: 10 if config.quick else 1]:
        piece = reader(path)
        if len(piece.notes) >= FEWEST_NOTES:
            found.append(piece)
    return found


def ps13s1(songs: Songs, before: int = 10, after: int = 42) -> np.ndarray:
    """Each note's name by the tonics that its context favours (Meredith 2006, stage 1): line-of-fifths numbers."""
    degrees = np.array([0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6])  # of the harmonic chromatic scale
    first_degree = np.array([0, 0, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6])  # C C♯ D E♭ E F F♯ G A♭ A B♭ B
    pitch_class, rows = songs.pitch % 12, np.arange(len(songs))
    counts = np.zeros((len(songs) + 1, 12), np.int32)
    counts[rows + 1, pitch_class] = 1
    np.cumsum(counts, axis=0, out=counts)
    context = counts[np.minimum(rows + after, songs.first_note[songs.song + 1])]
    context = context - counts[np.maximum(rows - before, songs.first_note[songs.song])]
    first = pitch_class[songs.first_note[:-1]][songs.song]
    strength = np.zeros((len(songs), 7), np.int64)
    for tonic in range(12):
        degree = first_degree[first] - degrees[(first - tonic) % 12] + degrees[(pitch_class - tonic) % 12]
        strength[rows, degree % 7] += context[:, tonic]
    letter = strength.argmax(axis=1)
    natural = np.array([0, 2, 4, 5, 7, 9, 11])[letter]
    fifths = np.array([LETTERS.index(name) - 1 for name in "CDEFGAB"])[letter]
    return fifths + 7 * ((pitch_class - natural + 6) % 12 - 6)


def right(found: np.ndarray, truth: np.ndarray, songs: Songs) -> dict[str, float]:
    """Fractions of notes with their own names: as they are, and with each song shifted as fits it best."""
    shifted = [np.bincount(songs.song, found + by == truth, songs.n_songs) for by in (-12, 0, 12)]
    return {
        "plain": round(float(np.mean(found == truth)), 4),
        "shifted": round(float(np.max(shifted, axis=0).sum() / len(truth)), 4),
    }


def partitura(pieces: list[Piece], python: str) -> tuple[np.ndarray, float]:
    """What partitura says, and its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{i}.npy") for i in range(len(pieces))]
        for path, piece in zip(paths, pieces, strict=True):
            np.save(path, piece.notes)
        listed = Path(folder) / "names.json"
        listed.write_text(json.dumps(paths))
        ran = subprocess.run([python, "-c", PARTITURA, str(listed)], capture_output=True, text=True, check=True)
        return np.concatenate([np.load(path) for path in paths]), float(ran.stdout.split()[-1])


def measured(pieces: list[Piece], config: Config) -> dict[str, Any]:
    """All figures of one corpus."""
    metres = {str(i): [[0, 4, 4]] for i in range(len(pieces))}
    songs = Songs.of([piece.notes for piece in pieces], RESOLUTION, metres=metres)
    truth = np.concatenate([piece.spelling for piece in pieces]).astype(np.int64)
    begun = time.perf_counter()
    ours = spelled(songs).astype(np.int64)
    seconds = time.perf_counter() - begun
    found: dict[str, Any] = {"pieces": len(pieces), "notes": len(truth), "seconds": round(seconds, 3)}
    found |= {"ours": right(ours, truth, songs), "ps13s1": right(ps13s1(songs), truth, songs)}
    if config.partitura_python:
        theirs, theirs_seconds = partitura(pieces, config.partitura_python)
        found |= {"partitura": right(theirs, truth, songs), "partitura_seconds": round(theirs_seconds, 3)}
    return found


def spelling(config: Config) -> dict[str, Any]:
    """Measure every corpus that is there."""
    if not (config.scores and config.dcml) and not config.quick:
        print("not all corpora: nothing is measured; give their folders with --scores and --dcml, or --quick")
        raise SystemExit
    corpora = {}
    for corpus in (*FITTED, *OTHERS):
        if pieces := pieces_of(corpus, config):
            corpora[corpus] = measured(pieces, config)
            print(corpus, corpora[corpus], flush=True)
    methods = ("ours", "ps13s1", "partitura")
    summaries = {
        title: {
            method: {
                kind: round(sum(c["notes"] * c[method][kind] for c in chosen) / sum(c["notes"] for c in chosen), 4)
                for kind in ("plain", "shifted")
            }
            for method in methods
            if chosen and method in chosen[0]
        }
        for title, names in (("fitted", FITTED), ("others", OTHERS))
        if (chosen := [corpora[name] for name in names if name in corpora])
    }
    rows = [
        (name, f"{c['notes']:,}", *(f"{c[m][k]:.2%}" for m in methods if m in c for k in ("plain", "shifted")))
        for name, c in corpora.items()
    ]
    used = [m for m in methods if any(m in c for c in corpora.values())]
    print_table([("corpus", "notes", *(f"{m} {k}" for m in used for k in ("plain", "shifted"))), *rows])
    others = summaries.get("others", {}).get("ours", {}).get("plain")
    target = {} if others is None else {"right on others": {"value": others, "at_least": 0.98, "met": others >= 0.98}}
    return {"corpora": corpora, "summaries": summaries, "targets": target}


if __name__ == "__main__":
    run_benchmark(Config, spelling)
