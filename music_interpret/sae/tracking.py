"""Experiment trackers, fed from the TensorBoard logs that every run writes anyway; imported only when asked for.

Weights & Biases follows the logs while they are written (its TensorBoard sync): one W&B run for a call of `train`, in
which a sweep's autoencoders are named by their folders. Trackio takes the logs over when training has ended, one run
for each autoencoder.
"""

import contextlib
import importlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from music_interpret.errors import InputError

TrackerName = Literal["none", "wandb", "trackio"]
# What must be there, and how to get it.
NEEDED = {"wandb": (("wandb",), "wandb"), "trackio": (("trackio", "tbparse"), "'trackio[tensorboard]'")}


@contextlib.contextmanager
def tracked(tracker: TrackerName, project: str, name: str, runs: Mapping[Path, dict[str, Any]]) -> Iterator[None]:
    """Send to a tracker what is logged inside.

    Args:
        tracker: which one; none does nothing.
        project: the project it goes to.
        name: what to call the whole.
        runs: folder of each run, which holds `tensorboard/`, and its arguments.

    Raises:
        InputError: the tracker's package is not installed.
    """
    if tracker == "none":
        yield
        return
    modules, package = NEEDED[tracker]
    try:
        library: Any = [importlib.import_module(module) for module in modules][0]
    except ModuleNotFoundError as error:
        right = f"expected: pip install {package}"
        raise InputError(f"--tracker {tracker}: {error.name} is not installed; {right}") from None
    if tracker == "wandb":
        common = os.path.commonpath([str(folder) for folder in runs])
        library.tensorboard.patch(root_logdir=common, pytorch=True)
        arguments = next(iter(runs.values()))
        with library.init(project=project, name=name, dir=common, config=arguments):
            try:
                yield
            finally:
                library.tensorboard.unpatch()
    else:
        yield
        for folder in runs:
            library.import_tf_events(
                log_dir=str(folder / "tensorboard"), project=project, name=f"{folder.parent.name}-{folder.name}"
            )
