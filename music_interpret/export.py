"""Stage: a run's autoencoder in the format of another library, or its features in that of neuronpedia."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from music_interpret.config import CheckedConfig, positional
from music_interpret.errors import InputError
from music_interpret.features import neuronpedia
from music_interpret.runs.run import Run, open_run
from music_interpret.sae import foreign, raw_input
from music_interpret.sae.autoencoder import BASELINE, SparseAutoencoder
from music_interpret.sae.foreign import Format


@dataclass(frozen=True, kw_only=True)
class ExportConfig(CheckedConfig):
    """Write a run's autoencoder so that another library loads it, or its features so that neuronpedia imports them."""

    run: str = positional()
    """Run folder `reports/<series>/<experiment>/layer_007`; `reports/` and an only layer may be left out."""
    format: Literal[Format, "saelens", "neuronpedia"]
    """What to write: sae_lens (formerly saelens), which is a copy of the run's `sae/`; dictionary_learning; sparsify,
    which has TopK autoencoders only; or neuronpedia, which takes features, not the autoencoder: the run's index, and
    its labels where there are any.
    """
    raw_input: bool = False
    """For a run with a token baseline: write an approximation that takes raw activations and no tokens, with the
    baseline estimated from the activation. Its latents are near the run's, its reconstructions are not; how near is
    measured on the test songs, printed, and noted in the metadata. Not for neuronpedia.
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
            wanted, `raw_input` for a run without a token baseline or without its activations, or the folder is in use.
    """
    run = open_run(config.run)
    autoencoder = run.sae
    folder = Path(config.output) if config.output else run.folder / "export" / config.format
    if config.format == "neuronpedia":
        if config.raw_input:
            raise InputError("--raw_input is given with --format neuronpedia; expected a format of an autoencoder")
        return _export_features(run, folder, config.overwrite)
    _check_room(folder, run, config.overwrite, "the autoencoder in it")
    if config.raw_input:
        autoencoder = _for_raw_input(run)
    reader = foreign.export(autoencoder, foreign.current_name(config.format), folder)
    sizes = f"{autoencoder.d_in} dimensions, {autoencoder.d_sae:,} latents"
    print(f"{autoencoder.kind} autoencoder, {sizes}: {reader} → {folder}")
    if autoencoder.baseline is not None:
        print(
            f"note: it encodes x - baseline(tokens), not x; other libraries do not read {BASELINE}, which is stored "
            "alongside, and compute other latents from raw activations without a warning; "
            "--raw_input writes an approximation that takes them"
        )
    return folder


def _for_raw_input(run: Run) -> SparseAutoencoder:
    """The autoencoder with its token baseline estimated from the activation, and what that costs printed and noted."""
    autoencoder = run.sae
    if autoencoder.baseline is None:
        raise InputError(f"{run.folder} has no token baseline, so it takes raw activations; expected no --raw_input")
    spans = run.activations.songs.spans
    estimate = raw_input.estimated_baseline(autoencoder, run.rows.rows(spans("train")))
    approximation = raw_input.folded(autoencoder, estimate)
    measured = raw_input.agreement(autoencoder, approximation, run.rows.rows(spans("test")))
    note = (
        f"takes x alone, an approximation: on the test songs {measured.firings_kept:.0%} of the run's firings are kept "
        f"and a latent's activations correlate with the run's at {measured.correlation:.2f} (mean); reconstructions "
        f"lack what the token itself says: FVU {measured.fvu:.3f}, with the token baseline "
        f"{measured.fvu_with_baseline:.3f}, by the run's weights on x {measured.fvu_unfolded:.3f}"
    )
    print(f"note: {note}")
    approximation.metadata |= {"raw_input_note": note} | {
        f"raw_input_{name}": value for name, value in measured._asdict().items()
    }
    return approximation


def _export_features(run: Run, folder: Path, overwrite: bool) -> Path:
    """Write what neuronpedia imports below `folder`, and return the run's own folder there."""
    if folder.is_file():
        raise InputError(f"{folder} is a file; expected a folder for --output")
    index = run.index
    labels = run.labels if run.labelled else None
    place = neuronpedia.place_of(run.settings.arguments, run.site)
    folder = folder / place.model_id / place.source_id
    _check_room(folder, run, overwrite, "what is there of this run")
    effects = run.effects
    logits = neuronpedia.Logits.of(effects, run.activations.scheme) if effects else None
    decoder = run.sae.W_dec.detach().float().cpu().numpy()
    written = neuronpedia.write(folder, index, decoder, place, labels=labels, effects=logits)
    print(
        f"neuronpedia: {written.features:,} features, {written.activations:,} activations, "
        f"{written.explanations:,} explanations → {folder}"
    )
    if labels is None:
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
