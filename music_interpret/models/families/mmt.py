"""The family of the Multitrack Music Transformer, loading the authors' own checkpoints.

A folder holds `train-args.json` and `checkpoints/best_model.pt`.
"""

import io
from pathlib import Path

import torch
from torch import Tensor, nn

from music_interpret import files
from music_interpret.errors import InputError
from music_interpret.models.loaded import LoadedModel, Unembedding
from music_interpret.models.mmt import MMT
from music_interpret.models.mmt_names import from_authors_names, to_authors_names
from music_interpret.models.mmt_sizes import MMTSizes
from music_interpret.models.site import Site
from music_interpret.models.state_dict import read_state_dict
from music_interpret.tokens import mmt as tokens
from music_interpret.tokens.mmt import MMTScheme

SIZES = "train-args.json"


def recognises(folder: Path) -> bool:
    """Whether a folder is laid out as the authors of MMT publish their models."""
    return (folder / SIZES).is_file() or (folder / "checkpoints" / "best_model.pt").is_file()


def load(folder: Path, notes_folder: Path) -> LoadedModel:
    """Load `train-args.json` and `checkpoints/best_model.pt` from `models/<dataset>/<data_repr>`, strictly.

    Args:
        folder: the model's.
        notes_folder: holds the `encoding.json` of the tokens.

    Raises:
        InputError: a file is missing or broken, or sizes, weights and encoding do not belong together.
    """
    sizes, scheme = MMTSizes.load(folder / SIZES), tokens.load(notes_folder)
    path = folder / "checkpoints" / "best_model.pt"
    model = MMT(sizes, scheme.sizes)
    state = from_authors_names(read_state_dict(path, "the authors' checkpoints/best_model.pt"))
    if wrong := _differences(state, model.state_dict()):
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise InputError(f"{path} does not match train-args.json and the encoding of the notes: {wrong[0]}{more}")
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return offered(model.eval().requires_grad_(False), scheme, files.sha256(path))


def offered(model: MMT, scheme: MMTScheme, identity: str) -> LoadedModel:
    """A model with all that stages ask of it.

    Args:
        model: with its weights.
        scheme: of its tokens.
        identity: SHA-256 of the checkpoint.
    """
    depth = model.sizes.layers
    sites = {Site("resid_pre.0"): "embedded"}
    for i in range(depth):
        sites[Site(f"attn_out.{i}")] = f"blocks.{2 * i}.out"
        sites[Site(f"resid_mid.{i}")] = f"blocks.{2 * i}"
        sites[Site(f"mlp_out.{i}")] = f"blocks.{2 * i + 1}.down"
        sites[Site(f"resid_post.{i}")] = f"blocks.{2 * i + 1}"

    def continue_from(site: Site, x: Tensor) -> list[Tensor]:
        layer = -1 if site == Site("resid_pre.0") else site.layer
        assert layer is not None, f"{site} is not on the residual stream"
        return model.continue_from(layer, x)

    heads = [head for head in model.heads if isinstance(head, nn.Linear)]
    return LoadedModel(
        module=model,
        sites=sites,
        scheme=scheme,
        limits=model.sizes.limits,
        d_model=model.sizes.dim,
        unembedding=Unembedding(Site(f"resid_post.{depth - 1}"), model.norm, heads),
        start=model.start,
        step=model.step,
        continue_from=continue_from,
        to_precision=model.to_precision,
        sha256=identity,
    )


def reinitialise(source: Path, folder: Path, notes_folder: Path, seed: int) -> None:
    """Write a model of the same sizes with weights as at the start of training, unless it is there.

    Args:
        source: the folder of the trained model.
        folder: where the new one is written.
        notes_folder: holds the `encoding.json` of the tokens.
        seed: of the weights.
    """
    checkpoint = folder / "checkpoints" / "best_model.pt"
    if checkpoint.is_file():
        return
    content = io.BytesIO()
    model = fresh_model(MMTSizes.load(source / SIZES), tokens.load(notes_folder).sizes, seed)
    torch.save(to_authors_names(model), content)
    files.write_bytes(folder / SIZES, (source / SIZES).read_bytes())
    files.write_bytes(checkpoint, content.getvalue())


def fresh_model(sizes: MMTSizes, n_codes: tuple[int, ...], seed: int) -> MMT:
    """An MMT at the start of training: PyTorch's own initial weights but for the token embeddings, which x-transformers
    0.25.9, with which the authors trained, draws as Kaiming normal.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MMT(sizes, n_codes)
        for weight in model.embeddings.parameters():
            nn.init.kaiming_normal_(weight)
    return model.requires_grad_(False)


def _differences(state: dict[str, Tensor], expected: dict[str, Tensor]) -> list[str]:
    """In what a checkpoint's tensors are not those of the model."""
    wrong = [f"lacks {name}" for name in expected if name not in state]
    wrong += [f"has unknown {name}" for name in state if name not in expected]
    wrong += [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    return wrong
