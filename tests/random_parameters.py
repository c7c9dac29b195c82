"""Parameters of every architecture as if they had been trained, for tests that need no training."""

import torch

from music_interpret.sae.architectures import ARCHITECTURES
from music_interpret.sae.jumprelu import trained_form

D_IN, D_SAE = 10, 30


def trained(name, seed=0):
    """Parameters of an architecture as if it had been trained: away from the start in every tensor."""
    generator = torch.Generator().manual_seed(seed)
    start = ARCHITECTURES[name].initial(D_IN, D_SAE, encoder_bias=-0.3, encoder_scale=1.0, generator=generator)
    moved = {k: t + 0.1 * torch.randn(t.shape, generator=generator) for k, t in start.items()}
    if "threshold" in moved:
        moved["threshold"] = moved["threshold"] + 1.5
    return trained_form(moved) if "log_threshold" in moved else moved
