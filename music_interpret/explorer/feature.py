"""The Feature page as data: when a latent fires, what it is called, and what it does to the next token."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from music_interpret.explorer.opened import Counted, Explored
from music_interpret.explorer.rolls import SongValues, excerpt
from music_interpret.explorer.shapes import (
    Effect,
    Examples,
    Excerpt,
    Feature,
    FiresWhen,
    Neighbour,
    Reliability,
    Statistics,
    ValueCount,
)
from music_interpret.explorer.words import CHOSEN, FIRES_WHEN
from music_interpret.features.index import HISTOGRAM_EDGES, QUANTILES, strongest
from music_interpret.features.label_words import concepts_of, described
from music_interpret.features.reliability_words import agreement_short, agreement_words, corpus_title

EFFECTS, VALUES = 8, 12
"""Codes that a latent promotes or suppresses most, and values of one concept, that are shown."""


def feature(explored: Explored, latent: int, n_examples: int = 8) -> Feature:
    """All that is known of one latent.

    Args:
        explored: the opened run.
        latent: its number.
        n_examples: firings shown of each kind.

    Raises:
        InputError: no such latent.
    """
    token_rows, values = explored.firings.latent(explored.run.check_latent(latent))
    name, near, rows = explored.run.names.get(latent), explored.run.neighbours, label_rows(explored, latent)
    concepts = [*(concepts_of(name) if name else ()), *(row["concept"] for row in rows)]
    return {
        "latent": latent,
        "d_sae": explored.index.d_sae,
        "live": len(token_rows) > 0,
        "name": name,
        "described": described(name, explored.run.reliability) if name else "",
        "statistics": statistics(explored, latent, token_rows),
        "reliability": reliability_of(explored.run.reliability, concepts),
        "labels": rows,
        "examples": examples(explored, latent, token_rows, values, n_examples) if len(token_rows) else [],
        "effects": effects(explored, latent),
        "fires_when": fires_when(explored.counted, token_rows) if len(token_rows) else [],
        "nearest": {
            "decoder": _neighbours(explored, near.similar[latent], near.similarity[latent]),
            "coactivation": _neighbours(explored, near.together[latent], near.togetherness[latent]),
        },
    }


def statistics(explored: Explored, latent: int, token_rows: np.ndarray) -> Statistics:
    """How a latent fires over the whole set."""
    found = explored.index.statistics
    counts = found.histogram[latent]
    used = np.flatnonzero(counts)
    here = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
    before = np.searchsorted(token_rows, explored.index.activations.songs.first_token.astype(token_rows.dtype))
    return {
        "density": float(found.density[latent]),
        "max": float(found.max[latent]),
        "mean": float(found.mean[latent]),
        "n_firings": len(token_rows),
        "n_tokens": explored.index.activations.n_tokens,
        "n_songs": int(np.count_nonzero(np.diff(np.append(before, len(token_rows))))),
        "quantiles": list(zip(QUANTILES, found.quantiles[latent].tolist(), strict=True)),
        "histogram": {"edges": HISTOGRAM_EDGES[here.start : here.stop + 1], "counts": counts[here]},
    }


def label_rows(explored: Explored, latent: int) -> list[dict[str, Any]]:
    """The concept values that a latent follows best, with all scores; none if the run is not labelled."""
    if not explored.rows:
        return []
    latents = explored.rows["latent"]
    here = slice(*np.searchsorted(latents, np.array([latent, latent + 1], latents.dtype)).tolist())
    columns = {name: column[here].tolist() for name, column in explored.rows.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def reliability_of(noted: Mapping[str, dict[str, Any]], concepts: Iterable[str]) -> list[Reliability]:
    """How far the concepts agree with experts, each once, of those of which that is noted."""
    return [
        {
            "concept": concept,
            "measured": note["of"],
            "measure": note["measure"],
            "short": agreement_short(concept, note),
            "words": agreement_words(concept, note),
            "corpora": [
                {
                    "corpus": corpus_title(row["corpus"]),
                    "notes": row["notes"],
                    "value": row["value"],
                    "interval": row["interval"],
                }
                for row in note["corpora"]
            ],
        }
        for concept in dict.fromkeys(concepts)
        if (note := noted.get(concept))
    ]


def examples(explored: Explored, latent: int, token_rows: np.ndarray, values: np.ndarray, n: int) -> list[Examples]:
    """Firings: the strongest, one each at even steps from strong to weak, and some by chance."""
    top = strongest(token_rows, values, explored.index.activations.songs, n, 1)
    shares = (np.arange(n)[::-1] + 0.5) / n
    places = np.unique((shares * len(values)).astype(int))[::-1]
    by_value = np.argpartition(values, places)[places]
    drawn = np.sort(np.random.default_rng(latent).choice(len(token_rows), min(n, len(token_rows)), replace=False))
    groups: list[Examples] = []
    for kind, tokens in (("top", token_rows[top]), ("quantiles", token_rows[by_value]), ("random", token_rows[drawn])):
        found = [excerpt_of(explored, token_rows, values, int(token)) for token in tokens]
        groups.append({"kind": kind, "title": CHOSEN[kind][0], "help": CHOSEN[kind][1], "excerpts": found})
    for shown, place in zip(groups[1]["excerpts"], places.tolist(), strict=True):
        shown["quantile"] = place / len(values)
    return groups


def excerpt_of(explored: Explored, token_rows: np.ndarray, values: np.ndarray, token_id: int) -> Excerpt:
    """The bars around one firing of a latent, whose firings are given."""
    songs = explored.index.activations.songs
    song = int(songs.song_of(np.array(token_id)))
    first = int(songs.first_token[song])
    # Of the array's own type, since NumPy would convert the whole array otherwise.
    edges = np.array([first, first + songs.n_tokens[song]], token_rows.dtype)
    here = slice(*np.searchsorted(token_rows, edges).tolist())
    firings = SongValues(token_rows[here].astype(np.int64) - first, values[here])
    return excerpt(explored.pieces.piece(song), explored.scheme, firings, token_id - first)


def effects(explored: Explored, latent: int) -> list[Effect]:
    """What the latent at its largest activation adds to the logits of each output field; nothing for a site that does
    not write to the residual stream.
    """
    if explored.run.effects is None:
        return []
    found: list[Effect] = []
    for field, added in explored.run.effects.by_field(latent).items():
        words, here = _words(explored, field), added * explored.index.statistics.max[latent]
        order = np.argsort(-here, kind="stable")
        best, worst = order[:EFFECTS], order[::-1][:EFFECTS]
        found.append(
            {
                "field": field,
                "promotes": [(words[i], float(here[i])) for i in best.tolist() if here[i] > 0],
                "suppresses": [(words[i], float(here[i])) for i in worst.tolist() if here[i] < 0],
            }
        )
    return found


def _words(explored: Explored, field: str) -> list[str]:
    """A field's values as the page shows them: positions and durations are in steps."""
    words = [word if word != "None" else "none" for word in explored.scheme.words(field)]
    steps = field in ("position", "duration")
    return [f"{word} steps" if steps and word != "none" else word for word in words]


def fires_when(counted: Counted, token_rows: np.ndarray) -> list[FiresWhen]:
    """The latent's firings counted by the values of each concept, alongside how common the values are."""
    return [
        {"what": title, "help": FIRES_WHEN, "values": _value_counts(mine[1:], everywhere[1:], words)}
        for title, words, mine, everywhere in zip(
            counted.titles, counted.words, counted.of_tokens(token_rows), counted.counts, strict=True
        )
    ]


def _value_counts(mine: np.ndarray, counts: np.ndarray, words: tuple[str, ...]) -> list[ValueCount]:
    """Of the values of one concept: how many firing tokens have each, and how many tokens."""
    shown = np.flatnonzero(counts)
    if len(shown) > VALUES:  # those that it fires on most, and the commonest, in the concept's order
        shown = np.sort(np.lexsort((-counts, -mine))[:VALUES])
    total, all_counts = max(int(mine.sum()), 1), max(int(counts.sum()), 1)
    return [
        {
            "word": words[value],
            "share": float(mine[value] / total),
            "base_rate": float(counts[value] / all_counts),
            "rate": float(mine[value] / max(int(counts[value]), 1)),
        }
        for value in shown.tolist()
    ]


def _neighbours(explored: Explored, latents: np.ndarray, scores: np.ndarray) -> list[Neighbour]:
    return [
        {"latent": latent, "score": score, "name": explored.run.name(latent)}
        for latent, score in zip(latents.tolist(), scores.tolist(), strict=True)
        if latent >= 0
    ]
