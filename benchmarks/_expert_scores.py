"""Scores with experts' analyses, from the tables of the DCML corpora (github.com/DCMLab), for measuring alone.

Of each piece `notes/<piece>.notes.tsv` gives the notes (tied ones joined, grace notes left out, each passage once, with
second endings), `measures/<piece>.measures.tsv` the metres and `harmonies/<piece>.harmonies.tsv` the analysis. A label
holds from its onset up to the next. All notes are given the piano: the tables do not name instruments.
"""

import csv
import re
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from music_interpret.music.chords import QUALITIES
from music_interpret.music.concepts.concept import NONE
from music_interpret.music.concepts.expert import INVERSION_OF_FIGURES
from music_interpret.music.concepts.harmony import INVERSIONS
from music_interpret.music.notes import sort_notes
from music_interpret.music.songs import Songs

RESOLUTION = 12
FITTED = (
    "beethoven_piano_sonatas",
    "kozeluh_sonatas",
    "jc_bach_sonatas",
    "cpe_bach_keyboard",
    "couperin_concerts",
    "couperin_clavecin",
    "bach_en_fr_suites",
    "bach_solo",
    "chopin_mazurkas",
    "dvorak_silhouettes",
    "liszt_pelerinage",
    "tchaikovsky_seasons",
    "wf_bach_sonatas",
    "pergolesi_stabat_mater",
    "handel_keyboard",
)
"""Corpora that weights are fitted on; figures are reported on others."""
UNSEEN = (
    "corelli",
    "ABC",
    "mozart_piano_sonatas",
    "grieg_lyric_pieces",
    "monteverdi_madrigals",
    "schumann_kinderszenen",
)
QUALITY_OF_TYPE = {
    "M": "major",
    "m": "minor",
    "o": "diminished",
    "+": "augmented",
    "Mm7": "dominant seventh",
    "MM7": "major seventh",
    "mm7": "minor seventh",
    "mM7": "minor",
    "o7": "diminished seventh",
    "%7": "half-diminished seventh",
    "+7": "augmented",
    "+M7": "augmented",
}
"""Ours for the chord types of the tables; a seventh that we have no name for is left out. Augmented sixths, 1 % of the
labels, are left out of qualities, and of roots, for theirs is not one of their own notes' (a German sixth sounds as a
dominant seventh)."""
AUGMENTED_SIXTHS = ("It", "Ger", "Fr")
MAJOR_SCALE, MINOR_SCALE = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
DEGREES = ("i", "ii", "iii", "iv", "v", "vi", "vii")
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
CADENCES = ("PAC", "IAC", "HC")
"""Kinds of cadence; deceptive, evaded and plagal ones are rare and count as none."""


class Labels(NamedTuple):
    """What an expert says, by note, int64 (n_notes,), -1 where nothing is said."""

    root: np.ndarray
    """Pitch class."""
    quality: np.ndarray
    """Number in `QUALITIES`."""
    inversion: np.ndarray
    """Number of thirds of the chord below which its bass stands, 0 … 3."""
    local: np.ndarray
    """Number in `KEYS`."""
    home: np.ndarray
    """Number in `KEYS`."""
    cadence: np.ndarray
    """Number in `CADENCES`, at the onset where it arrives."""
    phrase_end: np.ndarray
    """1 where a phrase ends at the note's onset, 0 elsewhere; -1 throughout if the table has no phrases."""
    phrase_start: np.ndarray
    """As `phrase_end`."""
    segment: np.ndarray
    """Number of the label in force."""


class Piece(NamedTuple):
    """One piece."""

    name: str
    notes: np.ndarray
    """As `music/notes.py` says, int64 (n_notes, 5)."""
    metres: list[list[int]]
    """As `music/metres.py` says."""
    labels: Labels


def read_corpus(folder: Path) -> list[Piece]:
    """All pieces of a corpus that have an analysis with chord types."""
    found = []
    for path in sorted((folder / "harmonies").glob("*.harmonies.tsv")):
        name = path.name.removesuffix(".harmonies.tsv")
        labels = _rows(path)
        if "chord_type" in labels[0] and any(row["chord_type"] for row in labels):
            notes = _notes(_rows(folder / "notes" / f"{name}.notes.tsv"))
            metres = _metres(_rows(folder / "measures" / f"{name}.measures.tsv"))
            found.append(Piece(name, notes, metres, _labels(labels, notes)))
    return found


def songs_of(pieces: list[Piece], *, metres: bool = True) -> Songs:
    """The pieces' notes, with their metres or with estimates."""
    names = [str(number) for number in range(len(pieces))]
    known = {name: piece.metres for name, piece in zip(names, pieces, strict=True)} if metres else None
    return Songs.of([piece.notes for piece in pieces], RESOLUTION, names=names, metres=known)


def labels_of(pieces: list[Piece]) -> Labels:
    """The pieces' labels end to end; numbers of segments go on."""
    columns = zip(*(piece.labels for piece in pieces), strict=True)
    joined = Labels(*(np.concatenate(column) for column in columns))
    song = np.repeat(np.arange(len(pieces)), [len(piece.notes) for piece in pieces])
    segment = np.where(joined.segment == NONE, NONE, joined.segment + song * 100_000)
    return joined._replace(segment=segment)


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _steps(text: str) -> int:
    return round(Fraction(text) * RESOLUTION)


def _notes(rows: list[dict[str, str]]) -> np.ndarray:
    found: list[list[int]] = []
    open_ties: dict[tuple[str, str, int], int] = {}
    for row in rows:
        if row["quarterbeats"] == "" or row.get("gracenote"):
            continue
        onset, end = (
            _steps(row["quarterbeats"]),
            _steps(str(Fraction(row["quarterbeats"]) + Fraction(row["duration_qb"]).limit_denominator(960))),
        )
        pitch, tied = int(row["midi"]), row.get("tied", "").removesuffix(".0")
        key = row["midi"], row["staff"], onset
        if tied in ("0", "-1") and key in open_ties:
            number = open_ties.pop(key)
            found[number][3] = end - found[number][0] * RESOLUTION - found[number][1]
        elif tied == "-1":
            continue
        else:
            number = len(found)
            found.append([*divmod(onset, RESOLUTION), pitch, max(end - onset, 1), 0])
        if tied in ("0", "1"):
            open_ties[row["midi"], row["staff"], end] = number
    return sort_notes(np.array(found, np.int64).reshape(-1, 5))


def _metres(rows: list[dict[str, str]]) -> list[list[int]]:
    found: list[list[int]] = []
    for row in rows:
        if row["quarterbeats"] == "":
            continue
        upper, lower = map(int, row["timesig"].split("/"))
        downbeat = _steps(row["quarterbeats"]) - _steps(str(Fraction(row["mc_offset"] or "0") * 4))
        bar = max(upper * 4 * RESOLUTION // lower, 1)
        if not found or found[-1][1:] != [upper, lower] or (downbeat - found[-1][0]) % bar:
            while found and found[-1][0] >= downbeat:
                found.pop()
            found.append([downbeat, upper, lower])
    return found


def _labels(rows: list[dict[str, str]], notes: np.ndarray) -> Labels:
    rows = [row for row in rows if row["quarterbeats"] != ""]
    onset = notes[:, 0] * RESOLUTION + notes[:, 1]
    at = np.array([_steps(row["quarterbeats"]) for row in rows])
    chordal = np.array([row["chord"] != "" for row in rows])
    place = np.flatnonzero(chordal)
    current = np.searchsorted(at[place], onset, side="right") - 1
    columns = [list(column) for column in zip(*(_chord(rows[i]) for i in place), strict=True)]
    root, quality, inversion, local, home = (
        np.where(current < 0, NONE, np.array(column)[np.maximum(current, 0)]) for column in columns
    )
    cadence = _at_onsets(at, [_cadence(row.get("cadence") or "") for row in rows], onset)
    signs = [row.get("phraseend") or "" for row in rows]
    ends = _at_onsets(at, [0 if "}" in sign or "\\" in sign else NONE for sign in signs], onset) + 1
    starts = _at_onsets(at, [0 if "{" in sign else NONE for sign in signs], onset) + 1
    if not any(signs):
        ends = starts = np.full(len(onset), NONE)
    return Labels(root, quality, inversion, local, home, cadence, ends, starts, current)


def _at_onsets(at: np.ndarray, values: list[int], onset: np.ndarray) -> np.ndarray:
    numbers = np.array(values)
    at, numbers = at[numbers != NONE], numbers[numbers != NONE]
    place = np.searchsorted(at, onset)
    same = np.append(at, -(10**9))[place] == onset
    return np.where(same, np.append(numbers, NONE)[place], NONE)


def _cadence(text: str) -> int:
    kind = text.split(".")[0]
    return CADENCES.index(kind) if kind in CADENCES else NONE


def _chord(row: dict[str, str]) -> tuple[int, int, int, int, int]:
    """Root, quality, inversion, local key, home key of a label."""
    minor = row["globalkey"][0].islower()
    tonic = _pitch_class(row["globalkey"])
    local, local_minor = _local_key(row["localkey"], tonic, minor)
    keys = local + 12 * local_minor, tonic + 12 * minor
    kind = row["chord_type"]
    if not row["root"] or kind in AUGMENTED_SIXTHS:
        return NONE, NONE, NONE, *keys
    root = (local + 7 * int(float(row["root"]))) % 12
    inversion = INVERSION_OF_FIGURES.get(row["figbass"].removesuffix(".0"))
    return (
        root,
        QUALITIES.index(QUALITY_OF_TYPE[kind]) if kind in QUALITY_OF_TYPE else NONE,
        NONE if inversion is None else INVERSIONS.index(inversion),
        *keys,
    )


def _pitch_class(name: str) -> int:
    return (STEPS[name[0].upper()] + name.count("#") - name[1:].count("b")) % 12


def _local_key(text: str, tonic: int, minor: bool) -> tuple[int, bool]:
    """A numeral in a key, "bVI" or "V/iii"."""
    for numeral in reversed(text.split("/")):
        degree = re.sub("[#b]", "", numeral)
        scale = MINOR_SCALE if minor else MAJOR_SCALE
        tonic += scale[DEGREES.index(degree.lower())] + numeral.count("#") - numeral.count("b")
        minor = degree.islower()
    return tonic % 12, minor
