import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from typing import NamedTuple

import pytest

from music_interpret import files
from music_interpret.errors import InputError


class Pair(NamedTuple):
    first: float
    second: float


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(RuntimeError, match="half way"), files.atomic_write(path) as file:
        file.write(b"half")
        raise RuntimeError("half way")
    assert files.read_json(path) == {"a": 1} and [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_missing_and_broken_json_are_named(tmp_path):
    with pytest.raises(InputError, match="missing file .*a.json"):
        files.read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b"\xff{")
    with pytest.raises(InputError, match="a.json is not valid JSON"):
        files.read_json(tmp_path / "a.json")


def test_json_holds_no_nan(tmp_path):
    value = {"a": float("nan"), "b": [1.5, float("inf"), (2, float("-inf"))], "c": Pair(1.0, float("nan"))}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == {
        "a": None,
        "b": [1.5, None, [2, None]],
        "c": {"first": 1.0, "second": None},
    }


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_clearing_a_folder_keeps_its_lock(tmp_path):
    with files.locked(tmp_path, "it"):
        (tmp_path / "a").mkdir()
        (tmp_path / "a/b").touch()
        (tmp_path / "c").touch()
        files.clear_folder(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [files.LOCK]


def test_a_lock_goes_with_its_process(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from music_interpret import files\n"
        "with files.locked(Path(sys.argv[1]), 'x'):\n    print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    with pytest.raises(InputError, match="another process is working on it"), files.locked(tmp_path, "it"):
        pass
    other.kill()
    other.communicate()
    with files.locked(tmp_path, "it"):
        pass


def test_a_folder_appears_whole_or_stays_as_it_was(tmp_path):
    goal = tmp_path / "features"
    for content in ("old", "new"):
        with files.atomic_folder(goal) as beside:
            (beside / content).write_text(content)
        assert [path.name for path in goal.iterdir()] == [content]
    with pytest.raises(KeyboardInterrupt), files.atomic_folder(goal) as beside:
        (beside / "half").write_text("")
        raise KeyboardInterrupt
    assert [path.name for path in goal.iterdir()] == ["new"] and list(tmp_path.iterdir()) == [goal]


# Writes a file below the folder argv[1], in a folder that is not whole yet too, and says so half way.
HALF_WAY = """
import contextlib, sys
from pathlib import Path
from music_interpret import files
folder = Path(sys.argv[1])
with contextlib.ExitStack() as stack:
    inner = stack.enter_context(files.atomic_folder(folder / "features"))
    for path in (folder / "checkpoints" / "state.safetensors", inner / "index.npy", folder / "cfg.json"):
        stack.enter_context(files.atomic_write(path)).write(b"half")
    print("half way", flush=True)
    sys.stdin.read()
"""


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


@pytest.fixture
def half_way(tmp_path):
    """A folder with files that look a little like temporary ones, and a process in the middle of writing more there."""
    for name in (".lock", "a.json", ".a.json.tmp", ".a.json.abcdefgh", "a.abcdefgh.tmp", ".a.ABCDEFGH.tmp", "x/.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    (tmp_path / ".link.abcdefgh.tmp").symlink_to(tmp_path / "a.json")
    (tmp_path / "unfinished").mkdir()
    kept = files_below(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HALF_WAY, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "half way\n"
    assert len(files_below(tmp_path)) == len(kept) + 3
    yield tmp_path, kept, process
    process.kill()
    process.communicate()


def test_what_a_killed_process_left_of_its_writes_goes_with_the_next_lock(half_way):
    folder, kept, process = half_way
    process.kill()
    process.communicate()
    assert (folder / ".features.unfinished").is_dir()
    with files.locked(folder, "it"):
        assert files_below(folder) == kept
    assert not (folder / ".features.unfinished").exists() and (folder / "unfinished").is_dir()


def test_what_a_live_process_writes_is_left_to_it(half_way):
    folder, kept, process = half_way
    with files.locked(folder, "it"):
        assert len(files_below(folder)) == len(kept) + 3
    process.communicate("")
    assert process.returncode == 0
    assert files_below(folder) == sorted([*kept, "cfg.json", "checkpoints/state.safetensors", "features/index.npy"])


def test_without_locks_files_are_written_all_the_same_and_nothing_is_swept(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    (tmp_path / ".a.abcdefgh.tmp").touch()
    monkeypatch.setattr(fcntl, "flock", unsupported)
    with files.atomic_folder(tmp_path / "b") as beside:
        files.write_text(beside / "c", "whole")
    files._sweep(tmp_path)
    assert files_below(tmp_path) == [".a.abcdefgh.tmp", "b/c"]


def test_a_temporary_file_that_is_swept_before_it_is_held_is_made_again(tmp_path, monkeypatch):
    made, mkstemp = [], tempfile.mkstemp

    def swept_once(**options):
        handle, name = mkstemp(**options)
        made.append(name)
        if len(made) == 1:
            files._sweep(tmp_path)
        return handle, name

    monkeypatch.setattr(tempfile, "mkstemp", swept_once)
    files.write_text(tmp_path / "a", "whole")
    assert len(made) == 2 and files_below(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "whole"
