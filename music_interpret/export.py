"""Stage: a run's autoencoder in the format of another library, or its features in that of neuronpedia."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from music_interpret.config import CheckedConfig, positional
from music_interpret.errors import InputError
from music_interpret.features import neuronpedia
from music_interpret.runs.run import Run, open_run
from music_interpret.sae import foreign
from music_interpret.sae.autoencoder import BASELINE
from music_interpret.sae.foreign import Format


@dataclass(frozen=True, kw_only=True)
class ExportConfig(CheckedConfig):
    """Write a run's autoencoder so that another library loads it and computes the same from raw activations, or its
    features so that neuronpedia imports them.
    """

    run: str = positional()
    """Run folder `reports/<series>/<experiment>/layer_007`; `reports/` and an only layer may be left out."""
    format: Literal[Format, "neuronpedia"]
    """What to write: saelens, which is a copy of the run's `sae/`; dictionary_learning; sparsify, which has TopK
    autoencoders only; or neuronpedia, which takes features, not the autoencoder: the run's index, and its labels where
    there are any.
    """
    output: str | None = None
    """Folder to write into; without it, `export/` and the format's name in the run's folder. For neuronpedia several
    runs may share one.
    """
    overwrite: bool = False
    """Replace the saved autoencoder that is in the folder; for neuronpedia, what is there of the same run."""


def export(config: ExportConfig) -> Path:
    """Run the stage and return the folder.

    Raises:
        InputError: no such run, an unfinished one, a kind that the format does not have, no index where features are
            wanted, or the folder is in use.
    """
    run = open_run(config.run)
    autoencoder = run.sae
    folder = Path(config.output) if config.output else run.folder / "export" / config.format
    if config.format == "neuronpedia":
        return _export_features(run, folder, config.overwrite)
    _check_room(folder, run, config.overwrite, "the autoencoder in it")
    reader = foreign.export(autoencoder, config.format, folder)
    sizes = f"{autoencoder.d_in} dimensions, {autoencoder.d_sae:,} latents"
    print(f"{autoencoder.kind} autoencoder, {sizes}: {reader} → {folder}")
    if autoencoder.baseline is not None:
        print(
            f"note: it encodes x - baseline(tokens), not x; other libraries do not read {BASELINE}, which is alongside"
        )
    return folder


def _export_features(run: Run, folder: Path, overwrite: bool) -> Path:
    """Write what neuronpedia imports below `folder`, and return the run's own folder there."""
    if folder.is_file():
        raise InputError(f"{folder} is a file; expected a folder for --output")
    index = run.index
    names = run.labels.names if run.labelled else None
    place = neuronpedia.place_of(run.settings.arguments, run.site)
    folder = folder / place.model_id / place.source_id
    _check_room(folder, run, overwrite, "what is there of this run")
    effects = run.effects
    logits = neuronpedia.Logits.of(effects, run.activations.scheme) if effects else None
    decoder = run.sae.W_dec.detach().float().cpu().numpy()
    written = neuronpedia.write(folder, index, decoder, place, names=names, effects=logits)
    print(
        f"neuronpedia: {written.features:,} features, {written.activations:,} activations, "
        f"{written.explanations:,} explanations → {folder}"
    )
    if names is None:
        print(
            "note: the run has no labels, so its features have no explanations; "
            f"run: music-interpret label {run.folder}"
        )
    return folder


def _check_room(folder: Path, run: Run, overwrite: bool, replaced: str) -> None:
    """Refuse a folder that holds something, and the run's own."""
    if folder.resolve() == (run.folder / "sae").resolve():
        raise InputError(f"{folder} is the run's own autoencoder; expected another --output")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; expected a folder for --output")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise InputError(f"{folder} is not empty; --overwrite replaces {replaced}, or take another --output")


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("export")
