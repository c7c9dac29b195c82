"""This project's readers: `read_works` as `ingest` calls it, of the checkout on PYTHONPATH.

Where the checkout has readers of its own (`formats/`), the notes are those that stand before equal ones of one program
become one; `works` are the songs themselves, with their metres.
"""

import importlib
import importlib.util
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from _common import STEPS, Head, Piece, from_first_beat, piece, serve

import music_interpret
from music_interpret.music import scores

HAS_FORMATS = importlib.util.find_spec("music_interpret.music.formats") is not None


def of_work(work: Any) -> Piece:
    beat, step, pitch, duration, _ = work.notes.T
    return from_first_beat(np.stack([beat * STEPS + step, pitch, duration], axis=1).tolist())


def read(path: Path) -> list[Piece | None]:
    return [of_work(work) if hasattr(work, "notes") else None for work in scores.read_works(path, STEPS)]


def more(path: Path) -> dict[str, Any]:
    works = [work for work in scores.read_works(path, STEPS) if hasattr(work, "notes")]
    said: dict[str, Any] = {
        "works": [{"notes": work.notes.tolist(), "metres": work.metres} for work in works],
        "miscounted": sum(getattr(work, "miscounted", None) is not None for work in works),
    }
    if HAS_FORMATS:
        reader = importlib.import_module(f"music_interpret.music.formats.{scores.FORMATS[path.suffix.lower()]}")
        said["pieces"] = [before_merging(score) for score in reader.read(path)]
    return said


def before_merging(score: Any) -> Piece | None:
    """The notes of a written score, its ties joined."""
    from music_interpret.music.ties import join_ties

    if not hasattr(score, "notes"):
        return None
    drums = [number for number, instrument in enumerate(score.instruments) if instrument.drums]
    rows = join_ties(np.array(score.notes, np.int64).reshape(-1, 8))
    heads = [
        Head(Fraction(onset, score.ticks), Fraction(end, score.ticks), pitch)
        for onset, end, pitch in rows[~np.isin(rows[:, 5], drums), :3].tolist()
    ]
    return piece(heads, midi=not score.bars)


serve(music_interpret.__version__, read, more)
