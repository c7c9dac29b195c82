"""Stage: a saved autoencoder of another library as a run, to be indexed and read like one trained here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from music_interpret import __version__, files, paths
from music_interpret.activations.store import ActivationSet, SiteActivations, made_from, open_set
from music_interpret.config import CheckedConfig, FolderName, NonNegativeInt, as_dict, positional
from music_interpret.errors import InputError
from music_interpret.models.site import Site, chosen_sites
from music_interpret.sae import foreign, hub
from music_interpret.sae.autoencoder import SparseAutoencoder
from music_interpret.sae.foreign import Format


@dataclass(frozen=True, kw_only=True)
class ImportConfig(CheckedConfig):
    """Take a saved autoencoder of SAELens, dictionary-learning or sparsify as a run on extracted activations."""

    path: str = positional()
    """Folder of the autoencoder, its weights file, or `hf://owner/name[@revision][/folder]` on the Hugging Face Hub."""
    dataset_name: FolderName
    """Folder of the data set under data/base/ (with or without _notes), whose activations it reads."""
    data_repr: FolderName
    """Folder of the model under `models/<dataset_name>/`."""
    series_name: FolderName
    """First folder of the run under reports/: a series of experiments."""
    experiment_name: FolderName
    """Second folder of the run: one experiment."""
    layer: NonNegativeInt | None = None
    """Layer that it reads; it must have been extracted."""
    site: str | None = None
    """Site by name, such as mlp_out.2, in place of --layer."""
    format: Literal["auto", Format, "saelens"] = "auto"
    """Which library saved it; auto detects it from the files. saelens is the former name of sae_lens."""
    overwrite: bool = False
    """Replace a run that is there."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.chosen_site

    @property
    def chosen_site(self) -> Site:
        """The one site that is named; InputError if there are none or two."""
        chosen = chosen_sites([] if self.layer is None else [self.layer], [] if self.site is None else [self.site])
        if len(chosen) > 1:
            raise InputError("--layer and --site name two sites; expected one")
        return chosen[0]


def import_sae(config: ImportConfig) -> Path:
    """Run the stage and return the run folder.

    Raises:
        InputError: no autoencoder, a damaged one or one that cannot be expressed here, activations that are missing or
            do not fit it, or the run folder exists.
    """
    site = config.chosen_site
    folder = paths.run_folder(config.series_name, config.experiment_name, site.folder)
    activations = open_set(
        paths.activations_folder(config.dataset_name, config.data_repr), config.dataset_name, config.data_repr
    )
    opened = activations.site(site)
    wanted = None if config.format == "auto" else foreign.current_name(config.format)
    source = hub.fetch(config.path, foreign.FILES) if config.path.startswith("hf://") else Path(config.path)
    known, weights = foreign.find(source, wanted)
    autoencoder = foreign.load(weights, known)
    _check_fit(autoencoder, activations, opened, weights)
    if (folder / "training_args.json").is_file() and not config.overwrite:
        raise InputError(f"run {folder} exists; --overwrite replaces it, or take another name")
    args = _training_args(config, autoencoder, activations, opened, known, weights)
    with files.locked(folder, "this run"):
        if config.overwrite:
            files.clear_folder(folder)
        files.write_json(folder / "training_args.json", args)
        autoencoder.save(folder / "sae")
    sizes = f"{autoencoder.d_in} dimensions, {autoencoder.d_sae:,} latents"
    print(f"{autoencoder.kind} autoencoder from {known}, {sizes} → {folder}")
    return folder


def _check_fit(
    autoencoder: SparseAutoencoder, activations: ActivationSet, site: SiteActivations, weights: Path
) -> None:
    """Refuse an autoencoder that does not take this site's activations or this store's tokens."""
    if autoencoder.d_in != site.width:
        raise InputError(
            f"{weights} takes {autoencoder.d_in} dimensions; the activations in {site.folder} have {site.width}"
        )
    sizes = activations.scheme.sizes
    if autoencoder.baseline is not None and autoencoder.baseline.sizes != sizes:
        raise InputError(
            f"the token baseline alongside {weights} has {autoencoder.baseline.sizes} values per field; those of "
            f"{activations.folder} are {sizes}"
        )


def _training_args(
    config: ImportConfig,
    autoencoder: SparseAutoencoder,
    activations: ActivationSet,
    site: SiteActivations,
    known: Format,
    weights: Path,
) -> dict[str, Any]:
    """What a run writes down of itself; `imported` stands for what training would say."""
    arguments = {key: value for key, value in as_dict(config).items() if key not in ("path", "format", "overwrite")}
    return {
        "music_interpret": __version__,
        # The seed draws the controls that `evaluate` compares the autoencoder with.
        "arguments": arguments
        | {"architecture": autoencoder.kind, "d_sae": autoencoder.d_sae, "seed": 0}
        | {"layer": site.site.layer, "site": site.site.name},
        "activations": made_from(activations, site),
        "activations_folder": activations.folder.name,
        "imported": {"format": known, "weights_sha256": files.sha256(weights)},
    }


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("import")
