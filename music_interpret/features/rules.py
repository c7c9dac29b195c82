"""Rules of up to three atoms for each latent: "beat: 12 and pitch: D4", "leading tone or pitch class: B".

Latents of music models are often more specific than any one concept. For each latent a beam search looks for the
conjunctions and disjunctions of columns that predict its firings best, by MCC on train and valid songs, at each of a
few thresholds. Whether a longer rule is kept is for the test songs to say: where its MCC beats the shorter rule's in
(almost) every draw of songs, that is, where the bootstrap interval of the difference lies above 0.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import numpy as np
import torch

from music_interpret.features import confusion
from music_interpret.features.intervals import SongCounts, percentile_ends, resampled_mcc
from music_interpret.features.scoring import Part, Scored
from music_interpret.features.truth import NEEDS, Columns

MAX_ATOMS = 3
BEAM, CANDIDATES = 8, 32
LEVELS = (0, 3, 5)
"""Levels of the latent's thresholds that are tried: it fires at all, its top two fifths, its top tenth."""

Operator = Literal["and", "or"]
OPERATORS: tuple[Operator, ...] = ("and", "or")


class Rule(NamedTuple):
    """Columns joined from left to right: ((first op second) op third)."""

    columns: tuple[int, ...]
    """Numbers of the columns."""
    operators: tuple[Operator, ...] = ()
    """One less than the columns."""

    def holds(self, truth: np.ndarray) -> np.ndarray:
        """Whether the rule holds; truth is indexed by column along its first axis, and booleans or packed bits."""
        value = truth[self.columns[0]]
        for operator, column in zip(self.operators, self.columns[1:], strict=True):
            value = value & truth[column] if operator == "and" else value | truth[column]
        return value

    def name(self, columns: Columns) -> str:
        """In words."""
        words = [columns.name(column) for column in self.columns]
        if not self.operators:
            return words[0]
        text = f"{words[0]} {self.operators[0]} {words[1]}"
        if len(words) == 2:
            return text
        same = self.operators[0] == self.operators[1]
        return f"{text if same else f'({text})'} {self.operators[1]} {words[2]}"

    def needs(self, columns: Columns) -> str:
        """What the atom that needs most can be computed from, one of `truth.NEEDS`."""
        return NEEDS[int(columns.needs[list(self.columns)].max())]


class Found(NamedTuple):
    """A rule for a latent and the threshold it is meant at."""

    rule: Rule
    """The rule."""
    threshold: float
    """The latent predicts it where its value is this or more, and above 0."""
    fit_mcc: float
    """MCC on the songs that were searched."""


class Evidence:
    """Firings and truth of the songs that are searched, with the truth as bits."""

    def __init__(self, split: Part) -> None:
        self.firings, self.n = split.firings, split.truth.n
        self.truth = np.ascontiguousarray(split.truth.dense(0, len(split.truth.columns), np.uint8).T)
        """Bytes of 0 and 1, (n_columns, n_tokens)."""
        self.bits = packed(self.truth)
        """The same as bits, (n_columns, n_tokens / 64)."""


def packed(truth: np.ndarray) -> np.ndarray:
    """Bytes of 0 and 1, (n, n_tokens), as bits in words of 64, (n, n_words), the last one filled up with 0."""
    bits = np.packbits(truth, axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))).view(np.uint64)


def count(bits: np.ndarray) -> np.ndarray:
    """Numbers of bits that are 1 along the last axis, float64."""
    return np.bitwise_count(bits).sum(axis=-1, dtype=np.int64).astype(np.float64)


def count_both(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Numbers of bits that are 1 in both, of each of (n, n_words) with each of (m, n_words), float64 (n, m)."""
    return np.stack([count(row & others) for row in rows])


class Ruled(NamedTuple):
    """A rule of the beam."""

    rule: Rule
    """The rule."""
    everywhere: np.ndarray
    """Where it holds, as bits of all tokens."""
    fired: np.ndarray
    """Where it holds among the tokens on which the latent fires, as bits."""
    mcc: float
    """How well it predicts the latent."""


def search(evidence: Evidence, latent: int, candidates: np.ndarray, thresholds: np.ndarray) -> list[Found]:
    """The best rule of two and of three atoms for a latent.

    Args:
        evidence: of the songs that are searched.
        latent: its number.
        candidates: columns that may be atoms, best first.
        thresholds: values that the latent has to reach, each tried in turn.
    """
    tokens, values = evidence.firings.latent(latent)
    everywhere = evidence.bits[candidates]
    best: dict[int, Found] = {}
    for threshold in thresholds.tolist():
        chosen = tokens[values >= threshold]
        if len(chosen) < 2:
            continue
        atoms = [
            Ruled(Rule((int(column),)), everywhere[i], fired, 0.0)
            for i, (column, fired) in enumerate(
                zip(candidates, packed(evidence.truth[candidates[:, None], chosen]), strict=True)
            )
        ]
        beam = atoms[:BEAM]
        for size in range(2, MAX_ATOMS + 1):
            beam = _longer(beam, atoms, len(chosen), evidence.n)
            if beam and (size not in best or beam[0].mcc > best[size].fit_mcc):
                best[size] = Found(beam[0].rule, threshold, beam[0].mcc)
    return [best[size] for size in sorted(best)]


def _longer(beam: list[Ruled], atoms: list[Ruled], n_fired: int, n: int) -> list[Ruled]:
    """The best rules that are one atom longer than those of the beam, best first."""
    if not beam:
        return []
    sizes, both = _counts([one.everywhere for one in beam], [one.everywhere for one in atoms])
    hits, hits_both = _counts([one.fired for one in beam], [one.fired for one in atoms])
    by_operator = [
        confusion.mcc(hits_both, n_fired, both, n),
        confusion.mcc(hits - hits_both, n_fired, sizes - both, n),
    ]
    # A rule and an atom of which one implies the other say nothing new together.
    own = count(np.stack([one.everywhere for one in beam]))[:, None]
    new = (both < own) & (both < sizes - own)
    mcc = np.where(new, np.stack(by_operator), -1.0)
    found: list[Ruled] = []
    seen: set[tuple[frozenset[int], tuple[Operator, ...]]] = set()
    for flat in np.argsort(-mcc, axis=None, kind="stable"):
        operator, row, column = np.unravel_index(flat, mcc.shape)
        if mcc[operator, row, column] <= 0 or len(found) == BEAM:
            break
        first, atom = beam[row], atoms[column]
        longer = Rule(first.rule.columns + atom.rule.columns, (*first.rule.operators, OPERATORS[operator]))
        key = (frozenset(longer.columns), longer.operators)
        if atom.rule.columns[0] in first.rule.columns or key in seen:
            continue
        seen.add(key)
        join = np.bitwise_and if operator == 0 else np.bitwise_or
        everywhere, fired = join(first.everywhere, atom.everywhere), join(first.fired, atom.fired)
        found.append(Ruled(longer, everywhere, fired, float(mcc[operator, row, column])))
    return found


def _counts(rows: list[np.ndarray], others: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the sizes of each row and each other, and numbers of bits in both, (n_rows, n_others) each."""
    first, second = np.stack(rows), np.stack(others)
    return count(first)[:, None] + count(second)[None], count_both(first, second)


def candidates_of(scored: Scored, latent: int) -> np.ndarray:
    """Columns that may be atoms of a latent's rules, best by MCC on train and valid songs first."""
    order = np.argsort(-scored.fit_mcc[latent], kind="stable")[:CANDIDATES]
    return order[scored.fit_mcc[latent, order] > 0]


def song_counts(test: Part, evidence_truth: np.ndarray, rules: list[tuple[int, Rule, float]]) -> SongCounts:
    """Counts by test song of (latent, rule, threshold).

    Args:
        test: the test songs.
        evidence_truth: booleans (n_columns, n_tokens).
        rules: what is counted.
    """
    first = test.truth.song_first
    song = np.repeat(np.arange(test.truth.n_songs), test.truth.song_lengths)
    counts = SongCounts(*(np.zeros((len(rules), test.truth.n_songs), np.float32) for _ in range(3)))
    for row, (latent, rule, threshold) in enumerate(rules):
        tokens, values = test.firings.latent(latent)
        chosen = tokens[values >= threshold]
        holds = rule.holds(evidence_truth)
        counts.predicted[row] = np.bincount(song[chosen], minlength=len(first))
        counts.hits[row] = np.bincount(song[chosen[holds[chosen]]], minlength=len(first))
        counts.positives[row] = np.add.reduceat(holds, first, dtype=np.int64)
    return counts


def kept(counts: SongCounts, lengths: np.ndarray, weights: np.ndarray) -> int:
    """Which of a latent's rules, from the shortest to the longest, is kept.

    Args:
        counts: of its rules by test song.
        lengths: tokens of each song.
        weights: draws of songs, see `intervals.drawn_songs`.
    """
    draws = resampled_mcc(counts, lengths, weights)
    chosen = 0
    for longer in range(1, draws.shape[1]):
        if percentile_ends(draws[:, [longer]] - draws[:, [chosen]])[0, 0] > 0:
            chosen = longer
    return chosen


def searched(scored: Scored, evidence: Evidence, latents: Iterable[int]) -> dict[int, list[Found]]:
    """The best rules of one, two and three atoms of some latents; the first is the best single column's."""

    def one(latent: int) -> tuple[int, list[Found]]:
        columns = candidates_of(scored, latent)
        if not len(columns):
            return latent, []
        single = int(columns[0])
        threshold = float(scored.thresholds[latent, scored.level[latent, single]])
        shortest = Found(Rule((single,)), threshold, float(scored.fit_mcc[latent, single]))
        tried = np.unique(scored.thresholds[latent, list(LEVELS)])
        return latent, [shortest, *search(evidence, latent, columns, tried[np.isfinite(tried)])]

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return {latent: found for latent, found in pool.map(one, latents) if found}
