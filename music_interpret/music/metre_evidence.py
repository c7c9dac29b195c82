"""What speaks for a metre, at each sixteenth of songs: rows of numbers that do not change when a song is transposed.

Accents after Lerdahl & Jackendoff (A Generative Theory of Tonal Music, 1983, metrical preference rules: events, length,
bass, harmony, parallelism) and Temperley (The Cognition of Basic Musical Structures, 2001, ch. 2). For each sixteenth:
how many notes start and how long they are; how near to the lowest around the lowest is, and whether the bass moves;
the melody's steps and peaks; what is held, ends or is silent; how much the pitch classes that sound change, before and
after, in windows of several lengths; the way to the onsets before and after and to both ends of the song; and how much
the music resembles itself a lag earlier: in rhythm, in pitch classes and in the melody's intervals.

Songs are laid on one line of sixteenths (frames), each from its first onset to its last, with silence between them.
"""

from typing import NamedTuple

import numpy as np

from music_interpret.music.notes import BEAT, DURATION, PITCH, POSITION

GAP = 64
"""Silent frames before, between and after songs: more than anything looks around at once."""
HEARD = 2**14
"""Frames of a song; what is after them is not looked at."""
LAGS = (3, 4, 6, 8, 12, 16, 18, 24, 32)
"""Of self-similarity, in frames."""
WINDOWS = (2, 4, 8, 16)
"""Of the change of pitch classes, in frames."""
AROUND = 16
"""Frames before and after over which self-similarity is averaged and the lowest note sought."""
LONGEST = 32.0
"""Durations count up to this, in frames."""
N_ACCENTS = 24
N_EVIDENCE = N_ACCENTS + len(WINDOWS) + 3 * len(LAGS)


class Frames(NamedTuple):
    """Where songs are on the line."""

    first: np.ndarray
    """First frame of each song, int64 (n_songs,)."""
    length: np.ndarray
    """Frames of each song, 0 if it has no notes, int64 (n_songs,)."""
    origin: np.ndarray
    """Sixteenths from the song's first beat to its first frame, int64 (n_songs,)."""
    total: int
    """Frames of the line."""

    def inside(self) -> np.ndarray:
        """Which frames belong to songs, bool (total,)."""
        edges = np.zeros(self.total + 1, np.int64)
        np.add.at(edges, self.first, 1)
        np.add.at(edges, self.first + self.length, -1)
        return np.cumsum(edges)[:-1] > 0


class Onsets(NamedTuple):
    """Notes on the line, sorted by frame and pitch, arrays (n_notes,)."""

    song: np.ndarray
    frame: np.ndarray
    end: np.ndarray
    """First frame in which the note sounds no more; within the song, and after `frame`."""
    pitch: np.ndarray
    duration: np.ndarray
    """In frames, not rounded."""
    on_grid: np.ndarray
    """Whether the note starts exactly where its frame does."""


def lay_out(notes: np.ndarray, first_note: np.ndarray, resolution: int) -> tuple[Frames, Onsets]:
    """The line of songs' sixteenths and the notes on it.

    Args:
        notes: of all songs, sorted, int64 (n_notes, 5).
        first_note: row of each song's first note, and the number of rows, (n_songs + 1,).
        resolution: steps per beat; a multiple of 4.
    """
    sizes = np.diff(first_note)
    song = np.repeat(np.arange(len(sizes)), sizes)
    step = notes[:, BEAT] * resolution + notes[:, POSITION]
    sixteenth = step * 4 // resolution
    origin = np.zeros(len(sizes), np.int64)
    origin[sizes > 0] = sixteenth[first_note[:-1][sizes > 0]]
    frame = sixteenth - origin[song]
    heard = frame < HEARD
    length = np.zeros(len(sizes), np.int64)
    np.maximum.at(length, song[heard], frame[heard] + 1)
    first = GAP + np.cumsum(length + GAP) - (length + GAP)
    order = np.flatnonzero(heard)
    order = order[np.argsort((first[song] + frame)[order] * 128 + notes[order, PITCH], kind="stable")]
    song, frame, step = song[order], (first[song] + frame)[order], step[order]
    duration = notes[order, DURATION] * 4 / resolution
    whole = np.minimum(np.rint(duration), HEARD).astype(np.int64)
    end = np.clip(frame + whole, frame + 1, (first + length)[song])
    frames = Frames(first, length, origin, int((length + GAP).sum()) + GAP)
    return frames, Onsets(song, frame, end, notes[order, PITCH], duration, step * 4 % resolution == 0)


def evidence(frames: Frames, onsets: Onsets) -> np.ndarray:
    """Numbers of about 0 to 1 for each frame, 0 outside songs, float32 (total, N_EVIDENCE)."""
    found = np.zeros((frames.total, N_EVIDENCE), np.float32)
    if len(onsets.frame):
        inside = frames.inside()
        starts = np.flatnonzero(np.append(True, onsets.frame[1:] != onsets.frame[:-1]))
        interval = _accents(found, frames, onsets, starts)
        _held(found, frames, onsets)
        _ends(found, frames, inside)
        column = N_ACCENTS
        chroma = _sounding(frames, onsets)
        for window in WINDOWS:
            found[:, column] = _change(chroma, window)
            column += 1
        strength = found[:, 3].astype(np.float64)
        moves = np.where(found[:, 0] > 0, interval, np.nan)
        for lag in LAGS:
            found[:, column : column + 3] = _similarity(strength, chroma, moves, lag)
            column += 3
        found[~inside] = 0
    return found


def _accents(found: np.ndarray, frames: Frames, onsets: Onsets, starts: np.ndarray) -> np.ndarray:
    """Fill what is said of frames in which notes start; returns the melody's interval at each frame."""
    at, song = onsets.frame[starts], onsets.song[starts]
    lowest, highest = starts, np.append(starts[1:], len(onsets.frame)) - 1
    log_length = np.log2(1 + np.minimum(onsets.duration, LONGEST)) / 5
    low, high = onsets.pitch[lowest], onsets.pitch[highest]
    around = _lowest_around(frames.total, at, low)
    bass = np.clip(1 - (low - around) / 12, 0, 1)
    peak = np.clip(1 - (-_lowest_around(frames.total, at, -high) - high) / 12, 0, 1)
    before = np.append(0, np.arange(len(at) - 1))
    is_first = np.append(True, song[1:] != song[:-1])
    step = np.where(is_first, 0, high - high[before])
    last_bass = np.append(-1, np.maximum.accumulate(np.where(bass > 0.6, np.arange(len(at)), -1))[:-1])
    has_bass = (last_bass >= 0) & (song[last_bass] == song)
    move = np.where(has_bass, low - low[last_bass], 0)
    wait = np.where(is_first, LONGEST, np.minimum(at - at[before], LONGEST))
    is_last = np.append(is_first[1:], True)
    ahead = np.where(is_last, LONGEST, np.minimum(np.append(at[1:], 0) - at, LONGEST))
    on_grid = np.logical_or.reduceat(onsets.on_grid, starts)
    count = highest - lowest + 1
    columns = (
        on_grid,
        np.logical_or.reduceat(~onsets.on_grid, starts),
        np.log2(1 + count) / 3,
        np.maximum.reduceat(log_length, starts),
        np.minimum.reduceat(log_length, starts),
        log_length[lowest],
        log_length[highest],
        bass,
        bass * (move % 12 != 0),
        bass * np.minimum(np.abs(move) / 12, 1),
        bass * np.isin(move % 12, (5, 7)),
        peak,
        np.minimum(np.abs(step) / 12, 1),
        step > 0,
        (step == 0) & ~is_first,
        np.log2(1 + wait) / 5,
        np.log2(1 + ahead) / 5,
    )
    for column, values in enumerate(columns):
        found[at, column] = values
    interval = np.zeros(frames.total)
    interval[at] = step
    return interval


def _lowest_around(total: int, at: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """The lowest of the pitches within AROUND frames of each onset frame."""
    line = np.full(total, 1000)
    line[at] = pitch
    width = 1
    while width < 2 * AROUND:
        line[:-width] = np.minimum(line[:-width], line[width:])
        width *= 2
    return line[np.maximum(at - AROUND, 0)]


def _held(found: np.ndarray, frames: Frames, onsets: Onsets) -> None:
    """Fill how many notes sound that started before, and how many end where a frame begins; and silence."""
    started = np.bincount(onsets.frame, minlength=frames.total)
    ended = np.bincount(onsets.end, minlength=frames.total)[: frames.total]
    sounding = np.cumsum(started - ended)
    found[:, 17] = np.log2(1 + sounding - started) / 3
    found[:, 18] = np.log2(1 + ended) / 3
    found[:, 19] = sounding == 0


def _ends(found: np.ndarray, frames: Frames, inside: np.ndarray) -> None:
    """Fill nearness to the song's first and last frame, and that the frame is in a song."""
    there = frames.length > 0
    start = np.repeat(frames.first[there], frames.length[there])
    since = np.flatnonzero(inside) - start
    left = np.repeat(frames.length[there], frames.length[there]) - 1 - since
    found[inside, 20:24] = np.stack(
        [np.exp(-since / 4), np.exp(-since / 32), np.exp(-left / 8), np.ones(len(since))], 1
    )


def _sounding(frames: Frames, onsets: Onsets) -> np.ndarray:
    """How many notes of each pitch class sound, float32 (total, 12)."""
    size = frames.total * 12
    of_class = onsets.pitch % 12
    change = np.bincount(onsets.frame * 12 + of_class, minlength=size) - np.bincount(
        onsets.end * 12 + of_class, minlength=size
    )
    return np.cumsum(change.reshape(-1, 12), axis=0).astype(np.float32)


def _change(chroma: np.ndarray, window: int) -> np.ndarray:
    """One minus the cosine of pitch classes in a window before and after each frame; 0 where one is silent."""
    sums = np.concatenate([np.zeros((1, 12), np.float32), np.cumsum(chroma, axis=0)])
    windows = sums[window:] - sums[:-window]
    before, after = windows[:-window], windows[window:]
    dots = np.einsum("tc,tc->t", before, after)
    norms = np.einsum("tc,tc->t", before, before) * np.einsum("tc,tc->t", after, after)
    change = np.zeros(len(chroma), np.float32)
    change[window : window + len(dots)] = np.where(norms > 0, 1 - dots / np.sqrt(np.maximum(norms, 1e-9)), 0)
    return change


def _similarity(strength: np.ndarray, chroma: np.ndarray, moves: np.ndarray, lag: int) -> np.ndarray:
    """Likeness to what was a lag before, averaged around each frame: of rhythm, pitch classes, melody, (total, 3)."""
    norm = np.sqrt(np.einsum("tc,tc->t", chroma, chroma))
    dots = np.einsum("tc,tc->t", chroma[lag:], chroma[:-lag]) / np.maximum(norm[lag:] * norm[:-lag], 1e-9)
    pairs = (strength[lag:] * strength[:-lag], dots, moves[lag:] == moves[:-lag])
    per = (strength**2, norm > 0, ~np.isnan(moves))
    return np.stack([_averaged(p, lag) / np.maximum(_averaged(q, 0), 1e-9) for p, q in zip(pairs, per, strict=True)], 1)


def _averaged(values: np.ndarray, lag: int) -> np.ndarray:
    """Means over AROUND frames before and after, of values that begin `lag` frames late."""
    line = np.concatenate([np.zeros(lag + AROUND + 1), values, np.zeros(AROUND)])
    sums = np.cumsum(line)
    return (sums[2 * AROUND :] - sums[: -2 * AROUND])[: len(values) + lag] / (2 * AROUND)
