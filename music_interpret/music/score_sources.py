"""Which scores a source holds, and what their songs are called.

A source is a score, a folder, or `music21:<corpus>`, one of those inside the music21 package. A song's name is its path
below the source without the suffix (`sub/song`); files that differ only in suffix keep it (`song.mid`, `song.krn`).
Songs of a corpus are named `<folder>-<file>`, as in the data of the base model; of one piece in several formats the
first in `FORMATS` is read.
"""

import hashlib
import importlib.util
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import tqdm

from music_interpret import files
from music_interpret.errors import InputError, unknown
from music_interpret.music.scores import FORMATS

CORPUS_PREFIX = "music21:"
CORPUS_PROGRAMS = {
    **dict.fromkeys(("bach", "josquin", "luca", "lusitano", "monteverdi", "trecento"), 52),
    **dict.fromkeys(("airdsAirs", "nottingham-dataset", "oneills1850", "ryansMammoth"), 40),
}
"""Program of parts without one in music21's corpora of vocal and of fiddle music, as in the data of the base model."""


class ScoreFile(NamedTuple):
    """A file to read."""

    path: Path
    """Where it is."""
    shown: str
    """Its path below the source, for messages."""
    name: str
    """Name of its song, or the stem of its songs' names."""


def find_scores(source: str) -> tuple[list[ScoreFile], int | None]:
    """The files to read, sorted, and the program of parts that have none (None where names decide)."""
    if source.startswith(CORPUS_PREFIX):
        corpus = source.removeprefix(CORPUS_PREFIX)
        return _corpus_scores(corpus), CORPUS_PROGRAMS.get(corpus)
    path = Path(source)
    suffixes = " ".join(FORMATS)
    if path.is_file():
        if path.suffix.lower() not in FORMATS:
            raise InputError(f"{path} is not a score by its suffix; expected one of: {suffixes}")
        return [ScoreFile(path, path.name, _clean(path.stem))], None
    if not path.is_dir():
        raise InputError(f"no such file or folder: {source}; expected a score, a folder, or {CORPUS_PREFIX}<corpus>")
    found = sorted(p.relative_to(path).as_posix() for p in _files_below(path))
    if not found:
        raise InputError(f"folder {path} holds no scores; expected files named: {suffixes}")
    names = _song_names(found)
    return [ScoreFile(path / shown, shown, names[shown]) for shown in found], None


def _files_below(folder: Path) -> Iterator[Path]:
    """Every visible score below a folder, through links to folders but through no cycle."""
    seen: set[str] = set()
    for parent, subfolders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(parent))
        subfolders[:] = [s for s in subfolders if s[0] != "." and os.path.realpath(os.path.join(parent, s)) not in seen]
        for name in names:
            path = Path(parent, name)
            if name[0] != "." and path.suffix.lower() in FORMATS and path.is_file():
                yield path


def _song_names(found: list[str]) -> dict[str, str]:
    """Names of files by their relative paths: without the suffix, where that leaves them apart from all others."""
    stems = {shown: _clean(shown[: -len(Path(shown).suffix)]) for shown in found}
    count = Counter(stems.values())
    # `book.abc` may become book-0, book-1, …: not if another file has such a name.
    numbered = {match[1] for stem in count if (match := re.fullmatch(r"(.*)-\d+", stem))}
    names = {k: stem if count[stem] == 1 and stem not in numbered else _clean(k) for k, stem in stems.items()}
    twice = [name for name, n in Counter(names.values()).items() if n > 1]
    if twice:
        one, other = [shown for shown, name in names.items() if name == twice[0]][:2]
        raise InputError(f"{one!r} and {other!r} would both become song {twice[0]!r}; rename one of them")
    return names


def _clean(name: str) -> str:
    """`name` fit for a line of names.txt: no control characters or line ends, no spaces or backslash at its ends."""
    name = name.encode("utf-8", "replace").decode()
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|^[\s\\]|\s$", "_", name)


def _corpus_scores(corpus: str) -> list[ScoreFile]:
    spec = importlib.util.find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("music21 is not installed; install it with: pip install music21")
    root = Path(spec.submodule_search_locations[0]) / "corpus"
    known = [name for name in sorted(p.name for p in root.iterdir() if p.is_dir()) if any(_files_below(root / name))]
    if corpus not in known:
        raise unknown("corpus", corpus, known, "music21")
    order = list(FORMATS)
    by_name: dict[str, Path] = {}
    for path in sorted(_files_below(root / corpus), key=lambda p: (order.index(p.suffix.lower()), p)):
        by_name.setdefault(re.sub(r"\s", "_", f"{path.parent.name}-{path.stem}"), path)
    return [ScoreFile(path, path.relative_to(root).as_posix(), name) for name, path in sorted(by_name.items())]


def content_sha256(scores: list[ScoreFile]) -> str:
    """Identity of the source: its files' names and contents."""
    state = hashlib.sha256()
    for score in tqdm.tqdm(scores, "ingest: look for changes", unit="file", leave=False, delay=2):
        try:
            state.update(f"{score.shown}\t{files.sha256(score.path)}\n".encode("utf-8", "replace"))
        except OSError as error:
            raise InputError(f"cannot read {score.path} ({error.strerror}); expected a readable score") from None
    return state.hexdigest()
