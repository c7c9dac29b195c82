"""From the parts of a score to the score as it is written: what sounds, when, and on which instrument."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from operator import itemgetter
from typing import TypeVar

import numpy as np

from music_interpret.music.formats.written import NO_SPELLING, BrokenScore, Instrument, WrittenScore
from music_interpret.music.formats.xml.column_bars import written_bars
from music_interpret.music.formats.xml.columns import Column, columns
from music_interpret.music.formats.xml.measures import Head, Measure, Part, ScoreInstrument

T = TypeVar("T")
UNCHANGED = (0, 0)


def written_score(parts: Sequence[Part], ticks: int, title: str, note_tokens: int | None) -> WrittenScore:
    """The score of its parts, whose measures count `ticks` per quarter note."""
    parts = [part for part in parts if part.measures]
    if not parts:
        raise BrokenScore("no part of it has a measure")
    together = columns(parts, ticks)
    notes, instruments, left_out = _notes(parts, together)
    return WrittenScore(
        ticks=ticks,
        notes=notes,
        instruments=instruments,
        title=title,
        bars=written_bars(together, parts),
        left_out=left_out,
        note_tokens=note_tokens,
    )


def _notes(parts: Sequence[Part], columns: list[Column]) -> tuple[np.ndarray, list[Instrument], Counter[str]]:
    """Rows of `WrittenNote`, the instruments that play them, and the note heads left out."""
    rows: list[tuple[int, ...]] = []
    instruments: dict[tuple[int, Instrument], int] = {}
    left_out: Counter[str] = Counter()
    programs = _program_changes(columns)
    for p, part in enumerate(parts):
        measures = [(column.start, measure) for column in columns if (measure := column.measures[p])]
        transpositions = _transpositions(measures)
        default = next(iter(part.instruments), "")
        for start, measure in measures:
            left_out.update(measure.left_out)
            for head in measure.heads:
                onset = start + head.onset
                name = head.instrument if head.instrument in part.instruments else default
                played = part.instruments.get(name) or ScoreInstrument(part.name)
                shift = _held(transpositions[head.staff or "1"], onset, UNCHANGED) if transpositions else UNCHANGED
                sounding = _as_played(head, played, shift)
                if isinstance(sounding, str):
                    left_out[sounding] += 1
                    continue
                program = _held(programs[name], onset, played.program) if name in programs else played.program
                key = (p, Instrument(played.name, program, played.drums or head.pitch < 0))
                index = instruments.setdefault(key, len(instruments))
                rows.append((onset, start + head.end, *sounding, p, index, head.tied_on, head.tied_back))
    return np.array(rows, np.int64).reshape(-1, 8), [instrument for _, instrument in instruments], left_out


def _as_played(head: Head, played: ScoreInstrument, shift: tuple[int, int]) -> tuple[int, int] | str:
    """Pitch and spelling as they sound, or the kind of a note head that is left out."""
    if (head.pitch < 0 or played.drums) and played.unpitched is not None:
        return played.unpitched, NO_SPELLING
    if head.pitch < 0:
        return "percussion"
    if played.drums:
        return head.pitch, NO_SPELLING
    pitch, spelling = head.pitch + shift[0], head.spelling + shift[1]
    return (pitch, spelling) if 0 <= pitch <= 127 else "notes out of range"


def _program_changes(columns: list[Column]) -> dict[str, list[tuple[int, int]]]:
    """(tick, program from there on) of each instrument that changes it, in order of time."""
    changes: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for start, _, measures, _ in columns:
        for measure in filter(None, measures):
            for position, name, program in measure.programs:
                changes[name].append((start + position, program))
    return {name: sorted(found, key=itemgetter(0)) for name, found in changes.items()}


def _transpositions(measures: list[tuple[int, Measure]]) -> dict[str, list[tuple[int, tuple[int, int]]]]:
    """(tick, transposition from there on) for each staff of a part that transposes, in order of time."""
    changes = [(start + t[0], *t[1:]) for start, measure in measures for t in measure.transpositions]
    if not any(any(shift) for _, _, shift in changes):
        return {}
    changes.sort(key=itemgetter(0))
    staves = {head.staff or "1" for _, measure in measures for head in measure.heads}
    return {staff: [(tick, shift) for tick, name, shift in changes if name in ("", staff)] for staff in staves}


def _held(changes: Sequence[tuple[int, T]], tick: int, before: T) -> T:
    """What holds at a tick, by changes in order of time."""
    index = bisect_right(changes, tick, key=itemgetter(0))
    return changes[index - 1][1] if index else before
