"""Stage: a run's autoencoder in the format of another library."""

from dataclasses import dataclass
from pathlib import Path

from music_interpret import paths
from music_interpret.config import positional
from music_interpret.errors import InputError
from music_interpret.features.run import read_training_args
from music_interpret.sae import foreign
from music_interpret.sae.autoencoder import BASELINE, SparseAutoencoder
from music_interpret.sae.foreign import Format


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Write a run's autoencoder so that another library loads it and computes the same from raw activations."""

    run: str = positional()
    """Run folder `reports/<series>/<experiment>/layer_007`; `reports/` and an only layer may be left out."""
    format: Format
    """What to write: saelens, which is a copy of the run's `sae/`; dictionary_learning; or sparsify, which has TopK
    autoencoders only.
    """
    output: str | None = None
    """Folder to write into; without it, `export/` and the format's name in the run's folder."""
    overwrite: bool = False
    """Replace the saved autoencoder that is in the folder."""


def export(config: ExportConfig) -> Path:
    """Run the stage and return the folder.

    Raises:
        InputError: no such run, an unfinished one, a kind that the format does not have, or the folder is in use.
    """
    run = paths.find_run(config.run)
    read_training_args(run)
    autoencoder = SparseAutoencoder.load(run / "sae")
    folder = Path(config.output) if config.output else run / "export" / config.format
    _check_room(folder, run, config.overwrite)
    reader = foreign.export(autoencoder, config.format, folder)
    sizes = f"{autoencoder.d_in} dimensions, {autoencoder.d_sae:,} latents"
    print(f"{autoencoder.kind} autoencoder, {sizes}: {reader} → {folder}")
    if autoencoder.baseline is not None:
        print(
            f"note: it encodes x - baseline(codes), not x; other libraries do not read {BASELINE}, which lies beside it"
        )
    return folder


def _check_room(folder: Path, run: Path, overwrite: bool) -> None:
    """Refuse a folder that holds something, and the run's own."""
    if folder.resolve() == (run / "sae").resolve():
        raise InputError(f"{folder} is the run's own autoencoder; right is another --output")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; right is a folder for --output")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise InputError(f"{folder} is not empty; --overwrite replaces the autoencoder in it, or take another --output")


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("export")
