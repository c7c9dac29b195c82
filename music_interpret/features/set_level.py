"""What a whole dictionary's latents are worth: set-level numbers, by leakage class.

`all` counts every column, `context` those that are `past` or `future`: what a token does not state itself.
"""

from typing import Any

import numpy as np

from music_interpret.features import confusion, probing
from music_interpret.features.rules import Rule
from music_interpret.features.scoring import Part, Scored
from music_interpret.features.truth import NEEDS, Columns
from music_interpret.music.concepts.concept import LEAKAGES

FOUND_F1, LEAST_RATE = 0.5, 0.005
"""A latent finds a column with an F1 above this; coverage counts columns at least this frequent on the test songs."""
TOP_TOKENS = 20


def classes(columns: Columns) -> dict[str, np.ndarray]:
    """Which columns belong to each class, bool (n_columns,)."""
    by_leakage: dict[str, np.ndarray] = {name: columns.leakage == number for number, name in enumerate(LEAKAGES)}
    return {"all": np.ones(len(columns), bool), **by_leakage, "context": ~by_leakage["given"]}


def identity_f1(scored: Scored, columns: Columns) -> np.ndarray:
    """The best F1 that any property of the token itself reaches for each latent, (n_latents,)."""
    given = classes(columns)["given"] & (columns.lag == 0)
    return np.where(given, scored.f1, 0.0).max(axis=1, initial=0.0)


def share_with_f1(scored: Scored, columns: Columns, live: np.ndarray) -> dict[str, float]:
    """Fraction of live latents whose best column of each class, by MCC on train and valid songs, has a test F1 above
    the limit.
    """
    fit, f1 = scored.fit_mcc[live], scored.f1[live]
    found = {}
    for name, mask in classes(columns).items():
        chosen = np.flatnonzero(mask)
        if len(chosen) and len(live):
            best = chosen[fit[:, chosen].argmax(axis=1)]
            found[name] = float((f1[np.arange(len(live)), best] > FOUND_F1).mean())
        else:
            found[name] = 0.0
    return found


def coverage(scored: Scored, columns: Columns, live: np.ndarray, lag: int) -> dict[str, dict[str, float]]:
    """How many columns have a latent, by class; a column's latent is the one with the best MCC on train and valid.

    Returns:
        For each class: `columns`, how many are frequent enough; `found`, the fraction of them whose latent has a test
        F1 above the limit; `beyond_identity`, the fraction for which that F1 is also above what any property of the
        token itself reaches for that latent; `gain`, the mean of the F1 over that; `found_uncommon`, `found` of the
        columns that the always-on predictor does not find, and `uncommon`, how many these are; `mcc`, the mean MCC.
    """
    frequent = (scored.positives / max(scored.n, 1) >= LEAST_RATE) & (columns.lag == lag)
    identity, found = identity_f1(scored, columns), {}
    for name, mask in classes(columns).items():
        counted = np.flatnonzero(mask & frequent)
        if not len(counted) or not len(live):
            continue
        best = live[scored.fit_mcc[live][:, counted].argmax(axis=0)]
        f1 = scored.f1[best, counted]
        gain = f1 - identity[best]
        uncommon = confusion.always_on_f1(scored.positives[counted] / max(scored.n, 1)) <= FOUND_F1
        found[name] = {
            "columns": len(counted),
            "found": float((f1 > FOUND_F1).mean()),
            "beyond_identity": float(((f1 > FOUND_F1) & (gain > 0)).mean()),
            "gain": float(gain.mean()),
            "uncommon": int(uncommon.sum()),
            "found_uncommon": float((f1[uncommon] > FOUND_F1).mean()) if uncommon.any() else 0.0,
            "mcc": float(scored.mcc[best, counted].mean()),
        }
    return found


def probes(train: Part, valid: Part, test: Part, scored: Scored, columns: Columns) -> dict[str, dict[str, float]]:
    """Mean test F1 of sparse probes by class and by number of latents."""
    probed = np.flatnonzero((columns.lag == 0) & (scored.positives / max(scored.n, 1) >= LEAST_RATE))
    f1 = probing.probe(train, valid, test, probed)
    return {
        name: {f"k={size}": float(f1[mask[probed], place].mean()) for place, size in enumerate(probing.SIZES)}
        for name, mask in classes(columns).items()
        if mask[probed].any()
    }


def monosemanticity(test: Part, test_truth: np.ndarray, rules: list[tuple[int, Rule]]) -> float | None:
    """Mean fraction of a latent's strongest test tokens for which its rule holds, over latents with enough tokens."""
    shares = []
    for latent, rule in rules:
        tokens, values = test.firings.latent(latent)
        if len(tokens) >= TOP_TOKENS:
            top = tokens[np.argsort(-values, kind="stable")[:TOP_TOKENS]]
            shares.append(rule.holds(test_truth)[top].mean())
    return float(np.mean(shares)) if shares else None


def summary(
    parts: dict[str, Part], scored: Scored, columns: Columns, live: np.ndarray, test_truth: np.ndarray, names: list[Any]
) -> dict[str, Any]:
    """All set-level numbers.

    Args:
        parts: train, valid and test songs.
        scored: all pairs.
        columns: what was scored.
        live: latents that fire on some token.
        test_truth: booleans (n_columns, n_test_tokens).
        names: one for each live latent, see `labelling.Name`.
    """
    test, n_live = parts["test"], max(len(live), 1)
    with_f1 = [name for name in names if name.f1 > FOUND_F1]
    named = [name for name in names if name.name is not None]

    def by_needs(chosen: list[Any]) -> dict[str, float]:
        shares: dict[str, float] = {needs: sum(name.needs == needs for name in chosen) / n_live for needs in NEEDS}
        return {"all": len(chosen) / n_live, **shares}

    return {
        "n_latents": test.firings.n_latents,
        "n_live": len(live),
        "n_live_on_test": int((np.diff(test.firings.offsets) > 0).sum()),
        "n_test_tokens": scored.n,
        "n_test_songs": test.truth.n_songs,
        "n_columns": int((columns.lag == 0).sum()),
        "named": by_needs(named),
        "named_beyond_identity": sum(name.gain > 0 and name.needs != "given" for name in named) / n_live,
        "named_base_rate": float(np.median([name.base_rate for name in named])) if named else None,
        "atoms": {str(n): sum(len(name.columns) == n for name in named) / n_live for n in (1, 2, 3)},
        "rule_f1": by_needs(with_f1),
        "single_f1": share_with_f1(scored, columns, live),
        "coverage": coverage(scored, columns, live, 0),
        "coverage_next": coverage(scored, columns, live, 1),
        "probes": probes(parts["train"], parts["valid"], test, scored, columns),
        "monosemanticity": monosemanticity(
            test, test_truth, [(name.latent, Rule(name.columns, name.operators)) for name in names if name.columns]
        ),
    }
