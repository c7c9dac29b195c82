"""Latents as text: their tokens in context, and the plainest thing that their top tokens share."""

from typing import NamedTuple

import numpy as np

from music_interpret.features.index import FeatureIndex

MARK, NO_MARK = ">>> ", "    "


class Example(NamedTuple):
    """One firing of a latent."""

    value: float
    """The latent's activation."""
    song: str
    """Name of the song."""
    split: str
    """Split of the song."""
    position: int
    """Index of the token in its song, from 0."""
    length: int
    """Tokens of the song."""
    lines: list[str]
    """Text of the tokens around it, its own among them."""
    firing_line: int
    """Which of the lines is its own."""


def examples(index: FeatureIndex, latent: int, k: int, context: int, *, per_song: int | None = None) -> list[Example]:
    """The k strongest firings of a latent, each with `context` tokens of its song before and after.

    Examples:
        >>> index = music_interpret.open_run("demo/sae").index
        >>> found = examples(index, 7, k=1, context=0)[0]
        >>> found.song, found.position, found.lines
        ('essenFolksong-boehme10-5_0', 33, ['Note: beat=25, position=0, pitch=B2, duration=12, instrument=piano'])
    """
    songs, tokens, scheme = index.activations.songs, index.activations.tokens, index.activations.scheme
    found = []
    for token, value in zip(*index.top(latent, k, per_song=per_song), strict=True):
        song = int(songs.song_of(token))
        first, length = int(songs.first_token[song]), int(songs.n_tokens[song])
        position = int(token) - first
        start, stop = max(position - context, 0), min(position + context + 1, length)
        lines = scheme.lines(tokens[first + start : first + stop]).tolist()
        found.append(
            Example(float(value), songs.names[song], str(songs.splits[song]), position, length, lines, position - start)
        )
    return found


def to_text(example: Example, rank: int) -> str:
    """An example as people read it: where it is, then the tokens around it with the firing one marked."""
    place = f"{example.song} ({example.split}), token {example.position} of {example.length}"
    head = f"#{rank}  activation {example.value:.3f}  {place}"
    lines = [f"{MARK if i == example.firing_line else NO_MARK}{line}" for i, line in enumerate(example.lines)]
    return "\n".join([head, *lines])


class Trait(NamedTuple):
    """A value of one field that a latent's top tokens share."""

    latent: int
    field: str
    """One of the scheme's `properties`."""
    value: str
    """The commonest value among the top tokens."""
    share: float
    """Fraction of the top tokens that have it."""
    base_rate: float
    """Fraction of all tokens that have it."""
    n_songs: int
    """Top tokens looked at, each from another song."""


def shared_traits(index: FeatureIndex, latents: np.ndarray, k: int) -> list[Trait]:
    """For each latent, the field value by which its k top tokens (of k songs) differ most from all tokens: largest
    share − base rate.
    """
    activations = index.activations
    columns = activations.scheme.properties(np.asarray(activations.tokens))
    rates = {field: np.bincount(column) / len(column) for field, (column, _) in columns.items()}
    traits = []
    for latent in latents.tolist():
        tokens, _ = index.top(latent, k, per_song=1)
        candidates = []
        for field, (column, words) in columns.items():
            counts = np.bincount(column[tokens])
            value = int(counts.argmax())
            share = float(counts[value] / len(tokens))
            candidates.append(Trait(latent, field, words[value], share, float(rates[field][value]), len(tokens)))
        traits.append(max(candidates, key=lambda t: t.share - t.base_rate))
    return traits
