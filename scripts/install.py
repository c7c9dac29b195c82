"""Install the package with extras into the Python that runs this; `make` calls it before each target.

    python3 scripts/install.py explore,test

What is there already is not installed again: a record of each environment in `.make/` says which extras it has. It
holds as long as our metadata there and the files that say what to install are the same.
"""

import hashlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = ("pyproject.toml", "constraints.txt", "music_interpret/__init__.py")

# Megabytes (10^6 bytes) of the files that pip downloads at the versions of constraints.txt, with no cache, measured for
# Python 3.11 on Linux x86-64: PyTorch with what it needs, our other requirements, and what each extra adds to these.
TORCH_MB = {"CPU": 202, "CUDA": 2740}
PACKAGE_MB = 179
EXTRA_MB = {"explore": 15, "notebook": 49, "hub": 7, "docs": 38, "test": 58, "lint": 28}


def main() -> None:
    """Install those of the extras on the command line that this environment lacks."""
    needed = set(sys.argv[1].split(","))
    there = installed_extras()
    missing = sorted(needed - there)
    if not missing:
        return
    what = f".[{','.join(missing)}]"
    print(f"installing {what} with {sys.executable} (once): {download_size(missing)}", flush=True)
    if importlib.util.find_spec("pip") is None:
        subprocess.check_call((sys.executable, "-m", "ensurepip"))
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt", "--editable", what)
    failed = subprocess.call(pip)
    if failed:
        sys.exit(failed)
    if shutil.which("pyenv"):
        subprocess.call(("pyenv", "rehash"))
    record().parent.mkdir(exist_ok=True)
    record().write_text(f"{state()}\n{','.join(sorted(there | needed))}\n")


def record() -> Path:
    """File that says which extras this environment has."""
    return Path(".make", hashlib.sha256(sys.prefix.encode()).hexdigest()[:16])


def state() -> str | None:
    """What a record is true of: this Python, our metadata in it, and the files that say what to install.

    Returns:
        None where the package is not installed.
    """
    try:
        found = importlib.metadata.distribution("music-interpret")
    except importlib.metadata.PackageNotFoundError:
        return None
    folder = Path(str(found.locate_file(f"music_interpret-{found.version}.dist-info")))
    if not folder.is_dir():
        return None
    sources = "".join(Path(name).read_text() for name in SOURCES)
    return f"{sys.executable} {hashlib.sha256(sources.encode()).hexdigest()} {folder.stat().st_mtime_ns}"


def installed_extras() -> set[str]:
    """The extras that this environment has; none where the record is not true any more."""
    if not record().is_file():
        return set()
    written, _, extras = record().read_text().strip().partition("\n")
    return set(extras.split(",")) - {""} if written == state() else set()


def download_size(extras: list[str]) -> str:
    """How much installing the extras downloads at most, in words."""
    rest = sum(EXTRA_MB[extra] for extra in extras)
    if not _has("music-interpret"):
        rest += PACKAGE_MB
    size = f"up to {rest} MB to download"
    if _has("torch"):
        return size
    cpu, cuda = TORCH_MB["CPU"], TORCH_MB["CUDA"] / 1000
    return f"{size}, and PyTorch: {cpu} MB as a CPU build, {cuda:.1f} GB as the CUDA build that Linux gets from PyPI"


def _has(name: str) -> bool:
    return any(importlib.metadata.distributions(name=name))


if __name__ == "__main__":
    main()
