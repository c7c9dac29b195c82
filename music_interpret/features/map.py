"""The map: positions of a run's latents on a plane, near each other where their decoder directions are alike.

t-SNE of decoder directions by cosine (van der Maaten & Hinton 2008).
"""

import numpy as np

from music_interpret.errors import InputError

PERPLEXITY = 30.0


def flat_map(decoder: np.ndarray, live: np.ndarray) -> np.ndarray:
    """Positions of the latents on a plane, float32 (d_sae, 2) within −1 … 1, NaN for dead ones."""
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
