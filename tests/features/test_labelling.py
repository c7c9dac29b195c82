"""Planted truth: latents that are concepts get their names, latents that are noise get none."""

import numpy as np
import pytest
from concept_songs import corpus_of, firings_of_values

from music_interpret.features.label_tables import label_rows
from music_interpret.features.labelling import LEAST_MCC, Corpus, Labelled, label_latents
from music_interpret.features.labels import SCHEMA, SIGNIFICANT
from music_interpret.features.truth import Truth
from music_interpret.music.concepts.concept import LEAKAGES

SONGS = 50


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return corpus_of(SONGS)


@pytest.fixture(scope="module")
def everything(corpus) -> np.ndarray:
    """Truth of all columns at all tokens, (n_tokens, n_columns)."""
    spans = np.array([[0, corpus.song_first[-1]]])
    return Truth(corpus.table, corpus.columns, spans, corpus.song_first).dense(0, len(corpus.columns), bool)


def well_attested(corpus: Corpus, everything: np.ndarray) -> np.ndarray:
    """Columns of the token itself with enough tokens in enough songs of every split to tell."""
    enough = corpus.columns.lag == 0
    for spans in corpus.spans.values():
        songs = np.stack([everything[start:stop].sum(axis=0) for start, stop in spans])
        enough &= (songs.sum(axis=0) >= 12) & ((songs > 0).sum(axis=0) >= 4)
    return np.flatnonzero(enough & (everything.mean(axis=0) < 0.5))


def planted(truth: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A latent that fires where something is true, with a tenth left out, 0.2 % added, and any strength."""
    n = len(truth)
    fires = (truth & (generator.random(n) < 0.9)) | (generator.random(n) < 0.002)
    return (fires * generator.gamma(4.0, size=n)).astype(np.float32)


@pytest.fixture(scope="module")
def labelled(corpus, everything) -> tuple[np.ndarray, Labelled]:
    generator = np.random.default_rng(0)
    columns = generator.permutation(well_attested(corpus, everything))[:120]
    values = np.stack([planted(everything[:, column], generator) for column in columns], axis=1)
    return columns, label_latents(firings_of_values(values), corpus, what="planted")


def test_planted_concepts_are_named(labelled, corpus, everything):
    columns, found = labelled
    assert len(columns) >= 60
    wrong = []
    for name in found.names:
        meant = everything[:, columns[name.latent]]
        said = np.zeros_like(meant)
        if name.name is not None:
            said = everything[:, name.columns[0]].copy()
            for operator, column in zip(name.operators, name.columns[1:], strict=True):
                said = said & everything[:, column] if operator == "and" else said | everything[:, column]
        # Another name for (nearly) the same tokens is right too: "texture of one note" where every song begins alone.
        if np.corrcoef(meant, said)[0, 1] < 0.95 if said.any() else True:
            wrong.append((corpus.columns.name(columns[name.latent]), name.rule, name.why))
    assert len(wrong) <= 0.05 * len(columns), wrong


def test_scores_of_planted_concepts(labelled, corpus):
    columns, found = labelled
    rows = label_rows(found)
    assert list(rows) == list(SCHEMA) and len({len(column) for column in rows.values()}) == 1
    first = rows["rank"] == 1
    assert first.sum() == len(columns)
    assert np.median(rows["f1"][first]) > 0.9 and np.median(rows["auroc"][first]) > 0.9
    assert (rows["f1_low"] <= rows["f1"] + 1e-6).mean() > 0.97 and (rows["f1_high"] >= rows["f1"] - 1e-6).mean() > 0.97
    context = corpus.columns.leakage[columns] != LEAKAGES.index("given")
    named = np.array([name.name is not None for name in found.names])
    gains = np.array([name.gain for name in found.names])
    assert (gains[context & named] > 0).mean() > 0.8 and (gains[~context & named] < 0.05).all()
    coverage = found.summary["coverage"]["all"]
    assert 0 < coverage["found"] <= 1 and found.summary["named"]["all"] > 0.9
    assert found.summary["monosemanticity"] > 0.8


def test_names_say_what_decided(labelled, corpus):
    """A name needs an interval whose lower end is high enough; its rival is a property of the token itself."""
    given = np.flatnonzero((corpus.columns.leakage == LEAKAGES.index("given")) & (corpus.columns.lag == 0))
    _, found = labelled
    for name in found.names:
        low, high = name.mcc_interval
        assert low < name.mcc + 1e-6 and name.mcc < high + 1e-6
        assert (name.name is not None) == (low > LEAST_MCC and name.q <= SIGNIFICANT)
        identity = given[found.scored.f1[name.latent, given].argmax()]
        assert name.identity == corpus.columns.name(identity)
        assert name.gain == pytest.approx(name.f1 - found.scored.f1[name.latent, identity])


def test_noise_gets_no_name(corpus):
    generator = np.random.default_rng(1)
    n = int(corpus.song_first[-1])
    density = generator.uniform(0.002, 0.1, 200)
    values = (generator.random((n, 200)) < density) * generator.gamma(4.0, size=(n, 200))
    # A half of them fire in bursts, as latents that follow a passage do.
    bursts = np.repeat(generator.random((n // 16 + 1, 100)) < density[:100], 16, axis=0)[:n]
    values[:, :100] = bursts * generator.gamma(4.0, size=(n, 100))
    found = label_latents(firings_of_values(values.astype(np.float32)), corpus, what="noise")
    named = [name.name for name in found.names if name.name is not None]
    assert len(named) <= 0.05 * 200, named
    assert found.summary["rule_f1"]["all"] <= 0.05


def test_a_conjunction_is_found_and_an_empty_addition_is_not(corpus, everything):
    generator = np.random.default_rng(2)
    by_name = {corpus.columns.name(column): column for column in range(len(corpus.columns))}
    downbeat, high = everything[:, by_name["downbeat"]], everything[:, by_name["octave: 4"]]
    a, b = everything[:, by_name["pitch class: D"]], everything[:, by_name["pitch class: G"]]
    values = np.stack([planted(truth, generator) for truth in (downbeat & high, a | b, a)], axis=1)
    both, either, single = label_latents(firings_of_values(values), corpus, what="rules").names
    assert both.operators == ("and",)  # of "downbeat", say, or of "metrical strength: downbeat", which is the same
    assert np.array_equal(everything[:, both.columns[0]] & everything[:, both.columns[1]], downbeat & high)
    assert either.operators == ("or",) and set(either.columns) == {by_name["pitch class: D"], by_name["pitch class: G"]}
    assert single.name == "pitch class: D"


def test_labels_are_the_same_again(labelled, corpus, everything):
    generator = np.random.default_rng(0)
    columns = generator.permutation(well_attested(corpus, everything))[:120]
    values = np.stack([planted(everything[:, column], generator) for column in columns[:10]], axis=1)
    first, second = (label_latents(firings_of_values(values), corpus, what="again") for _ in range(2))
    assert first.names == second.names and first.summary == second.summary


def test_dead_latents_and_latents_silent_on_test_songs(corpus):
    values = np.zeros((int(corpus.song_first[-1]), 3), np.float32)
    start, stop = corpus.spans["train"][0]
    values[start:stop, 1] = 1.0
    found = label_latents(firings_of_values(values), corpus, what="silent")
    assert [name.latent for name in found.names] == [1] and found.names[0].name is None
    assert found.summary["n_live"] == 1 and found.summary["named"]["all"] == 0
