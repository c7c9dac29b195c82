"""Set-level numbers of a dictionary small enough to count by hand: what is chosen on train and valid songs, and only
reported on test songs.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from concept_songs import firings_of_values

from music_interpret.features import set_level
from music_interpret.features.rules import Rule
from music_interpret.features.scoring import Scored
from music_interpret.features.truth import Columns
from music_interpret.music.concepts.library import BUILT_IN

GIVEN, PAST = (next(concept for concept in BUILT_IN if concept.leakage == leakage) for leakage in ("given", "past"))
COLUMNS = Columns((GIVEN, PAST), np.array([0, 1, 1, 0]), np.array([0, 0, 1, 0]), np.array([0, 0, 0, 1]))
"""A property of the token, two of its context, and the first of the next token."""
LIVE = np.array([0, 1])


def scored(fit_mcc: list[list[float]], f1: list[list[float]]) -> Scored:
    """Of 1,000 test tokens 100 have each column, and each latent predicts 100: F1 is then hits / 100."""
    shape, nothing = np.shape(f1), np.zeros(np.shape(f1), np.float32)
    return Scored(
        thresholds=nothing,
        level=nothing.astype(np.int8),
        fit_mcc=np.array(fit_mcc, np.float32),
        hits=(100 * np.array(f1)).round().astype(np.int32),
        predicted=np.full(shape, 100, np.int32),
        positives=np.full(shape[1], 100),
        n=1000,
        auroc=nothing,
        average_precision=nothing,
        p=nothing,
        q=nothing,
    )


SCORED = scored(
    fit_mcc=[[0.1, 0.6, 0.2, 0.0], [0.7, 0.5, 0.6, 0.0]],
    f1=[[0.2, 0.3, 0.9, 0.0], [0.75, 0.95, 0.7, 1.0]],
)


def test_a_columns_latent_is_chosen_on_train_and_valid_songs():
    """Latents 1, 0 and 1, with F1 of .75, .3 and .7; latent 1 would find the second with .95 and latent 0 the third."""
    found = set_level.coverage(SCORED, COLUMNS, LIVE, 0)
    assert found["given"]["found"] == 1 and found["all"]["found"] == pytest.approx(2 / 3)
    past = found["past"]
    assert (past["columns"], past["found"], past["found_uncommon"]) == (2, 0.5, 0.5)
    # The token's own property says .2 of latent 0 and .75 of latent 1; the next token's does not count.
    assert past["gain"] == pytest.approx(((0.3 - 0.2) + (0.7 - 0.75)) / 2) and past["beyond_identity"] == 0
    mcc = [(f1 - 0.1) / 0.9 for f1 in (0.3, 0.7)]  # with 100 predicted, 100 positive and 1,000 tokens
    assert past["mcc"] == pytest.approx(np.mean(mcc))


def test_a_latents_column_is_chosen_on_train_and_valid_songs():
    """Columns 1 and 0 of all, with F1 of .3 and .75; columns 1 and 2 of context, with .3 and .7."""
    assert set_level.share_with_f1(SCORED, COLUMNS, LIVE) == {
        "all": 0.5,
        "given": 0.5,
        "past": 0.5,
        "future": 0.0,
        "context": 0.5,
    }
    other = SCORED._replace(fit_mcc=SCORED.fit_mcc[::-1].copy())
    assert set_level.share_with_f1(other, COLUMNS, LIVE)["context"] == 1.0  # .9 and .95


def test_a_latents_strongest_tokens_are_asked_for_its_rule():
    strength = np.arange(1, 31, dtype=np.float32)
    few = np.where(strength < set_level.TOP_TOKENS, strength, 0.0)
    test = SimpleNamespace(firings=firings_of_values(np.stack([strength, few], axis=1)))
    truth = (strength > 15)[None]  # of 15 of the 20 strongest, and none of the others
    assert set_level.monosemanticity(test, truth, [(0, Rule((0,)))]) == pytest.approx(15 / 20)
    assert set_level.monosemanticity(test, truth, [(1, Rule((0,)))]) is None
