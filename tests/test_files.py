import subprocess
import sys

import pytest

from music_interpret import files
from music_interpret.errors import InputError


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
