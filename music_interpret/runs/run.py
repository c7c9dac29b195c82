"""One run: the folder of a trained sparse autoencoder, and the one object through which all about it is read.

Parts are opened when they are first asked for, so that reading names does not wait for torch, and a run that was never
labelled can be measured. Every part is checked against what it should have been made from (`provenance.py`).
"""

import functools
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from music_interpret import files, paths, provenance
from music_interpret.activations.store import ActivationSet, made_from, open_set
from music_interpret.errors import InputError
from music_interpret.features import labels as label_files
from music_interpret.features.evaluation import read_evaluation
from music_interpret.features.index import FeatureIndex, open_index
from music_interpret.features.kept import kept
from music_interpret.features.label_words import best_names
from music_interpret.features.labels import Labels, read_labels
from music_interpret.features.neighbours import Neighbours, neighbours_of
from music_interpret.models.site import Site
from music_interpret.music.dataset import Split
from music_interpret.runs.settings import NAME, Settings

if TYPE_CHECKING:
    from music_interpret.activations.site_rows import SiteRows
    from music_interpret.features.effects import Effects
    from music_interpret.interventions.loss_recovered import PatchedLosses
    from music_interpret.models.device import DeviceName
    from music_interpret.models.loaded import LoadedModel
    from music_interpret.sae.autoencoder import SparseAutoencoder

WEIGHTS = Path("sae", "sae_weights.safetensors")
AGAIN = "bring that back, or train again"
VIEWS = "music_interpret.explorer.notebook"
"""Where the views of a notebook are, in a room above this one; looked up by name, as the command line does stages."""


class Latent(NamedTuple):
    """One latent in a row of numbers."""

    latent: int
    """Its number."""
    name: str | None
    """Its name, where the labels gave it one."""
    density: float
    """Fraction of all tokens it fires on."""
    max: float
    """Its largest activation."""
    mean: float
    """Its mean activation over the tokens it fires on."""


class Run:
    """A trained sparse autoencoder with everything that was made of it.

    Open one with `music_interpret.open_run("demo/sae")`. What is missing or was made from something else is an
    InputError that says what to run, when it is asked for.
    """

    def __init__(self, folder: Path, device: "DeviceName" = "cpu") -> None:
        """Args:
        folder: of the run.
        device: where autoencoder, model and activations are put.

        Raises:
            InputError: the folder holds no run, or an unfinished one.
        """
        self.folder = folder
        self.settings = Settings.read(folder)
        self._device = device
        self.views: dict[str, Any] = {}
        """What views above this room keep of the run, such as its songs as pieces."""
        if not (folder / "sae" / "cfg.json").is_file():
            raise InputError(f"run {folder} was not finished; go on with: python3 -m music_interpret.train … --resume")

    def __repr__(self) -> str:
        settings = self.settings
        model = f"{settings.dataset_name} {settings.data_repr}"
        return f"<Run {self.title}: {settings.architecture}, {settings.d_sae} latents, {self.site.title} of {model}>"

    @property
    def title(self) -> str:
        """The run's folder without its root: demo/sae/layer_005."""
        return "/".join(self.folder.resolve().parts[-3:])

    @property
    def site(self) -> Site:
        """Where in the model its activations are from."""
        return self.settings.site

    @functools.cached_property
    def sae_sha256(self) -> str:
        """Identity of the autoencoder: SHA-256 of its weights' file. What is made of it notes this down."""
        return files.sha256(self.folder / WEIGHTS)

    @functools.cached_property
    def device(self) -> Any:
        """Where autoencoder, model and activations are put, a `torch.device`."""
        from music_interpret.models.device import pick_device

        return pick_device(self._device)

    @functools.cached_property
    def sae(self) -> "SparseAutoencoder":
        """The trained autoencoder, on raw activations."""
        from music_interpret.sae.autoencoder import SparseAutoencoder

        return SparseAutoencoder.load(self.folder / "sae").to(self.device)

    @functools.cached_property
    def activations(self) -> ActivationSet:
        """The store that it was trained on; InputError if another model's or other songs' activations are there now."""
        settings = self.settings
        folder = paths.home() / "data" / "activations" / settings.activations_folder
        activations = open_set(folder, settings.dataset_name, settings.data_repr)
        wanted = {key: settings.made_from[key] for key in activations.identity}
        provenance.check(activations.identity, wanted, folder, self._gone)
        return activations

    @functools.cached_property
    def rows(self) -> "SiteRows":
        """The activations of its site, with their normalisation; InputError if the splits are others than it was
        trained on.
        """
        from music_interpret.activations.site_rows import SiteRows

        opened = self.activations.site(self.site)
        noted = {"songs_sha256": self.settings.made_from["songs_sha256"]}
        provenance.check(made_from(self.activations, opened), noted, self.activations.folder, self._gone)
        return SiteRows.open(self.activations, self.site, self.device)

    @functools.cached_property
    def model(self) -> "LoadedModel":
        """The model whose activations these are, in float32; InputError if another is in its place."""
        return self.load_model("float32")

    def load_model(self, precision: str) -> "LoadedModel":
        """The same, computing in `float32` or `bfloat16`."""
        from music_interpret.models.families.find import Loader, load_model

        activations = self.activations
        noted = activations.manifest.get("loader")
        loader = Loader.noted(noted, activations.folder) if noted else None
        folder = activations.model_folder
        model = load_model(folder, activations.folder, loader)
        if model.sha256 != self.settings.made_from["model_sha256"]:
            raise InputError(f"{folder} holds another model than run {self.folder} was trained on; {AGAIN}")
        model.to_precision(precision).to(self.device)
        return model

    @functools.cached_property
    def index(self) -> FeatureIndex:
        """Every latent's tokens, values and statistics."""
        return open_index(self.folder, self.activations, self.sae_sha256)

    @property
    def labelled(self) -> bool:
        """Whether there are labels."""
        return (self.folder / label_files.FOLDER).is_dir()

    @functools.cached_property
    def labels(self) -> Labels:
        """Names and scores of latents."""
        return read_labels(self.folder, self.sae_sha256)

    @functools.cached_property
    def names(self) -> Mapping[int, dict[str, Any]]:
        """What is known of each live latent's name, by its number; nothing for a run that is not labelled."""
        return {name["latent"]: name for name in self.labels.names} if self.labelled else {}

    @functools.cached_property
    def reliability(self) -> Mapping[str, dict[str, Any]]:
        """How far concepts agree with experts, as the labels note it; nothing for a run that is not labelled."""
        return self.labels.reliability() if self.labelled else {}

    @functools.cached_property
    def evaluation(self) -> dict[str, Any]:
        """What `evaluate` measured."""
        return read_evaluation(self.folder, self.sae_sha256)

    @functools.cached_property
    def effects(self) -> "Effects | None":
        """What each latent adds to the model's output directly; None where the site does not write to the residual
        stream. Computed once and kept.
        """
        if self.site.kind_and_block is None:
            return None
        from music_interpret.features.effects import Effects, effects_of

        def make() -> dict[str, np.ndarray]:
            found = effects_of(self.sae.W_dec.detach().float(), self.model, self.activations)
            return {"values": found.values, "sizes": np.array(found.sizes)}

        arrays = kept(self.folder, "effects", self._identity, make)
        fields = self.activations.scheme.field_names
        return Effects(arrays["values"], fields, tuple(arrays["sizes"].tolist()))

    @functools.cached_property
    def neighbours(self) -> Neighbours:
        """The nearest latents of each, by direction and by firing. Computed once and kept."""

        def make() -> dict[str, np.ndarray]:
            return neighbours_of(self._decoder, self.index)._asdict()

        return Neighbours(**kept(self.folder, "neighbours", self._identity | self.index.meta, make))

    @functools.cached_property
    def map(self) -> np.ndarray:
        """Positions of the latents on a plane, float32 (d_sae, 2); NaN for dead ones. Computed once and kept.

        Raises:
            InputError: it is not there yet, and scikit-learn, which makes it, is not installed.
        """
        from music_interpret.features.map import flat_map

        def make() -> dict[str, np.ndarray]:
            return {"places": flat_map(self._decoder, self.index.statistics.density > 0)}

        return kept(self.folder, "map", self._identity | self.index.meta, make)["places"]

    @functools.cached_property
    def latents(self) -> list[Latent]:
        """Every latent in a row of numbers."""
        statistics = self.index.statistics
        columns = zip(statistics.density.tolist(), statistics.max.tolist(), statistics.mean.tolist(), strict=True)
        return [Latent(number, self.name(number), *row) for number, row in enumerate(columns)]

    def name(self, latent: int) -> str | None:
        """The name that test songs support, if there is one.

        Examples:
            >>> open_run("demo/sae").name(23)
            'place in the sequence: 8-11'
        """
        return self.names[latent]["name"] if latent in self.names else None

    def best(self, count: int = 10) -> list[dict[str, Any]]:
        """The best names of a labelled run, as in its names.json; none for a run that is not labelled."""
        if count < 1:
            raise InputError(f"{count} is too few; expected 1 or more")
        return best_names(list(self.names.values()), count)

    def check_latent(self, latent: int) -> int:
        """The latent itself; InputError if there is none of this number."""
        if isinstance(latent, bool) or not isinstance(latent, int | np.integer) or not 0 <= latent < self.index.d_sae:
            raise InputError(f"latent {latent} is out of range; expected 0 to {self.index.d_sae - 1}")
        return int(latent)

    def ablate(self, latents: Sequence[int], split: Split = "test", batch_tokens: int = 4096) -> "PatchedLosses":
        """What the model loses on a split's songs when some latents are set to 0; what the autoencoder leaves over
        stays.

        Raises:
            InputError: no such latent, or no songs of the split.
        """
        from music_interpret.interventions.ablation import ablated_losses

        chosen = [self.check_latent(latent) for latent in latents]
        if not len(self.activations.songs.spans(split)):
            raise InputError(f"{self.activations.folder} has no {split} songs; expected a split that has some")
        return ablated_losses(self.model, self.sae, self.site, self.rows, chosen, split, batch_tokens)

    def latent(self, latent: int, examples: int = 6, sound: bool = True) -> Any:
        """A widget for a notebook: a latent's name, statistics and strongest firings, one of each song.

        Args:
            latent: its number.
            examples: how many firings.
            sound: put their sound into the notebook, about 40 KB each.

        Raises:
            InputError: no such latent, or anywidget is not installed.
        """
        return importlib.import_module(VIEWS).latent_card(self, latent, examples, sound)

    def song(self, song: str | int, latent: int | None = None, sound: bool = True) -> Any:
        """A widget for a notebook: a whole piece, coloured by a latent's activations.

        Args:
            song: its name or number.
            latent: whose activations; None for none.
            sound: put its sound into the notebook.

        Raises:
            InputError: no such piece or latent, or anywidget is not installed.
        """
        return importlib.import_module(VIEWS).song_card(self, song, latent, sound)

    @property
    def _decoder(self) -> np.ndarray:
        """Decoder rows, float32 (d_sae, width)."""
        return self.sae.W_dec.detach().float().cpu().numpy()

    @property
    def _gone(self) -> str:
        return f"run {self.folder} was trained on what is gone; {AGAIN}"

    @property
    def _identity(self) -> dict[str, Any]:
        """What is computed from the run and kept was made from."""
        return {"sae_sha256": self.sae_sha256, "model_sha256": self.settings.made_from["model_sha256"]}


def open_run(run: str | Path, device: "DeviceName" = "cpu") -> Run:
    """Open a run, given as on the command line.

    Args:
        run: its folder `reports/<series>/<experiment>/<site>`; `reports/` and an only site may be left out.
        device: where autoencoder, model and activations are put: cpu, cuda or auto.

    Raises:
        InputError: no such run, or it is unfinished or damaged.

    Examples:
        >>> open_run("demo/sae")
        <Run demo/sae/layer_003: topk, 24 latents, layer 3 of sod ape>
    """
    return Run(paths.find_run(str(run)), device)


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run, finished or not."""
    return (folder / NAME).is_file()
