"""How far concepts agree with experts' analyses, and how fast chords and keys are found.

    python3 benchmarks/harmony.py [--corpora data/dcml] [--quick]

The folder has clones of DCML corpora (`git clone https://github.com/DCMLab/corelli`, …), for measuring alone: their
licence is CC BY-NC-SA. Reported are corpora that no weight was fitted on (`UNSEEN`); whichever of them is missing is
left out. Everything is counted at notes, cadences at onsets. Intervals are of 1,000 bootstrap samples of the pieces.

- root, quality, inversion, keys: the fraction of the notes at which ours is the expert's, of those where the expert
  names one; no value counts as wrong. Triads with a major seventh above a minor third count as minor, augmented ones
  with any seventh as augmented; augmented sixths are left out.
- non-chord note: F1, the expert's being notes outside of the root and kind that the label names, so that a 4 written as
  a suspension is one.
- cadence: F1 over kind and onset, and as "within a beat" with the expert's of the same kind up to a quarter note away.
- phrase start and end, chord change: Matthews' correlation over notes.
- downbeat, metre and chords with the metre hidden: the metre is estimated from the notes.

The figures go into `music_interpret/music/concepts/reliability.json`, from which `docs/concepts.md` and the page read.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _expert_scores import CADENCES, RESOLUTION, UNSEEN, Labels, labels_of, read_corpus, songs_of
from _measuring import ROOT, print_table, run_benchmark, target

from music_interpret import files
from music_interpret.config import CheckedConfig
from music_interpret.music.chord_segments import SEGMENT_QUALITIES
from music_interpret.music.chords import NOT_IN_CHORD, roles
from music_interpret.music.concepts import form, harmony, key, metre
from music_interpret.music.concepts.concept import NONE, Concept
from music_interpret.music.concepts.reliability import RELIABILITY
from music_interpret.music.songs import Songs

SAMPLES = 1000
TARGETS = {
    "chord root": 0.8,
    "chord quality": 0.7,
    "inversion": 0.75,
    "non-chord note": 0.5,
    "cadence": 0.4,
    "downbeat, the metre hidden": 0.8,
}


@dataclass(frozen=True, kw_only=True)
class Config(CheckedConfig):
    """Measure agreement with experts."""

    corpora: str = str(ROOT / "data" / "dcml")
    """Folder of DCML corpora, a folder each."""
    quick: bool = False
    """The first four pieces of each, nothing kept."""


class Case(NamedTuple):
    """What is compared, by note."""

    concept: str
    measure: str
    """accuracy, F1 or MCC."""
    found: np.ndarray
    """Value numbers, or booleans."""
    expected: np.ndarray
    known: np.ndarray
    """Where the expert says something, bool."""


def cases(songs: Songs, hidden: Songs, labels: Labels) -> list[Case]:
    """Everything that is compared at notes.

    Args:
        songs: with their metres.
        hidden: the same without.
        labels: the expert's.
    """
    has_root, has_key = labels.root != NONE, labels.local != NONE
    has_inversion = labels.inversion != NONE
    both = has_root & (labels.quality != NONE)
    role = harmony.SEGMENT_ROLE[roles(songs.pitch, labels.quality, labels.root)]
    not_in = (roles(songs.pitch, labels.quality, labels.root) == NOT_IN_CHORD) & both
    named = np.where(labels.quality == NONE, NONE, harmony.NAMED_QUALITY[labels.quality])
    chord = np.where(named == NONE, NONE, named * 12 + labels.root)
    new = np.zeros(len(songs), bool)
    new[1:] = (labels.root[1:] != labels.root[:-1]) | (labels.quality[1:] != labels.quality[:-1])
    first = np.isin(np.arange(len(songs)), songs.group_first[:-1])
    new = (new & first)[songs.group_first[:-1]][songs.group]
    new &= songs.group != songs.group[songs.first_note[songs.song]]
    has_phrases = labels.phrase_end != NONE
    every = np.ones(len(songs), bool)

    def value(concept: Concept, expected: np.ndarray, known: np.ndarray) -> Case:
        return Case(concept.name, "accuracy", concept(songs), expected, known)

    def sign(concept: Concept, measure: str, expected: np.ndarray, known: np.ndarray) -> Case:
        return Case(concept.name, measure, concept(songs) != NONE, expected, known)

    return [
        value(harmony.chord_root, labels.root, has_root),
        value(harmony.chord_quality, labels.quality, both),
        value(harmony.chord, chord, chord != NONE),
        value(harmony.inversion, labels.inversion, has_inversion),
        value(harmony.role, role, both),
        sign(harmony.non_chord_note, "F1", not_in, both),
        sign(harmony.chord_change, "MCC", new, both),
        value(key.chord_degree, (labels.root - labels.local) % 12, has_root & has_key),
        value(key.passage_key, labels.local, has_key),
        value(key.passage_mode, labels.local // 12, has_key),
        value(key.local_key, labels.local, has_key),
        value(key.mode, labels.local // 12, has_key),
        value(key.scale_degree, (songs.pitch - labels.local) % 12, has_key),
        value(key.home_key, labels.home, has_key),
        value(key.home_mode, labels.home // 12, has_key),
        value(key.home_degree, (songs.pitch - labels.home) % 12, has_key),
        sign(form.phrase_start, "MCC", labels.phrase_start == 1, has_phrases & (labels.phrase_start >= 0)),
        sign(form.phrase_end, "MCC", labels.phrase_end == 1, has_phrases),
        Case("chord root, the metre hidden", "accuracy", harmony.chord_root(hidden), labels.root, has_root),
        Case("chord quality, the metre hidden", "accuracy", harmony.chord_quality(hidden), labels.quality, both),
        Case("inversion, the metre hidden", "accuracy", harmony.inversion(hidden), labels.inversion, has_inversion),
        Case("downbeat, the metre hidden", "MCC", metre.downbeat(hidden) != NONE, metre.downbeat(songs) != NONE, every),
        Case("metre, the metre hidden", "accuracy", metre.metre(hidden), metre.metre(songs), every),
    ]


def counts(case: Case, songs: Songs) -> np.ndarray:
    """By piece: right and known; or, of booleans, true and false positives, false and true negatives."""

    def by_piece(where: np.ndarray) -> np.ndarray:
        return np.bincount(songs.song[where & case.known], minlength=songs.n_songs)

    if case.measure == "accuracy":
        return np.stack([by_piece(case.found == case.expected), by_piece(case.known)], axis=1)
    found, expected = case.found, case.expected
    return np.stack(
        [
            by_piece(found & expected),
            by_piece(found & ~expected),
            by_piece(~found & expected),
            by_piece(~found & ~expected),
        ],
        axis=1,
    )


def cadence_counts(songs: Songs, labels: Labels, within_steps: int) -> np.ndarray:
    """By piece: true and false positives, false and (0) true negatives of cadences, by kind and onset."""
    first = songs.group_first[:-1]
    found, expected = form.cadence(songs)[first], labels.cadence[first]
    total = np.zeros((songs.n_songs, 4), np.int64)
    for kind in range(len(CADENCES)):
        ours, theirs = (np.flatnonzero(values == kind) for values in (found, expected))
        for rows, others, column in ((ours, theirs, 1), (theirs, ours, 2)):
            near = np.abs(songs.time[first][rows][:, None] - songs.time[first][others]) <= within_steps
            met = near.any(axis=1) if len(others) else np.zeros(len(rows), bool)
            song = songs.song[first][rows]
            np.add.at(total[:, column], song[~met], 1)
            if column == 2:
                np.add.at(total[:, 0], song[met], 1)
    return total


def measured(measure: str, total: np.ndarray) -> float:
    """The measure of counts (…, n); NaN where there is nothing to count."""
    if measure == "accuracy":
        right, known = total
        return float(right / known) if known else np.nan
    hit, false, missed, none = map(float, total)
    if measure == "F1":
        return 2 * hit / (2 * hit + false + missed) if hit + missed else np.nan
    product = (hit + false) * (hit + missed) * (none + false) * (none + missed)
    return (hit * none - false * missed) / product**0.5 if product else np.nan


def row(corpus: str, measure: str, by_piece: np.ndarray, notes: int) -> dict[str, Any] | None:
    """One entry of the result, None where the expert says nothing."""
    value = measured(measure, by_piece.sum(axis=0))
    if np.isnan(value):
        return None
    picks = np.random.default_rng(0).integers(0, len(by_piece), (SAMPLES, len(by_piece)))
    samples = [measured(measure, by_piece[pick].sum(axis=0)) for pick in picks]
    low, high = np.nanquantile(samples, [0.025, 0.975])
    interval = [round(float(low), 3), round(float(high), 3)]
    return {"corpus": corpus, "notes": notes, "measure": measure, "value": round(value, 3), "interval": interval}


def of_corpus(folder: Path, quick: bool) -> tuple[dict[str, dict[str, Any] | None], dict[str, Any]]:
    pieces = read_corpus(folder)[: 4 if quick else None]
    songs, hidden, labels = songs_of(pieces), songs_of(pieces, metres=False), labels_of(pieces)
    started = time.process_time()
    for concept in (harmony.chord_root, harmony.inversion, key.passage_key, form.cadence):
        concept(songs)
    seconds = time.process_time() - started
    found = {
        case.concept: row(folder.name, case.measure, counts(case, songs), int(case.known.sum()))
        for case in cases(songs, hidden, labels)
    }
    for name, within in (("cadence", 0), ("cadence, within a beat", RESOLUTION)):
        found[name] = row(folder.name, "F1", cadence_counts(songs, labels, within), len(songs))
    about = {"pieces": len(pieces), "notes": len(songs), "notes_a_second": round(len(songs) / seconds)}
    print(f"{folder.name}: {about}", flush=True)
    return found, about


def benchmark(config: Config) -> dict[str, Any]:
    folders = [Path(config.corpora) / name for name in UNSEEN]
    folders = [folder for folder in folders if (folder / "harmonies").is_dir()]
    if not folders:
        print(f"skipped: none of {', '.join(UNSEEN)} is in {config.corpora}; see the first lines of this script")
        sys.exit(0)
    results = {folder.name: of_corpus(folder, config.quick) for folder in folders}
    names = list(next(iter(results.values()))[0])
    concepts = {name: [entry for found, _ in results.values() if (entry := found[name]) is not None] for name in names}
    shown = {
        name: {entry["corpus"]: f"{entry['value']:.2f}" for entry in entries} for name, entries in concepts.items()
    }
    print_table(
        [
            ("concept", *results),
            *((name, *(cells.get(corpus, "") for corpus in results)) for name, cells in shown.items()),
        ]
    )
    if not config.quick:
        files.write_json(RELIABILITY, concepts)
    return {
        "corpora": {name: about for name, (_, about) in results.items()},
        "concepts": concepts,
        "targets": {
            name: {entry["corpus"]: target(entry["value"], least) for entry in concepts[name]}
            for name, least in TARGETS.items()
        },
        "qualities": list(SEGMENT_QUALITIES),
    }


if __name__ == "__main__":
    run_benchmark(Config, benchmark)
