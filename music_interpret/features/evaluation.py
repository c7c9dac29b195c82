"""A run's `evaluation.json`: what `evaluate` writes and `compare` reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from music_interpret import files
from music_interpret.errors import InputError

NAME, FORMAT = "evaluation.json", 1


def write_evaluation(run: Path, content: Mapping[str, Any]) -> Path:
    """Write it into the run's folder and return its path."""
    files.write_json(run / NAME, {"format": FORMAT} | dict(content))
    return run / NAME


def read_evaluation(run: Path) -> dict[str, Any]:
    """Read it; InputError if it is missing, of another format, or of an autoencoder that is not the run's any more."""
    path, again = run / NAME, f"run: music-interpret evaluate {run}"
    if not path.is_file():
        raise InputError(f"run {run} was not evaluated; {again}")
    content = files.read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is no evaluation of format {FORMAT}; {again}")
    if content["sae_sha256"] != files.sha256(run / "sae" / "sae_weights.safetensors"):
        raise InputError(f"{path} is the evaluation of another autoencoder than {run / 'sae'}; {again}")
    return content
