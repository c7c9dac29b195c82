"""Stage: all stages in turn, on a built-in model and real music, with no network, and then the explorer."""

import sys
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

from music_interpret import files, paths
from music_interpret.activation_extraction import ExtractionConfig, extract
from music_interpret.config import CheckedConfig, PositiveInt, within
from music_interpret.errors import InputError
from music_interpret.explore import ExploreConfig, explore
from music_interpret.features.label_words import best_names, with_excerpts
from music_interpret.index import IndexConfig, build_index
from music_interpret.ingest import IngestConfig, ingest
from music_interpret.label import LabelConfig, label
from music_interpret.models.site import Site
from music_interpret.music.dataset import SPLITS
from music_interpret.preprocess import PreprocessConfig, preprocess
from music_interpret.runs.run import Run, is_run
from music_interpret.train import TrainConfig, train

DATASET, REPR = "m21", "ape"
EXCERPTS, CONTEXT = 3, 2


@dataclass(frozen=True, kw_only=True)
class DemoConfig(CheckedConfig):
    """Run the whole path on the built-in model and Bach chorales, and print features that you can read.

    Everything is written below the working directory (or MUSIC_INTERPRET_HOME); what is there already is not done
    again.
    """

    layer: Annotated[int, within(0, 7)] = 5
    """Layer of the base model to look into."""
    features: PositiveInt = 12
    """How many features to print at the end."""
    songs: PositiveInt | None = None
    """Take only this many songs."""
    explore: bool = True
    """At the end, serve the explorer's pages until Ctrl-C, and open them where there is a desktop; only where someone
    sits at a terminal.
    """


def demo(config: DemoConfig) -> None:
    """Run the stage.

    Raises:
        InputError: a folder is in the way that holds something else.
    """
    started = time.monotonic()
    install_base_model()
    ingest(IngestConfig(source="music21:bach", dataset_name=DATASET, polyphonic=True, limit=config.songs))
    hold_out_songs()
    layers = (config.layer,)
    extract(ExtractionConfig(dataset_name=DATASET, data_repr=REPR, layers=layers))
    preprocess(PreprocessConfig(dataset_name=DATASET, data_repr=REPR, layers=layers))
    run = paths.run_folder("demo", "sae", Site.of_layer(config.layer).folder)
    begun = is_run(run)
    train(
        TrainConfig(
            dataset_name=DATASET,
            data_repr=REPR,
            series_name="demo",
            experiment_name="sae",
            layers=layers,
            resume=begun,
        )
    )
    if not (run / "features" / "index.json").is_file():
        build_index(IndexConfig(run=str(run)))
    print(labelled_features(Run(run), config.features))
    print(where(run, time.monotonic() - started), flush=True)
    if config.explore and sys.stdin.isatty() and sys.stdout.isatty():
        print("\nSee and hear them:")
        try:
            explore(ExploreConfig(run=str(run)))
        except InputError as problem:  # such as the explorer's libraries not being installed: the demo is done
            print(f"note: {problem}")


def install_base_model() -> Path:
    """Copy the built-in model to `models/m21/ape`, unless it is there."""
    folder = paths.home() / "models" / DATASET / REPR
    source = resources.files("music_interpret") / "base_model" / DATASET / REPR
    for name in ("train-args.json", "checkpoints/best_model.pt"):
        if not (folder / name).is_file():
            with files.atomic_write(folder / name) as file:
                file.write((source / name).read_bytes())
    return folder


def hold_out_songs() -> None:
    """Write the name lists of the songs that the base model never trained on, of those that were ingested."""
    folder = paths.dataset_folder(DATASET)
    names = (folder / "names.txt").read_text(encoding="utf-8").splitlines()
    for split in ("valid", "test"):
        source = resources.files("music_interpret") / "base_model" / f"{split}-names.txt"
        held_out = set(source.read_text(encoding="utf-8").splitlines())
        files.write_text(folder / f"{split}-names.txt", "".join(f"{name}\n" for name in names if name in held_out))


def labelled_features(run: Run, count: int) -> str:
    """The best labelled latents in words, with excerpts; why there are none if there are too few songs."""
    splits = set(run.activations.songs.splits.tolist())
    if missing := [split for split in SPLITS if split not in splits]:
        return f"\nToo few songs to name features: none of them is held out for {' and '.join(missing)}."
    if not run.labelled:
        label(LabelConfig(run=str(run.folder), controls=False))
    chosen = best_names(run.labels.names, count)
    if not chosen:
        return "\nNo feature's name is supported by the held-out songs; take more songs."
    head = f"The {len(chosen)} features that are best labelled (excerpts: the strongest token of each of three songs):"
    return f"\n{head}\n\n{with_excerpts(run.index, chosen, run.reliability, EXCERPTS, CONTEXT)}"


def where(run: Path, seconds: float) -> str:
    """Where everything is stored, and what to type next; the notebook where there is one, in a checkout."""
    notebook = Path("notebooks/feature_exploration.ipynb")
    jupyter = f"\n  jupyter lab    ({notebook}; make init installs it)" if notebook.is_file() else ""
    return f"""
Done in {seconds:.0f} s. Where everything is stored:
  notes         {paths.dataset_folder(DATASET)}
  model         {paths.model_folder(DATASET, REPR)}
  activations   {paths.activations_folder(DATASET, REPR)}
  run           {run}

Next:
  music-interpret explore {run}                  see and hear them, in a browser
  music-interpret features {run}                 every latent, by its largest activation
  music-interpret features {run} --latent 112    one latent's top tokens in context
  music-interpret features {run} --concept "leading tone"    the latents that follow a concept
  music-interpret label {run}    the same labels for raw neurons, PCA and chance, in one table
  tensorboard --logdir {paths.home() / "reports"}{jupyter}"""


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("demo")
