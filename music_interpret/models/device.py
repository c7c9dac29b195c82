"""Where tensors live: a CUDA device if there is one, else the CPU."""

from typing import Literal

import torch

from music_interpret.errors import InputError

DeviceName = Literal["auto", "cpu", "cuda"]


def pick_device(name: DeviceName) -> torch.device:
    """The device of an option: `auto` takes a GPU if there is one; InputError for `cuda` without one."""
    cuda = torch.cuda.is_available()
    if name == "cuda" and not cuda:
        raise InputError("--device cuda: this machine has no usable GPU; expected cpu or auto")
    return torch.device("cuda" if cuda and name != "cpu" else "cpu")
