"""Files that are whole or not there: atomic writes, JSON, and the identity of a file.

Everything is written next to its destination, synced and renamed, so that a reader never sees half a file and a full
disk leaves the old one in place.
"""

import contextlib
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from music_interpret.errors import InputError

LOCK = ".lock"
# What `atomic_write` and `atomic_folder` name what is not whole yet.
TEMPORARY_FILE = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")
TEMPORARY_FOLDER = re.compile(r"\..+\.unfinished")


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file next to `path` for writing; on success it takes the place of `path`, on failure it goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = _held_temporary(path)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)  # while it is held: nobody may sweep it before
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    sync_folder(path.parent)


def _held_temporary(path: Path) -> tuple[int, str]:
    """Handle and name of a new file next to `path`. While the handle is open, its lock says that somebody writes it."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        _hold(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)  # swept before it was held


def _hold(handle: int, lock: int) -> None:
    """Lock a file or folder while it is open. A disk without locks is written to all the same, and never swept."""
    with contextlib.suppress(OSError):
        fcntl.flock(handle, lock)


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Make a folder next to `folder` to be filled; on success it takes the place of `folder`, on failure it goes."""
    beside = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    handle = os.open(beside, os.O_RDONLY)
    try:
        _hold(handle, fcntl.LOCK_SH)  # LOCK_EX asks on network disks for a handle to write, which no folder has
        yield beside
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes) -> None:
    with atomic_write(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON; named tuples become objects, and NaN and infinity, which JSON has not, null."""
    write_text(path, json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def plain(value: Any) -> Any:
    """A value for JSON: named tuples become objects, NaN and infinity null."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_array(path: Path, array: Any) -> None:
    """Write a NumPy array as .npy."""
    import numpy as np

    with atomic_write(path) as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: Path, what: str, shape: str) -> Any:
    """Read a NumPy array from .npy, and no pickle.

    Args:
        path: of the file.
        what: kind of file, such as "note", for messages.
        shape: expected, in words.

    Raises:
        InputError: it is missing or damaged, or holds something else.
    """
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"missing {what} file {path}") from None
    except (ValueError, EOFError) as error:
        # NumPy takes whatever is no array for a pickle, and advises how to run it.
        reason = "it holds no array of numbers" if "pickle" in str(error) else str(error)
        raise InputError(f"{path} is not a readable {what} file ({reason})") from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} holds several arrays; expected one array of shape {shape}")
    return array


def read_json(path: Path) -> Any:
    """Read JSON; a missing or broken file is an InputError that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"missing file {path}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is not valid JSON ({error})") from None


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes: its identity in every manifest."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Hold a folder for this process; InputError if another process works in it. The lock goes with the process.

    What killed processes left of atomic writes below the folder is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another process is working on {what} in {folder}; wait for it or stop it") from None
        _sweep(folder)
        yield
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove temporary files and folders of atomic writes below a folder that no process writes any more."""
    for parent, folders, names in os.walk(folder):
        for name in filter(TEMPORARY_FILE.fullmatch, names):
            _remove_if_abandoned(Path(parent, name), fcntl.LOCK_SH)
        for name in list(filter(TEMPORARY_FOLDER.fullmatch, folders)):
            _remove_if_abandoned(Path(parent, name), fcntl.LOCK_EX)
            folders.remove(name)


def _remove_if_abandoned(path: Path, lock: int) -> None:
    """Remove a temporary file or folder unless its writer lives, whose lock excludes `lock`."""
    with contextlib.suppress(OSError):  # held by its writer, gone meanwhile, or a link
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(handle, lock | fcntl.LOCK_NB)
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                shutil.rmtree(path)
            elif stat.S_ISREG(os.fstat(handle).st_mode):
                path.unlink()
        finally:
            os.close(handle)


def clear_folder(folder: Path) -> None:
    """Remove all that is in a folder, but for the lock that this process may hold."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()
