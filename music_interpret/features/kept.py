"""Arrays computed from a run once and kept in its folder: each kind in a file of its own that says what made it.

<run>/atlas/effects.safetensors, neighbours.safetensors, map.safetensors
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from music_interpret import files

FOLDER = "atlas"


def kept(
    run: Path, name: str, made_from: Mapping[str, Any], make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Arrays by name, as they are kept, or made first where there are none or those of something else.

    Args:
        run: the run's folder.
        name: of the file, without its suffix.
        made_from: what they are made from; compared as a whole.
        make: makes them.
    """
    path, note = run / FOLDER / f"{name}.safetensors", {"made_from": json.dumps(made_from, sort_keys=True)}
    try:
        with safe_open(path, "np") as file:
            if file.metadata() == note:
                return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError):
        pass  # missing or damaged: it can be made again from what is there
    arrays = make()
    files.write_bytes(path, save(arrays, note))
    return arrays
