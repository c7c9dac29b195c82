"""Train a Multitrack Music Transformer on ingested notes, and leave it in the authors' own layout.

    python3 scripts/train_base_model.py <dataset_name> <data_repr>

    models/<dataset_name>/<data_repr>/
        train-args.json, checkpoints/best_model.pt     what every stage reads: the weights with the best validation loss
        training/    arguments.json, metrics.jsonl     what it is trained with, and the losses at each validation
                     state.safetensors                 to go on from with --resume; gone when training is finished

The recipe is that of the built-in model (music_interpret/base_model/README.md); the loss is the sum of the six fields'
cross-entropies over real tokens, so that padding does not count. Which songs a step sees, their augmentation and its
dropout are functions of seed and step alone: a run that was killed and resumed ends with the weights of one that was
not (with --minutes, where the clock decides, up to the clock).
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from base_model.config import BaseModelConfig
from base_model.songs import digest, load_songs
from base_model.training import Training

from music_interpret import __version__, config, files, paths
from music_interpret.cli import exit_code_of
from music_interpret.config import as_dict
from music_interpret.errors import InputError
from music_interpret.models.device import pick_device
from music_interpret.music.dataset import Split, open_dataset
from music_interpret.tokens import mmt as tokens
from music_interpret.tokens.mmt import FIELDS

PROG = "python3 scripts/train_base_model.py"


def train_base_model(settings: BaseModelConfig) -> Path:
    """Train a model (or go on) and return its folder.

    Raises:
        InputError: unknown or broken data, no validation songs, or a model or other training in the way.
    """
    dataset = open_dataset(paths.dataset_folder(settings.dataset_name))
    pick_device(settings.device)
    folder = paths.home() / "models" / settings.dataset_name / settings.data_repr
    check_in_the_way(settings, folder)
    used: tuple[Split, ...] = ("train", "valid")
    songs = {split: load_songs(dataset, split, settings.max_beat) for split in used}
    arguments = {
        "music_interpret": __version__,
        "arguments": {k: v for k, v in as_dict(settings).items() if k not in ("resume", "overwrite")},
        "songs": {f"{split}_sha256": digest(notes) for split, notes in songs.items()},
    }
    if not (settings.resume and is_finished(folder, arguments)):
        training = Training(settings, tokens.load(dataset.folder / "notes"), songs, folder, arguments)
        with files.locked(folder, "this model"):
            if settings.overwrite:
                shutil.rmtree(folder / "training", ignore_errors=True)
            files.write_json(folder / "training" / "arguments.json", arguments)
            if settings.resume and training.state_path.is_file():
                training.load_state()
            training.train()
    lines = (folder / "training" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    best = min(map(json.loads, lines), key=lambda line: line["loss/valid"])
    fields = ", ".join(f"{name} {best[f'valid/{name}']:.3f}" for name in FIELDS)
    print(f"validation loss {best['loss/valid']:.3f} ({fields}) at step {best['step']:,} → {folder}")
    return folder


def check_in_the_way(settings: BaseModelConfig, folder: Path) -> None:
    """Refuse to write over a model, and to go on where nothing was begun."""
    begun = folder / "training" / "arguments.json"
    if settings.resume:
        if not begun.is_file():
            raise InputError(f"no training to resume in {folder}")
    elif not settings.overwrite:
        for path in (begun, folder / "train-args.json", folder / "checkpoints"):
            if path.exists():
                raise InputError(
                    f"{path} is there; --resume goes on, --overwrite trains again, or take another data_repr"
                )


def is_finished(folder: Path, arguments: dict[str, Any]) -> bool:
    """Whether a training is finished; InputError if it was begun with other arguments or songs."""
    old = files.read_json(folder / "training" / "arguments.json")
    for part in ("arguments", "songs"):
        for key, value in arguments[part].items():
            if old.get(part, {}).get(key) != value:
                what = f"--{key} {old.get(part, {}).get(key)}" if part == "arguments" else "other songs"
                raise InputError(f"{folder} was begun with {what}; --resume needs the same")
    return bool(old.get("finished"))


def main(argv: list[str]) -> int:
    """Run on command-line words and return the exit code."""
    return exit_code_of(lambda: train_base_model(config.parse(BaseModelConfig, argv, PROG)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
