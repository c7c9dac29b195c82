"""Stage: name a run's latents in the language of music theory, by what held-out songs support.

Every latent is scored against every value of every concept (`music/concepts/`), as `features/scoring.py` says; the name
of each is the best rule of one to three atoms that test songs support (`features/rules.py`), or none. Controls go
through the same code (`features/control_firings.py`).
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from music_interpret import __version__, files
from music_interpret.config import CheckedConfig, Seed, as_dict, positional
from music_interpret.errors import InputError
from music_interpret.features.control_firings import control_encoders, firings_of
from music_interpret.features.firings import Firings
from music_interpret.features.index import FeatureIndex
from music_interpret.features.label_tables import write_labels
from music_interpret.features.labelling import Corpus, Labelled, label_latents
from music_interpret.features.sequences import dataset_folder_of, sequences_of, songs_without_metre
from music_interpret.features.truth import scored_columns
from music_interpret.models.device import DeviceName
from music_interpret.music.annotations import Annotations
from music_interpret.music.concepts.concept import Concept
from music_interpret.music.concepts.expert import COLUMNS, expert_concepts
from music_interpret.music.concepts.own import load_concepts
from music_interpret.music.concepts.reliability import noted
from music_interpret.music.dataset import SPLITS
from music_interpret.music.duplicate_groups import read_groups, separated
from music_interpret.reinitialised import train_reinitialised
from music_interpret.runs.run import Run, open_run
from music_interpret.tokens.concept_table import concept_table
from music_interpret.tokens.concepts import library
from music_interpret.tokens.scheme import TokenScheme

SAE, REINITIALISED = "sae", "reinitialised"
CONTROL_TOKENS = 2**15
"""Controls, most of which fire on half of all tokens, see at most so many tokens of train songs when columns rank."""
TITLES = {
    SAE: "this autoencoder",
    "neurons": "raw neurons",
    "context_neurons": "neurons less the token baseline",
    "pca": "PCA",
    "untrained": "untrained autoencoder",
    REINITIALISED: "re-initialised model",
}


@dataclass(frozen=True, kw_only=True)
class LabelConfig(CheckedConfig):
    """Name the latents of an indexed run by music-theory concepts, with scores on held-out songs."""

    run: str = positional()
    """Run folder `reports/<series>/<experiment>/layer_007`; `reports/` and an only layer may be left out."""
    concepts: str | None = None
    """A Python file with concepts of your own, which is run; see docs/concepts.md."""
    annotations: str | None = None
    """A folder of DCML-style annotation tables (`*.harmonies.tsv`), matched to songs by name."""
    controls: bool = True
    """Whether raw neurons, PCA and an untrained autoencoder are labelled too, for the set-level table."""
    reinitialised: bool = False
    """Also train the same autoencoder on the model with re-initialised weights, and label it; what of it is there
    already is kept.
    """
    seed: Seed = 0
    """Of the circular shifts and of the bootstrap."""
    device: DeviceName = "auto"
    """Where controls are computed; auto takes a GPU if there is one, cuda:1 the second GPU."""


def label(config: LabelConfig) -> Path:
    """Run the stage and return the labels' folder.

    Raises:
        InputError: no such run, no index, a concept file or annotations that do not work, or a split without songs.
    """
    subject = open_run(config.run, config.device)
    index = subject.index
    for split in SPLITS:
        if not len(subject.activations.songs.spans(split)):
            raise InputError(f"{subject.activations.folder} has no {split} songs; labels need train, valid and test")
    _warn_of_duplicates(subject)
    annotations = _annotations(subject, config)
    corpus = open_corpus(subject, config, annotations)
    with files.locked(subject.folder, "this run"):
        labelled = label_latents(_all_firings(index), corpus, what=TITLES[SAE], seed=config.seed)
        summaries = {SAE: labelled.summary} | _control_summaries(subject, corpus, config, _l0(index))
        folder = write_labels(subject.folder, labelled, _meta(subject, corpus, config, annotations, summaries))
    print(table(subject, summaries))
    print(f"label: {_summary(labelled)} → {folder}")
    return folder


def _warn_of_duplicates(subject: Run) -> None:
    songs, folder = subject.activations.songs, dataset_folder_of(subject.activations)
    if folder and (apart := separated(read_groups(folder), songs.names, songs.splits.tolist())):
        print(f"warning: {folder}: {apart}", file=sys.stderr)


def open_corpus(subject: Run, config: LabelConfig, annotations: Annotations | None = None) -> Corpus:
    """The run's songs with the values of all concepts, those of experts' annotations too."""
    activations, songs = subject.activations, subject.activations.songs
    sequences = sequences_of(activations)
    concepts = _concepts(config, sequences.scheme, annotations)
    with tqdm(total=activations.n_tokens, desc="concepts", unit="token", unit_scale=True, leave=False) as bar:
        values = concept_table(concepts, sequences, progress=bar.update)
    if annotations is not None:
        annotations.check()
        print(annotations.report())
    spans: dict[str, np.ndarray] = {split: songs.spans(split) for split in SPLITS}
    fitting = np.concatenate([spans["train"], spans["valid"]])
    columns = scored_columns(values, fitting, sequences.first_token)
    if not len(columns):
        raise InputError(f"{activations.folder} is too small to label: no concept value occurs often enough")
    return Corpus(values, columns, spans, sequences.first_token)


def _annotations(subject: Run, config: LabelConfig) -> Annotations | None:
    if config.annotations is None:
        return None
    return Annotations.read(Path(config.annotations), subject.activations.songs.names, COLUMNS)


def _concepts(config: LabelConfig, scheme: TokenScheme, annotations: Annotations | None) -> list[Concept]:
    found = list(library(scheme))
    if annotations is not None:
        found += expert_concepts(annotations)
    if config.concepts is not None:
        found += load_concepts(Path(config.concepts), {concept.name for concept in found})
    return found


def _all_firings(index: FeatureIndex) -> Firings:
    return Firings(index.offsets, index.token_rows, index.values)


def _l0(index: FeatureIndex) -> float:
    return len(index.values) / max(index.activations.n_tokens, 1)


def _control_summaries(subject: Run, corpus: Corpus, config: LabelConfig, l0: float) -> dict[str, Any]:
    """Set-level numbers of the controls by name."""
    found: dict[str, Any] = {}
    if config.controls:
        capped = corpus._replace(spans=corpus.spans | {"train": _spread(corpus.spans["train"], corpus.song_first)})
        spans = np.concatenate(list(capped.spans.values()))
        spans = spans[np.argsort(spans[:, 0])]
        encoders = control_encoders(subject.rows, subject.sae, l0=l0, seed=subject.settings.seed)
        for name, encode, n_latents in encoders:
            firings = firings_of(subject.rows, encode, n_latents, spans)
            found[name] = label_latents(firings, capped, what=TITLES[name], seed=config.seed).summary
    if config.reinitialised:
        other = train_reinitialised(subject, config.device)
        everything = np.array([[0, subject.activations.n_tokens]])
        firings = firings_of(other.rows, other.sae.encode, other.sae.d_sae, everything)
        found[REINITIALISED] = label_latents(firings, corpus, what=TITLES[REINITIALISED], seed=config.seed).summary
    return found


def _spread(spans: np.ndarray, song_first: np.ndarray) -> np.ndarray:
    """Songs of the spans, every n-th so that they have at most `CONTROL_TOKENS` tokens, (n, 2)."""
    inside = [((spans[:, 0] <= first) & (first < spans[:, 1])).any() for first in song_first[:-1].tolist()]
    songs = np.flatnonzero(inside)
    songs = songs[:: max(-int(-np.diff(song_first)[songs].sum() // CONTROL_TOKENS), 1)]
    return np.stack([song_first[songs], song_first[songs + 1]], axis=1)


def _meta(
    subject: Run, corpus: Corpus, config: LabelConfig, annotations: Annotations | None, summaries: dict[str, Any]
) -> dict[str, Any]:
    """The content of labels.json."""
    songs = subject.activations.songs
    estimated = len(songs_without_metre(subject.activations))
    fields = ("name", "group", "leakage", "definition", "reference", "values")
    return {
        "music_interpret": __version__,
        "sae_sha256": subject.sae_sha256,
        "activations": subject.settings.made_from,
        "layer": subject.site.layer,
        "site": subject.site.name,
        "token_baseline": subject.sae.baseline is not None,
        "arguments": as_dict(config),
        "concepts": [
            {key: getattr(concept, key) for key in fields}
            | {"reliability": noted(concept.name, estimated, len(songs.names))}
            for concept in corpus.table.concepts
        ],
        "annotations": annotations.as_dicts() if annotations is not None else [],
        "summaries": summaries,
    }


def table(subject: Run, summaries: dict[str, Any]) -> str:
    """The set-level numbers as text; `context` concepts are those that a token does not state itself."""
    first = summaries[SAE]
    lines = [
        f"{subject.folder}: {first['n_columns']:,} concept values; {first['n_test_tokens']:,} tokens of "
        f"{first['n_test_songs']:,} test songs",
        f"{'':32}   live   named  context   F1>0.5   coverage  context  beyond identity   probe k=5  top-20",
    ]
    for name, numbers in summaries.items():
        lines.append(_line(TITLES.get(name, name), numbers))
    lines += [
        "named: fraction of live latents with a name that test songs support; context: of what a token does not state",
        "itself. coverage: fraction of concept values that some latent finds with F1 > 0.5; context: of those of",
        "context that always saying yes does not find; beyond identity: of all of context, and better than any",
        "property of the token does",
    ]
    return "\n".join(lines)


def _line(title: str, numbers: dict[str, Any]) -> str:
    coverage, probes = numbers["coverage"], numbers["probes"]

    def percent(value: float | None) -> str:
        return "–" if value is None else f"{value:.1%}"

    context = coverage.get("context", {})
    cells = [
        f"{numbers['n_live']:,}",
        percent(numbers["named"]["all"]),
        percent(numbers["named"]["all"] - numbers["named"]["given"]),
        percent(numbers["rule_f1"]["all"]),
        percent(coverage.get("all", {}).get("found")),
        percent(context.get("found_uncommon")),
        percent(context.get("beyond_identity")),
        f"{probes['context']['k=5']:.3f}" if "context" in probes else "–",
        percent(numbers["monosemanticity"]),
    ]
    widths = (7, 8, 9, 9, 11, 9, 17, 12, 8)
    return f"{title:<32}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _summary(labelled: Labelled) -> str:
    named = sum(name.name is not None for name in labelled.names)
    return f"{named:,} of {len(labelled.names):,} live latents named"


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("label")
