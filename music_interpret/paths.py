"""Where data, models, activations and runs are stored.

The root that holds `data/`, `models/` and `reports/` is the working directory, or `MUSIC_INTERPRET_HOME`.
"""

import os
from pathlib import Path

from music_interpret.errors import InputError, unknown

FOLDER_NAME = "a folder name without slashes or a leading dot"


def home() -> Path:
    return Path(os.environ.get("MUSIC_INTERPRET_HOME") or ".")


def subfolders(folder: Path) -> list[str]:
    """Names of the visible folders directly under `folder`, sorted."""
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def dataset_folder(dataset_name: str) -> Path:
    """`data/base/<dataset>_notes` or `data/base/<dataset>`: the folder that holds `notes/` and the name lists."""
    base = home() / "data" / "base"
    for candidate in (base / f"{dataset_name}_notes", base / dataset_name):
        if dataset_name and (candidate / "notes").is_dir():
            return candidate
    known = [name.removesuffix("_notes") for name in subfolders(base) if (base / name / "notes").is_dir()]
    raise unknown("dataset", dataset_name, known, base)


def model_folder(dataset_name: str, data_repr: str) -> Path:
    """`models/<dataset>/<data_repr>`: the folder that holds `train-args.json` and `checkpoints/`."""
    models = home() / "models"
    if dataset_name not in (known := subfolders(models)):
        raise unknown("dataset", dataset_name, known, models)
    if data_repr not in (known := subfolders(models / dataset_name)):
        raise unknown("data_repr", data_repr, known, models / dataset_name)
    return models / dataset_name / data_repr


def activations_folder(dataset_name: str, data_repr: str) -> Path:
    return home() / "data" / "activations" / f"{dataset_name}_{data_repr}_residual"


def layer_name(layer: int) -> str:
    return f"layer_{layer:03d}"


def is_folder_name(name: str) -> bool:
    """Whether a name stays inside the folder that it is put below, is visible there, and fits file systems."""
    return not name.startswith(".") and not set(name) & {"/", "\\", "\0"} and 0 < len(os.fsencode(name)) < 256


def run_folder(series_name: str, experiment_name: str, site_folder: str) -> Path:
    """`reports/<series>/<experiment>/<site>`, such as layer_007: everything of one trained SAE."""
    for option, value in (("series_name", series_name), ("experiment_name", experiment_name)):
        if not is_folder_name(value):
            raise InputError(f"--{option} is {value!r}; expected {FOLDER_NAME}")
    return home() / "reports" / series_name / experiment_name / site_folder


def all_runs() -> list[Path]:
    """Folders of all trained SAEs under `reports/`, sorted."""
    return sorted(p.parent for p in (home() / "reports").glob("*/*/*/training_args.json"))


def find_run(run: str) -> Path:
    """The folder of one trained SAE: the path itself, below the root or below `reports/`, with or without its site.

    A folder that holds exactly one run stands for that one.
    """
    for root in (Path(), home(), home() / "reports"):
        folder = root / run
        if (folder / "training_args.json").is_file():
            return folder
        sites = sorted(p.parent for p in folder.glob("*/training_args.json"))
        if len(sites) == 1:
            return sites[0]
        if sites:
            names = ", ".join(str(p) for p in sites)
            raise InputError(f"run {str(run)!r} holds several sites; name one of: {names}")
    reports = home() / "reports"
    known = list(map(str, all_runs()))
    raise unknown("run", run, known, reports)
