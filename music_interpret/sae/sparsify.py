"""The format of EleutherAI's sparsify (eai-sparsify): `sae.safetensors` and `cfg.json`, TopK autoencoders only.

It encodes x − b_dec, and its encoder is stored as (out, in). Source: version 1.3.3, `sparse_coder.py` and `config.py`.
"""

from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from music_interpret import files
from music_interpret.errors import InputError
from music_interpret.sae.autoencoder import SparseAutoencoder, read_tensors
from music_interpret.sae.conversion import Made, Read

WEIGHTS, CONFIG = "sae.safetensors", "cfg.json"
NAMES = {"W_enc": "encoder.weight", "b_enc": "encoder.bias", "W_dec": "W_dec", "b_dec": "b_dec"}
# What changes the function that a folder stands for, and what it must be here.
REQUIRED = {"activation": "topk", "transcode": False, "skip_connection": False, "signed": False}


def made(autoencoder: SparseAutoencoder, biases: dict[str, Tensor]) -> Made:
    """The autoencoder as a SparseCoder; `biases` are those for x − b_dec. InputError for another kind than `topk`."""
    if autoencoder.kind != "topk":
        raise InputError(
            f"sparsify has TopK autoencoders only, this one is {autoencoder.kind}; expected another --format"
        )
    parameters = autoencoder.parameters_by_name | biases | {"W_enc": autoencoder.W_enc.T}
    state = {theirs: parameters[ours].detach().cpu().contiguous() for ours, theirs in NAMES.items()}
    config = {
        "activation": "topk",
        "expansion_factor": max(1, autoencoder.d_sae // autoencoder.d_in),
        "normalize_decoder": False,
        "num_latents": autoencoder.d_sae,
        "k": autoencoder.k,
        "multi_topk": False,
        "skip_connection": False,
        "transcode": False,
        "d_in": autoencoder.d_in,
        "music_interpret": autoencoder.metadata | autoencoder.baseline_note,
    }
    return Made("sparsify's SparseCoder", save(state), config, True)


def load(path: Path) -> Read:
    """Read `sae.safetensors` and the `cfg.json` next to it.

    Raises:
        InputError: a file is missing or damaged, or it is no TopK autoencoder (a transcoder, say).
    """
    source = path.parent / CONFIG
    config = files.read_json(source)
    if not isinstance(config, dict):
        raise InputError(f"{source} holds no JSON object; expected the {CONFIG} that sparsify saves")
    for key, right in REQUIRED.items():
        if config.get(key, right) != right:
            raise InputError(f"{source}: {key} is {config[key]!r}; this version reads {right!r}")
    tensors = read_tensors(path, tuple(NAMES.values()))
    parameters = {ours: tensors[theirs] for ours, theirs in NAMES.items()}
    parameters["W_enc"] = parameters["W_enc"].mT if parameters["W_enc"].dim() == 2 else parameters["W_enc"]
    k: Any = config.get("k")
    metadata = config.get("music_interpret", {"imported_from": "sparsify SparseCoder"})
    return Read("topk", parameters, k, True, False, metadata)
