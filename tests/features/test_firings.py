import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from music_interpret.features.firings import Firings
from music_interpret.features.index import Chunk


@given(arrays(np.float32, (40, 5), elements=st.sampled_from([0.0, 0.0, 0.5, 2.0])), st.integers(1, 40))
def test_chunks_and_runs_keep_every_firing(values, chunk):
    chunks = [Chunk.of(first, values[first : first + chunk]) for first in range(0, 40, chunk)]
    firings = Firings.of_chunks(chunks, 5)

    def dense(some: Firings, n: int) -> np.ndarray:
        found = np.zeros((n, 5), np.float32)
        found[some.token_rows, some.latents] = some.values
        return found

    assert np.array_equal(dense(firings, 40), values)
    spans = np.array([[3, 10], [10, 12], [30, 40]])
    rows = np.concatenate([np.arange(start, stop) for start, stop in spans])
    within = firings.within(spans, 40)
    assert np.array_equal(dense(within, len(rows)), values[rows])
    for latent in range(5):
        tokens, _ = within.latent(latent)
        assert (np.diff(tokens.astype(int)) > 0).all()
