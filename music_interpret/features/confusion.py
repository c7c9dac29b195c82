"""How well a yes-or-no prediction fits a yes-or-no truth: scores from counts, and from the ranks of values.

With TP, FP, FN, TN over all tokens: precision TP/(TP+FP), recall TP/(TP+FN), F1 2TP/(2TP+FP+FN), balanced accuracy the
mean of recall and TN/(TN+FP), and Matthews' correlation coefficient (Matthews 1975)

    MCC = (TP·TN − FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN)),

which is 0 for whatever knows nothing of the truth, always-on or always-off included. F1 of the always-on predictor is
2b/(1+b) at base rate b. A ratio without a denominator is 0, but for AUROC and average precision, which are then NaN.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Scores(NamedTuple):
    """Scores by elementwise counts; every field has the counts' shape."""

    precision: np.ndarray
    """Fraction of the predicted tokens that have the value."""
    recall: np.ndarray
    """Fraction of the tokens with the value that are predicted."""
    f1: np.ndarray
    """Harmonic mean of precision and recall."""
    mcc: np.ndarray
    """Matthews' correlation coefficient."""
    balanced_accuracy: np.ndarray
    """Mean of the recall of tokens with and of tokens without the value."""


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=np.greater(below, 0))


def f1(hits: ArrayLike, predicted: ArrayLike, positives: ArrayLike) -> np.ndarray:
    """F1 from the numbers of true positives, of predicted tokens and of tokens with the value."""
    return _ratio(2.0 * np.asarray(hits), np.add(predicted, positives))


def mcc(hits: ArrayLike, predicted: ArrayLike, positives: ArrayLike, n: np.ndarray | int) -> np.ndarray:
    """Matthews' correlation from the same counts and the number of all tokens."""
    hits, predicted, positives = (np.asarray(count, np.float64) for count in (hits, predicted, positives))
    spread = np.sqrt(predicted * (n - predicted)) * np.sqrt(positives * (n - positives))
    return _ratio(n * hits - predicted * positives, spread)


def scores(hits: ArrayLike, predicted: ArrayLike, positives: ArrayLike, n: int) -> Scores:
    """All scores from counts that broadcast to one shape."""
    hits, predicted, positives = np.broadcast_arrays(
        *(np.asarray(count, np.float64) for count in (hits, predicted, positives))
    )
    recall = _ratio(hits, positives)
    specificity = _ratio(n - predicted - positives + hits, n - positives)
    return Scores(
        _ratio(hits, predicted),
        recall,
        f1(hits, predicted, positives),
        mcc(hits, predicted, positives, n),
        (recall + specificity) / 2,
    )


def always_on_f1(base_rate: ArrayLike) -> np.ndarray:
    """F1 of the predictor that says yes to every token."""
    return _ratio(2.0 * np.asarray(base_rate), np.add(1.0, base_rate))


def ranking(values: np.ndarray, truth: np.ndarray, positives: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Area under the ROC curve and average precision of one latent for many truths, over all n tokens.

    Tokens on which the latent does not fire all have the value 0. AUROC is the fraction of (positive, negative) pairs
    in order, a tie being half a pair (Fawcett 2006); average precision is Σ (Rᵢ − Rᵢ₋₁) Pᵢ over distinct values from
    the largest down, ties taken together, as scikit-learn defines it.

    Args:
        values: of the m tokens on which the latent fires, above 0, in any order, (m,).
        truth: whether each of these tokens has the value, bool (m, n_values).
        positives: number of all tokens that have it, (n_values,).
        n: number of all tokens.

    Returns:
        AUROC and average precision, float64 (n_values,), NaN where no token or every token has the value (average
        precision: where no token has it).
    """
    order = np.argsort(-values, kind="stable")
    values, held = values[order], truth[order].astype(np.float32)
    m, found, both = len(values), positives > 0, (positives > 0) & (positives < n)
    # Each token's run of equal values: where it begins, and one past where it ends. Zeros are the last run.
    edges = np.append(np.flatnonzero(np.diff(values, prepend=np.inf) != 0), m)
    run = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    first, last = edges[run], edges[run + 1]
    hits = np.cumsum(held, axis=0)
    on = hits[-1].astype(np.float64) if m else np.zeros(len(positives))
    if len(edges) <= m:  # there are ties
        hits = hits[last - 1]
    hits *= held
    average = np.full(len(positives), np.nan)
    off = (positives - on) * (positives / n)
    average[found] = ((1.0 / last).astype(np.float32) @ hits + off)[found] / positives[found]
    # Middle ranks from the top, of which the smaller are better; tokens that are 0 share those below m.
    ranks = ((first + last + 1) / 2 - m).astype(np.float32) @ held + m * on + (m + n + 1) / 2 * (positives - on)
    better = positives.astype(np.float64) * n - ranks + positives - positives * (positives + 1.0) / 2
    auroc = np.full(len(positives), np.nan)
    auroc[both] = better[both] / (positives[both].astype(np.float64) * (n - positives[both]))
    return auroc, average
