"""Estimates of the metre of songs for which no score says it: 2/4, 3/4, 4/4 or 6/8, and where the downbeats are.

After Brown (Determination of the meter of musical scores by autocorrelation, JASA 94, 1993): onsets, weighted by the
durations of their longest notes, are correlated with themselves a bar or another time later. To that comes, for each
metre and each sixteenth on which its bars may begin, how the onsets and their durations fall on the levels of its grid
(after Lerdahl & Jackendoff 1983, the preference rules for events and for length), and the levels of the first and last
onset. The sum of all with fixed weights is the score; the highest wins.

The weights are fitted (multinomial logistic regression) on every second song of music21's bach, ryansMammoth, airdsAirs
and essenFolksong, whose time signatures are known. Of the other half, in percent of all songs, also in other metres
(a bar of 2/2 is as long as one of 4/4; of songs that change, the metre that holds longest counts):

| corpus | songs | bar length right | and all downbeats | downbeats agree | always 4/4: length | and from 0 on |
| --- | --- | --- | --- | --- | --- | --- |
| bach | 205 | 95 | 89 | 89 | 89 | 23 |
| ryansMammoth | 529 | 78 | 64 | 73 | 33 | 9 |
| airdsAirs | 589 | 66 | 59 | 83 | 44 | 13 |
| essenFolksong | 4,148 | 71 | 65 | 82 | 25 | 5 |
| monteverdi (none seen) | 49 | 100 | 86 | 86 | 100 | 86 |
| palestrina (none seen) | 1,318 | 0 | 0 | 94 | 0 | 0 |

"Downbeats agree" counts as right a bar that is twice or half as long, if one's downbeats are among the other's:
Palestrina's bars of 4/2 are longer than any that is looked for. So where downbeats matter, time signatures are better.
"""

import numpy as np

from music_interpret.music.notes import BEAT, DURATION, POSITION

SIGNATURES = np.array([(2, 4), (3, 4), (4, 4), (6, 8)])
# Level of each sixteenth of a bar: 0 downbeat, 1 half bar, 2 another beat, 3 another eighth, 4 any other.
GRIDS = ("04341434", "043424342434", "0434243414342434", "043434143434")
N_LEVELS = 4  # that weigh anything
LAGS = (4, 6, 8, 12, 16, 24)
"""Of the autocorrelation, in sixteenths."""
LONGEST_BEATS = 2
"""Durations count up to this."""
HEARD_SIXTEENTHS = 2**14
"""Onsets after that are not looked at."""
# Weights of a level's fraction of all onsets, or of their durations, relative to its fraction of the bar.
ONSETS = (4.65, -1.43, -0.82, 0.76)
DURATIONS = (2.50, 1.81, 2.01, -3.31)
# Weights of the level of the last and the first onset.
LAST = (0.35, 1.75, 1.29, 0.54)
FIRST = (1.12, -0.59, 1.58, 1.86)
# For each signature: preference for it, and weights of the autocorrelation at each lag.
PREFERENCE = (5.94, 1.84, -6.37, -1.41)
PERIODS = np.array(
    [
        (0.29, 1.67, 2.14, -5.03, 2.13, -6.41),
        (-1.06, -3.89, -2.04, 4.17, -3.92, 1.99),
        (2.74, -1.16, 1.67, -0.38, 3.41, 0.65),
        (-1.96, 3.39, -1.77, 1.25, -1.60, 3.78),
    ]
)


def estimate_metres(notes: np.ndarray, first_note: np.ndarray, resolution: int) -> np.ndarray:
    """One (first step, numerator, denominator) for each song, int64 (n_songs, 3), the step being 0 or less.

    A song with fewer than two different onsets is in 4/4 from its first beat on.

    Args:
        notes: of all songs, sorted, int64 (n_notes, 5).
        first_note: row of each song's first note, and the number of rows, (n_songs + 1,).
        resolution: steps per beat; a multiple of 4.
    """
    n_songs = len(first_note) - 1
    song = np.repeat(np.arange(n_songs), np.diff(first_note))
    step = notes[:, BEAT] * resolution + notes[:, POSITION]
    heard = step * 4 // resolution < HEARD_SIXTEENTHS
    song, step, duration = song[heard], step[heard], notes[heard, DURATION]
    estimates = np.tile(np.array([0, 4, 4]), (n_songs, 1))
    if not len(song):
        return estimates
    first = np.flatnonzero(np.append(True, (step[1:] != step[:-1]) | (song[1:] != song[:-1])))
    longest = np.minimum(np.maximum.reduceat(duration, first), LONGEST_BEATS * resolution).astype(float)
    song, step = song[first], step[first]
    kinds, phases, scores = _scores(song, step, longest, n_songs, resolution)
    # Rounded, so that of equals the first wins however the sums were taken.
    best = np.argmax(np.round(scores, 6), axis=1)
    bars = np.array([len(grid) for grid in GRIDS])[kinds[best]]
    starts = (-(-phases[best] % bars)) * resolution // 4
    several = np.bincount(song, minlength=n_songs) > 1
    estimates[several] = np.column_stack([starts, SIGNATURES[kinds[best]]])[several]
    return estimates


def _scores(
    song: np.ndarray, step: np.ndarray, longest: np.ndarray, n_songs: int, resolution: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of the signature and sixteenth of the first downbeat of each hypothesis, and scores (n_songs, n)."""
    sixteenth, on_grid = step * 4 // resolution, step * 4 % resolution == 0
    periods = _autocorrelation(song, sixteenth, longest, n_songs) @ PERIODS.T
    ends = np.flatnonzero(np.append(song[1:] != song[:-1], True))
    starts = np.append(0, ends[:-1] + 1)
    kinds, phases, scores = [], [], []
    for kind, grid in enumerate(GRIDS):
        bar = len(grid)
        level = np.array([int(character) for character in grid])
        level_at = level[(np.arange(bar)[:, None] - np.arange(bar)) % bar]  # of each sixteenth, in each phase
        per_level = bar / np.maximum(np.bincount(level, minlength=N_LEVELS + 1), 1)
        there = np.isin(np.arange(N_LEVELS), level)
        score = np.repeat(PREFERENCE[kind] + periods[:, kind, None], bar, axis=1)
        for weight, values in ((np.ones(len(song)), ONSETS), (longest, DURATIONS)):
            total = np.maximum(np.bincount(song, weight, n_songs), 1e-9)
            cells = song * bar + sixteenth % bar
            profile = np.bincount(cells, weight * on_grid, n_songs * bar).reshape(n_songs, bar) / total[:, None]
            score += profile @ (np.append(values, 0.0) * per_level)[level_at] - np.sum(np.array(values)[there])
        for note, values in ((ends, LAST), (starts, FIRST)):
            score[song[note]] += np.append(values, 0.0)[level_at[sixteenth[note] % bar]] * on_grid[note, None]
        kinds.append(np.full(bar, kind))
        phases.append(np.arange(bar))
        scores.append(score)
    return np.concatenate(kinds), np.concatenate(phases), np.concatenate(scores, axis=1)


def _autocorrelation(song: np.ndarray, sixteenth: np.ndarray, longest: np.ndarray, n_songs: int) -> np.ndarray:
    """Of the onsets' durations at each lag, relative to that at lag 0, (n_songs, n_lags)."""
    room = np.zeros(n_songs, np.int64)
    np.maximum.at(room, song, sixteenth + 1)
    room += max(LAGS)  # silence between the songs, so that none meets another
    first = np.append(0, np.cumsum(room))
    at = first[song] + sixteenth
    series = np.bincount(at, longest, int(first[-1]) + max(LAGS))
    here = series[: first[-1]]
    power = np.maximum(np.add.reduceat(here * here, first[:-1]), 1e-9)
    lagged = [np.add.reduceat(here * series[lag : first[-1] + lag], first[:-1]) for lag in LAGS]
    return np.stack(lagged, axis=1) / power[:, None]
