"""The control that a run is trained again for: the same autoencoder on the same model with weights drawn again.

What it scores comes from the music and the architecture, not from anything that the model has learned. The stages are
run one after the other on `models/<dataset>/<data_repr>-reinitialised`; what is there already is kept.
"""

import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from music_interpret import files, paths
from music_interpret.activation_extraction import ExtractionConfig, extract
from music_interpret.activations.normalization import NormalizationKind
from music_interpret.activations.store import ActivationSet, LayerActivations, made_from, open_set
from music_interpret.errors import InputError
from music_interpret.models.mmt import MMT, MMTSizes, to_authors_names
from music_interpret.preprocess import PreprocessConfig, preprocess
from music_interpret.train import config_of, train

SUFFIX = "-reinitialised"
SEED = 0


def train_reinitialised(
    args: dict[str, Any], activations: ActivationSet, layer: LayerActivations, normalization: NormalizationKind
) -> Path:
    """Train a run's autoencoder on the re-initialised model, unless that is done, and return the run's folder.

    Args:
        args: content of the run's `training_args.json`.
        activations: what the run was trained on.
        layer: of these, the layer.
        normalization: the kind that the run was trained under.

    Raises:
        InputError: what is kept there was made from other songs or with other arguments.
    """
    names = args["arguments"]
    dataset_name, data_repr, number = names["dataset_name"], names["data_repr"] + SUFFIX, int(names["layer"])
    config = config_of(args, data_repr=data_repr, experiment_name=names["experiment_name"] + SUFFIX)
    model = write_model(paths.model_folder(dataset_name, names["data_repr"]), activations)
    folder = paths.activations_folder(dataset_name, data_repr)
    if not (folder / paths.layer_name(number) / "normalization.json").is_file():
        common: dict[str, Any] = {"dataset_name": dataset_name, "data_repr": data_repr, "layers": (number,)}
        extract(ExtractionConfig(**common, **{key: layer.meta[key] for key in ("dtype", "precision")}))
        preprocess(PreprocessConfig(**common, normalization=normalization))
    kept = open_set(folder)
    of_kept, wanted = made_from(kept, kept.layer(number)), made_from(activations, layer)
    for key in ("codes_sha256", "songs_sha256"):
        if of_kept[key] != wanted[key]:
            raise InputError(
                f"{folder} was made from other songs than the run's ({key} differs); remove it and {model}"
            )
    run = paths.run_folder(config.series_name, config.experiment_name, number)
    begun = (run / "training_args.json").is_file()
    return train(config_of(args, data_repr=data_repr, experiment_name=config.experiment_name, resume=begun))[0]


def write_model(source: Path, activations: ActivationSet) -> Path:
    """Write a model like that in `source` with weights drawn again, unless it is there, and return its folder."""
    folder = source.with_name(source.name + SUFFIX)
    checkpoint = folder / "checkpoints" / "best_model.pt"
    if not checkpoint.is_file():
        sizes = MMTSizes.load(source / "train-args.json")
        content = io.BytesIO()
        torch.save(to_authors_names(fresh_model(sizes, activations.encoding().n_codes)), content)
        files.write_bytes(folder / "train-args.json", (source / "train-args.json").read_bytes())
        files.write_bytes(checkpoint, content.getvalue())
    return folder


def fresh_model(sizes: MMTSizes, n_codes: tuple[int, ...]) -> MMT:
    """An MMT at the start of training: PyTorch's own initial weights but for the token embeddings, which x-transformers
    0.25.9, with which the authors trained, draws as Kaiming normal.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = MMT(sizes, n_codes)
        for weight in model.embeddings.parameters():
            nn.init.kaiming_normal_(weight)
    return model.requires_grad_(False)
