"""Scoring against a dense computation, chance against chance, and truths at lags and under turns."""

import numpy as np
import pytest
from concept_songs import corpus_of, firings_of_values

from music_interpret.features import confusion
from music_interpret.features.chance import Z_EDGES, false_discovery_rates, tail_of
from music_interpret.features.hits import N_LEVELS, thresholds_of
from music_interpret.features.scoring import Part, score
from music_interpret.features.truth import Truth

SONGS = 30


@pytest.fixture(scope="module")
def corpus():
    return corpus_of(SONGS)


@pytest.fixture(scope="module")
def parts(corpus):
    generator = np.random.default_rng(0)
    n = int(corpus.song_first[-1])
    values = np.where(generator.random((n, 12)) < 0.1, generator.integers(1, 9, (n, 12)) / 4, 0.0).astype(np.float32)
    values[:, 11] = 0.0  # a dead latent
    firings = firings_of_values(values)
    return values, {split: corpus.part(firings, split) for split in ("train", "valid", "test")}


def rows_of(corpus, split):
    return np.concatenate([np.arange(start, stop) for start, stop in corpus.spans[split]])


def test_a_truth_is_the_concept_at_the_token_and_at_the_next(corpus):
    columns, table = corpus.columns, corpus.table
    truth = Truth(table, columns, corpus.spans["valid"], corpus.song_first)
    dense = truth.dense(0, len(columns))
    tokens = rows_of(corpus, "valid")
    last_of_song = np.isin(tokens + 1, corpus.song_first)
    for column in range(len(columns)):
        values = table.columns[columns.concept[column]]
        shifted = values[np.minimum(tokens + columns.lag[column], len(values) - 1)]
        expected = (shifted == columns.value[column]) & ~((columns.lag[column] == 1) & last_of_song)
        assert np.array_equal(dense[:, column], expected), columns.name(column)
    assert np.array_equal(truth.positives(), dense.sum(axis=0))


def test_a_turn_moves_each_song_in_a_circle(corpus):
    truth = Truth(corpus.table, corpus.columns, corpus.spans["train"], corpus.song_first)
    rows = truth.circular_shift(np.random.default_rng(1))
    assert np.array_equal(np.sort(rows), np.arange(truth.n)) and (rows != np.arange(truth.n)).any()
    song = np.searchsorted(truth.song_first, np.arange(truth.n), side="right")
    assert np.array_equal(song[rows], song)
    steps = np.diff(rows)[np.diff(song) == 0]
    lengths = truth.song_lengths[song[1:][np.diff(song) == 0] - 1]
    assert (((steps - 1) % lengths) == 0).all()


def test_scores_are_those_of_a_dense_computation(corpus, parts):
    values, by_split = parts
    scored = score(by_split["train"], by_split["valid"], by_split["test"], turns=4)
    thresholds = thresholds_of(by_split["valid"].firings)
    dense = {split: part.truth.dense(0, len(corpus.columns), bool) for split, part in by_split.items()}
    of = {split: values[rows_of(corpus, split)] for split in by_split}
    for latent in range(11):
        assert (np.diff(thresholds[latent]) >= 0).all() and thresholds[latent, 0] == 0
        for column in range(0, len(corpus.columns), 17):

            def mcc(splits, threshold, latent=latent, column=column):
                says = np.concatenate([(of[s][:, latent] >= threshold) & (of[s][:, latent] > 0) for s in splits])
                has = np.concatenate([dense[s][:, column] for s in splits])
                return (
                    confusion.mcc((says & has).sum(), says.sum(), has.sum(), len(has)),
                    (says & has).sum(),
                    says.sum(),
                )

            on_valid = [mcc(["valid"], threshold)[0] for threshold in thresholds[latent]]
            level = scored.level[latent, column]
            assert on_valid[level] == pytest.approx(max(on_valid), abs=1e-9)
            threshold = thresholds[latent, level]
            assert scored.fit_mcc[latent, column] == pytest.approx(
                float(mcc(["train", "valid"], threshold)[0]), abs=1e-6
            )
            assert (scored.hits[latent, column], scored.predicted[latent, column]) == mcc(["test"], threshold)[1:]
    assert thresholds.shape == (12, N_LEVELS) and (scored.hits[11] == 0).all() and (scored.p[11] == 1).all()


def test_chance_alone_is_rarely_significant_and_truth_is(corpus):
    generator = np.random.default_rng(2)
    n = int(corpus.song_first[-1])
    noise = np.where(generator.random((n, 60)) < 0.05, generator.random((n, 60)), 0.0)
    metre = corpus.table.column("metrical strength")
    real = (metre == 0) * (1 + generator.random(n))
    firings = firings_of_values(np.concatenate([noise, real[:, None]], axis=1).astype(np.float32))
    scored = score(*(corpus.part(firings, split) for split in ("train", "valid", "test")))
    assert (scored.p[:60] < 0.05).mean() < 0.07
    assert (scored.p[:60] < 0.001).mean() < 0.002  # in the tail too, where names are made
    assert (scored.q[:60] < 0.05).mean() < 0.005
    column = next(
        c for c in range(len(corpus.columns)) if corpus.columns.name(c).startswith("metrical strength: downbeat")
    )
    assert scored.q[60, column] < 0.001 and scored.f1[60, column] == 1.0


def test_false_discovery_rates_against_a_plain_loop():
    p = np.random.default_rng(0).random(200) ** 3
    order = np.argsort(p)
    expected, smallest = np.empty(200), 1.0
    for place in range(199, -1, -1):
        smallest = min(smallest, p[order[place]] * 200 / (place + 1))
        expected[order[place]] = smallest
    np.testing.assert_allclose(false_discovery_rates(p.reshape(20, 10)).ravel(), expected, rtol=1e-6)


def test_no_firings_at_all(corpus):
    firings = firings_of_values(np.zeros((int(corpus.song_first[-1]), 3), np.float32))
    scored = score(*(corpus.part(firings, split) for split in ("train", "valid", "test")), turns=2)
    assert (scored.p == 1).all() and (scored.q == 1).all() and (scored.mcc == 0).all()
    assert isinstance(corpus.part(firings, "test"), Part)


def test_the_tail_of_a_null_distribution():
    """Of an exponential sample, whose tail is known; where the sample ends, its fit goes on."""
    sample = np.random.default_rng(0).exponential(1.0, 200_000)
    counts = np.bincount(np.searchsorted(Z_EDGES, sample, side="right"), minlength=len(Z_EDGES) + 1)
    tail = tail_of(counts)
    for z in (1.0, 5.0, 8.0, 15.0, 25.0):
        place = np.searchsorted(Z_EDGES, z, side="right")
        assert tail[place] == pytest.approx(np.exp(-Z_EDGES[place - 1]), rel=0.35 + z / 10), z
    assert (np.diff(tail) <= 0).all() and tail[0] == 1.0
    assert np.array_equal(tail_of(np.zeros(len(Z_EDGES) + 1, int)), np.ones(len(Z_EDGES) + 1))
