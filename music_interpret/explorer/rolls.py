"""Piano rolls as data: a song or a few bars of it, and the bars around a firing."""

from typing import NamedTuple

import numpy as np

from music_interpret.explorer.pieces import Notes, Piece
from music_interpret.explorer.shapes import Excerpt, Other, Roll
from music_interpret.music.encoding import NOTE, Encoding

TEMPO_QPM = 100
"""Quarter notes per minute; the model's notes have no tempo."""
BEFORE_BEATS, AFTER_BEATS, FURTHEST_BEATS = 4, 3, 8
"""An excerpt reaches at least this far around its token, and on to a bar line if one is no further than the last."""
HEAD_BEATS = 8
"""Of a song, for tokens at its start that are no notes."""


class SongValues(NamedTuple):
    """Firings of one latent in one song."""

    tokens: np.ndarray
    """Places of the tokens in the song, ascending."""
    values: np.ndarray
    """Activations."""

    def dense(self, n_tokens: int) -> np.ndarray:
        """An activation for each token, float32 (n_tokens,)."""
        found = np.zeros(n_tokens, np.float32)
        found[self.tokens] = self.values
        return found


def seconds_per_step(resolution: int) -> float:
    return 60 / TEMPO_QPM / resolution


def roll(piece: Piece, encoding: Encoding, start: int = 0, end: int | None = None) -> tuple[Roll, np.ndarray]:
    """The part of a piece between two steps, and which of the piece's notes are in it.

    Args:
        piece: the song.
        encoding: of its tokens.
        start: first step.
        end: step after the last; None for the end of its last note.
    """
    end = piece.end if end is None else end
    onset, ends = piece.notes.onset, piece.notes.onset + np.maximum(piece.notes.duration, 1)
    inside = np.flatnonzero((onset < end) & (ends > start))
    notes = piece.notes.taken(inside)
    programs, lane = lanes(notes.program)
    bars, first_bar = piece.bar_lines(start, end)
    found: Roll = {
        "song": piece.key,
        "name": piece.name,
        "split": piece.split,
        "start": start,
        "end": end,
        "resolution": encoding.resolution,
        "seconds_per_step": seconds_per_step(encoding.resolution),
        "notes": {
            "onset": notes.onset,
            "duration": notes.duration,
            "pitch": notes.pitch,
            "lane": lane,
            "voice": notes.voice,
            "token": notes.token,
        },
        "lanes": [
            {"program": int(p), "name": encoding.instrument_names[int(encoding.program_codes[p])]} for p in programs
        ],
        "bars": bars,
        "first_bar": first_bar,
        "bars_estimated": piece.estimated,
        "tokens": len(piece.codes),
    }
    return found, inside


def lanes(programs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The programs that occur, ascending, and the place among them of each."""
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


def excerpt(piece: Piece, encoding: Encoding, values: SongValues, token: int) -> Excerpt:
    """The bars around one firing of a latent.

    Args:
        piece: the song.
        encoding: of its tokens.
        values: the latent's firings in the song.
        token: place of the firing token in the song.
    """
    notes = piece.notes
    of_token = int(np.searchsorted(notes.token, token))
    is_note = bool(piece.codes[token, 0] == NOTE)
    if is_note:
        start, end = window(piece, int(notes.onset[of_token]), encoding.resolution)
    else:
        last = token >= len(piece.codes) - 1 and len(notes.token) > 0
        start = max(piece.end - HEAD_BEATS * encoding.resolution, 0) if last else 0
        end = piece.end if last else max(min(HEAD_BEATS * encoding.resolution, piece.end), 1)
    drawn, inside = roll(piece, encoding, start, end)
    dense = values.dense(len(piece.codes))
    sound = f"/sound/{piece.key}?start={start}&end={end}"
    here = int(np.searchsorted(inside, of_token))
    return {
        "roll": drawn,
        "values": dense[drawn["notes"]["token"]],
        "token": token,
        "text": encoding.line(piece.codes[token]),
        "value": float(dense[token]),
        "note": here if is_note else None,
        "others": _others(piece, encoding, dense),
        "sound": sound,
        "sound_without": f"{sound}&without={token}" if is_note else None,
    }


def _others(piece: Piece, encoding: Encoding, dense: np.ndarray) -> list[Other]:
    """Firing tokens of the song that are no notes."""
    tokens = np.flatnonzero((dense > 0) & (piece.codes[:, 0] != NOTE))
    return [
        {"token": token, "text": encoding.line(piece.codes[token]), "value": float(dense[token])}
        for token in tokens.tolist()
    ]


def without_line(notes: Notes, token: int) -> Notes:
    """The notes but for the melodic line of a token's note; all, if the token is no note."""
    place = np.flatnonzero(notes.token == token)
    return notes.taken(notes.voice != notes.voice[place[0]]) if len(place) else notes
