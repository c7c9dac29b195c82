"""Examples of a latent for neuronpedia: stretches of songs as words, with the latent's value on every token.

A latent's examples are its `TOP` strongest tokens, at most `PER_SONG` of a song, then in each of `BINS` equal intervals
of its values `PER_BIN` others, spread evenly over the songs; around each, `BEFORE` tokens of its song before it and
`AFTER` after it. Values are those of the index to the last bit of float32.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from music_interpret.features.index import FeatureIndex
from music_interpret.features.neuronpedia_format import CREATOR, Activation, Place

TOP, PER_SONG = 20, 2
BINS, PER_BIN = 5, 5
BEFORE, AFTER = 24, 8


class Example(NamedTuple):
    """A token for which a stretch of its song is shown, and the bin of values it stands for."""

    token: int
    bin_min: float
    bin_max: float
    bin_contains: float


def decimals(values: np.ndarray) -> np.ndarray:
    """Float32 values as the float64 of their shortest decimals: short in JSON, and the same again as float32."""
    found = np.zeros(values.shape)
    there = values != 0
    found[there] = values[there].astype(np.float32).astype(str).astype(np.float64)
    return found


def examples_of(index: FeatureIndex, latent: int) -> list[Example]:
    """The tokens that show a latent: the strongest, then some of each interval of values, highest interval first."""
    token_rows, values = index.latent(latent)
    if not len(token_rows):
        return []
    maximum = float(decimals(values.max(keepdims=True))[0])
    top, _ = index.top(latent, TOP, per_song=PER_SONG)
    found = [Example(token, -1.0, maximum, -1.0) for token in top.tolist()]
    edges = np.linspace(0.0, float(values.max()), BINS + 1)
    bins = np.minimum(np.searchsorted(edges, values.astype(np.float64), side="right") - 1, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    n_tokens = index.activations.n_tokens
    counts[0] += n_tokens - len(values)
    edges[-1] = maximum
    others = ~np.isin(token_rows, top)
    for number in range(BINS - 1, -1, -1):
        mine = token_rows[others & (bins == number)]
        spread = np.unique(np.linspace(0, len(mine) - 1, min(PER_BIN, len(mine))).round().astype(np.int64))
        ends = float(edges[number]), float(edges[number + 1]), float(counts[number] / n_tokens)
        found += [Example(token, *ends) for token in mine[spread].tolist()]
    return found


def activations_of(index: FeatureIndex, latents: np.ndarray, place: Place) -> Iterator[Activation]:
    """The examples of some latents; what they have in common is looked up once for all of them."""
    shown = [
        (latent, n, example) for latent in latents.tolist() for n, example in enumerate(examples_of(index, latent))
    ]
    if not shown:
        return
    songs, identity = index.activations.songs, index.meta["sae_sha256"][:16]
    tokens = np.array([example.token for _, _, example in shown])
    song = songs.song_of(tokens)
    starts = np.maximum(tokens - BEFORE, songs.first_token[song])
    stops = np.minimum(tokens + AFTER + 1, songs.first_token[song] + songs.n_tokens[song])
    ends = np.cumsum(stops - starts)
    token_rows = np.arange(ends[-1]) + np.repeat(starts - (ends - (stops - starts)), stops - starts)
    values = _values_at(index, np.repeat([latent for latent, _, _ in shown], stops - starts), token_rows).tolist()
    different, places = np.unique(token_rows, return_inverse=True)
    words = index.activations.scheme.compact(np.asarray(index.activations.tokens[different]))[places].tolist()
    for i, (latent, n, example) in enumerate(shown):
        stop = int(ends[i])
        start = stop - int(stops[i] - starts[i])
        mine = values[start:stop]
        yield Activation(
            id=f"{identity}-{latent}-{n}",
            modelId=place.model_id,
            layer=place.source_id,
            index=str(latent),
            creatorId=CREATOR,
            dataSource=index.activations.manifest["dataset_name"],
            dataIndex=f"{songs.names[song[i]]}, token {starts[i] - songs.first_token[song[i]]}",
            tokens=words[start:stop],
            values=mine,
            maxValue=max(mine),
            maxValueTokenIndex=mine.index(max(mine)),
            minValue=min(mine),
            qualifyingTokenIndex=int(tokens[i] - starts[i]),
            binMin=example.bin_min,
            binMax=example.bin_max,
            binContains=example.bin_contains,
        )


def _values_at(index: FeatureIndex, latents: np.ndarray, token_rows: np.ndarray) -> np.ndarray:
    """Values of latents on tokens, 0 where they do not fire.

    Args:
        index: the run's.
        latents: ascending, (n,).
        token_rows: one for each latent, (n,).
    """
    found = np.zeros(len(token_rows), np.float32)
    numbers, firsts = np.unique(latents, return_index=True)
    for latent, first, last in zip(numbers.tolist(), firsts, [*firsts[1:], len(latents)], strict=True):
        mine, values = index.latent(latent)
        wanted = token_rows[first:last]
        spots = np.minimum(np.searchsorted(mine, wanted.astype(mine.dtype)), len(mine) - 1)
        found[first:last] = np.where(mine[spots] == wanted, values[spots], 0)
    return decimals(found)
