"""Bars as written to downbeats, stretches and edition numbers; four steps to a quarter note."""

import pytest

from music_interpret.music.score_metres import (
    ScoreBar,
    bar_metres,
    bar_steps,
    downbeats,
    edition_numbers,
    shifted,
    signature_metres,
)


def bars_of(lengths: str, numbers: list[int | None] | None = None) -> list[ScoreBar]:
    """Bars from words: quarters, and a metre that stands there, such as 4@4/4."""
    bars, now = [], 0
    for i, word in enumerate(lengths.split()):
        quarters, _, metre = word.partition("@")
        upper, _, lower = metre.partition("/")
        end = now + int(4 * float(quarters))
        bars.append(ScoreBar(now, end, numbers[i] if numbers else None, (int(upper), int(lower)) if metre else None))
        now = end
    return bars


@pytest.mark.parametrize(
    ("lengths", "stretches"),
    [
        ("4@4/4 4 4", [(0, 4, 4)]),
        ("1@4/4 4 4", [(-12, 4, 4)]),
        ("1@4/4 4 3 1 4", [(-12, 4, 4)]),  # a repeat divides a bar
        ("4@4/4 1 1 2 4", [(0, 4, 4)]),  # two repeats do
        ("4@4/4 2 4 4", [(0, 4, 4), (24, 4, 4)]),  # a short bar
        ("4@4/4 1 2 4 4", [(0, 4, 4), (20, 4, 4), (28, 4, 4)]),  # two short bars, which make no whole one
        ("4@4/4 5 4 4", [(0, 4, 4), (36, 4, 4)]),  # a long one
        ("4@4/4 3@3/4 3", [(0, 4, 4), (16, 3, 4)]),
        ("4@4/4 3 1@3/4 3 3", [(0, 4, 4), (32, 3, 4)]),  # an upbeat in the next metre ends a bar of this one
        ("4@4/4 4 4@4/4 4", [(0, 4, 4)]),  # stated again
        ("4 4 4@4/4 4", [(32, 4, 4)]),  # before the first signature there is none
        ("4@0/4 4", []),
        ("3@4/4", [(0, 4, 4)]),
        ("4@4/4 0 4", [(0, 4, 4)]),
        ("", []),
    ],
)
def test_stretches_of_bars(lengths: str, stretches: list) -> None:
    assert bar_metres(downbeats(bars_of(lengths), 4), 4) == stretches


@pytest.mark.parametrize(
    ("lengths", "numbers", "differing"),
    [
        ("1@4/4 4 4", [0, 1, 2], [(-12, 0)]),
        ("1@4/4 4 4", [1, 2, 3], [(-12, 1)]),
        ("4@4/4 4 4", [1, 2, 3], [(0, 1)]),
        ("4@4/4 4 4", [5, 6, 7], [(0, 5)]),  # an excerpt
        ("4@4/4 3 1 4", [1, 2, None, 3], [(0, 1)]),  # the halves of bar 2
        ("4@4/4 3 1 4", [1, 2, 2, 3], [(0, 1)]),
        ("4@4/4 3 1 4", [1, 2, 3, 4], [(0, 1), (32, 4)]),  # halves that have numbers of their own
        ("4@4/4 4 4 4", [1, 2, 2, 3], [(0, 1), (32, 2)]),  # a second ending numbered as the first
        ("4@4/4 4 4 4", [1, None, None, 4], [(0, 1)]),
        ("4@4/4 4 4 4", [None, None, None, None], []),
    ],
)
def test_numbers_that_do_not_count_on(lengths: str, numbers: list, differing: list) -> None:
    found = downbeats(bars_of(lengths, numbers), 4)
    assert edition_numbers(found, 0) == differing


def test_numbers_count_from_the_songs_first_beat() -> None:
    """Bars of rest before the first note are not listed, but are counted."""
    found = downbeats(bars_of("4@4/4 4 4 4 3@3/4 3", [1, 2, 3, 4, None, 8]), 4)
    assert edition_numbers(found, 0) == [(0, 1), (76, 8)]
    assert edition_numbers(found, 36) == [(-4, 3), (40, 8)]
    assert edition_numbers(found, 70) == [(-6, 5), (6, 8)]


def test_signatures_and_shifts() -> None:
    assert signature_metres([(48, 3, 4), (0, 4, 4), (0, 2, 4), (60, 0, 4)], 12) == [(0, 2, 4), (48, 3, 4)]
    assert shifted([(0, 4, 4), (96, 3, 4)], 100, 12) == [(-4, 3, 4)]
    assert shifted([(0, 4, 4)], 12, 12) == [(-12, 4, 4)]
    assert bar_steps(6, 8, 12) == 36
