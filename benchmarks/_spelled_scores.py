"""Scores that say how their notes are spelled, read plainly: what `spelling.py` is measured against.

A piece is its notes as `music/notes.py` has them (12 steps per beat, program 0) and the line-of-fifths number of each
(C = 0, G = 1, F = -1), as they sound. Held notes count once, grace notes and percussion are left out. Two notes of one
onset and pitch, as in two voices, are two.
"""

import csv
import io
import subprocess
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

RESOLUTION = 12
FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
Row = tuple[Fraction, Fraction, int, int]
"""(Onset, duration, both in quarter notes, MIDI pitch, line-of-fifths number) of a note."""


class Piece(NamedTuple):
    """A piece with its spelling."""

    name: str
    """File name."""
    notes: np.ndarray
    """Rows (beat, position, pitch, duration, program), sorted, int64 (n_notes, 5)."""
    spelling: np.ndarray
    """Line-of-fifths number of each note, int8 (n_notes,)."""


def piece_of(name: str, rows: list[Row]) -> Piece:
    """A piece of its notes."""
    onset = np.array([round(row[0] * RESOLUTION) for row in rows], np.int64)
    duration = np.array([max(round(row[1] * RESOLUTION), 1) for row in rows], np.int64)
    pitch, spelling = np.array([row[2:] for row in rows], np.int64).reshape(-1, 2).T
    if ((spelling * 7 - pitch) % 12).any():
        raise ValueError(f"{name} has a note whose spelling is not its pitch")
    order = np.lexsort((duration, pitch, onset))
    notes = np.stack([onset // RESOLUTION, onset % RESOLUTION, pitch, duration, 0 * onset], 1)[order]
    return Piece(name, notes, spelling[order].astype(np.int8))


def musicxml(path: Path) -> Piece:
    """A MusicXML score, plain or compressed."""
    part_bars = [[_bar(bar, state) for bar in part.findall("measure")] for part, state in _parts(_xml(path))]
    n_bars = max(map(len, part_bars), default=0)
    rows: list[Row] = []
    begins = Fraction(0)
    for i in range(n_bars):
        bars = [bars[i] for bars in part_bars if i < len(bars)]
        for found, _, _ in bars:
            rows += [(begins + onset, *rest) for onset, *rest in found]
        # A whole-bar rest may be longer than a bar that is short.
        begins += max([length for _, length, rests in bars if not rests] or [length for _, length, _ in bars])
    return piece_of(path.name, [row for row in rows if row[1] >= 0])


def _xml(path: Path) -> ElementTree.Element:
    if path.suffix != ".mxl":
        return ElementTree.parse(path).getroot()
    with zipfile.ZipFile(path) as packed:
        inside = [n for n in packed.namelist() if n.endswith((".xml", ".musicxml")) and not n.startswith("META-INF")]
        return ElementTree.fromstring(packed.read(inside[0]))


def _parts(root: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, dict[str, int]]]:
    for part in root.findall("part"):
        yield part, {"divisions": 1, "semitones": 0, "steps": 0}


def _bar(bar: ElementTree.Element, state: dict[str, int]) -> tuple[list[Row], Fraction, bool]:
    """Notes of a bar from its beginning, its length, and whether it is nothing but rests."""
    now, last, end, only_rests = Fraction(0), Fraction(0), Fraction(0), True
    rows: list[Row] = []
    for element in bar:
        if element.tag == "attributes":
            state["divisions"] = int(element.findtext("divisions") or state["divisions"])
            if (transpose := element.find("transpose")) is not None:
                octaves = int(transpose.findtext("octave-change") or 0)
                state["semitones"] = int(float(transpose.findtext("chromatic") or 0)) + 12 * octaves
                state["steps"] = int(transpose.findtext("diatonic") or 0) + 7 * octaves
        elif element.tag in ("backup", "forward"):
            length = Fraction(element.findtext("duration") or 0) / state["divisions"]
            now += length if element.tag == "forward" else -length
        elif element.tag == "note":
            length = Fraction(element.findtext("duration") or 0) / state["divisions"]
            chord = element.find("chord") is not None
            onset = last if chord else now
            only_rests &= element.find("rest") is not None
            held = any(tie.get("type") == "stop" for tie in (*element.findall("tie"), *element.iterfind(".//tied")))
            if (pitch := element.find("pitch")) is not None and length and not held:
                rows.append((onset, length, *_sounding(pitch, state)))
            if not chord:
                last, now = now, now + length
        end = max(end, now)
    return rows, end, only_rests


def _sounding(pitch: ElementTree.Element, state: dict[str, int]) -> tuple[int, int]:
    step, alter = pitch.findtext("step") or "", round(float(pitch.findtext("alter") or 0))
    fifths = FIFTHS[step] + 7 * alter
    natural = FIFTHS[step] * 7 % 12
    midi = natural + alter + 12 * (int(pitch.findtext("octave") or 0) + 1)
    # An interval of so many steps and semitones goes so many fifths along the line.
    return midi + state["semitones"], fifths + 7 * state["semitones"] - 12 * state["steps"]


def dcml(mirror: Path) -> Iterator[Piece]:
    """The notes tables of a repository of the DCML corpora, a bare git directory."""
    git = ["git", "--git-dir", str(mirror)]
    listed = subprocess.run([*git, "ls-tree", "-r", "--name-only", "HEAD", "notes"], capture_output=True, text=True)
    for path in sorted(p for p in listed.stdout.splitlines() if p.endswith(".tsv")):
        text = subprocess.run([*git, "show", f"HEAD:{path}"], capture_output=True, text=True).stdout
        rows: list[Row] = []
        for row in csv.DictReader(io.StringIO(text), delimiter="\t"):
            length = Fraction(row["duration_qb"] or 0)
            if row["midi"] and row["quarterbeats"] and length and row["tied"] not in ("0", "-1", "0.0", "-1.0"):
                rows.append((Fraction(row["quarterbeats"]), length, int(row["midi"]), int(row["tpc"])))
        if rows:
            yield piece_of(Path(path).stem, rows)


def music21_score(path: Path) -> Piece:
    """A score in a format that only music21 reads here (kern, ABC)."""
    from music21 import converter

    rows: list[Row] = []
    for element in converter.parse(path).toSoundingPitch().flatten().notes:
        held = element.tie is not None and element.tie.type != "start"
        if element.duration.quarterLength and not held and hasattr(element, "pitches"):
            for pitch in element.pitches:
                fifths = FIFTHS[pitch.step] + 7 * round(pitch.alter)
                onset, length = Fraction(element.offset), Fraction(element.duration.quarterLength)
                rows.append((onset, length, pitch.midi, fifths))
    return piece_of(path.name, rows)
