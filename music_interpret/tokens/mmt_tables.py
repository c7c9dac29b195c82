"""The content of the authors' `encoding.json` as facts, for data sets that we make ourselves (`ingest`).

Source: salu133445/mmt, `representation.py`.
"""

import json
from typing import Any

import numpy as np

from music_interpret.errors import InputError
from music_interpret.music.instruments import INSTRUMENTS
from music_interpret.tokens.mmt import FIELDS, TYPES

# Durations that have a code, in steps, for the two resolutions that the authors published.
KNOWN_DURATIONS = {
    12: (*range(1, 13), 15, 16, 18, 20, 21, 24, 30, 36, 40, 42, 48, 60, 72, 84, 96, 120, 144, 168, 192, 384),
    24: (1, 2, 3, 12, 15, 16, 18, 20, 21, 24, 30, 36, 40, 42, 48, 60, 72, 84, 96, 120, 144, 168, 192, 384),
}
MAX_BEAT, MAX_DURATION = 1024, 384


def mmt_encoding(resolution: int = 12) -> dict[str, Any]:
    """The content of the authors' `encoding.json` at 12 steps per beat, and their published table for 24.

    Other resolutions have no published duration table: InputError.
    """
    if resolution not in KNOWN_DURATIONS:
        raise InputError(f"resolution {resolution} has no MMT duration table; expected 12 or 24")
    durations = np.array(KNOWN_DURATIONS[resolution])
    nearest = np.abs(durations[None, :] - np.arange(MAX_DURATION + 1)[:, None]).argmin(axis=1) + 1
    program_names: dict[int, str | None] = {p: n for n, programs in INSTRUMENTS for p in programs}
    maps: dict[str, dict[Any, int]] = {
        "type": {name: code for code, name in enumerate(TYPES)},
        "beat": {i: i + 1 for i in range(MAX_BEAT + 1)} | {None: 0},
        "position": {i: i + 1 for i in range(resolution)} | {None: 0},
        "pitch": {i: i + 1 for i in range(128)} | {None: 0},
        "duration": {i: int(code) for i, code in enumerate(nearest)} | {None: 0},
        "instrument": {name: code for code, (name, _) in enumerate(INSTRUMENTS, start=1)} | {None: 0},
    }
    inverse = {field: {code: value for value, code in table.items()} for field, table in maps.items()}
    inverse["duration"] = {code: int(d) for code, d in enumerate(durations, start=1)}
    table = {
        "resolution": resolution,
        "max_beat": MAX_BEAT,
        "max_duration": MAX_DURATION,
        "dimensions": list(FIELDS),
        "n_tokens": [max(table.values()) + 1 for table in maps.values()],
        **{f"{field}_code_map": table for field, table in maps.items()},
        **{f"code_{field}_map": table for field, table in inverse.items()},
        "program_instrument_map": {p: program_names.get(p) for p in range(128)},
        "instrument_program_map": {name: programs[0] for name, programs in INSTRUMENTS},
    }
    return json.loads(json.dumps(table))
