"""The format of the library dictionary-learning: `ae.pt`, a state dict, and `config.json`, which names its class.

Encoders and decoders that are an `nn.Linear` there are stored transposed. `AutoEncoder`, `GatedAutoEncoder` and the
TopK classes take the decoder's bias off their input; `AutoEncoderNew` and `JumpReluAutoEncoder` do not, so that the
conversion of those is exact. `BatchTopKSAE` and `MatryoshkaBatchTopKSAE` are used with one threshold for all latents: a
JumpReLU. Source: version 0.1.0 of the library, `dictionary.py`, `trainers/*.py` and `utils.load_dictionary`.
"""

import io
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from music_interpret import files
from music_interpret.errors import InputError
from music_interpret.models.state_dict import read_state_dict
from music_interpret.sae.architectures import SavedKind
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.conversion import Made, Read

WEIGHTS, CONFIG = "ae.pt", "config.json"


class DictClass(NamedTuple):
    """One class of the library."""

    kind: SavedKind
    """The kind here that computes the same."""
    names: dict[str, str]
    """Its tensors' names by those of SAELens."""
    takes_off_b_dec: bool
    """Whether it encodes x − b_dec."""
    buffers: tuple[str, ...] = ()
    """What else its state dict may hold."""


_LINEAR = {"W_enc": "encoder.weight", "W_dec": "decoder.weight"}
_BIASES = {"b_enc": "encoder.bias", "b_dec": "b_dec"}
_PLAIN = {name: name for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold")}
_GATED = {"b_gate": "gate_bias", "b_mag": "mag_bias", "r_mag": "r_mag", "b_dec": "decoder_bias"}

DICT_CLASSES = {
    "AutoEncoder": DictClass("standard", _LINEAR | {"b_enc": "encoder.bias", "b_dec": "bias"}, True),
    "AutoEncoderNew": DictClass("standard", _LINEAR | {"b_enc": "encoder.bias", "b_dec": "decoder.bias"}, False),
    "GatedAutoEncoder": DictClass("gated", _LINEAR | _GATED, True),
    "JumpReluAutoEncoder": DictClass("jumprelu", _PLAIN, False),
    "AutoEncoderTopK": DictClass("topk", _LINEAR | _BIASES, True, ("k", "threshold")),
    "BatchTopKSAE": DictClass("jumprelu", _LINEAR | _BIASES | {"threshold": "threshold"}, True, ("k",)),
    "MatryoshkaBatchTopKSAE": DictClass("jumprelu", _PLAIN, True, ("k", "group_sizes")),
}
WRITTEN: dict[SavedKind, str] = {
    "standard": "AutoEncoderNew",
    "gated": "GatedAutoEncoder",
    "topk": "AutoEncoderTopK",
    "jumprelu": "JumpReluAutoEncoder",
}


def made(autoencoder: SparseAutoencoder, biases: dict[str, Tensor]) -> Made:
    """The autoencoder as its class there; `biases` are those for x − b_dec."""
    name = WRITTEN[autoencoder.kind]
    dict_class = DICT_CLASSES[name]
    parameters = autoencoder.parameters_by_name | (biases if dict_class.takes_off_b_dec else {})
    state = {
        theirs: _turned(theirs, parameters[ours]).detach().cpu().contiguous()
        for ours, theirs in dict_class.names.items()
    }
    known = autoencoder.metadata
    trainer = {
        "dict_class": name,
        "activation_dim": autoencoder.d_in,
        "dict_size": autoencoder.d_sae,
        "layer": known.get("layer"),
        "lm_name": known.get("data_repr"),
    }
    if autoencoder.kind == "topk":
        state |= {"k": torch.tensor(autoencoder.k, dtype=torch.int32), "threshold": torch.tensor(-1.0)}
        trainer["k"] = autoencoder.k
    content = io.BytesIO()
    torch.save(state, content)
    config = {"trainer": trainer, "music_interpret": known | autoencoder.baseline_note}
    return Made(f"dictionary_learning's {name}", content.getvalue(), config, dict_class.takes_off_b_dec)


def load(path: Path) -> Read:
    """Read a state dict and the `config.json` next to it, or above it for one in `checkpoints/`.

    Raises:
        InputError: a file is missing or damaged, or the state dict is not that of the class.
    """
    beside, above = path.parent / CONFIG, path.parent.parent / CONFIG
    source = above if above.is_file() and not beside.is_file() else beside
    config = files.read_json(source)
    trainer = config.get("trainer") if isinstance(config, dict) else None
    if not isinstance(trainer, dict) or trainer.get("dict_class") not in list(DICT_CLASSES):
        found = trainer.get("dict_class") if isinstance(trainer, dict) else None
        raise InputError(f"{source}: dict_class is {found!r}; this version reads {', '.join(DICT_CLASSES)}")
    name = trainer["dict_class"]
    dict_class = DICT_CLASSES[name]
    state = read_state_dict(path, f"the {WEIGHTS} that dictionary-learning saves", "state dict")
    missing = [theirs for theirs in dict_class.names.values() if theirs not in state]
    unknown = [theirs for theirs in state if theirs not in (*dict_class.names.values(), *dict_class.buffers)]
    if missing or unknown:
        wrong = f"has no {', '.join(missing)}" if missing else f"has unknown {', '.join(unknown)}"
        raise InputError(f"{path} {wrong}; {source.name} says that its class is {name}")
    parameters = {ours: _turned(theirs, state[theirs]).float() for ours, theirs in dict_class.names.items()}
    if dict_class.kind == "jumprelu" and parameters["threshold"].dim() == 0:
        parameters["threshold"] = parameters["threshold"].clamp_min(0).expand(parameters["b_enc"].shape).clone()
    norms = parameters["W_dec"].norm(dim=-1)
    return Read(
        dict_class.kind,
        parameters,
        _k(trainer, state, path) if dict_class.kind == "topk" else 0,
        dict_class.takes_off_b_dec,
        name == "AutoEncoder" and not torch.allclose(norms, torch.ones_like(norms)),
        config.get("music_interpret", {"imported_from": f"dictionary_learning {name}"}),
    )


def _turned(name: str, tensor: Tensor) -> Tensor:
    """A linear layer's weights are stored as (out, in)."""
    return tensor.mT if name.endswith(".weight") and tensor.dim() == 2 else tensor


def _k(trainer: dict[str, Any], state: dict[str, Tensor], path: Path) -> Any:
    stated = [state["k"].item()] if "k" in state and state["k"].numel() == 1 else []
    if "k" in trainer:
        stated.append(trainer["k"])
    if not stated or stated[0] != stated[-1]:
        found = " and ".join(map(repr, stated)) or "missing"
        raise InputError(f"{path}: k is {found}; expected one number in the state dict or in {CONFIG}")
    return stated[0]
