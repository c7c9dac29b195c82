"""Virtual environments of the libraries that benchmarks compare with: one for each, pinned, made when it is missing."""

import hashlib
import subprocess
import venv
from pathlib import Path

from music_interpret import files
from music_interpret.errors import InputError


class Environment:
    """A library's virtual environment: what comes first, then the library and all it needs, as its requirements pin
    them.
    """

    def __init__(self, folder: Path, requirements: Path, first: str = "") -> None:
        """Args:
        folder: where it is, or will be.
        requirements: what is installed, without the dependencies of its own that pip would add.
        first: a requirement that is installed before, with its dependencies.
        """
        self.folder, self.requirements, self.first = folder.resolve(), requirements, first
        self.made = self.folder / "made_from"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def ready(self) -> bool:
        """Whether it is there and made from these requirements."""
        return self.made.is_file() and self.made.read_text(encoding="utf-8") == self._wanted()

    def make(self) -> None:
        """Make it again from the package index, as pip is set up on this machine."""
        print(f"making the environment {self.folder}", flush=True)
        venv.EnvBuilder(clear=True, with_pip=True).create(self.folder)
        commands = [[self.first]] if self.first else []
        for arguments in (*commands, ["--no-deps", "--requirement", str(self.requirements)]):
            done = subprocess.run(
                [str(self.python), "-m", "pip", "install", "--quiet", *arguments], capture_output=True, text=True
            )
            if done.returncode:
                raise InputError(f"pip could not install {self.requirements.stem}: {last_line(done.stderr)}")
        files.write_text(self.made, self._wanted())

    def _wanted(self) -> str:
        return f"{self.first} {hashlib.sha256(self.requirements.read_bytes()).hexdigest()}\n"


def last_line(text: str) -> str:
    """What a process said last."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
