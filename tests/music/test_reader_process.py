"""One reader: what it answers, what its death is called, and that nothing of it is left behind."""

import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import music21
import numpy as np
import psutil
import pytest

from music_interpret.music import reader_process
from music_interpret.music.reader_process import Answer, Limits, ReaderProcess
from music_interpret.music.scores import read_works

CHORALE = Path(music21.__file__).parent / "corpus" / "bach" / "bwv66.6.mxl"
LIMITS = Limits(seconds=60.0, address_bytes=2**30, unpacked_bytes=2**20)
ROOT = Path(__file__).parents[2]
Score = Callable[[str], Path]


@pytest.fixture
def reader() -> Iterator[ReaderProcess]:
    reader = ReaderProcess(LIMITS)
    yield reader
    reader.end()


def answer_of(reader: ReaderProcess, path: Path) -> Answer:
    reader.ask(path, 12, None)
    reader.pipe.poll(reader.limits.seconds)
    return reader.answer()


def test_it_answers_what_read_works_gives(reader: ReaderProcess) -> None:
    for path in (CHORALE, CHORALE.with_name("bwv1.6.mxl")):
        answer = answer_of(reader, path)
        (theirs,), (ours,) = answer.works, read_works(path, 12)
        np.testing.assert_array_equal(theirs.notes, ours.notes)
        assert theirs.notes.dtype == np.int64 and theirs.metres == ours.metres
        assert answer.broken is None and answer.fault is None


def test_a_broken_file_ends_nothing(reader: ReaderProcess, tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"no music")
    (tmp_path / "a.musicxml").write_bytes(b"<a\n\n&>")
    assert answer_of(reader, tmp_path / "a.mid").fault == "broken"
    broken = answer_of(reader, tmp_path / "a.musicxml")
    assert broken.fault == "broken" and broken.broken is not None and "\n" not in broken.broken
    assert answer_of(reader, CHORALE).works


@pytest.mark.parametrize(
    ("stem", "reason", "fault"),
    [
        ("segfault", "the reader crashed on it (SIGSEGV)", "crashed"),
        ("exit", "the reader crashed on it (exit code 3)", "crashed"),
        ("internal", "the reader crashed on it (exit code 1)", "crashed"),
        ("killed", "its reader was killed (SIGKILL), as happens when the memory is full", "memory"),
        ("hungry", "reading it took more than 1 GiB of memory", "memory"),
    ],
)
def test_a_death_has_a_name(score: Score, stem: str, reason: str, fault: str) -> None:
    reader = ReaderProcess(LIMITS)
    assert answer_of(reader, score(stem)) == Answer((), reason, fault)  # type: ignore[arg-type]
    assert not reader.alive() and reader.pipe.closed


@pytest.mark.parametrize("stem", ["sleep", "spin"])
def test_one_that_hangs_is_killed(score: Score, stem: str) -> None:
    reader = ReaderProcess(LIMITS._replace(seconds=0.5))
    start = time.monotonic()
    assert answer_of(reader, score(stem)) == Answer((), "reading it took longer than 0.5 s", "slow")
    assert time.monotonic() - start < 20 and not reader.alive()


def test_what_libraries_print_is_no_answer(score: Score, capfd: pytest.CaptureFixture[str]) -> None:
    reader = ReaderProcess(LIMITS)
    assert len(answer_of(reader, score("fine")).works) == 1
    reader.end()
    assert capfd.readouterr() == ("", "")


BOMB = "it unpacks to 1,001 bytes; expected up to 1,000"


@pytest.mark.parametrize("name", ["a.mxl", "a.MXL"])
def test_an_archive_is_measured_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(reader_process, "read_works", lambda *_: pytest.fail("it was unpacked"))
    with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", bytes(600))
        archive.writestr("b.xml", bytes(401))
    reply = reader_process._reply(str(tmp_path / name), [12], unpacked_bytes=1000)
    assert reply == {"works": [], "broken": BOMB, "fault": "broken", "lost": []}


def test_an_archive_within_the_limit_is_read() -> None:
    with zipfile.ZipFile(CHORALE) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    assert reader_process._reply(str(CHORALE), [12], unpacked_bytes=size)["works"]
    assert reader_process._reply(str(CHORALE), [12], unpacked_bytes=size - 1)["fault"] == "broken"


def test_plain_xml_with_the_suffix_of_an_archive_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(CHORALE) as archive:
        (tmp_path / "a.mxl").write_bytes(archive.read(next(n for n in archive.namelist() if "META" not in n)))
    assert reader_process._reply(str(tmp_path / "a.mxl"), [12], unpacked_bytes=0)["works"]


def test_ctrl_c_does_not_reach_it(reader: ReaderProcess) -> None:
    assert os.getpgid(reader._process.pid) != os.getpgid(0)


@pytest.mark.parametrize("stem", ["idle", "spin"])
def test_it_ends_when_the_caller_is_killed(score: Score, stem: str) -> None:
    """Also in the middle of a file that never ends."""
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from music_interpret.music import reader_process as r\n"
        f"r.SERVE = {reader_process.SERVE!r}\n"
        f"reader = r.ReaderProcess(r.Limits(*{tuple(LIMITS)}))\n"
        f"reader.ask(Path({str(score('fine'))!r}), 12, None)\n"
        "reader.pipe.poll(60)\n"
        "assert reader.answer().works\n"
        f"if {stem!r} == 'spin': reader.ask(Path({str(score('spin'))!r}), 12, None)\n"
        "print(reader._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    words = [sys.executable, "-c", code]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as caller:
        assert caller.stdout is not None
        child = psutil.Process(int(caller.stdout.readline()))
        assert child.is_running()
        caller.kill()
    assert psutil.wait_procs([child], timeout=20)[1] == []
