"""Many files at once, and one after another: each bad file costs itself only."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from music_interpret.music.reader_process import Answer, Limits
from music_interpret.music.score_readers import ScoreReader, read_scores

LIMITS = Limits(seconds=60.0, address_bytes=2**30, unpacked_bytes=2**20)
Score = Callable[[str], Path]


@pytest.fixture
def reader(score: Score) -> Iterator[ScoreReader]:
    with contextlib.closing(ScoreReader(LIMITS)) as reader:
        yield reader


def readers() -> list[psutil.Process]:
    """Reader processes of this one, which may have other children, such as a browser's."""
    return [child for child in psutil.Process().children() if any("reader_process" in word for word in child.cmdline())]


def pid(reader: ScoreReader, score: Score) -> int:
    return int(reader.read(score("pid"), 12).broken or "")


def test_read_in_parallel_bad_files_cost_themselves_only(score: Score) -> None:
    paths = [score(name) for name in ("a", "segfault", "b", "sleep", "c", "exit", "d", "hungry", "e", "spin")]
    answers = dict(read_scores(paths, 12, None, jobs=2, limits=LIMITS._replace(seconds=4.0)))
    late = "reading it took longer than 4 s"
    assert {paths[i].stem: answer.broken for i, answer in answers.items()} == {
        **dict.fromkeys("abcde"),
        "segfault": "the reader crashed on it (SIGSEGV)",
        "sleep": late,
        "exit": "the reader crashed on it (exit code 3)",
        "hungry": "reading it took more than 1 GiB of memory",
        "spin": late,
    }
    assert all(len(answers[i].works) == 1 for i in (0, 2, 4, 6, 8))
    assert readers() == []


def test_closing_ends_the_readers_in_the_middle_of_a_file(score: Score) -> None:
    answers = read_scores([score("a"), score("spin1"), score("spin2")], 12, None, jobs=2, limits=LIMITS)
    assert next(answers)[0] == 0
    assert len(readers()) == 2
    answers.close()
    assert readers() == []


def test_no_more_readers_than_files(score: Score) -> None:
    answers = read_scores([score("pid1"), score("pid2")], 12, None, jobs=8, limits=LIMITS)
    assert len({answer.broken for _, answer in answers}) == 2
    assert list(read_scores([], 12, None, jobs=8, limits=LIMITS)) == []


def test_one_reader_is_kept_and_replaced_after_its_death(reader: ScoreReader, score: Score) -> None:
    first = pid(reader, score)
    assert pid(reader, score) == first
    process = psutil.Process(first)
    process.kill()  # between two files
    process.wait()
    second = pid(reader, score)
    assert second != first
    assert reader.read(score("segfault"), 12) == Answer((), "the reader crashed on it (SIGSEGV)", "crashed")
    assert reader.read(score("hungry"), 12).fault == "memory"
    reader.limits = LIMITS._replace(seconds=3.0)
    assert reader.read(score("spin"), 12) == Answer((), "reading it took longer than 3 s", "slow")
    assert len(reader.read(score("fine"), 12).works) == 1


def test_it_is_warm_before_the_first_file(reader: ScoreReader, score: Score) -> None:
    reader.warm()
    (child,) = readers()
    assert reader.read(score("parsers"), 12).broken == "['abc', 'kern', 'midi']"
    assert pid(reader, score) == child.pid
    reader.close()
    assert not child.is_running()


def test_threads_take_turns(reader: ScoreReader, score: Score) -> None:
    path, answers = score("fine"), []
    threads = [threading.Thread(target=lambda: answers.append(reader.read(path, 12))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(answer.works) for answer in answers] == [1] * 4
    assert len(readers()) == 1
