"""The Song page as data: a whole piece, the strongest latents of each token, latents and concepts along it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from music_interpret.errors import InputError
from music_interpret.explorer.firings_file import TokenFirings
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.pieces import Piece
from music_interpret.explorer.rolls import roll
from music_interpret.music.concepts.concept import NONE, Concept
from music_interpret.tokens.concept_table import concept_table
from music_interpret.tokens.concepts import library
from music_interpret.tokens.scheme import TokenScheme
from music_interpret.tokens.sequences import Sequences

STRONGEST, TRACKS, STRIPS = 8, 12, 12
"""Latents shown of a token; latents and concepts that may be asked for at once."""


class Playable(NamedTuple):
    """A piece with all that its page shows."""

    piece: Piece
    firings: TokenFirings
    sequences: Sequences
    """What concepts are computed of: this piece alone."""


def of_set(explored: Explored, key: str) -> Playable:
    """A song of the set by its number; InputError if there is none."""
    piece = explored.piece(key)
    song, everything = int(key), explored.pieces.sequences
    first, stop = everything.first_token[song : song + 2].tolist()
    alone = everything._replace(
        tokens=piece.tokens,
        first_token=np.array([0, stop - first]),
        names=[piece.name],
        complete=everything.complete[song : song + 1],
    )
    return Playable(piece, explored.firings.between(first, stop), alone)


def song(explored: Explored, played: Playable) -> dict[str, Any]:
    """A whole piece, its tokens as text, and the strongest latents of each."""
    drawn, _ = roll(played.piece, explored.scheme)
    n = len(played.piece.tokens)
    firings = played.firings
    rank = np.arange(len(firings.tokens)) - np.searchsorted(firings.tokens, firings.tokens)
    kept = rank < STRONGEST
    counts = np.bincount(firings.tokens[kept], minlength=n)
    edges = np.cumsum(counts)[:-1]
    return {
        "roll": drawn,
        "tokens": explored.scheme.lines(played.piece.tokens).tolist(),
        "strongest": {
            "latents": [part.tolist() for part in np.split(firings.latents[kept], edges)],
            "values": [part.tolist() for part in np.split(firings.values[kept], edges)],
        },
        "sound": f"/sound/{played.piece.key}?start=0&end={played.piece.end}",
    }


def tracks(explored: Explored, played: Playable, latents: Sequence[int]) -> dict[str, Any]:
    """Activations of some latents on every token of a piece."""
    if len(latents) > TRACKS:
        raise InputError(f"{len(latents)} latents are too many for one picture; expected up to {TRACKS}")
    n = len(played.piece.tokens)
    return {
        "tracks": [
            {
                "latent": explored.run.check_latent(latent),
                "name": explored.run.name(latent),
                "max": float(explored.index.statistics.max[latent]),
                "values": played.firings.of_latent(latent, n),
            }
            for latent in latents
        ]
    }


def strips(played: Playable, names: Sequence[str]) -> dict[str, Any]:
    """Values of some concepts on every token of a piece."""
    if len(names) > STRIPS:
        raise InputError(f"{len(names)} concepts are too many for one picture; expected up to {STRIPS}")
    chosen = [_concept(name, played.sequences.scheme) for name in dict.fromkeys(names)]
    table = concept_table(chosen, played.sequences)
    return {
        "strips": [
            {
                "name": concept.name,
                "words": ["", *(concept.values or ("yes",))],
                "codes": values.astype(np.int32) - NONE,
            }
            for concept, values in zip(chosen, table.columns, strict=True)
        ]
    }


def _concept(name: str, scheme: TokenScheme) -> Concept:
    for concept in library(scheme):
        if concept.name == name:
            return concept
    raise InputError(f"there is no concept {name!r}")


def concepts(scheme: TokenScheme) -> list[dict[str, str]]:
    """The concepts that a strip can show."""
    keys = ("name", "group", "leakage", "definition", "reference")
    return [{key: getattr(concept, key) for key in keys} for concept in library(scheme)]
