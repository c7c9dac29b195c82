"""Python files of the user's own: run as modules, with errors that say which of their lines to fix."""

import sys
import traceback
from pathlib import Path
from types import ModuleType

from music_interpret.errors import InputError


def run_file(path: Path, what: str) -> ModuleType:
    """Execute a file as a module; it is compiled here so that no `__pycache__` appears alongside.

    Args:
        path: the file.
        what: what it is called in messages.

    Raises:
        InputError: it is missing or cannot be run, naming the line.
    """
    try:
        source = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"missing {what} {path}") from None
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read ({error.strerror}); expected a Python file") from None
    module = ModuleType(f"own_{path.stem}")
    module.__file__ = str(path)
    # Where dataclasses and the like look up what a module is.
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except SyntaxError as error:
        raise InputError(f"{path}{line(error.lineno)}: {type(error).__name__}: {_one_line(error.msg)}") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{path}{line(line_of(error, str(path)))}: {in_words(error)}") from error
    return module


def line_of(error: BaseException, file: str) -> int | None:
    """The last line of the file that was on the way to the error."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None


def line(number: int | None) -> str:
    """A line's number after a file's name."""
    return f", line {number}" if number else ""


def in_words(error: BaseException) -> str:
    """An error's kind and message in one short line."""
    return f"{type(error).__name__}: {_one_line(error)}".rstrip(": ")


def _one_line(message: object) -> str:
    text = " ".join(str(message).split())
    return text if len(text) <= 200 else f"{text[:197]}..."
