"""The ingest stage: what it writes, that it goes on after a kill, and what it says when something is wrong."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import start

from music_interpret import files
from music_interpret.errors import InputError
from music_interpret.ingest import IngestConfig, ingest
from music_interpret.music import reader_process
from music_interpret.music.dataset import open_dataset
from music_interpret.music.metres import read_metres
from music_interpret.music.scores import read_works

SCORES = Path(__file__).parent / "fixtures" / "scores"
ROOT = Path(__file__).parents[1]
TRUNCATED = "MiniMidi: Invalid chunk length 24 (remaining bytes after header: 15)"  # symusic's words


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MUSIC_INTERPRET_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a score of each format, two of them in a subfolder, and two broken files."""
    folder = tmp_path / "scores"
    (folder / "sub").mkdir(parents=True)
    for name in ("tune.musicxml", "book.abc", "duet.krn"):
        shutil.copy(SCORES / name, folder / name)
    for name in ("random_480", "random_1024", "drums_only", "truncated", "not_midi"):
        shutil.copy(SCORES / "midi" / f"{name}.mid", folder / "sub" / f"{name}.mid")
    (folder / "readme.txt").write_text("Not a score.")
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "music_interpret.ingest", *map(str, words)]


def test_a_folder_of_all_formats(home: Path, source: Path, capfd: pytest.CaptureFixture[str]) -> None:
    report = ingest(IngestConfig(source=str(source), dataset_name="all", min_notes=7, jobs=2))
    folder = home / "data" / "base" / "all"
    names = ["book-0", "duet", "sub/random_1024", "sub/random_480", "tune"]
    assert report.folder == folder
    assert (report.written, report.monophonic, report.miscounted) == (5, [], {})
    assert report.too_short == {"book-1": 6}
    assert report.silent == {"sub/drums_only": {"drums": 1}}
    assert report.broken == {"sub/not_midi.mid": "not a MIDI file (it does not start with MThd)"} | {
        "sub/truncated.mid": TRUNCATED
    }
    expected = ["notes/encoding.json", "names.txt", "metres.json", "duplicates.csv", "ingest.json", ".lock"]
    expected += [f"notes/{name}.npy" for name in names]
    expected += [f"spellings/{name}.npy" for name in ("book-0", "duet", "tune")]  # MIDI has none
    assert sorted(tree(folder)) == sorted(expected)
    for name in ("book-0", "duet", "tune"):
        spellings = np.load(folder / "spellings" / f"{name}.npy")
        pitches = np.load(folder / "notes" / f"{name}.npy")[:, 2]
        assert spellings.dtype == np.int8
        np.testing.assert_array_equal(7 * spellings.astype(int) % 12, pitches % 12)
    assert read_metres(folder) == {"book-0": [[0, 4, 4]], "duet": [[0, 2, 4]], "tune": [[0, 2, 4]]}  # MIDI says none
    dataset = open_dataset(folder)
    assert dataset.names == names
    assert sum(len(dataset.notes(name)) for name in names) == report.notes
    np.testing.assert_array_equal(dataset.notes("tune"), read_works(source / "tune.musicxml", 12)[0].notes)
    out, err = capfd.readouterr()
    assert out.splitlines()[-1] == (
        f"ingest: 5 songs, {report.notes:,} notes → {folder}/notes (1 too short: book-1 (6 notes), 1 without notes to "
        "keep: sub/drums_only holds only drums (1 note), 2 broken: first sub/not_midi.mid: not a MIDI file (it does "
        "not start with MThd))"
    )
    assert f"ingest: skipped sub/truncated.mid: {TRUNCATED}" in err
    assert "file/s" in err


def test_a_finished_data_set_is_left_alone_and_others_are_not_replaced(
    home: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = IngestConfig(source=str(source), dataset_name="once", min_notes=7)
    report = ingest(config)
    folder = report.folder
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert ingest(config) == report
    assert "nothing to do" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before

    with pytest.raises(InputError, match="was made with another resolution and min_notes; .*--overwrite"):
        ingest(IngestConfig(source=str(source), dataset_name="once", resolution=24))
    fine = ingest(IngestConfig(source=str(source), dataset_name="once", resolution=24, min_notes=7, overwrite=True))
    assert open_dataset(folder).resolution == 24
    assert fine.written == report.written

    shutil.copy(source / "duet.krn", source / "new.krn")
    with pytest.raises(InputError, match="the source's files changed"):
        ingest(IngestConfig(source=str(source), dataset_name="once", resolution=24, min_notes=7))


def test_foreign_data_sets_are_not_touched(home: Path, source: Path) -> None:
    folder = home / "data" / "base" / "mine"
    (folder / "notes").mkdir(parents=True)
    np.save(folder / "notes" / "a.npy", np.zeros((1, 5), np.int64))
    (folder / "diary.txt").write_text("keep")
    config = IngestConfig(source=str(source), dataset_name="mine", min_notes=7)
    with pytest.raises(InputError, match="was not made by ingest"):
        ingest(config)
    assert sorted(tree(folder)) == ["diary.txt", "notes/a.npy"]
    (folder / "metres.json").write_text('{"a": [[0, 4, 4]]}')
    ingest(IngestConfig(source=str(source), dataset_name="mine", min_notes=7, overwrite=True))
    assert "diary.txt" in tree(folder)
    assert "a" not in read_metres(folder)
    assert "notes/a.npy" not in tree(folder)
    (home / "data" / "base" / "sod_notes" / "notes").mkdir(parents=True)
    with pytest.raises(InputError, match="which is read first"):
        ingest(IngestConfig(source=str(source), dataset_name="sod"))


def test_limit_takes_the_first_songs_whatever_comes_first(home: Path, source: Path) -> None:
    for jobs in (1, 3):
        config = IngestConfig(source=str(source), dataset_name=f"first{jobs}", min_notes=7, limit=3, jobs=jobs)
        report = ingest(config)
        assert open_dataset(report.folder).names == ["book-0", "duet", "sub/random_1024"]
        assert report.written == 3
        assert list(read_metres(report.folder)) == ["book-0", "duet"]
        assert report.broken.keys() == {"sub/not_midi.mid"}
        assert not (report.folder / "notes" / "tune.npy").exists()


def test_polyphonic_leaves_melodies_out(home: Path, source: Path) -> None:
    report = ingest(IngestConfig(source=str(source), dataset_name="poly", min_notes=7, polyphonic=True))
    assert "book-0" not in open_dataset(report.folder).names
    assert report.monophonic == ["book-0"]


def test_one_file(home: Path) -> None:
    report = ingest(IngestConfig(source=str(SCORES / "duet.krn"), dataset_name="one", min_notes=8))
    assert open_dataset(report.folder).names == ["duet"]


def test_no_song_came_through_is_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "scores").mkdir()
    for name in ("truncated", "drums_only"):
        shutil.copy(SCORES / "midi" / f"{name}.mid", tmp_path / "scores")
    run = subprocess.run(command("scores", "none"), cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1] == (
        "error: no song of scores came through: 1 without notes to keep: drums_only holds only drums (1 note), "
        f"1 broken: truncated.mid: {TRUNCATED}"
    )
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "data" / "base" / "none").exists()


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "MUSIC_INTERPRET_HOME"} | {"PYTHONPATH": str(ROOT)}


def kill_and_wait(process: subprocess.Popen, journal: Path, lines: int, signal_number: int, later_s: float = 0) -> None:
    """Send the signal once the journal has so many lines, or so much later."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if journal.is_file() and journal.read_bytes().count(b"\n") >= lines:
            break
        time.sleep(0.002)
    time.sleep(later_s)
    process.send_signal(signal_number)
    process.wait(timeout=20)


def test_killed_anywhere_it_goes_on_to_the_same_bytes(tmp_path: Path, source: Path) -> None:
    for i in range(40):
        shutil.copy(SCORES / "midi" / f"random_{(96, 220)[i % 2]}.mid", source / f"copy{i:02d}.mid")
    words = command(source, "kept", "--min_notes", 7, "--jobs", 2)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for home in (whole, broken):
        home.mkdir()
    subprocess.run(words, cwd=whole, env=environment(), check=True, capture_output=True)
    journal = broken / "data" / "base" / "kept" / "ingest.jsonl"
    for lines in (0, 1, 5, 20, 38):
        process = subprocess.Popen(
            words, cwd=broken, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        kill_and_wait(process, journal, lines, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    # As if it had been killed in the middle of a line and of a file.
    first = journal.read_bytes().splitlines()[1]
    with open(journal, "ab") as file:
        file.write(first[: len(first) // 2])
    (journal.parent / "notes" / ".copy00.npy.abc").write_bytes(b"half")
    done = {json.loads(line)["file"] for line in journal.read_bytes().splitlines()[1:-1]}
    assert done
    before = {p: p.stat().st_mtime_ns for p in journal.parent.rglob("copy*.npy") if f"{p.stem}.mid" in done}
    subprocess.run(words, cwd=broken, env=environment(), check=True, capture_output=True)
    assert {p: p.stat().st_mtime_ns for p in before} == before  # not done again
    assert tree(whole / "data") == tree(broken / "data")


def test_a_data_set_of_an_earlier_version_is_not_taken_for_this_ones(home: Path, source: Path) -> None:
    config = IngestConfig(source=str(source / "duet.krn"), dataset_name="old", min_notes=7)
    report = ingest(config)
    manifest = json.loads((report.folder / "ingest.json").read_text())
    del manifest["arguments"]["repeats"]
    (report.folder / "ingest.json").write_text(json.dumps(manifest | {"music_interpret": "0.1.0", "too_short": 0}))
    with pytest.raises(InputError, match=r"was made by 0\.1\.0, which read scores otherwise; .*--overwrite"):
        ingest(config)
    assert ingest(replace(config, overwrite=True)) == report


def test_an_edit_that_keeps_a_files_size_is_noticed_and_a_copy_is_the_same(home: Path, source: Path) -> None:
    config = IngestConfig(source=str(source), dataset_name="edited", min_notes=7)
    report = ingest(config)
    path = source / "book.abc"
    before = path.stat()
    os.utime(path, (before.st_mtime + 60, before.st_mtime + 60))
    assert ingest(config) == report
    path.write_bytes(path.read_bytes().replace(b"A", b"B", 1))
    os.utime(path, (before.st_mtime, before.st_mtime))
    assert path.stat().st_size == before.st_size
    with pytest.raises(InputError, match="the source's files changed"):
        ingest(config)


def test_a_second_ingest_into_a_folder_is_refused(home: Path, source: Path) -> None:
    config = IngestConfig(source=str(source / "duet.krn"), dataset_name="busy", min_notes=7)
    folder = home / "data" / "base" / "busy"
    with files.locked(folder, "an ingest"), pytest.raises(InputError, match="another process is working on an ingest"):
        ingest(config)
    assert not (folder / "notes").exists()
    ingest(config)
    with files.locked(folder, "an ingest"), pytest.raises(InputError, match="another process"):
        ingest(replace(config, overwrite=True))
    assert open_dataset(folder).names == ["duet"]


def test_what_was_left_out_is_said_by_song(home: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(SCORES / "midi" / "drums_and_piano.mid", source)
    shutil.copy(SCORES / "midi" / "never_closed.mid", source)
    report = ingest(IngestConfig(source=str(source), dataset_name="some", min_notes=1))
    drums = report.left_out["drums_and_piano"]["drums"]
    assert drums > 0
    assert report.miscounted == {"never_closed": [2, 1]}
    manifest = json.loads((report.folder / "ingest.json").read_text())
    assert manifest["left_out"]["drums_and_piano"] == {"drums": drums}
    said = capsys.readouterr().out
    total = sum(kinds.get("drums", 0) for kinds in report.left_out.values())
    songs = sum("drums" in kinds for kinds in report.left_out.values())
    assert re.search(rf"left out: .*{total} notes \(drums\) in {songs} songs.*ingest\.json", said)
    assert "in doubt: 1 song of which not all notes were read: never_closed has 2, read 1" in said


def test_one_bad_tune_costs_one_tune(home: Path, source: Path, capfd: pytest.CaptureFixture[str]) -> None:
    good = "M:4/4\nL:1/4\nK:C\nCDEF|GABc|"
    (source / "book.abc").write_text(f"X:1\nT:One\n{good}\n\nX:2\nT:Bad\n{good}[CEG\n\nX:3\nT:Three\n{good}\n")
    report = ingest(IngestConfig(source=str(source / "book.abc"), dataset_name="book", min_notes=1))
    assert open_dataset(report.folder).names == ["book-0", "book-2"]
    ((name, reason),) = report.broken.items()
    assert name.startswith("book.abc, ") and "Bad" in name and reason
    assert f"ingest: skipped {name}" in capfd.readouterr().err


def test_near_duplicates_are_listed_and_share_a_split(home: Path, source: Path) -> None:
    for i in range(20):
        shutil.copy(SCORES / "midi" / "random_480.mid", source / f"copy{i:02d}.mid")
    report = ingest(IngestConfig(source=str(source), dataset_name="twins", min_notes=7))
    dataset = open_dataset(report.folder)
    splits = {split for name, split in zip(dataset.names, dataset.splits, strict=True) if "copy" in name}
    assert report.near_duplicates == 21
    assert len(splits) == 1


def test_repeats_as_they_are_played(home: Path, source: Path) -> None:
    (source / "tune.abc").write_text("X:1\nM:4/4\nL:1/4\nK:C\nCDEF|1 GABc:|2 CCCC|\n")
    lengths = {}
    for repeats in ("written", "played"):
        config = IngestConfig(
            source=str(source / "tune.abc"), dataset_name=f"as_{repeats}", min_notes=1, repeats=repeats
        )
        report = ingest(config)
        lengths[repeats] = report.notes
        with pytest.raises(InputError, match="made with another repeats"):
            ingest(replace(config, repeats={"written": "played", "played": "written"}[repeats]))
    assert lengths == {"written": 12, "played": 16}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_stops_at_once_and_says_that_it_goes_on(tmp_path: Path, number: int, code: int) -> None:
    words = command("music21:airdsAirs", "airs", "--jobs", 2)
    process = start(words, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    kill_and_wait(process, tmp_path / "data" / "base" / "airs" / "ingest.jsonl", 1, number, 1.0)
    assert process.returncode == code
    assert process.stderr is not None
    assert b"interrupted: the same command goes on where this one stopped" in process.stderr.read()


STEPS = [
    "find_scores",
    "_state",
    "mmt_encoding",
    "read_scores",
    "_keep",
    "_finish",
    "_sweep",
    "find_duplicates",
    "print",
]


@pytest.mark.parametrize("step", [*STEPS, "print"])
def test_ctrl_c_at_any_step_says_that_it_goes_on_and_it_does(
    home: Path, source: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    config = IngestConfig(source=str(source / "duet.krn"), dataset_name="one", min_notes=7)

    def ctrl_c(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"music_interpret.ingest.{step}", ctrl_c, raising=False)
        with pytest.raises(KeyboardInterrupt, match="the same command goes on where this one stopped"):
            ingest(config)
    folder = home / "data" / "base" / "one"
    if folder.exists() and step != "print":
        with pytest.raises(InputError, match=f"the ingest of {folder} has not finished"):
            open_dataset(folder)
    ingest(config)
    assert open_dataset(folder).names == ["duet"]


def test_a_data_set_that_is_half_removed_is_not_taken_for_whole(
    home: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = IngestConfig(source=str(source), dataset_name="all", min_notes=7, overwrite=True)
    folder = ingest(config).folder
    names = open_dataset(folder).names

    def stopped(path: Path) -> None:
        (path / "tune.npy").unlink()
        raise KeyboardInterrupt

    other = IngestConfig(source=str(source), dataset_name="all", min_notes=8, overwrite=True)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("music_interpret.ingest.shutil.rmtree", stopped)
        ingest(other)
    with pytest.raises(InputError, match="has not finished"):
        open_dataset(folder)
    ingest(config)
    assert open_dataset(folder).names == names


def test_a_file_over_a_limit_costs_one_file(home: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hungry = (
        "from music_interpret.music import reader_process as r\n"
        "read = r.read_works\n"
        "def hungry(path, *rest):\n"
        "    return read(path, *rest) if path.name != 'duet.krn' else bytes(2**30)\n"
        "r.read_works = hungry\n"
        "r.serve(*{})\n"
    )
    monkeypatch.setattr(reader_process, "SERVE", hungry)
    monkeypatch.setattr("music_interpret.ingest.LARGEST_UNPACKED", 10**6)
    with zipfile.ZipFile(source / "bomb.mxl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", bytes(10**6 + 1))
    report = ingest(IngestConfig(source=str(source), dataset_name="all", min_notes=7, jobs=1, memory_gib=1))
    assert report.broken["bomb.mxl"] == "it unpacks to 1,000,001 bytes; expected up to 1,000,000"
    assert report.broken["duet.krn"] == "reading it took more than 1 GiB of memory"
    assert open_dataset(report.folder).names == ["book-0", "sub/random_1024", "sub/random_480", "tune"]


def test_memory_is_no_property_of_the_data_set(home: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = ingest(IngestConfig(source=str(source), dataset_name="once", min_notes=7, memory_gib=2))
    assert "memory_gib" not in json.loads((report.folder / "ingest.json").read_text())["arguments"]
    assert ingest(IngestConfig(source=str(source), dataset_name="once", min_notes=7, memory_gib=3)) == report
    assert "nothing to do" in capsys.readouterr().out


def test_readers_end_when_the_caller_is_killed(tmp_path: Path) -> None:
    words = command("music21:bach", "bach", "--jobs", 2)
    process = subprocess.Popen(words, cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL)
    journal = tmp_path / "data" / "base" / "bach" / "ingest.jsonl"
    while process.poll() is None and (not journal.is_file() or journal.read_bytes().count(b"\n") < 3):
        time.sleep(0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert len(children) == 2
    assert psutil.wait_procs(children, timeout=20)[1] == []


def test_a_script_without_a_main_guard_can_ingest(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "from music_interpret.ingest import IngestConfig, ingest\n"
        f"print(ingest(IngestConfig(source={str(SCORES / 'duet.krn')!r}, dataset_name='one', min_notes=7)).written)\n"
    )
    words = [sys.executable, "script.py"]
    run = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60)
    assert run.stdout.splitlines()[-1] == "1", run.stderr


def test_a_name_too_long_to_write_costs_one_file(home: Path, source: Path) -> None:
    long = "x" * 240 + ".mid"
    shutil.copy(SCORES / "midi" / "random_96.mid", source / long)
    report = ingest(IngestConfig(source=str(source), dataset_name="long", min_notes=7))
    assert report.broken[long] == "its name is longer than 230 bytes"


def test_nothing_is_pickled_and_no_cache_is_left(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = home / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    ingest(IngestConfig(source=str(SCORES / "tune.musicxml"), dataset_name="one", min_notes=7))
    assert [p for p in scratch.rglob("*") if p.is_file()] == []
