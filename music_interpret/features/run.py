"""What a run was trained on: its arguments and the activation store that its token rows point to."""

from pathlib import Path
from typing import Any

from music_interpret import files, paths
from music_interpret.activations.store import ActivationSet, open_set
from music_interpret.errors import InputError


def read_training_args(run: Path) -> dict[str, Any]:
    """The content of `training_args.json`; InputError if the run was not finished."""
    args = files.read_json(run / "training_args.json")
    if not (run / "sae" / "cfg.json").is_file():
        raise InputError(f"run {run} was not finished; go on with: python3 -m music_interpret.train … --resume")
    return args


def open_activations(run: Path, args: dict[str, Any]) -> ActivationSet:
    """Open the store that the run was trained on; InputError if another model's or other songs' activations lie there
    now.
    """
    names = args["arguments"]
    folder = paths.home() / "data" / "activations" / args["activations_folder"]
    activations = open_set(folder, names["dataset_name"], names["data_repr"])
    meanings = {"model_sha256": "another model", "codes_sha256": "other songs"}
    for key, meaning in meanings.items():
        if activations.identity[key] != args["activations"][key]:
            raise InputError(f"{folder} holds activations of {meaning} than run {run} was trained on ({key} differs)")
    return activations
