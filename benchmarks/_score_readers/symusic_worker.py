"""abc2midi, as symusic runs it; its onsets are late by one tick."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import symusic
from _abc_text import plain, tunes, with_unit_length
from _common import Head, Piece, piece, serve


def read(path: Path) -> list[Piece | None]:
    return [of_tune(with_unit_length(plain(tune))) for tune in tunes(path)]


def of_tune(text: str) -> Piece | None:
    try:
        score: Any = symusic.Score.from_abc(text)
    except RuntimeError:
        return None
    quarter = score.ticks_per_quarter
    notes = [note for track in score.tracks if not track.is_drum for note in track.notes]
    return piece([Head((n.time - 1) / quarter, (n.end - 1) / quarter, n.pitch) for n in notes])


serve(f"abc2midi in symusic {version('symusic')}", read)
