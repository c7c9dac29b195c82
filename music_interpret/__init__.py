"""Music Interpret opens up trained music transformers: activations, sparse autoencoders, and features you can read."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from music_interpret.sae.autoencoder import SparseAutoencoder

__version__ = "0.1.0"
__all__ = ["SparseAutoencoder", "__version__"]


def __getattr__(name: str) -> Any:
    """`SparseAutoencoder` is imported when it is asked for, so that the package alone does not wait for torch."""
    if name == "SparseAutoencoder":
        return importlib.import_module("music_interpret.sae.autoencoder").SparseAutoencoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
