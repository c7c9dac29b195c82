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


def test_a_probe_reports_its_f1_on_test_songs_at_the_threshold_of_valid_songs(corpus):
    """Of one latent that is weaker on test songs, where a lower threshold would do better."""
    generator = np.random.default_rng(3)
    column = next(c for c in range(len(corpus.columns)) if corpus.columns.name(c) == "pitch class: D")
    has = corpus.table.column("pitch class") == 2
    values = (2 * has + generator.gamma(2.0, size=len(has))).astype(np.float32)
    rows = {split: np.concatenate([np.arange(*span) for span in spans]) for split, spans in corpus.spans.items()}
    values[rows["test"]] *= 0.7
    parts = [corpus.part(firings_of_values(values[:, None]), split) for split in ("train", "valid", "test")]

    def f1(split, threshold):
        says, truth = values[rows[split]] >= threshold, has[rows[split]]
        return float(confusion.f1((says & truth).sum(), says.sum(), truth.sum()))

    best = {split: max(values[rows[split]], key=lambda threshold, split=split: f1(split, threshold)) for split in rows}
    found = probing.probe(*parts, np.array([column]))[0]
    assert found[0] == pytest.approx(f1("test", best["valid"])) and found[0] < f1("test", best["test"]) - 0.02
    assert found[0] != pytest.approx(f1("valid", best["valid"]), abs=0.01)


def test_the_best_threshold_is_the_best_of_all():
    generator = np.random.default_rng(1)
    scores, has = generator.integers(0, 6, 80).astype(float), generator.random(80) < 0.3
    found = probing.best_threshold(scores, has)

    def f1(threshold):
        says = scores >= threshold
        return float(confusion.f1((says & has).sum(), says.sum(), has.sum()))

    assert f1(found) == pytest.approx(max(f1(threshold) for threshold in range(6)))
