"""A run's features as neuronpedia imports them: statistics, examples with their values, neighbours, names.

What each value means there, and where that is written down, is documented in `neuronpedia_format.py`; which examples
are taken, in `neuronpedia_examples.py`. The format also has correlations with neurons and other features, directions
for steering on the site, and attention heads; of those there is nothing. Needs NumPy alone.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from music_interpret import files
from music_interpret.errors import InputError
from music_interpret.features.effects import Effects
from music_interpret.features.index import FeatureIndex
from music_interpret.features.label_words import described
from music_interpret.features.labels import Labels
from music_interpret.features.neuronpedia_examples import activations_of, decimals
from music_interpret.features.neuronpedia_format import CREATOR, Explanation, Feature, Place, metadata
from music_interpret.models.site import Site
from music_interpret.tokens.scheme import TokenScheme

BATCH = 128
HISTOGRAM_BINS = 50
ALIGNED = 3
NEIGHBOURS = 25
LOGITS = 10
SIZES = {"layers": "n_layers", "neuronsPerLayer": "d_model", "dimension": "d_model"}
METHOD = "music theory on held-out songs"


class Logits(NamedTuple):
    """What latents do to the model's output, as neuronpedia lists it."""

    values: np.ndarray
    """Effect of each latent on each output word's logit, (d_sae, n_words)."""
    words: list[str]
    """Output words, such as `pitch=C4`."""

    @classmethod
    def of(cls, effects: Effects, scheme: TokenScheme) -> "Logits":
        """From a run's effects."""
        words = [
            f"{field}={word}"
            for field, size in zip(effects.fields, effects.sizes, strict=True)
            for word in scheme.words(field)[:size]
        ]
        return cls(effects.values.astype(np.float32), words)


class Written(NamedTuple):
    """How much was written."""

    features: int
    activations: int
    explanations: int


def place_of(settings: Mapping[str, Any], site: Site) -> Place:
    """What a run is called on neuronpedia, from the arguments that made it and its site."""
    model = _slug(f"mmt-{settings['dataset_name']}-{settings['data_repr']}")
    source_set = _slug(f"{settings['series_name']}-{settings['experiment_name']}")
    if site.layer is not None:
        return Place(model, source_set, site.layer)
    kind, block = site.kind_and_block or (site.name, 0)
    return Place(model, _slug(f"{kind}-{source_set}"), block)


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:128]


def write(
    folder: Path,
    index: FeatureIndex,
    decoder: np.ndarray,
    place: Place,
    *,
    labels: Labels | None = None,
    effects: Logits | None = None,
) -> Written:
    """Write a source's folder, which appears whole or not at all.

    Args:
        folder: `<model id>/<source id>`; replaced if it is there.
        index: the run's.
        decoder: decoder rows, float (d_sae, d_model).
        place: what the run is called there.
        labels: the run's; without them there are no explanations.
        effects: on the model's output; without them the lists of logits are empty.

    Raises:
        InputError: values, decoder rows or effects are not finite.
    """
    if not (np.isfinite(index.statistics.max).all() and np.isfinite(decoder).all() and _finite(effects)):
        raise InputError(f"{index.folder.parent} has values that are not finite; train and index it again")
    with files.atomic_folder(folder) as beside:
        for name, row in _metadata(index, place).items():
            files.write_text(beside / f"{name}.jsonl", _line(row) + "\n")
        counts = _write_batches(beside, index, decoder, place, labels, effects)
    return counts


def _finite(effects: Logits | None) -> bool:
    return effects is None or bool(np.isfinite(effects.values).all())


def _metadata(index: FeatureIndex, place: Place) -> dict[str, Any]:
    activations = index.activations
    manifest, lengths = activations.manifest, activations.songs.n_tokens
    dataset, resolution = manifest["dataset_name"], activations.scheme.resolution
    notes = (
        f"Tokens are pitch@beat.position,duration,instrument in 1/{resolution} beats. Layers are residual-stream "
        f"sites, two a block. Autoencoder {index.meta['sae_sha256']}, model {activations.identity['model_sha256']}."
    )
    source = {"num_prompts": len(lengths), "num_tokens_in_prompt": round(float(lengths.mean()))}
    return metadata(
        place,
        title=f"Multitrack Music Transformer ({dataset}, {manifest['data_repr']})",
        description=f"{index.d_sae} latents of a sparse autoencoder on the residual stream",
        source=source | {"dataset": dataset, "notes": notes},
        sizes={key: manifest[name] for key, name in SIZES.items()},
    )


def _write_batches(
    folder: Path,
    index: FeatureIndex,
    decoder: np.ndarray,
    place: Place,
    labels: Labels | None,
    effects: Logits | None,
) -> Written:
    unit = decoder / np.maximum(np.linalg.norm(decoder, axis=1, keepdims=True), 1e-12)
    names = {name["latent"]: name for name in labels.names if name["name"] is not None} if labels else {}
    reliability = labels.reliability() if labels else {}
    totals = {"features": 0, "activations": 0, "explanations": 0}
    with tqdm(total=index.d_sae, desc="export", unit="feature") as bar:
        for number, first in enumerate(range(0, index.d_sae, BATCH)):
            latents = np.arange(first, min(first + BATCH, index.d_sae))
            parts: dict[str, list[Any]] = {
                "features": list(_features(index, latents, decoder, unit, place, effects)),
                "activations": list(activations_of(index, latents, place)),
                "explanations": [
                    _explanation(index, names[latent], reliability, place)
                    for latent in latents.tolist()
                    if latent in names
                ],
            }
            for part, rows in parts.items():
                totals[part] += len(rows)
                if rows:  # the importer fails on a file without lines
                    files.write_bytes(folder / part / f"batch-{number}.jsonl.gz", _compressed(rows))
            bar.update(len(latents))
    return Written(**totals)


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False, separators=(",", ":"))


def _compressed(rows: list[Any]) -> bytes:
    """Rows as lines of JSON, compressed without a date."""
    text = "".join(f"{_line(vars(row))}\n" for row in rows)
    return gzip.compress(text.encode(), compresslevel=5, mtime=0)


def _rounded(values: np.ndarray) -> list[Any]:
    return (np.round(values.astype(np.float64), 4) + 0.0).tolist()


def _features(
    index: FeatureIndex,
    latents: np.ndarray,
    decoder: np.ndarray,
    unit: np.ndarray,
    place: Place,
    effects: Logits | None,
) -> Iterator[Feature]:
    rows = decoder[latents]
    aligned = np.argsort(-rows, axis=1, kind="stable")[:, :ALIGNED]
    weights = np.take_along_axis(rows, aligned, axis=1)
    shares = np.abs(weights) / np.maximum(np.abs(rows).sum(axis=1, keepdims=True), 1e-12)
    maxima = decimals(index.statistics.max[latents])
    for i, (latent, (near, cosines)) in enumerate(zip(latents.tolist(), _nearest(unit, latents), strict=True)):
        heights, middles = _histogram(index.latent(latent)[1])
        yield Feature(
            modelId=place.model_id,
            layer=place.source_id,
            index=str(latent),
            sourceSetName=place.source_set,
            creatorId=CREATOR,
            maxActApprox=float(maxima[i]),
            frac_nonzero=float(index.statistics.density[latent]),
            freq_hist_data_bar_heights=heights,
            freq_hist_data_bar_values=middles,
            **_logits(effects, latent),
            neuron_alignment_indices=aligned[i].tolist(),
            neuron_alignment_values=_rounded(weights[i]),
            neuron_alignment_l1=_rounded(shares[i]),
            topkCosSimIndices=near,
            topkCosSimValues=cosines,
        )


def _nearest(unit: np.ndarray, latents: np.ndarray) -> Iterator[tuple[list[int], list[float]]]:
    """Of each of some latents, itself and the latents nearest by cosine (ties: smaller number first), and cosines."""
    # Rounded before they are sorted, so that another machine's last bits change no rank.
    cosines = np.round((unit[latents] @ unit.T).astype(np.float64), 4) + 0.0
    cosines[np.arange(len(latents)), latents] = np.inf
    kept = min(NEIGHBOURS + 1, len(unit))
    for row, least in zip(cosines, -np.partition(-cosines, kept - 1, axis=1)[:, kept - 1], strict=True):
        near = np.flatnonzero(row >= least)
        near = near[np.argsort(-row[near], kind="stable")][:kept]
        yield near.tolist(), np.minimum(row[near], 1.0).tolist()


def _histogram(values: np.ndarray) -> tuple[list[int], list[float]]:
    """Numbers of values in equal bins from 0 to the largest, and the bins' middles."""
    if not len(values):
        return [], []
    heights, edges = np.histogram(values.astype(np.float64), HISTOGRAM_BINS, (0.0, float(values.max())))
    return heights.tolist(), decimals(((edges[:-1] + edges[1:]) / 2).astype(np.float32)).tolist()


def _logits(effects: Logits | None, latent: int) -> dict[str, list[Any]]:
    """The columns of a feature that give its effects on the output."""
    if effects is None:
        return {name: [] for name in Feature.__annotations__ if name.startswith(("logits_", "pos_", "neg_"))}
    mine = effects.values[latent].astype(np.float64)
    heights, edges = np.histogram(mine, HISTOGRAM_BINS)
    columns = {
        "logits_hist_data_bar_heights": heights.tolist(),
        "logits_hist_data_bar_values": decimals(((edges[:-1] + edges[1:]) / 2).astype(np.float32)).tolist(),
    }
    for end, sign in (("pos", -1), ("neg", 1)):
        words = np.argsort(sign * mine, kind="stable")[:LOGITS]
        columns |= {f"{end}_str": [effects.words[word] for word in words], f"{end}_values": _rounded(mine[words])}
    return columns


def _explanation(
    index: FeatureIndex, name: dict[str, Any], reliability: Mapping[str, dict[str, Any]], place: Place
) -> Explanation:
    text = name["name"]
    return Explanation(
        id=f"{index.meta['sae_sha256'][:16]}-{name['latent']}-{hashlib.sha256(text.encode()).hexdigest()[:8]}",
        modelId=place.model_id,
        layer=place.source_id,
        index=str(name["latent"]),
        authorId=CREATOR,
        description=text,
        notes=f"by {METHOD}; " + " ".join(described(name, reliability).split("\n", 1)[1].split()),
    )
