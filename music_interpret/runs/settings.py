"""What a run was made with: its `training_args.json`, typed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from music_interpret import files
from music_interpret.errors import InputError
from music_interpret.models.site import Site

NAME = "training_args.json"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run was trained or imported, and on what."""

    dataset_name: str
    """Folder of the data set under data/base/."""
    data_repr: str
    """Folder of the model under `models/<dataset_name>/`."""
    series_name: str
    """First folder of the run under reports/."""
    experiment_name: str
    """Second folder of the run."""
    site: Site
    """Where in the model its activations are from."""
    architecture: str
    """How it was trained; of an imported one, what it is."""
    token_baseline: str | None
    """none or additive; None for an imported autoencoder."""
    d_sae: int | None
    """Number of latents."""
    seed: int
    """Of its initial weights, and of the controls that it is measured alongside."""
    arguments: dict[str, Any]
    """Every argument of its training, as written down."""
    made_from: dict[str, Any]
    """What its activations were: hashes of model, tokens and songs, the site, how it was computed."""
    activations_folder: str
    """Name of the store under data/activations/."""

    @classmethod
    def read(cls, run: Path) -> "Settings":
        """Read a run's settings, written by this version or by 0.1.0; InputError if they are missing or damaged."""
        path = run / NAME
        args = files.read_json(path)
        try:
            arguments = args["arguments"]
            return cls(
                **{name: arguments[name] for name in ("dataset_name", "data_repr", "series_name", "experiment_name")},
                site=Site.of(arguments["site"]) if "site" in arguments else Site.of_layer(int(arguments["layer"])),
                architecture=arguments.get("architecture", "relu"),
                token_baseline=arguments.get("token_baseline"),
                d_sae=arguments.get("d_sae"),
                seed=int(arguments.get("seed") or 0),
                arguments=arguments,
                made_from=args["activations"],
                activations_folder=args["activations_folder"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); train the run again") from None
