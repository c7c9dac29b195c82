"""The control that a run is trained again for: the same autoencoder on the same model with re-initialised weights.

What it scores comes from the music and the architecture, not from anything that the model has learned. The stages are
run one after the other on `models/<dataset>/<data_repr>-reinitialised`; what is there already is kept.
"""

from pathlib import Path
from typing import Any

from music_interpret import paths, provenance
from music_interpret.activation_extraction import ExtractionConfig, extract
from music_interpret.activations.store import ActivationSet, made_from, open_set
from music_interpret.errors import InputError
from music_interpret.models.device import DeviceName
from music_interpret.models.families.find import find_family
from music_interpret.preprocess import PreprocessConfig, preprocess
from music_interpret.runs.run import Run, is_run
from music_interpret.train import config_of, train

SUFFIX = "-reinitialised"
SEED = 0


def train_reinitialised(run: Run, device: DeviceName = "cpu") -> Run:
    """Train a run's autoencoder on the re-initialised model, unless that is done, and return the new run.

    Args:
        run: the run.
        device: where the new run's parts are put.

    Raises:
        InputError: what is kept there was made from other songs or with other arguments, or the model's family cannot
            be initialised again.
    """
    settings, site = run.settings, run.site
    data_repr, experiment = settings.data_repr + SUFFIX, settings.experiment_name + SUFFIX
    model = write_model(run.activations.model_folder, run.activations)
    folder = paths.activations_folder(settings.dataset_name, data_repr)
    if not (folder / site.folder / "normalization.json").is_file():
        which: dict[str, Any] = {"sites": (site.name,)}
        common: dict[str, Any] = {"dataset_name": settings.dataset_name, "data_repr": data_repr} | which
        meta = run.rows.site.meta
        extract(ExtractionConfig(**common, **{key: meta[key] for key in ("dtype", "precision")}))
        preprocess(PreprocessConfig(**common, normalization=run.rows.normalization.kind))
    kept = open_set(folder)
    wanted = {key: run.rows.made_from[key] for key in ("codes_sha256", "songs_sha256")}
    provenance.check(made_from(kept, kept.site(site)), wanted, folder, f"remove it and {model}")
    new = paths.run_folder(settings.series_name, experiment, site.folder)
    arguments = settings.arguments
    train(config_of(arguments, data_repr=data_repr, experiment_name=experiment, resume=is_run(new)))
    return Run(new, device)


def write_model(source: Path, activations: ActivationSet) -> Path:
    """Write a model like that in `source` with its weights initialised again, unless it is there, and return its
    folder.
    """
    folder = source.with_name(source.name + SUFFIX)
    family = find_family(source)
    if not hasattr(family, "reinitialise"):
        raise InputError(f"{source}: models of this family cannot be initialised again; leave out --reinitialised")
    family.reinitialise(source, folder, activations.folder, SEED)
    return folder
