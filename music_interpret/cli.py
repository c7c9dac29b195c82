"""The command line: one table from commands to stages.

`music-interpret <command>` and `python -m music_interpret.<stage>` are the same function. A stage's module is
imported only when its command runs, so that `--help` does not wait for torch.
"""

import errno
import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import NamedTuple

from music_interpret import config
from music_interpret.errors import InputError
from music_interpret.interrupts import terminable


class Stage(NamedTuple):
    """One command: the module it lives in, its config dataclass, its function, and what it does."""

    module: str
    config: str
    function: str
    help: str


STAGES = {
    "ingest": Stage("ingest", "IngestConfig", "ingest", "scores (MIDI, MusicXML, kern, ABC) to note arrays"),
    "extract": Stage("activation_extraction", "ExtractionConfig", "extract", "what the model computes on every token"),
    "preprocess": Stage("preprocess", "PreprocessConfig", "preprocess", "normalisation statistics of activations"),
    "train": Stage("train", "TrainConfig", "train", "a sparse autoencoder of a layer's activations"),
    "evaluate": Stage("evaluate", "EvaluateConfig", "evaluate", "how good a run is, compared with controls"),
    "compare": Stage("compare", "CompareConfig", "compare", "evaluated runs in one table and one picture"),
    "index": Stage("index", "IndexConfig", "build_index", "every latent's tokens, values and statistics"),
    "label": Stage("label", "LabelConfig", "label", "name every latent by music theory, on held-out songs"),
    "features": Stage("browse", "BrowseConfig", "browse", "read which tokens fire which latents"),
    "explore": Stage("explore", "ExploreConfig", "explore", "see and hear the features, in a browser"),
    "report": Stage("report", "ReportConfig", "report", "features as one HTML file with pictures and sound"),
    "export": Stage(
        "export", "ExportConfig", "export", "a run for SAELens, dictionary-learning, sparsify or neuronpedia"
    ),
    "import": Stage("import_sae", "ImportConfig", "import_sae", "an autoencoder of one of those libraries as a run"),
    "demo": Stage("demo", "DemoConfig", "demo", "all of it on a built-in model and real music"),
}


def usage() -> str:
    lines = [f"  {name:<11} {stage.help}" for name, stage in STAGES.items()]
    return "\n".join(
        ["usage: music-interpret <command> [options]", "", "commands:", *lines, ""]
        + ["music-interpret <command> --help lists a command's options; music-interpret --version the version."]
    )


def exit_code_of(work: Callable[[], object]) -> int:
    """Do some work and return the exit code: 2 after bad input or a full disk, reported in one line, 130 after Ctrl-C,
    143 after SIGTERM.
    """
    with terminable() as terminated:
        return _exit_code_of(work, terminated)


def _exit_code_of(work: Callable[[], object], terminated: Callable[[], bool]) -> int:
    try:
        work()
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.ENAMETOOLONG):
            raise
        print(f"error: {os.strerror(error.errno).lower()}: {error.filename or 'a file'}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"\ninterrupted{': ' + str(stop) if str(stop) else ''}", file=sys.stderr)
        return 128 + (signal.SIGTERM if terminated() else signal.SIGINT)
    return 0


def run(command: str, argv: list[str], prog: str) -> int:
    """Run one stage on command-line words and return the exit code."""

    def work() -> None:
        stage = STAGES[command]
        module = importlib.import_module(f"music_interpret.{stage.module}")
        getattr(module, stage.function)(config.parse(getattr(module, stage.config), argv, prog))

    return exit_code_of(work)


def main(argv: list[str] | None = None) -> None:
    """Entry point of `music-interpret`."""
    words = sys.argv[1:] if argv is None else argv
    command = words[0] if words else "--help"
    if command in ("--help", "-h", "help"):
        print(usage())
        sys.exit(0)
    if command == "--version":
        from music_interpret import __version__

        print(__version__)
        sys.exit(0)
    if command not in STAGES:
        print(f"error: unknown command {command!r}; there are: {', '.join(STAGES)}", file=sys.stderr)
        sys.exit(2)
    sys.exit(run(command, words[1:], f"music-interpret {command}"))


def main_of(command: str) -> None:
    """Entry point of `python -m music_interpret.<stage>`."""
    sys.exit(run(command, sys.argv[1:], f"python3 -m music_interpret.{STAGES[command].module}"))
