"""Ingest: scores to note arrays.

It makes `data/base/<dataset_name>/{notes/**.npy, notes/encoding.json, names.txt, metres.json}`.

What a file's notes are, `music/scores.py` says; what its song is called, `music/score_sources.py`. A file with several
works gives `<name>-0`, `<name>-1`, …

`ingest.jsonl` keeps what came of each file while the work goes on, so that a killed run goes on where it was; when all
is done it gives way to `ingest.json`: what made the folder, and which files were broken. `open_dataset` refuses a
folder that has only the journal.
"""

import contextlib
import importlib.metadata
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TextIO

import tqdm

from music_interpret import __version__, files, paths
from music_interpret.config import CheckedConfig, FolderName, PositiveInt, as_dict, positional, within
from music_interpret.errors import InputError
from music_interpret.music.dataset import JOURNAL, MANIFEST, SPLITS
from music_interpret.music.metres import METRES, write_metres
from music_interpret.music.reader_process import Answer, Limits
from music_interpret.music.score_metres import Stretch
from music_interpret.music.score_readers import read_scores
from music_interpret.music.score_sources import ScoreFile, find_scores, listing_sha256
from music_interpret.music.scores import polyphony
from music_interpret.tokens.mmt_tables import mmt_encoding

MIN_POLYPHONY = 0.1
"""A song is polyphonic if two notes or more sound in this fraction of its sounding time."""
LONGEST_NAME = 230
"""Bytes of a song's name; file systems allow 255, and a file that is being written has a longer name than the song."""
LIMIT_SECONDS = 1800.0
"""After so long a file counts as broken; the longest tune book in music21 takes about a minute."""
LARGEST_UNPACKED = 2**29
"""Bytes that a compressed file may unpack to; the largest score in music21 takes 11 MB."""
Outcome = dict[str, Any]
"""What came of one file: file, songs (name, number of notes, metres), too_short, monophonic, broken (why, or None)."""


@dataclass(frozen=True, kw_only=True)
class IngestConfig(CheckedConfig):
    """Turn scores into a data set of note arrays that the model reads."""

    source: str = positional()
    """a score, a folder of scores (with its subfolders), or `music21:<corpus>` for one that music21 brings along, such
    as `music21:bach`; MIDI (.mid .midi), MusicXML (.mxl .musicxml .xml), Humdrum kern (.krn) and ABC (.abc) are read"""
    dataset_name: FolderName = positional()
    """name of the data set; it is written to `data/base/<dataset_name>`"""
    resolution: Literal[12, 24] = 12
    """time steps per beat (a quarter note)"""
    min_notes: PositiveInt = 50
    """leave out songs with fewer notes"""
    polyphonic: bool = False
    """leave out songs in which several notes sound at once for less than a tenth of the time"""
    limit: PositiveInt | None = None
    """take at most this many songs, the first by file name (default: all)"""
    jobs: Annotated[int, within(1, 1024)] | None = None
    """files to read at once (default: one for each core)"""
    memory_gib: PositiveInt = 8
    """GiB of memory that reading one file may take; a file that takes more counts as broken"""
    overwrite: bool = False
    """replace a data set of this name"""


class IngestReport(NamedTuple):
    """What came out of a run."""

    folder: Path
    """The data set."""
    written: int
    """Songs written."""
    notes: int
    """Notes in them."""
    too_short: int
    """Songs left out because they have fewer than `min_notes` notes."""
    monophonic: int
    """Songs left out because `polyphonic` was asked for."""
    broken: dict[str, str]
    """Files that could not be read, relative to the source, and why."""

    def summary(self) -> str:
        left_out = f" ({self.left_out()})" if self.left_out() else ""
        return f"{self.written:,} songs, {self.notes:,} notes → {self.folder / 'notes'}{left_out}"

    def left_out(self) -> str:
        parts = [f"{self.too_short:,} too short"] if self.too_short else []
        parts += [f"{self.monophonic:,} monophonic"] if self.monophonic else []
        if self.broken:
            name, reason = next(iter(self.broken.items()))
            first = "first " if len(self.broken) > 1 else ""
            parts.append(f"{len(self.broken):,} broken: {first}{name}: {reason}")
        return ", ".join(parts)


def ingest(config: IngestConfig) -> IngestReport:
    """Write the data set and print, last, what came out; InputError if no song came through."""
    try:
        return _ingest(config)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on where this one stopped") from None


def _ingest(config: IngestConfig) -> IngestReport:
    scores, default_program = find_scores(config.source)
    folder = paths.home() / "data" / "base" / config.dataset_name
    arguments = {k: v for k, v in as_dict(config).items() if k not in ("jobs", "memory_gib", "overwrite")}
    made_by = {"arguments": arguments, "source_files": len(scores), "source_sha256": listing_sha256(scores)}
    if _is_finished(folder, made_by, config.overwrite):
        manifest = {"folder": folder, **files.read_json(folder / MANIFEST)}
        report = IngestReport(*(manifest[key] for key in IngestReport._fields))
        print(f"ingest: nothing to do, {report.summary()}")
        return report
    with _journal(folder, made_by) as (outcomes, journal):
        files.write_json(folder / "notes" / "encoding.json", mmt_encoding(config.resolution))
        _convert(config, scores, default_program, folder, outcomes, journal)
    report = _finish(config, folder, made_by, [outcomes[s.shown] for s in scores if s.shown in outcomes])
    print(f"ingest: {report.summary()}")
    return report


def _convert(
    config: IngestConfig,
    scores: list[ScoreFile],
    default_program: int | None,
    folder: Path,
    outcomes: dict[str, Outcome],
    journal: TextIO,
) -> None:
    """Read all scores that have no outcome yet, or those that the limit needs, and keep the outcomes."""
    todo = [score for score in scores if score.shown not in outcomes]
    if _has_enough(scores, outcomes, config.limit):
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = Limits(LIMIT_SECONDS, config.memory_gib * 2**30, LARGEST_UNPACKED)
    jobs = config.jobs or cores
    answers = read_scores([score.path for score in todo], config.resolution, default_program, jobs, limits)
    total = min(len(scores), config.limit or len(scores))
    bar = tqdm.tqdm(total=total, initial=len(outcomes), unit="file", desc="ingest", mininterval=0.5, dynamic_ncols=True)
    with contextlib.closing(answers), bar:
        for index, answer in answers:
            outcome = outcomes[todo[index].shown] = _keep(config, todo[index], answer, folder / "notes")
            print(json.dumps(outcome), file=journal, flush=True)
            bar.update()
            if outcome["broken"]:
                bar.write(f"ingest: skipped {outcome['file']}: {outcome['broken']}", file=sys.stderr)
            if _has_enough(scores, outcomes, config.limit):
                return


def _keep(config: IngestConfig, score: ScoreFile, answer: Answer, notes_folder: Path) -> Outcome:
    """Write the songs of one file that pass the filters, and say what came of it."""
    outcome: Outcome = {"file": score.shown, "songs": [], "too_short": 0, "monophonic": 0, "broken": answer.broken}
    if len(os.fsencode(Path(score.name).name)) > LONGEST_NAME:
        return outcome | {"broken": f"its name is longer than {LONGEST_NAME} bytes"}
    for i, (notes, metres) in enumerate(answer.works):
        name = score.name if len(answer.works) == 1 else f"{score.name}-{i}"
        if len(notes) < config.min_notes:
            outcome["too_short"] += 1
        elif config.polyphonic and polyphony(notes, config.resolution) < MIN_POLYPHONY:
            outcome["monophonic"] += 1
        else:
            files.write_array(notes_folder / f"{name}.npy", notes)
            outcome["songs"].append([name, len(notes), metres])
    return outcome


def _has_enough(scores: list[ScoreFile], outcomes: dict[str, Outcome], limit: int | None) -> bool:
    """Whether the files from the first to the first one not read yet give as many songs as the limit asks for."""
    songs = 0
    for score in scores if limit is not None else ():
        if score.shown not in outcomes:
            return False
        songs += len(outcomes[score.shown]["songs"])
        if songs >= (limit or 0):
            return True
    return False


def _finish(config: IngestConfig, folder: Path, made_by: dict[str, Any], outcomes: list[Outcome]) -> IngestReport:
    """Keep the songs within the limit, remove whatever else is in `notes/`, and write the files next to it."""
    songs: list[tuple[str, int, list[Stretch]]] = []
    within: list[Outcome] = []
    for outcome in outcomes:
        if config.limit is None or len(songs) < config.limit:
            songs += outcome["songs"]
            within.append(outcome)
    songs = songs[: config.limit]
    report = IngestReport(
        folder,
        written=len(songs),
        notes=sum(n_notes for _, n_notes, _ in songs),
        too_short=sum(outcome["too_short"] for outcome in within),
        monophonic=sum(outcome["monophonic"] for outcome in within),
        broken={outcome["file"]: outcome["broken"] for outcome in within if outcome["broken"]},
    )
    if not songs:
        _remove(folder)
        raise InputError(f"no song of {config.source} came through: {report.left_out() or 'the files hold no music'}")
    _sweep(folder / "notes", {f"{name}.npy" for name, *_ in songs} | {"encoding.json"})
    files.write_text(folder / "names.txt", "".join(f"{name}\n" for name, *_ in songs))
    write_metres(folder, {name: metres for name, _, metres in songs if metres})
    versions = {name: importlib.metadata.version(name) for name in ("music21", "symusic")}
    counts = {key: value for key, value in report._asdict().items() if key != "folder"}
    files.write_json(folder / MANIFEST, {"music_interpret": __version__, **versions, **made_by, **counts})
    (folder / JOURNAL).unlink()
    return report


# The folder


def _is_finished(folder: Path, made_by: dict[str, Any], overwrite: bool) -> bool:
    """Whether the data set is there already; makes way for it if not. InputError if another one is in its place."""
    shadow = folder.with_name(f"{folder.name}_notes")
    if (shadow / "notes").is_dir():
        raise InputError(f"data set {folder.name!r} is already in {shadow}, which is read first; choose another name")
    if not folder.is_dir() or not any(folder.iterdir()):
        return False
    if (folder / MANIFEST).is_file():
        there = files.read_json(folder / MANIFEST)
    elif (folder / JOURNAL).is_file():
        there = _read_journal(folder / JOURNAL)[0]
        if there in (None, made_by):
            return False
    else:
        there = {}
    if overwrite:
        _remove(folder)
        return False
    if not there:
        raise InputError(f"{folder} is there and was not made by ingest; choose another name, or --overwrite")
    if other := [key for key, value in made_by["arguments"].items() if there.get("arguments", {}).get(key) != value]:
        raise InputError(f"{folder} was made with another {' and '.join(other)}; choose another name, or --overwrite")
    if any(there.get(key) != value for key, value in made_by.items()):
        raise InputError(f"the source's files changed after {folder} was made; choose another name, or --overwrite")
    (folder / JOURNAL).unlink(missing_ok=True)
    return True


def _remove(folder: Path) -> None:
    """Remove a data set, under a journal so that what is left of it is not taken for whole, and nothing else there."""
    (folder / JOURNAL).touch()
    for name in (MANIFEST, "names.txt", METRES, *(f"{split}-names.txt" for split in SPLITS)):
        (folder / name).unlink(missing_ok=True)
    if (folder / "notes").is_dir():
        shutil.rmtree(folder / "notes")
    (folder / JOURNAL).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _sweep(notes_folder: Path, keep: set[str]) -> None:
    """Remove what a killed run or songs beyond the limit left behind."""
    for path in sorted(notes_folder.rglob("*"), reverse=True):  # a folder comes after what is in it
        if path.is_dir():
            with contextlib.suppress(OSError):  # not empty
                path.rmdir()
        elif path.relative_to(notes_folder).as_posix() not in keep:
            path.unlink()


# The journal: a line for what makes the folder, then one for each file read.


def _read_journal(path: Path) -> tuple[dict[str, Any] | None, list[Outcome], int]:
    """The first line, the others, and how many bytes of the journal are whole lines; a kill may have cut the last."""
    data = path.read_bytes() if path.is_file() else b""
    whole = data.rfind(b"\n") + 1
    try:
        lines = [json.loads(line) for line in data[:whole].splitlines()]
    except ValueError:  # not ours; begin again
        return None, [], 0
    return (lines[0] if lines else None), lines[1:], whole


def _is_there(outcome: Outcome, notes_folder: Path) -> bool:
    """Whether the songs of a file are written; a journal from before metres were kept does not count."""
    return all(len(song) == 3 and (notes_folder / f"{song[0]}.npy").is_file() for song in outcome["songs"])


@contextlib.contextmanager
def _journal(folder: Path, made_by: dict[str, Any]) -> Iterator[tuple[dict[str, Outcome], TextIO]]:
    """The outcomes of an earlier run whose songs are all there, by file, and the journal open for more."""
    path = folder / JOURNAL
    folder.mkdir(parents=True, exist_ok=True)
    _, lines, whole = _read_journal(path)
    done = {outcome["file"]: outcome for outcome in lines if _is_there(outcome, folder / "notes")}
    with open(path, "a", encoding="utf-8") as journal:
        journal.truncate(whole)
        if not whole:
            print(json.dumps(made_by), file=journal, flush=True)
        yield done, journal


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("ingest")
