"""Ingest: scores to note arrays.

It makes `data/base/<dataset_name>/{notes/**.npy, notes/encoding.json, spellings/**.npy, names.txt, metres.json,
duplicates.csv}`, and `ingest.json`: what made the folder, and what did not come through.

What a file's notes are, `music/scores.py` says; what its song is called, `music/score_sources.py`. A file with several
works gives `<name>-0`, `<name>-1`, …

While the work goes on there is a journal instead (`music/ingest_report.py`); `open_dataset` refuses a folder that has
only that.
"""

import contextlib
import importlib.metadata
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

import tqdm

from music_interpret import __version__, files, paths
from music_interpret.config import CheckedConfig, FolderName, PositiveInt, as_dict, positional, within
from music_interpret.errors import InputError
from music_interpret.music.dataset import JOURNAL, MANIFEST, SPLITS
from music_interpret.music.duplicate_groups import DUPLICATES, write_duplicates
from music_interpret.music.duplicates import find_duplicates
from music_interpret.music.ingest_report import IngestReport, Outcome, journal, read_journal, report_of
from music_interpret.music.metres import METRES, write_metres
from music_interpret.music.reader_process import Answer, Limits
from music_interpret.music.score_readers import read_scores
from music_interpret.music.score_sources import ScoreFile, content_sha256, find_scores
from music_interpret.music.scores import Repeats, Work, polyphony
from music_interpret.music.spelling import SPELLINGS
from music_interpret.tokens.mmt_tables import mmt_encoding

MIN_POLYPHONY = 0.1
"""A song is polyphonic if two notes or more sound in this fraction of its sounding time."""
LONGEST_NAME = 230
"""Bytes of a song's name; file systems allow 255, and a file that is being written has a longer name than the song."""
LIMIT_SECONDS = 1800.0
"""After so long a file counts as broken; the longest tune book in music21 takes about a minute."""
LARGEST_UNPACKED = 2**29
"""Bytes that a compressed file may unpack to; the largest score in music21 takes 11 MB."""


@dataclass(frozen=True, kw_only=True)
class IngestConfig(CheckedConfig):
    """Turn scores into a data set of note arrays that the model reads."""

    source: str = positional()
    """a score, a folder of scores (with its subfolders), or `music21:<corpus>` for one that music21 brings along, such
    as `music21:bach`; MIDI (.mid .midi .kar .rmi), MusicXML (.mxl .musicxml .xml), MuseScore (.mscz .mscx), MEI (.mei),
    Humdrum kern (.krn) and ABC (.abc) are read"""
    dataset_name: FolderName = positional()
    """name of the data set; it is written to `data/base/<dataset_name>`"""
    resolution: Literal[12, 24] = 12
    """time steps per beat (a quarter note)"""
    min_notes: PositiveInt = 50
    """leave out songs with fewer notes"""
    polyphonic: bool = False
    """leave out songs in which several notes sound at once for less than a tenth of the time"""
    repeats: Repeats = "written"
    """each repeated section once, as it is written, or as often as it is played"""
    limit: PositiveInt | None = None
    """take at most this many songs, the first by file name (default: all)"""
    jobs: Annotated[int, within(1, 1024)] | None = None
    """files to read at once (default: one for each core)"""
    memory_gib: PositiveInt = 8
    """GiB of memory that reading one file may take; a file that takes more counts as broken"""
    overwrite: bool = False
    """replace a data set of this name"""


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
    made_by = {"arguments": arguments, "source_files": len(scores), "source_sha256": content_sha256(scores)}
    state = _state(folder, made_by, config.overwrite)
    with files.locked(folder, "an ingest"):
        state = _state(folder, made_by, config.overwrite)  # another process may have ended meanwhile
        if state == "finished":
            (folder / JOURNAL).unlink(missing_ok=True)
            manifest = {"folder": folder, **files.read_json(folder / MANIFEST)}
            report = IngestReport(*(manifest[key] for key in IngestReport._fields))
            print(f"ingest: nothing to do, {report.summary()}")
            return report
        if state == "in the way":
            _remove(folder)
        with journal(folder, made_by) as (outcomes, file):
            files.write_json(folder / "notes" / "encoding.json", mmt_encoding(config.resolution))
            _convert(config, scores, default_program, folder, outcomes, file)
        report = _finish(config, folder, made_by, [outcomes[s.shown] for s in scores if s.shown in outcomes])
    for line in report.details():
        print(f"ingest: {line}")
    print(f"ingest: {report.summary()}")
    return report


def _convert(
    config: IngestConfig,
    scores: list[ScoreFile],
    default_program: int | None,
    folder: Path,
    outcomes: dict[str, Outcome],
    journal_file: TextIO,
) -> None:
    """Read all scores that have no outcome yet, or those that the limit needs, and keep the outcomes."""
    todo = [score for score in scores if score.shown not in outcomes]
    if _has_enough(scores, outcomes, config.limit):
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = Limits(LIMIT_SECONDS, config.memory_gib * 2**30, LARGEST_UNPACKED)
    jobs = config.jobs or cores
    sources = [score.path for score in todo]
    answers = read_scores(sources, config.resolution, default_program, jobs, limits, config.repeats)
    total = min(len(scores), config.limit or len(scores))
    bar = tqdm.tqdm(total=total, initial=len(outcomes), unit="file", desc="ingest", mininterval=0.5, dynamic_ncols=True)
    with contextlib.closing(answers), bar:
        for index, answer in answers:
            outcome = outcomes[todo[index].shown] = _keep(config, todo[index], answer, folder)
            print(json.dumps(outcome._asdict()), file=journal_file, flush=True)
            bar.update()
            for what, reason in outcome.broken.items():
                bar.write(f"ingest: skipped {what}: {reason}", file=sys.stderr)
            if _has_enough(scores, outcomes, config.limit):
                return


def _keep(config: IngestConfig, score: ScoreFile, answer: Answer, folder: Path) -> Outcome:
    """Write the songs of one file that pass the filters, and say what came of it."""
    if answer.broken:
        return Outcome(score.shown, broken={score.shown: answer.broken})
    if len(os.fsencode(Path(score.name).name)) > LONGEST_NAME:
        return Outcome(score.shown, broken={score.shown: f"its name is longer than {LONGEST_NAME} bytes"})
    lost = {each.number for each in answer.lost}
    outcome = Outcome(
        score.shown,
        songs={},
        too_short={},
        silent={},
        monophonic=[],
        broken={f"{score.shown}, {each.title}": each.reason for each in answer.lost},
        left_out={},
        miscounted={},
    )
    n_works = len(answer.works) + len(lost)
    for i, work in zip((i for i in range(n_works) if i not in lost), answer.works, strict=True):
        _keep_work(config, score.name if n_works == 1 else f"{score.name}-{i}", work, folder, outcome)
    return outcome


def _keep_work(config: IngestConfig, name: str, work: Work, folder: Path, outcome: Outcome) -> None:
    """Write a work if it passes the filters, and note what came of it."""
    n_notes = len(work.notes)
    if not n_notes:
        outcome.silent[name] = dict(work.left_out)
    elif n_notes < config.min_notes:
        outcome.too_short[name] = n_notes
    elif config.polyphonic and polyphony(work.notes, config.resolution) < MIN_POLYPHONY:
        outcome.monophonic.append(name)
    else:
        if work.spellings is not None:
            files.write_array(folder / SPELLINGS / f"{name}.npy", work.spellings)
        files.write_array(folder / "notes" / f"{name}.npy", work.notes)
        outcome.songs[name] = {"notes": n_notes, "metres": work.metres, "numbers": work.numbers}
        if work.left_out:
            outcome.left_out[name] = dict(work.left_out)
        if work.miscounted:
            outcome.miscounted[name] = list(work.miscounted)


def _has_enough(scores: list[ScoreFile], outcomes: dict[str, Outcome], limit: int | None) -> bool:
    """Whether the files from the first to the first one not read yet give as many songs as the limit asks for."""
    songs = 0
    for score in scores if limit is not None else ():
        if score.shown not in outcomes:
            return False
        songs += len(outcomes[score.shown].songs)
        if songs >= (limit or 0):
            return True
    return False


def _finish(config: IngestConfig, folder: Path, made_by: dict[str, Any], outcomes: list[Outcome]) -> IngestReport:
    """Keep the songs within the limit, remove whatever else is in the folders, and write the files next to them."""
    within, n_songs = [], 0
    for outcome in outcomes:
        left = None if config.limit is None else config.limit - n_songs
        if left is not None and left <= 0:
            break
        within.append(outcome._replace(songs=dict(list(outcome.songs.items())[:left])))
        n_songs += len(within[-1].songs)
    songs = {name: song for outcome in within for name, song in outcome.songs.items()}
    report = report_of(folder, within, 0)
    if not songs:
        _remove(folder)
        (folder / files.LOCK).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()
        why = report.not_written() or "the files hold no music"
        raise InputError(f"no song of {config.source} came through: {why}")
    _sweep(folder / "notes", {f"{name}.npy" for name in songs} | {"encoding.json"})
    _sweep(folder / SPELLINGS, {f"{name}.npy" for name in songs})
    files.write_text(folder / "names.txt", "".join(f"{name}\n" for name in songs))
    write_metres(
        folder,
        {name: song["metres"] for name, song in songs.items() if song["metres"]},
        {name: song["numbers"] for name, song in songs.items() if song["numbers"]},
    )
    found = find_duplicates(folder, list(songs), config.resolution, config.memory_gib * 2**30)
    write_duplicates(folder, found)
    report = report._replace(near_duplicates=len(found))
    versions = {"symusic": importlib.metadata.version("symusic")}
    counts = {key: value for key, value in report._asdict().items() if key != "folder"}
    files.write_json(folder / MANIFEST, {"music_interpret": __version__, **versions, **made_by, **counts})
    (folder / JOURNAL).unlink()
    return report


# The folder


def _state(folder: Path, made_by: dict[str, Any], overwrite: bool) -> Literal["finished", "begun", "in the way"]:
    """Whether the data set is there already, is to be made or gone on with, or another one is to be replaced by it.

    Raises:
        InputError: another one is in its place.
    """
    shadow = folder.with_name(f"{folder.name}_notes")
    if (shadow / "notes").is_dir():
        raise InputError(f"data set {folder.name!r} is already in {shadow}, which is read first; choose another name")
    if not folder.is_dir() or not any(path.name != files.LOCK for path in folder.iterdir()):
        return "begun"
    if (folder / MANIFEST).is_file():
        there = files.read_json(folder / MANIFEST)
    elif (folder / JOURNAL).is_file():
        there = read_journal(folder / JOURNAL)[0]
        if there in (None, made_by):
            return "begun"
    else:
        there = {}
    if overwrite:
        return "in the way"
    if not there:
        raise InputError(f"{folder} is there and was not made by ingest; choose another name, or --overwrite")
    if "repeats" not in there.get("arguments", {}):
        version = there.get("music_interpret", "an earlier version")
        raise InputError(
            f"{folder} was made by {version}, which read scores otherwise; choose another name, or --overwrite"
        )
    if other := [key for key, value in made_by["arguments"].items() if there["arguments"].get(key) != value]:
        raise InputError(f"{folder} was made with another {' and '.join(other)}; choose another name, or --overwrite")
    if any(there.get(key) != value for key, value in made_by.items()):
        raise InputError(f"the source's files changed after {folder} was made; choose another name, or --overwrite")
    return "finished" if (folder / MANIFEST).is_file() else "begun"


def _remove(folder: Path) -> None:
    """Remove a data set, under a journal so that what is left of it is not taken for whole, and nothing else there."""
    (folder / JOURNAL).touch()
    for name in (MANIFEST, "names.txt", METRES, DUPLICATES, *(f"{split}-names.txt" for split in SPLITS)):
        (folder / name).unlink(missing_ok=True)
    for name in ("notes", SPELLINGS):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
    (folder / JOURNAL).unlink(missing_ok=True)


def _sweep(arrays: Path, keep: set[str]) -> None:
    """Remove what a killed run or songs beyond the limit left behind."""
    for path in sorted(arrays.rglob("*"), reverse=True):  # a folder comes after what is in it
        if path.is_dir():
            with contextlib.suppress(OSError):  # not empty
                path.rmdir()
        elif path.relative_to(arrays).as_posix() not in keep:
            path.unlink()


if __name__ == "__main__":
    from music_interpret.cli import main_of

    main_of("ingest")
