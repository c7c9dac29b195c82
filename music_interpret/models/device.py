"""Where tensors live: a CUDA device if there is one, else the CPU."""

from typing import Annotated

import torch

from music_interpret.config import matching
from music_interpret.errors import InputError

DeviceName = Annotated[
    str, matching("auto|cpu|cuda(:(0|[1-9][0-9]*))?", "auto, cpu, cuda, or a GPU by its number as in cuda:0")
]


def pick_device(name: DeviceName) -> torch.device:
    """The device of an option: `auto` takes a GPU if there is one; InputError for a GPU that is not there."""
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if n_gpus else "cpu")
    if name != "cpu" and int(name.partition(":")[2] or 0) >= n_gpus:
        known = ", ".join(["auto", "cpu", *(f"cuda:{number}" for number in range(n_gpus))])
        raise InputError(f"--device {name}: this machine has no such GPU; expected one of {known}")
    return torch.device(name)
