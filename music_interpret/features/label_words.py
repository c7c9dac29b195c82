"""Labels as text: a latent's name with its scores, the latents that follow a concept, and the best names of a run."""

import difflib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from music_interpret.errors import InputError
from music_interpret.features.index import FeatureIndex
from music_interpret.features.labels import Labels, read_rows
from music_interpret.features.reading import examples, to_text
from music_interpret.features.reliability_words import agreement_lines
from music_interpret.music.name_search import searchable

CLEAR_GAIN = 0.1
"""F1 by which a name has to beat every property of the token itself to be shown for that."""
NEEDED = {
    "past": "needs tokens before it",
    "future": "needs tokens before and after it",
    "next": "says what the next token will be",
}


def described(name: dict[str, Any], reliability: Mapping[str, dict[str, Any]]) -> str:
    """A latent's name and what it rests on, in a few lines.

    Args:
        name: its entry in names.json.
        reliability: what is noted of concepts' agreement with experts, see `Labels.reliability`.
    """
    if not name["rule"]:
        return f"latent {name['latent']}: no name ({name['why']})"
    head = name["name"] or f"no name; the nearest is: {name['rule']}"
    low, high = name["mcc_interval"]
    scores = (
        f"MCC {_number(name['mcc'])} [{_number(low)}, {_number(high)}], F1 {_number(name['f1'])} "
        f"(always on: {_number(name['always_on_f1'])}), precision {_share(name['precision'])}, "
        f"recall {_share(name['recall'])}, base rate {_share(name['base_rate'])}"
    )
    if name["needs"] == "given":
        beside = "the token states this itself"
    else:
        own = f"the token's own {name['identity']} reaches F1 {_number(name['identity_f1'])}"
        beside = f"{NEEDED[name['needs']]}; {own}"
    lines = [f"latent {name['latent']}: {head}", f"on test songs: {scores}", f"{beside}; {name['why']}"]
    return "\n  ".join([*lines, *agreement_lines(concepts_of(name), reliability)])


def concepts_of(name: dict[str, Any]) -> list[str]:
    """The concepts of a name's rule without their values, each once."""
    return list(dict.fromkeys(column.removeprefix("next token: ").partition(":")[0] for column in name["columns"]))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def best_names(names: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The best named latents: the first half say clearly more than their token does, the others may be of any kind.

    Best is by the lower end of the MCC's interval, where no two of the same concepts follow each other as long as there
    are others.
    """
    named = [name for name in names if name["name"] is not None]
    beyond = [name for name in named if name["needs"] != "given" and name["gain"] > CLEAR_GAIN]
    first = _varied(beyond)[: (count + 1) // 2]
    chosen = {name["latent"] for name in first}
    return first + _varied([name for name in named if name["latent"] not in chosen], first)[: count - len(first)]


def _varied(names: list[dict[str, Any]], before: list[dict[str, Any]] | tuple[()] = ()) -> list[dict[str, Any]]:
    """By score, but each concept's first, then each concept's second, and so on."""
    seen = Counter(_kind(name) for name in before)
    ranked: list[tuple[int, int, dict[str, Any]]] = []
    for name in sorted(names, key=lambda name: -name["mcc_interval"][0]):
        ranked.append((seen[_kind(name)], len(ranked), name))
        seen[_kind(name)] += 1
    return [name for _, _, name in sorted(ranked, key=lambda entry: entry[:2])]


def _kind(name: dict[str, Any]) -> str:
    """The first concept of a name's rule, without its value."""
    return concepts_of(name)[0]


def with_excerpts(
    index: FeatureIndex,
    names: list[dict[str, Any]],
    reliability: Mapping[str, dict[str, Any]],
    excerpts: int,
    context: int,
) -> str:
    """Names, each with its strongest tokens of as many songs."""
    blocks = []
    for name in names:
        shown = examples(index, name["latent"], excerpts, context, per_song=1)
        blocks.append(
            "\n".join(
                [described(name, reliability), *(to_text(example, i) for i, example in enumerate(shown, start=1))]
            )
        )
    return "\n\n".join(blocks)


def followers(labels: Labels, text: str, limit: int) -> str:
    """The latents that follow a concept value best, as a table.

    Args:
        labels: of the run.
        text: a concept value or a concept as in the labels, or a part of one.
        limit: how many.

    Raises:
        InputError: no concept value is called so.
    """
    rows = read_rows(labels)
    names = rows["name"].astype(str)
    chosen = _called(names, rows["concept"].astype(str), text)
    order = chosen[np.argsort(-rows["mcc"][chosen], kind="stable")][:limit]
    lines = [
        f"latents that follow {text!r} best, on test songs:",
        " latent    MCC       interval     F1  always on  precision  recall  base rate   gain  concept value",
    ]
    for row in order.tolist():
        lines.append(
            f"{rows['latent'][row]:7d} {rows['mcc'][row]:6.2f}  [{rows['mcc_low'][row]:5.2f}, "
            f"{rows['mcc_high'][row]:5.2f}] {rows['f1'][row]:6.2f} {rows['always_on_f1'][row]:10.2f} "
            f"{rows['precision'][row]:10.1%} {rows['recall'][row]:7.1%} {rows['base_rate'][row]:10.1%} "
            f"{rows['gain'][row]:+6.2f}  {names[row]}" + ("" if rows["significant"][row] else "  (not significant)")
        )
    lines.append("gain: F1 over that of the best property of the token itself for the same latent")
    lines += agreement_lines(list(dict.fromkeys(rows["concept"][order].tolist())), labels.reliability())
    return "\n".join(lines)


def _called(names: np.ndarray, concepts: np.ndarray, text: str) -> np.ndarray:
    """Rows of a concept value, else of a concept, else of all that contain the text."""
    wanted = searchable(text)
    known_texts = {name: searchable(name) for name in {*names.tolist(), *concepts.tolist()}}
    plain = np.array([known_texts[name] for name in names.tolist()])
    plain_concepts = np.array([known_texts[name] for name in concepts.tolist()])
    for found in (plain == wanted, plain_concepts == wanted, np.char.find(plain, wanted) >= 0):
        if found.any():
            return np.flatnonzero(found)
    known = sorted({*concepts.tolist(), *names.tolist()})
    near = difflib.get_close_matches(text, known, n=3, cutoff=0.5) or sorted(set(concepts.tolist()))[:8]
    raise InputError(f"no concept is called {text!r}; near it: {', '.join(near)}")
