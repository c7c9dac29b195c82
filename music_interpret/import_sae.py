"""Stage: a saved autoencoder of another library as a run, to be indexed and read like one trained here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from music_interpret import __version__, files, paths
from music_interpret.activations.store import ActivationSet, LayerActivations, made_from, open_set
from music_interpret.config import as_dict, positional
from music_interpret.errors import InputError
from music_interpret.sae import foreign, hub
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.foreign import Format


@dataclass(frozen=True, kw_only=True)
class ImportConfig:
    """Take a saved autoencoder of SAELens, dictionary-learning or sparsify as a run on extracted activations."""

    path: str = positional()
    """Folder of the autoencoder, its weights file, or `hf://owner/name[@revision][/folder]` on the Hugging Face Hub."""
    dataset_name: str
    """Folder of the data set under data/base/ (with or without _notes), whose activations it reads."""
    data_repr: str
    """Folder of the model under `models/<dataset_name>/`."""
    series_name: str
    """First folder of the run under reports/: a series of experiments."""
    experiment_name: str
    """Second folder of the run: one experiment."""
    layer: int
    """Layer that it reads; it must have been extracted."""
    format: Literal["auto", Format, "saelens"] = "auto"
    """Which library saved it; auto tells by its files. saelens is the former name of sae_lens."""
    overwrite: bool = False
    """Replace a run that is there."""


def import_sae(config: ImportConfig) -> Path:
    """Run the stage and return the run folder.

    Raises:
        InputError: no autoencoder, a damaged one or one that cannot be expressed here, activations that are missing or
            do not fit it, or the run folder exists.
    """
    folder = paths.run_folder(config.series_name, config.experiment_name, config.layer)
    activations = open_set(
        paths.activations_folder(config.dataset_name, config.data_repr), config.dataset_name, config.data_repr
    )
    layer = activations.layer(config.layer)
    wanted = None if config.format == "auto" else foreign.current_name(config.format)
    source = hub.fetch(config.path, foreign.FILES) if config.path.startswith("hf://") else Path(config.path)
    known, weights = foreign.find(source, wanted)
    autoencoder = foreign.load(weights, known)
    _check_fit(autoencoder, activations, weights)
    if (folder / "training_args.json").is_file() and not config.overwrite:
        raise InputError(f"run {folder} exists; --overwrite replaces it, or take another name")
    args = _training_args(config, autoencoder, activations, layer, known, weights)
    with files.locked(folder, "this run"):
        if config.overwrite:
            files.clear_folder(folder)
        files.write_json(folder / "training_args.json", args)
        autoencoder.save(folder / "sae")
    sizes = f"{autoencoder.d_in} dimensions, {autoencoder.d_sae:,} latents"
    print(f"{autoencoder.kind} autoencoder from {known}, {sizes} → {folder}")
    return folder


def _check_fit(autoencoder: SparseAutoencoder, activations: ActivationSet, weights: Path) -> None:
    """Refuse an autoencoder that does not take this store's activations or codes."""
    if autoencoder.d_in != activations.d_model:
        raise InputError(
            f"{weights} takes {autoencoder.d_in} dimensions; the activations in {activations.folder} have "
            f"{activations.d_model}"
        )
    n_codes = activations.encoding().n_codes
    if autoencoder.baseline is not None and autoencoder.baseline.sizes != n_codes:
        raise InputError(
            f"the token baseline beside {weights} has {autoencoder.baseline.sizes} codes a field; those of "
            f"{activations.folder} are {n_codes}"
        )


def _training_args(
    config: ImportConfig,
    autoencoder: SparseAutoencoder,
    activations: ActivationSet,
    layer: LayerActivations,
    known: Format,
    weights: Path,
) -> dict[str, Any]:
    """What a run writes down of itself; `imported` stands for what training would say."""
    arguments = {key: value for key, value in as_dict(config).items() if key not in ("path", "format", "overwrite")}
    return {
        "music_interpret": __version__,
        # The seed draws the controls that `evaluate` puts beside the autoencoder.
        "arguments": arguments | {"architecture": autoencoder.kind, "d_sae": autoencoder.d_sae, "seed": 0},
        "activations": made_from(activations, layer),
        "activations_folder": activations.folder.name,
        "imported": {"format": known, "weights_sha256": files.sha256(weights)},
    }


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("import")
