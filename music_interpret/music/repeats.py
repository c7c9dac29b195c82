"""Repeats: in which order a score's bars are played, and the score with all of them written out.

A section between repeat signs (or from the beginning, or from where the last one ended) is played as often as its last
sign says. Bars under a bracket are played in the passes that it names. After a da capo or dal segno repeats are not
played again and of endings the last is taken, up to "fine", or to the coda once its sign is passed (Gould, Behind Bars,
2011, ch. 8).
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from music_interpret.music.formats.written import Bar, BrokenScore, WrittenNote, WrittenScore

Section = tuple[int, int]
"""First tick, last tick."""
LONGEST_PLAYED = 64
"""So many times its written length a score may be when it is played."""
ONSET, END = (WrittenNote._fields.index(name) for name in ("onset", "end"))


def played_out(score: WrittenScore) -> WrittenScore:
    """The score with its repeats written out: notes and bars once for each time that they are played."""
    sections = score.played or played_sections(score.bars)
    if len(sections) < 2:
        return score
    written = max((bar.end for bar in score.bars), default=max(last for _, last in sections))
    if sum(last - first for first, last in sections) > LONGEST_PLAYED * max(written, 1):
        raise BrokenScore(f"its repeats make it more than {LONGEST_PLAYED} times as long; expected fewer repeats")
    notes = np.array(score.notes, np.int64).reshape(-1, len(WrittenNote._fields))
    notes = notes[np.argsort(notes[:, ONSET], kind="stable")]
    with_metres = list(_metre_stated(score.bars))
    rows, bars, signatures, now = [], [], [], 0
    for first, last in sections:
        played = notes[slice(*np.searchsorted(notes[:, ONSET], (first, last)))].copy()
        played[:, END] = np.minimum(played[:, END], last)  # what is tied beyond goes on in the next section
        played[:, [ONSET, END]] += now - first
        rows.append(played)
        bars += [_moved(bar, first, last, now - first) for bar in with_metres if bar.start < last and bar.end > first]
        signatures += [(at + now - first, n, d) for at, n, d in score.signatures if first <= at < last]
        now += last - first
    return dataclasses.replace(score, notes=np.concatenate(rows), bars=bars, signatures=signatures, played=None)


def _metre_stated(bars: Sequence[Bar]) -> Iterator[Bar]:
    """The bars, each with the metre that holds in it, so that a jump back states what it goes back to."""
    metre = None
    for bar in bars:
        metre = bar.metre or metre
        yield dataclasses.replace(bar, metre=metre)


def _moved(bar: Bar, first: int, last: int, ticks: int) -> Bar:
    """What of a bar is in a section, so much later."""
    return dataclasses.replace(bar, start=max(bar.start, first) + ticks, end=min(bar.end, last) + ticks)


def played_sections(bars: Sequence[Bar]) -> list[Section]:
    """The order in which written bars are played, as sections that follow one another; BrokenScore if it never ends."""
    passes = _passes(bars)
    order: list[int] = []
    start, passed, last_pass, at = 0, 1, False, 0
    while at < len(bars):
        bar = bars[at]
        if bar.repeat_from and at != start:
            start, passed = at, 1
        if bar.endings and (passes[at] if last_pass else passed) not in bar.endings:  # a jump takes the last ending
            at += 1
            continue
        order.append(at)
        if len(order) > LONGEST_PLAYED * len(bars):
            raise BrokenScore("its repeats never end; expected repeat signs that can be played")
        if last_pass and bar.fine:
            break
        if last_pass and bar.to_coda and (coda := _first(bars, at, "coda")) is not None:
            at = coda
        elif bar.repeat_times and not last_pass and passed < passes[at]:
            passed, at = passed + 1, start
        elif bar.jump and not last_pass:
            last_pass = True
            at = (_last(bars, at, "segno") if bar.jump == "dal segno" else None) or 0
            start, passed = at, 1
        else:
            if bar.repeat_times or (bar.endings and at + 1 < len(bars) and not bars[at + 1].endings):
                start, passed = at + 1, 1
            at += 1
    return _joined(bars, order)


def _passes(bars: Sequence[Bar]) -> list[int]:
    """Of each bar: the last pass in which it or its neighbours under brackets are played, else what its sign says."""
    passes = [bar.repeat_times for bar in bars]
    for bracketed, group in itertools.groupby(range(len(bars)), lambda at: bool(bars[at].endings)):
        if bracketed:
            members = list(group)
            brackets = {bars[at].endings for at in members}
            # Under a single bracket, "1.", the last pass has no bracket.
            last = max(max(bracket) for bracket in brackets) + (len(brackets) == 1)
            for at in members:
                passes[at] = last
    return passes


def _first(bars: Sequence[Bar], at: int, mark: str) -> int | None:
    return next((i for i in range(at + 1, len(bars)) if getattr(bars[i], mark)), None)


def _last(bars: Sequence[Bar], at: int, mark: str) -> int | None:
    return next((i for i in range(at, -1, -1) if getattr(bars[i], mark)), None)


def _joined(bars: Sequence[Bar], order: Sequence[int]) -> list[Section]:
    """Runs of bars that follow one another, as (first tick, last tick)."""
    sections: list[Section] = []
    previous = None
    for at in order:
        if previous is not None and at == previous + 1:
            sections[-1] = (sections[-1][0], bars[at].end)
        else:
            sections.append((bars[at].start, bars[at].end))
        previous = at
    return sections
