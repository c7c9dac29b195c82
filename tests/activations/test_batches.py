from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.activations import batches
from music_interpret.activations.batches import ShuffledBatches, sequential_batches

N = 1000


def layer_of(n):
    """A layer whose rows hold their own token row."""
    rows = np.arange(n, dtype=np.float32)[:, None].repeat(2, axis=1)
    return SimpleNamespace(shards=[rows], read=lambda start, stop: rows[start:stop])


RUNS = np.array([[10, 400], [410, 411], [600, 1000]])
IDS = np.concatenate([np.arange(*run) for run in RUNS])


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(batches, "CHUNK_TOKENS", 16)


def epoch(shuffled, number, first=0):
    """Token rows of an epoch's batches, which every layer's rows must agree with."""
    batches = []
    for batch in shuffled.epoch(number, first):
        for rows in batch.rows.values():
            assert rows[:, 0].long().tolist() == batch.token_rows.tolist()
        batches.append(batch.token_rows.tolist())
    return batches


@pytest.mark.parametrize("buffer", [16, 100, 333, N])
@given(batch=st.integers(1, 300), seed=st.integers(0, 5))
def test_each_row_once_an_epoch_in_full_batches(buffer, batch, seed):
    shuffled = ShuffledBatches({3: layer_of(N)}, RUNS, batch_size=batch, seed=seed, buffer_tokens=buffer)
    got = epoch(shuffled, 0)
    assert len(got) == len(shuffled) == len(IDS) // batch
    assert all(len(b) == batch for b in got)
    flat = sum(got, [])
    assert len(set(flat)) == len(flat) and set(flat) <= set(IDS.tolist())


@pytest.mark.parametrize("buffer", [16, 100, N])
@given(batch=st.integers(1, 200), first=st.integers(0, 800))
def test_any_batch_is_reached_without_those_before(buffer, batch, first):
    shuffled = ShuffledBatches({3: layer_of(N)}, RUNS, batch_size=batch, seed=3, buffer_tokens=buffer)
    first = min(first, len(shuffled))
    assert epoch(shuffled, 2, first) == epoch(shuffled, 2)[first:]


def test_seeds_and_epochs_have_orders_of_their_own():
    def make(seed):
        return ShuffledBatches({3: layer_of(N)}, RUNS, batch_size=50, seed=seed, buffer_tokens=N)

    assert epoch(make(0), 0) == epoch(make(0), 0)
    assert epoch(make(0), 0) != epoch(make(0), 1)
    assert epoch(make(0), 0) != epoch(make(1), 0)


def test_rows_are_mixed_over_the_whole_split():
    first = epoch(ShuffledBatches({3: layer_of(N)}, RUNS, batch_size=50, seed=0, buffer_tokens=N), 0)[0]
    assert np.ptp(first) > 700 and first != sorted(first)


def test_no_more_than_the_buffer_is_held(monkeypatch):
    loaded = []
    original = ShuffledBatches._load
    monkeypatch.setattr(
        ShuffledBatches, "_load", lambda self, chunks: loaded.append(original(self, chunks)) or loaded[-1]
    )
    shuffled = ShuffledBatches({3: layer_of(N)}, RUNS, batch_size=50, seed=0, buffer_tokens=100)
    epoch(shuffled, 0)
    assert max(len(batch.token_rows) for batch in loaded) <= 100 + 16
    assert sum(len(batch.token_rows) for batch in loaded) >= len(IDS) - 116


def test_fewer_rows_than_a_batch():
    shuffled = ShuffledBatches({3: layer_of(N)}, np.array([[5, 12]]), batch_size=50, seed=0, buffer_tokens=100)
    assert [sorted(batch) for batch in epoch(shuffled, 0)] == [[5, 6, 7, 8, 9, 10, 11]]


def test_layers_are_read_token_by_token_in_the_same_order():
    alone = ShuffledBatches({3: layer_of(N)}, RUNS, batch_size=70, seed=0, buffer_tokens=100)
    together = ShuffledBatches({1: layer_of(N), 3: layer_of(N)}, RUNS, batch_size=70, seed=0, buffer_tokens=100)
    assert epoch(together, 1) == epoch(alone, 1)
    assert next(together.epoch(0)).rows.keys() == {1, 3}


def test_sequential_batches_cover_runs_in_order():
    got = list(sequential_batches(layer_of(N), RUNS, 150))
    ids = [rows[:, 0].int().tolist() for _, _, rows in got]
    assert sum(ids, []) == IDS.tolist() and max(map(len, ids)) == 150
    assert all(rows == list(range(first, last)) for (first, last, _), rows in zip(got, ids, strict=True))
    assert all(isinstance(rows, torch.Tensor) for _, _, rows in got)
