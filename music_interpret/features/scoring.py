"""All latents against all columns at once: thresholds from valid songs, scores on test songs, and what chance gives.

A latent predicts a column where its value reaches a threshold. Thresholds are 0 (it fires at all) and quantiles of the
values that it has on valid songs; for each pair of latent and column the one with the largest MCC on valid songs is
taken. How columns rank for a latent is decided by the MCC of that prediction on train and valid songs together; test
songs only report.

Counts come from sparse products: the firings as a matrix (latent and threshold level × tokens) by the truth (tokens ×
columns), so nothing loops over pairs.

What chance gives, `chance.py` says.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch

from music_interpret.features import confusion
from music_interpret.features.chance import TURNS, chance, false_discovery_rates
from music_interpret.features.firings import Firings
from music_interpret.features.hits import HitCounts, thresholds_of
from music_interpret.features.truth import Truth


class Part(NamedTuple):
    """Some songs: how latents fire on them, and what is true of them."""

    firings: Firings
    """With token rows that count from the first of these tokens."""
    truth: Truth
    """Of the same tokens."""


class Scored(NamedTuple):
    """Every latent against every column; arrays are (n_latents, n_columns) where nothing else is said."""

    thresholds: np.ndarray
    """Of each latent by level, the first being 0, float32 (n_latents, n_levels)."""
    level: np.ndarray
    """The level that was taken, int8."""
    fit_mcc: np.ndarray
    """MCC on train and valid songs together, float32; what ranks columns."""
    hits: np.ndarray
    """Test tokens on which the latent predicts the column and is right, int32."""
    predicted: np.ndarray
    """Test tokens on which it predicts it, int32."""
    positives: np.ndarray
    """Test tokens that have the column, int64 (n_columns,)."""
    n: int
    """Test tokens."""
    auroc: np.ndarray
    """Area under the ROC curve on test songs, float32."""
    average_precision: np.ndarray
    """Average precision on test songs, float32."""
    p: np.ndarray
    """Chance of so many hits on test songs, float32; 1 where there is nothing to test."""
    q: np.ndarray
    """The false discovery rate at which the pair is significant, float32."""

    @property
    def f1(self) -> np.ndarray:
        """F1 on test songs."""
        return confusion.f1(self.hits, self.predicted, self.positives[None])

    @property
    def mcc(self) -> np.ndarray:
        """MCC on test songs."""
        return confusion.mcc(self.hits, self.predicted, self.positives[None], self.n)

    def threshold(self, latents: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Thresholds that were taken for pairs."""
        return self.thresholds[latents, self.level[latents, columns]]


def score(train: Part, valid: Part, test: Part, *, turns: int = TURNS, seed: int = 0) -> Scored:
    """Score every latent against every column.

    Args:
        train: songs that help to rank columns.
        valid: songs that thresholds are chosen on.
        test: songs that are reported on.
        turns: circular shifts; more make the null distributions finer.
        seed: of the shifts.
    """
    shape = (test.firings.n_latents, len(test.truth.columns))
    thresholds = thresholds_of(valid.firings)
    counts = [HitCounts(split.firings, thresholds, split.truth.n) for split in (train, valid, test)]
    positives = [split.truth.positives() for split in (train, valid, test)]
    level, fit_mcc = np.zeros(shape, np.int8), np.zeros(shape, np.float32)
    hits, predicted = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for first, last in valid.truth.blocks():
        here = slice(first, last)
        by_level = counts[1].hits(valid.truth.dense(first, last))
        mcc = confusion.mcc(by_level, counts[1].predicted[..., None], positives[1][here], valid.truth.n)
        level[:, here] = mcc.argmax(axis=1)
        fit_hits = _taken(by_level, level[:, here])
        fit_predicted = _taken(counts[1].predicted[..., None], level[:, here])
        for start, stop in _within(train.truth, first, last):
            part = slice(start - first, stop - first)
            fit_hits[:, part] += counts[0].hits_at(train.truth.dense(start, stop), level[:, start:stop])
        fit_predicted = fit_predicted + _taken(counts[0].predicted[..., None], level[:, here])
        fit_positives, n = positives[0][here] + positives[1][here], train.truth.n + valid.truth.n
        fit_mcc[:, here] = confusion.mcc(fit_hits, fit_predicted, fit_positives, n)
        predicted[:, here] = _taken(counts[2].predicted[..., None], level[:, here])
        for start, stop in _within(test.truth, first, last):
            hits[:, start:stop] = counts[2].hits_at(test.truth.dense(start, stop), level[:, start:stop])
    auroc, average_precision = _ranked(test, positives[2])
    p = chance(test.truth, counts[2], level, hits, predicted, positives[2], turns, seed)
    return Scored(
        thresholds,
        level,
        fit_mcc,
        hits,
        predicted,
        positives[2],
        test.truth.n,
        auroc,
        average_precision,
        p,
        false_discovery_rates(p),
    )


def _taken(by_level: np.ndarray, level: np.ndarray) -> np.ndarray:
    """What stands at the levels taken: (n_latents, n_levels, n_columns or 1) → (n_latents, n_columns)."""
    return np.take_along_axis(np.broadcast_to(by_level, (*by_level.shape[:2], level.shape[1])), level[:, None], 1)[:, 0]


def _within(truth: Truth, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Pieces of the columns first … last − 1 that are small enough for this truth."""
    step = max((b - a for a, b in truth.blocks()), default=1)
    for start in range(first, last, step):
        yield start, min(start + step, last)


def _ranked(test: Part, positives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and average precision of all pairs, float32."""
    found = np.full((2, test.firings.n_latents, len(test.truth.columns)), np.nan, np.float32)

    def one(latent: int) -> None:
        tokens, values = test.firings.latent(latent)
        found[:, latent, first:last] = confusion.ranking(values, truth[tokens], positives[first:last], test.truth.n)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for first, last in test.truth.blocks():
            truth = test.truth.dense(first, last, bool)
            list(pool.map(one, range(test.firings.n_latents), chunksize=64))
    return found[0], found[1]
