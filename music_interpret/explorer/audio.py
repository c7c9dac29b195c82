"""The sound of an excerpt: what its address says, rendered."""

from urllib.parse import parse_qs, urlsplit

import numpy as np

from music_interpret.errors import InputError
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.pieces import Notes, Piece
from music_interpret.explorer.rolls import TEMPO_QPM, without_line
from music_interpret.music.sound import Sound, ogg_bytes, render


def sound_of(piece: Piece, resolution: int, start: int, end: int, without: int | None = None) -> Sound:
    """Part of a piece as sound.

    Args:
        piece: the song.
        resolution: steps per beat.
        start: first step, where the sound begins.
        end: step after the last.
        without: index of a token in the song; the melodic line of its note is left out.

    Raises:
        InputError: the steps are not in the piece.
    """
    if not 0 <= start < end or start >= max(piece.end, 1):
        raise InputError(f"steps {start} to {end} are not in this piece; expected 0 to {piece.end}")
    notes = piece.notes if without is None else without_line(piece.notes, without)
    return render(
        rows_of(notes, resolution), resolution=resolution, tempo_qpm=TEMPO_QPM, start=start, end=min(end, piece.end)
    )


def rows_of(notes: Notes, resolution: int) -> np.ndarray:
    """Notes as a note array: rows (beat, position, pitch, duration, program), int64 (n, 5)."""
    onset = notes.onset.astype(np.int64)
    return np.stack([onset // resolution, onset % resolution, notes.pitch, notes.duration, notes.program], axis=1)


def ogg_of(explored: Explored, address: str) -> bytes:
    """The compressed sound behind an excerpt's `sound` or `sound_without`, of a song of the set."""
    parts = urlsplit(address)
    query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
    piece = explored.piece(parts.path.rpartition("/")[2])
    return ogg_bytes(sound_of(piece, explored.scheme.resolution, **query))
