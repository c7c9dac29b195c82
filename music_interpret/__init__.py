"""Music Interpret opens up trained music transformers: activations, sparse autoencoders, and features you can read."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from music_interpret.runs.run import Run, open_run
    from music_interpret.sae.autoencoder import SparseAutoencoder

__version__ = "0.1.0"
__all__ = ["Run", "SparseAutoencoder", "__version__", "open_run"]

_OFFERED = {
    "Run": "music_interpret.runs.run",
    "SparseAutoencoder": "music_interpret.sae.autoencoder",
    "open_run": "music_interpret.runs.run",
}


def __getattr__(name: str) -> Any:
    """What the package offers is imported when it is asked for, so that the package alone does not wait for torch."""
    if name in _OFFERED:
        return getattr(importlib.import_module(_OFFERED[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
