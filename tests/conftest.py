"""Fixtures shared by all tests: the golden data and models in a home of their own, and the command line in process."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import numpy as np
import pytest
import torch

from music_interpret import cli
from music_interpret.paths import find_run

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


def make_home(root: Path) -> Path:
    """Lay the golden data set `sod` (four songs) and its models ape, rpe, npe (dim 64, 2 blocks) below a folder."""
    for part in ("data", "models"):
        shutil.copytree(GOLDEN / part, root / part)
    return root


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with the golden data set `sod` and its models."""
    root = make_home(tmp_path / "home")
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


def make_many_songs(home: Path) -> Path:
    """Put 40 songs in place of the four of `sod`: the golden ones, transposed; all three splits have some."""
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


@pytest.fixture
def many_songs(home: Path) -> Path:
    """The home with 40 songs instead of four."""
    return make_many_songs(home)


SCRIPT_SONG = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def labelled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with 40 songs, one of them called `SCRIPT_SONG`, and two runs, made once for all workers; not to be
    changed. `s/e` (layer 3) is labelled and evaluated, `s/f` (layer 1) is neither.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    root = folder / "labelled_home"
    with open(folder / "labelled_home.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "finished").is_file():
            shutil.rmtree(root, ignore_errors=True)
            make_labelled_home(root)
            (root / "finished").touch()
    return root


def make_labelled_home(root: Path) -> None:
    """Make what `labelled_home` says."""
    make_many_songs(make_home(root))
    songs = root / "data" / "base" / "sod"
    first = min(path.stem for path in (songs / "notes").glob("*.npy"))
    (songs / "notes" / f"{first}.npy").rename(songs / "notes" / f"{SCRIPT_SONG}.npy")
    for split in ("train", "valid", "test"):
        path = songs / f"{split}-names.txt"
        path.write_text(path.read_text().replace(f"{first}\n", f"{SCRIPT_SONG}\n"))
    options = ("--d_sae", "96", "--epochs", "20", "--batch_size", "64")
    stages: list[tuple[str, ...]] = [
        ("extract", "sod", "ape", "--layers", "1", "3"),
        ("preprocess", "sod", "ape", "--layers", "1", "3"),
    ]
    for name, layer in (("e", "3"), ("f", "1")):
        names = ("--series_name", "s", "--experiment_name", name)
        stages += [("train", "sod", "ape", "--layers", layer, *names, *options), ("index", f"s/{name}")]
    stages += [("label", "s/e"), ("evaluate", "s/e")]
    before = os.environ.get("MUSIC_INTERPRET_HOME")
    os.environ["MUSIC_INTERPRET_HOME"] = str(root)
    try:
        for stage, *words in stages:
            assert cli.run(stage, words, f"music-interpret {stage}") == 0, (stage, words)
    finally:
        del os.environ["MUSIC_INTERPRET_HOME"]
        if before is not None:
            os.environ["MUSIC_INTERPRET_HOME"] = before


@pytest.fixture
def labelled(labelled_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `labelled_home` for one test, which is the root."""
    root = tmp_path / "labelled"
    shutil.copytree(labelled_home, root)
    monkeypatch.setenv("MUSIC_INTERPRET_HOME", str(root))
    return root


def start(words: list[str], **options: Any) -> subprocess.Popen:
    """Start a process that Ctrl-C stops, also where these tests were started with SIGINT ignored, as in the background
    of a script: processes inherit that.
    """
    return subprocess.Popen(words, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options)


def spawn(home: Path, module: str, *words: object, **environment: str) -> subprocess.Popen:
    """Start `python -m music_interpret.<module>` as a process of its own, to be killed."""
    return start(
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


@pytest.fixture(scope="module")
def labelled_module(labelled_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of `labelled_home` for a file of tests that only read its runs."""
    root = tmp_path_factory.mktemp("labelled") / "home"
    shutil.copytree(labelled_home, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUSIC_INTERPRET_HOME", str(root))
        yield root


class Served:
    """A running explorer; `restart` ends it and starts it again, with everything read again."""

    def __init__(self, run: str) -> None:
        self.run = find_run(run)
        self.start()

    def start(self) -> None:
        import uvicorn

        from music_interpret.explore import listen
        from music_interpret.explorer.api import Explorer
        from music_interpret.explorer.opened import Explored
        from music_interpret.explorer.server import make_app

        listening = listen(0)
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.explorer = Explorer(Explored.open(self.run))
        settings = uvicorn.Config(make_app(self.explorer), log_level="warning", lifespan="on")
        self.server = uvicorn.Server(settings)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listening]})
        self.thread.start()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()

    def restart(self) -> None:
        self.stop()
        self.start()


@pytest.fixture
def served(labelled: Path) -> Iterator[Served]:
    """The explorer of run `s/e` of a labelled home of its own."""
    server = Served("s/e")
    yield server
    server.stop()
