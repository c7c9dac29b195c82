"""The Overview page as data: the run in numbers, a row for every latent, and the songs."""

from typing import Any

import numpy as np

from music_interpret.errors import InputError
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.words import HELP
from music_interpret.files import read_json

SCORES = ("mcc", "f1", "gain")


def overview(explored: Explored, notices: list[str]) -> dict[str, Any]:
    """The run in numbers.

    Args:
        explored: the opened run.
        notices: sentences that the page shows on top, such as that there is no soundfont.
    """
    run, songs = explored.run, explored.index.activations.songs
    settings, labels = run.settings, run.labels if run.labelled else None
    splits, counts = np.unique(songs.splits, return_counts=True)
    held_out = run.folder / "held_out.json"
    return {
        "run": explored.title,
        "dataset": settings.dataset_name,
        "representation": settings.data_repr,
        "site": run.site.title,
        "architecture": settings.architecture,
        "token_baseline": settings.token_baseline,
        "d_sae": explored.index.d_sae,
        "n_live": int((explored.index.statistics.density > 0).sum()),
        "n_tokens": explored.index.activations.n_tokens,
        "n_songs": len(songs.names),
        "splits": dict(zip(splits.tolist(), counts.tolist(), strict=True)),
        "held_out": read_json(held_out) if held_out.is_file() else None,
        "losses": _losses(explored),
        "set_level": _set_level(labels.meta) if labels else None,
        "labelled": labels is not None,
        "n_named": sum(name["name"] is not None for name in run.names.values()),
        "groups": sorted({name["groups"][0] for name in run.names.values() if name["name"] and name["groups"]}),
        "notices": [*notices, *_lacking(explored)],
        "help": HELP,
    }


def _losses(explored: Explored) -> dict[str, Any] | None:
    """What the autoencoder costs the model, in nats per token; None until the run was evaluated."""
    try:
        evaluation = explored.run.evaluation
    except InputError:
        return None
    losses = evaluation["rows"]["sae"]["losses"]
    found = {key: losses[key]["total"] for key in ("over_clean", "recovered_mean", "recovered_zero", "kl")}
    return {"split": evaluation["split"]} | found


def _set_level(meta: dict[str, Any]) -> list[dict[str, Any]]:
    """What the autoencoder's and each control's latents are worth, a row each."""
    rows = []
    for what, summary in meta["summaries"].items():
        coverage = summary["coverage"]
        rows.append(
            {
                "what": what,
                "n_live": summary["n_live"],
                "named": summary["named"]["all"],
                "named_context": summary["named"]["all"] - summary["named"]["given"],
                "coverage": coverage.get("all", {}).get("found"),
                "coverage_context": coverage.get("context", {}).get("found_uncommon"),
                "beyond_identity": coverage.get("context", {}).get("beyond_identity"),
                "monosemanticity": summary["monosemanticity"],
            }
        )
    return rows


def _lacking(explored: Explored) -> list[str]:
    found = []
    if not explored.run.labelled:
        found.append(f"This run has no labels yet; they come from: music-interpret label {explored.title}")
    if not (explored.run.folder / "evaluation.json").is_file():
        found.append(
            f"What it costs the model is not measured yet; that does: music-interpret evaluate {explored.title}"
        )
    return found


def latents(explored: Explored) -> dict[str, Any]:
    """A value for every latent in each column."""
    d_sae, statistics = explored.index.d_sae, explored.index.statistics
    entries = [explored.run.names.get(latent) for latent in range(d_sae)]
    places = np.round(explored.run.map.astype(np.float64), 4)
    found: dict[str, Any] = {
        "latent": np.arange(d_sae),
        "density": statistics.density,
        "max": statistics.max,
        "mean": statistics.mean,
        "x": places[:, 0],
        "y": places[:, 1],
        "name": [entry["name"] if entry else None for entry in entries],
        "rule": [entry["rule"] or None if entry else None for entry in entries],
        "group": [entry["groups"][0] if entry and entry["groups"] else None for entry in entries],
        "concept": [_concept(entry) if entry else None for entry in entries],
        "needs": [entry["needs"] or None if entry else None for entry in entries],
    }
    for score in SCORES:
        found[score] = [entry[score] if entry and entry["rule"] else None for entry in entries]
    return found


def _concept(entry: dict[str, Any]) -> str | None:
    """The first concept of a rule, without its value."""
    if not entry["columns"]:
        return None
    return str(entry["columns"][0]).removeprefix("next token: ").partition(":")[0]


def songs(explored: Explored) -> dict[str, Any]:
    """A value for every song of the set in each column."""
    table, pieces = explored.index.activations.songs, explored.pieces
    return {
        "song": [str(i) for i in range(len(table.names))],
        "name": table.names,
        "split": table.splits.tolist(),
        "tokens": table.n_tokens.tolist(),
        "notes": np.diff(pieces.first_note).tolist(),
    }
