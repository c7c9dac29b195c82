"""Scores that make their reader misbehave, by their names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from music_interpret.music import reader_process

PLAIN = Path(__file__).parents[1] / "fixtures" / "scores" / "midi" / "plain.mid"
SERVE = (
    """
import ctypes, os, signal, time
from music_interpret.music import reader_process

read_works = reader_process.read_works

def misread(path, *rest):
    print("noise"); os.system("echo more noise")
    match path.stem.rstrip("0123456789"):
        case "segfault": ctypes.string_at(0)
        case "exit": os._exit(3)
        case "killed": os.kill(os.getpid(), signal.SIGKILL)
        case "sleep": time.sleep(600)
        case "spin":
            while True: pass
        case "hungry": held = [bytes(2**26) for _ in range(2**14)]
        case "internal": raise SystemError("error return without exception set")
        case "pid": raise reader_process.BrokenScore(str(os.getpid()))
        case "parsers":
            import sys
            formats = "music_interpret.music.formats."
            loaded = [name for name in ("abc", "kern", "midi") if formats + name in sys.modules]
            raise reader_process.BrokenScore(str(loaded))
    return read_works(path, *rest)

reader_process.read_works = misread
reader_process.serve(*ARGUMENTS)
""".replace("{", "{{")
    .replace("}", "}}")
    .replace("ARGUMENTS", "{}")
)


@pytest.fixture
def score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes a MIDI file; reading one named segfault, exit, killed, sleep, spin or hungry does that, one named
    internal raises SystemError, and one named pid or parsers gives as what is wrong with it the reader's process id or
    the formats whose readers it has loaded.
    """
    monkeypatch.setattr(reader_process, "SERVE", SERVE)

    def make(stem: str) -> Path:
        path = tmp_path / f"{stem}.mid"
        path.write_bytes(PLAIN.read_bytes())
        return path

    return make
