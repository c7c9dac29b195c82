"""What an autoencoder takes: tensors or arrays of the right width and dtype, and tokens that its baseline knows."""

import numpy as np
import torch
from torch import Tensor

from music_interpret.errors import InputError
from music_interpret.sae.token_baseline import TokenBaseline

Array = Tensor | np.ndarray


def floats(name: str, values: Array, width: int, like: Tensor) -> Tensor:
    """Values (…, width) in the dtype of a parameter; a NumPy array goes to its device too.

    Args:
        name: what to call them in an error.
        values: of any float type.
        width: number of columns.
        like: the parameter.

    Raises:
        InputError: they are of another width, or are no floats.
    """
    tensor = _tensor(name, values, like.device)
    if not tensor.is_floating_point():
        raise InputError(f"{name} holds {_dtype(tensor)}; expected floats")
    if not tensor.ndim or tensor.shape[-1] != width:
        raise InputError(f"{name} has shape {tuple(tensor.shape)}; expected (…, {width})")
    return tensor.to(like.dtype)


def tokens(values: Array, shape: torch.Size, baseline: TokenBaseline, device: torch.device) -> Tensor:
    """Tokens (…, n_fields) of activations of the shape (…); a NumPy array goes to the device.

    Args:
        values: integers.
        shape: that of the activations, without their width.
        baseline: whose fields they must have.
        device: where to put an array.

    Raises:
        InputError: they are of another shape, are no integers, or one is out of its field's range.
    """
    tensor, sizes = _tensor("tokens", values, device), baseline.sizes
    if tensor.is_floating_point() or tensor.dtype == torch.bool:
        raise InputError(f"tokens holds {_dtype(tensor)}; expected integers")
    tensor = tensor.long()
    expected = (*shape, len(sizes))
    if tuple(tensor.shape) != expected:
        raise InputError(f"tokens has shape {tuple(tensor.shape)}; expected {expected}, a row for each token")
    if tensor.numel():
        rows = tensor.reshape(-1, len(sizes))
        ranges = torch.stack([rows.amin(dim=0), rows.amax(dim=0)], dim=1).tolist()
        for name, size, (least, most) in zip(baseline.names, sizes, ranges, strict=True):
            if least < 0 or most >= size:
                wrong = least if least < 0 else most
                raise InputError(f"tokens holds {wrong} in the field {name}; expected 0 to {size - 1}")
    return tensor


def _tensor(name: str, values: Array, device: torch.device) -> Tensor:
    if isinstance(values, np.ndarray):
        try:
            return torch.from_numpy(np.array(values)).to(device)  # a copy, since a memory map may not be written to
        except (TypeError, ValueError):
            raise InputError(f"{name} holds {values.dtype}; expected numbers that PyTorch has too") from None
    if not isinstance(values, Tensor):
        raise InputError(f"{name} is a {type(values).__name__}; expected a PyTorch tensor or a NumPy array")
    return values


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
