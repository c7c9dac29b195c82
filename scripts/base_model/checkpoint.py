"""What a training leaves: the model in the authors' own layout, and the state from which it goes on."""

import io
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from base_model.config import BaseModelConfig
from music_interpret import files
from music_interpret.errors import InputError
from music_interpret.models.mmt import MMT
from music_interpret.models.mmt_names import to_authors_names
from music_interpret.tokens.mmt import FIELDS


@dataclass
class Progress:
    """How far a training is."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Time spent training, over all runs."""
    best: float = math.inf
    """Smallest validation loss so far."""
    losses: list[float] = field(default_factory=lambda: [0.0] * len(FIELDS))
    """Each field's training loss, summed over the steps since the last measurement."""


def save_model(model: MMT, settings: BaseModelConfig, folder: Path) -> None:
    """Write the weights under the authors' names, and the sizes that belong to them."""
    args = asdict(settings.sizes()) | {"dropout": settings.dropout, "dataset": settings.dataset_name}
    tensors = {name: tensor.detach().cpu() for name, tensor in to_authors_names(model).items()}
    if settings.half:
        tensors = {n: t if n.endswith("inv_freq") else t.half() for n, t in tensors.items()}
    files.write_json(folder / "train-args.json", args)
    content = io.BytesIO()  # torch and safetensors report a full disk in ways of their own, so they write no file
    torch.save(tensors, content)
    with files.atomic_write(folder / "checkpoints" / "best_model.pt") as file:
        file.write(content.getbuffer())


def save_state(path: Path, model: MMT, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Write everything that later steps depend on: weights, AdamW's moments, and as JSON the progress."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        tensors |= {f"adam.{key}.{name}": value for key, value in optimizer.state[parameter].items()}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"progress": json.dumps(asdict(progress))}
    with files.atomic_write(path) as file:
        file.write(save(tensors, metadata))


def load_state(path: Path, model: MMT, optimizer: torch.optim.Optimizer, device: torch.device) -> Progress:
    """Put what `save_state` wrote into the model and the optimiser, and return the progress.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name).to(device) for name in file.keys()}  # noqa: SIM118
            progress = Progress(**json.loads(file.metadata()["progress"]))
        model.load_state_dict({n[6:]: tensor for n, tensor in tensors.items() if n.startswith("model.")})
        for name, parameter in model.named_parameters():
            moments = {key: tensors[f"adam.{key}.{name}"] for key in ("exp_avg", "exp_avg_sq", "step")}
            optimizer.state[parameter] = moments
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} is damaged ({error}); --overwrite starts again") from None
    return progress
