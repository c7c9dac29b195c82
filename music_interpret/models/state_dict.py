"""Reading a foreign `.pt` without running any code that it may carry."""

from pathlib import Path

import torch
from torch import Tensor

from music_interpret.errors import InputError


def read_state_dict(path: Path, right: str, what: str = "checkpoint") -> dict[str, Tensor]:
    """The tensors of a state dict by name, on the CPU.

    Args:
        path: the file.
        right: what was expected there, for the message of an error.
        what: what the file is called in the message.

    Raises:
        InputError: it is missing, damaged, holds more than tensors, or no state dict.
    """
    if not path.is_file():
        raise InputError(f"missing {what} {path}; expected {right}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here, all of which mean the same to the user
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "Weights only load failed" in str(error):
            reason = "it carries more than tensors, which could be code, and was not run"
        raise InputError(f"{path} is not a readable {what}: {reason}") from None
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        raise InputError(f"{path} is not a state dict of tensors; expected {right}")
    return state
