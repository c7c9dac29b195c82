import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from music_interpret.sae.sparse import SparseLatents, offsets_of, rows_of


def random_latents(seed, n_tokens, d_sae, density):
    generator = torch.Generator().manual_seed(seed)
    dense = torch.randn(n_tokens, d_sae, generator=generator)
    dense *= torch.rand(n_tokens, d_sae, generator=generator) < density
    tokens, indices = torch.nonzero(dense, as_tuple=True)
    return SparseLatents(indices, dense[tokens, indices], tokens, offsets_of(tokens, n_tokens)), dense


SHAPES = {
    "seed": st.integers(0, 99),
    "n_tokens": st.integers(1, 12),
    "d_sae": st.integers(1, 20),
    "density": st.floats(0, 1),
}


@settings(deadline=None)
@given(**SHAPES)
def test_products_are_those_of_the_dense_matrix(seed, n_tokens, d_sae, density):
    latents, dense = random_latents(seed, n_tokens, d_sae, density)
    weights, rows = torch.randn(d_sae, 7), torch.randn(n_tokens, 7)
    torch.testing.assert_close(latents.to_dense(d_sae), dense)
    torch.testing.assert_close(latents.times(weights), dense @ weights, atol=1e-5, rtol=1e-5)
    wanted = (rows @ weights.T)[latents.tokens, latents.indices]
    torch.testing.assert_close(latents.value_gradients(weights, rows), wanted, atol=1e-5, rtol=1e-5)
    by_latent = latents.by_latent(d_sae)
    torch.testing.assert_close(by_latent.weight_gradient(latents.values, rows), dense.T @ rows, atol=1e-5, rtol=1e-5)
    assert latents.counts(d_sae).tolist() == (dense > 0).sum(0).tolist()


@settings(deadline=None)
@given(**SHAPES)
def test_a_part_of_the_entries(seed, n_tokens, d_sae, density):
    latents, dense = random_latents(seed, n_tokens, d_sae, density)
    torch.testing.assert_close(latents.kept(latents.values > 0).to_dense(d_sae), dense.relu())


def test_rows_of_equal_length():
    latents = rows_of(torch.tensor([[2, 0], [1, 3]]), torch.tensor([[5.0, 6.0], [7.0, 8.0]]))
    assert latents.to_dense(4).tolist() == [[6, 0, 5, 0], [0, 7, 0, 8]]
