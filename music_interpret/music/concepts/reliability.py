"""How far concepts agree with experts, on music that nothing was fitted on.

`reliability.json` is written by `benchmarks/harmony.py`; a concept that no expert's table speaks of is not in it, and
neither is one that follows from the notes or the metre without a guess. One that follows from another by its definition
is as reliable as that (`RESTS_ON`).
"""

import functools
import json
from pathlib import Path
from typing import Any, NamedTuple

RELIABILITY = Path(__file__).parent / "reliability.json"
HIDDEN = ", the metre hidden"
"""Ends what was measured with an estimated metre."""
LOCAL_KEY, DOWNBEAT, METRE = "local key", f"downbeat{HIDDEN}", f"metre{HIDDEN}"
RESTS_ON = {
    "away from the home mode": "mode",
    "beat of the bar": DOWNBEAT,
    "beat or offbeat": DOWNBEAT,
    "bar parity": DOWNBEAT,
    "chromatic note": LOCAL_KEY,
    "diatonic degree": LOCAL_KEY,
    "distance from the end": DOWNBEAT,
    "distance from the home key": LOCAL_KEY,
    "distance from the start": DOWNBEAT,
    "dominant note": LOCAL_KEY,
    "downbeat": DOWNBEAT,
    "held over the barline": DOWNBEAT,
    "key change": LOCAL_KEY,
    "kind of metre": METRE,
    "kind of non-chord note": "non-chord note",
    "last beat of the bar": DOWNBEAT,
    "last chord degree": LOCAL_KEY,
    "leading tone": LOCAL_KEY,
    "metre": METRE,
    "metrical strength": DOWNBEAT,
    "raised leading tone": LOCAL_KEY,
    "repeated bar": DOWNBEAT,
    "repeated bar so far": DOWNBEAT,
    "scale degree of the bass": LOCAL_KEY,
    "syncopation": DOWNBEAT,
    "tonic note": LOCAL_KEY,
    "upbeat": DOWNBEAT,
}
"""Concepts that were not measured, and what was of which they are made; those of bars only where bars are estimated."""


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


def noted(concept: str, estimated: int, songs: int) -> dict[str, Any] | None:
    """The agreement of a concept, or of what it rests on, as labels.json has it; None if there is none to speak of.

    Args:
        concept: its name.
        estimated: number of songs whose metre is an estimate.
        songs: number of songs.
    """
    measured = RESTS_ON.get(concept, concept)
    if not reliability(measured):
        return None
    if not measured.endswith(HIDDEN):
        return of_measured(measured)
    return of_measured(measured) | {"estimated_metres": estimated, "songs": songs} if estimated else None


def of_measured(measured: str) -> dict[str, Any]:
    """The agreement of something that was measured, by corpus, as labels.json has it."""
    found = reliability(measured)
    values = [agreement.value for agreement in found]
    corpora = [{k: v for k, v in agreement._asdict().items() if k != "measure"} for agreement in found]
    return {"of": measured, "measure": found[0].measure, "range": [min(values), max(values)], "corpora": corpora}


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
