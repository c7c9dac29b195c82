"""How far concepts agree with experts, on music that nothing was fitted on.

`reliability.json` is written by `benchmarks/harmony.py`; a concept that no expert's table speaks of is not in it, and
neither is one that follows from the notes or the metre without a guess.
"""

import functools
import json
from pathlib import Path
from typing import NamedTuple

RELIABILITY = Path(__file__).parent / "reliability.json"


class Agreement(NamedTuple):
    """One measurement."""

    corpus: str
    """Name of the corpus, as github.com/DCMLab has it."""
    notes: int
    """Notes that were compared."""
    measure: str
    """accuracy (fraction of the notes), F1 or MCC (Matthews' correlation)."""
    value: float
    interval: tuple[float, float]
    """95 % of bootstrap samples of the pieces."""


def reliability(concept: str) -> list[Agreement]:
    """The agreement of a concept with experts, by corpus; none if it was not measured.

    Examples:
        >>> [agreement.measure for agreement in reliability("chord root")][:1]
        ['accuracy']
        >>> reliability("pitch")
        []
    """
    return list(_all().get(concept, ()))


def measured_concepts() -> list[str]:
    """Names of what was measured: of concepts, some with what was different ("downbeat, the metre hidden")."""
    return list(_all())


@functools.cache
def _all() -> dict[str, tuple[Agreement, ...]]:
    content = json.loads(RELIABILITY.read_text(encoding="utf-8"))
    return {
        name: tuple(Agreement(**{**row, "interval": tuple(row["interval"])}) for row in rows)
        for name, rows in content.items()
    }
