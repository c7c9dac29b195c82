"""partitura."""

import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import partitura
from _common import Head, Piece, piece, serve

warnings.simplefilter("ignore")


def read(path: Path) -> list[Piece | None]:
    return [piece(heads(partitura.load_score(str(path))))]


def heads(score: Any) -> Iterator[Head]:
    for number, part in enumerate(score.parts):
        quarters = part.quarter_map
        first = float(quarters(part.first_point.t))
        for note in part.iter_all(partitura.score.Note):
            onset, end = (float(quarters(point.t)) - first for point in (note.start, note.end))
            tied_on, tied_back = note.tie_next is not None, note.tie_prev is not None
            yield Head(onset, end, note.midi_pitch, number, tied_on, tied_back)


serve(f"partitura {version('partitura')}", read)
