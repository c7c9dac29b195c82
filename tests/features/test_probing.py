import numpy as np
import pytest
from concept_songs import corpus_of, firings_of_values

from music_interpret.features import confusion, probing


@pytest.fixture(scope="module")
def corpus():
    return corpus_of(30)


def test_a_concept_split_over_latents_needs_as_many(corpus):
    """Two latents that each know half of a concept: one finds half, two find it all."""
    generator = np.random.default_rng(0)
    by_name = {corpus.columns.name(column): column for column in range(len(corpus.columns))}
    column = by_name["pitch class: D"]
    n = int(corpus.song_first[-1])
    has = corpus.table.column("pitch class") == 2
    half = generator.random(n) < 0.5
    noise = (generator.random((n, 6)) < 0.1) * generator.random((n, 6))
    values = np.concatenate([(has & half)[:, None], (has & ~half)[:, None], noise], axis=1).astype(np.float32)
    parts = [corpus.part(firings_of_values(values), split) for split in ("train", "valid", "test")]
    f1 = probing.probe(*parts, np.array([column]))[0]
    assert f1[0] == pytest.approx(2 / 3, abs=0.1) and f1[1] == 1.0 and f1[2] > 0.95


def test_the_best_threshold_is_the_best_of_all():
    generator = np.random.default_rng(1)
    scores, has = generator.integers(0, 6, 80).astype(float), generator.random(80) < 0.3
    found = probing.best_threshold(scores, has)

    def f1(threshold):
        says = scores >= threshold
        return float(confusion.f1((says & has).sum(), says.sum(), has.sum()))

    assert f1(found) == pytest.approx(max(f1(threshold) for threshold in range(6)))
