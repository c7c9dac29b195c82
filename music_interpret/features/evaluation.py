"""A run's `evaluation.json`: what `evaluate` writes and `compare` reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from music_interpret import files, provenance

NAME, FORMAT = "evaluation.json", 1


def write_evaluation(run: Path, content: Mapping[str, Any]) -> Path:
    """Write it into the run's folder and return its path."""
    files.write_json(run / NAME, {"format": FORMAT} | dict(content))
    return run / NAME


def read_evaluation(run: Path, sae_sha256: str) -> dict[str, Any]:
    """Read it; InputError if it is missing, of another format, or of another autoencoder.

    Args:
        run: the run's folder.
        sae_sha256: identity of the run's autoencoder.
    """
    command, made_from = f"music-interpret evaluate {run}", {"sae_sha256": sae_sha256}
    return provenance.read(run / NAME, "evaluation", command, made_from=made_from, format_number=FORMAT)
