import numpy as np
import pytest
from concept_songs import corpus_of, firings_of_values

from music_interpret.features import confusion, rules
from music_interpret.features.intervals import SongCounts, drawn_songs
from music_interpret.features.rules import Evidence, Rule


@pytest.fixture(scope="module")
def corpus():
    return corpus_of(20)


def test_a_rule_in_words(corpus):
    names = [corpus.columns.name(column) for column in (0, 1, 2)]
    assert Rule((0,)).name(corpus.columns) == names[0]
    assert Rule((0, 1), ("and",)).name(corpus.columns) == f"{names[0]} and {names[1]}"
    assert Rule((0, 1, 2), ("or", "or")).name(corpus.columns) == f"{names[0]} or {names[1]} or {names[2]}"
    assert Rule((0, 1, 2), ("or", "and")).name(corpus.columns) == f"({names[0]} or {names[1]}) and {names[2]}"


def test_the_search_is_as_good_as_trying_all_pairs(corpus):
    generator = np.random.default_rng(0)
    n = int(corpus.song_first[-1])
    values = (generator.random((n, 1)) < 0.08).astype(np.float32)
    train = corpus.part(firings_of_values(values), "train")
    evidence = Evidence(train)
    candidates = generator.permutation(len(corpus.columns))[: rules.BEAM]
    tokens, _ = train.firings.latent(0)
    truth = evidence.truth.T.astype(bool)
    best = 0.0
    for a in candidates:
        for b in candidates:
            for says in (truth[:, a] & truth[:, b], truth[:, a] | truth[:, b]):
                if a != b and not (truth[:, a] <= truth[:, b]).all() and not (truth[:, b] <= truth[:, a]).all():
                    best = max(best, float(confusion.mcc(says[tokens].sum(), len(tokens), says.sum(), len(says))))
    found = rules.search(evidence, 0, candidates, np.array([0.0]))
    pair = next(one for one in found if len(one.rule.columns) == 2)
    assert pair.fit_mcc == pytest.approx(best, abs=1e-6)
    for one in found:  # what the search says of its rules is so
        says = one.rule.holds(truth.T)
        mcc = confusion.mcc(says[tokens].sum(), len(tokens), says.sum(), len(says))
        assert one.fit_mcc == pytest.approx(float(mcc), abs=1e-6)


def test_bits_count_as_bytes_do(corpus):
    firings = firings_of_values(np.zeros((int(corpus.song_first[-1]), 1), np.float32))
    evidence = Evidence(corpus.part(firings, "valid"))
    assert evidence.n % 64  # so the last word is filled up
    assert np.array_equal(rules.count(evidence.bits), evidence.truth.sum(axis=1))
    expected = evidence.truth[:3].astype(int) @ evidence.truth[5:9].T
    assert np.array_equal(rules.count_both(evidence.bits[:3], evidence.bits[5:9]), expected)


@pytest.mark.parametrize(
    ("longer_hits", "place"), [([9] * 12, 1), ([9] * 8 + [0] * 4, 0), ([5] * 12, 0), ([9] * 11 + [4], 1)]
)
def test_a_longer_rule_is_kept_where_it_is_better_in_almost_every_draw(longer_hits, place):
    """Better in all songs, in two thirds of them, in none, and in all but one."""
    tens = np.full((2, 12), 10, np.float32)
    counts = SongCounts(np.array([[5] * 12, longer_hits], np.float32), tens, tens)
    assert rules.kept(counts, np.full(12, 100), drawn_songs(12, seed=0)) == place
