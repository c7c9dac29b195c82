"""Autoencoders that say how many latents fire: TopK, BatchTopK and Matryoshka BatchTopK.

    p = x W_enc + b_enc        z = ReLU(p) where selected, else 0        x̂ = z W_dec + b_dec
    loss = mean((x̂ − x)²)

- `topk` selects the k largest p of each token (Gao et al., "Scaling and evaluating sparse autoencoders",
  arXiv 2406.04093);
- `batchtopk` selects the k · n largest of a batch of n tokens (Bussmann et al., arXiv 2412.06410). To be used on one
  token at a time it keeps the smallest selected value, averaged over batches, as a threshold: a JumpReLU;
- `matryoshka` selects as `batchtopk` does and averages the loss over reconstructions from nested prefixes of the
  latents (Bussmann et al., "Learning Multi-Level Features with Matryoshka SAEs", arXiv 2503.17547), so that the first
  latents learn what is most general.

The encoder's product is the only one that touches all latents; what comes after it is sparse (`sparse.py`). Decoder
rows have unit norm.
"""

import math

import torch
from torch import Tensor

from music_interpret.sae import relu
from music_interpret.sae.objective import Objective, Scratch, Step
from music_interpret.sae.parameters import Parameters
from music_interpret.sae.sparse import SparseLatents, offsets_of, rows_of

GROUP = 16
SAMPLE = 65_536


def initial(
    d_in: int, d_sae: int, *, encoder_bias: float, encoder_scale: float, generator: torch.Generator
) -> Parameters:
    """The tied start without a bias: selection needs none."""
    return relu.initial(d_in, d_sae, encoder_bias=0.0, encoder_scale=encoder_scale, generator=generator)


def initial_batch(
    d_in: int, d_sae: int, *, encoder_bias: float, encoder_scale: float, generator: torch.Generator
) -> Parameters:
    """The same with a threshold that is not known yet."""
    start = initial(d_in, d_sae, encoder_bias=0.0, encoder_scale=encoder_scale, generator=generator)
    return start | {"threshold": torch.full((d_sae,), -1.0)}


def encode(parameters: Parameters, x: Tensor, k: int) -> Tensor:
    """Latents of TopK, (n, d_in) → (n, d_sae); at most k of a row are above 0."""
    before = torch.addmm(parameters["b_enc"], x, parameters["W_enc"])
    values, indices = top_k(before, k)
    return torch.zeros_like(before).scatter_(1, indices, values.relu_())


def top_k(rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest values of each row and their indices, (n, k) each, in no order.

    A long row is cut into groups (a group takes every n_groups-th entry, which makes its maximum one vectorised pass).
    The k largest are in the k groups with the largest maxima, and none is below the k-th of these: few other members
    of those groups reach it, so that only little more than k values per row are left to be ranked.
    """
    n, length = rows.shape
    n_groups = length // GROUP
    if length % GROUP or n_groups < 4 * k:
        values, places = rows.topk(k, dim=1, sorted=False)
        return values, places
    maxima, groups = rows.view(n, GROUP, n_groups).amax(dim=1).topk(k, dim=1, sorted=False)
    members = torch.arange(GROUP, device=rows.device)[:, None] * n_groups
    candidates = (groups[:, None, :] + members).view(n, GROUP * k)
    values = rows.gather(1, candidates)
    reach = torch.nonzero((values >= maxima.amin(dim=1, keepdim=True)).view(-1)).view(-1)
    row = reach // (GROUP * k)
    # One sort by row and then by falling value: a float's bits, as an integer, are in its order.
    bits = values.view(-1)[reach].float().view(torch.int32)
    rising = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    order = torch.argsort((row << 32) - rising)
    rank = torch.arange(len(row), device=rows.device) - offsets_of(row, n)[row]
    kept = reach[order[rank < k]]
    if len(kept) < n * k:  # some values are NaN
        values, places = rows.topk(k, dim=1, sorted=False)
        return values, places
    return values.view(-1)[kept].view(n, k), candidates.view(-1)[kept].view(n, k)


def select_per_token(before: Tensor, k: float) -> SparseLatents:
    """TopK's entries."""
    values, indices = top_k(before, min(round(k), before.shape[1]))
    return rows_of(indices, values.relu_())


def select_per_batch(before: Tensor, k: float) -> SparseLatents:
    """BatchTopK's entries: the round(k · n) largest of the batch that are above 0.

    A sample gives a bound that a little more than these exceed; the exact selection is made among those. Should the
    bound be too high, it is made among all.
    """
    flat = before.reshape(-1)
    wanted = min(round(k * len(before)), len(flat))
    sample = flat[:: max(1, len(flat) // SAMPLE)].float()
    rank = min(len(sample), math.ceil(1.25 * wanted / len(flat) * len(sample)) + 8)
    bound = sample.topk(rank).values[-1].clamp_min_(0.0)
    candidates = torch.nonzero(flat > bound.to(flat.dtype)).view(-1)
    if len(candidates) < wanted:
        candidates = torch.nonzero(flat > 0).view(-1)
    values = flat[candidates]
    if len(candidates) > wanted:
        chosen = values.topk(wanted, sorted=False).indices.sort().values
        candidates, values = candidates[chosen], values[chosen]
    tokens = candidates // before.shape[1]
    return SparseLatents(candidates % before.shape[1], values.float(), tokens, offsets_of(tokens, len(before)))


def step(
    parameters: Parameters,
    x: Tensor,
    objective: Objective,
    *,
    input_gradient: bool = False,
    scratch: Scratch | None = None,
) -> Step:
    """Loss and gradients of one batch of normalised activations, float32 (batch, d_in); `topk` without a `threshold`
    among the parameters, else `batchtopk`, or `matryoshka` with prefixes.
    """
    batch, d_in = x.shape
    dtype, d_sae = objective.dtype, parameters["W_enc"].shape[1]
    before = _pre_activations(parameters, x, dtype, scratch or Scratch())
    per_batch = "threshold" in parameters
    latents = (select_per_batch if per_batch else select_per_token)(before, objective.k)
    prefixes = objective.prefixes or (d_sae,)

    parts = [latents]
    if len(prefixes) > 1:
        edges = torch.tensor(prefixes, device=x.device)
        level = torch.bucketize(latents.indices, edges, right=True)
        parts = [latents.kept(level == number) for number in range(len(prefixes))]
    errors: list[Tensor] = []
    reconstruction = parameters["b_dec"] - x
    for part in parts:
        reconstruction = reconstruction + part.times(parameters["W_dec"])
        errors.append(reconstruction)
    losses = torch.stack([error.square().mean() for error in errors])

    # A latent is part of its own prefix's reconstruction and of every longer one.
    scale = 2 / (batch * d_in * len(prefixes))
    grad_error = torch.zeros((), device=x.device)
    gradients: Parameters = {}
    through_encoder = torch.zeros((), device=x.device)
    for part, error in zip(reversed(parts), reversed(errors), strict=True):
        grad_error = torch.add(grad_error, error, alpha=scale)
        grad_values = part.value_gradients(parameters["W_dec"], grad_error).mul_(part.values > 0)
        order = part.by_latent(d_sae)
        added = {
            "W_enc": order.weight_gradient(grad_values, x).T,
            "b_enc": torch.zeros_like(parameters["b_enc"]).index_add_(0, part.indices, grad_values),
            "W_dec": order.weight_gradient(part.values, grad_error),
        }
        gradients = {name: gradients[name].add_(tensor) if gradients else tensor for name, tensor in added.items()}
        if input_gradient:
            through_encoder = through_encoder + part._replace(values=grad_values).times(parameters["W_enc"].T)
    return Step(
        losses.mean(),
        {"mse": losses[-1]} | ({"nested_mse": losses.mean()} if len(prefixes) > 1 else {}),
        errors[-1],
        latents.counts(d_sae),
        gradients | {"b_dec": grad_error.sum(dim=0)},
        through_encoder - grad_error if input_gradient else None,
        latents.values.min() if per_batch and len(latents.values) else None,
    )


def _pre_activations(parameters: Parameters, x: Tensor, dtype: torch.dtype, scratch: Scratch) -> Tensor:
    """The encoder's product, (batch, d_sae) in `dtype`, valid until the scratch memory is taken again."""
    bias, W_enc = parameters["b_enc"].to(dtype), parameters["W_enc"].to(dtype)
    memory = scratch.take(torch.Size((len(x), W_enc.shape[1])), dtype, x.device)
    return torch.addmm(bias, x.to(dtype), W_enc, out=memory)
