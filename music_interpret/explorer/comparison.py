"""The Compare page as data: for each latent of a run its partner in another run of the same tokens.

Partners are by Pearson correlation of activations over whole songs spread evenly (at most `SAMPLED_TOKENS` tokens), so
runs of different sites, widths and architectures can be compared.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from music_interpret import files, paths
from music_interpret.errors import InputError
from music_interpret.explorer.firings_file import firings_within
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.words import HELP
from music_interpret.features.index import FOLDER, FeatureIndex
from music_interpret.features.neighbours import BLOCK, sampled_spans
from music_interpret.runs.run import Run

if TYPE_CHECKING:
    from scipy import sparse


def comparable_runs(explored: Explored) -> list[Path]:
    """Folders of the other indexed runs of the same songs under `reports/`, sorted."""
    same = explored.index.activations.identity["codes_sha256"]
    found = []
    for run in paths.all_runs():
        try:
            codes = files.read_json(run / FOLDER / "index.json").get("codes_sha256")
        except InputError:
            continue
        if codes == same and run.resolve() != explored.run.folder.resolve():
            found.append(run)
    return found


def comparable_run(explored: Explored, run_id: str) -> Path:
    """Folder of the run that an address names, by looking it up among `comparable_runs`.

    Raises:
        InputError: there is none of that name.
    """
    found = {id_of(run): run for run in comparable_runs(explored)}
    if run_id not in found:
        raise InputError(f"there is no indexed run {run_id!r} of the same songs under reports/; choose another")
    return found[run_id]


def id_of(run: Path) -> str:
    """What addresses name a run by, whatever others there are: `series/experiment/layer_005`."""
    return "/".join(run.parts[-3:])


def described(run: Path) -> dict[str, Any]:
    """A run as the page lists it."""
    opened = Run(run)
    settings = opened.settings
    return {
        "id": id_of(run),
        "run": opened.title,
        "site": opened.site.title,
        "architecture": settings.architecture,
        "token_baseline": settings.token_baseline,
        "labelled": opened.labelled,
    }


def compared(mine: Explored, other: Explored) -> dict[str, Any]:
    """Each live latent with its partner in the other run."""
    if mine.index.activations.identity["codes_sha256"] != other.index.activations.identity["codes_sha256"]:
        raise InputError("the two runs are of different songs; expected two runs of the same songs")
    partner, score = partners(mine.index, other.index)
    live = np.flatnonzero(partner >= 0)
    order = live[np.argsort(-score[live], kind="stable")]
    return {
        "mean": float(score[live].mean()) if len(live) else 0.0,
        "help": HELP["compare"],
        "pairs": {
            "latent": order,
            "other": partner[order],
            "score": score[order],
            "name": [mine.run.name(latent) for latent in order.tolist()],
            "other_name": [other.run.name(latent) for latent in partner[order].tolist()],
            "density": mine.index.statistics.density[order],
            "other_density": other.index.statistics.density[partner[order]],
        },
    }


def partners(one: FeatureIndex, other: FeatureIndex) -> tuple[np.ndarray, np.ndarray]:
    """For each latent of one run the latent of the other that correlates most.

    Returns:
        Latents of the other, int64 (d_sae,), −1 for one that does not fire on the sample, and correlations, float32.
    """
    spans, n = sampled_spans(one)
    first, second = (_matrix(index, spans, n) for index in (one, other))
    (mean, spread), (other_mean, other_spread) = (_moments(matrix) for matrix in (first, second))
    found, scores = np.full(one.d_sae, -1, np.int64), np.zeros(one.d_sae, np.float32)
    for start in range(0, one.d_sae, BLOCK):
        rows = np.arange(start, min(start + BLOCK, one.d_sae))
        products = (first[rows] @ second.T).toarray() / n - np.outer(mean[rows], other_mean)
        spreads = np.outer(spread[rows], other_spread)
        correlations = np.divide(products, spreads, out=np.full_like(products, -1), where=spreads > 0)
        best = correlations.argmax(axis=1)
        fires = spread[rows] > 0
        found[rows] = np.where(fires, best, -1)
        scores[rows] = np.where(fires, correlations[np.arange(len(rows)), best], 0)
    return found, scores


def _matrix(index: FeatureIndex, spans: np.ndarray, n_tokens: int) -> "sparse.csr_matrix":
    """Activations of all latents on the sampled tokens, (d_sae, n_tokens)."""
    from scipy import sparse

    firings = firings_within(index, spans)
    return sparse.csr_matrix(
        (firings.values, firings.token_rows, firings.offsets), shape=(firings.n_latents, n_tokens), dtype=np.float32
    )


def _moments(matrix: "sparse.csr_matrix") -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each row."""
    n = matrix.shape[1]
    mean = np.asarray(matrix.sum(axis=1, dtype=np.float64)).ravel() / n
    square = np.asarray(matrix.multiply(matrix).sum(axis=1, dtype=np.float64)).ravel() / n
    return mean, np.sqrt(np.maximum(square - mean**2, 0))
