"""Fixtures shared by all tests: the golden data and models in a home of their own, and the command line in process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import hypothesis
import numpy as np
import pytest
import torch

from music_interpret import cli

GOLDEN = Path(__file__).parent / "fixtures" / "golden"
torch.set_num_threads(1)
# A time limit for each example says something about the machine and how busy it is, not about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked `gpu` where there is no CUDA device."""
    if torch.cuda.is_available():
        return
    left_out = [item for item in items if item.get_closest_marker("gpu")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("gpu")]


class Outcome(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str

    def refused(self) -> str:
        """The one line of an InputError; fails if it was anything else."""
        assert self.code == 2, self
        lines = [line for line in self.err.replace("\r", "\n").splitlines() if line.startswith("error: ")]
        assert len(lines) == 1 and self.err.rstrip().endswith(lines[0]), self.err
        return lines[0]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with the golden data set `sod` (four songs) and its models ape, rpe, npe (dim 64, 2 blocks)."""
    root = tmp_path / "home"
    for part in ("data", "models"):
        shutil.copytree(GOLDEN / part, root / part)
    monkeypatch.setenv("MUSIC_INTERPRET_HOME", str(root))
    return root


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command in this process: `command("train", "sod", "ape", …)`."""

    def run(name: str, *words: object) -> Outcome:
        capfd.readouterr()
        code = cli.run(name, [str(word) for word in words], f"music-interpret {name}")
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture
def many_songs(home: Path) -> Path:
    """The home with 40 songs instead of four: the golden ones, transposed; all three splits have some."""
    notes_folder = home / "data" / "base" / "sod" / "notes"
    names: list[str] = []
    for path in sorted(notes_folder.glob("*.npy")):
        notes = np.load(path)
        for shift in range(-5, 5):
            moved = notes.copy()
            moved[:, 2] += shift
            name = f"{path.stem}_{shift + 5}"
            np.save(notes_folder / f"{name}.npy", moved)
            names.append(name)
        path.unlink()
    folder = notes_folder.parent
    (folder / "names.txt").unlink()
    for split, places in (("train", (0, 1, 2, 3, 5, 6, 7, 8)), ("valid", (4,)), ("test", (9,))):
        taken = [name for i, name in enumerate(names) if i % 10 in places]
        (folder / f"{split}-names.txt").write_text("\n".join(taken) + "\n")
    return home


def spawn(home: Path, module: str, *words: object, **environment: str) -> subprocess.Popen:
    """Start `python -m music_interpret.<module>` as a process of its own, to be killed."""
    return subprocess.Popen(
        [sys.executable, "-m", f"music_interpret.{module}", *map(str, words)],
        env=os.environ | {"MUSIC_INTERPRET_HOME": str(home), "OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, but for locks."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
