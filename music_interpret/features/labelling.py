"""A name for every latent that held-out songs support, and what a whole dictionary's latents are worth.

Each latent is scored against every column (`scoring.py`); its best columns, and each column's best latents, become rows
with intervals; its best rule (`rules.py`) becomes its name if the test songs support it.
"""

from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from music_interpret.features import confusion, rules
from music_interpret.features.firings import Firings
from music_interpret.features.intervals import Intervals, SongCounts, drawn_songs, intervals
from music_interpret.features.labels import SIGNIFICANT
from music_interpret.features.rules import Operator, Rule
from music_interpret.features.scoring import Part, Scored, score
from music_interpret.features.set_level import summary
from music_interpret.features.truth import Columns, Truth
from music_interpret.music.concepts.concept import LEAKAGES
from music_interpret.tokens.concept_table import ConceptTable

RANKS = 10
"""Rows of each latent, and rows of each column."""
LEAST_MCC = 0.2
"""A name needs an interval of its MCC that lies above this."""
SEARCH_TOKENS = 2**17
"""Rules are searched for on at most so many tokens of train and valid songs, spread evenly over songs."""


class Name(NamedTuple):
    """What is known of one latent; scores are of test songs."""

    latent: int
    """Its number."""
    name: str | None
    """Its rule in words, None if the test songs do not support it."""
    why: str
    """What decided."""
    rule: str
    """The rule in words, also where it is not supported; empty for a latent that nothing was found for."""
    columns: tuple[int, ...]
    """The rule's columns."""
    operators: tuple[Operator, ...]
    """What joins them, from left to right."""
    groups: tuple[str, ...]
    """Groups of the rule's concepts."""
    needs: str
    """What the atom that needs most can be computed from: given, past, future, or next for the token after it."""
    threshold: float
    """The latent says so where its value is this or more, and above 0."""
    precision: float
    """Fraction of the tokens it says so of for which it is true."""
    recall: float
    """Fraction of the tokens for which it is true that it says so of."""
    f1: float
    """Their harmonic mean."""
    f1_interval: tuple[float, float]
    """Over songs, 95 %."""
    mcc: float
    """Matthews' correlation coefficient."""
    mcc_interval: tuple[float, float]
    """Over songs, 95 %."""
    base_rate: float
    """Fraction of tokens for which it is true."""
    always_on_f1: float
    """F1 of saying so of every token."""
    q: float
    """False discovery rate of the rule's first atom."""
    identity: str
    """The token's own property that gives the largest F1 for this latent."""
    identity_f1: float
    """That F1."""
    gain: float
    """F1 over that of the token's own property; 0 or less for a name that is such a property."""


class Rows(NamedTuple):
    """Pairs of latent and column that are reported, with their ranks."""

    latent: np.ndarray
    """(n_rows,)."""
    column: np.ndarray
    """(n_rows,)."""
    rank: np.ndarray
    """Rank of the column among the latent's, from 1, by MCC on train and valid songs."""
    column_rank: np.ndarray
    """Rank of the latent among the column's, from 1."""


class Labelled(NamedTuple):
    """A dictionary's labels."""

    columns: Columns
    """What was scored."""
    scored: Scored
    """All pairs."""
    rows: Rows
    """Pairs that are reported."""
    row_intervals: Intervals
    """Of the rows."""
    names: list[Name]
    """One for each live latent."""
    summary: dict[str, Any]
    """Set-level numbers."""


class Corpus(NamedTuple):
    """The songs that a dictionary is labelled on."""

    table: ConceptTable
    """Values of concepts at all tokens."""
    columns: Columns
    """What is scored."""
    spans: dict[str, np.ndarray]
    """(start, stop) of the tokens of train, valid and test songs."""
    song_first: np.ndarray
    """First token of each song, and the number of tokens."""

    def part(self, firings: Firings, split: str) -> Part:
        """How latents fire on a split's songs, and what is true of them."""
        n_tokens = int(self.song_first[-1])
        truth = Truth(self.table, self.columns, self.spans[split], self.song_first)
        return Part(firings.within(self.spans[split], n_tokens), truth)

    def searched_spans(self) -> np.ndarray:
        """Songs of train and valid that rules are searched for on."""
        ends = np.concatenate([self.spans["train"], self.spans["valid"]])
        songs = np.flatnonzero([((ends[:, 0] <= a) & (a < ends[:, 1])).any() for a in self.song_first[:-1].tolist()])
        lengths = np.diff(self.song_first)[songs]
        songs = songs[:: max(int(np.ceil(lengths.sum() / SEARCH_TOKENS)), 1)]
        return np.stack([self.song_first[songs], self.song_first[songs + 1]], axis=1)


def label_latents(firings: Firings, corpus: Corpus, *, what: str, seed: int = 0) -> Labelled:
    """Label every live latent.

    Args:
        firings: on all tokens, or at least those of the corpus's spans.
        corpus: what it is labelled on.
        what: for the progress bar.
        seed: of shifts and draws.
    """
    parts = {split: corpus.part(firings, split) for split in ("train", "valid", "test")}
    test = parts["test"]
    scored = score(parts["train"], parts["valid"], test, seed=seed)
    live = np.flatnonzero(sum(np.diff(part.firings.offsets) for part in parts.values()))
    rows = _rows(scored, live)
    weights = drawn_songs(test.truth.n_songs, seed)
    test_truth = np.ascontiguousarray(test.truth.dense(0, len(corpus.columns), bool).T)
    thresholds = scored.threshold(rows.latent, rows.column)
    pairs = zip(rows.latent.tolist(), rows.column.tolist(), thresholds.tolist(), strict=True)
    counts = rules.song_counts(test, test_truth, [(latent, Rule((column,)), t) for latent, column, t in pairs])
    row_intervals = intervals(counts, test.truth.song_lengths, weights)
    evidence = rules.Evidence(corpus._replace(spans={"searched": corpus.searched_spans()}).part(firings, "searched"))
    found = rules.searched(scored, evidence, tqdm(live.tolist(), desc=f"name {what}", unit="latent", leave=False))
    names = _names(found, scored, corpus.columns, test, test_truth, weights, live)
    numbers = summary(parts, scored, corpus.columns, live, test_truth, names)
    return Labelled(corpus.columns, scored, rows, row_intervals, names, numbers)


def _rows(scored: Scored, live: np.ndarray) -> Rows:
    """The best columns of each latent and the best latents of each column."""
    mcc = np.where(np.isin(np.arange(len(scored.fit_mcc)), live)[:, None], scored.fit_mcc, -1.0)
    place, column_place = (_places(mcc, axis) for axis in (1, 0))
    latent, column = np.nonzero(((place <= RANKS) | (column_place <= RANKS)) & (mcc > 0))
    rows = Rows(latent, column, place[latent, column], column_place[latent, column])
    order = np.lexsort((rows.rank, rows.latent))
    return Rows(*(part[order] for part in rows))


def _places(values: np.ndarray, axis: int) -> np.ndarray:
    """Rank of each entry along an axis, the largest being 1."""
    order = np.argsort(-values, axis=axis, kind="stable")
    return np.argsort(order, axis=axis, kind="stable").astype(np.int32) + 1


def _names(
    found: dict[int, list[rules.Found]],
    scored: Scored,
    columns: Columns,
    test: Part,
    test_truth: np.ndarray,
    weights: np.ndarray,
    live: np.ndarray,
) -> list[Name]:
    lengths, n = test.truth.song_lengths, test.truth.n
    f1 = scored.f1
    given = np.flatnonzero((columns.leakage == LEAKAGES.index("given")) & (columns.lag == 0))
    chosen: list[tuple[int, rules.Found]] = []
    kept_counts: list[SongCounts] = []
    for latent, of_latent in found.items():
        counts = rules.song_counts(test, test_truth, [(latent, one.rule, one.threshold) for one in of_latent])
        place = rules.kept(counts, lengths, weights)
        chosen.append((latent, of_latent[place]))
        kept_counts.append(SongCounts(*(count[[place]] for count in counts)))
    if not chosen:
        return [_nothing(latent) for latent in live.tolist()]
    counts = SongCounts(*(np.concatenate(part) for part in zip(*kept_counts, strict=True)))
    ends = intervals(counts, lengths, weights)
    hits, predicted, positives = counts.totals
    scores = confusion.scores(hits, predicted, positives, n)
    by_latent = {}
    for row, (latent, one) in enumerate(chosen):
        identity = int(given[f1[latent, given].argmax()]) if len(given) else -1
        identity_f1 = float(f1[latent, identity]) if len(given) else 0.0
        q = float(scored.q[latent, one.rule.columns[0]])
        low = float(ends.mcc[row, 0])
        words = one.rule.name(columns)
        why = _why(q, low, float(predicted[row]), one)
        base_rate = positives[row] / n
        by_latent[latent] = Name(
            latent=latent,
            name=words if why.startswith("kept") else None,
            why=why,
            rule=words,
            columns=one.rule.columns,
            operators=one.rule.operators,
            groups=tuple(columns.concepts[columns.concept[column]].group for column in one.rule.columns),
            needs=one.rule.needs(columns),
            threshold=one.threshold,
            precision=float(scores.precision[row]),
            recall=float(scores.recall[row]),
            f1=float(scores.f1[row]),
            f1_interval=(float(ends.f1[row, 0]), float(ends.f1[row, 1])),
            mcc=float(scores.mcc[row]),
            mcc_interval=(low, float(ends.mcc[row, 1])),
            base_rate=float(base_rate),
            always_on_f1=float(confusion.always_on_f1(base_rate)),
            q=q,
            identity=columns.name(identity) if len(given) else "",
            identity_f1=identity_f1,
            gain=float(scores.f1[row]) - identity_f1,
        )
    return [by_latent.get(latent) or _nothing(latent) for latent in live.tolist()]


def _why(q: float, low: float, predicted: float, one: rules.Found) -> str:
    """What decided on a rule; it begins with "kept" where it became the name."""
    if not predicted:
        return "none: the latent does not fire on test songs at its threshold"
    if q > SIGNIFICANT:
        return f"none: its best concept is not significant on test songs (q {q:.2g})"
    if low <= LEAST_MCC:
        return f"none: the interval of its MCC on test songs reaches down to {low:.2f}; expected above {LEAST_MCC}"
    if len(one.rule.columns) == 1:
        return "kept: the best single concept on train and valid songs, supported on test songs"
    return f"kept: {len(one.rule.columns)} atoms beat every shorter rule on test songs by more than the interval"


def _nothing(latent: int) -> Name:
    why = "none: no concept goes with it on train and valid songs"
    nan = float("nan")
    none = (nan, nan)
    return Name(
        latent=latent,
        name=None,
        why=why,
        rule="",
        columns=(),
        operators=(),
        groups=(),
        needs="",
        threshold=nan,
        precision=nan,
        recall=nan,
        f1=nan,
        f1_interval=none,
        mcc=nan,
        mcc_interval=none,
        base_rate=nan,
        always_on_f1=nan,
        q=1.0,
        identity="",
        identity_f1=nan,
        gain=nan,
    )
