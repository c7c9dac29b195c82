"""Saved autoencoders of other libraries: which format a folder holds, reading it, and writing it.

| format | files | library |
| --- | --- | --- |
| `sae_lens` | `cfg.json`, `sae_weights.safetensors` | SAELens; our own, see `autoencoder.py` |
| `dictionary_learning` | `config.json`, `ae.pt` | dictionary-learning, see `dictionary_learning.py` |
| `sparsify` | `cfg.json`, `sae.safetensors` | EleutherAI's sparsify (eai-sparsify), see `sparsify.py` |

What the other formats have no place for is stored alongside their files: a token baseline in
`token_baseline.safetensors`, and in `raw_biases.safetensors` the biases for raw input, where the format wants them for
x − b_dec and float32 cannot give them back to the last bit.
"""

from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save
from torch import Tensor

from music_interpret import files
from music_interpret.errors import InputError
from music_interpret.sae import dictionary_learning, sparsify
from music_interpret.sae.autoencoder import BASELINE, CONFIG, WEIGHTS, SparseAutoencoder, load_baseline, read_tensors
from music_interpret.sae.conversion import Read, check
from music_interpret.sae.parameters import with_unit_decoder
from music_interpret.sae.pre_bias import BIASES, with_pre_bias, without_pre_bias

Format = Literal["sae_lens", "dictionary_learning", "sparsify"]
RAW_BIASES = "raw_biases.safetensors"
LIBRARIES = {"dictionary_learning": dictionary_learning, "sparsify": sparsify}
WEIGHT_FILES: dict[Format, str] = {
    "sae_lens": WEIGHTS,
    "dictionary_learning": dictionary_learning.WEIGHTS,
    "sparsify": sparsify.WEIGHTS,
}
FILES = (*WEIGHT_FILES.values(), CONFIG, dictionary_learning.CONFIG, BASELINE, RAW_BIASES)


def current_name(name: Format | Literal["saelens"]) -> Format:
    """A format's name, given that or the one that it had in version 0.1.0."""
    return "sae_lens" if name == "saelens" else name


def find(path: Path, wanted: Format | None = None) -> tuple[Format, Path]:
    """The format of a saved autoencoder and its weights file.

    Args:
        path: its folder, the run that holds it as `sae/`, or the weights file.
        wanted: the format that it must have; without one, the first whose weights file is there.

    Raises:
        InputError: there is none, or of another format.
    """
    found: dict[Format, Path] = {}
    for known, name in WEIGHT_FILES.items():
        # Checkpoints of dictionary-learning are named ae_1000.pt.
        if path.is_file() and (path.name == name or path.suffix == Path(name).suffix == ".pt"):
            found[known] = path
        for folder in (path / "sae", path):
            if (folder / name).is_file():
                found[known] = folder / name
    for known, weights in found.items():
        if wanted in (known, None):
            return known, weights
    if not path.exists():
        raise InputError(f"missing {path}; expected the folder of a saved autoencoder")
    right = ", ".join(f"{name} ({known})" for known, name in WEIGHT_FILES.items() if wanted in (known, None))
    raise InputError(f"{path} holds no saved autoencoder; expected a folder with {right}")


def load(path: Path, wanted: Format | None = None) -> SparseAutoencoder:
    """Read a saved autoencoder of any format; it computes what its own library computes from it.

    Args:
        path: as in `find`.
        wanted: as in `find`.

    Raises:
        InputError: it is missing, damaged, of a kind that cannot be expressed, or its numbers are not finite.
    """
    known, weights = find(path, wanted)
    if known == "sae_lens":
        autoencoder = SparseAutoencoder.load(weights.parent)
    else:
        autoencoder = _converted(weights, LIBRARIES[known].load(weights))
    for name, tensor in autoencoder.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{weights}: {name.removeprefix('weights.')} has values that are not finite")
    return autoencoder


def _converted(weights: Path, read: Read) -> SparseAutoencoder:
    folder, stored = weights.parent, read.parameters
    check(read, weights)
    if not isinstance(read.metadata, dict):
        raise InputError(f"{folder}: what Music Interpret noted alongside the settings is no JSON object; export again")
    parameters = without_pre_bias(stored) if read.takes_off_b_dec else stored
    if read.takes_off_b_dec and (folder / RAW_BIASES).is_file():
        names = tuple(name for name in BIASES if name in stored)
        exact = stored | read_tensors(folder / RAW_BIASES, names)
        check(read._replace(parameters=exact), folder / RAW_BIASES)
        # They count only while the weights are those that were exported with them.
        if all(_close(stored[name], tensor) for name, tensor in with_pre_bias(exact).items() if name in names):
            parameters = exact
    if read.unit_decoder:
        parameters = with_unit_decoder(parameters)
    baseline = None
    if (folder / BASELINE).is_file() or read.metadata.get("token_baseline"):
        baseline = load_baseline(folder, len(parameters["b_dec"]), read.metadata)
    return SparseAutoencoder(read.kind, parameters, k=read.k, baseline=baseline, metadata=read.metadata)


def _close(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors differ by no more than float32's rounding."""
    return torch.allclose(a, b, rtol=1e-6, atol=1e-6 * float(a.abs().max()))


def export(autoencoder: SparseAutoencoder, wanted: Format, folder: Path) -> str:
    """Write an autoencoder in a library's format, in place of what is there of another, and return the name of the
    class that reads it.

    Raises:
        InputError: the format has no autoencoders of this kind; nothing is written then.
    """
    written = {BASELINE} if autoencoder.baseline is not None else set()
    if wanted == "sae_lens":
        autoencoder.save(folder)
        reader, written = f"SAELens's SAE ({autoencoder.kind})", written | {WEIGHTS, CONFIG}
    else:
        library = LIBRARIES[wanted]
        parameters = {name: tensor.cpu() for name, tensor in autoencoder.parameters_by_name.items()}
        raw = {name: tensor.contiguous() for name, tensor in parameters.items() if name in BIASES}
        moved = with_pre_bias(parameters)
        made = library.made(autoencoder, {name: moved[name] for name in raw})
        reader, written = made.reader, written | {library.WEIGHTS, library.CONFIG}
        autoencoder.save_baseline(folder)
        if made.takes_off_b_dec:
            files.write_bytes(folder / RAW_BIASES, save(raw))
            written.add(RAW_BIASES)
        files.write_bytes(folder / library.WEIGHTS, made.weights)
        files.write_json(folder / library.CONFIG, made.config)
    for name in set(FILES) - written:
        (folder / name).unlink(missing_ok=True)
    return reader
