"""Piano rolls as data: a song or a few bars of it, and the bars around a firing."""

from typing import NamedTuple

import numpy as np

from music_interpret.explorer.pieces import Notes, Piece
from music_interpret.explorer.shapes import Excerpt, Other, Roll
from music_interpret.music.instruments import NAME_OF_PROGRAM
from music_interpret.tokens.scheme import NO_NOTE, TokenScheme

TEMPO_QPM = 100
"""Quarter notes per minute; the model's notes have no tempo."""
BEFORE_BEATS, AFTER_BEATS, FURTHEST_BEATS = 4, 3, 8
"""An excerpt reaches at least this far around its token, and on to a bar line if one is no further than the last."""
HEAD_BEATS = 8
"""Of a song, for tokens at its start that are no notes."""


class SongValues(NamedTuple):
    """Firings of one latent in one song."""

    tokens: np.ndarray
    """Indices of the tokens in the song, ascending."""
    values: np.ndarray
    """Activations."""

    def dense(self, n_tokens: int) -> np.ndarray:
        """An activation for each token, float32 (n_tokens,)."""
        found = np.zeros(n_tokens, np.float32)
        found[self.tokens] = self.values
        return found


def seconds_per_step(resolution: int) -> float:
    return 60 / TEMPO_QPM / resolution


def roll(piece: Piece, scheme: TokenScheme, start: int = 0, end: int | None = None) -> tuple[Roll, np.ndarray]:
    """The part of a piece between two steps, and which of the piece's notes are in it.

    Args:
        piece: the song.
        scheme: of its tokens.
        start: first step.
        end: step after the last; None for the end of its last note.
    """
    end = piece.end if end is None else end
    onset, ends = piece.notes.onset, piece.notes.onset + np.maximum(piece.notes.duration, 1)
    inside = np.flatnonzero((onset < end) & (ends > start))
    notes = piece.notes.taken(inside)
    programs, lane = lanes(notes.program)
    bars, bar_numbers = piece.bar_lines(start, end)
    found: Roll = {
        "song": piece.key,
        "name": piece.name,
        "split": piece.split,
        "start": start,
        "end": end,
        "resolution": scheme.resolution,
        "seconds_per_step": seconds_per_step(scheme.resolution),
        "notes": {
            "onset": notes.onset,
            "duration": notes.duration,
            "pitch": notes.pitch,
            "lane": lane,
            "voice": notes.voice,
            "spelling": notes.spelling,
            "token": notes.token,
        },
        "lanes": [{"program": int(p), "name": NAME_OF_PROGRAM[int(p)]} for p in programs],
        "bars": bars,
        "bar_numbers": bar_numbers,
        "bars_estimated": piece.estimated,
        "tokens": len(piece.tokens),
    }
    return found, inside


def lanes(programs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The programs that occur, ascending, and the index among them of each."""
    there = np.bincount(programs, minlength=128) > 0
    return np.flatnonzero(there), (np.cumsum(there) - 1)[programs]


def window(piece: Piece, step: int, resolution: int) -> tuple[int, int]:
    """First and last step of the bars around a step."""
    near, far = step - BEFORE_BEATS * resolution, step - FURTHEST_BEATS * resolution
    after, furthest = step + AFTER_BEATS * resolution, step + FURTHEST_BEATS * resolution
    bars, _ = piece.bar_lines(far, furthest)
    before_lines, after_lines = bars[bars <= near], bars[bars >= after]
    start = int(before_lines[-1]) if len(before_lines) else near
    end = int(after_lines[0]) if len(after_lines) else after
    return max(start, 0), max(min(end, piece.end), step + 1)


def excerpt(piece: Piece, scheme: TokenScheme, values: SongValues, token: int) -> Excerpt:
    """The bars around one firing of a latent.

    Args:
        piece: the song.
        scheme: of its tokens.
        values: the latent's firings in the song.
        token: index of the firing token in the song.
    """
    note_of = scheme.aligned(piece.tokens, np.array([0, len(piece.tokens)])).note
    note = int(note_of[token])
    if note != NO_NOTE:
        start, end = window(piece, int(piece.notes.onset[note]), scheme.resolution)
    else:
        last = token >= len(piece.tokens) - 1 and len(piece.notes.token) > 0
        start = max(piece.end - HEAD_BEATS * scheme.resolution, 0) if last else 0
        end = piece.end if last else max(min(HEAD_BEATS * scheme.resolution, piece.end), 1)
    drawn, inside = roll(piece, scheme, start, end)
    dense = values.dense(len(piece.tokens))
    sound = f"/sound/{piece.key}?start={start}&end={end}"
    return {
        "roll": drawn,
        "values": dense[drawn["notes"]["token"]],
        "token": token,
        "text": scheme.line(piece.tokens[token]),
        "value": float(dense[token]),
        "note": int(np.searchsorted(inside, note)) if note != NO_NOTE else None,
        "others": _others(piece, scheme, dense, note_of),
        "sound": sound,
        "sound_without": f"{sound}&without={token}" if note != NO_NOTE else None,
    }


def _others(piece: Piece, scheme: TokenScheme, dense: np.ndarray, note_of: np.ndarray) -> list[Other]:
    """Firing tokens of the song that belong to no note."""
    tokens = np.flatnonzero((dense > 0) & (note_of == NO_NOTE))
    return [
        {"token": token, "text": scheme.line(piece.tokens[token]), "value": float(dense[token])}
        for token in tokens.tolist()
    ]


def without_line(notes: Notes, token: int) -> Notes:
    """The notes but for the melodic line of a token's note; all, if the token is no note."""
    place = np.flatnonzero(notes.token == token)
    return notes.taken(notes.voice != notes.voice[place[0]]) if len(place) else notes
