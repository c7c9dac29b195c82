"""What relates a run's latents to each other and to the model's output, computed once and kept.

    <run>/atlas/
        atlas.json              what made it
        atlas.safetensors       effects      float16 (d_sae, codes of all six fields that the model knows)
                                n_codes      int64 (6,), how many of each field
                                map          float32 (d_sae, 2), −1 … 1; NaN for latents that never fire
                                similar      int32 (d_sae, 10), similarity   float32: nearest by decoder cosine
                                together     int32 (d_sae, 10), togetherness float32: by co-activation (−1: none)

*Effects*: what a latent's decoder direction adds to the logits directly (direct logit attribution; Elhage et al., "A
Mathematical Framework for Transformer Circuits", 2021): decoder row less its mean, times the final norm's weight over
its typical scale, times a field's head, less the field's mean, for softmax does not see it. For one unit of activation;
layers in between are passed over. *Map*: t-SNE of decoder directions by cosine (van der Maaten & Hinton 2008).
*Togetherness*: nᵢⱼ / √(nᵢ nⱼ), the cosine of two latents' firings as 0 and 1, over whole songs spread evenly, at most
`SAMPLED_TOKENS` tokens.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load_file, save
from tqdm import tqdm

from music_interpret import files
from music_interpret.errors import InputError
from music_interpret.features.firings import Firings
from music_interpret.features.index import FeatureIndex
from music_interpret.features.run import read_training_args

FORMAT = 1
FOLDER = "atlas"
NEIGHBOURS = 10
SAMPLED_TOKENS = 131_072
SCALE_SONGS = 8
"""Songs that tell the final norm's typical scale."""
PERPLEXITY = 30.0
BLOCK = 1024


class Atlas(NamedTuple):
    """The arrays of `atlas.safetensors`; the first axis is the latent, but for `n_codes`."""

    effects: np.ndarray
    n_codes: np.ndarray
    map: np.ndarray
    similar: np.ndarray
    similarity: np.ndarray
    together: np.ndarray
    togetherness: np.ndarray


def atlas_of(index: FeatureIndex) -> Atlas:
    """The run's atlas; made first where there is none, or one of another autoencoder."""
    run = index.folder.parent
    identity = {"format": FORMAT, "index": index.meta}
    try:
        if files.read_json(run / FOLDER / "atlas.json") == identity:
            return Atlas(**load_file(run / FOLDER / "atlas.safetensors"))
    except (InputError, OSError, TypeError, ValueError):
        pass  # missing, half or another format: it can be made again from what is there
    except Exception as error:  # safetensors has an error class of its own
        if type(error).__name__ != "SafetensorError":
            raise
    atlas = _made(run, index)
    files.write_bytes(run / FOLDER / "atlas.safetensors", save(atlas._asdict()))
    files.write_json(run / FOLDER / "atlas.json", identity)
    return atlas


def _made(run: Path, index: FeatureIndex) -> Atlas:
    live = index.statistics.density > 0
    with tqdm(total=4, desc="map of the latents (once)", unit="part", leave=False) as bar:
        decoder, effects, n_codes = _decoder_and_effects(run, index)
        bar.update()
        similar, similarity = most_similar(decoder, live)
        bar.update()
        together, togetherness = most_together(index, live)
        bar.update()
        flat = flat_map(decoder, live)
        bar.update()
    return Atlas(effects.astype(np.float16), n_codes, flat, similar, similarity, together, togetherness)


def _decoder_and_effects(run: Path, index: FeatureIndex) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decoder rows, float32 (d_sae, d_model), effects, (d_sae, codes), and how many codes each field has."""
    import torch

    from music_interpret.features.opened_run import model_of_run
    from music_interpret.sae.autoencoder import SparseAutoencoder

    model: Any = model_of_run(run, read_training_args(run), index.activations.encoding()).module
    decoder = SparseAutoencoder.load(run / "sae").W_dec.detach().float()
    with torch.inference_mode():
        gain = model.norm.weight / _typical_scale(model, index)
        seen = decoder - decoder.mean(dim=1, keepdim=True)  # the norm takes the mean away
        blocks = [(seen * gain) @ head.weight.T for head in model.heads]
        centred = [block - block.mean(dim=1, keepdim=True) for block in blocks]
    n_codes = np.array([block.shape[1] for block in blocks])
    return decoder.numpy(), torch.cat(centred, dim=1).numpy(), n_codes


def _typical_scale(model: Any, index: FeatureIndex) -> float:
    """Root mean variance of what the final norm reads, over some songs."""
    import torch

    seen: list[float] = []
    handle = model.norm.register_forward_pre_hook(
        lambda _norm, inputs: seen.append(float(inputs[0].var(dim=-1, unbiased=False).mean()))
    )
    table = index.activations.songs
    try:
        for song in np.unique(np.linspace(0, len(table.names) - 1, SCALE_SONGS).astype(int)).tolist():
            first, n = int(table.first_token[song]), int(table.n_tokens[song])
            model(torch.from_numpy(np.asarray(index.activations.codes[first : first + n], np.int64))[None])
    finally:
        handle.remove()
    return float(np.sqrt(np.mean(seen)))


def most_similar(decoder: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each live latent the live latents whose decoder rows have the largest cosines to its own.

    Returns:
        Latents, int32 (d_sae, 10), −1 where there are too few, and cosines, float32.
    """
    unit = decoder / np.maximum(np.linalg.norm(decoder, axis=1, keepdims=True), 1e-12)
    found, scores = _nothing(len(decoder))
    for start in range(0, len(decoder), BLOCK):
        block = slice(start, min(start + BLOCK, len(decoder)))
        _take_best(unit[block] @ unit.T, block, live, found, scores)
    return found, scores


def most_together(index: FeatureIndex, live: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each live latent the latents that fire most on the same tokens, as `most_similar` gives them."""
    from scipy import sparse

    table = index.activations.songs
    every = max(-(-index.activations.n_tokens // SAMPLED_TOKENS), 1)
    songs = np.arange(0, len(table.names), every)
    spans = np.stack([table.first_token[songs], table.first_token[songs] + table.n_tokens[songs]], axis=1)
    firings = Firings(index.offsets, index.token_rows, index.values).within(spans, index.activations.n_tokens)
    ones = np.ones(len(firings.token_rows), np.float32)
    shape = (firings.n_latents, int(table.n_tokens[songs].sum()))
    matrix = sparse.csr_matrix((ones, firings.token_rows, firings.offsets), shape=shape)
    sizes = np.sqrt(np.maximum(np.diff(firings.offsets), 1)).astype(np.float32)
    found, scores = _nothing(firings.n_latents)
    for start in range(0, firings.n_latents, BLOCK):
        block = slice(start, min(start + BLOCK, firings.n_latents))
        both = (matrix[block] @ matrix.T).toarray()
        _take_best(both / sizes[block, None] / sizes[None], block, live, found, scores)
    alone = scores <= 0
    found[alone], scores[alone] = -1, 0
    return found, scores


def _nothing(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((n, NEIGHBOURS), -1, np.int32), np.zeros((n, NEIGHBOURS), np.float32)


def _take_best(scores: np.ndarray, block: slice, live: np.ndarray, found: np.ndarray, best: np.ndarray) -> None:
    """Write the latents with the largest scores of a block of latents, leaving out themselves and dead ones."""
    rows = np.arange(block.start, block.stop)
    scores[:, ~live] = -np.inf
    scores[np.arange(len(rows)), rows] = -np.inf
    k = min(NEIGHBOURS, scores.shape[1])
    order = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    values = np.take_along_axis(scores, order, 1)
    ranked = np.argsort(-values, axis=1, kind="stable")
    order, values = np.take_along_axis(order, ranked, 1), np.take_along_axis(values, ranked, 1)
    usable = np.isfinite(values) & live[rows][:, None]
    found[rows, :k] = np.where(usable, order, -1)
    best[rows, :k] = np.where(usable, values, 0)


def flat_map(decoder: np.ndarray, live: np.ndarray) -> np.ndarray:
    """Places of the latents on a plane, float32 (d_sae, 2) within −1 … 1, NaN for dead ones."""
    places = np.full((len(decoder), 2), np.nan, np.float32)
    rows = np.flatnonzero(live)
    if len(rows) < 4:  # too few to have neighbours
        places[rows] = np.stack([np.linspace(-1, 1, len(rows)), np.zeros(len(rows))], axis=1)
        return places
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        raise InputError(
            "the map of latents needs scikit-learn; install it with: pip install 'music-interpret[explore]'"
        ) from None
    unit = decoder[rows] / np.maximum(np.linalg.norm(decoder[rows], axis=1, keepdims=True), 1e-12)
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    layout = TSNE(2, metric="cosine", init="pca", random_state=0, perplexity=perplexity).fit_transform(unit)
    places[rows] = layout / max(float(np.abs(layout).max()), 1e-12)
    return places
