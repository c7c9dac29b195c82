import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.features import confusion


def by_pairs(values, truth):
    """AUROC as its definition says: the fraction of pairs of a positive and a negative token in order."""
    above, below = values[truth][:, None], values[~truth][None]
    return ((above > below) + (above == below) / 2).mean()


def by_thresholds(values, truth):
    """Average precision as its definition says, one threshold after the other."""
    total, last = 0.0, 0.0
    for threshold in np.unique(values)[::-1]:
        says = values >= threshold
        recall = (says & truth).sum() / truth.sum()
        total += (recall - last) * (says & truth).sum() / says.sum()
        last = recall
    return total


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_ranking_is_exact_with_ties_and_zeros(tokens):
    values = np.array([value for value, _, _ in tokens], np.float32)
    truth = np.array([[a, b] for _, a, b in tokens])
    fires = values > 0
    auroc, average = confusion.ranking(values[fires], truth[fires], truth.sum(axis=0), len(values))
    for column in range(2):
        has = truth[:, column]
        if has.any() and not has.all():
            assert auroc[column] == pytest.approx(by_pairs(values, has))
        else:
            assert np.isnan(auroc[column])
        assert average[column] == pytest.approx(by_thresholds(values, has)) if has.any() else np.isnan(average[column])


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_scores_by_their_formulas(tp, fp, fn, tn):
    n = tp + fp + fn + tn
    found = confusion.scores(tp, tp + fp, tp + fn, n)
    if tp + fp + fn:
        assert found.f1 == pytest.approx(2 * tp / (2 * tp + fp + fn))
    if (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn):
        truth = np.repeat([1, 0, 1, 0], [tp, fp, fn, tn])
        says = np.repeat([1, 1, 0, 0], [tp, fp, fn, tn])
        assert found.mcc == pytest.approx(np.corrcoef(truth, says)[0, 1], abs=1e-9)  # MCC is Pearson's for two bits
        assert found.balanced_accuracy == pytest.approx((tp / (tp + fn) + tn / (tn + fp)) / 2)
    else:
        assert found.mcc == 0


def test_a_latent_that_is_always_on_has_no_correlation():
    found = confusion.scores(np.array([900]), np.array([1000]), np.array([900]), 1000)
    assert found.mcc[0] == 0 and found.balanced_accuracy[0] == 0.5
    assert found.f1[0] == pytest.approx(confusion.always_on_f1(np.array([0.9]))[0]) == pytest.approx(1.8 / 1.9)
