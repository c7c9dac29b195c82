"""Stage: all stages in turn, on a built-in model and real music, with no network."""

import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from music_interpret import files, paths
from music_interpret.activation_extraction import ExtractionConfig, extract
from music_interpret.browse import open_run
from music_interpret.features.index import FeatureIndex
from music_interpret.features.reading import Trait, examples, shared_traits, to_text
from music_interpret.index import IndexConfig, build_index
from music_interpret.ingest import IngestConfig, ingest
from music_interpret.preprocess import PreprocessConfig, preprocess
from music_interpret.train import TrainConfig, train

DATASET, REPR = "m21", "ape"
# Latents that fire on less are too rare to show in twenty songs, on more too common to mean one thing.
READABLE_DENSITY = (0.0003, 0.05)
SONGS_COMPARED = 20


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """Run the whole path on the built-in model and Bach chorales, and print features that you can read.

    Everything is written below the working directory (or MUSIC_INTERPRET_HOME); what is there already is not done
    again.
    """

    layer: int = 5
    """Layer of the base model to look into, 0 to 7."""
    features: int = 8
    """How many features to print at the end."""
    songs: int | None = None
    """Take only this many songs."""


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
    run = paths.run_folder("demo", "sae", config.layer)
    begun = (run / "training_args.json").is_file()
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
    index = open_run(str(run))
    print(readable_features(index, config.features))
    print(where(run, time.monotonic() - started))


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


def readable_features(index: FeatureIndex, count: int) -> str:
    """The latents whose top tokens, one from each of twenty songs, share most; some of each field, with excerpts."""
    density = index.statistics.density
    latents = np.flatnonzero((density > READABLE_DENSITY[0]) & (density < READABLE_DENSITY[1]))
    n_songs = min(SONGS_COMPARED, len(index.activations.songs.names))
    traits = [t for t in shared_traits(index, latents, n_songs) if t.n_songs == n_songs and t.field != "type"]
    traits.sort(key=lambda t: t.share - t.base_rate, reverse=True)
    # Some of each field, and the beat's number last: it says where, not what.
    chosen = sorted(traits, key=lambda t: (_rank_in_field(t, traits), t.field == "beat"))[:count]
    blocks = ["\nFeatures that are easiest to read (top tokens are the strongest of each song):"]
    for trait in chosen:
        head = (
            f"latent {trait.latent}: {trait.field} {trait.value} in {trait.share:.0%} of its top tokens "
            f"(of all tokens: {trait.base_rate:.1%}); it fires on {density[trait.latent]:.2%}"
        )
        shown = examples(index, trait.latent, 2, 2, per_song=1)
        blocks.append("\n".join([head, *(to_text(example, rank) for rank, example in enumerate(shown, start=1))]))
    return "\n\n".join(blocks)


def _rank_in_field(trait: Trait, traits: list[Trait]) -> int:
    return [t for t in traits if t.field == trait.field].index(trait)


def where(run: Path, seconds: float) -> str:
    """Where everything lies, and what to type next; the notebook where there is one, in a checkout."""
    notebook = Path("notebooks/feature_exploration.ipynb")
    jupyter = f"\n  jupyter lab    ({notebook})" if notebook.is_file() else ""
    return f"""
Done in {seconds:.0f} s. Where everything lies:
  notes         {paths.dataset_folder(DATASET)}
  model         {paths.model_folder(DATASET, REPR)}
  activations   {paths.activations_folder(DATASET, REPR)}
  run           {run}

Next:
  music-interpret features {run}                 every latent, by its largest activation
  music-interpret features {run} --latent 112    one latent's top tokens in context
  tensorboard --logdir {paths.home() / "reports"}{jupyter}"""


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("demo")
